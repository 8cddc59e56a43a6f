"""Lowering: Numba's typed SSA form to the intermediate representation, with calls of compiled functions inlined, unless they are recursive.

Each construct has its own method. Constructs without one are refused: there is no default rule.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from numba import types

from fastgrad.core.terms import ADD, DIVISION_COST, MULTIPLY, SUBTRACT, ScalarOperation
from fastgrad.differentiation.analysis.control_flow import possible_memory
from fastgrad.differentiation.frontend import containers, lists, mappings, selections
from fastgrad.differentiation.frontend import views as view_rules
from fastgrad.differentiation.frontend.builder import Builder
from fastgrad.differentiation.frontend.calls import Calls, refuse_literal
from fastgrad.differentiation.frontend.expressions import quote
from fastgrad.differentiation.frontend.typed_functions import TypedFunction, typed_function
from fastgrad.differentiation.frontend.views import Slice
from fastgrad.differentiation.ir.representation import (
    COST_OF_EFFECTS,
    INDEX,
    BeginLoop,
    Block,
    Branch,
    Callee,
    Compute,
    Constant,
    Counter,
    Function,
    Jump,
    Location,
    NextIteration,
    Operand,
    Phi,
    Raise,
    Return,
    Root,
    Scalar,
    View,
    index_constant,
    is_constant,
    is_natural_number,
    item_name,
    refuse,
)
from fastgrad.differentiation.ir.values import (
    DEFAULT_OPTIONS,
    ArrayList,
    Complex,
    Deferred,
    Fields,
    FunctionChoice,
    Items,
    Iterable,
    LoopState,
    Mapping,
    Maybe,
    Member,
    NumberedText,
    NumberList,
    Options,
    Range,
    Selection,
    Static,
    Step,
    Text,
    describe,
    leaves,
    parts_of,
)
from fastgrad.differentiation.numpy import loop_sources
from fastgrad.differentiation.runtime.disk_cache import NoKeyError, content_of
from fastgrad.differentiation.runtime.inferred_callees import called_functions
from fastgrad.differentiation.runtime.numba_internals import (
    ForceLiteralArg,
    NumbaError,
    global_compiler_lock,
    ir,
    ir_utils,
)
from fastgrad.differentiation.runtime.record_fields import members_of
from fastgrad.differentiation.transform.simplification import simplify
from fastgrad.errors import DifferentiationError


def lower(function: Any, argument_types: tuple[types.Type, ...], options: Options = DEFAULT_OPTIONS) -> Function:
    """Returns ``function``, a Python function or one that Numba compiled, for arguments of ``argument_types`` in the intermediate representation.

    Raises:
        DifferentiationError: it has a construct that can't be differentiated; the message has file and line.
        numba.errors.TypingError: Numba can't compile it.
    """
    return lowering_of(function, argument_types, options).result


def lowering_of(
    function: Any,
    argument_types: tuple[types.Type, ...],
    options: Options = DEFAULT_OPTIONS,
    caller: Lowering | None = None,
    values: Sequence[Any] = (),
) -> Lowering:
    """Returns what has lowered a function and may append to it. Arguments and errors are those of ``lower``.

    With a ``caller`` the function has names that the caller's does not have, and knows those ``values`` of its arguments that are no numbers or arrays.
    """
    with _typing_functions_once():
        return Lowering(function, argument_types, options, caller, values)


_thread = threading.local()


@contextlib.contextmanager
def _typing_functions_once() -> Iterator[None]:
    """Types each function once while a function and its callees are lowered, in this thread."""
    if getattr(_thread, "typed", None) is not None:
        yield
        return
    _thread.typed = functools.lru_cache(maxsize=512)(typed_function)
    _thread.written = functools.lru_cache(maxsize=512)(_written_parameters)
    try:
        yield
    finally:
        _thread.typed = _thread.written = None


def _written_parameters(function: Any, argument_types: tuple[types.Type, ...]) -> frozenset[int | None]:
    """Returns the numbers of the parameters, arrays, that a function writes; none if it can't be lowered apart."""
    if function in called_functions(function.py_func):
        return frozenset()
    try:
        lowered = lower(function, argument_types, Options.of(function))
    except (DifferentiationError, NumbaError):
        return frozenset()
    return frozenset(root.position for root in lowered.roots if root.kind == "parameter" and root.is_written)


_numbers = itertools.count()
_assumed: dict[Any, Callee] = {}
"""What is assumed of functions that are being analyzed, which may call each other."""
_consulted: set[Any] = set()
"""The functions of whose assumptions the current analysis has made use."""
_analyzed_callees: dict[Any, Callee] = {}
"""What is known of callees whose analysis made use of no assumption, while the outermost function is analyzed."""


def callee_of(function: Any, argument_types: tuple[types.Type, ...]) -> Callee:
    """Returns what calls of a function need to know, by lowering it until what is assumed of its calls of itself is what it does."""
    with global_compiler_lock:
        key = function, argument_types
        if key in _assumed:
            _consulted.add(key)
            return _assumed[key]
        if key in _analyzed_callees:
            return _analyzed_callees[key]
        return _analyze(*key, "") if _assumed else _outermost(*key, _content_of(function))


