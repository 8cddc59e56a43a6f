"""Functions that Numba compiles as operations of PyTensor, with derivatives: likelihoods of PyMC models that are loops."""

from fastgrad._src.derivatives.bridges.pytensor import *
