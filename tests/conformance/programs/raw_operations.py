"""Raw operations: results, derivatives and refusals, each question by the operation's name."""

import os
import tempfile

import numpy as np

from ..differentiation import value_and_gradients
from ..refusal import refused


def _range(tf, *shape, start=0.0):
    return tf.reshape(tf.range(start, start + float(np.prod(shape))), shape)


def _parts(result):
    return [result._fields, *result]


def elementwise(tf):
    raw = tf.raw_ops
    unit, positive = tf.constant([-0.75, -0.0, 0.25, 0.5]), tf.constant([0.25, 1.0, 2.5, 7.0])
    above, whole = positive + 1.0, tf.constant([1, 2, 0], tf.int32)
    inputs = {
        **dict.fromkeys(
            [
                "Acos",
                "Asin",
                "Atan",
                "Atanh",
                "Erfinv",
                "Cos",
                "Cosh",
                "Sin",
                "Sinh",
                "Tan",
                "Tanh",
                "Exp",
                "Expm1",
                "Erf",
                "Erfc",
                "Sigmoid",
            ],
            unit,
        ),
        **dict.fromkeys(
            [
                "Abs",
                "Neg",
                "Sign",
                "Square",
                "Round",
                "Rint",
                "Floor",
                "Ceil",
                "OnesLike",
                "ZerosLike",
                "DeepCopy",
                "Asinh",
            ],
            3 * unit,
        ),
        **dict.fromkeys(["Acosh"], above),
        **dict.fromkeys(
            [
                "Log",
                "Log1p",
                "Sqrt",
                "Rsqrt",
                "Reciprocal",
                "Inv",
                "Digamma",
                "Lgamma",
                "BesselI0",
                "BesselI0e",
                "BesselI1",
                "BesselI1e",
            ],
            positive,
        ),
        **dict.fromkeys(
            [
                "BesselJ0",
                "BesselJ1",
                "BesselK0",
                "BesselK0e",
                "BesselK1",
                "BesselK1e",
                "BesselY0",
                "BesselY1",
                "Dawsn",
                "Expint",
                "FresnelCos",
                "FresnelSin",
                "Spence",
            ],
            positive,
        ),
        "Ndtri": positive / 8.0,
        **dict.fromkeys(["IsFinite", "IsInf", "IsNan"], tf.constant([1.0, np.inf, np.nan])),
        **dict.fromkeys(["Invert", "InvertPermutation"], whole),
        "LogicalNot": tf.constant([True, False]),
    }
    questions = {name: lambda name=name, x=x: getattr(raw, name)(x=x) for name, x in inputs.items()}
    x, y = tf.constant([[1.5, -2.0, 3.0]]), tf.constant([[2.0, 0.5, -1.5], [1.0, 3.0, 0.25]])
    numbers = "Add AddV2 Sub Mul Div RealDiv DivNoNan FloorDiv FloorMod Mod TruncateMod Maximum Minimum MulNoNan SquaredDifference"
    numbers += " Greater GreaterEqual Less LessEqual Equal NotEqual"
    questions |= {name: lambda name=name: getattr(raw, name)(x=x, y=y) for name in numbers.split()}
    powers = ["Pow", "Xdivy", "Xlogy", "Xlog1py"]
    questions |= {name: lambda name=name: getattr(raw, name)(x=tf.abs(x), y=tf.abs(y)) for name in powers}
    a, b = tf.constant([7, -7, 5, 12]), tf.constant([2, 2, 3, 1])
    integers = [
        "Add",
        "Div",
        "FloorDiv",
        "FloorMod",
        "Mod",
        "TruncateDiv",
        "TruncateMod",
        "BitwiseAnd",
        "BitwiseOr",
        "BitwiseXor",
        "LeftShift",
        "RightShift",
    ]
    questions |= {f"{name} of integers": lambda name=name: getattr(raw, name)(x=a, y=b) for name in integers}
    truths = {"x": tf.constant([True, False]), "y": tf.constant([[True], [False]])}
    return questions | {
        "LogicalAnd": lambda: raw.LogicalAnd(**truths),
        "LogicalOr": lambda: raw.LogicalOr(**truths),
        "Atan2": lambda: raw.Atan2(y=x[0], x=y[0]),
        "Igamma": lambda: raw.Igamma(a=positive, x=above),
        "Igammac": lambda: raw.Igammac(a=positive, x=above),
        "Polygamma": lambda: raw.Polygamma(a=[1.0, 2.0], x=[0.5, 3.0]),
        "Zeta": lambda: raw.Zeta(x=[2.0, 3.0], q=[1.0, 2.5]),
        "Betainc": lambda: raw.Betainc(a=[1.0, 2.0], b=[2.0, 0.5], x=[0.25, 0.5]),
        "AddN": lambda: raw.AddN(inputs=[x, x, x]),
        "Complex": lambda: raw.Complex(real=[1.0, 2.0], imag=[3.0, 4.0]),
        "ComplexAbs": lambda: raw.ComplexAbs(x=tf.complex([3.0], [4.0])),
        "Conj": lambda: raw.Conj(input=tf.complex([3.0], [4.0])),
        **{name: lambda name=name: getattr(raw, name)(input=tf.complex([3.0], [4.0])) for name in ("Angle", "Imag", "Real")},
        "Cast": lambda: [raw.Cast(x=[1.7, -1.7], DstT=dtype) for dtype in (tf.int32, tf.float64, tf.bool)],
        "Bitcast": lambda: raw.Bitcast(input=[1.0, -2.0], type=tf.int32),
        "ClipByValue": lambda: raw.ClipByValue(t=x, clip_value_min=-1.0, clip_value_max=2.0),
        "Select": lambda: raw.Select(condition=[True, False], x=y, y=-y),
        "Select, elements": lambda: raw.Select(condition=y > 1.0, x=y, y=-y),
        "SelectV2": lambda: raw.SelectV2(condition=[True, False, True], t=y, e=0.0),
        **{
            name: lambda name=name: getattr(raw, name)(y=tf.abs(y) / 4.0, dy=y)
            for name in ("InvGrad", "ReciprocalGrad", "RsqrtGrad", "SqrtGrad", "SigmoidGrad", "TanhGrad")
        },
    }  # fmt: skip


