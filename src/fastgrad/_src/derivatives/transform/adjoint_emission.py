"""Writes the statements of an adjoint as code, with the numbers that they read."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable
from typing import Any

from numba import types

from fastgrad._src.derivatives.analysis.cotangent_arrays import CotangentArrays
from fastgrad._src.derivatives.analysis.residuals import Residuals
from fastgrad._src.derivatives.codegen.matrix_products import COLUMN, FLAT, MATRIX, ROW, TRANSPOSED
from fastgrad._src.derivatives.ir.operands import Constant, Operand, Root, Scalar, View, zero
from fastgrad._src.derivatives.ir.partials import partial_of, reads_leaf
from fastgrad._src.derivatives.ir.statements import Call, Compute, Load, NextIteration
from fastgrad._src.derivatives.output import tree as code
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
from fastgrad._src.derivatives.transform.emission import (
    Emitter,
    cotangent,
    flat_index,
    flat_matrix,
    has_constant_layout,
    taken,
    unsigned_index,
)
from fastgrad._src.derivatives.transform.infinite_cotangents import guarded_adjoint
from fastgrad._src.derivatives.transform.record_stacks import STACKS_OF_REVERSE, TOPS, RecordStacks
from fastgrad._src.scalars.formulas import OPERANDS, RESULT, Term, as_term
from fastgrad._src.scalars.terms import AND, OR, SELECT

TermOf = Callable[[Operand], Term]
"""Returns a number that a statement reads."""


MET_FLAT = code.Variable("met_flat", types.boolean)
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
        self._computed_again: dict[Scalar, Term] = {}
        self._write = emitter.write
        self._writers: dict[type[AdjointStatement], Callable[[Any, TermOf], None]] = {
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
        terms = {operand: self.use(operand) for operand in statement.reads}

        def term_of(operand: Operand) -> Term:
            return operand.term if isinstance(operand, Constant) else terms[operand]

        self._writers[type(statement)](statement, term_of)

    def begin(self) -> None:
        """Begins the reverse sweep through a block, or an edge: numbers that were computed again have values of another run."""
        self._computed_again = {}

    def use(self, operand: Operand) -> Term:
        """Returns a number on the reverse sweep; writes what computes it again."""
        if isinstance(operand, Constant):
            return operand.term
        if self._residuals.needs_no_record(operand) or operand in self._residuals.recorded:
            return operand.term
        if operand in self._computed_again:
            return self._computed_again[operand]
        definition = operand.definition
        operands = [self.use(part) for part in definition.operands] if definition is not None else []
        if isinstance(definition, Compute):
            value = definition.term(operands)
        elif isinstance(definition, Load):
            value = self._emitter.load(definition, operands, [*map(self.use, definition.guards)])
        else:
            assert isinstance(definition, NextIteration)
            value = code.integer(definition.counter.name)
        variable = code.Variable(f"r_{operand.name}", operand.type)
        self._write(code.assign(variable, value))
        self._computed_again[operand] = variable
        return variable

    # ---- cotangents of numbers ------------------------------------------------------------------------------------

    def _take_cotangent(self, statement: TakeCotangent, term: TermOf) -> None:
        scalar = statement.scalar
        if statement.is_phi or scalar not in self._adjoint.local:
            self._write(code.assign(taken(scalar), cotangent(scalar)))
            self._write(code.assign(cotangent(scalar), zero(scalar.type)))

    def _cotangent(self, scalar: Scalar) -> Term:
        """Returns a cotangent that was taken; 0 for others."""
        if scalar not in self._adjoint.taken:
            return zero(scalar.type)
        return cotangent(scalar) if scalar in self._adjoint.local else taken(scalar)

    def _write_addition(self, statement: AdjointStatement, value: Term) -> None:
        assert statement.target is not None
        target = cotangent(statement.target)
        if statement in self._adjoint.assignments:
            self._write(code.assign(target, value))
        elif isinstance(statement, AddPartial) and self._is_sum_of_a_loop(statement):
            self._write(code.assign(target, code.call("sum_in_any_order", target, value)))
        else:
            self._write(code.add_to(target, value))

    def _is_sum_of_a_loop(self, statement: AddPartial) -> bool:
        """True if the iterations of a loop that is in no other loop add to a cotangent.

        LLVM then adds in as many lanes as it has. Inner loops are often too short for that.
        """
        target, block = statement.target, statement.statement.target.block
        assert target is not None
        bodies = [body for body in self._emitter.flow.loops.values() if block in body]
        return len(bodies) == 1 and target.block not in bodies[0] and target.is_real

    def _add_partial(self, statement: AddPartial, term: TermOf) -> None:
        compute, partial = statement.statement, statement.partial
        operands = [
            term(operand) if reads_leaf(leaf, partial) else None
            for leaf, operand in zip(OPERANDS, compute.operands, strict=False)
        ]
        result = term(compute.target) if reads_leaf(RESULT, partial) else None
        given = self._cotangent(compute.target)
        added = partial_of(partial, operands, given, result)
        if statement.is_doubtful:
            is_met = OR(MET_FLAT, given != 0.0)
            added = SELECT(is_met, added, zero(compute.target.type))
        if statement.may_be_flat:
            value = code.Variable(f"z_{compute.target.name}", compute.target.type)
            self._write(code.assign(value, added))
            self._write(code.assign(MET_FLAT, MET_FLAT | ((value == 0.0) & (given != 0.0))))
            added = value
        self._write_addition(statement, added)

    def _add_variable(self, statement: AddVariable, term: TermOf) -> None:
        self._write_addition(statement, statement.source)

    # ---- cotangents of arrays -------------------------------------------------------------------------------------

    def _element(self, root: Root, indices: list[Term], term: TermOf) -> Term:
        """Returns the cotangent of an element."""
        if self._arrays.is_flat(root):
            index = flat_index(["", *map(term, root.dims[1:])], indices)
            return code.subscript(cotangent(root.memory_owner), [unsigned_index(index)])
        return code.subscript(cotangent(root), indices)

    def _add_to_element(self, statement: AddToElement, term: TermOf) -> None:
        load = statement.load
        element = self._element(load.root, [*map(term, load.operands)], term)
        addition = code.add_to(element, self._cotangent(load.target))
        if load.guards:
            is_read = functools.reduce(AND, [term(count) > 0 for count in load.guards])
            with self._emitter.when(is_read):
                self._write(addition)
        else:
            self._write(addition)

    def _add_element(self, statement: AddElement, term: TermOf) -> None:
        store = statement.store
        self._write_addition(statement, self._element(store.root, [*map(term, store.operands[1:])], term))

    def _clear_element(self, statement: ClearElement, term: TermOf) -> None:
        store = statement.store
        element = self._element(store.root, [*map(term, store.operands[1:])], term)
        self._write(code.assign(element, zero(store.root.type.dtype)))

    def _clear_array(self, statement: ClearArray, term: TermOf) -> None:
        root = statement.root
        part = code.ALL if root.is_growing else code.Slice(stop=code.product([*map(term, root.dims)]))
        self._write(code.assign(code.subscript(cotangent(root), [part]), zero(root.type.dtype)))

    def _add_array(self, statement: AddArray, term: TermOf) -> None:
        view = statement.view
        sizes = [term(axis.size) for axis in view.axes]
        positions: list[Term] = [*map(term, view.starts)]
        indices = [code.integer(f"q{number}") for number in range(len(view.axes))]
        with contextlib.ExitStack() as loops:
            for index, size, axis in zip(indices, sizes, view.axes, strict=True):
                loop = code.For(index, size)
                self._write(loop)
                loops.enter_context(self._emitter.within(loop.body))
                if axis.root_axis is not None:
                    positions[axis.root_axis] = positions[axis.root_axis] + index * term(axis.step)
            place = [flat_index(sizes, indices)] if statement.is_flat else indices
            element = self._element(view.root, positions, term)
            self._write(code.add_to(element, code.subscript(statement.source, place)))

    def _take_array(self, statement: TakeArray, term: TermOf) -> None:
        root = statement.root
        part = code.subscript(cotangent(root), [code.Slice(stop=code.product([*map(term, statement.reads)]))])
        if statement.is_copied:
            self._write(code.assign(taken(root), code.copied(part)))
        self._write(code.assign(part, zero(root.type.dtype)))

    def _exchange(self, statement: Exchange, term: TermOf) -> None:
        arrays = [cotangent(statement.first), cotangent(statement.second)]
        self._write(code.assign(code.tuple_of(arrays), code.call("exchange", *arrays)))

    # ---- calls ----------------------------------------------------------------------------------------------------

    def _restore_arrays(self, statement: RestoreArrays, term: TermOf) -> None:
        for variable, array in statement.arrays:
            self._write(code.assign(variable, self._new_array(array, term)))
            self._stacks.pop_array(variable)

    def _new_array(self, array: View | Root, term: TermOf) -> Term:
        """Returns a new array of an array's shape."""
        return code.call("np.empty", code.tuple_of([*map(term, array.sizes)]), self._emitter.dtype(array.dtype))

    def _call_adjoint(self, statement: CallAdjoint, term: TermOf) -> None:
        call, rule = statement.call, statement.rule
        cotangents = [self._cotangent_of_result(result, term) for result in call.results]
        saved = self._arrays.saved_arrays(call)
        known: list[Term] = []
        for place, part in enumerate([*call.results, *call.arguments]):
            is_read = place not in rule.unread
            if isinstance(part, (Constant, Scalar)):
                known.append(term(part) if is_read else zero(part.type))
            elif place in saved:
                known.append(saved[place][0])
            elif not is_read:
                known.append(self._new_array(part, term))
            else:
                known.append(self._emitter.view(part, term) if isinstance(part, View) else part.term)
        adjoint = rule.adjoint
        if statement.is_guarded:
            adjoint = guarded_adjoint(
                adjoint,
                tuple(bool(result.roots) for result in call.results),
                len(known),
                tuple(bool(call.arguments[position].roots) for position in rule.active),
            )
        function = self._emitter.bound(adjoint, "adjoint").name
        self._write(code.assign(code.tuple_of(statement.variables), code.call(function, *cotangents, *known)))

    def _add_product(self, statement: AddProduct, term: TermOf) -> None:
        """Writes what adds to the cotangent of an operand: the cotangent of the product times the other operand, transposed."""
        call, position = statement.call, statement.position
        target, other = call.views[position], call.views[1 - position]
        (result,) = call.results
        assert isinstance(result, Root)
        rows, columns = (*map(term, result.dims), as_term(1))[:2]
        if len((other if position else target).axes) == 1:  # the first operand is a row
            rows, columns = as_term(1), rows
        given = code.tuple_of([cotangent(result), as_term(0), rows, columns, columns, as_term(1)])
        form, operand = self._transposed_operand(call, 1 - position, term)
        target_form, place = self._matrix_of_cotangent(target, position, term)
        forms = target_form + (form + FLAT if position else FLAT + form)
        operands = (operand, given) if position else (given, operand)
        self._write(code.Evaluate(code.call("add_product", forms, place, *operands, statement.is_guarded)))

    def _transposed_operand(self, call: Call, position: int, term: TermOf) -> tuple[str, Term]:
        """Returns how the transposed operand of a product is a matrix, and what it is."""
        view, saved = call.views[position], self._arrays.saved_arrays(call).get(1 + position)
        if all(isinstance(size, Constant) for size in view.sizes) if saved else has_constant_layout(view):
            if saved:
                view = View.whole(dataclasses.replace(view.root, dims=view.sizes))
            given: Term = saved[0] if saved else view.root.term
            array, start, rows, columns, *steps = flat_matrix(view, given, position == 1, term).operands
            return FLAT, code.tuple_of([array, start, columns, rows, *reversed(steps)])
        # Transposed, a vector on the right is a row, one on the left a column.
        form = TRANSPOSED if view.rank == 2 else ROW if position else COLUMN
        return form, saved[0] if saved else self._emitter.view(view, term)

    def _matrix_of_cotangent(self, view: View, position: int, term: TermOf) -> tuple[str, Term]:
        """Returns how the cotangent of an operand of a product is a matrix, and what it is."""
        root, is_matrix = view.root, len(view.axes) == 2
        if not self._arrays.is_flat(root):
            form = MATRIX if is_matrix else COLUMN if position else ROW
            return form, self._emitter.view(view, term, self._shaped_cotangent(root, term))
        return FLAT, flat_matrix(view, cotangent(root.memory_owner), position == 1, term)

    def _cotangent_of_result(self, result: Scalar | Root, term: TermOf) -> Term:
        """Returns the cotangent of a call's result."""
        if isinstance(result, Scalar):
            return self._cotangent(result)
        if result in self._activity:
            return code.copied(self._shaped_cotangent(result, term))
        shape = code.tuple_of([*map(term, result.dims)])
        return code.call("np.zeros", shape, self._emitter.dtype(result.type.dtype))

    def _shaped_cotangent(self, root: Root, term: TermOf) -> Term:
        """Returns the cotangent of an array in the array's shape."""
        if not self._arrays.is_flat(root):
            return cotangent(root)
        dims = [*map(term, root.dims)]
        part = code.subscript(cotangent(root.memory_owner), [code.Slice(stop=code.product(dims))])
        return code.reshaped(part, code.tuple_of(dims))

    def _call_reverse(self, statement: CallReverse, term: TermOf) -> None:
        call, callee, unwritten = statement.call, statement.callee, statement.unwritten
        arguments = [self._cotangent_of_result(result, term) for result in call.results if result.is_real]
        if callee.is_exact:
            numbers = callee.function.rerun_argument_numbers(unwritten)
            arguments += [term(call.arguments[number]) for number in numbers]
        for position in unwritten:
            view = call.arguments[position]
            assert isinstance(view, View)
            arguments.append(self._emitter.view(view, term))
        for position in callee.active:
            view = call.arguments[position]
            if isinstance(view, View):
                arguments.append(self._cotangent_argument(view, callee.argument_types[position].layout, term))
        name = self._emitter.derived_call("reverse", callee, unwritten)
        results = code.tuple_of([*statement.variables, *TOPS])
        self._write(code.assign(results, code.call(name, *arguments, *STACKS_OF_REVERSE)))

    def _cotangent_argument(self, view: View, layout: str, term: TermOf) -> Term:
        """Returns the cotangent of an argument: a view of the array's, which is flat if the argument is in C order."""
        root = view.root
        if layout != "C":
            return self._emitter.view(view, term, self._shaped_cotangent(root, term))
        array = cotangent(root.memory_owner)
        if view.is_whole() and root.kind in ("parameter", "global"):
            return array
        start = flat_index(["", *map(term, root.dims[1:])], [*map(term, view.starts)])
        count = code.product([term(axis.size) for axis in view.axes])
        return code.subscript(array, [code.Slice(start, start + count)])
