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

from fastgrad._src.core.errors import DifferentiationError
from fastgrad._src.derivatives.analysis.control_flow import possible_memory_roots, reverse_postorder
from fastgrad._src.derivatives.codegen.extensions import Extensions
from fastgrad._src.derivatives.codegen.inferred_overloads import called_functions
from fastgrad._src.derivatives.frontend import containers
from fastgrad._src.derivatives.frontend.builder import Builder
from fastgrad._src.derivatives.frontend.calls import Calls, refuse_literal
from fastgrad._src.derivatives.frontend.expressions import Expressions
from fastgrad._src.derivatives.frontend.frames import Frame, InternalFrame
from fastgrad._src.derivatives.frontend.iteration import Iteration
from fastgrad._src.derivatives.frontend.operands import Operands
from fastgrad._src.derivatives.frontend.operators import Operators
from fastgrad._src.derivatives.frontend.phis import Phis
from fastgrad._src.derivatives.frontend.subscripts import Subscripts
from fastgrad._src.derivatives.frontend.texts import Texts
from fastgrad._src.derivatives.frontend.typed_functions import TypedFunction, typed_function
from fastgrad._src.derivatives.functions.content import content_of
from fastgrad._src.derivatives.functions.options import DEFAULT_OPTIONS, Options
from fastgrad._src.derivatives.ir.call_rules import Callee
from fastgrad._src.derivatives.ir.operands import (
    Constant,
    Location,
    Operand,
    Root,
    Scalar,
    View,
    index_constant,
    refuse,
)
from fastgrad._src.derivatives.ir.representation import Block, Function
from fastgrad._src.derivatives.ir.statements import COST_OF_EFFECTS, Branch, Jump, NextIteration, Raise, Return
from fastgrad._src.derivatives.ir.values import (
    Complex,
    EnumerationMember,
    Fields,
    Iterable,
    NumberedText,
    NumberList,
    RandomGenerator,
    Static,
    Step,
    Text,
    Window,
    describe,
    item_if_read,
    parts_of,
    static_text,
)
from fastgrad._src.derivatives.output import tree as code
from fastgrad._src.derivatives.output.text import expression
from fastgrad._src.derivatives.transform.simplification import simplify
from fastgrad._src.jit.key_texts import NoKeyError
from fastgrad._src.jit.numba_internals import ForceLiteralArg, NumbaError, global_compiler_lock, ir, ir_utils
from fastgrad._src.scalars.formulas import Term

_NUMBER = object()
"""Stands for a number among the parts of a print."""


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
    with _cached_typing():
        return Lowering(function, argument_types, options, caller, values)


_thread = threading.local()


@contextlib.contextmanager
def _cached_typing() -> Iterator[None]:
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
        if _assumed:
            return _analyze(*key, "")
        callee, uses = _cached_analysis(*key, _content_of(function))
        Extensions.uses += uses  # also if it was analyzed earlier
        return callee


def _content_of(function: Any) -> str:
    """Returns the text of all that a function reads; if it has none, a text that no other call returns."""
    try:
        return content_of(function)
    except NoKeyError:
        return str(next(_numbers))


@functools.lru_cache(maxsize=256)
def _cached_analysis(function: Any, argument_types: tuple[types.Type, ...], content: str) -> tuple[Callee, int]:
    """Returns what callers need to know of a function, and how often the analysis has used extensions of Numba."""
    uses = Extensions.uses
    callee = _analyze(function, argument_types, content)
    return callee, Extensions.uses - uses


def _analyze(function: Any, argument_types: tuple[types.Type, ...], content: str) -> Callee:
    key, callee = (function, argument_types), Callee(function, argument_types, types.none, content=content)
    before = {*_consulted}
    _consulted.clear()
    try:
        with _cached_typing():
            callee = callee._replace(result=_thread.typed(function, argument_types).result)
            while _assumed.get(key) != callee:
                _assumed[key] = callee
                callee = _analyze_assuming_callee(callee)
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


