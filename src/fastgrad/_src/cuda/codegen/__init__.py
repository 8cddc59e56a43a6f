"""Compilation of a kernel's body to a GPU's machine code, as `kernels.codegen` does for a CPU."""