def reductions(tf):
    raw = tf.raw_ops
    x = tf.constant([[1.0, 5.0, -2.0], [4.0, 0.5, 3.0]])
    truths = x > 1.0
    ids = tf.constant([0, 0, 2])
    columns = tf.transpose(x)
    floats = ("EuclideanNorm", "Max", "Mean", "Min", "Prod", "Sum")
    return {
        **{name: lambda name=name: [getattr(raw, name)(input=x, axis=axis, keep_dims=keep) for axis, keep in ((0, False), ([0, 1], True), ([], False))] for name in floats},
        **{name: lambda name=name: getattr(raw, name)(input=truths, axis=1) for name in ("All", "Any")},
        **{name: lambda name=name: [getattr(raw, name)(input=x, dimension=1), getattr(raw, name)(input=x, dimension=0, output_type=tf.int32)] for name in ("ArgMax", "ArgMin")},
        **{name: lambda name=name: [getattr(raw, name)(x=x, axis=1), getattr(raw, name)(x=x, axis=0, exclusive=True, reverse=True)] for name in ("Cumprod", "Cumsum", "CumulativeLogsumexp")},
        "L2Loss": lambda: raw.L2Loss(t=x),
        "Bincount": lambda: [raw.Bincount(arr=[1, 2, 1, 9], size=4, weights=tf.zeros([0])), raw.Bincount(arr=[1, 2, 1], size=4, weights=[0.5, 1.0, 2.0])],
        "DenseBincount": lambda: [raw.DenseBincount(input=[[1, 2], [1, 1]], size=3, weights=tf.zeros([0], tf.int32)), raw.DenseBincount(input=[1, 1], size=3, weights=tf.zeros([0]), binary_output=True)],
        "Bucketize": lambda: [raw.Bucketize(input=x, boundaries=[0.0, 1.0, 4.0]), raw.Bucketize(input=[1, 9], boundaries=[1.0, 9.5])],
        "HistogramFixedWidth": lambda: raw.HistogramFixedWidth(values=x, value_range=[0.0, 5.0], nbins=4),
        **{name: lambda name=name: getattr(raw, name)(data=columns, segment_ids=ids) for name in ("SegmentMax", "SegmentMean", "SegmentMin", "SegmentProd", "SegmentSum")},
        **{name: lambda name=name: getattr(raw, name)(data=columns, segment_ids=ids, num_segments=4) for name in ("UnsortedSegmentMax", "UnsortedSegmentMin", "UnsortedSegmentProd", "UnsortedSegmentSum")},
        **{name: lambda name=name: getattr(raw, name)(data=columns, indices=[2, 0, 1], segment_ids=ids) for name in ("SparseSegmentMean", "SparseSegmentSqrtN", "SparseSegmentSum")},
        **{name: lambda name=name: getattr(raw, name)(data=columns, indices=[2, 0, 1], segment_ids=ids, num_segments=4) for name in ("SparseSegmentMeanWithNumSegments", "SparseSegmentSqrtNWithNumSegments", "SparseSegmentSumWithNumSegments")},
    }  # fmt: skip


def matrices(tf):
    raw = tf.raw_ops
    a = tf.constant([[4.0, 1.0], [1.0, 3.0]])
    b = tf.constant([[1.0, 2.0], [3.0, -1.0]])
    batch = tf.stack([a, b])
    cube = _range(tf, 2, 2, 2)
    sparse = {"a_indices": [[0, 1], [1, 0]], "a_values": [2.0, 3.0], "a_shape": [2, 2]}
    return {
        "MatMul": lambda: [raw.MatMul(a=a, b=b), raw.MatMul(a=a, b=b, transpose_a=True, transpose_b=True)],
        "BatchMatMul": lambda: raw.BatchMatMul(x=batch, y=cube),
        "BatchMatMulV2": lambda: [raw.BatchMatMulV2(x=batch, y=b), raw.BatchMatMulV2(x=batch, y=cube, adj_x=True, adj_y=True)],
        "Einsum": lambda: raw.Einsum(inputs=[a, b], equation="ij,jk->ik"),
        "Cross": lambda: raw.Cross(a=[1.0, 2.0, 3.0], b=[0.0, 1.0, 0.5]),
        **{name: lambda name=name: getattr(raw, name)(input=a) for name in ("Cholesky", "MatrixDeterminant", "MatrixSquareRoot", "DiagPart", "MatrixDiagPart", "MatrixInverse")},
        "MatrixLogarithm": lambda: raw.MatrixLogarithm(input=tf.cast(a, tf.complex64)),
        "LogMatrixDeterminant": lambda: _parts(raw.LogMatrixDeterminant(input=batch)),
        "Lu": lambda: _parts(raw.Lu(input=b)),
        "Qr": lambda: [raw.Qr(input=b)._fields, tf.abs(raw.Qr(input=b).r)],
        "Svd": lambda: [raw.Svd(input=b)._fields, raw.Svd(input=b).s, [tf.shape(part) for part in raw.Svd(input=cube[..., :1], full_matrices=True)]],
        "Svd, values": lambda: raw.Svd(input=b, compute_uv=False).s,
        "SelfAdjointEigV2": lambda: [raw.SelfAdjointEigV2(input=a).e, raw.SelfAdjointEigV2(input=a, compute_v=False).e],
        "Diag": lambda: raw.Diag(diagonal=[1.0, 2.0]),
        "MatrixDiag": lambda: raw.MatrixDiag(diagonal=b),
        "MatrixDiagV3": lambda: raw.MatrixDiagV3(diagonal=b, k=1, num_rows=-1, num_cols=-1, padding_value=9.0),
        "MatrixDiagPartV3": lambda: raw.MatrixDiagPartV3(input=b, k=[0, 1], padding_value=9.0),
        "MatrixSetDiag": lambda: raw.MatrixSetDiag(input=b, diagonal=[8.0, 9.0]),
        "MatrixSetDiagV3": lambda: raw.MatrixSetDiagV3(input=b, diagonal=[8.0], k=1),
        "MatrixBandPart": lambda: raw.MatrixBandPart(input=b, num_lower=0, num_upper=-1),
        "BroadcastGradientArgs": lambda: [_parts(raw.BroadcastGradientArgs(s0=s0, s1=s1)) for s0, s1 in (([2, 1, 3], [4, 1]), ([3], [2, 3]), ([2, 3], [2, 3]), ([1, 1], [1]))],
        "MatrixSolve": lambda: raw.MatrixSolve(matrix=a, rhs=b),
        "MatrixSolveLs": lambda: raw.MatrixSolveLs(matrix=a, rhs=b, l2_regularizer=0.5),
        "MatrixTriangularSolve": lambda: raw.MatrixTriangularSolve(matrix=a, rhs=b, lower=False),
        "SparseTensorDenseMatMul": lambda: [raw.SparseTensorDenseMatMul(**sparse, b=b), raw.SparseTensorDenseMatMul(**sparse, b=b, adjoint_a=True)],
    }  # fmt: skip


