"""The source of Python functions: syntax trees, an analysis of names in statements, functions of changed trees."""

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
from collections.abc import Set as AbstractSet
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

GENERATED_NAME_PREFIX = "_fastgrad_"
MOST_NESTED_LOOPS = 3
UNSET_NAME = f"{GENERATED_NAME_PREFIX}unset"
_MUTATING_METHODS = frozenset({"append", "extend", "insert", "remove", "reverse", "sort", "pop", "clear"})
_MUTATING_METHODS |= {"appendleft", "extendleft", "popleft", "rotate", "popitem", "setdefault", "move_to_end"}
_MUTATING_METHODS |= {"add", "discard", "update", "difference_update", "intersection_update"}
_MUTATING_METHODS |= {"symmetric_difference_update", "fill", "put", "partition", "resize"}
"""The names of methods that change a container: of lists, deques and dicts, sets, arrays."""
_MUTATING_FUNCTIONS = frozenset({"setattr", "delattr", "next"})
MUTABLE_TYPES = (np.ndarray, list, dict, set, deque, bytearray)
"""The types of objects that augmented assignments such as ``+=`` change in place."""
_SCOPE_READING_FUNCTIONS = frozenset({"locals", "vars", "eval", "exec", "dir", "globals"})


class Unset:
    """The type of ``unset``, the value of local names without a value."""

    def __repr__(self) -> str:
        return "<no value yet>"


unset = Unset()


def syntax_tree_of(function: Any) -> ast.FunctionDef | None:
    """Returns a function's syntax tree; None if its source is missing or would compile to another function.

    Args:
        function: any callable.
    """
    if type(function) is not FunctionType or function.__code__.co_flags & (
        inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
    ):
        return None
    try:
        lines, first_line = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError, IndentationError):
        return None
    definition = tree.body[0] if tree.body else None
    if not isinstance(definition, ast.FunctionDef) or not _can_be_recompiled(definition, function):
        return None
    ast.increment_lineno(tree, first_line - 1)
    if not _compiles_to_bytecode_of(definition, function):
        return None
    return definition


def _can_be_recompiled(definition: ast.FunctionDef, function: FunctionType) -> bool:
    if definition.name != function.__name__ or "__class__" in function.__code__.co_freevars:
        return False
    for node in ast.walk(definition):
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if name in _SCOPE_READING_FUNCTIONS and isinstance(node, ast.Name):
            return False
        if name.startswith("__") and not name.endswith("__"):
            return False  # a class mangles such names
        if isinstance(node, (ast.Global, ast.Nonlocal, ast.NamedExpr)):
            return False
    return True


def _compiles_to_bytecode_of(definition: ast.FunctionDef, function: FunctionType) -> bool:
    """True if ``definition`` compiles to the bytecode of ``function``: the source is unedited since the import."""
    code = _compiled_codes([copy.deepcopy(definition)], [], function)[definition.name]
    return list(_instructions(code)) == list(_instructions(function.__code__))


def _instructions(code: CodeType) -> Iterator[tuple[str, str]]:
    """Yields the instructions of code as text, without offsets and other details that depend on the module."""
    yield code.co_name, repr((code.co_varnames, code.co_argcount, code.co_kwonlyargcount, code.co_flags & 0xC))
    for instruction in dis.get_instructions(code):
        name = _CANONICAL_OPCODES.get(instruction.opname, instruction.opname)
        if isinstance(instruction.argval, CodeType):
            yield from _instructions(instruction.argval)
        elif name and instruction.opcode not in _JUMP_OPCODES:
            yield name, repr(instruction.argval) if name != "CALL" else ""
        elif name:
            yield name, ""


_JUMP_OPCODES = frozenset([*dis.hasjrel, *dis.hasjabs])
_CANONICAL_OPCODES = {"LOAD_METHOD": "LOAD_ATTR", "CALL_METHOD": "CALL", "CALL_FUNCTION": "CALL"}
_CANONICAL_OPCODES |= dict.fromkeys(["PUSH_NULL", "PRECALL", "CACHE", "EXTENDED_ARG", "NOP"], "")

_FUTURE_FLAGS = functools.reduce(
    operator.or_, [getattr(__future__, name).compiler_flag for name in __future__.all_feature_names]
)


