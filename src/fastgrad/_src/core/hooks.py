"""Hooks: calls from a lower package to a higher one. The higher package registers a module; the hook's first use imports the module."""

from __future__ import annotations

import enum
import importlib
from typing import Any


class Hook(enum.Enum):
    """What a package below asks for.

    Attributes:
        GPUS: the devices there are, and their arrays.
        LARGE_ELEMENTWISE: kernels of an element-wise operation on large arrays, for all threads.
        BACKWARD_PROGRAMS: a backward pass as a program.
        FORWARD_PROGRAMS: a forward pass as programs.
        ROWS_AT_ONCE: a function of a row as one of all rows.
        CONTROL_FLOW: branches and loops of a recording.
        OUTLINES: the recording of a function for a file.
        TENSORFLOW_MODELS: the reader of TensorFlow's SavedModels.
    """

    GPUS = enum.auto()
    LARGE_ELEMENTWISE = enum.auto()
    BACKWARD_PROGRAMS = enum.auto()
    FORWARD_PROGRAMS = enum.auto()
    ROWS_AT_ONCE = enum.auto()
    CONTROL_FLOW = enum.auto()
    OUTLINES = enum.auto()
    TENSORFLOW_MODELS = enum.auto()


_modules: dict[Hook, str] = {}


def register(hook: Hook, module: str) -> None:
    """Sets the module of a hook: its dotted name."""
    _modules[hook] = module


def module_of(hook: Hook) -> Any:
    """Returns the module of a hook, after its import."""
    return importlib.import_module(_modules[hook])
