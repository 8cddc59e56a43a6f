"""`fit`, `evaluate` and `predict`: what tests/conformance/programs/training.py does not ask of TensorFlow."""

import os
import re
import struct
import subprocess
import sys

import numpy as np
import pytest

import fastgrad as tf
from tests.keras.training.small_model import X, Y, fit, make_model


def test_compiled_and_eager_steps_give_the_same():
    compiled, eager = fit(make_model()), fit(make_model(run_eagerly=True))
    for name, values in compiled.history.items():
        np.testing.assert_allclose(values, eager.history[name], rtol=1e-5)


def test_shuffled_epochs_differ_and_follow_the_seed():
    def losses(seed):
        tf.random.set_seed(seed)
        return fit(make_model(), shuffle=True, epochs=3).history["loss"]

    assert losses(1) == losses(1)
    assert losses(1) != losses(2)


def test_a_step_of_the_users_own():
    class Doubling(tf.keras.Model):
        def __init__(self):
            super().__init__()
            self.factor = self.add_weight(shape=(), initializer="ones")

        def call(self, x):
            return x * self.factor

        def train_step(self, data):
            x, y = data
            self.factor.assign_add(1.0)
            return {"error": tf.reduce_mean(tf.abs(self(x) - y)), "factor": self.factor.value}

    model = Doubling()
    model.compile()
    history = model.fit(np.ones((6, 1), np.float32), np.full((6, 1), 4, np.float32), batch_size=2, epochs=2, verbose=0)
    assert history.history == {"error": [0.0, 3.0], "factor": [4.0, 7.0]}


@pytest.mark.parametrize("options", [{}, {"metrics": ["mae"]}, {"run_eagerly": True}, {"steps_per_execution": 2}])
def test_a_step_that_returns_its_loss_needs_no_compiled_loss(options):
    class Encoder(tf.keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = tf.keras.layers.Dense(2, kernel_initializer="ones")

        def train_step(self, data):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self.dense(data) - data) ** 2)
            self.optimizer.apply_gradients(
                zip(tape.gradient(loss, self.trainable_variables), self.trainable_variables, strict=True)
            )
            return {"loss": loss}

    model = Encoder()
    model.compile("sgd", **options)
    history = model.fit(np.ones((6, 2), np.float32), batch_size=3, epochs=2, verbose=0).history
    np.testing.assert_allclose(history["loss"], [0.9409, 0.832972], rtol=1e-4)


class TwoHeads(tf.keras.Model):
    def __init__(self, as_dict):
        super().__init__()
        self.as_dict = as_dict
        self.a = tf.keras.layers.Dense(1, kernel_initializer="ones")
        self.b = tf.keras.layers.Dense(2, kernel_initializer="ones")

    def call(self, x):
        a, b = self.a(x), self.b(x)
        return {"a": a, "b": b} if self.as_dict else [a, b]


@pytest.mark.parametrize("as_dict", [False, True])
def test_several_outputs_have_losses_and_metrics_of_their_own(as_dict):
    model = TwoHeads(as_dict)
    given = {"loss": {"a": "mse", "b": "mae"}, "metrics": {"a": ["mae"]}, "loss_weights": {"a": 2.0, "b": 1.0}}
    names = ("a", "b")
    if not as_dict:
        given = {"loss": ["mse", "mae"], "metrics": [["mae"], []], "loss_weights": [2.0, 1.0]}
        names = ("output_1", "output_2")
    model.compile("sgd", **given)
    x = np.ones((4, 3), np.float32)
    labels = [np.ones((4, 1), np.float32), np.full((4, 2), 2, np.float32)]
    y = dict(zip("ab", labels, strict=True)) if as_dict else labels
    logs = model.evaluate(x, y, verbose=0, return_dict=True)
    assert logs == {"loss": 9.0, f"{names[0]}_loss": 4.0, f"{names[1]}_loss": 1.0, f"{names[0]}_mae": 2.0}
    outputs = model.predict(x, verbose=0)
    assert np.asarray(outputs["b"] if as_dict else outputs[1]).shape == (4, 2)


def test_nested_inputs():
    class Sum(tf.keras.Model):
        def call(self, inputs):
            return inputs["a"] + inputs["b"]

    model = Sum()
    model.compile(loss="mse")
    x = {"a": X[:, :1], "b": X[:, 1:2]}
    assert model.evaluate(x, X[:, :1] + X[:, 1:2], verbose=0) == 0.0
    np.testing.assert_array_equal(model.predict(x, verbose=0), X[:, :1] + X[:, 1:2])


