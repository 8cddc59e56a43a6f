"""A training that may be killed at any moment and started again.

It prints a line a step, and writes what it ends with to ``FOLDER/done.npz``, whose bits must not depend on when it was killed.
"""

import itertools
import os
import random
import signal
import time
from pathlib import Path

import numpy as np

import fastgrad as tf
from fastgrad import keras

layers = keras.layers
X = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
Y = X[:, :1] * X[:, 1:2]
STEPS = 60


def model_of():
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(8, "tanh"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dropout(0.1, seed=5),
            layers.Dense(1),
        ]
    )


def by_hand(folder):
    """A loop of one's own, with a checkpoint every third step."""
    tf.config.experimental.enable_op_determinism()
    model, optimizer, done = model_of(), keras.optimizers.Adam(0.01), tf.Variable(0, dtype=tf.int64)
    optimizer.build(model.trainable_variables)
    batches = iter(tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(20).repeat().batch(8))
    checkpoint = tf.train.Checkpoint(
        model=model, optimizer=optimizer, done=done, batches=batches, random=tf.train.RandomState()
    )
    manager = tf.train.CheckpointManager(checkpoint, folder / "checkpoints", max_to_keep=2)
    manager.restore_or_initialize()

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(x, training=True) - y))
        optimizer.apply_gradients(
            zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
        )
        done.assign_add(1)

    while int(done) < STEPS:
        step(*next(batches))
        print(flush=True)
        np.random.normal()
        if int(done) % 3 == 0:
            manager.save()
    return [*model.get_weights(), *[v.numpy() for v in optimizer.variables], np.random.normal()]


def fitted(folder, save_freq, *data, **options):
    """``fit`` with ``BackupAndRestore``."""
    model = model_of()
    model.compile(keras.optimizers.AdamW(0.01), "mse", metrics=["mae", keras.metrics.R2Score()])
    plateau = keras.callbacks.ReduceLROnPlateau("loss", patience=1, cooldown=1)
    backup = keras.callbacks.BackupAndRestore(folder / "backup", save_freq=save_freq)
    shown = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: print(flush=True))
    history = model.fit(
        *data, **options, epochs=9, verbose=0, callbacks=[backup, plateau, shown], validation_data=(X[:20], Y[:20])
    )
    assert not (folder / "backup").exists()
    values = [history.history[name] for name in sorted(history.history)]
    return [*model.get_weights(), *[v.numpy() for v in model.optimizer.variables], np.array(values)]


def by_fit(folder):
    return fitted(folder, "epoch", tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(20).batch(8))


def by_fit_within_epochs(folder):
    return fitted(folder, 2, X, Y, batch_size=8)


def train(kind, folder):
    folder = Path(folder)
    folder.mkdir(exist_ok=True)
    keras.utils.set_random_seed(1)
    values = globals()[kind](folder)
    np.savez(folder / "partial.npz", *values)
    (folder / "partial.npz").rename(folder / "done.npz")


def forked(kind, folder, steps=None, seconds=0.0):
    """Runs the training in a forked child, to its end or until some seconds after so many steps; returns its number of steps."""
    lines, out = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.dup2(out, 1)
            os.close(lines)
            train(kind, folder)
            os._exit(0)
        finally:
            os._exit(1)
    os.close(out)
    with open(lines) as printed:
        count = len(list(itertools.islice(printed, steps)))
        if steps is not None:
            time.sleep(seconds)
            os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or status == 0, status
    return count


def survive(kind, folder, moments):
    """Kills trainings at so many moments, and compares each that comes to its end with one that was not killed; prints the numbers of both."""
    folder, numbers = Path(folder), random.Random(kind)
    steps = forked(kind, folder / "whole")
    with np.load(folder / "whole" / "done.npz") as file:
        whole = [file[name] for name in file]
    kills = runs = 0
    while kills < moments:
        killed = folder / f"killed-{runs}"
        while True:
            most = None if kills == moments else numbers.randrange(1, steps // 2)
            forked(kind, killed, most, numbers.uniform(0, 0.004))
            if (killed / "done.npz").exists():
                break
            kills += 1
        with np.load(killed / "done.npz") as file:
            for name, value in zip(file, whole, strict=True):
                np.testing.assert_array_equal(file[name], value)
        runs += 1
    print(kills, runs)
