"""From a Python function over pointers to object code on disk: `build` declares kernels, `cache` stores them."""
