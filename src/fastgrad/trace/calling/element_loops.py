"""Loops over datasets in functions that run as they are: the loop runs in Python, its body is a recorded function.

``for x, y in dataset: ...`` goes on for as long as there are elements, so the function around it can't be one program. Its
source is taken, and the body of such a loop becomes a function of its own: of what it reads, giving what is read after
it. That function is recorded and replayed like any other. A body that leaves something behind in Python (attributes, items or
lists that it changes, a ``return``) stays as it is, and so does one whose recording fails.
"""

from __future__ import annotations
import __future__

import ast
import copy
import dis
import functools
import inspect
import operator
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from fastgrad.recording import recorders
from fastgrad.tensor import constant_tensor
from fastgrad.trace.calling.signature import NoKey

_PREFIX = "_fastgrad_"
_UNSET = f"{_PREFIX}unset"
_MOST_NESTED = 3
_CHANGING = frozenset(
    {
        "append",
        "appendleft",
        "extend",
        "insert",
        "add",
        "update",
        "pop",
        "popleft",
        "remove",
        "discard",
        "clear",
        "setdefault",
    }
)
"""Methods that change a container."""
_LOOKING = frozenset({"locals", "vars", "eval", "exec", "dir", "globals"})


class Unset:
    """Stands for a name that has no value yet."""

    def __repr__(self) -> str:
        return "<no value yet>"


unset = Unset()


def gives_elements(value: Any) -> bool:
    """Whether a value is a dataset, or an iteration of one, perhaps within ``enumerate`` or ``zip``."""
    if type(value) in (enumerate, zip):
        parts = value.__reduce__()[1]
        return any(map(gives_elements, parts[:1] if type(value) is enumerate else parts))
    return getattr(type(value), "gives_elements", False) is True


def _may_be_taken_apart(value: Any) -> bool:
    return not recorders.active and gives_elements(value)


class Trip:
    """One trip of a loop, recorded.

    Args:
        body: the loop's body as a function of the values of ``names``.
        names: its parameters.
        targets: those of them that the loop gives.
        recorded: makes a recorded function of a Python function.
    """

    def __init__(
        self, body: FunctionType, names: tuple[str, ...], targets: frozenset[str], recorded: Callable[[Any], Any]
    ) -> None:
        self._body, self._names, self._targets = body, names, targets
        self._function: Any = recorded(body)

    def __call__(self, found: dict[str, Any]) -> Any:
        """What the body gives, for the local names of the function around the loop."""
        values = [found.get(name, unset) for name in self._names]
        if self._function is None:
            return self._body(*values)
        # A number that counts elements is another one each time: as a tensor it is an input.
        given = [
            constant_tensor(np.array(value, np.int64)) if type(value) is int and name in self._targets else value
            for name, value in zip(self._names, values, strict=True)
        ]
        try:
            result = self._function(*given)
        except NoKey:
            self._function = None
            return self._body(*values)
        if self._function.gave_up:
            self._function = None  # what can't be recorded runs as it is from here on
        return result


def in_pieces(function: Any, recorded: Callable[[Any], Any]) -> Callable[..., Any] | None:
    """The function with recorded bodies in the place of its loops over datasets; None if it has no such loop, or no source.

    Args:
        function: a Python function.
        recorded: makes a recorded function of a Python function.
    """
    if type(function) is not FunctionType or function.__code__.co_flags & (
        inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
    ):
        return None
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError, IndentationError):
        return None
    definition = tree.body[0] if tree.body else None
    if not isinstance(definition, ast.FunctionDef) or not _is_plain(definition, function):
        return None
    ast.increment_lineno(tree, first - 1)
    if not _is_source_of(definition, function):
        return None
    rewriter = _Rewriter(definition, function)
    definition.body = rewriter.statements(definition.body, 0)
    if not rewriter.loops:
        return None
    return _compiled(definition, rewriter, function, recorded)


