"""Ragged tensors: how they are made, taken apart, indexed, computed with, and batched."""

import numpy as np

from ..refusal import refused


def making(tf):
    R = tf.RaggedTensor
    nested = [[[1, 2], [3]], [], [[4, 5, 6]]]
    padded = [[1, 2, 0], [3, 0, 0], [0, 0, 0]]
    return {
        "splits": lambda: R.from_row_splits([1, 2, 3, 4], [0, 2, 2, 4]),
        "int32 splits": lambda: R.from_row_splits([1, 2], tf.constant([0, 2])),
        "int32 array of splits": lambda: R.from_row_splits([1, 2], np.array([0, 2], np.int32)),
        "lengths": lambda: R.from_row_lengths([1, 2, 3, 4], [1, 0, 3]),
        "starts": lambda: R.from_row_starts([1, 2, 3, 4], [0, 0, 3]),
        "no starts": lambda: R.from_row_starts(tf.zeros([0]), tf.zeros([0], tf.int64)),
        "limits": lambda: R.from_row_limits([1, 2, 3, 4], [1, 1, 4]),
        "row numbers": lambda: R.from_value_rowids([1, 2, 3], [0, 0, 2]),
        "row numbers and rows": lambda: R.from_value_rowids([1, 2, 3], [0, 0, 2], nrows=5),
        "no row numbers": lambda: R.from_value_rowids(tf.zeros([0]), tf.zeros([0], tf.int64)),
        "uniform": lambda: R.from_uniform_row_length([1, 2, 3, 4], 2),
        "uniform of none": lambda: R.from_uniform_row_length(tf.zeros([0]), 0, nrows=3),
        "nested splits": lambda: R.from_nested_row_splits([1, 2, 3], [[0, 1, 2], [0, 2, 3]]),
        "nested lengths": lambda: R.from_nested_row_lengths([1, 2, 3], [[1, 1], [2, 1]]),
        "nested row numbers": lambda: R.from_nested_value_rowids([1, 2, 3], [[0, 1], [0, 0, 1]]),
        "nested row numbers and rows": lambda: R.from_nested_value_rowids([1, 2], [[0, 1], [0, 1]], [3, 2]),
        "values of rank 2": lambda: R.from_row_splits([[1, 2], [3, 4]], [0, 1, 2]),
        "tensor": lambda: R.from_tensor(padded),
        "tensor, lengths": lambda: R.from_tensor(padded, lengths=[2, 0, 3]),
        "tensor, lengths too long": lambda: R.from_tensor(padded, lengths=[2, 9, -1]),
        "tensor, nested lengths": lambda: R.from_tensor(tf.ones([2, 2, 3]), lengths=([1, 2], [3, 0, 1])),
        "tensor, padding": lambda: R.from_tensor(padded, padding=0),
        "tensor, padding of an element": lambda: R.from_tensor([[[1, 0], [0, 0]], [[0, 0], [0, 0]]], padding=[0, 0]),
        "tensor, padding, rank 2": lambda: R.from_tensor([padded, padded], padding=0, ragged_rank=2),
        "tensor, rank 2": lambda: R.from_tensor(tf.ones([2, 2, 3]), ragged_rank=2),
        "tensor, int32": lambda: R.from_tensor(padded, padding=0, row_splits_dtype=tf.int32),
        "constant": lambda: tf.ragged.constant([[1, 2], [], [3]]),
        "constant of floats": lambda: tf.ragged.constant([[1.0], [2.0, 3.0]]),
        "constant of texts": lambda: tf.ragged.constant([["a"], ["b", "c"]]),
        "constant of a dtype": lambda: tf.ragged.constant([[1], [2, 3]], tf.float64),
        "constant nested": lambda: tf.ragged.constant(nested),
        "constant, ragged_rank": lambda: tf.ragged.constant([[[1, 2]], [[3, 4], [5, 6]]], ragged_rank=1),
        "constant, inner_shape": lambda: tf.ragged.constant([[[1, 2]], [[3, 4], [5, 6]]], inner_shape=(2,)),
        "constant of nothing": lambda: tf.ragged.constant([]),
        "constant of empty rows": lambda: tf.ragged.constant([[], []]),
        "constant of empty rows of rows": lambda: tf.ragged.constant([[[]], []]),
        "constant, one dimension": lambda: tf.ragged.constant([1, 2]),
        "constant of a number": lambda: tf.ragged.constant(3),
        "constant of arrays": lambda: tf.ragged.constant([np.array([1, 2]), np.array([3])]),
        "constant, int32 splits": lambda: tf.ragged.constant([[1], []], row_splits_dtype=tf.int32),
        "range": lambda: tf.ragged.range([3, 0, 2]),
        "range of two": lambda: tf.ragged.range([1, 5], [3, 5]),
        "range of three": lambda: tf.ragged.range([0, 5], [6, 0], [2, -2]),
        "range of floats": lambda: tf.ragged.range([0.0, 1.0], [1.0, 1.5], 0.25),
        "range of a number": lambda: tf.ragged.range(3),
        "range of a dtype": lambda: tf.ragged.range([2, 1], dtype=tf.int64, row_splits_dtype=tf.int32),
        "segment ids": lambda: tf.ragged.row_splits_to_segment_ids([0, 2, 2, 3]),
        "row splits": lambda: tf.ragged.segment_ids_to_row_splits([0, 0, 2]),
        "row splits, count": lambda: tf.ragged.segment_ids_to_row_splits([0, 0, 2], num_segments=4),
    }


