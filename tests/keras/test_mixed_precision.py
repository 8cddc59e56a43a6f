"""Mixed precision: weights in float32, computations in a half type."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from fastgrad.keras import layers, mixed_precision


@pytest.fixture(params=["mixed_bfloat16", "mixed_float16"])
def policy(request):
    mixed_precision.set_global_policy(request.param)
    yield request.param
    mixed_precision.set_global_policy("float32")


def image_model():
    return tf.keras.Sequential(
        [
            tf.keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(8, activation="tanh"),
            layers.LayerNormalization(),
            layers.Dense(3, dtype="float32"),
        ]
    )


def training_step(model, optimizer, compiled):
    def step(x, y):
        with tf.GradientTape() as tape:
            logits = model(x, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
        optimizer.apply_gradients(
            zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
        )
        return loss

    return tf.function(step) if compiled else step


def test_results_are_those_of_float32_to_the_precision_of_the_half_type(policy):
    tf.random.set_seed(0)
    x = np.random.default_rng(0).normal(size=(5, 8, 8, 1)).astype(np.float32)
    mixed = image_model()
    mixed_precision.set_global_policy("float32")
    plain = image_model()
    plain.set_weights(mixed.get_weights())
    mixed_result, plain_result = mixed(x), plain(x)
    assert mixed_result.dtype == tf.float32
    np.testing.assert_allclose(mixed_result, plain_result, atol=0.1 if policy == "mixed_bfloat16" else 0.01)
    assert not np.array_equal(mixed_result, plain_result), "it did compute in the half type"


def test_a_compiled_step_gives_what_an_eager_one_gives_and_runs_no_python(policy):
    random = np.random.default_rng(0)
    x, y = random.normal(size=(16, 8, 8, 1)).astype(np.float32), random.integers(0, 3, 16)

    def trained(compiled):
        tf.keras.utils.set_random_seed(1)
        model = image_model()
        step = training_step(model, tf.keras.optimizers.SGD(0.05), compiled)
        losses = [float(step(tf.constant(x), tf.constant(y))) for _ in range(8)]
        return losses, model.get_weights(), step

    eager, compiled = trained(False), trained(True)
    assert "run as Python" not in compiled[2].report()
    assert eager[0][-1] < 0.8 * eager[0][0]
    tolerance = 0.05 if policy == "mixed_bfloat16" else 0.005
    np.testing.assert_allclose(compiled[0], eager[0], rtol=tolerance)
    for found, wanted in zip(compiled[1], eager[1], strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted, atol=tolerance)


@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16])
@pytest.mark.parametrize("shapes", [((4, 5), (5, 3)), ((1, 7), (7, 1)), ((2, 3, 4), (4, 2)), ((3, 2, 4), (3, 4, 5))])
def test_compiled_products_of_halves_are_summed_in_float32_and_rounded_once(dtype, shapes):
    a, b = (tf.cast(tf.random.normal(shape, seed=3), dtype) for shape in shapes)
    product = tf.function(tf.matmul)
    product(a, b)
    found = product(a, b)
    wide = np.matmul(a.numpy().astype(np.float64), b.numpy().astype(np.float64))
    np.testing.assert_array_equal(found, tf.matmul(a, b))
    np.testing.assert_allclose(
        found.numpy().astype(np.float64), wide, rtol=1e-2 if dtype == tf.bfloat16 else 1e-3, atol=1e-3
    )


def test_weights_are_cast_inside_calls_only(policy):
    layer = layers.Dense(2)
    layer.build((None, 3))
    inside = []

    class Looks(layers.Dense):
        def call(self, x):
            kernel = self.kernel
            inside.append((kernel.dtype, tf.convert_to_tensor(kernel).dtype, kernel.value.dtype, (kernel * 1.0).dtype))
            kernel.assign(tf.fill((3, 2), 1.0001))
            return super().call(x)

    looks = Looks(2)
    looks(np.ones((1, 3), np.float32))
    half = tf.as_dtype(policy.removeprefix("mixed_"))
    assert inside == [(half, half, half, half)]
    np.testing.assert_array_equal(looks.kernel, np.full((3, 2), 1.0001, np.float32))
    assert looks.kernel.dtype == tf.convert_to_tensor(looks.kernel).dtype == looks.kernel.value.dtype == tf.float32
    assert layer.kernel.numpy().dtype == np.float32


@pytest.mark.parametrize("compiled", [False, True])
def test_losses_in_bfloat16_follow_those_of_float32(compiled):
    random = np.random.default_rng(0)
    x, y = random.normal(size=(64, 130)).astype(np.float32), random.integers(0, 10, 64)

    def losses(policy):
        mixed_precision.set_global_policy(policy)
        try:
            tf.keras.utils.set_random_seed(1)
            model = tf.keras.Sequential(
                [layers.Dense(127, "gelu"), layers.Dense(96, "relu"), layers.Dense(10, dtype="float32")]
            )
            step = training_step(model, tf.keras.optimizers.Adam(0.003), compiled)
            found = [float(step(tf.constant(x), tf.constant(y))) for _ in range(20)]
        finally:
            mixed_precision.set_global_policy("float32")
        if compiled:
            assert ("gemm_pairs" in step.report()) == (policy == "mixed_bfloat16")
        return found

    plain, mixed = losses("float32"), losses("mixed_bfloat16")
    assert plain[-1] < 0.2 * plain[0]
    np.testing.assert_allclose(mixed, plain, rtol=0.03)
    assert mixed != plain


def test_fit_under_mixed_float16_scales_the_loss():
    mixed_precision.set_global_policy("mixed_float16")
    try:
        model = tf.keras.Sequential([tf.keras.Input((4,)), layers.Dense(2)])
        model.compile(optimizer="sgd", loss="mse")
    finally:
        mixed_precision.set_global_policy("float32")
    assert isinstance(model.optimizer, mixed_precision.LossScaleOptimizer)
    x = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
    history = model.fit(x, x[:, :2], epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0]


def test_an_unknown_policy_changes_nothing():
    with pytest.raises(ValueError, match="mixed_float64"):
        mixed_precision.set_global_policy("mixed_float64")
    assert mixed_precision.global_policy().name == "float32"


@pytest.mark.parametrize("name", ["mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64"])
def test_a_policy_without_a_name_is_the_global_one(name):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        assert keras.DTypePolicy().name == keras.DTypePolicy(None).name == name
    finally:
        keras.config.set_dtype_policy(before)
    assert keras.DTypePolicy().name == before.name


def test_what_is_no_policy():
    with pytest.raises(TypeError, match="'name' must be a string"):
        keras.DTypePolicy(123)
    for value in (None, 123):
        with pytest.raises(ValueError, match=f"policy={value}"):
            keras.config.set_dtype_policy(value)
    assert keras.DTypePolicy("mixed_float16").quantization_mode is None


def test_the_policy_of_a_layer_can_be_set():
    model = keras.Sequential([layers.Dense(2, kernel_initializer="ones")])
    x = tf.fill((1, 3), 1.001)
    model(x)
    layer, compiled = model.layers[0], tf.function(model)
    for name, half, expected in [
        ("float32", "float32", 3.0030003),
        ("mixed_bfloat16", "bfloat16", 3.0),
        ("mixed_float16", "float16", 3.00390625),
        ("float32", "float32", 3.0030003),
    ]:
        layer.dtype_policy = keras.DTypePolicy(name)
        for result in (layer(x), compiled(x)):
            assert result.dtype == half == layer.compute_dtype == layer.dtype_policy.compute_dtype
            np.testing.assert_allclose(tf.cast(result, tf.float64), [[expected, expected]], rtol=1e-7)
        assert layer.kernel.dtype == layer.dtype == "float32"


def test_a_dtype_of_a_layer_that_is_none():
    with pytest.raises(ValueError, match="dtype=123"):
        layers.Dense(2, dtype=123)


@pytest.mark.parametrize("cell", ["SimpleRNN", "GRU", "LSTM"])
def test_compiled_recurrent_layers_read_the_weights_they_have(policy, cell):
    layer = getattr(layers, cell)(4, return_sequences=True)
    compiled = tf.function(layer)
    rng = np.random.default_rng(0)
    for _ in range(4):
        x = tf.constant(rng.normal(size=(2, 5, 3)).astype("float32"))
        results = [tf.cast(f(x), tf.float32) for f in (compiled, layer)]
        np.testing.assert_array_equal(*results)


class Branching(layers.Layer):
    """Reads weights in branches, loops, rows and functions, and changes one."""

    def __init__(self):
        super().__init__()
        self.kernel = self.add_weight(shape=(3,), initializer="glorot_uniform", name="kernel")
        self.total = self.add_weight(shape=(3,), initializer="glorot_uniform", name="total")
        self.function = tf.function(lambda x: x * self.kernel)

    def call(self, x):
        y = tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, tf.tanh(y * self.kernel) + y), (0, x))[1]
        y = tf.cond(tf.reduce_sum(y) > 0.0, lambda: y * self.kernel, lambda: y - self.kernel)
        y += tf.vectorized_map(lambda row: row * self.kernel, tf.stack([y, y]))[0]
        y += tf.map_fn(self.function, tf.stack([y, y]))[1]
        self.total.assign_add(tf.fill([3], 1e-5))
        return y


def test_weights_of_mixed_layers_inside_of_control_flow(policy):
    eager, other = Branching(), Branching()
    other.set_weights(eager.get_weights())
    compiled = tf.function(other)
    total = eager.total.numpy()
    rng = np.random.default_rng(0)
    for call in range(4):
        x = tf.constant(rng.normal(size=3).astype("float32"))
        y, z = eager(x), compiled(x)
        assert y.dtype == z.dtype == policy.removeprefix("mixed_")
        np.testing.assert_array_equal(tf.cast(y, tf.float32), tf.cast(z, tf.float32))
        np.testing.assert_allclose(eager.total.numpy(), total + 1e-5 * (call + 1), rtol=1e-6)
        np.testing.assert_array_equal(eager.total.numpy(), other.total.numpy())


def test_an_optimizer_that_scales_the_loss_already_is_not_wrapped_again():
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        weights = []
        for wrap in (lambda optimizer: optimizer, keras.optimizers.LossScaleOptimizer):
            model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
            model.compile(wrap(keras.optimizers.SGD(0.1)), "mse")
            model.train_on_batch(np.ones((4, 2), "float32"), np.full((4, 1), 1.5, "float32"))
            weights.append(model.get_weights())
        for own, wrapped in zip(*weights, strict=True):
            np.testing.assert_array_equal(own, wrapped)
        np.testing.assert_allclose(weights[0][0], 0.9, rtol=1e-3)
    finally:
        keras.mixed_precision.set_global_policy(before)
