"""Compiles Python functions over pointers to object code on disk: `build` declares kernels, `cache` stores them."""