def _content_of(function: Any) -> str:
    """Returns the text of all that a function reads; if it has none, a text that no other call returns."""
    try:
        return content_of(function)
    except NoKeyError:
        return str(next(_numbers))


@functools.lru_cache(maxsize=256)
def _outermost(function: Any, argument_types: tuple[types.Type, ...], content: str) -> Callee:
    return _analyze(function, argument_types, content)


def _analyze(function: Any, argument_types: tuple[types.Type, ...], content: str) -> Callee:
    key, callee = (function, argument_types), Callee(function, argument_types, types.none, content=content)
    before = {*_consulted}
    _consulted.clear()
    try:
        with _typing_functions_once():
            callee = callee._replace(result=_thread.typed(function, argument_types).result)
            while _assumed.get(key) != callee:
                _assumed[key] = callee
                callee = _analyzed_once(callee)
                if key not in _consulted:  # it does not call itself
                    break
        if not _consulted - {key}:
            _analyzed_callees[key] = callee
    finally:
        _assumed.pop(key, None)
        _consulted.discard(key)
        _consulted.update(before)
        if not _assumed:
            _analyzed_callees.clear()
    return callee


def _analyzed_once(callee: Callee) -> Callee:
    lowered = lower(callee.function, callee.types, Options.of(callee.function))
    simplify(lowered)
    parts, memory = parts_of(lowered), possible_memory(lowered)
    returned: set[Root] = set()
    for block in lowered.blocks:
        for value in block.end.values if isinstance(block.end, Return) else []:
            returned |= memory[value.root.memory] if isinstance(value, View) else set()
    return callee._replace(
        active=tuple(number for number, part in enumerate(parts) if part.is_real),
        written=frozenset(number for number, part in enumerate(parts) if isinstance(part, Root) and part.is_written),
        returned=frozenset(number for number, part in enumerate(parts) if part in returned),
    )


def _reverse_postorder(blocks: dict[int, ir.Block]) -> list[int]:
    """Returns the labels of blocks so that each comes after those that dominate it. Numba's order of a graph does not have that property."""
    flow = ir_utils.compute_cfg_from_blocks(blocks)
    order, visited, stack = [], {flow.entry_point()}, [(flow.entry_point(), flow.successors(flow.entry_point()))]
    while stack:
        label, successors = stack[-1]
        after = next((after for after, _ in successors if after not in visited), None)
        if after is None:
            order.append(label)
            stack.pop()
        else:
            visited.add(after)
            stack.append((after, flow.successors(after)))
    return order[::-1]


def _goes_through_set(type: Any) -> bool:
    """True for the types of iterators over sets, of `enumerate` and `zip` of such, and of the method `pop` of a set."""
    if isinstance(type, types.BoundFunction):
        return type.typing_key == (types.Set, "pop")
    if isinstance(type, types.EnumerateType):
        return _goes_through_set(type.source_type)
    if isinstance(type, types.ZipType):
        return any(map(_goes_through_set, type.source_types))
    return isinstance(type, types.SetIter)


class _Frame:
    """The lowering of one call: what its variables stand for."""

    def __init__(self, function: TypedFunction, arguments: list[Any], options: Options, is_internal: bool) -> None:
        self.is_internal = is_internal
        self.function = function
        self.arguments = arguments
        self.error_model, self.is_parallel, _ = options
        self.values: dict[str, Any] = {}
        self.definitions: dict[str, Any] = {}
        self.first_blocks: dict[int, Block] = {}
        self.last_blocks: dict[int, Block] = {}
        self.reached: set[int] = set()
        self.at_entry: dict[int, list[Callable[[], None]]] = {}
        self.pending_phis: list[tuple[int, Any, ir.Expr]] = []
        self.raising: dict[tuple[int, int], list[Block]] = {}
        self.returns: list[tuple[Block, Any]] = []
        self.label = 0
        self.labels: dict[str, int] = {}
        self.dominators: dict[int, set[int]] = {}
        self.iterated: list[tuple[NumberList, int]] = []
        self.resized: list[tuple[NumberList, int, Location]] = []

    def may_order_sets(self) -> bool:
        """True if the function goes through a set or takes items by ``pop``, or if functions that it gives sets to may."""
        function = self.function
        return (
            isinstance(function.result, types.Set)
            or any(map(_goes_through_set, function.types.values()))
            or any(
                isinstance(expression, ir.Expr)
                and expression.op == "call"
                and isinstance(function.types[expression.func.name], types.Dispatcher)
                and any(isinstance(type, types.Set) for type in signature.args)
                for expression, signature in function.signatures.items()
            )
        )

    def runs_once(self) -> bool:
        """True if the block that is lowered runs once in the call, whichever way it takes to a return."""
        blocks = self.function.ir.blocks
        returns = [label for label, block in blocks.items() if isinstance(block.body[-1], ir.Return)]
        loops = ir_utils.compute_cfg_from_blocks(blocks).loops().values()
        is_on_each_way = all(self.label in self.dominators[label] for label in returns)
        return is_on_each_way and not any(self.label in loop.body for loop in loops)

    def handler(self) -> int | None:
        """Returns the label of the block that an exception goes to which is raised now; None outside of ``try``."""
        end = self.function.ir.blocks[self.label].body[-1]
        test = self.definitions.get(end.cond.name) if isinstance(end, ir.Branch) else None
        function = self.definitions.get(test.func.name) if isinstance(test, ir.Expr) and test.op == "call" else None
        is_test = getattr(getattr(function, "value", None), "__name__", "") == "exception_check"
        return int(end.truebr) if is_test else None


