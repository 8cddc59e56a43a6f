"""A log density that nutpie samples: names, shapes, bounds, threads, and the posterior."""

from __future__ import annotations

import numba
import numpy as np
import pytest

import fastgrad as fg

nutpie = pytest.importorskip("nutpie", reason="pip install fastgrad[pymc]")

pytestmark = pytest.mark.filterwarnings("default")  # those of nutpie and ArviZ
Y = np.random.default_rng(0).normal(1.5, 2.0, 200)


@numba.njit
def log_posterior(mean, deviation, weights, y):
    if weights[0, 0] > 2.0:
        raise ValueError("the first weight is too large")
    total = -0.5 * np.sum(weights**2) - deviation
    for value in y:
        total -= 0.5 * ((value - mean) / deviation) ** 2 + np.log(deviation)
    return total


def test_nutpie_samples_the_posterior():
    shapes = {"mean": (), "deviation": (), "weights": (2, 3)}
    density = fg.log_density(log_posterior, shapes, (Y,), {"deviation": (0.0, None)})
    trace = nutpie.sample(density.nutpie_model(), draws=1000, tune=500, chains=2, seed=1, progress_bar=False)
    draws = {name: trace.posterior[name].values for name in shapes}
    assert [value.shape for value in draws.values()] == [(2, 1000), (2, 1000), (2, 1000, 2, 3)]
    assert draws["mean"].mean() == pytest.approx(Y.mean(), abs=0.05)
    assert draws["mean"].std() == pytest.approx(Y.std() / 200**0.5, rel=0.15)
    assert draws["deviation"].mean() == pytest.approx(Y.std(), abs=0.05)
    assert draws["deviation"].min() > 0.0
    np.testing.assert_allclose(draws["weights"].mean((0, 1)).ravel()[1:], 0.0, atol=0.15)
    assert draws["weights"][..., 0, 0].max() <= 2.0
    assert "ValueError: the first weight is too large" in density.last_rejection()
