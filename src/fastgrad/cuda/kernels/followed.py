"""Products with an element-wise map in one kernel; the map has the scalar source of group kernels.

Each thread applies the map to its sums in registers, so the product itself is not stored. If sums are cut into parts, the kernel that
adds the parts applies the map.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from fastgrad.compiler.fusion.emit import in_place_pairs
from fastgrad.compiler.fusion.epilogues import Product, can_begin
from fastgrad.compiler.fusion.fused import Fused
from fastgrad.compiler.fusion.kernel_writer import function_of
from fastgrad.compiler.graph.graph import Node
from fastgrad.compiler.passes.rewriting import row_name
from fastgrad.cuda.codegen.kernel import DeviceKernel, OnDevice
from fastgrad.cuda.kernels.groups import DeviceWriter, written_map
from fastgrad.cuda.kernels.instead import Memory
from fastgrad.cuda.kernels.products import (
    FLOATS,
    NAMES,
    NUMBERS,
    Layout,
    Tile,
    cut,
    product_kernel,
    product_lines,
    widened,
)
from fastgrad.kernels.codegen.signature import SHARE, parse_signature
from fastgrad.kernels.gemm.form import form_of, has_pairs
from fastgrad.kernels.gemm.steps import product_launches
from fastgrad.kernels.runtime.launch import Input, Launch, Launches, Operand, Output


def can_be_followed(product: Node) -> bool:
    """True if a kernel of this file computes a product. For other products the map is a separate launch."""
    if row_name(product) == "convolution" or not can_begin(product):
        return False
    return _form(product) is not None


def _form(product: Node) -> Any:
    """Returns a product's form; None for a row times a large matrix, and for dtypes but float32 and float64."""
    a, b = product.inputs
    if not has_pairs(product.inputs, **product.attributes) and a.dtype.name not in FLOATS:
        return None
    form = form_of(4, tuple(a.shape), tuple(b.shape), **product.attributes)
    if form is None or product_launches(product.inputs, **product.attributes).launches[0].kernel.__name__ == "gemv":
        return None
    return form


def followed_launches(payload: Product) -> Launches | None:
    """Returns the launches of a product with its map; None if they are separate launches."""
    form = _form(payload.node)
    fused, dtype = payload.fused, payload.node.outputs[0].dtype.name
    if form is None or fused.sizes[-1] % form.n:
        return None
    memory = Memory()
    operands: list[Operand] = [Input(0), Input(1)]
    launches: list[Launch] = []
    if has_pairs(payload.node.inputs, **payload.node.attributes):
        launches = widened(memory, *[(Input(i), _size(x)) for i, x in enumerate(payload.node.inputs)])
        operands = [launch.operands[1] for launch in launches]  # type: ignore[misc]
    if form.swapped:
        operands.reverse()
    found = cut(dtype, form.batches, form.m, form.n, form.k, form.strides)
    places: dict[int, Operand] = {i: Input(payload.moved(i)) for i in range(_inputs(fused)) if i != payload.place}
    if found.parts == 1:
        writer = _After(fused, payload.place, form.n)
        own, more = writer.operands_behind()
        kernel: Any = OnDevice(_kernel(found.tile, found.layout, writer), {"S": dtype, "T": fused.number.name})
        behind = [_placed(operand, places) for operand in own]
        launches.append(Launch(kernel, (*operands, *behind, *found.numbers, *more), found.units))
    else:
        size = form.m * form.n
        parts = places[payload.place] = memory.more(dtype, found.parts * size)
        kernel = OnDevice(product_kernel(found.tile, found.layout), {"T": dtype})
        launches.append(Launch(kernel, (*operands, parts, *found.numbers), found.units))
        adding = written_map(_Adding(fused, payload.place, found.parts, size))
        launches.append(adding.on(tuple([_placed(operand, places) for operand in adding.operands])))
    pairs = [(output, payload.moved(given)) for output, given in in_place_pairs(fused) if given != payload.place]
    return Launches(tuple(launches), tuple(memory.arrays), tuple(pairs))


def _placed(operand: Any, places: dict[int, Operand]) -> Any:
    return places[operand.number] if isinstance(operand, Input) else operand


def _inputs(fused: Fused) -> int:
    return 1 + max(source.array for source in fused.inputs)


def _size(x: Any) -> int:
    return int(np.prod(x.shape, dtype=np.int64))


