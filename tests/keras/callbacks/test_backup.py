"""``BackupAndRestore``: a ``fit`` that ended early is taken up with the same bits, whatever its data are."""

import json

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras

layers = keras.layers
X = np.random.default_rng(0).normal(size=(24, 3)).astype(np.float32)
Y = X[:, :1] ** 2


class Numbered(keras.utils.PyDataset):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        return X[4 * index : 4 * index + 4], Y[4 * index : 4 * index + 4]


class Crash(keras.callbacks.Callback):
    """Raises in the middle."""

    def __init__(self, epoch, batch):
        super().__init__()
        self.at, self.epoch = (epoch, batch), 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            raise RuntimeError("crash")


def batches():
    return ((X[4 * i : 4 * i + 4], Y[4 * i : 4 * i + 4]) for _ in range(5) for i in range(6))


def repeated():
    return tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(9).repeat().batch(4)


SOURCES = {
    "arrays": lambda: {"x": X, "y": Y, "batch_size": 4},
    "weighted": lambda: {"x": X, "y": Y, "batch_size": 4, "sample_weight": np.arange(24.0)},
    "dataset": lambda: {"x": tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(9).batch(4)},
    "py_dataset": lambda: {"x": Numbered()},
    "generator": lambda: {"x": batches(), "steps_per_epoch": 6},
    "repeated": lambda: {"x": repeated(), "steps_per_epoch": 5},
}


def fitted(folder, source, save_freq, crash=(99, 0), built=True):
    keras.utils.set_random_seed(2)
    model = keras.Sequential([layers.Dense(4, "tanh"), layers.Dropout(0.4), layers.Dense(1)])
    if built:
        model.build((None, 3))
    model.compile("adam", "mse", metrics=["mae"])
    stop = keras.callbacks.EarlyStopping("loss", patience=3, restore_best_weights=True)
    backup = keras.callbacks.BackupAndRestore(folder, save_freq=save_freq)
    history = model.fit(**SOURCES[source](), epochs=5, verbose=0, callbacks=[backup, stop, Crash(*crash)])
    return model, history


@pytest.mark.parametrize("save_freq", ["epoch", 2])
@pytest.mark.parametrize("source", SOURCES)
def test_taken_up_with_the_same_bits(tmp_path, source, save_freq):
    model, history = fitted(tmp_path / "a", source, save_freq)
    for crash in ((1, 1), (3, 4)):
        with pytest.raises(RuntimeError, match="crash"):
            fitted(tmp_path / "b", source, save_freq, crash)
        assert (tmp_path / "b" / "backup.safetensors").exists()
    other, again = fitted(tmp_path / "b", source, save_freq)
    assert again.history == history.history
    assert again.epoch == history.epoch
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert not (tmp_path / "b").exists()


def test_a_model_that_is_not_built(tmp_path):
    model, _ = fitted(tmp_path / "a", "arrays", "epoch", built=False)
    with pytest.raises(RuntimeError, match="crash"):
        fitted(tmp_path / "b", "arrays", "epoch", (2, 0), built=False)
    other, _ = fitted(tmp_path / "b", "arrays", "epoch", built=False)
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_the_backup_of_another_model_is_refused(tmp_path):
    with pytest.raises(RuntimeError, match="crash"):
        fitted(tmp_path, "arrays", "epoch", (2, 0))
    other = keras.Sequential([layers.Dense(7), layers.Dense(1)])
    other.compile("sgd", "mse")
    with pytest.raises(ValueError, match="another model or another `fit`"):
        other.fit(X, Y, verbose=0, callbacks=keras.callbacks.BackupAndRestore(tmp_path))


def test_the_file_may_stay(tmp_path):
    model = keras.Sequential([layers.Dense(1)])
    model.compile("sgd", "mse")
    backup = keras.callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    model.fit(X, Y, epochs=2, verbose=0, callbacks=backup)
    steps = int(model.optimizer.iterations)
    model.fit(X, Y, epochs=3, verbose=0, callbacks=backup)
    assert int(model.optimizer.iterations) == steps + steps // 2


@pytest.mark.parametrize("arguments", [{"backup_dir": ""}, {"backup_dir": "x", "save_freq": "batch"}])
def test_arguments(arguments):
    with pytest.raises(ValueError, match=r"backup_dir|save_freq"):
        keras.callbacks.BackupAndRestore(**arguments)


