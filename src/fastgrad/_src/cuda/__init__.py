"""Kernels for NVIDIA GPUs: the same bodies as a CPU's, in parallel threads."""
