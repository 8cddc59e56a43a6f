"""Steps by chance, of all that a compiled function may meet, do the same eagerly and compiled over consecutive calls.

Each seed is a program: instructions that add tensors to a pool, among them branches, loops of every kind, assignments, nested
functions and gradients of gradients; and calls of it whose arguments are views, other shapes, the same tensor twice, variables
that the step also captures, Python numbers. ``python -m tests.trace.test_random_steps 100 2000`` runs many seeds.
"""

import random
import sys
import warnings

import numpy as np
import pytest

import fastgrad as tf

UNARY = [
    tf.tanh,
    tf.sin,
    tf.square,
    tf.abs,
    tf.nn.relu,
    tf.nn.softplus,
    tf.identity,
    tf.stop_gradient,
    lambda x: tf.exp(-tf.abs(x)),
    lambda x: tf.reduce_sum(x, axis=-1, keepdims=True) if x.ndim else x,
    lambda x: tf.reduce_max(x, axis=0) if x.ndim else x,
    lambda x: x[..., ::-1] if x.ndim else x,
    lambda x: x[1:] if x.ndim and x.shape[0] > 1 else x,
    tf.transpose,
    lambda x: tf.reshape(x, [-1]),
    lambda x: tf.nn.softmax(x) if x.ndim else x,
    lambda x: tf.concat([x, 2.0 * x], 0) if x.ndim else x,
    lambda x: tf.cumsum(x) if x.ndim else x,
    lambda x: tf.gather(x, [0, 0, 0]) if x.ndim else x,
    lambda x: tf.cast(tf.cast(x, tf.float32), tf.float64),
    lambda x: tf.sort(x) if x.ndim else x,
    lambda x: tf.where(x > 0.3, x, -x),
    lambda x: tf.clip_by_value(x, -0.5, 0.7),
    lambda x: tf.stack(tf.unstack(x)[::-1]) if x.ndim else x,
    lambda x: tf.expand_dims(tf.reduce_mean(x), 0),
    lambda x: tf.boolean_mask(x, x > 0.0) if x.ndim else x,
]

BINARY = [
    tf.add,
    tf.subtract,
    tf.multiply,
    tf.maximum,
    lambda x, y: tf.where(x > y, x, y * 0.5),
    lambda x, y: x / (1.0 + tf.square(y)),
    tf.math.squared_difference,
    lambda x, y: x + 0.0 * tf.reduce_sum(y),
]


@tf.custom_gradient
def steep(x):
    e = tf.tanh(x)
    return e * 2.0, lambda g: g * (1.0 - e) * 3.0


