"""CIFAR-10: small pictures of ten classes."""

from __future__ import annotations

from typing import Any

from fastgrad._src.keras.datasets.cifar import read_batches
from fastgrad._src.keras.datasets.reading import TrainAndTestArrays

_ARCHIVE_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"


def load_data() -> TrainAndTestArrays:
    """Returns ``(x_train, y_train), (x_test, y_test)``: 50,000 and 10,000 uint8 images, 32x32x3, and class columns."""

    def images_and_labels(names: list[str]) -> tuple[Any, Any]:
        x, y = read_batches("cifar-10-batches-py", _ARCHIVE_SHA256, "cifar-10-python.tar.gz", names, "labels")
        return x, y.astype("uint8")

    return images_and_labels([f"data_batch_{number}" for number in range(1, 6)]), images_and_labels(["test_batch"])
