"""Backward passes that repeat: a tape with a known structure runs a native program instead of its gradient rules.

The structure of a tape is all that its backward pass depends on but the numbers in its tensors. A structure that comes
often gets a program (``compiler.dispatch.backward_program.py``). Its results have the bits of ``backward_pass``: it runs
the same operations, one by one.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad.core import settings_version
from fastgrad.core.backward import TapeEntry, backward_pass
from fastgrad.core.dispatch import dispatchers
from fastgrad.core.operation import Form
from fastgrad.core.recording import recorders
from fastgrad.core.tensor import Tensor

RUNS_BEFORE_PROGRAM = 16
"""The number of backward passes of one structure by its gradient rules, before it gets a program."""

MOST_ENTRIES = 2000
"""The most entries of a tape with a program."""

MOST_STRUCTURES = 256
"""The most structures that are counted or have programs."""

MOST_ARENA_BYTES = 512 << 20
"""The most working memory of all programs."""

Program = Callable[[list[Tensor]], list[Any]]

_FLOATS = frozenset([float, complex, tuple, list])
"""Types of attributes that are floats, or may have floats in them."""


class _Programs:
    """What is known of structures: the number of their runs, or their programs; in the order of their first runs."""

    def __init__(self) -> None:
        self.known: dict[tuple[Any, ...] | None, int | Program] = {}
        self.arena_bytes = 0

    def count_run(self, structure: tuple[Any, ...], runs: int) -> None:
        self.known[structure] = runs + 1
        if len(self.known) > MOST_STRUCTURES:
            self.clear()

    def add(self, structure: tuple[Any, ...], program: Program, arena_bytes: int) -> None:
        if self.arena_bytes + arena_bytes > MOST_ARENA_BYTES:
            self.clear()
        self.known[structure] = program
        self.arena_bytes += arena_bytes

    def clear(self) -> None:
        """Forgets all structures."""
        self.known, self.arena_bytes = {}, 0


programs = _Programs()


def gradients_of_tape(entries: list[TapeEntry], targets: list[Tensor], keys: list[list[int]]) -> list[Any]:
    """Returns what ``backward_pass`` returns for weights of ones, by a program if the structure has one; arguments as there."""
    if recorders.active or dispatchers or len(entries) > MOST_ENTRIES:
        return backward_pass(entries, targets, keys)
    tensors: list[Tensor] = []
    structure = _structure_of(entries, targets, keys, tensors)
    try:
        known = programs.known.get(structure, 0)
    except TypeError:  # an attribute without a hash
        structure = None
    if structure is None:
        return backward_pass(entries, targets, keys)
    if type(known) is int:
        if known < RUNS_BEFORE_PROGRAM:
            programs.count_run(structure, known)
            return backward_pass(entries, targets, keys)
        maker = importlib.import_module("fastgrad.compiler.dispatch.backward_program")
        known, arena_bytes = maker.make_backward_program(entries, targets, keys, tensors)
        programs.add(structure, known, arena_bytes)
    try:
        return known(tensors)  # type: ignore[operator]
    except Exception:  # noqa: BLE001  # the gradient rules raise the error that users know
        return backward_pass(entries, targets, keys)


def _structure_of(
    entries: list[TapeEntry], targets: list[Tensor], keys: list[list[int]], tensors: list[Tensor]
) -> tuple[Any, ...] | None:
    """Returns the structure of a tape, and appends its tensors to ``tensors``; None for a tape that no program takes."""
    numbers: dict[int, int] = {}
    parts: list[Any] = [settings_version.change_count[0]]
    for operation, inputs, outputs, attributes in entries:
        parts.append(operation)
        for x in inputs:
            key = id(x)
            if key not in numbers:
                numbers[key] = len(tensors)
                tensors.append(x)
                array = x._array
                if type(array) is not np.ndarray:
                    return None
                parts.append(array.dtype)
                parts.append(array.shape)
            parts.append(numbers[key])
        if operation.form is Form.ELEMENTWISE and id(outputs[0]) not in numbers:  # its result follows from its inputs
            numbers[id(outputs[0])] = len(tensors)
            tensors.append(outputs[0])
        else:
            for y in outputs:
                key = id(y)
                if key not in numbers:
                    numbers[key] = len(tensors)
                    tensors.append(y)
                    parts.append(y._array.dtype)
                    parts.append(y._array.shape)
                parts.append(numbers[key])
        if attributes:
            values = attributes.values()
            # 0.0 equals -0.0, and NaN does not equal itself.
            parts += values if _FLOATS.isdisjoint(map(type, values)) else map(repr, values)
    for target in targets:
        if id(target) not in numbers:
            return None
        parts.append(numbers[id(target)])
    for source in keys:  # a source that is not in the record has no gradient
        parts.append(tuple([numbers.get(key) for key in source]))
    return tuple(parts)
