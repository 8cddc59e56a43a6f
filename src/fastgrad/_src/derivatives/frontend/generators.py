"""Inlines generators into the `for` loops that consume them, in Numba's IR before SSA form and types.

The generator's body replaces the loop's head. Each `yield` becomes a jump to a copy of the loop's body. The copy's back edge goes to
the code after the `yield`. So variables hold the state between items, and control flow stays reducible. A generator that is consumed in another way remains
a call, which is refused later.

    for item in g(a):                 parameters of g = a
        body                          code of g before its `yield v`
    rest                      ->      item = v; body                (a copy for each yield)
                                      code of g after the yield
                                      rest                          (`break` of the body comes here, too)
"""

from __future__ import annotations

import copy
import inspect
import operator
from types import ModuleType
from typing import Any, NamedTuple

from numba import njit

from fastgrad._src.derivatives.frontend.exception_handlers import drop_handlers_of_comprehensions, has_try
from fastgrad._src.derivatives.frontend.statements import assigned_value, delete_dead_blocks, operation_of
from fastgrad._src.derivatives.functions.snapshot import has_fixed_types
from fastgrad._src.jit.numba_internals import build_definitions, compiler, dispatcher, ir, ir_utils

MAX_YIELDS = 16
"""The most `yield` expressions of a generator that is inlined: each takes a copy of the loop's body."""
MAX_DEPTH = 16


class InlinedGenerators(NamedTuple):
    """What was inlined: the generators, and for each loop the variable that has the item."""

    functions: list[Any]
    items: list[str]


class _Loop(NamedTuple):
    """A `for` loop over a generator."""

    function: Any
    arguments: dict[str, Any]  # variables by parameter, constants where a default is taken
    is_enumerated: bool
    before: int  # the label of the block that makes the generator
    call: ir.Assign
    removed: list[ir.Assign]  # the statements that pass the generator on to the loop
    head: int


def inline_generators(function_ir: ir.FunctionIR, argument_types: Any = (), depth: int = 0) -> InlinedGenerators:
    """Inlines the generators that ``for`` loops of a function consume, itself a generator at a ``depth`` above 0; returns which."""
    inlined = InlinedGenerators([], [])
    if depth > MAX_DEPTH or has_try(function_ir):
        return inlined
    _write_lists_as_loops(function_ir, argument_types)
    while True:
        for loop in _loops_over_generators(function_ir, argument_types):
            generator_ir = compiler.run_frontend(loop.function.py_func, inline_closures=True)
            drop_handlers_of_comprehensions(generator_ir)
            inner = inline_generators(generator_ir, (), depth + 1)
            if has_try(generator_ir) or not 0 < _count_of_yields(generator_ir) <= MAX_YIELDS:
                continue
            inliner = _Inliner(function_ir, loop)
            function_ir.blocks = inliner.inline(generator_ir)
            function_ir._definitions = build_definitions(function_ir.blocks)
            inlined.functions.extend([loop.function, *inner.functions])
            inlined.items.extend([inliner.item.name, *[inliner.names[name].name for name in inner.items]])
            break
        else:
            return inlined


def _count_of_yields(function_ir: ir.FunctionIR) -> int:
    statements = [statement for block in function_ir.blocks.values() for statement in block.body]
    return sum(isinstance(getattr(statement, "value", None), ir.Yield) for statement in statements)


# ---- lists of generators --------------------------------------------------------------------------------------


def _write_lists_as_loops(function_ir: ir.FunctionIR, argument_types: Any) -> None:
    """Writes each ``list(generator(...))`` as a loop that appends the items to a list."""
    pending = list(function_ir.blocks)
    while pending:
        label = pending.pop()
        for number, statement in enumerate(function_ir.blocks[label].body):
            if _is_list_of_generator(function_ir, statement, argument_types):
                pending.append(_write_list_as_loop(function_ir, label, number))
                break
    function_ir._definitions = build_definitions(function_ir.blocks)


def _is_list_of_generator(function_ir: ir.FunctionIR, statement: ir.Stmt, argument_types: Any) -> bool:
    value: Any = assigned_value(statement)
    if operation_of(value) != "call" or len(value.args) != 1 or value.kws or value.vararg:
        return False
    if _known_value(function_ir, value.func.name, argument_types) is not list:
        return False
    return _called_generator(function_ir, _definition(function_ir, value.args[0].name), argument_types) is not None


