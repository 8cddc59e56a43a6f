"""Slices: ``x[1:, ..., None]``, ``tf.strided_slice``, ``tf.slice``, and assigning to a slice of a variable."""

from __future__ import annotations

import builtins
import operator
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import refuse
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.lowering import IndexMap
from fastgrad._src.core.operation import TABLE, Form, Operation, operation
from fastgrad._src.core.recording import control_flow_handler, hide_from_recorders, in_trial_run, recorders
from fastgrad._src.core.result_rules import of_shape, same_as_first
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.core.variable import Variable, writer_lock
from fastgrad._src.jit.captured_values import short_repr
from fastgrad._src.kernels.movement import layout as layouts
from fastgrad._src.kernels.movement.strided import clear_launch, copy_into_slices_launches, single_result_layouts
from fastgrad._src.kernels.runtime.launch import Output
from fastgrad._src.ops.arguments import as_python_ints, broadcasts_to, tensor_of
from fastgrad._src.ops.batching import BatchArg, broadcast_rows, call_operation, pad_rank
from fastgrad._src.ops.shaping import permuted_back

SliceKey = tuple[Any, ...]
"""A normalised slice, one item per dimension. An int takes one position and removes the dimension.
``(start, stop, step)`` takes a range; with a negative step, a stop of None means to the front. None inserts a new
dimension of size 1."""


def _numpy_key(key: SliceKey) -> tuple[Any, ...]:
    # With the ellipsis NumPy returns an array, not a scalar, when no dimension is left.
    return (*[builtins.slice(*item) if type(item) is tuple else item for item in key], ...)


def _run_slice_gradient(g: np.ndarray, key: SliceKey, shape: tuple[int, ...]) -> np.ndarray:
    x = np.zeros(shape, g.dtype)
    x[_numpy_key(key)] = g
    return x


def _whole_axis(rows: int) -> tuple[int, int, int]:
    """The item of a key for the axis of rows: the whole axis."""
    return 0, rows, 1


def _batched_slice_assign(name: str, rows: int, /, x: BatchArg, part: BatchArg, key: tuple[Any, ...]) -> Any:
    rank = x.rank - sum([isinstance(item, int) for item in key]) + sum([item is None for item in key])
    return call_operation(name, broadcast_rows(x, rows), pad_rank(part, rank), key=(_whole_axis(rows), *key))


def _transposed_slice(
    perm: tuple[int, ...], input_shape: tuple[int, ...], key: tuple[Any, ...]
) -> dict[str, Any] | None:
    has_all_axes = len(key) == len(input_shape) and all(type(item) is tuple for item in key)
    return {"key": permuted_back(key, perm)} if has_all_axes else None


_strided_slice: Operation = operation(
    "strided_slice",
    Form.INDEX_MAP,
    run=lambda x, key: x[_numpy_key(key)],
    gradient=lambda g, y, x, key: _strided_slice_gradient(g, key=key, shape=x._array.shape),
    index_map=IndexMap(
        views=lambda layout, input_shape, results, key: single_result_layouts(layouts.sliced(layout, input_shape, key)),
        transposed=_transposed_slice,
    ),
    batched=lambda name, rows, x, key: call_operation(name, x.tensor, key=(_whole_axis(rows), *key)),
    simplifications=lambda rules: (rules.remove_whole_slice,),
)
_strided_slice_gradient: Operation = operation(
    "strided_slice_gradient",  # zeros of a shape with g in the place of the slice
    Form.INDEX_MAP,
    run=_run_slice_gradient,
    gradient=lambda gg, y, g, key, shape: _strided_slice(gg, key=key),
    launches=lambda inputs, outputs, key, shape: copy_into_slices_launches(
        outputs[0],
        [clear_launch(Output(0), outputs[0])],
        [(inputs[0], layouts.sliced(layouts.of_shape(shape), shape, key))],
    ),
    batched=lambda name, rows, g, key, shape: call_operation(
        name, g.tensor, key=(_whole_axis(rows), *key), shape=(rows, *shape)
    ),
    result=of_shape,
)


# ---- x[...] ----------------------------------------------------------------------------------------


