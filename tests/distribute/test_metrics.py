"""Metrics on several replicas are those of one process with all rows. Numbers of variables are TensorFlow's for two replicas."""

# ruff: noqa: B023  # functions in loops are called at once
from __future__ import annotations

import inspect
import tempfile

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from fastgrad._src.ops.replica_messages import gather_values
from fastgrad.errors import UnavailableError
from tests.distribute.keras_training import all_replicas
from tests.distribute.ranks import on_ranks

M = keras.metrics
ON_READ = {"synchronization": tf.VariableSynchronization.ON_READ}


def strategy():
    return tf.distribute.MultiWorkerMirroredStrategy()


def labelled_rows(count, kind):
    """Returns labels, predictions and weights of `count` rows for metrics of a kind."""
    rng = np.random.default_rng(count)
    weights = rng.uniform(0.1, 1.0, count).astype(np.float32)
    predictions = rng.uniform(0.02, 0.98, (count, 3)).astype(np.float32)
    if kind == "binary":
        return (rng.uniform(size=(count, 3)) < 0.4).astype(np.float32), predictions, weights
    if kind == "classes":
        return rng.integers(0, 3, count), predictions / predictions.sum(1, keepdims=True), weights
    if kind == "one hot":
        return np.eye(3, dtype=np.float32)[rng.integers(0, 3, count)], predictions, weights
    if kind == "labels":
        return rng.integers(0, 2, count), rng.integers(0, 2, count), weights
    return rng.normal(size=(count, 3)).astype(np.float32), predictions, weights


KINDS = {
    "binary": [
        lambda: M.AUC(num_thresholds=20), lambda: M.AUC(curve="PR"), lambda: M.AUC(multi_label=True, num_labels=3),
        M.Precision, M.Recall, lambda: M.Precision(thresholds=[0.3, 0.7]), M.TruePositives, M.TrueNegatives,
        M.FalsePositives, M.FalseNegatives,
        lambda: M.SpecificityAtSensitivity(0.5), lambda: M.PrecisionAtRecall(0.5), lambda: M.RecallAtPrecision(0.5),
        M.BinaryAccuracy, M.BinaryCrossentropy, M.Hinge, M.SquaredHinge,
        lambda: M.F1Score(threshold=0.5), lambda: M.FBetaScore(beta=2.0, threshold=0.5, average="macro"),
        lambda: M.FBetaScore(average="weighted", threshold=0.5), lambda: M.FBetaScore(average="micro", threshold=0.5),
    ],
    "classes": [
        M.SparseCategoricalAccuracy, M.SparseCategoricalCrossentropy, lambda: M.SparseTopKCategoricalAccuracy(k=2),
        lambda: M.MeanIoU(3, sparse_y_pred=False),
    ],
    "one hot": [
        M.CategoricalAccuracy, M.CategoricalCrossentropy, lambda: M.TopKCategoricalAccuracy(k=2), M.CategoricalHinge,
        lambda: M.MeanIoU(3, sparse_y_true=False, sparse_y_pred=False), M.KLDivergence, M.CosineSimilarity,
    ],
    "labels": [M.Accuracy, lambda: M.IoU(2, [1]), lambda: M.MeanIoU(2)],
    "numbers": [
        M.MeanSquaredError, M.RootMeanSquaredError, M.MeanAbsoluteError, M.MeanAbsolutePercentageError,
        M.MeanSquaredLogarithmicError, M.Poisson, M.R2Score,
        lambda: M.R2Score(class_aggregation="variance_weighted_average", num_regressors=1),
        lambda: M.MeanMetricWrapper(lambda y, p: tf.abs(y - p)),
    ],
    "values": [M.Mean, M.Sum],
}  # fmt: skip


class Spread(M.Metric):
    """A user's metric that reads its variables in `update_state`, with each kind of aggregation."""

    def __init__(self):
        super().__init__(name="spread")
        self.total = self.add_variable((), "zeros", name="total")
        self.steps = self.add_variable((), "zeros", dtype="int32", name="steps")
        self.seen = self.add_variable((), "zeros", aggregation="mean", name="seen")
        self.first = self.add_variable((), "zeros", aggregation="only_first_replica", name="first")
        self.inner = M.Mean()

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.total.assign(self.total + tf.reduce_sum(y_pred))
        self.steps.assign_add(1)
        self.seen.assign(self.seen + 1.0)
        self.first.assign(self.first.value + 1.0)
        self.inner.update_state(y_pred)

    def result(self):
        return {
            "total": self.total.value,
            "seen": self.seen + 0.0,
            "first": self.first * 1.0,
            "inner": self.inner.result(),
        }


