"""Prices of houses in California (Pace, Barry 1997)."""

from __future__ import annotations

from fastgrad._src.core.argument_checks import check_choice
from fastgrad._src.keras.datasets.reading import TrainAndTestArrays, load_npz_arrays, split_rows


def load_data(
    version: str = "large", path: str = "california_housing.npz", test_split: float = 0.2, seed: int = 113
) -> TrainAndTestArrays:
    """Returns ``(x_train, y_train), (x_test, y_test)``: 20,640 rows of 8 numbers, and median prices of blocks.

    Args:
        version: ``"small"`` for the first 600 rows.
        path, test_split, seed: as in ``boston_housing``.

    Raises:
        ValueError: another version, or ``test_split`` is not in [0, 1).
    """
    check_choice("load_data", ("small", "large"), version=version)
    arrays = load_npz_arrays(
        path, "california_housing.npz", "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f"
    )
    rows = 600 if version == "small" else None
    return split_rows(arrays["x"][:rows], arrays["y"][:rows], test_split, seed)
