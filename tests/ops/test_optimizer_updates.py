"""The operations that optimizers' steps are made of: their kernels in programs give what they give run by themselves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf
from fastgrad import config
from fastgrad._src.kernels.optimizers.norms import LEAST_SHARED_ELEMENTS
from fastgrad._src.kernels.optimizers.update_rule import RULES, ZERO_GRADIENT_MOVES, ZERO_GRADIENT_RESTS
from fastgrad._src.kernels.reduction.reductions import BLOCK_ELEMENTS
from fastgrad._src.kernels.runtime import eager_launch
from fastgrad._src.kernels.runtime.launch import run_launches
from fastgrad._src.ops import optimizer_updates as updates
from tests.kernels.in_place import written_over

SHAPES = [(3, 4), (), (5,), (5000,)]


def state_of(rule, shapes, dtype, seed=0):
    rng = np.random.default_rng(seed)
    return [np.asarray(np.abs(rng.normal(size=shape)), dtype) for _ in rule.state for shape in shapes]


def numbers_of(rule):
    return [np.array(0.1 * (i + 1)) for i in range(len(rule.numbers))]


def assert_kernels_do_the_same(row, inputs, **attributes):
    """Out of place and in place, in one share and in several."""
    before = [x.copy() for x in inputs]
    wanted = row.run(*inputs, **attributes)
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    for x, old in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(x, old)
    found = row.lowering.launches(inputs, wanted, **attributes)
    for shares in (1, 3):
        apart = [np.empty_like(x) for x in wanted]
        assert run_launches(found, inputs, apart, shares) is None
        same = [x.copy() for x in inputs]
        places = dict(found.in_place)
        within = [same[places[i]] if i in places else np.empty_like(x) for i, x in enumerate(wanted)]
        assert run_launches(written_over(found, same, within, places), same, within, shares) is None
        for results in (apart, within):
            for one, other in zip(results, wanted, strict=True):
                wide = one.dtype if one.dtype.itemsize > 2 else np.dtype(np.float32)
                np.testing.assert_array_equal(one.astype(wide), other.astype(wide))


HALVES = [tf.float16.as_numpy_dtype, tf.bfloat16.as_numpy_dtype]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, *HALVES])
@pytest.mark.parametrize("name", RULES)
def test_all_variables_at_once(name, dtype):
    rule = RULES[name]
    gradients = [np.asarray(np.random.default_rng(1).normal(size=shape), dtype) for shape in SHAPES]
    inputs = [*state_of(rule, SHAPES, dtype), *gradients, *numbers_of(rule)]
    assert_kernels_do_the_same(updates.update_variables, inputs, rule=name, count=len(SHAPES))


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("rows", [0, 1, 6, 40])
def test_sums_of_rows(rows, index):
    rng = np.random.default_rng(0)
    ids, values = rng.integers(0, 9, rows).astype(index), rng.normal(size=(rows, 3))
    sums, unique, number = updates.sum_rows.run(values, ids, limit=9, owner="test")
    table = np.zeros((9, 3))
    np.add.at(table, ids, values)
    count = int(number)
    assert unique[:count].tolist() == sorted(set(ids.tolist()))
    assert (unique[count:] == 9).all()
    assert not sums[count:].any()
    np.testing.assert_allclose(sums[:count], table[unique[:count]], rtol=1e-12)
    assert_kernels_do_the_same(updates.sum_rows, [values, ids], limit=9, owner="test")
    dense = updates.add_rows.run(np.ones((9, 3)), sums, unique, number)
    np.testing.assert_allclose(dense, 1 + table, rtol=1e-12)
    assert_kernels_do_the_same(updates.add_rows, [np.ones((9, 3)), sums, unique, number])
    for name in ("sgd", "adam", "ftrl", "rmsprop_centered_momentum"):
        rule = RULES[name]
        inputs = [*state_of(rule, [(9, 3)], np.float64), sums, unique, number, *numbers_of(rule)]
        for moves in (ZERO_GRADIENT_MOVES, ZERO_GRADIENT_RESTS):
            assert_kernels_do_the_same(updates.update_rows, inputs, rule=name, moves=moves)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("name", ["momentum", "adam", "rmsprop", "adadelta"])
def test_rows_that_move(name, index):
    rng, rule = np.random.default_rng(0), RULES[name]
    for limit, ids in ((37, [3, 8, 9, 36]), (16, [0, 15]), (5, []), (37, [20])):
        sums = rng.normal(size=(len(ids) + 1, 2))
        unique, number = np.array([*ids, limit], index), np.array(len(ids))
        state = state_of(rule, [(limit, 2)], np.float64)
        moving = rng.random(limit) < 0.3
        for slot in state[1:]:
            slot[~moving] = 0
        flags = np.zeros(-(-limit // 8) * 8, np.uint8)
        flags[:limit] = moving
        live, numbers = flags.view(np.uint64), numbers_of(rule)
        numbers[-1] = np.array(0.0)
        inputs = [*state, live, sums, unique, number, *numbers]
        assert_kernels_do_the_same(updates.update_live_rows, inputs, rule=name)
        *found, after = updates.update_live_rows.run(*inputs, rule=name)
        wanted = updates.update_rows.run(*state, sums, unique, number, *numbers, rule=name, moves=ZERO_GRADIENT_MOVES)
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one, other)
        flags[ids] = 1
        np.testing.assert_array_equal(after, live)


@pytest.mark.parametrize("dtype", HALVES)
def test_half_widths(dtype):
    rng = np.random.default_rng(0)
    ids, values = np.array([3, 1, 3, 8]), rng.normal(size=(4, 3)).astype(dtype)
    assert_kernels_do_the_same(updates.sum_rows, [values, ids], limit=9, owner="test")
    rows = updates.sum_rows.run(values, ids, limit=9, owner="test")
    table = np.ones((9, 3), dtype)
    assert_kernels_do_the_same(updates.add_rows, [table, *rows])
    assert_kernels_do_the_same(updates.sums_of_squares_of_arrays, [values, table])
    adam = RULES["adam"]
    state, numbers = state_of(adam, [(9, 3)], dtype), numbers_of(adam)
    assert_kernels_do_the_same(updates.update_rows, [*state, *rows, *numbers], rule="adam", moves=ZERO_GRADIENT_MOVES)
    live = np.full(2, 0x0101010101010101, np.uint64)
    assert_kernels_do_the_same(updates.update_live_rows, [*state, live, *rows, *numbers], rule="adam")
    numbers = [np.array(x) for x in (0.5, 0.75, 1e-30, 1e-3, 1.0, 0.25)]
    p, v, g = np.abs(rng.normal(size=(3, 5))).astype(dtype)
    assert_kernels_do_the_same(updates.adafactor_of_vector, [p, v, g, *numbers])


def test_rows_that_are_none_are_refused():
    ids, values = np.array([0, 9]), np.ones((2, 3))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Adam: indices\[1\] = 9 is not in \[0, 9\)"):
        updates.sum_rows.run(values, ids, limit=9, owner="Adam")
    results = [np.empty((2, 3)), np.empty(2, np.int64), np.empty((), np.int64)]
    found = updates.sum_rows.lowering.launches([values, ids], results, limit=9, owner="Adam")
    assert run_launches(found, [values, ids], results) == 1


def test_adafactor():
    rng = np.random.default_rng(0)
    numbers = [np.array(x) for x in (0.5, 0.75, 1e-30, 1e-3, 1.0, 0.25)]
    p, r, c, v, g = (rng.random(shape) for shape in ((2, 3, 4), (2, 3), (2, 4), (2, 3, 4), (2, 3, 4)))
    assert_kernels_do_the_same(updates.adafactor_of_matrix, [p, r, c, v, g, *numbers])
    p, v, g = rng.random((3, 5))
    assert_kernels_do_the_same(updates.adafactor_of_vector, [p, v, g, *numbers])


def test_sums_of_squares():
    arrays = [np.random.default_rng(0).normal(size=shape).astype(np.float32) for shape in SHAPES if shape]
    np.testing.assert_allclose(
        updates.sums_of_squares_of_arrays.run(*arrays),
        [np.square(a.astype(np.float64)).sum() for a in arrays],
        rtol=1e-6,
    )
    assert_kernels_do_the_same(updates.sums_of_squares_of_arrays, arrays)


def test_large_sums_of_squares_are_the_same_by_any_threads(monkeypatch):
    r = np.random.default_rng(0)
    arrays = [r.normal(size=shape).astype(np.float32) for shape in [(500, 300), (), (0,), (9999,)]]
    assert arrays[0].size >= updates._MIN_ELEMENTS_FOR_THREADS
    arrays[0] = arrays[0].T  # not contiguous
    wanted = updates.serial_square_sums(*arrays)
    monkeypatch.setattr(eager_launch, "LEAST_POOL_NANOSECONDS", 0.0)
    threads = config.get_num_threads()
    try:
        for count in (1, 2, 5):
            config.set_num_threads(count)
            np.testing.assert_array_equal(updates.sums_of_squares_of_arrays.run(*arrays), wanted)
    finally:
        config.set_num_threads(threads)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@given(
    st.lists(
        st.sampled_from(
            [0, 1, 255, 257, BLOCK_ELEMENTS - 1, BLOCK_ELEMENTS, BLOCK_ELEMENTS + 1, 2 * BLOCK_ELEMENTS + 300]
        ),
        max_size=5,
    ),
    st.integers(1, 7),
)
@settings(max_examples=20)
def test_sums_of_squares_in_any_shares(dtype, sizes, shares):
    r = np.random.default_rng(0)
    arrays = [r.normal(size=size).astype(tf.as_dtype(dtype).numpy) for size in (*sizes, LEAST_SHARED_ELEMENTS)]
    found = np.full(len(arrays), 7.0)
    launches = updates.sums_of_squares_of_arrays.lowering.launches(arrays, [found])
    assert sum(launch.units for launch in launches.launches) > 1
    assert run_launches(launches, arrays, [found], shares) is None
    np.testing.assert_array_equal(found, updates.serial_square_sums(*arrays))
    exact = [np.square(a.astype(np.float64)).sum() for a in arrays]
    np.testing.assert_allclose(found, exact, rtol=1e-14 if dtype == "float64" else 1e-6)


@pytest.mark.parametrize("every", [1, 2, 5])
def test_turns(every):
    for count in range(12):
        steps = np.array(count)
        assert updates.completed_period_count.run(steps, every=every) == count // every
        assert bool(updates.is_last_step_of_period.run(steps, every=every)) == ((count + 1) % every == 0)
        assert_kernels_do_the_same(updates.completed_period_count, [steps], every=every)
        assert_kernels_do_the_same(updates.is_last_step_of_period, [steps], every=every)


@pytest.mark.parametrize("dtype", HALVES)
def test_half_width_floats_may_lie_by_columns(dtype):
    r = np.random.default_rng(0)
    p, g = (r.normal(size=(4, 3)).astype(dtype) for _ in range(2))
    numbers = [np.array(0.1), np.array(0.0)]
    (wanted,) = updates.update_variables.run(p, g, *numbers, rule="sgd", count=1)
    (found,) = updates.update_variables.run(np.asfortranarray(p), np.asfortranarray(g), *numbers, rule="sgd", count=1)
    np.testing.assert_array_equal(found.astype(np.float32), wanted.astype(np.float32))
    ids = np.array([2, 0, 2, 1])
    for one, other in zip(
        updates.sum_rows.run(g, ids, limit=4, owner="table"),
        updates.sum_rows.run(np.asfortranarray(g), ids, limit=4, owner="table"),
        strict=True,
    ):
        np.testing.assert_array_equal(one.astype(np.float32), other.astype(np.float32))
