"""Edges: dtypes of every pair, limits, shapes without elements, second derivatives where formulas have none."""

import numpy as np

from ..refusal import refused

_DTYPES = [
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
    "complex64",
    "complex128",
]


def saturation(tf):
    def numbers(name):
        dtype = tf.as_dtype(name)
        if dtype.is_integer:
            return tf.constant([dtype.min, dtype.max, 0, 1], dtype)
        high = {"float16": 6e4, "float64": 1e300, "complex128": 1e300}.get(name, 1e38)
        values = [high, -high, 0.5, -1.0] + ([1 - 1j * high] if dtype.is_complex else [])
        return tf.cast(tf.constant(values, tf.complex128 if dtype.is_complex else tf.float64), dtype)

    # TensorFlow has no saturation of unsigned integers of 32 bits and more, and none that is right at the ends of 64 bits.
    wide = {"uint32", "uint64", "int64"}
    return {
        f"{got} as {wanted}": lambda got=got, wanted=wanted: tf.saturate_cast(numbers(got), wanted)
        for got in _DTYPES
        for wanted in _DTYPES
        if got not in wide and wanted not in wide - {"uint32"}
    }


def dtypes(tf):
    def asked(value):
        return tf.as_dtype(value).name

    def equal(value):
        return [name for name in [*_DTYPES, "bool", "string"] if tf.as_dtype(name) == value]

    values = {
        "int": int,
        "float": float,
        "bool": bool,
        "complex": complex,
        "str": str,
        "bytes": bytes,
        "object": object,
        "'int'": "int",
        "'float'": "float",
        "'str'": "str",
        "'complex'": "complex",
        "'half'": "half",
        "'S'": "S",
        "'>i4'": ">i4",
        "np.int64": np.int64,
        "np.dtype('S')": np.dtype("S"),
        "3": 3,
    }
    named = {f"as_dtype({name})": lambda value=value: asked(value) for name, value in values.items()}
    compared = {f"== {name}": lambda value=value: equal(value) for name, value in values.items()}
    seeds = {
        f"fold_in of {seed} and {data}": lambda seed=seed, data=data: (
            tf.random.fold_in(tf.constant([1, 2], seed), tf.constant(3, data)).dtype.name
        )
        for seed in ("int32", "int64")
        for data in ("int32", "int64", "uint32", "uint64")
    }
    return {
        **named,
        **compared,
        **seeds,
        "fold_in of a Python number": lambda: tf.random.fold_in(tf.constant([1, 2], tf.int64), 3).dtype.name,
        "split of int64": lambda: tf.random.split(tf.constant([1, 2], tf.int64)).dtype.name,
        "an int where a dtype should be": lambda: tf.zeros([2], int),
        "a str where a dtype should be": lambda: tf.constant("a", str),
    }


def conversions(tf):
    shape = tf.TensorShape
    return {
        "shape": lambda: tf.convert_to_tensor(shape([2, 3])),
        "shape without dimensions": lambda: tf.convert_to_tensor(shape([])),
        "large shape": lambda: tf.convert_to_tensor(shape([2**40])),
        "shape as int64": lambda: tf.convert_to_tensor(shape([2]), tf.int64),
        "shape as float32": lambda: tf.convert_to_tensor(shape([2]), tf.float32),
        "shape of unknown size": lambda: refused(lambda: tf.convert_to_tensor(shape([2, None]))),
        "shape of unknown rank": lambda: refused(lambda: tf.convert_to_tensor(shape(None))),
        "no texts": lambda: tf.constant(np.empty((2, 0, 5)).astype(np.bytes_)),
        "no texts of Unicode": lambda: tf.constant(np.empty((0, 3), "U1")),
        "no objects": lambda: tf.constant(np.empty((3, 0), object)),
        "one text": lambda: tf.constant(np.array("a")),
        "add_n of a generator": lambda: tf.add_n(tf.constant(float(i)) for i in range(3)),
        "add_n of an iterator": lambda: tf.add_n(iter([1.0, 2.0])),
        "add_n of a tensor": lambda: tf.add_n(tf.constant([1.0, 2.0])),
        "add_n of no tensors": lambda: tf.add_n(iter([])),
        "scatter_nd of texts": lambda: tf.scatter_nd([[1], [3]], ["a", "b"], [5]),
        "scatter_nd of texts, repeated": lambda: tf.scatter_nd([[1], [1]], ["a", "b"], [2]),
        "scatter_nd of rows of texts": lambda: tf.scatter_nd([[1]], [["a", "b"]], [2, 2]),
        "parts of IndexedSlices": lambda: tf.nest.flatten(
            tf.IndexedSlices(tf.ones(2), tf.constant([1, 2])), expand_composites=True
        ),
        "parts of IndexedSlices with a shape": lambda: tf.nest.flatten(
            tf.IndexedSlices(tf.ones(2), tf.constant([1, 2]), tf.constant([5])), expand_composites=True
        ),
        "IndexedSlices mapped": lambda: (
            tf.nest.map_structure(
                lambda x: x + 1, tf.IndexedSlices(tf.ones(2), tf.constant([1, 2])), expand_composites=True
            ).values
        ),
        "a constraint that is no function": lambda: tf.Variable(1.0, constraint="abc"),
        "name of a module's scope": lambda: tf.Module(name="abc").name_scope.name,
        "rank 1 wanted of a scalar": lambda: tf.debugging.assert_shapes([(tf.constant(1.0), ("a",))]),
        "a scalar beside its vector": lambda: tf.debugging.assert_shapes(
            [(tf.constant(1.0), ("a",)), (tf.ones(1), "a")]
        ),
        "a scalar of size 2": lambda: tf.debugging.assert_shapes([(1.0, (2,))]),
        "rank 2 wanted of a scalar": lambda: tf.debugging.assert_shapes([(1.0, ("a", "b"))]),
    }


