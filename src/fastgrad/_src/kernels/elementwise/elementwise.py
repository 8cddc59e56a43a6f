"""Element-wise operations that fused loops do not support: integer operations that may fail, functions of SciPy.

An input has one element for all results, or one for each result; inputs that broadcast otherwise are expanded first.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy import float64

from fastgrad._src.jit.body import call_c_function, call_pair, local_array, round_down, scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.elementwise import bessel, normal_quantile
from fastgrad._src.kernels.elementwise.half import with_half_floats
from fastgrad._src.kernels.elementwise.special import dawsn, digamma, expint, spence
from fastgrad._src.kernels.math.power import power
from fastgrad._src.kernels.math.vector_math import exp, least, log
from fastgrad._src.kernels.movement.layout import broadcast, contiguous
from fastgrad._src.kernels.movement.strided import ScratchCopies
from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Operand, Output, Spec

FLOATS = ("float32", "float64")
SIGNED_INTEGERS = ("int8", "int16", "int32", "int64")
INTEGERS = (*SIGNED_INTEGERS, "uint8", "uint16", "uint32", "uint64")
ELEMENT_NANOSECONDS = 10.0  # about, for an element
ZETA_BLOCK = 64  # elements that the zeta function is computed for at a time
FLOOR_QUOTIENT, FLOOR_REMAINDER, QUOTIENT, REMAINDER = range(4)


class Operands(ScratchCopies):
    """The inputs of an element-wise operation, each one element or all elements, and the launches that expand others.

    Attributes:
        places: the operand of each input.
        steps: the stride of each input between elements, 0 or 1.
    """

    def __init__(self, inputs: Sequence[Spec], shape: tuple[int, ...]) -> None:
        super().__init__()
        self.size = prod(shape)
        self.places: list[Operand] = []
        self.steps = [0 if prod(x.shape) == 1 else 1 for x in inputs]
        for number, x in enumerate(inputs):
            count = prod(x.shape)
            place: Operand = Input(number)
            if count not in (1, self.size):
                place = self.copy_to_scratch(place, x.dtype, broadcast(contiguous(count), x.shape, shape), self.size)
            self.places.append(place)

    def launches_of_kernel(self, kernel: Any, *numbers: Any) -> Launches | None:
        """Returns the launches that expand inputs and then run a kernel on inputs, result, steps and some numbers."""
        operands = *self.places, Output(0), *self.steps, *numbers
        return self.launches_after_copies(Launch(kernel, operands, self.size, ELEMENT_NANOSECONDS))


# ---- integers ------------------------------------------------------------------------------------------


@kernel("x: in[T], y: in[T], z: out[T], x_step: int, y_step: int, mode: int, first: int, last: int -> int", T=INTEGERS)
def divide_integers(x, y, z, x_step, y_step, mode, first, last):
    """Computes quotients or remainders, rounded down or towards zero. A divisor of 0 stops the kernel."""
    for i in range(first, last):
        a, b = x[i * x_step], y[i * y_step]
        if b == 0:
            return i
        if b < 0 and b + 1 == 0:  # the quotient of the least integer overflows
            z[i] = T(0 - a) if mode in (FLOOR_QUOTIENT, QUOTIENT) else T(0)
            continue
        quotient = a // b
        rest = a - quotient * b
        if mode in (QUOTIENT, REMAINDER) and rest != 0 and (a < 0) != (b < 0):
            quotient = T(quotient + T(1))
            rest = T(rest - b)
        z[i] = T(quotient) if mode in (FLOOR_QUOTIENT, QUOTIENT) else T(rest)
    return -1


@kernel("x: in[T], y: in[T], z: out[T], x_step: int, y_step: int, first: int, last: int -> int", T=SIGNED_INTEGERS)
def power_of_integers(x, y, z, x_step, y_step, first, last):
    """Computes x^y, by repeated squaring. A negative exponent stops the kernel."""
    for i in range(first, last):
        base, exponent = x[i * x_step], y[i * y_step]
        if exponent < 0:
            return i
        power = T(1)
        while exponent > 0:
            if exponent & 1:
                power = T(power * base)
            base = T(base * base)
            exponent >>= 1
        z[i] = power
    return -1


def _operand_launches(
    kernel: Any,
    dtypes: Sequence[str],
    *numbers: int,
    addresses: Callable[[], list[int | None]] = list,
    in_float64: bool = False,
) -> Callable[..., Launches | None]:
    """Returns the ``launches`` of a kernel of `Operands`.

    Args:
        kernel: the kernel.
        dtypes: the dtypes that it supports.
        numbers: its last parameters.
        addresses: returns the addresses of the functions that it calls, its parameters before `numbers`.
        in_float64: whether its second type variable is the dtype of computations, float64.
    """

    @with_half_floats
    def operand_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches | None:
        dtype = inputs[0].dtype
        if dtype.name not in dtypes or None in (functions := addresses()):
            return None
        native = kernel[(dtype, np.dtype(np.float64)) if in_float64 else dtype]
        return Operands(inputs, outputs[0].shape).launches_of_kernel(native, *functions, *numbers)

    return operand_launches


floordiv_launches = _operand_launches(divide_integers, INTEGERS, FLOOR_QUOTIENT)
floormod_launches = _operand_launches(divide_integers, INTEGERS, FLOOR_REMAINDER)
truncatediv_launches = _operand_launches(divide_integers, INTEGERS, QUOTIENT)
truncatemod_launches = _operand_launches(divide_integers, INTEGERS, REMAINDER)
pow_launches = _operand_launches(power_of_integers, SIGNED_INTEGERS)


# ---- functions of SciPy --------------------------------------------------------------------------------


@kernel("a: in[T], x: in[T], y: out[T], a_step: int, x_step: int, function: int, first: int, last: int", T=FLOATS)
def call_binary(a, x, y, a_step, x_step, function, first, last):
    """y = function(a, x)."""
    for i in range(first, last):
        y[i] = T(call_c_function(function, float64(a[i * a_step]), float64(x[i * x_step])))


@kernel(
    "a: in[T], b: in[T], x: in[T], y: out[T], a_step: int, b_step: int, x_step: int, function: int, first: int, "
    "last: int",
    T=FLOATS,
)
def call_ternary(a, b, x, y, a_step, b_step, x_step, function, first, last):
    """y = function(a, b, x)."""
    for i in range(first, last):
        y[i] = T(call_c_function(function, float64(a[i * a_step]), float64(b[i * b_step]), float64(x[i * x_step])))


@kernel("x: in[T], y: out[T], x_step: int, function: int, which: int, first: int, last: int", T=FLOATS)
def call_unary_with_two_results(x, y, x_step, function, which, first, last):
    """y = one of the two results of function(x)."""
    pair = local_array(float64, 2)
    for i in range(first, last):
        one = call_pair(function, float64(x[i * x_step]), pair)
        y[i] = T(pair[1]) if which != 0 else T(one)


@kernel("x: in[T], y: out[T], x_step: int, function: int, first: int, last: int", T=FLOATS)
def call_unary_if_finite(x, y, x_step, function, first, last):
    """y = function(x), NaN at infinities."""
    for i in range(first, last):
        value = float64(x[i * x_step])
        y[i] = T(math.nan) if abs(value) == math.inf else T(call_c_function(function, value))


@kernel("x: in[E], y: out[E], x_step: int, gammaln: int, first: int, last: int", E=FLOATS, T=("float64",))
def log_gamma(x, y, x_step, gammaln, first, last):
    """y = log |gamma(x)|; inf at -inf."""
    for i in range(first, last):
        value = T(x[i * x_step])
        y[i] = call_c_function(gammaln, math.inf if value == -math.inf else value)


@scalar_function
def zetas_of_block(s, q, totals, count):
    """Sets totals[k] to the sum of (q[k] + n)^-s[k] over n >= 0 by the Euler-Maclaurin formula (DLMF 25.11.5).

    All are float64, and `q` is overwritten. The loops over k have no branches, so that they vectorise; what the formula does
    not hold for is repaired at the end.
    """
    start = local_array(float64, ZETA_BLOCK)
    for k in range(count):
        totals[k] = 0.0
        start[k] = q[k]
    for _ in range(12):
        for k in range(count):
            totals[k] += power(q[k], -s[k])
            q[k] += 1.0
    for k in range(count):
        if start[k] < 0 and start[k] != round_down(start[k]) and s[k] > 1 and s[k] == round_down(s[k]):
            while q[k] < 12.0:
                totals[k] += power(q[k], -s[k])
                q[k] += 1.0
    for k in range(count):
        totals[k] += _remainder_of_zeta(s[k], q[k])
    for k in range(count):
        if not (s[k] > 1 and start[k] > 0 and start[k] < math.inf):
            totals[k] = _zeta_outside(s[k], start[k], totals[k])


@scalar_function
def _remainder_of_zeta(s, at):
    """Returns the sum of (at + n)^-s over n >= 0, for at >= 12."""
    last = power(at, -s)
    total = last * at / (s - 1.0) + 0.5 * last
    # B_2k / (2k)! s (s + 1) ... (s + 2k - 2) at^(1 - s - 2k)
    term = s * last / at
    square = at * at
    total += term / 12.0
    term *= (s + 1.0) * (s + 2.0) / square
    total -= term / 720.0
    term *= (s + 3.0) * (s + 4.0) / square
    total += term / 30240.0
    term *= (s + 5.0) * (s + 6.0) / square
    total -= term / 1209600.0
    term *= (s + 7.0) * (s + 8.0) / square
    total += term / 47900160.0
    term *= (s + 9.0) * (s + 10.0) / square
    total -= term * (691.0 / 1307674368000.0)
    term *= (s + 11.0) * (s + 12.0) / square
    return total + term / 74724249600.0


@scalar_function
def _zeta_outside(s, q, by_formula):
    """Returns the zeta function for s <= 1, q <= 0, infinity or NaN."""
    if s <= 1:
        return math.inf if s == 1 else math.nan
    if q <= 0:
        if q == round_down(q):
            return math.inf if s == 2.0 * round_down(0.5 * s) else math.nan
        if s != round_down(s):
            return math.nan
    return 0.0 * s if q == math.inf else by_formula


# Functions compute in T, here always float64; elements in memory are of type E.
@kernel("s: in[E], q: in[E], y: out[E], s_step: int, q_step: int, first: int, last: int", E=FLOATS, T=("float64",))
def zeta(s, q, y, s_step, q_step, first, last):
    """Hurwitz's zeta function (TensorFlow: tf.math.zeta)."""
    exponents, at = local_array(float64, ZETA_BLOCK), local_array(float64, ZETA_BLOCK)
    totals = local_array(float64, ZETA_BLOCK)
    for start in range(first, last, ZETA_BLOCK):
        count = least(ZETA_BLOCK, last - start)
        for k in range(count):
            exponents[k] = T(s[(start + k) * s_step])
            at[k] = T(q[(start + k) * q_step])
        zetas_of_block(exponents, at, totals, count)
        for k in range(count):
            y[start + k] = totals[k]


