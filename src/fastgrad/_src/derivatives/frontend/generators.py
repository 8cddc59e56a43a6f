"""Inlines generators into the `for` loops that consume them, in Numba's IR before SSA form and types.

The generator's body replaces the loop's head. Each `yield` becomes a jump to a copy of the loop's body. The copy's back edge goes to
the code after the `yield`. So variables hold the state between items, and control flow stays reducible. A generator that is consumed in another way remains
a call, which is refused later.
"""

from __future__ import annotations

import copy
import functools
import inspect
import operator
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

from numba import njit

from fastgrad._src.derivatives.frontend.exception_handlers import drop_handlers_of_comprehensions, has_try
from fastgrad._src.derivatives.frontend.statements import assigned_value, delete_dead_blocks, operation_of
from fastgrad._src.derivatives.functions.functions import has_fixed_types
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


def inline_generators(function_ir: ir.FunctionIR, argument_types: Any = ()) -> InlinedGenerators:
    """Inlines the generators that ``for`` loops of a function consume; returns which."""
    return _inline_generators(function_ir, argument_types, 0)


def _inline_generators(function_ir: ir.FunctionIR, argument_types: Any, depth: int) -> InlinedGenerators:
    inlined = InlinedGenerators([], [])
    if depth > MAX_DEPTH or has_try(function_ir):
        return inlined
    reads = _write_calls_as_loops(function_ir, argument_types)
    while True:
        for loop in _loops_over_generators(function_ir, argument_types):
            generator_ir = compiler.run_frontend(loop.function.py_func, inline_closures=True)
            drop_handlers_of_comprehensions(generator_ir)
            inner = _inline_generators(generator_ir, (), depth + 1)
            if has_try(generator_ir) or not 0 < _count_of_yields(generator_ir) <= MAX_YIELDS:
                continue
            inliner = _Inliner(function_ir, loop)
            function_ir.blocks = inliner.inline(generator_ir)
            function_ir._definitions = build_definitions(function_ir.blocks)
            inlined.functions.extend([loop.function, *inner.functions])
            inlined.items.extend([inliner.item.name, *[inliner.names[name].name for name in inner.items]])
            break
        else:
            for read in reads:
                _prune_switch(function_ir, read)
            return inlined


def _count_of_yields(function_ir: ir.FunctionIR) -> int:
    statements = [statement for block in function_ir.blocks.values() for statement in block.body]
    return sum(isinstance(getattr(statement, "value", None), ir.Yield) for statement in statements)


# ---- lists and first items of generators ----------------------------------------------------------------------


def _write_calls_as_loops(function_ir: ir.FunctionIR, argument_types: Any) -> list[ir.Var]:
    """Writes ``list(generator(...))`` as a loop that appends the items to a list, and all that reads a generator by ``next`` as one loop.

    Returns for each of the latter the variable with the number of the present read.
    """
    variables = []
    pending = list(function_ir.blocks)
    while pending:
        label = pending.pop()
        for number, statement in enumerate(function_ir.blocks[label].body):
            if _is_call_with_generator(function_ir, statement, list, argument_types):
                pending.append(_write_list_as_loop(function_ir, label, number))
                break
    function_ir._definitions = build_definitions(function_ir.blocks)
    pending = list(function_ir.blocks)
    while pending:
        label = pending.pop()
        for statement in function_ir.blocks[label].body:
            if _is_call_with_generator(function_ir, statement, next, argument_types):
                reads = _find_generator_reads(function_ir, statement.value.args[0], argument_types)
                if reads is not None:
                    following, read = _write_reads_as_loop(function_ir, reads)
                    pending += [label, *following]
                    variables.append(read)
                    function_ir._definitions = build_definitions(function_ir.blocks)
                    break
    return variables


def _is_call_with_generator(function_ir: ir.FunctionIR, statement: ir.Stmt, function: Any, argument_types: Any) -> bool:
    value: Any = assigned_value(statement)
    if operation_of(value) != "call" or len(value.args) != 1 or value.kws or value.vararg:
        return False
    if _known_value(function_ir, value.func.name, argument_types) is not function:
        return False
    made: Any = value.args[0]
    while isinstance(made, ir.Var):
        definitions = function_ir._definitions.get(made.name, [])
        made = definitions[0] if len(definitions) == 1 else None
    return _called_generator(function_ir, made, argument_types) is not None


def _assignment(scope: ir.Scope, loc: ir.Loc, hint: str, value: Any) -> ir.Assign:
    """Returns the assignment to a new variable."""
    return ir.Assign(value, _new_variable(scope, hint, loc), loc)


