"""The file ``checkpoint`` of a folder: which checkpoints there are, and which is the newest."""

from __future__ import annotations

import codecs
import json
import logging
import os
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastgrad.argument_checks import checked_path
from fastgrad.storage.atomic_write import write_atomically
from fastgrad.storage.tensor_file import load_tensors
from fastgrad.train.checkpoint import file_of

_logger = logging.getLogger("fastgrad")
_LINE = re.compile(r'\s*(\w+):\s*("[^"\\]*(?:\\.[^"\\]*)*"|[-+.\deE]+)\s*')


class CheckpointState(NamedTuple):
    """What the file says.

    Attributes:
        model_checkpoint_path: the newest checkpoint.
        all_model_checkpoint_paths: all of them, oldest first.
        all_model_checkpoint_timestamps: when they were written, in seconds since 1970.
        last_preserved_timestamp: when the last one was written that is kept for good.
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
    """Writes the file; paths inside the folder are written relative to it, so that it can be moved."""

    def text(path: str) -> str:
        relative = os.path.relpath(path, save_dir or ".")
        return json.dumps(path if os.path.isabs(path) and relative.startswith("..") else relative)

    lines = [f"model_checkpoint_path: {text(model_checkpoint_path)}"]
    lines += [f"all_model_checkpoint_paths: {text(path)}" for path in all_model_checkpoint_paths]
    lines += [f"all_model_checkpoint_timestamps: {stamp!r}" for stamp in timestamps]
    if last_preserved is not None:
        lines.append(f"last_preserved_timestamp: {last_preserved!r}")
    contents = ("\n".join(lines) + "\n").encode()
    write_atomically(os.path.join(save_dir, "checkpoint"), lambda file: file.write(contents))


def get_checkpoint_state(checkpoint_dir: Any, latest_filename: str | None = None) -> CheckpointState | None:
    """What the file ``checkpoint`` of a folder says, None if there is none, or, with a logged warning, if it is damaged.

    Args:
        checkpoint_dir: the folder.
        latest_filename: another name of the file.

    Raises:
        ValueError: it names no checkpoint.
        TypeError: ``checkpoint_dir`` or ``latest_filename`` is no path.
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
                match = _LINE.fullmatch(line)
                if match is None:
                    raise ValueError(f"it has the line {line!r}")
                fields.setdefault(match[1], []).append(_value(match[2]))
        stamps = [float(stamp) for stamp in fields.get("all_model_checkpoint_timestamps", [])]
        preserved = float(fields.get("last_preserved_timestamp", [0.0])[-1])
        names = [os.path.join(folder, name) for name in fields.get("all_model_checkpoint_paths", [])]
        newest = [os.path.join(folder, name) for name in fields.get("model_checkpoint_path", [])]
    except (TypeError, ValueError) as error:  # UnicodeDecodeError is one
        _logger.warning("%s: Checkpoint ignored, this is no intact checkpoint state file: %s", path, error)
        return None
    if not newest:
        raise ValueError(f"{path} names no checkpoint.")
    return CheckpointState(newest[-1], tuple(names), tuple(stamps), preserved)


def _value(text: str) -> Any:
    """A number, or a string with the escapes of protocol buffers' text format or of JSON."""
    if not text.startswith('"'):
        return float(text)
    plain = re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), text[1:-1])
    return codecs.escape_decode(plain.encode())[0].decode()


def latest_checkpoint(checkpoint_dir: Any, latest_filename: str | None = None) -> str | None:
    """The newest checkpoint in a folder, for ``Checkpoint.restore``; None if there is none. Arguments as above."""
    state = get_checkpoint_state(checkpoint_dir, latest_filename)
    if state is None or not os.path.exists(file_of(state.model_checkpoint_path)):
        return None
    return state.model_checkpoint_path


def _load(ckpt_dir_or_file: Any) -> dict[str, np.ndarray]:
    path = checked_path("train", "ckpt_dir_or_file", ckpt_dir_or_file)
    if os.path.isdir(path):
        newest = latest_checkpoint(path)
        if newest is None:
            raise ValueError(f"Couldn't find a checkpoint in the folder {path}.")
        path = newest
    return load_tensors(file_of(path))[0]


def list_variables(ckpt_dir_or_file: Any) -> list[tuple[str, list[int]]]:
    """The names and shapes in a checkpoint, or in the newest of a folder."""
    return [(name, list(value.shape)) for name, value in sorted(_load(ckpt_dir_or_file).items())]


def load_variable(ckpt_dir_or_file: Any, name: str) -> np.ndarray:
    """The value of one name in a checkpoint, or in the newest of a folder; ValueError if it is not there."""
    values = _load(ckpt_dir_or_file)
    if name not in values:
        raise ValueError(f"The checkpoint has no {name!r}; it has {sorted(values)}.")
    return values[name]
