"""Rows of a table: gathered, added to, and summed where an index repeats. A table is (limit, width)."""

from numpy import int64

from fastgrad.kernels.building.body import AHEAD, LINE, local_array, prefetch, scalar_function
from fastgrad.kernels.building.build import kernel
from fastgrad.kernels.functions.vector_math import least

FLOATS = ("float32", "float64")
INDICES = ("int32", "int64")


@scalar_function
def first_bad_index(ids, rows, limit):
    """The position of the first index outside [0, limit), else -1."""
    for k in range(rows):
        if ids[k] < 0 or ids[k] >= limit:
            return k
    return -1


@kernel(
    "table: in[T], ids: in[I], out: out[T], rows: int, width: int, limit: int -> int", T=FLOATS, I=INDICES, noalias=True
)
def gather_rows(table, ids, out, rows, width, limit):
    """out[k] = table[ids[k]]. Returns the position of the first bad index, having done nothing, else -1."""
    bad = first_bad_index(ids, rows, limit)
    if bad >= 0:
        return bad
    for k in range(rows):
        ahead = ids[least(k + AHEAD, rows - 1)] * width
        for j in range(0, width, LINE):
            prefetch(table, ahead + j)
        at = ids[k] * width
        for j in range(width):
            out[k * width + j] = table[at + j]
    return -1


@kernel("table: inout[T], ids: in[I], values: in[T], rows: int, width: int, limit: int -> int", T=FLOATS, I=INDICES)
def add_rows(table, ids, values, rows, width, limit):
    """table[ids[k]] += values[k], in order. Returns the position of the first bad index, having done nothing, else -1."""
    bad = first_bad_index(ids, rows, limit)
    if bad >= 0:
        return bad
    for k in range(rows):
        at = ids[k] * width
        for j in range(width):
            table[at + j] += values[k * width + j]
    return -1


@kernel(
    "table: inout[T], sums: in[T], ids: in[I], number: in[int64], limit: int, width: int, first: int, last: int",
    T=FLOATS,
    I=INDICES,
    noalias=True,
)
def add_summed_rows(table, sums, ids, number, limit, width, first, last):
    """table[ids[k]] += sums[k] for k in [first, last) below `number`, with what `sum_rows` gives."""
    for k in range(first, least(last, number[0])):
        if ids[k] >= 0 and ids[k] < limit:
            at = ids[k] * width
            for j in range(width):
                table[at + j] += sums[k * width + j]


@scalar_function
def sort_ids(ids, order, spare, rows, limit):
    """A stable argsort of ids in [0, limit), by digits of 11 bits."""
    counts = local_array(int64, 2048)
    passes = 1
    while passes < 6 and ((limit - 1) >> (11 * passes)) > 0:
        passes += 1
    source, target = order, spare
    if passes % 2 == 1:
        source, target = spare, order
    for k in range(rows):
        source[k] = k
    for digit in range(passes):
        for d in range(2048):
            counts[d] = 0
        for k in range(rows):
            counts[(ids[k] >> (11 * digit)) & 2047] += 1
        start = 0
        for d in range(2048):
            here = counts[d]
            counts[d] = start
            start += here
        for k in range(rows):
            at = source[k]
            d = (ids[at] >> (11 * digit)) & 2047
            target[counts[d]] = at
            counts[d] += 1
        source, target = target, source
    return 0


@scalar_function
def sum_sorted_rows(ids, order, values, unique, sums, rows, width):
    """The distinct ids in increasing order, and the sums of their values; how many there are."""
    count = 0
    for k in range(rows):
        ahead = order[least(k + AHEAD, rows - 1)] * width
        for j in range(0, width, LINE):
            prefetch(values, ahead + j)
        source = order[k] * width
        if k == 0 or ids[order[k]] != unique[count - 1]:
            unique[count] = ids[order[k]]
            for j in range(width):
                sums[count * width + j] = values[source + j]
            count += 1
        else:
            target = (count - 1) * width
            for j in range(width):
                sums[target + j] += values[source + j]
    return count


@kernel("ids: in[I], order: out[int64], spare: out[int64], rows: int, limit: int -> int", I=INDICES)
def order_ids(ids, order, spare, rows, limit):
    """A stable argsort of ids; `spare` is as long as `order`.

    Returns the position of the first index outside [0, limit), having done nothing, else -1.
    """
    bad = first_bad_index(ids, rows, limit)
    if bad >= 0:
        return bad
    sort_ids(ids, order, spare, rows, limit)
    return -1


@kernel(
    "ids: in[I], order: in[int64], values: in[T], unique: out[I], sums: out[T], rows: int, width: int -> int",
    T=FLOATS,
    I=INDICES,
    noalias=True,
)
def sum_duplicate_rows(ids, order, values, unique, sums, rows, width):
    """The distinct ids in increasing order, and the sums of their values.

    `order` is a stable argsort of ids. Returns how many rows of `unique` and `sums` were filled, or -1 if `order`
    has a position outside [0, rows).
    """
    if first_bad_index(order, rows, rows) >= 0:
        return -1
    return sum_sorted_rows(ids, order, values, unique, sums, rows, width)


@kernel(
    "values: in[T], ids: in[I], order: out[int64], spare: out[int64], sums: out[T], unique: out[I], number: out[int64], "
    "rows: int, width: int, limit: int -> int",
    T=FLOATS,
    I=INDICES,
    noalias=True,
)
def sum_rows(values, ids, order, spare, sums, unique, number, rows, width, limit):
    """Both of the above, for programs.

    `number` gets how many distinct ids there are; what is left of `sums` zeros, what is left of `unique` the limit.

    Returns the position of the first index outside [0, limit), having done nothing, else -1.
    """
    bad = first_bad_index(ids, rows, limit)
    if bad >= 0:
        return bad
    sort_ids(ids, order, spare, rows, limit)
    count = sum_sorted_rows(ids, order, values, unique, sums, rows, width)
    for k in range(count, rows):
        unique[k] = limit
        for j in range(width):
            sums[k * width + j] = T(0)
    number[0] = count
    return -1
