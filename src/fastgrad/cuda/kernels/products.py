"""Matrix products in tiles: a block computes a tile of C; each thread keeps a few rows and columns in registers.

Stretches of A and B go through shared memory, double-buffered: threads multiply one stretch and fetch the next. Sums are chains of
fused multiply-adds in the order of the terms. If there are too few tiles for a GPU, or too many terms for one chain, sums are cut into
parts. The shape decides their number, and they are added in order.

The code is generated for each tile size and for the contiguous directions of A and B, because loops would leave the sums in memory.
Sizes are arguments.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastgrad.cuda.codegen.body import load_aligned, shared_array, store_aligned, synchronize, thread
from fastgrad.cuda.codegen.kernel import DeviceKernel, on_device
from fastgrad.cuda.kernels.replacement import Replacement, ScratchMemory, device_launch
from fastgrad.kernels.codegen.body import digest, fused_multiply_add
from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.codegen.generated_source import function_from_source
from fastgrad.kernels.codegen.isa import host_isa
from fastgrad.kernels.codegen.signature import SHARE_PARAMETERS, parse_signature
from fastgrad.kernels.elementwise.half import WIDENING_KERNELS
from fastgrad.kernels.gemm import gemm, gemv, pairs, transpose
from fastgrad.kernels.math.vector_math import least
from fastgrad.kernels.movement.layout import contiguous, of_shape, transposed
from fastgrad.kernels.movement.strided import strided_copy_launch
from fastgrad.kernels.runtime.launch import Launch, Operand

FLOATS = ("float32", "float64")
BLOCKS_OF_A_BUSY_GPU = 128
"""The number of blocks that keeps all multiprocessors of a GPU busy."""

MOST_TERMS_OF_A_CHAIN = 4096
"""The largest number of terms that one thread adds to a sum in order."""

FEWEST_TERMS_OF_A_PART = 256
"""The smallest number of terms of a part, for sums that are cut only to get more blocks."""


class Tile(NamedTuple):
    """The work of a block.

    Attributes:
        rows, columns: the size of its tile of C.
        depth: the number of terms in shared memory at a time.
        side: the rows, and the columns, of a thread: 4 or 8.
    """

    rows: int
    columns: int
    depth: int
    side: int

    @property
    def threads(self) -> int:
        """The number of threads of a block. Each fetches four elements of A and four of B for a stretch of terms."""
        return self.rows * self.columns // self.side**2


LARGE_TILE, MIDDLE_TILE, SMALL_TILE = Tile(128, 128, 8, 8), Tile(64, 64, 16, 4), Tile(32, 32, 8, 4)


class Layout(NamedTuple):
    """The contiguous directions of A and B, and whether four neighbours are one access.

    Attributes:
        a_by_term, b_by_term: whether neighbours in A, and in B, are terms of a sum; else they are rows of A, and columns of B.
        a, b, c: whether the length of lines of A, B and C is a multiple of four.
    """

    a_by_term: bool
    b_by_term: bool
    a: bool
    b: bool
    c: bool


NUMBER_PARAMETERS = ("m", "n", "k", "a_line", "b_line", "a_batch", "b_batch", "part", "cut")
_SIGNATURE = f"a: in[T], b: in[T], c: out[T], {': int, '.join((*NUMBER_PARAMETERS, *SHARE_PARAMETERS))}: int"


def _fetch_lines(name: str, tile: Tile, by_term: bool, whole: bool) -> Iterator[str]:
    """Yields source lines that fetch four elements of A or B from `term` on; `whole`: rows have whole fours."""
    size, limit, corner = (tile.rows, "m", "top") if name == "a" else (tile.columns, "n", "left")
    fours = (tile.depth if by_term else size) // 4
    yield f"{name}_in, {name}_four = t // {fours}, t % {fours} * 4"
    if by_term:
        yield f"{name}_x, {name}_y = {corner} + {name}_in, term + {name}_four"
    else:
        yield f"{name}_x, {name}_y = term + {name}_in, {corner} + {name}_four"
    end, there = ("depth", f"{name}_x < {limit}") if by_term else (limit, f"{name}_x < depth")
    yield f"{name}_place = {_shown_multiple_of_four(f'z * {name}_batch + {name}_x * {name}_line + {name}_y', whole)}"
    yield "; ".join(f"{name}{i} = T(0)" for i in range(4))
    yield f"if {there} and {name}_y + 4 <= {end}:"
    yield from (f"    {name}{i} = {name}[{name}_place + {i}]" for i in range(4))
    yield f"elif {there}:"
    for i in range(3):
        yield f"    if {name}_y + {i} < {end}:"
        yield f"        {name}{i} = {name}[{name}_place + {i}]"


def _shown_multiple_of_four(place: str, whole: bool) -> str:
    """Returns the text of an index, which shows the compiler a multiple of four if `whole`; products do not."""
    return f"({place}) & -4" if whole else place


def _store_lines(name: str, tile: Tile, by_term: bool, half: str) -> Iterator[str]:
    """Yields source lines that store four fetched elements of A or B in one half of the shared memory."""
    gap = _shared_line_stride(tile, name)
    term, x = (f"{name}_four", f"{name}_in") if by_term else (f"{name}_in", f"{name}_four")
    yield f"to = {half} * {tile.depth * gap} + {term} * {gap} + {x}"
    if by_term:
        yield from (f"near_{name}[to + {i * gap}] = {name}{i}" for i in range(4))
    else:
        yield f"store_aligned(near_{name}, to, {name}0)"
        yield from (f"near_{name}[to + {i}] = {name}{i}" for i in range(1, 4))


def _shared_line_stride(tile: Tile, operand: str) -> int:
    return (tile.rows if operand == "a" else tile.columns) + 4  # the padding puts neighbours in different banks


def _offset_of_row(i: int, size: int) -> int:
    """Returns the offset of a thread's row or column ``i``. Fours are contiguous; a warp has neighbouring fours."""
    return i // 4 * (size // 2) + i % 4


