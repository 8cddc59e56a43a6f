"""Element-wise functions: values and gradients, at the edges too."""

from ..differentiation import gradients, second_derivative, value_and_gradients
from ..refusal import refused

INFINITY, NAN = float("inf"), float("nan")
EDGES = [-2.0, -0.5, -0.0, 0.0, 0.5, 2.0, INFINITY, -INFINITY, NAN]

SMOOTH = [
    "tf.abs",
    "tf.negative",
    "tf.square",
    "tf.sqrt",
    "tf.exp",
    "tf.sin",
    "tf.cos",
    "tf.tanh",
    "tf.sigmoid",
    "tf.math.log",
    "tf.math.log1p",
    "tf.math.expm1",
    "tf.math.rsqrt",
    "tf.math.reciprocal",
    "tf.math.erf",
    "tf.math.erfc",
    "tf.math.sinh",
    "tf.math.cosh",
    "tf.math.atan",
    "tf.math.asinh",
    "tf.math.softplus",
    "tf.nn.relu",
    "tf.nn.relu6",
    "tf.nn.elu",
    "tf.nn.selu",
    "tf.nn.silu",
    "tf.nn.softsign",
    "tf.nn.leaky_relu",
    "tf.math.log_sigmoid",
    "tf.sign",
    "tf.identity",
    "tf.math.reciprocal_no_nan",
]

INSIDE = {
    "tf.math.tan": [-1.0, 0.0, 0.5],
    "tf.math.asin": [-0.5, 0.0, 0.5],
    "tf.math.acos": [-0.5, 0.0, 0.5],
    "tf.math.acosh": [1.5, 2.0],
    "tf.math.atanh": [-0.5, 0.0, 0.5],
    "tf.math.lgamma": [0.5, 1.0, 3.5],
    "tf.math.digamma": [0.5, 1.0, 3.5],
    "tf.math.erfinv": [-0.5, 0.0, 0.9],
    "tf.math.ndtri": [0.1, 0.5, 0.9],
    "tf.math.erfcinv": [0.1, 1.0, 1.5],
    "tf.math.bessel_i0": [0.0, 1.0, 3.0],
    "tf.math.bessel_i1": [0.5, 1.0, 3.0],
    "tf.math.bessel_i0e": [0.0, 1.0, 3.0],
    "tf.math.bessel_i1e": [0.5, 1.0, 3.0],
    "tf.math.special.dawsn": [0.5, 1.0],
    "tf.math.special.expint": [0.5, 1.0],
    "tf.math.special.spence": [0.5, 2.0],
    "tf.math.special.fresnel_sin": [0.5, 1.0],
    "tf.math.special.fresnel_cos": [0.5, 1.0],
}


def _named(tf, path):
    found = tf
    for name in path.split(".")[1:]:
        found = getattr(found, name)
    return found


def unary_at_the_edges(tf):
    """Values and gradients; what TensorFlow gets wrong beyond the finite numbers is asked in `unary_finite`."""
    weird = {
        "tf.sin",
        "tf.cos",
        "tf.math.sinh",
        "tf.math.cosh",
        "tf.math.asinh",
        "tf.math.log_sigmoid",
        "tf.nn.silu",
        "tf.nn.elu",
        "tf.nn.selu",
    }
    return {
        path: (lambda path=path: value_and_gradients(tf, _named(tf, path), tf.constant(EDGES)))
        for path in SMOOTH
        if path not in weird
    }


def unary_finite(tf):
    values = [-3.0, -0.75, 0.0, 0.25, 1.0, 4.0]
    return {
        path: (lambda path=path: value_and_gradients(tf, _named(tf, path), tf.constant(values, tf.float64)))
        for path in SMOOTH
        if path != "tf.nn.leaky_relu"  # TensorFlow keeps its slope in float32
    }


def unary_inside(tf):
    return {
        path: (lambda path=path: value_and_gradients(tf, _named(tf, path), tf.constant(INSIDE[path], tf.float64)))
        for path in INSIDE
    }


