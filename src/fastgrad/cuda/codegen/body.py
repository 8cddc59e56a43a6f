"""Names that kernel bodies for a GPU may use, beside the names of `kernels.codegen.body`.

Units of work are distributed to threads, or to blocks of threads that share the work. In the second case all threads of a
block run the body on the block's units. Each thread selects its part by its number.
"""

from __future__ import annotations

from fastgrad.kernels.codegen.body import Special

thread = Special("thread")
"""`thread()`: the number of this thread in its block."""

threads = Special("threads")
"""`threads()`: the number of threads in a block, a power of two."""

block = Special("block")
"""`block()`: the number of this block."""

blocks = Special("blocks")
"""`blocks()`: the number of blocks."""

shared_array = Special("shared_array", takes_type=True)
"""`shared_array(T, 32)`: a pointer to elements that the threads of a block share; the length is a literal."""

synchronize = Special("synchronize")
"""`synchronize()`: waits for all threads of the block; afterwards all of them see what each has written."""
