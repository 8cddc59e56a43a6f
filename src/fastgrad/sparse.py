"""``tf.sparse``: tensors of which only some elements are stored."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.structures.sparse.array_ops import concat as concat
from fastgrad._src.structures.sparse.array_ops import expand_dims as expand_dims
from fastgrad._src.structures.sparse.array_ops import fill_empty_rows as fill_empty_rows
from fastgrad._src.structures.sparse.array_ops import mask as mask
from fastgrad._src.structures.sparse.array_ops import reorder as reorder
from fastgrad._src.structures.sparse.array_ops import reset_shape as reset_shape
from fastgrad._src.structures.sparse.array_ops import reshape as reshape
from fastgrad._src.structures.sparse.array_ops import retain as retain
from fastgrad._src.structures.sparse.array_ops import slice as slice  # TensorFlow's name
from fastgrad._src.structures.sparse.array_ops import split as split
from fastgrad._src.structures.sparse.array_ops import transpose as transpose
from fastgrad._src.structures.sparse.conversion import eye as eye
from fastgrad._src.structures.sparse.conversion import from_dense as from_dense
from fastgrad._src.structures.sparse.conversion import to_dense as to_dense
from fastgrad._src.structures.sparse.crossing import cross as cross
from fastgrad._src.structures.sparse.crossing import cross_hashed as cross_hashed
from fastgrad._src.structures.sparse.elementwise import add as add
from fastgrad._src.structures.sparse.elementwise import map_values as map_values
from fastgrad._src.structures.sparse.elementwise import maximum as maximum
from fastgrad._src.structures.sparse.elementwise import minimum as minimum
from fastgrad._src.structures.sparse.elementwise import softmax as softmax
from fastgrad._src.structures.sparse.product import sparse_dense_matmul as sparse_dense_matmul
from fastgrad._src.structures.sparse.reductions import bincount as bincount
from fastgrad._src.structures.sparse.reductions import reduce_max as reduce_max
from fastgrad._src.structures.sparse.reductions import reduce_sum as reduce_sum
from fastgrad._src.structures.sparse.reductions import segment_mean as segment_mean
from fastgrad._src.structures.sparse.reductions import segment_sqrt_n as segment_sqrt_n
from fastgrad._src.structures.sparse.reductions import segment_sum as segment_sum
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor as SparseTensor
from fastgrad._src.structures.sparse.spec import SparseTensorSpec as SparseTensorSpec

__getattr__, __dir__ = _namespace_hooks("tf.sparse", globals())