def far_out(tf):
    """Large arguments, where a careless formula overflows."""

    def both(function, *values):
        return value_and_gradients(tf, function, tf.constant(values))

    return {
        "sigmoid": lambda: both(tf.sigmoid, -200.0, -100.0, 100.0),
        "softplus": lambda: both(tf.math.softplus, -200.0, -20.0, 20.0, 200.0),
        "log_sigmoid": lambda: both(tf.math.log_sigmoid, -200.0, -20.0, 20.0, 200.0),
        "tanh": lambda: both(tf.tanh, -50.0, 50.0),
        "elu": lambda: both(tf.nn.elu, -200.0, 200.0),
        "silu": lambda: both(tf.nn.silu, -100.0, 100.0),
        "exp": lambda: both(tf.exp, -200.0, 88.0, 89.0),
        "expm1": lambda: both(tf.math.expm1, 1e-7, -1e-7),
        "log1p": lambda: both(tf.math.log1p, 1e-7, -1e-7),
        "logsumexp": lambda: both(tf.reduce_logsumexp, 1000.0, 1000.0),
        "softmax": lambda: both(lambda x: tf.nn.softmax(x)[0], 1000.0, 0.0, -1000.0),
        "log_softmax": lambda: both(lambda x: tf.nn.log_softmax(x)[1], 1000.0, 0.0),
        "gelu": lambda: both(tf.nn.gelu, -30.0, 30.0),
    }


def rounding(tf):
    values = tf.constant([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.3, -2.7])
    return {
        "round is to even": lambda: tf.round(values),
        "rint": lambda: tf.math.rint(values),
        "floor": lambda: tf.floor(values),
        "ceil": lambda: tf.math.ceil(values),
        "cast": lambda: tf.cast(values, tf.int32),
        "round of ints": lambda: tf.round(tf.constant([1, 2])),
        "floor of ints": lambda: tf.floor(tf.constant([1, 2])),
        "sign": lambda: tf.sign([-2.0, -0.0, 0.0, 3.0, NAN]),
        "sign of ints": lambda: tf.sign([-2, 0, 3]),
        "negative zero of round": lambda: 1.0 / tf.round(tf.constant([-0.4])),
        "negative zero is kept": lambda: 1.0 / (tf.constant([-0.0]) * 1.0),
    }


def binary(tf):
    """Every pair of these: ties, zeros, signs."""
    left = tf.constant([2.0, 2.0, -3.0, 0.0, 1.0])
    right = tf.constant([2.0, 3.0, 2.0, 1.0, 0.0])
    paths = [
        "tf.add",
        "tf.subtract",
        "tf.multiply",
        "tf.divide",
        "tf.maximum",
        "tf.minimum",
        "tf.math.divide_no_nan",
        "tf.math.multiply_no_nan",
        "tf.math.squared_difference",
        "tf.math.atan2",
        "tf.math.floordiv",
        "tf.math.floormod",
        "tf.math.truediv",
        "tf.math.xlogy",
        "tf.math.xdivy",
        "tf.math.xlog1py",
        "tf.pow",
        "tf.math.subtract",
        "tf.truncatemod",
        "tf.math.nextafter",
    ]
    answers = {
        path: (lambda path=path: value_and_gradients(tf, _named(tf, path), left, right))
        for path in paths
        if path not in ("tf.truncatemod", "tf.math.nextafter", "tf.math.floordiv")
    }
    return answers | {
        "truncatemod": lambda: tf.truncatemod(left, tf.constant([2.0, 3.0, 2.0, 1.0, 1.5])),
        "floordiv": lambda: tf.math.floordiv(left, tf.constant([2.0, 3.0, 2.0, 1.0, 0.3])),
        "polyval": lambda: tf.math.polyval([1.0, 2.0, 3.0], tf.constant(2.0)),
        "add_n": lambda: value_and_gradients(tf, lambda a, b: tf.add_n([a, b, a]), left, right),
        "add_n of nothing": lambda: tf.add_n([]),
        "add_n misfit": lambda: tf.add_n([tf.ones(2), tf.ones(3)]),
        "igamma": lambda: tf.math.igamma(tf.constant([0.5, 2.0]), tf.constant([1.0, 3.0])),
        "igammac": lambda: tf.math.igammac(tf.constant([0.5, 2.0]), tf.constant([1.0, 3.0])),
        "betainc": lambda: tf.math.betainc(tf.constant(2.0), tf.constant(3.0), tf.constant(0.4)),
        "zeta": lambda: tf.math.zeta(tf.constant(2.0), tf.constant(1.0)),
        "polygamma": lambda: tf.math.polygamma(tf.constant(1.0), tf.constant(2.0)),
        "hypot by sqrt": lambda: gradients(tf, lambda a, b: tf.sqrt(a * a + b * b), left, right),
    }


