"""Products of 0 and a slope that is infinite or NaN: for which of them derivatives add 0.

The cotangent of the operand of ``sqrt`` is infinite at 0. In ``sqrt(x * x)`` the slope of ``x * x`` is 0 there. Forward mode multiplies the 0 by the infinite
slope, where the rule of ``sqrt`` takes 0 for the product. Reverse mode multiplies the infinite cotangent by the 0, so ``x * x`` needs such a rule, too. In ``sqrt(x) * y``
it is forward mode that multiplies an infinite tangent by 0, so the product needs the rule there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence

from numba import types

from fastgrad.core.terms import Leaf, Term, nodes_of
from fastgrad.differentiation.analysis.control_flow import ControlFlow, memory_families
from fastgrad.differentiation.ir.partials import COTANGENT, is_selection
from fastgrad.differentiation.ir.representation import (
    Block,
    Call,
    Compute,
    Constant,
    Function,
    Load,
    Operand,
    Phi,
    Root,
    Scalar,
    Statement,
    Store,
    View,
)


def statements_before_infinite_slopes(function: Function) -> frozenset[Compute | Call]:
    """Returns the statements whose results flow into a function that has an infinite slope at a finite value.

    Arrays are followed, whatever they are, and calls of functions that have derivatives of their own.
    """
    families = memory_families(function)
    writers: dict[Root, list[Store | Call]] = defaultdict(list)
    pending: list[Operand | View | Root] = []
    for block in function.blocks:
        for statement in block.statements:
            if isinstance(statement, Compute) and statement.has_infinite_slope:
                pending += statement.operands
            for root in _written_by(statement):
                for other in families[root.memory]:
                    writers[other].append(statement)  # type: ignore[arg-type]
    return _statements_before(pending, function.blocks, writers)


def _written_by(statement: Statement) -> list[Root]:
    if isinstance(statement, Store):
        return [statement.root.memory]
    outputs = statement.outputs if isinstance(statement, Call) else []
    return [value for value in outputs if isinstance(value, Root)]


def statements_after_infinite_slopes(flow: ControlFlow, active: Container[Scalar | Root]) -> frozenset[Compute]:
    """Returns the statements that read a number whose tangent may be infinite: it comes from a function that has an infinite slope at a finite operand.

    Args:
        flow: the control flow of the function.
        active: the numbers and arrays that have tangents.
    """
    after: set[Scalar | Root] = set()
    found: set[Compute] = set()
    size = -1
    while size != (size := len(after)):
        for block in flow.blocks:
            for phi in block.phis:
                values = [value.root.memory if isinstance(value, View) else value for value in phi.incoming.values()]
                if not after.isdisjoint(values):
                    after.add(phi.target)
                if phi.target in after:  # a store to a phi is one to the array that it names
                    after.update(value for value in values if isinstance(value, Root))
            for statement in block.statements:
                if isinstance(statement, Compute):
                    if not isinstance(statement.target.type, types.Float):
                        continue
                    if _reads_one_of(after, statement):
                        found.add(statement)
                        after.add(statement.target)
                    elif (statement.has_infinite_slope or statement.has_pole) and statement.target in active:
                        after.add(statement.target)
                elif isinstance(statement, Load):
                    if statement.root.memory in after:
                        after.add(statement.target)
                elif isinstance(statement, Store):
                    if statement.operands[0] in after:
                        after.add(statement.root.memory)
                elif isinstance(statement, Call) and not after.isdisjoint(statement.inputs):
                    outputs = [value.memory if isinstance(value, Root) else value for value in statement.outputs]
                    after.update(outputs)
    return frozenset(found)


def _reads_one_of(numbers: Container[Scalar | Root], statement: Compute) -> bool:
    pairs = zip(statement.operands, statement.partials, strict=True)
    return any(partial is not None and operand in numbers for operand, partial in pairs)


def _statements_before(
    pending: list[Operand | View | Root], blocks: Sequence[Block], writers: Mapping[Root, list[Store | Call]]
) -> frozenset[Compute | Call]:
    """Returns the statements that compute the floats ``pending``, and those from which these come: through phis, and through the arrays of ``writers``."""
    phis: dict[Scalar | Root, Phi] = {phi.target: phi for block in blocks for phi in block.phis}
    found: set[Compute | Call] = set()
    visited: set[Scalar | Root] = set()
    while pending:
        number = pending.pop()
        if isinstance(number, View):
            number = number.root
        if isinstance(number, Root):
            number = number.memory
        if isinstance(number, Constant) or number in visited:
            continue
        if isinstance(number, Scalar) and not isinstance(number.type, types.Float):
            continue
        visited.add(number)
        definition = number.definition if isinstance(number, Scalar) else None
        if isinstance(definition, Compute):
            found.add(definition)
            pending += definition.operands
        elif isinstance(definition, Load):
            pending.append(definition.root)
        elif isinstance(definition, Call):
            found.add(definition)
            pending += definition.inputs if writers else []
        elif number in phis and isinstance(number, Scalar):
            pending += phis[number].incoming.values()
        for writer in writers.get(number, ()) if isinstance(number, Root) else ():
            if isinstance(writer, Call):
                found.add(writer)
                pending += writer.inputs
            else:
                pending.append(writer.operands[0])
    return frozenset(found)


def may_be_nan(partial: Term, operands: Sequence[Operand]) -> bool:
    """True if the derivative in a partial may be infinite or NaN: it reads the result or an operand that is no constant, other than to select."""
    is_plain_selection = is_selection(partial) and all(node.operation is None for node in partial.operands[1:])
    leaves = [node for node in nodes_of(partial) if isinstance(node, Leaf) and node is not COTANGENT]
    return not is_plain_selection and any(
        leaf.position is None or not isinstance(operands[leaf.position], Constant) for leaf in leaves
    )


def may_be_zero(partial: Term, operands: Sequence[Operand]) -> bool:
    """True if the derivative in a partial may be 0: it reads the result or an operand that is no constant other than 0."""
    leaves = [node for node in nodes_of(partial) if isinstance(node, Leaf) and node is not COTANGENT]
    operands = [operands[leaf.position] for leaf in leaves if leaf.position is not None]
    is_nonzero = [isinstance(operand, Constant) and operand.value != 0 for operand in operands]
    return len(operands) < len(leaves) or not all(is_nonzero)
