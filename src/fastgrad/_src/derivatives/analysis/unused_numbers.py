"""Finds numbers that the result of a function may not need: their cotangent may be 0, even if a derivative is NaN.

An unused number has the cotangent 0: for example, ``np.nansum`` skips it, or a loop overwrites it. If 0 is multiplied by a NaN derivative, the cotangent of the operand is 0, too.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Sequence

from numba import types

from fastgrad._src.derivatives.analysis.control_flow import ControlFlow, scalars_defined_in
from fastgrad._src.derivatives.ir.operands import Counter, Operand, Root, Scalar, View, equal_operands, scalars_among
from fastgrad._src.derivatives.ir.partials import is_selection
from fastgrad._src.derivatives.ir.representation import Block, Phi, phis_in
from fastgrad._src.derivatives.ir.statements import (
    Allocate,
    Call,
    Compute,
    Load,
    NextIteration,
    Return,
    Size,
    Statement,
    Store,
)

_Place = Block | tuple[Block, Block]
"""Where a number is used: in a block, or on the way from one to another, by a phi."""


_Uses = dict[Scalar, set[tuple[_Place, Scalar | Root | None]]]


def statements_without_use(flow: ControlFlow) -> frozenset[Compute]:
    """Returns the statements whose results have no use on some way through the function: each use is skipped, or its own result has none.

    A branch or a selection skips a use, or a loop overwrites the number, or it is an element of an array that may not be read.
    """
    uses, stored = _float_uses(flow)
    phis = {phi.target: phi for phi in phis_in(flow.blocks)}
    may_skip = functools.cache(_may_bypass_users)
    unused: set[Scalar] = set()
    found: set[Compute] = set()
    pending = [*uses]
    while pending:
        number = pending.pop()
        if number in unused or number.block is None:
            continue
        if not may_skip(number.block, frozenset(place for place, target in uses[number] if target not in unused)):
            continue
        unused.add(number)
        operands: Iterable[Operand | View] = stored.get(number, ())
        if isinstance(number.definition, Compute):
            found.add(number.definition)
            operands = number.definition.operands
        elif number in phis:
            operands = phis[number].incoming.values()
        pending += [operand for operand in scalars_among(operands) if operand in uses]
    return frozenset(found)


def _float_uses(flow: ControlFlow) -> tuple[_Uses, dict[Scalar, list[Operand]]]:
    """Returns for each float where it is used, and for which number, None for what always needs it; and for loaded numbers those that were stored.

    Operands of selections, which may skip them, and elements of arrays that may not be read have no use there.
    """
    uses: _Uses = {number: set() for number in scalars_defined_in(flow.blocks) if isinstance(number.type, types.Float)}
    stored: dict[Scalar, list[Operand]] = defaultdict(list)
    accesses = _array_accesses(flow)

    def add(operand: Operand | View, *places: tuple[_Place, Scalar | Root | None]) -> None:
        if isinstance(operand, Scalar) and operand in uses:
            uses[operand].update(places)

    for block in flow.blocks:
        for phi in block.phis:
            for before, value in phi.incoming.items():
                add(value, ((before, block), phi.target))
        for statement in block.statements:
            if isinstance(statement, Compute):
                for operand, partial in zip(statement.operands, statement.partials, strict=True):
                    if partial is not None:
                        add(operand, *([] if is_selection(partial) else [(block, statement.target)]))
            elif isinstance(statement, Store) and statement.root.memory_owner.kind == "local":
                array, value = statement.root.memory_owner, statement.operands[0]
                readers = [reader for reader, access in accesses[array] if _multiplies_elements(access)]
                if all(_is_carried_by_loop(array, {block, reader}, flow) for reader in readers):
                    add(value, (block, None))
                    continue
                loads = _certain_loads(accesses[array], flow)
                add(value, *[(block, load.target) for load in loads])
                for load in loads:
                    stored[load.target].append(value)
            else:
                for operand in statement.operands:
                    add(operand, (block, None))
        for value in block.results:
            add(value, (block, None))
    return uses, stored


# ---- elements of arrays --------------------------------------------------------------------------------------------

_Access = tuple[Block, Statement | Phi | Return]


def _array_accesses(flow: ControlFlow) -> dict[Root, list[_Access]]:
    """Returns for each array what names it, with its block."""
    accesses: dict[Root, list[_Access]] = defaultdict(list)

    def add(block: Block, user: Statement | Phi | Return, values: Iterable[Operand | View | Root]) -> None:
        for value in values:
            for root in value.roots:
                accesses[root.memory_owner].append((block, user))

    for block in flow.blocks:
        for phi in block.phis:
            add(block, phi, [phi.target, *phi.incoming.values()])
        for statement in block.statements:
            add(block, statement, [*statement.arrays, *statement.definitions])
        if isinstance(block.end, Return):
            add(block, block.end, block.end.values)
    return accesses


def _multiplies_elements(access: Statement | Phi | Return) -> bool:
    """True if what names an array reads elements of it, which it may multiply by 0."""
    return isinstance(access, Load) or (isinstance(access, Call) and access.is_product)


def _certain_loads(accesses: list[_Access], flow: ControlFlow) -> list[Load]:
    """Returns loads by loops that read each element of a local array, after one store has written it once. None for arrays that are used otherwise."""
    beginnings = [block for block, access in accesses if isinstance(access, Allocate)]
    stores = [(block, access) for block, access in accesses if isinstance(access, Store)]
    is_plain = all(isinstance(access, (Allocate, Store, Load, Size)) for _, access in accesses)
    if len(beginnings) != 1 or len(stores) != 1 or not is_plain:  # a call may return the array
        return []
    ((storing, store),) = stores
    (beginning,) = beginnings
    counters = _loop_counters_of(store.operands[1:])
    heads = _enclosing_loop_heads(storing, beginning, flow)
    if len(counters) != len(heads) or {*counters} != {flow.counted.get(head) for head in heads}:
        return []
    return [
        access
        for block, access in accesses
        if isinstance(access, Load) and _reads_all_elements(access, block, beginning, storing, flow)
    ]


def _reads_all_elements(load: Load, block: Block, beginning: Block, storing: Block, flow: ControlFlow) -> bool:
    """True if loops read each element of an array each time that it was made, after all stores."""
    heads = _enclosing_loop_heads(block, beginning, flow)
    counters = _loop_counters_of(load.operands)
    sizes = load.root.dims
    if not heads or load.guards or len({*counters}) != len(sizes):
        return False
    for head, inner in zip(heads, [*heads[1:], block], strict=True):
        counter = flow.counted.get(head)
        if counter is None:
            return False
        counts = [sizes[counters.index(counter)]] if counter in counters else sizes
        if (
            not flow.ends_at_head(head)
            or not any(equal_operands(counter.count, count) for count in counts)
            or not flow.runs_each_iteration(inner, head)
        ):
            return False
    return not _may_bypass_users(beginning, frozenset(heads[:1])) and storing not in flow.reachable_blocks(
        heads[0], beginning
    )


def _enclosing_loop_heads(block: Block, beginning: Block, flow: ControlFlow) -> list[Block]:
    """Returns the heads of the loops that have a block and not another, the outermost first."""
    heads = [head for head, body in flow.loops.items() if block in body and beginning not in body]
    return sorted(heads, key=flow.position)


def _loop_counters_of(indices: Sequence[Operand]) -> list[Counter | None]:
    """Returns the counters whose numbers the indices are; None for other indices."""
    definitions = [index.definition for index in indices]
    return [definition.counter if isinstance(definition, NextIteration) else None for definition in definitions]


def _may_bypass_users(definition: Block, users: frozenset[_Place]) -> bool:
    """True if a way from a block to a return, or to the block itself again, goes through none of the users."""
    visited: set[Block] = set()
    pending = [definition]
    while pending:
        block = pending.pop()
        if block in users:
            continue
        if block.returns:
            return True
        following = [other for other in block.successors if (block, other) not in users]
        if definition in following:
            return True
        pending += [other for other in following if other not in visited]
        visited.update(following)
    return False


def _is_carried_by_loop(array: Root, accesses: set[Block | None], flow: ControlFlow) -> bool:
    """True if a loop that the array is not allocated in has the blocks of all accesses."""
    return any(accesses <= {*body} and array.block not in body for body in flow.loops.values())