def test_batches_by_number():
    class Squares(tf.keras.utils.PyDataset):
        ended = 0

        def __len__(self):
            return 5

        def __getitem__(self, index):
            return X[8 * index : 8 * index + 8], Y[8 * index : 8 * index + 8]

        def on_epoch_end(self):
            self.ended += 1

    batches = Squares()
    found = fit(make_model(), batches, None, batch_size=None)
    assert batches.ended == 2
    np.testing.assert_allclose(found.history["loss"], fit(make_model()).history["loss"], rtol=1e-6)


_ONE_TO_FIVE = np.arange(1.0, 6.0, dtype=np.float32)[:, np.newaxis]


class _OneToFive(tf.keras.utils.PyDataset):
    def __len__(self):
        return 5

    def __getitem__(self, index):
        return _ONE_TO_FIVE[index : index + 1], np.zeros((1, 1), np.float32)


def _dataset():
    return tf.data.Dataset.from_tensor_slices((_ONE_TO_FIVE, np.zeros((5, 1), np.float32))).batch(1)


@pytest.mark.parametrize(
    "make_data",
    [
        lambda: (_ONE_TO_FIVE, np.zeros((5, 1))),
        _dataset,
        lambda: _dataset().filter(lambda x, y: True),
        lambda: _dataset().repeat(),
        lambda: _dataset().repeat(2),
        _OneToFive,
        lambda: iter(_dataset().repeat()),
        lambda: (batch for batch in _dataset().repeat()),
    ],
    ids=["arrays", "dataset", "unknown length", "endless", "repeated", "PyDataset", "iterator", "generator"],
)
def test_validation_begins_with_the_first_batch_in_each_epoch(make_data):
    model = tf.keras.Sequential([tf.keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(tf.keras.optimizers.SGD(0.0), "mae")
    history = model.fit(
        _ONE_TO_FIVE,
        np.zeros((5, 1)),
        epochs=4,
        verbose=0,
        validation_data=make_data(),
        validation_steps=2,
        validation_batch_size=1,
    )
    assert history.history["val_loss"] == [1.5] * 4


def test_a_generator_for_validation_repeats_its_first_two_batches_and_goes_on():
    model = tf.keras.Sequential([tf.keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(tf.keras.optimizers.SGD(0.0), "mae")
    data = (batch for batch in _dataset().repeat())
    history = model.fit(
        _ONE_TO_FIVE, np.zeros((5, 1)), epochs=3, verbose=0, validation_data=data, validation_steps=3
    ).history
    np.testing.assert_allclose(history["val_loss"], [6 / 3, 7 / 3, 8 / 3], rtol=1e-6)


def test_callbacks_get_the_parameters_of_keras_in_all_methods():
    class Noting(tf.keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            noted.append(self.params)

        on_test_begin = on_predict_begin = on_train_begin

    noted = []
    model = make_model()
    fit(model, X[:16], Y[:16], epochs=3, callbacks=[Noting()])
    model.evaluate(X[:16], Y[:16], batch_size=8, verbose=0, callbacks=[Noting()])
    model.predict(X[:16], batch_size=8, verbose=0, callbacks=[Noting()])
    assert noted == [{"verbose": 0, "epochs": epochs, "steps": 2} for epochs in (3, 1, 1)]


def test_hooks_are_called_in_order():
    class Noting(tf.keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.calls = []

    hooks = [name for name in vars(tf.keras.callbacks.Callback) if name.startswith("on_") and name[3:8] != "batch"]
    for name in hooks:
        note = lambda self, *args, name=name, **kwargs: self.calls.append((name[3:], *(*args, *kwargs)[:-1]))
        setattr(Noting, name, note)
    noting = Noting()
    fit(make_model(), X[:16], Y[:16], epochs=1, validation_data=(X[:8], Y[:8]), callbacks=[noting])
    assert noting.params["epochs"] == 1
    assert noting.params["steps"] == 2
    assert [call[0] for call in noting.calls] == [
        "train_begin",
        "epoch_begin",
        *["train_batch_begin", "train_batch_end"] * 2,
        "test_begin",
        "test_batch_begin",
        "test_batch_end",
        "test_end",
        "epoch_end",
        "train_end",
    ]
    assert [call[1:] for call in noting.calls if call[0] == "train_batch_end"] == [(0,), (1,)]


def test_callbacks_see_means_of_the_epoch_so_far():
    seen = []
    model = make_model()
    watch = tf.keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append((batch, logs["loss"])))
    history = fit(model, epochs=1, callbacks=[watch])
    assert [batch for batch, _ in seen] == [0, 1, 2, 3, 4]
    assert seen[-1][1] == history.history["loss"][0]


def test_several_steps_between_callbacks():
    seen = []
    model = make_model(steps_per_execution=2)
    watch = tf.keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    found = fit(model, callbacks=[watch], epochs=1)
    assert seen == [1, 3, 5]  # a last group counts as a whole one, as in Keras
    assert found.history == fit(make_model(), epochs=1).history


def test_training_stops_when_a_callback_says_so():
    model = make_model()

    class Stop(tf.keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                self.model.stop_training = True

    history = fit(model, epochs=5, callbacks=[Stop()])
    assert history.epoch == [0]
    assert int(model.optimizer.iterations) == 2


class TestTerminals:
    """What a program shows in a terminal, a new process with one of its own."""

    PROGRAM = """
import time
import numpy as np
import fastgrad as tf

model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
model.compile("sgd", "mse", metrics=["mae", "mape", "msle"])
clock = 0.0
time.perf_counter = lambda: clock  # a batch takes 50 ms on any machine
class Pause(tf.keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        global clock
        clock += 0.05
x = np.ones((80, 3), np.float32)
model.fit(x, x[:, :1], batch_size=8, epochs=1, validation_split=0.2, callbacks=[Pause()])
batches = tf.data.Dataset.from_generator(
    lambda: iter([(x[:8], x[:8, :1])] * 10),
    output_signature=(tf.TensorSpec((None, 3)), tf.TensorSpec((None, 1))),
)
model.fit(batches, epochs=2, callbacks=[Pause()])
model.predict(x)
"""

    def shown(self, columns):
        termios, fcntl = pytest.importorskip("termios"), pytest.importorskip("fcntl")
        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30 if columns else 0, columns, 0, 0))
        # The notice of a first compilation would be a line more.
        environment = {**os.environ, "FASTGRAD_QUIET": "1"}
        child = subprocess.Popen(
            [sys.executable, "-c", self.PROGRAM], stdout=theirs, stderr=theirs, stdin=theirs, env=environment
        )
        os.close(theirs)
        found = b""
        while True:
            try:
                found += os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
        os.close(ours)
        assert child.wait() == 0, found.decode()
        return found.decode()

    @pytest.mark.parametrize("columns", [80, 0])
    def test_bars_grow_on_one_line_and_end_with_all_metrics(self, columns):
        lines = [re.sub("\x1b.*?m|\x08", "", line) for line in self.shown(columns).split("\n")]
        pictures = [picture.rstrip() for line in lines for picture in line.split("\r")]
        growing = [one for one in pictures if "/step" in one and not re.match(r"(8/8|10/10) ━{20} ", one)]
        assert max(map(len, growing)) < 80
        assert any(re.match(r"[2-7]/8 ━{20} 0s 50ms/step - loss: \d", one) for one in growing)
        last = [line.rstrip().rsplit("\r", 1)[-1] for line in lines]
        assert re.match(r"8/8 ━{20} 0s 50ms/step - loss: .* - mae: .* - val_loss: .* - val_msle: ", last[0])
        assert [line.split(" ")[0].strip() for line in last] == ["8/8", "Epoch", "10/10", "Epoch", "10/10", "3/3", ""]
        # The second epoch knows how many batches the first one had.
        assert any(re.match(r" +\d/Unknown ", one) for one in pictures)
        assert any(re.match(r" \d/10 ", one) for one in pictures)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"y": Y[:7]}, "same number of samples"),
        ({"x": np.full(X.shape, "text", object)}, "objects"),
        ({"sample_weight": np.ones(3)}, "same number of samples"),
        ({"validation_split": 0.999}, "not sufficient"),
        ({"validation_split": 1.5}, "validation_split=1.5"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"y": None}, "no labels"),
        ({"x": X[:, :2]}, r"'dense.*axis -1 of input shape to have value 3.*\(8, 2\)"),
        ({"y": np.where(Y == 2, 7, Y)}, r"label value of 7 .*\[0, 3\)"),
        ({"x": iter(()), "y": None}, "at least one batch"),
    ],
)
def test_data_that_do_not_go_together_change_nothing(given, message):
    model = make_model()
    before = [w.copy() for w in model.get_weights()]
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match=message):
        fit(model, **given)
    for found, wanted in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, wanted)


