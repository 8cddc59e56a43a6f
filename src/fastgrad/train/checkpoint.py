"""``tf.train.Checkpoint``: the variables of objects in a file, and back."""

from __future__ import annotations

import json
import os
import weakref
from typing import Any

import numpy as np

from fastgrad.argument_checks import checked_path
from fastgrad.errors import NotFoundError
from fastgrad.placement import moved
from fastgrad.storage.damaged_file import parsing
from fastgrad.storage.json_text import parse_json
from fastgrad.storage.object_graph import by_name, edges, is_saved, items_within, nodes_of, object_graph
from fastgrad.storage.restoration import Restoration, settle, watched
from fastgrad.storage.tensor_file import ENDINGS, load_tensors, save_tensors
from fastgrad.variable import Variable

_GRAPH = "fastgrad.objects"
_ASIDE = frozenset(["_deferred", "_root", "_save_counter"])


def file_of(prefix: Any) -> str:
    """The file that holds the checkpoint ``prefix``: itself if it has an ending that says a format."""
    path = checked_path("Checkpoint", "file_prefix", prefix)
    return path if path.endswith(ENDINGS) else path + ".safetensors"


class Checkpoint:
    """Writes and reads the variables of objects, by the names of the attributes that lead to them.

    Args:
        root: an object whose variables stand at the top, or a weak reference to it, or None.
        **kwargs: objects by name: variables, modules, models, layers, optimizers, metrics, and lists, tuples and dicts of them;
            also iterators of datasets, which go on from where they were, ``tf.random.Generator`` and
            ``tf.train.RandomState``. They become attributes. Without a root, attributes that are set later count as well.

    A checkpoint is one ``.safetensors`` file, written whole or not at all. A training that is stopped and goes on from one that
    has model, optimizer, iterator and random state gives the same bits as one that is not stopped, if it calls
    ``tf.config.experimental.enable_op_determinism()`` first, and builds model and optimizer before its loop.

    Raises:
        ValueError: an object that holds no variables; a name that ``root`` has for another object.
    """

    def __init__(self, root: Any = None, **kwargs: Any) -> None:
        self._root = root
        self._save_counter: Variable | None = None
        target = self._target()
        for name, value in {**({} if root is None else {"root": target}), **kwargs}.items():
            if not _is_trackable(value) or (name == "root" and isinstance(value, (list, tuple, dict))):
                raise ValueError(
                    f"`Checkpoint` was expecting {name} to be a trackable object (a variable, module, layer, optimizer, metric, or "
                    f"a list or dict of these), got {value!r}."
                )
        held = {} if target is self else edges(target)
        for name, value in kwargs.items():
            if held.get(name, value) is not value:
                raise ValueError(
                    f"Cannot create a Checkpoint with keyword argument {name} if root.{name} already exists."
                )
            setattr(self, name, value)

    def _target(self) -> Any:
        """The object at the top."""
        if self._root is None:
            return self
        return self._root() if isinstance(self._root, weakref.ref) else self._root

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, watched(value, self))
        settle(self)

    def _saved_children(self) -> dict[str, Any]:
        """What the attributes hold, by name, and the counter."""
        attributes = sorted(vars(self).keys() - _ASIDE)
        found = by_name(item for name in attributes for item in items_within(name, vars(self)[name], is_saved))
        return found if self._save_counter is None else {**found, "save_counter": self._save_counter}

    def _saved_variables(self) -> dict[str, Variable]:
        return {}

    def _roots(self) -> tuple[Any, dict[str, Any]]:
        """The object at the top, and what stands beside it there."""
        target = self._target()
        return target, {} if target is self else self._saved_children()

    @property
    def save_counter(self) -> Variable:
        """How often ``save`` has been called, an int64 variable that is saved with the rest."""
        if self._save_counter is None:
            self._save_counter = Variable(np.int64(0), trainable=False, name="save_counter")
        return self._save_counter

    def _contents(self) -> tuple[dict[str, np.ndarray], dict[str, str]]:
        """The values by their names in the file, and the object graph."""
        graph = object_graph(*self._roots())
        values: dict[str, np.ndarray] = {}
        for obj, name, node in zip(graph.objects, graph.names, graph.nodes, strict=True):
            if isinstance(obj, Variable):
                values[name] = moved(obj._array, None)
            elif hasattr(obj, "saves_state"):
                for part, value in obj.state().items():
                    node.values[part] = f"{name}/{part}"
                    values[node.values[part]] = value
        return values, {_GRAPH: json.dumps(graph.nodes, separators=(",", ":"))}

    def write(self, file_prefix: Any, options: Any = None) -> str:
        """Writes all variables.

        Args:
            file_prefix: the file, ``.safetensors`` being added unless it ends so or in ``.npz``. Missing folders are made.
            options: kept for TensorFlow's signature, here and below.

        Returns:
            ``file_prefix``, for ``read`` and ``restore``.

        Raises:
            OSError: the file could not be written; an old one is untouched.
        """
        _write(file_prefix, *self._contents())
        return os.fspath(file_prefix)

    def save(self, file_prefix: Any, options: Any = None) -> str:
        """``write`` to ``file_prefix-1``, ``-2`` ..., noting the newest in the file ``checkpoint`` beside it.

        Returns:
            The name with the number, for ``restore``.

        Raises:
            OSError: the file could not be written; ``save_counter`` has not changed.
        """
        from fastgrad.train.checkpoint_state import update_checkpoint_state

        path = self._save_next(file_prefix)
        update_checkpoint_state(os.path.dirname(path), path, [path])
        return path

    def _save_next(self, file_prefix: Any) -> str:
        """Writes the checkpoint of the next number, and counts it; returns its name."""
        number = int(self.save_counter) + 1
        path = f"{checked_path('Checkpoint.save', 'file_prefix', file_prefix)}-{number}"
        values, graph = self._contents()
        _write(path, {**values, "save_counter": np.array(number, np.int64)}, graph)
        self.save_counter.assign(number)
        return path

    def read(self, save_path: Any, options: Any = None) -> LoadStatus:
        """Gives the variables the values that ``write`` wrote.

        What is not there yet gets its values when it is added: layers and optimizers when they are built, objects when they are set as
        attributes of the checkpoint, of a module or of a layer, or put into a list or dict among these.

        Args:
            save_path: what ``write`` or ``save`` returned.

        Returns:
            An object whose ``assert_consumed()`` checks that all variables and all values were matched.

        Raises:
            NotFoundError: there is no such checkpoint.
            ValueError: a damaged file, or a value of another shape than its variable; nothing has been changed.
            InvalidArgumentError: a value of another dtype; nothing has been changed.
        """
        path = file_of(save_path)
        if not os.path.exists(path):
            raise NotFoundError(
                f"Error when restoring from checkpoint at {os.fspath(save_path)}: there is no file {path}. "
                "Please double-check that the path is correct. You may be missing the checkpoint suffix "
                "(e.g. the '-1' in 'path/to/ckpt-1')."
            )
        values, texts = load_tensors(path)
        with parsing(path, "checkpoint"):
            nodes = nodes_of(parse_json(texts[_GRAPH])) if _GRAPH in texts else None
        restoration = Restoration(values, nodes, path)
        restoration.bind(*self._roots())
        return LoadStatus(self, restoration)

    def restore(self, save_path: Any, options: Any = None) -> LoadStatus:
        """``read``, and ``save_counter``; None, as from ``latest_checkpoint`` where there is none, restores nothing."""
        if save_path is None:
            return LoadStatus(self, None)
        counter = self._save_counter
        _ = self.save_counter  # made, so that it is restored
        try:
            return self.read(save_path)
        except BaseException:
            self._save_counter = counter
            raise

    def sync(self) -> None:
        """Waits until all is written, which it always is."""


