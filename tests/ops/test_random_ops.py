"""Random numbers: repeatable where asked, different where not, of the right distribution."""

import numpy as np
import pytest
from scipy import stats

import fastgrad as tf
from tests.gradients import value_and_gradient

DRAWS = {
    "uniform": lambda **k: tf.random.uniform([1000], **k),
    "normal": lambda **k: tf.random.normal([1000], **k),
    "truncated_normal": lambda **k: tf.random.truncated_normal([1000], **k),
    "integers": lambda **k: tf.random.uniform([1000], 0, 1000, tf.int32, **k),
    "shuffle": lambda **k: tf.random.shuffle(np.arange(1000), **k),
    "categorical": lambda **k: tf.random.categorical(np.zeros((1, 50)), 1000, **k),
    "gamma": lambda **k: tf.random.gamma([1000], 2.0, **k),
    "poisson": lambda **k: tf.random.poisson([1000], 20.0, **k),
    "dropout": lambda **k: tf.nn.dropout(np.ones(1000), 0.5, **k),
}


@pytest.mark.parametrize("name", DRAWS)
def test_the_global_seed_repeats_a_sequence(name):
    draw = DRAWS[name]
    tf.random.set_seed(7)
    first = [draw().numpy() for _ in range(3)]
    tf.random.set_seed(7)
    again = [draw().numpy() for _ in range(3)]
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[0], first[1])
    tf.random.set_seed(8)
    assert not np.array_equal(first[0], draw().numpy())


@pytest.mark.parametrize("name", DRAWS)
def test_operation_seeds_have_sequences_of_their_own(name):
    draw = DRAWS[name]
    tf.random.set_seed(7)
    first = [draw(seed=1).numpy(), draw(seed=2).numpy(), draw(seed=1).numpy()]
    tf.random.set_seed(7)
    np.testing.assert_array_equal(first[1], draw(seed=2).numpy())
    np.testing.assert_array_equal(first[0], draw(seed=1).numpy())
    np.testing.assert_array_equal(first[2], draw(seed=1).numpy())
    assert not np.array_equal(first[0], first[1])


def test_uniform_is_uniform():
    tf.random.set_seed(1)
    for dtype in (tf.float32, tf.float64):
        x = tf.random.uniform([100_000], dtype=dtype).numpy()
        assert x.min() >= 0
        assert x.max() < 1
        assert stats.kstest(x, "uniform").pvalue > 1e-4
    x = tf.random.uniform([1000, 100], -3.0, 5.0).numpy()
    assert x.min() >= -3
    assert x.max() < 5
    assert abs(x.mean() - 1) < 0.05


def test_normal_is_normal():
    tf.random.set_seed(1)
    for dtype in (tf.float32, tf.float64):
        x = tf.random.normal([100_000], dtype=dtype).numpy()
        assert stats.kstest(x, "norm").pvalue > 1e-4
    x = tf.random.normal([100_000], mean=3.0, stddev=2.0).numpy()
    assert abs(x.mean() - 3) < 0.05
    assert abs(x.std() - 2) < 0.05
    assert tf.random.normal([2], mean=tf.zeros([3, 2])).shape == (3, 2)


def test_truncated_normal_stays_within_two_deviations():
    tf.random.set_seed(1)
    x = tf.random.truncated_normal([100_000], dtype=tf.float64).numpy()
    assert np.abs(x).max() <= 2
    assert stats.kstest(x, stats.truncnorm(-2, 2).cdf).pvalue > 1e-4


def test_integers_cover_their_range_evenly():
    tf.random.set_seed(1)
    for dtype in (tf.int32, tf.int64):
        x = tf.random.uniform([60_000], -2, 4, dtype).numpy()
        assert x.dtype == dtype.as_numpy_dtype
        counts = np.bincount(x + 2)
        assert len(counts) == 6
        assert stats.chisquare(counts).pvalue > 1e-4
    wide = tf.random.uniform([1000], -(2**63), 2**63 - 1, tf.int64).numpy()
    assert wide.min() < -(2**61)
    assert wide.max() > 2**61


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_width_uniforms_stay_below_one(dtype):
    x = tf.random.uniform([20_000], dtype=dtype).numpy().astype(np.float64)
    assert x.min() >= 0
    assert x.max() < 1