def _write_list_as_loop(function_ir: ir.FunctionIR, label: int, number: int) -> int:
    """Writes the statement with a number of a block as a loop; returns the label of the block with what follows."""
    block = function_ir.blocks[label]
    scope, statement = block.scope, block.body[number]
    loc = statement.loc
    head, body, after = [max(function_ir.blocks) + offset for offset in (1, 2, 3)]

    def assign(hint: str, value: Any) -> ir.Assign:
        return ir.Assign(value, _new_variable(scope, hint, loc), loc)

    made = assign("$list", ir.Expr.build_list([], loc))
    iterator = assign("$iterator", ir.Expr.getiter(statement.value.args[0], loc))
    pair = assign("$pair", ir.Expr.iternext(iterator.target, loc))
    item = assign("$item", ir.Expr.pair_first(pair.target, loc))
    is_valid = assign("$is_valid", ir.Expr.pair_second(pair.target, loc))
    append = assign("$append", ir.Expr.getattr(made.target, "append", loc))
    appended = assign("$appended", ir.Expr.call(append.target, [item.target], (), loc))
    statements = {
        head: [pair, item, is_valid, ir.Branch(is_valid.target, body, after, loc)],
        body: [append, appended, ir.Jump(head, loc)],
        after: [ir.Assign(made.target, statement.target, loc), *block.body[number + 1 :]],
    }
    for place, lines in statements.items():
        function_ir.blocks[place] = ir.Block(scope, loc)
        function_ir.blocks[place].body = lines
    block.body = [*block.body[:number], made, iterator, ir.Jump(head, loc)]
    return after


_STEPS = ("iternext", "pair_first", "pair_second")


# ---- loops over generators ------------------------------------------------------------------------------------


def _loops_over_generators(function_ir: ir.FunctionIR, argument_types: Any) -> list[_Loop]:
    """Returns the loops of a function that consume a generator which is made for them alone."""
    statements = {label: block.body for label, block in function_ir.blocks.items()}
    uses: dict[str, list[tuple[int, Any]]] = {}
    for label, body in statements.items():
        for statement in body:
            target = statement.target if isinstance(statement, ir.Assign) else None
            for variable in statement.list_vars():
                if variable is not target:
                    uses.setdefault(variable.name, []).append((label, statement))
    flow = ir_utils.compute_cfg_from_blocks(function_ir.blocks).loops().values()
    loops = []
    # A copy of a loop's body would make several generators of one there, so inner loops come first.
    for label in sorted(statements, key=lambda label: -sum(label in loop.body for loop in flow)):
        for statement in statements[label]:
            value: Any = assigned_value(statement)
            function = _called_generator(function_ir, value, argument_types)
            if function is None:
                continue
            arguments = _bind_call(function.py_func, value)
            loop = None if arguments is None else _follow_to_loop(function_ir, uses, label, statement, argument_types)
            if arguments is not None and loop is not None:
                removed, is_enumerated, head = loop
                loops.append(_Loop(function, arguments, is_enumerated, label, statement, removed, head))
    return loops


def _called_generator(function_ir: ir.FunctionIR, value: Any, argument_types: Any) -> Any:
    """Returns the generator that an expression calls, or None."""
    if operation_of(value) != "call":
        return None
    function = _known_value(function_ir, value.func.name, argument_types)
    if function is filter and len(value.args) == 2:
        condition = _definition(function_ir, value.args[0].name)
        is_none = isinstance(condition, (ir.Const, ir.Global, ir.FreeVar)) and condition.value is None
        return _true_items if is_none else _filtered_items
    if function is map and len(value.args) in _MAPS:
        return _MAPS[len(value.args)]
    if not isinstance(function, dispatcher.Dispatcher) or has_fixed_types(function):
        return None
    return function if inspect.isgeneratorfunction(function.py_func) else None


def _definition(function_ir: ir.FunctionIR, name: str) -> Any:
    """Returns the one expression that a variable is assigned, or None."""
    definitions = function_ir._definitions.get(name, [])
    value = definitions[0] if len(definitions) == 1 else None
    return _definition(function_ir, value.name) if isinstance(value, ir.Var) else value


# As Numba's `map` and `filter`, with their arguments one by one.


@njit
def _mapped_items(function, items):  # type: ignore[no-untyped-def]
    for item in items:
        yield function(item)


@njit
def _mapped_pairs(function, items, others):  # type: ignore[no-untyped-def]
    for item, other in zip(items, others):  # noqa: B905  # Numba has no strict
        yield function(item, other)


@njit
def _mapped_triples(function, items, others, more):  # type: ignore[no-untyped-def]
    for item, other, third in zip(items, others, more):  # noqa: B905  # Numba has no strict
        yield function(item, other, third)


@njit
def _filtered_items(function, items):  # type: ignore[no-untyped-def]
    for item in items:
        if function(item):
            yield item


@njit
def _true_items(function, items):  # type: ignore[no-untyped-def]
    for item in items:
        if item:
            yield item


_MAPS = {2: _mapped_items, 3: _mapped_pairs, 4: _mapped_triples}