def _compiled_codes(
    definitions: Sequence[ast.FunctionDef], names: list[str], function: FunctionType
) -> dict[str, CodeType]:
    """Returns compiled code by function name; free variables are those of ``function``, and ``names``."""
    for definition in definitions:
        arguments = definition.args
        arguments.defaults = [ast.Constant(None) for _ in arguments.defaults]
        arguments.kw_defaults = [None if item is None else ast.Constant(None) for item in arguments.kw_defaults]
        definition.decorator_list, definition.returns = [], None
    factory = function_definition("factory", [*function.__code__.co_freevars, *names], list(definitions))
    module = ast.fix_missing_locations(ast.Module([ast.copy_location(factory, definitions[-1])], []))
    flags, filename = function.__code__.co_flags & _FUTURE_FLAGS, function.__code__.co_filename
    code = compile(module, filename, "exec", flags, dont_inherit=True)
    (factory_code,) = [item for item in code.co_consts if isinstance(item, CodeType)]
    return {item.co_name: item for item in factory_code.co_consts if isinstance(item, CodeType)}


def return_tuple(expressions: Iterable[str]) -> ast.stmt:
    """Returns the statement that returns a tuple of expressions."""
    return ast.parse(f"return ({''.join(f'{expression}, ' for expression in expressions)})").body[0]


def function_definition(name: str, parameters: Iterable[str], body: list[ast.stmt]) -> ast.FunctionDef:
    """Returns the syntax tree of a function definition with these parameters and statements.

    Args:
        name: its name.
        parameters: the names of its parameters.
        body: its statements.
    """
    arguments = ast.arguments([], [ast.arg(parameter) for parameter in parameters], None, [], [], None, [])
    definition = ast.parse(f"def {name}(): pass").body[0]
    assert isinstance(definition, ast.FunctionDef)
    definition.args, definition.body = arguments, body
    return definition


class NameScan(ast.NodeVisitor):
    """An analysis of statements: the names that they read, assign and change.

    Attributes:
        stores: names that they assign.
        loads: names that they read, and how often.
        captured: names that functions and generators in them read, at any later time, and how often.
        changes: names of objects that they change.
        extended: names that an augmented assignment changes; a mutable object changes in place.
        compares_objects: whether ``is`` compares two objects of which neither is a constant.
        ends: whether a ``break`` in them ends an enclosing loop.
        has_unsupported_node: whether they contain another statement that a separate function could not contain.
    """

    def __init__(self, statements: Iterable[ast.AST]) -> None:
        self.stores: set[str] = set()
        self.loads: Counter[str] = Counter()
        self.captured: Counter[str] = Counter()
        self.changes: set[str] = set()
        self.extended: set[str] = set()
        self.compares_objects = False
        self.ends = self.has_unsupported_node = False
        self._loops = 0
        for statement in statements:
            self.visit(statement)

    def visit_Name(self, node: ast.Name) -> None:
        """Notes a load or a store of a name."""
        if isinstance(node.ctx, ast.Load):
            self.loads[node.id] += 1
        else:
            self.stores.add(node.id)
            self.has_unsupported_node |= isinstance(node.ctx, ast.Del)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """Notes that ``x += y`` also reads x, and may change it."""
        if isinstance(node.target, ast.Name):
            self.loads[node.target.id] += 1
            self.extended.add(node.target.id)
        self.generic_visit(node)

    def _visit_attribute_or_item(self, node: Any) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.changes.add(root_name(node))
        self.generic_visit(node)

    visit_Attribute = visit_Subscript = _visit_attribute_or_item

    def visit_Call(self, node: ast.Call) -> None:
        """Notes that ``xs.append(x)`` and ``next(xs)`` change xs."""
        if isinstance(node.func, ast.Attribute) and node.func.attr in _MUTATING_METHODS:
            self.changes.add(root_name(node.func))
        elif isinstance(node.func, ast.Name) and node.func.id in _MUTATING_FUNCTIONS:
            self.changes.add(root_name(node.args[0]) if node.args else "")
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        """Notes whether a comparison such as ``x is y`` tests the identity of objects."""
        if any(isinstance(op, (ast.Is, ast.IsNot)) for op in node.ops):
            self.compares_objects |= not any(isinstance(x, ast.Constant) for x in (node.left, *node.comparators))
        self.generic_visit(node)

    def _visit_scope(self, node: Any) -> None:
        """Notes the names that an inner scope reads and changes; a definition assigns its name."""
        scan = NameScan(ast.iter_child_nodes(node))
        self.loads += scan.loads
        at_once = isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp))
        self.captured += scan.captured if at_once else scan.loads
        self.changes |= scan.changes
        self.compares_objects |= scan.compares_objects
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self.stores.add(node.name)

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = visit_Lambda = _visit_scope
    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _visit_scope

    def _visit_unsupported(self, node: Any) -> None:
        self.has_unsupported_node = True
        self.generic_visit(node)

    visit_ExceptHandler = visit_Return = visit_Yield = visit_YieldFrom = visit_Await = visit_AsyncFor = (
        visit_AsyncWith
    ) = _visit_unsupported
    visit_Match = visit_TryStar = visit_ImportFrom = _visit_unsupported

    def visit_Import(self, node: ast.Import) -> None:
        """Notes the names that an import assigns."""
        self.stores |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}

    def _visit_loop(self, node: Any) -> None:
        self.has_unsupported_node |= has_jump(node.orelse)  # jumps in `else` belong to the enclosing loop
        self._loops += 1
        self.generic_visit(node)
        self._loops -= 1

    visit_For = visit_While = _visit_loop

    def visit_Break(self, node: ast.Break) -> None:
        """Notes a ``break`` that ends a loop around the analysed statements."""
        self.ends |= not self._loops


