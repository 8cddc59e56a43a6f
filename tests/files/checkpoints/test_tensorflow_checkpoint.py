"""Checkpoints that TensorFlow wrote are read and restored (tensorflow_checkpoints.py writes them)."""

import tarfile

import numpy as np
import pytest

import fastgrad as tf
from tests.files.checkpoints import tensorflow_checkpoints

END = "/.ATTRIBUTES/VARIABLE_VALUE"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoints")
    with tarfile.open(tensorflow_checkpoints.ARCHIVE) as archive:
        archive.extractall(path, filter="data")
    return path


def test_the_values_are_listed_and_loaded_by_tensorflows_names(folder):
    listed = dict(tf.train.list_variables(str(folder / "module")))
    assert listed == {
        "_CHECKPOINTABLE_OBJECT_GRAPH": [],
        f"w{END}": [2],
        f"parts/0{END}": [],
        f"parts/1/k{END}": [],
        f"inner/v{END}": [2, 1],
    }
    assert tf.train.load_variable(folder / "module", f"w{END}").tolist() == [1.0, 2.0]
    reader = tf.train.load_checkpoint(folder / "module")
    assert reader.get_tensor("inner/v").tolist() == [[3.0], [4.0]]
    assert reader.get_variable_to_dtype_map()[f"parts/1/k{END}"] is tf.bool
    with pytest.raises(tf.errors.NotFoundError, match="Key other not found"):
        reader.get_tensor("other")


def test_a_module_is_restored(folder):
    module = tensorflow_checkpoints.module_of(tf)
    tf.train.Checkpoint(module).read(folder / "module").assert_existing_objects_matched()
    assert module.w.numpy().tolist() == [1.0, 2.0]
    assert (int(module.parts[0]), bool(module.parts[1]["k"])) == (7, True)
    assert module.inner.v.numpy().tolist() == [[3.0], [4.0]]


def test_training_of_a_model_of_keras_goes_on_as_in_tensorflow(folder):
    x, y = tensorflow_checkpoints.data()
    model = tensorflow_checkpoints.model_of(tf.keras)
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    status = checkpoint.restore(tf.train.latest_checkpoint(folder / "trained"))
    np.testing.assert_allclose(model.predict(x, verbose=0), np.load(folder / "before.npy"), rtol=1e-5, atol=1e-6)
    model.fit(x, y, epochs=2, batch_size=8, verbose=0)
    np.testing.assert_allclose(model.predict(x, verbose=0), np.load(folder / "after.npy"), rtol=1e-4, atol=1e-5)
    assert int(checkpoint.save_counter) == 1
    status.assert_existing_objects_matched()


def test_what_differs_is_told_and_nothing_changes(folder):
    module = tensorflow_checkpoints.module_of(tf)
    module.inner.v = tf.Variable(tf.ones([3, 1], tf.float64))
    with pytest.raises(ValueError, match=r"'inner/v' has shape \(2, 1\), the variable has shape \(3, 1\)"):
        tf.train.Checkpoint(module).read(folder / "module")
    assert module.w.numpy().tolist() == [0.0, 0.0]
    other = tf.Module()
    other.w, other.more = tf.Variable([0.0, 0.0]), tf.Variable(1.0)
    status = tf.train.Checkpoint(other).read(folder / "module").expect_partial()
    with pytest.raises(AssertionError, match="parts/0"):
        status.assert_consumed()
    with pytest.raises(AssertionError, match="more"):
        status.assert_existing_objects_matched()
    assert other.w.numpy().tolist() == [1.0, 2.0]


def test_damaged_files_are_refused(folder, tmp_path):
    for name in ("module.index", "module.data-00000-of-00001"):
        content = (folder / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="of a checkpoint"):
        tf.train.Checkpoint(tensorflow_checkpoints.module_of(tf)).read(tmp_path / "module")
    with pytest.raises(ValueError, match="of a checkpoint"):
        tf.train.load_checkpoint(tmp_path / "module")
