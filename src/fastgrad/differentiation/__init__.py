"""Derivatives of functions that Numba compiles. docs/custom_kernels.md is the guide; README.md of this folder tells the stages."""

from fastgrad.differentiation.adjoints import adjoint as adjoint
from fastgrad.differentiation.c_functions import cfunc as cfunc
from fastgrad.differentiation.check import check_gradients as check_gradients
from fastgrad.differentiation.implicit_functions import fixed_point as fixed_point
from fastgrad.differentiation.implicit_functions import implicit_root as implicit_root
from fastgrad.differentiation.matrices import hessian as hessian
from fastgrad.differentiation.matrices import jacobian as jacobian
from fastgrad.differentiation.transforms import grad as grad
from fastgrad.differentiation.transforms import hvp as hvp
from fastgrad.differentiation.transforms import jvp as jvp
from fastgrad.differentiation.transforms import value_and_grad as value_and_grad
from fastgrad.differentiation.transforms import vjp as vjp
