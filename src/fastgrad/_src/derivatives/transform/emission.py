"""Writes the parts of a derivative's code that forward mode and reverse mode share."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import types

from fastgrad._src.derivatives.analysis.control_flow import ControlFlow
from fastgrad._src.derivatives.codegen.complex_arrays import complex_of_parts, real_parts
from fastgrad._src.derivatives.codegen.list_fields import list_like, shares_memory_of_item, tangents_in_list
from fastgrad._src.derivatives.codegen.matrix_products import FLAT, product_forms
from fastgrad._src.derivatives.codegen.record_fields import field_of
from fastgrad._src.derivatives.functions.numba_types import is_complex_type
from fastgrad._src.derivatives.ir.call_rules import Callee, CallRule, SumOfProducts, TangentOf
from fastgrad._src.derivatives.ir.operands import (
    Constant,
    Counter,
    Location,
    Number,
    Operand,
    Root,
    Scalar,
    View,
    equal_operands,
    is_constant,
    item_name,
    leaf_types_of,
    refuse,
    zero,
)
from fastgrad._src.derivatives.ir.representation import Block, Function
from fastgrad._src.derivatives.ir.scalar_operations import CASTS, GLOBALS_OF_CODE
from fastgrad._src.derivatives.ir.statements import Call, Load, Raise, Return
from fastgrad._src.derivatives.output import tree as code
from fastgrad._src.derivatives.output.tree import Code
from fastgrad._src.scalars.formulas import Number as NumberTerm
from fastgrad._src.scalars.formulas import Term, as_term
from fastgrad._src.scalars.terms import AND, SELECT

NONE = NumberTerm(None)


class DerivedCall(NamedTuple):
    """What the code of a derivative calls for a function that is not inlined.

    Attributes:
        form: "augmented" or "reverse", of reverse mode, or "tangent".
        callee: the function.
        arguments: for reverse mode the numbers of the arrays that nothing writes; for forward mode those of the arguments that have tangents.
    """

    form: str
    callee: Callee
    arguments: tuple[int, ...]


class Derivative(NamedTuple):
    """The code of a derivative, what its names stand for, what it calls by names that have no value yet, and functions that it passes on."""

    code: Code
    scope: dict[str, Any]
    calls: dict[str, DerivedCall]
    functions: dict[str, Code] = {}  # noqa: RUF012  # never changed

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.code.name


def flat_index(dims: Sequence[Any], indices: Sequence[Any]) -> Term:
    """Returns an element's position in C order."""
    if not indices:
        return as_term(0)
    position = as_term(indices[0])
    for size, index in zip(dims[1:], indices[1:], strict=True):
        if code.is_number(position, 0):
            position = as_term(index)
        elif code.is_number(as_term(index), 0):
            position = code.times(position, as_term(size))
        else:
            position = code.times(position, as_term(size)) + index
    return position


def has_constant_layout(view: View) -> bool:
    """True if the shape of an array, and where its elements are in an array in C order, are constants but for the first element."""
    numbers = [*view.root.dims[1:], *view.sizes, *[axis.step for axis in view.axes]]
    return view.root.type.layout == "C" and all(isinstance(number, Constant) for number in numbers)


def flat_matrix(view: View, array: Term, is_second: bool, term_of: Callable[[Operand], Term]) -> Term:
    """Returns an operand of a product as a matrix in a flat array, the form `FLAT` of ``add_product``.

    Args:
        view: the operand, of a root in C order.
        array: that has the elements of the root.
        is_second: whether it is the second operand, where a vector is a column. As the first one it is a row.
        term_of: returns a number.
    """
    dims: list[Term] = [as_term(1), *map(term_of, view.root.dims[1:])]
    steps = [
        as_term(0) if axis.root_axis is None else code.product([term_of(axis.step), *dims[axis.root_axis + 1 :]])
        for axis in view.axes
    ]
    sizes = [term_of(axis.size) for axis in view.axes]
    if len(sizes) == 1:
        one, none = as_term(1), as_term(0)
        sizes, steps = ([*sizes, one], [*steps, none]) if is_second else ([one, *sizes], [none, *steps])
    start = flat_index(dims, [*map(term_of, view.starts)])
    return code.tuple_of([array, start, *sizes, *steps])


