"""The numbers of a kernel's body that runs as plain Python, with the semantics of Numba.

int64, float32 and float64 are NumPy's scalars: int64 wraps, float32 with float32 is float32, float32 with int64 is
float64, an integer divided by 0 is 0. NumPy's other integers differ from Numba's: in Numba a sum of two uint32 has 64
bits, and a sum of int64 and uint64 is an int64. So these are `Integer` objects. A type that a body uses as a cast is a
`NumberType`; `math` is `MATH`.
"""

from __future__ import annotations

import ctypes
import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

_INTEGER_WIDTHS_IN_BITS = {f"{sign}int{width}": width for sign in ("", "u") for width in (8, 16, 32, 64)}
_INTEGERS_EXACT_IN_FLOAT32 = frozenset(["int8", "uint8", "int16"])
_FLOAT_CLASSES = (np.float32, np.float64, float)


def wrapped_integer(value: int, kind: str) -> int:
    """Returns the integer of this type that has the same low bits."""
    width = _INTEGER_WIDTHS_IN_BITS[kind]
    value &= (1 << width) - 1
    return value - (1 << width) if kind[0] == "i" and value >> (width - 1) else value


def integer_of_64_bits(value: int, unsigned: bool) -> Any:
    """Returns an integer of 64 bits."""
    return Integer(value, "uint64") if unsigned else np.int64(wrapped_integer(value, "int64"))


class Integer:
    """An integer of any type except int64.

    Args:
        value: a number; its low bits are used.
        kind: the type's name.
    """

    __slots__ = ("kind", "value")
    __array_ufunc__ = None  # so that NumPy's scalars leave operations to this class

    def __init__(self, value: int, kind: str) -> None:
        self.value = wrapped_integer(value, kind)
        self.kind = kind

    def __repr__(self) -> str:
        return f"{self.kind}({self.value})"

    def __int__(self) -> int:
        return self.value

    def __index__(self) -> int:
        return self.value

    def __float__(self) -> float:
        return float(self.value)

    def __bool__(self) -> bool:
        return self.value != 0

    def __hash__(self) -> int:
        return hash(self.value)

    def __neg__(self) -> Any:
        return integer_of_64_bits(wrapped_integer(-self.value, self.kind), self.kind[0] == "u")

    def __invert__(self) -> Any:
        return integer_of_64_bits(wrapped_integer(~self.value, self.kind), self.kind[0] == "u")

    def __abs__(self) -> Integer:
        return Integer(abs(self.value), self.kind)

    def as_float_with(self, other: Any) -> Any:
        """Returns the float that this number becomes in an operation with `other`."""
        is_short = type(other) is np.float32 and self.kind in _INTEGERS_EXACT_IN_FLOAT32
        return np.float32(self.value) if is_short else np.float64(self.value)


def _value_and_signedness(value: Any) -> tuple[int, bool]:
    """Returns the value of an integer, and whether its type is unsigned."""
    if type(value) is Integer:
        return value.value, value.kind[0] == "u"
    return operator.index(value) if type(value) is not np.bool_ else int(value), False


def _as_float(value: Any, other: Any) -> Any:
    """Returns a number as the float that it becomes in an operation with `other`, one of them an `Integer`."""
    if type(value) is Integer:
        return value.as_float_with(other)
    return value if isinstance(value, _FLOAT_CLASSES) else np.float64(_value_and_signedness(value)[0])


def _operator_methods(
    function: Callable[[Any, Any], Any], gives_float: bool = False, is_shift: bool = False, accepts_floats: bool = True
) -> tuple[Any, Any]:
    """Returns the methods of a binary operator, such as `__add__` and `__radd__`, of integers.

    Args:
        function: the operation on Python integers, or on floats.
        gives_float: whether integers become floats.
        is_shift: whether the result has the type of the left operand.
        accepts_floats: whether an operand may be a float; otherwise that is a TypeError.
    """

    def apply(a: Any, b: Any) -> Any:
        if accepts_floats and (gives_float or isinstance(a, _FLOAT_CLASSES) or isinstance(b, _FLOAT_CLASSES)):
            return function(_as_float(a, b), _as_float(b, a))
        (x, is_x_unsigned), (y, is_y_unsigned) = _value_and_signedness(a), _value_and_signedness(b)
        return integer_of_64_bits(function(x, y), is_x_unsigned and (is_y_unsigned or is_shift))

    return apply, lambda b, a: apply(a, b)


def _shift(function: Callable[[int, int], int]) -> tuple[Any, Any]:
    return _operator_methods(
        lambda value, count: function(value, count) if 0 <= count < 64 else 0, is_shift=True, accepts_floats=False
    )


