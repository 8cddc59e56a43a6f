"""Ctrl-C leaves the model at the end of the last whole step."""

import os
import random
import signal
import threading

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from fastgrad._src.compiler.dispatch import eager_execution

layers = keras.layers
X = np.random.default_rng(0).normal(size=(64, 6)).astype(np.float32)
Y = X[:, :1] ** 2


def made(**options):
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((6,)), layers.Dense(32, "tanh"), layers.Dropout(0.2), layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"], **options)
    model.optimizer.build(model.trainable_variables)
    model.test_on_batch(X, Y)
    return model


def state_of(model):
    return [v.numpy() for v in (*model.weights, *model.optimizer.variables)]


def interrupted(model, seconds, **options):
    """Trains until Ctrl-C comes after some time, and again if Python has lost its exception in a destructor.

    A press that comes after the training has stopped does nothing: the test run would end there.
    """
    over = threading.Event()

    def press():
        wait = seconds
        while not over.wait(wait):
            os.kill(os.getpid(), signal.SIGINT)
            wait = 20.0

    def handle(number, frame):
        if not over.is_set():
            raise KeyboardInterrupt

    presses = threading.Thread(target=press)

    def fit():
        try:
            presses.start()  # the first one may come before it returns
            model.fit(X, Y, epochs=1_000_000, verbose=0, **options)
        finally:
            over.set()

    handler = signal.signal(signal.SIGINT, handle)
    try:
        with pytest.raises(KeyboardInterrupt):
            fit()
    finally:
        over.set()
        presses.join()
        signal.signal(signal.SIGINT, handler)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a file that was just being opened
def test_the_model_is_that_of_a_whole_number_of_steps(monkeypatch):
    monkeypatch.setattr(eager_execution, "_op_determinism", [False])
    tf.config.experimental.enable_op_determinism()
    numbers = random.Random(4)
    seen = set()
    for trial in range(12):
        model = made(steps_per_execution=(1, 3, 4)[trial % 3])
        validation = (X, Y) if trial % 2 else None  # whose steps change no weight
        if trial % 3:  # else it may come while the step is recorded or compiled
            model.fit(X, Y, batch_size=16, epochs=2, shuffle=False, verbose=0)
        interrupted(model, numbers.uniform(0.0, 0.06), batch_size=16, shuffle=False, validation_data=validation)
        steps = int(model.optimizer.iterations)
        seen.add(steps)
        twin = made()
        for step in range(steps):
            at = 16 * (step % 4)
            twin.train_on_batch(X[at : at + 16], Y[at : at + 16])
        for one, other in zip(state_of(model), state_of(twin), strict=True):
            np.testing.assert_array_equal(one, other)
    assert len(seen) > 4


def test_training_goes_on_after_it():
    model = made()
    interrupted(model, 0.3)
    steps = int(model.optimizer.iterations)
    model.fit(X, Y, batch_size=32, epochs=2, verbose=0)
    assert int(model.optimizer.iterations) == steps + 4
