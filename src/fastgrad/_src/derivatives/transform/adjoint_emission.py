"""Writes the statements of an adjoint as source, with the numbers that they read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastgrad._src.derivatives.analysis.cotangent_arrays import CotangentArrays
from fastgrad._src.derivatives.analysis.residuals import Residuals
from fastgrad._src.derivatives.ir.operands import Constant, Operand, Root, Scalar, View, zero
from fastgrad._src.derivatives.ir.partials import partial_text, reads_leaf
from fastgrad._src.derivatives.ir.statements import Compute, Load, NextIteration
from fastgrad._src.derivatives.runtime.matrix_products import COLUMN, FLAT, MATRIX, ROW, TRANSPOSED
from fastgrad._src.derivatives.transform.adjoint import (
    AddArray,
    AddElement,
    AddPartial,
    AddProduct,
    AddToElement,
    AddVariable,
    Adjoint,
    AdjointStatement,
    CallAdjoint,
    CallReverse,
    ClearArray,
    ClearElement,
    Exchange,
    RestoreArrays,
    TakeArray,
    TakeCotangent,
)
from fastgrad._src.derivatives.transform.emission import Emitter, flat_index, unsigned_index_text
from fastgrad._src.derivatives.transform.infinite_cotangents import guarded_adjoint
from fastgrad._src.derivatives.transform.record_stacks import STACKS_OF_REVERSE, TOPS, RecordStacks
from fastgrad._src.scalars.formulas import OPERANDS, RESULT

TextOf = Callable[[Operand], str]
"""Returns the text of a number that a statement reads."""


MET_FLAT = "met_flat"
"""The variable that is True when the reverse sweep has met a derivative of 0 that may be part of an indeterminate form."""


class AdjointEmitter:
    """Writes adjoint statements.

    Args:
        emitter: writes lines, and the forward statements of the function.
        adjoint: the statements.
        arrays: where the cotangents of arrays are.
        residuals: what is kept, recorded or computed again.
        stacks: the stacks of records.
    """

    def __init__(
        self,
        emitter: Emitter,
        adjoint: Adjoint,
        arrays: CotangentArrays,
        residuals: Residuals,
        stacks: RecordStacks,
    ) -> None:
        self._emitter = emitter
        self._adjoint = adjoint
        self._arrays = arrays
        self._residuals = residuals
        self._stacks = stacks
        self._activity = adjoint.activity
        self._computed_again: dict[Scalar, str] = {}
        self._indent = 3
        self._writers: dict[type[AdjointStatement], Callable[[Any, TextOf], None]] = {
            AddArray: self._add_array,
            AddElement: self._add_element,
            AddPartial: self._add_partial,
            AddToElement: self._add_to_element,
            AddVariable: self._add_variable,
            AddProduct: self._add_product,
            CallAdjoint: self._call_adjoint,
            CallReverse: self._call_reverse,
            ClearArray: self._clear_array,
            ClearElement: self._clear_element,
            Exchange: self._exchange,
            RestoreArrays: self._restore_arrays,
            TakeArray: self._take_array,
            TakeCotangent: self._take_cotangent,
        }

    def write(self, statement: AdjointStatement) -> None:
        """Writes a statement."""
        texts = {operand: self.use(operand) for operand in statement.reads}

        def text_of(operand: Operand) -> str:
            return operand.text if isinstance(operand, Constant) else texts[operand]

        self._writers[type(statement)](statement, text_of)

    def begin(self, indent: int = 3) -> None:
        """Begins the reverse sweep through a block, or an edge: numbers that were computed again have values of another run."""
        self._computed_again = {}
        self._indent = indent

    def use(self, operand: Operand) -> str:
        """Returns the text of a number on the reverse sweep; writes what computes it again."""
        if isinstance(operand, Constant):
            return operand.text
        if self._residuals.needs_no_record(operand) or operand in self._residuals.recorded:
            return operand.name
        if operand in self._computed_again:
            return self._computed_again[operand]
        definition, name = operand.definition, f"r_{operand.name}"
        operands = [self.use(part) for part in definition.operands] if definition is not None else []
        if isinstance(definition, Compute):
            text = definition.operation.text.format(*operands)
        elif isinstance(definition, Load):
            text = self._emitter.load(definition, operands, [*map(self.use, definition.guards)])
        else:
            assert isinstance(definition, NextIteration)
            text = definition.counter.name
        self._write_line(f"{name} = {text}")
        self._computed_again[operand] = name
        return name

    def _write_line(self, line: str, more: int = 0) -> None:
        self._emitter.write(line, self._indent + more)

    # ---- cotangents of numbers ------------------------------------------------------------------------------------

    def _take_cotangent(self, statement: TakeCotangent, text: TextOf) -> None:
        scalar = statement.scalar
        if statement.is_phi or scalar not in self._adjoint.local:
            self._write_line(f"t_{scalar.name} = d_{scalar.name}")
            self._write_line(f"d_{scalar.name} = {zero(scalar.type)}")

    def _cotangent_text(self, scalar: Scalar) -> str:
        """Returns the text of a cotangent that was taken; 0 for others."""
        if scalar not in self._adjoint.taken:
            return zero(scalar.type)
        return f"d_{scalar.name}" if scalar in self._adjoint.local else f"t_{scalar.name}"

    def _write_addition(self, statement: AdjointStatement, text: str) -> None:
        assert statement.target is not None
        name = f"d_{statement.target.name}"
        if statement in self._adjoint.assignments:
            self._write_line(f"{name} = {text}")
        elif isinstance(statement, AddPartial) and self._is_sum_of_a_loop(statement):
            self._write_line(f"{name} = sum_in_any_order({name}, {text})")
        else:
            self._write_line(f"{name} += {text}")

    def _is_sum_of_a_loop(self, statement: AddPartial) -> bool:
        """True if the iterations of a loop that is in no other loop add to a cotangent.

        LLVM then adds in as many lanes as it has. Inner loops are often too short for that.
        """
        target, block = statement.target, statement.statement.target.block
        assert target is not None
        bodies = [body for body in self._emitter.flow.loops.values() if block in body]
        return len(bodies) == 1 and target.block not in bodies[0] and target.is_real

    def _add_partial(self, statement: AddPartial, text: TextOf) -> None:
        compute, partial = statement.statement, statement.partial
        operands = [
            text(operand) if reads_leaf(leaf, partial) else ""
            for leaf, operand in zip(OPERANDS, compute.operands, strict=False)
        ]
        result = text(compute.target) if reads_leaf(RESULT, partial) else ""
        cotangent = self._cotangent_text(compute.target)
        term = partial_text(partial, operands, cotangent, result)
        if statement.is_doubtful:
            term = f"({term} if {MET_FLAT} or {cotangent} != 0.0 else {zero(compute.target.type)})"
        if statement.may_be_flat:
            self._write_line(f"z_{compute.target.name} = {term}")
            term = f"z_{compute.target.name}"
            self._write_line(f"{MET_FLAT} = {MET_FLAT} | (({term} == 0.0) & ({cotangent} != 0.0))")
        self._write_addition(statement, term)

    def _add_variable(self, statement: AddVariable, text: TextOf) -> None:
        self._write_addition(statement, statement.source)

    # ---- cotangents of arrays -------------------------------------------------------------------------------------

    def _element(self, root: Root, indices: list[str], text: TextOf) -> str:
        """Returns the text of the cotangent of an element."""
        if self._arrays.is_flat(root):
            index = flat_index(["", *map(text, root.dims[1:])], indices)
            return f"d_{root.memory_owner.name}[{unsigned_index_text(index)}]"
        return f"d_{root.name}[{', '.join(indices) or '()'}]"

    def _add_to_element(self, statement: AddToElement, text: TextOf) -> None:
        load = statement.load
        element = self._element(load.root, [*map(text, load.operands)], text)
        guards = " and ".join(f"{text(count)} > 0" for count in load.guards)
        if guards:
            self._write_line(f"if {guards}:")
        self._write_line(f"{element} += {self._cotangent_text(load.target)}", 1 if guards else 0)

    def _add_element(self, statement: AddElement, text: TextOf) -> None:
        store = statement.store
        self._write_addition(statement, self._element(store.root, [*map(text, store.operands[1:])], text))

    def _clear_element(self, statement: ClearElement, text: TextOf) -> None:
        store = statement.store
        element = self._element(store.root, [*map(text, store.operands[1:])], text)
        self._write_line(f"{element} = {zero(store.root.type.dtype)}")

    def _clear_array(self, statement: ClearArray, text: TextOf) -> None:
        root = statement.root
        count = "" if root.is_growing else " * ".join(map(text, root.dims)) or "1"
        self._write_line(f"d_{root.name}[:{count}] = {zero(root.type.dtype)}")

    def _add_array(self, statement: AddArray, text: TextOf) -> None:
        view = statement.view
        sizes = [text(axis.size) for axis in view.axes]
        positions = [*map(text, view.starts)]
        for number, axis in enumerate(view.axes):
            self._write_line(f"for q{number} in range({sizes[number]}):", number)
            if axis.root_axis is not None:
                positions[axis.root_axis] += f" + q{number}*{text(axis.step)}"
        indices = [f"q{number}" for number in range(len(view.axes))]
        place = flat_index(sizes, indices) if statement.is_flat else ", ".join(indices) or "()"
        self._write_line(f"{self._element(view.root, positions, text)} += {statement.source}[{place}]", len(view.axes))

    def _take_array(self, statement: TakeArray, text: TextOf) -> None:
        root = statement.root
        count = " * ".join(map(text, statement.reads)) or "1"
        if statement.is_copied:
            self._write_line(f"t_{root.name} = d_{root.name}[:{count}].copy()")
        self._write_line(f"d_{root.name}[:{count}] = {zero(root.type.dtype)}")

    def _exchange(self, statement: Exchange, text: TextOf) -> None:
        names = f"d_{statement.first.name}, d_{statement.second.name}"
        self._write_line(f"{names} = exchange({names})")

    # ---- calls ----------------------------------------------------------------------------------------------------

    def _restore_arrays(self, statement: RestoreArrays, text: TextOf) -> None:
        for name, array in statement.arrays:
            self._write_line(f"{name} = {self._new_array_text(array, text)}")
            self._stacks.pop_array(name, self._indent)

    def _new_array_text(self, array: View | Root, text: TextOf) -> str:
        """Returns the text of a new array of an array's shape."""
        shape = "".join(f"{text(size)}, " for size in array.sizes)
        return f"np.empty(({shape}), {self._emitter.dtype(array.dtype)})"

    def _call_adjoint(self, statement: CallAdjoint, text: TextOf) -> None:
        call, rule = statement.call, statement.rule
        cotangents = [self._cotangent_of_result(result, text) for result in call.results]
        saved = self._arrays.saved_arrays(call)
        known = []
        for place, part in enumerate([*call.results, *call.arguments]):
            is_read = place not in rule.unread
            if isinstance(part, (Constant, Scalar)):
                known.append(text(part) if is_read else zero(part.type))
            elif place in saved:
                known.append(saved[place][0])
            elif not is_read:
                known.append(self._new_array_text(part, text))
            else:
                known.append(self._emitter.view(part, text) if isinstance(part, View) else part.name)
        adjoint = rule.adjoint
        if statement.is_guarded:
            adjoint = guarded_adjoint(
                adjoint,
                tuple(bool(result.roots) for result in call.results),
                len(known),
                tuple(bool(call.arguments[position].roots) for position in rule.active),
            )
        function = self._emitter.bound(adjoint, "adjoint")
        self._write_line(f"{_assignment_targets(statement.variables)}= {function}({', '.join([*cotangents, *known])})")

    def _add_product(self, statement: AddProduct, text: TextOf) -> None:
        """Writes what adds to the cotangent of an operand: the cotangent of the product times the other operand, transposed."""
        call, position = statement.call, statement.position
        target, other = call.arguments[position], call.arguments[1 - position]
        (result,) = call.results
        assert isinstance(target, View)
        assert isinstance(other, View)
        assert isinstance(result, Root)
        saved = self._arrays.saved_arrays(call).get(2 - position)
        value = saved[0] if saved else self._emitter.view(other, text)
        rows, columns = (*map(text, result.dims), "1")[:2]
        if len((other if position else target).axes) == 1:  # the first operand is a row
            rows, columns = "1", rows
        cotangent = f"(d_{result.name}, 0, {rows}, {columns}, {columns}, 1)"
        # Transposed, a vector on the right is a row, one on the left a column.
        form = TRANSPOSED if len(other.axes) == 2 else COLUMN if position else ROW
        target_form, place = self._matrix_of_cotangent(target, position, text)
        forms = target_form + (form + FLAT if position else FLAT + form)
        operands = f"{value}, {cotangent}" if position else f"{cotangent}, {value}"
        self._write_line(f"add_product({forms!r}, {place}, {operands}, {statement.is_guarded})")

    def _matrix_of_cotangent(self, view: View, position: int, text: TextOf) -> tuple[str, str]:
        """Returns how the cotangent of an operand of a product is a matrix, and its text."""
        root, is_matrix = view.root, len(view.axes) == 2
        if not self._arrays.is_flat(root):
            form = MATRIX if is_matrix else COLUMN if position else ROW
            return form, self._emitter.view(view, text, self._shaped_cotangent_text(root, text))
        dims = ["", *map(text, root.dims[1:])]
        steps = [
            "0" if axis.root_axis is None else " * ".join([text(axis.step), *dims[axis.root_axis + 1 :]])
            for axis in view.axes
        ]
        sizes = [text(axis.size) for axis in view.axes]
        if not is_matrix:
            sizes, steps = ([*sizes, "1"], [*steps, "0"]) if position else (["1", *sizes], ["0", *steps])
        start = flat_index(dims, [*map(text, view.starts)])
        return FLAT, f"(d_{root.memory_owner.name}, {', '.join([start, *sizes, *steps])})"

    def _cotangent_of_result(self, result: Scalar | Root, text: TextOf) -> str:
        """Returns the text of the cotangent of a call's result."""
        if isinstance(result, Scalar):
            return self._cotangent_text(result)
        if result in self._activity:
            return self._shaped_cotangent_text(result, text) + ".copy()"
        shape = "".join(f"{text(size)}, " for size in result.dims)
        return f"np.zeros(({shape}), {self._emitter.dtype(result.type.dtype)})"

    def _shaped_cotangent_text(self, root: Root, text: TextOf) -> str:
        """Returns the text of the cotangent of an array in the array's shape."""
        if not self._arrays.is_flat(root):
            return f"d_{root.name}"
        dims = [*map(text, root.dims)]
        return f"d_{root.memory_owner.name}[:{' * '.join(dims) or '1'}].reshape(({_assignment_targets(dims)}))"

    def _call_reverse(self, statement: CallReverse, text: TextOf) -> None:
        call, callee, unwritten = statement.call, statement.callee, statement.unwritten
        arguments = [self._cotangent_of_result(result, text) for result in call.results if result.is_real]
        if callee.is_exact:
            numbers = callee.function.rerun_argument_numbers(unwritten)
            arguments += [text(call.arguments[number]) for number in numbers]
        for position in unwritten:
            view = call.arguments[position]
            assert isinstance(view, View)
            arguments.append(self._emitter.view(view, text))
        for position in callee.active:
            view = call.arguments[position]
            if isinstance(view, View):
                arguments.append(self._cotangent_argument(view, callee.argument_types[position].layout, text))
        name = self._emitter.derived_call("reverse", callee, unwritten)
        self._write_line(
            f"{_assignment_targets(statement.variables)}{TOPS} = {name}({', '.join([*arguments, STACKS_OF_REVERSE])})"
        )

    def _cotangent_argument(self, view: View, layout: str, text: TextOf) -> str:
        """Returns the text of the cotangent of an argument: a view of the array's, which is flat if the argument is in C order."""
        root = view.root
        if layout != "C":
            return self._emitter.view(view, text, self._shaped_cotangent_text(root, text))
        name = f"d_{root.memory_owner.name}"
        if view.is_whole() and root.kind in ("parameter", "global"):
            return name
        start = flat_index(["", *map(text, root.dims[1:])], [*map(text, view.starts)])
        count = " * ".join(text(axis.size) for axis in view.axes) or "1"
        return f"{name}[{start}:{start} + {count}]"


def _assignment_targets(names: list[str]) -> str:
    return "".join(f"{name}, " for name in names)
