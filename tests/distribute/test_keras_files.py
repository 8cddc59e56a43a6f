"""Files and callbacks on several replicas: the first writes, all read; a training continues on another number of replicas."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from fastgrad._src.core.replicas import replica_group_scope
from fastgrad._src.ops.replica_messages import gather_values, run_on_first_replica, value_from_first_replica
from tests.distribute.keras_training import adam, all_replicas, compiled, data, dense_model
from tests.distribute.ranks import on_ranks, run_ranks

ON_READ = {"synchronization": tf.VariableSynchronization.ON_READ, "aggregation": tf.VariableAggregation.SUM}


def shared_folder(group):
    return Path(value_from_first_replica(group, tempfile.mkdtemp() if group.rank == 0 else None))


def model_with_own_statistics():
    return keras.Sequential(
        [
            keras.layers.Input((6,)),
            keras.layers.Dense(8),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(3),
        ]
    )


@on_ranks(2)
def test_models_are_written_once_and_read_by_all(rank, size):
    group = all_replicas()
    folder = shared_folder(group)
    with replica_group_scope(group):
        model = compiled(model_with_own_statistics, adam)
    model.fit(*data(), batch_size=16, verbose=0)
    assert (np.diff(gather_values(group, model.layers[1].moving_mean.numpy()), axis=0) != 0).any()
    writes = []
    original = os.replace
    os.replace = lambda *paths: (writes.append(paths[1]), original(*paths))
    for name in ("model.keras", "model.safetensors", "model.h5"):
        model.save(folder / name)
    for name in ("w.weights.h5", "w.safetensors"):
        model.save_weights(folder / name)
    os.replace = original
    assert len(writes) == (0 if rank else 5)
    for name in ("model.keras", "model.safetensors"):
        with replica_group_scope(group):
            loaded = keras.models.load_model(folder / name)
        for own, other in zip(loaded.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(own, other)
        assert (
            len({w.tobytes() for w in gather_values(group, np.concatenate([w.ravel() for w in loaded.get_weights()]))})
            == 1
        )


@on_ranks(2)
def test_an_error_of_the_writer_is_raised_by_all(rank, size):
    group = all_replicas()
    with replica_group_scope(group):
        model = compiled(dense_model, adam)
    with pytest.raises(FileNotFoundError, match="folder does not exist"):
        model.save_weights("/nonexistent/folder/w.safetensors")
    with pytest.raises(ZeroDivisionError):
        run_on_first_replica(group, lambda: 1 // 0)
    assert run_on_first_replica(group, lambda: rank + 5) == 5


@on_ranks(2)
def test_checkpoints_of_a_custom_loop(rank, size):
    group = all_replicas()
    folder = shared_folder(group)
    with replica_group_scope(group):
        weights, metric = tf.Variable([1.0, 2.0]), keras.metrics.Mean()
        optimizer = keras.optimizers.SGD(0.5, gradient_accumulation_steps=2)
        counter = tf.Variable(0.0, **ON_READ)
        checkpoint = tf.train.Checkpoint(weights=weights, optimizer=optimizer, metric=metric, counter=counter)
    group.strategy.run(lambda: counter.assign(rank + 2.0))
    manager = tf.train.CheckpointManager(checkpoint, folder, max_to_keep=2)
    gradients = [tf.constant([1.0 + rank, 0.0]), tf.constant([0.0, 2.0])]
    optimizer.apply_gradients([(gradients[0], weights)])
    group.strategy.run(metric.update_state, args=([1.0] if rank == 0 else [4.0, 4.0],))
    for _ in range(3):
        manager.save()
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint", "ckpt-2.safetensors", "ckpt-3.safetensors"]
    assert manager.checkpoints == gather_values(group, manager.checkpoints)[0]
    with replica_group_scope(group):
        new_weights, new_metric = tf.Variable([0.0, 0.0]), keras.metrics.Mean()
        new_optimizer = keras.optimizers.SGD(0.5, gradient_accumulation_steps=2)
        new_counter = tf.Variable(0.0, **ON_READ)
        restored = tf.train.Checkpoint(
            weights=new_weights, optimizer=new_optimizer, metric=new_metric, counter=new_counter
        )
    restored.restore(tf.train.latest_checkpoint(folder))
    new_optimizer.build([new_weights])
    totals = gather_values(group, group.strategy.run(lambda: (float(new_metric.total), float(new_metric.count))))
    assert totals == [(9.0, 3.0), (0.0, 0.0)]
    assert (float(new_metric.total), float(new_metric.count)) == (9.0, 3.0)
    assert float(new_counter.numpy()) == float(counter.numpy()) == 5.0
    for each_optimizer, each_weights in ((optimizer, weights), (new_optimizer, new_weights)):
        each_optimizer.apply_gradients([(gradients[1], each_weights)])
        np.testing.assert_allclose(each_weights.numpy(), [1.0 - 0.5 * 3 / 2, 2.0 - 0.5 * 4 / 2])


class Interrupt(keras.callbacks.Callback):
    """Stops the process in a batch or an epoch, as a kill does."""

    def __init__(self, epoch, batch):
        super().__init__()
        self.at = epoch, batch

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            raise KeyboardInterrupt


def fit_with_backup(group, folder, save_freq="epoch", interrupt=None, make_model=dense_model):
    with replica_group_scope(group):
        model = compiled(make_model, lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=2))
    callbacks = [keras.callbacks.BackupAndRestore(folder, save_freq, delete_checkpoint=False)]
    if interrupt is not None:
        callbacks.insert(0, Interrupt(*interrupt))
    else:
        callbacks.insert(0, keras.callbacks.Callback())
    try:
        if os.environ["SOURCE"] == "dataset":
            source = {"x": tf.data.Dataset.from_tensor_slices(data(70)).shuffle(70).batch(16)}
        else:
            source = dict(zip("xy", data(70), strict=True), batch_size=16)
        history = model.fit(**source, epochs=4, callbacks=callbacks, verbose=0)
    except KeyboardInterrupt:
        return None
    return model.get_weights(), history.history


def resumed_training(rank, size):
    """A run that continues the backup of another number of ranks; it writes its weights to a file."""
    group, folder = all_replicas(), os.environ["BACKUP"]
    interrupt = [int(n) for n in os.environ["INTERRUPT"].split()] or None
    results = fit_with_backup(group, folder, int(os.environ["FREQUENCY"]) or "epoch", interrupt)
    assert (results is None) == (interrupt is not None)
    if rank == 0 and results is not None:
        np.savez(Path(folder) / "result.npz", *results[0], loss=results[1]["loss"])


resumed_training.on_rank = resumed_training


@pytest.mark.parametrize(
    ("sizes", "frequency", "interrupt", "source"),
    [
        ((2, 2), "2", "2 4", "dataset"),
        ((2, 1), "0", "2 1", "arrays"),
        ((1, 2), "2", "2 4", "arrays"),
        ((1, 2), "0", "2 1", "dataset"),
    ],
)
def test_a_killed_training_continues_on_any_number_of_ranks(tmp_path, frequency, interrupt, sizes, source):
    results = []
    for folder, runs in (
        (tmp_path / "whole", [(1, "")]),
        (tmp_path / "killed", [(sizes[0], interrupt), (sizes[1], "")]),
    ):
        folder.mkdir()
        for count, at in runs:
            status, output = run_ranks(
                count,
                ["-m", "tests.distribute.ranks", "tests.distribute.test_keras_files", "resumed_training"],
                BACKUP=str(folder),
                FREQUENCY=frequency,
                SOURCE=source,
                INTERRUPT=at,
            )
            assert status == 0, output[-5000:]
        results.append(dict(np.load(folder / "result.npz")))
    for name, expected in results[0].items():
        np.testing.assert_allclose(results[1][name], expected, rtol=1e-4, atol=1e-6)


@on_ranks(2)
def test_one_rank_prints_and_writes_logs(rank, size):
    group = all_replicas()
    folder = shared_folder(group) / str(rank)
    folder.mkdir()
    with replica_group_scope(group):
        model = compiled(dense_model, adam)
    callbacks = [
        keras.callbacks.CSVLogger(folder / "log.csv"),
        keras.callbacks.ModelCheckpoint(folder.parent / "best.keras", save_best_only=True, verbose=1),
        keras.callbacks.EarlyStopping("loss", patience=0, min_delta=1e9, verbose=1),
        keras.callbacks.ReduceLROnPlateau("loss", patience=1, verbose=1),
        keras.callbacks.TensorBoard(folder / "board", histogram_freq=1, update_freq="batch"),
    ]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        history = model.fit(*data(), batch_size=16, epochs=5, callbacks=callbacks, validation_data=data(9), verbose=2)
    assert len(history.epoch) == 2  # both ranks stop
    assert ("saving model" in printed.getvalue(), "loss:" in printed.getvalue()) == (rank == 0, rank == 0)
    assert sorted(path.name for path in folder.iterdir()) == ([] if rank else ["board", "log.csv"])


@on_ranks(2)
def test_a_callback_of_one_rank_stops_all(rank, size):
    group = all_replicas()
    with replica_group_scope(group):
        model = compiled(dense_model, adam)

    seen = []

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            assert gather_values(group, logs) == [logs, logs]
            seen.append(batch)
            self.model.stop_training = rank == 1 and batch == 2

    model.fit(*data(), batch_size=16, epochs=3, callbacks=[Stop()], verbose=0)
    assert seen == [0, 1, 2]


@on_ranks(2, timeout=600)
def test_a_save_by_one_rank_is_an_error_and_no_hang(rank, size):
    group = all_replicas()
    folder = shared_folder(group)
    with replica_group_scope(group):
        model = compiled(dense_model, adam)
    own_step = (
        (lambda: model.save_weights(folder / "w.safetensors"))
        if rank == 0
        else (lambda: model.fit(*data(), batch_size=16, verbose=0))
    )
    with pytest.raises(
        tf.errors.UnavailableError, match="rank 0: the writing of a file, rank 1: the order of the data"
    ):
        own_step()


@on_ranks(2)
def test_a_loss_that_is_not_a_number_stops_all_replicas(rank, size):
    with replica_group_scope(all_replicas()):
        model = compiled(dense_model, adam)
    x, y = data(64)
    x[28] = np.nan  # in the second batch of 16: a row of rank 1
    history = model.fit(
        x, y, batch_size=16, epochs=2, shuffle=False, callbacks=[keras.callbacks.TerminateOnNaN()], verbose=0
    )
    assert history.epoch == [0]
    assert int(model.optimizer.iterations) == 2