def test_categorical_without_classes_gives_no_draws():
    assert tf.random.categorical(tf.zeros((2, 0)), 0).shape == (2, 0)


@pytest.mark.parametrize(
    ("logits", "classes"),
    [
        ([0.0, -np.inf, 1.0], {0, 2}),
        ([0.0, np.nan, 1.0], {0, 2}),
        ([0.0, np.inf, 1.0], {0, 2}),
        ([np.inf, np.inf, 0.0], {2}),
        ([np.nan, np.nan], {2}),
        ([-np.inf, -np.inf], {2}),
    ],
)
def test_categorical_never_draws_classes_without_finite_logits(logits, classes):
    def draw(x):
        return tf.random.stateless_categorical(x, 100, [1, 2])

    draws = draw(tf.constant([logits])).numpy()
    assert set(draws[0].tolist()) == classes  # TensorFlow's: the number of classes if no logit is finite
    np.testing.assert_array_equal(tf.function(draw)(tf.constant([logits])), draws)


def test_categorical_follows_the_probabilities():
    tf.random.set_seed(1)
    p = np.array([0.1, 0.2, 0.7])
    x = tf.random.categorical(np.log([p, p]), 20_000).numpy()
    assert x.shape == (2, 20_000)
    assert x.dtype == np.int64
    for row in x:
        assert stats.chisquare(np.bincount(row), 20_000 * p).pvalue > 1e-4


def test_gamma_and_poisson():
    tf.random.set_seed(1)
    x = tf.random.gamma([50_000], [2.0, 5.0], beta=[1.0, 2.0]).numpy()
    assert x.shape == (50_000, 2)
    np.testing.assert_allclose(x.mean(0), [2.0, 2.5], rtol=0.03)
    y = tf.random.poisson([50_000], [2.0, 30.0]).numpy()
    np.testing.assert_allclose(y.mean(0), [2.0, 30.0], rtol=0.03)


def test_shuffle_permutes_the_first_axis():
    x = np.arange(24).reshape(8, 3)
    y = tf.random.shuffle(x).numpy()
    assert sorted(map(tuple, y)) == sorted(map(tuple, x))
    assert y.dtype == x.dtype
    assert int(tf.random.shuffle(5)) == 5


def test_dropout_scales_what_it_keeps():
    tf.random.set_seed(1)
    x = tf.ones([100_000])
    y = tf.nn.dropout(x, 0.25).numpy()
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((y == 0).mean() - 0.25) < 0.01
    assert tf.nn.dropout(x, 0) is x


def test_dropout_gradient_is_the_same_mask():
    x = tf.Variable(np.random.default_rng(0).normal(size=(50, 40)))
    y, g = value_and_gradient(lambda x: tf.nn.dropout(x, 0.4), x)
    np.testing.assert_allclose(g, np.where(y.numpy() == 0, 0, 1 / 0.6))


def test_dropout_noise_shape():
    y = tf.nn.dropout(tf.ones([40, 30]), 0.5, noise_shape=[40, 1]).numpy()
    assert all(len(set(row)) == 1 for row in y)
    with pytest.raises(tf.errors.InvalidArgumentError, match="noise_shape"):
        tf.nn.dropout(tf.ones([2]), 0.5, noise_shape=[3])


@pytest.mark.parametrize("rate", [1.0, -0.1, 2.0, float("nan")])
def test_dropout_rates_out_of_range(rate):
    with pytest.raises(ValueError, match="rate"):
        tf.nn.dropout([1.0], rate)