def _is_plain(definition: ast.FunctionDef, function: FunctionType) -> bool:
    if definition.name != function.__name__ or "__class__" in function.__code__.co_freevars:
        return False
    for node in ast.walk(definition):
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if name in _LOOKING and isinstance(node, ast.Name):
            return False
        if name.startswith("__") and not name.endswith("__"):
            return False  # which stands for another name within a class
        if isinstance(node, (ast.Global, ast.Nonlocal, ast.NamedExpr)):
            return False
    return True


def _is_source_of(definition: ast.FunctionDef, function: FunctionType) -> bool:
    """Whether a text is that of the function: not of another one that it wraps, nor one that was edited since."""
    code = _codes([copy.deepcopy(definition)], [], function)[definition.name]
    return list(_instructions(code)) == list(_instructions(function.__code__))


def _instructions(code: CodeType) -> Iterator[tuple[str, str]]:
    """What code does, without what depends on the module that it was compiled in: methods of imported modules, and so offsets."""
    yield code.co_name, repr((code.co_varnames, code.co_argcount, code.co_kwonlyargcount, code.co_flags & 0xC))
    for instruction in dis.get_instructions(code):
        name = _ALIKE.get(instruction.opname, instruction.opname)
        if isinstance(instruction.argval, CodeType):
            yield from _instructions(instruction.argval)
        elif name and instruction.opcode not in _JUMPS:
            # In Python 3.10 the name of a function inside says where it is.
            yield name, repr(instruction.argval).rpartition("<locals>.")[2] if name != "CALL" else ""
        elif name:
            yield name, ""


_JUMPS = frozenset([*dis.hasjrel, *dis.hasjabs])
_ALIKE = {"LOAD_METHOD": "LOAD_ATTR", "CALL_METHOD": "CALL", "CALL_FUNCTION": "CALL"}
_ALIKE |= dict.fromkeys(["PUSH_NULL", "PRECALL", "CACHE", "EXTENDED_ARG", "NOP"], "")

_FUTURE = functools.reduce(
    operator.or_, [getattr(__future__, name).compiler_flag for name in __future__.all_feature_names]
)


def _codes(definitions: Sequence[ast.FunctionDef], names: list[str], function: FunctionType) -> dict[str, CodeType]:
    """The code of definitions that see what the function sees, and these names, by their own names."""
    for definition in definitions:
        arguments = definition.args
        arguments.defaults = [ast.Constant(None) for _ in arguments.defaults]
        arguments.kw_defaults = [None if one is None else ast.Constant(None) for one in arguments.kw_defaults]
        definition.decorator_list, definition.returns = [], None
    factory = _definition("factory", [*function.__code__.co_freevars, *names], list(definitions))
    module = ast.fix_missing_locations(ast.Module([ast.copy_location(factory, definitions[-1])], []))
    flags, filename = function.__code__.co_flags & _FUTURE, function.__code__.co_filename
    code = compile(module, filename, "exec", flags, dont_inherit=True)
    (inner,) = [one for one in code.co_consts if isinstance(one, CodeType)]
    return {one.co_name: one for one in inner.co_consts if isinstance(one, CodeType)}


def _compiled(
    definition: ast.FunctionDef, rewriter: _Rewriter, function: FunctionType, recorded: Callable[[Any], Any]
) -> FunctionType:
    """The functions that the text stands for, with the names that the original sees."""
    trips = [f"{_PREFIX}trip{number}" for number in range(len(rewriter.loops))]
    definitions = [*[loop.body for loop in rewriter.loops], definition]
    codes = _codes(definitions, [*trips, _UNSET, f"{_PREFIX}elements"], function)
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    cells |= {_UNSET: CellType(unset), f"{_PREFIX}elements": CellType(_may_be_taken_apart)}

    def made(name: str, shown: str) -> FunctionType:
        closure = tuple([cells[one] for one in codes[name].co_freevars])
        found = FunctionType(codes[name], function.__globals__, shown, None, closure)
        found.__module__, found.__qualname__ = function.__module__, shown
        return found

    for loop, trip in zip(rewriter.loops, trips, strict=True):
        of_trip = made(loop.body.name, f"{function.__name__} (a loop's body)")
        cells[trip] = CellType(Trip(of_trip, loop.names, loop.targets, recorded))
    whole = made(definition.name, function.__name__)
    whole.__defaults__, whole.__kwdefaults__ = function.__defaults__, function.__kwdefaults__
    return whole


