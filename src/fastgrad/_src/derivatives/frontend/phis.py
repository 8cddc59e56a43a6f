"""Lowering of phis: variables with several definitions, and results of branches that the lowering itself makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from numba import types

from fastgrad._src.derivatives.frontend import containers
from fastgrad._src.derivatives.frontend.operands import Part, by_class
from fastgrad._src.derivatives.frontend.statements import operation_of
from fastgrad._src.derivatives.frontend.views import Slice
from fastgrad._src.derivatives.ir.operands import INDEX, Constant, Operand, Root, Scalar, View, index_constant, refuse
from fastgrad._src.derivatives.ir.representation import Block, Phi
from fastgrad._src.derivatives.ir.statements import Branch
from fastgrad._src.derivatives.ir.values import (
    Complex,
    Deferred,
    EnumerationMember,
    Fields,
    FunctionChoice,
    Items,
    NumberedText,
    OptionalValue,
    Range,
    Selection,
    Static,
    Step,
    describe,
    item_if_read,
)
from fastgrad._src.jit.numba_internals import ir
from fastgrad._src.scalars.terms import EQUAL

if TYPE_CHECKING:
    from fastgrad._src.derivatives.frontend.frames import Frame


class Phis(Part):
    """Lowers phis, and merges the results of branches."""

    def apply_in_branches(
        self, values: Sequence[Any], index: Operand, action: Callable[[Any], Any]
    ) -> list[tuple[Block, Any]]:
        """Applies ``action`` to the item of ``values`` at a position, by a branch for each; returns the ends of the branches with the results."""
        builder = self._builder
        after = builder.new_block()
        incoming = []
        for number, value in enumerate(values):
            if number < len(values) - 1:
                here, others = builder.new_block(), builder.new_block()
                condition = builder.compute(types.boolean, EQUAL, [index, index_constant(number)])
                builder.block.end = Branch(condition, here, others)
                builder.enter(here)
            result = action(value)
            incoming.append((builder.block, result))
            builder.jump(after)
            if number < len(values) - 1:
                builder.enter(others)
        builder.enter(after)
        return incoming

    def choose(self, type: types.Type, values: Sequence[Any], index: Operand, action: Callable[[Any], Any]) -> Any:
        """Returns what ``action`` makes of the item of ``values`` at a position, a value of ``type``."""
        return self.merge(type, self.apply_in_branches(values, index, action), "item")

    def merge(self, type: types.Type, incoming: list[tuple[Block, Any]], hint: str) -> Any:
        """Returns the phi of the results of branches."""
        merged = self.new_phi(type, hint)
        for block, value in incoming:
            merged.add_incoming(self, block, value)
        return merged

    def phi(self, name: str, value: ir.Expr) -> Any:
        """Lowers a phi: a new one, or the only value that it can have."""
        frame = self._lowering.frame
        phi_type = frame.type_of(name)
        definitions = self._definitions_of(name)
        if len(definitions) == 1:
            only = frame.values.get(next(iter(definitions)))
            if only is not None and self._has_single_value(only, next(iter(definitions))):
                return only
        is_function = isinstance(phi_type, types.FunctionType)
        phi = self._phi_of_functions(definitions, phi_type) if is_function else self.new_phi(phi_type, name)
        frame.pending_phis.append((frame.label, phi, value))
        return phi

    def _phi_of_functions(self, definitions: set[str], type: types.FunctionType) -> Any:
        """Returns a new phi of functions. Its value is a number: the position of a function among those of ``definitions``."""
        functions: list[Any] = []
        for name in sorted(definitions):
            value = item_if_read(self._lowering.frame.values.get(name))
            definition = self._lowering.frame.definitions.get(name)
            if value is None and isinstance(definition, (ir.Const, ir.Global, ir.FreeVar)):
                value = Static(definition.value)
            if isinstance(value, FunctionChoice):
                functions += value.functions
            elif isinstance(value, Static):
                functions.append(value.value)
            else:
                return Deferred("a function is computed in a loop that uses it before")
        index = self.new_phi(INDEX, "function")
        return FunctionChoice(tuple(dict.fromkeys(functions)), index, type.get_precise())

    def index_of_function(self, choice: FunctionChoice, block: Block, value: Any) -> Operand:
        """Returns the number in ``choice`` of the function that ``value`` is at the end of ``block``."""
        if not isinstance(value, FunctionChoice):
            return index_constant(choice.functions.index(value.value) if isinstance(value, Static) else 0)
        numbers = [index_constant(choice.functions.index(function)) for function in value.functions]
        builder, here = self._builder, self._builder.block
        builder.block = block
        number = self._lowering.operators.select_number(numbers, value.index, INDEX)
        builder.block = here
        return number

    def _has_single_value(self, value: Any, name: str) -> bool:
        """True if the only definition of a phi gives it its value: it comes before the phi on each way, or has no numbers that change."""
        if isinstance(value, (Scalar, EnumerationMember, Step)):
            return False
        if isinstance(value, Static) and not isinstance(value.value, Slice):
            return True
        return self._lowering.frame.labels.get(name) in self._lowering.frame.dominators[self._lowering.frame.label]

    def _definitions_of(self, name: str) -> set[str]:
        """Returns the variables whose value the phi ``name`` can have, through copies and other phis."""
        definitions: set[str] = set()
        visited, pending = set(), [name]
        while pending:
            current = pending.pop()
            if current in visited:
                continue
            visited.add(current)
            value: Any = self._lowering.frame.definitions.get(current)
            if isinstance(value, ir.Var):
                pending.append(value.name)
            elif operation_of(value) == "phi":
                incoming = zip(value.incoming_values, value.incoming_blocks, strict=True)
                pending += [v.name for v, _ in incoming if v is not ir.UNDEFINED]
            elif operation_of(value) == "cast":
                pending.append(value.value.name)
            elif operation_of(value) != "undef":
                definitions.add(current)
        return definitions

    def new_phi(self, type: types.Type, hint: str) -> Any:
        """Returns the value of a new phi: a scalar, a view of a root of kind "phi", or a tuple of them."""
        type = types.unliteral(type)
        rule = by_class(_PHIS, type)
        value = NotImplemented if rule is None else rule(self, type, hint)
        reason = f"{hint.partition('.')[0]} is of type {type} and has several definitions"
        return Deferred(reason) if value is NotImplemented else value

    def _phi_of_array(self, type: types.Array, hint: str) -> View:
        root = self._builder.root(type, "phi", hint)
        self._builder.block.phis.append(Phi(root, self._builder.location))
        self._builder.read_dims(root, type)
        return View.whole(root, type.dtype)

    def _phi_of_records(self, type: types.Array, hint: str) -> Fields:
        parts = {
            name: self._phi_of_array(types.Array(dtype, type.ndim + len(inner), "A"), hint)
            for name, (dtype, inner) in containers.types_of_fields(type).items()
        }
        return Fields(parts, type)

    def _phi_of_number(self, type: types.Type, hint: str) -> Scalar:
        scalar = self._builder.scalar(type, hint)
        self._builder.block.phis.append(Phi(scalar, self._builder.location))
        return scalar

    def _phi_of_optional(self, type: types.Optional, hint: str) -> Any:
        if not isinstance(type.type, (*containers.NUMBERS, types.Array, types.EnumMember)):
            return NotImplemented
        return OptionalValue(self.new_phi(types.boolean, hint), self.new_phi(type.type, hint))

    def complete(self, frame: Frame) -> None:
        """Adds the incoming values of the phis of a call, which are all known now."""
        for target, phi, expression in frame.pending_phis:
            for variable, label in zip(expression.incoming_values, expression.incoming_blocks, strict=True):
                if label in frame.last_blocks and label in frame.reached:
                    value = None if variable is ir.UNDEFINED else item_if_read(frame.values.get(variable.name))
                    for block in [frame.last_blocks[label], *frame.raising.get((label, target), [])]:
                        phi.add_incoming(self, block, value)

    def text_number(self, block: Block, value: Any) -> Operand:
        """Returns the number of a text, at the end of ``block``; 0 if there is none."""
        here, self._builder.block = self._builder.block, block
        number = index_constant(0) if value is None else self._lowering.texts.number_of(value)
        self._builder.block = here
        return number

    def enum_member_value(self, value: Any) -> Operand:
        """Returns the value of a member of an enumeration."""
        return self._lowering.operands.enum_member_value(value)

    def add_incoming_number(self, phi: Scalar, block: Block, value: Any) -> None:
        """Adds the number that a phi has if the way to it comes from ``block``; 0 if it has none there."""
        statement = self._phi_statement(phi)
        if value is None or isinstance(value, Step):
            value = Constant(0, phi.type)
        if not value.is_number:
            raise refuse(f"a variable is a number on one way and {describe(value)} on another", statement.location)
        statement.incoming[block] = value

    def add_incoming_array(self, phi: View, block: Block, value: Any) -> None:
        """Adds the array that a phi has if the way to it comes from ``block``; one without elements if it has none there."""
        statement = self._phi_statement(phi.root)
        if isinstance(value, Selection):
            raise refuse(
                "an array of a tuple that is written can't be one of several arrays in a derivative; index the tuple where it is used",
                statement.location,
            )
        if value is None:
            value = self._empty_array(phi.root, block)
        if not value.is_array:
            raise refuse(f"a variable is an array on one way and {describe(value)} on another", statement.location)
        statement.incoming[block] = value.real()

    def _empty_array(self, phi: Root, block: Block) -> View:
        """Returns what an array without a value is in Numba: one without elements, made at the end of ``block``."""
        builder, here = self._builder, self._builder.block
        builder.block = block
        dims: list[Operand] = [dim if isinstance(dim, Constant) else index_constant(0) for dim in phi.dims]
        array = builder.allocate(phi.type.dtype, dims, "empty")
        builder.block = here
        return array

    def _phi_statement(self, target: Scalar | Root) -> Phi:
        assert target.block is not None
        return next(phi for phi in target.block.phis if phi.target is target)


_PHIS: dict[type, Callable[[Phis, Any, str], Any]] = {
    types.BaseTuple: lambda phis, kind, hint: Items([phis.new_phi(item, hint) for item in kind], kind),
    types.NoneType: lambda phis, kind, hint: Static(None),
    types.UnicodeType: lambda phis, kind, hint: NumberedText(phis.new_phi(INDEX, hint)),
    types.EnumMember: lambda phis, kind, hint: EnumerationMember(phis.new_phi(kind.dtype, hint), kind),
    types.IntEnumMember: lambda phis, kind, hint: phis.new_phi(kind.dtype, hint),
    types.Dispatcher: lambda phis, kind, hint: Static(kind.dispatcher),
    types.Optional: Phis._phi_of_optional,
    types.Array: lambda phis, kind, hint: (
        phis._phi_of_records if isinstance(kind.dtype, types.Record) else phis._phi_of_array
    )(kind, hint),
    types.Complex: lambda phis, kind, hint: Complex(*[phis.new_phi(kind.underlying_float, hint) for _ in range(2)]),
    **dict.fromkeys([types.Float, types.Integer, types.Boolean], Phis._phi_of_number),
    types.RangeType: lambda phis, kind, hint: (
        Range(*[phis.new_phi(INDEX, hint) for _ in range(3)]) if kind.dtype == INDEX else NotImplemented
    ),
}
"""What makes a phi, by the class of Numba's type."""
