"""``SparseTensor``: the elements of a tensor that are not zero, and their positions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes, tensor
from fastgrad._src.core.composite import OVERRIDES, Composite, CompositeOperand, CompositeSpec
from fastgrad._src.core.dtypes import DType
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.names import missing_member_getattr
from fastgrad._src.core.recording import recorders
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.ops.arguments import as_python_ints
from fastgrad._src.ops.assertion import assert_less, assert_non_negative
from fastgrad._src.ops.reduction import reduce_sum


class SparseTensor(Composite):
    """A tensor of which only some elements are stored; all others are zero.

    ``values[i]`` is the element at the position ``indices[i]``. Positions must be in row-major order; ``tf.sparse.reorder`` sorts
    them. Gradients are those of ``values``.

    Models take SciPy's sparse matrices: ``model.fit(matrix, y)``. Elsewhere convert them: with ``coo = scipy.sparse.coo_array(m)``,
    ``tf.SparseTensor(np.stack(coo.coords, 1), coo.data, coo.shape)`` is the sparse tensor. The inverse conversion is
    ``scipy.sparse.coo_array((x.values.numpy(), x.indices.numpy().T), x.shape)``.

    Args:
        indices: the positions, int64, shape (elements, rank).
        values: the elements, any dtype, shape (elements,).
        dense_shape: the sizes of all dimensions, shape (rank,). A ``tf.function`` is recorded again for another ``dense_shape``.

    Raises:
        ValueError: the parts have other ranks or do not fit each other, or a size is negative.
        TypeError: a part is a scalar.

    Example:
        >>> s = tf.SparseTensor(indices=[[0, 1], [1, 0]], values=[5.0, 6.0], dense_shape=(2, 2))
        >>> tf.sparse.to_dense(s).numpy()
        array([[0., 5.],
               [6., 0.]], dtype=float32)
    """

    __getattr__ = missing_member_getattr

    __slots__ = ("__weakref__", "_indices", "_shape", "_values")

    is_rectangular = True
    remedy = "use tf.sparse.to_dense, its values, or tf.sparse.map_values"

    __array_ufunc__ = None  # so that operators of NumPy numbers and arrays defer to this class

    _indices: Tensor
    _values: Tensor
    _shape: tuple[int, ...]

    def __init__(self, indices: Any, values: Any, dense_shape: Any) -> None:
        self._indices = convert_to_tensor(indices, dtypes.int64)
        self._values = convert_to_tensor(values)
        shape = convert_to_tensor(dense_shape, dtypes.int64)
        for name, part, rank in (("indices", self._indices, 2), ("values", self._values, 1), ("dense_shape", shape, 1)):
            if part.ndim != rank:
                raise (ValueError if part.ndim else TypeError)(
                    f"SparseTensor: Shape {part.shape} of {name} must have rank {rank}."
                )
        self._shape = as_python_ints(shape, "SparseTensor: dense_shape")
        count, depth = self._indices._array.shape
        if count != len(self._values) or depth != len(self._shape):
            raise ValueError(
                f"SparseTensor: indices of shape {[count, depth]} are not compatible with {len(self._values)} values and "
                f"a dense_shape of {len(self._shape)} sizes; give a row of indices for each value and a column for each size."
            )
        if min(self._shape, default=0) < 0:
            raise ValueError(f"SparseTensor: dense_shape {list(self._shape)} has a negative size.")

    @classmethod
    def _of(cls, indices: Tensor, values: Tensor, shape: Sequence[int]) -> SparseTensor:
        """Creates a sparse tensor from valid parts, unchecked."""
        sparse = object.__new__(cls)
        sparse._indices, sparse._values, sparse._shape = indices, values, tuple(shape)
        return sparse

    @classmethod
    def from_value(cls, sparse_tensor_value: Any) -> SparseTensor:
        """Returns a sparse tensor of the parts of another one.

        Raises:
            TypeError: the argument is no sparse tensor.
        """
        sparse = as_sparse(sparse_tensor_value, "SparseTensor.from_value")
        return cls._of(sparse._indices, sparse._values, sparse._shape)

    @property
    def indices(self) -> Tensor:
        """The positions of the elements, int64, shape (elements, rank)."""
        return self._indices

    @property
    def values(self) -> Tensor:
        """The elements, shape (elements,)."""
        return self._values

    @property
    def flat_values(self) -> Tensor:
        return self._values

    @property
    def dense_shape(self) -> Tensor:
        """The sizes of all dimensions, int64, shape (rank,)."""
        return constant_tensor(np.array(self._shape, np.int64))

    @property
    def shape(self) -> TensorShape:
        return TensorShape(self._shape)

    def get_shape(self) -> TensorShape:
        """Returns ``shape``."""
        return self.shape

    def set_shape(self, shape: Any) -> None:
        """Checks that ``shape`` fits; None fits any size.

        Raises:
            ValueError: it does not fit.
        """
        if not self.shape.is_compatible_with(TensorShape(shape)):
            raise ValueError(f"SparseTensor: shape {self.shape} is not compatible with supplied shape {shape}.")

    @property
    def dtype(self) -> DType:
        """The dtype of the values."""
        return self._values.dtype

    def with_values(self, new_values: Any) -> SparseTensor:
        """Returns a sparse tensor with ``new_values`` at the same positions.

        Raises:
            ValueError: the number of values differs.
        """
        return SparseTensor(self._indices, new_values, self._shape)

    def __repr__(self) -> str:
        return f"SparseTensor(indices={self._indices!s}, values={self._values!s}, dense_shape={self.dense_shape!s})"

    def __reduce__(self) -> tuple[Any, ...]:
        return SparseTensor, (self._indices, self._values, self._shape)

    # ---- composite protocol ------------------------------------------------------------------------------

    def _to_components(self) -> tuple[Any, list[Any]]:
        return self._shape, [self._indices, self._values]

    @classmethod
    def _from_components(cls, form: Any, tensors: Sequence[Any]) -> Any:
        return cls._of(tensors[0], tensors[1], form)

    def _spec(self) -> CompositeSpec:
        from fastgrad._src.structures.sparse.spec import SparseTensorSpec

        return SparseTensorSpec(self._shape, self.dtype)

    def _text(self, text_of_array: Callable[[Any], str]) -> str:
        parts = [text_of_array(part._on_host()) for part in (self._indices, self._values, self.dense_shape)]
        return "SparseTensor(indices={}, values={}, shape={})".format(*parts)

    def _with_flat_values(self, flat_values: Any) -> SparseTensor:
        return self._of(self._indices, flat_values, self._shape)


def _refuse_conversion(sparse: SparseTensor) -> Tensor:
    raise CompositeOperand(sparse)


tensor.converters.append((SparseTensor, _refuse_conversion))
OVERRIDES.setdefault(SparseTensor, {})


# ---- positions -----------------------------------------------------------------------------------------------


def as_sparse(value: Any, name: str) -> SparseTensor:
    """Returns ``value``.

    Raises:
        TypeError: it is no sparse tensor.
    """
    if not isinstance(value, SparseTensor):
        raise TypeError(f"{name}: Input must be a SparseTensor, got {type(value).__name__}; use tf.sparse.from_dense.")
    return value


def strides_of(shape: Sequence[int]) -> np.ndarray:
    """Returns the distance in row-major order between neighbours along each dimension of ``shape``.

    Raises:
        InvalidArgumentError: a dense tensor of this shape has 2**63 elements or more.
    """
    if math.prod(shape) >= 2**63:
        raise InvalidArgumentError(f"a sparse tensor of shape {list(shape)} has 2**63 positions or more.")
    return np.array([math.prod(shape[axis + 1 :]) for axis in range(len(shape))], np.int64)


def linear_positions(indices: Tensor, shape: Sequence[int]) -> Tensor:
    """Returns the row-major number of each position, int64, shape (elements,)."""
    return reduce_sum(indices * constant_tensor(strides_of(shape)), 1)


def check_positions(name: str, sparse: SparseTensor, in_order: bool = False) -> None:
    """Checks positions now and at each replay of a recording.

    Raises:
        InvalidArgumentError: a position is outside of the shape, or with ``in_order``, does not come after the one before.
    """
    shape, indices = sparse._shape, sparse._indices
    array = indices._on_host()
    outside = array.view(np.uint64) >= np.array(shape, np.uint64)  # also the negative ones
    if outside.any():
        row = int(outside.any(1).argmax())
        raise InvalidArgumentError(
            f"{name}: indices[{row}] = {array[row].tolist()} is out of bounds: need 0 <= index < {list(shape)}."
        )
    if in_order:
        numbers = array @ strides_of(shape)
        wrong = numbers[1:] <= numbers[:-1]
        if wrong.any():
            row = int(wrong.argmax()) + 1
            what = "repeated" if numbers[row] == numbers[row - 1] else "out of order"
            raise InvalidArgumentError(
                f"{name}: indices[{row}] = {array[row].tolist()} is {what}. Many sparse ops require sorted indices: "
                f"call tf.sparse.reorder, or merge repeated positions."
            )
    if recorders.active and len(array):
        # The checks above saw only the values of this recording; these assertions check each replay.
        assert_non_negative(indices, message=f"{name}: an index is negative.")
        assert_less(indices, constant_tensor(np.array(shape, np.int64)), message=f"{name}: an index is out of bounds.")
        if in_order:
            positions = linear_positions(indices, shape)
            assert_less(positions[:-1], positions[1:], message=f"{name}: indices are repeated or out of order.")
