"""Order against NumPy and Python: ties keep their order, NaN comes last."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf

NAN = float("nan")
DTYPES = st.sampled_from(["float16", "bfloat16", "float32", "float64", "int8", "int64", "uint8", "uint64"])


@st.composite
def arrays(draw):
    """Few different values, so that there are ties; the ends of the range of integers; NaN and infinities."""
    shape = draw(st.lists(st.integers(0, 4), min_size=1, max_size=3))
    dtype = tf.as_dtype(draw(DTYPES))
    values = [0, 1, 2, dtype.min, dtype.max] if dtype.is_integer else [-1.5, 0.0, 2.0, NAN, np.inf, -np.inf]
    count = int(np.prod(shape))
    drawn = draw(st.lists(st.sampled_from(values), min_size=count, max_size=count))
    return np.array(drawn, dtype.as_numpy_dtype).reshape(shape)


def plain(x):
    """In a dtype whose NaNs NumPy's tests know."""
    return x.astype(np.float32) if x.dtype == tf.bfloat16.as_numpy_dtype else x


def order_of(row, descending):
    """Positions in order: Python's stable sort, NaN last."""
    keys = [float(x) if x.dtype.kind in "fV" else int(x) for x in row]
    return sorted(range(len(keys)), key=lambda i: (keys[i] != keys[i], -keys[i] if descending else keys[i]))


@settings(max_examples=100, deadline=None)
@given(arrays(), st.booleans(), st.data())
def test_sort_and_argsort(x, descending, data):
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    expected = np.apply_along_axis(order_of, axis, x, descending) if x.size else np.zeros(x.shape)
    direction = "DESCENDING" if descending else "ASCENDING"
    ids = tf.argsort(x, axis, direction)
    assert ids.dtype == tf.int32
    np.testing.assert_array_equal(ids, expected)
    y = tf.sort(x, axis, direction)
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(plain(y.numpy()), plain(np.take_along_axis(x, ids.numpy(), axis)))


@settings(max_examples=100, deadline=None)
@given(arrays(), st.data())
def test_top_k_is_the_start_of_the_descending_order(x, data):
    k = data.draw(st.integers(0, x.shape[-1]))
    values, indices = tf.math.top_k(x, k)
    expected = tf.argsort(x, direction="DESCENDING").numpy()[..., :k]
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_array_equal(plain(values.numpy()), plain(np.take_along_axis(x, expected, -1)))


@pytest.mark.parametrize("values", [1000, 7])
@pytest.mark.parametrize("nans", [0, 990])
def test_top_k_of_long_rows(values, nans):
    rng = np.random.default_rng(0)
    x = rng.integers(0, values, (4, 1000)).astype(np.float32)
    x[1, rng.permutation(1000)[:nans]] = NAN
    ours = tf.math.top_k(x, 20)
    expected = np.stack([order_of(row, True)[:20] for row in x])
    np.testing.assert_array_equal(ours.indices, expected)


def test_top_k_index_types():
    x = tf.constant([[0.0, 2.0, 1.0]])
    assert repr(tf.math.top_k(x)) == (
        "TopKV2(values=<tf.Tensor: shape=(1, 1), dtype=float32, numpy=array([[2.]], dtype=float32)>, "
        "indices=<tf.Tensor: shape=(1, 1), dtype=int32, numpy=array([[1]], dtype=int32)>)"
    )
    assert tf.nn.top_k(x, tf.constant(2), index_type=tf.int64).indices.dtype == tf.int64
    assert tf.nn.top_k is tf.math.top_k


def test_what_has_no_order_is_refused():
    for function in (tf.sort, tf.argsort, tf.math.top_k):
        for x in ([True, False], ["b", "a"], tf.constant([1j]), tf.constant(1.0)):
            with pytest.raises(tf.errors.InvalidArgumentError, match=function.__name__):
                function(x)
    x = tf.zeros([2, 3])
    for function in (tf.sort, tf.argsort):
        for axis in (2, -3):
            with pytest.raises(tf.errors.InvalidArgumentError):
                function(x, axis)
        with pytest.raises(ValueError, match="direction"):
            function(x, direction="UP")
    for k in (4, -1, [2]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="k"):
            tf.math.top_k(x, k)
    with pytest.raises(tf.errors.InvalidArgumentError, match="index_type"):
        tf.math.top_k(x, 1, index_type=tf.float32)


