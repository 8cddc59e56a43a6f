"""What of the compiler programs reach: passes that change a graph, rules of algebra, kinds of nodes and groups, decisions of plans."""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from fastgrad._src.compiler.fusion import emit, fuse_to_fit, group
from fastgrad._src.compiler.graph.graph import ALL_KINDS, Graph, Kind, Node
from fastgrad._src.compiler.passes import simplify_algebra
from fastgrad._src.compiler.programs import chains, frame, pipeline, plan, program
from fastgrad._src.compiler.programs.buffers import InArena, InCallerArray, InPermanent
from fastgrad._src.core.operation import TABLE, Operation
from tests.reliability.random_programs import generator  # noqa: F401 - its modules add kinds of statements
from tests.reliability.random_programs.builder import KINDS

CALLED = ("share_activation_gradients", "fuse")
"""Passes that `fuse_to_fit` calls."""

GROUPS = (
    "group: copy",
    "group: map",
    "group: map of several dimensions",
    "group: reduction along rows",
    "group: reduction across rows",
    "group: reduction in several phases",
    "group: reduction with steps on its results",
    "group: input through a view",
    "group: input broadcast",
    "group: several results",
    "group: joined with the group after it",
    "group: result in the place of an input allowed",
)

PLANS = (
    "plan: result in the caller's array",
    "plan: result copied out",
    "plan: result is a variable's value, copied before it changes",
    "plan: new value of a variable computed in its memory",
    "plan: new value of a variable copied at the end",
    "plan: value of one variable saved for another",
    "plan: result over an input in the arena",
    "plan: memory of the arena reused",
    "plan: alias of another value",
    "plan: scratch memory",
    "plan: guard that chooses a branch",
    "plan: node run as Python",
    "plan: result that starts as a copy of an input",
    "plan: chain of steps",
    "plan: kernel that launches another kernel",
)


