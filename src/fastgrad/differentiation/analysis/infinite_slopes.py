"""Products of 0 and a slope that is infinite or NaN: for which of them reverse mode adds 0.

The cotangent of the operand of ``sqrt`` is infinite at 0. In ``sqrt(x * x)`` the slope of ``x * x`` is 0 there. Forward mode multiplies the 0 by the infinite
slope, where the rule of ``sqrt`` takes 0 for the product. Reverse mode multiplies the infinite cotangent by the 0, so ``x * x`` needs such a rule, too.

A number that nothing uses, as one that ``np.nansum`` skips or that a loop overwrites, has the cotangent 0. The operands of its product with NaN have derivatives of 0, too.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Mapping, Sequence

from numba import types

from fastgrad.core.terms import Leaf, Term, nodes_of
from fastgrad.differentiation.analysis.control_flow import ControlFlow
from fastgrad.differentiation.ir.partials import COTANGENT, is_selection
from fastgrad.differentiation.ir.representation import (
    Block,
    Compute,
    Constant,
    Load,
    Operand,
    Phi,
    Return,
    Root,
    Scalar,
    Store,
    View,
)

_Place = Block | tuple[Block, Block]
"""Where a number is used: in a block, or on the way from one to another, by a phi."""


def statements_before_infinite_slopes(flow: ControlFlow) -> frozenset[Compute]:
    """Returns the statements whose results flow into a function that has an infinite slope at a finite value.

    Arrays that the function allocates are followed, unless a loop carries their elements from one iteration to another: most products of a simulation flow
    into the roots of the next step, and would run slower.
    """
    stores: dict[Root, list[tuple[Block, Store]]] = defaultdict(list)
    pending: list[Operand | View] = []
    for block in flow.blocks:
        for statement in block.statements:
            if isinstance(statement, Store) and statement.root.memory.kind == "local":
                stores[statement.root.memory].append((block, statement))
            elif isinstance(statement, Compute) and statement.has_infinite_slope:
                pending += statement.operands
    return _statements_before(pending, flow, stores)


def statements_before_selections(flow: ControlFlow) -> frozenset[Compute]:
    """Returns the statements whose results may have no use: a branch or a selection skips them, or they are overwritten, or elements of arrays."""
    users, pending = _users_of(flow)
    may_skip = functools.cache(_may_skip)
    pending += [
        number
        for number, places in users.items()
        if isinstance(number, Scalar) and number.block is not None and may_skip(number.block, frozenset(places))
    ]
    return _statements_before(pending, flow, {})


def _statements_before(
    pending: list[Operand | View], flow: ControlFlow, stores: Mapping[Root, list[tuple[Block, Store]]]
) -> frozenset[Compute]:
    """Returns the statements that compute the floats ``pending``, and those from which these come: through phis, and through the arrays of ``stores``."""
    phis: dict[Scalar | Root, Phi] = {phi.target: phi for block in flow.blocks for phi in block.phis}
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
            for block, store in stores.get(memory, ()):
                if not _is_carried(memory, {block, number.block}, flow):
                    pending.append(store.operands[0])
        elif number in phis:
            pending += phis[number].incoming.values()
    return frozenset(found)


def _users_of(flow: ControlFlow) -> tuple[dict[Operand | View, set[_Place]], list[Operand | View]]:
    """Returns where each number is used, and the numbers that a selection or a store to an array uses, which may be skipped wherever that is."""
    users: dict[Operand | View, set[_Place]] = defaultdict(set)
    readers: dict[Root, set[Block]] = defaultdict(set)
    stores: list[tuple[Block, Store]] = []
    selected: list[Operand | View] = []
    for block in flow.blocks:
        for phi in block.phis:
            for before, value in phi.incoming.items():
                users[value].add((before, block))
        for statement in block.statements:
            if isinstance(statement, Compute):
                for operand, partial in zip(statement.operands, statement.partials, strict=True):
                    if is_selection(partial):
                        selected.append(operand)
                    elif partial is not None:
                        users[operand].add(block)
                continue
            if isinstance(statement, Load):
                readers[statement.root.memory].add(block)
            elif isinstance(statement, Store) and statement.root.memory.kind == "local":
                stores.append((block, statement))
            for operand in statement.operands:
                users[operand].add(block)
        for value in block.end.values if isinstance(block.end, Return) else []:
            users[value].add(block)
    for block, store in stores:
        memory = store.root.memory
        if not all(_is_carried(memory, {block, reader}, flow) for reader in readers[memory]):
            selected.append(store.operands[0])
    return users, selected


def may_be_nan(partial: Term, operands: Sequence[Operand]) -> bool:
    """True if the derivative in a partial may be infinite or NaN: it reads the result or an operand that is no constant, other than to select."""
    is_plain_selection = is_selection(partial) and all(node.operation is None for node in partial.operands[1:])
    leaves = [node for node in nodes_of(partial) if isinstance(node, Leaf) and node is not COTANGENT]
    return not is_plain_selection and any(
        leaf.position is None or not isinstance(operands[leaf.position], Constant) for leaf in leaves
    )


def _may_skip(definition: Block, users: frozenset[_Place]) -> bool:
    """True if a way from a block to a return, or to the block itself again, goes through none of the users."""
    visited: set[Block] = set()
    pending = [definition]
    while pending:
        block = pending.pop()
        if block in users:
            continue
        if isinstance(block.end, Return):
            return True
        following = [other for other in block.successors if (block, other) not in users]
        if definition in following:
            return True
        pending += [other for other in following if other not in visited]
        visited.update(following)
    return False


def _is_carried(array: Root, accesses: set[Block | None], flow: ControlFlow) -> bool:
    """True if a loop that the array is not allocated in has the blocks of all accesses."""
    return any(accesses <= {*body} and array.block not in body for body in flow.loops.values())