def _division(function: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
    """Returns the methods of a division that gives 0 for an integer divided by 0."""
    return _operator_methods(lambda x, y: function(x, y) if y != 0 or isinstance(x, _FLOAT_CLASSES) else 0)


def _comparison(function: Callable[[Any, Any], Any]) -> Callable[[Integer, Any], bool]:
    def compare(a: Integer, b: Any) -> bool:
        is_real = isinstance(b, _FLOAT_CLASSES)
        return bool(function(a.as_float_with(b), b) if is_real else function(a.value, _value_and_signedness(b)[0]))

    return compare


for _name in ("lt", "le", "eq", "ne", "gt", "ge"):
    setattr(Integer, f"__{_name}__", _comparison(getattr(operator, _name)))
for _name, _pair in {
    **{name: _operator_methods(getattr(operator, name)) for name in ("add", "sub", "mul")},
    **{
        name: _operator_methods(getattr(operator, f"__{name}__"), accepts_floats=False) for name in ("and", "or", "xor")
    },
    "truediv": _operator_methods(operator.truediv, gives_float=True),
    "floordiv": _division(operator.floordiv),
    "mod": _division(operator.mod),
    "lshift": _shift(operator.lshift),
    "rshift": _shift(operator.rshift),
}.items():
    for _prefix, _function in zip(("__", "__r"), _pair, strict=True):
        setattr(Integer, f"{_prefix}{_name}__", _function)


class NumberType:
    """A type of numbers in a body: `float32(x)`, `T(0.5)`, `local_array(T, 16)`.

    Attributes:
        dtype: NumPy's dtype.
        name: its name.
    """

    __slots__ = ("_cast", "dtype", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.dtype = np.dtype(name)
        self._cast: Callable[[Any], Any] = self._float if self.dtype.kind == "f" else self._integer
        if name == "int64":
            self._cast = self._int64

    def __repr__(self) -> str:
        return self.name

    def __call__(self, value: Any) -> Any:
        """Converts a number as Numba does."""
        return value if type(value) is self.dtype.type else self._cast(value)

    def _float(self, value: Any) -> Any:
        if type(value) is Integer:
            value = np.uint64(value.value) if value.kind == "uint64" else np.int64(value.value)
        elif type(value) is int:
            value = np.int64(value)
        return self.dtype.type(value)

    def _int64(self, value: Any) -> Any:
        if isinstance(value, _FLOAT_CLASSES):
            return np.float64(value).astype(np.int64)
        return integer_of_64_bits(_value_and_signedness(value)[0], unsigned=False)

    def _integer(self, value: Any) -> Any:
        if isinstance(value, _FLOAT_CLASSES):
            return Integer(int(np.float64(value).astype(self.dtype)), self.name)
        return Integer(_value_and_signedness(value)[0], self.name)


NUMBER_TYPES = {name: NumberType(name) for name in ("int64", *_INTEGER_WIDTHS_IN_BITS, "float32", "float64")}


def number_type(element: Any) -> NumberType:
    """Returns the number type that bodies have for a NumPy type, a dtype or its name; bool becomes uint8."""
    if isinstance(element, NumberType):
        return element
    name = np.dtype(element).name
    return NUMBER_TYPES["uint8" if name == "bool" else name]


def typed_literal(value: Any) -> Any:
    """Returns a literal or global number of a body, or a tuple of numbers, with the type that Numba gives it."""
    if type(value) is int:
        return np.int64(value) if -(1 << 63) <= value < 1 << 63 else Integer(value, "uint64")
    if type(value) is float:
        return np.float64(value)
    return tuple([typed_literal(part) for part in value]) if type(value) is tuple else value


# ---- the C library ---------------------------------------------------------------------------------------------


@functools.cache
def c_function(name: str, is_float32: bool, arguments: int) -> Callable[..., Any]:
    """Returns a function of the C library of `arguments` numbers, `expf` or `exp`, as compiled kernels call it.

    Raises:
        AttributeError: the library has no function of this name.
    """
    c_symbol = getattr(ctypes.CDLL(None), name + ("f" if is_float32 else ""))
    kind = ctypes.c_float if is_float32 else ctypes.c_double
    function = ctypes.CFUNCTYPE(kind, *[kind] * arguments)(ctypes.cast(c_symbol, ctypes.c_void_p).value or 0)
    scalar = np.float32 if is_float32 else np.float64
    return lambda *numbers: scalar(function(*numbers))


def is_float32(value: Any) -> bool:
    """True if a number is a float32."""
    return type(value) is np.float32


class MathFunctions:
    """Python's `math` for bodies: functions of float32 are computed in float32, and none of them raises."""

    pi, e, tau = np.float64(math.pi), np.float64(math.e), np.float64(math.tau)
    inf, nan = np.float64(math.inf), np.float64(math.nan)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if not hasattr(math, name):
            raise AttributeError(f"math has no {name}")
        symbol = "tgamma" if name == "gamma" else name

        def function(*numbers: Any) -> Any:
            short = any(map(is_float32, numbers)) and all(_fits_float32(x) for x in numbers)
            kind = NUMBER_TYPES["float32" if short else "float64"]
            return c_function(symbol, short, len(numbers))(*[kind(x) for x in numbers])

        function.__name__ = name
        setattr(self, name, function)
        return function

    def sqrt(self, x: Any) -> Any:
        """Returns the square root of a number, rounded once."""
        return np.sqrt(x if isinstance(x, _FLOAT_CLASSES) else np.float64(int(x)))

    def floor(self, x: Any) -> Any:
        """The greatest whole number that is not above x, an int64."""
        return NUMBER_TYPES["int64"](np.floor(x) if isinstance(x, _FLOAT_CLASSES) else x)

    def ceil(self, x: Any) -> Any:
        """The least whole number that is not below x, an int64."""
        return NUMBER_TYPES["int64"](np.ceil(x) if isinstance(x, _FLOAT_CLASSES) else x)

    def trunc(self, x: Any) -> Any:
        """The whole part, an int64."""
        return NUMBER_TYPES["int64"](x)

    def isnan(self, x: Any) -> Any:
        """True if x is not a number."""
        return x != x  # noqa: PLR0124 - a NaN is not itself

    def isinf(self, x: Any) -> Any:
        """True if x is infinite."""
        return abs(x) == self.inf

    def isfinite(self, x: Any) -> Any:
        """True if x is neither infinite nor a NaN."""
        return abs(x) < self.inf


def _fits_float32(value: Any) -> bool:
    kind = type(value)
    return kind in (np.float32, np.bool_, bool) or (kind is Integer and value.kind in _INTEGERS_EXACT_IN_FLOAT32)


MATH = MathFunctions()
