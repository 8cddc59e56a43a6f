"""Lowering: the kernels that compute a node in a native program, if there are any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgrad._src.compiler.fusion.emit import cached_launches, launches_of_group
from fastgrad._src.compiler.fusion.epilogues import ProductWithEpilogue, launches_of_product
from fastgrad._src.compiler.fusion.product_updates import UpdatedProduct, launches_with_update
from fastgrad._src.compiler.fusion.statistics import ConvolutionWithMoments, launches_of_convolution_with_moments
from fastgrad._src.compiler.graph.graph import Kind, Node, Value, size_of
from fastgrad._src.core.operation import Form, Operation
from fastgrad._src.jit.build import signature_of
from fastgrad._src.kernels.runtime import copies_and_jumps
from fastgrad._src.kernels.runtime.launch import Constant, Input, Launch, Launches, Scratch, Spec

NO_LAUNCHES = Launches(())


def launches_of_fused(payload: Any) -> Launches | None:
    """Returns the kernels of a FUSED node's payload; equal payloads with equal sizes share them."""
    if isinstance(payload, UpdatedProduct):
        return cached_launches(payload, launches_with_update)
    if isinstance(payload, ConvolutionWithMoments):
        return cached_launches(payload, launches_of_convolution_with_moments)
    if isinstance(payload, ProductWithEpilogue):
        return cached_launches(payload, launches_of_product)
    return launches_of_group(payload)


def launches_of(node: Node, fused: Callable[[Any], Launches | None] = launches_of_fused) -> Launches | None:
    """Returns the kernels of a node that computes a value or checks a guard; None if the node runs in Python.

    Args:
        node: the node.
        fused: gives the kernels of a FUSED node's payload.
    """
    if any(value.dtype.kind == "O" for value in (*node.inputs, *node.outputs)):
        return None
    if node.kind is Kind.GUARD:
        return _guard_launches(node)
    if node.outputs and not any(value.shape == () or 0 not in value.shape for value in node.outputs):
        return NO_LAUNCHES  # there are no elements to compute
    if node.kind is Kind.FUSED:
        return fused(node.payload)
    row = node.payload
    return launches_of_row(row, node.inputs, node.outputs, node.attributes) if node.kind is Kind.OPERATION else None


def launches_of_row(
    row: Operation, inputs: Sequence[Spec], outputs: Sequence[Spec], attributes: dict[str, Any]
) -> Launches | None:
    """Returns the kernels of an operation of the table outside a group; None if no kernel takes the inputs."""
    result = None if row.lowering.launches is None else row.lowering.launches(inputs, outputs, **attributes)
    if (
        result is None
        and row.form is Form.ELEMENTWISE
        and row.lowering.elementwise.complex_launches is not None
        and any(x.dtype.kind == "c" for x in (*inputs, *outputs))
    ):
        result = row.lowering.elementwise.complex_launches(inputs, outputs, **attributes)
    return result


def copy_launches(value: Value) -> Launches:
    """Returns the launch that copies a value's array."""
    return copies_and_jumps.copy_launches(size_of(value))


COMPUTING_KINDS = frozenset({Kind.OPERATION, Kind.FUSED})


def may_stop_program(node: Node, launches: Launches | None) -> bool:
    """True if the program may stop at a node: a guard, a check, or Python code that may raise an error.

    A collective stops a program only if the whole job fails, so that it does not count.
    """
    if node.kind not in COMPUTING_KINDS:
        return node.kind is Kind.GUARD
    if node.is_collective:
        return False
    return node.has_effect or launches is None or any(_kernel_may_stop(launch.kernel) for launch in launches.launches)


def stops_only_before_writes(launches: Launches) -> bool:
    """True if every kernel that may stop the program runs before any kernel that writes."""
    written = False
    for launch in launches.launches:
        written |= any(not isinstance(operand, (Input, Scratch, Constant, int, float)) for operand in launch.operands)
        if written and _kernel_may_stop(launch.kernel):
            return False
    return True


def _kernel_may_stop(kernel: Any) -> bool:
    own_signature = getattr(kernel, "signature", None)  # only kernels for another machine have it
    return (own_signature or signature_of(kernel)).returns_status


def branch_choice_launches(guard: Node, branch_count: int) -> Launches:
    """Returns the launch that chooses one of several branches by a guard's value; its table is filled later."""
    kernel = _guard_kernel(guard, copies_and_jumps.jump_by_truth, copies_and_jumps.jump_by_value)
    assert kernel is not None
    return Launches((Launch(kernel, (Input(0), Constant(np.zeros(2 * branch_count, np.int64)), branch_count)),))


def end_of_trace_launches(trace_number: int) -> Launches:
    """Returns the launch that ends the run of a trace."""
    return Launches((Launch(copies_and_jumps.end_program[()], (trace_number,)),))


def _guard_launches(node: Node) -> Launches | None:
    kernel = _guard_kernel(node, copies_and_jumps.check_truth, copies_and_jumps.check_value)
    return None if kernel is None else Launches((Launch(kernel, (Input(0), int(node.payload[1]))),))


def _guard_kernel(node: Node, by_truth: Any, by_value: Any) -> Any:
    """Returns the kernel that checks a guard's value, by the value's dtype; None if there is none."""
    dtype = node.inputs[0].dtype
    if dtype.kind == "b":
        dtype = np.dtype(np.uint8)
    family = by_truth if node.payload[0] == "bool" or node.inputs[0].dtype.kind == "b" else by_value
    return family[dtype] if dtype in family.variables["T"] else None
