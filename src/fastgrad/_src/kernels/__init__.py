"""Computes operations on a CPU: Python functions compiled once by Numba, cached on disk, loaded by llvmlite.

`jit` declares and compiles kernels. `runtime` runs tables of them on one thread or several. Each of the other
packages holds one family of kernels.
"""
