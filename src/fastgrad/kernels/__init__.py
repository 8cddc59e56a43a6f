"""How operations are computed on a CPU: Python functions compiled once by Numba, kept on disk, loaded by llvmlite.

`building` declares and compiles kernels, `running` runs tables of them on one thread or several; the other rooms hold the
kernels, a family a room.
"""
