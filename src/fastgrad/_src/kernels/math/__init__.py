"""Functions of numbers, for the bodies of kernels: exp, sin, tanh, erf, pow ..."""
