"""Matrix products by cuBLASLt, with cuBLASLt's epilogues for operations that follow the product.

The pass that fuses products with epilogues asks this module first. Operations without an epilogue in the library are separate
launches. Graphs have these epilogues:

- bias, relu, gelu (the tanh form), and bias with one of them; if the gradient reads gelu's argument, it is the second result;
- the gradient of relu, with the row sums of a bias' gradient: then relu's forward product writes a mask of bits;
- the gradient of gelu, from gelu's argument, with the same sums;
- the sums over the terms of an operand of a product without an epilogue, such as the last layer's bias gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import numpy as np

from fastgrad.compiler.fusion.epilogues import add_epilogues
from fastgrad.compiler.fusion.fused import Fused, Source
from fastgrad.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad.compiler.passes.rewriting import is_matrix_product
from fastgrad.core import settings_version
from fastgrad.core.operation import HALF_DTYPES
from fastgrad.cuda.codegen.kernel import TypedDeviceKernel
from fastgrad.cuda.devices.blas import GELU_ROW_MULTIPLE_IN_ELEMENTS, Blas, LibraryKernel, ProductSpec
from fastgrad.kernels.runtime.launch import Input, Launch, Launches, Operand, Output, Scratch


@dataclass(frozen=True)
class LibraryProduct:
    """The payload of a FUSED node that is a product by cuBLASLt.

    Attributes:
        name: the names of its operations.
        launches: its launches.
    """

    name: str
    launches: Launches


def with_blas_products(graph: Graph, blas: Blas) -> Graph:
    """Returns the graph with products by cuBLASLt.

    Args:
        graph: a fused graph; it does not change.
        blas: the library.
    """
    return _ProductReplacement(blas).replaced(graph)


def product_spec_of(product: Node) -> ProductSpec | None:
    """Returns the spec of a matrix product; None for other nodes, or if strides can't express the batches."""
    if not is_matrix_product(product):
        return None
    (a, b), (d,) = product.inputs, product.outputs
    transpose_a, transpose_b = product.attributes["transpose_a"], product.attributes["transpose_b"]
    m, k = a.shape[-2:][::-1] if transpose_a else a.shape[-2:]
    n = b.shape[-2] if transpose_b else b.shape[-1]
    batches, a_batch, b_batch = prod(a.shape[:-2]), m * k, k * n
    if a.shape[:-2] != b.shape[:-2]:
        if prod(b.shape[:-2]) == 1:
            b_batch = 0
        elif batches == 1:
            batches, a_batch = prod(b.shape[:-2]), 0
        else:
            return None
    if not prod(d.shape) or not k:
        return None
    if b_batch == 0 and not transpose_a:
        batches, m = 1, batches * m
    fast = settings_version.settings.get(settings_version.TENSOR_FLOAT_32_SETTING) == "on"
    names = a.dtype.name, d.dtype.name
    return ProductSpec(*names, batches, m, n, k, transpose_a, transpose_b, a_batch, b_batch, tf32=fast)


class _EpilogueMatch(NamedTuple):
    """A group after a product, matched to an epilogue.

    Attributes:
        spec: the product with the epilogue.
        bias: the index of the group's input that is added as bias, or None.
        gradient_input: the input for a gradient: relu's result, or gelu's argument.
        results: the kind of each result of the node: "d", "aux" or "bias" (a bias' gradient).
    """

    spec: ProductSpec
    bias: int | None
    gradient_input: int | None
    results: tuple[str, ...]