def _known_value(function_ir: ir.FunctionIR, name: str, argument_types: Any) -> Any:
    """Returns the Python value of a variable that is a global, an attribute of a module, or a function that is passed; else None."""
    definition = _definition(function_ir, name)
    if isinstance(definition, (ir.Global, ir.FreeVar)):
        return definition.value
    if isinstance(definition, ir.Arg) and definition.index < len(argument_types):
        return getattr(argument_types[definition.index], "dispatcher", None)
    if operation_of(definition) == "getattr":
        owner = _known_value(function_ir, definition.value.name, argument_types)
        return getattr(owner, definition.attr, None) if isinstance(owner, ModuleType) else None
    return None


def _bind_call(function: Any, call: ir.Expr) -> dict[str, Any] | None:
    """Returns the arguments of a call by parameter, or None if they are not known one by one."""
    signature = inspect.signature(function)
    kinds = {parameter.kind for parameter in signature.parameters.values()}
    if call.vararg is not None or call.varkwarg is not None or kinds - {inspect.Parameter.POSITIONAL_OR_KEYWORD}:
        return None
    try:
        bound = signature.bind(*call.args, **dict(call.kws))
    except TypeError:
        return None
    bound.apply_defaults()
    return dict(bound.arguments) or None


def _follow_to_loop(
    function_ir: ir.FunctionIR, uses: dict[str, list[tuple[int, Any]]], label: int, call: ir.Assign, argument_types: Any
) -> tuple[list[ir.Assign], bool, int] | None:
    """Returns the statements that pass a generator on to its loop, whether they enumerate it, and the loop's head; None if others use it."""
    removed: list[ir.Assign] = []
    name, is_enumerated, is_iterator = call.target.name, False, False
    while True:
        if len(uses.get(name, ())) != 1 or len(function_ir._definitions.get(name, ())) != 1:
            return None
        ((place, statement),) = uses[name]
        if not isinstance(statement, ir.Assign):
            return None
        value: Any = statement.value
        if is_iterator and operation_of(value) == "iternext":
            head = function_ir.blocks[place]
            end = function_ir.blocks[label].body[-1]
            is_head = head.body[0] is statement and isinstance(head.body[-1], ir.Branch)
            is_head = is_head and all(isinstance(other, ir.Assign) for other in head.body[:-1])
            return (removed, is_enumerated, place) if is_head and getattr(end, "target", None) == place else None
        if place != label:
            return None
        operation = operation_of(value)
        if operation == "call":
            is_plain = len(value.args) == 1 and not value.kws and value.vararg is None and not is_enumerated
            if (
                is_iterator
                or not is_plain
                or _known_value(function_ir, value.func.name, argument_types) is not enumerate
            ):
                return None
            is_enumerated = True
        elif operation == "getiter":
            is_iterator = True
        elif not isinstance(value, ir.Var):
            return None
        removed.append(statement)
        name = statement.target.name


# ---- inlining -------------------------------------------------------------------------------------------------


