"""Tiles of products whose rows and terms lie at tabulated offsets, as LLVM IR: the products of convolutions.

Term k of row r of A lies at `a + row offset + term offset`. So sliding windows are the rows of a matrix that is never
in memory. As in `tile_emission`, a tile of C stays in registers during the loop over k. Each of its elements is one
chain of multiply-adds in the order of the terms, so its bits do not depend on its tile.
"""

from __future__ import annotations

from llvmlite import ir

from fastgrad.kernels.codegen.tile_emission import BYTE, WORD, Tiles

TERM_WORDS = 2  # of a term: the byte offsets of A's element and of B's row
ROW_WORDS = 2  # of a row: the byte offsets of A's row and of C's row


class WindowTiles(Tiles):
    """Emits functions for one element type, which may be an integer, into one LLVM module."""

    def _windows_function(self, width: int, by_lane: bool) -> ir.Function:
        """Returns the function for C = A B, or C += A B, for some rows of C that are up to `width` vectors wide.

        Its parameters: a, b, c; whether to add to C; the terms' offsets and their number, at least 1; the rows' offsets
        and their number; the columns. With `by_lane` a row of numbers, one for each column of C, takes the place of an
        element of A.
        """
        memory, table = BYTE.as_pointer(), WORD.as_pointer()
        parameters = [memory, memory, memory, ir.IntType(1), table, WORD, table, WORD, WORD]
        kind = "lanes" if by_lane else "windows"
        function, new = self._defined(f"fastgrad_{kind}_{self.suffix}_{width}", parameters)
        if not new:
            return function
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        a, b, c, accumulate, terms, depth, places, rows, columns = function.args
        mask = self._first_lanes(builder, builder.sub(columns, WORD((width - 1) * self.lanes)))

        def tile(height: int, here: ir.Value) -> list[ir.Value]:
            a_rows = [builder.gep(a, [self._word(builder, here, ROW_WORDS * r)]) for r in range(height)]
            sums = self._windows_tile(builder, a_rows, b, (terms, depth), mask, width, by_lane)
            c_rows = [builder.gep(c, [self._word(builder, here, ROW_WORDS * r + 1)]) for r in range(height)]
            self._put_rows(builder, sums, c_rows, accumulate, mask)
            return [builder.gep(here, [WORD(ROW_WORDS * height)])]

        self._by_height(builder, width, rows, [places], tile)
        return function

    def _word(self, builder: ir.IRBuilder, table: ir.Value, number: int) -> ir.Value:
        return builder.load(builder.gep(table, [WORD(number)]))

    def _windows_tile(
        self,
        builder: ir.IRBuilder,
        a_rows: list[ir.Value],
        b: ir.Value,
        walk: tuple[ir.Value, ir.Value],
        mask: ir.Value,
        width: int,
        by_lane: bool,
    ) -> list[list[ir.Value]]:
        """Emits the sums of one tile, vectors by rows; leaves the builder after the loop over the terms."""
        terms, depth = walk
        masks = [None] * (width - 1) + [mask]
        zeros = [ir.Constant(self.vector, None)] * (len(a_rows) * width)

        def term(here: ir.Value, *sums: ir.Value) -> list[ir.Value]:
            a_at, b_row = self._word(builder, here, 0), builder.gep(b, [self._word(builder, here, 1)])
            panel = [self._load(builder, b_row, self._across(v), masks[v]) for v in range(width)]
            following = [builder.gep(here, [WORD(TERM_WORDS)])]
            for r, row in enumerate(a_rows):
                if by_lane:
                    lanes = builder.gep(row, [a_at])
                    values = [self._load(builder, lanes, self._across(v), masks[v]) for v in range(width)]
                else:
                    one = builder.load(self._at(builder, row, a_at, self.element), align=self.bytes)
                    values = [self._splat(builder, one)] * width
                parts = zip(values, panel, sums[r * width : (r + 1) * width], strict=True)
                following += [self._multiply_add(builder, x, y, so_far) for x, y, so_far in parts]
            return following

        _, *sums = self._over_terms(builder, depth, [terms, *zeros], term)
        return [sums[at : at + width] for at in range(0, len(sums), width)]

    def _call(self, builder: ir.IRBuilder, arguments: list[ir.Value], by_lane: bool) -> None:
        a, a_at, b, b_at, c, c_at, accumulate, places, terms_at, depth, rows_at, rows, columns = arguments
        values = [self._moved(builder, array, at) for array, at in ((a, a_at), (b, b_at), (c, c_at))]
        values.append(builder.icmp_signed("!=", accumulate, accumulate.type(0)))
        values += [builder.gep(places, [terms_at]), depth, builder.gep(places, [rows_at]), rows, columns]
        self._by_width(builder, columns, lambda width: self._windows_function(width, by_lane), values)

    def multiply_windows(self, builder: ir.IRBuilder, arguments: list[ir.Value]) -> None:
        """Emits the call for as many vectors as the columns need; arguments as of `body.multiply_windows`."""
        self._call(builder, arguments, False)

    def multiply_lanes(self, builder: ir.IRBuilder, arguments: list[ir.Value]) -> None:
        """Emits a call of the function by lane; arguments as of `body.multiply_lanes`."""
        self._call(builder, arguments, True)
