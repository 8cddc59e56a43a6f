"""``tf.train.Checkpoint``: the variables of objects in a file, and back."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from fastgrad.errors import NotFoundError
from fastgrad.placement import moved
from fastgrad.storage.object_graph import (
    deliver,
    is_trackable,
    named_states,
    named_variables,
    own_children,
    own_variables,
)
from fastgrad.storage.tensor_file import ENDINGS, load_tensors, save_tensors
from fastgrad.variable import Variable


def file_of(prefix: Any) -> str:
    """The file that holds the checkpoint ``prefix``: itself if it has an ending that says a format."""
    path = os.fspath(prefix)
    return path if path.endswith(ENDINGS) else path + ".safetensors"


class Checkpoint:
    """Writes and reads the variables of objects, by the names of the attributes that lead to them.

    Args:
        root: an object whose variables stand at the top, or None.
        **kwargs: objects by name: variables, modules, models, layers, optimizers, metrics, and lists and dicts of them;
            also iterators of datasets, which go on from where they were, ``tf.random.Generator`` and
            ``tf.train.RandomState``. They become attributes.

    A checkpoint is one ``.safetensors`` file, written whole or not at all. A training that is stopped and goes on from one that
    has model, optimizer, iterator and random state gives the same bits as one that is not stopped, if it calls
    ``tf.config.experimental.enable_op_determinism()`` first, and builds model and optimizer before its loop.

    Raises:
        ValueError: an object that holds no variables.
    """

    def __init__(self, root: Any = None, **kwargs: Any) -> None:
        self._root = root
        self._objects: dict[str, Any] = {}
        self._save_counter: Variable | None = None
        for name, value in {**({} if root is None else {"root": root}), **kwargs}.items():
            if not is_trackable(value):
                raise ValueError(
                    f"`Checkpoint` was expecting {name} to be a trackable object (a variable, module, layer, optimizer, metric, or "
                    f"a list or dict of these), got {value!r}."
                )
        for name, value in kwargs.items():
            self._objects[name] = value
            setattr(self, name, value)

    def _saved_variables(self) -> dict[str, Variable]:
        found = {} if self._root is None else dict(own_variables(self._root))
        found.update({name: item for name, item in self._objects.items() if isinstance(item, Variable)})
        if self._save_counter is not None:
            found["save_counter"] = self._save_counter
        return found

    def _saved_children(self) -> dict[str, Any]:
        found = {} if self._root is None else dict(own_children(self._root))
        found.update({name: item for name, item in self._objects.items() if not isinstance(item, Variable)})
        return found

    @property
    def save_counter(self) -> Variable:
        """How often ``save`` has been called, an int64 variable that is saved with the rest."""
        if self._save_counter is None:
            self._save_counter = Variable(np.int64(0), trainable=False, name="save_counter")
        return self._save_counter

    def _values(self) -> dict[str, np.ndarray]:
        variables = named_variables(self, with_generators=True)
        values = {name: moved(variable._array, None) for name, variable in variables.items()}
        for prefix, holder in named_states(self).items():
            values.update({prefix + name: value for name, value in holder.state().items()})
        return values

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
        self._write(file_prefix, self._values())
        return os.fspath(file_prefix)

    def _write(self, prefix: Any, values: dict[str, np.ndarray]) -> None:
        path = file_of(prefix)
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        save_tensors(path, values, {})

    def save(self, file_prefix: Any, options: Any = None) -> str:
        """``write`` to ``file_prefix-1``, ``-2`` ..., noting the newest in the file ``checkpoint`` beside it.

        Returns:
            The name with the number, for ``restore``.

        Raises:
            OSError: the file could not be written; ``save_counter`` has not changed.
        """
        from fastgrad.train.checkpoint_state import update_checkpoint_state

        number = int(self.save_counter) + 1
        path = f"{os.fspath(file_prefix)}-{number}"
        self._write(path, {**self._values(), "save_counter": np.array(number, np.int64)})
        self.save_counter.assign(number)
        update_checkpoint_state(os.path.dirname(path), path, [path])
        return path

    def read(self, save_path: Any, options: Any = None) -> LoadStatus:
        """Gives the variables the values that ``write`` wrote.

        Layers and optimizers that have no variables yet get theirs when they are built.

        Args:
            save_path: what ``write`` or ``save`` returned.

        Returns:
            An object whose ``assert_consumed()`` checks that all variables and all values were matched.

        Raises:
            NotFoundError: there is no such checkpoint.
            ValueError: a damaged file, or a value of another shape or dtype than its variable; nothing has been changed.
        """
        path = file_of(save_path)
        if not os.path.exists(path):
            raise NotFoundError(
                f"Error when restoring from checkpoint at {os.fspath(save_path)}: there is no file {path}. "
                "Please double-check that the path is correct. You may be missing the checkpoint suffix "
                "(e.g. the '-1' in 'path/to/ckpt-1')."
            )
        values, _ = load_tensors(path)
        if "save_counter" in values:
            _ = self.save_counter  # made, so that it is restored
        deliver(self, values)
        return LoadStatus(self, values)

    def restore(self, save_path: Any, options: Any = None) -> LoadStatus:
        """``read``; None, as from ``latest_checkpoint`` where there is none, restores nothing."""
        return LoadStatus(self, {}) if save_path is None else self.read(save_path, options)

    def sync(self) -> None:
        """Waits until all is written, which it always is."""


class LoadStatus:
    """What came of reading a checkpoint.

    Args:
        checkpoint: the reader.
        values: the names and values that were read.
    """

    def __init__(self, checkpoint: Checkpoint, values: dict[str, np.ndarray]) -> None:
        self._checkpoint = checkpoint
        self._names = frozenset(values)

    def assert_consumed(self) -> LoadStatus:
        """Raises AssertionError if a value of the file or a variable has no counterpart by now."""
        states = tuple(named_states(self._checkpoint))
        unused = sorted(
            name
            for name in self._names - named_variables(self._checkpoint, with_generators=True).keys()
            if not name.startswith(states)
        )
        if unused:
            raise AssertionError(f"Unresolved values in the checkpoint, which no variable of the program has: {unused}")
        return self.assert_existing_objects_matched()

    def assert_existing_objects_matched(self) -> LoadStatus:
        """Raises AssertionError if a variable that exists by now has no value in the file."""
        unmatched = sorted(
            named_variables(self._checkpoint, with_generators=True).keys() - self._names - {"save_counter"}
        )
        if unmatched:
            raise AssertionError(
                f"Found {len(unmatched)} Python objects that were not bound to checkpointed values, likely due to changes in the "
                f"Python program: {unmatched}"
            )
        return self

    def assert_nontrivial_match(self) -> LoadStatus:
        """Raises AssertionError if nothing in the file has a counterpart."""
        if not self._names & (named_variables(self._checkpoint, with_generators=True).keys() - {"save_counter"}):
            raise AssertionError("Nothing except the checkpoint's own counter matched a checkpointed value.")
        return self

    def expect_partial(self) -> LoadStatus:
        """Says that values without a counterpart are expected; they are never warned of."""
        return self

    def initialize_or_restore(self, session: Any = None) -> None:
        """Nothing: values are restored already."""

    def run_restore_ops(self, session: Any = None) -> None:
        """Nothing: values are restored already."""