def _analyze_assuming_callee(callee: Callee) -> Callee:
    lowered = lower(callee.function, callee.types, Options.of(callee.function))
    simplify(lowered)
    parts, memory = parts_of(lowered), possible_memory_roots(lowered)
    returned: set[Root] = set()
    for block in lowered.blocks:
        returned = returned.union(*[memory[root.memory_owner] for value in block.results for root in value.roots])
    return callee._replace(
        active=tuple(number for number, part in enumerate(parts) if part.is_real),
        written=frozenset(number for number, part in enumerate(parts) for root in part.roots if root.is_written),
        returned=frozenset(number for number, part in enumerate(parts) if part in returned),
    )


_REFUSALS: dict[type, str] = {
    ir.Yield: (
        "a generator can be differentiated only where one for loop or list() reads it in the function that calls it; replace next() by a for loop with a break"
    ),
    ir.DynamicRaise: "an exception whose message is computed can't be raised in a derivative: use constants",
}


class Lowering:
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
        self.builder: Builder = Builder(self.result, None if caller is None else caller.builder)
        self.frames: list[Frame] = []
        self._resized: list[NumberList] = []
        self.typed = _thread.typed
        self.texts: Texts = Texts(self.builder, None if caller is None else caller.texts)
        self.operands = Operands(self)
        self.operators = Operators(self)
        self.subscripts = Subscripts(self)
        self.expressions = Expressions(self)
        self.calls = Calls(self)
        self.phis = Phis(self)
        self.iteration = Iteration(self)
        self._rules_of_values = self._make_rules_of_values()
        self._rules_of_statements = self._make_rules_of_statements()
        arguments = [
            self.operands.parameter(f"a_{name}", type, position)
            for position, (name, type) in enumerate(zip(parameters, argument_types, strict=True))
        ]
        for position, value in enumerate(values):
            arguments[position] = value if isinstance(value, (RandomGenerator, Static, Text)) else arguments[position]
        self.result.arguments = arguments
        value = self.body(typed, arguments, options)
        if caller is None:
            self.texts.intern_text_parameters()
        self.result.result = typed.result
        results: list[Operand | View] = []
        for leaf in value.leaves:
            if isinstance(leaf, Complex):
                results += [leaf.real, leaf.imag]
            elif isinstance(leaf, Fields):
                raise self.builder.refuse(
                    f"{typed.name} returns {describe(leaf)}, which can't be differentiated: return its fields"
                )
            elif isinstance(leaf, RandomGenerator):
                raise self.builder.refuse(
                    f"{typed.name} returns {describe(leaf)}, which can't be differentiated: the caller has it as an argument"
                )
            elif static_text(leaf) is not None:
                results.append(Constant(leaf.value, types.unicode_type))
            elif isinstance(leaf, (EnumerationMember, NumberedText, Static)):
                returned = "one of several texts" if isinstance(leaf, NumberedText) else describe(leaf)
                raise self.builder.refuse(
                    f"{typed.name} returns {returned}, which can't be differentiated: return a number for each"
                )
            else:
                results.append(self.operands.plain(leaf).real() if leaf.is_array else leaf)
        self.builder.block.end = Return(results, self.builder.location)

    @property
    def array_functions(self) -> Any:
        """The rules of NumPy's functions of arrays."""
        from fastgrad._src.derivatives.numpy import (
            elementwise_and_reductions,  # the import adds rules
            joins_and_views,  # noqa: F401  # the import adds rules
            products,  # noqa: F401  # the import adds rules
        )

        return elementwise_and_reductions

    def _lower_assigned_value(self, name: str, expression: Any) -> Any:
        """Lowers the right side of an assignment to the variable ``name``."""
        rule = self._rules_of_values.get(expression.op if isinstance(expression, ir.Expr) else type(expression))
        if rule is None:
            raise self._refusal(expression)
        return rule(name, expression)

    def _refusal(self, part: Any) -> DifferentiationError:
        """Returns the error for a statement or an expression without a rule."""
        if isinstance(part, ir.Expr):
            return self.builder.refuse(f"the operation {part.op} can't be differentiated: {part}")
        detail = f": {part}" if isinstance(part, ir.Stmt) else ""
        return self.builder.refuse(
            _REFUSALS.get(type(part)) or f"{type(part).__name__} can't be differentiated{detail}"
        )

    def _copy(self, name: str, variable: ir.Var) -> Any:
        value = self.frame.values.get(variable.name)  # a comprehension keeps an outer variable that may have no value
        return self.operands.optional_value(variable) if isinstance(value, Window) else value

    def _make_rules_of_values(self) -> dict[Any, Callable[[str, Any], Any]]:
        """Returns what lowers the right sides of assignments of Numba's intermediate representation, by operations of expressions and by other classes."""
        return {
            ir.Arg: lambda _, argument: self.frame.arguments[argument.index],
            **dict.fromkeys([ir.Const, ir.Global, ir.FreeVar], lambda _, known: self.operands.static(known.value)),
            ir.Var: self._copy,
            "arrayexpr": self.operators.array_expression,
            "binop": self.operators.binary,
            "build_list": self.expressions.build_list,
            "build_map": self.expressions.build_map,
            "build_set": self.expressions.build_set,
            "build_tuple": self.expressions.build_tuple,
            "call": self.calls.call_expression,
            "cast": self.operands.cast_expression,
            "exhaust_iter": self.expressions.unpack,
            "getattr": self.expressions.attribute,
            "getiter": self.iteration.begin,
            "inplace_binop": self.operators.in_place,
            "iternext": self.iteration.next_item,
            "pair_first": self.iteration.item_of_pair,
            "pair_second": self.iteration.has_item,
            "phi": self.phis.phi,
            "unary": self.operators.unary,
            "undef": lambda name, _: None,  # as a phi's value on a way without one
            **dict.fromkeys(["getitem", "static_getitem", "typed_getitem"], self.subscripts.item),
        }

    def _make_rules_of_statements(self) -> dict[type, Callable[[Any], None]]:
        """Returns what lowers the statements of Numba's intermediate representation, by class."""
        return {
            ir.Assign: self._assign,
            ir.SetItem: self.subscripts.set_item,
            ir.StaticSetItem: self.subscripts.set_item,
            ir.DelItem: self.subscripts.delete_item,
            ir.SetAttr: self._set_attribute,
            ir.Jump: self._jump,
            ir.Branch: self._branch,
            ir.Return: self._return,
            ir.Print: self._print,
            ir.StaticRaise: self._raise,
            # The block of a raise within try goes to the handler.
            **dict.fromkeys([ir.StaticTryRaise, ir.DynamicTryRaise, ir.Del], lambda _: None),
        }

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
        self.frames.append(InternalFrame())
        try:
            with _cached_typing():
                self.typed = _thread.typed
                yield
        finally:
            self.frames.pop()
            self.builder.location = before

    def body(self, typed: TypedFunction, arguments: list[Any], options: Options, is_internal: bool = False) -> Any:
        """Lowers the statements of a function; returns its result."""
        frame = Frame(typed, arguments, options, is_internal)
        for generator in typed.generators:
            if not options.agree(Options.of(generator)):
                raise refuse(
                    f"the generator {generator.__name__} has other options of njit than {typed.name}, which can't be differentiated",
                    typed.location,
                )
        self.frames.append(frame)
        builder = self.builder
        caller_checks_bounds, builder.checks_bounds = builder.checks_bounds, options.checks_bounds and not is_internal
        blocks = typed.ir.blocks
        flow = ir_utils.compute_cfg_from_blocks(blocks)
        frame.dominators = flow.dominators()
        for label, block in blocks.items():
            for statement in block.body:
                if isinstance(statement, ir.Assign):
                    frame.labels[statement.target.name] = label
                    if statement.target.name in frame.definitions:
                        raise refuse(f"the variable {statement.target.name} is not in SSA form", statement.loc)
                    frame.definitions[statement.target.name] = statement.value
        # Numba's order does not put each block after its dominators.
        order = reverse_postorder(flow.entry_point(), lambda label: [after for after, _ in flow.successors(label)])
        frame.reached.add(order[0])
        entry = builder.new_block()
        builder.jump(entry)
        frame.first_blocks[order[0]] = entry
        for label in order:
            if label not in frame.reached:
                continue
            builder.enter(self._first_block(label))
            frame.label = label
            builder.is_in_try = any(other.handler() is not None for other in self.frames)
            for action in frame.at_entry.get(label, []):
                action()
            for statement in blocks[label].body:
                if not frame.is_internal and (statement.loc.filename == frame.function.location.filename):
                    builder.location = statement.loc
                self._statement(statement)
            frame.last_blocks.setdefault(label, builder.block)
        self.phis.complete(frame)
        self._check_iterated_lists(frame, blocks)
        self.frames.pop()
        builder.checks_bounds = caller_checks_bounds
        builder.is_in_try = any(other.handler() is not None for other in self.frames)
        return self._merged_returns(frame)

    @property
    def depth(self) -> int:
        """The number of calls that are lowered, each within the one before."""
        return len(self.frames)

    def runs_once_since(self, depth: int | None) -> bool:
        """True if the statement that is lowered runs once in each of the calls within the first ``depth`` ones."""
        return depth is not None and all(frame.runs_once() for frame in self.frames[depth:])

    def note_length_change(self, values: NumberList) -> None:
        """Notes that the length of a list changes here."""
        self._resized.append(values)
        for frame in self.frames:
            frame.resized.append((values, frame.label, self.builder.location))

    def _note_iterator(self, name: str, expression: Any, iterator: Any) -> None:
        """Notes where an iterator is made, or where the function that made it has returned it."""
        iterators = self.frame.iterators
        if isinstance(expression, ir.Var) and expression.name in iterators:
            iterators[name] = iterators[expression.name]
        elif isinstance(self.frame.function.types.get(name), types.NumpyFlatType):  # an array, which has places, too
            iterator = iterators[name] = Iterable(index_constant(0), lambda k: k)
        if not isinstance(iterator, Iterable):
            return
        origin = iterator.origin
        if origin is None or (origin[0] is not None and origin[0] not in self.frames):
            count = len(self._resized) if origin is None else origin[2]
            iterator.origin = (self.frame, self.frame.label, count)

    def note_iterator_use(self, iterator: Iterable) -> None:
        """Notes that an iterator is gone through here, which it can be once.

        Raises:
            DifferentiationError: it may have been gone through before, or the length of its list has changed since it was made.
        """
        if iterator.origin is None:
            return
        frame, label, count = iterator.origin
        iterator.origin = (None, label, count)
        if frame not in self.frames or self._may_repeat_since(frame, label):
            raise self.builder.refuse(
                "an iterator that may have been gone through before can't be differentiated: make it where the loop begins"
            )
        lengths = [values.length for values in iterator.lists]
        if any(values.length is length for values in self._resized[count:] for length in lengths):
            raise self.builder.refuse(
                "an iterator over a list whose length changes before the loop can't be differentiated: make it where the loop begins"
            )

    def _may_repeat_since(self, frame: Frame, label: int) -> bool:
        """True if the statement that is lowered may run several times for one run of a block of a call that it is within."""
        for other in self.frames[self.frames.index(frame) :]:
            if isinstance(other, InternalFrame):
                continue
            loops = ir_utils.compute_cfg_from_blocks(other.function.ir.blocks).loops().values()
            if any(other.label in loop.body and not (other is frame and label in loop.body) for loop in loops):
                return True
        return False

    def _check_iterated_lists(self, frame: Frame, blocks: dict[int, ir.Block]) -> None:
        """Refuses loops over a list in which its length changes."""
        if not frame.iterated:
            return
        loops = ir_utils.compute_cfg_from_blocks(blocks).loops()
        for values, head in frame.iterated:
            body = next((loop.body for loop in loops.values() if loop.header == head), ())
            for other, label, location in frame.resized:
                if other.length is values.length and label in body:
                    raise refuse("a list whose length changes in a loop over it can't be differentiated", location)

    def _first_block(self, label: int, frame: Frame | None = None) -> Block:
        blocks = (frame or self.frame).first_blocks
        if label not in blocks:
            blocks[label] = self.builder.new_block()
        return blocks[label]

    @property
    def frame(self) -> Frame:
        """The call that is lowered."""
        return self.frames[-1]

    def _merged_returns(self, frame: Frame) -> Any:
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
        return self.phis.merge(frame.function.result, frame.returns, "result")

    def _statement(self, statement: Any) -> None:
        rule = self._rules_of_statements.get(type(statement))
        if rule is None:
            raise self._refusal(statement)
        rule(statement)

    def _assign(self, statement: ir.Assign) -> None:
        name, frame = statement.target.name, self.frame
        value = self._lower_assigned_value(name, statement.value)
        if name in frame.function.locals:
            value = self.operands.cast(item_if_read(value), frame.type_of(name))
        frame.values[name] = value
        self._note_iterator(name, statement.value, value)

    def _set_attribute(self, statement: ir.SetAttr) -> None:
        owner = self.operands.value(statement.target)
        if not isinstance(owner, Fields):
            raise self._refusal(statement)
        containers.set_field(self, owner, statement.attr, self.operands.value(statement.value))

    def _jump(self, statement: ir.Jump) -> None:
        self.frame.last_blocks[self.frame.label] = self.builder.block
        self.frame.reached.add(statement.target)
        self.builder.jump(self._first_block(statement.target))

    def _return(self, statement: ir.Return) -> None:
        self.frame.returns.append((self.builder.block, self.operands.optional_value(statement.value)))

    def _branch(self, statement: ir.Branch) -> None:
        builder, frame = self.builder, self.frame
        condition = self.operands.value(statement.cond)
        if isinstance(condition, Static):
            condition = builder.constant(bool(condition.value))
        frame.last_blocks[frame.label] = builder.block
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
            self.operands.scalar(condition), self._first_block(statement.truebr), self._first_block(statement.falsebr)
        )

    def raise_(self, end: Raise) -> None:
        """Ends the current block with an exception, or with the jump to what handles it."""
        for frame in reversed(self.frames):
            handler = frame.handler()
            if handler is not None:
                frame.reached.add(handler)
                frame.raising.setdefault((frame.label, handler), []).append(self.builder.block)
                self.builder.jump(self._first_block(handler, frame))
                return
        self.builder.block.end = end

    def _raise(self, statement: ir.StaticRaise) -> None:
        if any(frame.handler() is not None for frame in self.frames):
            self.raise_(Raise(Exception, ()))
            return
        arguments = statement.exc_args or ()
        if statement.exc_class is None:
            raise self.builder.refuse("a raise without an exception can't be differentiated")
        if not all(isinstance(argument, (str, int, float, types.NoneType)) for argument in arguments):
            raise self.builder.refuse(
                f"{statement.exc_class.__name__} with arguments that are no constant numbers or texts can't be raised in a derivative"
            )
        self.raise_(Raise(statement.exc_class, tuple(arguments), statement.loc))

    def _print(self, statement: ir.Print) -> None:
        """Lowers a print of numbers and texts, which happens where it is, once."""
        if statement.vararg is not None:
            raise self.builder.refuse("a print with *args can't be differentiated")
        parts: list[Any] = []
        operands: list[Operand] = []
        for variable in statement.args:
            value = self.operands.value(variable)
            if isinstance(value, Static) and isinstance(value.value, (str, bool, type(None))):
                parts.append(value.value)
            elif value.is_number:
                parts.append(_NUMBER)
                operands.append(value)
            else:
                raise self.builder.refuse(f"a print of {describe(value)} can't be differentiated: print its numbers")

        def call_of(*numbers: Term) -> Term:
            remaining = iter(numbers)
            return code.call("print", *[next(remaining) if part is _NUMBER else part for part in parts])

        operation = expression(call_of, len(operands))
        self.builder.compute(types.boolean, operation, operands, COST_OF_EFFECTS)
