"""The form of a product: the order of its operands, its units of work, its copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import NamedTuple

import numpy as np

from fastgrad._src.jit.isa import host_isa
from fastgrad._src.kernels.elementwise.half import BFLOAT16
from fastgrad._src.kernels.gemm.gemm import COPY_OF_A_PANEL_ROWS, MOST_CHAIN_TERMS, chains_of, gemm
from fastgrad._src.kernels.gemm.pairs import ROWS_COPIED_TOGETHER
from fastgrad._src.kernels.runtime.launch import NO_PARTS, Spec

TILE_ROWS = 8  # a multiple of the rows of all tiles
MOST_L1_EPILOGUE_BYTES = 1 << 16  # bytes of C that an epilogue finds in the first caches
MOST_ROWS_TOGETHER = 64  # most rows that are worth computing together
SECOND_CACHE_BYTES = 1 << 19  # bytes of the second cache that B may use
ROWS_PER_PANEL_COPY = 128  # with so many rows, the copy of a panel is cheap compared to the product
MOST_CHAIN_BYTES = 1 << 18  # most bytes of the sums of chains, which stay in the second cache
LEAST_PARALLEL_NANOSECONDS = 8000.0  # least nanoseconds of a product that threads share
MOST_SERIAL_NANOSECONDS = 4000.0  # most nanoseconds of a product that threads do not share
LARGE_A_BYTES = (
    1 << 21
)  # bytes of an A that is evicted from the second cache before the next terms of its rows are read
ROWS_OF_LARGE_A = 256  # rows whose terms of a chain stay in the second cache for several panels
ROWS_WITHOUT_COPY = 64  # so few rows read the panels of a narrow B faster where they are than from copies
MOST_ROW_BYTES_WITHOUT_COPY = 3 << 10  # bytes of a row of a B whose panels, not copied, stay in the second cache
LEAST_PANELS_FOR_COPY_OF_A = 8  # so many panels of B pay for a copy of rows of A
COPY_PADDING_ELEMENTS = 16  # elements between the terms of a copy, so that they do not compete for one cache set
MOST_L2_EPILOGUE_BYTES = 1 << 18  # bytes of C that an epilogue finds in the second cache
LEAST_MULTIPLY_ADDS_FOR_TILES = 256  # multiplications of each matrix of a batch for which copies of A and B pay
LEAST_UNITS_TO_SHARE = 4  # enough units for threads to share

MULTIPLY_ADD_NANOSECONDS = 0.02  # about, for a multiplication and an addition


class Form(NamedTuple):
    """The form in which the kernel computes a product.

    Attributes:
        swapped: whether the kernel gets b and then a: a product with a column is a product of a row with the transpose.
        turned: whether the kernel computes the transpose of C, which `turn` transposes; for few rows with a transposed
            B.
        batches, m, n, k: sizes for the kernel; a batch of rows may be one matrix of more rows.
        strides: a_row, a_k, b_k, b_column, a_batch, b_batch.
        shape: the shape of the result.
        unit: the rows of a unit of work, its panels, and the number of units that are done as one.
        units: the number of units of work.
        chains: the number of partial sums of each element, if they are units of their own; else 1.
        copied: the number of elements for each term in the copy of A, 0 without a copy.
        panel: the columns of a panel.
    """

    swapped: bool
    turned: bool
    batches: int
    m: int
    n: int
    k: int
    strides: tuple[int, int, int, int, int, int]
    shape: tuple[int, ...]
    unit: tuple[int, int, int]
    units: int
    chains: int
    copied: int
    panel: int

    @property
    def uses_gemv(self) -> bool:
        """True if `gemv` is faster: for the product of one row with a large matrix."""
        rows_lie_together = self.strides[3] == 1
        return self.batches == self.m == 1 and self.k * self.n >= 1 << 14 and (rows_lie_together or self.k >= 512)

    @property
    def launch_parts(self) -> Mapping[int, int]:
        """The launch's `parts`: C and a contiguous A, if units are equal blocks of whole rows of a matrix; or none."""
        rows = self.unit[0] * self.units
        if self.swapped or self.batches > 1 or self.m != rows:
            return NO_PARTS
        of_c = {2: self.m * self.n}
        return {0: self.m * self.k, **of_c} if self.strides[:2] == (self.k, 1) else of_c

    @property
    def computes_whole_rows(self) -> bool:
        """True if a unit computes whole rows of C, which are then final."""
        return self.chains == 1 and not self.turned and self.units == self.batches * -(-self.m // self.unit[0])

    @property
    def can_call_row_epilogue(self) -> bool:
        """True if the kernel can call an epilogue on whole rows."""
        return self.computes_whole_rows and not (self.swapped or self.uses_gemv)

    @property
    def gemm_args(self) -> tuple[int, ...]:
        """The arguments of `gemm` between the arrays and the epilogue."""
        return (*self.gemm_pairs_args, int(self.chains > 1), self.copied, self.panel)

    @property
    def gemm_pairs_args(self) -> tuple[int, ...]:
        """The arguments of `gemm_pairs` between the arrays and the epilogue."""
        return (self.m, self.n, self.k, *self.strides, *self.unit)


def form_of(  # noqa: PLR0915  # one decision: each choice depends on those before
    itemsize: int,
    a: tuple[int, ...],
    b: tuple[int, ...],
    transpose_a: bool,
    transpose_b: bool,
    has_epilogue: bool = False,
    multithreaded: bool = False,
) -> Form | None:
    """Returns the form of a product of contiguous arrays of these matching shapes.

    Args:
        itemsize: bytes of an element.
        a, b: the shapes.
        transpose_a, transpose_b: whether the last two axes are swapped.
        has_epilogue: whether rows of the product go to another step.
        multithreaded: whether threads may share the product.

    Returns:
        None for a product without elements or without terms, and for batches that broadcast in a way that strides can't
        express.
    """
    m, k = a[-2:][::-1] if transpose_a else a[-2:]
    n = b[-2] if transpose_b else b[-1]
    a_outer, b_outer = a[:-2], b[:-2]
    batches, a_batch, b_batch = prod(a_outer), m * k, k * n
    if a_outer != b_outer:
        if prod(b_outer) == 1:
            b_batch = 0
        elif batches == 1:
            batches, a_batch = prod(b_outer), 0
        else:
            return None
    shape = (*np.broadcast_shapes(a_outer, b_outer), m, n)
    if not k or not prod(shape):
        return None
    if b_batch == 0 and not transpose_a:
        batches, m = 1, batches * m
    a_row, a_k = (1, m) if transpose_a else (k, 1)
    b_k, b_column = (1, k) if transpose_b else (n, 1)
    may_turn = multithreaded and not has_epilogue and batches == 1 and a_k == 1 != b_column
    turned = may_turn and _is_transpose_cheaper(m, n, k, host_isa().vector_bytes // itemsize)
    swapped = turned or (n == 1 and m > 1)
    if swapped:
        m, n = n, m
        a_row, a_k, b_k, b_column = b_column, b_k, a_k, a_row
        a_batch, b_batch = b_batch, a_batch
    strides = (a_row, a_k, b_k, b_column, *((a_batch, b_batch) if batches > 1 else (0, 0)))
    panel = host_isa().product_panel_bytes(n * itemsize) // itemsize
    panels = -(-n // panel)
    least_row_blocks = LEAST_UNITS_TO_SHARE // (batches * -(-n * itemsize // host_isa().panel_bytes))
    chains = chains_of(k)
    if not (multithreaded and batches == 1 < m and b_column == 1 and _is_split_k_cheaper(itemsize, m, n, k, chains)):
        chains = 1
    is_near = b_column == 1 and k * n * itemsize <= SECOND_CACHE_BYTES
    is_far = a_k != 1 and m >= ROWS_PER_PANEL_COPY  # each term of a row is in a page of its own
    is_read_often = panels >= LEAST_PANELS_FOR_COPY_OF_A and not is_near and k * m * itemsize >= SECOND_CACHE_BYTES
    is_large = n * itemsize >= host_isa().panel_bytes and k * m * itemsize >= LARGE_A_BYTES
    copies = is_far and (is_read_often or is_large) and _rows_in_copy_of_a(itemsize) > 0
    whole_rows = (has_epilogue and chains == 1) or (is_near and panels > 1)
    # Each unit then copies all of B. But a thread has its own rows, which an epilogue may need.
    whole_rows |= (
        multithreaded
        and batches == 1 < panels
        and b_column != 1
        and max(-(-m // ROWS_PER_PANEL_COPY), least_row_blocks) > 1
    )
    has_large_terms = batches == 1 < panels and b_column == 1 and m >= ROWS_OF_LARGE_A and chains_of(k) > 1
    together, most, copied = 1, m, 0
    blocks = -(-m // TILE_ROWS)
    if chains > 1:
        blocks = min(blocks, max(LEAST_UNITS_TO_SHARE // (chains * panels), 1))
    elif copies:
        rows = _rows_in_copy_of_a(itemsize)
        blocks = -(-m // (min(rows, ROWS_PER_PANEL_COPY) if whole_rows else rows))
        together, most = panels if whole_rows else _panels_of_unit(panels, n * itemsize), 1
        copied = rows + COPY_PADDING_ELEMENTS
    elif whole_rows and is_near:
        together, most = panels, max(min(MOST_ROWS_TOGETHER, MOST_L1_EPILOGUE_BYTES // (n * itemsize)) // TILE_ROWS, 1)
    else:
        if b_column != 1:  # each unit copies its panels of B
            is_short = has_epilogue and MULTIPLY_ADD_NANOSECONDS * batches * m * n * k < MOST_SERIAL_NANOSECONDS
            least_blocks = 1 if is_short else least_row_blocks
            blocks = min(blocks, max(-(-m // ROWS_PER_PANEL_COPY), least_blocks))
        if whole_rows:
            together, most = panels, max(MOST_ROWS_TOGETHER // TILE_ROWS, 1)
            if has_large_terms:  # each unit reads all of B
                most, blocks = 1, -(-m // ROWS_PER_PANEL_COPY)
        elif has_large_terms and n * itemsize <= MOST_ROW_BYTES_WITHOUT_COPY:
            # A multiple of four units, of which two or four threads get equal shares.
            blocks = -(-m // (LEAST_UNITS_TO_SHARE * ROWS_WITHOUT_COPY)) * LEAST_UNITS_TO_SHARE
            together, most = panels, 1
        elif has_large_terms:
            most, blocks = 1, -(-m // ROWS_OF_LARGE_A)
            together = min(_panels_of_unit(panels, n * itemsize), -(-panels * blocks // LEAST_UNITS_TO_SHARE))
    unit = -(-m // (blocks * TILE_ROWS)) * TILE_ROWS
    units = batches * -(-panels // together) * -(-m // unit) * chains
    return Form(swapped, turned, batches, m, n, k, strides, shape, (unit, together, most), units, chains, copied, panel)


def _panels_of_unit(panels: int, row_bytes: int) -> int:
    """Returns the panels of a unit that reads its rows of A from the second cache for each of its panels."""
    groups = -(-row_bytes // (LEAST_PANELS_FOR_COPY_OF_A * host_isa().panel_bytes))
    return -(-panels // groups)


def uses_bfloat16_pairs(inputs: Sequence[Spec], transpose_a: bool, transpose_b: bool) -> bool:
    """True if `product_launches` of two inputs use `gemm_pairs`: bfloat16 matrices, except a row with a matrix."""
    a, b = inputs
    return a.dtype == BFLOAT16 and pair_form_of(tuple(a.shape), tuple(b.shape), transpose_a, transpose_b) is not None


def pair_form_of(
    a: tuple[int, ...], b: tuple[int, ...], transpose_a: bool, transpose_b: bool, has_epilogue: bool = False
) -> Form | None:
    """Returns the form for `gemm_pairs`; None if `form_of` has none, if m = 1, or without fused multiply-adds."""
    form = form_of(BFLOAT16.itemsize, a, b, transpose_a, transpose_b)
    if form is None or form.m == 1 or not host_isa().fused:
        return None
    is_copied = form.strides[1] != 1
    panels = -(-form.n * 4 // host_isa().panel_bytes)
    together = panels if has_epilogue else min(panels, LEAST_PANELS_FOR_COPY_OF_A) if is_copied else 1
    across = form.batches * -(-panels // together)
    # A unit copies its panels of B, which is cheap compared to so many rows.
    blocks = min(-(-form.m // TILE_ROWS), max(-(-form.m // ROWS_COPIED_TOGETHER), LEAST_UNITS_TO_SHARE // across))
    unit = -(-form.m // (blocks * TILE_ROWS)) * TILE_ROWS
    rows = form.m
    if is_copied:
        rows = ROWS_COPIED_TOGETHER
    elif has_epilogue:
        rows = max(ROWS_COPIED_TOGETHER, MOST_L2_EPILOGUE_BYTES // (4 * form.n))
    units = across * -(-form.m // unit)
    return form._replace(unit=(unit, together, max(rows // unit, 1)), units=units, chains=1, copied=0)


def _rows_in_copy_of_a(itemsize: int) -> int:
    """Returns how many rows of A fit in the kernel's packed copy of A; 0 if vectors have two elements."""
    rows = COPY_OF_A_PANEL_ROWS * (host_isa().panel_bytes // itemsize) // MOST_CHAIN_TERMS
    return rows // COPY_PADDING_ELEMENTS * COPY_PADDING_ELEMENTS - COPY_PADDING_ELEMENTS


def _is_transpose_cheaper(m: int, n: int, k: int, lanes: int) -> bool:
    """True if transposing A and C costs less than transposing B: A and C have few rows, which become vector lanes."""
    idle = -m % lanes
    return (
        2 * m * (5 * k + 8 * n) <= (7 - 2 * idle) * n * k
        and MULTIPLY_ADD_NANOSECONDS * m * n * k >= 2 * LEAST_PARALLEL_NANOSECONDS
    )


def _is_split_k_cheaper(itemsize: int, m: int, n: int, k: int, chains: int) -> bool:
    """True if split-k pays: threads then read only a part of B each, and adding the partial sums costs little."""
    sums = chains * m * n * itemsize
    return (
        chains > 1
        and sums <= MOST_CHAIN_BYTES
        and 2 * sums <= k * n * itemsize
        and MULTIPLY_ADD_NANOSECONDS * m * n * k >= LEAST_PARALLEL_NANOSECONDS
    )


def form_for(
    dtype: np.dtype, a: tuple[int, ...], b: tuple[int, ...], transpose_a: bool, transpose_b: bool, has_epilogue: bool
) -> Form | None:
    """Returns the form of a product of matrices of a dtype; None if neither `gemm` nor `gemm_pairs` supports it."""
    if dtype == BFLOAT16:
        return pair_form_of(a, b, transpose_a, transpose_b, has_epilogue)
    if dtype not in gemm.variables["T"]:
        return None
    return form_of(dtype.itemsize, a, b, transpose_a, transpose_b, has_epilogue, True)


def epilogue_block_rows(inputs: Sequence[Spec], transpose_a: bool = False, transpose_b: bool = False) -> int | None:
    """Returns the rows of the blocks, a multiple of 8, for which `product_launches` calls an epilogue on rows.

    Each block begins at a multiple of this number.

    Args:
        inputs, transpose_a, transpose_b: as for `product_launches`.

    Returns:
        None if an epilogue by rows is a step of its own, or if the product alone is faster or more threads can share
        it.
    """
    a, b = inputs[:2]
    sizes = a.dtype, tuple(a.shape), tuple(b.shape), transpose_a, transpose_b
    form, alone = form_for(*sizes, True), form_for(*sizes, False)
    if form is None or alone is None or not form.can_call_row_epilogue or alone.turned or form.batches > 1:
        return None
    is_short = MULTIPLY_ADD_NANOSECONDS * form.m * form.n * form.k < MOST_SERIAL_NANOSECONDS
    return form.unit[0] if is_short or form.units >= min(alone.units, LEAST_UNITS_TO_SHARE) else None
