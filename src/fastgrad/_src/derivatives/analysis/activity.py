"""Activity analysis: which scalars and arrays both depend on the inputs and influence the result.

Only they have cotangents or tangents. Arrays are active as a whole, with all arrays that share their memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastgrad._src.derivatives.ir.call_rules import Callee
from fastgrad._src.derivatives.ir.operands import Root, Scalar, View, refuse
from fastgrad._src.derivatives.ir.representation import Block, Function
from fastgrad._src.derivatives.ir.statements import Call, Draw


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
        self._varied: set[Scalar | Root] = set()
        self._useful: set[Scalar | Root] = {*results}
        parts: list[Scalar | Root] = [*function.scalars, *function.roots]
        for part in parts:
            is_parameter = part.block is None and part.position in positions
            if is_parameter and part.is_real:
                self._varied.add(part)
            if is_forward and isinstance(part, Root) and part.kind == "parameter" and part.is_written:
                self._useful.add(part)
        size = -1
        while size != len(self._varied) + len(self._useful):
            size = len(self._varied) + len(self._useful)
            for block in blocks:
                self._follow(block)
            for block in reversed(blocks):
                self._follow(block)
        self.active = self._varied & self._useful
        if not is_forward:
            self._add_arrays_of_callees(blocks)

    def __contains__(self, part: object) -> bool:
        return _memory(part) in self.active

    def is_varied(self, part: Scalar | Root) -> bool:
        """True if a number or an array depends smoothly on the inputs."""
        return _memory(part) in self._varied

    def is_useful(self, part: Scalar | Root) -> bool:
        """True if the result depends smoothly on a number or an array."""
        return _memory(part) in self._useful

    def check_draws(self, blocks: list[Block]) -> None:
        """Refuses random draws that jump where a parameter changes, if it depends on the inputs."""
        for block in blocks:
            for draw in block.statements:
                if isinstance(draw, Draw) and any(
                    partial is None and isinstance(operand, Scalar) and self.is_varied(operand)
                    for operand, partial in zip(draw.operands, draw.partials, strict=True)
                ):
                    raise refuse(
                        f"a random draw by {draw.name} can't be differentiated: it may jump where its parameters change",
                        draw.location,
                    )

    def _add_arrays_of_callees(self, blocks: list[Block]) -> None:
        """Makes all arrays of the calls of functions active: the reverse sweep of such a function adds to the cotangents of each."""
        calls = [statement for block in blocks for statement in block.statements if isinstance(statement, Call)]
        calls = [call for call in calls if isinstance(call.rule, Callee) and not call.rule.is_exact]
        size = -1
        while size != len(self.active):
            size = len(self.active)
            for call in filter(self.is_active_call, calls):
                self.active |= {part.memory for part in call.inputs if isinstance(part, Root)}

    def is_active_call(self, call: Call) -> bool:
        """True if an argument and a result of a call are active."""
        return any(part in self for part in call.inputs) and any(part in self for part in call.outputs)

    def _flow(self, source: object, target: Scalar | Root) -> None:
        """Notes that ``target`` depends smoothly on ``source``."""
        if isinstance(source, View):
            source = source.root
        source, target = _memory(source), _memory(target)
        if not isinstance(source, (Scalar, Root)) or not source.is_real or not target.is_real:
            return
        if source in self._varied:
            self._varied.add(target)
        if target in self._useful:
            self._useful.add(source)

    def _follow(self, block: Block) -> None:
        for phi in block.phis:
            for value in phi.incoming.values():
                self._flow(value, phi.target)
                if (
                    self._is_forward
                    and isinstance(value, View)
                    and isinstance(phi.target, Root)
                    and phi.target.is_written
                ):
                    self._flow(phi.target, value.root)  # the arrays may be one
        for statement in block.statements:
            for source, target in statement.flows:
                self._flow(source, target)
            if not isinstance(statement, Call) or not self._is_forward:
                continue
            if any(self.is_useful(target) for target in statement.outputs):
                # The function of the tangents computes those of all results.
                self._useful |= {_memory(target) for target in statement.outputs if target.is_real}
        results = block.results
        for value in results if self._leaf is None or not results else [results[self._leaf]]:
            part = value.root.memory if isinstance(value, View) else value
            if isinstance(part, (Scalar, Root)) and part.is_real:
                self._useful.add(part)


def _memory(part: Any) -> Any:
    """Returns the root that owns an array's memory; what is no array as it is."""
    return part.memory if isinstance(part, Root) else part
