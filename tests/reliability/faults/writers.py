"""What fastgrad writes to files, in one form: ``writer = KINDS[kind](folder)`` writes state number n, and reads which number is there.

``writer.write(n)`` replaces the state of the folder. ``writer.number()`` reads all of it, checks that it is of one ``write``, and returns its number.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

import fastgrad as tf
from fastgrad._src.files.formats.tensor_file import load_tensors, save_tensors
from fastgrad._src.jit import cache
from tests.events import scalars

keras = tf.keras
SIZES = (40_000, 3, 500)


def one_number(values: Any) -> int:
    """The number that all elements of all arrays are."""
    numbers = {float(x) for value in values for x in np.unique(value)}
    assert len(numbers) == 1, numbers
    return int(numbers.pop())


class Tensors:
    """A file of named arrays, ``.safetensors``."""

    ending = ".safetensors"
    grows = False  # whether a write that fails may have written a part

    def __init__(self, folder: Any) -> None:
        self.folder = Path(folder)
        self.path = self.folder / f"state{self.ending}"

    def write(self, number: int) -> None:
        arrays = {f"x{i}": np.full(size, number, np.float32) for i, size in enumerate(SIZES)}
        save_tensors(self.path, arrays, {"number": str(number)})

    def number(self) -> int:
        arrays, texts = load_tensors(self.path)
        assert {value.size for value in arrays.values()} == set(SIZES)
        assert int(texts["number"]) == one_number(arrays.values())
        return int(texts["number"])


class Archive(Tensors):
    """The same as ``.npz``."""

    ending = ".npz"


def model_of(number: int) -> Any:
    """A model whose weights are all the same number."""
    model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(300), keras.layers.Dense(7)])
    model.set_weights([np.full(weight.shape, number, np.float32) for weight in model.get_weights()])
    return model


class Model(Tensors):
    """``model.save``."""

    ending = ".keras"

    def __init__(self, folder: Any) -> None:
        super().__init__(folder)
        self.model = model_of(0)

    def write(self, number: int) -> None:
        self.model.set_weights([np.full(weight.shape, number, np.float32) for weight in self.model.get_weights()])
        self.model.save(self.path)

    def number(self) -> int:
        return one_number(keras.models.load_model(self.path).get_weights())


class LegacyModel(Model):
    """``model.save`` to ``.h5``."""

    ending = ".h5"


class Weights(Model):
    """``model.save_weights``."""

    ending = ".weights.h5"

    def write(self, number: int) -> None:
        self.model.set_weights([np.full(weight.shape, number, np.float32) for weight in self.model.get_weights()])
        self.model.save_weights(self.path)

    def number(self) -> int:
        model = model_of(-1)
        model.load_weights(self.path)
        return one_number(model.get_weights())


class Checkpoint:
    """``tf.train.Checkpoint.write``."""

    grows = False

    def __init__(self, folder: Any) -> None:
        self.folder = Path(folder)
        self.variables = [tf.Variable(tf.zeros(size)) for size in SIZES]
        self.checkpoint = tf.train.Checkpoint(variables=self.variables)

    def assign(self, number: int) -> None:
        for variable in self.variables:
            variable.assign(tf.fill(variable.shape, float(number)))

    def write(self, number: int) -> None:
        self.assign(number)
        self.checkpoint.write(self.folder / "state")

    def number(self) -> int:
        self.assign(-1)
        self.checkpoint.read(self.folder / "state").assert_consumed()
        return one_number([variable.numpy() for variable in self.variables])


class Manager(Checkpoint):
    """``tf.train.CheckpointManager.save``, by a manager that each write makes again, as a new process would."""

    def write(self, number: int) -> None:
        manager = tf.train.CheckpointManager(self.checkpoint, self.folder, max_to_keep=2)
        manager.restore_or_initialize()
        self.assign(number)
        manager.save()

    def number(self) -> int:
        self.assign(-1)
        manager = tf.train.CheckpointManager(self.checkpoint, self.folder, max_to_keep=2)
        assert all(os.path.exists(f"{path}.safetensors") for path in manager.checkpoints), manager.checkpoints
        assert manager.checkpoints[-1] == tf.train.latest_checkpoint(self.folder)
        assert manager.restore_or_initialize() is not None
        return one_number([variable.numpy() for variable in self.variables])


class SavedDataset:
    """``Dataset.save`` in place of what was saved before."""

    grows = False

    def __init__(self, folder: Any) -> None:
        self.folder = Path(folder) / "dataset"

    def write(self, number: int) -> None:
        tf.data.Dataset.from_tensors(tf.fill((30_000,), float(number))).repeat(5).save(str(self.folder))

    def number(self) -> int:
        rows = [row.numpy() for row in tf.data.Dataset.load(str(self.folder))]
        assert len(rows) == 5
        return one_number(rows)


class CachedDataset(SavedDataset):
    """``Dataset.cache`` in a folder of its own for each number; the newest that is complete counts."""

    def dataset(self, number: int) -> Any:
        made = tf.data.Dataset.from_tensors(tf.fill((30_000,), float(number))).repeat(5)
        return made.cache(str(self.folder.parent / f"cached-{number}"))

    def write(self, number: int) -> None:
        assert len(list(self.dataset(number))) == 5

    def number(self) -> int:
        folders = sorted(self.folder.parent.glob("cached-*/*.json"), key=lambda path: int(path.parent.name[7:]))
        number = int(folders[-1].parent.name[7:])
        rows = [row.numpy() for row in self.dataset(number)]
        assert len(rows) == 5
        assert one_number(rows) == number
        return number


class Kernel:
    """An entry of the kernel cache."""

    grows = False

    def __init__(self, folder: Any) -> None:
        self.folder = Path(folder)

    def write(self, number: int) -> None:
        cache.write(str(self.folder), "the key", cache.Entry(bytes([number]) * 200_000, (f"number_{number}",)))

    def number(self) -> int:
        entry = cache.read(str(self.folder), "the key")
        assert entry is not None
        assert entry.symbols == (f"number_{entry.code[0]}",)
        assert entry.code == entry.code[:1] * 200_000
        return entry.code[0]


class Events:
    """Event files of TensorBoard; each write is a run that writes numbers up to its own, flushed one by one."""

    grows = True

    def __init__(self, folder: Any) -> None:
        self.folder = Path(folder)

    def write(self, number: int) -> None:
        writer = tf.summary.create_file_writer(str(self.folder))
        with writer.as_default():
            for step in range(5):
                tf.summary.scalar("loss", float(number), step=10 * number + step)
                writer.flush()
        writer.close()

    def steps(self) -> set[int]:
        """The steps in all files."""
        return {step for step, _ in scalars(self.folder)["loss"]}

    def number(self) -> int:
        steps = self.steps()
        newest = max(steps) // 10
        assert not [step for step in range(5) if step not in steps], sorted(steps)  # the first run was not killed
        assert steps >= set(range(10 * newest, max(steps))), sorted(steps)
        return newest


KINDS = {
    "safetensors": Tensors,
    "npz": Archive,
    "keras": Model,
    "h5": LegacyModel,
    "weights": Weights,
    "checkpoint": Checkpoint,
    "manager": Manager,
    "dataset": SavedDataset,
    "cached dataset": CachedDataset,
    "kernel": Kernel,
    "events": Events,
}


def each(module: str, function: str, folder: str, *arguments: Any) -> None:
    """Calls ``function(kind, folder, *arguments)`` for each kind of writer, in a folder of its own; prints what it returns."""
    called = getattr(importlib.import_module(f"tests.reliability.faults.{module}"), function)
    for kind in KINDS:
        place = Path(folder) / kind
        place.mkdir()
        print(kind, "begins", file=sys.stderr)
        print(kind, called(kind, str(place), *arguments), sep=": ")
        shutil.rmtree(place)


def counts(printed: str) -> dict[str, int]:
    """What ``each`` has printed."""
    return {kind: int(count) for kind, _, count in (line.partition(": ") for line in printed.splitlines())}