def _definition(name: str, parameters: Iterable[str], body: list[ast.stmt]) -> ast.FunctionDef:
    arguments = ast.arguments([], [ast.arg(one) for one in parameters], None, [], [], None, [])
    found = ast.parse(f"def {name}(): pass").body[0]
    assert isinstance(found, ast.FunctionDef)
    found.args, found.body = arguments, body
    return found


class _Scan(ast.NodeVisitor):
    """What statements do with names.

    Attributes:
        stores: names that they give values.
        loads: names that they read, and how often.
        changes: names of objects that they change.
        ends: whether a ``break`` in them ends a loop around.
        refused: whether there is more that a function of its own could not do.
    """

    def __init__(self, statements: Iterable[ast.AST]) -> None:
        self.stores: set[str] = set()
        self.loads: Counter[str] = Counter()
        self.changes: set[str] = set()
        self.ends = self.refused = False
        self._loops = 0
        for statement in statements:
            self.visit(statement)

    def visit_Name(self, node: ast.Name) -> None:
        """A name."""
        if isinstance(node.ctx, ast.Load):
            self.loads[node.id] += 1
        else:
            self.stores.add(node.id)
            self.refused |= isinstance(node.ctx, ast.Del)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """``x += y`` reads x, too."""
        if isinstance(node.target, ast.Name):
            self.loads[node.target.id] += 1
        self.generic_visit(node)

    def _part(self, node: Any) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.changes.add(_root(node))
        self.generic_visit(node)

    visit_Attribute = visit_Subscript = _part

    def visit_Call(self, node: ast.Call) -> None:
        """``xs.append(x)`` changes xs."""
        if isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGING:
            self.changes.add(_root(node.func))
        self.generic_visit(node)

    def _inner(self, node: Any) -> None:
        """A scope of its own: it reads, and may change objects; a definition gives its name a value."""
        scan = _Scan(ast.iter_child_nodes(node))
        self.loads += scan.loads
        self.changes |= scan.changes
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self.stores.add(node.name)

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = visit_Lambda = _inner
    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _inner

    def _refuse(self, node: Any) -> None:
        self.refused = True
        self.generic_visit(node)

    visit_Return = visit_Yield = visit_YieldFrom = visit_Await = visit_AsyncFor = visit_AsyncWith = _refuse
    visit_Match = visit_TryStar = visit_ImportFrom = _refuse

    def visit_Import(self, node: ast.Import) -> None:
        """Names of modules."""
        self.stores |= {(one.asname or one.name).partition(".")[0] for one in node.names}

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        """``except E as e``."""
        self.refused |= node.name is not None
        self.generic_visit(node)

    def _loop(self, node: Any) -> None:
        self._loops += 1
        self.generic_visit(node)
        self._loops -= 1

    visit_For = visit_While = _loop

    def visit_Break(self, node: ast.Break) -> None:
        """The end of a loop."""
        self.ends |= not self._loops