def networks(tf):
    raw = tf.raw_ops
    x = tf.constant([[-1.5, -0.0, 0.5], [2.0, 7.0, -3.0]])
    labels = tf.constant([[0.0, 0.25, 0.75], [1.0, 0.0, 0.0]])
    images, filters = tf.sin(_range(tf, 2, 4, 4, 2)), tf.cos(_range(tf, 2, 2, 2, 3))
    volume = tf.sin(_range(tf, 1, 3, 3, 3, 1))
    one, two = [1, 1, 1, 1], [1, 2, 2, 1]
    windows = {"ksize": two, "strides": two, "padding": "VALID"}
    normalization = {"x": images, "scale": [1.0, 2.0], "offset": [0.0, 1.0], "mean": [1.0, 2.0], "variance": [1.0, 3.0]}
    norms = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
    return {
        **{name: lambda name=name: getattr(raw, name)(features=x) for name in ("Elu", "Relu", "Relu6", "Selu", "Softplus", "Softsign", "LeakyRelu")},
        **{name: lambda name=name: getattr(raw, name)(gradients=x + 1.0, features=x) for name in ("ReluGrad", "Relu6Grad", "LeakyReluGrad", "SoftplusGrad", "SoftsignGrad")},
        **{name: lambda name=name: getattr(raw, name)(gradients=x + 1.0, outputs=x / 4.0) for name in ("EluGrad", "SeluGrad")},
        "LogSoftmax": lambda: raw.LogSoftmax(logits=x),
        "Softmax": lambda: raw.Softmax(logits=x),
        "SoftmaxCrossEntropyWithLogits": lambda: _parts(raw.SoftmaxCrossEntropyWithLogits(features=x, labels=labels)),
        "SparseSoftmaxCrossEntropyWithLogits": lambda: _parts(raw.SparseSoftmaxCrossEntropyWithLogits(features=x, labels=[2, 0])),
        "BiasAdd": lambda: [raw.BiasAdd(value=x, bias=[1.0, 2.0, 3.0]), raw.BiasAdd(value=images, bias=[1.0, 2.0, 3.0, 4.0], data_format="NCHW")],
        "BiasAddGrad": lambda: [raw.BiasAddGrad(out_backprop=images), raw.BiasAddGrad(out_backprop=images, data_format="NCHW")],
        "Conv2D": lambda: [
            raw.Conv2D(input=images, filter=filters, strides=two, padding="SAME"),
            raw.Conv2D(input=images, filter=filters, strides=one, padding="VALID", dilations=[1, 2, 2, 1]),
            raw.Conv2D(input=images, filter=filters, strides=one, padding="EXPLICIT", explicit_paddings=[0, 0, 1, 0, 0, 2, 0, 0]),
        ],
        "Conv2DBackpropInput": lambda: raw.Conv2DBackpropInput(input_sizes=[2, 4, 4, 2], filter=filters, out_backprop=_range(tf, 2, 2, 2, 3), strides=two, padding="SAME"),
        "Conv2DBackpropFilter": lambda: raw.Conv2DBackpropFilter(input=images, filter_sizes=[2, 2, 2, 3], out_backprop=_range(tf, 2, 2, 2, 3), strides=two, padding="SAME"),
        "Conv3D": lambda: raw.Conv3D(input=volume, filter=_range(tf, 2, 2, 2, 1, 1), strides=[1] * 5, padding="VALID"),
        "DepthwiseConv2dNative": lambda: raw.DepthwiseConv2dNative(input=images, filter=filters, strides=one, padding="SAME"),
        "Conv3DBackpropInputV2": lambda: raw.Conv3DBackpropInputV2(input_sizes=[1, 3, 3, 3, 1], filter=_range(tf, 2, 2, 2, 1, 1), out_backprop=_range(tf, 1, 2, 2, 2, 1), strides=[1] * 5, padding="VALID"),
        "Conv3DBackpropFilterV2": lambda: raw.Conv3DBackpropFilterV2(input=volume, filter_sizes=[2, 2, 2, 1, 1], out_backprop=_range(tf, 1, 2, 2, 2, 1), strides=[1] * 5, padding="VALID"),
        "DepthwiseConv2dNativeBackpropInput": lambda: raw.DepthwiseConv2dNativeBackpropInput(input_sizes=[2, 4, 4, 2], filter=filters, out_backprop=_range(tf, 2, 4, 4, 6), strides=one, padding="SAME"),
        "DepthwiseConv2dNativeBackpropFilter": lambda: raw.DepthwiseConv2dNativeBackpropFilter(input=images, filter_sizes=[2, 2, 2, 3], out_backprop=tf.cos(_range(tf, 2, 4, 4, 6)), strides=one, padding="SAME"),
        "AvgPool3DGrad": lambda: raw.AvgPool3DGrad(orig_input_shape=[1, 3, 3, 3, 1], grad=_range(tf, 1, 2, 2, 2, 1), ksize=[1, 2, 2, 2, 1], strides=[1] * 5, padding="VALID"),
        "MaxPool3DGrad": lambda: raw.MaxPool3DGrad(orig_input=volume, orig_output=tf.nn.max_pool3d(volume, 2, 1, "VALID"), grad=_range(tf, 1, 2, 2, 2, 1), ksize=[1, 2, 2, 2, 1], strides=[1] * 5, padding="VALID"),
        "AvgPool": lambda: raw.AvgPool(value=images, **windows),
        "AvgPool3D": lambda: raw.AvgPool3D(input=volume, ksize=[1, 2, 2, 2, 1], strides=[1] * 5, padding="SAME"),
        "AvgPoolGrad": lambda: raw.AvgPoolGrad(orig_input_shape=[2, 4, 4, 2], grad=_range(tf, 2, 2, 2, 2), **windows),
        "MaxPool": lambda: [raw.MaxPool(input=images, **windows), raw.MaxPool(input=images, ksize=two, strides=two, padding="EXPLICIT", explicit_paddings=[0, 0, 1, 1, 0, 0, 0, 0])],
        "MaxPool3D": lambda: raw.MaxPool3D(input=volume, ksize=[1, 2, 2, 2, 1], strides=[1] * 5, padding="SAME"),
        "MaxPoolGrad": lambda: raw.MaxPoolGrad(orig_input=images, orig_output=tf.nn.max_pool2d(images, 2, 2, "VALID"), grad=_range(tf, 2, 2, 2, 2), **windows),
        "MaxPoolWithArgmax": lambda: _parts(raw.MaxPoolWithArgmax(input=images, **windows)),
        "LRN": lambda: raw.LRN(input=images),
        **{name: lambda name=name: _parts(getattr(raw, name)(**normalization))[:6] for name in norms},
        **{f"{name}, given": lambda name=name: getattr(raw, name)(**normalization, is_training=False)[:3] for name in norms},
        "FusedBatchNormV3, average": lambda: raw.FusedBatchNormV3(**normalization, exponential_avg_factor=0.25)[:5],
        "InTopK": lambda: raw.InTopK(predictions=x, targets=[1, 1], k=1),
        "InTopKV2": lambda: raw.InTopKV2(predictions=x, targets=[1, 1], k=2),
    }  # fmt: skip