class _InternalFrame(_Frame):
    """What stands for the call while statements are appended to a function that has been lowered."""

    def __init__(self) -> None:
        super().__init__(None, [], Options("numpy"), True)  # type: ignore[arg-type]

    def runs_once(self) -> bool:
        """True: nothing of it is repeated."""
        return True

    def handler(self) -> None:
        """None: it has no ``try``."""


class Lowering(Calls):
    """Lowers one function and all that it calls."""

    def __init__(
        self,
        function: Any,
        argument_types: tuple[types.Type, ...],
        options: Options,
        caller: Lowering | None = None,
        values: Sequence[Any] = (),
    ) -> None:
        try:
            typed = typed_function(function, argument_types)
        except ForceLiteralArg as request:
            raise refuse_literal(function, min(request.requested_args), request.loc) from None
        parameters = list(inspect.signature(getattr(function, "py_func", function)).parameters)
        self.result = Function(typed.name, typed.location, parameters, argument_types)
        self.builder = Builder(self.result, None if caller is None else caller.builder)
        self._frames: list[_Frame] = []
        self._calls = 0
        self._large_callees = set()
        self._typed = _thread.typed
        arguments = [
            self._parameter(f"a_{name}", type, position)
            for position, (name, type) in enumerate(zip(parameters, argument_types, strict=True))
        ]
        for position, value in enumerate(values):
            arguments[position] = value if isinstance(value, (Static, Text, NumberedText)) else arguments[position]
        self.result.arguments = arguments
        self._texts: dict[str, int] = {} if caller is None else caller._texts
        self._numbered_parameters: dict[str, list[Compute]] = {} if caller is None else caller._numbered_parameters
        value = self._body(typed, arguments, options)
        if caller is None:
            self._number_parameters()
        self.result.result = typed.result
        results: list[Operand | View] = []
        for leaf in leaves(value):
            if isinstance(leaf, Complex):
                results += [leaf.real, leaf.imag]
            elif isinstance(leaf, Fields):
                raise refuse(
                    f"{typed.name} returns {describe(leaf)}, which can't be differentiated: return its fields",
                    self.builder.location,
                )
            elif isinstance(leaf, Static) and isinstance(leaf.value, str):
                results.append(Constant(leaf.value, types.unicode_type))
            elif isinstance(leaf, (Member, NumberedText, Static)):
                returned = "one of several texts" if isinstance(leaf, NumberedText) else describe(leaf)
                raise refuse(
                    f"{typed.name} returns {returned}, which can't be differentiated: return a number for each",
                    self.builder.location,
                )
            else:
                results.append(self._plain(leaf).real() if isinstance(leaf, View) else leaf)
        self.builder.block.end = Return(results, self.builder.location)

    def written_parameters(self, function: Any, argument_types: tuple[types.Type, ...]) -> frozenset[int]:
        """Returns the numbers of the parameters, arrays, that a function writes; none if that can't be told."""
        result: frozenset[int] = _thread.written(function, argument_types)
        return result

    def callee(self, function: Any, argument_types: tuple[types.Type, ...]) -> Callee:
        """Returns what calls of a recursive function need to know."""
        return callee_of(function, argument_types)

    @contextlib.contextmanager
    def internal_frame(self, location: Location) -> Iterator[None]:
        """Lets statements of a place be appended to the function, which has been lowered."""
        before, self.builder.location = self.builder.location, location
        self._frames.append(_InternalFrame())
        try:
            with _typing_functions_once():
                self._typed = _thread.typed
                yield
        finally:
            self._frames.pop()
            self.builder.location = before

    # ---- texts --------------------------------------------------------------------------------------------

    def number_of_text(self, value: Any) -> Operand:
        """Returns the number of a text, which no other text has while the function runs."""
        if isinstance(value, NumberedText):
            return value.number
        if isinstance(value, Static) and isinstance(value.value, str):
            return index_constant(self._texts.setdefault(value.value, len(self._texts)))
        if isinstance(value, Text):  # `_number_parameters` writes the operation, when all texts are known
            number = self.builder.compute(INDEX, ScalarOperation("", reads_parameter=True), [])
            assert isinstance(number.definition, Compute)
            self._numbered_parameters.setdefault(value.name, []).append(number.definition)
            return number
        raise refuse(f"a text is needed here, this is {describe(value)}", self.builder.location)

    def _number_parameters(self) -> None:
        """Makes the number of a parameter that is a text that of an equal text of the function, or of the first equal parameter, or one of its own."""
        numbers = [(quote(text), number) for text, number in self._texts.items()]
        for name, statements in self._numbered_parameters.items():
            own = len(numbers)
            choices = "".join(f"{number} if {name} == {text} else " for text, number in numbers)
            for statement in statements:
                statement.operation = ScalarOperation(f"({choices}{own})", reads_parameter=True)
            numbers.append((name, own))

    # ---- parameters ---------------------------------------------------------------------------------------

    def _parameter(self, name: str, type: types.Type, position: int) -> Any:
        type = types.unliteral(type)
        builder = self.builder
        if isinstance(type, types.Omitted):
            return self._static(type.value)
        if members_of(type) is not None:
            return containers.parameter_fields(self, name, type, position)
        if isinstance(type, types.Array):
            if not isinstance(type.dtype, (types.Float, types.Integer, types.Boolean, types.Complex)):
                return Deferred(f"the parameter {self.result.names[position]} is an array of {type.dtype}")
            root = builder.root(type, "parameter", name)
            root.name, root.block, root.position = name, None, position
            if isinstance(type.dtype, types.Complex):
                root.name = f"parts_of_{name}"
            builder.read_dims(root, type)
            return View.whole(root, type.dtype)
        if isinstance(type, types.Complex):
            float_type = type.underlying_float
            return Complex(*[self._parameter(f"{part}_of_{name}", float_type, position) for part in ("real", "imag")])
        if isinstance(type, (types.Float, types.Integer, types.Boolean)):
            scalar = Scalar(name, type, None, position)
            self.result.scalars.append(scalar)
            return scalar
        if isinstance(type, types.BaseTuple):
            items = [self._parameter(item_name(name, number), item, position) for number, item in enumerate(type)]
            return Items(items, type)
        if isinstance(type, types.NoneType):
            return Static(None)
        if isinstance(type, types.Dispatcher):
            return Static(type.dispatcher)
        if isinstance(type, types.UnicodeType):
            return Text(name)
        if isinstance(type, types.EnumMember):
            number = builder.compute(type.dtype, ScalarOperation(f"{name}.value", reads_parameter=True), [])
            return number if isinstance(type, types.IntEnumMember) else Member(number, type)
        if isinstance(type, types.SliceType) and type.members == 2:
            bounds = [
                self.builder.compute(INDEX, ScalarOperation(f"{name}.{bound}", reads_parameter=True), [])
                for bound in ("start", "stop")
            ]
            return Static(Slice(bounds[0], bounds[1], None))
        owner = f"the parameter {self.result.names[position]}"
        if isinstance(type, types.FunctionType):
            return Deferred(
                f"{owner} has functions that are known by type only (pass functions of njit one by one, or read them from a global tuple)"
            )
        return Deferred(f"{owner} is of type {type}")

    # ---- calls of compiled functions ------------------------------------------------------------------------

    def _body(self, typed: TypedFunction, arguments: list[Any], options: Options, is_internal: bool = False) -> Any:
        frame = _Frame(typed, arguments, options, is_internal)
        for generator in typed.generators:
            if not options.agree(Options.of(generator)):
                raise refuse(
                    f"the generator {generator.__name__} has other options of njit than {typed.name}, which can't be differentiated",
                    typed.location,
                )
        self._frames.append(frame)
        builder = self.builder
        caller_checks_bounds, builder.checks_bounds = builder.checks_bounds, options.checks_bounds and not is_internal
        blocks = typed.ir.blocks
        frame.dominators = ir_utils.compute_cfg_from_blocks(blocks).dominators()
        for label, block in blocks.items():
            for statement in block.body:
                if isinstance(statement, ir.Assign):
                    frame.labels[statement.target.name] = label
                    if statement.target.name in frame.definitions:
                        raise refuse(f"the variable {statement.target.name} is not in SSA form", statement.loc)
                    frame.definitions[statement.target.name] = statement.value
        order = _reverse_postorder(blocks)
        frame.reached.add(order[0])
        entry = builder.new_block()
        builder.jump(entry)
        frame.first_blocks[order[0]] = entry
        for label in order:
            if label not in frame.reached:
                continue
            builder.enter(self._first_block(label))
            frame.label = label
            builder.is_in_try = any(other.handler() is not None for other in self._frames)
            for action in frame.at_entry.get(label, []):
                action()
            for statement in blocks[label].body:
                if not frame.is_internal and (statement.loc.filename == frame.function.location.filename):
                    builder.location = statement.loc
                self._statement(label, statement)
            frame.last_blocks.setdefault(label, builder.block)
        self._complete_phis(frame)
        self._check_iterated_lists(frame, blocks)
        self._frames.pop()
        builder.checks_bounds = caller_checks_bounds
        builder.is_in_try = any(other.handler() is not None for other in self._frames)
        return self._merged_returns(frame)

    @property
    def depth(self) -> int:
        """The number of calls that are lowered, each within the one before."""
        return len(self._frames)

    def runs_once_since(self, depth: int | None) -> bool:
        """True if the statement that is lowered runs once in each of the calls within the first ``depth`` ones."""
        return depth is not None and all(frame.runs_once() for frame in self._frames[depth:])

    def note_resize(self, values: NumberList) -> None:
        """Notes that the length of a list changes here."""
        for frame in self._frames:
            frame.resized.append((values, frame.label, self.builder.location))

    def _check_iterated_lists(self, frame: _Frame, blocks: dict[int, ir.Block]) -> None:
        """Refuses loops over a list in which its length changes."""
        if not frame.iterated:
            return
        loops = ir_utils.compute_cfg_from_blocks(blocks).loops()
        for values, head in frame.iterated:
            body = next((loop.body for loop in loops.values() if loop.header == head), ())
            for other, label, location in frame.resized:
                if other.length is values.length and label in body:
                    raise refuse("a list whose length changes in a loop over it can't be differentiated", location)

    def _first_block(self, label: int, frame: _Frame | None = None) -> Block:
        blocks = (frame or self.frame).first_blocks
        if label not in blocks:
            blocks[label] = self.builder.new_block()
        return blocks[label]

    @property
    def frame(self) -> _Frame:
        """The call that is lowered."""
        return self._frames[-1]

    def _merged_returns(self, frame: _Frame) -> Any:
        """Continues after a call: returns its result, from several returns by phis."""
        builder = self.builder
        if not frame.returns:
            raise refuse(f"{frame.function.name} never returns", frame.function.location)
        if len(frame.returns) == 1:
            ((block, value),) = frame.returns
            builder.enter(block)
            return value
        after = builder.new_block()
        for block, _ in frame.returns:
            block.end = Jump(after)
        builder.enter(after)
        merged = self.phi_of_type(frame.function.result, "result")
        for block, value in frame.returns:
            self.add_incoming(merged, block, value)
        return merged

    # ---- statements ------------------------------------------------------------------------------------------

    def _statement(self, label: int, statement: Any) -> None:
        builder, frame = self.builder, self.frame
        if isinstance(statement, ir.Assign):
            name = statement.target.name
            value = self._assign(name, statement.value)
            if name in frame.function.locals:
                value = self.cast(
                    value.item if isinstance(value, Step) and value.is_resolved else value, self._type(name)
                )
            frame.values[name] = value
        elif isinstance(statement, (ir.SetItem, ir.StaticSetItem)):
            self._set_item(statement)
        elif isinstance(statement, ir.DelItem) and isinstance(self.value(statement.target), Mapping):
            mappings.remove(self, self.value(statement.target), self.value(statement.index))
        elif isinstance(statement, ir.SetAttr) and isinstance(self.value(statement.target), Fields):
            containers.set_field(self, self.value(statement.target), statement.attr, self.value(statement.value))
        elif isinstance(statement, ir.Jump):
            frame.last_blocks[label] = builder.block
            frame.reached.add(statement.target)
            builder.jump(self._first_block(statement.target))
        elif isinstance(statement, ir.Branch):
            self._branch(label, statement)
        elif isinstance(statement, ir.Return):
            frame.returns.append((builder.block, self.optional_value(statement.value)))
        elif isinstance(statement, ir.StaticRaise):
            self._raise(statement)
        elif isinstance(statement, (ir.StaticTryRaise, ir.DynamicTryRaise)):
            pass  # the block goes to the handler
        elif isinstance(statement, ir.Print):
            self._print(statement)
        elif isinstance(statement, ir.DynamicRaise):
            raise refuse(
                "an exception whose message is computed can't be raised in a derivative: use constants",
                self.builder.location,
            )
        elif not isinstance(statement, ir.Del):
            raise refuse(f"{type(statement).__name__} can't be differentiated: {statement}", self.builder.location)

    def _branch(self, label: int, statement: ir.Branch) -> None:
        builder, frame = self.builder, self.frame
        condition = self.value(statement.cond)
        if isinstance(condition, Static):
            condition = builder.constant(bool(condition.value))
        frame.last_blocks[label] = builder.block
        if isinstance(condition, Constant) or statement.truebr == statement.falsebr:
            target = statement.truebr if isinstance(condition, Scalar) or condition.value else statement.falsebr
            frame.reached.add(target)
            builder.jump(self._first_block(target))
            return
        definition = condition.definition
        if isinstance(definition, NextIteration):
            steps = [
                value for value in frame.values.values() if isinstance(value, Step) and value.is_valid is condition
            ]
            frame.at_entry.setdefault(statement.truebr, []).extend(step.resolve for step in steps)
        frame.reached |= {statement.truebr, statement.falsebr}
        builder.block.end = Branch(
            self.scalar(condition), self._first_block(statement.truebr), self._first_block(statement.falsebr)
        )

    def raise_(self, end: Raise) -> None:
        """Ends the current block with an exception, or with the jump to what handles it."""
        for frame in reversed(self._frames):
            handler = frame.handler()
            if handler is not None:
                frame.reached.add(handler)
                frame.raising.setdefault((frame.label, handler), []).append(self.builder.block)
                self.builder.jump(self._first_block(handler, frame))
                return
        self.builder.block.end = end

    def _raise(self, statement: ir.StaticRaise) -> None:
        if any(frame.handler() is not None for frame in self._frames):
            self.raise_(Raise(Exception, ()))
            return
        arguments = statement.exc_args or ()
        if statement.exc_class is None:
            raise refuse("a raise without an exception can't be differentiated", self.builder.location)
        if not all(isinstance(argument, (str, int, float, types.NoneType)) for argument in arguments):
            raise refuse(
                f"{statement.exc_class.__name__} with arguments that are no constant numbers or texts can't be raised in a derivative",
                self.builder.location,
            )
        self.raise_(Raise(statement.exc_class, tuple(arguments)))

    def _print(self, statement: ir.Print) -> None:
        """Lowers a print of numbers and texts, which happens where it is, once."""
        if statement.vararg is not None:
            raise refuse("a print with *args can't be differentiated", self.builder.location)
        texts: list[str] = []
        operands: list[Operand] = []
        for variable in statement.args:
            value = self.value(variable)
            if isinstance(value, Static) and isinstance(value.value, (str, bool, type(None))):
                texts.append(quote(value.value))
            elif isinstance(value, (Constant, Scalar)):
                texts.append(f"{{{len(operands)}}}")
                operands.append(value)
            else:
                raise refuse(
                    f"a print of {describe(value)} can't be differentiated: print its numbers", self.builder.location
                )
        operation = ScalarOperation(f"print({', '.join(texts)})")
        self.builder.compute(types.boolean, operation, operands, COST_OF_EFFECTS)

    def _set_item(self, statement: Any) -> None:
        builder = self.builder
        selection = self.selection(statement.target)
        if selection is not None:
            assigned = self.array_expressions.materialize(self, self.value(statement.value))
            indices = self._indices(statement)
            self.by_branches(selection.items, selection.index, lambda view: self._set_elements(view, indices, assigned))
            return
        target = self.value(statement.target)
        value = self.value(statement.value)
        if not isinstance(target, View):
            value = self.array_expressions.materialize(self, value)
        if isinstance(target, Fields) and isinstance(statement, ir.StaticSetItem) and isinstance(statement.index, str):
            containers.set_field(self, target, statement.index, value)
            return
        if isinstance(target, Mapping):
            mappings.set_item(self, target, self._mapping_key(statement), value)
            return
        if not isinstance(target, (View, Fields, *lists.LISTS)):
            raise refuse(f"the assignment of an item of {describe(target)} can't be differentiated", builder.location)
        indices = self._indices(statement)
        if isinstance(target, Fields):
            containers.set_field(self, target, indices, value)
            return
        if isinstance(target, ArrayList) and self._is_item_updated_in_place(statement):
            return
        if isinstance(target, lists.LISTS):
            lists.set_item(self, target, indices[0], value)
            return
        self._set_elements(target, indices, value)

    def _is_item_updated_in_place(self, statement: Any) -> bool:
        """True if a statement assigns to an item what an operator such as ``rows[i] += x`` returns, which is the item."""
        definitions = self.frame.definitions
        update = definitions.get(statement.value.name)
        if not isinstance(update, ir.Expr) or update.op != "inplace_binop":
            return False
        read = definitions.get(update.lhs.name)
        if not isinstance(read, ir.Expr) or read.op not in ("getitem", "static_getitem", "typed_getitem"):
            return False
        indices = [getattr(index, "name", index) for index in (read.index, statement.index)]
        return bool(read.value.name == statement.target.name and indices[0] == indices[1])

    def _set_elements(self, target: View, indices: list[Any], value: Any) -> None:
        """Lowers the assignment of elements of an array."""
        builder = self.builder
        if len(indices) == len(target.axes) and all(isinstance(index, (Constant, Scalar)) for index in indices):
            view_rules.store_element(builder, target, indices, self.number(value))
            return
        if any(isinstance(index, View) for index in indices):
            value = self.array_expressions.materialize(self, value)
            selections.assign_selected(self, target, indices, value)
            return
        self.array_functions.assign(self, view_rules.subview(builder, target, indices), value)

    # ---- phis -------------------------------------------------------------------------------------------------------

    def _expression_phi(self, name: str, value: ir.Expr) -> Any:
        frame = self.frame
        phi_type = self._type(name)
        definitions = self._definitions_of_phi(name)
        if len(definitions) == 1:
            only = frame.values.get(next(iter(definitions)))
            if only is not None and self._is_settled(only, next(iter(definitions))):
                return only
        is_function = isinstance(phi_type, types.FunctionType)
        phi = self._phi_of_functions(definitions, phi_type) if is_function else self.phi_of_type(phi_type, name)
        frame.pending_phis.append((frame.label, phi, value))
        return phi

    def _phi_of_functions(self, definitions: set[str], type: types.FunctionType) -> Any:
        """Returns a new phi of functions: the number of one of those that the variables ``definitions`` stand for."""
        functions: list[Any] = []
        for name in sorted(definitions):
            value, definition = self.frame.values.get(name), self.frame.definitions.get(name)
            while isinstance(value, Step) and value.is_resolved:
                value = value.item
            if value is None and isinstance(definition, (ir.Const, ir.Global, ir.FreeVar)):
                value = Static(definition.value)
            if isinstance(value, FunctionChoice):
                functions += value.functions
            elif isinstance(value, Static):
                functions.append(value.value)
            else:
                return Deferred("a function is computed in a loop that uses it before")
        index = self.phi_of_type(INDEX, "function")
        return FunctionChoice(tuple(dict.fromkeys(functions)), index, type.get_precise())

    def _number_of_function(self, choice: FunctionChoice, block: Block, value: Any) -> Operand:
        """Returns the number in ``choice`` of the function that ``value`` is at the end of ``block``."""
        if not isinstance(value, FunctionChoice):
            return index_constant(choice.functions.index(value.value) if isinstance(value, Static) else 0)
        numbers = [index_constant(choice.functions.index(function)) for function in value.functions]
        builder, here = self.builder, self.builder.block
        builder.block = block
        number = self._selected_number(numbers, value.index, INDEX)
        builder.block = here
        return number

    def _is_settled(self, value: Any, name: str) -> bool:
        """True if the only definition of a phi gives it its value: it comes before the phi on each way, or has no numbers that change."""
        if isinstance(value, (Scalar, Member, Step)):
            return False
        if isinstance(value, Static) and not isinstance(value.value, Slice):
            return True
        return self.frame.labels.get(name) in self.frame.dominators[self.frame.label]

    def _definitions_of_phi(self, name: str) -> set[str]:
        """Returns the variables whose value the phi ``name`` can have, through copies and other phis."""
        definitions: set[str] = set()
        visited, pending = set(), [name]
        while pending:
            current = pending.pop()
            if current in visited:
                continue
            visited.add(current)
            value = self.frame.definitions.get(current)
            if isinstance(value, ir.Var):
                pending.append(value.name)
            elif isinstance(value, ir.Expr) and value.op == "phi":
                incoming = zip(value.incoming_values, value.incoming_blocks, strict=True)
                pending += [v.name for v, _ in incoming if v is not ir.UNDEFINED]
            elif isinstance(value, ir.Expr) and value.op == "cast":
                pending.append(value.value.name)
            else:
                definitions.add(current)
        return definitions

    def phi_of_type(self, type: types.Type, hint: str) -> Any:
        """Returns the value of a new phi: a scalar, a view of a root of kind "phi", or a tuple of them."""
        builder = self.builder
        type = types.unliteral(type)
        if isinstance(type, types.BaseTuple):
            return Items([self.phi_of_type(item, hint) for item in type], type)
        if isinstance(type, types.NoneType):
            return Static(None)
        if isinstance(type, types.UnicodeType):
            return NumberedText(self.phi_of_type(INDEX, hint))
        if isinstance(type, types.EnumMember):
            number = self.phi_of_type(type.dtype, hint)
            return number if isinstance(type, types.IntEnumMember) else Member(number, type)
        if isinstance(type, types.Dispatcher):
            return Static(type.dispatcher)
        optional = (*containers.NUMBERS, types.Array, types.EnumMember)
        if isinstance(type, types.Optional) and isinstance(type.type, optional):
            return Maybe(self.phi_of_type(types.boolean, hint), self.phi_of_type(type.type, hint))
        if isinstance(type, types.Array):
            root = builder.root(type, "phi", hint)
            builder.block.phis.append(Phi(root, builder.location))
            builder.read_dims(root, type)
            return View.whole(root, type.dtype)
        if isinstance(type, types.Complex):
            return Complex(*[self.phi_of_type(type.underlying_float, hint) for _ in ("real", "imag")])
        if isinstance(type, (types.Float, types.Integer, types.Boolean)):
            scalar = builder.scalar(type, hint)
            builder.block.phis.append(Phi(scalar, builder.location))
            return scalar
        if isinstance(type, types.RangeType) and type.dtype == INDEX:
            return Range(*[self.phi_of_type(INDEX, hint) for _ in range(3)])
        return Deferred(f"{hint.partition('.')[0]} is of type {type} and has several definitions")

    def _complete_phis(self, frame: _Frame) -> None:
        """Adds the incoming values of the phis of a call, which are all known now."""
        for target, phi, expression in frame.pending_phis:
            for variable, label in zip(expression.incoming_values, expression.incoming_blocks, strict=True):
                if label in frame.last_blocks and label in frame.reached:
                    value = None if variable is ir.UNDEFINED else frame.values.get(variable.name)
                    while isinstance(value, Step) and value.is_resolved:
                        value = value.item
                    for block in [frame.last_blocks[label], *frame.raising.get((label, target), [])]:
                        self.add_incoming(phi, block, value)

    def add_incoming(self, phi: Any, block: Block, value: Any) -> None:
        """Adds the value that a phi has if the way to it comes from ``block``; None is a variable that has no value there."""
        if isinstance(phi, Items):
            items = [None] * len(phi.values) if value is None else value.values
            for item, item_value in zip(phi.values, items, strict=True):
                self.add_incoming(item, block, item_value)
        elif isinstance(phi, Maybe):
            is_none = value is None or (isinstance(value, Static) and value.value is None)
            is_set = value.is_set if isinstance(value, Maybe) else self.builder.constant(not is_none)
            self.add_incoming(phi.is_set, block, is_set)
            self.add_incoming(phi.value, block, None if is_none else value.value if isinstance(value, Maybe) else value)
        elif isinstance(phi, NumberedText):
            here, self.builder.block = self.builder.block, block
            number = index_constant(0) if value is None else self.number_of_text(value)
            self.builder.block = here
            self.add_incoming(phi.number, block, number)
        elif isinstance(phi, Member):
            self.add_incoming(phi.number, block, None if value is None else self.number_of_member(value))
        elif isinstance(phi, Range):
            for part in ("start", "stop", "step"):
                self.add_incoming(getattr(phi, part), block, None if value is None else getattr(value, part))
        elif isinstance(phi, FunctionChoice):
            self.add_incoming(phi.index, block, self._number_of_function(phi, block, value))
        elif isinstance(phi, Complex):
            is_real = isinstance(value, (Constant, Scalar))
            self.add_incoming(phi.real, block, value.real if isinstance(value, Complex) else value)
            self.add_incoming(phi.imag, block, value.imag if isinstance(value, Complex) else None if is_real else value)
        elif isinstance(phi, Scalar):
            statement = self._phi_statement(phi)
            if value is None or isinstance(value, Step):
                value = Constant(0, phi.type)
            if not isinstance(value, (Constant, Scalar)):
                raise refuse(f"a variable is a number on one way and {describe(value)} on another", statement.location)
            statement.incoming[block] = value
        elif isinstance(phi, View):
            statement = self._phi_statement(phi.root)
            if isinstance(value, Selection):
                raise refuse(
                    "an array of a tuple that is written can't be one of several arrays in a derivative; index the tuple where it is used",
                    statement.location,
                )
            if value is None:
                value = self._empty_array(phi.root, block)
            if not isinstance(value, View):
                raise refuse(f"a variable is an array on one way and {describe(value)} on another", statement.location)
            statement.incoming[block] = value.real()

    def _empty_array(self, phi: Root, block: Block) -> View:
        """Returns what an array without a value is in Numba: one without elements, made at the end of ``block``."""
        builder, here = self.builder, self.builder.block
        builder.block = block
        dims: list[Operand] = [dim if isinstance(dim, Constant) else index_constant(0) for dim in phi.dims]
        array = builder.allocate(phi.type.dtype, dims, "empty")
        builder.block = here
        return array

    def _phi_statement(self, target: Scalar | Root) -> Phi:
        assert target.block is not None
        return next(phi for phi in target.block.phis if phi.target is target)

    # ---- loops -----------------------------------------------------------------------------------------------------

    def _expression_getiter(self, name: str, value: ir.Expr) -> Any:
        items = self.value(value.value)
        iterable = self.iterable(items)
        is_parallel = isinstance(items, Range) and items.is_parallel
        counter = Counter(
            self.builder.name("k"), iterable.count, self.builder.block, self.frame.is_internal, is_parallel
        )
        self.result.counters.append(counter)
        self.builder.block.statements.append(BeginLoop(self.builder.location, counter))
        return LoopState(counter, iterable)

    def iterable(self, value: Any) -> Iterable:
        """Returns what a ``for`` loop goes through: a number of items, and the item of a number."""
        builder = self.builder
        if isinstance(value, Iterable):
            return value
        if isinstance(value, Range):
            return self._iterable_of_range(value)
        if isinstance(value, View) and value.axes:
            return Iterable(value.axes[0].size, lambda k: self.element_or_view(view_rules.subview(builder, value, [k])))
        if isinstance(value, Mapping):
            return mappings.iterable(self, value)
        if isinstance(value, lists.LISTS):
            return lists.iterable(self, value)
        if isinstance(value, Fields) and isinstance(value.type, types.Array):
            first = next(iter(value.parts.values()))
            return Iterable(first.axes[0].size, lambda k: containers.field_item(self, value, k))
        if isinstance(value, Items):
            item_type = types.unliteral(getattr(value.type, "dtype", None) or types.none)
            result = Iterable(index_constant(len(value.values)), lambda k: self.selected_item(value, k, item_type))
            if self.is_selection(value):
                result.selection = lambda k: Selection(value.values, k, item_type)
            return result
        raise refuse(f"a loop over {describe(value)} can't be differentiated", builder.location)

    def _iterable_of_range(self, value: Range) -> Iterable:
        builder = self.builder
        start, stop, step = [self.as_signed(bound) for bound in (value.start, value.stop, value.step)]
        if is_constant(step, 1):
            count = builder.index(SUBTRACT, stop, start)
        elif is_constant(step, -1):
            count = builder.index(SUBTRACT, start, stop)
        else:
            range_count = builder.call_of(loop_sources.range_count, 3)
            count = builder.index(range_count, start, stop, step, cost=DIVISION_COST)
        is_rising = isinstance(step, Constant) and step.value > 0 and is_natural_number(start)
        falls_to_zero = (
            isinstance(step, Constant) and step.value < 0 and isinstance(stop, Constant) and stop.value >= -1
        )

        def item(k: Scalar) -> Operand:
            distance = builder.index(MULTIPLY, k, step)
            target = builder.index(ADD, start, distance)
            if isinstance(target, Scalar) and (is_rising or falls_to_zero):
                target.is_natural = True
            return target

        return Iterable(count, item)

    def _expression_iternext(self, name: str, value: ir.Expr) -> Any:
        builder = self.builder
        state = self.value(value.value)
        if not isinstance(state, LoopState):
            raise refuse("this loop can't be differentiated", builder.location)
        counter = state.counter
        if counter.head is not None:
            raise refuse("an iterator that is advanced in two places can't be differentiated", builder.location)
        counter.head = builder.block
        self.frame.iterated += [(values, self.frame.label) for values in state.iterable.lists]
        target, is_valid = builder.scalar(INDEX, "k"), builder.scalar(types.boolean, "more")
        target.is_natural = True
        statement = NextIteration(builder.location, counter, target, is_valid)
        target.definition = is_valid.definition = statement
        builder.block.statements.append(statement)
        select = state.iterable.selection
        return Step(is_valid, lambda: state.iterable.item(target), select and (lambda: select(target)))

    def _expression_pair_first(self, name: str, value: ir.Expr) -> Any:
        step = self.frame.values[value.value.name]
        if step.select is not None and self.is_written(name):
            step.make = step.select
        return step

    def _expression_pair_second(self, name: str, value: ir.Expr) -> Any:
        return self.frame.values[value.value.name].is_valid