def _shared_load_line(variable: str, number: int, operand: str, place: int) -> str:
    """Returns the line that reads an element of a thread's rows or columns from shared memory.

    Every fourth element is an aligned load.
    """
    read = (
        f"load_aligned(near_{operand}, {operand}_at + {place})"
        if number % 4 == 0
        else f"near_{operand}[{operand}_at + {place}]"
    )
    return f"{variable}{number} = {read}"


def product_lines(tile: Tile, layout: Layout) -> str:
    """Returns the source of the body of the kernel `product` for a tile and a layout."""
    lines: list[str] = []

    def write(depth: int, *texts: str) -> None:
        lines.extend("    " * depth + text for text in texts)

    fetch = [*_fetch_lines("a", tile, layout.a_by_term, layout.a), *_fetch_lines("b", tile, layout.b_by_term, layout.b)]

    def keep(half: str) -> list[str]:
        return [*_store_lines("a", tile, layout.a_by_term, half), *_store_lines("b", tile, layout.b_by_term, half)]

    side = range(tile.side)
    for name in "ab":
        write(1, f"near_{name} = shared_array(T, {2 * tile.depth * _shared_line_stride(tile, name)})")
    write(1, "t = thread()", f"down, across = t // {tile.columns // tile.side}, t % {tile.columns // tile.side}")
    write(1, f"bands, panels = (m + {tile.rows - 1}) // {tile.rows}, (n + {tile.columns - 1}) // {tile.columns}")
    write(1, "for unit in range(first, last):")
    write(2, "z = unit // (bands * panels)", "band = (unit - z * bands * panels) // panels")
    write(2, f"top, left = band * {tile.rows}, (unit - (z * bands + band) * panels) * {tile.columns}")
    write(2, "depth = least(part, k - z * cut)", f"stretches = (depth + {tile.depth - 1}) // {tile.depth}")
    write(2, *("; ".join(f"c{i}_{j} = T(0)" for j in side) for i in side))
    write(2, "term = 0", *fetch, *keep("0"), "synchronize()")
    write(2, "for stretch in range(stretches):")
    write(3, f"term = (stretch + 1) * {tile.depth}", *fetch)
    for name, place in (("a", "down"), ("b", "across")):
        write(3, f"{name}_at = stretch % 2 * {tile.depth * _shared_line_stride(tile, name)} + {place} * 4")
    for q in range(tile.depth):
        write(
            3,
            *(
                _shared_load_line("left", i, "a", q * _shared_line_stride(tile, "a") + _offset_of_row(i, tile.rows))
                for i in side
            ),
        )
        write(
            3,
            *(
                _shared_load_line("right", j, "b", q * _shared_line_stride(tile, "b") + _offset_of_row(j, tile.columns))
                for j in side
            ),
        )
        write(3, *(f"c{i}_{j} = fused_multiply_add(left{i}, right{j}, c{i}_{j})" for i in side for j in side))
    write(3, *keep("(stretch + 1) % 2"), "synchronize()")
    for i in side:
        write(2, f"row = top + down * 4 + {_offset_of_row(i, tile.rows)}", "if row < m:", "    line = z * m + row")
        for j in range(0, tile.side, 4):
            write(
                3,
                f"column = left + across * 4 + {_offset_of_row(j, tile.columns)}",
                f"place = {_shown_multiple_of_four('line * n + column', layout.c)}",
            )
            stores = [f"c[place + {e}] = c{i}_{j + e}" for e in range(4)]
            if layout.c:
                write(3, "if column < n:")
                write(4, *stores)
                continue
            for e in range(4):
                write(3, f"if column + {e} < n:")
                write(4, stores[e])
    return "\n".join(lines) + "\n"


