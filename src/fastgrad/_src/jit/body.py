"""The names that a kernel's body may use, and a hash of all that the body depends on.

A body may use numbers, `range`, `math`, the type variables of its kernel, NumPy's scalar types as casts (`from numpy
import int32`), functions declared with `scalar_function`, choices made with `by_dtype`, and the names here:
`local_array`, `float_bits`, `from_bits`, `fused_multiply_add`, `round_down` and its kin, `library_sin` and its kin.
Also constants that depend on T (`constant_by_dtype`) and polynomials (`polynomial`).
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Any

import numpy as np

_scalar_functions: set[types.CodeType] = set()


def scalar_function(function: Any) -> Any:
    """Lets kernels call a function of scalars and pointers; it is compiled into each kernel that calls it."""
    _scalar_functions.add(function.__code__)
    return function


def specialized(template: Any, name: str, summary: str | None = None, **values: Any) -> Any:
    """Returns a copy of a template function for bodies, with values for some of its globals.

    Args:
        template: the function.
        name, summary: of the copy.
        values: the values of some of the template's globals, such as a scalar function that it calls.
    """
    copy = types.FunctionType(template.__code__.replace(co_name=name), {**template.__globals__, **values}, name)
    copy.__qualname__, copy.__doc__ = name, summary
    return copy


def is_scalar_function(value: object) -> bool:
    """True if a value was declared with `scalar_function`."""
    return isinstance(value, types.FunctionType) and value.__code__ in _scalar_functions


class Special:
    """A name, such as `prefetch`, that has a meaning only in a kernel's body, where the compiler replaces it."""

    def __init__(self, name: str, takes_type: bool = False) -> None:
        self.name = name
        self.takes_type = takes_type  # whether the first argument is a type

    def __call__(self, *args: Any) -> Any:
        """Raises: Python does not run the bodies of kernels.

        Raises:
            TypeError: always.
        """
        raise TypeError(f"{self.name} is for the bodies of kernels")


local_array = Special("local_array", takes_type=True)
"""`local_array(T, 16)`: a pointer to uninitialised elements on the stack; the length is a literal."""

float_bits = Special("float_bits")
"""`float_bits(x)`: the bits of a float32 as int32, of a float64 as int64."""

from_bits = Special("from_bits")
"""`from_bits(i)`: the float32 with the bits of an int32, the float64 with the bits of an int64."""

fused_multiply_add = Special("fused_multiply_add")
"""`fused_multiply_add(a, b, c)`: a * b + c rounded once, also where plain arithmetic would not be contracted."""

scale_by_power_of_two = Special("scale_by_power_of_two")
"""`scale_by_power_of_two(x, k)`: x * 2^k rounded once, for k an int32 or int64 and a result of any size."""

round_down = Special("round_down")
"""`round_down(x)`: the greatest whole number that is not above x, as a float."""

round_up = Special("round_up")

round_to_zero = Special("round_to_zero")

round_to_even = Special("round_to_even")
"""`round_to_even(x)`: the nearest whole number; the even number of two that are equally near."""


class LibraryCall(Special):
    """A function of the C library, for the few elements that a loop's own arithmetic does not cover.

    In `if abs(x) > BOUND: y = library_sin(x)` it costs a loop one branch a vector. A plain call would keep the loop
    from being vectorised.
    """

    def __init__(self, function: str) -> None:
        super().__init__(f"library_{function}")
        self.function = function


library_fmod = LibraryCall("fmod")
library_sin = LibraryCall("sin")
library_cos = LibraryCall("cos")
library_tan = LibraryCall("tan")

prefetch = Special("prefetch")
"""`prefetch(pointer, index)`: prefetches the cache line of an element, for rows that are soon read at random."""

pointer = Special("pointer", takes_type=True)
"""`pointer(int64, address)`: the memory at an address, for the driver of programs."""

address_of = Special("address_of")
"""`address_of(array)`: the address of a pointer's first element, for the words of a step; accesses there are
unchecked."""

call_step = Special("call_step")
"""`call_step(step, words, first, last)`: calls the step of a program at an address, returns its code; see
`wrapper.step_ir`."""

call_c_function = Special("call_c_function")
"""`call_c_function(address, x, ...)`: calls a C function of float64 numbers and a last int, which is 0; returns its
result."""

call_integers = Special("call_integers")
"""`call_integers(address, x, ...)`: calls a C function of integers and addresses, each passed in 64 bits; returns its
int."""

call_python = Special("call_python")
"""`call_python(address, x, ...)`: calls a function of Python's C interface, which needs the GIL, of integers and
addresses, each passed in 64 bits; returns its integer or address of 64 bits."""

call_pair = Special("call_pair")
"""`call_pair(address, x, pair)`: calls a C function of a float64 that writes pair[0] and pair[1]; returns pair[0]."""

