"""Optimizer updates as operations: new weights and slots from old ones, gradients and hyperparameters.

An eager optimizer changes its variables in place without these operations. A recorded program contains them, each followed
by assignments of its results. In a compiled program they work in place where the variables own their memory.

Numbers (rates, decays, ...) are inputs, float64 scalars: a change of a number needs no new compilation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.lowering import Elementwise
from fastgrad._src.core.operation import FLOAT_DTYPES, TABLE, Form, Operation, operation
from fastgrad._src.core.result_rules import ArraySpec, broadcast_of, like_inputs, same_as_first
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.kernels.elementwise.half import with_half_floats
from fastgrad._src.kernels.movement.embedding import add_summed_rows, group_ids, sum_groups
from fastgrad._src.kernels.optimizers.adafactor import adafactor_matrix, adafactor_vector
from fastgrad._src.kernels.optimizers.norms import sums_of_squares, sums_of_squares_launches
from fastgrad._src.kernels.optimizers.optimizers import completed_rounds, is_last_of_round
from fastgrad._src.kernels.optimizers.update_rule import (
    FLOATS,
    INDEX_DTYPES,
    NANOSECONDS_PER_UPDATED_ROW,
    RULES,
    ZERO_GRADIENT_RESTS_AT_ZERO_SLOTS,
)
from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Output, Scratch
from fastgrad._src.ops.joining import stack
from fastgrad._src.ops.kernel_launches import kernel_operation

_KERNEL_DTYPES = frozenset(np.dtype(name) for name in FLOATS)
_KERNEL_INDEX_DTYPES = frozenset(np.dtype(name) for name in INDEX_DTYPES)


def is_half(dtype: np.dtype) -> bool:
    """True if ``dtype`` is float16 or bfloat16, for which kernels compute in float32."""
    return dtype.itemsize == 2 and dtype.kind in "fV"


def _update_operation(
    name: str,
    form: Form,
    launches: Callable[..., Launches | None],
    state_count: Callable[..., int],
    **options: Any,
) -> Operation:
    """Declares an operation whose results replace its first inputs, ``state_count(**attributes)`` in number."""
    return kernel_operation(
        name,
        form,
        launches=with_half_floats(launches),
        result=lambda *inputs, **attributes: like_inputs(*range(state_count(**attributes)))(*inputs),
        **options,
    )


def _launches_in_place(launch: Launch, state_count: int) -> Launches:
    """Returns the launches of a kernel that changes the first inputs, each the memory of the result of its number."""
    pairs = tuple([(i, i) for i in range(state_count)])
    return Launches((launch,), in_place=pairs, starts_as=pairs)


# ---- all variables of a dtype ---------------------------------------------------------------------------


def _update_launches(inputs: Any, outputs: Any, rule: str, count: int) -> Launches | None:
    update_rule, dtype = RULES[rule], inputs[0].dtype
    if dtype not in _KERNEL_DTYPES:
        return None
    state_count = len(update_rule.state)
    state = [tuple([Output(k * count + i) for i in range(count)]) for k in range(state_count)]
    gradients = tuple([Input(state_count * count + i) for i in range(count)])
    numbers = [Input(number) for number in range((state_count + 1) * count, len(inputs))]
    launch = update_rule.launch(update_rule.variables_kernel[dtype], outputs[:count], (*state, gradients, *numbers))
    return _launches_in_place(launch, state_count * count)


update_variables = _update_operation(
    "apply_update", Form.FUSED, _update_launches, lambda rule, count: count * len(RULES[rule].state)
)
"""One step of an ``UpdateRule`` for ``count`` variables of one dtype, in one kernel call.

Inputs, in this order: the ``count`` weights; for each kind of slot, in the order of ``RULES[rule].state``, the slots of all
variables; the gradients; one scalar for each of
``RULES[rule].numbers``, the last of which is the decay if weights decay.
Outputs: the new weights, then the new slots: output i replaces input i. Attributes: rule (its name), count.
"""


update_output_by_element = operation(
    "apply_update_by_element",
    Form.ELEMENTWISE,
    run=lambda *inputs, rule, result: update_variables.run(*inputs, rule=rule, count=1)[result],
    dtypes=FLOAT_DTYPES,
    elementwise=Elementwise(
        kernel_code=lambda scalars, *xs, rule, result: scalars.call(RULES[rule].result_function(result), xs)
    ),
    result=lambda *inputs, rule, result: same_as_first(inputs[result]),
)
"""One output of ``update_variables`` for one variable, by element; the attribute ``result`` is the output's number."""


# ---- Adafactor -------------------------------------------------------------------------------------------


def _adafactor_operation(name: str, kernel: Any, state_count: int, kernel_sizes_of: Any) -> Operation:
    def adafactor_launches(inputs: Any, outputs: Any) -> Launches | None:
        p = inputs[0]
        if p.dtype not in _KERNEL_DTYPES or not math.prod(p.shape):
            return None
        state, numbers = map(Output, range(state_count)), map(Input, range(state_count + 1, len(inputs)))
        operands = (*state, Input(state_count), *kernel_sizes_of(p.shape), *numbers)
        return _launches_in_place(Launch(kernel[p.dtype], operands), state_count)

    return _update_operation(name, Form.FUSED, adafactor_launches, lambda: state_count)