def shapes(tf):
    raw = tf.raw_ops
    x, images = _range(tf, 2, 3), _range(tf, 1, 2, 2, 4)
    return {
        **{name: lambda name=name: getattr(raw, name)(input=x) for name in ("Identity", "Rank", "Snapshot", "StopGradient", "Shape", "Size", "GuaranteeConst")},
        "Shape, int64": lambda: raw.Shape(input=x, out_type=tf.int64),
        "IdentityN": lambda: raw.IdentityN(input=[x, 1]),
        "ShapeN": lambda: raw.ShapeN(input=[x, images]),
        "CheckNumerics": lambda: raw.CheckNumerics(tensor=x, message="here"),
        "CheckNumerics, NaN": lambda: raw.CheckNumerics(tensor=[np.nan], message="here"),
        "Assert": lambda: raw.Assert(condition=True, data=[x]),
        "Assert, false": lambda: raw.Assert(condition=False, data=[x]),
        "BroadcastArgs": lambda: raw.BroadcastArgs(s0=[2, 1], s1=[3]),
        "BroadcastTo": lambda: raw.BroadcastTo(input=x, shape=[2, 2, 3]),
        "EnsureShape": lambda: raw.EnsureShape(input=x, shape=[2, None]),
        "Concat": lambda: raw.Concat(concat_dim=1, values=[x, x]),
        "ConcatV2": lambda: raw.ConcatV2(values=[x, x], axis=0),
        "Pack": lambda: [raw.Pack(values=[x, x]), raw.Pack(values=[x, x], axis=-1)],
        "Unpack": lambda: raw.Unpack(value=x, num=3, axis=1),
        "Split": lambda: raw.Split(axis=1, value=x, num_split=3),
        "SplitV": lambda: raw.SplitV(value=x, size_splits=[1, 2], axis=1, num_split=2),
        "Transpose": lambda: raw.Transpose(x=x, perm=[1, 0]),
        "ConjugateTranspose": lambda: raw.ConjugateTranspose(x=tf.complex(x, x), perm=[1, 0]),
        "Empty": lambda: raw.Empty(shape=[2], dtype=tf.int32, init=True),
        "Fill": lambda: raw.Fill(dims=[2, 2], value=7),
        "ExpandDims": lambda: raw.ExpandDims(input=x, axis=1),
        "Squeeze": lambda: [raw.Squeeze(input=x[None, :, None]), raw.Squeeze(input=x[None, :, None], axis=[0])],
        "Reshape": lambda: raw.Reshape(tensor=x, shape=[3, -1]),
        "Tile": lambda: raw.Tile(input=x, multiples=[2, 1]),
        "Pad": lambda: raw.Pad(input=x, paddings=[[1, 0], [0, 2]]),
        "PadV2": lambda: raw.PadV2(input=x, paddings=[[1, 0], [0, 2]], constant_values=9.0),
        "MirrorPad": lambda: raw.MirrorPad(input=x, paddings=[[1, 0], [0, 2]], mode="REFLECT"),
        "Slice": lambda: raw.Slice(input=x, begin=[0, 1], size=[-1, 2]),
        "StridedSlice": lambda: [raw.StridedSlice(input=x, begin=[0, 0], end=[2, 3], strides=[1, 2]), raw.StridedSlice(input=x, begin=[1, 0], end=[2, 0], strides=[1, 1], end_mask=2, shrink_axis_mask=1)],
        "Range": lambda: raw.Range(start=1, limit=9, delta=3),
        "LinSpace": lambda: raw.LinSpace(start=1.0, stop=2.0, num=5),
        "OneHot": lambda: raw.OneHot(indices=[1, 0], depth=3, on_value=5, off_value=-1, axis=0),
        "ReverseV2": lambda: raw.ReverseV2(tensor=x, axis=[1]),
        "ReverseSequence": lambda: raw.ReverseSequence(input=x, seq_lengths=[2, 3], seq_dim=1),
        "Roll": lambda: raw.Roll(input=x, shift=1, axis=1),
        "BatchToSpaceND": lambda: raw.BatchToSpaceND(input=_range(tf, 4, 1, 1, 1), block_shape=[2, 2], crops=[[0, 0], [0, 1]]),
        "SpaceToBatchND": lambda: raw.SpaceToBatchND(input=images, block_shape=[2, 2], paddings=[[0, 0], [1, 1]]),
        "DepthToSpace": lambda: raw.DepthToSpace(input=images, block_size=2),
        "SpaceToDepth": lambda: raw.SpaceToDepth(input=images, block_size=2),
    }  # fmt: skip


def indices(tf):
    raw = tf.raw_ops
    x = tf.constant([[3.0, 1.0, 2.0], [6.0, 4.0, 5.0]])
    v = tf.constant([4, 1, 4, 2])
    update = {"tensor": x, "indices": [[0, 1], [1, 2]], "updates": [10.0, -10.0]}
    return {
        "Gather": lambda: raw.Gather(params=x, indices=[1, 0, 1]),
        "GatherV2": lambda: [raw.GatherV2(params=x, indices=[2, 0], axis=1), raw.GatherV2(params=x, indices=[[2], [0]], axis=1, batch_dims=1)],
        "GatherNd": lambda: raw.GatherNd(params=x, indices=[[0, 1], [1, 2]]),
        "ScatterNd": lambda: raw.ScatterNd(indices=[[1], [3], [1]], updates=[1.0, 2.0, 3.0], shape=[5]),
        **{name: lambda name=name: getattr(raw, name)(**update) for name in ("TensorScatterAdd", "TensorScatterMax", "TensorScatterMin", "TensorScatterSub", "TensorScatterUpdate")},
        "DynamicPartition": lambda: raw.DynamicPartition(data=v, partitions=[0, 1, 0, 1], num_partitions=2),
        "DynamicStitch": lambda: raw.DynamicStitch(indices=[[0, 2], [1]], data=[[5, 6], [7]]),
        "ParallelDynamicStitch": lambda: raw.ParallelDynamicStitch(indices=[[0, 2], [1]], data=[[5, 6], [7]]),
        "Where": lambda: raw.Where(condition=x > 2.0),
        "UnravelIndex": lambda: raw.UnravelIndex(indices=[2, 5], dims=[2, 3]),
        "TopKV2": lambda: [*_parts(raw.TopKV2(input=x, k=2)), raw.TopKV2(input=x, k=1, index_type=tf.int64).indices],
        "ScatterNdNonAliasingAdd": lambda: raw.ScatterNdNonAliasingAdd(input=x, indices=[[0, 1], [0, 1]], updates=[1.0, 2.0]),
        "Unique": lambda: _parts(raw.Unique(x=v)),
        "UniqueWithCounts": lambda: _parts(raw.UniqueWithCounts(x=v, out_idx=tf.int64)),
        "ListDiff": lambda: _parts(raw.ListDiff(x=v, y=[1, 9])),
        "LowerBound": lambda: raw.LowerBound(sorted_inputs=[[1, 2, 4]], values=[[2, 3]]),
        "UpperBound": lambda: raw.UpperBound(sorted_inputs=[[1, 2, 4]], values=[[2, 3]]),
    }  # fmt: skip


