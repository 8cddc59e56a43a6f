"""Derivatives by central differences of functions that run as Python in extended precision."""

from __future__ import annotations

import builtins
import cmath
import dis
import functools
import math
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import mpmath
import numba
import numpy as np
from numba.core.dispatcher import Dispatcher
from numba.core.errors import NumbaError

from tests.derivatives.table import copy_of

STEP = 2.0**-10
STEP_IN_DOUBLE = 2.0**-7
LEVELS = 4


class Reference(NamedTuple):
    """The gradients with respect to some arguments, and bounds of their errors, of the same shapes."""

    gradients: tuple[Any, ...]
    errors: tuple[Any, ...]


def reference(function: Any, arguments: tuple[Any, ...], argnums: tuple[int, ...]) -> Reference:
    """Returns derivatives of a function that Numba compiled, by differences with Richardson's extrapolation.

    The function runs as Python in extended precision. Where NumPy or Numba can't (LAPACK, ufuncs of users), it runs compiled, in double
    precision.
    """
    evaluate, precision = _evaluation(function, arguments)
    base = STEP if precision < np.finfo(np.float64).eps else STEP_IN_DOUBLE
    gradients, errors = [], []
    for place in argnums:
        array = np.asarray(arguments[place])
        gradient = np.zeros(array.shape, extended_dtype(array.dtype))
        error = np.zeros(array.shape, np.longdouble)
        for index in np.ndindex(array.shape):
            step = np.longdouble(base) * max(1, abs(array[index]))
            for axis in (1, 1j) if array.dtype.kind == "c" else (1,):
                moved = functools.partial(_moved, evaluate, arguments, place, index, axis)
                slope, uncertainty = extrapolated(moved, step, precision)
                gradient[index] += slope * axis
                error[index] += uncertainty
        gradients.append(gradient[()])
        errors.append(error[()])
    return Reference(tuple(gradients), tuple(errors))


def directional(
    function: Any, arguments: tuple[Any, ...], argnums: tuple[int, ...], direction: tuple[Any, ...]
) -> tuple[Any, Any]:
    """Returns the derivatives along ``direction`` from the left and from the right, to about six digits."""
    evaluate, _ = _evaluation(function, arguments)
    moved_to = []
    for step in (-(2.0**-30), 0.0, 2.0**-30):
        moved = list(arguments)
        for place, part in zip(argnums, direction, strict=True):
            array = np.asarray(arguments[place])
            moved[place] = array.astype(extended_dtype(array.dtype)) + np.longdouble(step) * np.asarray(part)
        moved_to.append(evaluate(*moved))
    left, here, right = moved_to
    return (here - left) * 2.0**30, (right - here) * 2.0**30


def value(function: Any, arguments: tuple[Any, ...]) -> Any:
    """Returns the function's value in extended precision, or compiled where that does not work."""
    return _evaluation(function, arguments)[0](*arguments)


def extrapolated(moved: Callable[[Any], Any], step: Any, precision: float) -> tuple[Any, Any]:
    """Returns the derivative of ``moved`` at 0 and a bound of its error: Romberg's table of central differences."""
    largest = np.longdouble(0)
    rows: list[list[Any]] = []
    for level in range(LEVELS):
        h = step / 2**level
        right, left = moved(h), moved(-h)
        largest = max(largest, abs(right), abs(left))
        row = [(right - left) / (2 * h)]
        for order, coarse in enumerate(rows[-1] if rows else [], 1):
            row.append(row[-1] + (row[-1] - coarse) / (4**order - 1))
        rows.append(row)
    return rows[-1][-1], abs(rows[-1][-1] - rows[-1][-2]) + 64 * precision * (largest + 1) / step


def _moved(
    evaluate: Any, arguments: tuple[Any, ...], place: int, index: tuple[int, ...], axis: complex, by: Any
) -> Any:
    array = np.asarray(arguments[place])
    moved = array.astype(extended_dtype(array.dtype))
    moved[index] += by * axis
    changed = copy_of(arguments[place], moved.dtype) if moved.ndim else None
    if changed is not None:
        changed[...] = moved
    return evaluate(*arguments[:place], moved[()] if changed is None else changed, *arguments[place + 1 :])


def _evaluation(function: Any, arguments: tuple[Any, ...]) -> tuple[Callable[..., Any], float]:
    """Returns what computes the function, and its machine epsilon."""
    python = in_python(function)

    def extended(*values: Any) -> Any:
        state = np.random.get_state()
        try:
            with np.errstate(all="ignore"):
                return np.longdouble(python(*map(_extended, values)))
        finally:
            np.random.set_state(state)

    def compiled(*values: Any) -> Any:
        same_types = [
            copy_of(given, first.dtype) if isinstance(first, np.ndarray) else type(first)(given)
            for given, first in zip(values, arguments, strict=True)
        ]
        return np.longdouble(function(*same_types))

    try:
        extended(*arguments)
    except (TypeError, NumbaError):
        return compiled, float(np.finfo(np.float64).eps)
    return extended, float(np.finfo(np.longdouble).eps)


