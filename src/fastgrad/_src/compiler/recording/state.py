"""Saved state: restores the variables that a call changed before it failed, or before it reached a guard."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from fastgrad._src.core.recording import call_unrecorded, hide_from_recorders
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.variable import Variable, write_to_memory, writer_lock


class SavedVariables:
    """Saved values of variables, which can be restored.

    A value is kept as a read of the variable. Other reads share it, and it is copied when the variable changes.
    """

    def __init__(self, variables: Iterable[Variable] = ()) -> None:
        self._values: dict[int, tuple[Variable, Tensor]] = {}
        for variable in variables:
            self.save(variable)

    def save(self, variable: Variable) -> None:
        """Saves a variable's value, unless it is saved already."""
        if id(variable) not in self._values:
            self._values[id(variable)] = variable, call_unrecorded(variable._read_as_stored)

    def restore(self) -> None:
        """Restores all saved values."""
        with hide_from_recorders(), writer_lock.lock:
            for variable, value in self._values.values():
                write_to_memory(variable._memory_for_write(), value._array)

    def current_values(self) -> SavedVariables:
        """Returns the present values of the variables whose values are saved."""
        return SavedVariables(variable for variable, _ in self._values.values())

    def items(self) -> Iterable[tuple[Variable, np.ndarray]]:
        """Returns each variable with its saved value."""
        return ((variable, value._array) for variable, value in self._values.values())