def _next_item_assignments(assign: Callable[[str, Any], ir.Assign], iterator: ir.Var, loc: ir.Loc) -> list[ir.Assign]:
    """Returns what steps an iterator: the assignments of the pair, the item, and whether there is one."""
    pair = assign("$pair", ir.Expr.iternext(iterator, loc))
    item = assign("$item", ir.Expr.pair_first(pair.target, loc))
    return [pair, item, assign("$is_valid", ir.Expr.pair_second(pair.target, loc))]


def _write_list_as_loop(function_ir: ir.FunctionIR, label: int, number: int) -> int:
    """Writes the statement with a number of a block as a loop; returns the label of the block with what follows."""
    block = function_ir.blocks[label]
    scope, statement = block.scope, block.body[number]
    loc = statement.loc
    assign = functools.partial(_assignment, scope, loc)
    made = assign("$list", ir.Expr.build_list([], loc))
    before, head, body, after, item = _write_head(function_ir, label, number)
    append = assign("$append", ir.Expr.getattr(made.target, "append", loc))
    appended = assign("$appended", ir.Expr.call(append.target, [item], (), loc))
    function_ir.blocks[body].body = [append, appended, ir.Jump(head, loc)]
    function_ir.blocks[after].body = [ir.Assign(made.target, statement.target, loc), *block.body[number + 1 :]]
    block.body = [*block.body[:number], *before, ir.Jump(head, loc)]
    # The list is made with the generator, so that it has a value where `next` reads the generator before.
    source = statement.value.args[0]
    while isinstance(value := function_ir._definitions[source.name][0], ir.Var):
        source = value
    for other in function_ir.blocks.values():
        other.body = [
            new for each in other.body for new in ((made, each) if getattr(each, "value", None) is value else (each,))
        ]
    return after


class _Reads(NamedTuple):
    """What reads a generator: calls of ``next`` one after the other, and a loop of the rest."""

    made: tuple[int, ir.Assign]  # the call of the generator, with the label of its block
    copies: list[ir.Assign]  # the statements that give the generator other names
    calls: list[tuple[int, ir.Assign]]
    loop: tuple[int, ir.Assign] | None  # the statement that makes the loop's iterator


def _find_generator_reads(function_ir: ir.FunctionIR, generator: ir.Var, argument_types: Any) -> _Reads | None:
    """Returns what reads a generator, or None if that is not in order: if others use it, if a loop calls ``next``, or if that comes after its loop."""
    definitions, blocks = function_ir._definitions, function_ir.blocks
    while isinstance(call := definitions[generator.name][0], ir.Var):
        generator = call
    names, made, copies, calls, loops = {generator.name}, [], [], [], []
    for label in sorted(blocks):
        for statement in blocks[label].body:
            value: Any = assigned_value(statement)
            if value is call:
                made.append((label, statement))
            elif not any(variable.name in names for variable in statement.list_vars()):
                continue
            elif isinstance(value, ir.Var) and len(definitions[statement.target.name]) == 1:
                names.add(statement.target.name)
                copies.append(statement)
            elif operation_of(value) == "getiter" and isinstance(blocks[label].body[-1], ir.Jump):
                loops.append((label, statement))
            elif _is_call_with_generator(function_ir, statement, next, argument_types):
                calls.append((label, statement))
            else:
                return None
    flow = ir_utils.compute_cfg_from_blocks(blocks)
    dominators, (place, _) = flow.dominators(), made[0]
    calls.sort(key=lambda read: len(dominators[read[0]]))
    first, labels = calls[0][0], [label for label, _ in (*calls, *loops)]
    is_in_order = place in dominators[first] and all(first in dominators[label] for label in labels)
    is_in_order &= all(place in loop.body for loop in flow.loops().values() for label in labels if label in loop.body)
    if (
        not is_in_order
        or len(loops) > 1
        or (loops and _blocks_after(flow, loops[0][0], place).intersection(dict(calls)))
    ):
        return None
    return _Reads(made[0], copies, calls, loops[0] if loops else None)


def _blocks_after(flow: Any, label: int, without: int) -> set[int]:
    """Returns the labels of the blocks that come after a block on ways without another one."""
    reached: set[int] = set()
    pending = [label]
    while pending:
        after = {after for after, _ in flow.successors(pending.pop())} - reached - {without}
        reached |= after
        pending += after
    return reached


