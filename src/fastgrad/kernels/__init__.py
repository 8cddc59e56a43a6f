"""How operations are computed on a CPU: kernels compiled once by Numba, kept on disk, loaded by llvmlite.

`build` declares kernels, `cache` keeps their object code, the other modules hold the kernels by family.
"""
