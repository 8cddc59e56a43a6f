"""``TensorBoard``: what ``fit`` writes, under Keras's names."""

import gzip
import json

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from fastgrad._src.keras.callbacks import tensorboard
from fastgrad.errors import UnavailableError, UnimplementedError
from tests.events import events, scalars

X = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
Y = X[:, :1]


def fitted(folder, **options):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    board = keras.callbacks.TensorBoard(folder, **options)
    return model.fit(X, Y, batch_size=4, epochs=2, verbose=0, validation_data=(X, Y), callbacks=[board])


def test_epochs(tmp_path):
    history = fitted(tmp_path, write_steps_per_second=True).history
    train, validation = scalars(tmp_path / "train"), scalars(tmp_path / "validation")
    assert set(train) == {"epoch_loss", "epoch_mae", "epoch_learning_rate", "epoch_steps_per_second", "keras"}
    assert [step for step, _ in train["epoch_loss"]] == [0, 1]
    np.testing.assert_allclose([value for _, value in train["epoch_loss"]], history["loss"], rtol=1e-6)
    np.testing.assert_allclose([value for _, value in validation["epoch_mae"]], history["val_mae"], rtol=1e-6)
    assert [step for step, _ in validation["evaluation_loss_vs_iterations"]] == [3, 6]


@pytest.mark.parametrize("frequency", ["batch", 2])
def test_batches(tmp_path, frequency):
    fitted(tmp_path, update_freq=frequency)
    steps = [step for step, _ in scalars(tmp_path / "train")["batch_loss"]]
    assert steps == ([1, 2, 3, 4, 5, 6] if frequency == "batch" else [2, 4, 6])


def test_histograms(tmp_path):
    fitted(tmp_path, histogram_freq=1)
    found = scalars(tmp_path / "train")
    assert sum(name.endswith("/histogram") for name in found) == 2


def test_the_model_and_pictures_of_weights(tmp_path):
    fitted(tmp_path / "a", histogram_freq=1, write_images=True)
    values = [value for event in events(tmp_path / "a" / "train") for value in event.summary.value]
    (model,) = [value for value in values if value.metadata.plugin_data.plugin_name == "graph_keras_model"]
    assert json.loads(model.tensor.string_val[0])["class_name"] == "Sequential"
    pictures = [value for value in values if value.metadata.plugin_data.plugin_name == "images"]
    assert [value.tag.split("/")[-2:] for value in pictures] == 2 * [["kernel", "image"]]
    assert list(pictures[0].tensor.string_val[:2]) == [b"1", b"3"]
    fitted(tmp_path / "b", write_graph=False)
    assert "keras" not in scalars(tmp_path / "b" / "train")


@pytest.mark.parametrize(
    ("shape", "size", "count"),
    [((5,), (1, 5), 1), ((5, 2), (5, 2), 1), ((2, 5), (5, 2), 1), ((2, 3, 4), (3, 2), 3), ((2, 3, 4, 5), None, 0)],
)
def test_the_shapes_of_pictures(tmp_path, shape, size, count):
    writer = tf.summary.create_file_writer(tmp_path)
    with writer.as_default():
        tensorboard._write_picture("w", np.ones(shape, np.float32), 0)
    writer.close()
    values = [value.tensor.string_val for event in events(tmp_path) for value in event.summary.value]
    assert [(int(value[0]), int(value[1]), len(value) - 2) for value in values] == ([(*size, count)] if size else [])


def test_what_is_not_written(tmp_path):
    with pytest.raises(UnimplementedError):
        keras.callbacks.TensorBoard(tmp_path, embeddings_freq=1)


@pytest.mark.parametrize(("profile_batch", "batches"), [(2, 1), ((2, 4), 3), ("5,9", 2)])
def test_a_profile_has_the_steps_of_its_batches(tmp_path, profile_batch, batches):
    fitted(tmp_path, profile_batch=profile_batch)
    (file,) = tmp_path.glob("train/plugins/profile/*/*.trace.json.gz")
    events = json.loads(gzip.decompress(file.read_bytes()))["traceEvents"]
    marked = [event["args"]["step_num"] for event in events if event["name"] == "Profiled batch"]
    first = 5 if profile_batch == "5,9" else 2
    assert marked == [str(number) for number in range(first, first + batches)]
    assert {event["name"] for event in events} > {"process_name", "thread_name", "Profiled batch"}
    with pytest.raises(UnavailableError):
        tf.profiler.experimental.stop()


@pytest.mark.parametrize("profile_batch", [-1, (4, 2), "a", "1,b", 1.5, None, [1, 2, 3]])
def test_other_values_are_no_batches_to_profile(tmp_path, profile_batch):
    with pytest.raises(ValueError, match="profile_batch"):
        keras.callbacks.TensorBoard(tmp_path, profile_batch=profile_batch)