def _tensor_getitem(x: Tensor, key: Any) -> Tensor:
    """The part of ``x`` that ``key`` selects, as in TensorFlow.

    Args:
        x: the tensor.
        key: an integer, a slice, ``...``, ``None`` (a new dimension), a scalar integer tensor, or a tuple of these; or a
            boolean mask, a tensor or NumPy array.

    Raises:
        InvalidArgumentError: an index is out of range, there are too many indices, a step is 0, or ``...`` comes twice.
        TypeError: an index has another type.
    """
    if type(key) is int:
        shape = x._array.shape
        if shape and -shape[0] <= key < shape[0]:
            return _strided_slice(x, key=(key if key >= 0 else key + shape[0],))
    elif type(key) is not tuple and type(key) is not builtins.slice and _is_mask(key):
        from fastgrad._src.ops.selection import boolean_mask

        return boolean_mask(x, key)
    elif recorders.active and (part := _gather_at_varying_indices(x, key)) is not None:
        return part
    return _strided_slice(x, key=_resolved_key(key, x._array.shape))


def _gather_at_varying_indices(x: Tensor, key: Any) -> Tensor | None:
    """The part of ``x`` that ``key`` selects, read by gathers; None unless a recorded index may differ between runs."""
    tracer = control_flow_handler() if in_trial_run() else None
    if tracer is None:
        return None
    items = list(key) if isinstance(key, tuple) else [key]
    tensor_positions = [
        item_position
        for item_position, item in enumerate(items)
        if isinstance(item, Tensor) and item._array.size == 1 and item.dtype.is_integer and tracer.varies(item)
    ]
    if not tensor_positions:
        return None
    static_items = tuple(
        [
            builtins.slice(None) if item_position in tensor_positions else item
            for item_position, item in enumerate(items)
        ]
    )
    selected = _strided_slice(x, key=_resolved_key(static_items, x._array.shape))
    ellipsis_size = x._array.ndim - sum(item is not None and item is not Ellipsis for item in items)
    sizes = [
        ellipsis_size
        if item is Ellipsis
        else int(item is None or isinstance(item, builtins.slice) or item_position in tensor_positions)
        for item_position, item in enumerate(items)
    ]
    for item_position in reversed(tensor_positions):
        axis = sum(sizes[:item_position])
        position = TABLE["reshape"](items[item_position], shape=())
        size = constant_tensor(np.array(selected._array.shape[axis], position._array.dtype))
        zero = constant_tensor(np.zeros((), position._array.dtype))
        position = TABLE["where"](TABLE["less"](position, zero), TABLE["add"](position, size), position)
        selected = TABLE["gather"](selected, position, axis=axis, batch_dims=0)
    return selected


def _is_mask(key: Any) -> bool:
    if isinstance(key, (Tensor, Variable)):
        return key._operand_dtype is dtypes.bool
    return isinstance(key, (bool, np.bool_)) or (isinstance(key, np.ndarray) and key.dtype == bool)


def _resolved_key(key: Any, shape: tuple[int, ...]) -> SliceKey:
    """``key`` with all numbers checked and counted from the front, and the ellipsis expanded."""
    items = key if isinstance(key, (tuple, list)) else (key,)
    rank = len(shape)
    indexed_count = 0
    ellipsis = None
    for position, item in enumerate(items):
        if item is Ellipsis:
            if ellipsis is not None:
                raise InvalidArgumentError(f"strided_slice: Multiple ellipses not allowed: {short_repr(key)}.")
            ellipsis = position
        elif item is not None:
            indexed_count += 1
    if indexed_count > rank:
        if not rank:
            raise InvalidArgumentError(f"strided_slice: Attempting to slice scalar input with {short_repr(key)}.")
        raise InvalidArgumentError(
            f"strided_slice: Index out of range using input dim {rank}; input has only {rank} dims "
            f"(shape {list(shape)}), but {short_repr(key)} indexes {indexed_count}."
        )
    resolved: list[Any] = []
    dimension = 0
    for item in items:
        if item is Ellipsis:
            for _ in range(rank - indexed_count):
                resolved.append((0, shape[dimension], 1))
                dimension += 1
        elif item is None:
            resolved.append(None)
        else:
            size = shape[dimension]
            if isinstance(item, builtins.slice):
                resolved.append(_resolved_slice(item, size, dimension))
            else:
                resolved.append(_checked_index(_as_index_int(item), size, dimension))
            dimension += 1
    return tuple(resolved)


def _as_index_int(item: Any) -> int:
    """An index as a Python int."""
    if type(item) is int:
        return item
    if not isinstance(item, (bool, np.bool_)) and not (
        isinstance(item, (Tensor, Variable)) and item._operand_dtype not in (dtypes.int16, dtypes.int32, dtypes.int64)
    ):
        try:
            return operator.index(item)
        except TypeError:
            pass
    raise TypeError(
        "Only integers, slices (`:`), ellipsis (`...`), tf.newaxis (`None`) and scalar tf.int32/tf.int64 tensors are valid "
        f"indices, got {short_repr(item)}. Rows at positions that a tensor holds are tf.gather(x, positions)."
    )


