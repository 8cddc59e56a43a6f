"""Lowering: Numba's typed SSA form to the intermediate representation, with all calls of compiled functions inlined.

Each construct has its own method. Constructs without one are refused: there is no default rule.
"""

from __future__ import annotations

import inspect
import operator
import re
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

import numba
import numpy as np
from numba.core import dispatcher, ir, ir_utils, types
from numba.core.registry import cpu_target

from fastgrad.differentiation import loop_sources, scalar_rules
from fastgrad.differentiation import views as view_rules
from fastgrad.differentiation.builder import Builder, is_natural_number
from fastgrad.differentiation.front_end import TypedFunction, differentiable_function, typed_function
from fastgrad.differentiation.ir import (
    INDEX,
    BeginLoop,
    Block,
    Branch,
    Constant,
    Counter,
    Function,
    Jump,
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
    item_name,
    refuse,
)
from fastgrad.differentiation.values import (
    Deferred,
    Items,
    Iterable,
    LoopState,
    Method,
    Range,
    Static,
    Step,
    leaves,
    type_of,
)
from fastgrad.differentiation.views import Slice

MAX_DEPTH = 64
"""The limit on calls within calls: more is taken for recursion."""
_NEVER_AGAIN = 10**6
"""The cost of a number that must not be computed twice, such as a random draw."""


@numba.njit
def checked_quotient(x, y):  # type: ignore[no-untyped-def]
    """Returns ``x / y``; raises as Python does if ``y`` is 0."""
    if y == 0:
        raise ZeroDivisionError("division by zero")
    return x / y


@numba.njit
def checked_floor_quotient(x, y):  # type: ignore[no-untyped-def]
    """Returns ``x // y``; raises as Python does if ``y`` is 0."""
    if y == 0:
        raise ZeroDivisionError("integer division or modulo by zero")
    return x // y


@numba.njit
def checked_remainder(x, y):  # type: ignore[no-untyped-def]
    """Returns ``x % y``; raises as Python does if ``y`` is 0."""
    if y == 0:
        raise ZeroDivisionError("integer division or modulo by zero")
    return x % y


_CHECKED_DIVISIONS = {
    operator.truediv: checked_quotient,
    operator.floordiv: checked_floor_quotient,
    operator.mod: checked_remainder,
}
_OPERATOR_TEXT = {
    operator.add: "({0} + {1})",
    operator.sub: "({0} - {1})",
    operator.mul: "({0} * {1})",
    operator.truediv: "({0} / {1})",
    operator.floordiv: "({0} // {1})",
    operator.mod: "({0} % {1})",
    operator.pow: "({0} ** {1})",
    operator.lt: "({0} < {1})",
    operator.le: "({0} <= {1})",
    operator.gt: "({0} > {1})",
    operator.ge: "({0} >= {1})",
    operator.eq: "({0} == {1})",
    operator.ne: "({0} != {1})",
    operator.and_: "({0} & {1})",
    operator.or_: "({0} | {1})",
    operator.xor: "({0} ^ {1})",
    operator.lshift: "({0} << {1})",
    operator.rshift: "({0} >> {1})",
    operator.neg: "(-{0})",
    operator.pos: "(+{0})",
    operator.invert: "(~{0})",
    operator.not_: "(not {0})",
}
_FOLDED_OPERATORS = frozenset(
    [
        *(operator.add, operator.sub, operator.mul, operator.neg, operator.not_),
        *(operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne),
    ]
)
RANDOM_DRAWS: frozenset[Any] = frozenset(
    [
        *(np.random.random, np.random.rand, np.random.randn, np.random.standard_normal, np.random.normal, np.random.uniform),
        *(np.random.randint, np.random.exponential, np.random.random_sample, np.random.seed),
    ]
)


def lower(function: FunctionType, argument_types: tuple[types.Type, ...], error_model: str = "python") -> Function:
    """Returns ``function`` for arguments of ``argument_types`` in the intermediate representation.

    Raises:
        DifferentiationError: it has a construct that can't be differentiated; the message has file and line.
        numba.errors.TypingError: Numba can't compile it.
    """
    return Lowering(function, argument_types, error_model).result


class _Frame:
    """The lowering of one call: what its variables stand for."""

    def __init__(self, function: TypedFunction, arguments: list[Any], error_model: str) -> None:
        self.function = function
        self.arguments = arguments
        self.error_model = error_model
        self.values: dict[str, Any] = {}
        self.definitions: dict[str, Any] = {}
        self.first_blocks: dict[int, Block] = {}
        self.last_blocks: dict[int, Block] = {}
        self.reached: set[int] = set()
        self.at_entry: dict[int, list[Callable[[], None]]] = {}
        self.pending_phis: list[tuple[Any, ir.Expr]] = []
        self.returns: list[tuple[Block, Any]] = []


