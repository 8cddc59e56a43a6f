"""TensorArrays among the variables of a loop that is recorded as one operation.

An iteration of a recorded loop cannot use a Python list. So the body runs once on copies of the arrays, which note their
reads and writes. An array that is only read is a tensor that all iterations read. An array that is only written gives the
positions and elements written by each iteration; after the loop the last element written at each position is chosen. An array
that is read and written is a loop-carried tensor; each write copies it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import nest
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.ops.tensor_array import TensorArray


class NotRecordableError(Exception):
    """The loop uses an array in a form that cannot be recorded."""


class _RestrictedTensorArray(TensorArray):
    """A TensorArray without the methods that a recorded loop does not take."""

    def _replace_elements(self, elements: list[Any], stacked: Tensor | None = None) -> None:
        raise NotRecordableError

    def scatter(self, indices: Any, value: Any, name: str | None = None) -> TensorArray:
        raise NotRecordableError


class _AccessCountingTensorArray(_RestrictedTensorArray):
    """A copy of a TensorArray that counts its writes and notes whether it is read."""

    def __init__(self, array: TensorArray) -> None:
        self._copy_state_of(array)
        self.reads = False
        self.writes = 0

    def write(self, index: Any, value: Any, name: str | None = None) -> TensorArray:
        self.writes += 1
        return super().write(index, value, name)

    def _element_or_zeros(self, position: int) -> Tensor:
        self.reads = True
        return super()._element_or_zeros(position)


class _TracedTensorArray(_RestrictedTensorArray):
    """The stand-in for a TensorArray during one recorded iteration.

    Args:
        array: the array that it replaces.
        shape: the shape of an element.
        whole: all elements, stacked; None if the array is only written.

    Attributes:
        whole: the argument ``whole``, updated by each write.
        written: the positions and elements written, if the array is only written.
    """

    def __init__(self, array: TensorArray, shape: tuple[int, ...], whole: Tensor | None) -> None:
        self._copy_state_of(array)
        self._count, self._shape, self.whole = array._length(), shape, whole
        self.written: list[tuple[Tensor, Tensor]] = []

    def _length(self) -> int:
        return self._count

    def write(self, index: Any, value: Any, name: str | None = None) -> TensorArray:
        element = self._checked_element("write", value)
        if element._array.shape != self._shape:
            raise NotRecordableError
        position = _index_tensor(index)
        if self.whole is None:
            self.written.append((position, element))
        else:
            at = TABLE["reshape"](position, shape=(1, 1))
            row = TABLE["reshape"](element, shape=(1, *self._shape))
            self.whole = TABLE["tensor_scatter_nd_update"](self.whole, at, row, strict=True)
        return self

    def read(self, index: Any, name: str | None = None) -> Tensor:
        return TABLE["gather"](self._readable_elements(), _index_tensor(index), axis=0, batch_dims=0)

    def gather(self, indices: Any, name: str | None = None) -> Tensor:
        return TABLE["gather"](self._readable_elements(), convert_to_tensor(indices), axis=0, batch_dims=0)

    def stack(self, name: str | None = None) -> Tensor:
        return self._readable_elements()

    def concat(self, name: str | None = None) -> Tensor:
        raise NotRecordableError

    def _readable_elements(self) -> Tensor:
        if self.whole is None:
            raise NotRecordableError
        return self.whole


def _index_tensor(index: Any) -> Tensor:
    x = convert_to_tensor(index)
    if x._array.size != 1 or x._array.dtype.kind not in "iu":
        raise NotRecordableError
    x = x if not x._array.ndim else TABLE["reshape"](x, shape=())
    return x if x._array.dtype == np.int64 else TABLE["cast"](x, dtype="int64")


class LoopArrays:
    """The TensorArrays among the variables of a loop.

    Args:
        arrays: the arrays before the loop.
        watched: their copies, after one iteration ran on them.

    Attributes:
        least: the minimum number of iterations for which memory for written elements is reserved; 0 if no array is
            only written.

    Raises:
        NotRecordableError: an iteration uses an array in a form that cannot be recorded.
    """

    def __init__(self, arrays: Sequence[TensorArray], watched: Sequence[_AccessCountingTensorArray]) -> None:
        self._arrays = list(arrays)
        self._shapes: list[tuple[int, ...]] = []
        for array, copy in zip(arrays, watched, strict=True):
            size = array._length()
            if array.dynamic_size or not size or not copy.element_shape.is_fully_defined():
                raise NotRecordableError
            self._shapes.append(tuple(copy.element_shape))
        self._writes = [copy.writes for copy in watched]
        self._write_only_flags = [copy.writes > 0 and not copy.reads for copy in watched]
        self._carried = [number for number, copy in enumerate(watched) if copy.writes and copy.reads]
        self._stacked_arrays = [self._stacked_elements(number) for number in range(len(arrays))]
        write_only_arrays = itertools.compress(arrays, self._write_only_flags)
        self.least = max([array._length() for array in write_only_arrays], default=0)

    def _stacked_elements(self, number: int) -> Tensor:
        array, shape = self._arrays[number], self._shapes[number]
        if array._stacked is not None and not array._cleared:
            stacked = array._stacked
        else:
            zeros = constant_tensor(np.zeros(shape, array.dtype.numpy))
            written_flags = [array._is_written(position) for position in range(array._length())]
            rows = [
                array._element_or_zeros(position) if is_written else zeros
                for position, is_written in enumerate(written_flags)
            ]
            if any(row._array.shape != shape for row in rows):
                raise NotRecordableError
            if not any(written_flags):
                stacked = constant_tensor(np.zeros((len(rows), *shape), array.dtype.numpy))
            else:
                stacked = TABLE["stack"](*rows, axis=0)
        if stacked._array.shape[1:] != shape:
            raise NotRecordableError
        return stacked

    def state(self) -> list[Tensor]:
        """The loop-carried tensors of the arrays, then the iteration count if an array is only written."""
        count = [constant_tensor(np.zeros((), np.int64))] if self.least else []
        return [*[self._stacked_arrays[number] for number in self._carried], *count]

    def traced_arrays(self, state: Sequence[Tensor]) -> list[TensorArray]:
        """The stand-ins for the arrays during one iteration."""
        carried = dict(zip(self._carried, state, strict=False))
        return [
            _TracedTensorArray(
                array,
                self._shapes[number],
                None if is_write_only else carried.get(number, self._stacked_arrays[number]),
            )
            for number, (array, is_write_only) in enumerate(zip(self._arrays, self._write_only_flags, strict=True))
        ]

    def state_after(
        self, arrays_before: Sequence[Any], arrays_after: Sequence[Any], state: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """The state after an iteration, and the positions and elements that the iteration wrote.

        Args:
            arrays_before: the arrays passed to the iteration.
            arrays_after: the arrays that the iteration returned.
            state: the state before the iteration.
        """
        if any(
            array_before is not array_after
            for array_before, array_after in zip(arrays_before, arrays_after, strict=True)
        ):
            raise NotRecordableError
        after = [arrays_before[number].whole for number in self._carried]
        if self.least:
            after.append(TABLE["add"](state[-1], constant_tensor(np.ones((), np.int64))))
        written_tensors = []
        for array, is_write_only, writes in zip(arrays_before, self._write_only_flags, self._writes, strict=True):
            if is_write_only:
                if len(array.written) != writes:
                    raise NotRecordableError
                written_tensors += [item for pair in array.written for item in pair]
            elif array.written:
                raise NotRecordableError
        return after, written_tensors

    def write_back(self, state: Sequence[Tensor], stacked_writes: Sequence[Tensor]) -> list[TensorArray]:
        """Writes the results of the loop into the arrays, in place as ``write`` does, and returns the arrays.

        Args:
            state: the state after the last iteration.
            stacked_writes: the positions and elements written, stacked over the iterations.
        """
        stacked_results = dict(zip(self._carried, state, strict=False))
        items = iter(stacked_writes)
        for number, (is_write_only, writes) in enumerate(zip(self._write_only_flags, self._writes, strict=True)):
            if is_write_only:
                pairs = [(next(items), next(items)) for _ in range(writes)]
                stacked_results[number] = _with_last_writes(self._stacked_arrays[number], pairs, state[-1])
        for number, stacked in stacked_results.items():
            self._arrays[number]._replace_elements([], stacked)
        return self._arrays


def _with_last_writes(
    elements_before: Tensor, positions_and_elements: Sequence[tuple[Tensor, Tensor]], iteration_count: Tensor
) -> Tensor:
    """``elements_before`` with the last element written at each position.

    Args:
        elements_before: all elements before the loop.
        positions_and_elements: the positions and the elements of each write in the body, one row per iteration.
        iteration_count: the number of iterations; later rows are unused.
    """
    room, writes = positions_and_elements[0][0]._array.shape[0], len(positions_and_elements)
    positions, elements = positions_and_elements[0]
    if writes > 1:
        shape = elements._array.shape[1:]
        positions = TABLE["reshape"](
            TABLE["stack"](*[p for p, _ in positions_and_elements], axis=1), shape=(room * writes,)
        )
        elements = TABLE["reshape"](
            TABLE["stack"](*[e for _, e in positions_and_elements], axis=1), shape=(room * writes, *shape)
        )
    numbers = constant_tensor(np.arange(room * writes))
    no_write = constant_tensor(np.full((), -1))
    is_executed = TABLE["less"](constant_tensor(np.arange(room * writes) // writes), iteration_count)
    numbers = TABLE["where"](is_executed, numbers, no_write)
    positions = TABLE["where"](is_executed, positions, constant_tensor(np.zeros((), np.int64)))
    count = elements_before._array.shape[0]
    last_numbers = TABLE["tensor_scatter_nd_max"](
        constant_tensor(np.full((count,), -1)),
        TABLE["reshape"](positions, shape=(room * writes, 1)),
        numbers,
        strict=True,
    )
    zero = constant_tensor(np.zeros((), np.int64))
    last_elements = TABLE["gather"](elements, TABLE["maximum"](last_numbers, zero), axis=0, batch_dims=0)
    is_written = TABLE["greater_equal"](last_numbers, zero)
    is_written = TABLE["reshape"](is_written, shape=(count, *[1] * (elements_before._array.ndim - 1)))
    return TABLE["where"](is_written, last_elements, elements_before)


def loop_arrays(
    arrays: Sequence[TensorArray], variables: Any, body: Callable[..., Any], tracer: Any
) -> LoopArrays | None:
    """The ``LoopArrays`` of a loop; None if the loop cannot be recorded with its arrays.

    Args:
        arrays: the arrays among ``variables``, in order.
        variables: the variables of the loop.
        body: the function that takes and returns the variables.
        tracer: the tracer that records the loop.
    """
    if not arrays:
        return LoopArrays([], [])
    if any(type(array) is not TensorArray for array in arrays) or len(set(map(id, arrays))) < len(arrays):
        return None
    watched: list[_AccessCountingTensorArray] = []

    def one_trip(loop_tensors: list[Tensor]) -> list[Tensor]:
        copies = iter([_AccessCountingTensorArray(array) for array in arrays])
        tensors = iter(loop_tensors)
        leaves = [next(copies) if isinstance(x, TensorArray) else next(tensors) for x in nest.flatten(variables)]
        body(*nest.pack_sequence_as(variables, leaves))
        watched.extend([leaf for leaf in leaves if isinstance(leaf, _AccessCountingTensorArray)])
        return []

    tracer.record_function(one_trip, [x for x in nest.flatten(variables) if not isinstance(x, TensorArray)])
    if not watched:
        return None
    try:
        return LoopArrays(arrays, watched)
    except NotRecordableError:
        return None