def refusals(tf):
    R = tf.RaggedTensor
    values = [1, 2, 3]
    return {
        "splits that begin late": lambda: R.from_row_splits(values, [1, 3]),
        "splits that end early": lambda: R.from_row_splits(values, [0, 2]),
        "splits that fall": lambda: R.from_row_splits(values, [0, 2, 1, 3]),
        "no splits": lambda: R.from_row_splits(values, []),
        "splits of rank 2": lambda: R.from_row_splits(values, [[0, 3]]),
        "splits of floats": lambda: R.from_row_splits(values, [0.0, 3.0]),
        "splits of another dtype": lambda: R.from_row_splits(R.from_row_splits(values, [0, 3]), tf.constant([0, 1])),
        "values of rank 0": lambda: R.from_row_splits(1, [0, 1]),
        "lengths that end early": lambda: R.from_row_lengths(values, [1, 1]),
        "negative length": lambda: R.from_row_lengths(values, [-1, 4]),
        "starts that begin late": lambda: R.from_row_starts(values, [1]),
        "limits that end early": lambda: R.from_row_limits(values, [2]),
        "row numbers that fall": lambda: R.from_value_rowids(values, [0, 1, 0]),
        "too few row numbers": lambda: R.from_value_rowids(values, [0]),
        "too few rows": lambda: R.from_value_rowids(values, [0, 0, 3], nrows=2),
        "negative rows": lambda: R.from_value_rowids(values, [0, 0, 3], nrows=-2),
        "uneven uniform rows": lambda: R.from_uniform_row_length(values, 2),
        "constructor": lambda: R(values, [0, 3]),
        "tensor, lengths and padding": lambda: R.from_tensor([[1]], [1], 0),
        "tensor of rank 1": lambda: R.from_tensor([1]),
        "constant of uneven depth": lambda: tf.ragged.constant([[1], 2]),
        "constant of empty lists too deep": lambda: tf.ragged.constant([[1], [[]]]),
        "constant, ragged_rank too high": lambda: tf.ragged.constant([[1], [2]], ragged_rank=2),
        "range, step 0": lambda: tf.ragged.range([1], [2], [0]),
        "hash": lambda: hash(tf.ragged.constant([[1]])),
        "bool": lambda: bool(tf.ragged.constant([[1]])),
        "len": lambda: len(tf.ragged.constant([[1]])),
        "as a tensor": lambda: tf.convert_to_tensor(tf.ragged.constant([[1]])),
        "other rows": lambda: tf.ragged.constant([[1], [2], [3]]) + tf.ragged.constant([[1], [2]]),
        "other splits": lambda: tf.ragged.constant([[1], [2, 3]]) + tf.ragged.constant([[1, 2], [3]]),
        "other dtype": lambda: tf.ragged.constant([[1]]) + tf.ragged.constant([[1.0]]),
        "tensor of other rows": lambda: refused(lambda: tf.ragged.constant([[1], [2, 3]]) + tf.ones([3, 1], tf.int32)),
        "with_values": lambda: tf.ragged.constant([[1], [2]]).with_values([1]),
        "with_flat_values": lambda: tf.ragged.constant([[[1]], [[2]]]).with_flat_values([1]),
        "map_flat_values": lambda: tf.ragged.map_flat_values(tf.reduce_sum, tf.ragged.constant([[1], [2]])),
        "to_tensor, default of a rank": lambda: tf.ragged.constant([[1], [2]]).to_tensor([1]),
        "to_tensor, default of a dtype": lambda: tf.ragged.constant([[1], [2]]).to_tensor(1.5),
        "row": lambda: tf.ragged.constant([[1], [2]])[5],
        "row before": lambda: tf.ragged.constant([[1], [2]])[-5],
        "element": lambda: tf.ragged.constant([[1], [2]])[0, 3],
        "column": lambda: tf.ragged.constant([[1], [2, 3]])[:, 0],
        "text": lambda: tf.ragged.constant([[1], [2]])["a"],
        "concat of other rows": lambda: refused(
            lambda: tf.concat([tf.ragged.constant([[1]]), tf.ragged.constant([[1], [2]])], 1)
        ),
        "concat of other ranks": lambda: tf.concat([tf.ragged.constant([[1]]), [1]], 0),
        "no axis": lambda: refused(lambda: tf.reduce_sum(tf.ragged.constant([[1]]), 2)),
        "mask of numbers": lambda: tf.ragged.boolean_mask([1], [1]),
        "mask of rank 0": lambda: tf.ragged.boolean_mask([1], True),
        "gather outside": lambda: refused(lambda: tf.gather(tf.ragged.constant([[1]]), [4])),
    }


def parts(tf):
    x = tf.ragged.constant([[1, 2, 3], [], [4, 5]])
    deep = tf.ragged.constant([[[1, 2], [3]], [], [[4, 5, 6]]])
    wide = tf.RaggedTensor.from_row_splits([[1.0, 2.0], [3.0, 4.0]], [0, 0, 2])
    uniform = tf.RaggedTensor.from_uniform_row_length(deep.values, 1)
    answers = {}
    for name, r in {"vector": x, "deep": deep, "wide": wide, "uniform": uniform}.items():
        answers |= {
            f"{name}: values": lambda r=r: r.values,
            f"{name}: flat_values": lambda r=r: r.flat_values,
            f"{name}: row_splits": lambda r=r: r.row_splits,
            f"{name}: nested_row_splits": lambda r=r: r.nested_row_splits,
            f"{name}: ragged_rank": lambda r=r: r.ragged_rank,
            f"{name}: shape": lambda r=r: r.shape,
            f"{name}: get_shape": lambda r=r: r.get_shape(),
            f"{name}: dtype": lambda r=r: r.dtype,
            f"{name}: uniform_row_length": lambda r=r: r.uniform_row_length,
            f"{name}: row_lengths": lambda r=r: r.row_lengths(),
            f"{name}: row_starts": lambda r=r: r.row_starts(),
            f"{name}: row_limits": lambda r=r: r.row_limits(),
            f"{name}: value_rowids": lambda r=r: r.value_rowids(),
            f"{name}: nested_row_lengths": lambda r=r: r.nested_row_lengths(),
            f"{name}: nested_value_rowids": lambda r=r: r.nested_value_rowids(),
            f"{name}: nrows": lambda r=r: r.nrows(),
            f"{name}: nrows int32": lambda r=r: r.nrows(tf.int32),
            f"{name}: bounding_shape": lambda r=r: r.bounding_shape(),
            f"{name}: bounding_shape of 1": lambda r=r: r.bounding_shape(axis=1),
            f"{name}: bounding_shape of two": lambda r=r: r.bounding_shape(axis=[0, 1], out_type=tf.int32),
            f"{name}: to_list": lambda r=r: r.to_list(),
            f"{name}: to_tensor": lambda r=r: r.to_tensor(),
            f"{name}: to_tensor with default": lambda r=r: r.to_tensor(-1),
            f"{name}: repr": lambda r=r: repr(r),
            f"{name}: str": lambda r=r: str(r),
            f"{name}: spec": lambda r=r: repr(tf.RaggedTensorSpec.from_value(r)),
            f"{name}: nest.flatten": lambda r=r: tf.nest.flatten({"a": r}, expand_composites=True),
            f"{name}: nest leaf": lambda r=r: tf.nest.flatten([r, 1]),
            f"{name}: map_structure": lambda r=r: tf.nest.map_structure(lambda t: t + 0, [r], expand_composites=True),
            f"{name}: pack": lambda r=r: tf.nest.pack_sequence_as(
                [r], tf.nest.flatten([r], expand_composites=True), expand_composites=True
            ),
            f"{name}: rows": lambda r=r: list(r),
            f"{name}: is_tensor": lambda r=r: tf.is_tensor(r),
            f"{name}: with int32 splits": lambda r=r: r.with_row_splits_dtype(tf.int32),
            f"{name}: merge_dims": lambda r=r: r.merge_dims(0, 1),
        }
    return answers | {
        "row_lengths of axis 2": lambda: deep.row_lengths(axis=2),
        "row_lengths of an inner axis": lambda: wide.row_lengths(axis=2),
        "merge_dims of the inner": lambda: deep.merge_dims(1, 2),
        "merge_dims of all": lambda: deep.merge_dims(0, 2),
        "merge_dims of a uniform inner": lambda: wide.merge_dims(1, 2),
        "merge_dims of all of a uniform inner": lambda: wide.merge_dims(0, -1),
        "with_values": lambda: x.with_values([5, 4, 3, 2, 1]),
        "with_flat_values": lambda: deep.with_flat_values([6, 5, 4, 3, 2, 1]),
        "to_tensor of a shape": lambda: x.to_tensor(shape=[None, 2]),
        "to_tensor of a larger shape": lambda: x.to_tensor(shape=[4, 5]),
        "to_tensor of fewer rows": lambda: x.to_tensor(7, shape=[2, None]),
        "deep to_tensor of a shape": lambda: deep.to_tensor(shape=[2, 1, 4]),
        "wide to_tensor, default of an element": lambda: wide.to_tensor([8.0, 9.0]),
        "to_tensor of texts": lambda: tf.ragged.constant([["a"], []]).to_tensor(),
        "to_tensor of no rows": lambda: tf.RaggedTensor.from_row_splits(tf.zeros([0]), [0]).to_tensor(),
        "to_tensor of empty rows": lambda: tf.ragged.constant([[], []]).to_tensor(),
        "numpy of uneven rows": lambda: [row.tolist() for row in x.numpy()],
        "numpy of even rows": lambda: tf.ragged.constant([[1, 2], [3, 4]]).numpy(),
        "repr of floats": lambda: repr(tf.ragged.constant([[1.5], [2.0, 0.1]])),
        "repr of texts": lambda: repr(tf.ragged.constant([["a"], ["b", "c"]])),
        "repr of booleans": lambda: repr(tf.ragged.constant([[True], []])),
        "repr of even rows": lambda: repr(tf.ragged.constant([[1, 2], [3, 4]])),
        "repr of no rows": lambda: repr(tf.RaggedTensor.from_row_splits(tf.zeros([0]), [0])),
        "spec": lambda: repr(tf.RaggedTensorSpec([None, None], tf.int32)),
        "spec of a rank": lambda: repr(tf.RaggedTensorSpec([None, None, 2], tf.int32, ragged_rank=1)),
        "spec of no shape": lambda: repr(tf.RaggedTensorSpec(None, tf.int32, 2)),
        "spec without anything": lambda: tf.RaggedTensorSpec(None, tf.int32),
        "spec of too many": lambda: tf.RaggedTensorSpec([None, None], tf.int32, 2),
        "spec fits": lambda: tf.RaggedTensorSpec([None, None], tf.int32).is_compatible_with(x),
        "spec does not fit": lambda: tf.RaggedTensorSpec([2, None], tf.int32).is_compatible_with(x),
        "specs are equal": lambda: tf.RaggedTensorSpec([3, None], tf.int32) == tf.RaggedTensorSpec.from_value(x),
        "spec's class": lambda: tf.RaggedTensorSpec([None, None]).value_type,
        "spec's class without splits": lambda: tf.RaggedTensorSpec([None], ragged_rank=0).value_type is tf.Tensor,
    }


