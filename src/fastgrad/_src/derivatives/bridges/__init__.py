"""Derivatives of Numba functions in PyTensor, PyTorch and JAX."""
