"""Each warning of the package names the user's line."""

import ast
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from fastgrad._src.compiler.dispatch import retracing
from fastgrad._src.cuda.devices import blas
from fastgrad._src.cuda.runtime import program
from fastgrad._src.jit import jit_switch, numba_features, user_lines

SOURCE = Path(tf.__file__).parent
X, Y = np.ones((4, 2), np.float32), np.ones((4, 1), np.float32)


def make_model(trainable=True):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, trainable=trainable)])
    model.compile(keras.optimizers.SGD(), "mse")
    return model


def unknown_format(monkeypatch, tmp_path):
    monkeypatch.setenv(jit_switch.DISABLE_JIT_VARIABLE, "yes")
    jit_switch.jit_is_disabled.__wrapped__()


def library_that_fails(monkeypatch, tmp_path):
    bindings = types.SimpleNamespace(cublas=None, cublasLt=None)
    monkeypatch.setitem(sys.modules, "nvmath", types.SimpleNamespace(bindings=bindings))
    monkeypatch.setitem(sys.modules, "nvmath.bindings", bindings)
    blas.installed_blas()


def operation_on_host(monkeypatch, tmp_path):
    monkeypatch.setattr(program, "_warned", set())
    program.warn_of_host_fallback("cholesky")


def watched_integer(monkeypatch, tmp_path):
    with tf.GradientTape() as tape:
        tape.watch(tf.constant(1))


def failed_element(monkeypatch, tmp_path):
    data = tf.data.Dataset.range(2).map(lambda n: tf.constant(1 // int(n)))
    list(data.ignore_errors(log_warning=True))


def unknown_mode(monkeypatch, tmp_path):
    keras.callbacks.EarlyStopping(mode="unknown")


def unknown_metric(monkeypatch, tmp_path):
    make_model().fit(X, Y, verbose=0, callbacks=[keras.callbacks.EarlyStopping("val_loss")])


def old_input_shape(monkeypatch, tmp_path):
    keras.layers.InputLayer(input_shape=(1,))


def lost_mask(monkeypatch, tmp_path):
    class Plain(keras.layers.Layer):
        def call(self, x):
            return x * 2.0

    Plain()(keras.layers.Embedding(3, 2, mask_zero=True)(np.array([[1, 0]])))


def old_scaling(monkeypatch, tmp_path):
    keras.layers.LayerNormalization(rms_scaling=True)


def probabilities_as_logits(monkeypatch, tmp_path):
    keras.losses.CategoricalCrossentropy(from_logits=True)([[0.0, 1.0]], keras.activations.softmax(tf.ones([1, 2])))


def single_class(monkeypatch, tmp_path):
    keras.losses.categorical_crossentropy(np.ones((2, 1)), np.ones((2, 1)))


def float_weight_of_counts(monkeypatch, tmp_path):
    keras.metrics.MeanIoU(2).update_state([0, 1], [0, 1], sample_weight=np.array([0.5, 0.5]))


def other_inputs(monkeypatch, tmp_path):
    inputs = {name: keras.Input((2,), name=name) for name in "ab"}
    keras.Model(inputs, keras.layers.Add()(list(inputs.values())))({"a": X, "b": X, "c": X})


def old_decay(monkeypatch, tmp_path):
    keras.optimizers.SGD(decay=0.1)


def missing_gradient(monkeypatch, tmp_path):
    a, b = tf.Variable(1.0), tf.Variable(1.0)
    keras.optimizers.SGD().apply_gradients([(None, a), (tf.constant(1.0), b)])


def other_count_of_slots(monkeypatch, tmp_path):
    keras.optimizers.SGD().load_own_variables({"0": 1})


def weights_that_do_not_fit(monkeypatch, tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.save_weights(tmp_path / "w.npz")
    make_model().load_weights(tmp_path / "w.npz", skip_mismatch=True)


def another_number_of_weights(monkeypatch, tmp_path):
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, name="a")]).save(tmp_path / "model.h5")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, use_bias=False, name="a")])
    model.load_weights(tmp_path / "model.h5", by_name=True, skip_mismatch=True)


def other_optimizer(monkeypatch, tmp_path):
    model = make_model()
    model.compile(keras.optimizers.SGD(momentum=0.5), "mse")
    model.fit(X, Y, verbose=0)
    model.save_weights(tmp_path / "w.npz")
    model.compile(keras.optimizers.Adam(), "mse")
    model.optimizer.build(model.trainable_variables)
    model.load_weights(tmp_path / "w.npz")


def saved_lambda(monkeypatch, tmp_path):
    keras.saving.serialize_keras_object(lambda x: x)


def unsaved_compile(monkeypatch, tmp_path):
    model = make_model()
    model.compile("sgd", Local().loss)
    model.get_compile_config()


class Local:
    def loss(self, y, p):
        return y - p


