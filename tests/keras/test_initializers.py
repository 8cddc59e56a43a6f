"""Initializers: distributions, seeds, names."""

import numpy as np
import pytest
import scipy.stats

import fastgrad as tf
from fastgrad import keras

init = keras.initializers
SHAPE = (200, 300)


def variance(fan):
    return {"in": 200, "out": 300, "avg": 250}[fan]


SCALED = {
    "GlorotUniform": ("uniform", 1 / variance("avg")),
    "GlorotNormal": ("normal", 1 / variance("avg")),
    "HeUniform": ("uniform", 2 / variance("in")),
    "HeNormal": ("normal", 2 / variance("in")),
    "LecunUniform": ("uniform", 1 / variance("in")),
    "LecunNormal": ("normal", 1 / variance("in")),
}


@pytest.mark.parametrize("name", SCALED)
def test_variances(name):
    kind, expected = SCALED[name]
    values = getattr(init, name)(seed=1)(SHAPE).numpy()
    assert values.mean() == pytest.approx(0, abs=3 * np.sqrt(expected / values.size))
    assert values.var() == pytest.approx(expected, rel=0.02)
    if kind == "uniform":
        assert np.abs(values).max() <= np.sqrt(3 * expected)
        against = scipy.stats.uniform(-np.sqrt(3 * expected), 2 * np.sqrt(3 * expected))
    else:
        stddev = np.sqrt(expected) / 0.87962566103423978
        assert np.abs(values).max() <= 2 * stddev
        against = scipy.stats.truncnorm(-2, 2, scale=stddev)
    assert scipy.stats.kstest(values[:20].ravel(), against.cdf).pvalue > 1e-4


@pytest.mark.parametrize(
    ("shape", "fans"),
    [((), (1, 1)), ((7,), (7, 7)), ((3, 5), (3, 5)), ((4, 3, 5), (12, 20)), ((2, 2, 3, 5), (12, 20))],
    ids=str,
)
def test_fans(shape, fans):
    for mode, fan in zip(("fan_in", "fan_out"), fans, strict=True):
        limit = np.sqrt(3 / fan)
        values = init.VarianceScaling(1.0, mode, "uniform", seed=0)(shape)
        again = init.RandomUniform(-limit, limit, seed=0)(shape)
        np.testing.assert_allclose(values, again, rtol=1e-6)


def test_fans_by_axes():
    values = init.VarianceScaling(1.0, "fan_in", "uniform", seed=0, input_axes=(0, 2), output_axes=(1,))((2, 50, 3))
    np.testing.assert_allclose(values, init.RandomUniform(-np.sqrt(0.5), np.sqrt(0.5), seed=0)((2, 50, 3)), rtol=1e-6)


def test_distributions_by_name():
    scale = init.VarianceScaling(2.0, "fan_in", "untruncated_normal", seed=0)(SHAPE)
    assert scale.numpy().var() == pytest.approx(0.01, rel=0.02)
    assert np.abs(scale).max() > 2 * 0.1 / 0.88
    assert init.VarianceScaling(distribution="normal").distribution == "truncated_normal"


