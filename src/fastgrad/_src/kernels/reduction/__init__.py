"""Kernels that combine elements: sums, norms, softmax, running sums."""
