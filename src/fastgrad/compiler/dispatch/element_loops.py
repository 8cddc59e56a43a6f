"""Loops over datasets in functions that run eagerly: the loop runs in Python, its body is a recorded function.

``for x, y in dataset: ...`` runs until there are no more elements, so the function around it can't be one program. The body of
such a loop becomes a separate function, made from the source. Its parameters are the names that the body reads, its results the
names that are read after it. It is recorded and replayed like any other function. A body stays Python if it has other effects in
Python (it changes attributes, items or lists, or has a ``return``), or if its recording fails.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from fastgrad.compiler.dispatch.function_source import (
    GENERATED_NAME_PREFIX,
    MUTABLE_TYPES,
    UNSET_NAME,
    LoopRewriter,
    NameScan,
    assigned_before_read,
    compile_trees,
    function_definition,
    new_objects,
    syntax_tree_of,
    unset,
)
from fastgrad.compiler.dispatch.signature import UnhashableArgument
from fastgrad.core.recording import recorders
from fastgrad.core.tensor import constant_tensor

_MOST_NESTED_LOOPS = 3


def is_dataset(value: Any) -> bool:
    """True if a value is a dataset or its iterator, perhaps within ``enumerate`` or ``zip``."""
    if type(value) in (enumerate, zip):
        iterables = value.__reduce__()[1]
        return any(map(is_dataset, iterables[:1] if type(value) is enumerate else iterables))
    return getattr(type(value), "gives_elements", False) is True


def _may_run_by_element(value: Any) -> bool:
    return not recorders.active and is_dataset(value)


class RecordedLoopBody:
    """The body of a loop over a dataset as a recorded function, called for each element.

    Args:
        body: the loop's body as a function of the values of ``names``.
        names: its parameters.
        targets: the names that the loop assigns.
        extended: the names whose objects the body may change in place.
        recorded: makes a recorded function of a Python function.
    """

    def __init__(
        self,
        body: FunctionType,
        names: tuple[str, ...],
        targets: frozenset[str],
        extended: frozenset[str],
        recorded: Callable[[Any], Any],
    ) -> None:
        self._body, self._names, self._targets, self._extended = body, names, targets, extended
        self._function: Any = recorded(body)

    def __call__(self, local_values: dict[str, Any]) -> Any:
        """Runs an iteration with the local names of the enclosing function; returns the new values of the result names."""
        values = [local_values.get(name, unset) for name in self._names]
        if any(isinstance(local_values.get(name), MUTABLE_TYPES) for name in self._extended):
            self._function = None  # other names may stand for the same object
        if self._function is None:
            return self._body(*values)
        # A number that counts elements changes at each iteration: as a tensor it is an input.
        arguments = [
            constant_tensor(np.array(value, np.int64)) if type(value) is int and name in self._targets else value
            for name, value in zip(self._names, values, strict=True)
        ]
        try:
            result = self._function(*arguments)
        except UnhashableArgument:
            self._function = None
            return self._body(*values)
        if self._function.gave_up:
            self._function = None  # from now on the body runs in Python
        return result


def with_element_loops(function: Any, recorded: Callable[[Any], Any]) -> Callable[..., Any] | None:
    """Returns the function with recorded bodies of its loops over datasets; None if it has no such loop, or no source.

    Args:
        function: a Python function.
        recorded: makes a recorded function of a Python function.
    """
    definition = syntax_tree_of(function)
    if definition is None:
        return None
    rewriter = _Rewriter(definition, function)
    definition.body = rewriter.statements(definition.body, 0)
    if not rewriter.loops:
        return None
    trips = [f"{GENERATED_NAME_PREFIX}trip{number}" for number in range(len(rewriter.loops))]
    bodies = [(loop.body, f"{function.__name__} (a loop's body)") for loop in rewriter.loops]
    objects = dict.fromkeys(trips) | {UNSET_NAME: unset, f"{GENERATED_NAME_PREFIX}elements": _may_run_by_element}
    rewritten, functions, cells = compile_trees(definition, function, bodies, objects)
    for loop, trip, body in zip(rewriter.loops, trips, functions, strict=True):
        cells[trip].cell_contents = RecordedLoopBody(body, loop.names, loop.targets, loop.extended, recorded)
    return rewritten


class _LoopBody(NamedTuple):
    """The syntax tree of a loop's body as a function, with its names.

    Attributes:
        body: the function.
        names: of its parameters.
        targets: the names that the loop assigns.
        extended: the names whose objects the body may change in place.
        results: the names of its results.
        ends: whether it also returns, first, whether the loop ends.
    """

    body: ast.FunctionDef
    names: tuple[str, ...]
    targets: frozenset[str]
    extended: frozenset[str]
    results: tuple[str, ...]
    ends: bool


class _Rewriter(LoopRewriter):
    """Replaces the bodies of loops over datasets by calls.

    Attributes:
        loops: the loops that can be replaced.
    """

    def __init__(self, definition: ast.FunctionDef, function: FunctionType) -> None:
        super().__init__(definition, function)
        self.loops: list[_LoopBody] = []

    def statements(self, body: list[ast.stmt], depth: int) -> list[ast.stmt]:
        """Returns the statements with calls of recorded bodies in place of loops over datasets."""
        rewritten: list[ast.stmt] = []
        for statement in body:
            if isinstance(statement, ast.For):
                rewritten += self._convert_loop(statement, depth)
                continue
            if isinstance(statement, (ast.If, ast.While, ast.With, ast.Try)):
                for field in ("body", "orelse", "finalbody"):
                    if getattr(statement, field, None):
                        setattr(statement, field, self.statements(getattr(statement, field), depth))
            rewritten.append(statement)
        return rewritten

    def _convert_loop(self, loop: ast.For, depth: int) -> list[ast.stmt]:
        number = len(self.loops)
        trip = self._body_function(loop, number) if depth < _MOST_NESTED_LOOPS else None
        if trip is not None:
            self.loops.append(trip)
        loop.body = self.statements(loop.body, depth + 1)
        if trip is None:
            return [loop]
        left, over = f"{GENERATED_NAME_PREFIX}left", f"{GENERATED_NAME_PREFIX}over{number}"
        names = ", ".join([left] * trip.ends + list(trip.results))
        call = (
            f"({names},) = {GENERATED_NAME_PREFIX}trip{number}(locals())"
            if names
            else f"{GENERATED_NAME_PREFIX}trip{number}(locals())"
        )
        lines = [
            f"{over} = 0",
            f"if {GENERATED_NAME_PREFIX}elements({over}):",
            f"    for _ in {over}:",
            f"        {call}",
        ]
        lines += [f"        if {left}: break"] if trip.ends else []
        lines += [f"    if locals().get({name!r}) is {UNSET_NAME}: del {name}" for name in trip.results]
        opening, choice = ast.parse("\n".join(lines)).body
        assert isinstance(opening, ast.Assign)
        assert isinstance(choice, ast.If)
        for node in ast.walk(choice):
            if hasattr(node, "lineno"):
                ast.copy_location(node, loop)
        short = choice.body[0]
        assert isinstance(short, ast.For)
        opening.value, short.target, short.orelse = loop.iter, loop.target, loop.orelse
        choice.orelse = [ast.For(loop.target, ast.Name(over, ast.Load()), loop.body, loop.orelse)]
        return [ast.copy_location(opening, loop), choice]

    def _body_function(self, loop: ast.For, number: int) -> _LoopBody | None:
        """Returns a loop's body as a function's syntax tree; None if the loop can't be converted."""
        scan, head = NameScan(loop.body), NameScan([loop.target])
        if head.changes or self._has_outer_effects(scan, new_objects(loop.body), scan):
            return None
        assigned_first = assigned_before_read(loop.body)
        results = tuple(sorted((scan.stores - assigned_first) | (scan.stores & self._names_read_later(scan))))
        names = {*head.stores, *results, *(self._locals.intersection(scan.loads) - assigned_first)}
        body = copy.deepcopy(loop.body)
        ends = JumpsAsReturns(results, scan.ends)
        changed = [ends.visit(statement) for statement in body]
        function = function_definition(
            f"{GENERATED_NAME_PREFIX}body{number}", sorted(names), [*changed, ends.return_statement(False)]
        )
        return _LoopBody(
            function, tuple(sorted(names)), frozenset(head.stores), frozenset(scan.extended), results, scan.ends
        )


class JumpsAsReturns(ast.NodeTransformer):
    """Turns ``continue`` and ``break`` of a loop into returns from the function of its body."""

    def __init__(self, results: Sequence[str], ends: bool) -> None:
        self._results, self._ends = results, ends

    def return_statement(self, left_loop: bool) -> ast.stmt:
        """Returns the return statement of the results; ``left_loop`` tells whether the loop ends."""
        items = [repr(left_loop)] * self._ends + list(self._results)
        return ast.parse(f"return ({''.join(f'{item}, ' for item in items)})").body[0]

    def visit_Continue(self, node: ast.Continue) -> Any:
        """Replaces ``continue`` by a return."""
        return ast.copy_location(self.return_statement(False), node)

    def visit_Break(self, node: ast.Break) -> Any:
        """Replaces ``break`` by a return."""
        return ast.copy_location(self.return_statement(True), node)

    def _unchanged_node(self, node: Any) -> Any:
        return node

    visit_For = visit_While = visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _unchanged_node
