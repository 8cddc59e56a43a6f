"""Programs that hypothesis draws."""

import sys

import numpy as np
from hypothesis import strategies as st

import fastgrad as tf

SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 2.5, -1e-3, np.inf, -np.inf, np.nan, 3e38, 1e-40], np.float32)
NUMBERS = [0.0, -0.0, 1.0, -1.0, 2.0, float("nan")]


class Program:
    """A program that follows a list of choices: the same each time that it is called."""

    def __init__(self, choices, seed):
        self.choices = choices
        self.generator = tf.random.Generator.from_seed(seed)
        self.variables = [tf.Variable(np.resize(SPECIAL, shape)) for shape in ((2, 3), (3,))]

    def __call__(self, *arguments):
        values = list(arguments)
        for what, first, second, number in self.choices:
            x, y = values[-1 - first % len(values)], values[-1 - second % len(values)]  # small numbers: what is new
            made = STEPS[what](self, x, y, number)
            values += [] if made is None else list(made) if isinstance(made, (list, tuple)) else [made]
        return values[-3:] + values[len(arguments) : len(arguments) + 2]


def binary(function):
    def step(program, x, y, number):
        if number % 3 == 0:
            y = tf.constant(NUMBERS[number % len(NUMBERS)])
        elif number % 3 == 1:
            y = tf.fill(x.shape, NUMBERS[number // 3 % len(NUMBERS)])
        try:
            z = np.broadcast_shapes(tuple(x.shape), tuple(y.shape))
        except ValueError:
            return None
        return function(x, y) if np.prod(z) < 500 and x.dtype == y.dtype == tf.float32 else None

    return step


def unary(function):
    return lambda program, x, y, number: function(x) if x.dtype == tf.float32 else None


def moving(function):
    """``function(x, number)`` where ``x`` has two dimensions or more."""
    return lambda program, x, y, number: function(x, number) if len(x.shape) >= 2 else None


def product(program, x, y, number):
    a, b = bool(number & 1), bool(number & 2)
    if len(x.shape) != 2 or len(y.shape) != 2:
        return None
    inner = x.shape[0 if a else 1], y.shape[1 if b else 0]
    return tf.matmul(x, y, transpose_a=a, transpose_b=b) if inner[0] == inner[1] else None


def variable_of(program, number):
    return program.variables[number % 2]


def assignment(program, x, y, number):
    v = variable_of(program, number)
    if tuple(x.shape) == tuple(v.shape):
        (v.assign, v.assign_add)[number // 2 % 2](x)


def chosen(program, x, y, number):
    if x.shape != y.shape:
        return None
    return tf.where(tf.fill(x.shape, bool(number % 2)) if number % 3 else x > 0.0, x, y)


def transposed(x, number):
    order = np.random.default_rng(number).permutation(len(x.shape))
    return tf.transpose(x, order if number % 2 else None)


def widened(program, x, y, number):
    wide = (tf.float64, tf.complex64, tf.float32, tf.float16)[number % 4]
    return tf.cast(tf.cast(x, wide), tf.float32)


def repeated(program, x, y, number):
    shape = (number % 3 + 1, *x.shape)
    return tf.broadcast_to(x, shape) if len(shape) <= 3 and np.prod(shape) < 500 else None


def unused_draw(program, x, y, number):
    program.generator.normal((number % 5,))


STEPS = {
    "add": binary(tf.add),
    "subtract": binary(tf.subtract),
    "multiply": binary(tf.multiply),
    "divide": binary(tf.divide),
    "maximum": binary(tf.maximum),
    "negative": unary(tf.negative),
    "abs": unary(tf.abs),
    "floor": unary(tf.floor),
    "exp": unary(tf.exp),
    "tanh": unary(tf.tanh),
    "identity": unary(tf.identity),
    "stop_gradient": unary(tf.stop_gradient),
    "zeros_like": unary(tf.zeros_like),
    "ones": lambda program, x, y, number: tf.ones(x.shape),
    "cast": widened,
    "where": chosen,
    "matmul": product,
    "transpose": moving(transposed),
    "transposes": moving(lambda x, number: transposed(transposed(x, 5 * number + 1), 2 * number + 1)),
    "product of transposes": lambda program, x, y, number: product(
        program, *[tf.transpose(z) if len(z.shape) == 2 else z for z in (x, y)], number
    ),
    "reverse": moving(lambda x, number: tf.reverse(x, [number % 2])),
    "flat": lambda program, x, y, number: tf.reshape(x, [-1]),
    "expand": lambda program, x, y, number: (
        tf.expand_dims(x, number % (len(x.shape) + 1)) if len(x.shape) < 3 else None
    ),
    "broadcast_to": repeated,
    "slice": moving(lambda x, number: (x[:, ::2], x[::-1], x[:1], x[:])[number % 4]),
    "stack_of_unstacked": moving(lambda x, number: tf.stack(tf.unstack(x, axis=number % 2), axis=number // 2 % 2)),
    "unstack": moving(lambda x, number: tf.unstack(x)),
    "concat": moving(lambda x, number: tf.concat([x, x], number % 2) if np.prod(x.shape) < 100 else None),
    "split": moving(lambda x, number: tf.split(tf.concat([x, x], 0), 2, 0)),
    "sum": moving(lambda x, number: tf.reduce_sum(x, axis=number % 2, keepdims=number % 3 == 0)),
    "max": moving(lambda x, number: tf.reduce_max(x, axis=number % 2)),
    "read": lambda program, x, y, number: variable_of(program, number).value(),
    "operand": lambda program, x, y, number: variable_of(program, number) * 1.0,
    "assign": assignment,
    "draw": lambda program, x, y, number: program.generator.normal((2, 3)),
    "unused draw": unused_draw,
    "stateless": lambda program, x, y, number: tf.random.stateless_uniform((2, 3), [number % 2, 1]),
}
CHOICES = st.lists(
    st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 30), st.integers(0, 30), st.integers(0, 11)), max_size=24
)


def gradients_of(program):
    def function(*arguments):
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            results = program(*arguments)
            total = tf.add_n([tf.reduce_sum(result) for result in results])
        gradients = tape.gradient(total, [*arguments, *program.variables])
        return results + [g for g in gradients if g is not None]

    return function


def calls_per_node(transform, graph):
    """How many functions, Python's and C's, are called for each node."""
    count = 0

    def counted(frame, event, argument):
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        transform(graph)
    finally:
        sys.setprofile(before)
    return count / len(graph.nodes)
