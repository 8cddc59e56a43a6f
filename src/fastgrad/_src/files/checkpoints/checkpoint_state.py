"""The state file ``checkpoint`` of a folder: it lists the checkpoints and names the newest one."""

from __future__ import annotations

import codecs
import json
import logging
import math
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core.argument_checks import checked_callable, checked_number, checked_path
from fastgrad._src.core.dtypes import DType, as_dtype
from fastgrad._src.core.errors import NotFoundError
from fastgrad._src.files.checkpoints.checkpoint import checkpoint_path
from fastgrad._src.files.checkpoints.tensorflow_checkpoint import (
    VALUE_SUFFIX,
    has_tensorflow_checkpoint,
    tensorflow_values,
)
from fastgrad._src.files.formats.atomic_write import write_atomically
from fastgrad._src.files.formats.tensor_file import load_tensors

_logger = logging.getLogger("fastgrad")
_FIELD_PATTERN = re.compile(r'\s*(\w+):\s*("[^"\\]*(?:\\.[^"\\]*)*"|[-+.\deE]+)\s*')


class CheckpointState(NamedTuple):
    """The contents of a checkpoint state file.

    Attributes:
        model_checkpoint_path: the newest checkpoint.
        all_model_checkpoint_paths: all checkpoints, oldest first.
        all_model_checkpoint_timestamps: their times of writing, in seconds since 1970.
        last_preserved_timestamp: the time of writing of the last checkpoint that is kept permanently.
    """

    model_checkpoint_path: str
    all_model_checkpoint_paths: tuple[str, ...]
    all_model_checkpoint_timestamps: tuple[float, ...] = ()
    last_preserved_timestamp: float = 0.0


def update_checkpoint_state(
    save_dir: str,
    model_checkpoint_path: str,
    all_model_checkpoint_paths: Sequence[str],
    timestamps: Sequence[float] = (),
    last_preserved: float | None = None,
) -> None:
    """Writes the state file; paths inside of ``save_dir`` are relative, so that the folder can be moved."""

    def text(path: str) -> str:
        relative = os.path.relpath(path, save_dir or ".")
        return json.dumps(path if os.path.isabs(path) and relative.startswith("..") else relative)

    lines = [f"model_checkpoint_path: {text(model_checkpoint_path)}"]
    lines += [f"all_model_checkpoint_paths: {text(path)}" for path in all_model_checkpoint_paths]
    lines += [f"all_model_checkpoint_timestamps: {timestamp!r}" for timestamp in timestamps]
    if last_preserved is not None:
        lines.append(f"last_preserved_timestamp: {last_preserved!r}")
    contents = ("\n".join(lines) + "\n").encode()
    write_atomically(os.path.join(save_dir, "checkpoint"), lambda file: file.write(contents))


def get_checkpoint_state(checkpoint_dir: Any, latest_filename: str | None = None) -> CheckpointState | None:
    """Reads the state file of a folder; None if there is no file, or if it is damaged (with a logged warning).

    Args:
        checkpoint_dir: the folder.
        latest_filename: the name of the state file; default: ``checkpoint``.

    Raises:
        ValueError: the file names no checkpoint.
        TypeError: ``checkpoint_dir`` or ``latest_filename`` is not a path.
    """
    folder = checked_path("get_checkpoint_state", "checkpoint_dir", checkpoint_dir)
    if latest_filename is not None:
        latest_filename = checked_path("get_checkpoint_state", "latest_filename", latest_filename)
    path = os.path.join(folder, latest_filename or "checkpoint")
    if not os.path.isfile(path):
        return None
    fields: dict[str, list[Any]] = {}
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                match = _FIELD_PATTERN.fullmatch(line)
                if match is None:
                    raise ValueError(f"it has the line {line!r}")
                fields.setdefault(match[1], []).append(_parsed_field_value(match[2]))
        timestamps = [float(timestamp) for timestamp in fields.get("all_model_checkpoint_timestamps", [])]
        last_preserved = float(fields.get("last_preserved_timestamp", [0.0])[-1])
        checkpoint_paths = [os.path.join(folder, name) for name in fields.get("all_model_checkpoint_paths", [])]
        newest_paths = [os.path.join(folder, name) for name in fields.get("model_checkpoint_path", [])]
    except (TypeError, ValueError) as error:  # includes UnicodeDecodeError
        _logger.warning("%s: Checkpoint ignored, this is no intact checkpoint state file: %s", path, error)
        return None
    if not newest_paths:
        raise ValueError(f"{path} names no checkpoint.")
    return CheckpointState(newest_paths[-1], tuple(checkpoint_paths), tuple(timestamps), last_preserved)


def _parsed_field_value(text: str) -> Any:
    """Parses a number, or a string with the escapes of protocol buffers' text format or of JSON."""
    if not text.startswith('"'):
        return float(text)
    unescaped = re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), text[1:-1])
    return codecs.escape_decode(unescaped.encode())[0].decode()


def latest_checkpoint(checkpoint_dir: Any, latest_filename: str | None = None) -> str | None:
    """Returns the newest checkpoint of a folder, None if there is none; arguments: see ``get_checkpoint_state``."""
    state = get_checkpoint_state(checkpoint_dir, latest_filename)
    if state is None:
        return None
    prefix = state.model_checkpoint_path
    if not os.path.exists(checkpoint_path(prefix)) and not has_tensorflow_checkpoint(prefix):
        return None
    return state.model_checkpoint_path


