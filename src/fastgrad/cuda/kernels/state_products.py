"""Products of states with a recurrent kernel, in one time step: tiles of 32 sequences and 8 or 32 columns.

A time step is short and waits for the one before it, so what counts is how many blocks there are and how soon their sums
are there: a block of 128 threads takes 64 terms at a time, fetches the next ones while it multiplies these, and parts the
terms among groups of threads, each of which has 4 rows and 4 columns in its registers. The sums of the groups end in
shared memory, where who needs them adds them up, in order.

The text is made for each number of columns and each direction, as loops would leave the sums in memory.
"""

from __future__ import annotations

import functools
import linecache
from collections.abc import Iterator
from typing import Any

from fastgrad.cuda.codegen.body import load_aligned, synchronize, thread
from fastgrad.kernels.codegen.body import by_dtype, digest, fused_multiply_add

THREADS = 128
"""Of a block: what all of this is for."""

ROWS, UNITS = 32, 8
"""Sequences of a tile, and units of the state."""

MOST_TERMS = 64
"""How many are in shared memory at a time; half as many where they would need too many registers."""

NEAR_GAP, FAR_GAP = 36, {8: 12, 32: 36}
"""What a term's rows, and so many columns, have of shared memory: more, so that neighbours are in other banks."""

_UNROLLED = 8


def _fetch_rows(terms: int) -> Iterator[str]:
    """The lines that fetch a thread's elements of 32 rows, from `term` on."""
    for i in range(terms // 4):
        row, at = f"row + {i % 2 * 16}", f"term + {i // 2 * 8}"
        yield f"a{i} = a[a_at + ({row}) * a_line + {at}] if {row} < rows and {at} < depth else T(0)"


def _fetch_columns(terms: int, columns: int, by_term: bool) -> Iterator[str]:
    """The same of the columns."""
    count = terms * columns // THREADS
    for i in range(count):
        at = f"column_term + {i * terms // count}"
        if by_term:
            yield f"b{i} = b[b_at + unit * b_line + {at}] if is_column and {at} < depth else T(0)"
        else:
            yield f"b{i} = b[b_place] if is_column and {at} < depth else T(0)"
            yield f"b_place += {terms // count} * b_line"


def _source(terms: int, columns: int, by_term: bool) -> str:
    """The text of `product`."""
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
    """The function of a tile, whose arguments `_source` has.

    `zero` is what sums begin with; its type chooses how many terms a stretch has. A has up to 32 rows of `depth` terms
    that lie together, `a_line` apart. Of B there are up to 8 `units`, of each of the `gates`: if `by_term` they are rows
    whose terms lie together, of one gate; else columns, those of a gate `b_gate` behind those of the one before. `near`
    and `far` are shared arrays of 2304 elements; of 768 is `far` for 8 columns. Then the sum of row r and column c is
    that of the elements `columns` r + c, 32 `columns` further and so on of the first 2048 of `near`.

    Args:
        columns: 8, or 32 for up to four gates.
        by_term: see above.
    """
    wide = MOST_TERMS if columns == UNITS else MOST_TERMS // 2
    return by_dtype(float32=_product(MOST_TERMS, columns, by_term), float64=_product(wide, columns, by_term))