def unsigned_index(index: Term) -> Term:
    """Returns an index that counts from the start: an unsigned one, which Numba does not test for counting from the end."""
    return index if isinstance(index, NumberTerm) and index.value >= 0 else code.call("unsigned", index)


def memory_check(first: Term, second: Term, names: tuple[str, str]) -> code.If:
    """Returns the statement that raises if two arguments share memory, one of which the function writes: their cotangents would have to share it, too.

    The message is a constant: code that puts texts together takes seconds to compile.
    """
    return code.raise_if(code.call("may_share_memory", first, second), ValueError, shared_memory_message(names))


def shared_memory_message(names: Iterable[str]) -> str:
    """Returns the message of the error for two arguments that share memory."""
    return (
        f"the arguments {' and '.join(names)} share memory, which the function writes: "
        "its derivative would be wrong. Pass a copy of one of them."
    )


class Emitter:
    """Writes code, block by block.

    Attributes:
        blocks: the statements of each block, by its number.
        body: the statements that `write` appends to.
        location: the place in the user's source that statements come from.
    """

    def __init__(self, function: Function, flow: ControlFlow) -> None:
        self.function = function
        self.flow = flow
        self.blocks: dict[int, list[code.Statement]] = {}
        self.body: list[code.Statement] = []
        self.location: Location | None = None
        self._calls: dict[DerivedCall, str] = {}

    def write(self, *statements: code.Statement) -> None:
        """Appends statements."""
        for statement in statements:
            statement.location = self.location
            self.body.append(statement)

    @contextlib.contextmanager
    def within(self, body: list[code.Statement]) -> Iterator[None]:
        """Appends to another list of statements."""
        before, self.body = self.body, body
        try:
            yield
        finally:
            self.body = before

    def when(self, condition: Term) -> contextlib.AbstractContextManager[None]:
        """Appends to the statements that run if a condition holds."""
        test = code.If(condition)
        self.write(test)
        return self.within(test.then)

    def begin_block(self, number: int) -> None:
        """Begins the block of a number."""
        self.location = None
        self.body = self.blocks[number] = []

    def operand(self, operand: Operand) -> Term:
        """Returns a number in forward order."""
        return operand.term

    def convert(self, operand: Operand, type: types.Type) -> Term:
        """Returns a number as one of ``type``."""
        if operand.type == type:
            return self.operand(operand)
        if isinstance(operand, Constant):
            value = float(operand.value) if isinstance(type, types.Float) else operand.value
            return Constant(bool(value) if isinstance(type, types.Boolean) else value, type).term
        if isinstance(type, types.Boolean):
            return code.call("bool", self.operand(operand))
        return CASTS[str(type)](self.operand(operand))

    def element(self, root: Root, indices: Sequence[Term]) -> Term:
        """Returns an element of an array, whose indices count from the start.

        With Numba's test of signed indices, LLVM would not see that the elements of a loop follow each other.
        """
        return code.subscript(root.term, [*map(unsigned_index, indices)])

    def load(self, statement: Load, indices: Sequence[Term], guards: Sequence[Term]) -> Term:
        """Returns what a ``Load`` reads."""
        element = self.element(statement.root, indices)
        if not guards:
            return element
        return SELECT(functools.reduce(AND, [count > 0 for count in guards]), element, zero(statement.target.type))

    def parameters_of_function(self) -> list[code.Variable]:
        """Returns the parameters that the user's function has."""
        types_by_name = zip(self.function.parameters, self.function.types, strict=False)
        return [code.Variable(f"a_{name}", type) for name, type in types_by_name]

    def memory_checks(self, function: Function) -> list[code.Statement]:
        """Returns the statements that raise if an argument of a function that is written shares memory with another one."""
        parameters = [root for root in function.roots if root.kind == "parameter"]
        checks: list[code.Statement] = []
        for root in parameters:
            owners = set()
            for other in parameters if root.is_written else []:
                if other is not root and not root.is_sibling_field(other):
                    names = function.names[root.position], function.names[other.position]  # type: ignore[index]
                    if not other.is_copy_of_argument:
                        checks.append(memory_check(root.term, other.term, names))
                    elif (owner := other.field.owner) not in owners:  # type: ignore[union-attr]
                        owners.add(owner)
                        shares = self.bound(shares_memory_of_item, "shares_memory_of_item")
                        meets = code.call(shares.name, code.Variable(owner), root.term)
                        checks.append(code.raise_if(meets, ValueError, shared_memory_message(names)))
        return checks

    def shape(self, dims: list[Operand]) -> Term:
        """Returns a tuple of sizes."""
        return code.tuple_of([self.operand(size) for size in dims])

    def view(
        self,
        view: View,
        term_of: Callable[[Operand], Term] | None = None,
        array: Term | None = None,
        more_axes: int = 0,
    ) -> Term:
        """Returns a view of an array.

        Args:
            view: the view.
            term_of: returns a number. Without it numbers are in forward order.
            array: the whole array, if it is not the root's own.
            more_axes: how many axes the whole array has more than the root, after its own.
        """
        array, term_of = view.root.term if array is None else array, term_of or self.operand
        if view.is_whole():
            return array
        if not view.has_slices():
            raise refuse("an array that repeats elements can't be passed on here; copy it", view.root.location)
        axes = [axis for axis in view.axes if axis.root_axis is not None]
        numbers = {axis.root_axis: number for number, axis in enumerate(axes)}
        parts: list[Term | code.Slice] = []
        sizes: list[code.Slice] = []
        order = []
        for root_axis, start in enumerate(view.starts):
            first = term_of(start)
            if root_axis not in numbers:
                parts.append(first)
                continue
            order.append(numbers[root_axis])
            axis = axes[order[-1]]
            size, is_dense = term_of(axis.size), is_constant(axis.step, 1)
            is_all = is_constant(start, 0) and is_dense and equal_operands(axis.size, view.root.dims[root_axis])
            parts.append(
                code.ALL
                if is_all
                else code.Slice(first, first + size)
                if is_dense
                else code.Slice(first, step=term_of(axis.step))
            )
            sizes.append(code.Slice(stop=size))
        while len(parts) > 1 and parts[-1] is code.ALL:  # rows of an array in C order are contiguous if nothing follows
            parts.pop()
        result = code.subscript(array, parts)
        if not all(is_constant(axis.step, 1) for axis in axes):
            result = code.subscript(result, sizes)
        if order != sorted(order):
            order += range(len(order), len(order) + more_axes)
            result = code.transposed(result, [*map(order.index, range(len(order)))])
        if len(axes) < len(view.axes):
            result = code.subscript(result, [None if axis.root_axis is None else code.ALL for axis in view.axes])
        return result

    # ---- forward order ------------------------------------------------------------------------------------------

    def loop_end(self, counter: Counter) -> Term:
        """Returns the iteration before which a loop ends."""
        return code.integer(f"{counter.name}_count")

    def bound(self, value: Any, hint: str) -> code.Global:
        """Returns what the code calls a function."""
        for name, known in self.function.globals.items():
            if known is value:
                return code.Global(name)
        name = f"g_{hint}_{len(self.function.globals)}"
        self.function.globals[name] = value
        return code.Global(name)

    def argument(self, value: Operand | View) -> Term:
        """Returns an argument of a call."""
        return self.view(value) if isinstance(value, View) else self.operand(value)

    def call(self, statement: Call) -> None:
        """Writes a call of a function with derivatives of its own."""
        rule = statement.rule
        if isinstance(rule.function, SumOfProducts):
            self._write_products(statement, rule.function)
            return
        arguments = [self.argument(value) for value in statement.arguments]
        results: list[Term] = [result.term for result in statement.results]
        callee = statement.callee
        if callee is not None and (callee.is_exact or isinstance(callee.function, TangentOf)):
            tangent = callee.function if isinstance(callee.function, TangentOf) else TangentOf(callee, ())
            called = code.call(self.derived_call("tangent", tangent.callee, tangent.active), *arguments)
            self.write(code.assign(code.tuple_of(results), called) if results else code.Evaluate(called))
            return
        is_tuple = len(results) > 1 or (isinstance(rule, CallRule) and rule.returns_tuple)
        target = code.tuple_of(results) if is_tuple or not results else results[0]
        if callee is not None:
            remaining = iter(arguments)
            arguments = [self._structure(type, remaining) for type in callee.types]
            target = self._structure(callee.result, iter(results))
        called = code.call(self.bound(rule.function, "function").name, *arguments)
        self.write(code.assign(target, called) if results else code.Evaluate(called))

    def _write_products(self, statement: Call, products: SumOfProducts) -> None:
        """Writes a product of matrices, or its tangent, as products that add to zeros."""
        (result,) = statement.results
        assert isinstance(result, Root)
        zeros = code.call("np.zeros", self.shape(result.dims), self.dtype(result.type.dtype))
        self.write(code.assign(result.term, zeros))
        numbers = [argument for argument in statement.arguments if not isinstance(argument, View)]
        is_guarded = [*map(self.operand, numbers), as_term(False)][0]
        for positions in products.factors:
            first, second = [statement.arguments[position] for position in positions]
            assert isinstance(first, View)
            assert isinstance(second, View)
            views = [View.whole(result), first, second]
            if has_constant_layout(first) and has_constant_layout(second):
                forms = FLAT * 3
                is_column = second.rank == 1, False, True
                matrices = [
                    flat_matrix(view, view.root.term, is_second, self.operand)
                    for view, is_second in zip(views, is_column, strict=True)
                ]
            else:
                forms, matrices = product_forms(first.rank, second.rank), [*map(self.view, views)]
            self.write(code.Evaluate(code.call("add_product", forms, *matrices, is_guarded)))

    def derived_call(self, form: str, callee: Callee, arguments: tuple[int, ...]) -> str:
        """Returns the name by which the code calls a derivative of a function that is not inlined."""
        call = DerivedCall(form, callee, arguments)
        return self._calls.setdefault(call, f"{form}_{callee.function.__name__}_{len(self._calls)}")

    def dtype(self, type: types.Type) -> code.Global:
        """Returns a dtype."""
        name = str(type)
        return code.Global("np.bool_" if name == "bool" else f"np.{name}")

    def jump(self, number: int) -> None:
        """Writes a jump to the block of a number."""
        self.write(code.Jump(number))

    def write_block_end(self, block: Block) -> None:
        """Writes how the function goes on after the statements of a block."""
        block.end.write(self, block)

    def write_return(self, block: Block, end: Return) -> None:
        """Writes what the derivative does where the function returns."""
        raise NotImplementedError

    def edge(self, block: Block, target: Block) -> None:
        """Writes the values of the target's phis on the way from a block, and the jump."""
        self.write_phi_values(block, target)
        self.jump(target.number)

    def write_phi_values(self, block: Block, target: Block) -> None:
        """Writes the values that the target's phis have on the way from a block."""
        for phi in target.phis:
            value = phi.incoming.get(block)
            if isinstance(phi.target, Root):
                assert isinstance(value, View)
                given = self.view(value)
            else:
                operand = value if isinstance(value, Number) else Constant(0, phi.target.type)
                given = self.convert(operand, phi.target.type)
            self.write(code.assign(incoming(phi.target), given))

    def raise_(self, end: Raise) -> None:
        """Writes the raise of an exception."""
        self.location = end.location or self.location
        self.write(code.Raise(end.exception.__name__, end.arguments))
        self.function.globals[end.exception.__name__] = end.exception

    def _result_of(self, value: Operand | View, type: types.Type) -> Term:
        """Returns a result of a function that derivatives call."""
        if not isinstance(value, View):
            return self.convert(value, type)
        return self.view(value) if type.layout == "C" else code.call("contiguous", self.view(value))

    def results_of(self, end: Return) -> list[Term]:
        """Returns all results of a function that derivatives call."""
        leaf_types = leaf_types_of(self.function.result)
        return [self._result_of(value, type) for value, type in zip(end.values, leaf_types, strict=True)]

    def result_of_parts(self, parts: Iterable[Term]) -> Term:
        """Returns the function's result, made of its leaves."""
        return self._structure(self.function.result, iter(parts))

    def _structure(self, type: types.Type, leaves: Iterator[Term]) -> Term:
        """Returns a value of ``type``, made of its leaves."""
        if isinstance(type, types.BaseTuple):
            return code.tuple_of([self._structure(item, leaves) for item in type])
        if isinstance(type, types.Complex):
            return self.complex_number(type, next(leaves), next(leaves))
        if is_complex_type(type):
            return code.call("complex_of_parts", next(leaves))
        if isinstance(type, types.Dispatcher):
            return self.bound(type.dispatcher, "function")
        return NONE if type == types.none else next(leaves)

    def complex_number(self, type: types.Type, real: Term, imag: Term) -> Term:
        """Returns a complex number."""
        number = code.call("complex", real, imag)
        return number if type == types.complex128 else code.call(f"np.{type}", number)

    def unpacked_parts(self, name: str, type: types.Type, prefix: str = "") -> list[code.Statement]:
        """Returns statements that give the real and the imaginary parts of a parameter names."""
        value = code.Variable(f"{prefix}{name}", type)
        if isinstance(type, types.Complex):
            return [
                code.assign(
                    code.Variable(f"{prefix}{part}_of_{name}", type.underlying_float), code.attribute(value, part)
                )
                for part in ("real", "imag")
            ]
        if is_complex_type(type):
            return [code.assign(code.Variable(f"{prefix}parts_of_{name}"), code.call("real_parts", value))]
        return []

    def unpacked_field(self, root: Root, prefix: str = "") -> list[code.Statement]:
        """Returns the statement that gives a field of a parameter, a record or an instance, its name; with the prefix ``d_`` its tangent."""
        if root.field is None:
            return []
        owner = code.Variable(f"{prefix}{root.field.owner}")
        if root.field.like:
            field = code.call("tangents_in_list", owner, code.Variable(root.field.like))
        else:
            field = code.call("field_of", owner, root.field.name)
        value = code.call("real_parts", field) if root.field.is_complex else field
        return [code.assign(code.Variable(f"{prefix}{root.name}"), value)]

    def unpacked_parameters(self) -> list[code.Statement]:
        """Returns statements that give the parts of parameters that are tuples, records or complex names."""
        statements: list[code.Statement] = []

        def unpack(name: str, type: types.Type) -> None:
            statements.extend(self.unpacked_parts(name, type))
            if isinstance(type, types.BaseTuple):
                for number, item in enumerate(type):
                    variable = code.Variable(item_name(name, number), item)
                    statements.append(code.assign(variable, code.item(code.Variable(name, type), number)))
                    unpack(item_name(name, number), item)

        for name, type in zip(self.function.parameters, self.function.types, strict=True):
            unpack(f"a_{name}", type)
        return statements + [part for root in self.function.roots for part in self.unpacked_field(root)]

    def result(
        self,
        name: str,
        parameters: list[code.Variable],
        prologue: list[code.Statement],
        start: int = 0,
        results: Sequence[types.Type] | None = None,
    ) -> Derivative:
        """Returns the derivative of a name, parameters, the statements before the first block, the blocks, and the types of a tuple of results."""
        scope = {"np": np, "math": math, **GLOBALS_OF_CODE, **self.function.globals}
        scope |= {"real_parts": real_parts, "complex_of_parts": complex_of_parts, "field_of": field_of}
        scope |= {"tangents_in_list": tangents_in_list, "list_like": list_like}
        calls = {name: call for call, name in self._calls.items()}
        result = None if results is None else types.Tuple(results)
        return Derivative(Code(name, parameters, prologue, self.blocks, start, result), scope, calls)


def incoming(target: Scalar | Root) -> code.Variable:
    """Returns the variable of the value that a phi takes from the block before."""
    return _variable_of("p", target)


def cotangent(part: Scalar | Root) -> code.Variable:
    """Returns the variable of a cotangent."""
    return _variable_of("d", part) if isinstance(part, Scalar) else code.Variable(f"d_{part.name}")


def taken(part: Scalar | Root) -> code.Variable:
    """Returns the variable of a cotangent that was taken."""
    return _variable_of("t", part) if isinstance(part, Scalar) else code.Variable(f"t_{part.name}")


def _variable_of(prefix: str, part: Scalar | Root) -> code.Variable:
    """Returns a variable of the type of another one."""
    return code.Variable(f"{prefix}_{part.name}", part.term.type)


def variables_of(items: Iterable[Scalar | Counter]) -> list[Term]:
    """Returns the variables of numbers and counters."""
    return [item.term if isinstance(item, Scalar) else code.integer(item.name) for item in items]