class Step:
    """A program, with state of its own."""

    KINDS = (
        ("unary",) * 6
        + ("binary",) * 4
        + (
            "read",
            "assign",
            "assign_part",
            "if_",
            "while_",
            "for_int",
            "cond",
            "cond_assigns",
            "while_loop",
            "collected",
            "scan",
            "mapped",
            "nested",
            "gradient",
            "second",
            "own",
            "draw",
            "by_number",
            "checked",
        )
    )

    def __init__(self, seed, compiled):
        rng = self.rng = random.Random(seed)
        count = rng.randint(2, 9)
        self.program = [(rng.choice(self.KINDS), [rng.randrange(1000) for _ in range(4)]) for _ in range(count)]
        self.wrap = tf.function if compiled else lambda function: function
        shapes = [rng.choice([(), (3,), (2, 3), (4, 1)]) for _ in range(2)]
        self.variables = [tf.Variable(np.linspace(-1, 1, int(np.prod(s))).reshape(s)) for s in shapes]
        self.generator = tf.random.Generator.from_seed(seed)
        self.optimizer = tf.keras.optimizers.SGD(0.01, momentum=0.5) if rng.random() < 0.3 else None
        self.returns = rng.randrange(4)
        self.inner = self.wrap(self.helper)
        self.step = self.wrap(self.body)

    def state(self):
        return [*self.variables, self.generator.state]

    # ---- instructions

    def unary(self, pool, a, *_):
        return UNARY[a % len(UNARY)](pool[-1])

    def binary(self, pool, a, b, *_):
        x, y = pool[b % len(pool)], pool[-1]
        try:
            np.broadcast_shapes(x.shape, y.shape)
        except ValueError:
            return x * 1.5
        return BINARY[a % len(BINARY)](x, y)

    def read(self, pool, a, *_):
        return self.variables[a % 2] * 1.0

    def assign(self, pool, a, b, *_):
        v = self.variables[a % 2]
        value = (
            tf.zeros(v.shape, tf.float64) + tf.reduce_mean(tf.tanh(pool[-1])) if pool[-1].shape.num_elements() else v
        )
        (v.assign_add, v.assign, v.assign_sub)[b % 3](value)
        return v.value() if b % 2 else pool[-1]

    def assign_part(self, pool, a, *_):
        v = self.variables[a % 2]
        if v.ndim:
            v[0].assign(tf.zeros(v.shape[1:], tf.float64) + tf.tanh(tf.reduce_sum(pool[-1])))
        return v + 1.0

    def if_(self, pool, a, b, *_):
        x = pool[-1]
        if tf.reduce_sum(x) > 0.1:
            self.variables[a % 2].assign_add(tf.ones(self.variables[a % 2].shape, tf.float64) * 0.1)
            return UNARY[a % 10](x)
        return UNARY[b % 10](x)

    def while_(self, pool, *_):
        x = pool[-1]
        while tf.reduce_sum(tf.abs(x)) > 1.0:
            x = x * 0.3
        return x

    def for_int(self, pool, *_):
        x = pool[-1]
        for i in range(int(tf.minimum(tf.reduce_sum(tf.cast(x > 0.0, tf.int32)), 3))):
            x = tf.sin(x) + 0.1 * i
        return x

    def cond(self, pool, a, b, *_):
        x, v = pool[-1], self.variables[a % 2]
        return tf.cond(tf.reduce_sum(x) > 0.2, lambda: tf.sin(x) * tf.reduce_sum(v), lambda: UNARY[b % 8](x) * 1.0)

    def cond_assigns(self, pool, a, *_):
        x, v = pool[-1], self.variables[a % 2]

        def true():
            v.assign_add(tf.ones(v.shape, tf.float64) * 0.3)
            return x * tf.reduce_mean(v)

        return tf.cond(tf.reduce_sum(x) > 0.0, true, lambda: x - 1.0)

    def while_loop(self, pool, a, b, *_):
        x, v = pool[-1], self.variables[b % 2]
        n = tf.minimum(tf.reduce_sum(tf.cast(x > 0.1, tf.int32)), 4)

        def body(i, y):
            if a % 3 == 0:
                v.assign(v * 0.9 + 0.01 * tf.cast(i, tf.float64))
            return i + 1, tf.tanh(y) * 1.1 + 0.1 * tf.reduce_sum(v)

        return tf.while_loop(lambda i, y: i < n, body, (0, x))[1]

    def collected(self, pool, a, *_):
        x = pool[-1]
        n = tf.minimum(tf.reduce_sum(tf.cast(x > 0.1, tf.int32)), 3)
        start = tf.TensorArray(tf.float64, 4, element_shape=x.shape, clear_after_read=False)

        def body(i, y, ta):
            if a % 2:
                ta = ta.write(3, y * 0.5)
            y = tf.sin(y) + (ta.read(3) if a % 3 == 0 else 0.1)
            return i + 1, y, ta.write(i, y)

        _, y, ta = tf.while_loop(lambda i, *_: i < n, body, (0, x, start))
        return tf.reduce_sum(ta.stack(), 0) + y

    def scan(self, pool, a, *_):
        x = pool[-1]
        return tf.scan(lambda s, r: tf.tanh(s + r * 0.5), tf.stack([x, x * 0.5, -x]), reverse=bool(a % 2))[a % 3]

    def mapped(self, pool, a, b, *_):
        x, v = pool[-1], self.variables[b % 2]
        function = lambda r: UNARY[a % 18](r) * tf.reduce_sum(v)
        rows = tf.stack([x, x * 0.5 + 0.1])
        return (tf.vectorized_map if b % 3 else tf.map_fn)(function, rows)[b % 2] if a % 18 not in {9, 10} else x

    def helper(self, x, y):
        self.variables[0].assign_add(tf.ones(self.variables[0].shape, tf.float64) * 0.05)
        return tf.sin(x) * tf.reduce_sum(self.variables[1]) + tf.reduce_sum(y)

    def nested(self, pool, a, *_):
        return self.inner(pool[-1], pool[a % len(pool)])

    def gradient(self, pool, a, *_):
        x = pool[-1]
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = UNARY[a % 10](tf.sin(x) * tf.reduce_sum(self.variables[a % 2]))
        found = tape.gradient(y, x)
        return x if found is None else found

    def second(self, pool, a, *_):
        x = pool[-1]
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = tf.reduce_sum(tf.tanh(x) ** 3) * tf.reduce_sum(self.variables[a % 2])
            first = tape.gradient(y, x)
        return outer.gradient(first, x)

    def own(self, pool, *_):
        return steep(pool[-1])

    def draw(self, pool, *_):
        return pool[-1] + self.generator.normal(pool[-1].shape, dtype=tf.float64)

    def by_number(self, pool, *_):
        return pool[-1] * self.number

    def checked(self, pool, *_):
        tf.debugging.assert_less(tf.reduce_max(tf.concat([tf.reshape(pool[-1], [-1]), [0.0]], 0)), 1e9)
        return tf.ensure_shape(pool[-1], pool[-1].shape)

    # ---- the step

    def body(self, arguments, number=1.0, way=0, extra=None):
        self.number = number
        flat = [tf.convert_to_tensor(x) for x in tf.nest.flatten(arguments)]
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(flat)
            pool = [*flat, *([] if extra is None else [extra * 1.0])]
            for name, operands in self.program:
                y = getattr(self, name)(pool, *operands)
                if y.shape.num_elements() and y.shape.num_elements() < 200 and y.ndim < 4:
                    pool.append(y)
            total = tf.add_n([tf.reduce_sum(tf.sin(y)) for y in pool[way % len(pool) :]])
        # What was not reached eagerly may have been on a way not taken: zeros.
        found = tape.gradient(total, [flat[0], *self.variables], unconnected_gradients="zero")
        if self.optimizer is not None:
            gradients = [
                tf.zeros_like(v) if g is None else tf.tanh(g) for g, v in zip(found[1:], self.variables, strict=True)
            ]
            self.optimizer.apply_gradients(zip(gradients, self.variables, strict=True))
        return (
            {"pool": pool, "total": total, "g": found},
            [total, (pool[-1], None), flat[0]],
            (pool[-1], found[0]),
            [total, *[g for g in found if g is not None], self.variables[0]],
        )[self.returns]