@kernel(
    "n: in[E], x: in[E], y: out[E], n_step: int, x_step: int, psi: int, gamma: int, first: int, last: int",
    E=FLOATS,
    T=("float64",),
)
def polygamma(n, x, y, n_step, x_step, psi, gamma, first, last):
    """The derivatives of digamma: (-1)^(n + 1) n! zeta(n + 1, x); NaN unless n is 0, 1, 2 ..."""
    exponents, at = local_array(float64, ZETA_BLOCK), local_array(float64, ZETA_BLOCK)
    totals = local_array(float64, ZETA_BLOCK)
    for start in range(first, last, ZETA_BLOCK):
        count = least(ZETA_BLOCK, last - start)
        for k in range(count):
            exponents[k] = T(n[(start + k) * n_step]) + 1.0
            at[k] = T(x[(start + k) * x_step])
        zetas_of_block(exponents, at, totals, count)
        for k in range(count):
            order, value = T(n[(start + k) * n_step]), T(x[(start + k) * x_step])
            found = math.nan
            if order == 0:
                if value > 0 or value != round_down(value):
                    found = call_c_function(psi, value)
            elif order > 0 and order == round_down(order):
                found = call_c_function(gamma, order + 1.0) * totals[k]
                found = -found if order == 2.0 * round_down(0.5 * order) else found
            y[start + k] = found


