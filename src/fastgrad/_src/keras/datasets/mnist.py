"""MNIST: handwritten digits."""

from __future__ import annotations

from fastgrad._src.keras.datasets.reading import TrainAndTestArrays, load_npz_arrays


def load_data(path: str = "mnist.npz") -> TrainAndTestArrays:
    """Returns ``(x_train, y_train), (x_test, y_test)``: 60,000 and 10,000 uint8 images of 28x28, and their digits.

    Args:
        path: the file's name in ``~/.keras/datasets``. Errors are those of ``keras.utils.get_file``.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = tf.keras.datasets.mnist.load_data()
        >>> x_train.shape, y_train.shape
        ((60000, 28, 28), (60000,))
    """
    arrays = load_npz_arrays(path, "mnist.npz", "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1")
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])
