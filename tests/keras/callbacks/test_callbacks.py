"""Callbacks that stop, save, lower the rate and write."""

import csv
import warnings

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.keras import callbacks


class Logs:
    """A model that callbacks are shown: weights and an optimizer."""

    def __init__(self):
        self.optimizer = tf.keras.optimizers.SGD(1.0)
        self.metrics = []
        self.stop_training = False
        self.weight = 0.0

    def get_weights(self):
        return [np.array(self.weight)]

    def set_weights(self, weights):
        self.weight = float(weights[0])


def epochs(callback, values, name="val_loss"):
    """Shows a callback epochs with these values until it stops; how many it has seen, and the model."""
    model = Logs()
    callback.set_model(model)
    callback.on_train_begin()
    seen = 0
    for epoch, value in enumerate(values):
        model.weight = float(epoch)
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, {name: value})
        seen += 1
        if model.stop_training:
            break
    callback.on_train_end()
    return seen, model


@pytest.mark.parametrize(
    ("options", "values", "seen"),
    [
        ({}, [3, 2, 2.5, 1], 3),
        ({"patience": 1}, [3, 2, 2.5, 1], 3),
        ({"patience": 2}, [3, 2, 2.5, 1, 1.5, 1.5, 0], 6),
        ({"min_delta": 1.5}, [3, 2, 1], 2),
        ({"baseline": 1.0}, [3, 2, 1.5], 3),
        ({"start_from_epoch": 3}, [1, 2, 3, 4, 5, 6], 5),
        ({"monitor": "val_accuracy"}, [0.1, 0.2, 0.15], 3),
        ({"mode": "max"}, [1, 2, 1.5], 3),
        ({"mode": "min"}, [1, 2], 2),
    ],
)
def test_training_stops_when_nothing_gets_better(options, values, seen):
    found, _ = epochs(callbacks.EarlyStopping(**options), values, options.get("monitor", "val_loss"))
    assert found == seen


def test_the_best_weights_come_back():
    stop = callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    _, model = epochs(stop, [3, 1, 2, 2, 2])
    assert model.weight == 1.0
    assert (stop.best_epoch, stop.stopped_epoch) == (1, 3)


def test_what_is_watched_and_not_there_is_told():
    with pytest.warns(UserWarning, match="`val_loss` which is not available. Available metrics are: loss"):
        epochs(callbacks.EarlyStopping(), [1], "loss")


def test_the_rate_falls_on_a_plateau():
    lower = callbacks.ReduceLROnPlateau(factor=0.5, patience=2, cooldown=1, min_lr=0.2)
    _, model = epochs(lower, [3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2])
    assert float(model.optimizer.learning_rate) == pytest.approx(0.2)
    with pytest.raises(ValueError, match="`factor` must be below 1.0. Received: factor=1.5"):
        callbacks.ReduceLROnPlateau(factor=1.5)


def test_schedules_of_the_epoch_with_and_without_the_rate():
    for schedule in (lambda epoch, rate: rate / 2, lambda epoch: 0.25):
        _, model = epochs(callbacks.LearningRateScheduler(schedule), [1, 1])
        assert float(model.optimizer.learning_rate) == 0.25
    with pytest.raises(ValueError, match="must be a float"):
        epochs(callbacks.LearningRateScheduler(lambda epoch: "fast"), [1])


def make_model():
    model = tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


X, Y = np.ones((4, 2), np.float32), np.zeros((4, 1), np.float32)


def test_nan_losses_end_training(capsys):
    model = make_model()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = model.fit(X * np.inf, Y, epochs=3, batch_size=1, verbose=0, callbacks=[callbacks.TerminateOnNaN()])
    assert len(history.epoch) == 1
    assert "Batch 0: Invalid loss, terminating training" in capsys.readouterr().out


def test_a_nan_ends_training_with_an_error_if_that_is_asked_for():
    ended = []
    watch = callbacks.LambdaCallback(on_train_end=lambda logs: ended.append(True))
    with pytest.raises(RuntimeError, match="NaN or Inf loss encountered at batch 0. Loss value: nan"):
        make_model().fit(X * np.nan, Y, verbose=0, callbacks=[callbacks.TerminateOnNaN(raise_error=True), watch])
    assert not ended


def test_checkpoints_are_saved_when_the_monitored_value_is_not_there(tmp_path):
    save = callbacks.ModelCheckpoint(tmp_path / "model.keras", monitor="unknown", save_best_only=True, mode="min")
    with pytest.warns(UserWarning, match="`unknown` which is not available"):
        make_model().fit(X, Y, verbose=0, callbacks=[save])
    assert (tmp_path / "model.keras").exists()


