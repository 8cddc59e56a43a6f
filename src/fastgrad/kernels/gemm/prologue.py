"""Prologues: a product's kernel calls another kernel for rows of its first matrix, just before it reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from fastgrad.kernels.codegen.bounds import checks_bounds
from fastgrad.kernels.codegen.isa import host_isa
from fastgrad.kernels.gemm.form import form_for
from fastgrad.kernels.gemm.gemm import COPY_OF_A_PANEL_ROWS, MOST_PROLOGUE_WORDS
from fastgrad.kernels.runtime.launch import KernelEntry, Launch, Spec

MOST_ELEMENTS_PER_PROLOGUE_CALL = (
    1 << 14
)  # elements that a prologue writes at a time to the memory of `gemm`: they stay in the first caches


def can_take_prologue(
    inputs: Sequence[Spec], transpose_a: bool = False, transpose_b: bool = False, has_epilogue: bool = False
) -> bool:
    """True if a product may have a prologue: the kernel then calls it once for each row of the first matrix.

    Args:
        inputs, transpose_a, transpose_b: as for `product_launches`.
        has_epilogue: whether the product has an epilogue.
    """
    a, b = inputs[:2]
    form = form_for(a.dtype, tuple(a.shape), tuple(b.shape), transpose_a, transpose_b, has_epilogue)
    return form is not None and form.reads_rows_of_a_once


def product_with_prologue(product: Launch, prologue: Launch, rows: int, elided_operand: int | None = None) -> Launch:
    """Returns a product whose kernel calls `prologue`, which writes rows of A, just before it reads these rows.

    Args:
        product: a launch of ``product_launches`` for which ``can_take_prologue`` is true.
        prologue: a launch over units, with the same number for each row; its status is ignored.
        rows: the number of rows of the matrix, with all of a batch.
        elided_operand: the operand of `prologue` that is the matrix, if only the product reads it: it then needs no
            memory.
    """
    operands: list[Any] = list(product.operands)
    parts: Mapping[int, int] = product.parts
    if elided_operand is not None and (most := _units_per_prologue_call(product, prologue)):
        # For the analysis of reads and writes, C stands in for the matrix: the same units write the same rows of C.
        c, size = operands[2], rows * operands[4]
        before, after = prologue.operands[:elided_operand], prologue.operands[elided_operand + 1 :]
        prologue = prologue.with_operands((*before, c, *after))
        prologue.parts = {**prologue.parts, elided_operand: size}
        parts = {**parts, 0: size} if parts else parts
        operands[0], operands[14] = c, most
        operands[17:20] = elided_operand + 1, len(prologue.operands), operands[5] * _itemsize(product)
    operands[-6:-3] = KernelEntry(prologue.kernel), prologue, prologue.units // rows
    cost = product.unit_cost + prologue.units * prologue.unit_cost / product.units
    return Launch(product.kernel, tuple(operands), product.units, cost, parts)


def needs_no_row_memory(product: Launch, prologue: Launch) -> bool:
    """True if the prologue can write A, row by row, to memory of `gemm`, so that A needs no array."""
    return _units_per_prologue_call(product, prologue) > 0


def _units_per_prologue_call(product: Launch, prologue: Launch) -> int:
    """Returns how many units of a product one call of a prologue serves; 0 if `gemm` has too little memory for A."""
    if product.kernel.__name__ != "gemm" or checks_bounds() or len(prologue.operands) > MOST_PROLOGUE_WORDS:
        return 0
    k, unit, most = [cast(int, product.operands[i]) for i in (5, 12, 14)]
    place = COPY_OF_A_PANEL_ROWS * (host_isa().panel_bytes // _itemsize(product))
    return min(most, max(min(MOST_ELEMENTS_PER_PROLOGUE_CALL, place) // (unit * k), 1)) if unit * k <= place else 0


def _itemsize(product: Launch) -> int:
    native: Any = product.kernel
    size: int = native.__self__.parameters[0][1].itemsize
    return size
