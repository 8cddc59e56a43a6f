"""``vectorized_map``: what it gives is what its function gives row by row, whatever operations that is made of."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.core.operation import TABLE
from fastgrad._src.ops.attention import attention
from fastgrad._src.ops.batching import batching_rule_of
from tests import whole_table
from tests.compiler.recorded import with_gradient
from tests.gradients import check_gradient
from tests.ops.samples import SAMPLES

NOT_ALL = {"clip_by_norm", "convolution", "gru", "layer_normalization", "lstm", "simple_rnn"}
"""Rows of the table that are done at once if the first input has rows alone; of the first two the gradient is not."""

WITHOUT = {
    "made by passes, or taken apart by them": "dense dense_gradient",
    "updates": "add_rows apply_adafactor_matrix apply_adafactor_vector apply_update apply_update_to_live_rows "
    "apply_update_to_rows scatter_into_variable sum_rows",
    "draws": "advance_generator dropout philox_words random_binomial random_bits random_bits_of_dropout random_categories random_gamma random_integers "
    "random_integers_between random_normal random_poisson random_shuffled_positions random_truncated_normal random_uniform",
    "assertions and turns": "assert assert_true ends_turn whole_turns",
    "sizes or ways that depend on values": "bincount combine_sets string_split true_positions unique",
    "Python, row by row": "bytes_split combined_non_max_suppression draw_bounding_boxes edit_distance non_max_suppression_padded "
    "sample_distorted_bounding_box string_format string_ngrams unicode_decode unicode_encode unicode_offsets unicode_split unsorted_segment_join",
    "no form for several": "convolution_backprop_filter histogram_fixed_width_bins invert_permutation non_max_suppression",
}
"""Rows of the table that have no rule, by the reason: what has them is done row by row."""

X = np.random.default_rng(3).normal(size=(4, 3))


def row_by_row(function, *tensors):
    found = [function([x[i] for x in tensors]) for i in range(len(tensors[0]))]
    return [np.stack(column) for column in zip(*found, strict=True)]


@pytest.mark.parametrize("differentiated", [False, True])
@pytest.mark.parametrize("name", SAMPLES)
def test_samples_of_the_table(name, differentiated):
    sample = SAMPLES[name]
    rng = np.random.default_rng(0)
    function = with_gradient(sample.function) if differentiated else sample.function
    arrays = [np.asarray(a, np.float64) for a in sample.arrays]
    # Near enough to stay in the domain and on the same side of each kink.
    many = [np.stack([a * (1 + 1e-3 * i * rng.uniform(0.5, 1, a.shape)) for i in range(3)]) for a in arrays]
    for places in {tuple(range(len(arrays))), (0,), (len(arrays) - 1,)}:

        def of_row(row, places=places):
            rows = dict(zip(places, row, strict=True))
            given = [rows[i] if i in rows else tf.constant(a) for i, a in enumerate(arrays)]
            return [tf.convert_to_tensor(y) for y in tf.nest.flatten(function(*given)) if y is not None]

        tensors = [tf.constant(many[i]) for i in places]
        row = TABLE.get(name)
        may_loop = row is None or batching_rule_of(row) is None or (name in NOT_ALL and places != (0,))
        may_loop |= differentiated and name in {"clip_by_norm", "convolution"}
        found = tf.vectorized_map(of_row, tensors, fallback_to_while_loop=may_loop)
        if name == "dropout":
            continue  # draws that are different in each row
        for one, wanted in zip(found, row_by_row(of_row, *tensors), strict=True):
            np.testing.assert_allclose(one, wanted, rtol=1e-11, atol=1e-12)


def test_every_row_of_the_table_has_a_rule_or_a_reason():
    whole_table.load()
    assert sorted(
        name
        for name, row in TABLE.items()
        if batching_rule_of(row) is None and row.lowering.reference is None and row.lowering.collective is None
    ) == sorted(" ".join(WITHOUT.values()).split())


def at_once(function, elems):
    return tf.vectorized_map(function, elems, fallback_to_while_loop=False)


def test_python_runs_once():
    runs = []
    found = at_once(lambda x: runs.append(0) or x * 2.0 + tf.reduce_sum(x), X)
    np.testing.assert_allclose(found, X * 2 + X.sum(1, keepdims=True))
    assert len(runs) == 1


def test_ranks_that_broadcast_within_a_row():
    outer = at_once(lambda x: x[:, None] * x + tf.constant(X)[:3] + x, X)
    np.testing.assert_allclose(outer, X[:, :, None] * X[:, None, :] + X[:3] + X[:, None, :])


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_positions_of_a_row_in_what_all_rows_share_and_the_other_way_round(dtype):
    table = tf.constant(np.arange(24.0).reshape(2, 4, 3))
    ids = np.array([[0, 1], [3, 3], [2, 0]], dtype)
    shared = at_once(lambda i: tf.gather(table, i, axis=1), ids)
    np.testing.assert_array_equal(shared, np.stack([table.numpy()[:, i] for i in ids]))
    own = at_once(lambda x: tf.gather(x, [2, 0]), X)
    np.testing.assert_array_equal(own, X[:, [2, 0]])
    both = at_once(lambda r: tf.gather(r[0], r[1]), (X[:3], ids % 3))
    np.testing.assert_array_equal(both, np.take_along_axis(X[:3], (ids % 3).astype(int), 1))
    one = at_once(lambda r: tf.one_hot(r, 4), ids)
    np.testing.assert_array_equal(one, np.eye(4)[ids])
    moved = at_once(lambda r: tf.tensor_scatter_nd_add(tf.zeros(4), r[:, None], tf.ones(2)), ids)
    np.testing.assert_array_equal(moved, np.eye(4)[ids].sum(1))


MASKS = np.random.default_rng(5).random((3, 2, 1, 4, 5)) > 0.3


@pytest.mark.parametrize(
    "masks", [MASKS, MASKS[:, :1], MASKS[0], None], ids=["own", "of all examples", "shared", "none"]
)
def test_attention_with_masks(masks):
    rng = np.random.default_rng(4)
    q, k, v = (rng.normal(size=(3, 2, n, 4, 3)) for n in (4, 5, 5))
    own = masks is not None and masks.ndim == 5

    def of_row(row):
        mask = row[3] if own else masks
        with tf.GradientTape() as tape:
            tape.watch(row[:3])
            y = attention(*row[:3], mask=None if mask is None else tf.convert_to_tensor(mask), scale=0.5)
        return y, *tape.gradient(y, row[:3])

    given = [tf.constant(x) for x in ((q, k, v, masks) if own else (q, k, v))]
    for found, wanted in zip(at_once(of_row, given), row_by_row(of_row, *given), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("layer", [tf.keras.layers.LSTM, tf.keras.layers.GRU, tf.keras.layers.SimpleRNN])
def test_gradients_of_each_sequence_of_a_recurrent_layer(layer):
    x = np.random.default_rng(6).normal(size=(4, 5, 3)).astype(np.float32)
    model = tf.keras.Sequential([tf.keras.layers.Masking(), layer(6), tf.keras.layers.Dense(1)])
    x[1, 3:] = 0.0
    model(x)
    found = per_example_gradients(model, x, np.ones((4, 1), np.float32))
    for i in range(4):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x[i : i + 1]) - 1.0) ** 2)
        for each, wanted in zip(found, tape.gradient(loss, model.trainable_variables), strict=True):
            np.testing.assert_allclose(each[i], wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("layer", [tf.keras.layers.LSTM, tf.keras.layers.GRU, tf.keras.layers.SimpleRNN])
def test_rows_of_batches_of_sequences_with_states_of_their_own(layer):
    rng, recurrent = np.random.default_rng(6), layer(6)
    x = rng.normal(size=(4, 3, 5, 2)).astype(np.float32)
    states = [rng.normal(size=(4, 3, 6)).astype(np.float32) for _ in range(2 if layer is tf.keras.layers.LSTM else 1)]
    recurrent(x[0])

    def of_row(row):
        return recurrent(row[0], initial_state=list(row[1:]))

    found = at_once(of_row, tuple(map(tf.constant, (x, *states))))
    for i in range(4):
        wanted = of_row([tf.constant(each[i]) for each in (x, *states)])
        np.testing.assert_allclose(found[i], wanted, rtol=1e-5, atol=1e-6)


def test_rows_of_sequences_and_of_positions():
    x, lengths = np.arange(24.0).reshape(2, 3, 4), np.array([[1, 2, 3], [4, 0, 2]])
    own = tf.vectorized_map(lambda r: tf.reverse_sequence(r[0], r[1], seq_axis=1), (x, lengths))
    shared = at_once(lambda r: tf.reverse_sequence(r, [3, 1, 2, 0], seq_axis=0, batch_axis=1), x)
    for i in range(2):
        np.testing.assert_array_equal(own[i], tf.reverse_sequence(x[i], lengths[i], seq_axis=1))
        np.testing.assert_array_equal(shared[i], tf.reverse_sequence(x[i], [3, 1, 2, 0], seq_axis=0, batch_axis=1))
    places = at_once(lambda r: tf.unravel_index(r, [2, 3]), np.array([[0, 5], [3, 1]]))
    np.testing.assert_array_equal(places, [[[0, 1], [0, 2]], [[1, 0], [0, 1]]])
    found = at_once(lambda r: tf.searchsorted([1.0, 3.0, 5.0], r), np.array([[0.0, 4.0], [6.0, 3.0]], "f"))
    np.testing.assert_array_equal(found, [[0, 2], [3, 1]])
    found = at_once(lambda r: tf.searchsorted(r, [2.0, 4.0]), np.array([[1.0, 3.0, 5.0], [0.0, 0.5, 3.0]], "f"))
    np.testing.assert_array_equal(found, [[1, 2], [2, 3]])
    np.testing.assert_array_equal(at_once(lambda r: tf.bitcast(r, tf.int32), x.astype("f")), x.astype("f").view("i"))
    matrices = np.array([[[4.0, 1.0], [1.0, 3.0]], [[9.0, 2.0], [0.0, 1.0]]])
    for function in (tf.linalg.sqrtm, tf.linalg.pinv):
        np.testing.assert_allclose(at_once(function, matrices), [function(m) for m in matrices], rtol=1e-12)
    images = np.random.default_rng(1).normal(size=(2, 3, 4, 4, 2))
    found = at_once(lambda r: tf.nn.max_pool_with_argmax(r, 2, 2, "VALID"), images)
    for i in range(2):
        for one, wanted in zip(found, tf.nn.max_pool_with_argmax(images[i], 2, 2, "VALID"), strict=True):
            np.testing.assert_array_equal(one[i], wanted)


def test_an_index_out_of_range_is_an_error():
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.vectorized_map(lambda i: tf.gather(tf.constant([1.0, 2.0]), i), np.array([0, 2]))


def per_example_gradients(model, x, y):
    def of_row(row):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(row[0][None]) - row[1]) ** 2)
        return tape.gradient(loss, model.trainable_variables)

    return at_once(of_row, (x, y))


def test_gradients_of_each_example():
    model = tf.keras.Sequential([tf.keras.layers.Dense(5, "tanh", input_shape=(3,)), tf.keras.layers.Dense(1)])
    x, y = X.astype(np.float32), np.ones((4, 1), np.float32)
    found = per_example_gradients(model, x, y)
    compiled = tf.function(lambda x, y: per_example_gradients(model, x, y))
    for _ in range(3):
        again = compiled(x, y)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(x) - y) ** 2)
    for each, same, mean in zip(found, again, tape.gradient(loss, model.trainable_variables), strict=True):
        assert each.shape == (4, *mean.shape)
        np.testing.assert_allclose(np.mean(each, 0), mean, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(each, same, rtol=1e-5, atol=1e-6)


def test_gradients_of_rows_of_variables_and_of_what_rows_share():
    w = tf.Variable([1.0, 2.0, 3.0], dtype=tf.float64)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(at_once(lambda x: tf.sin(x) * w, X))
    np.testing.assert_allclose(tape.gradient(total, w), np.sin(X).sum(0))
    check_gradient(lambda x, w: at_once(lambda r: tf.tanh(r * w) @ tf.reshape(r, (3, 1)), x[:, None]), X, X[0])
    check_gradient(lambda x, w: at_once(lambda r: tf.tanh(r * w), x), X, X[0], order=2)


def test_within_one_another():
    products = at_once(lambda a: at_once(lambda b: tf.reduce_sum(a * b), X), X)
    np.testing.assert_allclose(products, X @ X.T)


def test_what_goes_by_values_draws_or_assigns_is_done_row_by_row():
    total = tf.Variable(0.0, dtype=tf.float64)

    def assigns(x):
        total.assign_add(x[0])
        return total.value()

    np.testing.assert_allclose(tf.vectorized_map(assigns, X), np.cumsum(X[:, 0]))
    goes = tf.vectorized_map(lambda x: -x if x[0] > 0 else x, X)
    np.testing.assert_array_equal(goes, np.where(X[:, :1] > 0, -X, X))
    drawn = tf.vectorized_map(lambda x: tf.random.normal([]), X).numpy()
    assert len(set(drawn)) == 4
    for function in (assigns, lambda x: -x if x[0] > 0 else x, lambda x: tf.random.normal([])):
        with pytest.raises(ValueError, match="fallback_to_while_loop"):
            at_once(function, X)
    np.testing.assert_allclose(total, X[:, 0].sum())


def test_compiled_it_is_no_loop():
    step = tf.function(lambda x: tf.vectorized_map(lambda r: tf.nn.softmax(r * 2.0), x))
    for _ in range(3):
        found = step(X)
    np.testing.assert_allclose(found, tf.nn.softmax(X * 2.0), rtol=1e-12)
    assert "scan" not in step.graph()
