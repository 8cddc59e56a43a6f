"""Forward mode: turns a function into a function that also computes its tangents.

The tangent of each active number and array comes after the number or array. The tangent of an array is an array of its shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numba
import numpy as np
from numba import types

from fastgrad._src.derivatives.analysis.activity import Activity
from fastgrad._src.derivatives.analysis.aliases import check_aliased_stores
from fastgrad._src.derivatives.analysis.control_flow import ControlFlow
from fastgrad._src.derivatives.analysis.infinite_derivatives import (
    indeterminate_forms,
    may_be_zero,
    statements_after_infinite_derivatives,
)
from fastgrad._src.derivatives.functions.argument_types import is_differentiable, tangent_type_of
from fastgrad._src.derivatives.functions.numba_types import is_float_type
from fastgrad._src.derivatives.ir.call_rules import Callee, CallRule, TangentOf
from fastgrad._src.derivatives.ir.operands import (
    INDEX,
    Axis,
    Constant,
    Location,
    Operand,
    Root,
    Scalar,
    View,
    equal_operands,
    index_constant,
    leaf_types_of,
    refuse,
)
from fastgrad._src.derivatives.ir.partials import (
    GUARDS,
    decision_of,
    guard,
    sums_by_operand,
    with_finite_derivatives,
    with_zero_derivatives,
    without_zeros,
)
from fastgrad._src.derivatives.ir.representation import Block, Function, Phi
from fastgrad._src.derivatives.ir.statements import (
    Allocate,
    BeginLoop,
    Call,
    Compute,
    NextIteration,
    Return,
    Size,
    Statement,
    Store,
)
from fastgrad._src.derivatives.ir.values import ArrayList, Complex, Fields, Items, NumberList, Static, parts_of
from fastgrad._src.scalars.formulas import COTANGENT, OPERANDS, Singularity, Term


@numba.njit
def join(*arrays):  # type: ignore[no-untyped-def]
    """Returns the array whose last axis has the elements of several arrays of one shape, in a tuple."""
    result = np.empty((*arrays[0].shape, len(arrays)), arrays[0].dtype)
    for number, array in enumerate(arrays):
        result[..., number] = array
    return (result,)


class TangentStatements(Protocol):
    """What appends the numbers of tangents to a function.

    Attributes:
        function: the function.
        block: its current block.
        is_last: whether the function is not differentiated again.
    """

    function: Function
    block: Block
    is_last: bool

    def name(self, hint: str) -> str:
        """Returns a name that no number or array of the function has, nor of a function that it becomes a part of."""

    def number(self, name: str, statement: Compute, terms: Sequence[tuple[Term, Operand]]) -> Operand:
        """Returns the sum of some partials of a statement, each for the tangent of its operand; ``name`` is free for it."""

    def call(
        self, location: Location, function: Any, arguments: list[Operand | View], results: Sequence[Scalar | Root]
    ) -> Sequence[Operand | Root]:
        """Returns what a function returns, a tuple. ``results`` are new, and of the types that it returns; others may take their place."""

    def copy(self, location: Location, view: View) -> Root:
        """Returns a copy of an array."""

    def check_shape(self, location: Location, argument: View, tangent: View, message: str) -> None:
        """Raises ValueError if a tangent has not the shape of its argument, with which the function begins."""


class Tangents:
    """Builds the function that computes a function's results and their tangents.

    Args:
        function: the function.
        flow: its control flow.
        positions: the numbers of the parameters that have tangents.
        statements: appends the numbers of tangents.
        is_callee: whether other functions call the result. Then ``positions`` are numbers of ``parts``, the result takes and returns numbers
            and arrays one by one, and it writes the tangents of arrays that the function writes.
        width: the number of tangents that one run computes. If there are several, they are the last axis of the tangents of arrays, and those of
            a number are numbers of their own. So they are neighbors in memory, and LLVM computes them in the lanes of a vector.
    """

    def __init__(
        self,
        function: Function,
        flow: ControlFlow,
        positions: tuple[int, ...],
        statements: TangentStatements,
        is_callee: bool = False,
        width: int = 1,
    ) -> None:
        check_aliased_stores(function, flow, is_reverse=False)
        self._source = function
        self._flow = flow
        self._positions = positions
        self._statements = statements
        self._is_callee = is_callee
        self._width = width
        self._lanes = [index_constant(width)] if width > 1 else []
        self._active = Activity(function, flow.blocks, frozenset(positions), is_forward=True)
        self._active.check_random_draws(flow.blocks)
        self._guarded = statements_after_infinite_derivatives(flow, self._active)
        self._indeterminate = indeterminate_forms(function, flow, self._active, is_callee)
        self._numbers: dict[Operand, list[Operand]] = {}
        self._arrays: dict[Root, Root] = {}
        self._blocks = {block: Block(number) for number, block in enumerate(flow.blocks)}
        self._last_blocks: dict[Block, Block] = {}
        self._call_before: Call | None = None
        parts: list[Scalar | Root] = [*function.scalars, *function.roots]
        names = [part.name for part in parts]
        self._prefix = "dot"
        while any(name.startswith(self._prefix) for name in names):  # the function has tangents of its own
            self._prefix += "_dot"
        self.function = self._new_function()
        statements.function = self.function
        self._build()

    def _new_function(self) -> Function:
        source = self._source
        function = Function(source.name, source.location, [*source.parameters], source.types)
        function.names = [*source.names]
        function.arguments = [*source.arguments]
        function.scalars, function.roots, function.counters = [*source.scalars], [*source.roots], [*source.counters]
        function.globals, function.copies = source.globals, source.copies
        function.appended, function.fills, function.assumed_sizes = source.appended, source.fills, source.assumed_sizes
        function.globals.update(GUARDS)
        return function

    def _build(self) -> None:
        function = self.function
        for block in self._flow.blocks:
            self._enter(self._blocks[block])
            for phi in block.phis:
                self._phi(phi)
            if block is self._flow.blocks[0]:
                self._add_parameters()
            for statement in block.statements:
                if not isinstance(statement, Size):  # the sizes of a call's results come after it
                    self._append_tangents_of_call()
                self._statement(statement)
            self._append_tangents_of_call()
            self._block.end = block.end.with_tangents(self)
            self._last_blocks[block] = self._block
        for block in self._flow.blocks:
            self._complete_phis(block)
        function.result = self._result_type()
        function.number_blocks()
        if not self._statements.is_last:
            self._note_blocks()

    def _note_blocks(self) -> None:
        """Gives what the source's blocks defined the block of the result that defines it."""
        for block in self.function.blocks:
            for phi in block.phis:
                phi.target.block = block
            for statement in block.statements:
                for target in statement.definitions:
                    target.block = block
                    if isinstance(target, Scalar) and isinstance(statement, Call):
                        target.definition = statement
                if isinstance(statement, BeginLoop):
                    statement.counter.block = block
                elif isinstance(statement, NextIteration):
                    statement.counter.head = block

    # ---- new numbers, arrays and blocks --------------------------------------------------------------------------------

    @property
    def _block(self) -> Block:
        return self._statements.block

    def _enter(self, block: Block) -> None:
        self.function.blocks.append(block)
        self._statements.block = block

    def append(self, statement: Statement) -> None:
        """Appends a statement to the current block."""
        self._block.statements.append(statement)

    def _name(self, name: str, lane: int = 0) -> str:
        """Returns the name of a tangent. No name of a cotangent is like it, so the result may be differentiated."""
        return f"{self._prefix}_{name}" if self._width == 1 else f"{self._prefix}{lane}_{name}"

    def _scalar(self, name: str, type: types.Type) -> Scalar:
        scalar = Scalar(name, type, self._block)
        self.function.scalars.append(scalar)
        return scalar

    def _new_numbers(self, scalar: Scalar) -> list[Operand]:
        """Returns the tangents of a number, which are numbers without a definition yet."""
        self._numbers[scalar] = [
            self._scalar(self._name(scalar.name, lane), scalar.type) for lane in range(self._width)
        ]
        return self._numbers[scalar]

    def _root(
        self,
        name: str,
        dtype: types.Type,
        dims: list[Operand],
        location: Location,
        kind: str = "local",
        layout: str = "C",
    ) -> Root:
        root = Root(name, types.Array(dtype, len(dims), layout), kind, self._block, location, dims=dims)
        self.function.roots.append(root)
        return root

    def new_array(self, root: Root, kind: str = "local", dims: list[Operand] | None = None) -> Root:
        """Returns a new array for the tangents of an array, by default of its sizes."""
        dims, layout = [*(root.dims if dims is None else dims), *self._lanes], root.type.layout
        # Several functions that become parts of one have parameters of one name.
        name = self._statements.name("dot") if root.kind == "parameter" else f"{self._prefix}_{root.name}"
        array = self._root(name, root.type.dtype, dims, root.location, kind, layout)
        array.is_written, array.is_growing = root.is_written, root.is_growing
        self._arrays[root] = array
        return array

    def _sizes_of(self, root: Root) -> list[Operand]:
        """Appends the sizes of a parameter, and returns them."""
        sizes: list[Operand] = []
        for axis in range(root.type.ndim):
            size = self._scalar(self._statements.name("n"), INDEX)
            size.is_natural = True
            self._block.define(size, Size(root.location, size, root, axis))
            sizes.append(size)
        return sizes

    # ---- parameters --------------------------------------------------------------------------------------------------

    def _add_parameters(self) -> None:
        """Adds the parameters of tangents, and gives arrays that the function writes tangents, too."""
        function = self.function
        parts = parts_of(self._source)
        for number, position in enumerate(self._positions, len(parts) if self._is_callee else len(self._source.types)):
            if self._is_callee:
                part = parts[position]
                function.types = (*function.types, part.type)
                value: Any = View.whole(part) if isinstance(part, Root) else part
                function.arguments.append(self._parameter(value, lambda name: f"{self._prefix}_{name}", number))
                continue
            name = self._source.parameters[position]
            own = f"tangent_of_{name}"
            while own in function.parameters:
                own += "_"
            function.parameters.append(own)
            function.names.append(f"the tangent of {self._source.names[position]}")
            type = tangent_type_of(self._source.types[position])
            has_axes = isinstance(type, types.Array)
            function.types = (*function.types, type.copy(ndim=type.ndim + len(self._lanes)) if has_axes else type)
            value = self._source.arguments[position]

            def name_of(text: str, old: str = f"a_{name}", new: str = f"a_{own}") -> str:
                return text.removesuffix(old) + new

            function.arguments.append(self._parameter(value, name_of, number))
        writes_arguments = any(root.kind == "parameter" and root.is_written for root in self._source.roots)
        for root in self._source.roots:
            if root.kind != "parameter":
                continue
            if root not in self._arrays:
                if root in self._active:
                    array = self.new_array(root, dims=self._sizes_of(root))
                    self.append(Allocate(root.location, array, "zeros"))
            elif not self._is_callee:
                if root.dims:
                    self._check_shape(root, self._arrays[root])
                # The caller's array stays as it is, and the tangent too if it is an argument.
                if writes_arguments and root in self._active:
                    self._arrays[root] = self._statements.copy(root.location, View.whole(self._arrays[root]))

    def _parameter(self, value: Any, name_of: Callable[[str], str], number: int) -> Any:
        """Returns the parameter that is the tangent of an argument."""
        if isinstance(value, Items):
            items = [
                self._parameter(item, name_of, number) if is_differentiable(type) else Static(None)
                for item, type in zip(value.values, value.type, strict=True)
            ]
            return Items(items, tangent_type_of(value.type))
        if isinstance(value, Fields):
            parts = {
                name: self._parameter(view, name_of, number) for name, view in value.parts.items() if view.root.is_real
            }
            return Fields(parts, value.type)
        if isinstance(value, NumberList):
            return NumberList(self._parameter(value.data, name_of, number), value.length, value.type)
        if isinstance(value, ArrayList):
            elements = self._parameter(value.elements, name_of, number)
            return ArrayList(elements, value.starts, value.sizes, value.type)
        if isinstance(value, Complex):
            return Complex(*[self._parameter(part, name_of, number) for part in (value.real, value.imag)])
        if isinstance(value, View):
            root = value.root
            array = self.new_array(root, "parameter")
            array.name, array.block, array.position = name_of(root.name), None, number
            if root.field is not None:
                like = root.field.owner if root.is_copy_of_argument else ""
                array.field = root.field._replace(owner=name_of(root.field.owner), like=like)
            array.dims = self._sizes_of(array)
            return View.whole(array, value.dtype)
        scalar = Scalar(name_of(value.name), value.type, None, number)
        self.function.scalars.append(scalar)
        self._numbers[value] = [scalar]
        return scalar

    def _check_shape(self, root: Root, tangent: Root) -> None:
        """Appends the check that the tangent of an argument has the argument's shape."""
        assert root.position is not None
        message = f"jvp of {self._source.name}: the tangent of {self._source.parameters[root.position]} has another shape than the argument"
        sizes = self._sizes_of(root)
        axes = [Axis(axis, index_constant(1), size) for axis, size in enumerate(sizes)]
        argument = View(root, [index_constant(0) for _ in sizes], axes)
        self._statements.check_shape(root.location, argument, View.whole(tangent), message)

    # ---- phis and ends of blocks -----------------------------------------------------------------------------------------

    def _phi(self, phi: Phi) -> None:
        self._block.phis.append(Phi(phi.target, phi.location))
        if phi.target not in self._active:
            return
        if isinstance(phi.target, Root):
            targets: list[Any] = [self.new_array(phi.target, "phi")]
        else:
            targets = self._new_numbers(phi.target)
        self._block.phis += [Phi(target, phi.location) for target in targets]

    def _complete_phis(self, block: Block) -> None:
        """Adds the incoming values of a block's phis, which are all known now."""
        phis = iter(self._blocks[block].phis)
        for phi in block.phis:
            new = next(phis)
            is_active = phi.target in self._active
            tangents = (
                [next(phis) for _ in range(self._width if isinstance(phi.target, Scalar) else 1)] if is_active else []
            )
            for before, value in phi.incoming.items():
                last = self._last_blocks[before]
                new.incoming[last] = value
                self._statements.block = last
                for lane, tangent in enumerate(tangents):
                    tangent.incoming[last] = self._tangent_of(value, phi.location, lane)

    def block_of(self, block: Block) -> Block:
        """Returns the block of the result for one of the function."""
        return self._blocks[block]

    def of_result(self, end: Return) -> list[Operand | View]:
        """Returns the tangents of the function's result."""
        tangents: list[Operand | View] = []
        for value in end.values:
            if isinstance(value, View):
                tangents += [self._tangent_view(value, end.location)] if self._has_tangents_of(value.root.type) else []
            elif self._has_tangents_of(value.type):
                tangents += self._returned_numbers(value, end.location)
        return tangents

    def _has_tangents_of(self, type: types.Type) -> bool:
        """True if the result has the tangents of a part of a type."""
        return is_float_type(type) or (isinstance(type, types.Array) and not self._is_callee)

    def _returned_numbers(self, value: Operand, location: Location) -> list[Operand | View]:
        """Returns the tangent of a number; of several an array."""
        numbers = [self._tangent(value, lane) for lane in range(self._width)]
        if self._width == 1:
            return [*numbers]
        array = self._root(self._statements.name("dot"), value.type, [*self._lanes], location)
        self.append(Allocate(location, array, "empty"))
        for lane, number in enumerate(numbers):
            self.append(Store(location, array, number, [index_constant(lane)]))
        return [View.whole(array)]

    def _result_type(self) -> types.Type:
        result = self._source.result
        if self._is_callee:
            leaf_types = leaf_types_of(result)
            return types.Tuple([*leaf_types, *filter(is_float_type, leaf_types)])
        results = [block.results for block in self._flow.blocks if block.results]
        return types.Tuple([result, self._tangent_type(result, iter(results[0] if results else ()))])

    def _tangent_type(self, type: types.Type, values: Iterator[Operand | View]) -> types.Type:
        """Returns the type of the tangent of a result of ``type``, which consists of ``values``."""
        type = type.type if isinstance(type, types.Optional) else type
        if isinstance(type, types.BaseTuple):
            return types.Tuple([self._tangent_type(item, values) for item in type])
        if isinstance(type, (types.NoneType, types.Dispatcher)):
            return types.none
        value = next(values, None)
        if isinstance(type, types.Array):
            return type.copy(ndim=type.ndim + len(self._lanes))
        if isinstance(type, types.Complex):
            next(values, None)
            return type
        if value is None or isinstance(value, View) or not is_float_type(value.type):
            return types.none
        return types.Array(value.type, 1, "C") if self._lanes else value.type

    # ---- statements --------------------------------------------------------------------------------------------------

    def _statement(self, statement: Statement) -> None:
        if isinstance(statement, Call):
            self._call(statement)
            return
        self.append(statement)
        statement.add_tangents(self)

    def __contains__(self, part: Scalar | Root) -> bool:
        return part in self._active

    def array(self, root: Root) -> Root:
        """Returns the array of the tangents of an array."""
        return self._arrays[root]

    def numbers(self, operand: Operand) -> Iterator[tuple[Operand, list[Constant]]]:
        """Yields the tangents of a number, each with the index of its lane in arrays of tangents, if there are several."""
        for lane in range(self._width):
            yield self._tangent(operand, lane), self._lane_index(lane)

    def new_numbers(self, scalar: Scalar) -> Iterator[tuple[Scalar, list[Constant]]]:
        """Yields new numbers for the tangents of a number, without definitions yet, each with the index of its lane."""
        for lane, number in enumerate(self._new_numbers(scalar)):
            assert isinstance(number, Scalar)
            yield number, self._lane_index(lane)

    def _lane_index(self, lane: int) -> list[Constant]:
        return [index_constant(lane)] if self._width > 1 else []

    def _tangent(self, operand: Operand, lane: int) -> Operand:
        """Returns a tangent of a number."""
        if operand in self._active:
            return self._numbers[operand][lane]
        return Constant(0, operand.type)

    def compute(self, statement: Compute) -> None:
        """Appends the tangents of a number."""
        type, partials = statement.target.type, statement.partials
        if statement in self._guarded or statement in self._indeterminate.zero:
            partials = sums_by_operand(partials, statement.operands, type)
        partials = [None if partial is None else self._guard_partial(partial, statement, type) for partial in partials]
        known = [
            (operand, partial)
            for operand, partial in zip(statement.operands, partials, strict=True)
            if partial is not None and operand in self._active
        ]
        decisions = [decision_of(partial) for _, partial in known]
        if len(known) == 2 and decisions[0] and decisions[1] == decisions[0].opposite:
            operation = known[0][1].operation
            assert operation is not None
            selection = operation(OPERANDS[decisions[0].position], COTANGENT, OPERANDS[len(statement.operands)])
            first, second = [operand for operand, _ in known]
            taken, other = (first, second) if decisions[0].takes_if else (second, first)
            self._numbers[statement.target] = self._select(statement, selection, taken, other)
            return
        self._numbers[statement.target] = [
            self._statements.number(
                self._name(statement.target.name, lane),
                statement,
                [(partial, self._tangent(operand, lane)) for operand, partial in known],
            )
            for lane in range(self._width)
        ]

    def _guard_partial(self, partial: Term, statement: Compute, type: types.Type) -> Term:
        """Returns the partial of a statement with what it is for products of 0 and infinite numbers."""
        if statement in self._indeterminate.infinite:
            return with_finite_derivatives(partial, type)
        if Singularity.LOGARITHM in statement.singularity:
            partial = without_zeros(partial, type)
        if statement in self._indeterminate.zero:
            return with_zero_derivatives(partial, type)
        if statement in self._guarded and may_be_zero(partial, statement.operands):
            return guard(partial, type)
        return partial

    def _select(self, statement: Compute, selection: Term, taken: Operand, other: Operand) -> list[Operand]:
        """Returns the tangents of a number that is one of two.

        Args:
            statement: gives the number.
            selection: of two tangents: the cotangent and one more operand of the statement.
            taken, other: the numbers whose tangents the selection takes first and second.
        """
        return [
            self._statements.number(
                self._name(statement.target.name, lane),
                Compute(
                    statement.location,
                    statement.target,
                    statement.operation,
                    [*statement.operands, self._tangent(other, lane)],
                ),
                [(selection, self._tangent(taken, lane))],
            )
            for lane in range(self._width)
        ]

    # ---- arrays and calls --------------------------------------------------------------------------------------------

    def _tangent_view(self, view: View, location: Location) -> View:
        """Returns the tangents of an array."""
        zero, one = index_constant(0), index_constant(1)
        if view.root not in self._active:
            dims = [*view.sizes, *self._lanes]
            array = self._root(self._statements.name("dot"), view.root.type.dtype, dims, location)
            self.append(Allocate(location, array, "zeros"))
            return View.whole(array)
        array = self._arrays[view.root]
        axes = []
        for axis in view.axes:
            size = axis.size
            if axis.root_axis is not None and equal_operands(size, view.root.dims[axis.root_axis]):
                size = array.dims[axis.root_axis]
            axes.append(Axis(axis.root_axis, axis.step, size))
        axes += [Axis(len(view.starts), one, size) for size in self._lanes]
        return View(array, [*view.starts, *[zero for _ in self._lanes]], axes, layout=view.layout)

    def _tangent_of(self, value: Operand | View, location: Location, lane: int = 0) -> Operand | View:
        """Returns a tangent of a number, or those of an array."""
        return self._tangent_view(value, location) if isinstance(value, View) else self._tangent(value, lane)

    def _active_arguments(self, statement: Call) -> tuple[int, ...]:
        """Returns the numbers of the arguments of a call that have tangents."""
        return tuple(position for position in statement.rule.active if statement.arguments[position] in self._active)

    def _call(self, statement: Call) -> None:
        rule, active = statement.rule, self._active_arguments(statement)
        has_tangents = self._active.is_active_call(statement)
        if not has_tangents:
            self.append(statement)
            for root in statement.makes:
                if root in self._active:  # a number with a tangent is stored in it later
                    array = self.new_array(root, dims=self._sizes_of(root))
                    self.append(Allocate(root.location, array, "zeros"))
        elif isinstance(rule, Callee):
            arguments = [*statement.arguments, *self._tangents_of_arguments(statement, active)]
            self._append_joint_call(statement, _callee_with_tangents(rule, active), arguments)
        elif rule.with_tangent is not None:
            function = rule.with_tangent(active)
            arguments = [*self._tangents_of_arguments(statement, active), *statement.arguments]
            if not self._statements.is_last:  # it is refused there
                self._statements.call(statement.location, function, arguments, statement.results)
            self._append_joint_call(statement, CallRule(function, None, None, ()), arguments)
        else:
            self.append(statement)
            self._call_before = statement

    def _tangents_of_arguments(self, statement: Call, positions: tuple[int, ...]) -> list[Operand | View]:
        """Returns the tangents of the arguments of a call that are numbered ``positions``."""
        return [self._tangent_of(statement.arguments[position], statement.location) for position in positions]

    def _append_joint_call(self, statement: Call, rule: CallRule | Callee, arguments: list[Operand | View]) -> None:
        """Appends a call that returns the results of a statement and their tangents."""
        tangents: list[Any] = []
        for result in statement.results:
            if result.is_real:
                tangents += self._new_numbers(result) if isinstance(result, Scalar) else [self.new_array(result)]
        self.append(Call(statement.location, rule, arguments, [*statement.results, *tangents]))

    def _append_tangents_of_call(self) -> None:
        """Appends the call of the function of the tangents of the arguments, the results and the arguments, by lane."""
        statement, self._call_before = self._call_before, None
        if statement is None:
            return
        assert isinstance(statement.rule, CallRule)
        rule = statement.rule.restricted_to(self._active_arguments(statement))
        location = statement.location
        if rule.tangent is None:
            raise refuse(f"{rule.name} has no forward mode: give it a tangent with fg.adjoint", location)
        results = [View.whole(result) if isinstance(result, Root) else result for result in statement.results]
        given = [statement.arguments[position] for position in rule.active]
        tangents = self._tangents_of_arguments(statement, rule.active)
        lanes: list[Sequence[Operand | Root]] = []
        for lane in range(self._width):
            of_lane = [
                self._lane_of(tangent, lane, location) if isinstance(tangent, View) else self._tangent(value, lane)  # type: ignore[arg-type]
                for value, tangent in zip(given, tangents, strict=True)
            ]
            new: list[Scalar | Root] = [
                self._scalar(self._name(result.name, lane), result.type)
                if isinstance(result, Scalar)
                else self._root(self._name(result.name, lane), result.type.dtype, [*result.dims], location)
                for result in statement.results
            ]
            known: list[Operand | View] = [*results, *statement.arguments]
            if rule.is_product:
                known.append(Constant(statement in self._guarded, types.boolean))
            lanes.append(self._statements.call(location, rule.tangent, [*of_lane, *known], new))
        for result, *values in zip(statement.results, *lanes, strict=True):
            if isinstance(result, Scalar):
                self._numbers[result] = values
            else:
                self._arrays[result] = self._join_lanes(result, values, location)

    def _lane_of(self, view: View, lane: int, location: Location) -> View:
        """Returns one of several tangents of an array, that with the number ``lane``, as an array."""
        if self._width == 1:
            return view
        *axes, last = view.axes
        starts = [index_constant(lane) if axis == last.root_axis else start for axis, start in enumerate(view.starts)]
        return View.whole(self._statements.copy(location, View(view.root, starts, axes)))

    def _join_lanes(self, result: Root, lanes: list[Any], location: Location) -> Root:
        """Returns the array whose last axis has the tangents of an array."""
        array = lanes[0]
        if self._width > 1:
            views: list[Operand | View] = [View.whole(lane) for lane in lanes]
            (array,) = self._statements.call(location, join, views, [self.new_array(result)])
        assert isinstance(array, Root)
        return array


def _callee_with_tangents(callee: Callee, active: tuple[int, ...]) -> Callee:
    """Returns the function that computes the results of a function that is not inlined, and the tangents for those of the arguments ``active``."""
    argument_types = callee.argument_types
    places = {position: len(argument_types) + number for number, position in enumerate(active)}
    leaf_types = leaf_types_of(callee.result)

    def with_tangents(positions: Any) -> list[int]:
        return [*positions, *[places[position] for position in positions if position in places]]

    return callee._replace(
        function=TangentOf(callee, active),
        types=(*argument_types, *[argument_types[position] for position in active]),
        result=types.Tuple([*leaf_types, *filter(is_float_type, leaf_types)]),
        active=tuple(with_tangents(callee.active)),
        written=frozenset(with_tangents(callee.written)),
        returned=frozenset(with_tangents(callee.returned)),
    )
