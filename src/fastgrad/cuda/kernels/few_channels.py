"""Convolutions with few output channels, as on a CPU: first the products of all places and cells, then their sums.

The products are one matrix product in tiles that hardly wastes a column. It has a row for each cell and output channel. So
neighbouring threads, which have neighbouring places, add neighbouring numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastgrad.cuda.codegen.kernel import OnDevice, on_device
from fastgrad.cuda.kernels.instead import Instead, Memory
from fastgrad.cuda.kernels.products import SMALL, Layout, product_kernel
from fastgrad.cuda.kernels.windows import home_of, place_of
from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.convolution import few_channels as on_cpu
from fastgrad.kernels.convolution.few_channels import COLUMNS, PLACES, TARGET_AT
from fastgrad.kernels.convolution.patches import EXTENT, IMAGES, MOVE, SOURCE, SOURCE_CHANNELS, START, SUMS
from fastgrad.kernels.runtime.launch import Constant, Launch


@kernel(
    "filters: in[T], spread: out[T], columns: int, depth: int, from_cell: int, from_term: int, from_column: int, "
    "first: int, last: int",
    noalias=True,
    T=SUMS,
)
def spread_filters(filters, spread, columns, depth, from_cell, from_term, from_column, first, last):
    """spread[cell, column, term] = the filter element, by the given strides."""
    for i in range(first, last):
        row = i // depth
        cell = row // columns
        spread[i] = filters[cell * from_cell + (i - row * depth) * from_term + (row - cell * columns) * from_column]


@kernel(
    "spread: in[T], source: in[T], products: out[T], depth: int, count: int, first: int, last: int",
    noalias=True,
    T=("int32",),
)
def whole_products(spread, source, products, depth, count, first, last):
    """products[row, place] of integers, for which there are no tiles."""
    for i in range(first, last):
        row = i // count
        place = i - row * count
        total = T(0)
        for term in range(depth):
            total += spread[row * depth + term] * source[place * depth + term]
        products[i] = total


@kernel(
    "products: in[T], target: out[T], places: in[int64], cells: in[int64], phase: int, count: int, first: int, "
    "last: int",
    noalias=True,
    T=SUMS,
)
def sum_cells(products, target, places, cells, phase, count, first, last):
    """Sums, for each element of the result of one phase, the products of its cells inside the input."""
    columns = places[COLUMNS]
    depth, height, width = places[SOURCE], places[SOURCE + 1], places[SOURCE + 2]
    size = places[IMAGES] * depth * height * width
    for unit in range(first, last):
        number = unit // columns
        column = unit - number * columns
        image, a, b, c = place_of(number, places, phase + PLACES)
        at_a, at_b, at_c = (
            a * places[MOVE] + places[START],
            b * places[MOVE + 1] + places[START + 1],
            c * places[MOVE + 2] + places[START + 2],
        )
        total = T(0)
        for cell in range(0, 4 * count, 4):
            x, y, z = at_a + cells[cell], at_b + cells[cell + 1], at_c + cells[cell + 2]
            if x >= 0 and x < depth and y >= 0 and y < height and z >= 0 and z < width:
                total += products[(cells[cell + 3] + column) * size + ((image * depth + x) * height + y) * width + z]
        target[home_of(places, image, a, b, c) + places[phase + TARGET_AT] + column] = total


def _spread(launch: Launch, dtypes: Mapping[str, str], memory: Memory) -> list[Launch]:
    """Returns the replacement of the CPU kernel `spread_filters`."""
    operands: Any = launch.operands
    filters, spread, cells, columns, *strides = operands
    depth = launch.units
    return [_on(_spread_filters, dtypes, (filters, spread, columns, depth, *strides), cells * columns * depth)]


def _slide(launch: Launch, dtypes: Mapping[str, str], memory: Memory) -> list[Launch]:
    """Returns the replacement of `slide_few`."""
    operands: Any = launch.operands
    source, spread, target, table = operands
    words = table.array
    depth, width, columns = int(words[SOURCE_CHANNELS]), int(words[on_cpu.WIDTH]), int(words[COLUMNS])
    count = int(words[IMAGES] * words[SOURCE : SOURCE + 3].prod())
    products = memory.more(dtypes["T"], width * count)
    launches = [_products(spread, source, products, width, count, depth, dtypes)]
    for number in range(words[on_cpu.PHASES]):
        phase = on_cpu.HEADER + number * on_cpu.PHASE
        begin, cells = int(words[phase + on_cpu.CELLS_AT]), int(words[phase + on_cpu.CELL_COUNT])
        inside, row = np.divmod(words[begin : begin + cells], width)
        a, b, c = np.unravel_index(inside, tuple(words[EXTENT : EXTENT + 3]))
        where = Constant(np.stack([a, b, c, row], -1).reshape(-1).astype(np.int64))
        units = int(words[IMAGES] * words[phase + PLACES : phase + PLACES + 3].prod()) * columns
        launches.append(_on(_sum_cells, dtypes, (products, target, table, where, phase, cells), units))
    return launches


def _products(
    spread: Any, source: Any, products: Any, width: int, count: int, depth: int, dtypes: Mapping[str, str]
) -> Launch:
    if dtypes["T"] == "int32":
        return _on(_whole_products, dtypes, (spread, source, products, depth, count), width * count)
    fours = depth % 4 == 0
    device = product_kernel(SMALL, Layout(True, True, fours, fours, count % 4 == 0))
    tiles = -(-width // SMALL.rows) * -(-count // SMALL.columns)
    return _on(device, dtypes, (spread, source, products, width, count, depth, depth, depth, 0, 0, depth, 0), tiles)


def _on(kernel: Any, dtypes: Mapping[str, str], operands: tuple[Any, ...], units: int) -> Launch:
    found: Any = OnDevice(kernel, dtypes)
    return Launch(found, operands, units)


_spread_filters, _whole_products, _sum_cells = map(on_device, (spread_filters, whole_products, sum_cells))

INSTEAD: dict[Any, Instead] = {
    on_cpu.spread_filters.function: _spread,
    on_cpu.slide_few.function: _slide,
}
"""The table of `choice`."""