@pytest.mark.parametrize("arguments", [{"scale": 0.0}, {"mode": "x"}, {"distribution": "x"}, {"seed": "x"}], ids=str)
def test_variance_scaling_arguments(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        init.VarianceScaling(**arguments)


@pytest.mark.parametrize("shape", [(4, 4), (6, 3), (3, 6), (2, 3, 4)], ids=str)
def test_orthogonal(shape):
    matrix = init.Orthogonal(gain=2.0, seed=1)(shape).numpy().reshape(-1, shape[-1])
    product = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32"])
def test_constants(dtype):
    for initializer, expected in (
        (init.Zeros(), np.zeros((2, 3))),
        (init.Ones(), np.ones((2, 3))),
        (init.Constant(3), np.full((2, 3), 3)),
        (init.Constant([1, 2, 3]), np.array([[1, 2, 3]] * 2)),
        (init.Identity(2.0), 2 * np.eye(2, 3)),
    ):
        value = initializer((2, 3), dtype=dtype)
        assert value.dtype == dtype
        np.testing.assert_array_equal(value, expected)


def test_identity_wants_a_matrix():
    with pytest.raises(ValueError, match="2D"):
        init.Identity()((2, 2, 2))


class TestSeeds:
    def test_an_instance_repeats_itself(self):
        initializer = init.RandomNormal()
        np.testing.assert_array_equal(initializer((4, 4)), initializer((4, 4)))
        assert not np.array_equal(initializer((4, 4)), init.RandomNormal()((4, 4)))

    def test_the_global_seed_decides_the_others(self):
        drawn = []
        for _ in range(2):
            keras.utils.set_random_seed(7)
            layer = keras.layers.Dense(3)
            layer.build((None, 4))
            drawn.append(layer.kernel.numpy())
        np.testing.assert_array_equal(*drawn)


class TestNames:
    def test_get_of_others(self):
        assert init.get(None) is None
        assert isinstance(init.get(init.Zeros), init.Zeros)
        assert init.get(np.zeros) is np.zeros
        np.testing.assert_array_equal(init.get(np.arange(3.0))((3,)), [0.0, 1.0, 2.0])
        np.testing.assert_array_equal(init.get(tf.constant([1.0]))((1,), "float64"), [1.0])
        with pytest.raises(ValueError, match="direct tensor"):
            init.get(np.arange(3.0))((4,))
        for unknown in ("nonsense", 3):
            with pytest.raises(ValueError, match="initializer identifier"):
                init.get(unknown)

    @pytest.mark.parametrize(
        "initializer",
        [
            init.VarianceScaling(3.0, "fan_out", seed=1),
            init.HeNormal(seed=2),
            init.Constant([1, 2]),
            init.Orthogonal(0.5),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_configurations(self, initializer):
        config = init.serialize(initializer)
        assert config["module"] == "keras.initializers"
        assert init.deserialize(config).get_config() == initializer.get_config()
        assert initializer.clone().get_config() == initializer.get_config()

    def test_at_the_top_level(self):
        assert tf.initializers.GlorotUniform is init.GlorotUniform
        assert tf.initializers.zeros is init.Zeros

    def test_a_subclass(self):
        class Halves(init.Initializer):
            def __call__(self, shape, dtype=None):
                return tf.fill(shape, 0.5)

        layer = keras.layers.Dense(2, kernel_initializer=Halves())
        layer.build((None, 2))
        np.testing.assert_array_equal(layer.kernel, np.full((2, 2), 0.5))
        with pytest.raises(NotImplementedError):
            init.Initializer()((1,))


class TestTensorFlowsOwn:
    def test_values(self):
        np.testing.assert_array_equal(tf.zeros_initializer()((2,)), [0.0, 0.0])
        np.testing.assert_array_equal(tf.ones_initializer()([2], tf.int32), [1, 1])
        np.testing.assert_array_equal(tf.constant_initializer([1, 2, 3, 4])((2, 2)), [[1, 2], [3, 4]])
        assert tf.constant_initializer(2.0)((2,)).dtype == "float32"
        with pytest.raises(TypeError, match="do not fill"):
            tf.constant_initializer([1, 2, 3])((2, 2))
        with pytest.raises(TypeError, match="initial value"):
            tf.constant_initializer(object())
        with pytest.raises(ValueError, match="numeric"):
            tf.zeros_initializer()((1,), tf.string)

    def test_draws(self):
        normal = tf.random_normal_initializer(stddev=2.0)
        assert not np.array_equal(normal((3, 3)), normal((3, 3)))
        assert np.abs(tf.random_uniform_initializer()((100,))).max() <= 0.05
        assert tf.random_uniform_initializer(0, 5)((100,), tf.int32).dtype == "int32"
        twin = tf.random_normal_initializer.from_config(normal.get_config())
        assert twin.stddev == 2.0
        with pytest.raises(ValueError, match="floating"):
            normal((2,), tf.int32)

    @pytest.mark.parametrize("kind", [tf.random_normal_initializer, tf.random_uniform_initializer])
    def test_a_seed_gives_the_same_numbers_at_every_call(self, kind):
        seeded = kind(seed=1)
        first = seeded((4, 2)).numpy()
        np.testing.assert_array_equal(seeded((4, 2)), first)
        tf.random.set_seed(3)
        np.testing.assert_array_equal(kind(seed=1)((4, 2)), first)
        np.testing.assert_array_equal(seeded((4, 2), partition_shape=(2, 2), partition_offset=(0, 0)), first[:2])
        assert not np.array_equal(kind(seed=2)((4, 2)), first)

    def test_a_partition_has_its_own_shape(self):
        kinds = tf.zeros_initializer, tf.ones_initializer, tf.random_normal_initializer, tf.random_uniform_initializer
        for kind in kinds:
            assert kind()((4, 2), partition_shape=(3, 2), partition_offset=(1, 0)).shape == (3, 2)
            with pytest.raises(TypeError, match="partition_shape"):
                kind()((4, 2), part=(2, 2))
        with pytest.raises(ValueError, match="doesn't support partition"):
            tf.constant_initializer([1, 2, 3, 4])((4, 2), partition_shape=(2, 2))
        parts = tf.constant_initializer(3, support_partition=True)
        np.testing.assert_array_equal(parts((4, 2), partition_shape=(2, 2)), [[3, 3], [3, 3]])
