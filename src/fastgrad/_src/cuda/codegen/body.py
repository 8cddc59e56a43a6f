"""Names that kernel bodies for a GPU may use, in addition to the names of `jit.body`.

Units of work are distributed to threads, or to blocks of threads that share the work. In the second case all threads of a
block run the body on the block's units. Each thread selects its part by its number.
"""

from __future__ import annotations

from fastgrad._src.jit.body import Special

thread_index = Special("thread_index")
"""`thread_index()`: the number of this thread in its block."""

block_size = Special("block_size")
"""`block_size()`: the number of threads in a block, a power of two."""

block_index = Special("block_index")
"""`block_index()`: the number of this block."""

grid_size = Special("grid_size")
"""`grid_size()`: the number of blocks."""

shared_array = Special("shared_array", takes_type=True)
"""`shared_array(T, 32)`: a pointer to elements that the threads of a block share; the length is a literal."""

synchronize = Special("synchronize")
"""`synchronize()`: waits for all threads of the block; afterwards all of them see what each has written."""
