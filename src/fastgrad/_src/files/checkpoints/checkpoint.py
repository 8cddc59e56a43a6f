"""``tf.train.Checkpoint``: saves the variables of objects to a file and restores them."""

from __future__ import annotations

import json
import os
import weakref
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import checked_path, refuse
from fastgrad._src.core.damaged_file import parser_errors_as_one
from fastgrad._src.core.errors import NotFoundError
from fastgrad._src.core.object_graph import (
    dict_of_unique_names,
    is_saved,
    nested_items,
    object_graph,
    parsed_nodes,
    saved_children,
)
from fastgrad._src.core.replicas import ALONE, ReplicaGroup, replica_group, replica_group_scope
from fastgrad._src.core.restoration import Restoration, restore_deferred_values, watch_containers
from fastgrad._src.core.variable import Variable
from fastgrad._src.files.checkpoints.tensorflow_checkpoint import (
    OBJECT_GRAPH,
    has_tensorflow_checkpoint,
    tensorflow_nodes,
    tensorflow_values,
)
from fastgrad._src.files.formats.json_text import parse_json
from fastgrad._src.files.formats.tensor_file import ENDINGS, load_tensors, save_tensors
from fastgrad._src.ops.replica_messages import average_on_read, common_values, run_on_first_replica

_OBJECT_GRAPH_KEY = "fastgrad.objects"
_UNSAVED_ATTRIBUTES = frozenset(["_deferred", "_replicas", "_root", "_save_counter"])


def checkpoint_path(prefix: Any) -> str:
    """Returns the file of the checkpoint ``prefix``; adds ``.safetensors`` unless it has a format ending."""
    path = checked_path("Checkpoint", "file_prefix", prefix)
    return path if path.endswith(ENDINGS) else path + ".safetensors"