def own_compile(monkeypatch, tmp_path):
    class Own(keras.Model):
        def compile(self, *arguments, **options):
            super().compile(*arguments, **options)

    Own().compile_from_config({"optimizer": "sgd"})


def old_loss(monkeypatch, tmp_path):
    make_model().compiled_loss(tf.constant(Y), tf.constant(Y))


def old_metrics(monkeypatch, tmp_path):
    _ = make_model().compiled_metrics


def frozen_model(monkeypatch, tmp_path):
    make_model(trainable=False).fit(X, Y, verbose=0)


def data_that_end(monkeypatch, tmp_path):
    make_model().fit(iter([(X, Y)]), steps_per_epoch=3, verbose=0)


def model_without_a_configuration(monkeypatch, tmp_path):
    model = make_model()
    monkeypatch.setattr(model, "to_json", [].index)
    model.fit(X, Y, verbose=0, callbacks=[keras.callbacks.TensorBoard(tmp_path)])


def transparent_jpeg(monkeypatch, tmp_path):
    keras.utils.save_img(tmp_path / "x.jpg", np.ones((2, 2, 4)))


def changing_shapes(monkeypatch, tmp_path):
    function = tf.function(lambda x: x + 1.0)
    for size in range(1, 40):
        function(np.ones(size, np.float32))


def changing_branches(monkeypatch, tmp_path):
    @tf.function
    def function(x):
        total = tf.constant(0.0)
        for position in range(7):
            if x[position] > 0:
                total += 1.0
        return total

    for number in range(70):
        function(tf.constant([float(number >> position & 1) for position in range(7)]))


def changing_numbers(monkeypatch, tmp_path):
    @tf.function
    def function(n, x):
        for _ in range(int(n)):
            x = x + 1.0
        return x

    for number in range(20):
        function(tf.constant(number), tf.constant(1.0))


def failed_compiler(monkeypatch, tmp_path):
    retracing.warn_of_failure("f", RuntimeError())


def changed_numba(monkeypatch, tmp_path):
    different = {numba_features.Feature.LANES: ("numba.core.codegen:JITCodeLibrary",)}
    monkeypatch.setattr(numba_features, "known_differences", lambda: different)
    numba_features.features.__wrapped__()  # the memory of the process stays as it is


def raw_variable(monkeypatch, tmp_path):
    class Scaled(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.scale = tf.Variable(2.0)

    _ = Scaled().trainable_variables


TRIGGERS = [
    value for value in list(globals().values()) if getattr(getattr(value, "__code__", None), "co_argcount", 0) == 2
]


def calls_of_warn():
    """Returns all calls that warn, as (module, first line, last line), and those that bypass ``user_lines.warn``."""
    calls, others = set(), []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "warn":
                calls.add((path, node.lineno, node.end_lineno))
            elif isinstance(node, ast.Attribute) and node.attr in ("warn", "warn_explicit", "showwarning"):
                if getattr(node.value, "id", None) == "warnings" and path != Path(user_lines.__file__):
                    others.append((path, node.lineno))
            elif isinstance(node, ast.ImportFrom) and node.module == "warnings":
                others.append((path, node.lineno))
    return calls, others


def met_and_caught(trigger, tmp_path):
    """Returns the calls of ``user_lines.warn`` that a trigger meets, as (module, line), and the warnings."""
    met, find_frame = set(), user_lines.user_frame

    def frame_of(frame=None):
        if sys._getframe(1).f_code is user_lines.warn.__code__:
            met.add((Path(frame.f_code.co_filename), frame.f_lineno))
        return find_frame(frame)

    with pytest.MonkeyPatch.context() as monkeypatch, warnings.catch_warnings(record=True) as caught:
        monkeypatch.setattr(user_lines, "user_frame", frame_of)
        warnings.simplefilter("always")
        trigger(monkeypatch, tmp_path)
    return met, caught


@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda trigger: trigger.__name__)
def test_warnings_name_the_users_line(trigger, tmp_path):
    _, caught = met_and_caught(trigger, tmp_path)
    first, last = trigger.__code__.co_firstlineno, max(line for *_, line in trigger.__code__.co_lines() if line)
    assert caught
    for warning in caught:
        assert warning.filename == __file__
        assert first < warning.lineno <= last, warning


def test_each_call_that_warns_is_met(tmp_path):
    calls, others = calls_of_warn()
    assert not others
    met = set().union(*(met_and_caught(trigger, tmp_path)[0] for trigger in TRIGGERS))
    missed = {call for call in calls if not any(path == call[0] and call[1] <= line <= call[2] for path, line in met)}
    assert not missed


def test_a_thread_without_a_users_frame_names_its_outermost_frame(monkeypatch):
    monkeypatch.setattr(user_lines, "user_frame", lambda frame: None)
    with pytest.warns(UserWarning, match="text"):
        user_lines.warn("text")
