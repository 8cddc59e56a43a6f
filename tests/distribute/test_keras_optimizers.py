"""Optimizers on several replicas: sums of gradients, accumulation, loss scaling, averages."""

from __future__ import annotations

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from fastgrad._src.core.replicas import ALONE, replica_group_scope
from fastgrad._src.ops.replica_messages import gather_values
from tests.distribute.keras_training import (
    adam,
    all_replicas,
    assert_equal_training,
    compiled,
    data,
    dense_model,
    fitted,
)
from tests.distribute.ranks import on_ranks

OPTIMIZERS = {
    "sgd": lambda **options: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True, **options),
    "adam": lambda **options: keras.optimizers.Adam(0.01, amsgrad=True, **options),
    "adamw": lambda **options: keras.optimizers.AdamW(0.01, **options),
    "rmsprop": lambda **options: keras.optimizers.RMSprop(0.01, **options),
}


def steps_of(group, optimizer, gradients, initial, compiled_step):
    """Returns the variables after steps with the gradients of each replica; one process gets their sums."""
    with replica_group_scope(group):
        variables = [tf.Variable(value) for value in initial]
        optimizer = optimizer()

    def step(*tensors):
        optimizer.apply_gradients(zip(tensors, variables, strict=True))

    run = tf.function(step) if compiled_step else step
    for tensors in gradients:
        run(*[tf.constant(tensor) for tensor in tensors])
    return optimizer, [variable.numpy() for variable in variables]


@on_ranks(2)
def test_gradients_are_summed_before_they_are_clipped(rank, size):
    rng = np.random.default_rng(1)
    shapes = [(3, 4), (5,), ()]
    initial = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    all_gradients = [
        [[rng.standard_normal(s).astype(np.float32) for s in shapes] for _ in range(4)] for _ in range(size)
    ]
    sums = [[sum(parts) for parts in zip(*step, strict=True)] for step in zip(*all_gradients, strict=True)]
    cases = [
        {"global_clipnorm": 0.5},
        {"clipnorm": 0.3},
        {"clipvalue": 0.2},
        {"gradient_accumulation_steps": 2},
        {"gradient_accumulation_steps": 2, "global_clipnorm": 0.1},
        {"use_ema": True, "ema_overwrite_frequency": 2},
        {"weight_decay": 0.1},
        {"loss_scale_factor": 4.0},
    ]
    for name, make in OPTIMIZERS.items():
        for options in [{}, *(cases if name in ("sgd", "adam") else [])]:
            for compiled_step in (False, True):
                optimizer, own = steps_of(
                    all_replicas(),
                    lambda make=make, options=options: make(**options),
                    all_gradients[rank],
                    initial,
                    compiled_step,
                )
                single, expected = steps_of(
                    ALONE, lambda make=make, options=options: make(**options), sums, initial, compiled_step
                )
                for value, wanted in zip(own, expected, strict=True):
                    np.testing.assert_allclose(value, wanted, rtol=2e-5, atol=1e-6, err_msg=f"{name} {options}")
                assert int(optimizer.iterations) == int(single.iterations)


@on_ranks(2)
def test_rows_of_embeddings_stay_rows_or_become_dense(rank, size):
    for table_rows, counts in ((1000, (3, 3)), (1000, (2, 5)), (1000, (0, 4)), (4, (5, 5))):
        indices = [np.arange(count, dtype=np.int64) * (r + 1) % table_rows for r, count in enumerate(counts)]
        values = [np.full((count, 6), r + 1.0, np.float32) for r, count in enumerate(counts)]
        dense = np.zeros((table_rows, 6), np.float32)
        for index, value in zip(indices, values, strict=True):
            np.add.at(dense, index, value)
        for make in (OPTIMIZERS["sgd"], OPTIMIZERS["adam"]):
            for compiled_step in (False, True):
                with replica_group_scope(all_replicas()):
                    table, optimizer = tf.Variable(tf.ones((table_rows, 6))), make()
                single_table, single = tf.Variable(tf.ones((table_rows, 6))), make()

                def step(table=table, optimizer=optimizer, index=indices[rank], value=values[rank]):
                    optimizer.apply_gradients([(tf.IndexedSlices(value, index, table.shape), table)])

                run = tf.function(step) if compiled_step else step
                for _ in range(3):
                    run()
                    single.apply_gradients([(tf.constant(dense), single_table)])
                touched = np.unique(np.concatenate(indices))
                np.testing.assert_allclose(table.numpy()[touched], single_table.numpy()[touched], rtol=1e-5)


@on_ranks(2)
def test_gradients_that_are_summed_already_are_not_summed_again(rank, size):
    with replica_group_scope(all_replicas()):
        optimizer, variable = keras.optimizers.SGD(1.0), tf.Variable([0.0])
    optimizer.apply_gradients([(tf.constant([1.0]), variable)], skip_gradients_aggregation=True)
    assert variable.numpy() == [-1.0]
    optimizer.apply_gradients([(tf.constant([1.0]), variable)], experimental_aggregate_gradients=False)
    assert variable.numpy() == [-2.0]
    optimizer.apply_gradients([(tf.constant([1.0]), variable)])
    assert variable.numpy() == [-4.0]


