"""Eager kernels of exponentials, logarithms, circular and hyperbolic functions."""

from typing import Any

from fastgrad.kernels.codegen.build import Kernel
from fastgrad.kernels.elementwise.map_kernel import map_kernel
from fastgrad.kernels.math import circular, error_function, hyperbolic, vector_math

FLOATS = ("float32", "float64")


def _kernel(function: Any) -> Kernel:
    name = function.__name__
    return map_kernel(name, function, f"TensorFlow: tf.math.{name}.", T=FLOATS)


exp = _kernel(vector_math.exp)
expm1 = _kernel(vector_math.expm1)
log = _kernel(vector_math.log)
log1p = _kernel(vector_math.log1p)
tanh = _kernel(vector_math.tanh)
log_sigmoid = _kernel(vector_math.log_sigmoid)
sin = _kernel(circular.sin)
cos = _kernel(circular.cos)
tan = _kernel(circular.tan)
asin = _kernel(circular.asin)
acos = _kernel(circular.acos)
atan = _kernel(circular.atan)
sinh = _kernel(hyperbolic.sinh)
cosh = _kernel(hyperbolic.cosh)
asinh = _kernel(hyperbolic.asinh)
acosh = _kernel(hyperbolic.acosh)
atanh = _kernel(hyperbolic.atanh)
erf = _kernel(error_function.erf)
erfc = _kernel(error_function.erfc)
