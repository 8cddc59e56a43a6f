"""State as it was: what a call changed before it failed, or before it met a guard, is put back."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from fastgrad.recording import unheard
from fastgrad.tensor import Tensor
from fastgrad.variable import Variable, write, writing


class Saved:
    """Values of variables, to which they can go back.

    A value is kept as a reading of the variable, that whoever else has read it shares, and that is copied when the variable changes.
    """

    def __init__(self, variables: Iterable[Variable] = ()) -> None:
        self._values: dict[int, tuple[Variable, Tensor]] = {}
        for variable in variables:
            self.keep(variable)

    def keep(self, variable: Variable) -> None:
        """Saves a variable's value, unless it is saved already."""
        if id(variable) not in self._values:
            with unheard():
                self._values[id(variable)] = variable, variable._read_as_stored()

    def restore(self) -> None:
        """Puts all saved values back."""
        with unheard(), writing.lock:
            for variable, value in self._values.values():
                write(variable._writable(), value._array)

    def now(self) -> Saved:
        """The present values of the same variables."""
        return Saved(variable for variable, _ in self._values.values())

    def items(self) -> Iterable[tuple[Variable, np.ndarray]]:
        """Each variable with its saved value."""
        return ((variable, value._array) for variable, value in self._values.values())
