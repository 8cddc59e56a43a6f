"""Unrolls loops of a constant number of iterations: each iteration becomes blocks of its own, in which its number is a constant."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from numba import types

from fastgrad._src.derivatives.analysis.control_flow import ControlFlow
from fastgrad._src.derivatives.ir.operands import (
    Constant,
    Operand,
    Root,
    View,
    index_constant,
    resolved,
    scalars_among,
    with_replaced_numbers,
)
from fastgrad._src.derivatives.ir.representation import Block, Function, Phi, statements_in
from fastgrad._src.derivatives.ir.statements import (
    Allocate,
    BeginLoop,
    Branch,
    Call,
    Compute,
    Draw,
    Jump,
    Load,
    NextIteration,
    Reshape,
    Size,
    Statement,
    Store,
)

_MOST_ITERATIONS = 16
"""The number of iterations of the longest loop that is unrolled."""
_COPIED = (Compute, Draw, Load, Store, Allocate, Reshape, Size, Call, BeginLoop, NextIteration)
"""The statements of loops that are unrolled. Those of counters are there until an inner loop is unrolled."""


class Unrolling:
    """The loops of a function that can be unrolled.

    Attributes:
        steps: the statements that step the counters of these loops, by the heads of the loops.
        replaced: the numbers of the heads of loops that were unrolled, by what they are after the loops.
    """

    def __init__(self, function: Function, flow: ControlFlow) -> None:
        self._function, self._flow, self._loops = function, flow, flow.loops
        self.replaced: dict[Operand, Operand] = {}
        self.steps: dict[Block, NextIteration] = {}
        for head, body in sorted(flow.loops.items(), key=lambda item: len(item[1])):
            step = next((each for each in head.statements if isinstance(each, NextIteration)), None)
            if (
                step is not None
                and self._is_simple(head, step)
                and all(type(statement) in _COPIED for statement in statements_in(body))
            ):
                self.steps[head] = step

    def _is_simple(self, head: Block, step: NextIteration) -> bool:
        """True for a loop of a few iterations that only its head leaves, and in which all loops can be unrolled."""
        body, counter, end, before = self._loops[head], step.counter, head.end, self._flow.predecessors[head]
        return (
            self._flow.counted.get(head) is counter
            and isinstance(counter.count, Constant)
            and 0 <= counter.count.value <= _MOST_ITERATIONS
            and isinstance(end, Branch)
            and end.condition is step.is_valid
            and end.then in body - {head}
            and len(before) == 2
            and counter.block in before
            and self._flow.ends_at_head(head)
            and all(other in self.steps for other in self._loops if other in body and other is not head)
            and not any(isinstance(phi.target, Root) for phi in head.phis)
        )

    def loops_in(self, heads: Iterable[Block]) -> list[Block]:
        """Returns the heads of some loops and of those in them, the inner ones first."""
        bodies = [self._loops[head] for head in heads]
        return [head for head in self.steps if any(head in body for body in bodies)]

    def statement_count(self, heads: list[Block]) -> int:
        """Returns the number of statements that some loops and those in them become."""
        counts: dict[Block, int] = {}
        for head in heads:  # the inner ones first
            inner = self._outermost([other for other in counts if other in self._loops[head]])
            own = self._loops[head].difference(*[self._loops[other] for other in inner])
            count = sum([len(block.statements) for block in own]) + sum(map(counts.__getitem__, inner))
            counts[head] = count * self.steps[head].counter.count.value  # type: ignore[union-attr]
        return sum(map(counts.__getitem__, self._outermost(heads)))

    def _outermost(self, heads: list[Block]) -> list[Block]:
        return [head for head in heads if not any(head in self._loops[other] for other in heads if other is not head)]

    def unroll(self, head: Block) -> None:
        """Unrolls a loop, in place. The loops in it are unrolled before."""
        function, members, step, end = self._function, self._loops[head], self.steps[head], head.end
        counter, before, new_blocks = step.counter, step.counter.block, list[Block]()
        assert isinstance(counter.count, Constant)
        assert isinstance(end, Branch)
        body = [block for block in function.blocks if block in members]
        (latch,) = [block for block in body if head in block.successors]
        head.statements.remove(step)
        before.statements = [each for each in before.statements if getattr(each, "counter", None) is not counter]
        numbers = {phi.target: resolved(self.replaced, phi.incoming[before]) for phi in head.phis}
        for iteration in range(int(counter.count.value)):
            of_iteration = {step.target: index_constant(iteration), step.is_valid: Constant(True, types.boolean)}
            copier = _Copier(function, body, head, f"_{iteration}_copy", numbers | of_iteration, self.replaced)
            copier.blocks[head].end = Jump(copier.blocks[end.then])
            before.end.replace_target(copier.blocks[head], head)
            before = copier.blocks[latch]
            new_blocks += copier.blocks.values()
            numbers = {phi.target: copier.final(phi.incoming[latch]) for phi in head.phis}
        of_end = {step.target: counter.count, step.is_valid: Constant(False, types.boolean)}
        self.replaced |= numbers | of_end  # type: ignore[arg-type]
        head.phis, head.end = [], Jump(end.otherwise)
        function.counters.remove(counter)
        gone, place = members - {head}, function.blocks.index(head)
        function.blocks[place:place] = new_blocks
        function.blocks = [block for block in function.blocks if block not in gone]
        function.scalars = [scalar for scalar in function.scalars if scalar.block not in gone]
        function.roots = [root for root in function.roots if root.block not in gone]
        for blocks in self._loops.values():
            if head in blocks:
                blocks.difference_update(gone)
                blocks.update(new_blocks)


class _Copier:
    """The copy of a loop's body for one iteration.

    Attributes:
        blocks: the copies of the blocks.
    """

    def __init__(
        self,
        function: Function,
        body: list[Block],
        head: Block,
        suffix: str,
        known: Mapping[Any, Any],
        replaced: Mapping[Any, Any],
    ) -> None:
        """Copies the blocks of a body. ``known`` has the numbers of the iteration, ``replaced`` of inner loops; names get the ``suffix``."""
        self.blocks = {block: Block(0) for block in body}
        self._names, self._replaced = dict(known), replaced
        """What takes the place of the numbers and arrays of the body."""
        for block, copied in self.blocks.items():
            own = [target for statement in block.statements for target in statement.definitions]
            for target in own if block is head else [*own, *[phi.target for phi in block.phis]]:
                new: Any = copy.copy(target)
                new.name, new.block, self._names[target] = target.name + suffix, copied, new
                (function.roots if isinstance(target, Root) else function.scalars).append(new)
        for root in [name for name in self._names if isinstance(name, Root)]:
            new = self._names[root]
            new.dims, new.source = list(map(self.final, root.dims)), self._names.get(root.source, root.source)
        copies: dict[Statement, Statement] = {}
        for block, copied in self.blocks.items():
            for phi in block.phis if block is not head else ():
                incoming = {self.blocks.get(last, last): self.final(value) for last, value in phi.incoming.items()}
                copied.phis.append(Phi(self._names[phi.target], phi.location, incoming))
            for statement in block.statements:
                copies[statement] = self._statement(statement)
                copied.statements.append(copies[statement])
            copied.end = copy.copy(block.end)
            copied.end.replace(self.final)
            for after in set(block.successors) & self.blocks.keys() - {head}:
                copied.end.replace_target(self.blocks[after], after)
        for root, (source, fill, location) in list(function.copies.items()):
            if root in self._names:
                new_fill = {copies.get(store, store) for store in fill}
                function.copies[self._names[root]] = self._names.get(source, source), new_fill, location

    def final(self, value: Any) -> Any:
        """Returns what takes the place of a number or view."""
        if not isinstance(value, View):
            value = resolved(self._replaced, value)
            return self._names.get(value, value)
        view: Any = with_replaced_numbers(value, self.final)
        view.root = self._names.get(view.root, view.root)
        return view

    def _statement(self, statement: Statement) -> Statement:
        """Returns the copy of a statement."""
        copied: Any = copy.copy(statement)
        copied.operands = list(statement.operands)
        copied.replace(self.final)
        if isinstance(statement, Compute):
            copied.partials = list(statement.partials)
        if isinstance(statement, Call):
            copied.arguments = list(map(self.final, statement.arguments))
            copied.results = [self._names[result] for result in statement.results]
            for scalar in scalars_among(copied.results):
                scalar.definition = copied
        if hasattr(statement, "root"):
            copied.root = self._names.get(statement.root, statement.root)
        if hasattr(statement, "target"):
            copied.target = self._names[statement.target]
            copied.target.definition = copied
        return copied
