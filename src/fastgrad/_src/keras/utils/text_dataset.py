"""``text_dataset_from_directory``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.damaged_file import open_regular
from fastgrad._src.keras.utils.labelled_files import FilesRequest, check_request, labelled_datasets


def text_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """Returns a dataset of the texts of ``.txt`` files and their labels; each class has a folder.

    Args:
        max_length: the number of bytes of each text to keep; None for all.
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split, subset, follow_links, format,
            verbose: as in ``image_dataset_from_directory``.

    Returns:
        A ``Dataset`` of texts, bytes of shape (batch,), or of pairs of texts and labels, with the attributes ``class_names`` and
        ``file_paths``.

    Raises:
        ValueError: the arguments do not match each other or the directory; there are no files.
    """
    request = FilesRequest(
        *(directory, labels, label_mode, class_names, batch_size, shuffle, seed),
        *(validation_split, subset, follow_links, format, verbose),
    )
    check_request(request, "text")

    def load(path: str) -> np.ndarray:
        text = np.empty((), object)
        with open_regular(path) as file:
            text[()] = file.read(-1 if max_length is None else max_length)
        return text

    return labelled_datasets(request, "text", (".txt",), load, dtypes.string)