REFUSED = [
    (lambda: tf.random.uniform([2], 0, None, tf.int32), ValueError),
    (lambda: tf.random.uniform([2], 3, 3, tf.int32), tf.errors.InvalidArgumentError),
    (lambda: tf.random.uniform([-1]), tf.errors.InvalidArgumentError),
    (lambda: tf.random.uniform([2], dtype=tf.uint8), ValueError),
    (lambda: tf.random.normal([2], dtype=tf.int32), TypeError),
    (lambda: tf.random.normal([2], mean=[1.0, 2.0, 3.0]), tf.errors.InvalidArgumentError),
    (lambda: tf.random.categorical([1.0, 2.0], 5), tf.errors.InvalidArgumentError),
    (lambda: tf.random.stateless_uniform([2], seed=1), tf.errors.InvalidArgumentError),
    (lambda: tf.nn.dropout([1], 0.5), ValueError),
    (lambda: tf.random.poisson([2], -1.0), tf.errors.InvalidArgumentError),
]


@pytest.mark.parametrize(("call", "error"), REFUSED)
def test_a_refused_draw_moves_no_state(call, error):
    tf.random.set_seed(3)
    expected = tf.random.uniform([3]).numpy()
    tf.random.set_seed(3)
    with pytest.raises(error):
        call()
    np.testing.assert_array_equal(tf.random.uniform([3]), expected)


def test_a_generator_goes_on_from_its_state():
    g = tf.random.Generator.from_seed(5)
    g.normal([3])
    copy = tf.random.Generator(copy_from=g)
    from_state = tf.random.Generator.from_state(g.state, alg="philox")
    x = g.uniform([4]).numpy()
    np.testing.assert_array_equal(copy.uniform([4]), x)
    np.testing.assert_array_equal(from_state.uniform([4]), x)
    g.reset_from_seed(5)
    g.normal([3])
    np.testing.assert_array_equal(g.uniform([4]), x)


def test_skipping_equals_drawing():
    a, b = tf.random.Generator.from_seed(5), tf.random.Generator.from_seed(5)
    a.uniform([10])
    b.skip(10)
    np.testing.assert_array_equal(a.uniform([4]), b.uniform([4]))


def test_split_generators_differ():
    parts = tf.random.Generator.from_seed(5).split(3)
    draws = [tuple(g.uniform([4]).numpy()) for g in parts]
    assert len(set(draws)) == 3
    assert tf.random.Generator.from_seed(5).make_seeds(2).shape == (2, 2)


def test_the_counter_carries_over_64_bits():
    g = tf.random.Generator.from_key_counter(1, [2**63 - 1, 0], "philox")
    g.skip(2**55)  # each element owns 256 counters
    assert g.state.numpy().tolist() == [-1, 0, 1]
    g.skip(1)
    assert g.state.numpy().tolist() == [255, 1, 1]


def test_an_element_depends_on_its_position_alone():
    long = tf.random.Generator.from_seed(5).uniform([1000]).numpy()
    short = tf.random.Generator.from_seed(5).uniform([37]).numpy()
    np.testing.assert_array_equal(long[:37], short)


def test_stateless_draws_are_functions_of_the_seed():
    a = tf.random.stateless_normal([5], seed=[1, 2]).numpy()
    np.testing.assert_array_equal(a, tf.random.stateless_normal([5], seed=[1, 2]))
    for other in ([2, 1], [1, 3], [0, 2]):
        assert not np.array_equal(a, tf.random.stateless_normal([5], seed=other))
    assert tf.random.split([1, 2], 3).shape == (3, 2)
    assert tf.random.fold_in([1, 2], 3).numpy().tolist() != tf.random.fold_in([1, 2], 4).numpy().tolist()


