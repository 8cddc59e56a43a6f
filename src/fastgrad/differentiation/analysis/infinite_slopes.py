"""Products of 0 and an infinite slope: for which of them reverse mode adds 0.

The cotangent of the operand of ``sqrt`` is infinite at 0. In ``sqrt(x * x)`` the slope of ``x * x`` is 0 there. Forward mode multiplies the 0 by the infinite
slope, where the rule of ``sqrt`` takes 0 for the product. Reverse mode multiplies the infinite cotangent by the 0, so ``x * x`` needs such a rule, too.
"""

from __future__ import annotations

from collections import defaultdict

from numba import types

from fastgrad.differentiation.analysis.control_flow import ControlFlow
from fastgrad.differentiation.ir.representation import (
    Block,
    Compute,
    Load,
    Operand,
    Phi,
    Root,
    Scalar,
    Store,
    View,
)


def statements_before_infinite_slopes(flow: ControlFlow) -> frozenset[Compute]:
    """Returns the statements whose results flow into a function that has an infinite slope at a finite value.

    Arrays that the function allocates are followed, unless a loop carries their elements from one iteration to another: most products of a simulation flow
    into the roots of the next step, and would run slower.
    """
    phis: dict[Scalar | Root, Phi] = {}
    stores: dict[Root, list[tuple[Block, Store]]] = defaultdict(list)
    pending: list[Operand | View] = []
    for block in flow.blocks:
        phis |= {phi.target: phi for phi in block.phis}
        for statement in block.statements:
            if isinstance(statement, Store) and statement.root.memory.kind == "local":
                stores[statement.root.memory].append((block, statement))
            elif isinstance(statement, Compute) and statement.has_infinite_slope:
                pending += statement.operands
    found: set[Compute] = set()
    visited: set[Scalar] = set()
    while pending:
        number = pending.pop()
        if not isinstance(number, Scalar) or number in visited or not isinstance(number.type, types.Float):
            continue
        visited.add(number)
        definition = number.definition
        if isinstance(definition, Compute):
            found.add(definition)
            pending += definition.operands
        elif isinstance(definition, Load):
            memory = definition.root.memory
            for block, store in stores[memory]:
                if not _is_carried(memory, {block, number.block}, flow):
                    pending.append(store.operands[0])
        elif number in phis:
            pending += phis[number].incoming.values()
    return frozenset(found)


def _is_carried(array: Root, accesses: set[Block | None], flow: ControlFlow) -> bool:
    """True if a loop that the array is not allocated in has the blocks of all accesses."""
    return any(accesses <= {*body} and array.block not in body for body in flow.loops.values())
