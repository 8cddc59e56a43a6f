"""``tf.sparse``: tensors of which only some elements are stored."""

from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.sparse.array_ops import concat as concat
from fastgrad.sparse.array_ops import expand_dims as expand_dims
from fastgrad.sparse.array_ops import fill_empty_rows as fill_empty_rows
from fastgrad.sparse.array_ops import mask as mask
from fastgrad.sparse.array_ops import reorder as reorder
from fastgrad.sparse.array_ops import reset_shape as reset_shape
from fastgrad.sparse.array_ops import reshape as reshape
from fastgrad.sparse.array_ops import retain as retain
from fastgrad.sparse.array_ops import slice as slice  # TensorFlow's name
from fastgrad.sparse.array_ops import split as split
from fastgrad.sparse.array_ops import transpose as transpose
from fastgrad.sparse.conversion import eye as eye
from fastgrad.sparse.conversion import from_dense as from_dense
from fastgrad.sparse.conversion import to_dense as to_dense
from fastgrad.sparse.conversion import to_indicator as to_indicator
from fastgrad.sparse.crossing import cross as cross
from fastgrad.sparse.crossing import cross_hashed as cross_hashed
from fastgrad.sparse.elementwise import add as add
from fastgrad.sparse.elementwise import map_values as map_values
from fastgrad.sparse.elementwise import maximum as maximum
from fastgrad.sparse.elementwise import minimum as minimum
from fastgrad.sparse.elementwise import softmax as softmax
from fastgrad.sparse.product import sparse_dense_matmul as sparse_dense_matmul
from fastgrad.sparse.reductions import bincount as bincount
from fastgrad.sparse.reductions import reduce_max as reduce_max
from fastgrad.sparse.reductions import reduce_sum as reduce_sum
from fastgrad.sparse.reductions import segment_mean as segment_mean
from fastgrad.sparse.reductions import segment_sqrt_n as segment_sqrt_n
from fastgrad.sparse.reductions import segment_sum as segment_sum
from fastgrad.sparse.sparse_tensor import SparseTensor as SparseTensor
from fastgrad.sparse.spec import SparseTensorSpec as SparseTensorSpec

__getattr__, __dir__ = _namespace_hooks("tf.sparse", globals())