class Lowering:
    """Lowers one function and all that it calls."""

    def __init__(self, function: FunctionType, argument_types: tuple[types.Type, ...], error_model: str) -> None:
        typed = typed_function(function, argument_types)
        parameters = list(inspect.signature(function).parameters)
        self.result = Function(typed.name, typed.location, parameters, argument_types)
        self.builder = Builder(self.result)
        self._frames: list[_Frame] = []
        arguments = [
            self._parameter(f"a_{name}", type, position)
            for position, (name, type) in enumerate(zip(parameters, argument_types, strict=True))
        ]
        self.result.arguments = arguments
        value = self._body(typed, arguments, error_model)
        self.result.result = typed.result
        self.builder.block.end = Return(leaves(value), self.builder.location)

    # ---- parameters ---------------------------------------------------------------------------------------

    def _parameter(self, name: str, type: types.Type, position: int) -> Any:
        type = types.unliteral(type)
        builder = self.builder
        if isinstance(type, types.Omitted):
            return self._static(type.value)
        if isinstance(type, types.Array):
            if not isinstance(type.dtype, (types.Float, types.Integer, types.Boolean)):
                return Deferred(f"the parameter {name} is an array of {type.dtype}")
            root = builder.root(type, "parameter", name)
            root.name, root.block, root.position = name, None, position
            builder.read_dims(root)
            return View.whole(root)
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
        return Deferred(f"the parameter {name} is of type {type}")

    # ---- calls of compiled functions ------------------------------------------------------------------------

    def inline(self, function: Any, arguments: list[Any]) -> Any:
        """Lowers a call of a Python function, or of one that Numba compiled, in place; returns its result."""
        builder = self.builder
        is_compiled = isinstance(function, dispatcher.Dispatcher)
        python_function = function.py_func if is_compiled else function
        error_model = function.targetoptions.get("error_model", "python") if is_compiled else "numpy"
        if len(self._frames) >= MAX_DEPTH:
            raise refuse(f"the call of {python_function.__name__} is recursive", builder.location)
        argument_types = tuple(type_of(argument) for argument in arguments)
        location = builder.location
        typed = typed_function(differentiable_function(function, argument_types, location), argument_types)
        result = self._body(typed, arguments, error_model)
        builder.location = location
        return result

    def call_compiled(self, function: Any, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """Lowers a call of a function that Numba compiled, with default values for arguments that are not given."""
        signature = inspect.signature(function.py_func)
        if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in signature.parameters.values()):
            raise refuse(f"{function.py_func.__name__} takes *args", self.builder.location)
        bound = signature.bind(*arguments, **keywords)
        given = [
            bound.arguments[name] if name in bound.arguments else self._static(parameter.default)
            for name, parameter in signature.parameters.items()
        ]
        return self.inline(function, given)

    def _body(self, typed: TypedFunction, arguments: list[Any], error_model: str) -> Any:
        frame = _Frame(typed, arguments, error_model)
        self._frames.append(frame)
        builder = self.builder
        blocks = typed.ir.blocks
        for block in blocks.values():
            for statement in block.body:
                if isinstance(statement, ir.Assign):
                    if statement.target.name in frame.definitions:
                        raise refuse(f"the variable {statement.target.name} is not in SSA form", statement.loc)
                    frame.definitions[statement.target.name] = statement.value
        order = list(ir_utils.compute_cfg_from_blocks(blocks).topo_order())
        frame.reached.add(order[0])
        entry = builder.new_block()
        builder.jump(entry)
        frame.first_blocks[order[0]] = entry
        for label in order:
            if label not in frame.reached:
                continue
            builder.enter(self._first_block(label))
            for action in frame.at_entry.get(label, []):
                action()
            for statement in blocks[label].body:
                builder.location = statement.loc
                self._statement(label, statement)
            frame.last_blocks.setdefault(label, builder.block)
        self._complete_phis(frame)
        self._frames.pop()
        return self._merged_returns(frame)

    def _first_block(self, label: int) -> Block:
        blocks = self.frame.first_blocks
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
        merged = self._phi_of_type(frame.function.result, "result")
        for block, value in frame.returns:
            self._add_incoming(merged, block, value)
        return merged

    # ---- statements ------------------------------------------------------------------------------------------

    def _statement(self, label: int, statement: Any) -> None:
        builder, frame = self.builder, self.frame
        if isinstance(statement, ir.Assign):
            frame.values[statement.target.name] = self._assigned(statement.target.name, statement.value)
        elif isinstance(statement, (ir.SetItem, ir.StaticSetItem)):
            self._set_item(statement)
        elif isinstance(statement, ir.Jump):
            frame.last_blocks[label] = builder.block
            frame.reached.add(statement.target)
            builder.jump(self._first_block(statement.target))
        elif isinstance(statement, ir.Branch):
            self._branch(label, statement)
        elif isinstance(statement, ir.Return):
            frame.returns.append((builder.block, self.value(statement.value)))
        elif isinstance(statement, ir.StaticRaise):
            self._raise(statement)
        elif not isinstance(statement, ir.Del):
            raise refuse(f"{type(statement).__name__} can't be differentiated: {statement}", statement.loc)

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
            steps = [value for value in frame.values.values() if isinstance(value, Step) and value.is_valid is condition]
            frame.at_entry.setdefault(statement.truebr, []).extend(step.resolve for step in steps)
        frame.reached |= {statement.truebr, statement.falsebr}
        builder.block.end = Branch(
            self.scalar(condition), self._first_block(statement.truebr), self._first_block(statement.falsebr)
        )

    def _raise(self, statement: ir.StaticRaise) -> None:
        arguments = statement.exc_args or ()
        if statement.exc_class is None or not all(isinstance(argument, (str, int, float)) for argument in arguments):
            raise refuse("this way to raise an exception can't be differentiated", statement.loc)
        self.builder.block.end = Raise(statement.exc_class, tuple(arguments))

    def _set_item(self, statement: Any) -> None:
        builder = self.builder
        target = self.value(statement.target)
        if not isinstance(target, View):
            raise refuse("an item of something that is no array is assigned", statement.loc)
        indices = self._indices(statement)
        value = self.value(statement.value)
        if len(indices) == len(target.axes) and all(isinstance(index, (Constant, Scalar)) for index in indices):
            view_rules.store_element(builder, target, indices, self.scalar(value))
            return
        if any(isinstance(index, View) for index in indices):
            self.array_functions.assign_selected(self, target, indices, value)
            return
        self.array_functions.assign(self, view_rules.subview(builder, target, indices), value)

    @property
    def array_functions(self) -> Any:
        """The rules of NumPy's functions of arrays."""
        from fastgrad.differentiation import array_functions

        return array_functions

    def _indices(self, statement: Any) -> list[Any]:
        """Returns the indices of an access: operands, slices, arrays, new axes, ellipses."""
        if isinstance(statement, ir.StaticSetItem) or getattr(statement, "op", "") == "static_getitem":
            items = statement.index if isinstance(statement.index, tuple) else (statement.index,)
            return [self._static_index(item) for item in items]
        value = self.value(statement.index)
        return [self._index(item) for item in (value.values if isinstance(value, Items) else [value])]

    def _static_index(self, item: Any) -> Any:
        if isinstance(item, slice):
            bounds = (item.start, item.stop, item.step)
            return Slice(*[None if bound is None else index_constant(bound) for bound in bounds])
        if item is None or item is Ellipsis:
            return view_rules.NEW_AXIS if item is None else view_rules.ALL_AXES
        if isinstance(item, (int, np.integer)):
            return index_constant(int(item))
        raise refuse("this kind of index can't be differentiated", self.builder.location)

    def _index(self, value: Any) -> Any:
        if isinstance(value, Static):
            return value.value if isinstance(value.value, Slice) else self._static_index(value.value)
        if isinstance(value, Items):
            raise refuse("an index that is a tuple within a tuple can't be differentiated", self.builder.location)
        return value

    # ---- values ------------------------------------------------------------------------------------------------

    def value(self, variable: ir.Var) -> Any:
        """Returns what a variable stands for."""
        value = self.frame.values[variable.name]
        while isinstance(value, Step) and value.is_resolved:
            value = value.item
        if isinstance(value, Deferred):
            raise refuse(f"{value.reason}, which can't be differentiated", self.builder.location)
        return value

    def scalar(self, value: Any) -> Operand:
        """Returns ``value`` as a number."""
        if isinstance(value, (Constant, Scalar)):
            return value
        if isinstance(value, Static) and isinstance(value.value, (bool, int, float, np.number, np.bool_)):
            return self.builder.constant(value.value)
        if isinstance(value, View) and not value.axes:
            return view_rules.load_element(self.builder, value, [])
        raise refuse(f"a number is needed here, this is {describe(value)}", self.builder.location)

    def _static(self, value: Any) -> Any:
        """Returns what a known Python value stands for."""
        if isinstance(value, (bool, int, float, np.bool_, np.integer, np.floating)):
            return self.builder.constant(value)
        if isinstance(value, np.ndarray):
            return self._global_array(value)
        if isinstance(value, tuple) and all(isinstance(item, (bool, int, float, np.number)) for item in value):
            items = [self._static(item) for item in value]
            return Items(items, types.Tuple([item.type for item in items]))
        if isinstance(value, complex):
            return Deferred("a complex number")
        return Static(value)

    def _global_array(self, value: np.ndarray) -> Any:
        builder = self.builder
        numba_type = cpu_target.typing_context.resolve_value_type(value)
        if not isinstance(numba_type, types.Array):
            return Deferred(f"a global of type {numba_type}")
        name = builder.bind(value, "array")
        for root in self.result.roots:
            if root.kind == "global" and root.name == name:
                return View.whole(root)
        root = builder.root(numba_type, "global", name, [index_constant(size) for size in value.shape])
        root.name, root.block = name, None
        return View.whole(root)

    def _assigned(self, name: str, value: Any) -> Any:
        frame = self.frame
        if isinstance(value, ir.Arg):
            return frame.arguments[value.index]
        if isinstance(value, (ir.Const, ir.Global, ir.FreeVar)):
            return self._static(value.value)
        if isinstance(value, ir.Var):
            return frame.values[value.name]
        if not isinstance(value, ir.Expr):
            raise refuse(f"{type(value).__name__} can't be differentiated", self.builder.location)
        method = getattr(self, f"_expression_{value.op}", None)
        if method is None:
            raise refuse(f"the operation {value.op} can't be differentiated: {value}", self.builder.location)
        return method(name, value)

    def _type(self, name: str) -> types.Type:
        return types.unliteral(self.frame.function.types[name])

    # ---- expressions ---------------------------------------------------------------------------------------------

    def _expression_cast(self, name: str, value: ir.Expr) -> Any:
        return self.cast(self.value(value.value), self._type(name))

    def cast(self, value: Any, type: types.Type) -> Any:
        """Returns ``value`` as Numba casts it to ``type``."""
        if isinstance(value, (Constant, Scalar)) and isinstance(type, (types.Float, types.Integer)) and value.type != type:
            if isinstance(value, Constant):
                return Constant(float(value.value) if isinstance(type, types.Float) else int(value.value), type)
            partials = ["{g}" if isinstance(type, types.Float) and value.is_real else None]
            name = self.builder.bind(getattr(np, str(type)), f"_{type}")
            result = self.builder.compute(type, f"{name}({{0}})", [value], 0, partials)
            result.is_natural = is_natural_number(value)
            return result
        if isinstance(value, Items) and isinstance(type, types.BaseTuple) and len(type) == len(value.values):
            return Items([self.cast(item, item_type) for item, item_type in zip(value.values, type, strict=True)], type)
        return value

    def _expression_phi(self, name: str, value: ir.Expr) -> Any:
        frame = self.frame
        phi_type = self._type(name)
        definitions = self._definitions_of_phi(name)
        if len(definitions) == 1:
            only = frame.values.get(next(iter(definitions)))
            if only is not None and not isinstance(only, (Scalar, Step)):
                return only
        phi = self._phi_of_type(phi_type, name)
        frame.pending_phis.append((phi, value))
        return phi

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

    def _phi_of_type(self, type: types.Type, hint: str) -> Any:
        """Returns the value of a new phi: a scalar, a view of a root of kind "phi", or a tuple of them."""
        builder = self.builder
        type = types.unliteral(type)
        if isinstance(type, types.BaseTuple):
            return Items([self._phi_of_type(item, hint) for item in type], type)
        if isinstance(type, types.NoneType):
            return Static(None)
        if isinstance(type, types.Array):
            root = builder.root(type, "phi", hint)
            builder.block.phis.append(Phi(root, builder.location))
            builder.read_dims(root)
            return View.whole(root)
        if isinstance(type, (types.Float, types.Integer, types.Boolean)):
            scalar = builder.scalar(type, hint)
            builder.block.phis.append(Phi(scalar, builder.location))
            return scalar
        return Deferred(f"{hint.partition('.')[0]} is of type {type} and has several definitions")

    def _complete_phis(self, frame: _Frame) -> None:
        """Adds the incoming values of the phis of a call, which are all known now."""
        for phi, expression in frame.pending_phis:
            for variable, label in zip(expression.incoming_values, expression.incoming_blocks, strict=True):
                if label in frame.last_blocks and label in frame.reached:
                    value = None if variable is ir.UNDEFINED else frame.values.get(variable.name)
                    while isinstance(value, Step) and value.is_resolved:
                        value = value.item
                    self._add_incoming(phi, frame.last_blocks[label], value)

    def _add_incoming(self, phi: Any, block: Block, value: Any) -> None:
        if isinstance(phi, Items):
            items = [None] * len(phi.values) if value is None else value.values
            for item, item_value in zip(phi.values, items, strict=True):
                self._add_incoming(item, block, item_value)
        elif isinstance(phi, Scalar):
            statement = self._phi_statement(phi)
            if value is None or isinstance(value, Step):
                value = Constant(0, phi.type)
            if not isinstance(value, (Constant, Scalar)):
                raise refuse(f"a variable is a number on one way and {describe(value)} on another", statement.location)
            statement.incoming[block] = value
        elif isinstance(phi, View):
            statement = self._phi_statement(phi.root)
            if not isinstance(value, View):
                raise refuse(f"a variable is an array on one way and {describe(value)} on another", statement.location)
            statement.incoming[block] = value

    def _phi_statement(self, target: Scalar | Root) -> Phi:
        assert target.block is not None
        return next(phi for phi in target.block.phis if phi.target is target)

    def _expression_binop(self, name: str, value: ir.Expr) -> Any:
        return self.apply(value.fn, [self.value(value.lhs), self.value(value.rhs)], self._type(name), name)

    def _expression_inplace_binop(self, name: str, value: ir.Expr) -> Any:
        left, right = self.value(value.lhs), self.value(value.rhs)
        if isinstance(left, View):
            return self.array_functions.update(self, value.immutable_fn, left, right)
        return self.apply(value.immutable_fn, [left, right], self._type(name), name)

    def _expression_unary(self, name: str, value: ir.Expr) -> Any:
        function = value.fn if callable(value.fn) else {"-": operator.neg, "+": operator.pos, "not": operator.not_}[value.fn]
        return self.apply(function, [self.value(value.value)], self._type(name), name)

    def apply(self, function: Any, operands: list[Any], type: types.Type, hint: str = "t") -> Any:
        """Lowers an operator or function of numbers, of arrays element by element, or of tuples."""
        builder = self.builder
        if any(isinstance(operand, View) and operand.axes for operand in operands):
            return self.array_functions.element_by_element(self, function, operands, type)
        if any(isinstance(operand, Items) for operand in operands):
            return self._apply_to_tuples(function, operands)
        if any(isinstance(operand, Static) for operand in operands) and function in (operator.is_, operator.is_not, operator.eq, operator.ne):
            known = [operand.value if isinstance(operand, Static) else operand for operand in operands]
            return builder.constant(bool(function(*known)))
        numbers = [self.scalar(operand) for operand in operands]
        constants = [number.value for number in numbers if isinstance(number, Constant)]
        if function in _FOLDED_OPERATORS and len(constants) == len(numbers):
            return builder.constant(function(*constants), type)
        if isinstance(type, types.Integer) and function in (operator.add, operator.sub, operator.mul) and type == INDEX:
            return builder.index(_OPERATOR_TEXT[function], *numbers)
        return builder.compute(
            type,
            self._text(function, numbers),
            numbers,
            scalar_rules.cost_of(function),
            self._partials(function, numbers, type),
            hint,
        )

    def _apply_to_tuples(self, function: Any, operands: list[Any]) -> Any:
        if function is operator.add and all(isinstance(operand, Items) for operand in operands):
            values = [*operands[0].values, *operands[1].values]
            return Items(values, types.Tuple([type_of(value) for value in values]))
        if function in (operator.eq, operator.ne) and all(isinstance(operand, Items) for operand in operands):
            return self._compared_tuples(function, operands[0].values, operands[1].values)
        raise refuse(f"{getattr(function, '__name__', function)} of tuples can't be differentiated", self.builder.location)

    def _compared_tuples(self, function: Any, first: list[Any], second: list[Any]) -> Operand:
        """Lowers the comparison of two tuples of numbers."""
        if len(first) != len(second):
            return self.builder.constant(function is operator.ne)
        result: Operand = self.builder.constant(True)
        for x, y in zip(first, second, strict=True):
            equal = self.apply(operator.eq, [x, y], types.boolean)
            result = equal if is_constant(result, True) else self.apply(operator.and_, [result, equal], types.boolean)
        return self.apply(operator.not_, [result], types.boolean) if function is operator.ne else result

    def _text(self, function: Any, numbers: list[Operand]) -> str:
        checked = _CHECKED_DIVISIONS.get(function) if self.frame.error_model == "python" else None
        if checked is not None and not (isinstance(numbers[1], Constant) and numbers[1].value != 0):
            return self.builder.bind(checked, checked.py_func.__name__) + "({0}, {1})"
        if function in _OPERATOR_TEXT:
            return _OPERATOR_TEXT[function]
        name = self.builder.bind(function, getattr(function, "__name__", "function"))
        return f"{name}({', '.join(f'{{{number}}}' for number in range(len(numbers)))})"

    def _partials(self, function: Any, numbers: list[Operand], type: types.Type) -> list[str | None]:
        if not isinstance(type, types.Float) or function in scalar_rules.WITHOUT_DERIVATIVE:
            return [None] * len(numbers)
        if not any(isinstance(number, Scalar) and number.is_real for number in numbers):
            return [None] * len(numbers)
        name = scalar_rules.rule_name(function)
        if name is None:
            raise refuse(f"{describe(Static(function))} has no derivative", self.builder.location)
        dtypes = [
            int(number.value)
            if name == "power" and isinstance(number, Constant) and isinstance(number.type, types.Integer)
            else np.dtype(str(type))
            for number in numbers
        ]
        texts = scalar_rules.partials(name, tuple(dtypes))
        for text in texts:
            for word in words_of(text or ""):
                if word in scalar_rules.FUNCTIONS_OF_TEXT:
                    self.result.globals[word] = scalar_rules.FUNCTIONS_OF_TEXT[word]
        return [
            text if isinstance(number, Scalar) and number.is_real else None
            for text, number in zip(texts, numbers, strict=True)
        ]

    def _expression_build_tuple(self, name: str, value: ir.Expr) -> Any:
        items = [self.value(item) for item in value.items]
        return Items(items, self._type(name))

    def _expression_build_list(self, name: str, value: ir.Expr) -> Any:
        return Items([self.value(item) for item in value.items], self._type(name))

    def _expression_exhaust_iter(self, name: str, value: ir.Expr) -> Any:
        result = self.value(value.value)
        if isinstance(result, Items):
            return result
        if isinstance(result, View):
            first = [view_rules.subview(self.builder, result, [index_constant(number)]) for number in range(value.count)]
            items = [self.element_or_view(view) for view in first]
            return Items(items, types.Tuple([type_of(item) for item in items]))
        raise refuse("this can't be unpacked in a derivative", self.builder.location)

    def element_or_view(self, view: View) -> Any:
        """Returns a view, or its element if it has no axes."""
        return view if view.axes else self.builder.load(view.root, list(view.starts))

    def _expression_getitem(self, name: str, value: ir.Expr) -> Any:
        container = self.value(value.value)
        if isinstance(container, Items):
            index = static_value(self.value(value.index)) if value.op == "getitem" else value.index
            if isinstance(index, Slice):
                bounds = [None if bound is None else static_value(bound) for bound in index]
                index = slice(*bounds)
            if isinstance(index, slice):
                items = container.values[index]
                return Items(items, types.Tuple([type_of(item) for item in items]))
            if not isinstance(index, int):
                return self._selected_item(container, self.scalar(self.value(value.index)), self._type(name))
            return container.values[index]
        if not isinstance(container, View):
            raise refuse(f"an item of {describe(container)} can't be differentiated", self.builder.location)
        indices = self._indices(value)
        if any(isinstance(index, View) for index in indices):
            return self.array_functions.selected(self, container, indices, self._type(name))
        return self.element_or_view(view_rules.subview(self.builder, container, indices))

    _expression_static_getitem = _expression_typed_getitem = _expression_getitem

    def _selected_item(self, container: Items, index: Operand, type: types.Type) -> Any:
        """Lowers an item of a tuple of numbers at a position that is not known: a chain of choices."""
        builder = self.builder
        index = view_rules.normalized(builder, index, index_constant(len(container.values)))
        result = self.scalar(container.values[-1])
        for number in range(len(container.values) - 2, -1, -1):
            partials: list[str | None] = [None, "({g} if {0} else 0.0)", "(0.0 if {0} else {g})"]
            condition = builder.compute(types.boolean, f"({{0}} == {number})", [index])
            operands = [condition, self.scalar(container.values[number]), result]
            partials = [
                text if isinstance(operand, Scalar) and operand.is_real else None
                for text, operand in zip(partials, operands, strict=True)
            ]
            result = builder.compute(type, "({1} if {0} else {2})", operands, partials=partials)
        return result

    def _expression_getattr(self, name: str, value: ir.Expr) -> Any:
        owner, attribute = self.value(value.value), value.attr
        builder = self.builder
        if isinstance(owner, Static):
            try:
                return self._static(getattr(owner.value, attribute))
            except AttributeError:
                raise refuse(f"{describe(owner)} has no attribute {attribute}", builder.location) from None
        if isinstance(owner, View):
            return self._array_attribute(owner, attribute)
        if isinstance(owner, Items) and isinstance(owner.type, types.BaseNamedTuple):
            return owner.values[owner.type.fields.index(attribute)]
        if isinstance(owner, (Constant, Scalar)) and attribute in ("real", "imag", "conjugate"):
            return owner if attribute == "real" else Method(owner, attribute)
        raise refuse(f"the attribute {attribute} of {describe(owner)} can't be differentiated", builder.location)

    def _array_attribute(self, array: View, attribute: str) -> Any:
        builder = self.builder
        if attribute == "shape":
            sizes: list[Any] = [axis.size for axis in array.axes]
            return Items(sizes, types.UniTuple(INDEX, len(sizes)))
        if attribute == "size":
            return view_rules.size_of(builder, array)
        if attribute == "ndim":
            return index_constant(len(array.axes))
        if attribute == "T":
            return view_rules.transposed(array, list(range(len(array.axes)))[::-1])
        if attribute == "dtype":
            return Static(np.dtype(str(array.root.type.dtype)))
        if attribute in ("real", "flat"):
            return array if attribute == "real" else Method(array, "flat")
        return Method(array, attribute)

    # ---- loops -----------------------------------------------------------------------------------------------------

    def _expression_getiter(self, name: str, value: ir.Expr) -> Any:
        iterable = self.iterable(self.value(value.value))
        counter = Counter(self.builder.name("k"), iterable.count, self.builder.block)
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
            return Iterable(
                value.axes[0].size, lambda k: self.element_or_view(view_rules.subview(builder, value, [k]))
            )
        raise refuse(f"a loop over {describe(value)} can't be differentiated", builder.location)

    def _iterable_of_range(self, value: Range) -> Iterable:
        builder = self.builder
        start, stop, step = value.start, value.stop, value.step
        if is_constant(step, 1):
            count = builder.index("({0} - {1})", stop, start)
        elif is_constant(step, -1):
            count = builder.index("({0} - {1})", start, stop)
        else:
            name = builder.bind(range_count, "range_count")
            count = builder.index(name + "({0}, {1}, {2})", start, stop, step, cost=4)
        is_rising = isinstance(step, Constant) and step.value > 0 and is_natural_number(start)
        falls_to_zero = (
            isinstance(step, Constant) and step.value < 0 and isinstance(stop, Constant) and stop.value >= -1
        )

        def item(k: Scalar) -> Operand:
            distance = builder.index("({0} * {1})", k, step)
            target = builder.index("({0} + {1})", start, distance)
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
        target, is_valid = builder.scalar(INDEX, "k"), builder.scalar(types.boolean, "more")
        target.is_natural = True
        statement = NextIteration(builder.location, counter, target, is_valid)
        target.definition = is_valid.definition = statement
        builder.block.statements.append(statement)
        return Step(is_valid, lambda: state.iterable.item(target))

    def _expression_pair_first(self, name: str, value: ir.Expr) -> Any:
        return self.frame.values[value.value.name]

    def _expression_pair_second(self, name: str, value: ir.Expr) -> Any:
        return self.frame.values[value.value.name].is_valid

    # ---- calls -------------------------------------------------------------------------------------------------------

    def _expression_call(self, name: str, value: ir.Expr) -> Any:
        builder = self.builder
        function = self.value(value.func)
        arguments = [self.value(argument) for argument in value.args]
        if value.vararg is not None:
            vararg = self.value(value.vararg)
            if not isinstance(vararg, Items):
                raise refuse("a call with *args of this kind can't be differentiated", builder.location)
            arguments += vararg.values
        if value.varkwarg is not None:
            raise refuse("a call with **kwargs can't be differentiated", builder.location)
        keywords = {key: self.value(argument) for key, argument in dict(value.kws).items()}
        result_type = self.frame.function.types[name]
        if isinstance(function, Method):
            return self.array_functions.call_method(self, function, arguments, keywords, result_type)
        if not isinstance(function, Static):
            raise refuse(f"a call of {describe(function)} can't be differentiated", builder.location)
        return self.call(function.value, arguments, keywords, result_type, name)

    def call(self, function: Any, arguments: list[Any], keywords: dict[str, Any], type: types.Type, hint: str) -> Any:
        """Lowers the call of a function."""
        builder = self.builder
        type = types.unliteral(type)
        if isinstance(function, dispatcher.Dispatcher):
            if function in KEPT_CALLS:
                return builder.index(
                    builder.bind(function, function.py_func.__name__)
                    + f"({', '.join(f'{{{number}}}' for number in range(len(arguments)))})",
                    *[self.scalar(argument) for argument in arguments],
                    cost=scalar_rules.DIVISION_COST,
                    is_natural=True,
                )
            return self.call_compiled(function, arguments, keywords)
        if isinstance(function, FunctionType) and function.__module__.startswith("numba."):
            raise refuse(f"a call of {describe(Static(function))} can't be differentiated", builder.location)
        rule = self.array_functions.rule_of(function)
        if rule is not None:
            result = rule(self, arguments, keywords, type)
            if result is not NotImplemented:
                return result
        if isinstance(function, builtin_type) and issubclass(function, BaseException):
            return Static(function)
        if function in RANDOM_DRAWS:
            return self._draw(function, arguments, keywords, type)
        if keywords:
            raise refuse(f"a call of {describe(Static(function))} with keywords can't be differentiated", builder.location)
        is_known = scalar_rules.rule_name(function) is not None or function in scalar_rules.WITHOUT_DERIVATIVE
        if is_known:
            return self._apply_function(function, arguments, type, hint)
        raise refuse(f"a call of {describe(Static(function))} can't be differentiated", builder.location)

    def _apply_function(self, function: Any, arguments: list[Any], type: types.Type, hint: str) -> Any:
        is_cast = function in (int, float, bool) and len(arguments) == 1 and isinstance(arguments[0], (Constant, Scalar))
        if is_cast and types.unliteral(arguments[0].type) == type:
            return arguments[0]
        if function in (max, min) and len(arguments) > 2:
            result = arguments[0]
            for argument in arguments[1:]:
                result = self.apply(function, [result, argument], type, hint)
            return result
        return self.apply(function, arguments, type, hint)

    def _draw(self, function: Any, arguments: list[Any], keywords: dict[str, Any], type: types.Type) -> Any:
        """Lowers a random draw of one number, which happens once."""
        builder = self.builder
        values = [*arguments, *keywords.values()]
        if not isinstance(type, (types.Float, types.Integer)) or keywords:
            raise refuse("a random draw of an array can't be differentiated: draw its elements in a loop", builder.location)
        operands = [self.scalar(value) for value in values]
        name = builder.bind(function, "draw")
        text = f"{name}({', '.join(f'{{{number}}}' for number in range(len(operands)))})"
        if any(isinstance(operand, Scalar) and operand.is_real for operand in operands):
            raise refuse("a random draw whose parameters are computed can't be differentiated", builder.location)
        return builder.compute(type, text, operands, _NEVER_AGAIN)


