"""Losses, normalizations and updates on a simulated GPU, against the CPU's and NumPy."""

import numpy as np
import pytest

from fastgrad._src.core.operation import TABLE, Operation
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.cuda.devices import available
from fastgrad._src.cuda.kernels.choice import row_launches_on_device
from fastgrad._src.kernels.optimizers.norms import LEAST_SHARED_ELEMENTS
from fastgrad._src.kernels.optimizers.update_rule import RULES
from tests.cuda.simulation.driver import simulated_gpus
from tests.cuda.simulation.lock_step import run_on_simulation

F32 = np.float32


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.fixture(scope="module", autouse=True)
def gpu():
    with simulated_gpus():
        yield


def ran(name, *arrays, **attributes):
    """What a row gives on the simulated GPU, and what its own `run` gives in float64."""
    with np.errstate(all="ignore"):
        wanted = TABLE[name].run(*[a.astype(np.float64) if a.dtype == F32 else a for a in arrays], **attributes)
    device = available.gpu_device(0)
    found = Operation.__call__(TABLE[name], *[Tensor(device.put(a)) for a in arrays], **attributes)
    found, wanted = (y if isinstance(y, tuple) else (y,) for y in (found, wanted))
    return [y.numpy() for y in found], wanted


def assert_the_same(name, *arrays, rtol=1e-5, **attributes):
    outputs, wanted = ran(name, *arrays, **attributes)
    for got, expected in zip(outputs, wanted, strict=True):
        np.testing.assert_allclose(got, expected, rtol, 10 * rtol)


SHAPES = [(1, 1), (3, 5), (2, 64), (4, 133), (9, 33)]


@pytest.mark.parametrize("shape", SHAPES)
def test_cross_entropies(shape):
    logits, g = (3 * numbers(*shape)).astype(F32), numbers(shape[0]).astype(F32)
    labels = np.arange(shape[0]) * 7 % shape[1]
    dense = np.abs(numbers(*shape, seed=1)).astype(F32)
    dense /= dense.sum(1, keepdims=True)
    for indices in (labels, labels.astype(np.int32)):
        assert_the_same("sparse_softmax_cross_entropy", logits, indices)
        assert_the_same("sparse_softmax_cross_entropy_and_gradient", g, logits, indices)
        assert_the_same("sparse_softmax_cross_entropy_gradient", g, dense, indices)
    assert_the_same("softmax_cross_entropy", logits, dense)
    assert_the_same("softmax_cross_entropy_gradient", g, dense, dense)


def test_a_label_out_of_range_is_said():
    logits, labels = numbers(70, 9).astype(F32), np.zeros(70, np.int64)
    labels[[12, 50]] = 9, -1
    outputs = [np.zeros(70, F32), np.zeros((70, 9), F32)]
    found = row_launches_on_device(TABLE["sparse_softmax_cross_entropy"], [logits, labels], outputs, {})
    assert run_on_simulation(found, [logits, labels], outputs) == 12


def test_rows_with_a_nan_or_an_infinity_are_nan_and_others_are_not():
    logits = numbers(4, 40).astype(F32)
    logits[1, 33], logits[2, 5] = np.nan, np.inf
    (loss, probabilities), _ = ran("sparse_softmax_cross_entropy", logits, np.zeros(4, np.int64))
    assert np.isnan(probabilities[1:3]).all()
    assert np.isnan(loss[1:3]).all()
    assert np.isfinite(probabilities[[0, 3]]).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_layer_normalization(shape):
    x, g = (numbers(*shape, seed=seed).astype(F32) + 2 for seed in (0, 1))
    gamma, beta = numbers(2, shape[1]).astype(F32)
    assert_the_same("layer_normalization", x, gamma, beta, epsilon=1e-3)
    mean = x.mean(1, dtype=np.float64)
    inverse = 1 / np.sqrt(x.var(1, dtype=np.float64) + 1e-3)
    arrays = (g, x, gamma, mean.astype(F32), inverse.astype(F32))
    assert_the_same("layer_normalization_gradient", *arrays, rtol=3e-5)


