"""Tracebacks of uncaught errors are short; the errors keep all their frames."""

import itertools
import sys
import threading
import traceback
import types

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from fastgrad._src.jit import tracebacks
from tests.kernels.process import run_python

X, Y = np.ones((4, 2), np.float32), np.ones((4, 1), np.float32)


def make_model():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def in_train_step():
    class Own(keras.Sequential):
        def train_step(self, data):
            return {"loss": tf.ones([2]) + tf.ones([3])}

    model = Own([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)


def in_function():
    @tf.function
    def step(x):
        return x @ x

    step(tf.ones([2, 3]))


def in_map():
    list(tf.data.Dataset.range(3).map(lambda n: n // 0).batch(2))


MISTAKES = {
    "fit": lambda: make_model().fit(X[:, :1], Y, verbose=0),
    "fit_rows": lambda: make_model().fit(X, Y[:3], verbose=0),
    "evaluate": lambda: make_model().evaluate(X[:, :1], Y, verbose=0),
    "predict": lambda: make_model().predict(X[:, :1], verbose=0),
    "call": lambda: make_model()(X[:, :1]),
    "compile": lambda: make_model().compile("unknown", "mse"),
    "train_step": in_train_step,
    "function": in_function,
    "map": in_map,
    "matmul": lambda: tf.matmul(tf.ones([2, 3]), tf.ones([2, 3])),
    "add": lambda: tf.ones([2]) + tf.ones([3]),
    "gather": lambda: tf.gather(tf.ones([2]), 5),
    "reshape": lambda: tf.reshape(tf.ones([2]), [3]),
    "layer": lambda: keras.layers.Dense(-1),
    "optimizer": lambda: keras.optimizers.SGD("fast"),
}


def error_of(mistake):
    with pytest.raises(Exception) as info:  # noqa: PT011 (each mistake has its class)
        mistake()
    return info.value


@pytest.mark.parametrize("name", MISTAKES)
def test_a_traceback_has_the_users_lines_the_call_and_the_error(name):
    error = error_of(MISTAKES[name])
    frames, cause, context = traceback.extract_tb(error.__traceback__), error.__cause__, error.__context__
    with tracebacks.short_tracebacks(error):
        text = "".join(traceback.format_exception(error))
        short = traceback.extract_tb(error.__traceback__)
    assert text.count("\n") <= 20, text
    assert [frame for frame in short if frame.filename == __file__] == [f for f in frames if f.filename == __file__]
    assert all(__file__ in (one.filename, other.filename) for one, other in itertools.pairwise(short))
    assert text.endswith("".join(traceback.format_exception_only(error)))
    assert list(traceback.extract_tb(error.__traceback__)) == list(frames)  # for debuggers
    assert (error.__cause__, error.__context__) == (cause, context)


def test_a_users_frames_in_a_callback_stay():
    class Failing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.fail()

        def fail(self):
            raise KeyError("mine")

    error = error_of(lambda: make_model().fit(X, Y, verbose=0, callbacks=[Failing()]))
    with tracebacks.short_tracebacks(error):
        names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert names[-3:] == ["fit", "on_epoch_end", "fail"]


def test_causes_are_short_too_and_errors_without_a_hash_are_shown():
    class Unhashable(ValueError):
        __hash__ = None

    def fail():
        try:
            tf.gather(tf.ones([2]), 5)
        except Exception as error:
            raise Unhashable("outer") from error

    error = error_of(fail)
    count = len(traceback.extract_tb(error.__cause__.__traceback__))
    with tracebacks.short_tracebacks(error):
        assert len(traceback.extract_tb(error.__cause__.__traceback__)) == 2
    assert len(traceback.extract_tb(error.__cause__.__traceback__)) == count > 2


@pytest.mark.parametrize("namespace", [keras.config, tf.debugging], ids=["keras", "debugging"])
def test_it_is_switched_off_and_on(namespace):
    error = error_of(MISTAKES["fit"])
    count = len(traceback.extract_tb(error.__traceback__))
    namespace.disable_traceback_filtering()
    try:
        with tracebacks.short_tracebacks(error):
            assert len(traceback.extract_tb(error.__traceback__)) == count
    finally:
        namespace.enable_traceback_filtering()


def test_the_hooks_call_the_earlier_ones(monkeypatch):
    shown = []

    def show(kind, error, trace):
        assert error.__traceback__ is trace
        shown.append((kind, len(traceback.extract_tb(trace))))

    class Shell:
        custom_exceptions = ()
        InteractiveTB = types.SimpleNamespace(tb=None)

        def set_custom_exc(self, kinds, handler):
            self.handler = handler

        def showtraceback(self, arguments, tb_offset):
            show(*arguments)

    shell = Shell()
    monkeypatch.setattr(sys, "excepthook", show)
    monkeypatch.setattr(threading, "excepthook", lambda seen: show(seen.exc_type, seen.exc_value, seen.exc_traceback))
    monkeypatch.setattr(sys, "last_traceback", None, raising=False)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    tracebacks.install_hooks()
    error = error_of(MISTAKES["fit"])
    arguments = type(error), error, error.__traceback__
    sys.excepthook(*arguments)
    threading.excepthook(threading.ExceptHookArgs((*arguments, threading.current_thread())))
    shell.handler(shell, *arguments, tb_offset=None)
    assert shown == [(ValueError, 3)] * 3  # this file twice, and `fit`
    assert sys.last_traceback is shell.InteractiveTB.tb is error.__traceback__


def test_a_program_prints_a_short_traceback():
    code = (
        "import numpy as np, fastgrad as tf\n"
        "model = tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(1)])\n"
        "model.compile('sgd', 'mse')\n"
        "{}model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)\n"
    )
    short = run_python("-c", code.format("")).stderr
    full = run_python("-c", code.format("tf.debugging.disable_traceback_filtering(); ")).stderr
    assert short.count("\n") <= 7 < 40 < full.count("\n")
    assert short.splitlines()[-1] == full.splitlines()[-1]
