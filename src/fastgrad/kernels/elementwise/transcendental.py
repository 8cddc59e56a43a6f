"""Eager kernels of exponentials, logarithms, circular and hyperbolic functions."""

from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.math.circular import acos as acos_of
from fastgrad.kernels.math.circular import asin as asin_of
from fastgrad.kernels.math.circular import atan as atan_of
from fastgrad.kernels.math.circular import cos as cos_of
from fastgrad.kernels.math.circular import sin as sin_of
from fastgrad.kernels.math.circular import tan as tan_of
from fastgrad.kernels.math.error_function import erf as erf_of
from fastgrad.kernels.math.error_function import erfc as erfc_of
from fastgrad.kernels.math.hyperbolic import acosh as acosh_of
from fastgrad.kernels.math.hyperbolic import asinh as asinh_of
from fastgrad.kernels.math.hyperbolic import atanh as atanh_of
from fastgrad.kernels.math.hyperbolic import cosh as cosh_of
from fastgrad.kernels.math.hyperbolic import sinh as sinh_of
from fastgrad.kernels.math.vector_math import exp as exp_of
from fastgrad.kernels.math.vector_math import expm1 as expm1_of
from fastgrad.kernels.math.vector_math import log as log_of
from fastgrad.kernels.math.vector_math import log1p as log1p_of
from fastgrad.kernels.math.vector_math import log_sigmoid as log_sigmoid_of
from fastgrad.kernels.math.vector_math import tanh as tanh_of

FLOATS = ("float32", "float64")


@kernel("x: in[T], out: out[T], first: int, last: int", T=FLOATS)
def exp(x, out, first, last):
    """TensorFlow: tf.math.exp."""
    for i in range(first, last):
        out[i] = exp_of(x[i])


@kernel("x: in[T], out: out[T], first: int, last: int", T=FLOATS)
def expm1(x, out, first, last):
    """TensorFlow: tf.math.expm1."""
    for i in range(first, last):
        out[i] = expm1_of(x[i])


@kernel("x: in[T], out: out[T], first: int, last: int", T=FLOATS)
def log(x, out, first, last):
    """TensorFlow: tf.math.log."""
    for i in range(first, last):
        out[i] = log_of(x[i])


@kernel("x: in[T], out: out[T], first: int, last: int", T=FLOATS)
def log1p(x, out, first, last):
    """TensorFlow: tf.math.log1p."""
    for i in range(first, last):
        out[i] = log1p_of(x[i])


@kernel("x: in[T], out: out[T], first: int, last: int", T=FLOATS)
def tanh(x, out, first, last):
    """TensorFlow: tf.math.tanh."""
    for i in range(first, last):
        out[i] = tanh_of(x[i])


@kernel("x: in[T], out: out[T], first: int, last: int", T=FLOATS)
def log_sigmoid(x, out, first, last):
    """TensorFlow: tf.math.log_sigmoid."""
    for i in range(first, last):
        out[i] = log_sigmoid_of(x[i])


@kernel("x: in[T], out: out[T], first: int, last: int", T=FLOATS)
def sin(x, out, first, last):
    """TensorFlow: tf.math.sin."""
    for i in range(first, last):
        out[i] = sin_of(x[i])


@kernel("x: in[T], out: out[T], first: int, last: int", T=FLOATS)
def cos(x, out, first, last):
    """TensorFlow: tf.math.cos."""
    for i in range(first, last):
        out[i] = cos_of(x[i])


@kernel("x: in[T], out: out[T], first: int, last: int", T=FLOATS)
def tan(x, out, first, last):
    """TensorFlow: tf.math.tan."""
    for i in range(first, last):
        out[i] = tan_of(x[i])


@kernel("x: in[T], out: out[T], first: int, last: int", T=FLOATS)
def asin(x, out, first, last):
    """TensorFlow: tf.math.asin."""
    for i in range(first, last):
        out[i] = asin_of(x[i])


@kernel("x: in[T], out: out[T], first: int, last: int", T=FLOATS)
def acos(x, out, first, last):
    """TensorFlow: tf.math.acos."""
    for i in range(first, last):
        out[i] = acos_of(x[i])


@kernel("x: in[T], out: out[T], first: int, last: int", T=FLOATS)
def atan(x, out, first, last):
    """TensorFlow: tf.math.atan."""
    for i in range(first, last):
        out[i] = atan_of(x[i])


@kernel("x: in[T], out: out[T], first: int, last: int", T=FLOATS)
def sinh(x, out, first, last):
    """TensorFlow: tf.math.sinh."""
    for i in range(first, last):
        out[i] = sinh_of(x[i])


@kernel("x: in[T], out: out[T], first: int, last: int", T=FLOATS)
def cosh(x, out, first, last):
    """TensorFlow: tf.math.cosh."""
    for i in range(first, last):
        out[i] = cosh_of(x[i])


@kernel("x: in[T], out: out[T], first: int, last: int", T=FLOATS)
def asinh(x, out, first, last):
    """TensorFlow: tf.math.asinh."""
    for i in range(first, last):
        out[i] = asinh_of(x[i])


@kernel("x: in[T], out: out[T], first: int, last: int", T=FLOATS)
def acosh(x, out, first, last):
    """TensorFlow: tf.math.acosh."""
    for i in range(first, last):
        out[i] = acosh_of(x[i])


@kernel("x: in[T], out: out[T], first: int, last: int", T=FLOATS)
def atanh(x, out, first, last):
    """TensorFlow: tf.math.atanh."""
    for i in range(first, last):
        out[i] = atanh_of(x[i])


@kernel("x: in[T], out: out[T], first: int, last: int", T=FLOATS)
def erf(x, out, first, last):
    """TensorFlow: tf.math.erf."""
    for i in range(first, last):
        out[i] = erf_of(x[i])


@kernel("x: in[T], out: out[T], first: int, last: int", T=FLOATS)
def erfc(x, out, first, last):
    """TensorFlow: tf.math.erfc."""
    for i in range(first, last):
        out[i] = erfc_of(x[i])