def _checked_index(index: int, size: int, dimension: int) -> int:
    if not -size <= index < size:
        refuse("strided_slice", f"slice index {index} of axis {dimension} out of bounds {size}", InvalidArgumentError)
    return index + size if index < 0 else index


def _resolved_slice(part: builtins.slice, size: int, dimension: int) -> tuple[int, int | None, int]:
    step = None if part.step is None else _as_index_int(part.step)
    if step == 0:
        raise InvalidArgumentError(f"strided_slice: strides[{dimension}] must be non-zero.")
    start = None if part.start is None else _as_index_int(part.start)
    stop = None if part.stop is None else _as_index_int(part.stop)
    return _as_numpy_bounds(*builtins.slice(start, stop, step).indices(size))


def _as_numpy_bounds(start: int, stop: int, step: int) -> tuple[int, int | None, int]:
    if not range(start, stop, step):
        return 0, 0, step
    # `range` stops before the first element at -1, which NumPy would read as the last element.
    return start, None if stop < 0 else stop, step


# ---- tf.strided_slice and tf.slice -------------------------------------------------------------------


def strided_slice(
    input_: Any,
    begin: Any,
    end: Any,
    strides: Any = None,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
    var: Variable | None = None,
    name: str | None = None,
) -> Tensor:
    """The part of ``input_`` from ``begin`` to ``end`` in steps of ``strides``, like Python's ``x[b:e:s]``.

    Args:
        input_: any tensor.
        begin, end, strides: vectors of one length n, one number for each of the first n dimensions; strides default to 1.
        begin_mask, end_mask: bit i: ``begin[i]`` or ``end[i]`` is ignored, as in ``x[:e]`` and ``x[b:]``.
        ellipsis_mask: bit i: position i is ``...``; at most one bit.
        new_axis_mask: bit i: position i is a new dimension of size 1.
        shrink_axis_mask: bit i: position i is the index ``begin[i]``, and the dimension is removed.
        var: the variable whose value is ``input_``; if given, the result has ``assign``.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: lengths differ, a stride is 0, an index is out of range, or there are too many dimensions.
    """
    starts = _integer_vector(begin, "begin")
    stops = _integer_vector(end, "end")
    steps = (1,) * len(starts) if strides is None else _integer_vector(strides, "strides")
    if not len(starts) == len(stops) == len(steps):
        refuse("strided_slice", "begin, end, strides need one size", InvalidArgumentError, got=(starts, stops, steps))
    key: list[Any] = []
    for position, (start, stop, step) in enumerate(zip(starts, stops, steps, strict=True)):
        bit = 1 << position
        if ellipsis_mask & bit:
            key.append(Ellipsis)
        elif new_axis_mask & bit:
            key.append(None)
        elif shrink_axis_mask & bit:
            if step < 1:
                raise InvalidArgumentError(f"strided_slice: only stride 1 allowed on non-range indexing, got {step}.")
            key.append(start)
        else:
            key.append(builtins.slice(None if begin_mask & bit else start, None if end_mask & bit else stop, step))
    return _tensor_getitem(tensor_of(input_), tuple(key)) if var is None else _variable_getitem(var, tuple(key))


def _integer_vector(value: Any, what: str) -> tuple[int, ...]:
    if isinstance(value, (int, np.integer)) or (isinstance(value, (Tensor, Variable)) and value.ndim != 1):
        raise InvalidArgumentError(f"strided_slice: Expected {what} to be a vector, got {value!r}.")
    return as_python_ints(value, f"strided_slice: {what}")


def slice(input_: Any, begin: Any, size: Any, name: str | None = None) -> Tensor:
    """The block of ``input_`` that starts at ``begin`` and has ``size`` elements along each dimension.

    Args:
        input_: a tensor of rank n.
        begin: n numbers, each in ``[0, input_.shape[i]]``.
        size: n numbers; -1 means all remaining elements.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: ``begin`` or ``size`` does not have n numbers, or the block is not inside.
    """
    x = tensor_of(input_)
    shape = x._array.shape
    starts, sizes = as_python_ints(begin, "slice: begin"), as_python_ints(size, "slice: size")
    if not len(starts) == len(sizes) == len(shape):
        refuse("slice", f"begin and size need {len(shape)} numbers", InvalidArgumentError, begin=starts, size=sizes)
    key = []
    for position, (start, count, limit) in enumerate(zip(starts, sizes, shape, strict=True)):
        if not 0 <= start <= limit:
            raise InvalidArgumentError(f"slice: Expected begin[{position}] in [0, {limit}], but got {start}.")
        count = limit - start if count == -1 else count
        if not 0 <= count <= limit - start:
            raise InvalidArgumentError(f"slice: Expected size[{position}] in [0, {limit - start}], but got {count}.")
        key.append((start, start + count, 1))
    return _strided_slice(x, key=tuple(key))