multiply_rows = Special("multiply_rows")
"""`multiply_rows(a, a_at, a_row, a_k, b, b_at, b_k, c, c_at, c_row, accumulate, depth, rows, columns)`: c = a b, or c
+= a b. The matrices begin at the elements `a_at`, `b_at` and `c_at`. Their strides are `a_row` (and so on) between rows and `a_k` between the
`depth` >= 1 terms. Rows of b and c are contiguous and have at most `panel_columns(T)` `columns`. Each sum is one chain of fused
multiply-adds in the order of the terms, from 0. If `fast_masked_loads()` is 0, whole vectors of b are read."""

multiply_windows = Special("multiply_windows")
"""`multiply_windows(a, a_at, b, b_at, c, c_at, accumulate, places, terms_at, depth, rows_at, rows, columns)`: c = a b,
or c += a b, for rows and terms at byte offsets that the words of `places` give. From `terms_at` on, each of the `depth`
>= 1 terms has two words: its offset in a row of a, and the offset of its row of b. From `rows_at` on, each of the
`rows` has two words: its offset in a, and its offset in c. Rows of b and c are contiguous and have at most
`panel_columns(T)` `columns`. Each sum is one chain of fused multiply-adds in the order of the terms, from 0."""

multiply_windows_depthwise = Special("multiply_windows_depthwise")
"""`multiply_windows_depthwise(...)`: `multiply_windows` for a depthwise product: a row of `columns` takes the place of
an element of a, and each of its numbers is multiplied with b's number of its column."""

multiply_pairs = Special("multiply_pairs")
"""`multiply_pairs(...)`: `multiply_rows` for adjacent pairs of bfloat16 numbers, 32 bits a pair. c is float32, b is
int32, a is int32 or uint16; the strides of a uint16 a count halves of pairs. Terms are pairs. Of a pair the second
product is added first, each rounded once."""

fast_masked_loads = Special("fast_masked_loads", takes_type=True)
"""`fast_masked_loads(T)`: 1 if loads of the first lanes of a vector are quick on this machine, else 0."""

pack_panel = Special("pack_panel")
"""`pack_panel(b, b_at, b_k, b_column, target, target_row, depth, columns)`: copies a panel of b, `depth` rows of
`columns` elements, to rows with the stride `target_row`, padded with zeros to whole vectors. The matrix begins at the
element `b_at`, and one of its strides `b_k` and `b_column` is 1. The number of rows written to `target` is rounded up
to a multiple of a vector's lanes."""

pack_pairs = Special("pack_pairs")
"""`pack_pairs(b, b_at, b_column, target, target_row, depth, columns)`: `pack_panel` for a matrix of uint16 whose pairs
of terms are adjacent: it writes `depth` rows of pairs, of int32."""

transpose_rows = Special("transpose_rows")
"""`transpose_rows(x, x_at, x_row, y, y_at, y_row, rows, columns)`: y = the transpose of x. The matrices begin at the
elements `x_at` and `y_at`; their rows are contiguous, with strides `x_row` and `y_row`. `rows` and `columns` are those of y. Elements have four
or eight bytes."""

vector_lanes = Special("vector_lanes", takes_type=True)
"""`vector_lanes(T)`: how many elements a vector of this machine has."""

panel_columns = Special("panel_columns", takes_type=True)
"""`panel_columns(T)`: how many columns of a matrix product are computed at a time."""

panel_array = Special("panel_array", takes_type=True)
"""`panel_array(T, 256)`: a local array of 256 rows of `panel_columns(T)` elements."""

atomic_load = Special("atomic_load")
"""`atomic_load(words, i)`: the word i of a pointer to int64, which other threads may write; see `atomics`."""

atomic_store = Special("atomic_store")
"""`atomic_store(words, i, value)`: sets the word i."""

atomic_add = Special("atomic_add")
"""`atomic_add(words, i, value)`: adds to the word i; returns its old value."""

atomic_min = Special("atomic_min")
"""`atomic_min(words, i, value)`: sets the word i to the smaller of the two; returns its old value."""

spin_loop_hint = Special("spin_loop_hint")
"""`spin_loop_hint()`: the processor's hint for a loop that waits for another thread."""

cycle_counter = Special("cycle_counter")
"""`cycle_counter()`: the processor's clock, in its own ticks, for comparing times."""

yield_processor = Special("yield_processor")
"""`yield_processor()`: lets another thread use the core."""

# For kernels that read rows at random: how many rows ahead they prefetch, and the elements between two prefetches.
PREFETCH_DISTANCE = 16
PREFETCH_ELEMENTS = 16


class ByDtype:
    """A scalar function with an implementation for each dtype of its first argument."""

    def __init__(self, functions_by_dtype: dict[str, Any]) -> None:
        self.functions_by_dtype = functions_by_dtype


def by_dtype(**choices: Any) -> ByDtype:
    """Returns a function chosen by its first argument's dtype, as in `by_dtype(float32=exp32, float64=exp64)`."""
    return ByDtype({np.dtype(name).name: scalar_function(function) for name, function in choices.items()})


