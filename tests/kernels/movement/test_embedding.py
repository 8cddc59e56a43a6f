import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgrad._src.kernels.movement import embedding

BOTH = [np.dtype("float32"), np.dtype("float64")]
INDICES = [np.dtype("int32"), np.dtype("int64")]


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("index", INDICES)
def test_rows_are_gathered_and_added(dtype, index):
    r = np.random.default_rng(0)
    table = r.normal(size=(20, 7)).astype(dtype)
    ids, values = r.integers(0, 20, 50).astype(index), r.normal(size=(50, 7)).astype(dtype)
    out = np.empty_like(values)
    assert embedding.gather_rows[dtype, index](table, ids, out, 50, 7, 20) == -1
    np.testing.assert_array_equal(out, table[ids])
    expected = table.copy()
    np.add.at(expected, ids, values)
    assert embedding.add_rows[dtype, index](table, ids, values, 50, 7, 20) == -1
    np.testing.assert_array_equal(table, expected)


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("bad", [-1, 3, "lowest", "highest"])
def test_a_bad_index_is_reported_and_nothing_is_written(index, bad):
    bad = {"lowest": np.iinfo(index).min, "highest": np.iinfo(index).max}.get(bad, bad)
    table, ids, values = np.zeros((3, 2)), np.array([0, 2, bad, bad], index), np.ones((4, 2))
    out = np.full((4, 2), 7.0)
    assert embedding.gather_rows[table.dtype, index](table, ids, out, 4, 2, 3) == 2
    assert embedding.add_rows[table.dtype, index](table, ids, values, 4, 2, 3) == 2
    assert (out == 7).all()
    assert not table.any()


def _grouped(ids, limit):
    rows = len(ids)
    order, spare, starts = (np.empty(n, np.int64) for n in (rows, rows, rows + 1))
    unique, number = np.empty_like(ids), np.empty(1, np.int64)
    bad = embedding.group_ids[ids.dtype](ids, order, spare, unique, starts, number, rows, limit)
    return bad, order, unique, starts, number


# Limits of one digit of the sort and of several; rows up to many times the limit, so that most ids come often.
@given(
    st.integers(0, 200),
    st.sampled_from([1, 2, 30, 5000, 2**22 + 7, 2**31 - 1]),
    st.integers(0, 40),
    st.sampled_from(BOTH),
    st.sampled_from(INDICES),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_rows_of_an_index_are_summed_in_their_order(rows, limit, width, dtype, index, seed):
    r = np.random.default_rng(seed)
    pool = r.integers(0, limit, max(1, rows // 2))
    ids, values = r.choice(pool, rows).astype(index), r.normal(size=(rows, width)).astype(dtype)
    bad, order, unique, starts, number = _grouped(ids, limit)
    expected, at = np.unique(ids, return_inverse=True)
    count = expected.size
    assert bad == -1
    assert number[0] == count
    np.testing.assert_array_equal(order, np.argsort(ids, kind="stable"))
    np.testing.assert_array_equal(unique, [*expected, *[limit] * (rows - count)])
    np.testing.assert_array_equal(starts[: count + 1], np.cumsum([0, *np.bincount(at, minlength=count)]))
    totals = np.zeros((rows, width), dtype)
    np.add.at(totals, at, values)
    sums = np.full_like(values, 7)
    middle = rows // 3
    for first, last in ((0, middle), (middle, rows)):
        embedding.sum_groups[dtype](values, order, starts, sums, rows, width, first, last)
    np.testing.assert_array_equal(sums, totals)


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("bad", [-1, 3])
def test_a_bad_index_is_found_before_anything_is_sorted(index, bad):
    found, *_ = _grouped(np.array([0, 2, bad, 1], index), 3)
    assert found == 2