def indexing(tf):
    x = tf.ragged.constant([[1, 2, 3], [], [4, 5]])
    deep = tf.ragged.constant([[[1, 2], [3]], [], [[4, 5, 6]]])
    wide = tf.RaggedTensor.from_row_splits([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [0, 1, 3])
    uniform = tf.RaggedTensor.from_uniform_row_length(tf.ragged.constant([[1], [2, 3], [], [4]]).values, 2)
    s = slice
    keys = {
        "0": 0,
        "-1": -1,
        "a tensor": tf.constant(2),
        "1:": s(1, None),
        ":1": s(None, 1),
        "1:1": s(1, 1),
        "-2:": s(-2, None),
        "::2": s(None, None, 2),
        "::-1": s(None, None, -1),
        "5:9": s(5, 9),
        ":": s(None),
        "...": ...,
        "newaxis": tf.newaxis,
        ":, :1": (s(None), s(None, 1)),
        ":, 1:": (s(None), s(1, None)),
        ":, :-1": (s(None), s(None, -1)),
        ":, -1:": (s(None), s(-1, None)),
        ":, -2:-1": (s(None), s(-2, -1)),
        ":, ::2": (s(None), s(None, None, 2)),
        ":, ::-1": (s(None), s(None, None, -1)),
        ":, 1::-1": (s(None), s(1, None, -1)),
        ":, 9:": (s(None), s(9, None)),
        "1:, :1": (s(1, None), s(None, 1)),
        "..., :1": (..., s(None, 1)),
        ":, newaxis": (s(None), tf.newaxis),
        "0, ...": (0, ...),
        "0, 0": (0, 0),
        "0, :1": (0, s(None, 1)),
        "0, -1": (0, -1),
    }
    answers = {
        f"{name}[{text}]": lambda r=r, key=key: r[key]
        for name, r in {"x": x, "deep": deep, "wide": wide, "uniform": uniform}.items()
        for text, key in keys.items()
    }
    return answers | {
        "deep[:, :, :1]": lambda: deep[:, :, :1],
        "deep[:, 0:1, 1:]": lambda: deep[:, 0:1, 1:],
        "deep[0, 0, 1]": lambda: deep[0, 0, 1],
        "deep[0, 1:, :1]": lambda: deep[0, 1:, :1],
        "wide[:, :, 0]": lambda: wide[:, :, 0],
        "wide[..., 1]": lambda: wide[..., 1],
        "wide[1, 0, 1]": lambda: wide[1, 0, 1],
        "uniform[:, 1]": lambda: uniform[:, 1],
        "uniform[:, -1]": lambda: uniform[:, -1],
        "gather": lambda: tf.gather(x, [2, 0, 0]),
        "gather of one": lambda: tf.gather(x, 2),
        "gather of none": lambda: tf.gather(x, tf.zeros([0], tf.int32)),
        "gather of a matrix": lambda: tf.gather(x, [[2], [0]]),
        "gather deep": lambda: tf.gather(deep, [2, 0]),
        "gather wide": lambda: tf.gather(wide, [1, 1]),
        "gather by ragged": lambda: tf.gather([10, 20, 30, 40, 50, 60], x),
        "gather rows by ragged": lambda: tf.gather(x, tf.ragged.constant([[2], [0, 0]])),
        "embedding_lookup": lambda: tf.nn.embedding_lookup(tf.reshape(tf.range(12.0), [6, 2]), x),
        "mask of rows": lambda: tf.ragged.boolean_mask(x, [True, False, True]),
        "mask of a vector": lambda: tf.ragged.boolean_mask([1, 2, 3], [True, False, True]),
        "mask of a matrix": lambda: tf.ragged.boolean_mask([[1, 2], [3, 4]], [[True, False], [True, True]]),
        "mask of ragged": lambda: tf.ragged.boolean_mask(x, x > 2),
        "mask of deep": lambda: tf.ragged.boolean_mask(deep, deep > 2),
        "mask of deep rows": lambda: tf.ragged.boolean_mask(deep, tf.ragged.constant([[True, False], [], [True]])),
    }


def arithmetic(tf):
    x = tf.ragged.constant([[1.0, -2.0, 3.0], [], [4.0, 0.5]])
    y = tf.ragged.constant([[2.0, 2.0, 4.0], [], [0.5, 3.0]])
    n = tf.ragged.constant([[7, -7], [], [5]])
    flags = tf.ragged.constant([[True, False], [], [True]])
    deep = tf.ragged.constant([[[1, 2], [3]], [], [[4, 5, 6]]])
    wide = tf.RaggedTensor.from_row_splits([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [0, 1, 3])
    unary = [
        *("abs", "acos", "asinh", "atan", "ceil", "cos", "cosh", "digamma", "erf", "exp", "expm1", "floor", "is_nan"),
        *("is_finite", "lgamma", "log1p", "log_sigmoid", "negative", "reciprocal", "rint", "round", "rsqrt", "sigmoid"),
        *("sign", "sin", "sinh", "softplus", "sqrt", "square", "tan", "tanh"),
    ]
    activations = ["relu", "relu6", "elu", "selu", "gelu", "leaky_relu", "silu", "softsign"]
    binary = [
        *(
            "add",
            "subtract",
            "multiply",
            "divide",
            "divide_no_nan",
            "floordiv",
            "floormod",
            "maximum",
            "minimum",
            "pow",
        ),
        *("squared_difference", "atan2", "greater", "less_equal", "equal", "not_equal", "xdivy", "truediv"),
    ]
    answers: dict = {f"math.{name}": lambda name=name: getattr(tf.math, name)(x) for name in unary}
    answers |= {f"nn.{name}": lambda name=name: getattr(tf.nn, name)(x) for name in activations}
    answers |= {f"{name}": lambda name=name: getattr(tf.math, name)(x, y) for name in binary}
    answers |= {f"{name} with a number": lambda name=name: getattr(tf.math, name)(x, 2.0) for name in binary}
    return answers | {
        "x + y": lambda: x + y,
        "x - 1": lambda: x - 1,
        "1 - x": lambda: 1 - x,
        "x * y": lambda: x * y,
        "2 * x": lambda: 2 * x,
        "x / y": lambda: x / y,
        "1 / y": lambda: 1 / y,
        "n / 2": lambda: n / 2,
        "n // 2": lambda: n // 2,
        "n % 4": lambda: n % 4,
        "y ** 2": lambda: y**2,
        "2 ** y": lambda: 2**y,
        "-x": lambda: -x,
        "abs(x)": lambda: abs(x),
        "x < y": lambda: x < y,
        "x >= 1": lambda: x >= 1,
        "x == y": lambda: x == y,
        "x == 4": lambda: x == 4,
        "x != y": lambda: x != y,
        "flags & flags": lambda: flags & flags,
        "flags | True": lambda: flags | True,
        "flags ^ flags": lambda: flags ^ flags,
        "~flags": lambda: ~flags,
        "tensor + x": lambda: tf.constant(1.0) + x,
        "x + tensor": lambda: x + tf.constant(1.0),
        "tensor < x": lambda: tf.constant(1.0) < x,
        "tensor == x": lambda: tf.constant(4.0) == x,
        "tensor / x": lambda: tf.constant(4.0) / y,
        "tensor & flags": lambda: tf.constant(True) & flags,
        "variable * x": lambda: tf.Variable(2.0) * x,
        "NumPy's number * x": lambda: np.float32(2) * x,
        "x + one row": lambda: tf.ragged.constant([[1], [2]]) + tf.ragged.constant([[3]]),
        "x + column": lambda: x + tf.constant([[10.0], [20.0], [30.0]]),
        "x + a matrix of one": lambda: x + [[10.0]],
        "x + matrix that fits": lambda: tf.ragged.constant([[1, 2], [3, 4]]) + tf.constant([[10, 20], [30, 40]]),
        "wide + row": lambda: wide + tf.constant([10.0, 20.0]),
        "wide + column": lambda: wide + tf.constant([[[10.0]], [[20.0]]]),
        "deep + 1": lambda: deep + 1,
        "deep + deep": lambda: deep + deep,
        "deep + column": lambda: deep + tf.constant([[[10]], [[20]], [[30]]]),
        "cast": lambda: tf.cast(x, tf.int32),
        "cast of deep": lambda: tf.cast(deep, tf.float32),
        "zeros_like": lambda: tf.zeros_like(x),
        "ones_like": lambda: tf.ones_like(deep, dtype=tf.float64),
        "identity": lambda: tf.identity(x),
        "stop_gradient": lambda: tf.stop_gradient(x),
        "clip_by_value": lambda: tf.clip_by_value(x, -1.0, 1.0),
        "size": lambda: tf.size(x),
        "rank": lambda: tf.rank(deep),
        "add_n": lambda: tf.add_n([x, y]),
        "where": lambda: tf.where(x > 1, x, y),
        "logical_not": lambda: tf.math.logical_not(flags),
        "logical_and": lambda: tf.math.logical_and(flags, flags),
        "map_flat_values": lambda: tf.ragged.map_flat_values(lambda v: v * 2 + 1, deep),
        "map_flat_values of two": lambda: tf.ragged.map_flat_values(tf.add, x, y),
        "map_flat_values of a list": lambda: tf.ragged.map_flat_values(tf.add_n, [x, y]),
        "map_flat_values by name": lambda: tf.ragged.map_flat_values(tf.one_hot, n, depth=6),
        "map_flat_values of a tensor": lambda: tf.ragged.map_flat_values(tf.negative, tf.constant([1])),
    }


def reductions(tf):
    x = tf.ragged.constant([[1.0, -2.0, 3.0], [4.0, 0.5], [7.0]])
    gap = tf.ragged.constant([[1, 5], [], [3]])
    deep = tf.ragged.constant([[[1.0, 2.0], [3.0]], [[4.0, 5.0, 6.0]]])
    wide = tf.RaggedTensor.from_row_splits([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [0, 1, 3])
    flags = tf.ragged.constant([[True, False], [], [True]])
    answers = {}
    for name in ("sum", "prod", "max", "min", "mean"):
        reduce = getattr(tf, f"reduce_{name}")
        for which, r, axes in (
            ("x", x, [None, 0, 1, -1, [0, 1]]),
            ("deep", deep, [None, 0, 1, 2, -1, [1, 2]]),
            ("wide", wide, [None, 0, 1, 2, -1]),
        ):
            for axis in axes:
                answers[f"{name} of {which} over {axis}"] = lambda f=reduce, r=r, axis=axis: f(r, axis)
        answers[f"{name} of x over 1, kept"] = lambda f=reduce: f(x, 1, keepdims=True)
        answers[f"{name} of x over 0, kept"] = lambda f=reduce: f(x, 0, keepdims=True)
        answers[f"{name} with an empty row"] = lambda f=reduce: f(tf.cast(gap, tf.float32), 1)
    for name in ("sum", "prod", "max", "min"):
        answers[f"{name} of integers"] = lambda name=name: getattr(tf, f"reduce_{name}")(gap, 1)
    for name in ("any", "all"):
        reduce = getattr(tf, f"reduce_{name}")
        for axis in (None, 0, 1, -1):
            answers[f"{name} over {axis}"] = lambda f=reduce, axis=axis: f(flags, axis)
    return answers | {"mean of integers": lambda: tf.reduce_mean(tf.ragged.constant([[1, 2], [4]]), 1)}


def arranging(tf):
    x = tf.ragged.constant([[1, 2], [], [3]])
    y = tf.ragged.constant([[4], [5, 6], []])
    deep = tf.ragged.constant([[[1, 2], [3]], [[4]]])
    return {
        "concat": lambda: tf.concat([x, y], 0),
        "concat on 1": lambda: tf.concat([x, y], 1),
        "concat on -1": lambda: tf.concat([x, y, x], -1),
        "concat with a tensor": lambda: tf.concat([x, tf.constant([[7, 8]])], 0),
        "concat with a tensor on 1": lambda: tf.concat([tf.constant([[7], [8], [9]]), x], 1),
        "concat of one": lambda: tf.concat([x], 0),
        "concat deep": lambda: tf.concat([deep, deep], 0),
        "concat deep on 1": lambda: tf.concat([deep, deep], 1),
        "concat deep on 2": lambda: tf.concat([deep, deep], 2),
        "stack": lambda: tf.stack([x, y]),
        "stack on 1": lambda: tf.stack([x, y], 1),
        "ragged.stack": lambda: tf.ragged.stack([x, y]),
        "ragged.stack of tensors": lambda: tf.ragged.stack([tf.constant([1, 2]), tf.constant([3])]),
        "ragged.stack of matrices": lambda: tf.ragged.stack([tf.ones([1, 2]), tf.ones([2, 3])]),
        "ragged.stack of tensors on 1": lambda: tf.ragged.stack([tf.constant([1, 2]), tf.constant([3, 4])], 1),
        "ragged.stack of scalars": lambda: tf.ragged.stack([tf.constant(1), tf.constant(2)]),
        "expand_dims": lambda: tf.expand_dims(x, 0),
        "expand_dims of 1": lambda: tf.expand_dims(x, 1),
        "expand_dims of 2": lambda: tf.expand_dims(x, 2),
        "expand_dims of -1": lambda: tf.expand_dims(deep, -1),
    }


def gradients(tf):
    def slope(function, *ragged):
        values = [tf.Variable(r.flat_values) for r in ragged]
        with tf.GradientTape() as tape:
            result = function(*[r.with_flat_values(v) for r, v in zip(ragged, values, strict=True)])
        return [tf.convert_to_tensor(g) for g in tape.gradient(result, values)]

    x = tf.ragged.constant([[1.0, -2.0, 3.0], [], [4.0, 0.5]])
    y = tf.ragged.constant([[2.0, 2.0, 4.0], [], [0.5, 3.0]])
    weights = tf.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])

    def of_composites():
        with tf.GradientTape() as tape:
            tape.watch(x)
            z = x * x
        return tape.gradient(z, x)

    def with_an_output_gradient():
        with tf.GradientTape() as tape:
            tape.watch(x)
            z = tf.reduce_sum(x * y, 1)
        return tape.gradient(z, [x], output_gradients=[tf.constant([1.0, 2.0, 3.0])])

    return {
        "product": lambda: slope(lambda a, b: (a * b).flat_values, x, y),
        "sum of rows": lambda: slope(lambda a: tf.reduce_sum(a * a, 1), x),
        "mean of rows": lambda: slope(lambda a: tf.reduce_mean(a * a, 1)[::2], x),
        "largest of rows": lambda: slope(lambda a: tf.reduce_max(a, 1), x),
        "sum of columns": lambda: slope(lambda a: tf.reduce_sum(a * a, 0), x),
        "to_tensor": lambda: slope(lambda a: a.to_tensor(9.0) * weights, x),
        "slice": lambda: slope(lambda a: a[:, :2].to_tensor() * weights[:, :2], x),
        "row": lambda: slope(lambda a: a[2] ** 2, x),
        "concat": lambda: slope(lambda a, b: tf.concat([a, b], 1).flat_values ** 2, x, y),
        "of a ragged tensor": of_composites,
        "with an output gradient": with_an_output_gradient,
    }


def functions(tf):
    x = tf.ragged.constant([[1.0, 2.0], [], [3.0]])
    y = tf.ragged.constant([[1.0], [2.0, 5.0], [3.0, 4.0]])

    @tf.function
    def doubled(r):
        return r * 2

    @tf.function
    def sums(r):
        return {"rows": tf.reduce_sum(r, 1), "all": tf.reduce_sum(r), "itself": r}

    @tf.function
    def filled(r):
        return r.to_tensor(-1.0)

    @tf.function
    def cut(values, lengths):
        return tf.RaggedTensor.from_row_lengths(values, lengths)

    def slope():
        with tf.GradientTape() as tape:
            tape.watch(x)
            z = tf.reduce_sum(doubled(x) ** 2)
        return tape.gradient(z, x)

    return {
        "doubled": lambda: [doubled(x), doubled(y), doubled(x)],
        "sums": lambda: [sums(x), sums(y)],
        "filled": lambda: [filled(x), filled(y)],
        "cut": lambda: [
            cut(tf.constant([1.0, 2.0, 3.0]), tf.constant([1, 2])),
            cut(tf.constant([1.0, 2.0, 3.0]), tf.constant([3, 0])),
        ],
        "cut wrongly": lambda: refused(lambda: cut(tf.constant([1.0, 2.0, 3.0]), tf.constant([1, 1]))),
        "gradient": slope,
    }


def datasets(tf):
    d = tf.data.Dataset
    x = tf.ragged.constant([[1, 2, 3], [], [4, 5], [6]])
    deep = tf.ragged.constant([[[1, 2], [3]], [], [[4, 5, 6]]])
    growing = d.range(1, 4).map(lambda n: tf.range(n))

    def asked(dataset):
        return [repr(dataset.element_spec), list(dataset)]

    return {
        "slices": lambda: asked(d.from_tensor_slices(x)),
        "slices of deep": lambda: asked(d.from_tensor_slices(deep)),
        "slices of a dict": lambda: asked(d.from_tensor_slices({"a": deep, "b": [1, 2, 3]})),
        "slices of other rows": lambda: d.from_tensor_slices((x, [1])),
        "slices in batches": lambda: asked(d.from_tensor_slices(x).batch(3)),
        "slices in whole batches": lambda: asked(d.from_tensor_slices(x).batch(3, drop_remainder=True)),
        "slices of deep in batches": lambda: asked(d.from_tensor_slices(deep).batch(2)),
        "slices with labels in batches": lambda: asked(d.from_tensor_slices((x, [0, 1, 0, 1])).batch(3)),
        "slices skipped": lambda: asked(d.from_tensor_slices(x).skip(1).take(2).batch(2)),
        "slices repeated": lambda: asked(d.from_tensor_slices(x).repeat(2).batch(3)),
        "slices mapped": lambda: asked(d.from_tensor_slices(deep).map(lambda row: row + 1)),
        "slices filtered, in batches": lambda: asked(
            d.from_tensor_slices(x).filter(lambda row: tf.size(row) > 0).batch(2)
        ),
        "slices concatenated, in batches": lambda: asked(
            d.from_tensor_slices(x).concatenate(d.from_tensor_slices(x)).batch(5)
        ),
        "slices zipped, in batches": lambda: asked(d.zip((d.from_tensor_slices(x), d.range(4))).batch(3)),
        "slices cached, in batches": lambda: asked(d.from_tensor_slices(x).cache().batch(3)),
        "slices ahead, in batches": lambda: asked(d.from_tensor_slices(x).prefetch(1).batch(3)),
        "slices of even rows in batches": lambda: asked(d.from_tensor_slices(tf.ragged.constant([[1], [2]])).batch(2)),
        "slices padded": lambda: d.from_tensor_slices(x).padded_batch(2),
        "from_tensors": lambda: asked(d.from_tensors(x)),
        "from_tensors in batches": lambda: asked(d.from_tensors(x).repeat(2).batch(2)),
        "from_tensors unbatched": lambda: asked(d.from_tensors(deep).unbatch()),
        "from_tensors unbatched, in batches": lambda: asked(d.from_tensors(x).unbatch().batch(3)),
        "from_tensors in new batches": lambda: asked(d.from_tensors(x).rebatch(3)),
        "from_generator": lambda: asked(
            d.from_generator(lambda: iter([x, x]), output_signature=tf.RaggedTensorSpec([None, None], tf.int32))
        ),
        "from_generator of another dtype": lambda: refused(
            lambda: list(
                d.from_generator(lambda: iter([x]), output_signature=tf.RaggedTensorSpec([None, None], tf.float32))
            )
        ),
        "mapped to ragged": lambda: asked(
            d.range(1, 4).map(lambda n: tf.RaggedTensor.from_row_lengths(tf.range(n), [1, n - 1]))
        ),
        "as arrays": lambda: [row.tolist() for row in d.from_tensor_slices(x).as_numpy_iterator()],
        "ragged_batch": lambda: asked(growing.ragged_batch(2)),
        "ragged_batch of whole batches": lambda: asked(growing.ragged_batch(2, drop_remainder=True)),
        "ragged_batch with int32 splits": lambda: asked(growing.ragged_batch(2, row_splits_dtype=tf.int32)),
        "ragged_batch of pairs": lambda: asked(d.zip((growing, d.range(3))).ragged_batch(2)),
        "ragged_batch of matrices": lambda: asked(d.range(1, 4).map(lambda n: tf.ones([n, n + 1])).ragged_batch(2)),
        "ragged_batch of wide rows": lambda: asked(d.range(1, 4).map(lambda n: tf.ones([n, 2])).ragged_batch(2)),
        "ragged_batch of columns": lambda: asked(d.range(1, 4).map(lambda n: tf.ones([2, n])).ragged_batch(2)),
        "ragged_batch of ragged": lambda: asked(growing.ragged_batch(2).ragged_batch(2)),
        "ragged_batch mapped": lambda: asked(growing.ragged_batch(2).map(lambda r: tf.reduce_sum(r, 1))),
        "ragged_batch filled": lambda: asked(growing.ragged_batch(2).map(lambda r: r.to_tensor())),
        "ragged_batch unbatched": lambda: asked(growing.ragged_batch(2).unbatch()),
        "ragged_batch of 0": lambda: refused(lambda: list(growing.ragged_batch(0))),
        "dense_to_ragged_batch": lambda: asked(growing.apply(tf.data.experimental.dense_to_ragged_batch(2))),
        "buckets of ragged": lambda: d.from_tensor_slices(x).bucket_by_sequence_length(
            lambda row: tf.shape(row)[0], [2], [2, 2]
        ),
    }


def dispatched(tf):
    numbers = tf.ragged.constant([[1, 2, 3], [], [4]])
    floats = tf.ragged.constant([[1.0, 2.0, 0.5], [], [-4.0]])
    nested = tf.ragged.constant([[[1, 2], [3]], [], [[4], [], [5, 6]]])
    pairs = tf.RaggedTensor.from_row_splits([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [0, 2, 2, 3])
    truths = tf.ragged.constant([[True, False, True], [], [False]])
    complexes = tf.ragged.constant([[1 + 2j], [3j, 1]])
    return {
        "tile(numbers, [2, 2])": lambda: tf.tile(numbers, [2, 2]),
        "tile(pairs, [1, 2, 2])": lambda: tf.tile(pairs, [1, 2, 2]),
        "tile(nested, [1, 1, 2])": lambda: tf.tile(nested, [1, 1, 2]),
        "tile(numbers, constant([2, 1], int64))": lambda: tf.tile(numbers, tf.constant([2, 1], tf.int64)),
        "tile(numbers, [0, 1])": lambda: tf.tile(numbers, [0, 1]),
        "reverse(numbers, [0])": lambda: tf.reverse(numbers, [0]),
        "reverse(numbers, [-1])": lambda: tf.reverse(numbers, [-1]),
        "reverse(nested, [1])": lambda: tf.reverse(nested, [1]),
        "reverse(nested, [0, 1, 2])": lambda: tf.reverse(nested, [0, 1, 2]),
        "reverse(pairs, [2])": lambda: tf.reverse(pairs, [2]),
        "reverse(pairs, [0, 1])": lambda: tf.reverse(pairs, [0, 1]),
        "reverse(numbers, [2])": lambda: tf.reverse(numbers, [2]),
        "concat([numbers, numbers], 0)": lambda: tf.concat([numbers, numbers], 0),
        "concat([numbers, numbers], 1)": lambda: tf.concat([numbers, numbers], 1),
        "concat([numbers, [[1], [2], [3]]], 1)": lambda: tf.concat([numbers, [[1], [2], [3]]], 1),
        "concat([nested, nested], 2)": lambda: tf.concat([nested, nested], 2),
        "concat([nested, nested], -1)": lambda: tf.concat([nested, nested], -1),
        "concat([pairs, pairs], 2)": lambda: tf.concat([pairs, pairs], 2),
        "squeeze(expand_dims(numbers, 0), [0])": lambda: tf.squeeze(tf.expand_dims(numbers, 0), [0]),
        "squeeze(expand_dims(numbers, 0))": lambda: tf.squeeze(tf.expand_dims(numbers, 0)),
        "squeeze(expand_dims(numbers, -1), [-1])": lambda: tf.squeeze(tf.expand_dims(numbers, -1), [-1]),
        "squeeze(expand_dims(numbers, 1))": lambda: tf.squeeze(tf.expand_dims(numbers, 1)),
        "squeeze(numbers, [1])": lambda: tf.squeeze(numbers, [1]),
        "where(numbers>1, numbers, -numbers)": lambda: tf.where(numbers > 1, numbers, -numbers),
        "where(numbers>1)": lambda: tf.where(numbers > 1),
        "where(truths)": lambda: tf.where(truths),
        "where(truths, numbers, 0)": lambda: tf.where(truths, numbers, 0),
        "where(truths, 1, 0)": lambda: tf.where(truths, 1, 0),
        "where([True, False, True], numbers, -numbers)": lambda: tf.where([True, False, True], numbers, -numbers),
        "gather(numbers, [2, 0])": lambda: tf.gather(numbers, [2, 0]),
        "gather(numbers, [[2, 0], [1, 1]])": lambda: tf.gather(numbers, [[2, 0], [1, 1]]),
        "gather(numbers, ragged.constant([[2], [0, 1]]))": lambda: tf.gather(
            numbers, tf.ragged.constant([[2], [0, 1]])
        ),
        "gather([10, 20, 30, 40, 50], numbers)": lambda: tf.gather([10, 20, 30, 40, 50], numbers),
        "gather(numbers, ragged.constant([[2], [], [0]]), batch_dims=1)": lambda: tf.gather(
            numbers, tf.ragged.constant([[2], [], [0]]), batch_dims=1
        ),
        "gather(ragged.constant([[1, 2], [3]]), [[0], [0]], batch_dims=1)": lambda: tf.gather(
            tf.ragged.constant([[1, 2], [3]]), [[0], [0]], batch_dims=1
        ),
        "gather(ragged.constant([[1, 2], [3]]), [0], axis=1)": lambda: tf.gather(
            tf.ragged.constant([[1, 2], [3]]), [0], axis=1
        ),
        "gather(nested, [0], axis=0)": lambda: tf.gather(nested, [0], axis=0),
        "gather(pairs, [1, 0], axis=2)": lambda: tf.gather(pairs, [1, 0], axis=2),
        "gather_nd(numbers, [[0, 1], [2, 0]])": lambda: tf.gather_nd(numbers, [[0, 1], [2, 0]]),
        "gather_nd(numbers, [[0], [2]])": lambda: tf.gather_nd(numbers, [[0], [2]]),
        "gather_nd(nested, [[0, 1], [2, 0]])": lambda: tf.gather_nd(nested, [[0, 1], [2, 0]]),
        "gather_nd(nested, [[0, 1, 0]])": lambda: tf.gather_nd(nested, [[0, 1, 0]]),
        "gather_nd(constant([10, 20, 30]), ragged.constant([[[1], [2]], [[0]]], ragged_rank=1))": lambda: tf.gather_nd(
            tf.constant([10, 20, 30]), tf.ragged.constant([[[1], [2]], [[0]]], ragged_rank=1)
        ),
        "bitcast(numbers, uint32)": lambda: tf.bitcast(numbers, tf.uint32),
        "dtypes.saturate_cast(numbers, int8)": lambda: tf.dtypes.saturate_cast(numbers, tf.int8),
        "dtypes.complex(floats, floats)": lambda: tf.dtypes.complex(floats, floats),
        "math.real(complexes)": lambda: tf.math.real(complexes),
        "math.imag(complexes)": lambda: tf.math.imag(complexes),
        "math.conj(complexes)": lambda: tf.math.conj(complexes),
        "math.angle(complexes)": lambda: tf.math.angle(complexes),
        "one_hot(numbers, 3)": lambda: tf.one_hot(numbers, 3),
        "one_hot(numbers, 3, axis=1)": lambda: tf.one_hot(numbers, 3, axis=1),
        "reduce_mean(numbers, 1)": lambda: tf.reduce_mean(numbers, 1),
        "reduce_mean(nested, [1, 2])": lambda: tf.reduce_mean(nested, [1, 2]),
        "reduce_mean(nested, [0, 1])": lambda: tf.reduce_mean(nested, [0, 1]),
        "reduce_mean(floats)": lambda: tf.reduce_mean(floats),
        "reduce_mean(pairs, [1, 2])": lambda: tf.reduce_mean(pairs, [1, 2]),
        "reduce_mean(pairs)": lambda: tf.reduce_mean(pairs),
        "math.reduce_variance(floats)": lambda: tf.math.reduce_variance(floats),
        "math.reduce_variance(floats, 1)": lambda: tf.math.reduce_variance(floats, 1),
        "math.reduce_variance(floats, 0)": lambda: tf.math.reduce_variance(floats, 0),
        "math.reduce_std(floats, 1)": lambda: tf.math.reduce_std(floats, 1),
        "math.reduce_std(floats)": lambda: tf.math.reduce_std(floats),
        "math.reduce_variance(numbers, 1)": lambda: tf.math.reduce_variance(numbers, 1),
        "math.reduce_std(numbers)": lambda: tf.math.reduce_std(numbers),
        "reduce_mean(numbers, 1, keepdims=True)": lambda: tf.reduce_mean(numbers, 1, keepdims=True),
        "reduce_mean(numbers, 0, keepdims=True)": lambda: tf.reduce_mean(numbers, 0, keepdims=True),
        "math.unsorted_segment_sum(numbers, [0, 0, 1], 3)": lambda: tf.math.unsorted_segment_sum(numbers, [0, 0, 1], 3),
        "math.unsorted_segment_mean(floats, [0, 2, 1], 3)": lambda: tf.math.unsorted_segment_mean(floats, [0, 2, 1], 3),
        "math.unsorted_segment_max(floats, [0, 0, 1], 3)": lambda: tf.math.unsorted_segment_max(floats, [0, 0, 1], 3),
        "math.unsorted_segment_min(floats, [0, 0, 1], 3)": lambda: tf.math.unsorted_segment_min(floats, [0, 0, 1], 3),
        "math.unsorted_segment_prod(floats, [0, 0, 1], 3)": lambda: tf.math.unsorted_segment_prod(floats, [0, 0, 1], 3),
        "math.unsorted_segment_sqrt_n(floats, [0, 0, 1], 3)": lambda: tf.math.unsorted_segment_sqrt_n(
            floats, [0, 0, 1], 3
        ),
        "nn.softmax(floats)": lambda: tf.nn.softmax(floats),
        "nn.dropout(floats, 0.)": lambda: tf.nn.dropout(floats, 0.0),
        "nn.embedding_lookup(ones((5, 2)), numbers)": lambda: tf.nn.embedding_lookup(tf.ones((5, 2)), numbers),
        "split(numbers, 3)": lambda: tf.split(numbers, 3),
        "split(numbers, [1, 2])": lambda: tf.split(numbers, [1, 2]),
        "split(pairs, 2, axis=2)": lambda: tf.split(pairs, 2, axis=2),
        "dynamic_partition(numbers, [0, 1, 0], 2)": lambda: tf.dynamic_partition(numbers, [0, 1, 0], 2),
        "dynamic_partition([10, 20, 30], constant([0, 1, 0]), 2)": lambda: tf.dynamic_partition(
            [10, 20, 30], tf.constant([0, 1, 0]), 2
        ),
        "ragged.stack_dynamic_partitions(numbers, [0, 1, 0], 2)": lambda: tf.ragged.stack_dynamic_partitions(
            numbers, [0, 1, 0], 2
        ),
        "ragged.stack_dynamic_partitions([1, 2, 3], [0, 1, 0], 2)": lambda: tf.ragged.stack_dynamic_partitions(
            [1, 2, 3], [0, 1, 0], 2
        ),
        "math.bincount(numbers)": lambda: tf.math.bincount(numbers),
        "math.bincount(numbers, axis=-1)": lambda: tf.math.bincount(numbers, axis=-1),
        "math.bincount(numbers, minlength=3, axis=-1, binary_output=True)": lambda: tf.math.bincount(
            numbers, minlength=3, axis=-1, binary_output=True
        ),
        "function(lambda r: tile(r, [2, 1]))(numbers)": lambda: tf.function(lambda r: tf.tile(r, [2, 1]))(numbers),
        "function(lambda r: reverse(r, [1]))(numbers)": lambda: tf.function(lambda r: tf.reverse(r, [1]))(numbers),
        "function(lambda r: reduce_mean(r))(numbers)": lambda: tf.function(lambda r: tf.reduce_mean(r))(numbers),
        "embedding_lookup(max_norm)": lambda: tf.nn.embedding_lookup(tf.ones([5, 4]), numbers, max_norm=1.0),
        **{
            f"{name} of {dtype}, axis {axis}, keepdims {keepdims}": lambda name=name, dtype=dtype, axis=axis, keepdims=keepdims: (
                getattr(tf.math, name)(tf.cast(tf.ragged.constant([[1, 2, 4], [5], [3, 3]]), dtype), axis, keepdims)
            )
            for name in ("reduce_sum", "reduce_prod", "reduce_max", "reduce_min", "reduce_mean", "reduce_variance")
            for dtype in ("int32", "int64", "float32", "float64")
            for axis in (None, 0, 1, -1)
            for keepdims in (False, True)
        },
    }


def maps(tf):
    """``tf.map_fn`` of ragged and sparse tensors, and with such results."""
    numbers = tf.ragged.constant([[3, 1, 4], [], [1, 5]])
    deep = tf.ragged.constant([[[1, 2], [3]], [], [[4, 5, 6]]])
    sparse = tf.sparse.from_dense([[1, 0], [2, 3]])
    ints, rows = tf.int32, tf.RaggedTensorSpec([None], tf.int32)
    deep_rows = tf.RaggedTensorSpec([None, None], tf.int32)
    mapped = tf.map_fn

    def gradient(signature):
        v = tf.Variable([1.0, 2.0, 3.0])
        with tf.GradientTape() as tape:
            ragged = tf.RaggedTensor.from_row_splits(v * 2.0, [0, 1, 3])
            loss = tf.reduce_sum(mapped(lambda row: row * row, ragged, fn_output_signature=signature))
        return tape.gradient(loss, v)

    square = tf.function(lambda x: mapped(lambda row: row * row, x))
    return {
        "numbers": lambda: mapped(tf.reduce_sum, numbers, fn_output_signature=ints),
        "rows": lambda: mapped(lambda row: row * row, numbers),
        "rows by signature": lambda: mapped(lambda row: row[1:], numbers, fn_output_signature=rows),
        "rows of numbers": lambda: mapped(tf.range, tf.constant([3, 0, 2]), fn_output_signature=rows),
        "deep": lambda: mapped(lambda row: row + 1, deep),
        "deep to rows": lambda: mapped(lambda row: tf.reduce_sum(row, 1), deep, fn_output_signature=rows),
        "deep to numbers": lambda: mapped(tf.reduce_sum, deep, fn_output_signature=ints),
        "numbers to deep": lambda: mapped(
            lambda n: tf.ragged.range(tf.range(n)), tf.constant([3, 0, 2]), fn_output_signature=deep_rows
        ),
        "with a tensor": lambda: mapped(
            lambda pair: pair[0] * pair[1], (numbers, tf.constant([1, 2, 3])), fn_output_signature=rows
        ),
        "two results": lambda: mapped(lambda row: (row, tf.size(row)), numbers, fn_output_signature=(rows, ints)),
        "shape": lambda: mapped(lambda row: row, numbers).shape.as_list(),
        "no rows": lambda: mapped(lambda row: row, tf.ragged.constant([], ragged_rank=1, dtype=ints)),
        "no numbers": lambda: mapped(tf.range, tf.zeros([0], ints), fn_output_signature=rows),
        "in a function": lambda: [square(numbers), square(tf.ragged.constant([[1], [2, 3]]))],
        "gradient": lambda: gradient(tf.RaggedTensorSpec([None], tf.float32)),
        "strings": lambda: mapped(
            tf.strings.reduce_join, tf.ragged.constant([["a", "b"], ["c"]]), fn_output_signature=tf.string
        ),
        "sparse to numbers": lambda: mapped(tf.sparse.reduce_sum, sparse, fn_output_signature=ints),
        "sparse": lambda: mapped(lambda row: row, sparse),
        "to sparse": lambda: mapped(
            tf.sparse.from_dense, tf.constant([[1, 0], [2, 3]]), fn_output_signature=tf.SparseTensorSpec([None], ints)
        ),
        "other dtype": lambda: mapped(
            lambda row: row, numbers, fn_output_signature=tf.RaggedTensorSpec([None], tf.int64)
        ),
        "rows as numbers": lambda: mapped(lambda row: row[:1], numbers, fn_output_signature=ints),
        "numbers of rows": lambda: mapped(
            lambda pair: pair[0], (numbers, tf.constant([1, 2])), fn_output_signature=rows
        ),
        "other structure": lambda: mapped(lambda row: (row, row), numbers, fn_output_signature=rows),
        "other rank": lambda: mapped(lambda row: tf.stack([row, row]), numbers, fn_output_signature=rows),
    }