class Checkpoint:
    """Saves and restores the variables of objects, named by their attribute path.

    Args:
        root: the root object, a weak reference to it, or None.
        **kwargs: objects by name: variables, modules, models, layers, optimizers, metrics, and lists, tuples and dicts of
            these; also dataset iterators, which continue at their position, ``tf.random.Generator`` and
            ``tf.train.RandomState``. They become attributes. Without a root, later attributes are saved too.

    In the scope of a strategy, all replicas call the methods. The first replica writes, and each reads. The number of replicas may
    differ between writing and reading. A checkpoint is one ``.safetensors`` file, written atomically. Training that resumes from a
    checkpoint of model, optimizer, iterator and random state gives the same bits as uninterrupted training. For this, call
    ``tf.config.experimental.enable_op_determinism()`` first, and build model and optimizer before the loop.

    Raises:
        ValueError: an object holds no variables; ``root`` uses a name of ``kwargs`` for another object.

    Example:
        >>> v = tf.Variable(1.0)
        >>> checkpoint = tf.train.Checkpoint(v=v)
        >>> path = checkpoint.save("training/point")
        >>> v.assign(5.0).numpy()
        np.float32(5.0)
        >>> status = checkpoint.restore(path)
        >>> v.numpy()
        np.float32(1.0)
    """

    def __init__(self, root: Any = None, **kwargs: Any) -> None:
        self._root = root
        self.__dict__["_replicas"] = replica_group()
        self._save_counter: Variable | None = None
        target = self._root_object()
        for name, value in {**({} if root is None else {"root": target}), **kwargs}.items():
            if not _is_trackable(value) or (name == "root" and isinstance(value, (list, tuple, dict))):
                refuse(self, f"was expecting {name} to be a trackable object: a variable, module, list ...", got=value)
        root_children = {} if target is self else saved_children(target)
        for name, value in kwargs.items():
            if root_children.get(name, value) is not value:
                raise ValueError(f"Checkpoint: no keyword argument {name} if root.{name} already exists.")
            setattr(self, name, value)

    def _root_object(self) -> Any:
        """Returns the root object of the checkpoint."""
        if self._root is None:
            return self
        return self._root() if isinstance(self._root, weakref.ref) else self._root

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, watch_containers(value, self))
        restore_deferred_values(self)

    def _saved_children(self) -> dict[str, Any]:
        """Returns the saved objects among the attributes, by name, and the save counter."""
        attributes = sorted(vars(self).keys() - _UNSAVED_ATTRIBUTES)
        children = dict_of_unique_names(
            item for name in attributes for item in nested_items(name, vars(self)[name], is_saved)
        )
        return children if self._save_counter is None else {**children, "save_counter": self._save_counter}

    def _saved_variables(self) -> dict[str, Variable]:
        return {}

    def _root_and_extra_children(self) -> tuple[Any, dict[str, Any]]:
        """Returns the root object, and its extra children by name."""
        target = self._root_object()
        return target, {} if target is self else self._saved_children()

    @property
    def save_counter(self) -> Variable:
        """The number of calls of ``save``: an int64 variable, saved with the others."""
        if self._save_counter is None:
            with replica_group_scope(ALONE):
                self._save_counter = Variable(np.int64(0), trainable=False, name="save_counter")
        return self._save_counter

    def _replica_group(self) -> ReplicaGroup:
        """Returns the replicas of the scope that made the checkpoint, or one of its objects."""
        groups = (
            getattr(obj, "_replicas", ALONE) for obj in (self, *object_graph(*self._root_and_extra_children()).objects)
        )
        return next((group for group in groups if group.size > 1), replica_group())

    def _values_and_object_graph(self) -> tuple[dict[str, np.ndarray], dict[str, str]]:
        """Returns the values by their names in the file, and the object graph as JSON."""
        graph, group = object_graph(*self._root_and_extra_children()), self._replica_group()
        variables = [obj for obj in graph.objects if isinstance(obj, Variable)]
        average_on_read(group, variables)
        values: dict[str, np.ndarray] = {}
        with common_values(group, variables, purpose="a checkpoint"):
            for obj, name, node in zip(graph.objects, graph.names, graph.nodes, strict=True):
                if isinstance(obj, Variable):
                    values[name] = obj._value_to_save()
                elif hasattr(obj, "saves_state"):
                    for part, value in obj.state().items():
                        node.values[part] = f"{name}/{part}"
                        values[node.values[part]] = value
        return values, {_OBJECT_GRAPH_KEY: json.dumps(graph.nodes, separators=(",", ":"))}

    def write(self, file_prefix: Any, options: Any = None) -> str:
        """Writes all variables.

        Args:
            file_prefix: the file; ``.safetensors`` is added unless it ends in that or in ``.npz``. Missing folders are created.
            options: kept for TensorFlow's signature.

        Returns:
            ``file_prefix``, for ``read`` and ``restore``.

        Raises:
            OSError: the file could not be written; an old file is unchanged.
        """
        self._write_file(file_prefix, *self._values_and_object_graph())
        return os.fspath(file_prefix)

    def _write_file(self, prefix: Any, values: dict[str, np.ndarray], texts: dict[str, str]) -> None:
        run_on_first_replica(self._replica_group(), lambda: _write_checkpoint_file(prefix, values, texts))

    def save(self, file_prefix: Any, options: Any = None) -> str:
        """Writes to ``file_prefix-1``, ``-2`` ..., and records the newest in the file ``checkpoint`` of the folder.

        Returns:
            The name with the number, for ``restore``.

        Raises:
            OSError: the file could not be written; ``save_counter`` has not changed.
        """
        from fastgrad._src.files.checkpoints.checkpoint_state import update_checkpoint_state

        path = self._save_numbered(file_prefix)
        run_on_first_replica(
            self._replica_group(), lambda: update_checkpoint_state(os.path.dirname(path), path, [path])
        )
        return path

    def _save_numbered(self, file_prefix: Any) -> str:
        """Writes the checkpoint with the next number and updates the counter; returns its name."""
        checkpoint_number = int(self.save_counter) + 1
        path = f"{checked_path('Checkpoint.save', 'file_prefix', file_prefix)}-{checkpoint_number}"
        values, graph = self._values_and_object_graph()
        self._write_file(path, {**values, "save_counter": np.array(checkpoint_number, np.int64)}, graph)
        self.save_counter.assign(checkpoint_number)
        return path

    def read(self, save_path: Any, options: Any = None) -> LoadStatus:
        """Restores the values that ``write`` wrote.

        Restoration is deferred for missing objects: layers and optimizers get their values when they are built, other
        objects when they become attributes of the checkpoint, of a module or of a layer, or items of a list or dict there.

        Args:
            save_path: the result of ``write`` or ``save``, of fastgrad or of TensorFlow. Objects of TensorFlow's checkpoints are matched
                by attribute names, and the layers of a model by their order.

        Returns:
            An object whose ``assert_consumed()`` checks that all variables and all values were matched.

        Raises:
            NotFoundError: the checkpoint does not exist.
            ValueError: the file is damaged, or a value and its variable differ in shape; nothing is changed.
            InvalidArgumentError: a value and its variable differ in dtype; nothing is changed.
        """
        path = checkpoint_path(save_path)
        prefix = checked_path("Checkpoint", "file_prefix", save_path)
        if not os.path.exists(path) and has_tensorflow_checkpoint(prefix):
            return self._read_tensorflow_checkpoint(prefix)
        if not os.path.exists(path):
            raise NotFoundError(
                f"Error when restoring from checkpoint at {os.fspath(save_path)}: there is no file {path}. "
                "Please double-check that the path is correct. You may be missing the checkpoint suffix "
                "(e.g. the '-1' in 'path/to/ckpt-1')."
            )
        values, metadata = load_tensors(path)
        with parser_errors_as_one(path, "checkpoint"):
            nodes = parsed_nodes(parse_json(metadata[_OBJECT_GRAPH_KEY])) if _OBJECT_GRAPH_KEY in metadata else None
        restoration = Restoration(values, nodes, path)
        restoration.bind(*self._root_and_extra_children())
        return LoadStatus(self, restoration)

    def _read_tensorflow_checkpoint(self, prefix: str) -> LoadStatus:
        target, extra_children = self._root_and_extra_children()
        nodes = tensorflow_nodes(prefix, target, extra_children)
        values = {name: value for name, value in tensorflow_values(prefix).items() if name != OBJECT_GRAPH}
        restoration = Restoration(values, nodes, prefix)
        restoration.bind(target, extra_children)
        return LoadStatus(self, restoration)

    def restore(self, save_path: Any, options: Any = None) -> LoadStatus:
        """Calls ``read`` and restores ``save_counter``; a path of None (no latest checkpoint) restores nothing."""
        if save_path is None:
            return LoadStatus(self, None)
        old_counter = self._save_counter
        _ = self.save_counter  # creates the counter, so that it is restored
        try:
            return self.read(save_path)
        except BaseException:
            self._save_counter = old_counter
            raise

    def sync(self) -> None:
        """Does nothing: writes are synchronous."""


