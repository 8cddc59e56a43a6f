"""What tensors, variables, dtypes and shapes look like as text."""

import contextlib
import io

import numpy as np


def tensor_repr(tf):
    return {
        "scalar": lambda: repr(tf.constant(0.1)),
        "scalar half": lambda: repr(tf.constant(2.5)),
        "scalar whole": lambda: repr(tf.constant(6.0)),
        "scalar float64": lambda: repr(tf.constant(0.1, tf.float64)),
        "scalar float16": lambda: repr(tf.constant(0.1, tf.float16)),
        "scalar bfloat16": lambda: repr(tf.constant(0.5, tf.bfloat16)),
        "scalar int": lambda: repr(tf.constant(7)),
        "scalar int64": lambda: repr(tf.constant(-7, tf.int64)),
        "scalar uint8": lambda: repr(tf.constant(200, tf.uint8)),
        "scalar bool": lambda: repr(tf.constant(True)),
        "scalar nan": lambda: repr(tf.constant(float("nan"))),
        "scalar infinity": lambda: repr(tf.constant(float("-inf"))),
        "scalar tiny": lambda: repr(tf.constant(1e-30)),
        "scalar huge": lambda: repr(tf.constant(3e38)),
        "vector": lambda: repr(tf.constant([1.0, 2.5])),
        "vector float64": lambda: repr(tf.constant([1.0, 2.5], tf.float64)),
        "vector int": lambda: repr(tf.constant([1, 2, 3])),
        "vector int64": lambda: repr(tf.constant([1, 2, 3], tf.int64)),
        "vector bool": lambda: repr(tf.constant([True, False])),
        "vector bfloat16": lambda: repr(tf.constant([1, 0.5], tf.bfloat16)),
        "matrix": lambda: repr(tf.constant([[1.0, 2.0], [3.0, 4.0]])),
        "matrix 1x1": lambda: repr(tf.constant([[2.0]])),
        "cube": lambda: repr(tf.zeros((2, 1, 2))),
        "empty": lambda: repr(tf.zeros((0,))),
        "empty matrix": lambda: repr(tf.zeros((0, 3))),
        "wraps at 75 columns": lambda: repr(tf.range(40)),
        "mixed magnitudes": lambda: repr(tf.constant([1e-8, 1.0, 1e8])),
        "not finite": lambda: repr(tf.constant([float("nan"), float("inf"), -1.0])),
    }


def tensor_str(tf):
    return {
        "scalar": lambda: str(tf.constant(0.1)),
        "scalar whole": lambda: str(tf.constant(6.0)),
        "scalar int": lambda: str(tf.constant(7)),
        "scalar bool": lambda: str(tf.constant(False)),
        "vector": lambda: str(tf.constant([1.0, 2.5])),
        "matrix": lambda: str(tf.constant([[1, 2], [3, 4]])),
        "empty": lambda: str(tf.zeros((0, 3))),
        "cube": lambda: str(tf.zeros((2, 1, 2), tf.int64)),
        "summarised": lambda: str(tf.range(2000)),
        "bfloat16": lambda: str(tf.constant([1, 0.5], tf.bfloat16)),
    }


def formatting(tf):
    def printed(value):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            print(value)
        return out.getvalue()

    return {
        "print": lambda: printed(tf.constant([1.0])),
        "print of a list shows reprs": lambda: printed([tf.constant(1.0)]),
        "f-string": lambda: f"{tf.constant(1.5)}",
        "f-string of a number": lambda: f"{float(tf.constant(1.5)):.3f}",
        "format of a numpy scalar": lambda: f"{tf.constant(1.5).numpy():.2f}",
        "percent": lambda: "%s" % tf.constant(2),  # noqa: UP031 (the old spelling is the question)
        "format spec on a scalar": lambda: f"{tf.constant(1.5):.2f}",
        "format spec on a vector": lambda: f"{tf.constant([1.5]):.2f}",
        "percent f on a scalar": lambda: "%.2f" % tf.constant(1.5),  # noqa: UP031
    }


def variable_repr(tf):
    return {
        "named": lambda: repr(tf.Variable([0.0], name="weight")),
        "default name": lambda: repr(tf.Variable(1.0)),
        "default name twice": lambda: [repr(tf.Variable(1.0)), repr(tf.Variable(2.0))],
        "same name twice": lambda: [tf.Variable(1.0, name="w").name, tf.Variable(1.0, name="w").name],
        "str": lambda: str(tf.Variable([0.0], name="weight")),
        "matrix": lambda: repr(tf.Variable([[1.0, 2.0], [3.0, 4.0]], name="kernel")),
        "int": lambda: repr(tf.Variable(3, name="step")),
        "int64": lambda: repr(tf.Variable(3, dtype=tf.int64, trainable=False)),
        "bool": lambda: repr(tf.Variable(True)),
        "after assign": lambda: repr(_assigned(tf.Variable([1.0, 2.0], name="v"), [3.0, 4.0])),
        "empty": lambda: repr(tf.Variable(tf.zeros((0, 2)), name="none")),
        "name": lambda: tf.Variable(1.0).name,
        "explicit name": lambda: tf.Variable(1.0, name="a/b").name,
        "in a name scope": lambda: _named_in_scope(tf),
        "in two name scopes": lambda: _named_in_scope(tf, "outer"),
    }


def _assigned(variable, value):
    variable.assign(value)
    return variable


def _named_in_scope(tf, outer=None):
    with tf.name_scope(outer or "only"), tf.name_scope("scope"):
        return tf.Variable(1.0, name="v").name


def slices_repr(tf):
    return {
        "str of values": lambda: str(tf.IndexedSlices(tf.constant([[1.0]]), tf.constant([2])).values),
        "is a tensor": lambda: isinstance(tf.IndexedSlices(tf.constant([[1.0]]), tf.constant([2])), tf.Tensor),
    }


