"""``TensorArray``: a list of tensors of one dtype, written and read by position; gradients flow through it."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import refuse
from fastgrad._src.core.errors import InvalidArgumentError, OutOfRangeError, TraceError
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.recording import control_flow_handler, trial_recorder
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none, constant_tensor, from_python
from fastgrad._src.ops.arguments import as_python_int, as_python_ints
from fastgrad._src.ops.joining import concat, split, stack, unstack


class TensorArray:
    """A list of tensors for loops that compute one element per step.

    Methods that write change the array in place and return it, so that ``ta = ta.write(i, x)`` reads as in TensorFlow.
    Elements that were never written read as zeros, once their shape is known. Gradients flow from reads to writes.

    Args:
        dtype: the dtype of the elements.
        size: the number of elements.
        dynamic_size: whether a write beyond the end extends the array.
        clear_after_read: whether an element can be read only once; default True.
        infer_shape: whether the first element written fixes the shape of all elements.
        element_shape: the shape of all elements, which may be partially known.
        tensor_array_name, handle, flow, colocate_with_first_write_call, name: kept for TensorFlow's signature.

    Raises:
        ValueError: ``size`` is missing or negative.
    """

    def __init__(
        self,
        dtype: Any,
        size: Any = None,
        dynamic_size: bool | None = None,
        clear_after_read: bool | None = None,
        tensor_array_name: str | None = None,
        handle: Any = None,
        flow: Any = None,
        infer_shape: bool = True,
        element_shape: Any = None,
        colocate_with_first_write_call: bool = True,
        name: str | None = None,
    ) -> None:
        if size is None:
            raise ValueError("TensorArray: Size must be declared for TensorArrays when eager execution is enabled.")
        count = as_python_int(size, "TensorArray: size")
        if count < 0:
            raise ValueError(f"TensorArray: size must be >= 0, got {count}.")
        self._dtype = dtypes.as_dtype(dtype)
        self._dynamic_size = bool(dynamic_size)
        self._clear_after_read = True if clear_after_read is None else clear_after_read
        self._infer_shape = infer_shape
        self._element_shape = TensorShape(element_shape)
        self._elements: list[Any] = [None] * count
        self._stacked: Tensor | None = None
        self._cleared: set[int] = set()
        self._trial = trial_recorder()

    # The elements are the list `_elements`, or the rows of the tensor `_stacked` until the next write.

    def _copy_state_of(self, array: TensorArray) -> None:
        """Makes this array a copy of ``array``."""
        vars(self).update(vars(array))
        self._elements, self._cleared, self._trial = list(array._elements), set(array._cleared), trial_recorder()

    def _length(self) -> int:
        return len(self._elements) if self._stacked is None else self._stacked._array.shape[0]

    def _element_list(self) -> list[Any]:
        """The elements as a list that the caller may change.

        Raises:
            TraceError: a function that is recorded as a part of a program changes an array from outside the function.
        """
        if trial_recorder() is not self._trial:
            raise TraceError(
                "TensorArray: a function that is written down as a part of a program changes an array of its surroundings; "
                "pass the array among the variables of the loop."
            )
        if self._stacked is not None:
            self._elements, self._stacked = list(unstack(self._stacked)), None
        return self._elements

    def _replace_elements(self, elements: list[Any], stacked: Tensor | None = None) -> None:
        """Replaces the elements, by a list or by the rows of the tensor ``stacked``."""
        self._element_list()
        self._elements, self._stacked, self._cleared = elements, stacked, set()
        if stacked is not None and self._infer_shape:
            self._element_shape = self._element_shape.merge_with(stacked.shape[1:])

    @property
    def dtype(self) -> dtypes.DType:
        """The dtype of the elements."""
        return self._dtype

    @property
    def dynamic_size(self) -> bool:
        """Whether a write beyond the end extends the array."""
        return self._dynamic_size

    @property
    def element_shape(self) -> TensorShape:
        """The shape of the elements, which may be partially known."""
        return self._element_shape

    @property
    def handle(self) -> None:
        """Returns None, because the array has no resource handle."""
        return

    @property
    def flow(self) -> Tensor:
        """A dummy scalar, for code that passes ``flow`` on."""
        return constant_tensor(np.zeros((), np.int32))

    def identity(self) -> TensorArray:
        """Returns this TensorArray itself."""
        return self

    def grad(self, source: Any, flow: Any = None, name: str | None = None) -> NoReturn:
        """Raises NotImplementedError, because tapes need no gradient array."""
        raise NotImplementedError(
            "TensorArray.grad is not supported when executing eagerly: gradients flow without it."
        )

    def size(self, name: str | None = None) -> Tensor:
        """The number of elements, an int32 scalar."""
        return constant_tensor(np.array(self._length(), np.int32))

    def close(self, name: str | None = None) -> None:
        """Empties the array."""
        self._replace_elements([])

    # ---- writing -----------------------------------------------------------------------------------

    def write(self, index: Any, value: Any, name: str | None = None) -> TensorArray:
        """Writes ``value`` at ``index``.

        Args:
            index: an integer.
            value: a value of the array's dtype; Python values and arrays are converted.
            name: kept for TensorFlow's signature.

        Returns:
            The array.

        Raises:
            OutOfRangeError: ``index`` is negative, or beyond the end of an array with a fixed size.
            InvalidArgumentError: ``value`` is a tensor of another dtype.
            ValueError: the shape of ``value`` differs from that of the elements.
        """
        position = as_python_int(index, "TensorArray.write: index")
        element = self._checked_element("write", value)
        self._check_write_position(position)
        self._store_element(position, element)
        return self

    def scatter(self, indices: Any, value: Any, name: str | None = None) -> TensorArray:
        """Writes the rows of ``value`` at ``indices``, a vector, and returns the array; errors as in ``write``."""
        rows = unstack(self._checked_tensor("scatter", value))
        rows_by_position = list(zip(as_python_ints(indices, "TensorArray.scatter: indices"), rows, strict=False))
        for position, row in rows_by_position:
            self._check_write_position(position)
            self._check_element_shape("scatter", row.shape)
        for position, row in rows_by_position:
            self._store_element(position, row)
        return self

    def unstack(self, value: Any, name: str | None = None) -> TensorArray:
        """Replaces the elements by the rows of ``value``, whose number becomes the size; returns the array.

        Raises:
            ValueError: ``value`` has more rows than an array with a fixed size, is a scalar, or has rows of another shape.
            InvalidArgumentError: ``value`` is a tensor of another dtype.
        """
        x = self._checked_tensor("unstack", value)
        count = x._array.shape[0] if x._array.ndim else len(unstack(x))  # `unstack` raises the error for a scalar
        if count > self._length() and not self._dynamic_size:
            refuse("TensorArray.unstack", f"pass dynamic_size=True for {count} tensors, the size is {self._length()}")
        if not count:
            self._replace_elements([])
            return self
        self._check_element_shape("unstack", x.shape[1:])
        self._replace_elements([], x)
        return self

    def split(self, value: Any, lengths: Any, name: str | None = None) -> TensorArray:
        """Replaces the elements by consecutive pieces of ``value`` along its first axis.

        Args:
            value: a tensor of rank 1 or more.
            lengths: a vector, the length of the piece for each element.
            name: kept for TensorFlow's signature.

        Returns:
            The array.

        Raises:
            InvalidArgumentError: lengths do not add up, their number differs from the number of elements of an array with
                a fixed size, or ``value`` is a scalar or a tensor of another dtype.
        """
        x = self._checked_tensor("split", value)
        if isinstance(lengths, int):
            raise InvalidArgumentError(f"TensorArray.split: Expected lengths to be a vector, got {lengths}.")
        sizes = as_python_ints(lengths, "TensorArray.split: lengths")
        if not x._array.ndim:
            raise InvalidArgumentError("TensorArray.split: Expected value to be at least a vector, got a scalar.")
        if min(sizes, default=0) < 0 or sum(sizes) != len(x._array):
            refuse("TensorArray.split", f"lengths {sizes} must add up to {len(x._array)}", InvalidArgumentError)
        if len(sizes) != self._length() and not self._dynamic_size:
            refuse(
                "TensorArray.split",
                f"pass dynamic_size=True for {len(sizes)} pieces, the size is {self._length()}",
                InvalidArgumentError,
            )
        pieces = split(x, sizes) if sizes else []
        for piece in pieces:
            if not self._infer_shape:
                self._check_element_shape("split", piece.shape)
        self._replace_elements(list(pieces))
        return self

    def _checked_tensor(self, what: str, value: Any) -> Tensor:
        x = as_tensor_or_none(value)
        if x is None:
            return from_python(value, self._dtype)
        if x.dtype is not self._dtype:
            raise InvalidArgumentError(f"TensorArray.{what}: dtype is {self._dtype.name} but the value is {x.dtype}.")
        return x

    def _checked_element(self, what: str, value: Any) -> Tensor:
        x = self._checked_tensor(what, value)
        self._check_element_shape(what, x.shape)
        return x

    def _check_element_shape(self, what: str, shape: TensorShape) -> None:
        if not self._element_shape.is_compatible_with(shape):
            raise ValueError(f"TensorArray.{what}: Incompatible shape {shape}, expected {self._element_shape}")

    def _check_write_position(self, position: int) -> None:
        if position < 0:
            raise OutOfRangeError(f"TensorArray: Writing to negative indices (index {position}) is not allowed.")
        if position >= self._length() and not self._dynamic_size:
            refuse(
                self,
                f"pass dynamic_size=True to write to index {position}, the size is {self._length()}",
                OutOfRangeError,
            )

    def _store_element(self, position: int, element: Tensor) -> None:
        elements = self._element_list()
        if position >= len(elements):
            elements += [None] * (position + 1 - len(elements))
        if self._infer_shape:
            self._element_shape = self._element_shape.merge_with(element.shape)
        elements[position] = element
        self._cleared.discard(position)

    # ---- reading -----------------------------------------------------------------------------------

    def read(self, index: Any, name: str | None = None) -> Tensor:
        """The element at ``index``; a second read is an error unless ``clear_after_read`` is False.

        Raises:
            OutOfRangeError: ``index`` is out of range.
            InvalidArgumentError: the element was read before.
            ValueError: the element was never written, and its shape is not known.
        """
        if self._stacked is not None and not self._cleared and isinstance(index, Tensor) and index._array.size == 1:
            tracer = control_flow_handler()
            if tracer is not None and tracer.varies(index):
                # The index may differ between iterations, and so may the set of elements read: gathers and clears nothing.
                scalar_index = TABLE["reshape"](index, shape=())
                return TABLE["gather"](self._stacked, scalar_index, axis=0, batch_dims=0)
        position = as_python_int(index, "TensorArray.read: index")
        if position < 0:
            raise OutOfRangeError(f"TensorArray: Reading from negative indices (index {position}) is not allowed.")
        if position >= self._length():
            raise OutOfRangeError(f"TensorArray: Tried to read index {position}, but array size is: {self._length()}")
        if position in self._cleared:
            raise InvalidArgumentError(
                f"TensorArray: Could not read index {position} twice because it was cleared after a previous read "
                "(perhaps try setting clear_after_read = false?)"
            )
        element = self._element_or_zeros(position)
        if self._clear_after_read and trial_recorder() is self._trial:
            self._cleared.add(position)
        return element

    def stack(self, name: str | None = None) -> Tensor:
        """All elements, stacked along a new first axis.

        Raises:
            InvalidArgumentError: the elements have different shapes.
            ValueError: an element was never written, and its shape is not known.
        """
        if self._stacked is not None and not self._cleared:
            return self._stacked
        if not self._length():
            return self._empty_tensor()
        return stack([self._element_or_zeros(position) for position in range(self._length())])

    def gather(self, indices: Any, name: str | None = None) -> Tensor:
        """The elements at ``indices``, a vector, stacked along a new first axis; errors as in ``stack``.

        Raises:
            IndexError: an index is out of range.
        """
        positions = as_python_ints(indices, "TensorArray.gather: indices")
        for position in positions:
            if not 0 <= position < self._length():
                raise IndexError(f"TensorArray.gather: index {position} is out of range for size {self._length()}.")
        return (
            stack([self._element_or_zeros(position) for position in positions]) if positions else self._empty_tensor()
        )

    def concat(self, name: str | None = None) -> Tensor:
        """All elements, concatenated along their first axis, on which sizes may differ.

        Raises:
            InvalidArgumentError: elements are scalars, or shapes differ on other axes.
            ValueError: an element was never written, and its shape is not known.
        """
        if not self._length():
            return self._empty_tensor(rows=False)
        elements = [self._element_or_zeros(position) for position in range(self._length())]
        if not elements[0]._array.ndim:
            raise InvalidArgumentError("TensorArray.concat: Can't concatenate scalars (use stack instead).")
        return concat(elements, 0)

    def _is_written(self, position: int) -> bool:
        """True if the element at ``position`` was written and not cleared."""
        return position not in self._cleared and (self._stacked is not None or self._elements[position] is not None)

    def _element_or_zeros(self, position: int) -> Tensor:
        if not self._is_written(position):
            return constant_tensor(np.zeros(self._required_element_shape(), self._dtype.numpy))
        if self._stacked is not None:
            return TABLE["strided_slice"](self._stacked, key=(position,))
        return self._elements[position]

    def _required_element_shape(self) -> tuple[int, ...]:
        if not self._element_shape.is_fully_defined():
            raise ValueError(
                "TensorArray: an element that was never written is zeros, but the shape of the elements is not known: "
                f"{self._element_shape}. Pass element_shape=, or write every element."
            )
        return tuple(self._element_shape)

    def _empty_tensor(self, rows: bool = True) -> Tensor:
        is_known = self._element_shape.is_fully_defined()
        shape = (0, *(self._element_shape if rows else self._element_shape[1:])) if is_known else (0,)
        return constant_tensor(np.zeros(shape, self._dtype.numpy))
