"""The functions of this package's files by one import, for files that need many: ``from fastgrad._src.ops import namespace as ops``.

Files of this package import each other's functions from where they are defined.
"""

# ruff: noqa: F401, I001  # names for other files; a line has the names of a file
# fmt: off
from fastgrad._src.ops.activation import elu, gelu, leaky_relu, relu, relu6, selu, silu
from fastgrad._src.ops.arguments import (
    as_python_int, as_python_ints, check_dtype, nonnegative_axis, scalar_of_dtype, tensor_of, tensor_of_dtype,
)
from fastgrad._src.ops.arithmetic import (
    abs, add, add_n, conjugate, maximum, minimum, multiply, nextafter, sign, squared_difference, subtract,
)
from fastgrad._src.ops.assertion import (
    Assert, assert_equal, assert_greater_equal, assert_less, assert_less_equal, assert_non_negative, assert_rank,
)
from fastgrad._src.ops.attention import attention, attention_and_weights
from fastgrad._src.ops.batch_moments import batch_moments, normalized
from fastgrad._src.ops.batching import (
    BatchArg, broadcast_rows, broadcasting_rule, call_operation, leading_axes_rule, shift_axes_rule,
)
from fastgrad._src.ops.bitwise import bitwise_and, bitwise_or, bitwise_xor, left_shift, right_shift
from fastgrad._src.ops.blocks import batch_to_space, depth_to_space, space_to_batch, space_to_depth
from fastgrad._src.ops.casting import cast, cast_narrow_to_float32, saturate_cast
from fastgrad._src.ops.clipping import clip_by_value
from fastgrad._src.ops.collectives import REDUCTIONS, all_reduce, broadcast
from fastgrad._src.ops.comparison import (
    equal, greater, greater_equal, is_finite, is_inf, is_nan, less, less_equal, logical_and, logical_not, logical_or,
    logical_xor, not_equal,
)
from fastgrad._src.ops.complex_numbers import complex, imag, real
from fastgrad._src.ops.contraction import matmul
from fastgrad._src.ops.control_flow import cond, element_of_one, switch_case, while_loop
from fastgrad._src.ops.convolution import (
    conv2d, conv3d, convolution, convolution_in_groups, depthwise_conv2d, separable_conv2d,
)
from fastgrad._src.ops.creation import (
    constant, eye, fill, identity, linspace, ones, ones_like, range, zeros, zeros_like,
)
from fastgrad._src.ops.custom_gradient import custom_gradient, stop_gradient
from fastgrad._src.ops.decompositions import eig, eigh, eigvalsh, matrix_rank, qr, svd
from fastgrad._src.ops.default_generators import (
    check_default_random_state, default_philox_words, default_random_state, restore_default_random_state, set_seed,
    uses_python_random,
)
from fastgrad._src.ops.dense import bias_add
from fastgrad._src.ops.diagonals import adjoint, diag_part
from fastgrad._src.ops.division import (
    divide, divide_no_nan, floordiv, floormod, realdiv, truediv, truncatediv, truncatemod,
)
from fastgrad._src.ops.einsum import einsum, tensordot
from fastgrad._src.ops.error_function import erf, erfc, erfinv
from fastgrad._src.ops.exponential import (
    atan, atan2, cos, exp, expm1, hypot, log, log_sigmoid, sigmoid, sin, softplus, softsign, tanh,
)
from fastgrad._src.ops.hash_tables import KeyIndex, distinct_elements
from fastgrad._src.ops.higher_order import loop_over_rows, vectorized_map
from fastgrad._src.ops.indexing import embedding_lookup, gather, gather_nd
from fastgrad._src.ops.initialization import zeros_initializer
from fastgrad._src.ops.inspection import argmax, count_nonzero
from fastgrad._src.ops.joining import concat, split, stack, unstack
from fastgrad._src.ops.kernel_launches import KERNEL_FLOATS, kernel_operation, launches_from
from fastgrad._src.ops.linear_algebra import cholesky, cross, det, inv, logdet, lstsq, pinv, slogdet, solve
from fastgrad._src.ops.loss import (
    sigmoid_cross_entropy_with_logits, softmax_cross_entropy_with_logits, sparse_softmax_cross_entropy_with_logits,
)
from fastgrad._src.ops.normalization import batch_normalization, layer_normalization
from fastgrad._src.ops.norms import l2_normalize, norm
from fastgrad._src.ops.one_hot import one_hot, sequence_mask
from fastgrad._src.ops.padding import pad
from fastgrad._src.ops.pooling import avg_pool, avg_pool3d, max_pool, max_pool3d, max_pool_with_argmax, pool
from fastgrad._src.ops.power import pow, rsqrt, sqrt, square
from fastgrad._src.ops.python_function import call_of_strings, call_on_host, numpy_function, py_function
from fastgrad._src.ops.random_generator import normal_from, uniform_from
from fastgrad._src.ops.random_ops import dropout, dropout_from, gamma, noise_sizes, normal, uniform
from fastgrad._src.ops.random_stateless import (
    stateless_binomial, stateless_categorical, stateless_dropout, stateless_gamma, stateless_normal,
    stateless_truncated_normal, stateless_uniform,
)
from fastgrad._src.ops.recurrent import gru, lstm
from fastgrad._src.ops.reduction import (
    reduce_all, reduce_any, reduce_euclidean_norm, reduce_logsumexp, reduce_max, reduce_mean, reduce_min, reduce_prod,
    reduce_sum,
)
from fastgrad._src.ops.references import gradient_of_reference, in_float32
from fastgrad._src.ops.reordering import reverse, roll
from fastgrad._src.ops.repeating import meshgrid, repeat, tile
from fastgrad._src.ops.replica_gradients import all_reduce_slices
from fastgrad._src.ops.replica_messages import common_values
from fastgrad._src.ops.rounding import ceil, floor, round
from fastgrad._src.ops.scan import cumsum
from fastgrad._src.ops.scattering import confusion_matrix, scatter_nd, tensor_scatter_nd_add, tensor_scatter_nd_update
from fastgrad._src.ops.segments import (
    segment_mean, segment_sum, unsorted_segment_max, unsorted_segment_mean, unsorted_segment_min,
    unsorted_segment_prod, unsorted_segment_sqrt_n, unsorted_segment_sum,
)
from fastgrad._src.ops.selection import boolean_mask, dynamic_partition, where
from fastgrad._src.ops.shape_query import rank, shape, size
from fastgrad._src.ops.shaping import broadcast_to, expand_dims, reshape, squeeze, transpose
from fastgrad._src.ops.slicing import slice
from fastgrad._src.ops.softmax import log_softmax, softmax
from fastgrad._src.ops.sorting import (
    argsort, in_top_k, searchsorted, sort, top_k, unique, unique_with_counts,
)
from fastgrad._src.ops.statistics import bincount, moments, reduce_std, reduce_variance
from fastgrad._src.ops.tensor_array import TensorArray
from fastgrad._src.ops.text_hashes import bytes_objects, hashes_of, parts_of_text, sizes_of, texts_at
from fastgrad._src.ops.transposed_convolution import atrous_conv2d_transpose, conv2d_transpose, conv_transpose
from fastgrad._src.ops.uneven_gathering import gathered_from_world
