"""Compilation of a kernel's body to a GPU's machine code, as `jit` does for a CPU."""
