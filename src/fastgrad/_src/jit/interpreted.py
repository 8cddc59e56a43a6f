"""The names of `body` in plain Python: the table `INTERPRETED_FUNCTIONS`.

With them, Python can call a scalar function, and a kernel can run as plain Python; see `interpreted_kernel`. Numbers
are those of `interpreted_numbers`, pointers those of `interpreted_pointers`. Results have the bits of compiled kernels.
"""

from __future__ import annotations

import ctypes
import functools
import operator
import time
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.jit import body
from fastgrad._src.jit.interpreted_numbers import (
    NUMBER_TYPES,
    Integer,
    c_function,
    is_float32,
    number_type,
    wrapped_integer,
)
from fastgrad._src.jit.interpreted_pointers import AddressPointer, ArrayPointer
from fastgrad._src.jit.isa import host_isa
from fastgrad._src.jit.locks import new_lock

_INT64 = NUMBER_TYPES["int64"]
# ---- numbers -----------------------------------------------------------------------------------------------------


def fused_multiply_add(a: Any, b: Any, c: Any) -> Any:
    """Returns a * b + c, rounded once, of floats."""
    return c_function("fma", is_float32(a), 3)(a, b, c)


def scale_by_power_of_two(x: Any, k: Any) -> Any:
    """Returns x * 2^k, rounded once."""
    return np.ldexp(x, max(-5000, min(5000, int(k))))


def float_bits(x: Any) -> Any:
    """Returns the bits of a float as an integer of its size."""
    return Integer(int(x.view(np.int32)), "int32") if is_float32(x) else np.float64(x).view(np.int64)


def from_bits(bits: Any) -> Any:
    """Returns the float with the bits of an integer."""
    if type(bits) is Integer or type(bits) is np.int32:
        return np.int32(wrapped_integer(int(bits), "int32")).view(np.float32)
    return np.int64(bits).view(np.float64)


def _rounding_function(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: function(x if is_float32(x) else np.float64(x))


def _library_function(special: body.LibraryCall) -> Callable[..., Any]:
    return lambda *numbers: c_function(special.function, is_float32(numbers[0]), len(numbers))(*numbers)


# ---- memory ------------------------------------------------------------------------------------------------------


def local_array(element: Any, length: Any) -> Any:
    """Returns new memory with arbitrary contents."""
    kind = number_type(element)
    return ArrayPointer(np.empty(int(length), kind.dtype), f"local_array of {kind}")


def panel_array(element: Any, rows: Any) -> Any:
    """Returns new memory for rows of a panel."""
    return local_array(element, int(rows) * int(panel_columns(element)))


def pointer(element: Any, address: Any) -> Any:
    """Returns the memory at an address."""
    return AddressPointer(number_type(element), address)


def address_of(array: Any) -> Any:
    """Returns the address of the first element of an array, or of what a pointer points to."""
    return np.int64(array.address)


def prefetch(array: Any, index: Any) -> None:
    """Does nothing: Python has no caches to fill."""


# ---- the machine -------------------------------------------------------------------------------------------------


def vector_lanes(element: Any) -> Any:
    """Returns how many elements a vector has."""
    return np.int64(host_isa().vector_bytes // number_type(element).dtype.itemsize)


def panel_columns(element: Any) -> Any:
    """Returns how many columns of a product are computed at a time."""
    return np.int64(host_isa().panel_bytes // number_type(element).dtype.itemsize)


def fast_masked_loads(element: Any) -> Any:
    """Returns whether loads of the first lanes of a vector are quick."""
    return np.int64(host_isa().masks)


def cycle_counter() -> Any:
    """Returns the time in nanoseconds."""
    return np.int64(time.perf_counter_ns())


def yield_thread() -> None:
    """Lets another Python thread run, as `yield_processor` of compiled kernels does."""
    time.sleep(0)


# ---- words that threads share ------------------------------------------------------------------------------------

_atomic_lock = new_lock()


def atomic_add(words: Any, i: Any, value: Any) -> Any:
    """Adds a value to the int64 at index i atomically; returns the old value."""
    with _atomic_lock:
        before = words[i]
        words[i] = before + _INT64(value)
    return before


def atomic_min(words: Any, i: Any, value: Any) -> Any:
    """Sets the int64 at index i to the smaller of itself and a value atomically; returns the old value."""
    with _atomic_lock:
        before = words[i]
        words[i] = min(before, _INT64(value))
    return before


# ---- calls by address --------------------------------------------------------------------------------------------


class StepTable:
    """A table of kernels that run as plain Python; programs hold their numbers in place of addresses."""

    def __init__(self) -> None:
        self._steps: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
        self._lock = new_lock()
        self._count = 0

    def add(self, kernel: Any) -> int:
        """Adds an object with a method `step`, weakly referenced, to the table; returns its number."""
        with self._lock:
            self._count += 1
            self._steps[self._count] = kernel
            return self._count

    def call(self, number: Any, words: Any, first: Any, last: Any) -> Any:
        """Runs the step of the kernel with this number in the table; returns the step's code.

        Raises:
            RuntimeError: no kernel has this number.
        """
        kernel = self._steps.get(int(number))
        if kernel is None:
            raise RuntimeError(f"call_step: there is no kernel of number {number} that runs as plain Python")
        return np.int64(kernel.step(int(words), first, last))


STEP_TABLE = StepTable()


def call_c_function(address: Any, *numbers: Any) -> Any:
    """Calls a C function of float64 numbers and a last int; returns its result."""
    parameter_types = [ctypes.c_double] * len(numbers)
    function = ctypes.CFUNCTYPE(ctypes.c_double, *parameter_types, ctypes.c_int)(int(address))
    return np.float64(function(*map(float, numbers), 0))


def call_integers(address: Any, *numbers: Any) -> Any:
    """Calls a C function of integers and addresses; returns its int."""
    function = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_int64] * len(numbers))(int(address))
    return np.int64(function(*map(int, numbers)))


def call_python(address: Any, *numbers: Any) -> Any:
    """Calls a function of Python's C interface, with the GIL; returns its integer or address."""
    function = ctypes.PYFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * len(numbers))(int(address))
    return np.int64(function(*map(int, numbers)))


