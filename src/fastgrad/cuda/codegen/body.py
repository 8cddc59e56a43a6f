"""What bodies of kernels for a GPU may use beside the names of `kernels.codegen.body`.

A kernel's units of work are dealt out to threads, or, where threads work together, to blocks of them. Then all threads of a
block run the body on the block's units, and each takes its part by its number.
"""

from __future__ import annotations

from fastgrad.kernels.codegen.body import Special

WARP = 32
"""How many threads there are in a warp, which `shuffle_` functions exchange numbers in."""

thread = Special("thread")
"""`thread()`: the number of this thread in its block."""

threads = Special("threads")
"""`threads()`: how many threads a block has, a multiple of `WARP`."""

block = Special("block")
"""`block()`: the number of this block."""

blocks = Special("blocks")
"""`blocks()`: how many blocks there are."""

shared_array = Special("shared_array", takes_type=True)
"""`shared_array(T, 32)`: a pointer to elements that the threads of a block share; the length is a literal."""

synchronize = Special("synchronize")
"""`synchronize()`: waits until all threads of the block are here; what they have written is seen by all."""

shuffle_xor = Special("shuffle_xor")
"""`shuffle_xor(x, n)`: the x, a float or a signed integer of 32 or 64 bits, of the thread whose number in the warp is this one's, with the bits of n flipped."""

shuffle_down = Special("shuffle_down")
"""`shuffle_down(x, n)`: the x of the thread n further on in the warp; this thread's own where there is none."""

load_aligned = Special("load_aligned")
"""`load_aligned(x, i)`: x[i], which lies at a multiple of 128 bits: what the compiler does not find out where x is shared memory. With
its neighbours, which are read as usual, it is one access."""

store_aligned = Special("store_aligned")
"""`store_aligned(x, i, value)`: writes x[i], likewise."""
