"""Batch normalization, embeddings, LSTM, dropout and masks on several replicas against one process with the whole batch."""

from __future__ import annotations

import numpy as np

import fastgrad as tf
from fastgrad import keras
from fastgrad._src.core.replicas import ALONE, replica_group_scope, replica_step
from fastgrad._src.ops.replica_messages import gather_values
from tests.distribute.keras_training import adam, all_replicas, assert_equal_training, data, sgd
from tests.distribute.ranks import on_ranks

LAYERS = keras.layers


def normalized_model(**options):
    return keras.Sequential(
        [
            LAYERS.Input((6,)),
            LAYERS.Dense(8),
            LAYERS.BatchNormalization(synchronized=True, momentum=0.8, **options),
            LAYERS.Activation("relu"),
            LAYERS.Dense(3),
        ]
    )


def embedding_model():
    return keras.Sequential(
        [LAYERS.Input((5,), dtype="int32"), LAYERS.Embedding(200, 4), LAYERS.Flatten(), LAYERS.Dense(3)]
    )


def lstm_model():
    return keras.Sequential(
        [LAYERS.Input((5,), dtype="int32"), LAYERS.Embedding(20, 4, mask_zero=True), LAYERS.LSTM(6), LAYERS.Dense(3)]
    )


def tokens(limit, count=41):
    rng = np.random.default_rng(2)
    return rng.integers(0, limit, (count, 5)).astype(np.int32), rng.integers(0, 3, count)


@on_ranks(2, 3)
def test_synchronized_batch_normalization_equals_one_process(rank, size):
    for run_eagerly in (False, True):
        assert_equal_training(
            all_replicas(),
            normalized_model,
            sgd,
            lambda: {"data": data(50), "batch_size": 14, "epochs": 3, "shuffle": False, "validation_data": data(9)},
            run_eagerly=run_eagerly,
            rtol=2e-4,
            atol=2e-5,
        )


@on_ranks(2)
def test_replicas_without_rows_take_part_in_the_step(rank, size):
    # The last batch has one row: rank 1 has none.
    for make_model in (normalized_model, lambda: normalized_model(renorm=True)):
        assert_equal_training(
            all_replicas(),
            make_model,
            sgd,
            lambda: {"data": data(17), "batch_size": 16, "epochs": 2, "shuffle": False},
            rtol=2e-4,
            atol=2e-5,
        )


@on_ranks(2)
def test_masked_synchronized_moments_are_those_of_all_rows(rank, size):
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((5, 4, 3)) * 3 + 100).astype(np.float32)
    mask = rng.random((5, 4)) < 0.6
    results = []
    for group in (all_replicas(), ALONE):
        with replica_group_scope(group):
            layer = LAYERS.BatchNormalization(synchronized=True, momentum=0.0)
            rows = slice(0, 3) if rank == 0 else slice(3, 5)
            rows = slice(0, 5) if group.size == 1 else rows
            inputs = tf.constant(x[rows])
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                y = layer(inputs, training=True, mask=tf.constant(mask[rows]))
                loss = tf.reduce_sum(y * y * np.arange(1.0, 6.0, dtype=np.float32)[rows, None, None])
            gradient = tape.gradient(loss, inputs)
            results.append(
                (layer.moving_mean.numpy(), layer.moving_variance.numpy(), y.numpy(), gradient.numpy(), rows)
            )
    (mean, variance, y, gradient, rows), single = results
    np.testing.assert_allclose(mean, single[0], rtol=1e-6)
    np.testing.assert_allclose(variance, single[1], rtol=1e-4)
    np.testing.assert_allclose(y, single[2][rows], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(gradient, single[3][rows], rtol=1e-2, atol=1e-2)


@on_ranks(2)
def test_own_batch_normalization_has_averaged_statistics_when_it_is_read(rank, size):
    group = all_replicas()
    with replica_group_scope(group):
        model = keras.Sequential([LAYERS.Input((2,)), LAYERS.BatchNormalization(momentum=0.0)])
        model.compile("sgd", "mse")
    x = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 9.0]], np.float32)
    model.fit(x, x, batch_size=4, shuffle=False, verbose=0)
    np.testing.assert_allclose(model.layers[0].moving_mean.numpy(), [[1.0, 2.0], [5.0, 7.0]][rank])
    model.evaluate(x, x, verbose=0)
    np.testing.assert_allclose(model.layers[0].moving_mean.numpy(), [3.0, 4.5])