@on_ranks(2)
def test_an_overflow_in_one_replica_skips_the_step_in_all(rank, size):
    for accumulated in (None, 2):
        for compiled_step in (False, True):
            with replica_group_scope(all_replicas()):
                variable = tf.Variable([1.0, 2.0])
                inner = keras.optimizers.SGD(1.0, gradient_accumulation_steps=accumulated)
                optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=4.0)

            def step(gradient, optimizer=optimizer, variable=variable):
                optimizer.apply_gradients([(gradient, variable)])

            run = tf.function(step) if compiled_step else step
            run(tf.constant([4.0, 0.0]))
            run(tf.constant([np.inf if rank == 1 else 1.0, 0.0], tf.float32))
            scale = float(optimizer.dynamic_scale)
            assert scale == 2.0
            np.testing.assert_array_equal(variable.numpy(), [1.0, 2.0] if accumulated else [-1.0, 2.0])
            run(tf.constant([2.0 * (rank + 1), 2.0]))
            expected = [1.0 - (2.0 + 3.0) / 2, 2.0 - 2.0 / 2] if accumulated else [-4.0, 0.0]
            np.testing.assert_array_equal(variable.numpy(), expected)


def half_model():
    """Returns a model that gives a large row class 0, whatever the random seed."""

    def falling(shape, dtype=None):
        return tf.constant(np.broadcast_to([0.1, 0.0, -0.1], shape), dtype)

    return keras.Sequential(
        [
            keras.layers.Input((6,)),
            keras.layers.Dense(8, dtype="mixed_float16", kernel_initializer=keras.initializers.Constant(0.1)),
            keras.layers.Dense(3, dtype="float32", kernel_initializer=falling),
        ]
    )


@on_ranks(2)
def test_mixed_precision_with_an_overflow_on_one_rank_equals_one_process(rank, size):
    x, y = data(64)
    x[20] = 3e4  # in a batch of 16, row 4: only rank 0 overflows
    y[20] = 2  # a wrong prediction: the gradient of a right one is 0, which no scale makes overflow

    def scaled():
        return keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.05), initial_scale=2.0**10)

    for run_eagerly in (False, True):
        model, single = assert_equal_training(
            all_replicas(),
            half_model,
            scaled,
            lambda: {"data": (x, y), "batch_size": 16, "epochs": 2, "shuffle": False},
            run_eagerly=run_eagerly,
            rtol=5e-3,
            atol=5e-3,
            metrics=[],
        )
        assert float(model.optimizer.dynamic_scale) == float(single.optimizer.dynamic_scale) == 2.0**8
        assert int(model.optimizer.iterations) == int(single.optimizer.iterations)


@on_ranks(2)
def test_accumulation_and_averages_in_fit_equal_one_process(rank, size):
    for options in ({"gradient_accumulation_steps": 3}, {"use_ema": True, "ema_momentum": 0.7}):
        for run_eagerly in (False, True):
            assert_training = {"data": data(70), "batch_size": 16, "epochs": 3, "shuffle": False}
            (model, history), (single, expected) = fitted(
                all_replicas(),
                dense_model,
                lambda options=options: OPTIMIZERS["adam"](**options),
                lambda arguments=assert_training: dict(arguments),
                run_eagerly=run_eagerly,
            )
            np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-5)
            for weight, other in zip(model.weights, single.weights, strict=True):
                np.testing.assert_allclose(weight.numpy(), other.numpy(), rtol=1e-4, atol=1e-5)


@on_ranks(2)
def test_the_same_world_gives_the_same_bits(rank, size):
    results = []
    for _ in range(2):
        with replica_group_scope(all_replicas()):
            model = compiled(dense_model, adam)
        history = model.fit(*data(), batch_size=16, epochs=2, verbose=0)
        results.append([*[w.tobytes() for w in model.get_weights()], repr(history.history)])
    assert results[0] == results[1]


@on_ranks(2)
def test_an_optimizer_of_another_scope_joins_its_model(rank, size):
    group = all_replicas()
    with replica_group_scope(group):
        model = dense_model()
    model.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(*data(), batch_size=16, verbose=0)
    weights = gather_values(group, model.get_weights())
    for own, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(own, other)


@on_ranks(2)
def test_replicas_with_different_gradients_get_an_error(rank, size):
    with replica_group_scope(all_replicas()):
        optimizer, variables = keras.optimizers.SGD(0.1), [tf.Variable([1.0]), tf.Variable([2.0])]
    gradients = [tf.constant([1.0]), tf.constant([1.0]) if rank else None]
    with pytest.raises(tf.errors.UnavailableError):
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
    assert variables[0].numpy() == [1.0]


@on_ranks(2)
def test_a_gradient_that_overwrites_its_variable_is_the_greatest_of_all_replicas(rank, size):
    for accumulated in (None, 2):
        for compiled_step in (False, True):
            with replica_group_scope(all_replicas()):
                scale, weight = keras.Variable(np.zeros(2, np.float32)), keras.Variable(np.ones(1, np.float32))
                optimizer = keras.optimizers.SGD(1.0, gradient_accumulation_steps=accumulated)
            scale.overwrite_with_gradient = True

            def step(gradient, scale=scale, weight=weight, optimizer=optimizer):
                optimizer.apply_gradients([(gradient, scale), (tf.constant([0.5]), weight)])

            run = tf.function(step) if compiled_step else step
            for _ in range(2):
                run(tf.constant([1.0 + rank, 5.0 - rank]))
            np.testing.assert_array_equal(scale.numpy(), [2.0, 5.0])
            np.testing.assert_array_equal(weight.numpy(), [0.0 if accumulated else -1.0])
