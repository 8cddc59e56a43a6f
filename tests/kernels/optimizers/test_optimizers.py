import itertools

import numpy as np
import pytest

from fastgrad._src.kernels.optimizers import norms, optimizers
from fastgrad._src.kernels.optimizers.update_rule import ZERO_GRADIENT_MOVES, ZERO_GRADIENT_RESTS, unit_count
from tests.kernels.optimizers.update_rules import RATE, RULES, _state

F4, F8 = np.dtype("float32"), np.dtype("float64")


# Each in NumPy as Keras's documentation states it: (slots, hyperparameters, step). A step changes the slots `s` in place
# and returns the new weights.


def _wide(arrays):
    return [a.astype(np.float64) for a in arrays]


@pytest.mark.parametrize("dtype", [F4, F8])
@pytest.mark.parametrize("name", RULES)
def test_one_call_updates_all_variables(name, dtype):
    slots, hyper, step = RULES[name]
    weights, held, gradients = _state([(7, 33), (), (0,), (5,)], slots, dtype)
    exact, exact_held = _wide(weights), [_wide(h) for h in held]
    function = getattr(optimizers, name).variables_kernel[dtype]
    for _ in range(5):
        function(weights, *held, gradients, 0, unit_count(weights), *hyper)
        for k, g in enumerate(gradients):
            exact[k] = step(exact[k], [h[k] for h in exact_held], g.astype(np.float64), *hyper)
    tolerance = 3e-5 if dtype == F4 else 1e-12
    for k, p in enumerate(weights):
        np.testing.assert_allclose(p, exact[k], rtol=tolerance, atol=tolerance)
        for h, e in zip(held, exact_held, strict=True):
            np.testing.assert_allclose(h[k], e[k], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", RULES)
def test_rows_get_the_same_update_and_the_rest_none(name):
    slots, hyper, step = RULES[name]
    (table,), held, (gradient,) = _state([(9, 5)], slots, F8)
    held = [h[0] for h in held]
    ids = np.array([1, 4, 8])
    exact, exact_held = table.copy(), [h.copy() for h in held]
    rows = [h[ids] for h in exact_held]
    exact[ids] = step(table[ids], rows, gradient[ids], *hyper)
    for h, new in zip(exact_held, rows, strict=True):
        h[ids] = new
    getattr(optimizers, name).update_rows(ZERO_GRADIENT_RESTS, [table, *held], gradient[ids], ids, hyper)
    np.testing.assert_allclose(table, exact, rtol=1e-12)
    for h, e in zip(held, exact_held, strict=True):
        np.testing.assert_allclose(h, e, rtol=1e-12)


@pytest.mark.parametrize("name", RULES)
def test_a_sparse_gradient_on_a_table_gives_the_dense_ones_result(name):
    slots, hyper, _ = RULES[name]
    (table,), held, (gradient,) = _state([(9, 5)], slots, F8)
    held = [h[0] for h in held]
    ids = np.array([1, 4, 8], np.int32)
    dense, dense_held = table.copy(), [h.copy() for h in held]
    values = gradient[ids]
    gradient[np.setdiff1d(np.arange(9), ids)] = 0
    rule = getattr(optimizers, name)
    rule.variables_kernel[F8]([dense], *([h] for h in dense_held), [gradient], 0, 1, *hyper)
    rule.update_rows(ZERO_GRADIENT_MOVES, [table, *held], values, ids, hyper)
    np.testing.assert_array_equal(table, dense)
    for h, d in zip(held, dense_held, strict=True):
        np.testing.assert_array_equal(h, d)


@pytest.mark.parametrize("cuts", [[0, 5], [0, 1, 2, 3, 4, 5], [0, 2, 2, 5]])
def test_work_can_be_cut_anywhere(cuts):
    slots, hyper, _ = RULES["adam"]
    whole, parts = (_state([(4096,), (3,), (5000, 2), (0,), (4097,)], slots, F4) for _ in range(2))
    assert unit_count(whole[0]) == 5
    function = optimizers.adam.variables_kernel[F4]
    function(whole[0], *whole[1], whole[2], 0, 5, *hyper)
    for first, last in itertools.pairwise(cuts):
        function(parts[0], *parts[1], parts[2], first, last, *hyper)
    for one, other in zip(
        [*whole[0], *itertools.chain(*whole[1])], [*parts[0], *itertools.chain(*parts[1])], strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_without_decay_an_infinite_weight_stays_infinite():
    weights = [np.array([np.inf, -np.inf, 1.0])]
    optimizers.sgd.variables_kernel[F8](weights, [np.zeros(3)], 0, 1, RATE, 0.0)
    np.testing.assert_array_equal(weights[0], [np.inf, -np.inf, 1.0])


def test_nan_gradients_reach_the_weights_and_slots():
    for name in ("adam_amsgrad", "adamax", "lion", "ftrl"):
        slots, hyper, _ = RULES[name]
        weights, held, gradients = _state([(3,)], slots, F8)
        gradients[0][1] = np.nan
        getattr(optimizers, name).variables_kernel[F8](weights, *held, gradients, 0, 1, *hyper)
        np.testing.assert_array_equal(np.isnan(weights[0]), [False, True, False])
        assert np.isnan(held[-1][0][1])


@pytest.mark.parametrize("dtype", [F4, F8])
@pytest.mark.parametrize("name", [name for name in RULES if RULES[name][0] and name not in ("adagrad", "ftrl")])
def test_what_is_left_of_a_mean_becomes_zero(name, dtype):
    """The last subnormal numbers would stay for ever, as their differences round to 0, and are slow on some processors."""
    slots, hyper, _ = RULES[name]
    least = np.finfo(dtype).smallest_subnormal
    held = [[np.array([least, 3 * least, np.finfo(dtype).tiny, 1], dtype)] for _ in range(slots)]
    if name == "adam_amsgrad":
        held[2][0][:] = 0  # a maximum, which nothing draws towards 0
    zeros = [np.zeros(4, dtype)]
    getattr(optimizers, name).variables_kernel[dtype]([np.ones(4, dtype)], *held, zeros, 0, 1, *hyper)
    for (slot,) in held:
        np.testing.assert_array_equal(slot != 0, [False, False, False, True])


def test_ftrl_takes_any_power():
    slots, hyper, step = RULES["ftrl"]
    hyper = (hyper[0], 0.7, *hyper[2:])
    weights, held, gradients = _state([(6,)], slots, F8)
    exact = step(weights[0].copy(), [h[0].copy() for h in held], gradients[0], *hyper)
    optimizers.ftrl.variables_kernel[F8](weights, *held, gradients, 0, 1, *hyper)
    np.testing.assert_allclose(weights[0], exact, rtol=1e-12)


@pytest.mark.parametrize("dtype", [F4, F8])
def test_weights_decay_on_their_own(dtype):
    weights = [np.linspace(-1, 1, 7, dtype=dtype), np.ones((2, 2), dtype)]
    exact = [p - p * dtype.type(0.25) for p in weights]
    optimizers.decay_weights[dtype](weights, 0.25)
    for p, e in zip(weights, exact, strict=True):
        np.testing.assert_array_equal(p, e)


@pytest.mark.parametrize("dtype", [F4, F8])
def test_sums_of_squares(dtype):
    r = np.random.default_rng(0)
    arrays = [r.normal(size=n).astype(dtype) for n in (0, 1, 2, 255, 256, 257, 16384, 16385, 100_000)]
    out = np.empty(len(arrays))
    norms.sums_of_squares[dtype](arrays, out)
    exact = [np.square(a.astype(np.float64)).sum() for a in arrays]
    np.testing.assert_allclose(out, exact, rtol=1e-6 if dtype == F4 else 1e-14)
