"""Kernels of sliding windows: convolution and pooling."""
