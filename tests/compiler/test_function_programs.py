"""Programs as users write them give the same values and leave the same state, run eagerly and under ``tf.function``."""

import numpy as np
import pytest

import fastgrad as tf

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 4)).astype(np.float32)
LABELS = RNG.integers(0, 3, 6)


def assert_same(build, arguments, calls=5, rtol=2e-5):
    """``build()`` gives a function and the variables that it changes; both ways it is called with ``arguments(i)``."""
    found = []
    for decorate in (lambda function: function, tf.function):
        tf.random.set_seed(1)
        tf.keras.utils.set_random_seed(1)
        function, state = build()
        function = decorate(function)
        values = [tf.nest.flatten(function(*arguments(i))) for i in range(calls)]
        found.append(
            ([[None if v is None else np.asarray(v) for v in one] for one in values], [np.asarray(v) for v in state()])
        )
    (eager, eager_state), (compiled, compiled_state) = found
    for one, other in zip(compiled, eager, strict=True):
        for a, b in zip(one, other, strict=True):
            assert (a is None) == (b is None)
            if a is not None:
                assert (a.shape, a.dtype) == (b.shape, b.dtype)
                np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-6)
    for a, b in zip(compiled_state, eager_state, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-6)


SCHEDULE = tf.keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"momentum": 0.9, "nesterov": True, "learning_rate": SCHEDULE}),
        ("Adam", {}),
        ("AdamW", {"clipnorm": 1.0}),
        ("RMSprop", {"global_clipnorm": 1.0}),
        ("Adam", {"use_ema": True}),
        ("Adam", {"gradient_accumulation_steps": 2}),
    ],
)
def test_training_steps(name, options):
    def build():
        model = tf.keras.Sequential(
            [
                tf.keras.layers.Dense(8, activation="relu"),
                tf.keras.layers.Dropout(0.3),
                tf.keras.layers.LayerNormalization(),
                tf.keras.layers.Dense(3),
            ]
        )
        optimizer = getattr(tf.keras.optimizers, name)(**options)
        loss_of = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        mean, accuracy = tf.keras.metrics.Mean(), tf.keras.metrics.SparseCategoricalAccuracy()

        def step(x, y):
            with tf.GradientTape() as tape:
                logits = model(x, training=True)
                loss = loss_of(y, logits)
            optimizer.apply_gradients(
                zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
            )
            mean.update_state(loss)
            accuracy.update_state(y, logits)
            return {"loss": loss, "mean": mean.result(), "accuracy": accuracy.result()}

        return step, lambda: [*model.weights, *optimizer.variables, *mean.variables, *accuracy.variables]

    assert_same(build, lambda i: (X + 0.01 * i, LABELS))


def test_embeddings_and_their_rows():
    def build():
        layer, optimizer = tf.keras.layers.Embedding(10, 4), tf.keras.optimizers.Adam()

        def step(ids):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(layer(ids) ** 2)
            gradient = tape.gradient(loss, layer.trainable_variables)
            optimizer.apply_gradients(zip(gradient, layer.trainable_variables, strict=True))
            return loss

        return step, lambda: [*layer.weights, *optimizer.variables]

    assert_same(build, lambda i: (np.array([1, 2, 2, i]),))


def test_rows_as_a_result():
    table = tf.Variable(np.ones((5, 2), np.float32))

    @tf.function
    def gradient(ids):
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(tf.gather(table, ids) * 3.0)
        return tape.gradient(y, table)

    for _ in range(3):
        found = gradient(tf.constant([1, 3]))
        assert isinstance(found, tf.IndexedSlices)
        np.testing.assert_array_equal(found.indices, [1, 3])
        np.testing.assert_array_equal(tf.convert_to_tensor(found)[3], [3.0, 3.0])


def test_parts_of_variables():
    def build():
        v, w = tf.Variable(np.arange(6.0).reshape(2, 3)), tf.Variable(np.zeros((4, 2)))

        def step(x):
            v[0].assign(x)
            v[1:, ::2].assign_add([[1.0, 2.0]])
            w.scatter_add(tf.IndexedSlices(tf.reshape(x[:2], (1, 2)), tf.constant([2])))
            return v * 1.0, w * 1.0

        return step, lambda: [v, w]

    assert_same(build, lambda i: (tf.constant([1.0, 2.0, float(i)], tf.float64),))


def test_a_recurrent_cell_in_a_loop():
    def build():
        w = tf.Variable(0.1 * np.eye(4, dtype=np.float32))

        def step(x):
            with tf.GradientTape() as tape:
                h = tf.zeros((6, 4))
                for _ in range(5):
                    h = tf.tanh(h @ w + x)
                loss = tf.reduce_mean(h**2)
            w.assign_sub(0.1 * tape.gradient(loss, w))
            return loss

        return step, lambda: [w]

    assert_same(build, lambda i: (X + i,))


