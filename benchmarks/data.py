"""Input data of the benchmarks, from fixed seeds, so that all runs and libraries compute with the same numbers.

A training benchmark gets batches whose targets contradict each other (the same inputs come back with other targets).
Its loss then stays well above zero however long it is timed; a loss of zero would mean timing subnormal numbers.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

Inputs = dict[str, np.ndarray]

BATCHES = 64
DISTINCT_BATCHES = 8


def generator(seed: int = 0) -> np.random.Generator:
    """Returns a generator of random numbers."""
    return np.random.default_rng(seed)


def uniform(*shape: int, seed: int = 0, dtype: str = "float32") -> np.ndarray:
    """Returns uniform random numbers between -1 and 1."""
    return np.random.default_rng(seed).uniform(-1.0, 1.0, shape).astype(dtype)


def zeros(*shape: int) -> np.ndarray:
    """Returns zeros, float32."""
    return np.zeros(shape, np.float32)


def ones(*shape: int) -> np.ndarray:
    """Returns ones, float32."""
    return np.ones(shape, np.float32)


def permutation(size: int, seed: int = 0) -> np.ndarray:
    """Returns the numbers below `size`, shuffled."""
    return np.random.default_rng(seed).permutation(size)


def dense_weights(widths: Sequence[int], seed: int = 1) -> Inputs:
    """Glorot-uniform kernels `kernel0`, … and zero biases `bias0`, … of the layers between these widths."""
    generator = np.random.default_rng(seed)
    weights = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(widths)):
        limit = np.sqrt(6.0 / (fan_in + fan_out))
        weights[f"kernel{layer}"] = generator.uniform(-limit, limit, (fan_in, fan_out)).astype(np.float32)
        weights[f"bias{layer}"] = np.zeros(fan_out, np.float32)
    return weights


def classification(widths: Sequence[int], batch: int = 32, batches: int = BATCHES) -> Inputs:
    """`x` (batches, batch, inputs), integer labels `y` (batches, batch) and the weights of a classifier of these widths."""
    x = uniform(min(batches, DISTINCT_BATCHES), batch, widths[0], seed=2)
    y = np.random.default_rng(3).integers(0, widths[-1], (batches, batch))
    return {"x": np.resize(x, (batches, *x.shape[1:])), "y": y.astype(np.int64), **dense_weights(widths)}


def regression(widths: Sequence[int], batch: int = 32, batches: int = BATCHES) -> Inputs:
    """`x` (batches, batch, inputs), targets `y` (batches, batch, outputs) and the weights of a network of these widths."""
    x = uniform(min(batches, DISTINCT_BATCHES), batch, widths[0], seed=2)
    y = uniform(batches, batch, widths[-1], seed=3)
    return {"x": np.resize(x, (batches, *x.shape[1:])), "y": y, **dense_weights(widths)}


def noisy_line(points: int = 32) -> Inputs:
    """`x` and `y` (1, points) along y = 3x + 2 with noise, and the starting `weight` and `bias`, scalars."""
    x = uniform(1, points, seed=4)
    y = 3.0 * x + 2.0 + 0.3 * uniform(1, points, seed=5)
    return {"x": x, "y": y.astype(np.float32), "weight": np.float32(0.5), "bias": np.float32(-0.5)}


def digits(widths: Sequence[int] = (64, 128, 10), batch: int = 32) -> Inputs:
    """scikit-learn's handwritten digits in batches, twice, the second time with a tenth of the labels wrong.

    Raises:
        ModuleNotFoundError: scikit-learn is not installed.
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(6).permutation(len(images))[: len(images) // batch * batch]
    x = (images[order] / 16.0).astype(np.float32).reshape(-1, batch, widths[0])
    y = labels[order].astype(np.int64).reshape(-1, batch)
    wrong = np.where(np.random.default_rng(7).random(y.shape) < 0.1, (y + 1) % widths[-1], y)
    return {"x": np.concatenate([x, x]), "y": np.concatenate([y, wrong]), **dense_weights(widths)}


def embedding(rows: int = 1_000_000, width: int = 32, touched: int = 6_656, batches: int = 4) -> Inputs:
    """A `table` (rows, width), `ids` (2 x batches, touched) without repeats in a batch, and their `targets`."""
    generator = np.random.default_rng(8)
    ids = np.stack([generator.choice(rows, touched, replace=False) for _ in range(batches)])
    return {
        "table": generator.random((rows, width), np.float32) * np.float32(0.1) - np.float32(0.05),
        "ids": np.concatenate([ids, ids]).astype(np.int64),
        "targets": uniform(2 * batches, touched, width, seed=9),
    }