@kernel(
    "a: in[E], x: in[E], y: out[E], a_step: int, x_step: int, psi: int, gammaln: int, first: int, last: int",
    E=FLOATS,
    T=("float64",),
)
def igamma_slope(a, x, y, a_step, x_step, psi, gammaln, first, last):
    """The derivative of the incomplete gamma function P(a, x) with respect to a, by its series (DLMF 8.11.4)."""
    for i in range(first, last):
        order, value = T(a[i * a_step]), T(x[i * x_step])
        if not (order > 0 and value >= 0 and order < math.inf):
            y[i] = math.nan
            continue
        if value == 0 or value >= order + 60.0 + 36.0 * math.sqrt(order if order > 1 else 1.0):
            y[i] = 0
            continue
        term, harmonic, total, slope = 1.0, 0.0, 1.0, 0.0
        for n in range(1, 200000):
            term = term * (value / (order + n))
            harmonic += 1.0 / (order + n)
            total += term
            change = term * harmonic
            slope -= change
            if n > 2 and not (change > 1e-17 * abs(slope) and term > 1e-17 * total):
                break
        logarithm = log(value)
        front = exp(order * logarithm - value - call_c_function(gammaln, order + 1.0))
        y[i] = front * (slope + total * (logarithm - call_c_function(psi, order + 1.0)))


