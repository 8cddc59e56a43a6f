"""Derivatives of the functions that a package compiles with Numba: recorded, compared with differences, and classified."""