def rows_of(rank, size, count):
    """Returns the first row of a rank, and the row after its last: uneven, and none for the last ranks of few rows."""
    part = -(-count // size)
    return min(rank * part, count), min((rank + 1) * part, count)


@on_ranks(1, 2, 3)
def test_metrics_of_a_custom_loop_are_those_of_all_rows(rank, size):
    s = strategy()
    for kind, makers in KINDS.items():
        for make in makers:
            with s.scope():
                metric = make()
            alone = make()
            step = tf.function(lambda *rows, m=metric: s.run(m.update_state, args=rows))
            for count in (12, 7, 1):  # even, uneven and, for one row, empty parts
                whole = labelled_rows(count, kind)
                if kind == "values":
                    whole = whole[1:] if not isinstance(metric, M.Sum) else whole[1:2]
                first, last = rows_of(rank, size, count)
                own = [tf.constant(part[first:last]) for part in whole]
                (step if count == 12 else lambda *rows, m=metric: s.run(m.update_state, args=rows))(*own)
                alone.update_state(*[tf.constant(part) for part in whole])
                np.testing.assert_allclose(
                    metric.result(), alone.result(), rtol=2e-5, atol=1e-6, err_msg=f"{kind} {type(metric)} {count}"
                )
            for variable, expected in zip(metric.variables, alone.variables, strict=True):
                np.testing.assert_allclose(variable.numpy(), expected.numpy(), rtol=2e-5, atol=1e-5)
            metric.reset_state()
            assert all(
                not np.any(value) for value in gather_values(all_replicas(), [v._array for v in metric.variables])[rank]
            )


def test_every_metric_class_is_compared():
    classes = {c for _, c in inspect.getmembers(M, inspect.isclass) if issubclass(c, M.Metric)} - {M.Metric}
    compared = {type(make()) for makers in KINDS.values() for make in makers}
    assert classes == compared


@on_ranks(2)
def test_reads_of_metrics(rank, size):
    s = strategy()
    with s.scope():
        mean, outside = M.Mean(), M.Mean()
    batches = s.experimental_distribute_dataset(tf.data.Dataset.range(7).map(lambda x: tf.cast(x, tf.float32)).batch(4))
    local = [float(s.run(lambda x: (mean.update_state(x), mean.result())[1], args=(batch,))) for batch in batches]
    assert local == pytest.approx([[0.5, 2.5], [2.5, 11 / 3]][rank])
    assert float(mean.result()) == 3.0
    assert (mean.total.numpy(), float(mean.count), float(mean.total.value), float(mean.total + 0.0)) == (21, 7, 21, 21)
    assert float(tf.function(mean.result)()) == 3.0
    assert float(mean.stateless_result([6.0, 2.0])) == 3.0
    updated = mean.stateless_update_state(mean.stateless_reset_state(), [1.0, 2.0])
    assert [float(value) for value in updated] == [3.0, 2.0]
    assert float(mean.result()) == 3.0
    outside.update_state([1.0, 2.0])  # as in Keras, outside of `run` all ranks make one update together
    assert (float(outside.result()), outside.count.numpy()) == (1.5, 2.0)
    assert s.reduce("SUM", mean.total, axis=None) == 21.0
    assert s.reduce("SUM", tf.expand_dims(s.run(lambda: mean.total + 0.0), 0), axis=0) == 21.0
    assert s.experimental_local_results(mean.total)[0] == [10.0, 11.0][rank]
    mean.total.assign(5.0)
    assert (mean.total.numpy(), float(s.run(lambda: mean.total + 0.0))) == (5.0, 2.5)
    with s.scope():
        count = tf.Variable(0, aggregation=tf.VariableAggregation.SUM, **ON_READ)
        weight = keras.Variable(1.0, aggregation="sum", synchronization="on_read")
    count.assign(7)
    assert count.numpy() == 7
    assert s.run(count.read_value).numpy() == [4, 3][rank]
    s.run(lambda: weight.assign_add(rank + 1.0))
    assert float(weight.value) == 5.0


@on_ranks(2)
def test_a_metric_decides_in_all_ranks_alike(rank, size):
    s = strategy()
    with s.scope():
        mean = M.Mean()
    for epoch in range(4):
        mean.reset_state()
        s.run(lambda: mean.update_state(float(rank + epoch)))
        if mean.result() > 2.0:
            break
    assert epoch == 2


@on_ranks(2, timeout=600)
def test_a_read_by_one_rank_is_an_error_and_no_hang(rank, size):
    with strategy().scope():
        mean, total = M.Mean(), M.Sum()
    with pytest.raises(UnavailableError, match="rank 0: the result of mean, rank 1: the result of sum"):
        (mean if rank == 0 else total).result()
    assert float(mean.result()) == 0.0
    with pytest.raises(UnavailableError):
        mean.result() if rank == 0 else strategy().reduce("SUM", tf.constant(1.0), axis=None)


@on_ranks(2, 3)
def test_checkpoints_continue_metrics(rank, size):
    s = strategy()
    path = f"{tf.distribute.broadcast_object(tempfile.mkdtemp() if rank == 0 else None)}/ckpt"
    with s.scope():
        metric, f_score = M.Mean(), M.F1Score()
        count = tf.Variable(0, aggregation=tf.VariableAggregation.SUM, **ON_READ)
    s.run(lambda: (metric.update_state(tf.range(rank + 1.0)), count.assign_add(rank + 3)))
    s.run(lambda: f_score.update_state(tf.one_hot([rank, 0], 3), tf.one_hot([0, rank], 3)))
    before = float(metric.result()), count.numpy(), f_score.result().numpy().tolist()
    saved = tf.train.Checkpoint(metric=metric, count=count, f_score=f_score).save(path)
    with s.scope():
        metric, f_score = M.Mean(), M.F1Score()
        count = tf.Variable(9, aggregation=tf.VariableAggregation.SUM, **ON_READ)
    tf.train.Checkpoint(metric=metric, count=count, f_score=f_score).restore(saved)
    s.run(lambda: f_score.update_state(tf.zeros([0, 3]), tf.zeros([0, 3])))  # makes its variables, which are restored
    assert (float(metric.result()), count.numpy(), f_score.result().numpy().tolist()) == before
    alone = M.Mean()
    tf.train.Checkpoint(metric=alone).restore(saved).expect_partial()
    assert float(alone.result()) == before[0]


class OwnStep(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(3, activation="sigmoid")
        self.mean_loss, self.area, self.hits = M.Mean(), M.AUC(), M.BinaryAccuracy()

    def call(self, x):
        return self.dense(x)

    def logged(self, y, outputs, weight=None):
        self.mean_loss.update_state(tf.reduce_mean((y - outputs) ** 2, axis=-1))
        self.area.update_state(y, outputs)
        self.hits.update_state(y, outputs)
        return {"loss": self.mean_loss.result(), "auc": self.area.result(), "miss": 1.0 - self.hits.result()}

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            outputs = self(x, training=True)
            loss = self.compute_loss(x, y, outputs)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return self.logged(y, outputs)

    def test_step(self, data):
        return self.logged(data[1], self(data[0]))


def all_metrics():
    return [make() for make in KINDS["binary"]]


def functional():
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Dense(3, activation="sigmoid")(inputs))


@on_ranks(1, 2, 3)
def test_fit_and_evaluate_report_the_numbers_of_one_process(rank, size):
    for count in (24, 23, 17):  # of the last batch of 16, each rank has rows, has other rows, or has none
        y, _, _ = labelled_rows(count, "binary")
        x = np.random.default_rng(0).normal(size=(count, 4)).astype(np.float32)
        for make in (functional, OwnStep):
            results = []
            for scope in (strategy().scope(), tf.distribute.MirroredStrategy().scope()):
                keras.backend.clear_session()  # names start again
                keras.utils.set_random_seed(1)
                with scope:
                    model = make()
                    metrics = all_metrics() if make is functional else None
                # Metrics made outside of the scope are those of all replicas, too.
                model.compile(
                    keras.optimizers.SGD(0.5), "mse", metrics=metrics, weighted_metrics=["mae"] if metrics else None
                )
                batches = []
                callback = keras.callbacks.LambdaCallback(on_train_batch_end=lambda _, logs: batches.append(dict(logs)))
                for callbacks in ([], [callback]):
                    history = model.fit(
                        x,
                        y,
                        batch_size=16,
                        epochs=2,
                        shuffle=False,
                        verbose=0,
                        callbacks=callbacks,
                        validation_data=(x, y),
                    ).history
                evaluated = model.evaluate(x, y, batch_size=16, verbose=0, return_dict=True)
                on_batch = model.test_on_batch(x, y, return_dict=True)
                results.append([history, *batches, evaluated, on_batch])
            for own, expected in zip(*results, strict=True):
                assert own.keys() == expected.keys()
                for name in own:
                    np.testing.assert_allclose(
                        own[name], expected[name], rtol=1e-4, atol=1e-5, err_msg=f"{count} {name}"
                    )
            assert all(repr(others) == repr(results[0]) for others in gather_values(all_replicas(), results[0]))


@on_ranks(2)
def test_a_mean_over_no_rows_is_nan_in_all_logs_and_in_no_weight(rank, size):
    """TensorFlow's numbers: an own step logs the means of the replicas, also if one has no rows."""

    class MeanStep(OwnStep):
        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((y - self(x)) ** 2)
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            self.mean_loss.update_state(loss)
            return {"own": loss, "mean": self.mean_loss.result()}

    x, y = np.ones((5, 4), np.float32), np.ones((5, 3), np.float32)
    for count in (4, 5):
        with strategy().scope():
            model = MeanStep()
            model.compile(keras.optimizers.SGD(0.1))
        history = model.fit(x[:count], y[:count], batch_size=4, shuffle=False, verbose=0).history
        assert np.isnan([history["own"][0], history["mean"][0]]).tolist() == [count == 5] * 2
        assert all(np.isfinite(weight).all() for weight in model.get_weights())
        assert all(repr(other) == repr(history) for other in gather_values(all_replicas(), history))


@on_ranks(2)
def test_own_metrics_with_each_aggregation(rank, size):
    s = strategy()
    with s.scope():
        metric = Spread()
    s.run(tf.function(metric.update_state), args=(None, tf.constant([rank + 1.0, 2.0])))
    results = {name: float(value) for name, value in metric.result().items()}
    assert results == {"total": 7.0, "seen": 1.0, "first": 1.0, "inner": 1.75}
    assert metric.steps.numpy() == 2
    metric.reset_state()
    assert {float(value) for value in metric.result().values()} == {0.0}