def _root(node: Any) -> str:
    """The name at the beginning of ``a.b[c].d``; nothing if there is none."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _given_first(statements: Sequence[ast.stmt]) -> set[str]:
    """The names that are certainly given a value before any of the statements reads them."""
    given: set[str] = set()
    read: set[str] = set()
    for statement in statements:
        if isinstance(statement, ast.With):
            items = _Scan(statement.items)
            read |= set(items.loads) - given
            given |= items.stores - read
            inner = _Scan(statement.body)
            given |= _given_first(statement.body) - read
            read |= set(inner.loads) - given
            continue
        scan = _Scan([statement])
        read |= set(scan.loads) - given
        if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.FunctionDef)):
            given |= scan.stores - read
    return given - read


class _Loop(NamedTuple):
    """The body of a loop as a function.

    Attributes:
        body: the function.
        names: of its parameters.
        targets: those of them that the loop gives.
        results: the names that it gives.
        ends: whether it also says, first, whether the loop ends.
    """

    body: ast.FunctionDef
    names: tuple[str, ...]
    targets: frozenset[str]
    results: tuple[str, ...]
    ends: bool


class _Rewriter:
    """Puts calls in the place of loops' bodies.

    Attributes:
        loops: that can be taken apart.
    """

    def __init__(self, definition: ast.FunctionDef, function: FunctionType) -> None:
        code = function.__code__
        self._function = function
        self._locals = frozenset({*code.co_varnames, *code.co_cellvars})
        self._loads = _Scan(definition.body).loads
        self.loops: list[_Loop] = []

    def statements(self, body: list[ast.stmt], depth: int) -> list[ast.stmt]:
        """Statements in which each loop that can be is taken apart where it is over a dataset."""
        found: list[ast.stmt] = []
        for statement in body:
            if isinstance(statement, ast.For):
                found += self._taken_apart(statement, depth)
                continue
            if isinstance(statement, (ast.If, ast.While, ast.With, ast.Try)):
                for field in ("body", "orelse", "finalbody"):
                    if getattr(statement, field, None):
                        setattr(statement, field, self.statements(getattr(statement, field), depth))
            found.append(statement)
        return found

    def _taken_apart(self, loop: ast.For, depth: int) -> list[ast.stmt]:
        number = len(self.loops)
        trip = self._trip(loop, number) if depth < _MOST_NESTED else None
        if trip is not None:
            self.loops.append(trip)
        loop.body = self.statements(loop.body, depth + 1)
        if trip is None:
            return [loop]
        left, over = f"{_PREFIX}left", f"{_PREFIX}over{number}"
        names = ", ".join([left] * trip.ends + list(trip.results))
        call = f"({names},) = {_PREFIX}trip{number}(locals())" if names else f"{_PREFIX}trip{number}(locals())"
        lines = [f"{over} = 0", f"if {_PREFIX}elements({over}):", f"    for _ in {over}:", f"        {call}"]
        lines += [f"        if {left}: break"] if trip.ends else []
        lines += [f"    if locals().get({name!r}) is {_UNSET}: del {name}" for name in trip.results]
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

    def _trip(self, loop: ast.For, number: int) -> _Loop | None:
        """The body as a function; None if it must stay."""
        scan, head = _Scan(loop.body), _Scan([loop.target])
        if scan.refused or head.changes:
            return None
        own = _given_first(loop.body)
        if any(name not in own and not self._is_module(name) for name in scan.changes):
            return None
        later = self._loads - scan.loads
        results = tuple(sorted([name for name in scan.stores if name not in own or later[name] > 0]))
        names = {*head.stores, *results, *[name for name in scan.loads if name in self._locals and name not in own]}
        body = copy.deepcopy(loop.body)
        ends = _Ends(results, scan.ends)
        changed = [ends.visit(statement) for statement in body]
        function = _definition(f"{_PREFIX}body{number}", sorted(names), [*changed, ends.result(False)])
        return _Loop(function, tuple(sorted(names)), frozenset(head.stores), results, scan.ends)

    def _is_module(self, name: str) -> bool:
        return name not in self._locals and isinstance(self._function.__globals__.get(name), ModuleType)


class _Ends(ast.NodeTransformer):
    """Makes ``continue`` and ``break`` of a loop the end of the function of its body."""

    def __init__(self, results: Sequence[str], ends: bool) -> None:
        self._results, self._ends = results, ends

    def result(self, left: bool) -> ast.stmt:
        """The statement that returns."""
        items = [repr(left)] * self._ends + list(self._results)
        return ast.parse(f"return ({''.join(f'{item}, ' for item in items)})").body[0]

    def visit_Continue(self, node: ast.Continue) -> Any:
        """The end of a trip."""
        return ast.copy_location(self.result(False), node)

    def visit_Break(self, node: ast.Break) -> Any:
        """The end of the loop."""
        return ast.copy_location(self.result(True), node)

    def _stays(self, node: Any) -> Any:
        return node

    visit_For = visit_While = visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _stays
