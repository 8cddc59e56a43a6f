"""Vector code for loops that add numbers in order.

A sum of floats has the bits of its order, so LLVM leaves a loop that has one without vector code on x86, with all else that the loop computes: exponentials,
differences, products. It can have the rest in the lanes of vectors and add these one after the other, with the same bits, as it does on other processors.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import llvmlite.binding as llvm

_OPTION = "-force-ordered-reductions"
_PROCESSORS = ("x86_64", "i386", "i686", "amd64")
"""Where LLVM leaves such loops alone, so that the option set back to false is what it is by default."""
_VERSIONS = range(20, 23)
"""The versions of LLVM that are known to have the option: one that lacks it would end the process."""


@contextlib.contextmanager
def vector_code(triple: str) -> Iterator[None]:
    """Lets LLVM vectorize loops that have sums in order, while Numba's lock is held: the option is one of the process.

    Args:
        triple: the processor that LLVM compiles for.
    """
    if not triple.startswith(_PROCESSORS) or llvm.llvm_version_info[0] not in _VERSIONS:
        yield
        return
    llvm.set_option("fastgrad", f"{_OPTION}=true")
    try:
        yield
    finally:
        llvm.set_option("fastgrad", f"{_OPTION}=false")
