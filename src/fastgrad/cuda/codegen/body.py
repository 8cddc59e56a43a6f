"""Names that kernel bodies for a GPU may use, beside the names of `kernels.codegen.body`.

Units of work are distributed to threads, or to blocks of threads that share the work. In the second case all threads of a
block run the body on the block's units. Each thread selects its part by its number.
"""

from __future__ import annotations

from fastgrad.kernels.codegen.body import Special

WARP = 32
"""The number of threads in a warp; `shuffle_xor` exchanges numbers in a warp."""

thread = Special("thread")
"""`thread()`: the number of this thread in its block."""

threads = Special("threads")
"""`threads()`: the number of threads in a block, a multiple of `WARP`."""

block = Special("block")
"""`block()`: the number of this block."""

blocks = Special("blocks")
"""`blocks()`: the number of blocks."""

shared_array = Special("shared_array", takes_type=True)
"""`shared_array(T, 32)`: a pointer to elements that the threads of a block share; the length is a literal."""

synchronize = Special("synchronize")
"""`synchronize()`: waits for all threads of the block; afterwards all of them see what each has written."""

shuffle_xor = Special("shuffle_xor")
"""`shuffle_xor(x, n)`: the `x` of another thread of the warp: this thread's number with the bits of n flipped.

`x` is a float or a signed integer of 32 or 64 bits.
"""

load_aligned = Special("load_aligned")
"""`load_aligned(x, i)`: x[i], at a multiple of 128 bits, which the compiler can't see if x is shared memory.

With the usual loads of its neighbours it is one access.
"""

store_aligned = Special("store_aligned")
"""`store_aligned(x, i, value)`: writes x[i], at a multiple of 128 bits, as `load_aligned` reads it."""
