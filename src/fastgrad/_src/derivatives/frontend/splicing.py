"""Inlines functions of the intermediate representation: their blocks become blocks of the caller."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from numba import types

from fastgrad._src.derivatives.frontend import views as view_rules
from fastgrad._src.derivatives.functions.numba_types import is_complex_type
from fastgrad._src.derivatives.ir.operands import (
    Axis,
    Operand,
    Root,
    Scalar,
    View,
    index_constant,
    resolved,
    with_replaced_numbers,
)
from fastgrad._src.derivatives.ir.representation import Block, Function, phis_in
from fastgrad._src.derivatives.ir.statements import NO_END, Compute, Raise, Reshape, Return, Size
from fastgrad._src.derivatives.ir.values import Complex, Items, Static
from fastgrad._src.derivatives.transform.emission import shared_memory_message
from fastgrad._src.scalars.terms import MULTIPLY

if TYPE_CHECKING:
    from fastgrad._src.derivatives.frontend.lowering import Lowering


class Spliced(NamedTuple):
    """How a call is differentiated whose function is lowered for the caller.

    Attributes:
        function_of: returns the function, from the caller's lowering and the values of the arguments. It shares the names of the caller.
        argument_count: how many arguments come before the tangents. None of them may share memory with one that the function writes.
    """

    function_of: Callable[[Any, list[Any]], Function]
    argument_count: int


def splice(lowering: Lowering, spliced: Spliced, values: list[Any]) -> Any:
    """Appends the blocks of a function to the one that is lowered; returns its result for the values of its arguments."""
    return Splice(lowering, spliced.function_of(lowering, values)).splice_call(values, spliced.argument_count)


def _ranges_overlap(
    meet: bool, start: int, step: int, size: int, other_start: int, other_step: int, other_size: int
) -> bool:
    """True if ``meet`` is, and two slices of one axis have elements between the first and the last one of each other."""
    last, other_last = start + step * (size - 1), other_start + other_step * (other_size - 1)
    is_before = max(start, last) < min(other_start, other_last)
    is_after = max(other_start, other_last) < min(start, last)
    return meet and size > 0 and other_size > 0 and not is_before and not is_after


def _overlap_check(message: str) -> Callable[[bool], None]:
    def check(meet: bool) -> None:
        if meet:
            raise ValueError(message)

    return check


def _range_of(view: View, root_axis: int) -> list[Operand]:
    """Returns the start, the step and the size of the slice of an axis of a view's root."""
    one = index_constant(1)
    (axis,) = [axis for axis in view.axes if axis.root_axis == root_axis] or [Axis(root_axis, one, one)]
    return [view.starts[root_axis], axis.step, axis.size]


