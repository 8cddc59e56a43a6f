"""Functions that Numba compiles as differentiable functions of JAX's arrays."""

from fastgrad._src.derivatives.bridges.jax import *