def dtype_text(tf):
    names = [
        "float16",
        "bfloat16",
        "float32",
        "float64",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "bool",
    ]
    answers = {f"repr {name}": repr(getattr(tf, name)) for name in names}
    answers |= {f"str {name}": str(getattr(tf, name)) for name in names}
    return answers | {
        "name": tf.float32.name,
        "as_numpy_dtype": tf.float32.as_numpy_dtype,
        "size": [tf.float32.size, tf.float64.size, tf.bool.size, tf.bfloat16.size],
        "max": [float(tf.float32.max), int(tf.int8.max), int(tf.int64.max)],
        "min": [float(tf.float32.min), int(tf.int8.min), int(tf.uint8.min)],
        "is_floating": [tf.float32.is_floating, tf.bfloat16.is_floating, tf.int32.is_floating, tf.bool.is_floating],
        "is_integer": [tf.int32.is_integer, tf.uint8.is_integer, tf.float32.is_integer, tf.bool.is_integer],
        "is_complex": [tf.float32.is_complex],
        "is_bool": [tf.bool.is_bool, tf.int32.is_bool],
        "is_unsigned": [tf.uint8.is_unsigned, tf.int8.is_unsigned],
        "same objects": [tf.half is tf.float16, tf.double is tf.float64, tf.dtypes.float32 is tf.float32],
        "in f-string": f"{tf.float32}",
        "as_dtype": [tf.as_dtype("float32"), tf.as_dtype(np.float64), tf.as_dtype(tf.int8), tf.dtypes.as_dtype("bool")],
        "as_dtype float": lambda: tf.as_dtype(float),
        "as_dtype bool": lambda: tf.as_dtype(bool),
        "as_dtype unknown": lambda: tf.as_dtype("float17"),
    }


def dtype_equality(tf):
    return {
        "string": tf.float32 == "float32",
        "numpy type": tf.float32 == np.float32,
        "numpy dtype": tf.float32 == np.dtype("float32"),
        "numpy dtype on the left": np.dtype("float32") == tf.float32,
        "itself": tf.float32 == tf.float32,
        "another": tf.float32 == tf.float64,
        "another string": tf.float32 == "float64",
        "not equal": tf.float32 != "float64",
        "None": tf.float32 == None,  # noqa: E711 (equality with None is the question)
        "nonsense": lambda: tf.float32 == "nonsense",
        "of a tensor": tf.constant(1.0).dtype == tf.float32,
        "in a tuple": tf.constant(1).dtype in (tf.int32, tf.int64),
        "in a tuple of strings": tf.constant(1).dtype in ("int32",),
        "as a dict key": {tf.float32: 1}[tf.float32],
        "to numpy": lambda: np.zeros(1, tf.float32.as_numpy_dtype).dtype,
    }


def shapes(tf):
    shape = tf.zeros((2, 3)).shape
    return {
        "str": lambda: str(shape),
        "repr": lambda: repr(shape),
        "str scalar": lambda: str(tf.constant(1.0).shape),
        "str vector": lambda: str(tf.constant([1.0]).shape),
        "repr scalar": lambda: repr(tf.constant(1.0).shape),
        "repr vector": lambda: repr(tf.zeros(3).shape),
        "f-string": lambda: f"{shape}",
        "equals tuple": shape == (2, 3),
        "equals list": shape == [2, 3],
        "equals other": shape == (3, 2),
        "not equals": shape != (2, 3),
        "tuple equals shape": (2, 3) == shape,
        "item": shape[0],
        "last item": shape[-1],
        "type of an item": type(shape[0]),
        "slice": lambda: shape[1:],
        "tuple": tuple(shape),
        "list": list(shape),
        "as_list": shape.as_list(),
        "len": len(shape),
        "rank": shape.rank,
        "ndims": shape.ndims,
        "num_elements": shape.num_elements(),
        "dims add": lambda: shape + [4],
        "concatenate": lambda: shape.concatenate([4]),
        "is_compatible_with": [shape.is_compatible_with((2, None)), shape.is_compatible_with((2, 4))],
        "is_fully_defined": shape.is_fully_defined(),
        "unknown dimension": lambda: str(tf.TensorShape([None, 3])),
        "unknown dimension repr": lambda: repr(tf.TensorShape([None, 3])),
        "unknown rank": lambda: str(tf.TensorShape(None)),
        "unpacks": lambda: [*shape],
        "star into zeros": lambda: tf.zeros(shape),
        "numpy takes it": lambda: np.zeros(shape).shape,
        "as a dict key": lambda: {shape: 1}[tf.TensorShape((2, 3))],
        "index beyond": lambda: shape[5],
    }


def specs(tf):
    return {
        "repr": lambda: repr(tf.TensorSpec((2, None), tf.float32)),
        "named": lambda: repr(tf.TensorSpec((2,), tf.int32, name="x")),
        "default dtype": lambda: tf.TensorSpec((2,)).dtype,
        "equal": tf.TensorSpec((2,), tf.int32) == tf.TensorSpec((2,), tf.int32),
        "different": tf.TensorSpec((2,), tf.int32) == tf.TensorSpec((3,), tf.int32),
        "from_tensor": lambda: repr(tf.TensorSpec.from_tensor(tf.constant([1.0]))),
        "is_compatible_with": lambda: [
            tf.TensorSpec((None,), tf.float32).is_compatible_with(tf.constant([1.0])),
            tf.TensorSpec((None,), tf.float32).is_compatible_with(tf.constant([1])),
            tf.TensorSpec((2,), tf.float32).is_compatible_with(tf.constant([1.0])),
        ],
    }