def test_global_generator():
    tf.random.set_seed(4)
    x = tf.random.get_global_generator().normal([3]).numpy()
    tf.random.set_seed(4)
    np.testing.assert_array_equal(tf.random.get_global_generator().normal([3]), x)
    mine = tf.random.Generator.from_seed(1)
    tf.random.set_global_generator(mine)
    assert tf.random.get_global_generator() is mine


def test_gradients_flow_to_the_bounds_of_uniform_numbers():
    low, high = tf.constant(1.0), tf.constant(4.0)
    x, slopes = value_and_gradient(lambda low, high: tf.random.uniform([50], low, high), low, high)
    for_low, for_high = slopes
    share = (x.numpy() - 1) / 3
    assert float(for_high) == pytest.approx(share.sum(), rel=1e-5)
    assert float(for_low) == pytest.approx((1 - share).sum(), rel=1e-5)


@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16, tf.float32])
def test_uniform_numbers_stay_below_their_bound(dtype):
    x = tf.random.uniform([20_000], 2.0, 3.0, dtype).numpy().astype(np.float64)
    assert x.min() >= 2
    assert x.max() < 3


@pytest.mark.parametrize("shape", [[2.5], 5, [[2, 3]], [2, -1], tf.constant([1.0])])
def test_shapes_are_vectors_of_sizes(shape):
    for draw in (tf.random.uniform, tf.random.normal, tf.random.Generator.from_seed(1).normal):
        with pytest.raises(tf.errors.InvalidArgumentError):
            draw(shape)
    assert tf.random.uniform([]).shape == ()


def test_draws_are_silent_whatever_numpy_is_told():
    with np.errstate(all="raise"):
        assert tf.random.categorical([[0.0, -1e9, -np.inf]], 20).numpy().max() == 0
        assert tf.random.categorical([[-np.inf, -np.inf], [np.nan, 0.0]], 3).shape == (2, 3)
        assert np.isfinite(tf.random.gamma([100], [1e-30, 5.0]).numpy()).all()
        assert tf.random.gamma([3], 1e30, 1e-30).shape == (3,)
        assert tf.random.poisson([3], 1e6, tf.float16).shape == (3,)
        assert tf.random.normal([5], 1e38, 1e38).shape == (5,)
        assert tf.nn.dropout([1e38, 1e-45], 0.9).shape == (2,)


@pytest.mark.parametrize("rate", [1e15, 1e16, 1e19, 1e30])
def test_poisson_numbers_of_rates_beyond_numpys(rate):
    y = tf.random.poisson([1000], tf.constant(rate, tf.float64), tf.float64).numpy()
    assert abs(y.mean() / rate - 1) < 5 / np.sqrt(rate) + 1e-15
    assert np.isinf(tf.random.poisson([2], [np.inf]).numpy()).all()


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "uint32", "uint64", "int64"])
def test_a_seed_has_any_integer_dtype(dtype):
    def draw(seed):
        return tf.random.stateless_uniform((3,), seed)

    draws = draw(tf.constant([1, 2], tf.int32)).numpy()
    np.testing.assert_array_equal(draw(tf.constant([1, 2], dtype)), draws)
    np.testing.assert_array_equal(tf.function(draw)(tf.constant([1, 2], dtype)), draws)


def test_class_numbers_of_other_dtypes_are_the_same_numbers():
    logits = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    expected = tf.random.stateless_categorical(logits, 20, [1, 2]).numpy()
    for dtype in ("int32", "uint8", "float32"):
        y = tf.random.stateless_categorical(logits, 20, [1, 2], dtype=dtype).numpy()
        assert y.dtype == dtype
        np.testing.assert_array_equal(y, expected)


SEED = [1, 2]


