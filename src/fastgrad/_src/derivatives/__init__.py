"""Derivatives of functions that Numba compiles. docs/derivative_functions.md is the guide; README.md of this folder describes the stages."""
