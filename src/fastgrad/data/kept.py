"""``cache``, ``save`` and ``load``: elements that are kept, in memory or in files."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from fastgrad import nest
from fastgrad.data.batch import element_groups
from fastgrad.data.node import Chunk, Node, Stage
from fastgrad.data.ordering import Reordered
from fastgrad.data.structure import packer
from fastgrad.dtypes import as_dtype
from fastgrad.errors import DataLossError, NotFoundError
from fastgrad.shape import TensorShape
from fastgrad.tensor import Tensor
from fastgrad.tensor_spec import TensorSpec

GROUP = 1024  # elements in a file
INDEX = "index.json"


class Kept(Reordered):
    """The items of the first complete iteration, in memory."""

    name = "CacheDataset"

    def __init__(self, source: Node) -> None:
        super().__init__(source)
        self._kept: list[Chunk] | None = None
        self._kept_from: list[tuple[int, ...]] = []

    def chunks(self) -> Iterator[Chunk]:
        if self._kept is not None:
            yield from self._kept
            return
        begun = super().random_state()
        seen = []
        for chunk in self.source.chunks():
            seen.append(chunk)
            yield chunk
        self._kept, self._kept_from = seen, begun

    def random_state(self) -> list[tuple[int, ...]]:
        # What is kept was drawn when it was filled: whoever fills it again has to draw the same.
        return super().random_state() if self._kept is None else self._kept_from

    def restore_random_state(self, states: Iterator[tuple[int, ...]]) -> None:
        self._kept = None
        super().restore_random_state(states)


class KeptInFiles(Stage):
    """The elements of the first complete iteration, in a folder."""

    name = "CacheDataset"

    def __init__(self, source: Node, folder: str) -> None:
        super().__init__(source)
        self._folder = folder

    def elements(self) -> Iterator[Any]:
        if os.path.exists(os.path.join(self._folder, INDEX)):
            yield from Stored(self._folder).elements()
        else:
            yield from written(self.source.elements(), self.spec(), self._folder)


class Stored(Node):
    """What ``written`` left in a folder.

    Raises:
        NotFoundError: there is none.
    """

    name = "_LoadDataset"

    def __init__(self, folder: str) -> None:
        try:
            with open(os.path.join(folder, INDEX), encoding="utf-8") as file:
                index = json.load(file)
        except FileNotFoundError:
            raise NotFoundError(f"Dataset.load: there is no saved dataset in {folder!r}.") from None
        self._folder, self._sizes = folder, index["files"]
        self._form = _spec_from(index["spec"])

    def elements(self) -> Iterator[Any]:
        pack = packer(self._form)
        for number in range(len(self._sizes)):
            yield from self._group(number, pack)

    def _group(self, number: int, pack: Any) -> Iterator[Any]:
        from fastgrad.storage.tensor_file import load_tensors

        size, leaves = self._sizes[number], len(nest.flatten(self._form))
        try:
            arrays, _ = load_tensors(_file(self._folder, number))
            columns = [_unpacked(arrays, str(leaf), size) for leaf in range(leaves)]
        except (KeyError, ValueError) as error:
            raise DataLossError(f"Dataset.load: {_file(self._folder, number)!r} is damaged: {error}") from None
        for row in range(size):
            yield pack([column[row] for column in columns])

    def count(self) -> int:
        return sum(self._sizes)

    def make_spec(self) -> Any:
        return self._form


def written(elements: Iterable[Any], spec: Any, folder: str) -> Iterator[Any]:
    """The elements; the last step writes the index that makes them a saved dataset, the others files of some elements each."""
    from fastgrad.storage.tensor_file import save_tensors

    form = _spec_text(spec)
    os.makedirs(folder, exist_ok=True)
    sizes = []
    for number, group in enumerate(element_groups(elements, GROUP, drop_remainder=False)):
        arrays: dict[str, np.ndarray] = {}
        for leaf, column in enumerate(zip(*[nest.flatten(element) for element in group], strict=True)):
            arrays |= _packed(str(leaf), column)
        save_tensors(_file(folder, number), arrays, {})
        sizes.append(len(group))
        yield from group
    from fastgrad.storage.atomic_write import write_atomically

    text = json.dumps({"files": sizes, "spec": form})
    write_atomically(os.path.join(folder, INDEX), lambda file: file.write(text.encode()))


def forget(folder: str) -> None:
    """What is in the folder is no saved dataset any more."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(folder, INDEX))


def _file(folder: str, number: int) -> str:
    return os.path.join(folder, f"elements-{number:06}.safetensors")


def _packed(name: str, column: Any) -> dict[str, np.ndarray]:
    """The tensors of one place in several elements as arrays: their shapes, and all their elements; texts as bytes."""
    if column[0] is None:
        return {}
    arrays = [tensor._on_host() for tensor in column]
    shapes = np.array([array.shape for array in arrays], np.int64).reshape(len(arrays), -1)
    if len({array.ndim for array in arrays}) > 1:
        raise ValueError("Dataset.save: tensors at one place have different ranks, and cannot be saved.")
    flat = np.concatenate([array.reshape(-1) for array in arrays])
    found = {f"{name}.shapes": shapes}
    if flat.dtype == object:
        found[f"{name}.lengths"] = np.array([len(text) for text in flat], np.int64)
        flat = np.frombuffer(b"".join(flat), np.uint8)
    return found | {name: flat}


def _unpacked(arrays: dict[str, np.ndarray], name: str, size: int) -> list[Tensor | None]:
    if f"{name}.shapes" not in arrays:
        return [None] * size
    flat, shapes = arrays[name], arrays[f"{name}.shapes"].reshape(size, -1)
    if f"{name}.lengths" in arrays:
        texts, ends = flat.tobytes(), np.cumsum(arrays[f"{name}.lengths"])
        flat = np.empty(len(ends), object)
        flat[:] = [texts[end - length : end] for end, length in zip(ends, arrays[f"{name}.lengths"], strict=True)]
    ends = np.cumsum(shapes.prod(1, dtype=np.int64))[:-1]
    return [Tensor(part.reshape(shape)) for part, shape in zip(np.split(flat, ends), shapes.tolist(), strict=True)]


def _spec_text(spec: Any) -> Any:
    """A structure of TensorSpecs as JSON data."""
    if spec is None:
        return None
    if isinstance(spec, TensorSpec):
        shape = None if spec.shape.rank is None else list(spec.shape)
        return {"dtype": spec.dtype.name, "shape": shape}
    if isinstance(spec, dict):
        return {"dict": [[key, _spec_text(item)] for key, item in spec.items()]}
    if isinstance(spec, tuple):
        return {"tuple": [_spec_text(item) for item in spec]}
    raise TypeError(f"Dataset.save: elements of {spec} cannot be saved.")


def _spec_from(text: Any) -> Any:
    if text is None:
        return None
    if "dict" in text:
        return {key: _spec_from(item) for key, item in text["dict"]}
    if "tuple" in text:
        return tuple(_spec_from(item) for item in text["tuple"])
    return TensorSpec(TensorShape(text["shape"]), as_dtype(text["dtype"]))
