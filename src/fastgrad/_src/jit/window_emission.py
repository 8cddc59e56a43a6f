"""Tiles of products whose rows and terms lie at tabulated offsets, as LLVM IR: the products of convolutions.

Term k of row r of A lies at `a + row offset + term offset`. So sliding windows are the rows of a matrix that is never
in memory. As in `tile_emission`, a tile of C stays in registers during the loop over k. Each of its elements is one
chain of multiply-adds in the order of the terms, so its bits do not depend on its tile.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from fastgrad._src.jit.tile_emission import I8, I64, Tiles

TERM_WORDS = 2  # of a term: the byte offsets of A's element and of B's row
ROW_WORDS = 2  # of a row: the byte offsets of A's row and of C's row


class WindowTiles(Tiles):
    """An emitter of tile functions for products whose rows and terms lie at offsets in tables: convolutions."""

    def _multiply_windows_function(self, width: int, depthwise: bool) -> ir.Function:
        """Returns the function for C = A B, or C += A B, for some rows of C that are up to `width` vectors wide.

        Its parameters: a, b, c; whether to add to C; the terms' offsets and their number, at least 1; the rows' offsets
        and their number; the columns. With `depthwise` a row of numbers, one for each column of C, takes the place of
        an element of A.
        """
        memory, table = I8.as_pointer(), I64.as_pointer()
        parameters = [memory, memory, memory, ir.IntType(1), table, I64, table, I64, I64]
        kind = "lanes" if depthwise else "windows"
        function, new = self._function_and_is_new(f"fastgrad_{kind}_{self.suffix}_{width}", parameters)
        if not new:
            return function
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        a, b, c, accumulate, terms, depth, places, rows, columns = function.args
        mask = self._mask_of_first_lanes(builder, builder.sub(columns, I64((width - 1) * self.lanes)))

        masks = [None] * (width - 1) + [mask]

        def tile(height: int, here: ir.Value) -> list[ir.Value]:
            a_rows = [builder.gep(a, [self._load_word(builder, here, ROW_WORDS * r)]) for r in range(height)]

            def load_element(place: ir.Value) -> tuple[list[ir.Value], Any, list[ir.Value]]:
                a_at, b_row = self._load_word(builder, place, 0), builder.gep(b, [self._load_word(builder, place, 1)])

                def row_of_a(r: int) -> list[ir.Value]:
                    if depthwise:
                        return self._load_vectors(builder, builder.gep(a_rows[r], [a_at]), masks)
                    return [self._load_splat(builder, a_rows[r], a_at)] * width

                following = [builder.gep(place, [I64(TERM_WORDS)])]
                return following, row_of_a, self._load_vectors(builder, b_row, masks)

            sums = self._emit_sums_of_tile(builder, (height, width), depth, [terms], load_element)
            c_rows = [builder.gep(c, [self._load_word(builder, here, ROW_WORDS * r + 1)]) for r in range(height)]
            self._store_tile(builder, sums, c_rows, accumulate, mask)
            return [builder.gep(here, [I64(ROW_WORDS * height)])]

        self._emit_row_loops_by_tile_height(builder, width, rows, [places], tile)
        return function

    def _load_word(self, builder: ir.IRBuilder, table: ir.Value, number: int) -> ir.Value:
        return builder.load(builder.gep(table, [I64(number)]))

    def _emit_call(self, builder: ir.IRBuilder, arguments: list[ir.Value], depthwise: bool) -> None:
        a, a_at, b, b_at, c, c_at, accumulate, places, terms_at, depth, rows_at, rows, columns = arguments
        values = [self._byte_pointer(builder, array, at) for array, at in ((a, a_at), (b, b_at), (c, c_at))]
        values.append(builder.icmp_signed("!=", accumulate, accumulate.type(0)))
        values += [builder.gep(places, [terms_at]), depth, builder.gep(places, [rows_at]), rows, columns]
        self._emit_call_by_width(
            builder, columns, lambda width: builder.call(self._multiply_windows_function(width, depthwise), values)
        )

    def multiply_windows(self, builder: ir.IRBuilder, arguments: list[ir.Value]) -> None:
        """Emits the call of a product of windows, with tiles as wide as needed; arguments: `body.multiply_windows`."""
        self._emit_call(builder, arguments, False)

    def multiply_windows_depthwise(self, builder: ir.IRBuilder, arguments: list[ir.Value]) -> None:
        """Emits the call of the product that `body.multiply_windows_depthwise` describes, with its arguments."""
        self._emit_call(builder, arguments, True)
