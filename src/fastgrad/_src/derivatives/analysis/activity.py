"""Activity analysis: which scalars and arrays both depend on the inputs and influence the result.

Only they have cotangents or tangents. Arrays are active as a whole, with all arrays that share their memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastgrad._src.derivatives.ir.operands import Operand, Root, Scalar, View, refuse
from fastgrad._src.derivatives.ir.representation import Block, Function, statements_in
from fastgrad._src.derivatives.ir.statements import Draw, Statement


class Activity:
    """The active scalars and the active roots of a function.

    Args:
        function: the function.
        blocks: its blocks.
        positions: the numbers of the parameters to differentiate with respect to.
        is_forward: whether tangents flow: then what the function writes to its arguments is a result, too.
        leaf: the number of the part of the result that is differentiated. None for all.
        results: arguments that are results, too, because the caller sees what the function writes to them.
    """

    def __init__(
        self,
        function: Function,
        blocks: list[Block],
        positions: frozenset[int],
        is_forward: bool,
        leaf: int | None = None,
        results: Sequence[Root] = (),
    ) -> None:
        self._leaf = leaf
        self._is_forward = is_forward
        self._varied: set[Operand | Root] = set()
        self._useful: set[Operand | Root] = {*results}
        parts: list[Scalar | Root] = [*function.scalars, *function.roots]
        for part in parts:
            is_parameter = part.block is None and part.position in positions
            if is_parameter and part.is_real:
                self._varied.add(part)
            if is_forward:
                self._useful.update(root for root in part.roots if root.kind == "parameter" and root.is_written)
        size = -1
        while size != len(self._varied) + len(self._useful):
            size = len(self._varied) + len(self._useful)
            for block in blocks:
                self._add_edges_of_block(block)
            for block in reversed(blocks):
                self._add_edges_of_block(block)
        self.active = self._varied & self._useful
        if not is_forward:
            self._add_arrays_of_callees(blocks)

    def __contains__(self, part: Any) -> bool:
        return part.memory_owner in self.active

    def is_varied(self, part: Operand | Root) -> bool:
        """True if a number or an array depends smoothly on the inputs."""
        return part.memory_owner in self._varied

    def is_useful(self, part: Scalar | Root) -> bool:
        """True if the result depends smoothly on a number or an array."""
        return part.memory_owner in self._useful

    def check_random_draws(self, blocks: list[Block]) -> None:
        """Refuses random draws that jump where a parameter changes, if it depends on the inputs."""
        for draw in statements_in(blocks):
            if isinstance(draw, Draw) and any(
                partial is None and self.is_varied(operand)
                for operand, partial in zip(draw.operands, draw.partials, strict=True)
            ):
                raise refuse(
                    f"a random draw by {draw.name} can't be differentiated: it may jump where its parameters change",
                    draw.location,
                )

    def _add_arrays_of_callees(self, blocks: list[Block]) -> None:
        """Makes all arrays of the calls of functions active: the reverse sweep of such a function adds to the cotangents of each."""
        statements = list(statements_in(blocks))
        calls = [call for call in statements if call.callee is not None and not call.callee.is_exact]
        size = -1
        while size != len(self.active):
            size = len(self.active)
            for call in filter(self.is_active_call, calls):
                self.active |= {root.memory_owner for part in call.inputs for root in part.roots}

    def is_active_call(self, statement: Statement) -> bool:
        """True for a call of which an argument and a result are active."""
        return any(part in self for part in statement.inputs) and any(part in self for part in statement.outputs)

    def _add_edge(self, value: Operand | View | Root, result: Scalar | Root) -> None:
        """Notes that ``result`` depends smoothly on ``value``."""
        source, target = value.memory_owner, result.memory_owner
        if not source.is_real or not target.is_real:
            return
        if source in self._varied:
            self._varied.add(target)
        if target in self._useful:
            self._useful.add(source)

    def _add_edges_of_block(self, block: Block) -> None:
        for phi in block.phis:
            for value in phi.incoming.values():
                self._add_edge(value, phi.target)
            for target, source in phi.aliases:
                if self._is_forward and target.is_written:
                    self._add_edge(target, source)  # the arrays may be one
        for statement in block.statements:
            for part, result in statement.derivative_edges:
                self._add_edge(part, result)
            if self._is_forward and any(self.is_useful(target) for target in statement.outputs):
                # The function of the tangents computes those of all results.
                self._useful |= {target.memory_owner for target in statement.outputs if target.is_real}
        results = block.results
        for value in results if self._leaf is None or not results else [results[self._leaf]]:
            if value.memory_owner.is_real:
                self._useful.add(value.memory_owner)
