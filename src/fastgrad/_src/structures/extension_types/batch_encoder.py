"""``tf.experimental.ExtensionTypeBatchEncoder``: how objects of an extension type are stacked and cut into rows."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.shape import TensorShape
from fastgrad._src.structures.extension_types.structure import tensors_and_composites, with_shapes, with_values


class ExtensionTypeBatchEncoder:
    """Encodes objects of a ``tf.experimental.BatchableExtensionType`` as tensors that datasets, ``map_fn`` and ``vectorized_map`` stack.

    This class stacks each field by itself. If the fields of a type can't be stacked so, write a subclass that overrides the methods, and
    set the attribute ``__batch_encoder__`` of the type to an instance. Stacking, slicing or concatenating the results of ``encode``, then
    decoding, must give the same objects as stacking, slicing or concatenating the objects themselves.
    """

    def batch(self, spec: Any, batch_size: int | None) -> Any:
        """Returns the spec of a batch: each spec and each shape in the fields of ``spec`` gains a first dimension.

        Args:
            spec: of one object.
            batch_size: the number of objects; None if it is not known.
        """
        fields, gain = _fields(spec), TensorShape([batch_size]).concatenate
        return spec._of([with_shapes(field, lambda leaf: leaf.batched(batch_size), gain) for field in fields])

    def unbatch(self, spec: Any) -> Any:
        """Returns the spec of one object of a batch: each spec and each shape in the fields of ``spec`` loses its first dimension.

        Args:
            spec: of a batch.
        """
        fields = _fields(spec)
        return spec._of([with_shapes(field, lambda leaf: leaf.of_rows(), lambda shape: shape[1:]) for field in fields])

    def encode(self, spec: Any, value: Any, minimum_rank: int = 0) -> Any:
        """Returns all tensors, ragged and sparse tensors and extension types in the fields of ``value``, a tuple.

        Args:
            spec: the spec of ``value``.
            value: an object of the extension type.
            minimum_rank: the least rank of the returned values; their first ``minimum_rank`` dimensions must be equal.
        """
        return tuple(tensors_and_composites(value._values()))

    def decode(self, spec: Any, encoded_value: Any) -> Any:
        """Returns the object of ``spec`` with the tensors of ``encoded_value``.

        Args:
            spec: of the result: ``batch`` of the spec of the encoded objects, or ``unbatch`` of it.
            encoded_value: results of ``encode``, stacked, sliced or concatenated.
        """
        fields, values = _fields(spec), iter(encoded_value)
        return spec.value_type._of([with_values(field, values) for field in fields])

    def encoding_specs(self, spec: Any) -> Any:
        """Returns the specs of the result of ``encode``, in the same structure.

        Args:
            spec: of an object.
        """
        return tuple(tensors_and_composites(_fields(spec)))


def _fields(spec: Any) -> Any:
    """Returns the fields of the spec of an extension type; AttributeError for anything else."""
    if not hasattr(spec, "_values"):
        raise AttributeError(f"ExtensionTypeBatchEncoder: got {spec!r}. Pass tf.type_spec_from_value(value).")
    return spec._values()