class _After(DeviceWriter):
    """Generates a map as the code after a product; see `products.Following`.

    Args:
        fused: the map.
        place: the index of the product among its inputs.
        n: the columns of the product; the map's innermost size is a multiple of it.
    """

    def __init__(self, fused: Fused, place: int, n: int) -> None:
        super().__init__(fused)
        first, dims = len(fused.inputs), range(len(fused.sizes))
        self._product = next(i for i, source in enumerate(fused.inputs) if source.array == place)
        self._loaded.add(self._product)
        same, outer, inner = self.split_by_level(kept=False)
        self.linear = "spot"
        self.load(same, dims, "0")
        self.of_all = self._taken()
        self._inner, line = "place", "line"
        if len(dims) > 1:
            self._inner, rows = "column", fused.sizes[-1] // n
            if rows > 1:
                self._inner, line = "beside + column", "above"
                self.line(f"above = line // {self.number('rows', rows)}")
                self.line("beside = (line - above * rows) * n")
        self.decode(line, dims[:-1])
        self.load(outer, dims, "0")
        self.of_row = self._taken()
        self.load(inner, dims, "j")
        loads = self._taken()
        for number, step in enumerate(fused.steps, first):
            self.step(number, step)
        steps = self._taken()
        for output, number in enumerate(fused.outputs):
            self.store(number, Output(output), self.place("y", dims, self.natural(), 0, "j"))
        stores = self._taken()
        bases = [line for line in (*loads, *stores) if line.startswith("at_")]  # they belong to the row
        self.of_row += bases
        self._text = [[line for line in lines if line not in bases] for lines in (loads, steps, stores)]
        self._changing = {*inner, self._product, *range(first, first + len(fused.steps))}

    def _taken(self) -> list[str]:
        lines = [line.strip() for line in self._lines]
        self._lines = []
        return lines

    def size(self, dim: int) -> str:
        """Returns the size of a dimension. The product's columns have a size known to be a multiple of four or not."""
        return "n" if self._inner == "column" and dim == len(self.fused.sizes) - 1 else super().size(dim)

    def of_elements(self, numbers: Iterable[int], sums: Sequence[str]) -> list[str]:
        """See `products.Following`. All loads come first, then the steps, then all stores: neighbours are one access."""
        loads, steps, stores = self._text
        found = [[self._of(line, e) for e in numbers for line in lines] for lines in (loads, steps, stores)]
        return [*[f"v{self._product}_{e} = {sums[e]}" for e in numbers], *found[0], *found[1], *found[2]]

    def _of(self, line: str, e: int) -> str:
        """Returns a line for the element at distance ``e``."""

        def named(match: re.Match[str]) -> str:
            return f"{match[0]}_{e}" if int(match[1]) in self._changing else match[0]

        line = re.sub(r"\bv(\d+)\b", named, line)
        line = re.sub(r"\bspot\b", f"(place + {e})", line)
        return re.sub(r"\bj\b", f"({self._inner} + {e})", line)

    def parameters(self) -> tuple[str, str]:
        """Returns the parameters of arrays and those of numbers, in the builder's notation."""
        arrays = "".join(f", {name}: {kind}" for name, (kind, _) in self._arrays.items())
        return arrays, "".join(f", {name}: int" for name in self._numbers)

    def operands_behind(self) -> tuple[list[Operand], list[int]]:
        """Returns the operands of these parameters."""
        return [operand for _, operand in self._arrays.values()], [*self._numbers.values()]


def _kernel(tile: Tile, layout: Layout, writer: _After) -> DeviceKernel:
    arrays, numbers = writer.parameters()
    own = ", ".join(f"{name}: int" for name in NUMBERS)
    parameters = f"a: in[S], b: in[S]{arrays}, {own}{numbers}, {': int, '.join(SHARE)}: int"
    lines = product_lines(tile, layout, writer, "S")
    return _built(parameters, "\n".join(lines.splitlines()) + "\n", writer.fused.number.name, tile.threads)


@functools.lru_cache(maxsize=1024)
def _built(parameters: str, lines: str, number: str, threads: int) -> DeviceKernel:
    signature = parse_signature(parameters)
    source = f"def fused({', '.join(parameter.name for parameter in signature.parameters)}):\n{lines}"
    function, _ = function_of(parameters, source, number, NAMES)
    variables = {"S": FLOATS, "T": (number,)}
    return DeviceKernel(function, signature, variables, threads, together=True, exact=True)


class _Adding(DeviceWriter):
    """Generates a map with an input that is the sum of consecutive arrays.

    Args:
        fused: the map.
        place: the index of that input.
        parts: the number of arrays.
        size: the number of elements of each array.
    """

    def __init__(self, fused: Fused, place: int, parts: int, size: int) -> None:
        super().__init__(fused)
        self._summed = next(i for i, source in enumerate(fused.inputs) if source.array == place)
        self._parts, self._size = parts, size

    def widened(self, whole: bool = True) -> int:
        """Takes one element a thread, so that neighbouring threads read neighbours of each part."""
        return 1

    def load(self, numbers: Sequence[int], dims: Sequence[int], inner: str) -> None:
        """Generates the loads of inputs."""
        new = self._summed in numbers and self._summed not in self._loaded
        super().load(numbers, dims, inner)
        if new:
            i, source = self._summed, self.fused.inputs[self._summed]
            place = self.place(f"x{i}", dims, source.strides, source.offset, inner)
            with self.block(f"for part in range(1, {self.number('parts', self._parts)})"):
                self.line(f"v{i} += x{i}[part * {self.number('each', self._size)} + {place}]")