def no_batches():
    """Data without batches, as a Dataset, one of unknown length, and arrays."""
    samples = tf.data.Dataset.from_tensor_slices((X, Y))
    return {
        "a dataset": (samples.take(0).batch(2),),
        "a filter": (samples.filter(lambda x, y: tf.reduce_sum(x) > np.inf).batch(2),),
        "arrays": (X[:0], Y[:0]),
    }


@pytest.mark.parametrize("is_built", [False, True])
@pytest.mark.parametrize("data", no_batches())
class TestNoBatches:
    """As in Keras, data without batches warn, and give logs without losses."""

    @pytest.fixture
    def model(self, is_built):
        model = make_model()
        if is_built:
            fit(model)
        return model

    @pytest.mark.parametrize("verbose", [0, 1, 2])
    def test_fit_has_a_history_without_losses(self, model, data, verbose, capsys):
        events = []
        callback = tf.keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: events.append((epoch, logs)), on_train_end=events.append
        )
        before = [weight.copy() for weight in model.get_weights()]
        with pytest.warns(UserWarning, match="ran out of data") as warnings:
            history = model.fit(*no_batches()[data], epochs=2, verbose=verbose, callbacks=[callback])
        assert (len(warnings), history.epoch, history.history) == (2, [0, 1], {})
        assert events == [(0, {}), (1, {}), {}]
        for weight, old in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(weight, old)

    def test_validation_has_no_logs(self, model, data):
        source = no_batches()[data]
        with pytest.warns(UserWarning, match="ran out of data"):
            history = model.fit(X, Y, verbose=0, validation_data=source if len(source) > 1 else source[0])
        assert not any(name.startswith("val_") for name in history.history)
        assert history.history["loss"]

    def test_evaluate_has_no_values(self, model, data):
        with pytest.warns(UserWarning, match="ran out of data"):
            assert model.evaluate(*no_batches()[data], verbose=0) == []
        with pytest.warns(UserWarning, match="ran out of data"):
            assert model.evaluate(*no_batches()[data], verbose=0, return_dict=True) == {}

    def test_predict_needs_a_batch(self, model, data):
        with pytest.warns(UserWarning, match="ran out of data"), pytest.raises(ValueError, match="no batch"):
            model.predict(no_batches()[data][0], verbose=0)


