"""The cotangents of arrays: where they are in memory, and which arrays of calls are unchanged on the reverse sweep."""

from __future__ import annotations

import functools

from fastgrad._src.derivatives.analysis.activity import Activity
from fastgrad._src.derivatives.analysis.control_flow import ControlFlow, memory_families, written_memory
from fastgrad._src.derivatives.ir.call_rules import Callee, CallRule
from fastgrad._src.derivatives.ir.operands import Root, View
from fastgrad._src.derivatives.ir.representation import Block, Function
from fastgrad._src.derivatives.ir.statements import Call, Statement
from fastgrad._src.derivatives.ir.values import type_of
from fastgrad._src.derivatives.output.tree import Variable


class CotangentArrays:
    """Facts of the arrays of a function that has a reverse sweep.

    Args:
        function: the function.
        flow: its control flow.
        activity: what has cotangents.
        is_apart: whether the reverse sweep is a function of its own: then no variable stays for it, and it adds to the caller's cotangents of arguments.

    Attributes:
        families: for each memory all memory that may be the same.
    """

    def __init__(self, function: Function, flow: ControlFlow, activity: Activity, is_apart: bool) -> None:
        self._flow = flow
        self._activity = activity
        self._is_apart = is_apart
        self.families = memory_families(function)
        self._returns = [block for block in flow.blocks if block.returns]
        self._block_of_call: dict[Statement, Block] = {
            statement: block for block in flow.blocks for statement in block.statements if isinstance(statement, Call)
        }

    def is_flat(self, root: Root) -> bool:
        """True if the cotangent of an array is a flat array in C order. Else it is a view of the caller's, of the array's shape."""
        return not self._is_apart or root.memory_owner.kind != "parameter" or root.memory_owner.type.layout == "C"

    def has_buffer_cotangent(self, root: Root) -> bool:
        """True if an array's cotangent is in a buffer that its site keeps: the site may run several times, or not at all."""
        if root.kind in ("parameter", "global"):
            return False
        is_certain = all(root.block in self._flow.dominators[block] for block in self._returns)
        return root.kind == "phi" or root.is_growing or self._flow.is_in_loop(root.block) or not is_certain

    # ---- calls ----------------------------------------------------------------------------------------------------

    def has_recorded_arrays(self, call: Call) -> bool:
        """True if the arrays of a call are recorded on a stack, not kept in variables."""
        return self._is_apart or self._flow.is_in_loop(self._block_of_call[call])

    def _keeps_contents(self, array: View | Root, call: Call) -> bool:
        """True if the reverse sweep finds the contents of an array of a call where they were: nothing writes them later, and the array is made once."""
        root = array.part
        block = self._block_of_call[call]
        later = block.statements[block.statements.index(call) + 1 :]
        written = self._writes_after[block].union(*map(written_memory, later))
        is_made_once = root.block is None or not self._flow.is_in_loop(root.block)
        # Adjoints other than those of products are compiled for arrays in C order.
        is_taken = call.is_product or isinstance(array, Root) or type_of(array).layout == "C"
        is_same = not any(other.is_growing or other in written for other in self.families[root.memory_owner])
        return not self._is_apart and is_made_once and is_taken and is_same

    @functools.cached_property
    def _writes_after(self) -> dict[Block, set[Root]]:
        return self._flow.memory_written_after()

    def saved_arrays(self, call: Call) -> dict[int, tuple[Variable, View | Root]]:
        """Returns the arrays whose contents are kept for the reverse sweep, with their variables, by their number among results and arguments."""
        unread = self.rule_of(call).unread
        parts = [*call.results, *call.arguments]
        return {
            place: (Variable(f"s_{call.results[0].name}_{place}"), part)
            for place, part in enumerate(parts)
            if isinstance(part, (View, Root)) and place not in unread and not self._keeps_contents(part, call)
        }

    def rule_of(self, call: Call) -> CallRule:
        """Returns the rule of an active call: that for its active arguments."""
        assert isinstance(call.rule, CallRule)
        is_active = [part in self._activity for part in call.inputs]
        return call.rule.restricted_to(
            tuple(position for position, flag in zip(call.rule.active, is_active, strict=True) if flag)
        )

    def callee_of(self, statement: Statement) -> Callee | None:
        """Returns the function of a call that is not inlined and has a reverse sweep."""
        callee = statement.callee
        if callee is None or not self._activity.is_active_call(statement):
            return None
        if not callee.is_exact:
            return callee
        is_active = [part in self._activity for part in statement.inputs]
        active = [place for place, is_given in zip(callee.active, is_active, strict=True) if is_given]
        return callee._replace(active=tuple(active))


def unwritten_arrays(call: Call) -> tuple[int, ...]:
    """Returns the numbers of the arguments that are arrays which nothing writes, so that the reverse sweep may read them."""
    return tuple(
        position
        for position, value in enumerate(call.arguments)
        for root in value.roots
        if root.kind in ("parameter", "global") and not root.is_written
    )
