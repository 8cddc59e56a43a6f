"""The source of Python functions: its syntax tree, what statements do with names, and functions made of changed trees."""

from __future__ import annotations
import __future__

import ast
import copy
import dis
import functools
import inspect
import operator
import textwrap
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import CellType, CodeType, FunctionType
from typing import Any

import numpy as np

PREFIX = "_fastgrad_"
UNSET = f"{PREFIX}unset"
_CHANGING = frozenset(
    {
        "append",
        "appendleft",
        "extend",
        "extendleft",
        "insert",
        "add",
        "update",
        "pop",
        "popleft",
        "popitem",
        "remove",
        "discard",
        "clear",
        "setdefault",
        "sort",
        "reverse",
        "rotate",
        "move_to_end",
        "difference_update",
        "intersection_update",
        "symmetric_difference_update",
        "fill",
        "put",
        "partition",
        "resize",
    }
)
"""Methods that change a container."""
_CHANGING_FUNCTIONS = frozenset({"setattr", "delattr", "next"})
CHANGEABLE = (np.ndarray, list, dict, set, deque, bytearray)
"""Types of objects that ``+=`` and its like change."""
_LOOKING = frozenset({"locals", "vars", "eval", "exec", "dir", "globals"})


class Unset:
    """Stands for a name that has no value yet."""

    def __repr__(self) -> str:
        return "<no value yet>"


unset = Unset()


def definition_of(function: Any) -> ast.FunctionDef | None:
    """The syntax tree of a Python function; None if it has no source, or does what a function made of its source could not do.

    Args:
        function: any callable.
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
    return definition


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
    factory = function_definition("factory", [*function.__code__.co_freevars, *names], list(definitions))
    module = ast.fix_missing_locations(ast.Module([ast.copy_location(factory, definitions[-1])], []))
    flags, filename = function.__code__.co_flags & _FUTURE, function.__code__.co_filename
    code = compile(module, filename, "exec", flags, dont_inherit=True)
    (inner,) = [one for one in code.co_consts if isinstance(one, CodeType)]
    return {one.co_name: one for one in inner.co_consts if isinstance(one, CodeType)}


def compiled(
    definition: ast.FunctionDef,
    function: FunctionType,
    inner: Sequence[tuple[ast.FunctionDef, str]],
    objects: Mapping[str, Any],
) -> tuple[FunctionType, list[FunctionType], dict[str, CellType]]:
    """Functions of changed syntax trees, with the names that the original sees.

    Args:
        definition: what became of the original's tree.
        function: the original.
        inner: trees of other functions, and how they are called in tracebacks.
        objects: what other names stand for that the trees read.

    Returns:
        The function in the place of the original, those of ``inner``, and the cells of ``objects``, which may be filled later.
    """
    codes = _codes([*[tree for tree, _ in inner], definition], [*objects], function)
    own = {name: CellType(value) for name, value in objects.items()}
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)) | own

    def made(name: str, shown: str) -> FunctionType:
        closure = tuple([cells[one] for one in codes[name].co_freevars])
        found = FunctionType(codes[name], function.__globals__, shown, None, closure)
        found.__module__, found.__qualname__ = function.__module__, shown
        return found

    whole = made(definition.name, function.__name__)
    whole.__defaults__, whole.__kwdefaults__ = function.__defaults__, function.__kwdefaults__
    return whole, [made(tree.name, shown) for tree, shown in inner], own


def function_definition(name: str, parameters: Iterable[str], body: list[ast.stmt]) -> ast.FunctionDef:
    """The tree of a function.

    Args:
        name: its name.
        parameters: the names of its parameters.
        body: its statements.
    """
    arguments = ast.arguments([], [ast.arg(one) for one in parameters], None, [], [], None, [])
    found = ast.parse(f"def {name}(): pass").body[0]
    assert isinstance(found, ast.FunctionDef)
    found.args, found.body = arguments, body
    return found


class Scan(ast.NodeVisitor):
    """What statements do with names.

    Attributes:
        stores: names that they give values.
        loads: names that they read, and how often.
        captured: names that functions and generators in them read, whenever these run, and how often.
        changes: names of objects that they change.
        extended: names that a ``+=`` changes: their objects, where these can be changed.
        compares_objects: whether ``is`` compares two objects of which neither is a constant.
        ends: whether a ``break`` in them ends a loop around.
        refused: whether there is more that a function of its own could not do.
    """

    def __init__(self, statements: Iterable[ast.AST]) -> None:
        self.stores: set[str] = set()
        self.loads: Counter[str] = Counter()
        self.captured: Counter[str] = Counter()
        self.changes: set[str] = set()
        self.extended: set[str] = set()
        self.compares_objects = False
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
        """``x += y`` reads x, too, and may change it."""
        if isinstance(node.target, ast.Name):
            self.loads[node.target.id] += 1
            self.extended.add(node.target.id)
        self.generic_visit(node)

    def _part(self, node: Any) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.changes.add(root_name(node))
        self.generic_visit(node)

    visit_Attribute = visit_Subscript = _part

    def visit_Call(self, node: ast.Call) -> None:
        """``xs.append(x)`` changes xs, ``next(xs)``, too."""
        if isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGING:
            self.changes.add(root_name(node.func))
        elif isinstance(node.func, ast.Name) and node.func.id in _CHANGING_FUNCTIONS:
            self.changes.add(root_name(node.args[0]) if node.args else "")
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        """``x is y``."""
        if any(isinstance(op, (ast.Is, ast.IsNot)) for op in node.ops):
            self.compares_objects |= not any(isinstance(x, ast.Constant) for x in (node.left, *node.comparators))
        self.generic_visit(node)

    def _inner(self, node: Any) -> None:
        """A scope of its own: it reads, and may change objects; a definition gives its name a value."""
        scan = Scan(ast.iter_child_nodes(node))
        self.loads += scan.loads
        at_once = isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp))
        self.captured += scan.captured if at_once else scan.loads
        self.changes |= scan.changes
        self.compares_objects |= scan.compares_objects
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self.stores.add(node.name)

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = visit_Lambda = _inner
    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _inner

    def _refuse(self, node: Any) -> None:
        self.refused = True
        self.generic_visit(node)

    visit_ExceptHandler = visit_Return = visit_Yield = visit_YieldFrom = visit_Await = visit_AsyncFor = (
        visit_AsyncWith
    ) = _refuse
    visit_Match = visit_TryStar = visit_ImportFrom = _refuse

    def visit_Import(self, node: ast.Import) -> None:
        """Names of modules."""
        self.stores |= {(one.asname or one.name).partition(".")[0] for one in node.names}

    def _loop(self, node: Any) -> None:
        self.refused |= jumps(node.orelse)  # which belong to the loop around
        self._loops += 1
        self.generic_visit(node)
        self._loops -= 1

    visit_For = visit_While = _loop

    def visit_Break(self, node: ast.Break) -> None:
        """The end of a loop."""
        self.ends |= not self._loops


def jumps(statements: Iterable[ast.stmt]) -> bool:
    """Whether a ``break`` or ``continue`` among the statements belongs to a loop around them."""
    for statement in statements:
        if isinstance(statement, (ast.Break, ast.Continue)):
            return True
        if isinstance(statement, (ast.If, ast.With, ast.Try)):
            handlers = [inner for handler in getattr(statement, "handlers", ()) for inner in handler.body]
            inner = [
                *statement.body,
                *getattr(statement, "orelse", ()),
                *getattr(statement, "finalbody", ()),
                *handlers,
            ]
            if jumps(inner):
                return True
        elif isinstance(statement, (ast.For, ast.While)) and jumps(statement.orelse):
            return True
    return False


def root_name(node: Any) -> str:
    """The name at the beginning of ``a.b[c].d``; nothing if there is none."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def new_objects(statements: Sequence[ast.stmt]) -> set[str]:
    """Those of the names that are certainly given first whose objects no other name stands for."""
    shared: set[str] = set()
    for node in [node for statement in statements for node in ast.walk(statement)]:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and not _is_new(node.value):
            shared |= Scan([node]).stores
        elif isinstance(node, ast.For):
            shared |= Scan([node.target]).stores
    return given_first(statements) - shared


