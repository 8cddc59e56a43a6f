"""Removes unreachable blocks, phis of one value, and dead statements."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from fastgrad._src.derivatives.analysis.control_flow import ControlFlow, add_reachable, possible_memory_roots
from fastgrad._src.derivatives.ir.operands import (
    Operand,
    Root,
    Scalar,
    View,
    parts_of_value,
    refuse,
    resolved,
    views_among,
    with_replaced_numbers,
)
from fastgrad._src.derivatives.ir.representation import Block, Function, Phi
from fastgrad._src.derivatives.ir.scalar_operations import COPY
from fastgrad._src.derivatives.ir.statements import Call, Compute, Jump, Statement
from fastgrad._src.derivatives.transform.constant_sizes import find_constant_sizes
from fastgrad._src.derivatives.transform.redundancy import (
    hoist_loads,
    merge_equal_numbers,
    recognize_counted_loops,
    replace_induction_variables,
)
from fastgrad._src.derivatives.transform.small_arrays import split_small_arrays
from fastgrad._src.scalars.formulas import COTANGENT

_COST_OF_COPIES = 10**5
"""A copy at a loop's exit is kept or recorded: computing it again would need a record of each iteration."""


def simplify(function: Function, is_reverse: bool = False) -> None:
    """Simplifies a function in place.

    Args:
        function: the function.
        is_reverse: whether a reverse sweep follows, which pays for moving loads out of loops.
    """
    _drop_unreachable_blocks(function)
    _replace_scalars(function, _without_trivial_phis(function, _only_number))
    _replace_roots(function, _without_trivial_phis(function, _only_array))
    _replace_scalars(function, find_constant_sizes(function))
    _drop_unused(function)
    _merge_chains(function)
    recognize_counted_loops(function)
    replace_induction_variables(function, lambda replaced: _replace_scalars(function, replaced))
    merge_equal_numbers(function, lambda replaced: _replace_scalars(function, replaced))
    if split_small_arrays(function, lambda replaced: _replace_scalars(function, replaced)):
        _replace_scalars(function, _without_trivial_phis(function, _only_number))
        _drop_unused(function)
        _merge_chains(function)
        merge_equal_numbers(function, lambda replaced: _replace_scalars(function, replaced))
    _drop_unused(function)
    if is_reverse:
        hoist_loads(function)
    _copy_loop_exit_values(function)
    _propagate_writes(function)


def _propagate_writes(function: Function) -> None:
    """Marks as written each array that may be written by the name of another one.

    Raises:
        DifferentiationError: such an array is global.
    """
    for name, memory in possible_memory_roots(function).items():
        if name.is_written:
            for root in memory:
                if root.kind == "global":
                    raise refuse("a variable that may be a global array is written", function.location)
                root.is_written = True


def _drop_unreachable_blocks(function: Function) -> None:
    reached = add_reachable(set(), function.blocks[:1], lambda block: block.successors)
    function.blocks = [block for block in function.blocks if block in reached]
    function.number_blocks()
    for block in function.blocks:
        for phi in block.phis:
            phi.incoming = {
                before: value
                for before, value in phi.incoming.items()
                if before in reached and block in before.successors
            }
    function.counters = [counter for counter in function.counters if counter.block in reached]


def _without_trivial_phis(function: Function, source_of: Callable[[Any, dict[Any, Any]], Any]) -> dict[Any, Any]:
    """Removes phis that have one value on all ways, which ``source_of`` returns; returns the values by the phis' targets."""
    replaced: dict[Any, Any] = {}
    before = -1
    while len(replaced) > before:
        before = len(replaced)
        for block in function.blocks:
            for phi in list(block.phis):
                source = source_of(phi, replaced)
                if source is not None:
                    replaced[phi.target] = source
                    block.phis.remove(phi)
    return replaced


def _only_number(phi: Any, replaced: dict[Any, Any]) -> Scalar | None:
    """Returns the number that a phi has on all ways; None if it has several."""
    values = [] if isinstance(phi.target, Root) else phi.incoming.values()
    only, *others = {resolved(replaced, value) for value in values} - {phi.target} or [None]
    if others or not isinstance(only, Scalar) or only.type != phi.target.type:
        return None
    only.is_natural = only.is_natural or phi.target.is_natural
    return only


def _only_array(phi: Any, replaced: dict[Any, Any]) -> Root | None:
    """Returns the whole array that a phi has on all ways, as after ``x += y`` in a loop; None if it has several."""
    views = [view for view in views_among(phi.incoming.values()) if view.is_whole()]
    only, *others = {resolved(replaced, view.root) for view in views} - {phi.target} or [None]
    if others or only is None or not isinstance(phi.target, Root) or len(views) < len(phi.incoming):
        return None
    if only.type != phi.target.type or only.kind not in ("parameter", "local", "phi") or only.is_growing:
        return None
    only.is_written = only.is_written or phi.target.is_written
    return only


def _replace_roots(function: Function, replaced: dict[Root, Root]) -> None:
    """Puts the arrays that replace others in their place."""
    final = functools.partial(resolved, replaced)
    for block in function.blocks:
        values: list[Any] = [value for phi in block.phis for value in phi.incoming.values()]
        values += block.results
        for statement in block.statements:
            values += statement.arguments if isinstance(statement, Call) else [statement]
        for value in values:
            if getattr(value, "root", None) in replaced:
                value.root = final(value.root)
    for root in function.roots:
        root.source = root.source and final(root.source)
    function.copies = {final(copy): (final(source), *rest) for copy, (source, *rest) in function.copies.items()}
    function.appended = {statement: final(root) for statement, root in function.appended.items()}
    function.roots = [root for root in function.roots if root not in replaced]