def has_jump(statements: Iterable[ast.stmt]) -> bool:
    """True if a ``break`` or ``continue`` among the statements belongs to an enclosing loop."""
    for statement in statements:
        if isinstance(statement, (ast.Break, ast.Continue)):
            return True
        if isinstance(statement, (ast.If, ast.With, ast.Try)):
            handlers = [nested for handler in getattr(statement, "handlers", ()) for nested in handler.body]
            nested = [
                *statement.body,
                *getattr(statement, "orelse", ()),
                *getattr(statement, "finalbody", ()),
                *handlers,
            ]
            if has_jump(nested):
                return True
        elif isinstance(statement, (ast.For, ast.While)) and has_jump(statement.orelse):
            return True
    return False


class PartFunction:
    """A part of a function's source, compiled as a function of local names.

    Attributes:
        definition: its syntax tree.
        names: its parameters.
        results: the names that it changes.
        extended: the names whose objects it may change in place.
        function: takes the values of ``names``, returns those of ``results``; None before the compilation.
    """

    def __init__(
        self, definition: ast.FunctionDef, names: Sequence[str], results: Sequence[str], extended: AbstractSet[str]
    ) -> None:
        self.definition, self.names, self.results, self.extended = definition, names, results, extended
        self.function: Any = None

    def arguments(self, scope: Mapping[str, Any]) -> list[Any]:
        """Returns the values of its parameters among the names in ``scope``."""
        return [scope.get(name, unset) for name in self.names]

    def __call__(self, scope: Mapping[str, Any]) -> Any:
        """Calls the function with the names in ``scope``."""
        return self.function(*self.arguments(scope))

    def may_change_in_place(self, scope: Mapping[str, Any]) -> bool:
        """True if it may change an object in place that a name in ``scope`` refers to."""
        return any(isinstance(scope.get(name), MUTABLE_TYPES) for name in self.extended)