def test_logs_are_written_as_csv(tmp_path):
    file = tmp_path / "logs.csv"
    model = make_model()
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[callbacks.CSVLogger(file)])
    history = model.fit(X, Y, epochs=1, verbose=0, callbacks=[callbacks.CSVLogger(file, append=True)])
    with file.open() as lines:
        rows = list(csv.DictReader(lines))
    assert [row["epoch"] for row in rows] == ["0", "1", "0"]
    assert float(rows[2]["loss"]) == history.history["loss"][0]


def test_models_and_weights_are_saved(tmp_path):
    model = make_model()
    save = callbacks.ModelCheckpoint(tmp_path / "at-{epoch:02d}.safetensors", "loss")
    weights = callbacks.ModelCheckpoint(
        tmp_path / "best.safetensors", "loss", save_best_only=True, save_weights_only=True
    )
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[save, weights])
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "at-01.safetensors",
        "at-02.safetensors",
        "best.safetensors",
    ]
    loaded = tf.keras.models.load_model(tmp_path / "at-02.safetensors")
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])
    with pytest.raises(KeyError, match="no_such"):
        model.fit(X, Y, verbose=0, callbacks=[callbacks.ModelCheckpoint("{no_such}.npz", "loss")])


def test_files_that_keras_reads(tmp_path):
    pytest.importorskip("h5py")
    model = make_model()
    save = callbacks.ModelCheckpoint(tmp_path / "m.keras", "loss")
    weights = callbacks.ModelCheckpoint(tmp_path / "w.weights.h5", "loss", save_weights_only=True)
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[save, weights])
    loaded = tf.keras.models.load_model(tmp_path / "m.keras")
    assert int(loaded.optimizer.iterations) == int(model.optimizer.iterations)
    loaded.load_weights(tmp_path / "w.weights.h5")
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])
    for name, weights_only in (("m.h5", True), ("m.weights.h5", False), ("m.keras", True)):
        with pytest.raises(ValueError, match="end in"):
            callbacks.ModelCheckpoint(tmp_path / name, save_weights_only=weights_only)


def test_subclasses_follow_batches(tmp_path):
    class Mine(callbacks.ModelCheckpoint):
        batches = 0

        def on_train_batch_end(self, batch, logs=None):
            self.batches += 1

    plain, mine = (kind(tmp_path / "m.npz", "loss") for kind in (callbacks.ModelCheckpoint, Mine))
    assert "on_train_batch_end" not in callbacks.CallbackList([plain]).watches
    make_model().fit(X, Y, epochs=2, verbose=0, callbacks=[mine])
    assert mine.batches >= 2


def test_every_so_many_batches(tmp_path):
    model = make_model()
    save = callbacks.ModelCheckpoint(tmp_path / "{epoch}-{batch}.npz", save_freq=3, save_weights_only=True)
    model.fit(X, Y, epochs=2, batch_size=1, verbose=0, callbacks=[save])
    assert sorted(file.name for file in tmp_path.iterdir()) == ["1-3.npz", "2-2.npz"]


def test_checkpoints_say_what_they_save(tmp_path, capsys):
    checkpoint = callbacks.ModelCheckpoint(
        tmp_path / "new" / "{epoch}.weights.h5", save_best_only=True, save_weights_only=True, verbose=1, monitor="loss"
    )
    model = tf.keras.Sequential([tf.keras.Input((1,)), tf.keras.layers.Dense(1)])
    checkpoint.set_model(model)
    for epoch, loss in enumerate([0.5, 0.75, 0.25]):
        checkpoint.on_epoch_end(epoch, {"loss": loss})
    lines = [line for line in capsys.readouterr().out.replace(str(tmp_path), "").splitlines() if line]
    assert lines == [
        "Epoch 1: loss improved from None to 0.50000, saving model to /new/1.weights.h5",
        "Epoch 1: finished saving model to /new/1.weights.h5",
        "Epoch 2: loss did not improve from 0.50000",
        "Epoch 3: loss improved from 0.50000 to 0.25000, saving model to /new/3.weights.h5",
        "Epoch 3: finished saving model to /new/3.weights.h5",
    ]


def test_logs_are_added_to_files_of_any_bytes(tmp_path):
    path = tmp_path / "log.csv"
    for before in (b"epoch,loss\nno UTF-8: \xff\n", b""):
        path.write_bytes(before)
        logger = callbacks.CSVLogger(path, append=True)
        logger.on_train_begin()
        logger.on_epoch_end(0, {"loss": 1.0})
        logger.on_train_end()
        assert path.read_bytes().startswith(before or b"epoch,loss")