NAMES_IN_SOURCE: dict[str, Any] = {
    "thread": thread,
    "synchronize": synchronize,
    "shared_array": shared_array,
    "fused_multiply_add": fused_multiply_add,
    "least": least,
    "load_aligned": load_aligned,
    "store_aligned": store_aligned,
}


@functools.cache
def product_kernel(tile: Tile, layout: Layout) -> DeviceKernel:
    """Returns the kernel of a tile: `product(a, b, c, m, n, k, a_line, b_line, a_batch, b_batch, part, cut)`.

    `line` is the stride of the dimension that is not contiguous, between rows or columns, or between terms. Units are tiles along the rows
    of C, for each matrix of a batch, or for each part of the sums. Parts have `part` terms and are treated as a batch; then `distribution_of` is
    `part`, else 0.
    """
    head = f"def product({', '.join(parameter.name for parameter in parse_signature(_SIGNATURE).parameters)}):"
    source = f"{head}\n{product_lines(tile, layout)}"
    filename = f"<fastgrad product {digest(source.encode())[:12]}>"
    function: Any = function_from_source("product", source, filename, dict(NAMES_IN_SOURCE))
    signature = parse_signature(_SIGNATURE)
    return DeviceKernel(function, signature, {"T": FLOATS}, tile.threads, together=True, exact=True)


