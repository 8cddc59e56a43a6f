"""Parallel loops: a ``prange`` loop whose iterations are independent becomes a call of a function of a chunk of its iterations.

The function has its own derivatives, like a recursive function (`callees.py`). The call runs it for all chunks on Numba's threads. Each reduction
of the loop writes one number for each chunk to an array; a loop of the caller combines these numbers in order. Other loops are unchanged, and run in order.
"""

from __future__ import annotations

import functools
import operator
from typing import Any, NamedTuple

import numpy as np
from numba import types

from fastgrad._src.derivatives.analysis.activity import Activity
from fastgrad._src.derivatives.analysis.aliases import check_aliased_stores
from fastgrad._src.derivatives.analysis.control_flow import ControlFlow, memory_families, scalars_defined_in
from fastgrad._src.derivatives.codegen.chunks import chunk_count
from fastgrad._src.derivatives.ir.call_rules import Callee
from fastgrad._src.derivatives.ir.operands import (
    INDEX,
    Constant,
    Counter,
    Location,
    Operand,
    Root,
    Scalar,
    View,
    parts_of_value,
    scalars_among,
    with_replaced_numbers,
)
from fastgrad._src.derivatives.ir.partials import Partial
from fastgrad._src.derivatives.ir.representation import Block, Function, Phi, phis_in, statements_in
from fastgrad._src.derivatives.ir.scalar_operations import ADD_PRODUCT, COPY, SHARE_END, SHARE_START
from fastgrad._src.derivatives.ir.statements import (
    COST_OF_EFFECTS,
    Allocate,
    BeginLoop,
    Branch,
    Call,
    Compute,
    Grow,
    Jump,
    Load,
    NextIteration,
    Raise,
    Reshape,
    Return,
    Size,
    Statement,
    Store,
    begin_counted_loop,
)
from fastgrad._src.derivatives.ir.values import parts_of
from fastgrad._src.derivatives.output import tree as code
from fastgrad._src.derivatives.output.text import expression
from fastgrad._src.scalars.formulas import COTANGENT, OPERANDS, ScalarOperation, Term, as_term
from fastgrad._src.scalars.terms import ADD, MULTIPLY, SUBTRACT

_COST_OF_BOUNDS = 100
"""The bounds of a chunk are kept, not computed again."""
_EXTREMES = {max: -np.inf, np.maximum: -np.inf, min: np.inf, np.minimum: np.inf}


class Outlined:
    """A part of a function that became a function of its own.

    Attributes:
        lowered: the part. It has no other form: Numba does not know it.
    """

    def __init__(self, lowered: Function) -> None:
        self.lowered = lowered
        self.__name__ = lowered.name


class ParallelLoop:
    """A loop that runs in chunks: what ``Callee.function`` is for it.

    Its arguments are the number of iterations, the number of chunks, and what iterations read and write. Those of ``chunk`` are these, and the chunk's number.

    Attributes:
        chunk: a chunk of iterations.
        shared: the numbers of the arrays to whose cotangents several iterations may add.
        partials: the numbers of the arrays that chunks write their reductions to.
    """

    def __init__(self, chunk: Outlined, shared: frozenset[int], partials: frozenset[int]) -> None:
        self.chunk = chunk
        self.shared = shared
        self.partials = partials
        self.__name__ = f"parallel_{chunk.__name__}"

    def rerun_argument_numbers(self, frozen: tuple[int, ...]) -> list[int]:
        """Returns the numbers of the arguments that are no arrays, if the reverse sweep may run chunks again: nothing writes the arrays, the ``frozen`` ones."""
        places = range(len(self.chunk.lowered.types) - 1)
        numbers = [place for place in places if not isinstance(self.chunk.lowered.types[place], types.Array)]
        return numbers if {*numbers, *frozen, *self.partials} == {*places} else []


