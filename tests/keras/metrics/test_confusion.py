"""Counts at thresholds, areas under curves, F scores, overlaps, correlations: batches, compiled updates, and what is refused."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.keras.masks import attach_mask

metrics = tf.keras.metrics
RNG = np.random.default_rng(0)
Y = (RNG.uniform(size=(40, 3)) < 0.4).astype(np.float32)
P = np.clip(0.4 * Y + 0.8 * RNG.uniform(size=(40, 3)), 0, 1).astype(np.float32)
INVALID = tf.errors.InvalidArgumentError


def test_the_area_is_the_chance_that_a_positive_is_above_a_negative():
    y, p = Y[:, 0], P[:, 0]
    pairs = p[y == 1][:, None] - p[y == 0][None, :]
    assert float(metrics.AUC(4000)(y, p)) == pytest.approx((pairs > 0).mean(), abs=1e-3)


def test_batches_and_one_call_give_the_same():
    for make in (metrics.AUC, lambda: metrics.AUC(multi_label=True), metrics.F1Score, metrics.R2Score):
        whole, parts = make(), make()
        whole.update_state(Y, P)
        for place in range(0, 40, 15):
            parts.update_state(Y[place : place + 15], P[place : place + 15])
        np.testing.assert_allclose(parts.result(), whole.result(), rtol=1e-5)


def test_counting_runs_compiled():
    metric, plain = metrics.AUC(50), metrics.AUC(50)
    step = tf.function(metric.update_state)
    for _ in range(3):
        step(tf.constant(Y), tf.constant(P))
        plain.update_state(Y, P)
    np.testing.assert_array_equal(metric.result(), plain.result())


@pytest.mark.parametrize("make", [metrics.AUC, metrics.F1Score, metrics.R2Score, lambda: metrics.MeanIoU(2)])
def test_nothing_so_far_is_zero(make):
    metric = make()
    assert float(metric.result()) == 0.0
    metric.reset_state()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: metrics.Precision(1.5), ValueError, r"\[0, 1\].*1\.5"),
        (lambda: metrics.Recall([0.5, None]), ValueError, "None"),
        (lambda: metrics.AUC(1), ValueError, "num_thresholds=1"),
        (lambda: metrics.AUC(curve="nope"), ValueError, "curve.*ROC.*NOPE"),
        (lambda: metrics.AUC(summation_method="nope"), ValueError, "summation_method.*majoring.*nope"),
        (lambda: metrics.AUC(num_labels=3), ValueError, "multi_label"),
        (lambda: metrics.PrecisionAtRecall(2.0), ValueError, r"recall=2\.0"),
        (lambda: metrics.F1Score("nope"), ValueError, "nope"),
        (lambda: metrics.FBetaScore(beta=-1.0), ValueError, r"beta=-1\.0"),
        (lambda: metrics.F1Score()(Y[:, 0], P[:, 0]), ValueError, r"rank 2.*\[40\]"),
        (lambda: metrics.IoU(3, [3]), ValueError, r"3 is out of range.*\[0, 3\)"),
        (lambda: metrics.R2Score("nope"), ValueError, "nope"),
        (lambda: metrics.Precision(class_id=1)(Y[:, 0], P[:, 0]), ValueError, r"class_id.*\(40,\)"),
        (lambda: metrics.AUC()(Y, P[:, :2]), INVALID, r"\[40, 3\] vs\. \[40, 2\]"),
        (lambda: metrics.get("aucc"), ValueError, "aucc.*auc"),
        (lambda: metrics.Precison, AttributeError, "Precision"),
    ],
)
def test_it_is_refused_with_the_facts(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_refused_batch_counts_nothing():
    metric = metrics.AUC()
    metric.update_state(Y, P)
    before = float(metric.result())
    with pytest.raises(INVALID):
        metric.update_state(Y, P[:, :2])
    assert float(metric.result()) == before


@pytest.mark.parametrize(
    ("kind", "argument"),
    [
        (metrics.SpecificityAtSensitivity, "sensitivity"),
        (metrics.PrecisionAtRecall, "recall"),
        (metrics.RecallAtPrecision, "precision"),
    ],
)
def test_configurations_have_the_assigned_constraint(kind, argument):
    metric = kind(0.5, name="m")
    metric.value = 0.7
    assert metric.get_config() == {
        "name": "m",
        "dtype": "float32",
        "class_id": None,
        "num_thresholds": 200,
        argument: 0.7,
    }


@pytest.mark.parametrize("num_thresholds", [200, 57, 11, 3, 1])
@pytest.mark.parametrize("constraint", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("kind", ["SpecificityAtSensitivity", "PrecisionAtRecall", "RecallAtPrecision"])
def test_equal_weights_do_not_change_where_a_constraint_holds(kind, constraint, num_thresholds):
    # 0.1 is rounded, so a count that is a difference of sums of it is not 0 where nothing is counted.
    for seed in range(4):
        random = np.random.default_rng(seed)
        labels, predictions = random.random(40) > 0.5, random.random(40, np.float32)
        results = []
        for weights in (None, np.full(40, 0.1, np.float32)):
            metric = getattr(metrics, kind)(constraint, num_thresholds=num_thresholds)
            metric.update_state(labels, predictions, weights)
            metric.update_state(labels, predictions[::-1], weights)
            results.append(float(metric.result()))
        assert results[1] == pytest.approx(results[0], rel=1e-5)


@pytest.mark.parametrize("kind", ["TrueNegatives", "FalseNegatives"])
@pytest.mark.parametrize("thresholds", [[0.2, 0.6, 0.9], [0.0, 0.5, 1.0]])
def test_nothing_below_a_threshold_counts_0(kind, thresholds):
    weights = np.full(40, 0.1, np.float32)
    metric = getattr(metrics, kind)(thresholds)
    for label in (0.0, 1.0):
        metric.update_state(np.full(40, label), np.linspace(0.91, 1.0, 40), weights)
    counts = metric.result().numpy()
    assert counts[:2].tolist() == [0.0, 0.0]
    assert (counts[2] > 0.0) == (thresholds[2] == 1.0)


@pytest.mark.parametrize(
    ("metric", "labels", "predictions"),
    [
        (metrics.MeanIoU(2), [5, 0], [5, 0]),
        (metrics.MeanIoU(2), [0, 0], [5, 0]),
        (metrics.MeanIoU(2, ignore_class=255), [255, -1], [0, 0]),
        (metrics.IoU(2, [0]), [-1, 0], [0, 0]),
        (metrics.IoU(2, [0], sparse_y_true=False, sparse_y_pred=False), np.eye(3), np.eye(3)),
        (metrics.MeanIoU(2, sparse_y_true=False, sparse_y_pred=False), np.eye(3), np.eye(3)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_an_overlap_refuses_labels_and_predictions_that_are_no_classes(metric, labels, predictions):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"classes must be in \[0, 2\)"):
        metric.update_state(labels, predictions)
    assert not np.any(metric.total_cm)


def test_an_ignored_class_need_not_be_a_class():
    metric = metrics.MeanIoU(2, ignore_class=255)
    metric.update_state([255, 0, 1], [255, 0, 0])
    np.testing.assert_array_equal(metric.total_cm, [[1, 0], [1, 0]])


@pytest.mark.parametrize("argument", ["metrics", "weighted_metrics"])
@pytest.mark.parametrize(
    "make",
    [
        *(metrics.Recall, metrics.Precision, metrics.TruePositives, metrics.FalsePositives, metrics.AUC),
        *(lambda: metrics.AUC(from_logits=True), lambda: metrics.RecallAtPrecision(0.9)),
        *(metrics.BinaryAccuracy, metrics.MeanSquaredError),
    ],
)
def test_steps_outside_the_mask_do_not_count(make, argument):
    layers = tf.keras.layers
    shift = layers.Dense(1, kernel_initializer="ones", bias_initializer=tf.keras.initializers.Constant(0.6))
    model = tf.keras.Sequential([tf.keras.Input((4, 1)), layers.Masking(), shift])
    model.compile("sgd", "mse", **{argument: [metric := make()]})
    x = np.float32([[[0.3], [-0.4], [0.0], [0.0]], [[-0.2], [0.1], [0.2], [0.0]]])
    y = np.float32([[[1], [0], [0], [0]], [[1], [1], [0], [1]]])
    value = model.evaluate(x, y, verbose=0, return_dict=True)[metric.name]
    counted = make()
    counted.update_state(y[x != 0], x[x != 0] + 0.6)
    assert value == pytest.approx(float(counted.result()), rel=1e-6)
    everything = make()
    everything.update_state(y, x + 0.6)
    assert value != pytest.approx(float(everything.result()), rel=1e-3)


@pytest.mark.parametrize("make", [lambda: metrics.F1Score("micro", 0.5), metrics.R2Score])
def test_rows_outside_the_mask_do_not_count(make):
    y, p = np.float32([[1, 0], [0, 1], [1, 1]]), np.float32([[0.9, 0.7], [0.2, 0.6], [0.1, 0.1]])
    predictions, masked, counted = tf.constant(p), make(), make()
    attach_mask(predictions, tf.constant([True, True, False]))
    masked.update_state(y, predictions)
    counted.update_state(y[:2], p[:2])
    np.testing.assert_allclose(masked.result(), counted.result(), rtol=1e-6)