def tile_of(dtype: str, batches: int, m: int, n: int) -> Tile:
    """Returns the largest tile that gives enough blocks, else the smallest tile."""
    for tile in (LARGE_TILE, MIDDLE_TILE) if dtype == "float32" else (MIDDLE_TILE,):
        if batches * -(-m // tile.rows) * -(-n // tile.columns) >= BLOCKS_OF_A_BUSY_GPU:
            return tile
    return SMALL_TILE


def parts_of(tile: Tile, batches: int, m: int, n: int, k: int) -> int:
    """Returns the number of parts of a sum: for enough blocks, and to limit the length of a chain."""
    tiles = -(-m // tile.rows) * -(-n // tile.columns)
    if batches > 1:
        return 1
    return max(min(BLOCKS_OF_A_BUSY_GPU // tiles, k // FEWEST_TERMS_OF_A_PART), -(-k // MOST_TERMS_OF_A_CHAIN), 1)


@kernel("x: in[T], y: out[T], parts: int, size: int, first: int, last: int", noalias=True, T=FLOATS)
def add_parts(x, y, parts, size, first, last):
    """The sum `y` of `parts` consecutive arrays of `size` elements in x."""
    for i in range(first, last):
        total = x[i]
        for part in range(1, parts):
            total += x[part * size + i]
        y[i] = total


class BlockDistribution(NamedTuple):
    """The distribution of a product to blocks.

    Attributes:
        tile, layout: the tile and layout of the kernel.
        parts: the number of consecutive parts of each sum; 1 if a block has whole sums.
        numbers: the kernel's arguments after the arrays.
        units: the tiles of all matrices, or of all parts.
    """

    tile: Tile
    layout: Layout
    parts: int
    numbers: tuple[int, ...]
    units: int


def distribution_of(
    dtype: str, batches: int, m: int, n: int, k: int, strides: Sequence[int], parts: int | None = None
) -> BlockDistribution:
    """Returns the distribution of a product to blocks.

    Args:
        dtype: the dtype of the elements.
        batches, m, n, k: sizes.
        strides: a_row, a_k, b_k, b_column, a_batch, b_batch.
        parts: the number of parts of sums, if the caller decides it.
    """
    a_row, a_k, b_k, b_column, a_batch, b_batch = strides
    tile = tile_of(dtype, batches, m, n)
    given, parts = parts, parts or parts_of(tile, batches, m, n, k)
    part = k if parts == 1 else -(-k // (parts * tile.depth)) * tile.depth
    if parts > 1:
        a_batch, b_batch = part * a_k, part * b_k
        parts = given or -(-k // part)
    assert 1 in (a_row, a_k), "rows or columns of A lie together"
    a_line, b_line = (a_row if a_k == 1 else a_k), (b_column if b_k == 1 and b_column != 1 else b_k)
    layout = Layout(
        a_k == 1, b_k == 1 and b_column != 1, a_line % 4 == a_batch % 4 == 0, b_line % 4 == b_batch % 4 == 0, n % 4 == 0
    )
    units = (batches if parts == 1 else parts) * -(-m // tile.rows) * -(-n // tile.columns)
    numbers = m, n, k, a_line, b_line, a_batch, b_batch, part, part if parts > 1 else 0
    return BlockDistribution(tile, layout, parts, numbers, units)


def _gemm_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    """Returns the replacement of `gemm`."""
    operands: Any = launch.operands
    a, b, c, m, n, k, _, _, _, _, _, _, unit, together, _, apart, *_ = operands
    dtype = dtypes["T"]
    panels = -(-n // (host_isa().panel_bytes // np.dtype(dtype).itemsize))
    blocks = launch.units // (-(-panels // together) * -(-m // unit))  # matrices of a batch, or separate parts
    found = distribution_of(dtype, 1 if apart else blocks, m, n, k, operands[6:12], blocks if apart else None)
    size = 0 if apart else m * n
    return [*_tile_launches(dtypes, memory, (a, b, c), found, size), *_epilogue_launches(launch)]


def _tile_launches(
    dtypes: Mapping[str, str],
    memory: ScratchMemory,
    arrays: tuple[Operand, Operand, Operand],
    distribution: BlockDistribution,
    result_size: int,
) -> list[Launch]:
    """Returns the launches of a matrix product in tiles, and of the addition of its parts.

    Args:
        dtypes: the dtype of the elements.
        memory: the scratch memory to add to.
        arrays: A, B and C.
        distribution: the distribution of the product to blocks.
        result_size: the elements of C, whose parts are added; 0 if C has all parts.
    """
    a, b, c = arrays
    product = product_kernel(distribution.tile, distribution.layout)
    if distribution.parts == 1 or not result_size:
        return [device_launch(product, dtypes, (a, b, c, *distribution.numbers), distribution.units)]
    sums = memory.add(dtypes["T"], distribution.parts * result_size)
    return [
        device_launch(product, dtypes, (a, b, sums, *distribution.numbers), distribution.units),
        device_launch(_add_parts, dtypes, (sums, c, distribution.parts, result_size), result_size),
    ]


def _chains_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    """Returns the replacement of `add_chains`."""
    operands: Any = launch.operands
    x, y, chains, size, *_ = operands
    return [device_launch(_add_parts, dtypes, (x, y, chains, size), size), *_epilogue_launches(launch)]


def _pairs_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    """Returns the replacement of `gemm_pairs`: the product of float32 copies."""
    operands: Any = launch.operands
    a, b, c, m, n, k, a_row, a_k, b_k, b_column, a_batch, b_batch, unit, together, most, *step = operands
    panels = -(-n // (host_isa().panel_bytes // 4))
    batches = launch.units // (-(-panels // together) * -(-m // unit))
    sizes = (batches if a_batch else 1) * m * k, (batches if b_batch else 1) * k * n
    launches = widening_launches(memory, (a, sizes[0]), (b, sizes[1]))
    wide = [launch.operands[1] for launch in launches]
    numbers = m, n, k, a_row, a_k, b_k, b_column, a_batch, b_batch, unit, together, most, 0, 0, *step
    return [*launches, Launch(gemm.gemm["float32"], (*wide, c, *numbers), launch.units)]


def widening_launches(memory: ScratchMemory, *arrays_and_sizes: tuple[Operand, int]) -> list[Launch]:
    """Returns launches that copy bfloat16 arrays to float32 scratch arrays, which are the launches' second operands."""
    return [
        Launch(WIDENING_KERNELS["bfloat16"][()], (x, memory.add(np.float32, size)), size)
        for x, size in arrays_and_sizes
    ]


def _gemv_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    """Returns the replacement of `gemv`: the product of a matrix of one row."""
    operands: Any = launch.operands
    a, b, c, n, k, b_k, b_column, *_ = operands
    return [
        *_tile_launches(
            dtypes, memory, (a, b, c), distribution_of(dtypes["T"], 1, 1, n, k, (k, 1, b_k, b_column, 0, 0)), n
        ),
        *_epilogue_launches(launch),
    ]


def _transpose_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    """Returns the replacement of `transpose_matrix`: a copy from transposed places."""
    operands: Any = launch.operands
    x, y, rows, columns = operands
    source = transposed(of_shape((columns, rows)), (columns, rows), (1, 0))
    assert source is not None
    copy = strided_copy_launch(x, y, np.dtype(dtypes["T"]), source, contiguous(rows * columns))
    assert copy is not None
    return [copy]


def _epilogue_launches(launch: Launch) -> list[Launch]:
    """Returns the launches that follow a product: operands that a CPU kernel applies to its rows, here for all rows."""
    return [operand for operand in launch.operands if isinstance(operand, Launch)]


_add_parts = on_device(add_parts)

REPLACEMENTS: dict[Any, Replacement] = {
    gemm.gemm.function: _gemm_replacement,
    gemm.add_chains.function: _chains_replacement,
    gemv.gemv.function: _gemv_replacement,
    pairs.gemm_pairs.function: _pairs_replacement,
    transpose.transpose_matrix.function: _transpose_replacement,
}
"""The table of `choice`."""
