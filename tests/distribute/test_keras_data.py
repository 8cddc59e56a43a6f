"""Data and steps of ``fit`` on several replicas: generators, datasets, weights, single batches, programs."""

from __future__ import annotations

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from fastgrad._src.core.replicas import ALONE, replica_group_scope
from fastgrad._src.ops.replica_messages import gather_values
from tests.distribute.keras_training import all_replicas, assert_equal_training, compiled, data, dense_model, sgd
from tests.distribute.ranks import on_ranks


def batches(count=50, size=16):
    x, y = data(count)
    return [(x[i : i + size], y[i : i + size]) for i in range(0, count, size)]


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return batches()[index]


def repeated(items):
    while True:
        yield from items


SOURCES = {
    "shuffled arrays": lambda: {"data": data(50), "batch_size": 16},
    "generator": lambda: {"data": (repeated(batches()),), "steps_per_epoch": 3},
    "dataset": lambda: {"data": (tf.data.Dataset.from_tensor_slices(data(50)).shuffle(50, seed=3).batch(16),)},
    "PyDataset": lambda: {"data": (Batches(),)},
    "class weights": lambda: {"data": data(50), "batch_size": 16, "class_weight": {0: 0.5, 1: 2.0, 2: 1.0}},
    "sample weights": lambda: {"data": data(50), "batch_size": 16, "sample_weight": np.linspace(0, 3, 50)},
    "steps": lambda: {"data": data(50), "batch_size": 16, "steps_per_epoch": 3},
    "validation split": lambda: {"data": data(50), "batch_size": 16, "validation_split": 0.3},
}


@on_ranks(2)
def test_each_replica_takes_its_rows_of_all_kinds_of_data(rank, size):
    for name, source in SOURCES.items():

        def fit_arguments(source=source):
            tf.random.set_seed(5)
            return {"epochs": 2, **source()}

        assert_equal_training(
            all_replicas(),
            dense_model,
            sgd,
            fit_arguments,
            weighted_metrics=["accuracy"],
            run_eagerly=name == "generator",
        )


@on_ranks(2)
def test_unseeded_shuffles_have_one_order_on_all_replicas(rank, size):
    group = all_replicas()
    with replica_group_scope(group):
        model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse", run_eagerly=True)
    seen = []
    original = model.train_step
    model.train_step = lambda batch: (seen.extend(batch[0].numpy().ravel().tolist()), original(batch))[1]
    x = np.arange(40, dtype=np.float32)[:, None] / 40
    sources = ((x, x), (tf.data.Dataset.from_tensor_slices((x, x)).shuffle(40).batch(8),))
    for source in sources:
        seen.clear()
        model.fit(*source, batch_size=8 if len(source) == 2 else None, epochs=2, verbose=0)
        rows = np.concatenate(gather_values(group, seen)).tolist()
        assert sorted(rows) == sorted([*x.ravel().tolist()] * 2)


@on_ranks(2)
def test_replicas_with_different_data_get_an_error(rank, size):
    with replica_group_scope(all_replicas()):
        model = compiled(dense_model, sgd)
    for source in (batches(50 - 2 * rank), batches(50)[: 4 - rank]):
        with pytest.raises(ValueError, match="replicas have different data"):
            model.fit(iter(source), verbose=0)


@on_ranks(2)
def test_batches_of_a_distributed_dataset_weigh_by_their_rows(rank, size):
    x, y = data(58)
    whole = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)

    def own_batches(context):
        """Of each batch, rank 0 has 10 rows and rank 1 the others; it has one batch less."""
        if context.input_pipeline_id == 0:
            return whole.map(lambda x, y: (x[:10], y[:10]))
        return whole.take(3).map(lambda x, y: (x[10:], y[10:]))

    results = []
    for group in (all_replicas(), ALONE):
        with replica_group_scope(group):
            model = compiled(dense_model, sgd)
            dataset = whole if group is ALONE else group.strategy.distribute_datasets_from_function(own_batches)
        history = model.fit(dataset, epochs=2, verbose=0)
        results.append([*model.get_weights(), history.history["loss"], history.history["accuracy"]])
    for value, expected in zip(*results, strict=True):
        np.testing.assert_allclose(value, expected, rtol=2e-5, atol=1e-6)


