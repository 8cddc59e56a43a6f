"""The methods of ``Dataset`` that combine several elements into one, or split one element."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgrad._src.core import nest
from fastgrad._src.core.dtypes import as_dtype
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.data import grouping
from fastgrad._src.data.compiling import call_with_element
from fastgrad._src.data.element_spec import packer
from fastgrad._src.data.pipeline import Pipeline
from fastgrad._src.ops.arguments import as_python_int

if TYPE_CHECKING:
    from fastgrad._src.data.dataset import Dataset


class DatasetBatching(Pipeline):
    """The part of ``Dataset`` that groups elements."""

    def batch(
        self,
        batch_size: Any,
        drop_remainder: Any = False,
        num_parallel_calls: Any = None,
        deterministic: bool | None = None,
        name: str | None = None,
    ) -> Dataset:
        """Returns batches of ``batch_size`` elements, stacked along a new first dimension.

        Args:
            batch_size: a positive integer.
            drop_remainder: whether a smaller last batch is left out.
            num_parallel_calls, deterministic: kept for TensorFlow's signature: copying rows is too cheap for a thread.

        Raises:
            InvalidArgumentError: ``batch_size`` is below 1; while iterating, elements have different shapes.
        """
        size = _positive_integer(batch_size, "batch: Batch size")
        if isinstance(drop_remainder, str):
            raise TypeError(f"Dataset.batch: drop_remainder must be a boolean, got {drop_remainder!r}.")
        return self._of(grouping.Batched(self._node, size, bool(drop_remainder)))

    def sparse_batch(self, batch_size: Any, row_shape: Any, name: str | None = None) -> Dataset:
        """Returns batches of ``batch_size`` tensors of different sizes, as sparse tensors that store all their elements.

        Args:
            batch_size: a positive integer. The last batch may be smaller.
            row_shape: the shape of a row of a batch; None for a size means that of the largest element.

        Raises:
            TypeError: the elements are not single dense tensors.
            InvalidArgumentError: ``batch_size`` is below 1; while iterating, an element does not have the rank of ``row_shape``.
            DataLossError: while iterating, an element is larger than ``row_shape``.
        """
        spec = self._node.spec()
        if not isinstance(spec, TensorSpec):
            raise TypeError(f"Dataset.sparse_batch: elements must be single dense tensors, got elements of {spec}.")
        shape = TensorShape(
            [
                None if size in (None, -1) else as_python_int(size, "Dataset.sparse_batch: row_shape")
                for size in row_shape
            ]
        )
        size = _positive_integer(batch_size, "sparse_batch: Batch size")
        return self._of(grouping.SparseBatched(self._node, size, list(shape)))

    def padded_batch(
        self,
        batch_size: Any,
        padded_shapes: Any = None,
        padding_values: Any = None,
        drop_remainder: bool = False,
        name: str | None = None,
    ) -> Dataset:
        """Returns batches of ``batch_size`` elements, padded to one shape and stacked.

        Args:
            batch_size: a positive integer.
            padded_shapes: the shapes, in the structure of an element. None (or -1) for a dimension means the longest size in the
                batch. Default: the shapes of ``element_spec``.
            padding_values: the padding, one value for all or one for each leaf of an element. Default: 0, and empty strings.
            drop_remainder: whether a smaller last batch is left out.

        Raises:
            ValueError: the shapes do not fit the elements, or elements have unknown rank and there are no ``padded_shapes``.
            TypeError: a value has another dtype.
            DataLossError: while iterating, an element is larger than its padded shape.
        """
        size = _positive_integer(batch_size, "padded_batch: Batch size")
        spec = self._node.spec()
        leaves = nest.flatten(spec)
        for leaf in leaves:
            if not isinstance(leaf, TensorSpec):
                raise TypeError(
                    f"`padded_batch` is only supported for datasets that produce tensor elements but type spec of elements in the "
                    f"input dataset is not a subclass of TensorSpec: `{leaf}`; use batch, then to_tensor."
                )
        shapes = [
            _padded_shape(leaf, shape) for leaf, shape in zip(leaves, _leaf_values(padded_shapes, spec), strict=True)
        ]
        leaf_paddings = _leaf_values(padding_values, spec, is_one_for_all=not nest.is_nested(padding_values))
        values = [_padding_value(leaf, value) for leaf, value in zip(leaves, leaf_paddings, strict=True)]
        return self._of(grouping.PaddedBatched(self._node, size, bool(drop_remainder), shapes, values))

    def ragged_batch(
        self, batch_size: Any, drop_remainder: bool = False, row_splits_dtype: Any = "int64", name: str | None = None
    ) -> Dataset:
        """Returns batches of ``batch_size`` elements. Tensors with unknown sizes become ragged.

        ``element_spec`` decides which sizes are unknown. Other tensors are stacked as in ``batch``.

        Args:
            batch_size: a positive integer.
            drop_remainder: whether a smaller last batch is left out.
            row_splits_dtype: int32 or int64.

        Raises:
            InvalidArgumentError: ``batch_size`` is below 1.
            ValueError: while iterating, elements have unknown rank.
        """
        size = _positive_integer(batch_size, "ragged_batch: Batch size")
        return self._of(grouping.RaggedBatched(self._node, size, bool(drop_remainder), as_dtype(row_splits_dtype)))

    def unbatch(self, name: str | None = None) -> Dataset:
        """Returns the rows of all elements, one element after the other.

        Raises:
            ValueError: tensors of an element have known, different numbers of rows.
        """
        shapes = [getattr(leaf, "shape", None) for leaf in nest.flatten(self._node.known_spec())]
        counts = {shape[0] for shape in shapes if shape is not None and shape.rank} - {None}
        if len(counts) > 1:
            raise ValueError(
                "`unbatch()` is only supported for datasets of elements whose components have a matching leading dimension. "
                f"Encountered {sorted(counts)}."
            )
        return self._of(grouping.Unbatched(self._node))

    def rebatch(self, batch_size: Any, drop_remainder: bool = False, name: str | None = None) -> Dataset:
        """Returns the rows of all elements in new batches.

        Args:
            batch_size: an integer, or several that are used in turn. Size 0 gives an empty batch.
            drop_remainder: whether a smaller last batch is left out.

        Raises:
            ValueError: a size is below 0, or the sizes are not a scalar or a vector.
        """
        batch_sizes = np.asarray(convert_to_tensor(batch_size).numpy())
        if batch_sizes.ndim > 1 or not batch_sizes.size or batch_sizes.min() < 0:
            raise ValueError(
                f"Invalid `batch_sizes`. Expected `batch_sizes` to be a scalar or a vector of integers from 0. Received {batch_sizes}."
            )
        sizes = np.atleast_1d(batch_sizes).tolist()
        return self._of(grouping.Rebatched(self._node, sizes, bool(drop_remainder)))

    def window(
        self, size: Any, shift: Any = None, stride: Any = 1, drop_remainder: bool = False, name: str | None = None
    ) -> Dataset:
        """Returns windows: datasets of ``size`` elements each.

        Args:
            size: the number of elements of a window.
            shift: the distance between the first elements of successive windows. Default: ``size``.
            stride: the distance between successive elements of a window.
            drop_remainder: whether shorter windows at the end are left out.
        """
        length = _positive_integer(size, "window: Window size")
        return self._of(
            grouping.Windowed(
                self._node,
                length,
                length if shift is None else _positive_integer(shift, "window: Window shift"),
                _positive_integer(stride, "window: Window stride"),
                bool(drop_remainder),
                self._of,
            )
        )

    def group_by_window(
        self,
        key_func: Callable[..., Any],
        reduce_func: Callable[..., Any],
        window_size: Any = None,
        window_size_func: Callable[..., Any] | None = None,
        name: str | None = None,
    ) -> Dataset:
        """Groups elements by key; returns the elements of ``reduce_func(key, group)``, one group after the other.

        Args:
            key_func: maps an element to an int64 scalar.
            reduce_func: maps a key and the dataset of a group to a dataset.
            window_size: the number of elements of a group. Elements that are left at the end make smaller groups.
            window_size_func: maps a key to its window size.

        Raises:
            ValueError: both sizes are given, or none.
        """
        if (window_size is None) == (window_size_func is None):
            raise ValueError("group_by_window: either `window_size` or `window_size_func` must be specified, not both.")
        if window_size_func is None:
            size = _positive_integer(window_size, "group_by_window: Window size")
            return self._of(grouping.Grouped(self._node, key_func, reduce_func, lambda key: size, self._of))
        return self._of(grouping.Grouped(self._node, key_func, reduce_func, window_size_func, self._of))

    def bucket_by_sequence_length(
        self,
        element_length_func: Callable[..., Any],
        bucket_boundaries: Any,
        bucket_batch_sizes: Any,
        padded_shapes: Any = None,
        padding_values: Any = None,
        pad_to_bucket_boundary: bool = False,
        no_padding: bool = False,
        drop_remainder: bool = False,
        name: str | None = None,
    ) -> Dataset:
        """Returns batches of elements of similar lengths.

        Args:
            element_length_func: maps an element to its length.
            bucket_boundaries: increasing lengths, each the first of the next bucket.
            bucket_batch_sizes: the batch size of each bucket. There is one more than boundaries.
            padded_shapes, padding_values: as in ``padded_batch``.
            pad_to_bucket_boundary: whether dimensions of unknown size are padded to the longest element that the bucket allows.
            no_padding: whether elements of a batch have one shape without padding.
            drop_remainder: whether smaller batches at the end are left out.

        Raises:
            ValueError: there is not exactly one more batch size than boundaries.
            InvalidArgumentError: while iterating, a length is beyond the last boundary, with ``pad_to_bucket_boundary``.
        """
        boundaries, sizes = list(bucket_boundaries), list(bucket_batch_sizes)
        if len(sizes) != len(boundaries) + 1:
            raise ValueError(
                f"bucket_by_sequence_length: `bucket_batch_sizes` must have {len(boundaries) + 1} numbers, one more than the boundaries, got {len(sizes)}."
            )

        def bucket(*element: Any) -> int:
            length = call_with_element(element_length_func, element)
            return bisect.bisect_right(boundaries, int(convert_to_tensor(length)))

        def batched(key: Tensor, group: Dataset) -> Dataset:
            bucket_number = int(key)
            if no_padding:
                return group.batch(sizes[bucket_number], drop_remainder)
            shapes = padded_shapes
            if pad_to_bucket_boundary:
                if bucket_number == len(boundaries):
                    raise InvalidArgumentError(
                        f"Dataset.bucket_by_sequence_length: with pad_to_bucket_boundary=True elements must have lengths "
                        f"below max(bucket_boundaries) = {boundaries[-1]}."
                    )
                shapes = _bounded_shapes(group.element_spec, padded_shapes, boundaries[bucket_number] - 1)
            return group.padded_batch(sizes[bucket_number], shapes, padding_values, drop_remainder)

        return self.group_by_window(bucket, batched, window_size_func=lambda key: sizes[int(key)])


def _positive_integer(value: Any, argument_name: str) -> int:
    number = as_python_int(value, f"Dataset.{argument_name}")
    if number < 1:
        raise InvalidArgumentError(f"Dataset.{argument_name} must be greater than zero, got {number}.")
    return number


def _leaf_values(values: Any, spec: Any, is_one_for_all: bool = False) -> list[Any]:
    """Returns the item of ``values`` for each leaf of ``spec``; a list or tuple that is a shape is one item."""
    if values is None or is_one_for_all:
        return [values] * len(nest.flatten(spec))
    if isinstance(spec, dict):
        return [leaf_value for key in sorted(spec) for leaf_value in _leaf_values(values[key], spec[key])]
    if isinstance(spec, tuple):
        if len(values) != len(spec):
            raise ValueError(f"Dataset.padded_batch: {values!r} has not the form of the elements, {spec}.")
        return [
            leaf_value
            for value, item_spec in zip(values, spec, strict=True)
            for leaf_value in _leaf_values(value, item_spec)
        ]
    return [values]


def _padded_shape(leaf: Any, padded: Any) -> list[int | None]:
    if padded is None:
        if leaf.shape.rank is None:
            raise ValueError("You must provide `padded_shapes`: components have unknown rank.")
        return list(leaf.shape)
    sizes = np.atleast_1d(np.array(list(padded) if isinstance(padded, TensorShape) else padded, object))
    if sizes.ndim != 1:
        raise ValueError(f"Padded shape {padded} must be a `tf.int64` vector tensor, but its shape was {sizes.shape}.")
    if any(not isinstance(size, (int, np.integer, type(None))) for size in sizes):
        raise TypeError(
            f"Padded shape {padded} must be a `tf.int64` vector tensor: integers, or None for the longest size."
        )
    shape = TensorShape([None if size in (None, -1) else int(size) for size in sizes])
    fits = leaf.shape.rank is None or (
        leaf.shape.rank == shape.rank
        and all(
            None in (leaf_size, size) or size >= leaf_size for leaf_size, size in zip(leaf.shape, shape, strict=True)
        )
    )
    if not fits:
        raise ValueError(f"The padded shape {shape} is not compatible with the component's {leaf.shape}.")
    return list(shape)


def _padding_value(leaf: Any, padding_value: Any) -> np.ndarray:
    if padding_value is None:
        return np.array(b"" if leaf.dtype.name == "string" else 0, leaf.dtype.numpy)
    value = (
        convert_to_tensor(padding_value)
        if isinstance(padding_value, Tensor) or hasattr(padding_value, "dtype")
        else _cast_to_leaf_dtype(padding_value, leaf)
    )
    if value.dtype is not leaf.dtype:
        raise TypeError(
            f"Invalid `padding_values`. `padding_values` values type {value.dtype} does not match type {leaf.dtype} of the "
            "corresponding input component."
        )
    if value.ndim:
        raise ValueError(f"Invalid `padding_values`: they must be scalars, got shape {value.shape}.")
    return value._on_host()


def _cast_to_leaf_dtype(value: Any, leaf: Any) -> Tensor:
    """Converts a Python value to the dtype of the leaf if possible."""
    try:
        return convert_to_tensor(value, leaf.dtype)
    except (TypeError, ValueError):
        return convert_to_tensor(value)


def _bounded_shapes(spec: Any, shapes: Any, length: int) -> Any:
    """Returns the shapes of an element, with ``length`` for every unknown size."""
    padded_shapes = [
        _padded_shape(*leaf_and_shape)
        for leaf_and_shape in zip(nest.flatten(spec), _leaf_values(shapes, spec), strict=True)
    ]
    return packer(spec)(
        [TensorShape([length if size is None else size for size in leaf_sizes]) for leaf_sizes in padded_shapes]
    )
