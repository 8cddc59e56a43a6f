"""Activation functions: each as a scalar function with its derivative, and some as kernels.

A derivative named `..._slope_of_result` is a function of the activation's result, the others of its argument.
"""

from fastgrad.kernels.building.body import fused_multiply_add, scalar_function
from fastgrad.kernels.building.build import kernel
from fastgrad.kernels.functions.error_function import normal_cdf_and_bell, tail_and_bell
from fastgrad.kernels.functions.vector_math import sigmoid as sigmoid_of
from fastgrad.kernels.functions.vector_math import softplus as softplus_of

FLOATS = ("float32", "float64")

ROOT_8_OVER_PI = 1.5957691216057307  # 2 sqrt(2 / pi): with it 1 + tanh(u) is 2 sigmoid(2u)
CUBIC = 0.044715
ROOT_HALF_OVER_PI = 0.3989422804014327  # 1 / sqrt(2 pi)


@scalar_function
def linear_of(x):
    """x."""
    return x


@scalar_function
def relu_of(x):
    """max(x, 0), which keeps NaN."""
    return T(0) if x <= 0 else x


@scalar_function
def linear_slope_of_result(g, y):
    """The cotangent of x for y = x."""
    return g


@scalar_function
def relu_slope_of_result(g, y):
    """The cotangent of x for y = max(x, 0); 0 at 0 (TensorFlow: tf.nn.relu)."""
    return g if y > 0 else T(0)


@scalar_function
def tanh_slope_of_result(g, y):
    """The cotangent of x for y = tanh(x)."""
    return g * (T(1) - y * y)


@scalar_function
def sigmoid_slope_of_result(g, y):
    """The cotangent of x for y = sigmoid(x)."""
    return g * (y * (T(1) - y))


@scalar_function
def gelu_of(x):
    """x times the normal distribution function at x; its limit 0 at -inf (Hendrycks and Gimpel 2016).

    Where that function is subnormal, the product need not be.
    """
    tail, bell = tail_and_bell(x)
    return (x if x > T(-1e4) else T(0)) * tail * bell if x < 0 else x * (T(1) - tail * bell)


@scalar_function
def gelu_slope(x):
    """The derivative of `gelu_of`; a loop with both computes their function of x once."""
    a = T(1e4) if x > T(1e4) else (T(-1e4) if x < T(-1e4) else x)
    cdf, bell = normal_cdf_and_bell(x)
    return fused_multiply_add(a, T(ROOT_HALF_OVER_PI) * bell, cdf)


@scalar_function
def gelu_tanh_of(x):
    """x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2."""
    return x * sigmoid_of(T(ROOT_8_OVER_PI) * (x + T(CUBIC) * x * x * x)) if x > T(-1e4) or x != x else T(0)  # noqa: PLR0124


@scalar_function
def gelu_tanh_slope(x):
    """The derivative of `gelu_tanh_of`; as for `gelu_slope`."""
    a = T(1e4) if x > T(1e4) else (T(-1e4) if x < T(-1e4) else x)
    s = sigmoid_of(T(ROOT_8_OVER_PI) * (x + T(CUBIC) * x * x * x))
    return s + a * (s * (T(1) - s)) * (T(ROOT_8_OVER_PI) * (T(1) + T(3 * CUBIC) * a * a))


@kernel("x: in[T], out: out[T], size: int", T=FLOATS)
def sigmoid(x, out, size):
    """TensorFlow: tf.sigmoid."""
    for i in range(size):
        out[i] = sigmoid_of(x[i])


@kernel("x: in[T], out: out[T], size: int", T=FLOATS)
def softplus(x, out, size):
    """TensorFlow: tf.math.softplus."""
    for i in range(size):
        out[i] = softplus_of(x[i])


@kernel("x: in[T], out: out[T], size: int", T=FLOATS)
def gelu(x, out, size):
    """TensorFlow: tf.nn.gelu(x, approximate=False)."""
    for i in range(size):
        out[i] = gelu_of(x[i])


@kernel("g: in[T], x: in[T], out: out[T], size: int", T=FLOATS)
def gelu_gradient(g, x, out, size):
    """The cotangent of gelu's argument x, from its result's, g."""
    for i in range(size):
        out[i] = g[i] * gelu_slope(x[i])


@kernel("x: in[T], out: out[T], size: int", T=FLOATS)
def gelu_tanh(x, out, size):
    """TensorFlow: tf.nn.gelu(x, approximate=True)."""
    for i in range(size):
        out[i] = gelu_tanh_of(x[i])


@kernel("g: in[T], x: in[T], out: out[T], size: int", T=FLOATS)
def gelu_tanh_gradient(g, x, out, size):
    """The cotangent of gelu_tanh's argument x, from its result's, g."""
    for i in range(size):
        out[i] = g[i] * gelu_tanh_slope(x[i])
