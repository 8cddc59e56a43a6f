"""Vector code for loops that add numbers in order.

The bits of a sum of floats depend on the order. So on x86 LLVM does not vectorize a loop with such a sum, nor the other operations of the loop: exponentials,
differences, products. LLVM can compute these in the lanes of vectors and add the lanes one after the other, with the same bits, as it does on other processors.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import llvmlite.binding as llvm

from fastgrad._src.jit.numba_canaries import Feature
from fastgrad._src.jit.numba_features import is_on

_OPTION = "-force-ordered-reductions"
_PROCESSORS = ("x86_64", "i386", "i686", "amd64")
"""Where LLVM leaves such loops alone, so that the option set back to false is what it is by default."""


@contextlib.contextmanager
def vector_code(triple: str) -> Iterator[None]:
    """Lets LLVM vectorize loops that have sums in order, while Numba's lock is held: the option is one of the process.

    Args:
        triple: the processor that LLVM compiles for.
    """
    if not triple.startswith(_PROCESSORS) or not is_on(Feature.ORDERED_SUMS):
        yield
        return
    llvm.set_option("fastgrad", f"{_OPTION}=true")
    try:
        yield
    finally:
        llvm.set_option("fastgrad", f"{_OPTION}=false")
