"""Matrix products by cuBLASLt. Operations after a product are a separate launch."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node
from fastgrad._src.compiler.passes.rewriting import is_matrix_product, rewritten
from fastgrad._src.core import python_state_version
from fastgrad._src.cuda.codegen.kernel import TypedDeviceKernel
from fastgrad._src.cuda.devices.blas import Blas, LibraryKernel, ProductSpec
from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Output, Scratch


@dataclass(frozen=True)
class LibraryProduct:
    """The payload of a FUSED node that is a product by cuBLASLt.

    Attributes:
        name: the name of its operation.
        launches: its launches.
    """

    name: str
    launches: Launches


def with_blas_products(graph: Graph, blas: Blas) -> Graph:
    """Returns the graph with products by cuBLASLt, where it has an algorithm for them.

    Args:
        graph: a fused graph; it does not change.
        blas: the library.
    """

    def replaced(node: Node) -> Node:
        spec = product_spec_of(node)
        kernel = None if spec is None else blas.kernel_of(spec)
        if kernel is None:
            return node
        return Node(Kind.FUSED, LibraryProduct(node.payload.name, _library_launches(kernel)), node.inputs, node.outputs)

    return rewritten(graph, replaced)


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
    fast = python_state_version.settings.get(python_state_version.TENSOR_FLOAT_32_SETTING) == "on"
    names = a.dtype.name, d.dtype.name
    return ProductSpec(*names, batches, m, n, k, transpose_a, transpose_b, a_batch, b_batch, tf32=fast)


def _library_launches(kernel: LibraryKernel) -> Launches:
    typed_kernel: Any = TypedDeviceKernel(kernel, {})  # type: ignore[arg-type]
    launch = Launch(typed_kernel, (Input(0), Input(1), Output(0), Scratch(0)))
    return Launches((launch,), ((np.dtype(np.uint8), kernel.scratch_bytes),))