def arithmetic(tf):
    one = {name: tf.constant(1, name) for name in ("int32", "int64", "float32", "float64")}
    quotients = {
        f"{a} / {b} by {way}": lambda a=a, b=b, divide=divide: divide(one[a], one[b])
        for way, divide in (("divide", tf.divide), ("/", lambda x, y: x / y), ("truediv", tf.math.truediv))
        for a in one
        for b in one
    }
    image = tf.reshape(tf.range(32.0), [2, 2, 2, 4])

    def normalized(x, moments):
        a, b = tf.zeros(2, moments), tf.ones(2, moments)
        return tf.nn.batch_normalization(tf.ones([2, 2], x) * 3, a, b, a + 1, b * 2, 0.1)

    def pooled_slope():
        with tf.GradientTape() as tape:
            tape.watch(image)
            y = tf.nn.max_pool2d(image, [1, 2, 2, 1], [1, 2, 2, 1], "VALID")
        return tape.gradient(y, image)

    return {
        **quotients,
        "float / int of Python": lambda: tf.divide(3, 2.0),
        "poisson of infinity": lambda: tf.random.poisson([3], [np.inf]),
        "poisson of zero": lambda: tf.random.poisson([3], [0.0]),
        "batch_normalization, float16 with float32": lambda: normalized("float16", "float32"),
        "batch_normalization, bfloat16 with float32": lambda: normalized("bfloat16", "float32"),
        "average loss of ints": lambda: tf.nn.compute_average_loss(tf.constant([1, 2, 3])),
        "average loss of weighted ints": lambda: tf.nn.compute_average_loss(
            tf.constant([1, 2, 3]), sample_weight=[0.5, 1.0, 1.0]
        ),
        "average loss of int64": lambda: tf.nn.compute_average_loss(tf.constant([1, 2, 3], tf.int64)),
        "max_pool over channels": lambda: tf.nn.max_pool2d(image, [1, 1, 1, 2], [1, 1, 1, 2], "VALID"),
        "max_pool over channels and height": lambda: tf.nn.max_pool2d(image, [1, 2, 1, 2], [1, 2, 1, 2], "VALID"),
        "max_pool over channels that overlap": lambda: tf.nn.max_pool2d(image, [1, 1, 1, 2], [1, 1, 1, 1], "VALID"),
        "max_pool over three of four channels": lambda: tf.nn.max_pool2d(image, [1, 1, 1, 3], [1, 1, 1, 3], "VALID"),
        "max_pool over space, slope": pooled_slope,
        "expint": lambda: tf.math.special.expint([-1.0, -0.5, 0.0, 1e-5, 1.0, np.nan]),
        "clip_by_value, other shapes": lambda: tf.clip_by_value(tf.ones(3), tf.ones(2), 5.0),
        "clip_by_value, another dtype": lambda: tf.clip_by_value(tf.ones(3, tf.int32), tf.constant(0.0), 1),
        "clip_by_value, no such number": lambda: tf.clip_by_value(tf.ones(3, tf.int32), 0.5, 1),
    }


