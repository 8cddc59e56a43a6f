"""``fit``, ``evaluate`` and ``predict`` with all kinds of data and callbacks."""

import keras
import numpy as np
import pytest

import fastgrad as tf

X = np.random.default_rng(0).normal(size=(50, 4)).astype("float32")
Y = X @ np.array([[1.0], [-2.0], [0.5], [0.0]], "float32")


def model_of(**options):
    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.02), "mse", metrics=["mae"], **options)
    return model


class Batches(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append((batch, round(float(logs["loss"]), 5)))


def test_whole_epochs_train_as_single_batches_do():
    histories = [
        model_of().fit(X, Y, batch_size=8, epochs=3, shuffle=False, verbose=0, callbacks=callbacks).history
        for callbacks in ([], [Batches()])
    ]
    assert histories[0]["loss"] == pytest.approx(histories[1]["loss"], rel=1e-6)
    assert histories[0]["loss"][2] < histories[0]["loss"][0]


def test_an_epoch_is_one_call_of_the_train_function_if_no_callback_looks_at_batches(monkeypatch):
    ends = []
    monkeypatch.setattr(keras.callbacks.CallbackList, "on_train_batch_end", lambda *arguments: ends.append(arguments))
    model_of().fit(X, Y, batch_size=8, epochs=2, verbose=0)
    assert len(ends) == 2


def test_callbacks_see_each_batch():
    batches = Batches()
    model_of().fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=[batches])
    assert [number for number, _ in batches.seen] == [*range(7)] * 2


@pytest.mark.parametrize("options", [{}, {"steps_per_execution": 3}, {"run_eagerly": True}, {"jit_compile": True}])
def test_options_of_compile_change_no_value(options):
    wanted = model_of().fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0).history["loss"]
    losses = model_of(**options).fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0).history["loss"]
    assert losses == pytest.approx(wanted, rel=1e-5)


def generator():
    for start in range(0, 50, 10):
        yield X[start : start + 10], Y[start : start + 10]


class Sequence(keras.utils.PyDataset):
    def __len__(self):
        return 5

    def __getitem__(self, number):
        return X[number * 10 : number * 10 + 10], Y[number * 10 : number * 10 + 10]


DATA = {
    "arrays": lambda: {"x": X, "y": Y, "batch_size": 10},
    "tensors": lambda: {"x": tf.constant(X), "y": tf.constant(Y), "batch_size": 10},
    "float64 arrays": lambda: {"x": X.astype("float64"), "y": Y.astype("float64"), "batch_size": 10},
    "dataset": lambda: {"x": tf.data.Dataset.from_tensor_slices((X, Y)).batch(10)},
    "generator": lambda: {"x": generator()},
    "PyDataset": lambda: {"x": Sequence()},
}


@pytest.mark.filterwarnings("ignore:Your input ran out of data")  # Keras warns at the end of each generator
@pytest.mark.parametrize("kind", DATA)
def test_kinds_of_data_give_the_same_losses(kind):
    wanted = model_of().fit(X, Y, batch_size=10, shuffle=False, verbose=0).history
    history = model_of().fit(**DATA[kind](), shuffle=False, verbose=0).history
    assert history["loss"] == pytest.approx(wanted["loss"], rel=1e-5)
    assert history["mae"] == pytest.approx(wanted["mae"], rel=1e-5)


def test_validation_weights_and_early_stopping():
    weights = np.linspace(0, 1, 50)
    early = keras.callbacks.EarlyStopping(monitor="val_loss", patience=0, min_delta=1e9)
    history = (
        model_of()
        .fit(X, Y, sample_weight=weights, validation_split=0.2, epochs=9, verbose=0, callbacks=[early])
        .history
    )
    assert len(history["val_loss"]) == 2


@pytest.mark.parametrize("size", [7, 25, 50, 100])
def test_predictions_have_all_rows(size):
    model = model_of()
    np.testing.assert_allclose(model.predict(X, batch_size=size, verbose=0), model(X).numpy(), rtol=1e-5, atol=1e-6)
    loss, mae = model.evaluate(X, Y, batch_size=size, verbose=0)
    assert loss == pytest.approx(float(np.mean((model(X).numpy() - Y) ** 2)), rel=1e-5)
    assert mae == pytest.approx(float(np.mean(np.abs(model(X).numpy() - Y))), rel=1e-5)


def test_predictions_of_several_outputs():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, {"a": keras.layers.Dense(2)(inputs), "b": [keras.layers.Dense(3)(inputs)]})
    predictions = model.predict(X, verbose=0)
    assert predictions["a"].shape == (50, 2)
    assert predictions["b"][0].shape == (50, 3)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("verbose", [0, 1])
def test_no_rows_have_no_predictions(verbose):
    with pytest.raises(UnboundLocalError, match="batch_outputs"):  # as Keras on TensorFlow
        model_of().predict(X[:0], verbose=verbose)


def test_a_step_of_the_user_trains():
    class Doubled(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1)

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                loss = 2 * self.compute_loss(x, y, self(x, training=True))
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            return {"twice": loss}

    model = Doubled()
    model.compile(keras.optimizers.SGD(0.01), "mse")
    before = model.evaluate(X, Y, verbose=0)
    history = model.fit(X, Y, epochs=3, verbose=0).history
    assert list(history) == ["twice"]
    assert model.evaluate(X, Y, verbose=0) < before


def test_files_keep_everything(tmp_path):
    model = model_of()
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))
    loaded.fit(X, Y, shuffle=False, verbose=0)
    model.fit(X, Y, shuffle=False, verbose=0)
    np.testing.assert_allclose(loaded.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-5, atol=1e-6)
    model.export(tmp_path / "saved", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "saved")).serve(tf.constant(X))
    np.testing.assert_allclose(served.numpy(), model.predict(X, verbose=0), rtol=1e-5, atol=1e-6)


def test_distribution_is_refused():
    with pytest.raises(NotImplementedError, match=r"fastgrad\.distribute"):
        keras.distribution.set_distribution(keras.distribution.DataParallel(devices=["cpu:0"]))


def test_tensorboard_gets_metrics_and_the_model(tmp_path):
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import Event

    model = model_of()
    callback = keras.callbacks.TensorBoard(tmp_path, update_freq=1)
    model.fit(X, Y, epochs=1, validation_data=(X, Y), callbacks=[callback], verbose=0)
    tags = {
        (folder, value.tag)
        for folder in ("train", "validation")
        for file in (tmp_path / folder).glob("events*")
        for record in tf.compat.v1.io.tf_record_iterator(str(file))
        for value in Event.FromString(record).summary.value
    }
    assert {("train", "epoch_loss"), ("train", "keras"), ("validation", "evaluation_loss_vs_iterations")} <= tags


def test_predict_of_several_inputs_and_outputs_is_the_model():
    first, second = keras.Input((4,)), keras.Input((2,))
    joined = keras.layers.Concatenate()([first, second])
    model = keras.Model(
        [first, second], {"sum": keras.layers.Dense(1)(joined), "scores": keras.layers.Dense(3)(joined)}
    )
    x = [X, X[:, :2]]
    wanted = model(x)
    for arrays in (x, tuple(x)):
        results = model.predict(arrays, batch_size=8, verbose=0)
        assert isinstance(results["sum"], np.ndarray)
        np.testing.assert_allclose(results["sum"], wanted["sum"], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(results["scores"], wanted["scores"], rtol=1e-5, atol=1e-6)
