"""Activation functions: each as a scalar function with its derivative, and some as kernels.

A derivative named `..._slope_of_result` is a function of the activation's result; the others are functions of its
argument.
"""

import math

from fastgrad._src.jit.body import constant_by_dtype, fused_multiply_add, scalar_function, scale_by_power_of_two
from fastgrad._src.kernels.elementwise.map_kernel import map_kernel, map_pairs_kernel
from fastgrad._src.kernels.math import vector_math
from fastgrad._src.kernels.math.error_function import normal_tail_parts
from fastgrad._src.kernels.math.vector_math import (
    at_most,
    exp,
    expm1,
    exponential_parts,
    log1p_of_fraction,
    positive_part,
    quotient_times_exponential,
)
from fastgrad._src.scalars.constants import ROOT_HALF_OVER_PI, SELU_SCALE, SELU_SCALED_ALPHA, TANH_GELU_CUBIC

FLOATS = ("float32", "float64")
ELEMENT_NANOSECONDS = 1.0  # about, for an element

ROOT_8_OVER_PI = 1.5957691216057307  # 2 sqrt(2 / pi)
# 2 sqrt(2 / pi) and 0.044715 times that, each in two parts, the first of which has few bits.
TANH_GELU_LINEAR_HIGH = constant_by_dtype(float32=1.59576416015625, float64=1.59576912160628126)
TANH_GELU_LINEAR_LOW = constant_by_dtype(float32=4.96144948071175978e-6, float64=-5.50548268697243722e-13)
TANH_GELU_CUBIC_HIGH = constant_by_dtype(float32=0.071354813873767852783, float64=0.071354816272600249394)
TANH_GELU_CUBIC_LOW = constant_by_dtype(float32=2.39883239599313563e-9, float64=-6.17514991815531545e-19)
# Beyond it a / (1 + e^u) is 0, with the u of `_tanh_parts`.
TANH_GELU_END = constant_by_dtype(float32=11.0, float64=22.0)


@scalar_function
def linear_of(x):
    """Returns x."""
    return x


@scalar_function
def relu_of(x):
    """Returns max(x, 0), and NaN for NaN."""
    return T(0) if x <= 0 else x


@scalar_function
def linear_slope_of_result(g, y):
    """Returns the cotangent of x for y = x."""
    return g


@scalar_function
def relu_slope_of_result(g, y):
    """Returns the cotangent of x for y = max(x, 0); 0 at 0 (TensorFlow: tf.nn.relu)."""
    return g if y > 0 else T(0)


@scalar_function
def tanh_slope_of_result(g, y):
    """Returns the cotangent of x for y = tanh(x)."""
    return g * (T(1) - y * y)


@scalar_function
def gelu_of(x):
    """Returns x times the normal distribution function at x; its limit 0 at -inf (Hendrycks and Gimpel 2016)."""
    a, n, n_low, d, d_low, inverse, k, p, low = normal_tail_parts(x)
    m = a * n
    m_low = fused_multiply_add(a, n_low, fused_multiply_add(a, n, -m))
    below = quotient_times_exponential(m, m_low, d, d_low, inverse, k, p, low)
    return math.copysign(relu_of(x) - below, x)


@scalar_function
def gelu_slope(x):
    """Returns the derivative of `gelu_of`; a loop with both computes their common function of x once."""
    a, n, _, _, _, inverse, k, p, low = normal_tail_parts(x)
    bell = scale_by_power_of_two(T(1) + (p + low), k)
    tail = n * inverse * bell
    return fused_multiply_add(math.copysign(a, x), T(ROOT_HALF_OVER_PI) * bell, tail if x < 0 else T(1) - tail)


@scalar_function
def _tanh_parts(x):
    """Returns a = |x|, cut off, k and p of exp(-u) = 2^k (1 + p), u's error; u = 2 sqrt(2/pi) (a + 0.044715 a^3)."""
    a = at_most(math.fabs(x), T(TANH_GELU_END))
    square = a * a
    square_low = fused_multiply_add(a, a, -square)
    v = fused_multiply_add(T(TANH_GELU_CUBIC_HIGH), square, T(TANH_GELU_LINEAR_HIGH))
    v_low = fused_multiply_add(
        T(TANH_GELU_CUBIC_LOW), square, fused_multiply_add(T(TANH_GELU_CUBIC_HIGH), square_low, T(TANH_GELU_LINEAR_LOW))
    )
    v_low += fused_multiply_add(T(TANH_GELU_CUBIC_HIGH), square, T(TANH_GELU_LINEAR_HIGH) - v)
    u = a * v
    k, p = exponential_parts(-u)
    return a, k, p, -fused_multiply_add(a, v_low, fused_multiply_add(a, v, -u))