def checkpoints_iterator(
    checkpoint_dir: Any,
    min_interval_secs: float = 0,
    timeout: float | None = None,
    timeout_fn: Callable[[], Any] | None = None,
) -> Iterator[str]:
    """Yields the path of each new checkpoint of a folder, for a program that evaluates models while another one trains.

    It checks the folder once a second. It skips a checkpoint that is no longer the newest when the caller asks for the next one.

    Args:
        checkpoint_dir: the folder, which may not exist yet.
        min_interval_secs: the shortest time between two checkpoints, in seconds.
        timeout: how long to wait for a new checkpoint, in seconds. Default: without limit.
        timeout_fn: called after each ``timeout``; a true result ends the iteration. Default: the first timeout ends it.

    Raises:
        TypeError: ``checkpoint_dir`` is no path, a number is no number, or ``timeout_fn`` is not callable.
    """
    what = "checkpoints_iterator"
    folder = checked_path(what, "checkpoint_dir", checkpoint_dir)
    interval = checked_number(what, "min_interval_secs", min_interval_secs)
    limit = math.inf if timeout is None else checked_number(what, "timeout", timeout)
    if timeout_fn is not None:
        checked_callable(what, "timeout_fn", timeout_fn)

    def paths() -> Iterator[str]:
        path = None
        while True:
            new_path = _next_checkpoint(folder, path, limit)
            if new_path is None:
                if timeout_fn is None or timeout_fn():
                    return
                continue
            path, start = new_path, time.monotonic()
            yield path
            time.sleep(max(0.0, start + interval - time.monotonic()))

    return paths()


def _next_checkpoint(folder: str, path: str | None, limit: float) -> str | None:
    """Waits until the newest checkpoint of a folder is another than ``path``; returns None after ``limit`` seconds."""
    end = time.monotonic() + limit
    while (newest := latest_checkpoint(folder)) in (None, path):
        if time.monotonic() + _SECONDS_BETWEEN_LOOKS > end:
            return None
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    return newest


_SECONDS_BETWEEN_LOOKS = 1.0


def _load_checkpoint_values(ckpt_dir_or_file: Any) -> dict[str, np.ndarray]:
    path = checked_path("train", "ckpt_dir_or_file", ckpt_dir_or_file)
    if os.path.isdir(path):
        newest_path = latest_checkpoint(path)
        if newest_path is None:
            raise ValueError(f"Couldn't find a checkpoint in the folder {path}.")
        path = newest_path
    if has_tensorflow_checkpoint(path) and not os.path.exists(checkpoint_path(path)):
        return tensorflow_values(path)
    return load_tensors(checkpoint_path(path))[0]


def list_variables(ckpt_dir_or_file: Any) -> list[tuple[str, list[int]]]:
    """Returns the names and shapes in a checkpoint, or in the newest checkpoint of a folder."""
    return [(name, list(value.shape)) for name, value in sorted(_load_checkpoint_values(ckpt_dir_or_file).items())]


def load_variable(ckpt_dir_or_file: Any, name: str) -> np.ndarray:
    """Returns the value ``name`` of a checkpoint, or of the newest one of a folder; ValueError if it is missing."""
    reader = load_checkpoint(ckpt_dir_or_file)
    try:
        return reader.get_tensor(name)
    except NotFoundError as error:
        raise ValueError(str(error)) from None


class CheckpointReader:
    """The values of a checkpoint, by name; ``load_checkpoint`` makes it.

    The names of variables in checkpoints of TensorFlow end in ``/.ATTRIBUTES/VARIABLE_VALUE``; the end may be left out, or added to
    names of other checkpoints.
    """

    def __init__(self, values: dict[str, np.ndarray]) -> None:
        self._values = values

    def has_tensor(self, name: str) -> bool:
        """True if the checkpoint has a value ``name``."""
        return self._key(name) in self._values

    def _key(self, name: str) -> str:
        others = (name + VALUE_SUFFIX, name.removesuffix(VALUE_SUFFIX))
        return next((other for other in others if other in self._values), name)

    def get_tensor(self, name: str) -> np.ndarray:
        """Returns the value ``name``; raises NotFoundError if there is none."""
        if not self.has_tensor(name):
            raise NotFoundError(f"Key {name} not found in checkpoint; it has {sorted(self._values)}.")
        return self._values[self._key(name)]

    def get_variable_to_shape_map(self) -> dict[str, list[int]]:
        """Returns the shape of each value, by name."""
        return {name: list(value.shape) for name, value in self._values.items()}

    def get_variable_to_dtype_map(self) -> dict[str, DType]:
        """Returns the dtype of each value, by name."""
        return {name: as_dtype(value.dtype) for name, value in self._values.items()}


def load_checkpoint(ckpt_dir_or_file: Any) -> CheckpointReader:
    """Returns a reader of a checkpoint, or of the newest checkpoint of a folder; ValueError if the folder has none."""
    return CheckpointReader(_load_checkpoint_values(ckpt_dir_or_file))
