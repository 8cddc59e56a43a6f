"""The config of a product: the order of its operands, its units of work, its copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import NamedTuple

import numpy as np

from fastgrad._src.jit.isa import host_isa
from fastgrad._src.kernels.elementwise.half import BFLOAT16
from fastgrad._src.kernels.gemm.gemm import gemm
from fastgrad._src.kernels.gemm.layout import (
    LAYOUTS,
    LEAST_PANELS_FOR_COPY_OF_A,
    LEAST_UNITS_TO_SHARE,
    MOST_SERIAL_NANOSECONDS,
    MULTIPLY_ADD_NANOSECONDS,
    ORDERS,
    TILE_ROWS,
    Blocks,
    Product,
    cheapest_plan,
)
from fastgrad._src.kernels.gemm.pairs import ROWS_COPIED_TOGETHER
from fastgrad._src.kernels.runtime.launch import NO_PARTS, Spec

MOST_L2_EPILOGUE_BYTES = 1 << 18  # bytes of C that an epilogue finds in the second cache
LEAST_MULTIPLY_ADDS_FOR_TILES = 256  # multiplications of each matrix of a batch for which copies of A and B pay


class GemmConfig(NamedTuple):
    """The config in which the kernel computes a product.

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
    def units_per_panel(self) -> int:
        """The units that read the same panel of B, if a unit has one panel."""
        rows, panels, _ = self.unit
        return -(-self.m // rows) if panels == 1 and self.chains == 1 else 1

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


def gemm_config_of(
    itemsize: int,
    a: tuple[int, ...],
    b: tuple[int, ...],
    transpose_a: bool,
    transpose_b: bool,
    has_epilogue: bool = False,
    multithreaded: bool = False,
) -> GemmConfig | None:
    """Returns the config of a product of contiguous arrays of these matching shapes: the cheapest order and layout.

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
    matrix_strides = *((1, m) if transpose_a else (k, 1)), *((1, k) if transpose_b else (n, 1))
    strides = (*matrix_strides, *((a_batch, b_batch) if batches > 1 else (0, 0)))
    product = Product(itemsize, batches, m, n, k, strides, has_epilogue, multithreaded)
    swapped, turned = cheapest_plan(ORDERS, product)
    product = product.transpose if swapped else product
    blocks: Blocks = cheapest_plan(LAYOUTS, product)
    m, n, panels = product.m, product.n, product.panels
    unit = -(-m // (blocks.rows * TILE_ROWS)) * TILE_ROWS
    units = batches * -(-panels // blocks.panels) * -(-m // unit) * blocks.chains
    return GemmConfig(
        *(swapped, turned, batches, m, n, k, product.strides, shape),
        *((unit, blocks.panels, blocks.most), units, blocks.chains, blocks.copied, product.panel),
    )


def uses_bfloat16_pairs(inputs: Sequence[Spec], transpose_a: bool, transpose_b: bool) -> bool:
    """True if `product_launches` of two inputs use `gemm_pairs`: bfloat16 matrices, except a row with a matrix."""
    a, b = inputs
    return (
        a.dtype == BFLOAT16
        and gemm_pairs_config_of(tuple(a.shape), tuple(b.shape), transpose_a, transpose_b) is not None
    )


def gemm_pairs_config_of(
    a: tuple[int, ...], b: tuple[int, ...], transpose_a: bool, transpose_b: bool, has_epilogue: bool = False
) -> GemmConfig | None:
    """Returns the config for `gemm_pairs`; None if `gemm_config_of` has none, if m = 1, or without fused multiply-adds."""
    config = gemm_config_of(BFLOAT16.itemsize, a, b, transpose_a, transpose_b)
    if config is None or config.m == 1 or not host_isa().fused:
        return None
    is_copied = config.strides[1] != 1
    panels = -(-config.n * 4 // host_isa().panel_bytes)
    together = panels if has_epilogue else min(panels, LEAST_PANELS_FOR_COPY_OF_A) if is_copied else 1
    across = config.batches * -(-panels // together)
    # A unit copies its panels of B, which is cheap compared to so many rows.
    blocks = min(-(-config.m // TILE_ROWS), max(-(-config.m // ROWS_COPIED_TOGETHER), LEAST_UNITS_TO_SHARE // across))
    unit = -(-config.m // (blocks * TILE_ROWS)) * TILE_ROWS
    rows = config.m
    if is_copied:
        rows = ROWS_COPIED_TOGETHER
    elif has_epilogue:
        rows = max(ROWS_COPIED_TOGETHER, MOST_L2_EPILOGUE_BYTES // (4 * config.n))
    units = across * -(-config.m // unit)
    return config._replace(unit=(unit, together, max(rows // unit, 1)), units=units, chains=1, copied=0)


def config_for_dtype(
    dtype: np.dtype, a: tuple[int, ...], b: tuple[int, ...], transpose_a: bool, transpose_b: bool, has_epilogue: bool
) -> GemmConfig | None:
    """Returns the config of a product of matrices of a dtype; None if neither `gemm` nor `gemm_pairs` supports it."""
    if dtype == BFLOAT16:
        return gemm_pairs_config_of(a, b, transpose_a, transpose_b, has_epilogue)
    if dtype not in gemm.variables["T"]:
        return None
    return gemm_config_of(dtype.itemsize, a, b, transpose_a, transpose_b, has_epilogue, True)


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
    config, alone = config_for_dtype(*sizes, True), config_for_dtype(*sizes, False)
    if config is None or alone is None or not config.can_call_row_epilogue or alone.turned or config.batches > 1:
        return None
    is_short = MULTIPLY_ADD_NANOSECONDS * config.m * config.n * config.k < MOST_SERIAL_NANOSECONDS
    return config.unit[0] if is_short or config.units >= min(alone.units, LEAST_UNITS_TO_SHARE) else None
