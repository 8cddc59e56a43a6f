"""Accuracies among the k best; tests/conformance/programs/every_metric.py compares the rest with Keras."""

import numpy as np
import pytest

from fastgrad import keras

metrics = keras.metrics
RNG = np.random.default_rng(0)
SCORES = RNG.random((20, 5))
CLASSES = RNG.integers(0, 5, 20)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k(k):
    expected = [label in row.argsort()[::-1][:k] for label, row in zip(CLASSES, SCORES, strict=True)]
    assert float(metrics.SparseTopKCategoricalAccuracy(k=k)(CLASSES, SCORES)) == pytest.approx(np.mean(expected))
    assert float(metrics.TopKCategoricalAccuracy(k=k)(np.eye(5)[CLASSES], SCORES)) == pytest.approx(np.mean(expected))
    best_first = np.argsort(-SCORES, 1)
    by_number = metrics.SparseTopKCategoricalAccuracy(k=k, from_sorted_ids=True)
    assert float(by_number(CLASSES, best_first)) == pytest.approx(np.mean(expected))
