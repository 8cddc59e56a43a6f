"""``OptimizerVariable``: the step counter, the learning rate or a slot of an optimizer."""

from __future__ import annotations

import itertools

import numpy as np

from fastgrad._src.core.placement import move_to_selected_device, placement
from fastgrad._src.core.recording import hide_from_recorders
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.variable import Variable, write_to_memory
from fastgrad._src.keras.weight import Weight

_read_numbers = itertools.count()
_EIGHT_ROW_FLAGS_SET = 0x0101010101010101


class LastReadNumber:
    """The number of the last read of any optimizer's variable: only a read lets a tensor share a variable's memory."""

    last = 0


class OptimizerVariable(Weight):
    """State of an optimizer, a variable that tapes do not watch.

    Args:
        array: the initial value; it becomes the variable's own memory.
        name: the name, without a path.

    Attributes:
        rewritten: whether code other than the optimizer's kernels has written to it since the optimizer last checked.
        live: for a slot of a table: flags of the rows that may not be zero, one byte per row, in words of eight; None if unknown.
            A write by other code sets all flags.
    """

    _made_quietly = True

    def __init__(self, array: np.ndarray, name: str) -> None:
        super().__init__(np.zeros((), array.dtype), trainable=False, name=name)
        self._array = (
            move_to_selected_device(array) if placement.active else array
        )  # not copied: a large table's slot must not be in memory twice
        self.rewritten = False
        self.live: Variable | None = None

    def _read(self) -> Tensor:
        LastReadNumber.last = next(_read_numbers)
        return super()._read()

    def _register_view(self, tensor: Tensor) -> None:
        LastReadNumber.last = next(_read_numbers)
        super()._register_view(tensor)

    def _memory_for_write(self) -> np.ndarray:
        self.rewritten = True
        if self.live is not None:
            with hide_from_recorders():
                write_to_memory(
                    self.live._memory_for_write(), np.full(self.live._array.shape, _EIGHT_ROW_FLAGS_SET, np.uint64)
                )
        return super()._memory_for_write()