adafactor_of_matrix = _adafactor_operation(
    "apply_adafactor_matrix", adafactor_matrix, 4, lambda shape: (math.prod(shape[:-2]), *shape[-2:])
)
"""Adafactor for one variable of rank 2 or more: inputs p, r, c, v, g and the kernel's numbers; outputs p, r, c, v."""

adafactor_of_vector = _adafactor_operation(
    "apply_adafactor_vector", adafactor_vector, 2, lambda shape: (math.prod(shape),)
)
"""Adafactor for one variable of rank 0 or 1: inputs p, v, g and the kernel's numbers; outputs p, v."""


# ---- norms -----------------------------------------------------------------------------------------------

_MIN_ELEMENTS_FOR_THREADS = 1 << 17
"""The number of elements of the largest array from which threads share the sums of squares."""


def serial_square_sums(*arrays: np.ndarray) -> np.ndarray:
    """Returns the sum of squares of each array, in float64, by one thread; all arrays have one dtype."""
    totals = np.empty(len(arrays))
    float_arrays = [a.astype(np.float32) if is_half(a.dtype) else a for a in arrays]
    sums_of_squares[float_arrays[0].dtype](float_arrays, totals)
    return totals


@with_half_floats
def _array_square_sums_launches(inputs: Any, outputs: Any) -> Launches | None:
    return sums_of_squares_launches(inputs, outputs) if inputs[0].dtype in _KERNEL_DTYPES else None


def _square_sums_by_operations(*arrays: Tensor) -> Tensor:
    wide = [TABLE["cast"](x, dtype="float32") if is_half(x._array.dtype) else x for x in arrays]
    sums = [TABLE["reduce_sum"](x * x, axes=tuple(range(x.ndim)), keepdims=False) for x in wide]
    total: Tensor = TABLE["cast"](stack(sums), dtype="float64")
    return total


sums_of_squares_of_arrays = kernel_operation(
    "sums_of_squares",
    Form.REDUCE,
    launches=_array_square_sums_launches,
    by_numpy=serial_square_sums,
    min_elements=_MIN_ELEMENTS_FOR_THREADS,
    reference=_square_sums_by_operations,
    result=lambda *arrays: ArraySpec((len(arrays),), np.dtype(np.float64)),
)
"""The sums of squares of several arrays of one dtype, one float64 element per array."""


# ---- gradients that are rows --------------------------------------------------------------------------------
# The number of distinct rows is known only at run time, so arrays have the length for no repeated row: the unused end of
# `sums` is 0, that of `ids` is `limit`.


def sum_rows_by_index(
    ids: np.ndarray, values: np.ndarray, table_rows: int, owner: str
) -> tuple[np.ndarray, np.ndarray]:
    """Sums the rows of repeated indices, in their order, and sorts the rows by index.

    Args:
        ids: int32 or int64, shape (n,).
        values: floating, shape (n, ...).
        table_rows: the number of rows of the table.
        owner: the name in errors.

    Returns:
        The distinct indices, and the sums.

    Raises:
        InvalidArgumentError: an index outside [0, table_rows).
    """
    count = len(ids)
    order, workspace, starts = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count + 1, np.int64)
    unique, number = np.empty_like(ids), np.empty(1, np.int64)
    invalid_position = group_ids[ids.dtype](ids, order, workspace, unique, starts, number, count, table_rows)
    if invalid_position >= 0:
        raise InvalidArgumentError(
            f"{owner}: indices[{invalid_position}] = {ids[invalid_position]} is not in [0, {table_rows})."
        )
    wide = values.astype(np.float32, order="C") if is_half(values.dtype) else values
    distinct_count = int(number[0])
    sums = np.empty((distinct_count, *wide.shape[1:]), wide.dtype)
    sum_groups[wide.dtype](wide, order, starts, sums, count, math.prod(values.shape[1:]), 0, distinct_count)
    return unique[:distinct_count], sums.astype(values.dtype, copy=False)


def _has_kernel(array: Any, ids: Any) -> bool:
    return array.dtype in _KERNEL_DTYPES and ids.dtype in _KERNEL_INDEX_DTYPES


@with_half_floats
def _sum_rows_launches(inputs: Any, outputs: Any, limit: int, owner: str) -> Launches | None:
    values, ids = inputs
    if not _has_kernel(values, ids):
        return None
    rows, width, word_dtype = ids.shape[0], math.prod(values.shape[1:]), np.dtype(np.int64)
    order, workspace, starts = Scratch(0), Scratch(1), Scratch(2)
    group = Launch(group_ids[ids.dtype], (Input(1), order, workspace, Output(1), starts, Output(2), rows, limit))
    operands = Input(0), order, starts, Output(0), rows, width
    total = Launch(sum_groups[values.dtype], operands, rows, NANOSECONDS_PER_UPDATED_ROW + width * 0.3)
    return Launches((group, total), scratch=((word_dtype, rows), (word_dtype, rows), (word_dtype, rows + 1)))