GIF = bytes.fromhex("47494638396101000100800000ff0000ffffff2c00000000010001000002024401003b")
"""A red pixel."""

BMP = bytes.fromhex(
    "424d3a0000000000000036000000280000000100000001000000010018000000000004000000130b0000130b0000000000000000000010203000"
)
"""One pixel of three colours."""


def signals_and_images(tf):
    raw = tf.raw_ops
    x = tf.sin(_range(tf, 2, 4, 4))
    wave = tf.complex(x, -x)
    pictures = tf.abs(tf.sin(_range(tf, 1, 2, 2, 3)))
    boxes = [[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.9, 1.0], [0.5, 0.5, 0.75, 1.0]]
    scene = tf.sin(_range(tf, 1, 4, 5, 3))
    turned = [[0.9, 0.3, -0.45, -0.2, 0.8, 0.73, 0.0, 0.0]]
    grey = raw.EncodeJpeg(image=tf.fill([4, 5, 1], tf.constant(128, tf.uint8)))
    return {
        **{name: lambda name=name: getattr(raw, name)(input=wave) for name in ("FFT", "FFT2D", "FFT3D", "IFFT", "IFFT2D", "IFFT3D")},
        "RFFT": lambda: raw.RFFT(input=x, fft_length=[4]),
        "RFFT2D": lambda: raw.RFFT2D(input=x, fft_length=[4, 4]),
        "IRFFT": lambda: raw.IRFFT(input=wave, fft_length=[4]),
        "IRFFT2D": lambda: raw.IRFFT2D(input=wave, fft_length=[4, 4]),
        "RFFT3D": lambda: raw.RFFT3D(input=x, fft_length=[2, 4, 4]),
        "IRFFT3D": lambda: raw.IRFFT3D(input=wave, fft_length=[2, 4, 4]),
        **{name: lambda name=name: [getattr(raw, name)(images=scene, size=[3, 7], half_pixel_centers=True), getattr(raw, name)(images=scene, size=[7, 3], half_pixel_centers=True)] for name in ("ResizeBilinear", "ResizeBicubic", "ResizeNearestNeighbor")},
        **{f"{name}, old centres": lambda name=name: [getattr(raw, name)(images=scene, size=[3, 7], align_corners=align) for align in (False, True)] for name in ("ResizeBilinear", "ResizeNearestNeighbor")},
        "ResizeBilinear, both": lambda: raw.ResizeBilinear(images=scene, size=[3, 7], align_corners=True, half_pixel_centers=True),
        "ResizeArea": lambda: raw.ResizeArea(images=scene, size=[3, 2]),
        "ResizeBilinearGrad": lambda: [raw.ResizeBilinearGrad(grads=tf.cos(scene), original_image=tf.zeros([1, 3, 7, 3]), half_pixel_centers=half) for half in (False, True)],
        "ResizeNearestNeighborGrad": lambda: raw.ResizeNearestNeighborGrad(grads=tf.cos(scene), size=[3, 7], half_pixel_centers=True),
        "ImageProjectiveTransformV2": lambda: raw.ImageProjectiveTransformV2(images=scene, transforms=turned, output_shape=[4, 5], interpolation="NEAREST"),
        "ImageProjectiveTransformV3": lambda: [raw.ImageProjectiveTransformV3(images=scene, transforms=turned, output_shape=[4, 5], fill_value=0.5, interpolation="BILINEAR", fill_mode=mode) for mode in ("CONSTANT", "REFLECT", "NEAREST", "WRAP")],
        "NonMaxSuppressionV2": lambda: raw.NonMaxSuppressionV2(boxes=boxes, scores=[0.5, 0.9, 0.3], max_output_size=3, iou_threshold=0.5),
        "NonMaxSuppressionV4": lambda: [_parts(raw.NonMaxSuppressionV4(boxes=boxes, scores=[0.5, 0.9, 0.3], max_output_size=3, iou_threshold=0.5, score_threshold=0.1, pad_to_max_output_size=pad)) for pad in (False, True)],
        "NonMaxSuppressionV5": lambda: [_parts(raw.NonMaxSuppressionV5(boxes=boxes, scores=[0.5, 0.9, 0.3], max_output_size=3, iou_threshold=0.5, score_threshold=0.1, soft_nms_sigma=sigma, pad_to_max_output_size=True)) for sigma in (0.0, 0.5)],
        "CombinedNonMaxSuppression": lambda: _parts(raw.CombinedNonMaxSuppression(boxes=tf.reshape(boxes, [1, 3, 1, 4]), scores=[[[0.5, 0.2], [0.9, 0.1], [0.3, 0.6]]], max_output_size_per_class=2, max_total_size=4, iou_threshold=0.5, score_threshold=0.15)),
        "DecodeJpeg": lambda: raw.DecodeJpeg(contents=grey, channels=1),
        "DecodeImage": lambda: raw.DecodeImage(contents=grey, channels=1),
        "DecodeAndCropJpeg": lambda: raw.DecodeAndCropJpeg(contents=grey, crop_window=[1, 1, 2, 3], channels=1),
        "EncodeJpeg": lambda: tf.shape(raw.DecodeJpeg(contents=raw.EncodeJpeg(image=tf.zeros([4, 5, 3], tf.uint8)))),
        "ExtractJpegShape": lambda: raw.ExtractJpegShape(contents=grey),
        "DecodeGif": lambda: raw.DecodeGif(contents=tf.constant(GIF)),
        "DecodeBmp": lambda: raw.DecodeBmp(contents=tf.constant(BMP)),
        "HSVToRGB": lambda: raw.HSVToRGB(images=pictures),
        "RGBToHSV": lambda: raw.RGBToHSV(images=pictures),
        "AdjustHue": lambda: raw.AdjustHue(images=pictures, delta=0.2),
        "AdjustSaturation": lambda: raw.AdjustSaturation(images=pictures, scale=0.5),
        "AdjustContrastv2": lambda: raw.AdjustContrastv2(images=pictures, contrast_factor=2.0),
        "ExtractImagePatches": lambda: raw.ExtractImagePatches(images=_range(tf, 1, 3, 3, 1), ksizes=[1, 2, 2, 1], strides=[1, 1, 1, 1], rates=[1, 1, 1, 1], padding="VALID"),
        "CropAndResize": lambda: raw.CropAndResize(image=pictures, boxes=[[0.0, 0.0, 1.0, 1.5]], box_ind=[0], crop_size=[3, 3], extrapolation_value=-1.0),
        "NonMaxSuppression": lambda: raw.NonMaxSuppression(boxes=boxes, scores=[0.5, 0.9, 0.3], max_output_size=3),
        "NonMaxSuppressionV3": lambda: raw.NonMaxSuppressionV3(boxes=boxes, scores=[0.5, 0.9, 0.3], max_output_size=3, iou_threshold=0.5, score_threshold=0.4),
        "EncodePng": lambda: raw.DecodePng(contents=raw.EncodePng(image=tf.cast(_range(tf, 2, 2, 3), tf.uint8))),
        "DecodePng": lambda: raw.DecodePng(contents=raw.EncodePng(image=tf.cast(_range(tf, 2, 2, 3), tf.uint8)), channels=3),
    }  # fmt: skip


