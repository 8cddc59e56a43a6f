"""Datasets of files in folders, one folder per class."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core.argument_checks import check_choice, check_interval, check_type, checked_path, refuse, require
from fastgrad._src.core.dtypes import DType
from fastgrad._src.data.dataset import AUTOTUNE, Dataset
from fastgrad._src.ops.python_function import numpy_function


class FilesRequest(NamedTuple):
    """The arguments that ``image_dataset_from_directory`` and ``text_dataset_from_directory`` share."""

    directory: Any
    labels: Any
    label_mode: str | None
    class_names: Sequence[str] | None
    batch_size: int | None
    shuffle: bool
    seed: int | None
    validation_split: float | None
    subset: str | None
    follow_links: bool
    format: str
    verbose: bool


def check_request(request: FilesRequest, file_kind: str) -> None:
    """Raises ValueError for arguments that are never valid; ``file_kind`` is the kind of the files."""
    labels, split, subset = request.labels, request.validation_split, request.subset
    owner = f"{file_kind}_dataset_from_directory"
    if labels not in ("inferred", None):
        wanted = f'a list of integer labels, one for each of the {file_kind} files, "inferred", or None'
        check_type(owner, wanted, (list, tuple), ValueError, labels=labels)
        if request.class_names:
            refuse("labels", '`class_names` needs `labels="inferred"`', labels=labels, class_names=request.class_names)
    check_choice(owner, ("int", "categorical", "binary", None), label_mode=request.label_mode)
    require(request.format == "tf", owner, "`format` must be 'tf': Grain is not supported", format=request.format)
    if split:
        check_interval(owner, "(0, 1)", validation_split=split)
    require(bool(split) == bool(subset), owner, "`subset` and `validation_split` must be set together")
    check_choice(owner, ("training", "validation", "both", None), subset=subset)
    if split and request.shuffle and request.seed is None:
        raise ValueError("`validation_split` with shuffling needs a `seed`, so that the subsets do not overlap.")


def labelled_datasets(
    request: FilesRequest, file_kind: str, endings: tuple[str, ...], load: Callable[[str], np.ndarray], dtype: DType
) -> Any:
    """Returns a dataset of files and their labels, or a list of two if ``subset`` is ``"both"``.

    Args:
        request: the arguments, already checked.
        file_kind: the kind of the files, for messages.
        endings: the endings of the files, in lower case.
        load: returns the value of a file.
        dtype: the dtype of that value.

    Raises:
        ValueError: no files; the directory has other classes or another number of labels.
    """
    has_labels = request.labels is not None and request.label_mode is not None
    paths, labels, names = _index_files(request, endings, request.labels if has_labels else None)
    if has_labels and request.label_mode == "binary" and len(names or ()) != 2:
        raise ValueError(f'label_mode="binary" needs exactly 2 class_names. Received: class_names={names}')
    values = None if labels is None else _encoded_labels(labels, request.label_mode, len(names or ()))
    seed = np.random.randint(10**6) if request.seed is None else request.seed  # noqa: NPY002  # follows set_random_seed
    if request.shuffle:
        # Keras's order, so that one seed splits the files as Keras does.
        order = np.arange(len(paths))
        np.random.RandomState(seed).shuffle(order)
        paths = [paths[index] for index in order]
        values = None if values is None else values[order]

    def dataset(subset: str | None) -> Any:
        validation_count = int((request.validation_split or 0) * len(paths))
        rows = slice(None)
        if subset:
            count = validation_count if subset == "validation" else len(paths) - validation_count
            rows = (
                slice(len(paths) - validation_count, None)
                if subset == "validation"
                else slice(len(paths) - validation_count)
            )
            if request.verbose:
                print(f"Using {count} files for {subset}.")
        subset_paths = paths[rows]
        if not subset_paths:
            subset_text = f"{subset} " if subset else ""
            raise ValueError(
                f"No {subset_text}{file_kind} files found in directory {request.directory}. Allowed formats: {endings}"
            )
        shuffled = request.shuffle and not (request.subset == "both" and subset == "validation")
        return _dataset_of_files(
            subset_paths, None if values is None else values[rows], request, shuffled, seed, load, dtype, names
        )

    return [dataset("training"), dataset("validation")] if request.subset == "both" else dataset(request.subset)


def _dataset_of_files(
    paths: list[str],
    values: np.ndarray | None,
    request: FilesRequest,
    shuffled: bool,
    seed: int,
    load: Callable[[str], np.ndarray],
    dtype: DType,
    names: list[str] | None,
) -> Any:
    def load_file(number: Any) -> Any:
        return numpy_function(lambda place: load(paths[int(place)]), [number], dtype)

    numbers = np.arange(len(paths))
    batches = Dataset.from_tensor_slices(numbers if values is None else (numbers, values))
    if shuffled:
        batches = batches.shuffle(8 * request.batch_size if request.batch_size else 1024, seed)
    if values is None:
        batches = batches.map(load_file, AUTOTUNE)
    else:
        batches = batches.map(lambda number, label: (load_file(number), label), AUTOTUNE)
    batches = batches.batch(request.batch_size) if request.batch_size is not None else batches
    batches = batches.prefetch(AUTOTUNE)
    batches.class_names, batches.file_paths = names, paths  # type: ignore[attr-defined]  # attributes as in Keras
    return batches


def _encoded_labels(labels: np.ndarray, mode: str | None, classes: int) -> np.ndarray:
    if mode == "binary":
        return labels.astype(np.float32)[:, None]
    return (labels[:, None] == np.arange(classes)).astype(np.float32) if mode == "categorical" else labels


def _index_files(
    request: FilesRequest, endings: tuple[str, ...], labels: Any
) -> tuple[list[str], np.ndarray | None, list[str] | None]:
    """Returns the files by class and name, the class number of each file, and the names of the classes."""
    directory = checked_path("dataset_from_directory", "directory", request.directory)
    folders = [""]
    if labels == "inferred":
        present_folders = sorted(
            name
            for name in os.listdir(directory)
            if os.path.isdir(os.path.join(directory, name)) and not name.startswith(".")
        )
        folders = list(request.class_names or present_folders)
        if not set(folders) <= set(present_folders):
            raise ValueError(f"`class_names` must be among {present_folders}. Received: {request.class_names}")
    elif request.class_names is not None:
        raise ValueError("When `labels=None` (no labels), argument `class_names` cannot be specified.")
    files: list[str] = []
    numbers: list[int] = []
    for number, folder in enumerate(folders):
        for root, _, names in sorted(os.walk(os.path.join(directory, folder), followlinks=request.follow_links)):
            files += [os.path.join(root, name) for name in sorted(names) if name.lower().endswith(endings)]
        numbers += [number] * (len(files) - len(numbers))
    label_array = None if labels is None else np.array(numbers if labels == "inferred" else labels, np.int32)
    if label_array is not None and len(label_array) != len(files):
        raise ValueError(f"`labels` must be one for each of the {len(files)} files, got {len(label_array)}.")
    classes = folders if labels == "inferred" else None if labels is None else [str(x) for x in sorted(set(labels))]
    if request.verbose:
        class_note = "" if classes is None else f" belonging to {len(classes)} classes"
        print(f"Found {len(files)} files{class_note}.")
    return files, label_array, classes