sum_rows = kernel_operation(
    "sum_rows",
    Form.SCATTER,
    raise_error=lambda values, ids, limit, owner: sum_rows_by_index(ids, values, limit, owner),
    launches=_sum_rows_launches,
    result=lambda values, ids, **attributes: (
        same_as_first(values),
        same_as_first(ids),
        ArraySpec((), np.dtype(np.int64)),
    ),
)
"""``sum_rows(values, ids, limit=, owner=)``: the sums of rows of each index, the distinct indices in increasing order,
and their number. Raises InvalidArgumentError, which names ``owner``, for an index outside [0, limit)."""


def _update_rows_launches(inputs: Any, outputs: Any, rule: str, moves: int, flag_count: int = 0) -> Launches | None:
    update_rule = RULES[rule]
    state_count = len(update_rule.state)
    rows_at = state_count + flag_count
    table, ids = inputs[0], inputs[rows_at + 1]
    if not _has_kernel(table, ids):
        return None
    state, rows = [*map(Output, range(state_count))], [*map(Input, range(rows_at, rows_at + 3))]
    # A ZERO_GRADIENT_RESTS_AT_ZERO_SLOTS rule may use the table kernel: its formula does not change rows with zero
    # slots and gradient.
    kernel, operands, units, unit_cost = update_rule.row_kernel_call(
        moves, table, ids, state, rows, Output(state_count) if flag_count else None
    )
    numbers = map(Input, range(rows_at + 3, len(inputs)))
    return _launches_in_place(Launch(kernel, (*operands, *numbers), units, unit_cost), rows_at)


update_rows = _update_operation(
    "apply_update_to_rows",
    Form.SCATTER,
    _update_rows_launches,
    lambda rule, moves: len(RULES[rule].state),
    partial_update="rows",
)
"""One step of an ``UpdateRule`` for one variable whose gradient is zero except in some rows.

Inputs: the weights, their slots, the outputs of ``sum_rows``, and the rule's numbers. Outputs: the new weights and slots.
Attributes: rule (its name), moves (the effect of a zero gradient on a row, a `ZERO_GRADIENT_...` of `update_rule`).
"""


def _update_live_rows_launches(inputs: Any, outputs: Any, rule: str) -> Launches | None:
    return _update_rows_launches(inputs, outputs, rule, ZERO_GRADIENT_RESTS_AT_ZERO_SLOTS, flag_count=1)


update_live_rows = _update_operation(
    "apply_update_to_live_rows",
    Form.SCATTER,
    _update_live_rows_launches,
    lambda rule: len(RULES[rule].state) + 1,
    partial_update="rows",
)
"""One step of an ``UpdateRule`` for some rows of a variable, without the rows whose gradient and slots are zero.

Inputs: the weights, their slots, the flags of rows that may have nonzero slots (one byte per row, in uint64 words), the
outputs of ``sum_rows``, and the rule's numbers. Outputs: the new weights, slots and words.
"""


def _add_rows(table: np.ndarray, sums: np.ndarray, ids: np.ndarray, row_count: np.ndarray) -> np.ndarray:
    count = int(row_count)
    updated_table = np.array(table)
    updated_table[ids[:count]] += sums[:count]
    return updated_table


@with_half_floats
def _add_rows_launches(inputs: Any, outputs: Any) -> Launches | None:
    table, _, ids, _ = inputs
    if not _has_kernel(table, ids):
        return None
    kernel = add_summed_rows[table.dtype, ids.dtype]
    width = math.prod(table.shape[1:])
    operands = Output(0), Input(1), Input(2), Input(3), table.shape[0], width
    launch = Launch(kernel, operands, ids.shape[0], NANOSECONDS_PER_UPDATED_ROW + 0.1 * width)
    return Launches((launch,), in_place=((0, 0),), starts_as=((0, 0),))


add_rows = operation(
    "add_rows", Form.SCATTER, partial_update="rows", run=_add_rows, launches=_add_rows_launches, result=same_as_first
)
"""``add_rows(table, *sum_rows(...))``: the table with the rows added."""


# ---- actions at every n-th step ----------------------------------------------------------------------------

completed_period_count = operation(
    "whole_turns",
    Form.EXTERN,
    run=lambda count, every: np.asarray(count // every),
    launches=lambda inputs, outputs, every: Launches((Launch(completed_rounds[()], (Input(0), Output(0), every)),)),
    result=same_as_first,
    cheap=True,
)
"""``whole_turns(count, every=)``: the integer quotient ``count // every``, an int64."""

is_last_step_of_period = operation(
    "ends_turn",
    Form.EXTERN,
    run=lambda count, every: np.asarray((count + 1) % every == 0),
    launches=lambda inputs, outputs, every: Launches((Launch(is_last_of_round[()], (Input(0), Output(0), every)),)),
    result=broadcast_of(bool),
    cheap=True,
)
"""``ends_turn(count, every=)``: True if ``count + 1`` is a multiple of ``every``."""
