"""Rows of a table: gathered, added to, and summed by repeated index. A table is (limit, width)."""

from numpy import int64

from fastgrad._src.jit.body import PREFETCH_DISTANCE, PREFETCH_ELEMENTS, local_array, prefetch, scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.math.vector_math import least

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
    """out[k] = table[ids[k]]. Returns -1; for a bad id, returns the position of the first one and writes nothing."""
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
    """table[ids[k]] += values[k], in order. Returns -1; for a bad id, returns its position and writes nothing."""
    bad = first_bad_index(ids, rows, limit)
    if bad >= 0:
        return bad
    for k in range(rows):
        at = ids[k] * width
        for j in range(width):
            table[at + j] += values[k * width + j]
    return -1


@kernel(
    "table: inout[T], sums: in[T], ids: in[I], id_count: in[int64], table_rows: int, width: int, first: int, last: int",
    T=FLOATS,
    I=INDEX_DTYPES,
    noalias=True,
)
def add_summed_rows(table, sums, ids, id_count, table_rows, width, first, last):
    """table[ids[k]] += sums[k] for k in [first, last) below `id_count`, for arrays of `group_ids` and `sum_groups`."""
    for k in range(first, least(last, id_count[0])):
        if ids[k] >= 0 and ids[k] < table_rows:
            at = ids[k] * width
            for j in range(width):
                table[at + j] += sums[k * width + j]


@scalar_function
def sort_ids(ids, order, scratch, id_count, table_rows):
    """Computes a stable argsort of ids below `table_rows`, with the fewest digits of equal length, at most 11 bits."""
    counts = local_array(int64, 2048)
    length = 1
    while length < 63 and ((table_rows - 1) >> length) > 0:
        length += 1
    passes = (length + 10) // 11
    bits = (length + passes - 1) // passes
    digits = 1 << bits
    source, target = scratch, order
    if passes % 2 == 0:
        source, target = order, scratch
    for digit in range(passes):
        shift = bits * digit
        for d in range(digits):
            counts[d] = 0
        for k in range(id_count):
            counts[(ids[k] >> shift) & (digits - 1)] += 1
        start = 0
        for d in range(digits):
            here = counts[d]
            counts[d] = start
            start += here
        for k in range(id_count):
            at = k if digit == 0 else source[k]
            d = (ids[at] >> shift) & (digits - 1)
            target[counts[d]] = at
            counts[d] += 1
        source, target = target, source
    return 0


@kernel("ids: in[I], order: out[int64], scratch: out[int64], id_count: int, table_rows: int", I=INDEX_DTYPES)
def order_ids(ids, order, scratch, id_count, table_rows):
    """Computes a stable argsort of ids in [0, `table_rows`); `scratch` is scratch memory as long as `order`."""
    sort_ids(ids, order, scratch, id_count, table_rows)


@kernel(
    "ids: in[I], order: out[int64], scratch: out[int64], distinct_ids: out[I], group_starts: out[int64], "
    "distinct_count: out[int64], id_count: int, table_rows: int -> int",
    I=INDEX_DTYPES,
)
def group_ids(ids, order, scratch, distinct_ids, group_starts, distinct_count, id_count, table_rows):
    """Computes the positions by increasing id, in order for equal ids, and the start of each id's group.

    `distinct_ids` gets the distinct ids in increasing order, then `table_rows`. `group_starts`, which is longer by one,
    gets the start of each group in `order`, then `id_count`. `distinct_count` gets the number of distinct ids.
    `scratch` is scratch memory as long as `order`.

    Returns -1, or the position of the first id outside [0, table_rows), for which it writes nothing.
    """
    bad = first_bad_index(ids, id_count, table_rows)
    if bad >= 0:
        return bad
    sort_ids(ids, order, scratch, id_count, table_rows)
    count = 0
    for k in range(id_count):
        if k == 0 or ids[order[k]] != distinct_ids[count - 1]:
            distinct_ids[count] = ids[order[k]]
            group_starts[count] = k
            count += 1
    for k in range(count, id_count):
        distinct_ids[k] = table_rows
    for k in range(count, id_count + 1):
        group_starts[k] = id_count
    distinct_count[0] = count
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