builtin_type = type


@numba.njit
def range_count(start, stop, step):  # type: ignore[no-untyped-def]
    """Returns the number of items of a range."""
    if step > 0:
        return (stop - start + step - 1) // step
    if step < 0:
        return (start - stop - step - 1) // -step
    raise ValueError("range() arg 3 must not be zero")


KEPT_CALLS: set[Any] = {
    *(range_count, view_rules.slice_bound, view_rules.backward_bound),
    *(loop_sources.broadcast_size, loop_sources.broadcast_step),
}
"""The functions of integers that are called, not inlined."""


def words_of(text: str) -> list[str]:
    """Returns the identifiers in a text."""
    return re.findall(r"[A-Za-z_]\w*", text)


def static_value(value: Any) -> Any:
    """Returns the Python value of a known value, else None."""
    if isinstance(value, (Constant, Static)):
        return value.value
    if isinstance(value, Items):
        items = [static_value(item) for item in value.values]
        return None if None in items else tuple(items)
    return None


def describe(value: Any) -> str:
    """Returns words for a value in an error message."""
    if isinstance(value, Static):
        known = value.value
        module = getattr(known, "__module__", "")
        name = getattr(known, "__name__", None)
        if isinstance(known, ModuleType) or name is None:
            return repr(known)
        return f"{module}.{name}" if module and module not in ("builtins", "_operator") else str(name)
    if isinstance(value, View):
        return "an array"
    if isinstance(value, Items):
        return "a tuple or list"
    if isinstance(value, (Constant, Scalar)):
        return "a number"
    return f"a {type(value).__name__.lower()}"