class _Reduction(NamedTuple):
    """A number that iterations change by one operation that is associative.

    Attributes:
        phi: its phi in the loop's head.
        neutral: the number that the operation leaves others as they are with.
        operation: the associative operation.
        partials: of the operation.
        place: the number of the operand that is the number before.
        comparison: says which of two numbers is the extreme one; None for other operations.
    """

    phi: Phi
    neutral: Constant
    operation: ScalarOperation
    partials: list[Partial]
    place: int
    comparison: ScalarOperation | None = None


def outline_parallel_loops(
    function: Function, flow: ControlFlow, positions: tuple[int, ...], seed: int | None = None, is_forward: bool = False
) -> ControlFlow:
    """Makes functions of the parallel loops of a function whose iterations are independent; returns the new control flow.

    Arguments are those of the derivative that follows, of reverse mode unless ``is_forward``.
    """
    heads = [head for head, counter in flow.counted.items() if counter.is_parallel]
    heads = [head for head in heads if not any(head in flow.loops[other] for other in heads if other is not head)]
    loops = [_Loop(function, flow, head) for head in heads]
    loops = [loop for loop in loops if loop.is_independent()]
    if not loops:
        return flow
    check_aliased_stores(function, flow, not is_forward)
    activity = Activity(function, flow.blocks, frozenset(positions), is_forward, seed)
    for loop in loops:
        loop.outline(activity)
    return ControlFlow(function)


