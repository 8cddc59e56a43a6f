"""Eager kernels of exponentials, logarithms, circular and hyperbolic functions."""

from typing import Any

from fastgrad._src.jit.build import Kernel
from fastgrad._src.kernels.elementwise.map_kernel import map_kernel, map_pairs_kernel
from fastgrad._src.kernels.math import circular, error_function, hyperbolic, power, vector_math

FLOATS = ("float32", "float64")


def _unary_kernel(function: Any) -> Kernel:
    name = function.__name__
    return map_kernel(name, function, f"TensorFlow: tf.math.{name}.", T=FLOATS)


exp = _unary_kernel(vector_math.exp)
expm1 = _unary_kernel(vector_math.expm1)
log = _unary_kernel(vector_math.log)
log1p = _unary_kernel(vector_math.log1p)
log2 = _unary_kernel(power.log2)
log10 = _unary_kernel(power.log10)
tanh = _unary_kernel(vector_math.tanh)
log_sigmoid = _unary_kernel(vector_math.log_sigmoid)
sin = _unary_kernel(circular.sin)
cos = _unary_kernel(circular.cos)
tan = _unary_kernel(circular.tan)
asin = _unary_kernel(circular.asin)
acos = _unary_kernel(circular.acos)
atan = _unary_kernel(circular.atan)
sinh = _unary_kernel(hyperbolic.sinh)
cosh = _unary_kernel(hyperbolic.cosh)
asinh = _unary_kernel(hyperbolic.asinh)
acosh = _unary_kernel(hyperbolic.acosh)
atanh = _unary_kernel(hyperbolic.atanh)
erf = _unary_kernel(error_function.erf)
erfc = _unary_kernel(error_function.erfc)
hypot = map_pairs_kernel("hypot", power.hypotenuse, "NumPy: np.hypot.", T=FLOATS)