def _is_trackable(obj: Any) -> bool:
    """True for what may be an argument of ``Checkpoint``."""
    return isinstance(obj, (list, tuple, dict)) or is_saved(obj) or hasattr(obj, "get_concrete_function")


def _write(prefix: Any, values: dict[str, np.ndarray], texts: dict[str, str]) -> None:
    path = file_of(prefix)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    save_tensors(path, values, texts)


class LoadStatus:
    """What came of reading a checkpoint.

    Args:
        checkpoint: the reader.
        restoration: the values that were read; None if there was no checkpoint.
    """

    def __init__(self, checkpoint: Checkpoint, restoration: Restoration | None) -> None:
        self._checkpoint = checkpoint
        self._restoration = restoration

    def _checked(self) -> Restoration:
        if self._restoration is None:
            raise AssertionError("No checkpoint specified (save_path=None); nothing is being restored.")
        return self._restoration

    def assert_consumed(self) -> LoadStatus:
        """Raises AssertionError if a value of the file or a variable has no counterpart by now."""
        unused = sorted(self._checked().unmatched)
        if unused:
            raise AssertionError(f"Unresolved values in the checkpoint, which no variable of the program has: {unused}")
        return self.assert_existing_objects_matched()

    def assert_existing_objects_matched(self) -> LoadStatus:
        """Raises AssertionError if a variable that exists by now has no value in the file."""
        restoration = self._checked()
        graph = object_graph(*self._checkpoint._roots())
        unmatched = sorted(
            name
            for obj, name in zip(graph.objects, graph.names, strict=True)
            if isinstance(obj, Variable) and name != "save_counter" and not restoration.has_bound(obj)
        )
        if unmatched:
            raise AssertionError(
                f"Found {len(unmatched)} Python objects that were not bound to checkpointed values, likely due to changes in the "
                f"Python program: {unmatched}"
            )
        return self

    def assert_nontrivial_match(self) -> LoadStatus:
        """Raises AssertionError if the program holds something and nothing of it is in the file."""
        restoration = self._checked()
        matched = restoration.names - restoration.unmatched
        target, more = self._checkpoint._roots()
        if not matched - {"save_counter"} and {**edges(target), **more}.keys() - {"save_counter"}:
            raise AssertionError("Nothing except the checkpoint's own counter matched a checkpointed value.")
        return self

    def expect_partial(self) -> LoadStatus:
        """Turns off the warning, written when the checkpoint is deleted, of values without a counterpart."""
        if self._restoration is not None:
            self._restoration.expect_partial()
        return self

    def initialize_or_restore(self, session: Any = None) -> None:
        """Nothing: values are restored already."""

    def run_restore_ops(self, session: Any = None) -> None:
        """Nothing: values are restored already."""
