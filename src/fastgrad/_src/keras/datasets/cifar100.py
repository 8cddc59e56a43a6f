"""CIFAR-100: small pictures of a hundred classes in twenty groups."""

from __future__ import annotations

from fastgrad._src.core.argument_checks import check_choice
from fastgrad._src.keras.datasets.cifar import read_batches
from fastgrad._src.keras.datasets.reading import TrainAndTestArrays

_ARCHIVE_SHA256 = "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"


def load_data(label_mode: str = "fine") -> TrainAndTestArrays:
    """Returns ``(x_train, y_train), (x_test, y_test)``: 50,000 and 10,000 uint8 images, 32x32x3, and class columns.

    Args:
        label_mode: ``"fine"`` for the hundred classes, ``"coarse"`` for their groups.

    Raises:
        ValueError: another mode.
    """
    check_choice("load_data", ("fine", "coarse"), label_mode=label_mode)
    label = f"{label_mode}_labels"
    return (
        read_batches("cifar-100-python", _ARCHIVE_SHA256, "cifar-100-python.tar.gz", ["train"], label),
        read_batches("cifar-100-python", _ARCHIVE_SHA256, "cifar-100-python.tar.gz", ["test"], label),
    )
