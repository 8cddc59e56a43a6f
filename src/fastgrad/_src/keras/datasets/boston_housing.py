"""Prices of houses in Boston (Harrison, Rubinfeld 1978)."""

from __future__ import annotations

from fastgrad._src.keras.datasets.reading import TrainAndTestArrays, load_npz_arrays, split_rows


def load_data(path: str = "boston_housing.npz", test_split: float = 0.2, seed: int = 113) -> TrainAndTestArrays:
    """Returns ``(x_train, y_train), (x_test, y_test)``: 506 rows of 13 float64 numbers; prices in thousands of dollars.

    Args:
        path: the file's name in ``~/.keras/datasets``.
        test_split: the fraction of the rows for tests.
        seed: the seed of the order of the rows.

    Raises:
        ValueError: ``test_split`` is not in [0, 1).
    """
    arrays = load_npz_arrays(
        path, "boston_housing.npz", "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5"
    )
    return split_rows(arrays["x"], arrays["y"], test_split, seed)