@on_ranks(2)
def test_single_batches_equal_one_process(rank, size):
    models = []
    for group in (all_replicas(), ALONE):
        with replica_group_scope(group):
            models.append(compiled(dense_model, sgd))
    x, y = data(9)
    for method in ("train_on_batch", "test_on_batch", "train_on_batch"):
        own, expected = [getattr(model, method)(x, y) for model in models]
        np.testing.assert_allclose(own, expected, rtol=1e-5)
    own, expected = [model.predict_on_batch(x) for model in models]
    np.testing.assert_allclose(own, expected, rtol=1e-4, atol=1e-6)
    own, expected = [model.predict(tf.data.Dataset.from_tensor_slices(x).batch(4), verbose=0) for model in models]
    np.testing.assert_allclose(own, expected, rtol=1e-4, atol=1e-6)


@on_ranks(2)
def test_custom_steps_and_several_outputs(rank, size):
    class Custom(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(3)
            self.tracker = keras.metrics.Mean("distance")

        def call(self, x):
            return {"a": self.dense(x), "b": tf.reduce_sum(self.dense(x), -1)}

        def train_step(self, batch):
            x, y = batch
            with tf.GradientTape() as tape:
                loss = self.compute_loss(x, y, self(x, training=True), None)
            self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
            self.tracker.update_state(tf.abs(x[:, 0]))
            return {"distance": self.tracker.result(), "own": tf.reduce_mean(x)}

    x, y = data(32)
    targets = {"a": x[:, :3], "b": y.astype(np.float32)}
    results = []
    for group in (all_replicas(), ALONE):
        with replica_group_scope(group):
            model = compiled(Custom, sgd, loss={"a": "mse", "b": "mae"}, metrics={"a": ["mae"], "b": ["mse"]})
        history = model.fit(x, targets, batch_size=16, epochs=2, shuffle=False, verbose=0)
        evaluated = model.evaluate(x, targets, verbose=0, return_dict=True)
        results.append((evaluated, model.predict(x, verbose=0)))
        assert gather_values(group, history.history)[0] == history.history
    for name, value in results[1][0].items():
        np.testing.assert_allclose(results[0][0][name], value, rtol=1e-4, err_msg=name)
    for name, value in results[1][1].items():
        np.testing.assert_allclose(results[0][1][name], value, rtol=1e-4, atol=1e-5)


@on_ranks(2)
def test_the_step_is_one_program_with_the_reduction_inside(rank, size):
    with replica_group_scope(all_replicas()):
        model = compiled(dense_model, sgd)
    model.fit(*data(64), batch_size=16, epochs=3, verbose=0)
    report = str(model.make_train_function().report())
    assert "1 program" in report
    assert "all_reduce" in report
    assert "no Python between them" in report


@on_ranks(2)
def test_metrics_without_an_aggregation_must_be_equal(rank, size):
    class Last(keras.metrics.Metric):
        def __init__(self, aggregation):
            super().__init__(name="last")
            self.last = self.add_variable((), "zeros", aggregation=aggregation)

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.last.assign(tf.reduce_max(tf.cast(y_true, "float32")))

        def result(self):
            return self.last + 0.0

    x = np.arange(4.0, dtype=np.float32)[:, None]
    for aggregation, expected in (("mean", 2.0), ("only_first_replica", 1.0), ("sum", 4.0), ("none", None)):
        with replica_group_scope(all_replicas()):
            model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
            model.compile("sgd", "mse", metrics=[Last(aggregation)])
        if expected is None:
            with pytest.raises(ValueError, match="differs between replicas"):
                model.evaluate(x, x, verbose=0)
        else:
            assert model.evaluate(x, x, verbose=0, return_dict=True)["last"] == expected
