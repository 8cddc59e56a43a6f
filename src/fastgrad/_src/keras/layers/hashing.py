"""``Hashing`` and ``HashedCrossing``: the hashes of strings and numbers, and of pairs of them, as categories."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import require
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras import settings
from fastgrad._src.keras.layers.category_encoding import (
    CategoricalLayer,
    as_categories,
    checked_output_mode,
    encode_categories,
    encoded_shape,
)
from fastgrad._src.keras.layers.index_lookup import checked_salt, hash_buckets
from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.layers.symbolic import KerasTensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.sparse.crossing import cross_hashed
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor
from fastgrad._src.structures.strings.formatting import as_string


class Hashing(CategoricalLayer):
    """Maps each string or number to a bin, by TensorFlow's hash.

    Args:
        num_bins: the number of bins, including the bin of the mask.
        mask_value: the only input in bin 0; None for no such input.
        salt: one or two integers that select another hash.
        output_mode: ``"int"``, or ``"one_hot"``, ``"multi_hot"`` or ``"count"``, as in ``CategoryEncoding``.
        sparse: whether rows are a ``SparseTensor``.
        **kwargs: as in ``Layer``; ``dtype`` is that of the results, int64 or ``floatx()`` by default.

    Raises:
        ValueError: an argument is out of range or does not go with another.
    """

    _leaf = True
    _config_names = ("num_bins", "salt", "mask_value", "output_mode", "sparse")

    def __init__(
        self,
        num_bins: Any,
        mask_value: Any = None,
        salt: Any = None,
        output_mode: str = "int",
        sparse: bool = False,
        **kwargs: Any,
    ) -> None:
        modes = ("int", "one_hot", "multi_hot", "count")
        mode = checked_output_mode("Hashing", output_mode, modes, sparse)
        if kwargs.get("dtype") is None:
            kwargs["dtype"] = "int64" if mode == "int" else settings.floatx()
        super().__init__(**kwargs)
        require(num_bins is not None and num_bins > 0, self, "`num_bins` must be a positive integer", num_bins=num_bins)
        if mode == "int" and self.dtype not in ("int32", "int64"):
            raise ValueError(f"Hashing: output_mode='int' needs the dtype int32 or int64. Received: dtype={self.dtype}")
        self.num_bins, self.mask_value, self.output_mode, self.sparse = num_bins, mask_value, mode, sparse
        self.salt = checked_salt("Hashing", salt)
        self.autocast = False
        self._build_at_init()

    def call(self, inputs: Any) -> Any:
        if isinstance(inputs, SparseTensor):
            numbers: Any = SparseTensor(inputs.indices, self._bins(inputs.values), inputs.dense_shape)
        else:
            numbers = self._bins(inputs)
        return encode_categories(numbers, self.output_mode, self.num_bins, self.dtype, self.sparse)

    def _bins(self, x: Tensor) -> Tensor:
        has_mask_bin = self.mask_value is not None and self.num_bins > 1
        strings = x
        if x.dtype is not dtypes.string:
            strings = as_string(ops.cast(x, dtypes.int64) if x.dtype.is_floating else x)
        numbers = hash_buckets(strings, self.num_bins - has_mask_bin, self.salt)
        if not has_mask_bin:
            return numbers
        is_mask = ops.equal(x, ops.constant(self.mask_value, x.dtype))
        return ops.where(is_mask, ops.constant(0, dtypes.int64), numbers + 1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return encoded_shape(input_shape, self.output_mode, self.num_bins)

    def compute_output_spec(self, inputs: Any) -> Any:
        return self._spec(inputs, self.dtype)


class HashedCrossing(Layer):
    """Maps each pair of strings or integers to a bin, by TensorFlow's hash: ``HashedCrossing(5)((cities, days))``.

    Args:
        num_bins: the number of bins.
        output_mode: ``"int"`` or ``"one_hot"``.
        sparse: whether rows of mode ``"one_hot"`` are a ``SparseTensor``.
        **kwargs: as in ``Layer``; ``dtype`` is that of the results, int64 or ``floatx()`` by default.

    Raises:
        ValueError: an argument is out of range. (At a call: less than two inputs, other shapes than (rows, 1), (rows,) and (), shapes that
            differ, or floats.)
    """

    _leaf = True
    _config_names = ("num_bins", "output_mode", "sparse")

    def __init__(self, num_bins: Any, output_mode: str = "int", sparse: bool = False, **kwargs: Any) -> None:
        mode = checked_output_mode("HashedCrossing", output_mode, ("int", "one_hot"), sparse)
        if kwargs.get("dtype") is None:
            kwargs["dtype"] = "int64" if mode == "int" else settings.floatx()
        super().__init__(**kwargs)
        self.num_bins, self.output_mode, self.sparse = num_bins, mode, sparse
        self.autocast = False
        self._build_at_init()

    def _converted_inputs(self, value: Any) -> Any:
        return [as_categories(x, None) for x in value] if isinstance(value, (list, tuple)) else value

    def call(self, inputs: Any) -> Any:
        if not isinstance(inputs, (list, tuple)) or len(inputs) < 2:
            raise ValueError(f"`HashedCrossing` should be called on at least two inputs. Received: inputs={inputs}")
        shape = inputs[0].shape
        for x in inputs:
            require(x.shape == shape, self, "inputs should have equal shape", inputs=[y.shape for y in inputs])
            require(
                x.dtype.is_integer or x.dtype is dtypes.string,
                self,
                "inputs should have an integer or string dtype",
                dtype=x.dtype,
            )
        if len(shape) > 2 or shape[1:] not in ((), (1,)):
            raise ValueError(f"HashedCrossing: inputs should have shape (), (batch,) or (batch, 1). Received: {shape}")
        crossed = cross_hashed([ops.reshape(x, (-1, 1)) for x in inputs], self.num_bins)
        numbers = ops.reshape(crossed.values, shape)
        return encode_categories(numbers, self.output_mode, self.num_bins, self.dtype, self.sparse)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return encoded_shape(input_shape[0], self.output_mode, self.num_bins)

    def compute_output_spec(self, inputs: Any) -> Any:
        return KerasTensor(self.compute_output_shape([x.shape for x in inputs]), self.dtype)