def powers(tf):
    def of(base, exponent):
        return value_and_gradients(tf, tf.pow, tf.constant(base), tf.constant(exponent))

    return {
        "0^1": lambda: of(0.0, 1.0),
        "0^2": lambda: of(0.0, 2.0),
        "0^-1": lambda: of(0.0, -1.0),
        "0^0.5": lambda: of(0.0, 0.5),
        "negative base": lambda: of(-2.0, 3.0),
        "negative base, fraction": lambda: of(-2.0, 0.5),
        "negative exponent": lambda: of(2.0, -2.0),
        "broadcast": lambda: of([[2.0], [3.0]], [1.0, 2.0, 0.0]),
        "python exponent": lambda: gradients(tf, lambda x: x**2, tf.constant([0.0, -3.0])),
        "cube at zero": lambda: gradients(tf, lambda x: x**3, tf.constant([0.0, -3.0])),
        "python base": lambda: value_and_gradients(tf, lambda x: 2.0**x, tf.constant([0.0, -3.0])),
        "square root by pow": lambda: gradients(tf, lambda x: x**0.5, tf.constant([4.0, 0.0])),
        "second derivative": lambda: second_derivative(tf, lambda x: x**4, tf.constant(2.0)),
        "second derivative at zero": lambda: second_derivative(tf, lambda x: x**2, tf.constant(0.0)),
    }


def broadcasting(tf):
    def of(left, right, function=lambda a, b: a * b):
        return value_and_gradients(tf, function, tf.constant(left), tf.constant(right))

    return {
        "row and column": lambda: of([[1.0, 2.0]], [[3.0], [4.0]]),
        "scalar and matrix": lambda: of(2.0, [[3.0, 4.0], [5.0, 6.0]]),
        "matrix and vector": lambda: of([[3.0, 4.0], [5.0, 6.0]], [1.0, 2.0]),
        "one and vector": lambda: of([2.0], [3.0, 4.0]),
        "empty and scalar": lambda: value_and_gradients(tf, lambda a, b: a * b, tf.zeros((0, 2)), tf.constant(2.0)),
        "empty and row": lambda: value_and_gradients(tf, lambda a, b: a + b, tf.zeros((0, 2)), tf.ones((1, 2))),
        "misfit": lambda: tf.ones(2) + tf.ones(3),
        "misfit of rank": lambda: tf.ones((2, 3)) * tf.ones((3, 2)),
        "maximum": lambda: of([[1.0, 5.0]], [[3.0], [5.0]], tf.maximum),
        "squared difference": lambda: of([[1.0, 2.0]], [[3.0], [4.0]], tf.math.squared_difference),
        "where": lambda: value_and_gradients(
            tf, lambda a, b: tf.where([[True], [False]], a, b), tf.constant([1.0, 2.0]), tf.constant(3.0)
        ),
        "static shape": lambda: tf.broadcast_static_shape(tf.TensorShape([2, 1]), tf.TensorShape([3])),
        "dynamic shape": lambda: tf.broadcast_dynamic_shape([2, 1], [3]),
    }


def comparisons(tf):
    x, y = tf.constant([1.0, 2.0, NAN]), tf.constant([1.0, 3.0, NAN])
    return {
        "equal": lambda: tf.equal(x, y),
        "not_equal": lambda: tf.not_equal(x, y),
        "less": lambda: tf.less(x, y),
        "less_equal": lambda: tf.less_equal(x, y),
        "greater": lambda: tf.greater(x, y),
        "greater_equal": lambda: tf.greater_equal(x, y),
        "equal of bools": lambda: tf.equal([True, False], [True, True]),
        "less of bools": lambda: tf.less([True, False], [True, True]),
        "approximate_equal": lambda: tf.math.approximate_equal(tf.constant([1.0, 2.0]), tf.constant([1.000001, 2.1])),
        "logical": lambda: [
            tf.logical_and([True, False], True),
            tf.logical_or([True, False], False),
            tf.logical_not([True, False]),
            tf.math.logical_xor([True, False], True),
        ],
        "logical_and of ints": lambda: refused(lambda: tf.logical_and(1, 0)),
        "logical_not of floats": lambda: refused(lambda: tf.logical_not([1.0])),
        "is_nan": lambda: tf.math.is_nan(x),
        "is_inf": lambda: tf.math.is_inf([INFINITY, -INFINITY, 1.0, NAN]),
        "is_finite": lambda: tf.math.is_finite([INFINITY, 1.0, NAN]),
        "is_nan of ints": lambda: tf.math.is_nan(tf.constant([1])),
        "maximum with nan": lambda: tf.maximum([1.0, NAN], [NAN, 1.0]),
        "minimum with nan": lambda: tf.minimum([1.0, NAN], [NAN, 1.0]),
    }


