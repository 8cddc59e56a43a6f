"""From a body to a GPU's machine code: what a CPU has in `kernels.codegen`."""
