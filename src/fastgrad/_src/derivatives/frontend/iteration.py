"""Lowering of loops over ranges, arrays, tuples, lists and dictionaries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types

from fastgrad._src.derivatives.frontend import containers, mappings, methods
from fastgrad._src.derivatives.frontend import views as view_rules
from fastgrad._src.derivatives.frontend.operands import Part, by_class
from fastgrad._src.derivatives.ir.operands import (
    INDEX,
    Constant,
    Counter,
    Operand,
    Scalar,
    View,
    index_constant,
    is_constant,
)
from fastgrad._src.derivatives.ir.statements import BeginLoop, NextIteration
from fastgrad._src.derivatives.ir.values import (
    Fields,
    Items,
    Iterable,
    List,
    LoopState,
    Mapping,
    MappingView,
    Range,
    Selection,
    Step,
    describe,
)
from fastgrad._src.derivatives.numpy import loop_sources
from fastgrad._src.jit.numba_internals import ir
from fastgrad._src.scalars.formulas import DIVISION_COST
from fastgrad._src.scalars.terms import ADD, MULTIPLY, SUBTRACT


class Iteration(Part):
    """Lowers iterators: each becomes a counter of its iterations."""

    def begin(self, name: str, value: ir.Expr) -> Any:
        """Lowers the start of a loop."""
        items = self._operands.value(value.value)
        iterable = self.iterable(items)
        if value.value.name in self._lowering.frame.iterators:
            self._lowering.note_iterator_use(self._lowering.frame.iterators[value.value.name])
        is_parallel = isinstance(items, Range) and items.is_parallel
        counter = Counter(
            self._builder.name("k"), iterable.count, self._builder.block, self._lowering.frame.is_internal, is_parallel
        )
        self._lowering.result.counters.append(counter)
        self._builder.block.statements.append(BeginLoop(self._builder.location, counter))
        return LoopState(counter, iterable)

    def iterable(self, value: Any) -> Iterable:
        """Returns what a ``for`` loop goes through: a number of items, and the item of a number."""
        rule = by_class(_ITERABLES, value)
        result = NotImplemented if rule is None else rule(self, value)
        if result is NotImplemented:
            raise self._builder.refuse(f"a loop over {describe(value)} can't be differentiated")
        return result

    def _used_iterable(self, value: Iterable) -> Iterable:
        self._lowering.note_iterator_use(value)
        return value

    def _iterable_of_array(self, value: View) -> Any:
        def item(k: Scalar) -> Any:
            return self._operands.element_or_view(view_rules.subview(self._builder, value, [k]))

        return Iterable(value.axes[0].size, item) if value.axes else NotImplemented

    def _iterable_of_records(self, value: Fields) -> Any:
        size = value.length
        if size is None:
            return NotImplemented
        return Iterable(size, lambda k: containers.field_item(self._lowering, value, k))

    def _iterable_of_tuple(self, value: Items) -> Iterable:
        item_type = types.unliteral(getattr(value.type, "dtype", None) or types.none)
        result = Iterable(
            index_constant(len(value.values)), lambda k: self._lowering.subscripts.item_at(value, k, item_type)
        )
        if self._lowering.subscripts.is_selection(value):
            result.selection = lambda k: Selection(value.values, k, item_type)
        return result

    def _iterable_of_range(self, value: Range) -> Iterable:
        builder = self._builder
        start, stop, step = [self._operands.as_signed(bound) for bound in (value.start, value.stop, value.step)]
        if is_constant(step, 1):
            count = builder.index(SUBTRACT, stop, start)
        elif is_constant(step, -1):
            count = builder.index(SUBTRACT, start, stop)
        else:
            range_count = builder.call_of(loop_sources.range_count, 3)
            count = builder.index(range_count, start, stop, step, cost=DIVISION_COST)
        is_rising = isinstance(step, Constant) and step.value > 0 and start.is_natural
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

    def next_item(self, name: str, value: ir.Expr) -> Any:
        """Lowers the step of a loop to its next item, if there is one."""
        builder = self._builder
        state = self._operands.value(value.value)
        if not isinstance(state, LoopState):
            raise builder.refuse("this loop can't be differentiated")
        counter = state.counter
        if counter.head is not None:
            raise builder.refuse("an iterator that is advanced in two places can't be differentiated")
        counter.head = builder.block
        self._lowering.frame.iterated += [(values, self._lowering.frame.label) for values in state.iterable.lists]
        target, is_valid = builder.scalar(INDEX, "k"), builder.scalar(types.boolean, "more")
        target.is_natural = True
        statement = NextIteration(builder.location, counter, target, is_valid)
        target.definition = is_valid.definition = statement
        builder.block.statements.append(statement)
        select = state.iterable.selection
        return Step(is_valid, lambda: state.iterable.item(target), select and (lambda: select(target)))

    def item_of_pair(self, name: str, value: ir.Expr) -> Any:
        """Returns the item of a step."""
        step = self._lowering.frame.values[value.value.name]
        if step.select is not None and self._lowering.subscripts.is_written(name):
            step.make = step.select
        return step

    def has_item(self, name: str, value: ir.Expr) -> Any:
        """Returns whether a step has an item."""
        return self._lowering.frame.values[value.value.name].is_valid


_ITERABLES: dict[type, Callable[[Iteration, Any], Any]] = {
    Iterable: Iteration._used_iterable,
    Range: Iteration._iterable_of_range,
    View: Iteration._iterable_of_array,
    Fields: Iteration._iterable_of_records,
    Items: Iteration._iterable_of_tuple,
    **dict.fromkeys(
        [Mapping, List], lambda loops, value: methods.call(loops._lowering, value, "__iter__", [], types.none)
    ),
    MappingView: lambda loops, view: mappings.iterable(loops._lowering, view.mapping, view.parts),
}
"""What a loop goes through, by the class of the value."""
