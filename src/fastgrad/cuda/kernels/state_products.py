"""Products of states with a recurrent kernel in one time step: tiles of 32 sequences and 8 or 32 columns.

A time step is short and waits for the previous one, so the number of blocks and the latency of their sums decide the speed. A block
of 128 threads takes 64 terms at a time, and fetches the next ones while it multiplies. It divides the terms among groups of threads;
each thread has 4 rows and 4 columns in registers. The sums of the groups end in shared memory; their reader adds them in order.

The code is generated for each number of columns and each direction, because loops would leave the sums in memory.
"""

from __future__ import annotations

import functools
import linecache
from collections.abc import Iterator
from typing import Any

from fastgrad.cuda.codegen.body import load_aligned, synchronize, thread
from fastgrad.kernels.codegen.body import by_dtype, digest, fused_multiply_add

THREADS = 128
"""The threads of a block; this file depends on the number."""

ROWS, UNITS = 32, 8
"""The sequences of a tile, and the units of the state."""

MOST_TERMS = 64
"""The number of terms in shared memory at a time; half of it where they would need too many registers."""

NEAR_GAP, FAR_GAP = 36, {8: 12, 32: 36}
"""The padded stride of a term, for rows and by number of columns: it puts neighbours in different banks."""

_UNROLLED = 8


def _fetch_rows(terms: int) -> Iterator[str]:
    """Yields lines that fetch a thread's elements of 32 rows, from `term` on."""
    for i in range(terms // 4):
        row, at = f"row + {i % 2 * 16}", f"term + {i // 2 * 8}"
        yield f"a{i} = a[a_at + ({row}) * a_line + {at}] if {row} < rows and {at} < depth else T(0)"


def _fetch_columns(terms: int, columns: int, by_term: bool) -> Iterator[str]:
    """Yields lines that fetch a thread's elements of the columns."""
    count = terms * columns // THREADS
    for i in range(count):
        at = f"column_term + {i * terms // count}"
        if by_term:
            yield f"b{i} = b[b_at + unit * b_line + {at}] if is_column and {at} < depth else T(0)"
        else:
            yield f"b{i} = b[b_place] if is_column and {at} < depth else T(0)"
            yield f"b_place += {terms // count} * b_line"


def _source(terms: int, columns: int, by_term: bool) -> str:
    """Returns the text of `product`."""
    lines: list[str] = []

    def write(depth: int, *texts: str) -> None:
        lines.extend("    " * depth + text for text in texts)

    gap, across = FAR_GAP[columns], columns // 4
    group = 8 * across
    groups = THREADS // group
    side = range(4)
    fetch = [*_fetch_rows(terms), *_fetch_columns(terms, columns, by_term)]
    b_count = terms * columns // THREADS
    write(0, "def product(zero, a, a_at, a_line, rows, b, b_at, b_line, b_gate, gates, units, depth, near, far):")
    write(1, "t = thread()", "row, first = t // 8, t % 8")
    if by_term:
        write(1, "unit, column_first = t // 8 % 8, t % 8 + t // 64 * 8", "is_column = unit < units")
        kept = "unit"
    else:
        write(1, f"column, column_first = t % {columns}, t // {columns}")
        write(1, "gate = column // 8", "is_column = gate < gates and column % 8 < units")
        write(1, "b_place = b_at + column_first * b_line + gate * b_gate + column % 8")
        kept = "column"
    write(1, f"group, place = t // {group}, t % {group}")
    write(1, f"down, across = place // {across} * 4, place % {across} * 4")
    write(1, *("; ".join(f"c{i}_{j} = zero" for j in side) for i in side))
    write(1, "term, column_term = first, column_first", *fetch)
    write(1, f"for stretch in range(0, depth, {terms}):", "    synchronize()")
    write(2, *(f"near[(first + {i // 2 * 8}) * {NEAR_GAP} + row + {i % 2 * 16}] = a{i}" for i in range(terms // 4)))
    write(2, *(f"far[(column_first + {i * terms // b_count}) * {gap} + {kept}] = b{i}" for i in range(b_count)))
    write(2, "synchronize()", f"term, column_term = stretch + {terms} + first, stretch + {terms} + column_first")
    write(2, *fetch)
    write(2, f"for q in range(0, {terms}, {groups * _UNROLLED}):")
    write(3, "at, to = (q + group) * " + f"{NEAR_GAP} + down, (q + group) * {gap} + across")
    for q in range(0, groups * _UNROLLED, groups):
        for name, array, start in (("x", "near", f"at + {q * NEAR_GAP}"), ("y", "far", f"to + {q * gap}")):
            write(3, f"{name}0 = load_aligned({array}, {start})")
            write(3, *(f"{name}{i} = {array}[{start} + {i}]" for i in side[1:]))
        write(3, *(f"c{i}_{j} = fused_multiply_add(x{i}, y{j}, c{i}_{j})" for i in side for j in side))
    write(1, "synchronize()")
    write(1, f"to = (group * {ROWS} + down) * {columns} + across")
    write(1, *(f"near[to + {i * columns + j}] = c{i}_{j}" for i in side for j in side))
    write(1, "synchronize()")
    return "\n".join(lines) + "\n"


@functools.cache
def _product(terms: int, columns: int, by_term: bool) -> Any:
    source = _source(terms, columns, by_term)
    filename = f"<fastgrad state product {digest(source.encode())[:12]}>"
    linecache.cache[filename] = len(source), None, source.splitlines(keepends=True), filename
    scope: dict[str, Any] = {
        "thread": thread,
        "synchronize": synchronize,
        "load_aligned": load_aligned,
        "fused_multiply_add": fused_multiply_add,
    }
    exec(compile(source, filename, "exec"), scope)  # noqa: S102 - our own text
    return scope["product"]


def state_product(columns: int, by_term: bool) -> Any:
    """Returns the function of a tile; `_source` has its arguments.

    `zero` is the initial value of sums; its type selects the number of terms of a stretch. A has up to 32 rows of `depth` contiguous
    terms, `a_line` apart. B has up to 8 `units` for each of the `gates`. If `by_term` they are rows of contiguous terms, of one gate;
    else they are columns, and those of successive gates are `b_gate` apart. `near` and `far` are shared arrays of 2304 elements;
    for 8 columns `far` has 768. The sum of row r and column c is the sum of the elements `columns` r + c, 32 `columns` further
    and so on of the first 2048 of `near`.

    Args:
        columns: 8, or 32 for up to four gates.
        by_term: whether the terms of B are contiguous.
    """
    wide = MOST_TERMS if columns == UNITS else MOST_TERMS // 2
    return by_dtype(float32=_product(MOST_TERMS, columns, by_term), float64=_product(wide, columns, by_term))
