"""Accuracies, and errors as metrics."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras

metrics = keras.metrics
RNG = np.random.default_rng(0)
SCORES = RNG.random((20, 5))
CLASSES = RNG.integers(0, 5, 20)
BEST = SCORES.argmax(1)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float32"])
@pytest.mark.parametrize("column", [False, True])
def test_sparse_categorical(dtype, column):
    labels = CLASSES.astype(dtype)[:, None] if column else CLASSES.astype(dtype)
    metric = metrics.SparseCategoricalAccuracy()
    metric.update_state(labels[:15], SCORES[:15])
    metric.update_state(labels[15:], tf.constant(SCORES[15:]))
    assert float(metric.result()) == pytest.approx((BEST == CLASSES).mean())


def test_sparse_categorical_of_sequences():
    found = metrics.sparse_categorical_accuracy(CLASSES.reshape(4, 5), SCORES.reshape(4, 5, 5))
    np.testing.assert_array_equal(found, (BEST == CLASSES).reshape(4, 5))


def test_sample_weights():
    weights = RNG.random(20)
    metric = metrics.SparseCategoricalAccuracy()
    metric.update_state(CLASSES, SCORES, sample_weight=weights)
    assert float(metric.result()) == pytest.approx(((BEST == CLASSES) * weights).sum() / weights.sum(), rel=1e-5)


def test_categorical():
    assert float(metrics.CategoricalAccuracy()(np.eye(5)[CLASSES], SCORES)) == pytest.approx((BEST == CLASSES).mean())


@pytest.mark.parametrize("threshold", [0.5, 0.2])
def test_binary(threshold):
    labels = RNG.integers(0, 2, (20, 5))
    metric = metrics.BinaryAccuracy(threshold=threshold)
    assert float(metric(labels, SCORES)) == pytest.approx((labels == (threshold < SCORES)).mean())
    assert float(metrics.BinaryAccuracy()([1, 0, 1], [0.6, 0.5, 0.4])) == pytest.approx(2 / 3)
    assert float(metrics.BinaryAccuracy()([1, 0], [[0.6], [0.5]])) == 1.0


def test_exact():
    assert float(metrics.Accuracy()([1, 2, 3], [1, 2, 4])) == pytest.approx(2 / 3)
    assert float(metrics.Accuracy()([[1], [2]], [1, 2])) == 1.0


@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k(k):
    expected = [label in row.argsort()[::-1][:k] for label, row in zip(CLASSES, SCORES, strict=True)]
    assert float(metrics.SparseTopKCategoricalAccuracy(k=k)(CLASSES, SCORES)) == pytest.approx(np.mean(expected))
    assert float(metrics.TopKCategoricalAccuracy(k=k)(np.eye(5)[CLASSES], SCORES)) == pytest.approx(np.mean(expected))
    best_first = np.argsort(-SCORES, 1)
    by_number = metrics.SparseTopKCategoricalAccuracy(k=k, from_sorted_ids=True)
    assert float(by_number(CLASSES, best_first)) == pytest.approx(np.mean(expected))


Y, P = RNG.uniform(0.1, 1, (6, 3)), RNG.uniform(0.1, 1, (6, 3))


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (metrics.MeanSquaredError(), np.square(Y - P).mean()),
        (metrics.MeanAbsoluteError(), np.abs(Y - P).mean()),
        (metrics.MeanAbsolutePercentageError(), 100 * (np.abs(Y - P) / Y).mean()),
        (metrics.MeanSquaredLogarithmicError(), np.square(np.log1p(Y) - np.log1p(P)).mean()),
        (metrics.RootMeanSquaredError(), np.sqrt(np.square(Y - P).mean())),
        (metrics.LogCoshError(), np.log(np.cosh(Y - P)).mean()),
        (
            metrics.CosineSimilarity(),
            ((Y * P).sum(1) / np.linalg.norm(Y, axis=1) / np.linalg.norm(P, axis=1)).mean(),
        ),
        (metrics.BinaryCrossentropy(), -(Y * np.log(P) + (1 - Y) * np.log(1 - P)).mean()),
        (metrics.CategoricalCrossentropy(), -(Y * np.log(P / P.sum(1, keepdims=True))).sum(1).mean()),
        (metrics.KLDivergence(), (Y * np.log(Y / P)).sum(1).mean()),
        (metrics.Poisson(), (P - Y * np.log(P)).mean()),
        (metrics.Hinge(), np.maximum(1 - Y * P, 0).mean()),
        (metrics.SquaredHinge(), np.square(np.maximum(1 - Y * P, 0)).mean()),
        (metrics.CategoricalHinge(), np.maximum(((1 - Y) * P).max(1) - (Y * P).sum(1) + 1, 0).mean()),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_errors_over_batches(metric, expected):
    metric.update_state(Y[:2], P[:2])
    metric.update_state(Y[2:], P[2:])
    assert float(metric.result()) == pytest.approx(expected, rel=1e-5)


def test_sparse_cross_entropy():
    shares = SCORES / SCORES.sum(1, keepdims=True)
    expected = -np.log(shares[np.arange(20), CLASSES]).mean()
    assert float(metrics.SparseCategoricalCrossentropy()(CLASSES, shares)) == pytest.approx(expected, rel=1e-5)