@pytest.mark.parametrize(
    ("draw", "wanted"),
    [  # TensorFlow 2.21
        (lambda: tf.random.stateless_uniform([3], SEED), [0.8440604, 0.19204533, 0.9962232]),
        (lambda: tf.random.stateless_uniform([2], SEED, dtype=tf.float64), [0.75248375384518, 0.96978577256275]),
        (lambda: tf.random.stateless_uniform([3], SEED, dtype=tf.float16), [0.543, 0.2354, 0.06055]),
        (lambda: tf.random.stateless_uniform([3], SEED, dtype=tf.bfloat16), [0.34375, 0.882812, 0.484375]),
        (lambda: tf.random.stateless_uniform([4], SEED, 0, 100, tf.int32), [40, 49, 94, 79]),
        (lambda: tf.random.stateless_uniform([4], SEED, 0, 100, tf.int64), [44, 78, 67, 3]),
        (lambda: tf.random.stateless_uniform([2], SEED, None, None, tf.uint32), [1105988140, 1738052849]),
        (lambda: tf.random.stateless_normal([3], SEED), [0.5441101, 0.20738031, 0.07356432]),
        (lambda: tf.random.stateless_normal([3], SEED, dtype=tf.float64), [-0.14231181, 0.74060725, -1.46904767]),
        (lambda: tf.random.stateless_truncated_normal([5], SEED)[3:], [0.04643455, 0.16820592]),
        (lambda: tf.random.stateless_truncated_normal([3], SEED, dtype=tf.float64)[2:], [-0.55238776]),
        (lambda: tf.random.split(SEED, 2), [[1105988140, 1738052849], [-335576002, 370444179]]),
        (lambda: tf.random.fold_in(SEED, 3), [1105988140, 3]),
        (lambda: tf.nn.experimental.stateless_dropout(tf.ones(4), 0.4, SEED), [5 / 3, 0, 5 / 3, 0]),
        (lambda: tf.random.Generator.from_seed(7).uniform([3]), [0.39932835, 0.7840713, 0.67880154]),
        (lambda: tf.random.create_rng_state(-7, "philox"), [-7, -1, -1]),
        (lambda: tf.random.create_rng_state([1, 2], "philox"), [0, 1, 2]),
    ],
)
def test_draws_of_a_seed_are_tensorflows(draw, wanted):
    drawn = draw()
    np.testing.assert_allclose(tf.cast(drawn, tf.float64), wanted, rtol=2e-3 if drawn.dtype.size == 2 else 5e-6)


def test_a_generator_reserves_what_tensorflows_does():
    g = tf.random.Generator.from_seed(7)
    states = [g.state.numpy()[0]]
    for draw in (lambda: g.uniform([5]), lambda: g.normal([2, 3]), lambda: g.make_seeds(2), lambda: g.split(2)):
        draw()
        states.append(g.state.numpy()[0])
    assert states == [7, 1287, 2823, 3335, 3847]
    assert g.make_seeds(2).numpy()[1].tolist() == [0, 0]


def test_draws_under_two_seeds_are_tensorflows():
    for _ in range(2):
        tf.random.set_seed(9)
        np.testing.assert_allclose(tf.random.uniform([2], seed=1), [0.99037385, 0.94186985])
    tf.random.set_seed(5)
    np.testing.assert_allclose(tf.random.normal([2], seed=1), [-1.3768897, -0.01258316], rtol=1e-4)
    np.testing.assert_allclose(tf.random.normal([2], seed=1), [0.26627684, -0.0311913], rtol=1e-4)


def test_a_dropout_rate_that_is_a_variable():
    rate, x = tf.Variable(0.4), tf.ones([50])
    wanted = tf.nn.experimental.stateless_dropout(x, 0.4, seed=[1, 2])
    np.testing.assert_array_equal(tf.nn.experimental.stateless_dropout(x, rate, seed=[1, 2]), wanted)
    step = tf.function(lambda x: tf.nn.dropout(x, rate))
    assert 0 < np.count_nonzero(step(x)) < 50
    rate.assign(1.0)
    assert not np.any(step(x))
    assert step.experimental_get_tracing_count() == 1
    with pytest.raises(ValueError, match="scalar"):
        tf.nn.dropout(x, tf.constant([0.5]))