class Splice:
    """Appends the blocks of a function, with the values of the arguments in the place of its parameters."""

    def __init__(self, lowering: Lowering, function: Function) -> None:
        self._lowering = lowering
        self._builder = lowering.builder
        self._function = function
        self._numbers: dict[Operand, Operand] = {}
        self._arrays: dict[Root, View] = {}

    def splice_call(self, values: list[Any], argument_count: int) -> Any:
        """Appends the blocks; returns the result. ``argument_count`` is that of ``Spliced``."""
        builder, function, location = self._builder, self._function, self._builder.location
        for parameter, value in zip(function.arguments, values, strict=True):
            if any(leaf.kind is not None for leaf in parameter.leaves):
                raise builder.refuse(
                    "a call of a derivative with a list or a dictionary can't be differentiated: pass a tuple"
                )
            parameter.bind(self, value)
        self._check_memory(
            [root for root in self._arrays if root.position is not None and root.position < argument_count]
        )
        globals_by_name = {root.name: root for root in builder.function.roots if root.kind == "global"}
        for root in function.roots:
            if root.kind == "global" and root.name in globals_by_name:
                self._arrays[root] = View.whole(globals_by_name[root.name])
        builder.jump(function.blocks[0])
        for block in function.blocks:
            builder.function.blocks.append(block)
            builder.enter(block)
            statements, block.statements = block.statements, []
            for statement in statements:
                builder.location = statement.location
                if statement.splice(self):
                    builder.block.statements.append(statement)
            self._rewrite_end(block)
        for phi in phis_in(function.blocks):
            for before, value in phi.incoming.items():
                builder.enter(before)
                phi.incoming[before] = self.value(value)
        builder.function.scalars += [scalar for scalar in function.scalars if scalar not in self._numbers]
        for root in function.roots:
            root.dims = [self.number(size) for size in root.dims]
        builder.function.roots += [root for root in function.roots if root not in self._arrays]
        builder.function.counters += function.counters
        builder.function.copies.update(function.copies)
        builder.function.appended.update(function.appended)
        builder.function.fills.update(function.fills)
        (last,) = [block for block in function.blocks if block.returns]
        builder.enter(last)
        builder.location = location
        results = iter(last.results)
        return self._structure(function.result, results)

    def _structure(self, type: types.Type, values: Any) -> Any:
        """Returns the value of ``type`` from the numbers and arrays that it is made of."""
        if isinstance(type, types.BaseTuple):
            return Items([self._structure(item, values) for item in type], type)
        if isinstance(type, types.Complex):
            return Complex(next(values), next(values))
        if isinstance(type, types.Dispatcher):
            return Static(type.dispatcher)
        if type == types.none:
            return Static(None)
        value = next(values)
        return value.complex() if is_complex_type(type) else value

    # ---- arguments -----------------------------------------------------------------------------------------------------

    def complex_number(self, value: Any, type: types.Complex) -> Complex:
        """Returns the caller's complex number."""
        operands = self._lowering.operands
        number: Complex = operands.cast(operands.number(value), type)
        return number

    def bind_number(self, parameter: Scalar, value: Any) -> None:
        """Notes the caller's number for a parameter."""
        operands = self._lowering.operands
        self._numbers[parameter] = operands.cast(operands.scalar(value), parameter.type)

    def bind_array(self, parameter: View, value: Any) -> None:
        """Notes the caller's array for a parameter."""
        if not isinstance(value, View):  # a number that is the field of a tangent
            value = self._array_of(value, parameter)
        elif (value.parts is None) != (parameter.parts is None):
            raise self._builder.refuse("a tangent is real where its number is complex")
        self._arrays[parameter.root] = value.real()

    def _array_of(self, value: Any, parameter: View) -> View:
        """Returns an array without axes that has a number."""
        array: View = self._builder.allocate(parameter.dtype, [], "empty")
        view_rules.store_element(self._builder, array, [], self._lowering.operands.number(value))
        return array

    def _check_memory(self, parameters: list[Root]) -> None:
        """Appends the checks that parameters which the function writes share no memory with others, as its tangents do not."""
        for first, second in itertools.combinations(parameters, 2):
            view, other = self._arrays[first], self._arrays[second]
            is_written = first.is_written or second.is_written
            if (
                not is_written
                or view.root.memory_owner is not other.root.memory_owner
                or first.is_sibling_field(second)
            ):
                continue
            message = shared_memory_message(self._function.names[root.position] for root in (first, second))  # type: ignore[index]
            if view.root is not other.root or not (view.has_slices() and other.has_slices()):
                raise self._builder.refuse(message)
            meet: Operand = self._builder.constant(True)
            for axis in range(len(view.starts)):
                meet = self._lowering.calls.inline(
                    _ranges_overlap, [meet, *_range_of(view, axis), *_range_of(other, axis)]
                )
            self._lowering.calls.inline(_overlap_check(message), [meet])

    # ---- statements ----------------------------------------------------------------------------------------------------

    def number(self, operand: Operand) -> Operand:
        """Returns the caller's number for a parameter, or a number that came of one."""
        number: Operand = resolved(self._numbers, operand)
        return number

    def check_in_try(self, statement: Compute) -> None:
        """Checks an operation that the caller has inside ``try``."""
        if self._builder.is_in_try:
            self._builder.check_in_try(statement.operation)

    def resolve_size(self, statement: Size) -> bool:
        """True if an array is the caller's; notes the size that a statement asks for."""
        view = self._arrays.get(statement.root)
        if view is not None:
            self._numbers[statement.target] = view.axes[statement.axis].size
        return view is not None

    def element(self, root: Root, indices: list[Operand]) -> tuple[Root, list[Operand]]:
        """Returns the array and the indices by which the caller knows an element."""
        view = self._arrays.get(root)
        return (root, indices) if view is None else (view.root, view_rules.root_indices(self._builder, view, indices))

    def note_write(self, root: Root) -> None:
        """Notes that the function writes an array of the caller's, or an array of its own that a call writes."""
        view = self._arrays.get(root)
        self._builder.note_write(root if view is None else view.root)

    def resolve_reshape(self, statement: Reshape) -> bool:
        """True if an array is the caller's; notes the view that a statement makes of it."""
        source = self._arrays.get(statement.source)
        if source is not None:
            self._arrays[statement.root] = view_rules.reshape(self._builder, source, statement.operands, True)
        return source is not None

    def value(self, value: Operand | View) -> Operand | View:
        """Returns the caller's number or view: a view of a parameter as a view of the argument, others with the caller's numbers."""
        outer = self._arrays.get(value.root) if isinstance(value, View) else None
        if outer is None or not isinstance(value, View):
            return with_replaced_numbers(value, self.number)
        if value.is_whole():
            return outer
        starts = view_rules.root_indices(self._builder, outer, [self.number(start) for start in value.starts])
        axes = []
        for axis in value.axes:
            of_root = None if axis.root_axis is None else outer.axes[axis.root_axis]
            root_axis = None if of_root is None else of_root.root_axis
            step = axis.step if of_root is None else self._builder.index(MULTIPLY, axis.step, of_root.step)
            axes.append(Axis(root_axis, step, self.number(axis.size)))
        return View(outer.root, starts, axes, layout=value.layout)

    # ---- phis and ends of blocks ---------------------------------------------------------------------------------------

    def _rewrite_end(self, block: Block) -> None:
        end = block.end
        if isinstance(end, Return):
            end.values = [self.value(value) for value in end.values]
        else:
            end.replace(self.number)
        if isinstance(end, Raise):
            block.end = NO_END
            self._lowering.raise_(end)