def functions(tf):
    def later(function, *calls):
        compiled = tf.function(function)
        return [compiled(*call) for call in calls for _ in range(2)]

    def windowed(function):
        return lambda: tf.function(function)(tf.ones([1, 2, 2, 1]))

    values, others = tf.constant([-1.0, 0.0, 1.5, 2.0, 5.0, 15.0]), tf.constant([1.0, 1.0, 1.0, 4.0, 9.0, 9.0])
    near, far = tf.constant([0.0, 5.0]), tf.constant([0.0, 10.0])
    return {
        "bincount": lambda: later(tf.math.bincount, [tf.constant([1, 1, 3])], [tf.constant([4, 1, 0])]),
        "bincount with weights": lambda: later(
            tf.math.bincount, [tf.constant([1, 1, 3]), tf.constant([1.0, 2.0, 3.0])]
        ),
        "bincount of rows": lambda: later(lambda x: tf.math.bincount(x, axis=-1), [tf.constant([[1, 1], [0, 2]])]),
        "bincount, limited": lambda: later(
            lambda x: tf.math.bincount(x, minlength=2, maxlength=3), [tf.constant([1, 1, 3])], [tf.constant([0, 0, 0])]
        ),
        "bincount, binary": lambda: later(lambda x: tf.math.bincount(x, binary_output=True), [tf.constant([1, 1, 3])]),
        "histogram": lambda: later(lambda x: tf.histogram_fixed_width(x, [0.0, 5.0], 5), [values], [others]),
        "histogram of other ranges": lambda: later(
            lambda x, r: tf.histogram_fixed_width(x, r, 5), [values, near], [values, far]
        ),
        "bins of other ranges": lambda: later(
            lambda x, r: tf.histogram_fixed_width_bins(x, r, 5), [values, near], [values, far]
        ),
        "histogram of int64": lambda: tf.histogram_fixed_width(values, near, 3, tf.int64),
        "histogram of a matrix": lambda: tf.histogram_fixed_width(tf.zeros([2, 2]), near, 3),
        "histogram of nothing": lambda: tf.histogram_fixed_width(tf.zeros([0]), near, 3),
        "conv2d of a small image": windowed(lambda x: tf.nn.conv2d(x, tf.ones([3, 3, 1, 1]), 1, "VALID")),
        "conv2d of a small image, strides": windowed(lambda x: tf.nn.conv2d(x, tf.ones([3, 3, 1, 1]), 2, "VALID")),
        "conv2d, dilated": windowed(lambda x: tf.nn.conv2d(x, tf.ones([2, 2, 1, 1]), 1, "VALID", dilations=2)),
        "conv1d of a short row": lambda: tf.function(lambda x: tf.nn.conv1d(x, tf.ones([3, 1, 1]), 1, "VALID"))(
            tf.ones([1, 2, 1])
        ),
        "depthwise_conv2d of a small image": windowed(
            lambda x: tf.nn.depthwise_conv2d(x, tf.ones([3, 3, 1, 1]), [1, 1, 1, 1], "VALID")
        ),
        "max_pool2d of a small image": windowed(lambda x: tf.nn.max_pool2d(x, 3, 1, "VALID")),
        "avg_pool2d of a small image": windowed(lambda x: tf.nn.avg_pool2d(x, 3, 1, "VALID")),
        "avg_pool2d of a smaller image": windowed(lambda x: tf.nn.avg_pool2d(x, 4, 1, "VALID")),
        "conv2d with padding": windowed(lambda x: tf.nn.conv2d(x, tf.ones([3, 3, 1, 1]), 1, "SAME")),
    }


def second_derivatives(tf):
    def asked(function, x, v=1.0):
        def answer():
            at = tf.constant(x, tf.float64)
            with tf.GradientTape() as outer:
                outer.watch(at)
                with tf.GradientTape() as inner:
                    inner.watch(at)
                    y = function(at)
                g = inner.gradient(y, at) * tf.constant(v, tf.float64)
            return outer.gradient(g, at)

        return answer

    m = tf.math
    points = [1e-5, -1e-5, 0.5, 1.0, 1.5, 5.0]
    return {
        "clip_by_norm of zeros": asked(lambda x: tf.clip_by_norm(x, 1.0), [0.0, 0.0]),
        "clip_by_norm": asked(lambda x: tf.clip_by_norm(x, 1.0), [3.0, 4.0]),
        "clip_by_norm of columns": asked(lambda x: tf.clip_by_norm(x, 1.0, axes=[0]), [[0.0, 1.0], [0.0, 2.0]]),
        "segment_prod": asked(lambda x: m.segment_prod(x, [0, 0, 0]), [2.0, 5.0, 4.0], [2.0, 3.0, 1.0]),
        "segment_prod with a zero": asked(lambda x: m.segment_prod(x, [0, 0, 0]), [0.0, 5.0, 4.0], [2.0, 3.0, 1.0]),
        "spence": asked(m.special.spence, [0.2, 0.7, 0.9999, 1.0001, 1.4, 2.0]),
        "bessel_i1": asked(m.bessel_i1, points),
        "bessel_i1e": asked(m.bessel_i1e, points),
        "bessel_j1": asked(m.special.bessel_j1, points),
        "bessel_i0": asked(m.bessel_i0, points),
        "bessel_i0e": asked(m.bessel_i0e, points),
        "bessel_j0": asked(m.special.bessel_j0, points),
        "elu": asked(tf.nn.elu, [0.0, -1.0, 1.0]),
        "selu": asked(tf.nn.selu, [0.0, -1.0, 1.0]),
        "segment_max": asked(lambda x: m.segment_max(x, [0, 0]), [2.0, 2.0], [2.0, 3.0]),
        "erfinv": asked(m.erfinv, [0.0, 0.5]),
        "lgamma": asked(m.lgamma, [1.0, 0.5]),
    }