# ---- unique ------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=8), st.sampled_from(["int32", "float32", "bfloat16", "uint8", "string"]))
def test_unique_keeps_the_order_of_appearance(values, dtype):
    x = (
        tf.constant([str(v) for v in values], tf.string)
        if dtype == "string"
        else tf.cast(tf.constant(values, tf.int32), dtype)
    )
    y, idx, count = tf.unique_with_counts(x)
    expected = list(dict.fromkeys(x.numpy().tolist()))
    assert y.numpy().tolist() == expected
    assert y.dtype == dtype
    assert [expected[i] for i in idx.numpy()] == x.numpy().tolist()
    assert count.numpy().tolist() == [x.numpy().tolist().count(value) for value in expected]
    pair = tf.unique(x, tf.int64)
    assert pair.idx.dtype == tf.int64
    np.testing.assert_array_equal(pair.idx, idx)


def test_unique_refuses_what_does_not_fit():
    for function in (tf.unique, tf.unique_with_counts):
        for x in (3, [[1, 2]]):
            with pytest.raises(tf.errors.InvalidArgumentError, match="1D"):
                function(x)
        with pytest.raises(tf.errors.InvalidArgumentError, match="out_idx"):
            function([1, 2], tf.float32)


# ---- searchsorted and permutations -------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 2), max_size=2), st.integers(0, 5), st.integers(0, 4), st.sampled_from(["left", "right"])
)
def test_searchsorted_is_numpys_row_by_row(batch, length, count, side):
    rng = np.random.default_rng(0)
    rows = np.sort(rng.integers(0, 5, (*batch, length)), -1).astype(np.float32)
    values = rng.integers(-1, 6, (*batch, count)).astype(np.float32)
    expected = np.zeros(values.shape, int)
    for row in np.ndindex(*batch):
        expected[row] = np.searchsorted(rows[row], values[row], side)
    np.testing.assert_array_equal(tf.searchsorted(rows, values, side), expected)


def test_searchsorted_refuses_what_does_not_fit():
    assert tf.searchsorted([1, 3], [3], out_type=tf.int64).dtype == tf.int64
    with pytest.raises(ValueError, match="side"):
        tf.searchsorted([1, 3], [3], "middle")
    for sequence, values in [
        ([1.0, 3.0], [0, 3]),
        ([[1, 3], [2, 4]], [[0, 3]]),
        ([[1, 3], [2, 4]], [0, 3]),
        ([1, 3], 3),
        (3, [3]),
        ([False, True], [True]),
    ]:
        with pytest.raises(tf.errors.InvalidArgumentError, match="searchsorted"):
            tf.searchsorted(sequence, values)


