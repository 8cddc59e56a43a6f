"""What an optimizer remembers: its step counter, its rate and its slots."""

from __future__ import annotations

import itertools

import numpy as np

from fastgrad.keras.weight import Weight
from fastgrad.placement import placed, placement
from fastgrad.recording import unheard
from fastgrad.tensor import Tensor
from fastgrad.variable import Variable, write

_ticks = itertools.count()
_ALL = 0x0101010101010101


class Reads:
    """Says when any optimizer's variable was read last: only then can a tensor share the memory of one."""

    last = 0


class OptimizerVariable(Weight):
    """State of an optimizer, a variable that tapes do not watch.

    Args:
        array: the first value; it becomes the variable's own memory.
        name: without a path.

    Attributes:
        rewritten: whether anybody but the optimizer's kernels has written to it since the optimizer last looked.
        live: of a slot of a table which rows may be other than zero, if that is known: a byte a row, in words of eight. Once
            anybody else writes to the slot, all may be.
    """

    _made_quietly = True

    def __init__(self, array: np.ndarray, name: str) -> None:
        super().__init__(np.zeros((), array.dtype), trainable=False, name=name)
        self._array = (
            placed(array) if placement.active else array
        )  # without a copy: the slot of a large table must not be there twice
        self.rewritten = False
        self.live: Variable | None = None

    def _read(self) -> Tensor:
        Reads.last = next(_ticks)
        return super()._read()

    def _share(self, tensor: Tensor) -> None:
        Reads.last = next(_ticks)
        super()._share(tensor)

    def _writable(self) -> np.ndarray:
        self.rewritten = True
        if self.live is not None:
            with unheard():
                write(self.live._writable(), np.full(self.live._array.shape, _ALL, np.uint64))
        return super()._writable()