class _ProductReplacement:
    """The replacement of a graph's matrix products, and of operations that follow, by nodes of cuBLASLt."""

    def __init__(self, blas: Blas) -> None:
        self._blas = blas
        # By relu's result: the product, its node, its match.
        self._forward: dict[int, tuple[Node, Node, _EpilogueMatch]] = {}
        self._masks: dict[int, Value] = {}
        self._instead: dict[int, Node] = {}  # nodes replaced by nodes with a second result

    def replaced(self, graph: Graph) -> Graph:
        """Returns the graph with its matrix products as nodes of cuBLASLt."""
        found = add_epilogues(graph, self._is_supported, self._joined_node)
        nodes = [self._instead.get(id(node), node) for node in found.nodes]
        sums = self._operand_sums(nodes)
        taken = {id(one) for pair in sums.values() for one in pair[1:]}
        made = [self._product_without_epilogue(node, sums.get(id(node))) for node in nodes if id(node) not in taken]
        return Graph(made, graph.results)

    def _is_supported(self, product: Node) -> bool:
        spec = product_spec_of(product)
        return spec is not None and self._blas.kernel_of(spec) is not None

    def _joined_node(self, product: Node, node: Node, place: int) -> Node | None:
        """Joins a product and the group after it to one node; None if they stay separate launches."""
        match = _epilogue_match(product, node.payload, place)
        if match is None:
            return None
        inputs: list[Value] = [*product.inputs]
        inputs += [node.inputs[i] for i in (match.bias, match.gradient_input) if i is not None]
        if match.spec.epilogue.startswith("DRELU"):
            if self._blas.kernel_of(match.spec) is None:
                return None
            mask = self._relu_mask(inputs[-1], match.spec)
            if mask is None:
                return None
            inputs[-1] = mask
        found = self._product_node(f"{product.payload.name}+{node.payload.name}", match, inputs, node.outputs)
        if found is not None and match.spec.epilogue in ("RELU", "RELU_BIAS"):
            self._forward[id(node.outputs[0])] = product, found, match
        return found

    def _relu_mask(self, y: Value, gradient: ProductSpec) -> Value | None:
        """Returns relu's mask, which relu's product then writes; None if that is not possible."""
        if id(y) in self._masks or id(y) not in self._forward:
            return self._masks.get(id(y))
        _, node, match = self._forward[id(y)]
        spec = match.spec._replace(epilogue=match.spec.epilogue.replace("RELU", "RELU_AUX"))
        if (spec.m, spec.n, spec.out) != (gradient.m, gradient.n, gradient.out):
            return None
        mask = Value((spec.m, spec.relu_mask_row_bytes), np.dtype(np.uint8), y.number)
        both = match._replace(spec=spec, results=(*match.results, "aux"))
        found = self._product_node(node.payload.name, both, node.inputs, (*node.outputs, mask))
        if found is None:
            return None
        self._instead[id(node)] = found
        self._masks[id(y)] = mask
        return mask

    def _product_node(
        self, name: str, match: _EpilogueMatch, inputs: Sequence[Value], outputs: Sequence[Value]
    ) -> Node | None:
        """Returns the node of a product; None if the library has no algorithm for it."""
        kernel = self._blas.kernel_of(match.spec)
        if kernel is None:
            return None
        operands: dict[str, Operand] = {"a": Input(0), "b": Input(1)}
        extra_inputs = iter(range(2, len(inputs)))
        operands |= {"bias": Input(next(extra_inputs))} if match.bias is not None else {}
        operands |= {"aux": Input(next(extra_inputs))} if match.gradient_input is not None else {}
        operands |= {what: Output(number) for number, what in enumerate(match.results)}
        payload = LibraryProduct(name, _library_launches(kernel, operands))
        return Node(Kind.FUSED, payload, tuple(inputs), tuple(outputs))

    # ---- products without an epilogue ----------------------------------------------------------------------

    def _product_without_epilogue(self, node: Node, sums: tuple[ProductSpec, Node] | None) -> Node:
        if sums is not None:
            spec, other = sums
            match = _EpilogueMatch(spec, None, None, ("d", "bias"))
            name = f"{node.payload.name}+{other.payload.name}"
            found = self._product_node(name, match, node.inputs, (*node.outputs, *other.outputs))
            assert found is not None, spec
            return found
        spec_alone = product_spec_of(node)
        if spec_alone is None:
            return node
        return (
            self._product_node(
                node.payload.name, _EpilogueMatch(spec_alone, None, None, ("d",)), node.inputs, node.outputs
            )
            or node
        )

    def _operand_sums(self, nodes: Sequence[Node]) -> dict[int, tuple[ProductSpec, Node]]:
        """Returns the row sums that products can compute as epilogues, with their specs, by product node id."""
        sums: dict[int, Node] = {}
        for node in nodes:
            if _is_row_sum(node):
                sums.setdefault(id(node.inputs[0]), node)
        read: dict[int, int] = {}
        for position, node in enumerate(nodes):
            for value in node.inputs:
                read.setdefault(id(value), position)
        found: dict[int, tuple[ProductSpec, Node]] = {}
        for position, node in enumerate(nodes):
            spec = product_spec_of(node)
            if spec is None or spec.batches != 1 or spec.k == 1:
                continue
            # The first operand of cuBLASLt is our second one.
            for value, whole, epilogue in (
                (node.inputs[1], not spec.transpose_b, "BGRADA"),
                (node.inputs[0], spec.transpose_a, "BGRADB"),
            ):
                other = sums.get(id(value))
                if other is None or not whole or other.outputs[0].dtype != node.outputs[0].dtype:
                    continue
                if value.shape[0] != spec.k or read.get(id(other.outputs[0]), position + 1) < position:
                    continue
                with_sums = spec._replace(epilogue=epilogue)
                if self._blas.kernel_of(with_sums) is not None:
                    found[id(node)] = with_sums, other
                    del sums[id(value)]
                    break
        return found


