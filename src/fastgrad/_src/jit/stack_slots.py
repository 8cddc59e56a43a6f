"""The slots of unused record stacks: memory of this process, which compiled code addresses by a symbol."""

from __future__ import annotations

import llvmlite.binding as llvm
import numpy as np

STACKS = 3
SLOTS_SYMBOL = "fastgrad_differentiation_tape_slots"
_SLOTS = np.zeros(STACKS, np.int64)


def register_symbols() -> None:
    """Makes the slots known to LLVM, before code that uses them is loaded."""
    llvm.add_symbol(SLOTS_SYMBOL, _SLOTS.ctypes.data)


register_symbols()
