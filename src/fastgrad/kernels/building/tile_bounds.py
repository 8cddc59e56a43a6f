"""What the tiles of products read and write, compared with the sizes of arrays before they do, in checked builds (`bounds.py`)."""

from __future__ import annotations

from typing import Any

from numba.core import cgutils

from fastgrad.kernels.building.isa import host_isa
from fastgrad.kernels.building.pointers import address, check, check_box
from fastgrad.kernels.building.tile_emission import WORD
from fastgrad.kernels.building.window_emission import ROW_WORDS, TERM_WORDS


def check_tiles(context: Any, builder: Any, name: str, kinds: Any, args: Any) -> None:
    """Ends the kernel if a call of the function of this name (see `body`) would leave an array.

    Args:
        context, builder: Numba's context, and where the call will be.
        name: the function.
        kinds, args: types and values of its arguments.
    """
    size = kinds[0].dtype.bitwidth // 8
    lanes = host_isa().vector_bytes // size

    def whole(count: Any) -> Any:
        vectors = builder.sdiv(builder.add(count, WORD(lanes - 1)), WORD(lanes))
        return builder.mul(vectors, WORD(lanes))

    def box(place: int, start: Any, *extents: tuple[Any, Any]) -> None:
        check_box(context, builder, kinds[place], args[place], start, *extents)

    if name == "multiply_rows":
        _, a_at, a_row, a_k, _, b_at, b_k, _, c_at, c_row, _, depth, rows, columns = args
        box(0, a_at, (a_row, rows), (a_k, depth))
        box(4, b_at, (b_k, depth), (WORD(1), columns if host_isa().masks else whole(columns)))
        box(7, c_at, (c_row, rows), (WORD(1), columns))
    elif name == "pack_panel":
        _, b_at, b_k, b_column, _, target_row, depth, columns = args
        rows = builder.select(builder.icmp_signed("==", b_column, WORD(1)), depth, whole(depth))
        box(0, b_at, (b_k, depth), (b_column, columns))
        box(4, WORD(0), (target_row, rows), (WORD(1), whole(columns)))
    else:
        _, a_at, _, b_at, _, c_at, _, _, terms_at, depth, rows_at, rows, columns = args
        box(7, terms_at, (WORD(1), builder.mul(depth, WORD(TERM_WORDS))))
        box(7, rows_at, (WORD(1), builder.mul(rows, WORD(ROW_WORDS))))
        places = address(context, builder, kinds[7], args[7])
        terms = _ranges(builder, builder.gep(places, [terms_at]), depth, TERM_WORDS)
        found = _ranges(builder, builder.gep(places, [rows_at]), rows, ROW_WORDS)
        last = builder.sub(columns, WORD(1))
        for end in (0, 1):  # the first and the last element of each
            more = last if end else WORD(0)
            reach = builder.sdiv(builder.add(terms[0][end], found[0][end]), WORD(size))
            a_more = more if name == "multiply_lanes" else WORD(0)
            check(context, builder, kinds[0], args[0], builder.add(builder.add(a_at, reach), a_more))
            for place, start, byte in ((2, b_at, terms[1][end]), (4, c_at, found[1][end])):
                element = builder.add(start, builder.sdiv(byte, WORD(size)))
                check(context, builder, kinds[place], args[place], builder.add(element, more))


def _ranges(builder: Any, table: Any, count: Any, words: int) -> list[tuple[Any, Any]]:
    """The least and the greatest of each of the first two columns of a table with so many words a row."""
    slots = []
    for column in (0, 1):
        first = builder.load(builder.gep(table, [WORD(column)]))
        slots.append([cgutils.alloca_once_value(builder, first) for _ in range(2)])
    with cgutils.for_range(builder, count, intp=WORD) as loop:
        for column, pair in enumerate(slots):
            here = builder.add(builder.mul(loop.index, WORD(words)), WORD(column))
            value = builder.load(builder.gep(table, [here]))
            for slot, sign in zip(pair, ("<", ">"), strict=True):
                old = builder.load(slot)
                builder.store(builder.select(builder.icmp_signed(sign, value, old), value, old), slot)
    return [(builder.load(low), builder.load(high)) for low, high in slots]