@pytest.mark.parametrize("monitor", ["val_acc", "auc", "acc"])
def test_a_monitored_name_that_is_no_metric_stops_the_training(monitor):
    model = tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    x, y = np.ones((4, 2), np.float32), np.ones((4, 1), np.float32)
    for callback in (tf.keras.callbacks.EarlyStopping, tf.keras.callbacks.ReduceLROnPlateau):
        with pytest.raises(ValueError, match=rf"monitor={monitor} is no metric.*has accuracy, loss"):
            model.fit(x, y, epochs=2, verbose=0, callbacks=[callback(monitor)])
        model.fit(x, y, epochs=1, verbose=0, callbacks=[callback("accuracy")])


def test_subclasses_say_what_is_monitored():
    class Slower(callbacks.EarlyStopping):
        def get_monitor_value(self, logs):
            return len(asked.append(logs) or asked)

    asked = []
    stop = Slower(monitor="loss", patience=1)
    assert len(make_model().fit(X, Y, epochs=4, verbose=0, callbacks=[stop]).epoch) == 2
    assert "loss" in asked[0]
    with pytest.raises(ValueError, match="maximized or minimized"):
        make_model().fit(X, Y, verbose=0, callbacks=[Slower(monitor="own")])


def test_subclasses_say_when_a_learning_rate_rests():
    class Resting(callbacks.ReduceLROnPlateau):
        def in_cooldown(self):
            return True

    rates = {}
    for kind in (callbacks.ReduceLROnPlateau, Resting):
        model = make_model()
        model.fit(X, Y, epochs=3, verbose=0, callbacks=[kind("loss", patience=1, min_delta=1e9)])
        rates[kind] = float(model.optimizer.learning_rate)
    assert rates[callbacks.ReduceLROnPlateau] < rates[Resting]


HOOKS = [name for name in dir(callbacks.Callback) if name.startswith("on_")]


@pytest.mark.parametrize("hook", HOOKS)
def test_a_list_has_the_hooks_of_a_callback(hook):
    calls = []

    class Recorder(callbacks.Callback):
        pass

    setattr(Recorder, hook, lambda self, *args, **kwargs: calls.append((*args, *kwargs.values())))
    several = callbacks.CallbackList([Recorder(), Recorder()])
    method = getattr(several, hook)
    numbers = () if hook.split("_")[1] in ("train", "test", "predict") and "batch" not in hook else (7,)
    method(*numbers)
    method(*numbers, {"loss": 1.0})
    method(*numbers, logs={"loss": 2.0})
    assert calls == [(*numbers, logs) for logs in ({}, {"loss": 1.0}, {"loss": 2.0}) for _ in range(2)]
    assert callable(getattr(callbacks.Callback, hook))


def test_a_list_adds_a_history_and_a_progress_bar():
    model = make_model()
    several = callbacks.CallbackList(
        [callbacks.TerminateOnNaN()], add_history=True, add_progbar=True, model=model, epochs=2
    )
    assert [type(one).__name__ for one in several.callbacks] == ["TerminateOnNaN", "History", "ProgbarLogger"]
    assert model.history is several.callbacks[1]
    assert all(one.model is model and one.params == {"epochs": 2} for one in (several, *several.callbacks))
    several.on_train_begin()
    several.on_epoch_end(0, {"loss": 3.0})
    assert model.history.history == {"loss": [3.0]}
    own = callbacks.History()
    assert callbacks.CallbackList(own, add_history=True).callbacks == [own]
    other = make_model()
    several.set_model(other)
    several.set_params({"epochs": 5})
    assert several.callbacks[0].model is other
    assert several.callbacks[0].params == {"epochs": 5}


def test_batch_hooks_get_their_logs_by_keyword():
    names = []

    class Named(tf.keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, **kwargs):
            names.append(sorted(kwargs["logs"]))

        on_train_batch_end = on_test_batch_end = on_predict_batch_end = on_train_batch_begin

    class Older(tf.keras.callbacks.Callback):
        def on_batch_end(self, batch, **kwargs):
            names.append(sorted(kwargs["logs"]))

    model, x = tf.keras.Sequential([tf.keras.layers.Dense(1)]), np.ones((2, 3), np.float32)
    model.compile("sgd", "mse")
    model.fit(x, x[:, :1], verbose=0, callbacks=[Named(), Older()])
    model.evaluate(x, x[:, :1], verbose=0, callbacks=[Named()])
    model.predict(x, verbose=0, callbacks=[Named()])
    assert names == [[], ["loss"], ["loss"], ["loss"], ["outputs"]]