class Reached:
    """Counts, by name, in programs that are compiled while `counting` is open."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter(dict.fromkeys(names(), 0))

    @contextlib.contextmanager
    def counting(self) -> Iterator[None]:
        """Counts what is compiled inside."""
        with contextlib.ExitStack() as stack:

            def replace(place: Any, name: str, value: Any) -> None:
                stack.enter_context(mock.patch.object(place, name, value))

            for name in CALLED:
                replace(fuse_to_fit, name, self._pass(name, getattr(fuse_to_fit, name)))
            for passes in ("SIMPLIFY", "HOST_PASSES"):
                replace(pipeline, passes, tuple([self._pass(p.__name__, p) for p in getattr(pipeline, passes)]))
            rules = {
                row: tuple([self._rule(rule_name(row.name, rule), rule) for rule in rules])
                for row, rules in algebra_rules().items()
            }
            replace(simplify_algebra, "rules_of", rules.__getitem__)
            replace(program, "make_plan", self._planned(program.make_plan))
            replace(emit, "_make_launches", self._group(emit._make_launches))
            replace(group.Group, "merged_with", self._joined(group.Group.merged_with))
            replace(
                plan._Planner,
                "_offset_of_overwritten_input",
                self._inherited(plan._Planner._offset_of_overwritten_input),
            )
            replace(plan._NodeSequence, "_add", self._aliased(plan._NodeSequence._add))
            replace(plan._Planner, "_place_assigned", self._assigned(plan._Planner._place_assigned))
            replace(
                plan._Planner,
                "_copy_read_results",
                self._copied(
                    "plan: result is a variable's value, copied before it changes", plan._Planner._copy_read_results
                ),
            )
            replace(plan._Planner, "_end_part", self._ended(plan._Planner._end_part))
            replace(plan._Planner, "_add_action", self._acted(plan._Planner._add_action))
            replace(frame, "chains_of", self._chained(chains.chains_of))
            yield

    def _pass(self, name: str, function: Callable[..., Graph]) -> Callable[..., Graph]:
        @functools.wraps(function)
        def counted(graph: Graph, *args: Any, **options: Any) -> Graph:
            changed = function(graph, *args, **options)
            self.counts[f"pass: {name}"] += _text(changed) != _text(graph)
            return changed

        return counted

    def _rule(self, name: str, rule: Any) -> Any:
        @functools.wraps(rule)
        def counted(node: Node, facts: Any) -> Any:
            replaced = rule(node, facts)
            self.counts[name] += replaced is not None
            return replaced

        return counted

    def _planned(self, function: Any) -> Any:
        def counted(root: Any, *args: Any) -> Any:
            planned = function(root, *args)
            self._nodes(root)
            self._places(planned)
            return planned

        return counted

    def _nodes(self, root: Any) -> None:
        for part in root.parts():
            for node in [*part.graph.nodes, *([part.guard] if part.guard is not None else [])]:
                self.counts[f"node: {node.kind.name.lower()}"] += 1
                if node.kind is Kind.OPERATION:
                    self.counts[f"operation: {node.payload.name}"] += 1

    def _places(self, planned: Any) -> None:
        count = self.counts
        offsets: set[int] = set()
        for action in planned.actions:
            count["plan: scratch memory"] += bool(action.scratch)
            if action.launches is None:
                count["plan: node run as Python"] += 1
            else:
                count["plan: kernel that launches another kernel"] += any(
                    type(operand).__name__ == "Launch"
                    for launch in action.launches.launches
                    for operand in launch.operands
                )
                count["plan: guard that chooses a branch"] += action.node.kind is Kind.GUARD
            for place in action.outputs:
                if isinstance(place, InArena):
                    count["plan: memory of the arena reused"] += place.offset in offsets
                    offsets.add(place.offset)
                elif isinstance(place, InCallerArray) and action.node.payload is not None:
                    count["plan: result in the caller's array"] += 1

    def _group(self, function: Any) -> Any:
        def counted(fused: Any) -> Any:
            launches = function(fused)
            count = self.counts
            if not fused.steps:
                count["group: copy"] += 1
            elif "r" in fused.roles:
                count["group: reduction along rows" if fused.roles[-1] == "r" else "group: reduction across rows"] += 1
                count["group: reduction in several phases"] += len(emit_phases(fused)) > 1
                count["group: reduction with steps on its results"] += any(
                    step.kept and not step.reduces for step in fused.steps
                )
            else:
                count["group: map"] += 1
                count["group: map of several dimensions"] += len(fused.sizes) > 1
            count["group: input through a view"] += any(
                s.offset or (len(s.strides) > 1 and any(s.strides)) for s in fused.inputs
            )
            count["group: input broadcast"] += fused.count > 1 and any(0 in s.strides for s in fused.inputs)
            count["group: several results"] += len(fused.outputs) > 1
            count["group: result in the place of an input allowed"] += bool(launches.in_place)
            return launches

        return counted

    def _joined(self, function: Any) -> Any:
        def counted(this: Any, *args: Any) -> Any:
            both = function(this, *args)
            self.counts["group: joined with the group after it"] += both is not None
            return both

        return counted

    def _inherited(self, function: Any) -> Any:
        def counted(planner: Any, *args: Any) -> Any:
            offset = function(planner, *args)
            self.counts["plan: result over an input in the arena"] += offset is not None
            return offset

        return counted

    def _aliased(self, function: Any) -> Any:
        def counted(line: Any, node: Node) -> None:
            function(line, node)
            self.counts["plan: alias of another value"] += any(line.owners[id(y)] is not y for y in node.outputs)

        return counted

    def _assigned(self, function: Any) -> Any:
        def counted(planner: Any, *args: Any) -> None:
            before = len(planner.places)
            function(planner, *args)
            self.counts["plan: new value of a variable computed in its memory"] += len(planner.places) > before

        return counted

    def _copied(self, name: str, function: Any) -> Any:
        def counted(planner: Any, *args: Any) -> None:
            before = len(planner.block.actions)
            function(planner, *args)
            self.counts[name] += len(planner.block.actions) - before

        return counted

    def _ended(self, function: Any) -> Any:
        def counted(planner: Any, number: int) -> None:
            before = len(planner.block.actions)
            function(planner, number)
            for action in planner.block.actions[before:]:
                if action.node.kind is Kind.GUARD or not action.outputs:
                    continue
                (place,) = action.outputs
                if isinstance(place, InCallerArray):
                    self.counts["plan: result copied out"] += 1
                elif isinstance(place, InPermanent):
                    self.counts["plan: new value of a variable copied at the end"] += 1
                else:
                    self.counts["plan: value of one variable saved for another"] += 1

        return counted

    def _acted(self, function: Any) -> Any:
        def counted(planner: Any, node: Node, form: Any) -> None:
            self.counts["plan: result that starts as a copy of an input"] += bool(form is not None and form.starts_as)
            function(planner, node, form)

        return counted

    def _chained(self, function: Any) -> Any:
        def counted(steps: Any) -> Any:
            for chain in function(steps):
                self.counts["plan: chain of steps"] += 1
                yield chain

        return counted


def emit_phases(fused: Any) -> Any:
    """The phases of a reduction."""
    from fastgrad._src.compiler.fusion.phases import Schedule

    return Schedule(fused).phases


def algebra_rules() -> dict[Operation, tuple[Any, ...]]:
    """The rules of algebra, by row of the operation table."""
    return {row: simplify_algebra.rules_of(row) for row in TABLE.values() if row.lowering.simplifications is not None}


def rule_name(row: str, rule: Any) -> str:
    """Of a rule of algebra: the operation that it begins at, and what it looks for."""
    return f"rule: {row}, {rule.__qualname__.partition('.')[0].strip('_').replace('_', ' ')}"


def statement_name(kind: str) -> str:
    """The name under which programs with a kind of statement are counted."""
    return f"statement: {kind.replace('_', ' ')}"


def names() -> list[str]:
    """All that must be reached."""
    passes = [f"pass: {name}" for name in (*[p.__name__ for p in pipeline.HOST_PASSES], *CALLED)]
    rules = [rule_name(row.name, rule) for row, rules in algebra_rules().items() for rule in rules]
    kinds = [f"node: {kind.name.lower()}" for kind in ALL_KINDS if kind is not Kind.GIVEN]  # those are inside of passes
    return list(dict.fromkeys([*passes, *rules, *kinds, *GROUPS, *PLANS, *map(statement_name, KINDS)]))


def _text(graph: Graph) -> list[tuple[int, int, int]]:
    """What tells graphs apart: nodes, which passes that change nothing keep or copy."""
    return [(id(node.payload), len(node.inputs), len(node.outputs)) for node in graph.nodes]
