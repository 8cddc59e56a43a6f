"""The floats of 8 bits and the integers of 4 and 2 bits of `tf.dtypes.experimental`: values, casts, what has no kernel."""

import ml_dtypes
import numpy as np

_NAMES = (
    *("float8_e5m2", "float8_e4m3fn", "float8_e5m2fnuz", "float8_e4m3fnuz", "float8_e4m3b11fnuz", "float4_e2m1fn"),
    *("int4", "uint4", "int2", "uint2"),
)
_FLOAT8 = ("float8_e5m2", "float8_e4m3fn")
_INT4 = ("int4", "uint4")
_NOT_IN_GRAPHS = ("stack", "array", "map", "loop")  # TensorFlow's optimizer of graphs stops at some of these
_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def _bits(x):
    """The bytes of the elements: files of answers hold no narrow floats."""
    return x.dtype.name, x.numpy().view(np.uint8)


def _every_byte(name):
    return np.arange(256, dtype=np.uint8).view(getattr(ml_dtypes, name))


def _near_midpoints(name):
    """The midpoints between two neighbours, where rounding decides, and float64 numbers a little beside them."""
    values = _every_byte(name).astype(np.float64)
    values = np.sort(values[np.isfinite(values)])
    middles = (values[1:] + values[:-1]) / 2
    beside = [np.nextafter(middles, np.inf), np.nextafter(middles, -np.inf), middles * (1 + 1e-8)]
    return np.concatenate([middles, *beside, [1e6, -1e6, 500.0, 3e300, np.inf, -np.inf, 0.0, -0.0]])


def attributes(tf):
    names = ("name", "size", "as_datatype_enum", "is_floating", "is_integer", "is_unsigned", "is_complex", "is_bool")

    def of(dtype):
        return [getattr(dtype, name) for name in names] + [float(dtype.min), float(dtype.max), repr(dtype), str(dtype)]

    known = {name: getattr(tf.dtypes.experimental, name) for name in _NAMES}
    return {
        **{name: of(dtype) for name, dtype in known.items()},
        "other names": [
            (getattr(tf.experimental, name) is dtype, tf.as_dtype(name) is dtype, dtype == dtype.as_numpy_dtype)
            for name, dtype in known.items()
        ],
        **{f"limits of {name}": (lambda dtype=dtype: dtype.limits) for name, dtype in known.items()},
    }


def rounding(tf):
    questions = {}
    for name in _FLOAT8:
        for source in ("float32", "float64", "float16", "bfloat16"):
            x = tf.cast(tf.constant(_near_midpoints(name)), source)
            questions[f"{source} to {name}"] = lambda x=x, name=name: _bits(tf.cast(x, name))
            questions[f"{source} to {name} in a function"] = lambda x=x, name=name: _bits(
                tf.function(lambda x: tf.cast(x, name))(x)
            )
            questions[f"{source} saturated to {name}"] = lambda x=x, name=name: _bits(tf.saturate_cast(x, name))
        questions[f"Python floats as {name}"] = lambda name=name: _bits(
            tf.constant(_near_midpoints(name).tolist(), name)
        )
    return questions


def _rounded_in_function(tf, name):
    rounded = tf.function(lambda x: tf.cast(tf.cast(x, name), tf.float32) * 2.0)
    return rounded(tf.linspace(-500.0, 500.0, 37))


def casting(tf):
    questions = {}
    for name in _FLOAT8:
        x = tf.constant(_every_byte(name))
        finite = tf.constant(_every_byte(name)[np.isfinite(_every_byte(name).astype(np.float32))])
        for target in ("float16", "bfloat16", "float32", "float64", "bool", "complex64", "complex128"):
            questions[f"{name} to {target}"] = lambda x=x, target=target: tf.cast(x, target)
        for target in _INTEGERS:
            questions[f"{name} to {target}"] = lambda x=finite, target=target: tf.cast(x, target)
        for target in _NAMES:
            questions[f"{name} to {target}"] = lambda x=finite, target=target: _bits(tf.cast(x, target))
        questions[f"numbers to {name} and back"] = lambda name=name: _rounded_in_function(tf, name)
    for name in _INT4:
        for other in _INTEGERS:
            x = tf.constant(np.arange(-300, 300, 7).astype(other))
            questions[f"{other} to {name}"] = lambda x=x, name=name: tf.cast(tf.cast(x, name), tf.int32)
            questions[f"{name} to {other}"] = lambda name=name, other=other: tf.cast(
                tf.cast(np.arange(-8, 16), name), other
            )
        for other in _INT4:
            questions[f"{name} to {other}"] = lambda name=name, other=other: tf.cast(
                tf.cast(tf.cast(np.arange(-8, 16), name), other), tf.int32
            )
    for name in _NAMES:
        x = tf.constant(np.array([0, 1]).astype(getattr(ml_dtypes, name)))
        for other in ("float32", "int32", "bool", "string", "complex64"):
            questions[f"{name} as {other}"] = lambda x=x, other=other: tf.cast(x, other)
            if other != "string":
                questions[f"{other} as {name}"] = lambda name=name, other=other: _bits(
                    tf.cast(tf.cast([0, 1], other), name)
                )
    return questions