def _replace_scalars(function: Function, replaced: dict[Operand, Operand]) -> None:
    """Replaces the keys of ``replaced`` by their values, wherever they are used."""
    if not replaced:
        return
    final = functools.partial(resolved, replaced)
    for block in function.blocks:
        for phi in block.phis:
            phi.incoming = {before: with_replaced_numbers(value, final) for before, value in phi.incoming.items()}
        _replace_uses(block, final)
    for root in function.roots:
        root.dims = [final(size) for size in root.dims]


def _merge_chains(function: Function) -> None:
    """Appends each block that only one block jumps to, and that has no phis, to that block."""
    predecessors: dict[Block, list[Block]] = {block: [] for block in function.blocks}
    for block in function.blocks:
        for successor in block.successors:
            predecessors[successor].append(block)
    merged: dict[Block, Block] = {}
    for block in function.blocks:
        while block not in merged and isinstance(block.end, Jump):
            after = block.end.target
            if after is block or after.phis or predecessors[after] != [block]:
                break
            block.statements += after.statements
            block.end = after.end
            merged[after] = block
            for successor in after.successors:
                predecessors[successor] = [block if before is after else before for before in predecessors[successor]]
                for phi in successor.phis:
                    phi.incoming = {
                        block if before is after else before: value for before, value in phi.incoming.items()
                    }
    function.blocks = [block for block in function.blocks if block not in merged]
    parts: list[Scalar | Root] = [*function.scalars, *function.roots]
    for part in parts:
        part.block = resolved(merged, part.block)
    for counter in function.counters:
        counter.block, counter.head = resolved(merged, counter.block), resolved(merged, counter.head)
    function.number_blocks()


def _copy_loop_exit_values(function: Function) -> None:
    """Copies each number that a loop defines and that is used after it, at the loop's only exit.

    The reverse sweep needs the last value alone then, so that not each iteration records one.
    """
    flow = ControlFlow(function)
    for body in sorted(flow.loops.values(), key=len):
        exits = {after for block in body for after in block.successors} - body
        if len(exits) != 1:
            continue
        (after,) = exits
        if not body.issuperset(flow.predecessors[after]):
            continue
        # A function that becomes a part of another one, or gets tangents, has copies already.
        known = [
            statement
            for statement in after.statements
            if isinstance(statement, Compute)
            and statement.operation is COPY
            and statement.cost == _COST_OF_COPIES
            and getattr(statement.operands[0], "block", None) in body
        ]
        after.statements = [statement for statement in after.statements if statement not in known]
        copies: dict[Operand, Operand] = {statement.operands[0]: statement.target for statement in known}

        def copy_of(operand: Operand, body: set[Block] = body, after: Block = after, copies: dict = copies) -> Operand:
            if not isinstance(operand, Scalar) or operand.block not in body:
                return operand
            if operand not in copies:
                copies[operand] = new_loop_exit_copy(function, operand, after)
            return copies[operand]

        for block in flow.blocks:
            if block not in body:
                _replace_uses(block, copy_of)
            for phi in block.phis:
                phi.incoming = {
                    before: value if before in body else with_replaced_numbers(value, copy_of)
                    for before, value in phi.incoming.items()
                }
        after.statements[:0] = [copy.definition for copy in copies.values()]  # type: ignore[misc]


def new_loop_exit_copy(function: Function, number: Scalar, after: Block) -> Scalar:
    """Returns a new number, the last value of a loop's number; its definition is not yet in the block after the loop."""
    copy = Scalar(f"{number.name}_last", number.type, after)
    copy.is_natural = number.is_natural
    partial = COTANGENT if number.is_real else None
    copy.definition = Compute(function.location, copy, COPY, [number], _COST_OF_COPIES, [partial])
    function.scalars.append(copy)
    return copy


def _replace_uses(block: Block, final: Callable[[Operand], Operand]) -> None:
    """Replaces the operands of a block's statements and of its end."""
    for statement in block.statements:
        statement.replace(final)
    block.end.replace(final)


def _drop_unused(function: Function) -> None:
    """Drops statements and phis that nothing needs; stores, loops, branches and random draws are needed."""
    definitions: dict[Operand | Root, Statement | Phi] = {}
    needed: list[Operand | Root] = []
    for block in function.blocks:
        definitions |= {phi.target: phi for phi in block.phis}
        for statement in block.statements:
            definitions |= dict.fromkeys(statement.definitions, statement)
            if statement.is_needed:
                needed += [*statement.definitions, *statement.uses, *statement.arrays]
        needed += _parts_of_values(block.end.uses)

    def inputs_of(part: Operand | Root) -> list[Operand | Root]:
        inputs: list[Operand | Root] = []
        for root in part.roots:
            inputs += [*root.dims, *([] if root.source is None else [root.source])]
        definition = definitions.get(part)
        if isinstance(definition, Phi):
            inputs += _parts_of_values(definition.incoming.values())
        elif definition is not None:
            # The reverse sweep takes cotangents of all results of a call, in the sizes that they have.
            inputs += [*definition.definitions, *definition.uses, *definition.arrays]
        return inputs

    used = add_reachable(set(), needed, inputs_of)
    for block in function.blocks:
        block.phis = [phi for phi in block.phis if phi.target in used]
        block.statements = [
            statement
            for statement in block.statements
            if statement.is_needed or not used.isdisjoint(statement.definitions)
        ]
    function.roots = [root for root in function.roots if root in used or root.kind == "parameter"]


def _parts_of_values(values: Iterable[Operand | View]) -> list[Operand | Root]:
    return [part for value in values for part in parts_of_value(value)]