def texts(tf):
    raw = tf.raw_ops
    words = tf.constant(["Blue sky ", "a1b22"])
    path = os.path.join(tempfile.gettempdir(), f"fastgrad_raw_operations_{os.getpid()}")
    feature = tf.train.Feature
    features = [
        {
            "s": feature(bytes_list=tf.train.BytesList(value=strings)),
            "d": feature(float_list=tf.train.FloatList(value=[1.5])),
            "r": feature(int64_list=tf.train.Int64List(value=range(len(strings)))),
        }
        for strings in ([b"x", b"y"], [])
    ]
    examples = [tf.train.Example(features=tf.train.Features(feature=one)).SerializeToString() for one in features]
    return {
        **{name: lambda name=name: getattr(raw, name)(input=words) for name in ("StringStrip", "StringLower", "StringUpper", "EncodeBase64", "StringLength")},
        "DecodeBase64": lambda: raw.DecodeBase64(input=raw.EncodeBase64(input=words)),
        "AsString": lambda: [raw.AsString(input=[1.5, 2.0]), raw.AsString(input=[1.5], precision=3, width=8, fill="0")],
        "StringJoin": lambda: raw.StringJoin(inputs=[words, "x"], separator="-"),
        "StringToHashBucket": lambda: raw.StringToHashBucket(string_tensor=words, num_buckets=1000),
        "StringToHashBucketFast": lambda: raw.StringToHashBucketFast(input=words, num_buckets=1000),
        "StringToHashBucketStrong": lambda: raw.StringToHashBucketStrong(input=words, num_buckets=1000, key=[1, 2]),
        "StringToNumber": lambda: [raw.StringToNumber(string_tensor=["1.5", "-2"]), raw.StringToNumber(string_tensor=["7"], out_type=tf.int64)],
        "StringFormat": lambda: raw.StringFormat(inputs=[tf.constant([1, 2]), 3], template="%s and %s"),
        "Substr": lambda: raw.Substr(input=words, pos=1, len=3),
        "RegexReplace": lambda: raw.RegexReplace(input=words, pattern="[0-9]+", rewrite="#"),
        "StaticRegexReplace": lambda: raw.StaticRegexReplace(input=words, pattern="[0-9]", rewrite="#", replace_global=False),
        "RegexFullMatch": lambda: raw.RegexFullMatch(input=words, pattern="[a-b0-9]*"),
        "StaticRegexFullMatch": lambda: raw.StaticRegexFullMatch(input=words, pattern="[a-b0-9]*"),
        "ReduceJoin": lambda: [raw.ReduceJoin(inputs=[["a", "b"], ["c", "d"]], reduction_indices=axis, separator=".") for axis in (0, [1])],
        "UnsortedSegmentJoin": lambda: raw.UnsortedSegmentJoin(inputs=["a", "b", "c"], segment_ids=[1, 0, 1], num_segments=2),
        "UnicodeScript": lambda: raw.UnicodeScript(input=[[65, 0x416], [0x3B1, -1]]),
        "UnicodeTranscode": lambda: raw.UnicodeTranscode(input=["grün"], input_encoding="UTF-8", output_encoding="UTF-16-BE"),
        "UnicodeDecode": lambda: _parts(raw.UnicodeDecode(input=["grün", "a"], input_encoding="UTF-8")),
        "StringSplitV2": lambda: [_parts(raw.StringSplitV2(input=words, sep=sep)) for sep in ("", "b")],
        "StringNGrams": lambda: [_parts(raw.StringNGrams(data=["a", "b", "c"], data_splits=[0, 2, 3], separator="-", ngram_widths=[1, 2], left_pad="<", right_pad=">", pad_width=pad, preserve_short_sequences=keep)) for pad, keep in ((0, False), (0, True), (-1, False), (1, False))],
        "DecodeCSV": lambda: raw.DecodeCSV(records=["1,a", "2,"], record_defaults=[[0], ["none"]]),
        "DecodePaddedRaw": lambda: raw.DecodePaddedRaw(input_bytes=["ab", "c"], fixed_length=4, out_type=tf.uint8),
        "UnicodeEncode": lambda: raw.UnicodeEncode(input_values=[103, 252, 97], input_splits=[0, 2, 3], output_encoding="UTF-8"),
        "UnicodeDecodeWithOffsets": lambda: _parts(raw.UnicodeDecodeWithOffsets(input=["grün", "a"], input_encoding="UTF-8")),
        "ParseTensor": lambda: raw.ParseTensor(serialized=raw.SerializeTensor(tensor=[1, 2]), out_type=tf.int32),
        "SerializeTensor": lambda: raw.SerializeTensor(tensor=[1.5]),
        "WriteFile": lambda: [raw.WriteFile(filename=path, contents="text"), raw.ReadFile(filename=path)],
        "MatchingFiles": lambda: raw.MatchingFiles(pattern="/no such folder/*"),
        "ParseExampleV2": lambda: _parts(raw.ParseExampleV2(serialized=examples, names=[], sparse_keys=["s"], dense_keys=["d", "e"], ragged_keys=["r"], dense_defaults=[tf.zeros([0]), tf.constant([7], tf.int64)], num_sparse=1, sparse_types=[tf.string], ragged_value_types=[tf.int64], ragged_split_types=[tf.int32], dense_shapes=[[1], [1]])),
        "ParseSingleExample": lambda: _parts(raw.ParseSingleExample(serialized=examples[0], dense_defaults=[tf.zeros([0])], num_sparse=1, sparse_keys=["s"], dense_keys=["d"], sparse_types=[tf.string], dense_shapes=[[1]])),
        "DecodeRaw": lambda: raw.DecodeRaw(bytes=["\x01\x00\x02\x00"], out_type=tf.int16),
        "ReadFile": lambda: raw.ReadFile(filename="no such file"),
        "NoOp": lambda: raw.NoOp(),
        "Timestamp": lambda: [raw.Timestamp().dtype, raw.Timestamp().shape],
    }  # fmt: skip