def test_sums_over_many_rows():
    x, g = (numbers(700, 35, seed=seed).astype(F32) for seed in (0, 1))
    arrays = g, x, np.ones(35, F32), x.mean(1), 1 / x.std(1)
    assert_the_same("layer_normalization_gradient", *arrays, rtol=1e-4)


@pytest.mark.parametrize("shape", [(1, 3), (7, 33), (530, 5)])
def test_moments_of_a_batch(shape):
    assert_the_same("batch_moments", (numbers(*shape) + 1000).astype(F32), rtol=2e-5)


@pytest.mark.parametrize("name", sorted(RULES))
def test_updates_are_the_cpus_to_the_bit(name):
    rule, sizes = RULES[name], (5, 4099, 1, 130)
    arrays = [np.abs(numbers(size, seed=k)).astype(F32) for k in range(len(rule.state)) for size in sizes]
    gradients = [numbers(size, seed=9).astype(F32) for size in sizes]
    given = [np.array(0.1 / (1 + i)) for i in range(len(rule.numbers))]
    wanted = TABLE["apply_update"].run(*arrays, *gradients, *given, rule=name, count=len(sizes))
    outputs = [np.empty_like(a) for a in arrays]
    inputs = [*arrays, *gradients, *given]
    found = row_launches_on_device(TABLE["apply_update"], inputs, outputs, {"rule": name, "count": len(sizes)})
    assert run_on_simulation(found, inputs, outputs) is None
    for got, expected in zip(outputs, wanted, strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("much", [0, LEAST_SHARED_ELEMENTS])
def test_norms_of_all_gradients(much):
    assert_the_same("sums_of_squares", *[numbers(size).astype(F32) for size in (3, 1000 + much, 1, 70)])


@pytest.mark.parametrize("dtype", ["float32", "int8", "int64"])
@pytest.mark.parametrize(("shape", "axis"), [((3, 1), 1), ((4, 70), 1), ((2, 130), 1), ((70, 4), 0), ((2, 9, 33), 1)])
def test_where_extremes_are(shape, axis, dtype):
    x = np.random.default_rng(0).integers(-4, 5, shape).astype(dtype)
    if dtype == "float32":
        x[..., 0][0] = np.nan
        x[-1] = np.nan
    for name in ("argmax", "argmin"):
        wanted = TABLE[name].run(x, axis=axis, output_type="int64")
        y = np.empty(wanted.shape, np.int64)
        found = row_launches_on_device(TABLE[name], [x], [y], {"axis": axis, "output_type": "int64"})
        assert run_on_simulation(found, [x], [y], threads=64) is None
        np.testing.assert_array_equal(y, wanted)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize(("shape", "axis"), [((3, 1), 1), ((4, 133), 1), ((9, 3), 0), ((2, 37, 5), 1)])
def test_softmax_along_any_axis(name, shape, axis):
    x, g = (3 * numbers(*shape, seed=seed).astype(F32) for seed in (0, 1))
    across = axis < len(shape) - 1
    attributes = {"axis": axis} if across else {}
    name = f"{name}_across" if across else name
    assert_the_same(name, x, **attributes)
    y = TABLE[name].run(x.astype(np.float64), **attributes).astype(F32)
    assert_the_same(f"{name}_gradient", g, y, **attributes)


def test_rows_without_columns_are_not_read():
    for name in ("softmax", "log_softmax"):
        assert ran(name, np.zeros((3, 0), F32))[0][0].shape == (3, 0)


def test_equal_elements_are_normalized_to_beta():
    """A mean of rounded sums would differ from them."""
    x, beta = np.full((2, 77), 1e4 + 0.1, F32), numbers(77).astype(F32)
    (y, mean, _), _ = ran("layer_normalization", x, np.ones(77, F32), beta, epsilon=1e-12)
    np.testing.assert_array_equal(mean, x[:, 0])
    np.testing.assert_array_equal(y, [beta, beta])