@functools.cache
def scipy_address(name: str, signature: str) -> int | None:
    """Returns the address of a function of `scipy.special.cython_special` with this C signature, or None."""
    import ctypes

    from scipy.special import cython_special

    named = re.compile(rf"(__pyx_fuse_\d+(_\d+)*)?{name}\Z")
    found_name, found_pointer = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    found_name.restype, found_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    found_pointer.restype, found_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    for key, capsule in cython_special.__pyx_capi__.items():
        if named.match(key) and found_name(capsule) == signature.encode():
            address: int | None = found_pointer(capsule, signature.encode())
            return address
    return None


@functools.cache
def c_library_address(name: str) -> int | None:
    """Returns the address of a function of the C library that takes and returns a float64; None if there is none."""
    import ctypes

    try:
        function = getattr(ctypes.CDLL(None), name)
    except (OSError, TypeError, AttributeError):  # Windows has no library of the whole process
        return None
    return ctypes.cast(function, ctypes.c_void_p).value


C_FUNCTION_BY_SCIPY_NAME = {"gammaln": "lgamma", "j0": "j0", "j1": "j1", "y0": "y0", "y1": "y1"}
"""Functions of SciPy, with functions of the C library that are accurate near zeros, where SciPy's have no correct
digit."""


def _real_function_address(name: str, argument_count: int) -> int | None:
    if name in C_FUNCTION_BY_SCIPY_NAME and (address := c_library_address(C_FUNCTION_BY_SCIPY_NAME[name])) is not None:
        return address  # these functions ignore the int that kernels pass after the numbers, in another register
    return scipy_address(name, f"double ({'double, ' * argument_count}int __pyx_skip_dispatch)")


def make_scipy_launches(name: str, arity: int = 1) -> Callable[..., Launches | None]:
    """Returns the ``launches`` of an element-wise SciPy function; NaN at infinities if it takes one number."""
    kernel = (call_unary_if_finite, call_binary, call_ternary)[arity - 1]
    return _operand_launches(kernel, FLOATS, addresses=lambda: [_real_function_address(name, arity)])


def make_wide_launches(module: str, function: str) -> Callable[..., Launches | None]:
    """Returns the ``launches`` of a function of ``_WIDE_MODULES``, which computes in float64."""
    return _operand_launches(getattr(_WIDE_MODULES[module], f"{function}_kernel"), FLOATS, in_float64=True)


_WIDE_MODULES = {"bessel": bessel, "normal_quantile": normal_quantile}


def make_fresnel_launches(integral_number: int) -> Callable[..., Launches | None]:
    """Returns the ``launches`` of a Fresnel integral: 0 is the sine's, 1 the cosine's."""
    return _operand_launches(
        call_unary_with_two_results, FLOATS, integral_number,
        addresses=lambda: [scipy_address("fresnel", "void (double, double *, double *)")],
    )  # fmt: skip


def _make_launches_with_functions(kernel: Any, *functions: str) -> Callable[..., Launches | None]:
    """Returns the ``launches`` of a kernel that computes in float64, and calls functions of SciPy."""

    def addresses() -> list[int | None]:
        return [_real_function_address(name, 1) for name in functions]

    return _operand_launches(kernel, FLOATS, addresses=addresses, in_float64=True)


digamma_launches = _make_launches_with_functions(digamma, "psi")
dawsn_launches = _make_launches_with_functions(dawsn, "dawsn")
expint_launches = _make_launches_with_functions(expint, "expi")
spence_launches = _make_launches_with_functions(spence)
lgamma_launches = _make_launches_with_functions(log_gamma, "gammaln")
zeta_launches = _make_launches_with_functions(zeta)
polygamma_launches = _make_launches_with_functions(polygamma, "psi", "gamma")
igamma_slope_launches = _make_launches_with_functions(igamma_slope, "psi", "gammaln")
"""The derivative of ``tf.math.igamma`` with respect to its first argument."""