class Polynomial(ByDtype):
    """A polynomial by its argument's dtype; its functions are made when a kernel with them is compiled.

    Args:
        coefficients: for each dtype, those of the highest power first.
    """

    def __init__(self, coefficients: dict[str, Sequence[float]]) -> None:
        self.coefficients = coefficients
        self._functions_by_dtype: dict[str, Any] = {}

    @property
    def functions_by_dtype(self) -> dict[str, Any]:  # type: ignore[override]  # not made before its first use
        """The function that computes the polynomial, for each dtype that has coefficients."""
        for name in self.coefficients.keys() - self._functions_by_dtype.keys():
            self._functions_by_dtype[name] = scalar_function(_horner_function(name, self.coefficients[name]))
        return self._functions_by_dtype


def polynomial(**coefficients: Sequence[float]) -> Polynomial:
    """Returns a polynomial computed with fused multiply-adds, as in `polynomial(float32=[0.5, 1.0, 1.0])`.

    Args:
        coefficients: for each dtype of the argument, those of the highest power first.
    """
    return Polynomial(coefficients)


def _horner_function(dtype: str, coefficients: Sequence[float]) -> Any:
    """Returns a scalar function that computes a polynomial of one dtype by Horner's method."""
    first, *others = [f"{dtype}({coefficient!r})" for coefficient in coefficients]
    steps = [f"    y = fused_multiply_add(y, x, {coefficient})" for coefficient in others]
    source = "\n".join(["def polynomial(x):", f"    y = {first}", *steps, "    return y\n"])
    scope: dict[str, Any] = {"__name__": __name__, "fused_multiply_add": fused_multiply_add, dtype: getattr(np, dtype)}
    exec(compile(source, f"<fastgrad polynomial of {dtype}>", "exec"), scope)  # noqa: S102 - our own text
    return scope["polynomial"]


class DtypeConstant:
    """A number that depends on the type variable T of the kernel; see `constant_by_dtype`."""

    def __init__(self, values: dict[str, float]) -> None:
        self.values = values


def constant_by_dtype(**values: float) -> DtypeConstant:
    """Returns a number by the dtype of T, as in `constant_by_dtype(float32=1e5, float64=1e8)`; bodies use `T(NAME)`."""
    return DtypeConstant(values)


def digest(content: bytes) -> str:
    """Returns the SHA-256 of bytes in hexadecimal."""
    import hashlib  # saves 3 ms when the package is imported

    return hashlib.sha256(content).hexdigest()


def fingerprint(function: types.FunctionType) -> str:
    """Returns a hash of all that a body depends on: its bytecode, that of all functions it calls, and constants.

    Raises:
        TypeError: the body uses something else.
    """
    numbers: dict[types.FunctionType, int] = {}
    parts: list[str] = []

    def visit(function: types.FunctionType) -> None:
        if function in numbers:  # functions of equal code may read different globals
            parts.append(f"function {numbers[function]}")
            return
        numbers[function] = len(numbers)
        code = function.__code__
        parts.append(code_text(code))
        if function.__defaults__ or function.__closure__:
            raise TypeError(f"{function.__qualname__}: a kernel's functions have no defaults and no closure")
        for name in code.co_names:
            if name in function.__globals__:
                value = function.__globals__[name]
                parts.append(f"{name} = {_global_text(name, value)}")
                if is_scalar_function(value):
                    visit(value)
                elif isinstance(value, ByDtype) and not isinstance(value, Polynomial):
                    for choice in value.functions_by_dtype.values():
                        visit(choice)

    visit(function)
    return digest("\n".join(parts).encode())


def code_text(code: types.CodeType, has_strings: bool = False) -> str:
    """Returns the meaning of a function's bytecode as text, without line numbers.

    Args:
        code: of the function.
        has_strings: whether strings count. Those of a kernel are docstrings: it has no other use for one.
    """
    constants = [
        code_text(c, has_strings) if isinstance(c, types.CodeType) else f"{type(c).__name__} {c!r}"
        for c in code.co_consts
        if has_strings or not isinstance(c, str)
    ]
    return f"{code.co_name} {code.co_varnames} {code.co_names} {constants} {code.co_code.hex()}"


def _global_text(name: str, value: Any) -> str:
    if isinstance(value, (bool, int, float)):
        return f"{type(value).__name__} {value!r}"
    if isinstance(value, types.ModuleType):
        return f"module {value.__name__}"
    if is_scalar_function(value):
        return f"function {value.__qualname__}"
    if isinstance(value, Polynomial):
        return f"polynomial {value.coefficients}"
    if isinstance(value, DtypeConstant):
        return f"one of {value.values}"
    if isinstance(value, ByDtype):
        return f"one of {[(dtype, choice.__qualname__) for dtype, choice in value.functions_by_dtype.items()]}"
    if isinstance(value, Special):
        return value.name
    if isinstance(value, type) and issubclass(value, np.number):
        return f"dtype {np.dtype(value).name}"
    raise TypeError(f"a kernel may use numbers, modules and scalar functions from its globals; {name} is {value!r}")
