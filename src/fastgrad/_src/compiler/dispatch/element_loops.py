"""Loops over datasets in functions that run eagerly: the loop runs in Python, its body is a recorded function.

``for x, y in dataset: ...`` runs until there are no more elements, so the function around it can't be one program. The body of
such a loop becomes a separate function, made from the source. Its parameters are the names that the body reads; its results
are the names that later code reads. It is recorded and replayed like any other function. A body stays Python if it has other effects in
Python (it changes attributes, items or lists, or has a ``return``), or if its recording fails.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from types import FunctionType
from typing import Any

import numpy as np

from fastgrad._src.compiler.dispatch.function_source import (
    GENERATED_NAME_PREFIX,
    MOST_NESTED_LOOPS,
    UNSET_NAME,
    LoopRewriter,
    NameScan,
    PartFunction,
    assigned_before_read,
    new_objects,
    return_tuple,
    syntax_tree_of,
    unset,
)
from fastgrad._src.compiler.dispatch.signature import UnhashableArgument
from fastgrad._src.core.recording import recorders
from fastgrad._src.core.tensor import constant_tensor

_IS_RECORDED = f"{GENERATED_NAME_PREFIX}elements"


def is_dataset(value: Any) -> bool:
    """True if a value is a dataset or its iterator, perhaps within ``enumerate`` or ``zip``."""
    if type(value) in (enumerate, zip):
        iterables = value.__reduce__()[1]
        return any(map(is_dataset, iterables[:1] if type(value) is enumerate else iterables))
    return getattr(type(value), "gives_elements", False) is True


def _may_loop_over_dataset(value: Any) -> bool:
    return not recorders.active and is_dataset(value)


class RecordedLoopBody:
    """The body of a loop over a dataset as a recorded function, called for each element.

    Args:
        body: the loop's body; its results are the names that are read after it, after whether the loop ends if there is a ``break``.
        targets: the names that the loop assigns.

    Attributes:
        function: the recorded function; None if the body runs in Python.
    """

    def __init__(self, body: PartFunction, targets: AbstractSet[str]) -> None:
        self._body, self._targets = body, targets
        self.function: Any = None

    def __call__(self, local_values: dict[str, Any]) -> Any:
        """Runs an iteration with the local names of the enclosing function; returns the new values of the result names."""
        if self._body.may_change_in_place(local_values):
            self.function = None  # other names may stand for the same object
        if self.function is None:
            return self._body(local_values)
        # A number that counts elements changes at each iteration: as a tensor it is an input.
        arguments = [
            constant_tensor(np.array(value, np.int64)) if type(value) is int and name in self._targets else value
            for name, value in zip(self._body.names, self._body.arguments(local_values), strict=True)
        ]
        try:
            result = self.function(*arguments)
        except UnhashableArgument:
            self.function = None
            return self._body(local_values)
        if self.function.gave_up:
            self.function = None  # from now on the body runs in Python
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
    if not rewriter.parts:
        return None
    rewritten = rewriter.rewritten_function(
        {UNSET_NAME: unset, _IS_RECORDED: _may_loop_over_dataset, **rewriter.bodies}
    )
    for part, body in zip(rewriter.parts, rewriter.bodies.values(), strict=True):
        body.function = recorded(part.function)
    return rewritten


class _Rewriter(LoopRewriter):
    """Replaces the bodies of loops over datasets by calls.

    Attributes:
        bodies: the bodies that are replaced, by the names by which the tree calls them.
    """

    part_title = "a loop's body"

    def __init__(self, definition: ast.FunctionDef, function: FunctionType) -> None:
        super().__init__(definition, function)
        self.bodies: dict[str, RecordedLoopBody] = {}

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
        number, scan = len(self.bodies), NameScan(loop.body)
        part = self._body_function(loop, scan) if depth < MOST_NESTED_LOOPS else None
        loop.body = self.statements(loop.body, depth + 1)
        if part is None:
            return [loop]
        left, over = f"{GENERATED_NAME_PREFIX}left", f"{GENERATED_NAME_PREFIX}over{number}"
        names = "".join([f"{name}, " for name in [left] * scan.ends + list(part.results)])
        lines = [
            f"{over} = 0",
            f"if {_IS_RECORDED}({over}):",
            f"    for _ in {over}:",
            f"        {f'({names}) = ' if names else ''}{GENERATED_NAME_PREFIX}trip{number}(locals())",
        ]
        lines += [f"        if {left}: break"] if scan.ends else []
        lines += [f"    if locals().get({name!r}) is {UNSET_NAME}: del {name}" for name in part.results]
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

    def _body_function(self, loop: ast.For, scan: NameScan) -> PartFunction | None:
        """Returns a loop's body as a function, added to the bodies; None if the loop can't be converted."""
        head = NameScan([loop.target])
        if head.changes or self._has_outer_effects(scan, new_objects(loop.body), scan):
            return None
        assigned_first = assigned_before_read(loop.body)
        results = sorted((scan.stores - assigned_first) | (scan.stores & self._names_read_later(scan)))
        names = {*head.stores, *results, *(self._locals.intersection(scan.loads) - assigned_first)}
        jumps = JumpsAsReturns(results, scan.ends)
        body = [jumps.visit(statement) for statement in copy.deepcopy(loop.body)]
        part = self._add_part([*body, jumps.return_statement(False)], names, results, scan.extended)
        self.bodies[f"{GENERATED_NAME_PREFIX}trip{len(self.bodies)}"] = RecordedLoopBody(part, head.stores)
        return part


class JumpsAsReturns(ast.NodeTransformer):
    """Turns ``continue`` and ``break`` of a loop into returns from the function of its body."""

    def __init__(self, results: Sequence[str], ends: bool) -> None:
        self._results, self._ends = results, ends

    def return_statement(self, left_loop: bool) -> ast.stmt:
        """Returns the return statement of the results; ``left_loop`` tells whether the loop ends."""
        return return_tuple([repr(left_loop)] * self._ends + list(self._results))

    def visit_Continue(self, node: ast.Continue) -> Any:
        """Replaces ``continue`` by a return."""
        return ast.copy_location(self.return_statement(False), node)

    def visit_Break(self, node: ast.Break) -> Any:
        """Replaces ``break`` by a return."""
        return ast.copy_location(self.return_statement(True), node)

    def _unchanged_node(self, node: Any) -> Any:
        return node

    visit_For = visit_While = visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _unchanged_node