@pytest.mark.parametrize(
    "texts",
    [
        {"epoch": 1, "history": {}, "model": 3},
        {"filename": "/tmp/other"},
        [],
        3,
        {"epoch": 1, "history": {}, "on_epoch_end": None},
    ],
)
def test_a_backup_sets_only_what_a_callback_keeps(tmp_path, texts):
    """Not a file to write to, nor a method."""
    from fastgrad._src.files.formats.tensor_file import load_tensors, save_tensors

    def fit():
        tf.random.set_seed(0)
        model = tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        backup = tf.keras.callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
        return model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0, callbacks=[backup])

    fit()
    path = tmp_path / "backup.safetensors"
    arrays, graph = load_tensors(path)
    name = "fitting/callbacks/History//0"
    assert name in arrays
    for state in (texts, {"values": texts, "array_counts": {}}):
        save_tensors(path, arrays | {name: np.frombuffer(json.dumps(state).encode(), np.uint8)}, graph)
        with pytest.raises(ValueError, match=r"The backup .*backup\.safetensors"):
            fit()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("at", np.array([-(1 << 40), 0, 0])),
        ("at", np.array([0, -1, 0])),
        ("at", np.array([0.5, 0, 0])),
        (
            "callbacks/BackupAndRestore//0",
            np.frombuffer(b'{"values": {"_batches": "text"}, "array_counts": {}}', np.uint8),
        ),
        (
            "callbacks/BackupAndRestore//0",
            np.frombuffer(b'{"values": {}, "array_counts": {"_batches": 1}}', np.uint8),
        ),
        ("train/position", np.array(-1)),
    ],
)
def test_a_backup_of_other_numbers_is_refused(tmp_path, name, value):
    from fastgrad._src.files.formats.tensor_file import load_tensors, save_tensors

    def fit():
        model = tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        backup = tf.keras.callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
        model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0, callbacks=[backup])

    fit()
    path = tmp_path / "backup.safetensors"
    arrays, graph = load_tensors(path)
    assert f"fitting/{name}" in arrays
    save_tensors(path, arrays | {f"fitting/{name}": value}, graph)
    with pytest.raises(ValueError, match=r"The backup .*backup\.safetensors"):
        fit()


def test_weights_of_another_dtype_are_those_of_another_model(tmp_path):
    for dtype in ("float32", "float64"):
        model = tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(1, dtype=dtype)])
        model.compile("sgd", "mse")
        backup = tf.keras.callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
        if dtype == "float64":
            with pytest.raises(ValueError, match="of another model"):
                model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0, callbacks=[backup])
        else:
            model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0, callbacks=[backup])


def _fit_with_callbacks(folder, callbacks, epochs=4, metrics=("mae",), save_freq="epoch", **options):
    keras.utils.set_random_seed(2)
    model = keras.Sequential([layers.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1)])
    model.compile("adam", "mse", metrics=list(metrics))
    backup = keras.callbacks.BackupAndRestore(folder, save_freq)
    options.setdefault("verbose", 0)
    history = model.fit(X, Y, batch_size=4, epochs=epochs, callbacks=[*callbacks, backup], **options)
    return model, history


def _stops():
    """Callbacks of one class whose states differ."""
    return [
        keras.callbacks.EarlyStopping("loss", patience=3, restore_best_weights=True),
        keras.callbacks.EarlyStopping("mae", mode="max", patience=9, restore_best_weights=True),
    ]


def _watched_values(callback):
    return callback.best, callback.wait, callback.best_epoch


@pytest.mark.parametrize("change", ["none", "dropped", "verbose", "added before", "added after", "reversed"])
def test_a_restart_may_have_other_callbacks(tmp_path, change):
    _, expected_history = _fit_with_callbacks(tmp_path / "other", expected := _stops())
    with pytest.raises(RuntimeError, match="crash"):
        _fit_with_callbacks(tmp_path, [Crash(2, 1), *_stops()])
    stops = _stops()
    plateau = keras.callbacks.ReduceLROnPlateau("loss", patience=99)
    callbacks = {
        "none": [Crash(99, 0), *stops],
        "added before": [plateau, *stops],
        "added after": [*stops, plateau],
        "reversed": stops[::-1],
    }.get(change, stops)
    _, history = _fit_with_callbacks(tmp_path, callbacks, verbose=int(change == "verbose"))
    for name in ("loss", "mae"):
        assert history.history[name] == expected_history.history[name]
    for one, two in zip(expected, stops, strict=True):
        assert _watched_values(one) == _watched_values(two)
        for best, other_best in zip(one.best_weights, two.best_weights, strict=True):
            np.testing.assert_array_equal(best, other_best)
    if change.startswith("added"):
        assert plateau.wait == 0
        assert plateau.best == history.history["loss"][-1]


def test_the_state_of_a_callback_is_that_of_its_monitored_value(tmp_path):
    with pytest.raises(RuntimeError, match="crash"):
        _fit_with_callbacks(tmp_path, [Crash(2, 1), *_stops()])
    _, stop = _stops()
    _, history = _fit_with_callbacks(tmp_path, [stop])
    assert stop.best == max(history.history["mae"])


def test_metrics_in_another_order_keep_their_states(tmp_path):
    _, expected_history = _fit_with_callbacks(tmp_path / "other", [], metrics=["mae", "mape"])
    with pytest.raises(RuntimeError, match="crash"):
        _fit_with_callbacks(tmp_path, [Crash(2, 4)], metrics=["mae", "mape"], save_freq=2)
    _, history = _fit_with_callbacks(tmp_path, [], metrics=["mape", "mae"], save_freq=2)
    assert history.history == expected_history.history


def test_the_backup_of_a_fit_with_other_data_names_what_is_missing(tmp_path):
    with pytest.raises(RuntimeError, match="crash"):
        _fit_with_callbacks(tmp_path, [Crash(2, 1)])
    with pytest.raises(ValueError, match=r"other data.*validation/position.*Delete it"):
        _fit_with_callbacks(tmp_path, [], validation_data=(X, Y))
