import numpy as np
import pytest

from fastgrad.kernels.arranging import embedding

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


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("rows", [0, 1, 2, 100])
def test_duplicate_rows_are_summed_under_sorted_ids(dtype, index, rows):
    r = np.random.default_rng(1)
    ids, values = r.integers(0, 30, rows).astype(index), r.normal(size=(rows, 3)).astype(dtype)
    order = np.argsort(ids, kind="stable")
    unique, sums = np.empty_like(ids), np.empty_like(values)
    count = embedding.sum_duplicate_rows[dtype, index](ids, order, values, unique, sums, rows, 3)
    expected, at = np.unique(ids, return_inverse=True)
    totals = np.zeros((expected.size, 3), dtype)
    np.add.at(totals, at, values)
    assert count == expected.size
    np.testing.assert_array_equal(unique[:count], expected)
    np.testing.assert_array_equal(sums[:count], totals)


def test_an_order_that_points_outside_is_refused():
    ids, values = np.array([1, 2]), np.ones((2, 1))
    unique, sums = np.empty_like(ids), np.empty_like(values)
    kernel = embedding.sum_duplicate_rows[values.dtype, ids.dtype]
    assert kernel(ids, np.array([0, 2]), values, unique, sums, 2, 1) == -1