def _write_reads_as_loop(function_ir: ir.FunctionIR, reads: _Reads) -> tuple[list[int], ir.Var]:
    """Writes what reads a generator as one loop, whose body goes to what follows the present read.

    Returns the labels of the blocks with that, and the variable with the number of the read.
    """
    blocks = function_ir.blocks
    scope, loc = blocks[reads.calls[0][0]].scope, reads.calls[0][1].loc
    read = _new_variable(scope, "$read", loc)

    def new_block(statements: list[Any]) -> int:
        label = max(blocks) + 1
        blocks[label] = ir.Block(scope, loc)
        blocks[label].body = statements
        return label

    assign = functools.partial(_assignment, scope, loc)

    def go_to_head(number: int) -> list[Any]:
        return [ir.Assign(ir.Const(number, loc), read, loc), ir.Jump(head, loc)]

    for block in blocks.values():
        block.body = [statement for statement in block.body if not any(statement is copy for copy in reads.copies)]
    # The generator gets its arguments where it was made, and is made where it is read first.
    label, made = reads.made
    place, block = _statement_number(blocks[label], made), blocks[label]
    arguments = [assign("$argument", value) for value in made.value.args]
    keywords = [(name, assign("$argument", value)) for name, value in made.value.kws]
    block.body[place : place + 1] = [*arguments, *[each for _, each in keywords]]
    given = [each.target for each in arguments], [(name, each.target) for name, each in keywords]
    generator = assign("$generator", ir.Expr.call(made.value.func, *given, made.loc))
    iterator = assign("$iterator", ir.Expr.getiter(generator.target, loc))
    pair, item, is_valid = _next_item_assignments(assign, iterator.target, loc)
    head = new_block([pair, item, is_valid])
    following: list[int] = []
    exits = [new_block([ir.StaticRaise(StopIteration, (), loc)])]
    present: dict[int, int] = {}
    for number, (label, call) in enumerate(reads.calls):
        block = blocks[present.get(label, label)]
        place = _statement_number(block, call)
        rest = block.body[place + 1 :]
        again = _globals_read_again(function_ir, block.body[:place], rest)
        following.append(new_block([ir.Assign(item.target, call.target, call.loc), *again, *rest]))
        block.body = [*block.body[:place], *([] if number else [generator, iterator]), *go_to_head(number)]
        present[label] = following[-1]
    items = [*following]
    if reads.loop is not None:
        label, iterator = reads.loop
        block = blocks[present.get(label, label)]
        loop = block.body[-1].target
        block.body = [*block.body[: _statement_number(block, iterator)], *go_to_head(len(items))]
        *statements, end = blocks.pop(loop).body
        operations = [operation_of(statement.value) for statement in statements]
        target = statements[operations.index("pair_first")].target
        others = [each for each, operation in zip(statements, operations, strict=True) if operation not in _STEPS]
        items.append(new_block([ir.Assign(item.target, target, loc), *others, ir.Jump(end.truebr, loc)]))
        exits = exits * len(following) + [end.falsebr]
        for block in blocks.values():
            _retarget(block, {loop: head})
    blocks[head].body.append(
        ir.Branch(
            is_valid.target,
            _new_switch_block(read, items, new_block, loc),
            _new_switch_block(read, exits, new_block, loc),
            loc,
        )
    )
    return following, read


_STEPS = ("iternext", "pair_first", "pair_second")


def _globals_read_again(function_ir: ir.FunctionIR, before: list[Any], rest: list[Any]) -> list[ir.Assign]:
    """Returns the reads of globals, such as functions whose arguments follow, among statements ``before`` that ``rest`` uses: so they have one value."""
    used = {variable.name for statement in rest for variable in statement.list_vars()}
    again: list[ir.Assign] = []
    for statement in reversed(before):
        value: Any = assigned_value(statement)
        is_read = value is not None and statement.target.name in used
        is_attribute = operation_of(value) == "getattr"
        if is_attribute:  # of a module: an item of the generator may change other attributes
            is_read &= isinstance(_known_value(function_ir, value.value.name, ()), ModuleType)
        if is_read and (isinstance(value, (ir.Global, ir.FreeVar)) or is_attribute):
            used |= {value.value.name} if is_attribute else set()
            again.insert(0, _copy(statement))
    return again


def _statement_number(block: ir.Block, statement: ir.Stmt) -> int:
    return next(place for place, other in enumerate(block.body) if other is statement)


def _new_switch_block(number: ir.Var, labels: list[int], new_block: Any, loc: ir.Loc) -> int:
    """Returns the label of a block that goes to the one of ``labels`` that a number chooses."""
    result = labels[-1]
    for place in reversed(range(len(labels) - 1)):
        same = ir.Assign(ir.Const(place, loc), _new_variable(number.scope, "$place", loc), loc)
        equal = ir.Expr.binop(operator.eq, number, same.target, loc)
        is_same = ir.Assign(equal, _new_variable(number.scope, "$is_place", loc), loc)
        result = new_block([same, is_same, ir.Branch(is_same.target, labels[place], result, loc)])
    return result