def values(tf):
    questions = {}
    for name in _NAMES:
        array = np.array([1, 0, 1, 1]).astype(getattr(ml_dtypes, name))
        x = tf.constant(array)
        questions |= {
            f"{name}: {question}": answer
            for question, answer in {
                "constant": _bits(x),
                "text": lambda x=x: (repr(x), str(x), repr(tf.reshape(x[:1] if x.dtype.name in _FLOAT8 else x, [-1]))),
                "Python floats": lambda name=name: _bits(tf.constant([1.0, 0.5], name)),
                "Python integers": lambda name=name: _bits(tf.constant([1, 0], name)),
                "a bool": lambda name=name: _bits(tf.constant(True, name)),
                "an empty list": lambda name=name: _bits(tf.constant([], name)),
                "NumPy floats": lambda name=name: _bits(tf.constant(np.array([1.0, 0.0]), name)),
                "a tensor": lambda name=name: tf.convert_to_tensor(tf.constant([1.0]), name),
                "reshaped": lambda x=x: _bits(tf.reshape(x, [2, 2])),
                "identity in a function": lambda x=x: _bits(tf.function(tf.identity)(x)),
                "shape and size": lambda x=x: (tf.shape(x), tf.size(x)),
                "as NumPy's": lambda x=x: np.asarray(x).astype(np.float32),
                "a function of NumPy": lambda x=x: tf.numpy_function(lambda a: a.astype(np.float32), [x], tf.float32),
                "proto": lambda x=x: tf.make_ndarray(tf.make_tensor_proto(x.numpy())).astype(np.float32),
                "specification": lambda x=x: str(tf.TensorSpec.from_tensor(x)),
            }.items()
        }
    return questions


def movement(tf):
    questions = {}
    for name in _FLOAT8:
        x = tf.constant(np.array([1, 2, -1, 0]).astype(getattr(ml_dtypes, name)))
        moves = {
            "transpose": lambda x: tf.transpose(tf.reshape(x, [2, 2])),
            "concat": lambda x: tf.concat([x, x], 0),
            "stack": lambda x: tf.stack([x, x]),
            "split": lambda x: tf.split(x, 2)[1],
            "slice": lambda x: x[1:3],
            "stride": lambda x: x[::2],
            "gather": lambda x: tf.gather(x, [3, 1]),
            "gather_nd": lambda x: tf.gather_nd(x, [[2]]),
            "squeeze": lambda x: tf.squeeze(x[None]),
            "broadcast": lambda x: tf.broadcast_to(x[:1], [3]),
            "mask": lambda x: tf.boolean_mask(x, [True, False, True, True]),
            "array": lambda x: tf.TensorArray(x.dtype, 4).unstack(x).stack(),
            "map": lambda x: tf.map_fn(lambda a: a, x),
            "loop": lambda x: tf.while_loop(lambda i, a: i < 2, lambda i, a: (i + 1, tf.identity(a)), [0, x])[1],
        }
        for move, function in moves.items():
            questions[f"{name}: {move}"] = lambda x=x, function=function: _bits(function(x))
            if move not in _NOT_IN_GRAPHS:
                questions[f"{name}: {move} in a function"] = lambda x=x, function=function: _bits(
                    tf.function(function)(x)
                )
        questions[f"{name}: numbers of Python"] = lambda x=x: (float(x[1]), int(x[2]), bool(x[3]))
        questions[f"{name}: ragged"] = lambda x=x: tf.RaggedTensor.from_row_lengths(x, [1, 3]).to_list()
        questions[f"{name}: gradient"] = lambda name=name: _gradient_of_cast(tf, name)
    return questions


def _gradient_of_cast(tf, name):
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.cast(tf.cast(x, name), tf.float32) * 3.0
    return tape.gradient(y, x)


def refusals(tf):
    questions = {}
    for name in _NAMES:
        x = tf.constant(np.array([0, 1, 1, 0]).astype(getattr(ml_dtypes, name)))
        questions |= {
            f"{name}: {question}": (lambda x=x, function=function: function(x))
            for question, function in {
                "add": lambda x: x + x,
                "add floats": lambda x: x + tf.ones(4),
                "multiply": lambda x: x * x,
                "negate": lambda x: -x,
                "abs": tf.abs,
                "exp": tf.exp,
                "floor": tf.floor,
                "is_nan": tf.math.is_nan,
                "equal": lambda x: tf.equal(x, x),
                "not_equal": lambda x: tf.not_equal(x, x),
                "operator ==": lambda x: x == x,
                "less": lambda x: x < x,
                "maximum": lambda x: tf.maximum(x, x),
                "sum": tf.reduce_sum,
                "greatest": tf.reduce_max,
                "argmax": tf.argmax,
                "cumsum": tf.cumsum,
                "top_k": lambda x: tf.math.top_k(x, 2),
                "relu": tf.nn.relu,
                "softmax": tf.nn.softmax,
                "bitcast": lambda x: tf.bitcast(x, tf.uint8),
                "bytes as": lambda x: tf.io.decode_raw([b"ab"], x.dtype),
                "as_string": tf.strings.as_string,
                "unique": tf.unique,
                "serialize": tf.io.serialize_tensor,
            }.items()
        }
    return questions


def variables(tf):
    def kept(name):
        array = np.array([1, 0, 1, 1]).astype(getattr(ml_dtypes, name))
        variable = tf.Variable(array)
        variable.assign(array[::-1].copy())
        return _bits(variable)

    def added(name):
        return tf.Variable(np.array([1, 0]).astype(getattr(ml_dtypes, name))).assign_add([1, 0])

    names = (*_FLOAT8, "float4_e2m1fn", "int4", "uint4", "int2", "uint2")
    return {
        **{f"{name}: assign": (lambda name=name: kept(name)) for name in names},
        **{f"{name}: dtype": (lambda name=name: _bits(tf.Variable([1.0, 0.5], dtype=name))) for name in names},
        **{f"{name}: add": (lambda name=name: added(name)) for name in names},
        **{f"Keras casts to {name}": (lambda name=name: _bits(tf.keras.ops.cast([1.0, 2.0], name))) for name in _NAMES},
    }
