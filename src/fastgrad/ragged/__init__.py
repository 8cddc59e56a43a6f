"""Tensors whose rows have different lengths (``tf.ragged``)."""

from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.ragged import overrides as _overrides  # noqa: F401  # registers ragged implementations of public functions
from fastgrad.ragged.array_ops import boolean_mask as boolean_mask
from fastgrad.ragged.array_ops import stack as stack
from fastgrad.ragged.array_ops import stack_dynamic_partitions as stack_dynamic_partitions
from fastgrad.ragged.crossing import cross as cross
from fastgrad.ragged.crossing import cross_hashed as cross_hashed
from fastgrad.ragged.elementwise import map_flat_values as map_flat_values
from fastgrad.ragged.factories import constant as constant
from fastgrad.ragged.factories import range as range
from fastgrad.ragged.partition import row_splits_to_segment_ids as row_splits_to_segment_ids
from fastgrad.ragged.partition import segment_ids_to_row_splits as segment_ids_to_row_splits
from fastgrad.ragged.ragged_tensor import RaggedTensor as RaggedTensor
from fastgrad.ragged.spec import RaggedTensorSpec as RaggedTensorSpec

__getattr__, __dir__ = _namespace_hooks("tf.ragged", globals())
