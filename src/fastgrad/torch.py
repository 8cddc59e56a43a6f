"""Functions that Numba compiles as differentiable functions of PyTorch's tensors."""

from fastgrad._src.derivatives.bridges.torch import *
