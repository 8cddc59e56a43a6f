"""Properties of softmax, losses and normalization, row by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special

from tests.kernels.properties import Property, ids, normal


def arrays(count: int, attributes: Any = None) -> Callable[..., Any]:
    """Makes so many matrices, of a column at least."""
    return lambda r, dtype, m, n: ([normal(r, dtype, m, n + 1) - 2 * k for k in range(count)], attributes or {})


def softmax_gradient(g: Any, y: Any) -> Any:
    return y * (g - (g * y).sum(-1, keepdims=True))


def probabilities(r: np.random.Generator, dtype: str, m: int, n: int) -> np.ndarray:
    return scipy.special.softmax(r.normal(size=(m, n + 1)), -1).astype(dtype)


def one_of_each(labels: np.ndarray, columns: int) -> np.ndarray:
    return (labels[:, None] == np.arange(columns)).astype(np.float64)


def losses(x: Any, labels: Any) -> Any:
    return -(labels * scipy.special.log_softmax(x, -1)).sum(-1)


def sparse_losses(x: Any, at: Any) -> Any:
    return -np.take_along_axis(scipy.special.log_softmax(x, -1), at[:, None], 1)[:, 0]


def sparse_losses_and_gradient(g: Any, x: Any, at: Any) -> Any:
    return sparse_losses(x, at), g[:, None] * (scipy.special.softmax(x, -1) - one_of_each(at, x.shape[1]))


def normalized(x: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    share = 1.0 / np.sqrt(variance + epsilon)
    return (x - mean) * share * gamma + beta, mean[..., 0], share[..., 0]


def normalized_gradient(g: Any, x: Any, gamma: Any, mean: Any, share: Any) -> Any:
    h = (x - mean[:, None]) * share[:, None]
    u = g * gamma
    dx = share[:, None] * (u - u.mean(-1, keepdims=True) - h * (u * h).mean(-1, keepdims=True))
    return dx, (g * h).sum(0), g.sum(0)


def make_normalized_gradient(r: np.random.Generator, dtype: str, m: int, n: int) -> Any:
    x = normal(r, dtype, m, n + 2)
    _, mean, share = normalized(x.astype(np.float64), 1.0, 0.0, 1e-3)
    return [normal(r, dtype, m, n + 2), x, normal(r, dtype, n + 2), mean.astype(dtype), share.astype(dtype)], {}


PROPERTIES = [
    Property("softmax", 2, arrays(1), lambda x: scipy.special.softmax(x, -1), 16),
    Property("log_softmax", 2, arrays(1), lambda x: scipy.special.log_softmax(x, -1), 32),
    Property("softmax_gradient", 2, arrays(2), softmax_gradient, 512),
    Property("log_softmax_gradient", 2, arrays(2), lambda g, y: g - np.exp(y) * g.sum(-1, keepdims=True), 512),
    Property(
        "reduce_logsumexp",
        2,
        arrays(1, {"axes": (1,), "keepdims": False}),
        lambda x, **_: scipy.special.logsumexp(x, -1),
        16,
    ),
    Property(
        "sparse_softmax_cross_entropy",
        2,
        lambda r, dtype, m, n: ([normal(r, dtype, m, n + 1), ids(r, n + 1, m)], {}),
        lambda x, at: (sparse_losses(x, at), scipy.special.softmax(x, -1)),
        32,
    ),
    Property(
        "sparse_softmax_cross_entropy_gradient",
        2,
        lambda r, dtype, m, n: ([normal(r, dtype, m), probabilities(r, dtype, m, n), ids(r, n + 1, m)], {}),
        lambda g, y, at: g[:, None] * (y - one_of_each(at, y.shape[1])),
        4,
    ),
    Property(
        "sparse_softmax_cross_entropy_and_gradient",
        2,
        lambda r, dtype, m, n: ([normal(r, dtype, m), normal(r, dtype, m, n + 1), ids(r, n + 1, m)], {}),
        sparse_losses_and_gradient,
        32,
    ),
    Property(
        "softmax_cross_entropy",
        2,
        lambda r, dtype, m, n: ([normal(r, dtype, m, n + 1), r.random((m, n + 1)).astype(dtype)], {}),
        lambda x, labels: (losses(x, labels), scipy.special.softmax(x, -1)),
        64,
    ),
    Property(
        "softmax_cross_entropy_gradient",
        2,
        lambda r, dtype, m, n: ([normal(r, dtype, m), *[probabilities(r, dtype, m, n) for _ in range(2)]], {}),
        lambda g, y, labels: g[:, None] * (y - labels),
        4,
    ),
    Property(
        "layer_normalization",
        2,
        lambda r, dtype, m, n: ([normal(r, dtype, m, n + 2), *normal(r, dtype, 2, n + 2)], {"epsilon": 1e-3}),
        normalized,
        64,
    ),
    Property("layer_normalization_gradient", 2, make_normalized_gradient, normalized_gradient, 256),
]