class LoopRewriter:
    """The base of classes that replace loops of a function by calls.

    Args:
        definition: the function's syntax tree.
        function: the function.

    Attributes:
        parts: the functions that the calls run, compiled by ``rewritten_function``.
        part_title: what tracebacks call them.
    """

    part_title: str

    def __init__(self, definition: ast.FunctionDef, function: FunctionType) -> None:
        code = function.__code__
        self._definition, self._function = definition, function
        self._locals = frozenset({*code.co_varnames, *code.co_cellvars})
        scan = NameScan(definition.body)
        self._loads, self._captured = scan.loads, scan.captured
        self.parts: list[PartFunction] = []

    def rewritten_function(self, objects: Mapping[str, Any]) -> FunctionType:
        """Compiles the changed tree and the parts to functions that see the names of the original; returns the former.

        Args:
            objects: the values of further names that the trees read.
        """
        definition, function = self._definition, self._function
        codes = _compiled_codes([*[part.definition for part in self.parts], definition], [*objects], function)
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        cells |= {name: CellType(value) for name, value in objects.items()}

        def make_function(name: str, shown: str) -> FunctionType:
            closure = tuple([cells[cell_name] for cell_name in codes[name].co_freevars])
            new_function = FunctionType(codes[name], function.__globals__, shown, None, closure)
            new_function.__module__, new_function.__qualname__ = function.__module__, shown
            return new_function

        for part in self.parts:
            part.function = make_function(part.definition.name, f"{function.__name__} ({self.part_title})")
        replacement = make_function(definition.name, function.__name__)
        replacement.__defaults__, replacement.__kwdefaults__ = function.__defaults__, function.__kwdefaults__
        return replacement

    def text(self) -> str:
        """Returns the source of the changed function, with its parts before it."""
        return "\n\n\n".join(
            [ast.unparse(tree) for tree in (*[part.definition for part in self.parts], self._definition)]
        )

    def _add_part(
        self, body: list[ast.stmt], names: Iterable[str], results: Sequence[str], extended: AbstractSet[str]
    ) -> PartFunction:
        """Adds a function of ``names`` with these statements."""
        parameters = sorted(names)
        definition = function_definition(f"{GENERATED_NAME_PREFIX}part{len(self.parts)}", parameters, body)
        self.parts.append(PartFunction(definition, parameters, results, extended))
        return self.parts[-1]

    def _names_read_later(self, scan: NameScan) -> set[str]:
        """Returns the local names that the function also reads outside the statements of a scan."""
        return set(self._locals.intersection(self._loads - scan.loads))

    def _has_outer_effects(self, scan: NameScan, objects_made: set[str], enclosing_scan: NameScan) -> bool:
        """True if statements change objects that others may see, or names that functions capture.

        Args:
            scan: of the statements.
            objects_made: the names whose objects the statements make.
            enclosing_scan: the scan of the statements within which functions may capture names.
        """
        captured = self._captured - enclosing_scan.captured
        changes = any(name not in objects_made and not self._is_module(name) for name in scan.changes)
        return scan.has_unsupported_node or changes or any(captured[name] for name in enclosing_scan.stores)

    def _is_module(self, name: str) -> bool:
        return name not in self._locals and isinstance(self._function.__globals__.get(name), ModuleType)


def root_name(node: Any) -> str:
    """Returns the name at the beginning of ``a.b[c].d``; empty if there is none."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def new_objects(statements: Sequence[ast.stmt]) -> set[str]:
    """Returns the names that are certainly assigned first, and whose objects have no other name."""
    shared: set[str] = set()
    for node in [node for statement in statements for node in ast.walk(statement)]:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and not _is_new_object(node.value):
            shared |= NameScan([node]).stores
        elif isinstance(node, ast.For):
            shared |= NameScan([node.target]).stores
    return assigned_before_read(statements) - shared


def _is_new_object(value: ast.expr | None) -> bool:
    if isinstance(value, (ast.Tuple, ast.Starred, ast.IfExp, ast.BoolOp)):
        return all(_is_new_object(element) for element in ast.iter_child_nodes(value) if isinstance(element, ast.expr))
    return not isinstance(value, (ast.Name, ast.Attribute, ast.Subscript))


def assigned_before_read(statements: Sequence[ast.stmt]) -> set[str]:
    """Returns the names that the statements certainly assign, and read only after that."""
    read_first, assigned = _read_and_assigned(statements, set())
    return assigned - read_first


def read_before_assigned(statements: Sequence[ast.stmt]) -> set[str]:
    """Returns the names that the statements may read before they assign them."""
    return _read_and_assigned(statements, set())[0]


def _read_and_assigned(statements: Sequence[ast.stmt], assigned: set[str]) -> tuple[set[str], set[str]]:
    """Returns the names that may be read before they are assigned, and those that are certainly assigned at the end.

    Args:
        statements: in their order.
        assigned: the names that are assigned before them.
    """
    read_first: set[str] = set()
    assigned = set(assigned)
    for statement in statements:
        if isinstance(statement, (ast.If, ast.While)):
            read_first |= set(NameScan([statement.test]).loads) - assigned
            first, second = _read_and_assigned(statement.body, assigned), _read_and_assigned(statement.orelse, assigned)
            read_first |= first[0] | second[0]
            assigned |= first[1] & second[1] if isinstance(statement, ast.If) else set()
        elif isinstance(statement, ast.For):
            read_first |= set(NameScan([statement.iter, statement.target]).loads) - assigned
            read_first |= _read_and_assigned(statement.body, assigned | NameScan([statement.target]).stores)[0]
            read_first |= _read_and_assigned(statement.orelse, assigned)[0]
        elif isinstance(statement, ast.With):
            items = NameScan(statement.items)
            read_first |= set(items.loads) - assigned
            inner = _read_and_assigned(statement.body, assigned | items.stores)
            read_first, assigned = read_first | inner[0], inner[1]
        else:
            scan = NameScan([statement])
            read_first |= set(scan.loads) - assigned
            if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.FunctionDef)):
                assigned |= scan.stores
    return read_first, assigned