def sparse_and_ragged(tf):
    raw = tf.raw_ops
    parts = [tf.constant([[0, 1], [1, 0]], tf.int64), tf.constant([2.0, 3.0]), tf.constant([2, 3], tf.int64)]
    a = dict(zip(("a_indices", "a_values", "a_shape"), parts, strict=True))
    b = dict(zip(("b_indices", "b_values", "b_shape"), parts, strict=True))
    c = dict(zip(("input_indices", "input_values", "input_shape"), parts, strict=True))
    return {
        "SparseToDense": lambda: [
            raw.SparseToDense(sparse_indices=[1, 3], output_shape=[5], sparse_values=7, default_value=-1),
            raw.SparseToDense(sparse_indices=[[0, 1], [1, 0]], output_shape=[2, 2], sparse_values=[1.0, 2.0], default_value=0.0),
        ],
        "SparseReorder": lambda: _parts(raw.SparseReorder(input_indices=parts[0][::-1], input_values=parts[1], input_shape=parts[2])),
        "SparseReshape": lambda: _parts(raw.SparseReshape(input_indices=parts[0], input_shape=parts[2], new_shape=[3, -1])),
        "SparseConcat": lambda: _parts(raw.SparseConcat(indices=[parts[0]] * 2, values=[parts[1]] * 2, shapes=[parts[2]] * 2, concat_dim=1)),
        "SparseAdd": lambda: _parts(raw.SparseAdd(**a, **b, thresh=0.0)),
        "SparseSlice": lambda: _parts(raw.SparseSlice(indices=parts[0], values=parts[1], shape=parts[2], start=[0, 1], size=[2, 2])),
        "SparseSoftmax": lambda: raw.SparseSoftmax(sp_indices=parts[0], sp_values=parts[1], sp_shape=parts[2]),
        "SparseReduceSum": lambda: raw.SparseReduceSum(input_indices=parts[0], input_values=parts[1], input_shape=parts[2], reduction_axes=1),
        "SparseReduceMax": lambda: raw.SparseReduceMax(**c, reduction_axes=1, keep_dims=True),
        "SparseFillEmptyRows": lambda: _parts(raw.SparseFillEmptyRows(indices=[[1, 0], [1, 2], [3, 1]], values=[1, 2, 3], dense_shape=[5, 3], default_value=-1)),
        **{name: lambda name=name: getattr(raw, name)(sp_indices=parts[0], sp_values=parts[1], sp_shape=parts[2], dense=[2.0, 4.0, 8.0]) for name in ("SparseDenseCwiseAdd", "SparseDenseCwiseMul", "SparseDenseCwiseDiv")},
        "SparseTensorDenseAdd": lambda: raw.SparseTensorDenseAdd(**a, b=_range(tf, 2, 3)),
        "SparseCross": lambda: [
            _parts(raw.SparseCross(indices=[], values=[], shapes=[], dense_inputs=[[["a"], ["b"]], [["x", "y"], ["z", "x"]]], hashed_output=hashed, num_buckets=9, hash_key=956888297470, out_type=kind, internal_type=tf.string))
            for hashed, kind in ((True, tf.int64), (False, tf.string))
        ],
        "RaggedGather": lambda: _parts(raw.RaggedGather(params_nested_splits=[[0, 2, 2, 3]], params_dense_values=[5, 6, 7], indices=[2, 0], OUTPUT_RAGGED_RANK=1)),
        "RaggedTensorToSparse": lambda: _parts(raw.RaggedTensorToSparse(rt_nested_splits=[[0, 2, 2, 3]], rt_dense_values=[5, 6, 7])),
        "RaggedTensorToTensor": lambda: [
            raw.RaggedTensorToTensor(shape=shape, values=[5, 6, 7], default_value=0, row_partition_tensors=rows, row_partition_types=types)
            for shape in ([-1, -1], [2, 4], -1)
            for rows, types in (([[0, 2, 2, 3]], ["ROW_SPLITS"]), ([3, [0, 0, 2]], ["FIRST_DIM_SIZE", "VALUE_ROWIDS"]))
        ],
        "RaggedTensorToTensor, deep": lambda: raw.RaggedTensorToTensor(
            shape=-1, values=[5, 6, 7], default_value=0, row_partition_tensors=[2, [0, 0, 1], [0, 2, 2]], row_partition_types=["FIRST_DIM_SIZE", "VALUE_ROWIDS", "VALUE_ROWIDS"]
        ),
        "RaggedBincount": lambda: [
            raw.RaggedBincount(splits=[0, 2, 3], values=[1, 1, 0], size=3, weights=weights, binary_output=binary)
            for weights, binary in ((tf.zeros([0]), False), (tf.zeros([0]), True), ([0.5, 1.0, 2.0], False))
        ],
        "CTCLoss": lambda: _parts(raw.CTCLoss(inputs=tf.sin(_range(tf, 5, 2, 4)), labels_indices=[[0, 0], [0, 1], [1, 0]], labels_values=[1, 1, 2], sequence_length=[5, 4])),
        "CTCGreedyDecoder": lambda: _parts(raw.CTCGreedyDecoder(inputs=tf.sin(_range(tf, 5, 2, 4)), sequence_length=[5, 4], merge_repeated=True)),
        "RaggedRange": lambda: _parts(raw.RaggedRange(starts=[0, 5], limits=[3, 9], deltas=[1, 2])),
    }  # fmt: skip