def _prune_switch(function_ir: ir.FunctionIR, number: ir.Var) -> None:
    """Removes what no value of a number chooses: there a variable may have no value, and so no type."""
    blocks = function_ir.blocks
    reaching: dict[int, set[Any]] = {}
    taken: dict[int, set[int]] = {label: set() for label in blocks}
    pending: list[tuple[int, set[Any]]] = [(min(blocks), {None})]
    while pending:
        label, values = pending.pop()
        if label in reaching and values <= reaching[label]:
            continue
        values = reaching[label] = values | reaching.get(label, set())
        place, constants = None, {}
        for statement in blocks[label].body:
            value: Any = getattr(statement, "value", None)
            if isinstance(statement, ir.Assign) and statement.target.name == number.name:
                values = {value.value}
            elif isinstance(value, ir.Const):
                constants[statement.target.name] = value.value
            elif operation_of(value) == "binop" and value.lhs.name == number.name:
                place = constants[value.rhs.name]
        end = blocks[label].body[-1]
        for after in end.get_targets() if isinstance(end, (ir.Branch, ir.Jump)) else ():
            chosen = values
            if place is not None:
                chosen = values & {place} if after == end.truebr else values - {place}
            if chosen:
                taken[label].add(after)
                pending.append((after, chosen))
    for label, after in taken.items():
        end = blocks[label].body[-1]
        if isinstance(end, ir.Branch) and len(after) == 1:
            blocks[label].body[-1] = ir.Jump(*after, end.loc)
    for label in blocks.keys() - reaching.keys():
        del blocks[label]


def _write_head(function_ir: ir.FunctionIR, label: int, number: int) -> tuple[list[ir.Assign], int, int, int, ir.Var]:
    """Writes the head of a loop over the argument of a call, which is the statement with a number of a block.

    Returns the statements before it, the labels of the head and of two new blocks for the loop's body and what follows, and the item.
    """
    scope, statement = function_ir.blocks[label].scope, function_ir.blocks[label].body[number]
    loc = statement.loc
    head, body, after = [max(function_ir.blocks) + offset for offset in (1, 2, 3)]
    assign = functools.partial(_assignment, scope, loc)
    iterator = assign("$iterator", ir.Expr.getiter(statement.value.args[0], loc))
    pair, item, is_valid = _next_item_assignments(assign, iterator.target, loc)
    for new in (head, body, after):
        function_ir.blocks[new] = ir.Block(scope, loc)
    function_ir.blocks[head].body = [pair, item, is_valid, ir.Branch(is_valid.target, body, after, loc)]
    return [iterator], head, body, after, item.target


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
    definitions = function_ir._definitions.get(name, [])
    definition: Any = (
        definitions[0] if definitions and all(_is_same_read(definitions[0], o) for o in definitions[1:]) else None
    )
    if isinstance(definition, (ir.Global, ir.FreeVar)):
        return definition.value
    if isinstance(definition, ir.Arg) and definition.index < len(argument_types):
        return getattr(argument_types[definition.index], "dispatcher", None)
    if isinstance(definition, ir.Var):
        return _known_value(function_ir, definition.name, argument_types)
    if operation_of(definition) == "getattr":
        owner = _known_value(function_ir, definition.value.name, argument_types)
        return getattr(owner, definition.attr, None) if isinstance(owner, ModuleType) else None
    return None


def _is_same_read(first: Any, second: Any) -> bool:
    """True if two definitions read the same global or attribute, as those of ``_globals_read_again`` do."""
    if isinstance(first, (ir.Global, ir.FreeVar)):
        return type(first) is type(second) and first.value is second.value
    if operation_of(first) != "getattr" or operation_of(second) != "getattr":
        return False
    return bool(first.value.name == second.value.name and first.attr == second.attr)


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
        current.body += _item_statements(self._scope, self.item, self._variable_of(value.value), self._index, loc)
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


def _item_statements(
    scope: ir.Scope, target: ir.Var, item: ir.Var, index: ir.Var | None, loc: ir.Loc
) -> list[ir.Assign]:
    """Returns the statements that give the loop its item; with an ``index`` a pair, as ``enumerate`` does."""
    if index is None:
        return [ir.Assign(item, target, loc)]
    one, following = _new_variable(scope, "$one", loc), _new_variable(scope, "$following", loc)
    return [
        ir.Assign(ir.Expr.build_tuple([index, item], loc), target, loc),
        ir.Assign(ir.Const(1, loc), one, loc),
        ir.Assign(ir.Expr.binop(operator.add, index, one, loc), following, loc),
        ir.Assign(following, index, loc),
    ]


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