class _Loop:
    """A parallel loop: the proof that its iterations are independent, and its outlining."""

    def __init__(self, function: Function, flow: ControlFlow, head: Block) -> None:
        self._function = function
        self._flow = flow
        self._head = head
        self._counter = flow.counted[head]
        self._before = self._counter.block
        self._region = self._blocks()
        self._statements = list(statements_in(self._region))
        self._inside = {*self._region}
        self._step = flow.step_of(head)
        self._reductions: list[_Reduction] = []
        self._accesses: dict[Root, list[set[object]]] = {}
        self._written: set[Root] = set()

    def _blocks(self) -> list[Block]:
        """Returns the loop's blocks, and those that iterations end in with an exception."""
        body = set(self._flow.loops[self._head])
        raising = {
            block
            for block in self._flow.blocks
            if isinstance(block.end, Raise) and body.issuperset(self._flow.predecessors[block])
        }
        return [block for block in self._flow.blocks if block in body | raising]

    # ---- the proof --------------------------------------------------------------------------------------------------

    def is_independent(self) -> bool:
        """True if iterations can be proved independent of each other, but for reductions."""
        return (
            self._has_one_exit()
            and not any(map(self._has_effect, self._statements))
            and self._leaks_no_values()
            and self._find_reductions()
            and self._find_accesses()
        )

    def _has_one_exit(self) -> bool:
        head, end = self._head, self._head.end
        outside = [block for block in self._flow.predecessors[head] if block not in self._inside]
        return (
            isinstance(end, Branch)
            and end.condition is self._step.is_valid
            and end.then in self._inside
            and end.otherwise not in self._inside
            and outside == [self._before]
            and self._before.successors == [head]
            and all(after in self._inside for block in self._region if block is not head for after in block.successors)
        )

    def _has_effect(self, statement: Statement) -> bool:
        """True if a statement must run in order, or can't be moved."""
        if isinstance(statement, Compute):  # a chunk has no such parameters
            return statement.cost >= COST_OF_EFFECTS or statement.operation.reads_parameter
        if isinstance(statement, (BeginLoop, NextIteration)) and statement is not self._step:
            return not self._inside.issuperset((statement.counter.block, statement.counter.head))
        if statement.callee is not None:
            return True
        if isinstance(statement, Grow):
            return statement.root.block not in self._inside
        return isinstance(statement, Allocate) and statement.root in self._function.copies

    def _leaks_no_values(self) -> bool:
        """True if code after the loop uses nothing of it but what its head carries, and no array passes from block to block."""
        used: set[object] = set()
        for block in self._flow.blocks:
            for phi in block.phis:
                if phi.target.roots and block in self._inside:
                    others = [root for _, root in phi.aliases]
                    if block is self._head or any(root.memory_owner.block not in self._inside for root in others):
                        return False
                if block not in self._inside:
                    used |= {part for value in phi.incoming.values() for part in parts_of_value(value)}
            if block not in self._inside:
                used |= {part for statement in block.statements for part in _used_values(statement)}
                used |= {part for value in block.end.uses for part in parts_of_value(value)}
        carried = {phi.target for phi in self._head.phis}
        return not any(getattr(part, "block", None) in self._inside for part in used - carried)

    def _find_reductions(self) -> bool:
        """Finds what the loop's head carries; False if one of these is no reduction."""
        found = [self._reduction_of(phi) for phi in self._head.phis]
        self._reductions = [reduction for reduction in found if reduction is not None]
        return len(self._reductions) == len(found)

    def _reduction_of(self, phi: Phi) -> _Reduction | None:
        target = phi.target
        assert isinstance(target, Scalar)
        members: set[object] = {target}
        phis = [other for block in self._region if block is not self._head for other in block.phis]
        operations = self._operations_on(members, target, phis)
        if operations is None or any(
            part in members for block in self._region for value in block.end.uses for part in parts_of_value(value)
        ):
            return None
        joined = [other for other in phis if other.target in members]
        incoming = [value for before, value in phi.incoming.items() if before in self._inside]
        incoming += [value for other in joined for value in other.incoming.values()]
        if not members.issuperset(incoming) or len(operations) > 1:
            return None
        no_partials: list[Partial] = [None, None]
        operation, (partials, place, comparison) = next(iter(operations.items()), (ADD, (no_partials, 0, None)))
        neutral = _neutral_element(operation, target.type)
        if neutral is None:
            return None
        if target.is_real and any(partial is None for partial in partials[:2]):
            if operation not in (ADD, MULTIPLY):
                return None
            products: list[Partial] = [COTANGENT * OPERANDS[1], COTANGENT * OPERANDS[0]]
            partials = [COTANGENT, COTANGENT] if operation is ADD else products
        return _Reduction(phi, Constant(neutral, target.type), operation, partials, place, comparison)

    def _operations_on(
        self, members: set[object], target: Scalar, phis: list[Phi]
    ) -> dict[ScalarOperation, tuple[list[Partial], int, ScalarOperation | None]] | None:
        """Returns the operations on the numbers of a reduction, and adds these to ``members``; None if it is none.

        An operation has its partials, the place of the number among its operands, and the comparison that decides it, if any.
        """
        operations: dict[ScalarOperation, tuple[list[Partial], int, ScalarOperation | None]] = {}
        size = 0
        while size != (size := len(members)):
            for statement in self._statements:
                if members.isdisjoint(_used_values(statement)) or self._is_comparison(statement):
                    continue
                places = [number for number, operand in enumerate(statement.operands) if operand in members]
                if not isinstance(statement, Compute) or len(places) != 1 or statement.target.type != target.type:
                    return None
                operation = statement.operation
                if operation is SUBTRACT and places == [0]:
                    operations[ADD] = [COTANGENT if target.is_real else None] * 2, 0, None
                elif operation is not COPY:
                    compared = [item.operation for item in statement.operands[2:]]
                    comparison = next((item for item in compared if item is not None), None)
                    operations[operation] = statement.partials, places[0], comparison
                members.add(statement.target)
            for other in phis:
                if any(value in members for value in other.incoming.values()):
                    members.add(other.target)
        return operations

    def _is_comparison(self, statement: Statement) -> bool:
        """True for a comparison of two numbers that only the maximum or minimum of these two uses."""
        if not isinstance(statement, Compute) or statement.target.type != types.boolean:
            return False
        users = [other for other in self._statements if statement.target in _used_values(other)]
        parts: list[object] = [
            part for block in self._region for value in block.end.uses for part in parts_of_value(value)
        ]
        parts += [value for phi in phis_in(self._region) for value in phi.incoming.values()]
        return statement.target not in parts and all(
            isinstance(user, Compute) and user.operands == [*statement.operands, statement.target] for user in users
        )

    def _find_accesses(self) -> bool:
        """Finds which elements of arrays from before the loop iterations read and write; False if one may write what another reads or writes."""
        for statement in self._statements:
            if isinstance(statement, Load):
                self._note_access(statement.root, statement.operands)
            elif isinstance(statement, Store):
                self._note_access(statement.root, statement.operands[1:])
            elif isinstance(statement, Reshape):
                self._note_access(statement.root, [])
            elif isinstance(statement, Call):
                for view in statement.views:
                    sliced = {axis.root_axis for axis in view.axes}
                    starts = [None if axis in sliced else start for axis, start in enumerate(view.starts)]
                    self._note_access(view.root, starts)
            self._written |= {memory for memory in statement.writes if memory.block not in self._inside}
        families = memory_families(self._function)
        copied = {*self._function.copies, *[source.memory_owner for source, _, _ in self._function.copies.values()]}
        for memory in self._written:
            names = [root for root in self._accesses if root.memory_owner in families[memory]]
            if len(names) != 1 or not self._has_own_elements(names[0]) or memory in copied:
                return False
        return not any(root.memory_owner.is_growing for root in self._accesses)

    def _note_access(self, root: Root, indices: list[Operand] | list[Operand | None]) -> None:
        outer = self._array_before_loop(root)
        if outer.block not in self._inside:
            keys: set[object] = {
                (axis, key)
                for axis, index in enumerate(indices)
                if (key := self._iteration_index_key(index)) is not None
            }
            self._accesses.setdefault(outer, []).append(keys if outer is root else set())

    def _array_before_loop(self, root: Root) -> Root:
        """Returns the array from before the loop that ``root`` is another name of, else ``root``."""
        while root.block in self._inside and root.source is not None:
            root = root.source
        return root

    def _has_own_elements(self, root: Root) -> bool:
        """True if no two iterations access the same element: an axis has the same index each time, which differs in all iterations."""
        names = [other for other in self._accesses if other.memory_owner is root.memory_owner]
        return names == [root] and bool(set.intersection(*self._accesses[root]))

    def _iteration_index_key(self, index: Operand | None) -> object:
        """Returns what tells an index that differs in all iterations from others; None for other indices."""
        if index is self._step.target:
            return "iteration"
        if index is None or index.type != INDEX or index.operation is None or index.block not in self._inside:
            return None
        numbers = [(operand.value if isinstance(operand, Constant) else operand) for operand in index.operands]
        keys = [self._iteration_index_key(operand) for operand in index.operands]
        varying = [place for place, key in enumerate(keys) if key is not None]
        if len(varying) != 1 or not all(
            operand.type == INDEX
            and (place in varying or isinstance(operand, Constant) or operand.block not in self._inside)
            for place, operand in enumerate(index.operands)
        ):
            return None
        place, operation = varying[0], index.operation
        is_sum = operation in (ADD, SUBTRACT, COPY)
        is_multiple = (
            operation is MULTIPLY and isinstance(index.operands[1 - place], Constant) and numbers[1 - place] != 0
        )
        is_step = operation is ADD_PRODUCT and place == 1 and isinstance(index.operands[2], Constant)
        if not (is_sum or is_multiple or (is_step and numbers[2] != 0)):
            return None
        numbers[place] = None
        return operation, keys[place], *numbers

    # ---- the function of a chunk ------------------------------------------------------------------------------------

    def outline(self, activity: Activity) -> None:
        """Makes the loop a call."""
        function, before = self._function, self._before
        begin = next(
            item for item in before.statements if isinstance(item, BeginLoop) and item.counter is self._counter
        )
        location = begin.location
        scalars, roots = self._captured_inputs()
        shared = [root for root in roots if root not in self._written and not self._has_own_elements(root)]
        chunks, chunk_computation = self._chunk_count([root.dims for root in shared if root in activity], location)
        partials = []
        for reduction in self._reductions:
            target = reduction.phi.target
            name, type = f"v_partials_of_{target.name}", types.Array(target.type, 1, "C")
            partials.append(Root(name, type, "local", before, location, dims=[chunks], is_written=True))
        function.roots += partials
        arguments: list[Operand | View] = [self._counter.count, chunks, *scalars]
        arrays = [*roots, *partials]
        arguments += [View.whole(root) for root in arrays]
        written = {*self._written, *partials}
        first = len(arguments) - len(arrays)
        chunk = self._outline_chunk(scalars, roots, partials)
        places_of = {root: first + place for place, root in enumerate(arrays)}
        shared_places = frozenset(places_of[root] for root in shared)
        loop = ParallelLoop(chunk, shared_places, frozenset(places_of[root] for root in partials))
        parts = parts_of(chunk.lowered)[:-1]
        callee = Callee(
            loop,
            tuple(part.type for part in parts),
            types.none,
            active=tuple(place for place, part in enumerate(parts) if part.is_real),
            written=frozenset(places_of[root] for root in written),
            is_exact=True,
        )
        before.statements = [item for item in before.statements if item is not begin]
        before.statements += [chunk_computation, *[Allocate(location, root, "zeros") for root in partials]]
        before.statements.append(Call(location, callee, arguments, []))
        self._make_join_loop(partials, chunks, location)

    def _chunk_count(self, sizes: list[list[Operand]], location: Location) -> tuple[Scalar, Compute]:
        """Returns the number of chunks and its computation, from the sizes of the arrays with a cotangent in each chunk."""
        chunks = Scalar(f"{self._counter.name}_chunks", INDEX, self._before, is_natural=True)
        operands = [self._counter.count, *[size for dims in sizes for size in dims]]

        def count_of(iterations: Term, *numbers: Term) -> Term:
            remaining = iter(numbers)
            products = [code.product([next(remaining) for _ in dims]) for dims in sizes]
            return code.call("chunk_count", iterations, functools.reduce(operator.add, products or [as_term(0)]))

        operation = expression(count_of, len(operands))
        chunks.definition = Compute(location, chunks, operation, operands, _COST_OF_BOUNDS)
        self._function.globals["chunk_count"] = chunk_count
        self._function.scalars.append(chunks)
        return chunks, chunks.definition

    def _captured_inputs(self) -> tuple[list[Scalar], list[Root]]:
        """Returns the numbers and arrays from before the loop that it uses."""
        scalars: dict[Scalar, None] = {}
        roots: dict[Root, None] = {}
        parts = [part for statement in self._statements for part in _used_values(statement)]
        for block in self._region:
            incoming = [value for phi in block.phis if block is not self._head for value in phi.incoming.values()]
            parts += [part for value in (*incoming, *block.end.uses) for part in parts_of_value(value)]
        for part in parts:
            if isinstance(part, Root) and self._array_before_loop(part).block not in self._inside:
                roots[self._array_before_loop(part)] = None
            elif isinstance(part, Scalar) and part.block not in self._inside:
                scalars[part] = None
        for root in roots:
            scalars |= dict.fromkeys(scalars_among(root.dims))
        scalars = {scalar: None for scalar in scalars if scalar is not self._counter.count}
        return [*scalars], [*roots]

    def _outline_chunk(self, scalars: list[Scalar], roots: list[Root], partials: list[Root]) -> Outlined:
        """Moves the loop's blocks to a function of a chunk of iterations."""
        function, old_head = self._function, self._head
        location, count = self._head.statements[0].location, self._counter.count
        numbers = [Scalar(name, INDEX, None) for name in ("v_all", "v_chunks")]
        mapped: dict[object, object] = {s: Scalar(s.name, s.type, None, is_natural=s.is_natural) for s in scalars}
        if isinstance(count, Scalar):
            mapped[count] = numbers[0]
            numbers[0].is_natural = count.is_natural
        parameters: list[Scalar | Root] = [*numbers, *[mapped[scalar] for scalar in scalars]]  # type: ignore[list-item]
        own_number = Scalar("v_chunk", INDEX, None, is_natural=True)

        def final(operand: Operand) -> Operand:
            return mapped.get(operand, operand)  # type: ignore[return-value]

        for root in [*roots, *partials]:
            dims: list[Operand] = [numbers[1]] if root in partials else [final(size) for size in root.dims]
            is_written = root in self._written or root in partials
            mapped[root] = Root(
                root.name, root.type, "parameter", None, root.location, dims=dims, is_written=is_written
            )
            parameters.append(mapped[root])  # type: ignore[arg-type]
        parameters.append(own_number)
        counter, exit = self._make_loop(numbers, own_number, partials, mapped)
        head = counter.head
        assert head is not None
        moved = [block for block in self._region if block is not old_head]
        chunk = Function(f"loop_of_{function.name}", location, [part.name for part in parameters], ())
        chunk.blocks = [counter.block, head, *moved, exit]
        self._remap_blocks(chunk, mapped | {old_head: head}, old_head, head)
        _set_parameters(chunk, parameters)
        chunk.scalars += scalars_defined_in(chunk.blocks)
        chunk.roots += [root for root in function.roots if root.block in chunk.blocks]
        chunk.counters = [counter, *[other for other in function.counters if other.block in moved]]
        chunk.globals = dict(function.globals)
        for name in ("counters", "scalars", "roots", "blocks"):
            gone = {self._counter, *getattr(chunk, name)}
            setattr(function, name, [part for part in getattr(function, name) if part not in gone])
        return Outlined(chunk)

    def _make_loop(
        self, numbers: list[Scalar], own_number: Scalar, partials: list[Root], mapped: dict[object, object]
    ) -> tuple[Counter, Block]:
        """Makes the blocks of a chunk that replace the loop's head; returns its counter and the block after the loop."""
        old_head, step = self._head, self._step
        assert isinstance(old_head.end, Branch)
        location = step.location
        entry, head, exit = Block(0), Block(1), Block(2)

        def compute(operation: ScalarOperation, operands: list[Operand], block: Block, hint: str) -> Scalar:
            target = Scalar(f"v_{hint}_of_chunk", INDEX, block, is_natural=True)
            block.define(target, Compute(location, target, operation, operands, _COST_OF_BOUNDS))
            return target

        first = compute(SHARE_START, [numbers[0], own_number, numbers[1]], entry, "first")
        end = compute(SHARE_END, [numbers[0], own_number, numbers[1]], entry, "end")
        length = compute(SUBTRACT, [end, first], entry, "length")
        counter = Counter("v_counter_of_chunk", length, entry)
        own_step = begin_counted_loop(location, counter, head, "v_iteration_of_chunk", "v_goes_on_of_chunk")
        entry.end = Jump(head)
        step.target.definition = Compute(location, step.target, ADD, [first, own_step.target])
        others = [item for item in old_head.statements if item is not step]
        head.statements = [own_step, step.target.definition, *others]
        head.end = Branch(own_step.is_valid, old_head.end.then, exit)
        for reduction, root in zip(self._reductions, partials, strict=True):
            target = reduction.phi.target
            number = Scalar(target.name, target.type, head)
            inner = {place: value for place, value in reduction.phi.incoming.items() if place in self._inside}
            mapped[target] = number
            head.phis.append(Phi(number, location, {entry: reduction.neutral, **inner}))
            exit.statements.append(Store(location, mapped[root], number, [own_number]))  # type: ignore[arg-type]
        exit.end = Return([], location)
        return counter, exit

    @staticmethod
    def _remap_blocks(chunk: Function, mapped: dict[Any, Any], old_head: Block, head: Block) -> None:
        """Makes blocks use what ``mapped`` has for the numbers, arrays and blocks that they used, and jump to ``head``."""

        def final(value):  # type: ignore[no-untyped-def]
            if isinstance(value, View):
                view: Any = with_replaced_numbers(value, final)
                view.root = final(value.root)
                return view
            if isinstance(value, Root) and value not in mapped:
                value.dims = [final(size) for size in value.dims]
                value.source = final(value.source) if value.source is not None else None
            if isinstance(value, (Root, Scalar)) and value not in mapped:
                value.block = mapped.get(value.block, value.block)
            return mapped.get(value, value)

        for block in chunk.blocks:
            for phi in block.phis:
                final(phi.target)
                phi.incoming = {final(place): final(value) for place, value in phi.incoming.items()}
            for statement in block.statements:
                statement.replace(final)
                for part in statement.definitions:
                    final(part)
                if isinstance(statement, Call):  # `replace` leaves the roots of views
                    statement.arguments = [final(argument) for argument in statement.arguments]
                if isinstance(statement, (Allocate, Grow, Load, Reshape, Size, Store)):
                    statement.root = final(statement.root)
            block.end.replace(final)
            block.end.replace_target(head, old_head)
        chunk.number_blocks()

    def _make_join_loop(self, partials: list[Root], chunks: Scalar, location: Location) -> None:
        """Makes the loop's head that of a loop which joins the chunks' reductions in order."""
        function, before, head = self._function, self._before, self._head
        assert isinstance(head.end, Branch)
        after, name = head.end.otherwise, self._counter.name
        head.statements, head.end = [], Jump(after)
        if partials:
            counter = Counter(f"{name}_counter_of_chunks", chunks, before, is_internal=True)
            function.counters.append(counter)
            step = begin_counted_loop(location, counter, head, f"{name}_chunk", f"{name}_is_chunk")
            function.scalars += [step.target, step.is_valid]
            body = Block(0)
            head.statements, head.end = [step], Branch(step.is_valid, body, after)
            body.end = Jump(head)
            for reduction, root in zip(self._reductions, partials, strict=True):
                phi = reduction.phi
                assert isinstance(phi.target, Scalar)
                partial = Scalar(f"{phi.target.name}_of_chunk", phi.target.type, body)
                body.define(partial, Load(location, partial, root, [step.target]))
                joined = Scalar(f"{phi.target.name}_joined", phi.target.type, body)
                operands: list[Operand] = [partial, partial]
                operands[reduction.place] = phi.target
                if reduction.comparison is not None:
                    comparison = Scalar(f"{phi.target.name}_compared", types.boolean, body)
                    body.define(comparison, Compute(location, comparison, reduction.comparison, operands))
                    function.scalars.append(comparison)
                    operands = [*operands, comparison]
                body.define(joined, Compute(location, joined, reduction.operation, operands, 1, reduction.partials))
                phi.incoming = {before: phi.incoming[before], body: joined}
                function.scalars += [partial, joined]
            function.blocks.insert(function.blocks.index(head) + 1, body)
        function.number_blocks()


def _neutral_element(operation: ScalarOperation, type: types.Type) -> float | None:
    """Returns the number that an associative operation leaves others as they are with; None for other operations."""
    is_float = isinstance(type, types.Float)
    if operation in (ADD, MULTIPLY) and (is_float or type == INDEX):
        number = int(operation is MULTIPLY)
        return float(number) if is_float else number
    return _EXTREMES.get(operation.function) if is_float else None


def _used_values(statement: Statement) -> list[object]:
    """Returns the numbers and arrays that a statement uses, and the sizes of the arrays."""
    arrays = [root for part in (*statement.arrays, *statement.definitions) for root in part.roots]
    return [*statement.uses, *arrays, *[size for root in arrays for size in root.dims]]


def _set_parameters(function: Function, parameters: list[Scalar | Root]) -> None:
    for place, part in enumerate(parameters):
        part.position = place
    function.arguments = [part if isinstance(part, Scalar) else View.whole(part) for part in parameters]
    function.types = tuple(part.type for part in parameters)
    function.scalars = scalars_among(parameters)
    function.roots = [root for part in parameters for root in part.roots]