def _is_trackable(obj: Any) -> bool:
    """True if ``obj`` may be an argument of ``Checkpoint``."""
    return isinstance(obj, (list, tuple, dict)) or is_saved(obj) or hasattr(obj, "get_concrete_function")


def _write_checkpoint_file(prefix: Any, values: dict[str, np.ndarray], texts: dict[str, str]) -> None:
    path = checkpoint_path(prefix)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    save_tensors(path, values, texts)


class LoadStatus:
    """The result of reading a checkpoint.

    Args:
        checkpoint: the ``Checkpoint`` that was read into.
        restoration: the values that were read; None if there was no checkpoint.
    """

    def __init__(self, checkpoint: Checkpoint, restoration: Restoration | None) -> None:
        self._checkpoint = checkpoint
        self._restoration = restoration

    def _restoration_or_error(self) -> Restoration:
        if self._restoration is None:
            raise AssertionError("No checkpoint specified (save_path=None); nothing is being restored.")
        return self._restoration

    def assert_consumed(self) -> LoadStatus:
        """Raises AssertionError if a value of the file or an existing variable is not matched yet."""
        unmatched_values = sorted(self._restoration_or_error().unmatched)
        if unmatched_values:
            raise AssertionError(f"Unresolved values, which no variable has, in the checkpoint: {unmatched_values}")
        return self.assert_existing_objects_matched()

    def assert_existing_objects_matched(self) -> LoadStatus:
        """Raises AssertionError if an existing variable has no value in the file."""
        restoration = self._restoration_or_error()
        graph = object_graph(*self._checkpoint._root_and_extra_children())
        unmatched = sorted(
            name
            for obj, name in zip(graph.objects, graph.names, strict=True)
            if isinstance(obj, Variable) and name != "save_counter" and not restoration.is_matched(obj)
        )
        if unmatched:
            raise AssertionError(
                f"Found {len(unmatched)} Python objects that were not bound to checkpointed values, likely due to changes in the "
                f"Python program: {unmatched}"
            )
        return self

    def assert_nontrivial_match(self) -> LoadStatus:
        """Raises AssertionError if the program has objects to restore and none of them is in the file."""
        restoration = self._restoration_or_error()
        matched_names = restoration.names - restoration.unmatched
        target, extra_children = self._checkpoint._root_and_extra_children()
        if not matched_names - {"save_counter"} and {**saved_children(target), **extra_children}.keys() - {
            "save_counter"
        }:
            raise AssertionError("Nothing except the checkpoint's own counter matched a checkpointed value.")
        return self

    def expect_partial(self) -> LoadStatus:
        """Disables the warning about unmatched values, which is logged when the restoration is deleted."""
        if self._restoration is not None:
            self._restoration.expect_partial()
        return self

    def initialize_or_restore(self, session: Any = None) -> None:
        """Does nothing: values are already restored."""

    def run_restore_ops(self, session: Any = None) -> None:
        """Does nothing: values are already restored."""