@scalar_function
def gelu_tanh_of(x):
    """Returns x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2, as max(x, 0) - a / (1 + e^u); see `_tanh_parts`."""
    a, k, p, low = _tanh_parts(x)
    z = scale_by_power_of_two(T(1) + (p + fused_multiply_add(low, p, low)), k)
    d = T(1) + z
    below = quotient_times_exponential(a, T(0), d, z - (d - T(1)), T(1) / d, k, p, low)
    return math.copysign(relu_of(x) - below, x)


@scalar_function
def gelu_tanh_slope(x):
    """Returns the derivative of `gelu_tanh_of`; a loop with both computes their common function of x once."""
    a, k, p, low = _tanh_parts(x)
    z = scale_by_power_of_two(T(1) + (p + fused_multiply_add(low, p, low)), k)
    inverse = T(1) / (T(1) + z)
    below = z * inverse
    steep = (below * inverse) * (T(ROOT_8_OVER_PI) * fused_multiply_add(T(3 * TANH_GELU_CUBIC) * a, a, T(1)))
    return fused_multiply_add(math.copysign(a, x), steep, below if x < 0 else T(1) - below)


@scalar_function
def gelu_cotangent(g, x):
    """Returns the cotangent of gelu's argument x, from its result's, g."""
    return g * gelu_slope(x)


@scalar_function
def gelu_tanh_cotangent(g, x):
    """Returns the cotangent of gelu_tanh's argument x, from its result's, g."""
    return g * gelu_tanh_slope(x)


@scalar_function
def elu_of(x):
    """Returns x from 0 on, else e^x - 1 (Clevert et al. 2015)."""
    return x if x >= 0 else expm1(at_most(x, T(0)))


@scalar_function
def selu_of(x):
    """Returns scale x from 0 on, else scale alpha (e^x - 1) (Klambauer et al. 2017)."""
    return x * T(SELU_SCALE) if x >= 0 else expm1(at_most(x, T(0))) * T(SELU_SCALED_ALPHA)


@scalar_function
def selu_slope(x):
    """Returns the derivative of `selu_of`; the scale at 0."""
    return T(SELU_SCALE) if x >= 0 else exp(at_most(x, T(0))) * T(SELU_SCALED_ALPHA)


@scalar_function
def sigmoid_cross_entropy_of(x, z):
    """Returns the cross-entropy between a label z and the sigmoid of a logit x."""
    return positive_part(x) - x * z + log1p_of_fraction(exp(-math.fabs(x)))


sigmoid = map_kernel("sigmoid", vector_math.sigmoid, "TensorFlow: tf.sigmoid.", T=FLOATS)
softplus = map_kernel("softplus", vector_math.softplus, "TensorFlow: tf.math.softplus.", T=FLOATS)
gelu = map_kernel("gelu", gelu_of, "TensorFlow: tf.nn.gelu(x, approximate=False).", T=FLOATS)
gelu_tanh = map_kernel("gelu_tanh", gelu_tanh_of, "TensorFlow: tf.nn.gelu(x, approximate=True).", T=FLOATS)
elu = map_kernel("elu", elu_of, "TensorFlow: tf.nn.elu.", T=FLOATS)
selu = map_kernel("selu", selu_of, "TensorFlow: tf.nn.selu.", T=FLOATS)
slope_of_selu = map_kernel("slope_of_selu", selu_slope, "The derivative of selu.", T=FLOATS)
sigmoid_cross_entropy = map_pairs_kernel(
    "sigmoid_cross_entropy",
    sigmoid_cross_entropy_of,
    "TensorFlow: tf.nn.sigmoid_cross_entropy_with_logits, of logits and labels.",
    T=FLOATS,
)
gelu_gradient = map_pairs_kernel(
    "gelu_gradient", gelu_cotangent, "The cotangents of gelu's arguments, of the results' and the arguments.", T=FLOATS
)
gelu_tanh_gradient = map_pairs_kernel(
    "gelu_tanh_gradient",
    gelu_tanh_cotangent,
    "The cotangents of gelu_tanh's arguments, of the results' and the arguments.",
    T=FLOATS,
)
