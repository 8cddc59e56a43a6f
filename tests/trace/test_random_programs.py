"""Random programs over shapes, broadcasts, views, assignments, branches and gradients: eager and compiled agree."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastgrad as tf

SHAPES = [(), (1,), (3,), (2, 3), (2, 1), (1, 3)]

UNARY = {
    "tanh": tf.tanh,
    "sigmoid": tf.sigmoid,
    "square": tf.square,
    "negative": tf.negative,
    "abs": tf.abs,
    "relu": tf.nn.relu,
    "softplus": tf.nn.softplus,
    "sin": tf.sin,
    "identity": tf.identity,
    "stop": tf.stop_gradient,
    "sum": tf.reduce_sum,
    "mean": lambda x: tf.reduce_mean(x, axis=-1, keepdims=True) if x.ndim else x,
    "max": lambda x: tf.reduce_max(x, axis=0) if x.ndim else x,
    "first": lambda x: x[0] if x.ndim else x,
    "reversed": lambda x: x[..., ::-1] if x.ndim else x,
    "transposed": tf.transpose,
    "flat": lambda x: tf.reshape(x, [-1]),
    "softmax": lambda x: tf.nn.softmax(x) if x.ndim else x,
    "twice": lambda x: tf.concat([x, x], 0) if x.ndim else x,
    "expanded": lambda x: tf.expand_dims(x, 0) if x.ndim < 2 else x,
    "running": lambda x: tf.cumsum(x) if x.ndim else x,
    "gathered": lambda x: tf.gather(x, [0, 0]) if x.ndim else x,
    "wide": lambda x: tf.cast(tf.cast(x, tf.float32), tf.float64),
}

BINARY = {
    "add": tf.add,
    "subtract": tf.subtract,
    "multiply": tf.multiply,
    "maximum": tf.maximum,
    "where": lambda x, y: tf.where(x > y, x, y * 0.5),
    "smooth": lambda x, y: x / (1.0 + tf.square(y)),
    "product": lambda x, y: tf.tensordot(x, y, 0) if x.ndim + y.ndim <= 2 else x * 1.0,
    "matmul": lambda x, y: tf.matmul(x, y, transpose_b=True) if x.shape == y.shape and x.ndim == 2 else x + 0.0,
}

instruction = st.one_of(
    st.tuples(st.just("unary"), st.sampled_from(sorted(UNARY)), st.integers(0, 99)),
    st.tuples(st.just("binary"), st.sampled_from(sorted(BINARY)), st.integers(0, 99), st.integers(0, 99)),
    st.tuples(st.just("read"), st.integers(0, 1)),
    st.tuples(st.just("assign"), st.integers(0, 1), st.integers(0, 99), st.booleans()),
    st.tuples(st.just("branch"), st.integers(0, 99), st.sampled_from(sorted(UNARY)), st.sampled_from(sorted(UNARY))),
    st.tuples(st.just("loop"), st.integers(0, 99)),
)


class Program:
    """A program of instructions, each of which adds one tensor to a pool."""

    def __init__(self, instructions, shapes):
        self.instructions = instructions
        self.variables = [tf.Variable(np.linspace(-1, 1, int(np.prod(shape))).reshape(shape)) for shape in shapes]

    def run(self, x):
        pool = [x]
        for name, *operands in self.instructions:
            pool.append(getattr(self, name)(pool, *operands))
        return pool[1:]

    def unary(self, pool, name, i):
        return UNARY[name](pool[i % len(pool)])

    def binary(self, pool, name, i, j):
        x, y = pool[i % len(pool)], pool[j % len(pool)]
        try:
            np.broadcast_shapes(x.shape, y.shape)
        except ValueError:
            return x * 1.5
        return BINARY[name](x, y)

    def read(self, pool, k):
        return self.variables[k] * 1.0

    def assign(self, pool, k, i, adds):
        variable, x = self.variables[k], tf.tanh(pool[i % len(pool)])
        value = tf.zeros(variable.shape, tf.float64) + tf.reduce_mean(x)
        if adds:
            variable.assign_add(value)
        else:
            variable.assign(value)
        return variable.value()

    def branch(self, pool, i, one, other):
        x = pool[i % len(pool)]
        return UNARY[one](x) if tf.reduce_sum(x) > 0.1 else UNARY[other](x)

    def loop(self, pool, i):
        x = pool[i % len(pool)]
        while tf.reduce_max(tf.abs(x)) > 1.0:
            x = x * 0.4
        return x

    def step(self, x):
        with tf.GradientTape() as outer:
            with tf.GradientTape() as tape:
                tape.watch(x)
                outer.watch(x)
                pool = self.run(x)
                loss = tf.add_n([tf.reduce_sum(tf.sin(y)) for y in pool])
            first = tape.gradient(loss, [x, *self.variables])
            again = tf.add_n([tf.reduce_sum(tf.square(g)) for g in first if g is not None])
        return pool, loss, first, outer.gradient(again, x)


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    st.lists(instruction, min_size=2, max_size=9),
    st.tuples(st.sampled_from(SHAPES), st.sampled_from(SHAPES)),
    st.sampled_from(SHAPES),
)
def test_four_consecutive_calls(instructions, shapes, shape):
    eager, compiled = Program(instructions, shapes), Program(instructions, shapes)
    step = tf.function(compiled.step)
    rng = np.random.default_rng(len(instructions))
    for scale in (1.0, 0.5, 3.0, 1.0):
        x = tf.constant(scale * rng.normal(size=shape))
        for found, wanted in zip(tf.nest.flatten(step(x)), tf.nest.flatten(eager.step(x)), strict=True):
            assert (found is None) == (wanted is None)
            if found is not None:
                found, wanted = tf.convert_to_tensor(found), tf.convert_to_tensor(wanted)
                assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
                np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)
        for variable, other in zip(compiled.variables, eager.variables, strict=True):
            np.testing.assert_allclose(variable, other, rtol=1e-9, atol=1e-9)