def _extended(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return copy_of(value, extended_dtype(value.dtype))
    if isinstance(value, (complex, np.complexfloating)):
        return np.clongdouble(value)
    return np.longdouble(value) if isinstance(value, (float, np.floating)) else in_python(value)


def extended_dtype(dtype: Any) -> Any:
    """Returns the dtype with extended precision in place of floats."""
    dtype = np.dtype(dtype)
    if dtype.names:
        return np.dtype([(name, extended_dtype(dtype[name])) for name in dtype.names])
    if dtype.subdtype:
        return np.dtype((extended_dtype(dtype.subdtype[0]), dtype.subdtype[1]))
    return {"f": np.dtype(np.longdouble), "c": np.dtype(np.clongdouble)}.get(dtype.kind, dtype)


def in_python(value: Any, done: dict[int, Any] | None = None) -> Any:
    """Returns a function as Python runs it in extended precision; other values that functions read, likewise."""
    done = {} if done is None else done
    if id(value) in done:
        return done[id(value)]
    function = value.py_func if isinstance(value, Dispatcher) else value
    if isinstance(function, types.FunctionType):
        namespace: dict[str, Any] = {"__builtins__": builtins, "float": _extended_float, "complex": _extended_complex}
        cells = tuple(types.CellType() for _ in function.__closure__ or ())
        python = types.FunctionType(
            function.__code__, namespace, function.__name__, function.__defaults__, cells or None
        )
        done[id(value)] = python
        for name in _names(function.__code__):
            if name in function.__globals__:
                namespace[name] = in_python(function.__globals__[name], done)
        for cell, original in zip(cells, function.__closure__ or (), strict=True):
            cell.cell_contents = in_python(original.cell_contents, done)
        return python
    if isinstance(value, np.ndarray):
        return value.astype(extended_dtype(value.dtype))
    if isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, np.inexact)):
        return extended_dtype(value) if isinstance(value, np.dtype) else extended_dtype(value).type
    if value is numba.prange:
        return range
    if value is numba.typed.List:
        return list
    return {id(np): NUMPY, id(math): MATH, id(cmath): CMATH}.get(id(value), value)


def _names(code: types.CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if isinstance(instruction.argval, str):
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


class _NumPy:
    """NumPy, whose new arrays have extended precision."""

    float32 = float64 = np.longdouble
    complex64 = complex128 = np.clongdouble

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def _creates(name: str) -> Callable[..., Any]:
    create = getattr(np, name)

    def created(*arguments: Any, **options: Any) -> Any:
        arguments = tuple(extended_dtype(each) if isinstance(each, type) else each for each in arguments)
        if "dtype" in options:
            options["dtype"] = extended_dtype(options["dtype"])
        result = create(*arguments, **options)
        return result if result.dtype.names else result.astype(extended_dtype(result.dtype))

    return created


for _name in (
    *("zeros", "empty", "ones", "full", "eye", "identity", "arange", "linspace", "array", "asarray"),
    *("zeros_like", "empty_like", "ones_like", "full_like"),
):
    setattr(_NumPy, _name, staticmethod(_creates(_name)))

NUMPY = _NumPy()


def _by_mpmath(function: Any) -> Callable[[Any], Any]:
    def extended(x: Any) -> Any:
        with mpmath.workdps(30):
            return np.longdouble(mpmath.nstr(function(mpmath.mpf(np.format_float_scientific(x))), 25))

    return extended


def _extended_float(value: Any) -> Any:
    return np.longdouble(value)


def _extended_complex(real: Any, imaginary: Any = 0) -> Any:
    if np.iscomplexobj(real):
        return np.clongdouble(real) + np.clongdouble(1j) * imaginary
    return np.array([real, imaginary], np.longdouble).view(np.clongdouble)[0]  # keeps the sign of 0


_SHARED = {name: getattr(np, name) for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "sqrt", "log10")}
_SHARED |= {f"a{name}": getattr(np, f"arc{name}") for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")}
_SHARED |= {name: getattr(np, name) for name in ("log", "isnan", "isinf", "isfinite", "pi", "e", "inf", "nan")}
MATH = types.SimpleNamespace(
    **_SHARED,
    **{name: getattr(np, name) for name in ("expm1", "log1p", "log2", "hypot", "copysign", "fmod", "fabs", "radians")},
    **{name: _by_mpmath(getattr(mpmath, name)) for name in ("erf", "erfc", "gamma")},
    lgamma=_by_mpmath(mpmath.loggamma),
    atan2=np.arctan2,
    degrees=np.degrees,
    pow=np.power,
    floor=lambda x: int(np.floor(x)),
    ceil=lambda x: int(np.ceil(x)),
    trunc=int,
    ldexp=np.ldexp,
    frexp=np.frexp,
    gcd=math.gcd,
    tau=2 * np.pi,
)
CMATH = types.SimpleNamespace(
    **_SHARED,
    phase=lambda z: np.arctan2(z.imag, z.real),
    polar=lambda z: (abs(z), np.arctan2(z.imag, z.real)),
    rect=lambda r, phi: _extended_complex(r * np.cos(phi), r * np.sin(phi)),
)
