"""The table of raw operations: TensorFlow's name and arguments of each, and the public function that computes it.

A call of ``_declare_operations`` declares raw operations that have the same arguments. The first argument of ``_declare_operations`` is a function with
their names and defaults, which returns the positional arguments of the public function; ``...`` stands for all in this order.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from fastgrad._src.compat.raw_ops import composed, composed_images, composed_random, composed_rows
from fastgrad._src.compat.raw_ops.raw_operation import PublicArguments, RawOperation
from fastgrad._src.core import dtypes
from fastgrad._src.core.tensor import convert_to_tensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.ops.composed.bucketize import bucketize
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor

# The arguments of rows have TensorFlow's names, some of which are those of Python's functions.
# ruff: noqa: A006

TABLE: dict[str, RawOperation] = {}
"""Every raw operation by name."""


def _declare_operations(
    arguments: PublicArguments, results: str = "", /, **functions: str | Callable[..., Any]
) -> None:
    for name, function in functions.items():
        TABLE[name] = RawOperation(name, arguments, function, results)


# fmt: off
# ---- element-wise functions -------------------------------------------------------------------------

_declare_operations(
    lambda x: ..., Abs="abs", Acos="acos", Acosh="acosh", Asin="asin", Asinh="asinh", Atan="atan", Atanh="atanh",
    BesselJ0="math.special.bessel_j0", BesselJ1="math.special.bessel_j1", BesselK0="math.special.bessel_k0",
    BesselK0e="math.special.bessel_k0e", BesselK1="math.special.bessel_k1", BesselK1e="math.special.bessel_k1e",
    BesselY0="math.special.bessel_y0", BesselY1="math.special.bessel_y1", Dawsn="math.special.dawsn",
    Expint="math.special.expint", FresnelCos="math.special.fresnel_cos", FresnelSin="math.special.fresnel_sin",
    Spence="math.special.spence", BesselI0="math.bessel_i0", BesselI0e="math.bessel_i0e", BesselI1="math.bessel_i1",
    BesselI1e="math.bessel_i1e", Ceil="math.ceil", Cos="cos", Cosh="cosh", DeepCopy="identity", Digamma="math.digamma",
    Erf="math.erf", Erfc="math.erfc", Erfinv="math.erfinv", Exp="exp", Expm1="math.expm1", Floor="floor",
    Inv="math.reciprocal", Invert="bitwise.invert", InvertPermutation="math.invert_permutation",
    IsFinite="math.is_finite", IsInf="math.is_inf", IsNan="math.is_nan", Lgamma="math.lgamma", Log="math.log",
    Log1p="math.log1p", LogicalNot="logical_not", Ndtri="math.ndtri", Neg="negative", OnesLike="ones_like",
    Reciprocal="math.reciprocal", Rint="math.rint", Round="round", Rsqrt="math.rsqrt", Sigmoid="sigmoid", Sign="sign",
    Sin="sin", Sinh="sinh", Sqrt="sqrt", Square="square", Tan="tan", Tanh="tanh", ZerosLike="zeros_like"
)
_declare_operations(
    lambda x, y: ..., Add="add", AddV2="add", BitwiseAnd="bitwise.bitwise_and", BitwiseOr="bitwise.bitwise_or",
    BitwiseXor="bitwise.bitwise_xor", Div=composed.divide, DivNoNan="math.divide_no_nan", FloorDiv="math.floordiv",
    FloorMod="math.floormod", Greater="greater", GreaterEqual="greater_equal", LeftShift="bitwise.left_shift",
    Less="less", LessEqual="less_equal", LogicalAnd="logical_and", LogicalOr="logical_or", Maximum="maximum",
    Minimum="minimum", Mod="truncatemod", Mul="multiply", MulNoNan="math.multiply_no_nan", Pow="pow",
    RealDiv="realdiv", RightShift="bitwise.right_shift", SquaredDifference="math.squared_difference", Sub="subtract",
    TruncateDiv="truncatediv", TruncateMod="truncatemod", Xdivy="math.xdivy", Xlog1py="math.xlog1py",
    Xlogy="math.xlogy"
)
_declare_operations(lambda x, y, incompatible_shape_error=True: (x, y), Equal="equal", NotEqual="not_equal")
_declare_operations(lambda y, x: ..., Atan2="atan2")
_declare_operations(lambda a, x: ..., Igamma="math.igamma", Igammac="math.igammac", Polygamma="math.polygamma")
_declare_operations(lambda x, q: ..., Zeta="math.zeta")
_declare_operations(lambda a, b, x: ..., Betainc="math.betainc")
_declare_operations(lambda inputs: ..., AddN="add_n")
_declare_operations(lambda input: ..., Conj="math.conj")
_declare_operations(lambda real, imag, Tout=dtypes.complex64: (real, imag), Complex="complex")
_declare_operations(lambda x, Tout=dtypes.float32: (x,), ComplexAbs="abs")
_declare_operations(lambda input, Tout=dtypes.float32: (input,), Angle="math.angle", Imag="math.imag", Real="math.real")
_declare_operations(lambda x, DstT, Truncate=False: (x, DstT), Cast="cast")
_declare_operations(lambda input, type: ..., Bitcast="bitcast")
_declare_operations(lambda t, clip_value_min, clip_value_max: ..., ClipByValue="clip_by_value")
_declare_operations(lambda condition, x, y: ..., Select=composed.select)
_declare_operations(lambda condition, t, e: ..., SelectV2="where")
_declare_operations(lambda y, dy: (-convert_to_tensor(dy) * y, y), InvGrad="multiply", ReciprocalGrad="multiply")
_declare_operations(lambda y, dy: (convert_to_tensor(dy) * -0.5 * y, ops.square(y)), RsqrtGrad="multiply")
_declare_operations(lambda y, dy: (convert_to_tensor(dy) * 0.5, y), SqrtGrad="divide")
_declare_operations(lambda y, dy: (convert_to_tensor(dy) * y, 1 - convert_to_tensor(y)), SigmoidGrad="multiply")
_declare_operations(lambda y, dy: (dy, 1 - ops.square(y)), TanhGrad="multiply")

# ---- reductions and scans -----------------------------------------------------------------------------

_declare_operations(
    lambda input, axis, keep_dims=False: ..., All="reduce_all", Any="reduce_any",
    EuclideanNorm="math.reduce_euclidean_norm", Max="reduce_max", Mean="reduce_mean", Min="reduce_min",
    Prod="reduce_prod", Sum="reduce_sum"
)
_declare_operations(lambda input, dimension, output_type=dtypes.int64: ..., ArgMax="argmax", ArgMin="argmin")
_declare_operations(
    lambda x, axis, exclusive=False, reverse=False: ..., Cumprod="math.cumprod", Cumsum="cumsum",
    CumulativeLogsumexp="math.cumulative_logsumexp"
)
_declare_operations(lambda t: ..., L2Loss="nn.l2_loss")
_declare_operations(lambda arr, size, weights: (arr, size, weights, False, None), Bincount=composed.bincount)
_declare_operations(
    lambda input, size, weights, binary_output=False: (input, size, weights, binary_output, -1),
    DenseBincount=composed.bincount
)
_declare_operations(lambda input, boundaries: ..., Bucketize=bucketize)
_declare_operations(lambda values, value_range, nbins, dtype=dtypes.int32: ..., HistogramFixedWidth="histogram_fixed_width")
_declare_operations(
    lambda data, segment_ids: ..., SegmentMax="math.segment_max", SegmentMean="math.segment_mean",
    SegmentMin="math.segment_min", SegmentProd="math.segment_prod", SegmentSum="math.segment_sum"
)
_declare_operations(
    lambda data, segment_ids, num_segments: ..., UnsortedSegmentMax="math.unsorted_segment_max",
    UnsortedSegmentMin="math.unsorted_segment_min", UnsortedSegmentProd="math.unsorted_segment_prod",
    UnsortedSegmentSum="math.unsorted_segment_sum"
)
_declare_operations(
    lambda data, indices, segment_ids, sparse_gradient=False: (data, indices, segment_ids),
    SparseSegmentMean="sparse.segment_mean", SparseSegmentSqrtN="sparse.segment_sqrt_n",
    SparseSegmentSum="sparse.segment_sum"
)
_declare_operations(
    lambda data, indices, segment_ids, num_segments, sparse_gradient=False: (data, indices, segment_ids, num_segments),
    SparseSegmentMeanWithNumSegments="sparse.segment_mean", SparseSegmentSqrtNWithNumSegments="sparse.segment_sqrt_n",
    SparseSegmentSumWithNumSegments="sparse.segment_sum"
)

# ---- matrices -----------------------------------------------------------------------------------------

_declare_operations(
    lambda a, b, transpose_a=False, transpose_b=False, grad_a=False, grad_b=False: (a, b, transpose_a, transpose_b),
    MatMul="matmul"
)
_declare_operations(
    lambda x, y, adj_x=False, adj_y=False, grad_x=False, grad_y=False: (x, y, False, False, adj_x, adj_y),
    BatchMatMul="matmul", BatchMatMulV2="matmul"
)
_declare_operations(lambda inputs, equation: (equation, *inputs), Einsum="einsum")
_declare_operations(lambda a, b: ..., Cross="linalg.cross")
_declare_operations(
    lambda input: ..., Cholesky="linalg.cholesky", MatrixDeterminant="linalg.det", MatrixLogarithm="linalg.logm",
    MatrixSquareRoot="linalg.sqrtm", DiagPart="linalg.tensor_diag_part", MatrixDiagPart="linalg.diag_part"
)
_declare_operations(lambda input: ..., "sign log_abs_determinant", LogMatrixDeterminant="linalg.slogdet")
_declare_operations(lambda input, output_idx_type=dtypes.int32: ..., "lu p", Lu="linalg.lu")
_declare_operations(lambda input, full_matrices=False: ..., "q r", Qr="linalg.qr")
_declare_operations(lambda input, compute_uv=True, full_matrices=False: ..., "s u v", Svd=composed.singular_values)
_declare_operations(lambda input, compute_v=True: ..., "e v", SelfAdjointEigV2=composed.symmetric_eigenvalues)
_declare_operations(lambda diagonal: ..., Diag="linalg.tensor_diag", MatrixDiag="linalg.diag")
_declare_operations(
    lambda diagonal, k, num_rows, num_cols, padding_value, align="RIGHT_LEFT": (diagonal, "diag", k, num_rows,
    num_cols, padding_value, align), MatrixDiagV3="linalg.diag"
)
_declare_operations(
    lambda input, k, padding_value, align="RIGHT_LEFT": (input, "diag_part", k, padding_value, align),
    MatrixDiagPartV3="linalg.diag_part"
)
_declare_operations(lambda input, diagonal: ..., MatrixSetDiag="linalg.set_diag")
_declare_operations(
    lambda input, diagonal, k, align="RIGHT_LEFT": (input, diagonal, "set_diag", k, align),
    MatrixSetDiagV3="linalg.set_diag"
)
_declare_operations(lambda input, num_lower, num_upper: ..., MatrixBandPart="linalg.band_part")
_declare_operations(lambda input, adjoint=False: ..., MatrixInverse="linalg.inv")
_declare_operations(lambda matrix, rhs, adjoint=False: ..., MatrixSolve="linalg.solve")
_declare_operations(lambda matrix, rhs, lower=True, adjoint=False: ..., MatrixTriangularSolve="linalg.triangular_solve")
_declare_operations(lambda matrix, rhs, l2_regularizer, fast=True: ..., MatrixSolveLs="linalg.lstsq")
_declare_operations(
    lambda a_indices, a_values, a_shape, b, adjoint_a=False, adjoint_b=False: (SparseTensor(a_indices, a_values,
    a_shape), b, adjoint_a, adjoint_b), SparseTensorDenseMatMul="sparse.sparse_dense_matmul"
)

# ---- neural networks ----------------------------------------------------------------------------------

_declare_operations(
    lambda features: ..., Elu="nn.elu", Relu="nn.relu", Relu6="nn.relu6", Selu="nn.selu", Softplus="nn.softplus",
    Softsign="nn.softsign"
)
_declare_operations(lambda features, alpha=0.2: ..., LeakyRelu="nn.leaky_relu")
_declare_operations(lambda logits: ..., LogSoftmax="nn.log_softmax", Softmax="nn.softmax")
_declare_operations(lambda gradients, outputs: ..., EluGrad=composed.elu_gradient, SeluGrad=composed.selu_gradient)
_declare_operations(
    lambda gradients, features: (convert_to_tensor(features) > 0, gradients, ops.zeros_like(gradients)),
    ReluGrad="where"
)
_declare_operations(lambda gradients, features: ..., Relu6Grad=composed.relu6_gradient)
_declare_operations(
    lambda gradients, features, alpha=0.2: (convert_to_tensor(gradients), features, alpha),
    LeakyReluGrad=composed.leaky_relu_gradient
)
_declare_operations(lambda gradients, features: (gradients, ops.sigmoid(features)), SoftplusGrad="multiply")
_declare_operations(lambda gradients, features: (gradients, ops.square(1 + ops.abs(features))), SoftsignGrad="divide")
_declare_operations(lambda features, labels: ..., "loss backprop", SoftmaxCrossEntropyWithLogits=composed.softmax_loss)
_declare_operations(lambda features, labels: ..., "loss backprop", SparseSoftmaxCrossEntropyWithLogits=composed.sparse_softmax_loss)
_declare_operations(lambda value, bias, data_format="NHWC": ..., BiasAdd="nn.bias_add")
_declare_operations(lambda out_backprop, data_format="NHWC": ..., BiasAddGrad=composed.bias_gradient)
_declare_operations(
    lambda input, filter, strides, padding, use_cudnn_on_gpu=True, explicit_paddings=(), data_format="NHWC",
    dilations=(1, 1, 1, 1): (input, filter, strides, padding, explicit_paddings, data_format, dilations),
    Conv2D=composed.conv2d
)
_declare_operations(
    lambda input, filter_sizes, out_backprop, strides, padding, use_cudnn_on_gpu=True, explicit_paddings=(),
    data_format="NHWC", dilations=(1, 1, 1, 1): (input, filter_sizes, out_backprop, strides, padding,
    explicit_paddings, data_format, dilations), Conv2DBackpropFilter=composed.conv2d_filter_gradient
)
_declare_operations(
    lambda input_sizes, filter, out_backprop, strides, padding, use_cudnn_on_gpu=True, explicit_paddings=(),
    data_format="NHWC", dilations=(1, 1, 1, 1): (input_sizes, filter, out_backprop, strides, padding,
    explicit_paddings, data_format, dilations), Conv2DBackpropInput=composed.conv2d_input_gradient
)
_declare_operations(lambda input, filter, strides, padding, data_format="NDHWC", dilations=(1, 1, 1, 1, 1): ..., Conv3D="nn.conv3d")
_declare_operations(
    lambda input_sizes, filter, out_backprop, strides, padding, data_format="NDHWC", dilations=(1, 1, 1, 1, 1): (lambda
    x: ops.conv3d(x, filter, strides, padding, data_format, dilations), ops.zeros(input_sizes,
    convert_to_tensor(filter).dtype), out_backprop), Conv3DBackpropInputV2=composed.pullback
)
_declare_operations(
    lambda input, filter_sizes, out_backprop, strides, padding, data_format="NDHWC", dilations=(1, 1, 1, 1, 1): (lambda
    x: ops.conv3d(input, x, strides, padding, data_format, dilations), ops.zeros(filter_sizes,
    convert_to_tensor(input).dtype), out_backprop), Conv3DBackpropFilterV2=composed.pullback
)
_declare_operations(
    lambda input_sizes, filter, out_backprop, strides, padding, explicit_paddings=(), data_format="NHWC",
    dilations=(1, 1, 1, 1): (lambda x: ops.depthwise_conv2d(x, filter, strides, composed.window_padding(padding,
    explicit_paddings), data_format, dilations[1:3]), ops.zeros(input_sizes, convert_to_tensor(filter).dtype),
    out_backprop), DepthwiseConv2dNativeBackpropInput=composed.pullback
)
_declare_operations(
    lambda input, filter_sizes, out_backprop, strides, padding, explicit_paddings=(), data_format="NHWC",
    dilations=(1, 1, 1, 1): (lambda x: ops.depthwise_conv2d(input, x, strides, composed.window_padding(padding,
    explicit_paddings), data_format, dilations[1:3]), ops.zeros(filter_sizes, convert_to_tensor(input).dtype),
    out_backprop), DepthwiseConv2dNativeBackpropFilter=composed.pullback
)
_declare_operations(
    lambda orig_input_shape, grad, ksize, strides, padding, data_format="NDHWC": (lambda x: ops.avg_pool3d(x, ksize,
    strides, padding, data_format), ops.zeros(orig_input_shape, convert_to_tensor(grad).dtype), grad),
    AvgPool3DGrad=composed.pullback
)
_declare_operations(
    lambda orig_input, orig_output, grad, ksize, strides, padding, data_format="NDHWC": (lambda x:
    ops.max_pool3d(x, ksize, strides, padding, data_format), orig_input, grad), MaxPool3DGrad=composed.pullback
)
_declare_operations(
    lambda input, filter, strides, padding, explicit_paddings=(), data_format="NHWC", dilations=(1, 1, 1, 1): (input,
    filter, strides, composed.window_padding(padding, explicit_paddings), data_format, dilations[1:3]),
    DepthwiseConv2dNative="nn.depthwise_conv2d"
)
_declare_operations(lambda value, ksize, strides, padding, data_format="NHWC": ..., AvgPool="nn.avg_pool")
_declare_operations(
    lambda input, ksize, strides, padding, data_format="NDHWC": ..., AvgPool3D="nn.avg_pool3d",
    MaxPool3D="nn.max_pool3d"
)
_declare_operations(
    lambda input, ksize, strides, padding, explicit_paddings=(), data_format="NHWC": (input, ksize, strides,
    composed.window_padding(padding, explicit_paddings), data_format), MaxPool="nn.max_pool"
)
_declare_operations(
    lambda orig_input_shape, grad, ksize, strides, padding, data_format="NHWC": ...,
    AvgPoolGrad=composed.average_pool_gradient
)
_declare_operations(
    lambda orig_input, orig_output, grad, ksize, strides, padding, explicit_paddings=(), data_format="NHWC":
    (orig_input, grad, ksize, strides, composed.window_padding(padding, explicit_paddings), data_format),
    MaxPoolGrad=composed.max_pool_gradient
)
_declare_operations(
    lambda input, ksize, strides, padding, Targmax=dtypes.int64, include_batch_in_index=False: ..., "output argmax",
    MaxPoolWithArgmax=composed.pooled_with_argmax
)
_declare_operations(lambda input, depth_radius=5, bias=1, alpha=1, beta=0.5: ..., LRN="nn.lrn")
_declare_operations(
    lambda x, scale, offset, mean, variance, epsilon=0.0001, exponential_avg_factor=1, data_format="NHWC",
    is_training=True: ..., "y batch_mean batch_variance reserve_space_1 reserve_space_2",
    FusedBatchNorm=composed.batch_normalization, FusedBatchNormV2=composed.batch_normalization
)
_declare_operations(
    lambda x, scale, offset, mean, variance, epsilon=0.0001, exponential_avg_factor=1, data_format="NHWC",
    is_training=True: ..., "y batch_mean batch_variance reserve_space_1 reserve_space_2 reserve_space_3",
    FusedBatchNormV3=composed.batch_normalization_3
)
_declare_operations(lambda predictions, targets, k: (targets, predictions, k), InTopK="math.in_top_k", InTopKV2="math.in_top_k")

# ---- shapes, joining and splitting --------------------------------------------------------------------

_declare_operations(
    lambda input: ..., GuaranteeConst="identity", Identity="identity", IdentityN="identity_n", Rank="rank",
    Snapshot="identity", StopGradient="stop_gradient"
)
_declare_operations(lambda input, out_type=dtypes.int32: ..., Shape="shape", ShapeN="shape_n", Size="size")
_declare_operations(lambda tensor, message: ..., CheckNumerics="debugging.check_numerics")
_declare_operations(lambda condition, data, summarize=3: ..., Assert="debugging.Assert")
_declare_operations(lambda s0, s1: ..., BroadcastArgs="broadcast_dynamic_shape")
_declare_operations(lambda input, shape: ..., BroadcastTo="broadcast_to", EnsureShape="ensure_shape")
_declare_operations(lambda concat_dim, values: (values, concat_dim), Concat="concat")
_declare_operations(lambda values, axis: ..., ConcatV2="concat")
_declare_operations(lambda values, axis=0: ..., Pack="stack")
_declare_operations(lambda value, num, axis=0: ..., Unpack="unstack")
_declare_operations(lambda axis, value, num_split: (value, num_split, axis), Split="split")
_declare_operations(lambda value, size_splits, axis, num_split: ..., SplitV="split")
_declare_operations(lambda x, perm: ..., Transpose="transpose")
_declare_operations(lambda x, perm: (x, perm, True), ConjugateTranspose="transpose")
_declare_operations(lambda shape, dtype, init=False: (shape, dtype), Empty="zeros")
_declare_operations(lambda dims, value: ..., Fill="fill")
_declare_operations(lambda input, axis: ..., ExpandDims="expand_dims")
_declare_operations(lambda input, axis=(): (input, list(axis) or None), Squeeze="squeeze")
_declare_operations(lambda tensor, shape: ..., Reshape="reshape")
_declare_operations(lambda input, multiples: ..., Tile="tile")
_declare_operations(lambda input, paddings: ..., Pad="pad")
_declare_operations(lambda input, paddings, constant_values: (input, paddings, "CONSTANT", constant_values), PadV2="pad")
_declare_operations(lambda input, paddings, mode: ..., MirrorPad="pad")
_declare_operations(lambda input, begin, size: ..., Slice="slice")
_declare_operations(
    lambda input, begin, end, strides, begin_mask=0, end_mask=0, ellipsis_mask=0, new_axis_mask=0,
    shrink_axis_mask=0: ..., StridedSlice="strided_slice"
)
_declare_operations(lambda start, limit, delta: ..., Range="range")
_declare_operations(lambda start, stop, num: ..., LinSpace="linspace")
_declare_operations(lambda indices, depth, on_value, off_value, axis=-1: ..., OneHot="one_hot")
_declare_operations(lambda tensor, axis: ..., ReverseV2="reverse")
_declare_operations(lambda input, seq_lengths, seq_dim, batch_dim=0: ..., ReverseSequence="reverse_sequence")
_declare_operations(lambda input, shift, axis: ..., Roll="roll")
_declare_operations(lambda input, block_shape, crops: ..., BatchToSpaceND="batch_to_space")
_declare_operations(lambda input, block_shape, paddings: ..., SpaceToBatchND="space_to_batch")
_declare_operations(
    lambda input, block_size, data_format="NHWC": ..., DepthToSpace="nn.depth_to_space",
    SpaceToDepth="nn.space_to_depth"
)

# ---- indices, sorting and sets ------------------------------------------------------------------------

_declare_operations(lambda params, indices, validate_indices=True: (params, indices), Gather="gather")
_declare_operations(lambda params, indices, axis, batch_dims=0: (params, indices, None, axis, batch_dims), GatherV2="gather")
_declare_operations(lambda params, indices, bad_indices_policy="": (params, indices), GatherNd="gather_nd")
_declare_operations(lambda indices, updates, shape, bad_indices_policy="": (indices, updates, shape), ScatterNd="scatter_nd")
_declare_operations(
    lambda tensor, indices, updates, bad_indices_policy="": ..., TensorScatterAdd="tensor_scatter_nd_add",
    TensorScatterMax="tensor_scatter_nd_max", TensorScatterMin="tensor_scatter_nd_min",
    TensorScatterSub="tensor_scatter_nd_sub", TensorScatterUpdate="tensor_scatter_nd_update"
)
_declare_operations(lambda data, partitions, num_partitions: ..., DynamicPartition="dynamic_partition")
_declare_operations(lambda indices, data: ..., DynamicStitch="dynamic_stitch", ParallelDynamicStitch="dynamic_stitch")
_declare_operations(lambda condition: ..., Where="where")
_declare_operations(lambda indices, dims: ..., UnravelIndex="unravel_index")
_declare_operations(lambda input, k, sorted=True, index_type=dtypes.int32: ..., "values indices", TopKV2="math.top_k")
_declare_operations(lambda input, indices, updates, bad_indices_policy="": ..., ScatterNdNonAliasingAdd="tensor_scatter_nd_add")
_declare_operations(lambda x, out_idx=dtypes.int32: ..., "y idx", Unique="unique")
_declare_operations(lambda x, out_idx=dtypes.int32: ..., "y idx count", UniqueWithCounts="unique_with_counts")
_declare_operations(lambda x, y, out_idx=dtypes.int32: ..., "out idx", ListDiff=composed.list_difference)
_declare_operations(
    lambda sorted_inputs, values, out_type=dtypes.int32: (sorted_inputs, values, "left", out_type),
    LowerBound="searchsorted"
)
_declare_operations(
    lambda sorted_inputs, values, out_type=dtypes.int32: (sorted_inputs, values, "right", out_type),
    UpperBound="searchsorted"
)

# ---- Fourier transforms and images --------------------------------------------------------------------

_declare_operations(
    lambda input: ..., FFT="signal.fft", FFT2D="signal.fft2d", FFT3D="signal.fft3d", IFFT="signal.ifft",
    IFFT2D="signal.ifft2d", IFFT3D="signal.ifft3d"
)
_declare_operations(lambda input, fft_length, Tcomplex=dtypes.complex64: (input, fft_length), RFFT="signal.rfft", RFFT2D="signal.rfft2d")
_declare_operations(lambda input, fft_length, Treal=dtypes.float32: (input, fft_length), IRFFT="signal.irfft", IRFFT2D="signal.irfft2d")
_declare_operations(lambda input, fft_length, Tcomplex=dtypes.complex64: (input, fft_length), RFFT3D="signal.rfft3d")
_declare_operations(lambda input, fft_length, Treal=dtypes.float32: (input, fft_length), IRFFT3D="signal.irfft3d")
_declare_operations(lambda images: ..., HSVToRGB="image.hsv_to_rgb", RGBToHSV="image.rgb_to_hsv")
_declare_operations(lambda images, delta: ..., AdjustHue="image.adjust_hue")
_declare_operations(lambda images, scale: ..., AdjustSaturation="image.adjust_saturation")
_declare_operations(lambda images, contrast_factor: ..., AdjustContrastv2="image.adjust_contrast")
_declare_operations(lambda images, ksizes, strides, rates, padding: ..., ExtractImagePatches="image.extract_patches")
_declare_operations(
    lambda image, boxes, box_ind, crop_size, method="bilinear", extrapolation_value=0: ...,
    CropAndResize="image.crop_and_resize"
)
_declare_operations(lambda boxes, scores, max_output_size, iou_threshold=0.5: ..., NonMaxSuppression="image.non_max_suppression")
_declare_operations(
    lambda boxes, scores, max_output_size, iou_threshold, score_threshold: ...,
    NonMaxSuppressionV3="image.non_max_suppression"
)
_declare_operations(
    lambda images, size, align_corners=False, half_pixel_centers=False: ...,
    ResizeBicubic=functools.partial(composed_images.resized, "bicubic"),
    ResizeBilinear=functools.partial(composed_images.resized, "bilinear"),
    ResizeNearestNeighbor=functools.partial(composed_images.resized, "nearest")
)
_declare_operations(lambda images, size, align_corners=False: ..., ResizeArea=composed_images.resized_by_area)
_declare_operations(
    lambda grads, original_image, align_corners=False, half_pixel_centers=False: ...,
    ResizeBilinearGrad=functools.partial(composed_images.resize_gradient, "bilinear")
)
_declare_operations(
    lambda grads, size, align_corners=False, half_pixel_centers=False: ...,
    ResizeNearestNeighborGrad=composed_images.resize_nearest_gradient
)
_declare_operations(
    lambda images, transforms, output_shape, interpolation, fill_mode="CONSTANT": (images, transforms, output_shape,
    0.0, interpolation, fill_mode), ImageProjectiveTransformV2=composed_images.image_transform
)
_declare_operations(
    lambda images, transforms, output_shape, fill_value, interpolation, fill_mode="CONSTANT": ...,
    ImageProjectiveTransformV3=composed_images.image_transform
)
_declare_operations(lambda boxes, scores, max_output_size, iou_threshold: ..., NonMaxSuppressionV2="image.non_max_suppression")
_declare_operations(
    lambda boxes, scores, max_output_size, iou_threshold, score_threshold, pad_to_max_output_size=False: (boxes,
    scores, max_output_size, iou_threshold, score_threshold, 0.0, pad_to_max_output_size),
    "selected_indices valid_outputs", NonMaxSuppressionV4=composed_images.suppressed_without_scores
)
_declare_operations(
    lambda boxes, scores, max_output_size, iou_threshold, score_threshold, soft_nms_sigma,
    pad_to_max_output_size=False: ..., "selected_indices selected_scores valid_outputs",
    NonMaxSuppressionV5=composed_images.suppressed
)
_declare_operations(
    lambda boxes, scores, max_output_size_per_class, max_total_size, iou_threshold, score_threshold,
    pad_per_class=False, clip_boxes=True: ..., "nmsed_boxes nmsed_scores nmsed_classes valid_detections",
    CombinedNonMaxSuppression="image.combined_non_max_suppression"
)
_declare_operations(
    lambda contents, channels=0, ratio=1, fancy_upscaling=True, try_recover_truncated=False, acceptable_fraction=1,
    dct_method="": ..., DecodeJpeg="io.decode_jpeg"
)
_declare_operations(
    lambda contents, crop_window, channels=0, ratio=1, fancy_upscaling=True, try_recover_truncated=False,
    acceptable_fraction=1, dct_method="": ..., DecodeAndCropJpeg="io.decode_and_crop_jpeg"
)
_declare_operations(
    lambda contents, channels=0, dtype=dtypes.uint8, expand_animations=True: (contents, channels, dtype, None,
    expand_animations), DecodeImage="io.decode_image"
)
_declare_operations(lambda contents, channels=0: ..., DecodeBmp="io.decode_bmp")
_declare_operations(lambda contents: ..., DecodeGif="io.decode_gif")
_declare_operations(lambda contents, output_type=dtypes.int32: ..., ExtractJpegShape="io.extract_jpeg_shape")
_declare_operations(
    lambda image, format="", quality=95, progressive=False, optimize_size=False, chroma_downsampling=True,
    density_unit="in", x_density=300, y_density=300, xmp_metadata="": ..., EncodeJpeg="io.encode_jpeg"
)
_declare_operations(lambda contents, channels=0, dtype=dtypes.uint8: ..., DecodePng="io.decode_png")
_declare_operations(lambda image, compression=-1: ..., EncodePng="io.encode_png")

# ---- strings and files --------------------------------------------------------------------------------

_declare_operations(lambda input: ..., StringStrip="strings.strip", DecodeBase64="io.decode_base64")
_declare_operations(lambda input, pad=False: ..., EncodeBase64="io.encode_base64")
_declare_operations(lambda input, encoding="": ..., StringLower="strings.lower", StringUpper="strings.upper")
_declare_operations(
    lambda input, precision=-1, scientific=False, shortest=False, width=-1, fill="": ..., AsString="strings.as_string"
)
_declare_operations(lambda input: ..., UnicodeScript="strings.unicode_script")
_declare_operations(lambda inputs, separator="": ..., StringJoin="strings.join")
_declare_operations(lambda input, unit="BYTE": ..., StringLength="strings.length")
_declare_operations(lambda string_tensor, num_buckets: ..., StringToHashBucket="strings.to_hash_bucket")
_declare_operations(lambda input, num_buckets: ..., StringToHashBucketFast="strings.to_hash_bucket_fast")
_declare_operations(lambda input, num_buckets, key: ..., StringToHashBucketStrong="strings.to_hash_bucket_strong")
_declare_operations(lambda string_tensor, out_type=dtypes.float32: ..., StringToNumber="strings.to_number")
_declare_operations(
    lambda inputs, template="%s", placeholder="%s", summarize=3: (template, inputs, placeholder, summarize),
    StringFormat="strings.format"
)
_declare_operations(lambda input, pos, len, unit="BYTE": ..., Substr="strings.substr")
_declare_operations(
    lambda input, pattern, rewrite, replace_global=True: ..., RegexReplace="strings.regex_replace",
    StaticRegexReplace="strings.regex_replace"
)
_declare_operations(
    lambda input, pattern: ..., RegexFullMatch="strings.regex_full_match",
    StaticRegexFullMatch="strings.regex_full_match"
)
_declare_operations(lambda inputs, reduction_indices, keep_dims=False, separator="": ..., ReduceJoin="strings.reduce_join")
_declare_operations(lambda inputs, segment_ids, num_segments, separator="": ..., UnsortedSegmentJoin="strings.unsorted_segment_join")
_declare_operations(
    lambda input, input_encoding, output_encoding, errors="replace", replacement_char=65533,
    replace_control_characters=False: ..., UnicodeTranscode="strings.unicode_transcode"
)
_declare_operations(
    lambda input, input_encoding, errors="replace", replacement_char=65533, replace_control_characters=False,
    Tsplits=dtypes.int64: (input, input_encoding, errors, replacement_char, replace_control_characters),
    "row_splits char_values", UnicodeDecode=composed.decoded_code_points
)
_declare_operations(lambda input, sep, maxsplit=-1: ..., "indices values shape", StringSplitV2=composed.split_strings)
_declare_operations(
    lambda data, data_splits, separator, ngram_widths, left_pad, right_pad, pad_width, preserve_short_sequences: ...,
    "ngrams ngrams_splits", StringNGrams=composed_rows.ngrams
)
_declare_operations(
    lambda serialized, names, sparse_keys, dense_keys, ragged_keys, dense_defaults, num_sparse, sparse_types,
    ragged_value_types, ragged_split_types, dense_shapes: (serialized, names, sparse_keys, dense_keys, ragged_keys,
    dense_defaults, sparse_types, ragged_value_types, ragged_split_types, dense_shapes),
    "sparse_indices sparse_values sparse_shapes dense_values ragged_values ragged_row_splits",
    ParseExampleV2=composed_rows.parsed_examples
)
_declare_operations(
    lambda serialized, dense_defaults, num_sparse, sparse_keys, dense_keys, sparse_types, dense_shapes: (serialized,
    dense_defaults, sparse_keys, dense_keys, sparse_types, dense_shapes),
    "sparse_indices sparse_values sparse_shapes dense_values", ParseSingleExample=composed_rows.parsed_single_example
)
_declare_operations(
    lambda records, record_defaults, field_delim=",", use_quote_delim=True, na_value="", select_cols=(): (records,
    record_defaults, field_delim, use_quote_delim, na_value, list(select_cols) or None), DecodeCSV="io.decode_csv"
)
_declare_operations(
    lambda input_bytes, fixed_length, out_type, little_endian=True: (input_bytes, out_type, little_endian,
    fixed_length), DecodePaddedRaw="io.decode_raw"
)
_declare_operations(
    lambda input_values, input_splits, output_encoding, errors="replace", replacement_char=65533: (
    composed_rows.nested_rows([input_splits], input_values), output_encoding, errors, replacement_char),
    UnicodeEncode="strings.unicode_encode"
)
_declare_operations(
    lambda input, input_encoding, errors="replace", replacement_char=65533, replace_control_characters=False,
    Tsplits=dtypes.int64: (input, input_encoding, errors, replacement_char, replace_control_characters),
    "row_splits char_values char_to_byte_starts", UnicodeDecodeWithOffsets=composed_rows.code_points_with_offsets
)
_declare_operations(lambda serialized, out_type: ..., ParseTensor="io.parse_tensor")
_declare_operations(lambda tensor: ..., SerializeTensor="io.serialize_tensor")
_declare_operations(lambda filename: ..., ReadFile="io.read_file")
_declare_operations(lambda filename, contents: ..., WriteFile="io.write_file")
_declare_operations(lambda pattern: ..., MatchingFiles="io.matching_files")
_declare_operations(lambda bytes, out_type, little_endian=True: ..., DecodeRaw="io.decode_raw")
_declare_operations(lambda: (), Timestamp="timestamp", NoOp="no_op")

# ---- sparse and ragged tensors ------------------------------------------------------------------------

_declare_operations(
    lambda sparse_indices, output_shape, sparse_values, default_value, validate_indices=True: ...,
    SparseToDense=composed.sparse_to_dense
)
_declare_operations(
    lambda input_indices, input_values, input_shape: (SparseTensor(input_indices, input_values, input_shape),),
    "output_indices output_values", SparseReorder=composed.sparse_reorder
)
_declare_operations(
    lambda input_indices, input_shape, new_shape: ..., "output_indices output_shape",
    SparseReshape=composed.sparse_reshape
)
_declare_operations(
    lambda indices, values, shapes, concat_dim: ..., "output_indices output_values output_shape",
    SparseConcat=composed.sparse_concat
)
_declare_operations(
    lambda a_indices, a_values, a_shape, b_indices, b_values, b_shape, thresh: (SparseTensor(a_indices, a_values,
    a_shape), SparseTensor(b_indices, b_values, b_shape), thresh), "sum_indices sum_values sum_shape",
    SparseAdd=composed.sparse_add
)
_declare_operations(
    lambda indices, values, shape, start, size: (SparseTensor(indices, values, shape), start, size),
    "output_indices output_values output_shape", SparseSlice=composed.sparse_slice
)
_declare_operations(
    lambda sp_indices, sp_values, sp_shape: (SparseTensor(sp_indices, sp_values, sp_shape),),
    SparseSoftmax=composed.sparse_softmax
)
_declare_operations(
    lambda input_indices, input_values, input_shape, reduction_axes, keep_dims=False: (SparseTensor(input_indices,
    input_values, input_shape), reduction_axes, keep_dims), SparseReduceMax="sparse.reduce_max",
    SparseReduceSum="sparse.reduce_sum"
)
_declare_operations(
    lambda indices, values, dense_shape, default_value: (SparseTensor(indices, values, dense_shape),
    default_value), "output_indices output_values empty_row_indicator reverse_index_map",
    SparseFillEmptyRows=composed_rows.filled_rows
)
_declare_operations(
    lambda sp_indices, sp_values, sp_shape, dense: (composed_rows.dense_elements(dense, sp_indices, sp_shape),
    sp_values), SparseDenseCwiseMul="multiply"
)
_declare_operations(
    lambda sp_indices, sp_values, sp_shape, dense: (sp_values, composed_rows.dense_elements(dense, sp_indices,
    sp_shape)), SparseDenseCwiseAdd="add", SparseDenseCwiseDiv=composed.divide
)
_declare_operations(
    lambda a_indices, a_values, a_shape, b: (SparseTensor(a_indices, a_values, a_shape), b),
    SparseTensorDenseAdd="sparse.add"
)
_declare_operations(
    lambda params_nested_splits, params_dense_values, indices, OUTPUT_RAGGED_RANK: (composed_rows.nested_rows(
    params_nested_splits, params_dense_values), indices), "output_nested_splits output_dense_values",
    RaggedGather=composed_rows.gathered_rows
)
_declare_operations(lambda splits, values, size, weights, binary_output=False: ..., RaggedBincount=composed_rows.ragged_bincount)
_declare_operations(
    lambda rt_nested_splits, rt_dense_values: ..., "sparse_indices sparse_values sparse_dense_shape",
    RaggedTensorToSparse=composed_rows.sparse_rows
)
_declare_operations(
    lambda shape, values, default_value, row_partition_tensors, row_partition_types: ...,
    RaggedTensorToTensor=composed_rows.dense_rows
)
_declare_operations(
    lambda indices, values, shapes, dense_inputs, hashed_output, num_buckets, hash_key, out_type, internal_type: (
    indices, values, shapes, dense_inputs, hashed_output, num_buckets, hash_key),
    "output_indices output_values output_shape", SparseCross=composed_rows.crossed
)
_declare_operations(lambda s0, s1: ..., "r0 r1", BroadcastGradientArgs=composed_rows.broadcast_gradient_axes)
_declare_operations(
    lambda starts, limits, deltas, Tsplits=dtypes.int64: ..., "rt_nested_splits rt_dense_values",
    RaggedRange=composed.ragged_range
)

_declare_operations(
    lambda inputs, labels_indices, labels_values, sequence_length, preprocess_collapse_repeated=False,
    ctc_merge_repeated=True, ignore_longer_outputs_than_inputs=False: ..., "loss gradient",
    CTCLoss=composed.ctc_loss_and_gradient
)
_declare_operations(
    lambda inputs, sequence_length, merge_repeated=False, blank_index=-1: ...,
    "decoded_indices decoded_values decoded_shape log_probability", CTCGreedyDecoder=composed.greedy_decoding
)

# ---- random numbers -----------------------------------------------------------------------------------

_declare_operations(
    lambda shape, dtype, seed=0, seed2=0: (shape, 0.0, 1.0, dtype, seed2 or seed or None),
    RandomStandardNormal="random.normal", TruncatedNormal="random.truncated_normal"
)
_declare_operations(
    lambda shape, dtype, seed=0, seed2=0: (shape, 0, None, dtype, seed2 or seed or None),
    RandomUniform="random.uniform"
)
_declare_operations(
    lambda shape, minval, maxval, seed=0, seed2=0: (shape, minval, maxval, seed2 or seed or None),
    RandomUniformInt=composed.uniform_integers
)
_declare_operations(lambda shape, alpha, seed=0, seed2=0: (shape, alpha, seed2 or seed or None), RandomGamma=composed.gamma_draws)
_declare_operations(
    lambda shape, rate, seed=0, seed2=0, dtype=dtypes.int64: (shape, rate, dtype, seed2 or seed or None),
    RandomPoissonV2="random.poisson"
)
_declare_operations(lambda value, seed=0, seed2=0: (value, seed2 or seed or None), RandomShuffle="random.shuffle")
_declare_operations(
    lambda logits, num_samples, seed=0, seed2=0, output_dtype=dtypes.int64: (logits, num_samples, output_dtype, seed2 or
    seed or None), Multinomial="random.categorical"
)
_declare_operations(
    lambda shape, seed, dtype=dtypes.float32: (shape, seed, 0.0, 1.0, dtype),
    StatelessRandomNormal="random.stateless_normal", StatelessTruncatedNormal="random.stateless_truncated_normal"
)
_declare_operations(lambda seed: ..., "key counter", StatelessRandomGetKeyCounter=composed_random.key_and_counter)
_declare_operations(
    lambda shape, key, counter, alg, dtype=dtypes.float32: (shape, key, counter, dtype),
    StatelessRandomNormalV2=composed_random.normal, StatelessRandomUniformV2=composed_random.uniform,
    StatelessTruncatedNormalV2=composed_random.truncated_normal
)
_declare_operations(lambda shape, seed, lam, dtype: ..., StatelessRandomPoisson="random.stateless_poisson")
_declare_operations(lambda shape, seed, counts, probs, dtype=dtypes.int64: ..., StatelessRandomBinomial="random.stateless_binomial")
_declare_operations(
    lambda shape, seed, alpha: (shape, seed, alpha, None, convert_to_tensor(alpha).dtype),
    StatelessRandomGammaV2="random.stateless_gamma"
)
_declare_operations(
    lambda shape, key, counter, alg, dtype=dtypes.uint64: (shape, key, counter, dtype),
    StatelessRandomUniformFullIntV2=composed_random.uniform
)
_declare_operations(
    lambda shape, key, counter, alg, minval, maxval: (shape, key, counter, minval, maxval),
    StatelessRandomUniformIntV2=composed_random.uniform_integers
)
_declare_operations(
    lambda shape, seed, dtype=dtypes.uint64: (shape, seed, None, None, dtype),
    StatelessRandomUniformFullInt="random.stateless_uniform"
)
_declare_operations(
    lambda shape, seed, dtype=dtypes.float32: (shape, seed, 0, None, dtype),
    StatelessRandomUniform="random.stateless_uniform"
)
_declare_operations(lambda shape, seed, minval, maxval: ..., StatelessRandomUniformInt=composed.stateless_uniform_integers)
_declare_operations(lambda logits, num_samples, seed, output_dtype=dtypes.int64: ..., StatelessMultinomial="random.stateless_categorical")