def test_a_gradient_penalty():
    def build():
        first, last = tf.keras.layers.Dense(8, activation="tanh"), tf.keras.layers.Dense(1)
        first.build((None, 4)), last.build((None, 8))
        variables = first.weights + last.weights

        def step(x):
            with tf.GradientTape() as tape:
                with tf.GradientTape() as inner:
                    inner.watch(x)
                    y = tf.reduce_sum(last(first(x)))
                loss = tf.reduce_mean((tf.norm(inner.gradient(y, x), axis=1) - 1.0) ** 2)
            gradients = tape.gradient(loss, variables)
            for variable, gradient in zip(variables, gradients, strict=True):
                if gradient is not None:
                    variable.assign_sub(0.1 * gradient)
            return loss, gradients

        return step, lambda: variables

    assert_same(build, lambda i: (tf.constant(X + i),))


def test_jacobians_and_forward_derivatives():
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.sin(x) * x
        with tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)) as accumulator:
            z = tf.sin(x) * x
        return tape.jacobian(y, x), accumulator.jvp(z)

    assert_same(lambda: (step, list), lambda i: (tf.constant([1.0, 2.0, float(i)]),))


def test_random_numbers():
    def build():
        generator = tf.random.Generator.from_seed(1)

        def step(x):
            noise = tf.random.normal([4]) + generator.uniform([4]) + tf.random.truncated_normal([4])
            return x + noise, tf.random.shuffle(x), tf.random.uniform([4], 0, 5, tf.int32), tf.nn.dropout(x, 0.5)

        return step, lambda: [generator.state]

    assert_same(build, lambda i: (tf.constant([1.0, 2.0, 3.0, float(i)]),))


def test_operations_without_kernels_run_between_stretches():
    def step(x):
        a = tf.transpose(x) @ x + tf.eye(4)
        return tf.linalg.eigh(tf.linalg.inv(a) * 2.0)[0] + 1.0, tf.linalg.svd(a)[0], tf.linalg.qr(a)[1]

    assert_same(lambda: (step, list), lambda i: (tf.constant(X + i),), rtol=1e-3)
    compiled = tf.function(step)
    for _ in range(3):
        compiled(X)
    assert "run as Python" in compiled.report()


def test_tensor_arrays_and_modules():
    class Module(tf.Module):
        def __init__(self):
            super().__init__()
            self.w = tf.Variable([1.0, 2.0, 3.0, 4.0])

        def __call__(self, x):
            return x * self.w

    def build():
        module = Module()

        def step(x):
            array = tf.TensorArray(tf.float32, size=0, dynamic_size=True)
            for i in range(3):
                array = array.write(i, module(x[i]))
            module.w.assign_add(tf.ones(4))
            return array.stack()

        return step, lambda: [module.w]

    assert_same(build, lambda i: (tf.constant(X + i),))


def test_strings():
    step = tf.function(lambda x: (x, tf.constant("text"), tf.reduce_sum(x)))
    words = tf.constant(["a", "b"])
    with pytest.raises(tf.errors.InvalidArgumentError, match="reduce_sum"):
        step(words)
    step = tf.function(lambda x: (x, tf.constant("text")))
    for _ in range(3):
        same, text = step(words)
        assert same is words
        assert text.numpy() == b"text"


def test_a_loop_over_a_dataset():
    dataset = tf.data.Dataset.from_tensor_slices(np.arange(6.0, dtype=np.float32)).batch(2)

    def build():
        v = tf.Variable(0.0)

        @tf.function
        def add(batch):
            v.assign_add(tf.reduce_sum(batch))

        def epoch(scale):
            for batch in dataset:
                add(batch * scale)
            return v * 1.0

        return epoch, lambda: [v]

    assert_same(build, lambda i: (tf.constant(float(i)),))


def test_nested_functions_with_gradients_through_them():
    def build():
        v = tf.Variable(0.0)

        @tf.function
        def inner(x):
            v.assign_add(1.0)
            return x * v

        def step(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = inner(x) + inner(x * 2.0)
            return y, tape.gradient(y, x)

        return step, lambda: [v]

    assert_same(build, lambda i: (tf.constant(1.0 + i),))


def test_explicit_control_flow():
    def step(x):
        doubled = tf.cond(tf.reduce_sum(x) > 10.0, lambda: x * 2.0, lambda: x - 1.0)
        _, grown = tf.while_loop(lambda i, _: i < 5, lambda i, a: (i + 1, a * 1.5), (tf.constant(0), x))
        return doubled, grown, tf.map_fn(lambda row: row * 2.0, x), tf.scan(lambda a, b: a + b, x)

    assert_same(lambda: (step, list), lambda i: (tf.constant(X + i),))