def _library_launches(kernel: LibraryKernel, operands_by_name: dict[str, Operand]) -> Launches:
    operands = [operands_by_name.get(parameter.name, Scratch(0)) for parameter in kernel.entry_parameters]
    typed_kernel: Any = TypedDeviceKernel(kernel, {})  # type: ignore[arg-type]
    return Launches((Launch(typed_kernel, tuple(operands)),), ((np.dtype(np.uint8), max(kernel.workspace, 1)),))


def _is_row_sum(node: Node) -> bool:
    """True if a node only sums the rows of a matrix."""
    fused = node.payload
    if not isinstance(fused, Fused) or fused.roles != "rk" or len(fused.steps) != 1 or len(node.inputs) != 1:
        return False
    return (
        fused.steps[0].is_sum
        and node.inputs[0].shape == fused.sizes
        and node.inputs[0].dtype == node.outputs[0].dtype
        and _is_contiguous(fused.inputs[0], fused)
    )


def _is_contiguous(source: Source, fused: Fused) -> bool:
    """True if a source has one element for each element of the loop, in order."""
    sizes = fused.sizes
    return source.offset == 0 and source.strides == tuple([prod(sizes[dim + 1 :]) for dim in range(len(sizes))])


def _epilogue_match(product: Node, fused: Any, place: int) -> _EpilogueMatch | None:
    """Matches a group after a product to an epilogue of the library; None if there is none."""
    spec = product_spec_of(product)
    if spec is None or spec.batches != 1 or not isinstance(fused, Fused) or fused.count != spec.m * spec.n:
        return None  # a group that reads only the first rows has memory for these alone
    first, steps = len(fused.inputs), [*fused.steps]
    at = [i for i, source in enumerate(fused.inputs) if source.array == place]
    if len(at) != 1 or not steps or not _is_contiguous(fused.inputs[at[0]], fused):
        return None
    current = at[0]

    def take_step() -> Any:
        nonlocal current
        current = first + len(fused.steps) - len(steps)
        return steps.pop(0)

    if steps[0].row.name == "cast" and steps[0].output in HALF_DTYPES and steps[0].output.name == spec.dtype:
        spec = spec._replace(out=take_step().output.name)
    elif spec.dtype != spec.out:
        return None  # the library rounds once, after the epilogue
    bias = None
    if steps and steps[0].row.name == "add":
        bias = next((i for i in steps[0].operands if i != current), None)
        if bias is None or current not in steps[0].operands or not _is_bias(fused, bias, spec):
            return None
        take_step()
    argument, gradient_input = current, None
    epilogue = steps[0].row.lowering.library_epilogue if steps else None
    if epilogue is not None and steps[0].operands == (current,):
        take_step()
        spec = spec._replace(epilogue=epilogue + ("_BIAS" if bias is not None else ""))
    elif bias is not None:
        spec = spec._replace(epilogue="BIAS")
    elif epilogue is not None and steps[0].operands[0] == current and spec.k > 1:
        gradient_input = steps[0].operands[1]
        if (
            gradient_input >= first
            or not _is_contiguous(fused.inputs[gradient_input], fused)
            or fused.inputs[gradient_input].dtype != spec.out
        ):
            return None
        take_step()
        spec = spec._replace(epilogue=epilogue)
    result = {current: "d"}
    if (
        gradient_input is not None
        and len(steps) == 1
        and steps[0].is_sum
        and fused.roles == "rk"
        and fused.sizes == (spec.m, spec.n)
    ):
        if steps[0].operands != (current,) or steps[0].output.name != spec.out:
            return None
        take_step()
        spec = spec._replace(epilogue=f"{spec.epilogue}_BGRAD")
        result[current] = "bias"
    elif "r" in fused.roles:
        return None
    if spec.epilogue.startswith("GELU") and argument in fused.outputs:
        result[argument] = "aux"
        spec = spec._replace(epilogue=spec.epilogue.replace("GELU", "GELU_AUX"))
    if ("AUX" in spec.epilogue or spec.epilogue.startswith("DGELU")) and spec.n % GELU_ROW_MULTIPLE_IN_ELEMENTS:
        return None
    if steps or sorted(result) != sorted(fused.outputs):
        return None
    added, read = (None if i is None else fused.inputs[i].array for i in (bias, gradient_input))
    return _EpilogueMatch(spec, added, read, tuple([result[number] for number in fused.outputs]))


def _is_bias(fused: Fused, number: int, spec: ProductSpec) -> bool:
    """True if an input has an element for each column."""
    if number >= len(fused.inputs) or fused.sizes[-1] != spec.n:
        return False
    source = fused.inputs[number]
    along = (*[0] * (len(fused.sizes) - 1), 1)
    return source.offset == 0 and source.strides == along and source.dtype.name == spec.out and not source.kept