def clipping(tf):
    x = tf.constant([-2.0, -1.0, 0.0, 1.0, 2.0])

    def by_norm(values, norm=1.0, **arguments):
        return value_and_gradients(tf, lambda v: tf.clip_by_norm(v, norm, **arguments), tf.constant(values))

    return {
        "clip_by_value passes at its bounds": lambda: value_and_gradients(
            tf, lambda v: tf.clip_by_value(v, -1.0, 1.0), x
        ),
        "clip_by_value of nan": lambda: tf.clip_by_value([NAN, INFINITY, -INFINITY], -1.0, 1.0),
        "clip_by_value of ints": lambda: tf.clip_by_value([-5, 0, 5], -1, 1),
        "clip_by_value of ints by floats": lambda: tf.clip_by_value(tf.constant([-5, 0, 5]), -1.0, 1.0),
        "clip_by_value by tensors": lambda: tf.clip_by_value(x, [-1.0, 0.0, 0.5, 0.0, 0.0], 1.5),
        "clip_by_value misfit": lambda: tf.clip_by_value(x, [0.0, 0.0], 1.0),
        "clip_by_value bounds crossed": lambda: tf.clip_by_value(x, 1.0, -1.0),
        "gradient of the bounds": lambda: gradients(
            tf, lambda v, low, high: tf.clip_by_value(v, low, high), x, tf.constant(-1.0), tf.constant(1.0)
        ),
        "clip_by_norm shorter": lambda: by_norm([0.3, 0.4]),
        "clip_by_norm longer": lambda: by_norm([3.0, 4.0]),
        "clip_by_norm of zero": lambda: by_norm([0.0, 0.0]),
        "clip_by_norm axes": lambda: by_norm([[3.0, 4.0], [0.3, 0.4]], axes=[1]),
        "clip_by_norm of ints": lambda: tf.clip_by_norm(tf.constant([3, 4]), 1.0),
        "global_norm": lambda: tf.linalg.global_norm([tf.constant([3.0]), None, tf.constant([[4.0]])]),
        "clip_by_global_norm": lambda: tf.clip_by_global_norm([tf.constant([3.0]), tf.constant([[4.0]])], 1.0),
        "clip_by_global_norm with None": lambda: tf.clip_by_global_norm([tf.constant([3.0]), None], 1.0),
        "clip_by_global_norm shorter": lambda: tf.clip_by_global_norm([tf.constant([0.3])], 1.0),
        "clip_by_global_norm of zero": lambda: tf.clip_by_global_norm([tf.constant([0.0])], 1.0),
        "clip_by_global_norm of infinity": lambda: tf.clip_by_global_norm([tf.constant([INFINITY, 1.0])], 1.0),
        "clip_by_global_norm given": lambda: tf.clip_by_global_norm(
            [tf.constant([3.0])], 1.0, use_norm=tf.constant(6.0)
        ),
        "clip_by_global_norm of a tensor": lambda: tf.clip_by_global_norm(tf.constant([3.0]), 1.0),
        "gradient through clip_by_global_norm": lambda: gradients(
            tf, lambda v: tf.clip_by_global_norm([v], 1.0)[0][0], tf.constant([3.0, 4.0])
        ),
    }


def complex_numbers(tf):
    z = tf.constant([3 + 4j, 1 - 1j])
    return {
        "abs": lambda: tf.abs(z),
        "real": lambda: tf.math.real(z),
        "imag": lambda: tf.math.imag(z),
        "conj": lambda: tf.math.conj(z),
        "conj of reals": lambda: tf.math.conj(tf.constant([1.0])),
        "angle": lambda: tf.math.angle(tf.constant([1j, -1 + 0j])),
        "complex": lambda: tf.complex(tf.constant(1.0), tf.constant(2.0)),
        "real of reals": lambda: tf.math.real(tf.constant([1.5])),
    }
