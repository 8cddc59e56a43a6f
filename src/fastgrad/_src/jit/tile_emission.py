"""The innermost part of matrix products as LLVM IR: register tiles of C, and the transposition of small blocks.

A tile of C (some rows by a few vectors) stays in registers during the loop over k. Each of its elements is one chain of
fused multiply-adds in the order of k, so its bits do not depend on its tile. Sizes and strides are arguments of the
emitted functions; the machine gives the width of vectors and the number of registers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

from llvmlite import ir

from fastgrad._src.jit.isa import Isa

I64 = ir.IntType(64)
I32 = ir.IntType(32)
I8 = ir.IntType(8)


class Tiles:
    """An emitter of tile functions of matrix products, for one element type, into one LLVM module.

    One class and file: all pieces share the vector type, and the tiles of windows and pairs override some of them.
    """

    def __init__(self, module: ir.Module, element: ir.Type, machine: Isa) -> None:
        self.module = module
        self.element = element
        self.machine = machine
        self.bytes = self.alignment = 8 if element in (ir.DoubleType(), ir.IntType(64)) else 4
        self.lanes = machine.vector_bytes // self.bytes
        self.vector = ir.VectorType(element, self.lanes)
        self.unmasked_width = machine.wide_panel_bytes // machine.vector_bytes  # whole panels of wide matrices
        self.integers = isinstance(element, ir.IntType)
        self.suffix = f"{'i' if self.integers else 'f'}{8 * self.bytes}"

    # ---- pieces ------------------------------------------------------------------------------------

    def _splat(self, builder: ir.IRBuilder, scalar: ir.Value) -> ir.Value:
        kind = ir.VectorType(scalar.type, self.lanes)
        first_lane = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, I32(0))
        return self._shuffled(builder, first_lane, first_lane, [0] * self.lanes)

    def _shuffled(self, builder: ir.IRBuilder, a: ir.Value, b: ir.Value, order: Sequence[int]) -> ir.Value:
        """Returns a vector of elements of two vectors; `order` numbers the elements of `a` and then those of `b`."""
        return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, len(order)), list(order)))

    def _mask_of_first_lanes(self, builder: ir.IRBuilder, count: ir.Value) -> ir.Value:
        """Returns the mask of the first `count` lanes; of all lanes if there are fewer."""
        limit = self._splat(builder, builder.trunc(count, I32))
        return builder.icmp_signed("<", ir.Constant(limit.type, list(range(self.lanes))), limit)

    def _pointer_at(self, builder: ir.IRBuilder, base: ir.Value, offset: ir.Value, element_type: ir.Type) -> ir.Value:
        """Returns the address `offset` bytes after `base`, as a pointer to `element_type`."""
        return builder.bitcast(builder.gep(base, [offset]), element_type.as_pointer())

    def _load(self, builder: ir.IRBuilder, base: ir.Value, offset: ir.Value, mask: ir.Value | None = None) -> ir.Value:
        pointer = self._pointer_at(builder, base, offset, self.vector)
        if mask is None:
            return builder.load(pointer, align=self.alignment)
        kind = ir.FunctionType(self.vector, [pointer.type, I32, mask.type, self.vector])
        function = self._declared_function(f"llvm.masked.load.v{self.lanes}{self.suffix}.p0", kind)
        return builder.call(function, [pointer, I32(self.alignment), mask, ir.Constant(self.vector, None)])

    def _load_vectors(self, builder: ir.IRBuilder, base: ir.Value, masks: Sequence[ir.Value | None]) -> list[ir.Value]:
        """Emits the loads of consecutive vectors, one for each mask."""
        return [self._load(builder, base, self._vector_offset(v), mask) for v, mask in enumerate(masks)]

    def _store(
        self, builder: ir.IRBuilder, value: ir.Value, base: ir.Value, offset: ir.Value, mask: ir.Value | None = None
    ) -> None:
        pointer = self._pointer_at(builder, base, offset, self.vector)
        if mask is None:
            builder.store(value, pointer, align=self.bytes)
            return
        kind = ir.FunctionType(ir.VoidType(), [self.vector, pointer.type, I32, mask.type])
        function = self._declared_function(f"llvm.masked.store.v{self.lanes}{self.suffix}.p0", kind)
        builder.call(function, [value, pointer, I32(self.bytes), mask])

    def _opaque(self, builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
        """Returns an integer whose origin is hidden from LLVM by empty inline assembly.

        LLVM's loop strength reduction replaces multiples of one stride by additions in the loop. On Intel's processors such
        additions use the ports of multiply-adds. A hidden integer stays in a register.
        """
        return builder.asm(ir.FunctionType(value.type, [value.type]), "", "=r,0", [value], False)

    def _multiply_add(self, builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        if self.integers:
            return builder.add(builder.mul(a, b), c)
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        return builder.call(self._declared_function(f"llvm.fma.v{self.lanes}{self.suffix}", kind), [a, b, c])

    @contextlib.contextmanager
    def _counted_loop(self, builder: ir.IRBuilder, stop: ir.Value, step: int) -> Iterator[ir.Value]:
        """Emits a loop over 0, step, ... below `stop`; the block of the `with` statement is its body."""
        before = builder.block
        head, body, after = (builder.append_basic_block(n) for n in ("head", "body", "after"))
        builder.branch(head)
        builder.position_at_end(head)
        index = builder.phi(I64)
        index.add_incoming(I64(0), before)
        builder.cbranch(builder.icmp_signed("<", index, stop), body, after)
        builder.position_at_end(body)
        yield index
        index.add_incoming(builder.add(index, I64(step)), builder.block)
        builder.branch(head)
        builder.position_at_end(after)

    def _declared_function(self, name: str, function_type: ir.FunctionType) -> ir.Function:
        function = self.module.globals.get(name)
        return ir.Function(self.module, function_type, name) if function is None else function

    def _function_and_is_new(self, name: str, parameters: list[ir.Type]) -> tuple[ir.Function, bool]:
        """Returns a function of the module, and whether it is new and has no body yet."""
        found = self.module.globals.get(name)
        if found is not None:
            return found, False
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), parameters), name)
        function.linkage = "linkonce_odr"
        for attribute in (
            "noinline",
            "nounwind",
            "optsize",
        ):  # loops stay as written: unrolled copies only take time to compile
            function.attributes.add(attribute)
        return function, True

    # ---- tiles of C --------------------------------------------------------------------------------

    def _multiply_rows_function(self, width: int, is_whole: bool) -> ir.Function:
        """Returns the function for C = A B, or C += A B, for some rows of C that are up to `width` vectors wide.

        If `is_whole`, rows are whole vectors, and nothing is masked.

        Its parameters: a, its strides of rows and of k; b, its stride of k; c, its stride of rows; whether to add to C;
        the depth (the length of k, at least 1), the rows, the columns. Strides are in bytes.
        """
        memory = I8.as_pointer()
        parameters = [memory, I64, I64, memory, I64, memory, I64, ir.IntType(1), I64, I64, I64]
        function, new = self._function_and_is_new(
            f"fastgrad_rows_{self.suffix}_{width}{'_whole' * is_whole}", parameters
        )
        if not new:
            return function
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        a, a_row, a_k, b, b_k, c, c_row, accumulate, depth, rows, columns = function.args
        mask = self._mask_of_first_lanes(builder, builder.sub(columns, I64((width - 1) * self.lanes)))

        masks = [None] * (width - 1) + [mask if self.machine.masks and not is_whole else None]  # else B has been padded
        most_rows = self.machine.heights[width - 1][0]
        offsets = [self._opaque(builder, builder.mul(a_row, I64(r))) for r in range(most_rows)]

        def tile(height: int, a_here: ir.Value, c_here: ir.Value) -> list[ir.Value]:
            c_rows = [builder.gep(c_here, [builder.mul(c_row, I64(r))]) for r in range(height + 1)]

            def load_element(a_at: ir.Value, b_at: ir.Value) -> tuple[list[ir.Value], Any, list[ir.Value]]:
                panel = self._load_vectors(builder, b_at, masks)
                following = [builder.gep(a_at, [a_k]), builder.gep(b_at, [b_k])]
                return following, lambda r: [self._load_splat(builder, a_at, offsets[r])] * width, panel

            sums = self._emit_sums_of_tile(builder, (height, width), depth, [a_here, b], load_element)
            self._store_tile(builder, sums, c_rows[:height], accumulate, None if is_whole else mask)
            return [builder.gep(a_here, [builder.mul(a_row, I64(height))]), c_rows[height]]

        self._emit_row_loops_by_tile_height(builder, width, rows, [a, c], tile)
        return function

    def _emit_row_loops_by_tile_height(
        self,
        builder: ir.IRBuilder,
        tile_vectors: int,
        rows: ir.Value,
        tile_addresses: list[ir.Value],
        emit_tile: Callable[..., list[ir.Value]],
    ) -> None:
        """Emits the loops over the rows of C, one for each height of a tile, and the function's end.

        Args:
            builder: at the end of the function's entry.
            tile_vectors: vectors of a tile.
            rows: the number of rows.
            tile_addresses: values that depend on the first row of a tile.
            emit_tile: emits a tile for its height and its addresses; returns those of the next tile.
        """
        state = []  # the number of rows that are left, and the addresses
        for value in (rows, *tile_addresses):
            slot = builder.alloca(value.type)
            builder.store(value, slot)
            state.append(slot)
        most_left = None
        for height in self.machine.heights[tile_vectors - 1]:
            test, body, after = (builder.append_basic_block(n) for n in ("test", "tile", "after"))
            builder.branch(test)
            builder.position_at_end(test)
            left, *pointers = [builder.load(slot) for slot in state]
            builder.cbranch(builder.icmp_signed(">=", left, I64(height)), body, after)
            builder.position_at_end(body)
            following = emit_tile(height, *pointers)
            for slot, value in zip(state, [builder.sub(left, I64(height)), *following], strict=True):
                builder.store(value, slot)
            builder.branch(after if most_left is not None and most_left < 2 * height else test)
            builder.position_at_end(after)
            most_left = height - 1
        builder.ret_void()

    def _emit_sums_of_tile(
        self,
        builder: ir.IRBuilder,
        shape: tuple[int, int],
        depth: ir.Value,
        cursor: list[ir.Value],
        emit_loads_of_term: Callable[..., tuple[list[ir.Value], Callable[[int], list[ir.Value]], list[ir.Value]]],
    ) -> list[list[ir.Value]]:
        """Emits the sums of one tile, vectors by rows; leaves the builder after the loop over the terms.

        Args:
            builder: where to emit.
            shape: the rows of the tile, and its vectors a row.
            depth: the number of terms, at least 1.
            cursor: the values that locate the first term.
            emit_loads_of_term: emits the loads of a term from its cursor: returns the next cursor, a function of the
                row number that returns the vectors of A, and the vectors of B.
        """
        height, width = shape
        zeros = [ir.Constant(self.vector, None)] * (height * width)

        def term(*values: ir.Value) -> list[ir.Value]:
            following, row_of_a, panel = emit_loads_of_term(*values[: len(cursor)])
            sums = iter(values[len(cursor) :])
            products = [
                self._multiply_add(builder, x, y, next(sums))
                for r in range(height)
                for x, y in zip(row_of_a(r), panel, strict=True)
            ]
            return [*following, *products]

        sums = self._emit_loop_over_terms(builder, depth, [*cursor, *zeros], term)[len(cursor) :]
        return [sums[at : at + width] for at in range(0, len(sums), width)]

    def _load_splat(self, builder: ir.IRBuilder, base: ir.Value, offset: ir.Value) -> ir.Value:
        """Emits the load of an element `offset` bytes after `base` to all lanes."""
        pointer = self._pointer_at(builder, base, offset, self.element)
        return self._splat(builder, builder.load(pointer, align=self.alignment))

    def _emit_loop_over_terms(
        self, builder: ir.IRBuilder, depth: ir.Value, values: list[ir.Value], emit_term: Callable[..., list[ir.Value]]
    ) -> list[ir.Value]:
        """Emits a loop over `depth` >= 1 terms, each emitted by `emit_term`; returns the values after the loop."""
        before, loop, done = builder.block, builder.append_basic_block("loop"), builder.append_basic_block("done")
        builder.branch(loop)
        builder.position_at_end(loop)
        phis = [builder.phi(value.type) for value in (depth, *values)]
        following = emit_term(*phis[1:])
        left = builder.sub(phis[0], I64(1))
        for phi, first, second in zip(phis, [depth, *values], [left, *following], strict=True):
            phi.add_incoming(first, before)
            phi.add_incoming(second, loop)
        builder.cbranch(builder.icmp_signed("!=", left, I64(0)), loop, done)
        builder.position_at_end(done)
        return following

    def _store_tile(
        self,
        builder: ir.IRBuilder,
        sums: list[list[ir.Value]],
        rows: list[ir.Value],
        accumulate: ir.Value,
        mask: ir.Value | None,
    ) -> None:
        """Emits the stores of a tile of sums to rows of C, or their additions to the rows if `accumulate` is true."""
        plus = builder.add if self.integers else builder.fadd
        add, store, done = (builder.append_basic_block(n) for n in ("add", "store", "put"))
        builder.cbranch(accumulate, add, store)
        for block in (add, store):
            builder.position_at_end(block)
            for row, vectors in zip(rows, sums, strict=True):
                for v, value in enumerate(vectors):
                    where = row, self._vector_offset(v), mask if v == len(vectors) - 1 else None
                    total = plus(self._load(builder, *where), value) if block is add else value
                    self._store(builder, total, *where)
            builder.branch(done)
        builder.position_at_end(done)

    def _vector_offset(self, vector_number: int) -> ir.Value:
        """Returns the offset in bytes of the vector `vector_number` of a row."""
        return I64(vector_number * self.machine.vector_bytes)

    def multiply_rows(self, builder: ir.IRBuilder, arguments: list[ir.Value]) -> None:
        """Emits the call of a product of rows, with tiles as wide as it needs; arguments as of `body.multiply_rows`."""
        a, a_at, a_row, a_k, b, b_at, b_k, c, c_at, c_row, accumulate, depth, rows, columns = arguments
        size, size_of_a = I64(self.bytes), I64(self._element_bytes_of_a(a))
        values = [self._byte_pointer(builder, a, a_at), builder.mul(a_row, size_of_a), builder.mul(a_k, size_of_a)]
        values += [self._byte_pointer(builder, b, b_at), builder.mul(b_k, size)]
        values += [self._byte_pointer(builder, c, c_at), builder.mul(c_row, size)]
        values += [builder.icmp_signed("!=", accumulate, accumulate.type(0)), depth, rows, columns]

        def emit_call(width: int) -> None:
            masked = self._multiply_rows_function(width, False)
            if width != self.unmasked_width:
                builder.call(masked, values)
                return
            is_whole = builder.icmp_signed("==", columns, I64(width * self.lanes))
            with builder.if_else(is_whole) as (whole, part):
                with whole:
                    builder.call(self._multiply_rows_function(width, True), values)
                with part:
                    builder.call(masked, values)

        self._emit_call_by_width(builder, columns, emit_call)

    def _element_bytes_of_a(self, a: ir.Value) -> int:
        """Returns how many bytes an element of the matrix A has."""
        return self.bytes

    def _emit_call_by_width(
        self,
        builder: ir.IRBuilder,
        columns: ir.Value,
        emit_call: Callable[[int], object],
    ) -> None:
        """Emits a switch with a call, by `emit_call`, for each number of vectors that `columns` may need."""
        after = builder.append_basic_block("multiplied")
        vectors = builder.sdiv(builder.add(columns, I64(self.lanes - 1)), I64(self.lanes))
        switch = builder.switch(vectors, after)
        for width in range(1, len(self.machine.heights) + 1):
            case = builder.append_basic_block(f"vectors_{width}")
            switch.add_case(I64(width), case)
            builder.position_at_end(case)
            emit_call(width)
            builder.branch(after)
        builder.position_at_end(after)

    def _byte_pointer(self, builder: ir.IRBuilder, base: ir.Value, index: ir.Value) -> ir.Value:
        return builder.bitcast(builder.gep(base, [index]), I8.as_pointer())

    # ---- panels of B -------------------------------------------------------------------------------

    def _pack_panel_function(self) -> ir.Function:
        """Returns the function that copies a panel of B, whose rows or columns are contiguous, row by row.

        Its parameters: b, its strides of k and of columns, in bytes; the target, and the stride of its rows, in bytes;
        the rows and columns. Rows and columns are padded with zeros to whole vectors.
        """
        memory = I8.as_pointer()
        parameters = [memory, I64, I64, memory, I64, I64, I64]
        function, new = self._function_and_is_new(f"fastgrad_pack_{self.suffix}", parameters)
        if not new:
            return function
        entry, by_rows, by_columns = (function.append_basic_block(n) for n in ("entry", "by_rows", "by_columns"))
        builder = ir.IRBuilder(entry)
        b, b_k, b_column, target, target_row, depth, columns = function.args
        size = I64(self.bytes)
        builder.cbranch(builder.icmp_signed("==", b_column, size), by_rows, by_columns)

        builder.position_at_end(by_rows)
        with self._counted_loop(builder, depth, 1) as k, self._counted_loop(builder, columns, self.lanes) as j:
            row = builder.gep(b, [builder.mul(k, b_k)])
            to = builder.gep(target, [builder.mul(k, target_row)])
            across = builder.mul(j, size)
            left = builder.sub(columns, j)
            for mask in self._full_and_masked_branches(builder, [(left, self.lanes)]):
                lanes = self._mask_of_first_lanes(builder, left) if mask else None
                self._store(builder, self._load(builder, row, across, lanes), to, across)
        builder.ret_void()

        builder.position_at_end(by_columns)
        with self._counted_loop(builder, columns, self.lanes) as j, self._counted_loop(builder, depth, self.lanes) as k:
            block = builder.gep(b, [builder.add(builder.mul(j, b_column), builder.mul(k, size))])
            to = builder.gep(target, [builder.add(builder.mul(k, target_row), builder.mul(j, size))])
            rows, terms = builder.sub(columns, j), builder.sub(depth, k)
            for mask in self._full_and_masked_branches(builder, [(rows, self.lanes), (terms, self.lanes)]):
                for i, value in enumerate(
                    self._load_transposed_square(builder, block, b_column, (rows, terms) if mask else None)
                ):
                    self._store(builder, value, to, builder.mul(target_row, I64(i)))
        builder.ret_void()
        return function

    def _load_transposed_square(
        self, builder: ir.IRBuilder, block: ir.Value, stride: ir.Value, limits: tuple[ir.Value, ir.Value] | None
    ) -> list[ir.Value]:
        """Emits the transpose of a square of vectors; with `limits`, only so many rows and columns are read."""
        rows = []
        for i in range(self.lanes):
            mask = None
            if limits is not None:
                there = builder.select(builder.icmp_signed("<", I64(i), limits[0]), limits[1], I64(0))
                mask = self._mask_of_first_lanes(builder, there)
            rows.append(self._load(builder, block, builder.mul(stride, I64(i)), mask))
        return self._transposed_vectors(builder, rows)

    def _full_and_masked_branches(
        self, builder: ir.IRBuilder, counts_and_limits: list[tuple[ir.Value, int]]
    ) -> Iterator[bool]:
        """Emits the body of a `for` loop twice, for full tiles and with masks; yields True for the copy with masks."""
        whole, part, both = (builder.append_basic_block(n) for n in ("whole", "part", "both"))
        fits = ir.Constant(ir.IntType(1), 1)
        for count, most in counts_and_limits:
            fits = builder.and_(fits, builder.icmp_signed(">=", count, I64(most)))
        builder.cbranch(fits, whole, part)
        for branch in (whole, part):
            builder.position_at_end(branch)
            yield branch is part
            builder.branch(both)
        builder.position_at_end(both)

    def _transposed_vectors(self, builder: ir.IRBuilder, rows: list[ir.Value]) -> list[ir.Value]:
        """Emits the columns of a square block: first chunks of 16 bytes change places, then elements within chunks.

        Each shuffle is one instruction where vectors have 16, 32 or 64 bytes.
        """
        size = 16 // self.bytes
        lanes = list(range(2 * self.lanes))  # of two vectors
        one, other = lanes[: self.lanes], lanes[self.lanes :]
        half = self.lanes // 2
        halves = [one[:half] + other[:half], one[half:] + other[half:]]
        alternate = [[i for i in lanes if i // size % 2 == side] for side in (0, 1)]
        zipped = [list(chain.from_iterable(zip(one, other, strict=True)))] * 2
        zipped = [[i for i in order if i % size // (size // 2) == side] for side, order in enumerate(zipped)]

        def shuffled_pair(a: ir.Value, b: ir.Value, orders: list[list[int]]) -> list[ir.Value]:
            return [self._shuffled(builder, a, b, order) for order in orders]

        chunks = []  # for each row number within a chunk: vector c has chunk c of all rows with that number
        for r in range(size):
            vectors = rows[r::size]
            if len(vectors) == 4:
                first, second, third, fourth = vectors
                (a, b), (c, d) = shuffled_pair(first, second, halves), shuffled_pair(third, fourth, halves)
                vectors = [*shuffled_pair(a, c, alternate), *shuffled_pair(b, d, alternate)]
            elif len(vectors) == 2:
                first, second = vectors
                vectors = shuffled_pair(first, second, halves)
            chunks.append(vectors)
        columns = []
        for vectors in map(list, zip(*chunks, strict=True)):
            for _ in range(size.bit_length() - 1):
                pairs = zip(vectors[: size // 2], vectors[size // 2 :], strict=True)
                vectors = list(chain.from_iterable([shuffled_pair(a, b, zipped) for a, b in pairs]))
            columns += vectors
        return columns

    def pack_panel(self, builder: ir.IRBuilder, arguments: list[ir.Value]) -> None:
        """Emits a call of the pack function; arguments as of `body.pack_panel`."""
        b, b_at, b_k, b_column, target, target_row, depth, columns = arguments
        size = I64(self.bytes)
        values = [self._byte_pointer(builder, b, b_at)]
        values += [builder.mul(b_k, size), builder.mul(b_column, size)]
        values += [builder.bitcast(target, I8.as_pointer()), builder.mul(target_row, size), depth, columns]
        builder.call(self._pack_panel_function(), values)

    def _transpose_function(self) -> ir.Function:
        """Returns the function that transposes a matrix, in blocks of as many rows and columns as vectors have lanes.

        Its parameters: x and the stride of its rows, in bytes; y and the stride of its rows, in bytes; the rows and
        columns of y.
        """
        memory = I8.as_pointer()
        function, new = self._function_and_is_new(
            f"fastgrad_transpose_{self.suffix}", [memory, I64, memory, I64, I64, I64]
        )
        if not new:
            return function
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        x, x_row, y, y_row, rows, columns = function.args
        size = I64(self.bytes)
        with self._counted_loop(builder, rows, self.lanes) as i, self._counted_loop(builder, columns, self.lanes) as j:
            block = builder.gep(x, [builder.add(builder.mul(j, x_row), builder.mul(i, size))])
            to = builder.gep(y, [builder.add(builder.mul(i, y_row), builder.mul(j, size))])
            below, across = builder.sub(rows, i), builder.sub(columns, j)
            for part in self._full_and_masked_branches(builder, [(below, self.lanes), (across, self.lanes)]):
                for k, value in enumerate(
                    self._load_transposed_square(builder, block, x_row, (across, below) if part else None)
                ):
                    mask = None
                    if part:
                        there = builder.select(builder.icmp_signed("<", I64(k), below), across, I64(0))
                        mask = self._mask_of_first_lanes(builder, there)
                    self._store(builder, value, to, builder.mul(y_row, I64(k)), mask)
        builder.ret_void()
        return function

    def transpose_rows(self, builder: ir.IRBuilder, arguments: list[ir.Value]) -> None:
        """Emits a call of the transpose function; arguments as of `body.transpose_rows`."""
        x, x_at, x_row, y, y_at, y_row, rows, columns = arguments
        size = I64(self.bytes)
        values = [self._byte_pointer(builder, x, x_at), builder.mul(x_row, size)]
        values += [self._byte_pointer(builder, y, y_at), builder.mul(y_row, size), rows, columns]
        builder.call(self._transpose_function(), values)