def call_pair(address: Any, x: Any, pair: Any) -> Any:
    """Calls a C function that writes two numbers; returns the first."""
    place = ctypes.POINTER(ctypes.c_double)
    results = ctypes.c_double(), ctypes.c_double()
    ctypes.CFUNCTYPE(None, ctypes.c_double, place, place)(int(address))(float(x), *results)
    pair[0], pair[1] = np.float64(results[0].value), np.float64(results[1].value)
    return pair[0]


# ---- tiles -------------------------------------------------------------------------------------------------------


def _multiply_add(a: Any, b: Any, c: Any) -> Any:
    is_real = isinstance(a, (np.float32, np.float64))
    return fused_multiply_add(a, b, c) if is_real else a * b + c


def _store_total(c: Any, place: int, total: Any, accumulate: Any) -> None:
    c[place] = c[place] + total if accumulate != 0 else total


def _multiply_rows(
    a: Any, a_at: Any, a_row: Any, a_k: Any, b: Any, b_at: Any, b_k: Any, c: Any, c_at: Any, c_row: Any,
    accumulate: Any, depth: Any, rows: Any, columns: Any, *, term: Callable[..., Any],
) -> None:  # fmt: skip
    """Computes the matrix product c = a b, or c += a b; `term` returns a sum plus the product of two elements."""
    a_at, a_row, a_k, b_at, b_k, c_at, c_row = map(int, (a_at, a_row, a_k, b_at, b_k, c_at, c_row))
    for row in range(rows):
        for column in range(columns):
            total = c.kind(0)
            for k in range(depth):
                total = term(a, a_at + row * a_row + k * a_k, b, b_at + k * b_k + column, total)
            _store_total(c, c_at + row * c_row + column, total, accumulate)


def _add_product(a: Any, i: int, b: Any, j: int, total: Any) -> Any:
    return _multiply_add(a[i], b[j], total)