@on_ranks(2)
def test_embedding_and_lstm_equal_one_process(rank, size):
    for make_model, limit in ((embedding_model, 200), (lstm_model, 20)):
        for optimizer in (sgd, adam):
            for run_eagerly in (False, True):
                assert_equal_training(
                    all_replicas(),
                    make_model,
                    optimizer,
                    lambda limit=limit: {"data": tokens(limit), "batch_size": 8, "epochs": 2, "shuffle": False},
                    run_eagerly=run_eagerly,
                    rtol=1e-4,
                    atol=1e-5,
                )


@on_ranks(2)
def test_masked_losses_are_means_over_the_rows_of_all_replicas(rank, size):
    # The replicas have different numbers of visible steps.
    x = np.array([[1, 2, 3, 4, 5]] * 4 + [[1, 0, 0, 0, 0]] * 4, np.int32)
    y = np.random.default_rng(0).integers(0, 3, (8, 5))

    def make_model():
        return keras.Sequential(
            [LAYERS.Input((5,), dtype="int32"), LAYERS.Embedding(9, 4, mask_zero=True), LAYERS.Dense(3)]
        )

    for reduction in ("sum_over_batch_size", "mean_with_sample_weight", "sum"):
        assert_equal_training(
            all_replicas(),
            make_model,
            lambda: keras.optimizers.SGD(0.05),
            lambda: {
                "data": (x, y),
                "batch_size": 8,
                "epochs": 3,
                "shuffle": False,
                "sample_weight": np.linspace(0.1, 2, 40, dtype=np.float32).reshape(8, 5),
            },
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction),
            weighted_metrics=["accuracy"],
        )


@on_ranks(2)
def test_dropout_differs_between_replicas_and_initial_values_do_not(rank, size):
    group = all_replicas()
    tf.random.set_seed(1)
    with replica_group_scope(group):
        kernel = LAYERS.Dense(3)
        kernel.build((None, 4))
        unseeded = tf.Variable(np.random.default_rng(rank).standard_normal(3))
        for layer in (LAYERS.Dropout(0.5), LAYERS.Dropout(0.5, seed=7), LAYERS.GaussianNoise(1.0, seed=7)):
            for step in (layer, tf.function(lambda x, layer=layer: layer(x, training=True))):
                with replica_step():
                    drawn = gather_values(
                        group,
                        step(tf.ones((4, 16)), training=True).numpy()
                        if step is layer
                        else step(tf.ones((4, 16))).numpy(),
                    )
                assert (drawn[0] != drawn[1]).any()
        shared = gather_values(group, tf.random.uniform((5,)).numpy())  # outside of a step, as with one process
        np.testing.assert_array_equal(*shared)
    np.testing.assert_array_equal(*gather_values(group, kernel.kernel.numpy()))
    np.testing.assert_array_equal(unseeded.numpy(), np.random.default_rng(0).standard_normal(3))


@on_ranks(2)
def test_layers_built_after_the_scope_start_with_equal_weights(rank, size):
    group = all_replicas()
    with replica_group_scope(group):
        model = keras.Sequential([LAYERS.Dense(4), LAYERS.Dropout(0.5), LAYERS.Dense(3)])
        model.compile("sgd", "mse")
    x = np.ones((4, 2), np.float32)
    model.fit(x, np.ones((4, 3), np.float32), verbose=0)
    for own, other in zip(*gather_values(group, model.get_weights()), strict=True):
        np.testing.assert_array_equal(own, other)
