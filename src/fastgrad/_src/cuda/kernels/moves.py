"""Copies between layouts, and scatters of rows at ids: one thread for each element, or one thread for each column of all rows.

A CPU's units of work are bands of rows and tiles of columns: too few threads for a GPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

from fastgrad._src.cuda.codegen.kernel import DeviceKernel, device_kernel_of
from fastgrad._src.cuda.kernels.replacement import Replacement, ScratchMemory, device_launch
from fastgrad._src.jit.body import scalar_function, specialized
from fastgrad._src.jit.build import Kernel, kernel
from fastgrad._src.kernels.convolution.convolution import transpose_filters
from fastgrad._src.kernels.movement import scattering, strided
from fastgrad._src.kernels.runtime.launch import Launch


@kernel(strided.MATRIX_SIGNATURE, noalias=True, T=strided.ELEMENT_DTYPES)
def move_matrices(x, y, batch, rows, columns, x_from, xb, xr, xc, y_from, yb, yr, yc, first, last):
    """y = x over transposed matrices. A unit is an element."""
    for unit in range(first, last):
        line = unit // columns
        j = unit - line * columns
        k = line // rows
        i = line - k * rows
        y[y_from + k * yb + i * yr + j * yc] = x[x_from + k * xb + i * xr + j * xc]


@kernel(
    "filters: in[T], transposed: out[T], cells: int, ins: int, groups: int, outs: int, first: int, last: int",
    noalias=True,
    T=tuple(transpose_filters.variables["T"]),
)
def transpose_filter_elements(filters, transposed, cells, ins, groups, outs, first, last):
    """Transposes filters as `transpose_filters` does. A unit is an element."""
    for unit in range(first, last):
        line = unit // ins
        q = unit - line * ins
        part = line // outs
        o = line - part * outs
        cell = part // groups
        transposed[unit] = filters[((cell * ins + q) * groups + part - cell * groups) * outs + o]


def _move_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    operands: Any = launch.operands
    return [device_launch(_move_matrices, dtypes, operands, prod(operands[2:5]))]


def _filter_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    operands: Any = launch.operands
    return [device_launch(_transpose_filters, dtypes, operands, prod(operands[2:6]))]


def _scatter_kernel(on_cpu: Kernel) -> DeviceKernel:
    """Returns a scattering kernel whose tiles have one column each."""
    into_columns = scalar_function(
        specialized(scattering.scatter_into_blocks, scattering.scatter_into_blocks.__name__, TILE_COLUMNS=1)
    )
    function = specialized(on_cpu.function, on_cpu.__name__, on_cpu.__doc__, scatter_into_blocks=into_columns)
    return replace(device_kernel_of(on_cpu), function=function)


def _scatter_replacement(on_cpu: Kernel) -> Replacement:
    kernel = _scatter_kernel(on_cpu)

    def replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
        operands: Any = launch.operands
        width = operands[5]
        blocks = launch.units // -(-width // scattering.TILE_COLUMNS)
        return [device_launch(kernel, dtypes, operands, blocks * width)]

    return replacement


_move_matrices, _transpose_filters = device_kernel_of(move_matrices), device_kernel_of(transpose_filter_elements)

REPLACEMENTS: dict[Any, Replacement] = {
    strided.move_tiles.function: _move_replacement,
    strided.transpose_tiles.function: _move_replacement,
    transpose_filters.function: _filter_replacement,
    scattering.scatter_rows.function: _scatter_replacement(scattering.scatter_rows),
    scattering.scatter_known_rows.function: _scatter_replacement(scattering.scatter_known_rows),
}
"""The GPU replacements of CPU kernels, by the body of the CPU kernel."""
