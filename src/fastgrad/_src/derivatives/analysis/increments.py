"""Increments: ``a[i] = a[i] + e`` without statements between load and store. The reverse sweep does not change the cotangent of ``a[i]``."""

from __future__ import annotations

from collections.abc import Iterable

from fastgrad._src.derivatives.analysis.control_flow import ControlFlow
from fastgrad._src.derivatives.ir.operands import Constant, Operand, Scalar, View, equal_operands, scalars_among
from fastgrad._src.derivatives.ir.representation import Block
from fastgrad._src.derivatives.ir.statements import Compute, Load, Statement, Store
from fastgrad._src.scalars.formulas import COTANGENT


class Increments:
    """The increments of a function.

    Attributes:
        statements: their loads and stores.
        through: for each sum the load that it adds to.
        users: the blocks that use each scalar's value; None stands for edges between blocks.
    """

    def __init__(self, flow: ControlFlow) -> None:
        self._flow = flow
        self.statements: set[Statement] = set()
        self.through: dict[Statement, Scalar] = {}
        self.users = self._blocks_of_users()
        self._find_increments()

    def _blocks_of_users(self) -> dict[Scalar, set[Block | None]]:
        """Returns the blocks that use each scalar's value; None stands for edges between blocks."""
        users: dict[Scalar, set[Block | None]] = {}

        def use(values: Iterable[Operand | View], block: Block | None) -> None:
            for number in scalars_among(values):
                users.setdefault(number, set()).add(block)

        for block in self._flow.blocks:
            for phi in block.phis:
                use(phi.incoming.values(), None)
            for statement in block.statements:
                use(statement.uses, block)
            use(block.results, block)
        return users

    def _find_increments(self) -> None:
        uses: dict[Scalar, int] = {}
        for block in self._flow.blocks:
            for statement in block.statements:
                for operand in scalars_among(statement.operands):
                    uses[operand] = uses.get(operand, 0) + 1
            for value in scalars_among(block.results):
                uses[value] = uses.get(value, 0) + 1
        for block in self._flow.blocks:
            loads: dict[Operand, Load] = {}
            for statement in block.statements:
                if isinstance(statement, Load):
                    loads[statement.target] = statement
                elif isinstance(statement, Store):
                    self._note_increment(statement, loads, uses, block)
                    loads = {target: load for target, load in loads.items() if not _may_write(statement, load)}
                elif written := statement.writes:
                    loads = {target: load for target, load in loads.items() if load.root.memory_owner not in written}

    def _note_increment(self, store: Store, loads: dict[Operand, Load], uses: dict[Scalar, int], block: Block) -> None:
        value = store.operands[0]
        definition = value.definition
        if not isinstance(definition, Compute) or definition not in block.statements:
            return
        if uses.get(definition.target) != 1 or self.users[definition.target] != {block}:
            return
        for place, partial in enumerate(definition.partials):
            operand = definition.operands[place]
            load = loads.get(operand) if partial is COTANGENT else None
            if (
                load is None
                or load.root is not store.root
                or uses[load.target] != 1
                or self.users[load.target] != {block}
            ):
                continue
            if all(map(equal_operands, load.operands, store.operands[1:])):
                self.statements |= {store, load}
                self.through[definition] = load.target
                return


def _may_write(store: Store, load: Load) -> bool:
    """True if a store may write the element that was loaded. The real and the imaginary part of a number are different elements."""
    if store.root is not load.root:
        return store.root.memory_owner is load.root.memory_owner
    pairs = zip(store.operands[1:], load.operands, strict=True)
    return not any(isinstance(x, Constant) and isinstance(y, Constant) and x.value != y.value for x, y in pairs)