def test_an_epoch_without_batches_keeps_the_averages_of_earlier_ones():
    def train(*lengths):
        remaining = iter(lengths)
        data = tf.data.Dataset.from_generator(
            lambda: ((X[:4], Y[:4]) for _ in range(next(remaining))),
            output_signature=(tf.TensorSpec([4, 3]), tf.TensorSpec([4], tf.int64)),
        )
        tf.keras.utils.set_random_seed(1)
        model = make_model()
        model.compile(tf.keras.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.5), "sparse_categorical_crossentropy")
        return model, model.fit(data, epochs=len(lengths), verbose=0)

    with pytest.warns(UserWarning, match="ran out of data"):
        model, history = train(2, 0)
    once, _ = train(2)
    assert (history.epoch, len(history.history["loss"])) == ([0, 1], 1)
    for weight, expected in zip(model.get_weights(), once.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_generators_and_py_datasets_must_have_a_batch(method):
    class Empty(tf.keras.utils.PyDataset):
        def __len__(self):
            return 0

        def __getitem__(self, index):
            raise AssertionError

    run = getattr(make_model(), method)
    with pytest.raises(ValueError, match=r"at least one batch.*make a new one"):
        run(iter(()), verbose=0)
    with pytest.raises(ValueError, match="PyDataset has length 0"):
        run(Empty(), verbose=0)


def test_a_generator_that_ends_early_is_told():
    model = make_model()
    with pytest.warns(UserWarning, match="ran out of data"):
        model.fit(((X[:8], Y[:8]) for _ in range(3)), steps_per_epoch=2, epochs=2, verbose=0)
    assert int(model.optimizer.iterations) == 3


@pytest.mark.parametrize("watched", [True, False])
@pytest.mark.parametrize("kind", ["training", "evaluating", "predicting"])
def test_each_loop_ends_when_it_is_told(kind, watched):
    """``stop_training``, ``stop_evaluating`` and ``stop_predicting`` end a run; the next run starts without them."""
    model = make_model(run_eagerly=True)
    flag = f"stop_{kind}"
    steps = []

    class Stop(tf.keras.callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            steps.append(batch)
            if batch == 1:
                setattr(self.model, flag, True)

        on_train_batch_end = on_predict_batch_end = on_test_batch_end

    def endless():
        while True:
            if not watched:
                Stop.on_test_batch_end(stopping, len(steps))
            yield X[:4], Y[:4]

    stopping = Stop()
    stopping.set_model(model)
    run = {"training": model.fit, "evaluating": model.evaluate, "predicting": model.predict}[kind]
    run(endless(), verbose=0, callbacks=[stopping] if watched else [])
    assert len(steps) <= 4
    assert getattr(model, flag)
    run(X, **({} if kind == "predicting" else {"y": Y}), verbose=0)
    assert not getattr(model, flag)


def test_validation_ends_when_it_is_told():
    counted = []

    class Stop(tf.keras.callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            counted.append(batch)
            self.model.stop_evaluating = batch == 1

    fit(make_model(), epochs=2, validation_data=(X, Y), validation_batch_size=2, callbacks=[Stop()])
    assert counted == [0, 1, 0, 1]


def test_steps_of_prediction_are_joined_between_callbacks():
    seen = []
    model = make_model(steps_per_execution=3)
    watch = tf.keras.callbacks.LambdaCallback(
        on_predict_batch_begin=lambda batch, logs: seen.append(batch),
        on_predict_batch_end=lambda batch, logs: seen.append((batch, logs["outputs"].shape)),
    )
    assert model.predict(X[:8], batch_size=1, verbose=0, callbacks=[watch]).shape == (8, 3)
    assert seen == [0, (2, (3, 3)), 3, (5, (3, 3)), 6, (8, (2, 3))]


@pytest.mark.parametrize(
    ("options", "time"),
    [({}, r" ━{20} \d+s \d+(us|ms|s)/step"), ({"verbose": 2}, r" - \d+s - \d+(us|ms|s)/step")],
    ids=["bars", "lines"],
)
def test_printed_lines_are_those_of_keras(options, time, capsys):
    model = make_model()
    fit(model, X[:8], Y[:8], batch_size=4, epochs=2, validation_data=(X[:8], Y[:8]), **{"verbose": 1, **options})
    model.evaluate(X[:8], Y[:8], **options)
    model.predict(X[:8], **options)
    model.fit(((X[:8], Y[:8]) for _ in range(3)), **options)
    number = r"[0-9.e+-]+"
    values = rf"accuracy: {number} - loss: {number}"
    validated = rf" - {values} - val_accuracy: {number} - val_loss: {number}"
    wanted = [
        "Epoch 1/2",
        rf"2/2{time}{validated}",
        "Epoch 2/2",
        rf"2/2{time}{validated}",
        rf"1/1{time} - {values}",
        rf"1/1{time}",
        rf"3/3{time} - {values}",
    ]
    lines = capsys.readouterr().out.split("\n")[:-1]
    if not options:  # bars have colours, and each replaces the last one
        lines = [re.sub("\x1b.*?m", "", line).lstrip("\r") for line in lines]
    for line, pattern in zip(lines, wanted, strict=True):
        assert re.fullmatch(pattern, line), line


def test_the_history_stays_with_the_model():
    model = make_model()
    with pytest.raises(AttributeError, match="history"):
        _ = model.history
    history = fit(model)
    model.evaluate(X, Y, verbose=0)
    assert model.history is history


class TestWhatIsMeasured:
    def test_a_model_inside_keeps_its_metrics_to_itself(self):
        inner = make_model()
        fit(inner)
        inner.own = tf.keras.metrics.Mean(name="own")
        x = tf.keras.Input((3,))
        outer = tf.keras.Model(x, inner(x))
        outer.compile("sgd", "sparse_categorical_crossentropy")
        assert [metric.name for metric in outer.metrics] == ["loss"]
        assert sorted(fit(outer).history) == ["loss"]

    def test_values_come_in_the_order_of_keras(self):
        class Counting(tf.keras.layers.Layer):
            def __init__(self):
                super().__init__()
                self.total = tf.keras.metrics.Mean(name="of_layer")

            def call(self, x):
                self.total.update_state(5.0)
                return x

        class Outer(tf.keras.Model):
            def __init__(self):
                super().__init__()
                self.inner = tf.keras.Sequential([Counting(), tf.keras.layers.Dense(1, kernel_initializer="zeros")])
                self.own = tf.keras.metrics.Mean(name="of_model")

            def call(self, x):
                return self.inner(x)

        model = Outer()
        model.compile("sgd", "mse", metrics=["mae"])
        loss, mae, of_model, of_layer = model.evaluate(X[:4], np.full((4, 1), 3.0), verbose=0)
        assert (loss, mae, of_model, of_layer) == (9.0, 3.0, 0.0, 5.0)
        assert model.metrics_names == ["loss", "mae", "of_model", "of_layer"]

    def test_names_with_weights(self):
        x = tf.keras.Input((3,))
        model = tf.keras.Model(x, {name: tf.keras.layers.Dense(1, name=name)(x) for name in "ab"})
        model.compile("sgd", "mse", metrics={"a": ["mse"], "b": ["mae"]}, weighted_metrics={"a": ["mse"], "b": ["mse"]})
        history = fit(model, y={"a": Y, "b": Y}).history
        assert list(history) == ["a_loss", "a_mse", "a_weighted_mse", "b_loss", "b_mae", "b_mse", "loss"]

    def test_older_names(self):
        class Old(tf.keras.Model):
            def __init__(self):
                super().__init__()
                self.dense = tf.keras.layers.Dense(1)

            def call(self, x):
                return self.dense(x)

            def train_step(self, data):
                x, y = data
                with tf.GradientTape() as tape:
                    y_pred = self(x, training=True)
                    loss = self.compiled_loss(y, y_pred, regularization_losses=self.losses)
                variables = self.trainable_variables
                self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
                self.compiled_metrics.update_state(y, y_pred)
                return {metric.name: metric.result() for metric in self.single_metrics()}

        model = Old()
        model.compile("sgd", "mse", metrics=["mae", "mse"])
        with pytest.warns(UserWarning, match="deprecated"):
            history = fit(model, epochs=1).history
        np.testing.assert_allclose(history["loss"], history["mse"], rtol=1e-6)
        assert sorted(history) == ["loss", "mae", "mse"]


def test_a_user_who_interrupts_keeps_the_last_whole_step():
    model = make_model()

    class Interrupt(tf.keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(model, callbacks=[Interrupt()])
    assert int(model.optimizer.iterations) == 3
    again = make_model()
    fit(again, X[:24], Y[:24], epochs=1)
    for found, wanted in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(found, wanted)


class TestLabelsOutsideTheClasses:
    """They are found before the first step, wherever they are in the data."""

    WRONG = np.where(np.arange(40) == 37, 3, Y)

    def refused(self, model, y=Y, **options):
        before = model.get_weights()
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=r"label value of 3 at row \d+, .*\[0, 3\) .*3 classes"
        ):
            fit(model, y=y, **options)
        for found, wanted in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(found, wanted)
        assert int(model.optimizer.iterations) == 0

    @pytest.mark.parametrize(
        "loss",
        ["sparse_categorical_crossentropy", "crossentropy", tf.keras.losses.sparse_categorical_crossentropy, None],
    )
    def test_of_training(self, loss):
        self.refused(make_model(**({} if loss is None else {"loss": loss})), self.WRONG)

    def test_of_validation(self):
        self.refused(make_model(), validation_data=(X, self.WRONG))
        self.refused(make_model(), self.WRONG, validation_split=0.2)

    def test_ignored_ones_are_none(self):
        loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
        fit(make_model(loss=loss), y=np.where(np.arange(40) == 5, -1, Y))
        self.refused(make_model(loss=loss), np.where(np.arange(40) == 5, -1, self.WRONG))

    def test_programs_with_losses_of_their_own_know_better(self):
        class FromOne(tf.keras.Model):
            def __init__(self):
                super().__init__()
                self.dense = tf.keras.layers.Dense(3)

            def call(self, x):
                return self.dense(x)

            def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
                return super().compute_loss(x, y - 1, y_pred, sample_weight, training)

        model = FromOne()
        model.compile("sgd", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        fit(model, y=Y + 1)
        model = make_model(loss=lambda y, p: tf.reduce_mean(tf.square(p - tf.cast(y, p.dtype)[:, None]), -1))
        fit(model, y=Y + 1)


def test_learning_curves_are_drawn():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    with pytest.raises(ValueError, match="no epoch"):
        tf.keras.callbacks.History().plot()
    history = fit(make_model(), validation_data=(X[:8], Y[:8]))
    figure = history.plot().figure
    assert pyplot.gcf() is figure  # so `pyplot.show()` and notebooks show it
    pyplot.close(figure)
    left, right = figure.axes
    assert [line.get_label() for line in left.get_lines()] == ["loss", "val_loss"]
    assert [line.get_label() for line in right.get_lines()] == ["accuracy", "val_accuracy"]
    assert list(left.get_lines()[0].get_xdata()) == [1, 2]


def test_compute_loss_may_lack_the_argument_training():
    class Older(tf.keras.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            return super().compute_loss(x, y, y_pred, sample_weight) + 100.0

    model = Older([tf.keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile("sgd", "mse")
    x, y = np.ones((4, 2), np.float32), np.ones((4, 1), np.float32)
    assert model.fit(x, y, verbose=0).history["loss"] == [101.0]
    assert model.evaluate(x, y * 50, verbose=0) > 100.0


class TestCallbacksThatReachIntoTheModel:
    X, Y = np.arange(32, dtype=np.float32).reshape(16, 2) / 32, np.ones((16, 1), np.float32)

    def model(self, **options):
        model = tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(1, kernel_initializer="zeros")])
        model.compile(tf.keras.optimizers.SGD(0.1), "mse", **options)
        return model

    def test_an_evaluation_at_a_batchs_end_replaces_the_metrics(self):
        results = []

        class Evaluation(tf.keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                results.append(self.model.evaluate(x, y, verbose=0, return_dict=True))

        x, y, model = self.X, self.Y, self.model(metrics=["mae"])
        history = model.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=[Evaluation()]).history
        assert history == {name: [results[1][name], results[3][name]] for name in ("loss", "mae")}

    def test_a_stop_at_the_begin_comes_after_the_first_batch(self):
        events = []

        class Stop(tf.keras.callbacks.Callback):
            def on_train_begin(self, logs=None):
                self.model.stop_training = True

            def on_train_batch_end(self, batch, logs=None):
                events.append(batch)

            def on_epoch_end(self, epoch, logs=None):
                events.append(f"epoch {epoch}")

        history = self.model().fit(self.X, self.Y, batch_size=4, epochs=3, verbose=0, callbacks=[Stop()])
        assert events == [0, "epoch 0"]
        assert len(history.history["loss"]) == 1

    def test_a_metric_with_and_without_weights_has_a_value_for_each(self):
        model, weights = self.model(metrics=["mae"], weighted_metrics=["mae"]), np.arange(16.0)
        logs = model.evaluate(self.X, self.Y, sample_weight=weights, verbose=0, return_dict=True)
        values = model.evaluate(self.X, self.Y, sample_weight=weights, verbose=0)
        assert values == [logs["loss"], logs["mae"], logs["mae"], logs["weighted_mae"]]


class OwnLoss(tf.keras.losses.Loss):
    def call(self, y_true, y_pred):
        return tf.keras.losses.sparse_categorical_crossentropy(y_true, y_pred)


@pytest.mark.parametrize(
    "loss", ["sparse_categorical_crossentropy", "crossentropy", OwnLoss()], ids=["name", "short name", "own loss"]
)
@pytest.mark.parametrize("method", ["fit", "train_on_batch"])
def test_each_label_of_a_sequence_has_the_weight_of_its_class(loss, method):
    labels = np.array([[0, 1], [1, 1], [0, 0], [1, 0]])

    def value(**options):
        layer = tf.keras.layers.Dense(2, activation="softmax", kernel_initializer="identity")
        model = tf.keras.Sequential([tf.keras.Input((2, 3)), layer])
        model.compile("sgd", loss)
        x = np.arange(24.0).reshape(4, 2, 3) / 24
        if method == "train_on_batch":
            return model.train_on_batch(x, labels, **options)
        return model.fit(x, labels, verbose=0, **options).history["loss"][0]

    weighted = value(class_weight={0: 2.0, 1: 5.0})
    assert weighted == pytest.approx(value(sample_weight=np.where(labels == 1, 5.0, 2.0)), rel=1e-6)
    assert weighted != pytest.approx(value(), rel=1e-2)


def test_a_model_without_a_known_shape_takes_the_kind_of_labels_from_its_loss():
    class Plain(tf.keras.Model):
        def __init__(self):
            super().__init__()
            self.layer = tf.keras.layers.Dense(2, activation="softmax", kernel_initializer="zeros")

        def call(self, x):
            return self.layer(x)

    model = Plain()
    model.compile("sgd", "sparse_categorical_crossentropy")
    value = model.train_on_batch(np.ones((1, 2, 3)), np.array([[0, 1]]), class_weight={0: 2.0, 1: 4.0})
    assert value == pytest.approx(3 * np.log(2), rel=1e-6)


class TestOwnEvaluate:
    """``evaluate`` of a user's class, by which ``fit`` validates."""

    @staticmethod
    def model(base):
        model = base(
            [tf.keras.Input((1,)), tf.keras.layers.Dense(1, kernel_initializer="ones", bias_initializer="ones")]
        )
        model.compile(tf.keras.optimizers.SGD(0.0), "mae")
        return model

    def test_fit_asks_it(self):
        calls = []

        class Own(tf.keras.Sequential):
            def evaluate(self, *args, **options):
                calls.append((args, options))
                return {**super().evaluate(*args, **options), "more": 7.0}

        x, y = np.arange(4.0).reshape(4, 1), np.zeros((4, 1))
        model = self.model(Own)
        seen = []
        callback = tf.keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(sorted(logs)))
        weights = np.array([1.0, 0.0, 0.0, 0.0])
        history = model.fit(
            x,
            y,
            epochs=4,
            verbose=0,
            validation_data=(x, y, weights),
            validation_batch_size=3,
            validation_freq=2,
            callbacks=callback,
        ).history
        assert history["val_more"] == [7.0, 7.0]
        np.testing.assert_allclose(history["val_loss"], [0.25, 0.25])
        assert seen == [["loss"], ["loss", "val_loss", "val_more"]] * 2
        ((_, options), _) = calls
        assert options["x"] is x
        assert options["y"] is y
        assert options["sample_weight"] is weights
        assert (options["batch_size"], options["steps"], options["return_dict"]) == (3, None, True)

    def test_it_may_evaluate_other_data(self):
        class Own(tf.keras.Sequential):
            def evaluate(self, x=None, y=None, **options):
                return super().evaluate(x + 1.0, y, **options)

        x, y = np.arange(4.0).reshape(4, 1), np.zeros((4, 1))
        history = self.model(Own).fit(x, y, verbose=0, validation_data=(x, y)).history
        np.testing.assert_allclose(history["val_loss"], [3.5])

    def test_a_generator_goes_on_as_without_it(self):
        class Own(tf.keras.Sequential):
            def evaluate(self, *args, **options):
                return super().evaluate(*args, **options)

        def batches():
            for number in range(20):
                yield np.full((2, 1), float(number)), np.zeros((2, 1))

        x, y = np.ones((2, 1)), np.ones((2, 1))
        options = {"epochs": 3, "verbose": 0, "validation_steps": 2}
        plain, own = [
            self.model(base).fit(x, y, validation_data=batches(), **options).history
            for base in (tf.keras.Sequential, Own)
        ]
        assert own == plain


@pytest.mark.parametrize("run_eagerly", [True, False])
def test_a_predict_step_gets_a_tuple_from_predict_on_batch_and_bare_inputs_from_predict(run_eagerly):
    types = []

    class Model(tf.keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = tf.keras.layers.Dense(1)

        def call(self, x):
            return self.dense(x)

        def predict_step(self, data):
            types.append(type(data))
            return super().predict_step(data)

    model, x = Model(), np.ones((2, 3), np.float32)
    model.compile("sgd", "mse", run_eagerly=run_eagerly)
    np.testing.assert_array_equal(model.predict_on_batch(x), model.predict(x, verbose=0))
    assert types[0] is tuple
    assert types[-1] is not tuple
