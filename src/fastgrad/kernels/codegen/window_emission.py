"""Tiles of products whose rows and terms lie at tabulated offsets, as LLVM IR: the products of convolutions.

Term k of row r of A lies at `a + row offset + term offset`. So sliding windows are the rows of a matrix that is never
in memory. As in `tile_emission`, a tile of C stays in registers during the loop over k. Each of its elements is one
chain of multiply-adds in the order of the terms, so its bits do not depend on its tile.
"""

from __future__ import annotations

from itertools import chain

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
        state = []  # of the loop over rows: the number left, and their offsets
        for value in (rows, places):
            slot = builder.alloca(value.type)
            builder.store(value, slot)
            state.append(slot)
        most_left = None
        for height in self.machine.heights[width - 1]:
            test, body, after = (function.append_basic_block(n) for n in ("test", "tile", "after"))
            builder.branch(test)
            builder.position_at_end(test)
            left, here = [builder.load(slot) for slot in state]
            builder.cbranch(builder.icmp_signed(">=", left, WORD(height)), body, after)
            builder.position_at_end(body)
            a_rows = [builder.gep(a, [self._word(builder, here, ROW_WORDS * r)]) for r in range(height)]
            sums = self._windows_tile(builder, a_rows, b, (terms, depth), mask, width, by_lane)
            c_rows = [builder.gep(c, [self._word(builder, here, ROW_WORDS * r + 1)]) for r in range(height)]
            self._put_rows(builder, sums, c_rows, accumulate, mask)
            builder.store(builder.sub(left, WORD(height)), state[0])
            builder.store(builder.gep(here, [WORD(ROW_WORDS * height)]), state[1])
            builder.branch(after if most_left is not None and most_left < 2 * height else test)
            builder.position_at_end(after)
            most_left = height - 1
        builder.ret_void()
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
        before, loop, done = builder.block, builder.append_basic_block("loop"), builder.append_basic_block("done")
        builder.branch(loop)
        builder.position_at_end(loop)
        left, here = builder.phi(WORD), builder.phi(terms.type)
        sums = [[builder.phi(self.vector) for _ in range(width)] for _ in a_rows]
        a_at, b_row = self._word(builder, here, 0), builder.gep(b, [self._word(builder, here, 1)])
        panel = [self._load(builder, b_row, self._across(v), masks[v]) for v in range(width)]
        following = []
        for row, row_sums in zip(a_rows, sums, strict=True):
            if by_lane:
                lanes = builder.gep(row, [a_at])
                values = [self._load(builder, lanes, self._across(v), masks[v]) for v in range(width)]
            else:
                one = builder.load(self._at(builder, row, a_at, self.element), align=self.bytes)
                values = [self._splat(builder, one)] * width
            parts = zip(values, panel, row_sums, strict=True)
            following.append([self._multiply_add(builder, x, y, so_far) for x, y, so_far in parts])
        next_left = builder.sub(left, WORD(1))
        later = [next_left, builder.gep(here, [WORD(TERM_WORDS)]), *chain.from_iterable(following)]
        zeros = [ir.Constant(self.vector, None)] * (len(a_rows) * width)
        phis = [left, here, *chain.from_iterable(sums)]
        for phi, first, second in zip(phis, [depth, terms, *zeros], later, strict=True):
            phi.add_incoming(first, before)
            phi.add_incoming(second, loop)
        builder.cbranch(builder.icmp_signed(">", next_left, WORD(0)), loop, done)
        builder.position_at_end(done)
        return following

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
