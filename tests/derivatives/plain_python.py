"""The code of derivatives as plain Python functions, without Numba and LLVM."""

from __future__ import annotations

import operator
from types import FunctionType
from typing import Any

import numpy as np

from fastgrad._src.derivatives.codegen.chunks import COMPILED as CHUNKS
from fastgrad._src.derivatives.codegen.functions_of_code import function_of_code, with_text
from fastgrad._src.derivatives.codegen.matrix_products import COLUMN, FLAT, ROW, TRANSPOSED
from fastgrad._src.derivatives.codegen.tape_memory import POPS, exchange, next_snapshot, snapshot_slots
from fastgrad._src.derivatives.outlined_functions import derivative_of
from fastgrad._src.derivatives.transform.emission import Derivative, DerivedCall
from fastgrad._src.jit.numba_internals import dispatcher


def interpreted_function(
    derivative: Derivative, functions: dict[Any, FunctionType] | None = None, call: DerivedCall | None = None
) -> FunctionType:
    """Returns a derivative as a Python function, which ``functions`` gets by its ``call``. What it calls runs as Python, too."""
    functions = {} if functions is None else functions
    scope = {**derivative.scope, **INTERPRETED}
    scope = {
        name: value.py_func if isinstance(value, dispatcher.Dispatcher) else value for name, value in scope.items()
    }
    function = function_of_code(derivative.code, "interpreted derivative", scope)
    functions[call] = function
    called = {name: function_of_code(part, "interpreted chunk", scope) for name, part in derivative.functions.items()}
    parts = [function, *called.values()]
    for name, other in derivative.calls.items():
        called[name] = functions.get(other) or interpreted_function(derivative_of(other), functions, other)
    for part in parts:
        with_text(part).__globals__.update(called)
    return function


def add_product_in_python(forms: str, out: Any, a: Any, b: Any, is_guarded: bool) -> None:
    """What ``add_product`` does, in plain Python."""

    def matrix(form: str, value: Any) -> np.ndarray:
        if form == FLAT:
            array, start, rows, columns, *steps = value
            strides = [step * array.itemsize for step in steps]
            return np.lib.stride_tricks.as_strided(array.reshape(-1)[start:], (rows, columns), strides)
        if form in (ROW, COLUMN):
            return value[None, :] if form == ROW else value[:, None]
        return value.T if form == TRANSPOSED else value

    target, first, second = (matrix(*each) for each in zip(forms, (out, a, b), strict=True))
    if is_guarded:
        first, second = first[:, :, None], second[None, :, :]
        terms = np.zeros((target.shape[0], *second.shape[1:]), target.dtype)
        np.multiply(first, second, out=terms, where=(first != 0) & (second != 0))
        target += terms.sum(axis=1)
    else:
        target += first @ second


def _python_join_stacks(owner: None, stacks: dict[tuple[int, int], Any], chunks: int) -> None:
    columns = (0, 2, 4)
    starts = [stacks[chunks, column + 1] for column in columns]
    ends = []
    for number in range(chunks):
        for column in columns:
            top = stacks[chunks, column + 1]
            if stacks[number, column] != 0:
                stacks[chunks, column].update({top + place: item for place, item in stacks[number, column].items()})
            stacks[chunks, column + 1] += stacks[number, column + 1]
            ends.append(stacks[chunks, column + 1])
    stacks[chunks, 0].update(enumerate([*ends, *starts, chunks], stacks[chunks, 1]))
    stacks[chunks, 1] += 3 * chunks + 4


def _python_run_chunks(function: Any, count: int, arguments: tuple[Any, ...], stacks: Any) -> None:
    for number in range(count):
        function(number, *arguments)


def _python_save_array(stack: dict[int, Any], position: int, array: np.ndarray) -> None:
    stack[position] = array.copy()


def _python_load_array(stack: dict[int, Any], position: int, array: np.ndarray) -> None:
    array[...] = stack[position]


def _python_unsigned(index: int) -> int:
    """Returns an index as it is; Python would count a negative one from the end, which compiled code does not."""
    if index < 0:
        raise IndexError(f"the index {index} of a derivative's text does not count from the start of the axis")
    return int(index)


INTERPRETED: dict[str, Any] = {
    **{name: getattr(value, "py_func", value) for name, value in CHUNKS.items()},
    "run_chunks": _python_run_chunks,
    "new_stacks": lambda chunks: {},
    "join_stacks": _python_join_stacks,
    "push_value": operator.setitem,
    **{f"pop_{type}": operator.getitem for type in POPS},
    "push_code": operator.setitem,
    "pop_code": operator.getitem,
    "save_array": _python_save_array,
    "load_array": _python_load_array,
    "grow_array_stack": lambda owner, address, items: address,
    "new_memory": lambda items: {},
    "zero_cotangents": np.zeros,
    "exchange": getattr(exchange, "py_func", exchange),  # it has none under NUMBA_DISABLE_JIT
    "may_share_memory": np.may_share_memory,
    "free_memory": lambda address: None,
    "contiguous": np.array,
    "add_product": add_product_in_python,
    "unsigned": _python_unsigned,
    "sum_in_any_order": operator.add,
    "new_owner": lambda: None,
    "acquire": lambda owner, stack, width: {},
    "capacity": lambda stack: 1 << 62,
    "grow_stack": lambda owner, stack, address, width, items: address,
    "release": lambda stack, address, width: None,
    "snapshot_slots": getattr(snapshot_slots, "py_func", snapshot_slots),
    "next_snapshot": getattr(next_snapshot, "py_func", next_snapshot),
}
"""What the names of a derivative's code stand for where its text runs as Python."""