@given(st.permutations(range(6)))
def test_invert_permutation(x):
    np.testing.assert_array_equal(tf.math.invert_permutation(x), np.argsort(x))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([2, 0, 0], "0 is duplicated"),
        ([3, 0, 1], "3 is not between"),
        ([-1, 0], "-1"),
        ([[0]], "1D"),
        ([0.0], "float32"),
    ],
)
def test_invert_permutation_refuses_what_is_none(x, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        tf.math.invert_permutation(x)


def test_in_top_k():
    predictions = [[0.1, 0.9], [0.2, 0.8], [0.5, 0.5], [NAN, 0.8], [np.inf, 0.8]]
    function = tf.math.in_top_k
    assert function([1, 0, 0, 1, 0], predictions, 1).numpy().tolist() == [True, False, True, False, False]
    assert function([1, 0, 0, 1, 0], predictions, 2).numpy().tolist() == [True, True, True, False, False]
    assert function([1, 5, -1, 1, 0], predictions, 2).numpy().tolist() == [True, False, False, False, False]
    assert not function([1, 0, 0, 1, 0], predictions, 0).numpy().any()
    for targets, values in [([1], predictions), ([1], [0.1, 0.9]), ([1.0], [[0.1, 0.9]])]:
        with pytest.raises(tf.errors.InvalidArgumentError, match="in_top_k"):
            function(targets, values, 1)
    with pytest.raises(ValueError, match="float64"):
        function([1], tf.constant([[0.1, 0.9]], tf.float64), 1)


@pytest.mark.parametrize(
    "dtype",
    ["bool", "int8", "uint8", "uint16", "int32", "uint64", "float16", "bfloat16", "float32", "float64", "string"],
)
@pytest.mark.parametrize(("count", "different"), [(0, 4000), (1, 4000), (8, 5), (5000, 4000)])
def test_unique_numbers_elements_in_order_of_first_appearance(dtype: str, count: int, different: int) -> None:
    numbers = np.random.default_rng(0).integers(0, different, count)
    x = tf.strings.as_string(numbers) if dtype == "string" else tf.cast(numbers, dtype)
    seen: dict[object, int] = {}
    positions = [seen.setdefault(value, len(seen)) for value in x.numpy().tolist()]
    y, indices, counts = tf.unique_with_counts(x, tf.int64)
    assert y.numpy().tolist() == list(seen)
    assert indices.numpy().tolist() == positions
    assert counts.numpy().tolist() == np.bincount(positions, minlength=len(seen)).tolist()[: len(seen)]
    assert (y.dtype, indices.dtype, tf.unique(x).idx.dtype) == (dtype, tf.int64, tf.int32)
    for pair in (tf.unique(x), tf.unique(x, tf.int64)):
        assert [each.numpy().tolist() for each in pair] == [list(seen), positions]


def test_unique_takes_each_nan_for_a_new_element_and_both_zeros_for_one() -> None:
    x = tf.constant([np.nan, 0.0, -0.0, np.nan, 1.0] + [np.nan] * 2000)
    y, indices = tf.unique(x)
    assert indices.numpy()[:6].tolist() == [0, 1, 1, 2, 3, 4]
    assert len(y) == 2004
    assert not np.signbit(y.numpy()[1])


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("dtype", ["int32", "float32", "float16"])
def test_many_values_that_ascend_or_not_are_found_as_by_numpy(side, dtype):
    rng = np.random.default_rng(0)
    sequence = np.sort(rng.integers(0, 50, 40)).astype(dtype)
    for values in (rng.integers(-5, 55, 3000), np.sort(rng.integers(-5, 55, 3000)), np.full(3000, 60), np.zeros(3000)):
        got = tf.searchsorted(sequence, values.astype(dtype), side)
        np.testing.assert_array_equal(got, np.searchsorted(sequence, values.astype(dtype), side))
    if dtype != "int32":
        values = np.sort(rng.normal(size=3000)).astype(dtype)
        values[-3:] = NAN
        np.testing.assert_array_equal(tf.searchsorted(sequence, values, side), np.searchsorted(sequence, values, side))


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float32"])
@pytest.mark.parametrize("index_dtype", ["int32", "int64"])
def test_unique_elements_in_order(dtype, index_dtype):
    x = np.sort(np.random.default_rng(0).integers(0, 200, 3000)).astype(dtype)
    for one in (x, x[::-1], np.repeat(x[:1], 2000), np.arange(2000).astype("int64")):
        y, idx, count = tf.unique_with_counts(one, index_dtype)
        _, first, inverse, counts = np.unique(one, return_index=True, return_inverse=True, return_counts=True)
        order = np.argsort(first)
        np.testing.assert_array_equal(y, one[first[order]])
        np.testing.assert_array_equal(idx, np.argsort(order)[inverse])
        np.testing.assert_array_equal(count, counts[order])
        assert (idx.dtype.name, count.dtype.name) == (index_dtype, index_dtype)
