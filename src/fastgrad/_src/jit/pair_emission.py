"""Tiles of bfloat16 products with float32 sums, as LLVM IR: a term is a pair of adjacent numbers, 32 bits.

x86 processors with AVX512-BF16 add two products to each of 16 sums in one instruction, twice as fast as fused
multiply-adds. The instruction adds first the product of the second numbers and then that of the first, each rounded
once, as two fused multiply-adds do. Other processors use fused multiply-adds. Bits differ in one case: the instruction flushes
numbers and sums below 2^-126 to zero.
"""

from __future__ import annotations

from llvmlite import ir

from fastgrad._src.jit.isa import Isa
from fastgrad._src.jit.tile_emission import I8, I32, I64, Tiles

HALF_BYTES = 2
PAIR_BYTES = 4


class PairTiles(Tiles):
    """An emitter of tile functions of products of bfloat16 matrices, whose pairs are moved like float32 numbers."""

    def __init__(self, module: ir.Module, machine: Isa) -> None:
        super().__init__(module, ir.FloatType(), machine)
        self.alignment = HALF_BYTES
        self.unmasked_width = 0  # panels of pairs are `panel_bytes` wide
        self.pairs = ir.VectorType(I32, self.lanes)

    def _function_and_is_new(self, name: str, parameters: list[ir.Type]) -> tuple[ir.Function, bool]:
        return super()._function_and_is_new(f"{name}_pairs", parameters)

    def _multiply_add(self, builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        a, b = builder.bitcast(a, self.pairs), builder.bitcast(b, self.pairs)
        if self.machine.pairs:
            kind = ir.FunctionType(self.vector, [self.vector, self.pairs, self.pairs])
            name = f"llvm.x86.avx512bf16.dpbf16ps.{8 * self.machine.vector_bytes}"
            return builder.call(self._declared_function(name, kind), [c, a, b])
        second, half = (ir.Constant(self.pairs, [bits] * self.lanes) for bits in (-0x10000, 16))
        for x, y in ((builder.and_(a, second), builder.and_(b, second)), (builder.shl(a, half), builder.shl(b, half))):
            c = super()._multiply_add(builder, builder.bitcast(x, self.vector), builder.bitcast(y, self.vector), c)
        return c

    def _element_bytes_of_a(self, a: ir.Value) -> int:
        return int(a.type.pointee.width) // 8

    multiply_pairs = Tiles.multiply_rows
    """Emits the call for as many vectors as the columns need; arguments as of `body.multiply_pairs`."""

    def pack_pairs(self, builder: ir.IRBuilder, arguments: list[ir.Value]) -> None:
        """Emits a call of the pack function; arguments as of `body.pack_pairs`."""
        b, b_at, b_column, target, target_row, depth, columns = arguments
        size = I64(PAIR_BYTES)
        values = [self._byte_pointer(builder, b, b_at), size, builder.mul(b_column, I64(HALF_BYTES))]
        values += [builder.bitcast(target, I8.as_pointer()), builder.mul(target_row, size), depth, columns]
        builder.call(self._pack_panel_function(), values)
