"""Prologues: a product's kernel calls another kernel for rows of its first matrix, just before it reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from fastgrad.kernels.codegen.bounds import checks_bounds
from fastgrad.kernels.codegen.isa import host_isa
from fastgrad.kernels.gemm.form import form_for
from fastgrad.kernels.gemm.gemm import COPY_OF_A_PANEL_ROWS, MOST_PROLOGUE_WORDS
from fastgrad.kernels.runtime.launch import KernelEntry, Launch, Spec

MOST_PRIVATE_ROW_ELEMENTS = (
    1 << 14
)  # elements that a prologue writes at a time if only the product reads them: they stay in the first caches


def takes_prologue(
    inputs: Sequence[Spec], transpose_a: bool = False, transpose_b: bool = False, followed: bool = False
) -> bool:
    """True if a product may be ``product_with_prologue`` without a loss.

    Args:
        inputs, transpose_a, transpose_b: as for `product_launches`.
        followed: whether the product has an epilogue.
    """
    a, b = inputs[:2]
    form = form_for(a.dtype, tuple(a.shape), tuple(b.shape), transpose_a, transpose_b, followed)
    return form is not None and form.reads_rows_of_a_once


def product_with_prologue(product: Launch, preceding: Launch, rows: int, private_operand: int | None = None) -> Launch:
    """Returns a product whose kernel calls `preceding` for its first matrix, some rows just before they are read.

    Args:
        product: a launch of ``product_launches`` for which ``takes_prologue`` is true.
        preceding: a launch over units, with the same number for each row; its answer is ignored.
        rows: the number of rows of the matrix, with all of a batch.
        private_operand: the operand of `preceding` that is the matrix, if only the product reads it: it then needs no
            memory.
    """
    operands: list[Any] = list(product.operands)
    parts: Mapping[int, int] = product.parts
    if private_operand is not None and (most := _units_per_prologue_call(product, preceding)):
        # For the analysis of reads and writes, C stands in for the matrix: the same units write the same rows of C.
        c, size = operands[2], rows * operands[4]
        before, after = preceding.operands[:private_operand], preceding.operands[private_operand + 1 :]
        preceding = preceding.with_operands((*before, c, *after))
        preceding.parts = {**preceding.parts, private_operand: size}
        parts = {**parts, 0: size} if parts else parts
        operands[0], operands[14] = c, most
        operands[17:20] = private_operand + 1, len(preceding.operands), operands[5] * _itemsize(product)
    operands[-6:-3] = KernelEntry(preceding.kernel), preceding, preceding.units // rows
    cost = product.unit_cost + preceding.units * preceding.unit_cost / product.units
    return Launch(product.kernel, tuple(operands), product.units, cost, parts)


def needs_no_row_memory(product: Launch, preceding: Launch) -> bool:
    """True if ``product_with_prologue`` needs no memory for a matrix that only the product reads."""
    return _units_per_prologue_call(product, preceding) > 0


def _units_per_prologue_call(product: Launch, preceding: Launch) -> int:
    """Returns how many units of a product are done as one with rows in the kernel's own memory; 0 without such rows."""
    if product.kernel.__name__ != "gemm" or checks_bounds() or len(preceding.operands) > MOST_PROLOGUE_WORDS:
        return 0
    k, unit, most = [cast(int, product.operands[i]) for i in (5, 12, 14)]
    place = COPY_OF_A_PANEL_ROWS * (host_isa().panel_bytes // _itemsize(product))
    return min(most, max(min(MOST_PRIVATE_ROW_ELEMENTS, place) // (unit * k), 1)) if unit * k <= place else 0


def _itemsize(product: Launch) -> int:
    native: Any = product.kernel
    size: int = native.__self__.parameters[0][1].itemsize
    return size