def random_numbers(tf):
    raw = tf.raw_ops
    calls = {
        "RandomStandardNormal": {"shape": [2, 3], "dtype": tf.float64},
        "TruncatedNormal": {"shape": [2, 3], "dtype": tf.float32, "seed": 3},
        "RandomUniform": {"shape": [2, 3], "dtype": tf.float32, "seed": 1, "seed2": 2},
        "RandomUniformInt": {"shape": [4], "minval": 2, "maxval": 9},
        "RandomGamma": {"shape": [4], "alpha": tf.constant([1.0, 2.0], tf.float64)},
        "RandomPoissonV2": {"shape": [4], "rate": [1.0, 2.0]},
        "RandomShuffle": {"value": [[1, 2], [3, 4]]},
        "Multinomial": {"logits": [[1.0, 2.0], [0.0, 1.0]], "num_samples": 3},
        "StatelessRandomNormal": {"shape": [2, 3], "seed": [1, 2]},
        "StatelessTruncatedNormal": {"shape": [2, 3], "seed": [1, 2], "dtype": tf.float64},
        "StatelessRandomUniform": {"shape": [2, 3], "seed": [1, 2]},
        "StatelessRandomUniformInt": {"shape": [4], "seed": [1, 2], "minval": tf.constant(2, tf.int64), "maxval": tf.constant(9, tf.int64)},
        "StatelessRandomPoisson": {"shape": [4], "seed": [1, 2], "lam": 2.0, "dtype": tf.float32},
        "StatelessRandomBinomial": {"shape": [4], "seed": [1, 2], "counts": 5.0, "probs": 0.5},
        "StatelessRandomGammaV2": {"shape": [4], "seed": [1, 2], "alpha": tf.constant(2.0, tf.float64)},
        "StatelessMultinomial": {"logits": [[1.0, 2.0]], "num_samples": 3, "seed": [1, 2], "output_dtype": tf.int32},
    }  # fmt: skip
    results = {name: getattr(raw, name)(**call) for name, call in calls.items()}
    key, counter = raw.StatelessRandomGetKeyCounter(seed=[5, 7])
    philox = {"shape": [2, 3], "key": key, "counter": counter, "alg": 1}
    equal = {
        "StatelessRandomGetKeyCounter": lambda: [key, counter],
        **{name: lambda name=name: getattr(raw, name)(**philox) for name in ("StatelessRandomNormalV2", "StatelessRandomUniformV2", "StatelessTruncatedNormalV2", "StatelessRandomUniformFullIntV2")},
        "StatelessRandomUniformFullInt": lambda: raw.StatelessRandomUniformFullInt(shape=[3], seed=[1, 2]),
        "StatelessRandomUniformIntV2": lambda: raw.StatelessRandomUniformIntV2(**philox, minval=2, maxval=9),
    }  # fmt: skip
    return {name: [result.shape, result.dtype] for name, result in results.items()} | equal


def derivatives(tf):
    raw = tf.raw_ops
    x, m = tf.constant([0.25, 0.5, 2.0]), tf.constant([[4.0, 1.0], [2.0, 3.0]])
    images, filters = tf.sin(_range(tf, 1, 4, 4, 1)), tf.cos(_range(tf, 2, 2, 1, 2))
    unary = [
        "Exp",
        "Log",
        "Sqrt",
        "Rsqrt",
        "Square",
        "Tanh",
        "Sigmoid",
        "Sin",
        "Cos",
        "Erf",
        "Lgamma",
        "Reciprocal",
        "Log1p",
        "Abs",
    ]
    functions = {
        **{name: (lambda v, name=name: getattr(raw, name)(x=v), x) for name in unary},
        **{name: (lambda v, name=name: getattr(raw, name)(features=v - 1.0), x) for name in ("Relu", "Elu", "Softplus", "Selu")},
        **{name: (lambda v, w, name=name: getattr(raw, name)(x=v, y=w), x, x[::-1] + 1.0) for name in ("AddV2", "Sub", "Mul", "RealDiv", "Maximum", "Pow", "Div")},
        "MatMul": (lambda a, b: raw.MatMul(a=a, b=b, transpose_b=True), m, m + 1.0),
        "BatchMatMulV2": (lambda a, b: raw.BatchMatMulV2(x=a, y=b, adj_x=True), m[None], m + 1.0),
        "Sum": (lambda v: raw.Sum(input=v, axis=0), x),
        "Conv2D": (lambda a, b: raw.Conv2D(input=a, filter=b, strides=[1, 1, 1, 1], padding="SAME"), images, filters),
        "MaxPool": (lambda a: raw.MaxPool(input=a, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="VALID"), images),
        "FusedBatchNormV3": (lambda a, s, o: raw.FusedBatchNormV3(x=a, scale=s, offset=o, mean=[], variance=[]).y ** 2, images, x[:1], x[1:2]),
        "SoftmaxCrossEntropyWithLogits": (lambda a: raw.SoftmaxCrossEntropyWithLogits(features=a, labels=[[0.5, 0.5], [1.0, 0.0]]).loss, m),
        "SparseSoftmaxCrossEntropyWithLogits": (lambda a: raw.SparseSoftmaxCrossEntropyWithLogits(features=a, labels=[1, 0]).loss, m),
        "GatherV2": (lambda a: raw.GatherV2(params=a, indices=[1, 1], axis=1), m),
        "StridedSlice": (lambda a: raw.StridedSlice(input=a, begin=[0], end=[2], strides=[2]), x),
        "TopKV2": (lambda a: raw.TopKV2(input=a, k=2).values, x),
        "Cholesky": (lambda a: raw.Cholesky(input=a), tf.matmul(m, m, transpose_b=True)),
        "MatrixInverse": (lambda a: raw.MatrixInverse(input=a), m),
        "Svd": (lambda a: raw.Svd(input=a).s, m),
        "Pack": (lambda a, b: raw.Pack(values=[a, b]), x, x),
        "SelectV2": (lambda a, b: raw.SelectV2(condition=[True, False, True], t=a, e=b), x, x),
        "SegmentSum": (lambda a: raw.SegmentSum(data=a, segment_ids=[0, 0, 1]) ** 2, x),
    }  # fmt: skip
    eager = {name: lambda f=f, v=v: value_and_gradients(tf, f, *v) for name, (f, *v) in functions.items()}
    compiled = {
        f"{name}, compiled": lambda f=f, v=v: value_and_gradients(tf, tf.function(f), *v) for name, (f, *v) in functions.items()
    }  # fmt: skip
    return eager | compiled


def refusals(tf):
    raw = tf.raw_ops
    x = tf.constant([1.0, 2.0])
    return {
        "positional": lambda: raw.AddV2(x, x),
        "missing": lambda: raw.AddV2(x=x),
        "unknown": lambda: raw.AddV2(x=x, y=x, z=1),
        "named": lambda: raw.AddV2(x=x, y=x, name="sum"),
        "mixed dtypes": lambda: raw.AddV2(x=x, y=tf.constant([1, 2])),
        "shapes": lambda: raw.Mul(x=x, y=[1.0, 2.0, 3.0]),
        "ranks": lambda: raw.MatMul(a=[[1.0]], b=[1.0]),
        "inner sizes": lambda: raw.MatMul(a=[[1.0]], b=[[1.0, 2.0], [3.0, 4.0]]),
        "dtype": lambda: raw.Relu(features=["a"]),
        "axis": lambda: raw.Sum(input=x, axis=3),
        "pack": lambda: refused(lambda: raw.Pack(values=[x, [1.0]])),
        "reshape": lambda: raw.Reshape(tensor=x, shape=[3]),
        "gather": lambda: raw.GatherV2(params=x, indices=[5], axis=0),
        "no such operation": lambda: raw.NoSuchOperation,
    }