def _copy_with_slice(x: np.ndarray, part: np.ndarray, key: SliceKey) -> np.ndarray:
    updated = np.array(x)
    updated[_numpy_key(key)] = part
    return updated


_assign_slice = operation(
    "strided_slice_assign",  # x with other elements in the place of a slice; no gradient flows through assignments
    Form.INDEX_MAP,
    run=_copy_with_slice,
    launches=lambda inputs, outputs, key: copy_into_slices_launches(
        outputs[0],
        [],
        [
            (inputs[0], layouts.of_shape(inputs[0].shape)),
            (inputs[1], layouts.sliced(layouts.of_shape(inputs[0].shape), inputs[0].shape, key)),
        ],
    ),
    batched=_batched_slice_assign,
    result=same_as_first,
)


# ---- slices of variables ---------------------------------------------------------------------------


class VariableSlice(Tensor):
    """The value of a part of a variable, with methods that assign to this part: ``v[1:].assign(...)``."""

    __slots__ = ("_key", "_variable")

    _key: SliceKey
    _variable: Variable

    def assign(self, value: Any, name: str | None = None) -> Variable:
        """Assigns ``value`` to this part of the variable, in place.

        Args:
            value: a value of the variable's dtype, whose shape broadcasts to this tensor's.
            name: kept for TensorFlow's signature.

        Returns:
            The variable.

        Raises:
            InvalidArgumentError: ``value`` does not broadcast to the slice; the variable is unchanged.
            ValueError: ``value`` is a tensor of another dtype.
        """
        return self._update(None, "assign", value)

    def assign_add(self, delta: Any, name: str | None = None) -> Variable:
        """Adds ``delta`` to this part of the variable, in place; arguments and errors as in ``assign``."""
        return self._update(np.add, "assign_add", delta)

    def assign_sub(self, delta: Any, name: str | None = None) -> Variable:
        """Subtracts ``delta`` from this part of the variable, in place; arguments and errors as in ``assign``."""
        return self._update(np.subtract, "assign_sub", delta)

    def _update(self, ufunc: Any, what: str, value: Any) -> Variable:
        variable = self._variable
        tensor = variable._converted_part(what, value)
        array, shape = tensor._array, self._array.shape
        if not broadcasts_to(array.shape, shape):
            raise InvalidArgumentError(
                f"strided_slice {what}: Cannot broadcast input shape {list(array.shape)} into final shape {list(shape)} "
                f"of the slice of variable '{variable.name}'."
            )
        if variable._must_change_by_operations():
            x = variable._read_as_stored()
            if ufunc is None:
                part = TABLE["broadcast_to"](tensor, shape=shape)
            else:
                part = TABLE["add" if ufunc is np.add else "subtract"](_strided_slice(x, key=self._key), tensor)
            return variable.assign(_assign_slice(x, part, key=self._key))
        with writer_lock.lock, np.errstate(all="ignore"):
            part = variable._memory_for_write()[_numpy_key(self._key)]
            if ufunc is None:
                np.copyto(part, array)
            else:
                ufunc(part, array, out=part)
        return variable


def _variable_getitem(variable: Variable, key: Any) -> Tensor:
    """The part of the variable that ``key`` selects, with ``assign``, ``assign_add`` and ``assign_sub``.

    Args:
        variable: the variable.
        key: as for tensors.

    Raises:
        InvalidArgumentError, TypeError: as for tensors.
    """
    if _is_mask(key):
        return _tensor_getitem(variable._read(), key)
    if recorders.active and (gathered := _gather_at_varying_indices(variable._read(), key)) is not None:
        return gathered
    resolved = _resolved_key(key, variable._array.shape)
    x = variable._read()
    if type(x._array) is np.ndarray:
        part = VariableSlice(x._array[_numpy_key(resolved)])
        variable._register_view(part)
    else:
        with hide_from_recorders():
            part = VariableSlice(_strided_slice(x, key=resolved)._array)
    part._variable, part._key = variable, resolved
    for recorder in recorders.active:
        recorder.on_operation(_strided_slice, (x,), (part,), {"key": resolved})
    return part


Tensor.__getitem__ = _tensor_getitem
Variable.__getitem__ = _variable_getitem