def _is_new(value: ast.expr | None) -> bool:
    if isinstance(value, (ast.Tuple, ast.Starred, ast.IfExp, ast.BoolOp)):
        return all(_is_new(part) for part in ast.iter_child_nodes(value) if isinstance(part, ast.expr))
    return not isinstance(value, (ast.Name, ast.Attribute, ast.Subscript))


def given_first(statements: Sequence[ast.stmt]) -> set[str]:
    """The names that are certainly given a value before any of the statements reads them."""
    given: set[str] = set()
    read: set[str] = set()
    for statement in statements:
        if isinstance(statement, ast.With):
            items = Scan(statement.items)
            read |= set(items.loads) - given
            given |= items.stores - read
            inner = Scan(statement.body)
            given |= given_first(statement.body) - read
            read |= set(inner.loads) - given
            continue
        scan = Scan([statement])
        read |= set(scan.loads) - given
        if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.FunctionDef)):
            given |= scan.stores - read
    return given - read


def exposed(statements: Sequence[ast.stmt]) -> set[str]:
    """The names that may be read before the statements give them a value."""
    return _exposed(statements, set())[0]


def _exposed(statements: Sequence[ast.stmt], given: set[str]) -> tuple[set[str], set[str]]:
    """The names that may be read before they are given, and those that are given for certain at the end."""
    result: set[str] = set()
    given = set(given)
    for statement in statements:
        if isinstance(statement, (ast.If, ast.While)):
            result |= set(Scan([statement.test]).loads) - given
            first, second = _exposed(statement.body, given), _exposed(statement.orelse, given)
            result |= first[0] | second[0]
            given |= first[1] & second[1] if isinstance(statement, ast.If) else set()
        elif isinstance(statement, ast.For):
            result |= set(Scan([statement.iter, statement.target]).loads) - given
            result |= _exposed(statement.body, given | Scan([statement.target]).stores)[0]
            result |= _exposed(statement.orelse, given)[0]
        elif isinstance(statement, ast.With):
            items = Scan(statement.items)
            result |= set(items.loads) - given
            inner = _exposed(statement.body, given | items.stores)
            result, given = result | inner[0], inner[1]
        else:
            scan = Scan([statement])
            result |= set(scan.loads) - given
            if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.FunctionDef)):
                given |= scan.stores
    return result, given
