"""``cache``, ``save`` and ``load``: elements kept in memory or in files."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from fastgrad._src.core import nest
from fastgrad._src.core.damaged_file import open_regular, parser_errors_as_one
from fastgrad._src.core.dtypes import as_dtype
from fastgrad._src.core.errors import DataLossError, NotFoundError
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.data.element_spec import packer
from fastgrad._src.data.node import UNKNOWN, Chunk, Failure, Node, Stage, value_or_raise
from fastgrad._src.data.ordering import ItemStage
from fastgrad._src.files.formats.json_text import parse_json

ELEMENTS_PER_FILE = 1024  # elements in a file
INDEX_FILE_NAME = "index.json"


class MemoryCached(ItemStage):
    """The items of the first complete iteration, kept in memory.

    An iteration with a known number of items is complete when its last item is requested; any other, when it ends.
    """

    name = "CacheDataset"

    def __init__(self, source: Node) -> None:
        super().__init__(source)
        self._cached_chunks: list[Chunk] | None = None
        self._cached_random_states: list[tuple[int, ...]] = []

    def chunks(self) -> Iterator[Chunk | Failure]:
        if self._cached_chunks is not None:
            yield from self._cached_chunks
            return
        start_states = super().random_state()
        seen_chunks: list[Chunk] = []
        missing_items = self.source.count()  # less than 0 if it is not known
        for chunk in self.source.chunks():
            if type(chunk) is Failure:
                yield chunk
                continue
            seen_chunks.append(chunk)
            missing_items -= len(chunk)
            if missing_items == 0 and len(chunk):
                yield chunk[:-1]
                chunk = chunk[-1:]
                self._store_items(seen_chunks, start_states)
            yield chunk
        self._store_items(seen_chunks, start_states)

    def _store_items(self, chunks: list[Chunk], random_states: list[tuple[int, ...]]) -> None:
        if self._cached_chunks is None:  # else another iteration was complete earlier
            self._cached_chunks, self._cached_random_states = chunks, random_states

    def fills_cache(self) -> bool:
        return self._cached_chunks is None

    def random_state(self) -> list[tuple[int, ...]]:
        # The kept items were drawn when the cache was filled: a new filling must draw the same.
        return super().random_state() if self._cached_chunks is None else self._cached_random_states

    def restore_random_state(self, states: Iterator[tuple[int, ...]]) -> None:
        self._cached_chunks = None
        super().restore_random_state(states)


class FileCached(Stage):
    """The elements of the first complete iteration, kept in a folder."""

    name = "CacheDataset"

    def __init__(self, source: Node, folder: str) -> None:
        super().__init__(source)
        self._folder = folder

    def elements(self) -> Iterator[Any]:
        if os.path.exists(os.path.join(self._folder, INDEX_FILE_NAME)):
            yield from SavedElements(self._folder).elements()
        else:
            yield from save_while_iterating(self.source.elements(), self.spec(), self._folder, self.source.count())


class SavedElements(Node):
    """The elements of a saved dataset, read from its folder.

    Raises:
        NotFoundError: there is no saved dataset.
        DataLossError: its files are damaged.
    """

    name = "_LoadDataset"

    def __init__(self, folder: str) -> None:
        path = os.path.join(folder, INDEX_FILE_NAME)
        try:
            file = open_regular(path)
        except FileNotFoundError:
            raise NotFoundError(f"Dataset.load: there is no saved dataset in {folder!r}.") from None
        with file, parser_errors_as_one(path, "index of a saved dataset", DataLossError):
            index = _checked_index(parse_json(file.read()))
            self._folder, self._sizes, self._writer = folder, index["files"], index.get("writer")
            self._form = _spec_from_json(index["spec"])

    def elements(self) -> Iterator[Any]:
        pack = packer(self._form)
        for number in range(len(self._sizes)):
            yield from self._elements_of_file(number, pack)

    def _elements_of_file(self, number: int, pack_leaves: Any) -> Iterator[Any]:
        from fastgrad._src.files.formats.tensor_file import load_tensors

        size, leaves = self._sizes[number], nest.flatten(self._form)
        path = _elements_path(self._folder, self._writer, number)
        if not os.path.exists(path):
            raise DataLossError(f"Dataset.load: {path!r} is missing.")
        with parser_errors_as_one(path, "file of a saved dataset", DataLossError):
            arrays, _ = load_tensors(path)
            columns = [_tensors_of_leaf(arrays, str(leaf), size, spec) for leaf, spec in enumerate(leaves)]
        for row in range(size):
            yield pack_leaves([column[row] for column in columns])

    def count(self) -> int:
        return sum(self._sizes)

    def make_spec(self) -> Any:
        return self._form

    def delete_files(self) -> None:
        """Deletes the files of elements. The index stays."""
        for number in range(len(self._sizes)):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(_elements_path(self._folder, self._writer, number))


def save_elements(elements: Iterator[Any], spec: Any, folder: str) -> None:
    """Writes the elements to a folder, in place of an earlier saved dataset."""
    try:
        earlier_dataset = SavedElements(folder)
    except (NotFoundError, DataLossError):  # the files of a damaged index stay
        earlier_dataset = None
    for _ in save_while_iterating(map(value_or_raise, elements), spec, folder, overwrite=True):
        pass
    if earlier_dataset is not None:
        earlier_dataset.delete_files()


def save_while_iterating(
    elements: Iterable[Any], spec: Any, folder: str, count: int = UNKNOWN, overwrite: bool = False
) -> Iterator[Any]:
    """Yields ``elements`` and writes them to ``folder`` as a saved dataset.

    Without ``overwrite``, a saved dataset that the folder has by then stays.

    The saved dataset is complete before the last of ``count`` elements, or at the end.
    """
    writer, missing_elements = _ElementWriter(folder, spec), count
    try:
        for element in elements:
            if type(element) is not Failure:
                writer.add(element)
                missing_elements -= 1
                if missing_elements == 0:
                    writer.finish(overwrite)
            yield element
        if missing_elements:
            writer.finish(overwrite)
    finally:
        writer.close()


class _ElementWriter:
    """Writes elements to files, and an index that names the files. Several writers may write to one folder.

    Args:
        folder: the folder; created if it does not exist.
        spec: the spec of the elements.
    """

    def __init__(self, folder: str, spec: Any) -> None:
        self._folder, self._form = folder, _spec_as_json(spec)
        self._name = secrets.token_hex(8)
        self._sizes: list[int] = []
        self._elements_of_file: list[Any] = []
        self._is_finished = False
        os.makedirs(folder, exist_ok=True)

    def add(self, element: Any) -> None:
        """Adds an element; writes a file whenever there are enough of them."""
        self._elements_of_file.append(element)
        if len(self._elements_of_file) == ELEMENTS_PER_FILE:
            self._write_group()

    def _write_group(self) -> None:
        from fastgrad._src.files.formats.tensor_file import save_tensors

        arrays: dict[str, np.ndarray] = {}
        for leaf, column in enumerate(zip(*[nest.flatten(element) for element in self._elements_of_file], strict=True)):
            arrays |= _arrays_of_leaf(str(leaf), column)
        self._sizes.append(len(self._elements_of_file))
        self._elements_of_file = []
        save_tensors(_elements_path(self._folder, self._name, len(self._sizes) - 1), arrays, {})

    def finish(self, overwrite: bool) -> None:
        """Writes the index. Without ``overwrite`` an existing index stays."""
        from fastgrad._src.files.formats.atomic_write import write_atomically

        if self._elements_of_file:
            self._write_group()
        index = {"files": self._sizes, "spec": self._form, "writer": self._name}
        text = json.dumps({**index, "checksum": _index_checksum(index)})
        try:
            write_atomically(
                os.path.join(self._folder, INDEX_FILE_NAME), lambda file: file.write(text.encode()), overwrite
            )
        except FileExistsError:
            return
        self._is_finished = True

    def close(self) -> None:
        """Deletes the files, unless the index names them."""
        for number in range(0 if self._is_finished else len(self._sizes)):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(_elements_path(self._folder, self._name, number))


def _elements_path(folder: str, writer: str | None, number: int) -> str:
    """Returns the path of a file of elements; ``writer`` is None for folders that an older version wrote."""
    return os.path.join(folder, f"elements-{f'{writer}-' if writer else ''}{number:06}.safetensors")


def _arrays_of_leaf(name: str, column: Any) -> dict[str, np.ndarray]:
    """Returns the tensors of one leaf in several elements as arrays: their shapes, all their values, texts as bytes."""
    if column[0] is None:
        return {}
    arrays = [tensor._on_host() for tensor in column]
    shapes = np.array([array.shape for array in arrays], np.int64).reshape(len(arrays), -1)
    if len({array.ndim for array in arrays}) > 1:
        raise ValueError("Dataset.save: tensors at one place have different ranks, and cannot be saved.")
    flat_values = np.concatenate([array.reshape(-1) for array in arrays])
    packed = {f"{name}.shapes": shapes}
    if flat_values.dtype == object:
        packed[f"{name}.lengths"] = np.array([len(text) for text in flat_values], np.int64)
        flat_values = np.frombuffer(b"".join(flat_values), np.uint8)
    return packed | {name: flat_values}


def _tensors_of_leaf(
    arrays: dict[str, np.ndarray], name: str, size: int, spec: TensorSpec | None
) -> list[Tensor | None]:
    if spec is None:
        if f"{name}.shapes" in arrays:
            raise ValueError("it holds tensors of which the index says nothing")
        return [None] * size
    flat_values, shapes = arrays[name], arrays[f"{name}.shapes"]
    if f"{name}.lengths" in arrays:
        texts, lengths = flat_values.tobytes(), arrays[f"{name}.lengths"]
        _check_counts(lengths, len(texts))
        ends = np.cumsum(lengths)
        flat_values = np.empty(len(ends), object)
        flat_values[:] = [texts[end - length : end] for end, length in zip(ends, lengths, strict=True)]
    if len(shapes) != size or flat_values.dtype != spec.dtype.numpy:
        raise ValueError(
            f"it holds {len(shapes)} tensors of dtype {flat_values.dtype}, the index says {size} of {spec.dtype.name}"
        )
    if any(not spec.shape.is_compatible_with(shape) for shape in set(map(tuple, shapes.tolist()))):
        raise ValueError(f"it holds tensors of other shapes than {spec.shape}")
    counts = shapes.prod(1, dtype=np.int64)
    _check_counts(counts, len(flat_values))
    return [
        Tensor(leaf_values.reshape(shape))
        for leaf_values, shape in zip(np.split(flat_values, np.cumsum(counts)[:-1]), shapes.tolist(), strict=True)
    ]


def _check_counts(counts: np.ndarray, total: int) -> None:
    if (counts < 0).any() or counts.sum() != total:
        raise ValueError(f"its tensors have {counts.sum()} elements, {total} are there")


def _checked_index(index: Any) -> dict[str, Any]:
    """Returns an index of ``_ElementWriter``; ValueError for any other, above all if its files lie outside the folder."""
    checksum = index.pop("checksum", None)
    if checksum != _index_checksum(index) and (checksum is not None or "writer" in index):
        raise ValueError("its checksum is not that of its contents")
    if not all(type(size) is int and 0 < size <= ELEMENTS_PER_FILE for size in index["files"]):
        raise ValueError(f"it has files of {index['files']!r:.100} elements")
    if not re.fullmatch("[0-9a-f]{16}", index.get("writer", "0" * 16)):
        raise ValueError(f"{index['writer']!r:.100} is no name of a writer")
    return index


def _index_checksum(index: dict[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps(index, sort_keys=True).encode()):08x}"


def _spec_as_json(spec: Any) -> Any:
    """Converts a structure of TensorSpecs to JSON data."""
    if spec is None:
        return None
    if isinstance(spec, TensorSpec):
        shape = None if spec.shape.rank is None else list(spec.shape)
        return {"dtype": spec.dtype.name, "shape": shape}
    if isinstance(spec, dict):
        return {"dict": [[key, _spec_as_json(item)] for key, item in spec.items()]}
    if isinstance(spec, tuple):
        return {"tuple": [_spec_as_json(item) for item in spec]}
    raise TypeError(f"Dataset.save: elements of {spec} cannot be saved.")


def _spec_from_json(text: Any) -> Any:
    if text is None:
        return None
    if "dict" in text:
        return {key: _spec_from_json(item) for key, item in text["dict"]}
    if "tuple" in text:
        return tuple(_spec_from_json(item) for item in text["tuple"])
    return TensorSpec(TensorShape(text["shape"]), as_dtype(text["dtype"]))