class _Inliner:
    """Inlines a generator into its loop.

    Attributes:
        names: the variables that the generator's variables become.
        item: the loop's variable that has the item.
    """

    def __init__(self, function_ir: ir.FunctionIR, loop: _Loop) -> None:
        self.names: dict[str, ir.Var] = {}
        self._blocks, self._loop = function_ir.blocks, loop
        self._scope, self._last_label = self._blocks[loop.before].scope, max(self._blocks)
        head, self._end = self._blocks[loop.head].body[1:-1], self._blocks[loop.head].body[-1]
        operations = [operation_of(statement.value) for statement in head]
        self.item = head[operations.index("pair_first")].target
        self._in_head = [
            statement for statement, operation in zip(head, operations, strict=True) if operation not in _STEPS
        ]
        loops = ir_utils.compute_cfg_from_blocks(self._blocks).loops().values()
        body = {label for other in loops if other.header == loop.head for label in other.body} - {loop.head}
        self._body = {label: [_copy(statement) for statement in self._blocks[label].body] for label in body}
        self._arguments = [self._new_variable(parameter, loop.call.loc) for parameter in loop.arguments]
        self._index = self._new_variable("$index", loop.call.loc) if loop.is_enumerated else None
        self._copies_of_body = 0

    def _new_variable(self, name: str, loc: ir.Loc) -> ir.Var:
        return _new_variable(self._scope, f"{name}.{self._loop.function.__name__}", loc)

    def _variable_of(self, variable: ir.Var, _: Any = None) -> ir.Var:
        if variable.name not in self.names:
            self.names[variable.name] = self._new_variable(variable.name, variable.loc)
        return self.names[variable.name]

    def _new_block(self, loc: ir.Loc) -> tuple[int, ir.Block]:
        self._last_label += 1
        block = self._blocks[self._last_label] = ir.Block(self._scope, loc)
        return self._last_label, block

    def inline(self, generator_ir: ir.FunctionIR) -> dict[int, ir.Block]:
        """Returns the blocks of the function with the generator's blocks instead of the loop's head."""
        new = {label: self._new_block(block.loc) for label, block in generator_ir.blocks.items()}
        labels = {label: place for label, (place, _) in new.items()}
        self._pass_arguments(labels[min(labels)])
        for label, (_, current) in new.items():
            for statement in generator_ir.blocks[label].body:
                value = assigned_value(statement)
                if isinstance(statement, ir.Return):
                    current.body.append(ir.Jump(self._end.falsebr, statement.loc))
                elif isinstance(value, ir.Arg):
                    target = self._variable_of(statement.target)
                    current.body.append(ir.Assign(self._arguments[value.index], target, statement.loc))
                elif isinstance(value, ir.Yield):
                    current = self._inline_yield(current, value, statement)
                else:
                    current.body.append(_copy(statement, self._variable_of))
                    _retarget(current, labels)
        del self._blocks[self._loop.head]
        delete_dead_blocks(self._blocks)
        blocks: dict[int, ir.Block] = ir_utils.rename_labels(self._blocks)
        return blocks

    def _pass_arguments(self, entry: int) -> None:
        """Evaluates the arguments where the generator is made; goes to its entry where the loop begins."""
        before, loop = self._blocks[self._loop.before], self._loop
        statements, before.body = before.body[:-1], []
        for statement in statements:
            if statement is loop.call:
                for value, target in zip(loop.arguments.values(), self._arguments, strict=True):
                    argument = value if isinstance(value, ir.Var) else ir.Const(value, statement.loc)
                    before.body.append(ir.Assign(argument, target, statement.loc))
            elif not any(statement is removed for removed in loop.removed):
                before.body.append(statement)
        if self._index is not None:
            before.body.append(ir.Assign(ir.Const(0, loop.call.loc), self._index, loop.call.loc))
        before.body.append(ir.Jump(entry, loop.call.loc))

    def _inline_yield(self, current: ir.Block, value: ir.Yield, statement: ir.Assign) -> ir.Block:
        """Goes from a ``yield`` to a copy of the loop's body, and from there to the block that is returned."""
        loc = statement.loc
        item = self._variable_of(value.value)
        if self._index is None:
            current.body.append(ir.Assign(item, self.item, loc))
        else:  # a pair, as ``enumerate`` gives
            one, following = [_new_variable(self._scope, hint, loc) for hint in ("$one", "$following")]
            current.body += [
                ir.Assign(ir.Expr.build_tuple([self._index, item], loc), self.item, loc),
                ir.Assign(ir.Const(1, loc), one, loc),
                ir.Assign(ir.Expr.binop(operator.add, self._index, one, loc), following, loc),
                ir.Assign(following, self._index, loc),
            ]
        current.body += [_copy(other) for other in self._in_head]
        label, resumed = self._new_block(loc)
        places = {self._loop.head: label}
        if self._copies_of_body:  # the first one takes the place of the body
            places |= {original: self._new_block(loc)[0] for original in self._body}
        for original, statements in self._body.items():
            block = self._blocks[places.get(original, original)]
            block.body = [_copy(other) for other in statements]
            _retarget(block, places)
        self._copies_of_body += 1
        current.body.append(ir.Jump(places.get(self._end.truebr, self._end.truebr), loc))
        resumed.body.append(ir.Assign(ir.Const(None, loc), self._variable_of(statement.target), loc))
        return resumed


def _new_variable(scope: ir.Scope, hint: str, loc: ir.Loc) -> ir.Var:
    """Returns a variable that no statement has yet."""
    name, number = hint, 0
    while name in scope.localvars:
        number += 1
        name = f"{hint}.{number}"
    return scope.define(name, loc)


def _copy(statement: ir.Stmt, variable_of: Any = None) -> ir.Stmt:
    """Returns a copy of a statement, with other variables if ``variable_of`` maps them."""
    result = copy.copy(statement)
    if isinstance(result, ir.Assign) and isinstance(result.value, ir.Expr):
        result.value = ir.Expr(result.value.op, result.value.loc, **result.value._kws)
    if variable_of is not None:
        ir_utils.visit_vars_stmt(result, variable_of, None)
    return result


def _retarget(block: ir.Block, labels: dict[int, int]) -> None:
    """Maps the labels to which the last statement of a block goes."""
    end = block.body[-1]
    if isinstance(end, ir.Jump):
        block.body[-1] = ir.Jump(labels.get(end.target, end.target), end.loc)
    elif isinstance(end, ir.Branch):
        places = [labels.get(label, label) for label in (end.truebr, end.falsebr)]
        block.body[-1] = ir.Branch(end.cond, *places, end.loc)
