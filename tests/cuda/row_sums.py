"""A kernel whose threads work together, for the tests of devices."""

from fastgrad._src.cuda.codegen.body import block_size, shared_array, thread_index
from fastgrad._src.cuda.codegen.kernel import device_kernel
from fastgrad._src.cuda.kernels.block_reductions import BLOCK_REDUCTIONS

block_sum = BLOCK_REDUCTIONS["sum"]


@device_kernel("x: in[T], sums: out[T], columns: int, first: int, last: int", T=("float32", "float64"))
def sum_rows(x, sums, columns, first, last):
    parts = shared_array(T, 256)
    for row in range(first, last):
        total = T(0)
        for column in range(thread_index(), columns, block_size()):
            total += x[row * columns + column]
        total = block_sum(total, parts)
        if thread_index() == 0:
            sums[row] = total
