"""Derivatives of functions that Numba compiles. docs/custom_kernels.md is the guide; README.md of this folder describes the stages."""
