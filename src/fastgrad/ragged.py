"""Tensors whose rows have different lengths (``tf.ragged``)."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.structures.ragged.array_ops import boolean_mask as boolean_mask
from fastgrad._src.structures.ragged.array_ops import stack as stack
from fastgrad._src.structures.ragged.array_ops import stack_dynamic_partitions as stack_dynamic_partitions
from fastgrad._src.structures.ragged.elementwise import map_flat_values as map_flat_values
from fastgrad._src.structures.ragged.factories import constant as constant
from fastgrad._src.structures.ragged.factories import range as range
from fastgrad._src.structures.ragged.partition import row_splits_to_segment_ids as row_splits_to_segment_ids
from fastgrad._src.structures.ragged.partition import segment_ids_to_row_splits as segment_ids_to_row_splits
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor as RaggedTensor
from fastgrad._src.structures.ragged.spec import RaggedTensorSpec as RaggedTensorSpec

__getattr__, __dir__ = _namespace_hooks("tf.ragged", globals())
