"""``fit``, ``evaluate`` and ``predict`` on several replicas equal one process with the whole batch."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from fastgrad._src.core.replicas import replica_group_scope
from fastgrad.errors import UnavailableError
from tests.distribute.keras_training import (
    adam,
    all_replicas,
    assert_equal_training,
    compiled,
    data,
    dense_model,
    sgd,
)
from tests.distribute.ranks import on_ranks


@on_ranks(2, 3)
def test_losses_of_single_rows(rank, size):
    """As in one process, the loss of each row has the regularization, and other losses are added to each row."""
    row_losses = keras.losses.MeanSquaredError(reduction="none")

    def two_outputs():
        inputs = keras.Input((6,))
        outputs = [keras.layers.Dense(1, name=name, kernel_regularizer="l2")(inputs) for name in "ab"]
        return keras.Model(inputs, dict(zip("ab", outputs, strict=True)))

    def one_output():
        return keras.Sequential([keras.Input((6,)), keras.layers.Dense(1, kernel_regularizer="l2")])

    x, y = data(53)
    arguments = {"batch_size": 16, "epochs": 2, "shuffle": False, "validation_data": (x, y * 1.0)}
    assert_equal_training(
        all_replicas(), one_output, lambda: keras.optimizers.SGD(0.002), lambda: {"data": (x, y * 1.0), **arguments},
        loss=row_losses, metrics=None,
    )  # fmt: skip
    both = {"a": y * 1.0, "b": y * 2.0}
    for reduction in ("sum_over_batch_size", "sum"):
        assert_equal_training(
            all_replicas(), two_outputs, lambda: keras.optimizers.SGD(0.0002),
            lambda: {"data": (x, both), **arguments, "validation_data": (x, both)},
            loss={"a": row_losses, "b": keras.losses.MeanSquaredError(reduction=reduction)}, metrics=None,
        )  # fmt: skip


@on_ranks(2)
def test_predict_by_one_rank_is_an_error_and_no_hang(rank, size):
    with replica_group_scope(all_replicas()):
        model = compiled(dense_model, sgd)
    x, y = data()
    with pytest.raises(UnavailableError, match="rank 0: the order of the data of `predict`, rank 1: .* of `fit`"):
        model.predict(x, verbose=0) if rank == 0 else model.fit(x, y, verbose=0)
    with pytest.raises(ValueError, match=r"\[0, 1\] stages draw random numbers"):
        model.fit(x, y, shuffle=rank == 1, verbose=0)


@on_ranks(1, 2)
def test_own_steps_run_in_the_context_of_a_replica(rank, size):
    """`compute_average_loss` asks for it; a single process runs the same script."""

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1, kernel_initializer="ones")

        def call(self, x):
            assert not tf.distribute.in_cross_replica_context()
            return self.dense(x)

        def train_step(self, arrays):
            x, y = arrays
            with tf.GradientTape() as tape:
                losses = tf.reduce_mean((self(x) - y) ** 2, axis=-1)
                loss = tf.nn.compute_average_loss(losses, global_batch_size=16)
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            return {"part": loss}

    x = np.arange(16, dtype=np.float32).reshape(16, 1) / 8
    for run_eagerly in (False, True):
        with tf.distribute.MultiWorkerMirroredStrategy().scope():
            model = Model()
            model.compile(keras.optimizers.SGD(0.1), run_eagerly=run_eagerly)
        history = model.fit(x, 3 * x, batch_size=16, shuffle=False, verbose=0).history
        assert history["part"][0] * size == pytest.approx(np.mean((2 * x) ** 2), rel=1e-5)


@on_ranks(2, 3)
def test_fit_equals_one_process(rank, size):
    group = all_replicas()
    for run_eagerly in (False, True):
        for optimizer in (sgd, adam):
            model, single = assert_equal_training(
                group,
                dense_model,
                optimizer,
                lambda: {"data": data(), "batch_size": 16, "epochs": 3, "shuffle": False, "validation_data": data(11)},
                run_eagerly=run_eagerly,
            )
            x, y = data(23, seed=5)
            np.testing.assert_allclose(model.evaluate(x, y, verbose=0), single.evaluate(x, y, verbose=0), rtol=1e-5)
            np.testing.assert_allclose(
                model.predict(x, 5, verbose=0), single.predict(x, 5, verbose=0), rtol=1e-4, atol=1e-6
            )


@on_ranks(2)
def test_data_without_rows_do_as_in_one_process(rank, size):
    def outcomes(model):
        x, y = data(0)
        dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(4)
        answers = []
        for call in (
            lambda: model.fit(x, y, verbose=0).history,
            lambda: model.evaluate(x, y, verbose=0),
            lambda: model.predict(x, verbose=0),
            lambda: model.fit(dataset, verbose=0).history,
            lambda: model.evaluate(dataset, verbose=0),
        ):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    answer = call()
                except ValueError as error:
                    answer = type(error).__name__
            answers.append((str(answer), sorted({str(warning.message)[:40] for warning in caught})))
        return answers

    with replica_group_scope(all_replicas()):
        model = compiled(dense_model, sgd)
    assert outcomes(model) == outcomes(compiled(dense_model, sgd))