def given(rng, numbers):
    """An array of numbers laid out in some way, or a tensor."""
    shape = rng.choice([(3,), (2, 3), (3, 2)])
    base = numbers.normal(size=(6, 6)) * rng.choice([0.3, 1.0, 2.0])
    rows, columns = (shape[0], shape[1]) if len(shape) == 2 else (1, shape[0])
    form = rng.randrange(7)
    found = {
        0: base[:rows, :columns].copy(),
        1: base[: 2 * rows : 2, : 2 * columns : 2],
        2: base[:rows, :columns][::-1, ::-1],
        3: base[:columns, :rows].T,
        4: np.broadcast_to(base[:1, :columns], (rows, columns)),
        5: base[:rows, :columns].astype(">f8"),
        6: np.asfortranarray(base[:rows, :columns]),
    }[form]
    found = found if len(shape) == 2 else found[0]
    if rng.random() < 0.2:
        found = found.copy()
        found.flags.writeable = False
    return tf.constant(found) if rng.random() < 0.4 else found


def calls(seed):
    """Arguments of consecutive calls, the same for every step of this seed."""
    rng, numbers = random.Random(seed + 1), np.random.default_rng(seed)
    alternate = [given(rng, numbers) for _ in range(2)]
    style = rng.randrange(5)
    for call in range(6):
        fresh = np.asarray(alternate[call % 2 if style == 1 else 0]) * rng.choice([1.0, 0.5, -1.0, 1.0])
        x = fresh if call % 3 else alternate[0]
        arguments = [x, [x, x], {"a": x, "b": [np.asarray(x) * 0.5]}, x, (x,)][style]
        options = {}
        if rng.random() < 0.5:
            options["number"] = rng.choice([1.0, 0.5, 0.5, 2.0])
        if rng.random() < 0.2:
            options["way"] = rng.randrange(3)
        yield arguments, options, style == 3


def check(seed):
    eager, compiled = Step(seed, False), Step(seed, True)
    for number, (arguments, options, with_variable) in enumerate(calls(seed)):
        results = []
        before = [np.array(v) for v in compiled.state()]
        for step in (eager, compiled):
            extra = {"extra": step.variables[0]} if with_variable else {}
            try:
                results.append(tf.nest.flatten(step.step(arguments, **options, **extra)))
            except (ValueError, tf.errors.InvalidArgumentError) as error:
                results.append([type(error)])
        wanted, found = results
        where = f"seed {seed}, call {number}: {eager.program}"
        assert len(found) == len(wanted), where
        for one, other in zip(found, wanted, strict=True):
            if other is None or isinstance(other, type):
                assert one is other, where
                continue
            one, other = tf.convert_to_tensor(one), tf.convert_to_tensor(other)
            assert (one.shape, one.dtype) == (other.shape, other.dtype), where
            np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-9, err_msg=where)
        if wanted and isinstance(wanted[0], type):
            # An error leaves nothing behind in a compiled step.
            for one, other, was in zip(compiled.state(), eager.state(), before, strict=True):
                np.testing.assert_array_equal(one, was, err_msg=where)
                other.assign(was)
        for one, other in zip(compiled.variables, eager.variables, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-9, err_msg=where)
        np.testing.assert_array_equal(compiled.generator.state, eager.generator.state, err_msg=where)


@pytest.mark.parametrize("seed", range(6))
def test_six_consecutive_calls(seed):
    check(seed)


if __name__ == "__main__":
    first, last = map(int, sys.argv[1:3])
    warnings.filterwarnings("error", message=".*could not be compiled")
    for chosen in range(first, last):
        try:
            check(chosen)
        except Exception as failure:  # noqa: BLE001 - all of them are to be seen
            print(f"seed {chosen}: {type(failure).__name__}: {str(failure)[:1500]}", flush=True)
        if chosen % 20 == 0:
            print("at", chosen, flush=True)
