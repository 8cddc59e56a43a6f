"""Writes checkpoints with TensorFlow: ``tensorflow_checkpoints.tar.xz``.

Run it with TensorFlow 2 and Keras 3, from the root of the repository: ``python -m tests.files.checkpoints.tensorflow_checkpoints``.
"""

import io
import pathlib
import sys
import tarfile
import tempfile

import numpy as np

ARCHIVE = pathlib.Path(__file__).parent / "tensorflow_checkpoints.tar.xz"


def data():
    """Inputs and targets."""
    x = np.random.default_rng(3).normal(size=(8, 3)).astype("float32")
    return x, x[:, :1] - x[:, 1:2]


def model_of(keras):
    """A model with layers with and without weights, compiled."""
    layers = keras.layers
    stack = [
        keras.Input([3]),
        layers.Dense(4, "relu"),
        layers.Dropout(0.0),
        layers.BatchNormalization(),
        layers.Dense(1),
    ]
    model = keras.Sequential(stack)
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


def module_of(tf):
    """A module with variables in lists and dicts."""

    class Module(tf.Module):
        def __init__(self):
            self.w = tf.Variable([0.0, 0.0])
            self.parts = [tf.Variable(0), {"k": tf.Variable(False)}]
            self.inner = tf.Module()
            self.inner.v = tf.Variable(tf.zeros([2, 1], tf.float64))

    return Module()


def main():
    """Writes the file."""
    import keras
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        keras.utils.set_random_seed(1)
        model, module = model_of(keras), module_of(tf)
        x, y = data()
        model.fit(x, y, epochs=3, batch_size=8, verbose=0)
        tf.train.Checkpoint(model=model, optimizer=model.optimizer).save(folder / "trained" / "ckpt")
        np.save(folder / "before.npy", model.predict(x, verbose=0))
        model.fit(x, y, epochs=2, batch_size=8, verbose=0)
        np.save(folder / "after.npy", model.predict(x, verbose=0))
        module.w.assign([1.0, 2.0])
        module.parts[0].assign(7)
        module.parts[1]["k"].assign(True)
        module.inner.v.assign([[3.0], [4.0]])
        tf.train.Checkpoint(module).write(folder / "module")
        with tarfile.open(ARCHIVE, "w:xz") as tar:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    member = tarfile.TarInfo(path.relative_to(folder).as_posix())
                    member.size = path.stat().st_size
                    tar.addfile(member, io.BytesIO(path.read_bytes()))


if __name__ == "__main__":
    sys.exit(main())