def multiply_windows(
    a: Any, a_at: Any, b: Any, b_at: Any, c: Any, c_at: Any, accumulate: Any, places: Any, terms_at: Any, depth: Any,
    rows_at: Any, rows: Any, columns: Any, *, depthwise: bool = False,
) -> None:  # fmt: skip
    """Computes the matrix product c = a b, or c += a b; the table `places` has the offsets of rows and terms."""
    size = c.kind.dtype.itemsize
    a_at, b_at, c_at = int(a_at), int(b_at), int(c_at)

    def table(at: int, count: int) -> list[tuple[int, int]]:
        return [(int(places[at + 2 * i]) // size, int(places[at + 2 * i + 1]) // size) for i in range(count)]

    terms = table(int(terms_at), int(depth))
    for a_row, c_row in table(int(rows_at), int(rows)):
        for column in range(columns):
            total = c.kind(0)
            for a_term, b_term in terms:
                x = a[a_at + a_row + a_term + (column if depthwise else 0)]
                total = _multiply_add(x, b[b_at + b_term + column], total)
            _store_total(c, c_at + c_row + column, total, accumulate)


multiply_windows_depthwise = functools.partial(multiply_windows, depthwise=True)
"""`multiply_windows` where a row takes the place of an element of a."""


def _bfloat16_pair(array: Any, place: int) -> tuple[Any, Any]:
    """The two bfloat16 numbers of a pair as float32."""
    if array.kind.dtype.itemsize == 2:
        first, second = int(array[place]), int(array[place + 1])
    else:
        pair = int(array[place])
        first, second = pair & 0xFFFF, pair >> 16 & 0xFFFF
    return from_bits(Integer(first << 16, "int32")), from_bits(Integer(second << 16, "int32"))


def _add_products_of_pair(a: Any, i: int, b: Any, j: int, total: Any) -> Any:
    x, y = _bfloat16_pair(a, i), _bfloat16_pair(b, j)
    return fused_multiply_add(x[0], y[0], fused_multiply_add(x[1], y[1], total))


def _rounded_to_vectors(columns: Any, element: Any) -> int:
    """Returns `columns` rounded up to whole vectors."""
    lanes = int(vector_lanes(element))
    return -(-int(columns) // lanes) * lanes


def pack_panel(
    b: Any, b_at: Any, b_k: Any, b_column: Any, target: Any, target_row: Any, depth: Any, columns: Any
) -> None:
    """Copies a panel of b to rows that are padded with zeros."""
    b_at, b_k, b_column, target_row = map(int, (b_at, b_k, b_column, target_row))
    for k in range(depth):
        for column in range(_rounded_to_vectors(columns, target.kind)):
            is_there = column < columns
            target[k * target_row + column] = b[b_at + k * b_k + column * b_column] if is_there else target.kind(0)


def pack_pairs(b: Any, b_at: Any, b_column: Any, target: Any, target_row: Any, depth: Any, columns: Any) -> None:
    """Copies a panel of a matrix of bfloat16 numbers to rows of pairs that are padded with zeros."""
    b_at, b_column, target_row = map(int, (b_at, b_column, target_row))
    for k in range(depth):
        for column in range(_rounded_to_vectors(columns, target.kind)):
            place, pair = b_at + 2 * k + column * b_column, 0
            if column < columns:
                pair = int(b[place]) | int(b[place + 1]) << 16
            target[k * target_row + column] = Integer(pair, "int32")


def transpose_rows(x: Any, x_at: Any, x_row: Any, y: Any, y_at: Any, y_row: Any, rows: Any, columns: Any) -> None:
    """Writes the transpose of the matrix x to y."""
    x_at, x_row, y_at, y_row = map(int, (x_at, x_row, y_at, y_row))
    for row in range(rows):
        for column in range(columns):
            y[y_at + row * y_row + column] = x[x_at + column * x_row + row]


_FUNCTIONS_WITH_NAMES_OF_BODY: tuple[Callable[..., Any], ...] = (
    address_of, atomic_add, atomic_min, call_c_function, call_integers, call_pair, call_python, cycle_counter, fast_masked_loads, float_bits,
    from_bits, fused_multiply_add, local_array, multiply_windows, pack_pairs, pack_panel, panel_array, panel_columns,
    pointer, prefetch, scale_by_power_of_two, transpose_rows, vector_lanes,
)  # fmt: skip

INTERPRETED_FUNCTIONS: dict[body.Special, Callable[..., Any]] = {
    **{getattr(body, function.__name__): function for function in _FUNCTIONS_WITH_NAMES_OF_BODY},
    **{call: _library_function(call) for call in vars(body).values() if isinstance(call, body.LibraryCall)},
    body.atomic_load: operator.getitem,
    body.atomic_store: operator.setitem,
    body.call_step: STEP_TABLE.call,
    body.multiply_windows_depthwise: multiply_windows_depthwise,
    body.multiply_pairs: functools.partial(_multiply_rows, term=_add_products_of_pair),
    body.multiply_rows: functools.partial(_multiply_rows, term=_add_product),
    body.spin_loop_hint: yield_thread,
    body.round_down: _rounding_function(np.floor),
    body.round_to_even: _rounding_function(np.rint),
    body.round_to_zero: _rounding_function(np.trunc),
    body.round_up: _rounding_function(np.ceil),
    body.yield_processor: yield_thread,
}
"""For each name of `body`, a Python function with the name's meaning in a compiled kernel."""
