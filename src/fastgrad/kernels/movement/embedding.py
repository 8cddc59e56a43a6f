"""Rows of a table: gathered, added to, and summed by repeated index. A table is (limit, width)."""

from numpy import int64

from fastgrad.kernels.codegen.body import (
    PREFETCH_DISTANCE,
    PREFETCH_ELEMENTS,
    local_array,
    prefetch,
    scalar_function,
)
from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.math.vector_math import least

FLOATS = ("float32", "float64")
INDEX_DTYPES = ("int32", "int64")


@scalar_function
def first_bad_index(ids, rows, limit):
    """Returns the position of the first index outside [0, limit), else -1."""
    for k in range(rows):
        if ids[k] < 0 or ids[k] >= limit:
            return k
    return -1


@kernel(
    "table: in[T], ids: in[I], out: out[T], rows: int, width: int, limit: int -> int",
    T=FLOATS,
    I=INDEX_DTYPES,
    noalias=True,
)
def gather_rows(table, ids, out, rows, width, limit):
    """out[k] = table[ids[k]]. Returns -1, or the position of the first bad index; then it has done nothing."""
    bad = first_bad_index(ids, rows, limit)
    if bad >= 0:
        return bad
    for k in range(rows):
        ahead = ids[least(k + PREFETCH_DISTANCE, rows - 1)] * width
        for j in range(0, width, PREFETCH_ELEMENTS):
            prefetch(table, ahead + j)
        at = ids[k] * width
        for j in range(width):
            out[k * width + j] = table[at + j]
    return -1


@kernel(
    "table: inout[T], ids: in[I], values: in[T], rows: int, width: int, limit: int -> int", T=FLOATS, I=INDEX_DTYPES
)
def add_rows(table, ids, values, rows, width, limit):
    """table[ids[k]] += values[k], in order. Returns -1, or the first bad index's position; then it has done nothing."""
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
    I=INDEX_DTYPES,
    noalias=True,
)
def add_summed_rows(table, sums, ids, number, limit, width, first, last):
    """table[ids[k]] += sums[k] for k in [first, last) below `number`, for arrays of `group_ids` and `sum_groups`."""
    for k in range(first, least(last, number[0])):
        if ids[k] >= 0 and ids[k] < limit:
            at = ids[k] * width
            for j in range(width):
                table[at + j] += sums[k * width + j]


@scalar_function
def sort_ids(ids, order, spare, rows, limit):
    """Computes a stable argsort of ids in [0, limit), with the fewest digits of at most 11 bits, of equal length."""
    counts = local_array(int64, 2048)
    length = 1
    while length < 63 and ((limit - 1) >> length) > 0:
        length += 1
    passes = (length + 10) // 11
    bits = (length + passes - 1) // passes
    digits = 1 << bits
    source, target = spare, order
    if passes % 2 == 0:
        source, target = order, spare
    for digit in range(passes):
        shift = bits * digit
        for d in range(digits):
            counts[d] = 0
        for k in range(rows):
            counts[(ids[k] >> shift) & (digits - 1)] += 1
        start = 0
        for d in range(digits):
            here = counts[d]
            counts[d] = start
            start += here
        for k in range(rows):
            at = k if digit == 0 else source[k]
            d = (ids[at] >> shift) & (digits - 1)
            target[counts[d]] = at
            counts[d] += 1
        source, target = target, source
    return 0


@kernel(
    "ids: in[I], order: out[int64], spare: out[int64], unique: out[I], starts: out[int64], number: out[int64], rows: int, "
    "limit: int -> int",
    I=INDEX_DTYPES,
)
def group_ids(ids, order, spare, unique, starts, number, rows, limit):
    """Computes the positions by increasing id, in order for equal ids, and the start of each id's group.

    `unique` gets the distinct ids in increasing order, then `limit`. `starts`, which is longer by one, gets the start
    of each group in `order`, then `rows`. `number` gets the number of distinct ids. `spare` is scratch memory as long
    as `order`.

    Returns -1, or the position of the first index outside [0, limit); then it has done nothing.
    """
    bad = first_bad_index(ids, rows, limit)
    if bad >= 0:
        return bad
    sort_ids(ids, order, spare, rows, limit)
    count = 0
    for k in range(rows):
        if k == 0 or ids[order[k]] != unique[count - 1]:
            unique[count] = ids[order[k]]
            starts[count] = k
            count += 1
    for k in range(count, rows):
        unique[k] = limit
    for k in range(count, rows + 1):
        starts[k] = rows
    number[0] = count
    return -1


@kernel(
    "values: in[T], order: in[int64], starts: in[int64], sums: out[T], rows: int, width: int, first: int, last: int",
    T=FLOATS,
    noalias=True,
)
def sum_groups(values, order, starts, sums, rows, width, first, last):
    """sums[k] = the sum of the values of distinct id k, in order, for k in [first, last); zeros after the last id."""
    for k in range(first, last):
        start, end = starts[k], starts[k + 1]
        ahead = order[least(start + PREFETCH_DISTANCE, rows - 1)] * width
        for j in range(0, width, PREFETCH_ELEMENTS):
            prefetch(values, ahead + j)
        if start == end:
            for j in range(width):
                sums[k * width + j] = T(0)
        else:
            source = order[start] * width
            for j in range(width):
                sums[k * width + j] = values[source + j]
        for i in range(start + 1, end):
            source = order[i] * width
            for j in range(width):
                sums[k * width + j] += values[source + j]
