"""Candidates for computing a product, with their costs; the cheapest one is chosen.

`ORDERS` has the orders of the operands, `LAYOUTS` the divisions into units of work. A candidate has a name, a condition
and an estimate of its cost. Thresholds were measured where no formula of the cost was exact enough.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from math import inf
from typing import Any, NamedTuple

from fastgrad._src.jit.isa import host_isa
from fastgrad._src.kernels.gemm.gemm import COPY_OF_A_PANEL_ROWS, MOST_CHAIN_TERMS, chains_of

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
LEAST_UNITS_TO_SHARE = 4  # enough units for threads to share

MULTIPLY_ADD_NANOSECONDS = 0.02  # about, for a multiplication and an addition
COST_OF_STRIDED_B = 7  # measured for an element of a transposed B, in the unit of `_transposition_cost`


class _Operands(NamedTuple):  # `import fastgrad` needs no data classes otherwise
    itemsize: int
    batches: int
    m: int
    n: int
    k: int
    strides: tuple[int, int, int, int, int, int]
    has_epilogue: bool
    multithreaded: bool


class Product(_Operands):
    """Batches of products of an m x k matrix A with a k x n matrix B, as the kernel gets them.

    Attributes:
        itemsize: bytes of an element.
        batches, m, n, k, strides: as of `GemmConfig`.
        has_epilogue, multithreaded: as of `gemm_config_of`.
    """

    @property
    def transpose(self) -> Product:
        """The product of the transposes: its result is the transpose of C."""
        a_row, a_k, b_k, b_column, a_batch, b_batch = self.strides
        strides = b_column, b_k, a_k, a_row, b_batch, a_batch
        return self._replace(m=self.n, n=self.m, strides=strides)

    @functools.cached_property
    def panel(self) -> int:
        """The columns of a panel of B."""
        return host_isa().product_panel_bytes(self.row_bytes) // self.itemsize

    @functools.cached_property
    def panels(self) -> int:
        """The number of panels of B."""
        return -(-self.n // self.panel)

    @property
    def row_bytes(self) -> int:
        """The bytes of a row of B or C."""
        return self.n * self.itemsize

    @property
    def a_bytes(self) -> int:
        """The bytes of a matrix A."""
        return self.m * self.k * self.itemsize

    @property
    def has_rows_of_b(self) -> bool:
        """True if the rows of B are contiguous; else each unit copies its panels of B."""
        return self.strides[3] == 1

    @property
    def nanoseconds(self) -> float:
        """About the time on one thread."""
        return MULTIPLY_ADD_NANOSECONDS * self.batches * self.m * self.n * self.k


class Candidate(NamedTuple):
    """A candidate for a part of a configuration.

    Attributes:
        name: for tests.
        applies: returns whether a product can have it.
        cost: estimates its cost for a product, in a unit of its table.
        plan: returns the part of the configuration for a product.
    """

    name: str
    applies: Callable[[Product], bool]
    cost: Callable[[Product], float]
    plan: Callable[[Product], Any]


class Blocks(NamedTuple):
    """How C is divided into units of work.

    Attributes:
        rows: the number of blocks of rows.
        panels: the panels of a unit.
        most: the most groups of `TILE_ROWS` rows that a unit computes together.
        chains, copied: as of `GemmConfig`.
    """

    rows: int
    panels: int
    most: int
    chains: int = 1
    copied: int = 0


def cheapest_plan(candidates: Sequence[Candidate], product: Product) -> Any:
    """Returns the plan of the candidate of the least cost among those that apply; the first one among equals."""
    plan, least_cost = None, inf
    for candidate in candidates:
        cost = candidate.cost(product)
        if cost < least_cost and candidate.applies(product):
            plan, least_cost = candidate.plan, cost
    assert plan is not None, "the last candidate of a table always applies"
    return plan(product)


# ---- orders of operands --------------------------------------------------------------------------------------------


def _always(product: Product) -> bool:
    return True


def _may_transpose_result(product: Product) -> bool:
    """True for a contiguous A and a transposed B, in a product that is long enough for a step more."""
    _, a_k, _, b_column, *_ = product.strides
    is_matrix = product.multithreaded and not product.has_epilogue and product.batches == 1
    return is_matrix and a_k == 1 != b_column and product.nanoseconds >= 2 * LEAST_PARALLEL_NANOSECONDS


def _transposition_cost(product: Product) -> int:
    """Returns the cost of transposing A and C, whose rows become vector lanes: some of them are idle."""
    m, n, k = product.m, product.n, product.k
    idle_lanes = -m % (host_isa().vector_bytes // product.itemsize)
    return 2 * m * (5 * k + 8 * n) + 2 * idle_lanes * n * k


ORDERS = (
    Candidate("turned", _may_transpose_result, _transposition_cost, lambda product: (True, True)),
    Candidate("swapped", lambda product: product.n == 1 < product.m, lambda product: 0, lambda product: (True, False)),
    Candidate(
        "given", _always, lambda product: COST_OF_STRIDED_B * product.n * product.k, lambda product: (False, False)
    ),
)
"""The orders of operands: whether they are swapped, and whether C is turned. The unit of costs is that of
`COST_OF_STRIDED_B`."""


# ---- layouts -------------------------------------------------------------------------------------------------------


def _may_split_k(product: Product) -> bool:
    """True if threads may share the terms of each sum: the partial sums then stay in the second cache."""
    is_matrix = product.multithreaded and product.batches == 1 < product.m and product.has_rows_of_b
    is_long = chains_of(product.k) > 1 and product.nanoseconds >= LEAST_PARALLEL_NANOSECONDS
    return is_matrix and is_long and _bytes_of_sums(product) <= MOST_CHAIN_BYTES


def _bytes_of_sums(product: Product) -> int:
    return chains_of(product.k) * product.m * product.row_bytes


def _copies_rows_of_a(product: Product) -> bool:
    """True if a copy of rows of A pays: each term of a row is in a page of its own, and is read often or evicted."""
    if product.strides[1] == 1 or product.m < ROWS_PER_PANEL_COPY or _rows_in_copy_of_a(product.itemsize) <= 0:
        return False
    is_read_often = (
        product.panels >= LEAST_PANELS_FOR_COPY_OF_A
        and not _has_near_b(product)
        and product.a_bytes >= SECOND_CACHE_BYTES
    )
    return is_read_often or (product.row_bytes >= host_isa().panel_bytes and product.a_bytes >= LARGE_A_BYTES)


def _has_near_b(product: Product) -> bool:
    """True if the second cache holds B."""
    return product.has_rows_of_b and _bytes_of_b(product) <= SECOND_CACHE_BYTES


def _has_large_terms(product: Product) -> bool:
    """True if the rows of A are evicted between panels, unless few of them are read for several panels."""
    is_matrix = product.batches == 1 < product.panels and product.has_rows_of_b
    return is_matrix and product.m >= ROWS_OF_LARGE_A and chains_of(product.k) > 1


def _has_narrow_large_terms(product: Product) -> bool:
    return _has_large_terms(product) and product.row_bytes <= MOST_ROW_BYTES_WITHOUT_COPY


def _has_whole_rows(product: Product) -> bool:
    """True if a unit computes whole rows of C: for an epilogue, or since all panels are near."""
    if product.has_epilogue or (_has_near_b(product) and product.panels > 1):
        return True
    # Each unit then copies all of B. But a thread has its own rows, which an epilogue may need.
    is_matrix = product.multithreaded and product.batches == 1 < product.panels and not product.has_rows_of_b
    return is_matrix and max(-(-product.m // ROWS_PER_PANEL_COPY), _least_row_blocks(product)) > 1


def _least_row_blocks(product: Product) -> int:
    """Returns the blocks of rows that give threads enough units, if a unit has a panel of the widest kind."""
    return LEAST_UNITS_TO_SHARE // (product.batches * -(-product.row_bytes // host_isa().panel_bytes))


def _row_blocks(product: Product) -> int:
    """Returns the most blocks of rows: a unit that copies its panels of B needs many rows to pay for that."""
    blocks = -(-product.m // TILE_ROWS)
    if product.has_rows_of_b:
        return blocks
    is_short = product.has_epilogue and product.nanoseconds < MOST_SERIAL_NANOSECONDS
    return min(blocks, max(-(-product.m // ROWS_PER_PANEL_COPY), 1 if is_short else _least_row_blocks(product)))


def _partial_sums(product: Product) -> Blocks:
    chains = chains_of(product.k)
    rows = min(-(-product.m // TILE_ROWS), max(LEAST_UNITS_TO_SHARE // (chains * product.panels), 1))
    return Blocks(rows, 1, product.m, chains=chains)


def _copied_rows(product: Product) -> Blocks:
    rows, has_whole_rows = _rows_in_copy_of_a(product.itemsize), _has_whole_rows(product)
    blocks = -(-product.m // (min(rows, ROWS_PER_PANEL_COPY) if has_whole_rows else rows))
    panels = product.panels if has_whole_rows else _panels_of_unit(product.panels, product.row_bytes)
    return Blocks(blocks, panels, 1, copied=rows + COPY_PADDING_ELEMENTS)


def _rows_near_b(product: Product) -> Blocks:
    rows = min(MOST_ROWS_TOGETHER, MOST_L1_EPILOGUE_BYTES // product.row_bytes)
    return Blocks(-(-product.m // TILE_ROWS), product.panels, max(rows // TILE_ROWS, 1))


def _rows_far_from_b(product: Product) -> Blocks:
    if _has_large_terms(product):  # each unit reads all of B
        return Blocks(-(-product.m // ROWS_PER_PANEL_COPY), product.panels, 1)
    return Blocks(_row_blocks(product), product.panels, max(MOST_ROWS_TOGETHER // TILE_ROWS, 1))


def _rows_without_copy(product: Product) -> Blocks:
    # A multiple of four units, of which two or four threads get equal shares.
    blocks = -(-product.m // (LEAST_UNITS_TO_SHARE * ROWS_WITHOUT_COPY)) * LEAST_UNITS_TO_SHARE
    return Blocks(blocks, product.panels, 1)


def _groups_of_panels(product: Product) -> Blocks:
    blocks = -(-product.m // ROWS_OF_LARGE_A)
    most_panels = -(-product.panels * blocks // LEAST_UNITS_TO_SHARE)
    return Blocks(blocks, min(_panels_of_unit(product.panels, product.row_bytes), most_panels), 1)


def _single_panels(product: Product) -> Blocks:
    return Blocks(_row_blocks(product), 1, product.m)


def _bytes_of_b(product: Product) -> int:
    return product.k * product.row_bytes


LAYOUTS = (
    Candidate("split-k", _may_split_k, lambda product: 2 * _bytes_of_sums(product), _partial_sums),
    Candidate("copied rows", _copies_rows_of_a, _bytes_of_b, _copied_rows),
    Candidate(
        "rows near B", lambda product: _has_near_b(product) and _has_whole_rows(product), _bytes_of_b, _rows_near_b
    ),
    Candidate("rows far from B", _has_whole_rows, _bytes_of_b, _rows_far_from_b),
    Candidate("rows without copy", _has_narrow_large_terms, _bytes_of_b, _rows_without_copy),
    Candidate("groups of panels", _has_large_terms, _bytes_of_b, _groups_of_panels),
    Candidate("single panels", _always, _bytes_of_b, _single_panels),
)
"""The layouts: `Blocks`. Costs are bytes that a thread moves. Split-k moves partial sums twice, the others move all of B;
among those measured thresholds decide, since no formula reproduces their times."""


def _panels_of_unit(panels: int, row_bytes: int) -> int:
    """Returns the panels of a unit that reads its rows of A from the second cache for each of its panels."""
    groups = -(-row_bytes // (LEAST_PANELS_FOR_COPY_OF_A * host_isa().panel_bytes))
    return -(-panels // groups)


def _rows_in_copy_of_a(itemsize: int) -> int:
    """Returns how many rows of A fit in the kernel's packed copy of A; 0 if vectors have two elements."""
    rows = COPY_OF_A_PANEL_ROWS * (host_isa().panel_bytes // itemsize) // MOST_CHAIN_TERMS
    return rows // COPY_PADDING_ELEMENTS * COPY_PADDING_ELEMENTS - COPY_PADDING_ELEMENTS
