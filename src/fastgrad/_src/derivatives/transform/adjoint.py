"""The adjoint of a function as data: for each block, the statements of its reverse sweep.

The reverse sweep through a block runs these statements. Then it adds the cotangents of the block's phis to the cotangents of their incoming values from
the previous block. The statements know which cotangents may differ from 0. Other cotangents are omitted, and the first addition to a
zero cotangent is an assignment. LLVM may not drop an addition to 0.0 itself, because that would change -0.0.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fastgrad._src.derivatives.analysis.activity import Activity
from fastgrad._src.derivatives.analysis.control_flow import ControlFlow, scalars_defined_in
from fastgrad._src.derivatives.analysis.cotangent_arrays import CotangentArrays, unwritten_arrays
from fastgrad._src.derivatives.analysis.increments import Increments
from fastgrad._src.derivatives.analysis.infinite_derivatives import (
    indeterminate_forms,
    may_be_nan,
    may_be_zero,
    statements_before_infinite_derivatives,
)
from fastgrad._src.derivatives.analysis.unused_numbers import statements_without_use
from fastgrad._src.derivatives.ir.call_rules import Callee, CallRule
from fastgrad._src.derivatives.ir.operands import Constant, Operand, Root, Scalar, View, refuse, scalars_among
from fastgrad._src.derivatives.ir.partials import guard, reads_leaf, skip_zeros, sums_by_operand, with_zero_cotangents
from fastgrad._src.derivatives.ir.representation import Block, Function, Phi
from fastgrad._src.derivatives.ir.statements import Allocate, Call, Compute, Load, Store
from fastgrad._src.derivatives.output.tree import Variable
from fastgrad._src.scalars.formulas import OPERANDS, RESULT, Singularity, Term

# ---- statements ---------------------------------------------------------------------------------------------------


@dataclass(eq=False, kw_only=True, slots=True)
class AdjointStatement:
    """The base of the statements of a reverse sweep.

    Attributes:
        reads: the numbers of the forward sweep that it reads.
        cotangent: the number whose cotangent it adds. If that is certain to be 0, the statement is left out. None for other statements.
        target: the number to whose cotangent it adds; None for other statements.
    """

    reads: Sequence[Operand] = ()
    cotangent: Scalar | None = None
    target: Scalar | None = None


@dataclass(eq=False, kw_only=True, slots=True)
class TakeCotangent(AdjointStatement):
    """Takes the cotangent of ``scalar``, which is 0 after that. ``is_phi`` says that edges read what was taken."""

    scalar: Scalar
    is_phi: bool = False


@dataclass(eq=False, kw_only=True, slots=True)
class AddPartial(AdjointStatement):
    """Adds the partial of a ``Compute`` to the cotangent of an operand.

    Attributes:
        may_be_flat: whether the reverse sweep notes that the derivative is 0.
        is_doubtful: whether a cotangent of 0 times an infinite derivative is NaN if a derivative of 0 was noted, and else 0.
    """

    statement: Compute
    partial: Term
    may_be_flat: bool
    is_doubtful: bool


@dataclass(eq=False, kw_only=True, slots=True)
class AddVariable(AdjointStatement):
    """Adds a variable of the reverse sweep, or a constant, to the cotangent of a number."""

    source: Term


@dataclass(eq=False, kw_only=True, slots=True)
class AddToElement(AdjointStatement):
    """Adds the cotangent of the result of a ``Load`` to that of the element."""

    load: Load


@dataclass(eq=False, kw_only=True, slots=True)
class AddElement(AdjointStatement):
    """Adds the cotangent of the element of a ``Store`` to that of the number that was stored."""

    store: Store


@dataclass(eq=False, kw_only=True, slots=True)
class ClearElement(AdjointStatement):
    """Makes the cotangent of the element of a ``Store`` 0."""

    store: Store


@dataclass(eq=False, kw_only=True, slots=True)
class ClearArray(AdjointStatement):
    """Makes the cotangent of an array 0."""

    root: Root


@dataclass(eq=False, kw_only=True, slots=True)
class AddArray(AdjointStatement):
    """Adds a variable of the reverse sweep, an array, to the cotangent of a view's elements; ``is_flat`` says that it has one axis."""

    view: View
    source: Term
    is_flat: bool = False


@dataclass(eq=False, kw_only=True, slots=True)
class TakeArray(AdjointStatement):
    """Makes the cotangent of an array that is a phi 0; ``is_copied`` says that a copy is added to another cotangent."""

    root: Root
    is_copied: bool


@dataclass(eq=False, kw_only=True, slots=True)
class Exchange(AdjointStatement):
    """Exchanges the cotangents of two arrays."""

    first: Root
    second: Root


@dataclass(eq=False, kw_only=True, slots=True)
class RestoreArrays(AdjointStatement):
    """Takes the arrays of a call, with the variables that get them, from the stack."""

    arrays: list[tuple[Variable, View | Root]]


@dataclass(eq=False, kw_only=True, slots=True)
class CallAdjoint(AdjointStatement):
    """Calls the adjoint of a function with a rule; ``variables`` get the cotangents of its active arguments.

    ``is_guarded`` says that cotangents of the results may be infinite.
    """

    call: Call
    rule: CallRule
    variables: list[Variable]
    is_guarded: bool


@dataclass(eq=False, kw_only=True, slots=True)
class AddProduct(AdjointStatement):
    """Adds a product to the cotangent of an operand of a product: the argument numbered ``position`` of ``call``.

    ``is_guarded`` says that cotangents of the results may be infinite.
    """

    call: Call
    position: int
    is_guarded: bool


@dataclass(eq=False, kw_only=True, slots=True)
class CallReverse(AdjointStatement):
    """Calls the reverse sweep of a function that is not inlined; ``variables`` get the cotangents of its active numbers.

    ``unwritten`` are the numbers of its arguments that are arrays which nothing writes.
    """

    call: Call
    callee: Callee
    unwritten: tuple[int, ...]
    variables: list[Variable]


# ---- the adjoint --------------------------------------------------------------------------------------------------


class BlockAdjoint(NamedTuple):
    """The statements of the reverse sweep through a block.

    Attributes:
        statements: undo the block's statements.
        phis: take the cotangents of the phis.
        edges: for each block that came before the statements of the way there.
    """

    statements: list[AdjointStatement]
    phis: list[AdjointStatement]
    edges: dict[Block, list[AdjointStatement]]


class Adjoint:
    """The statements that undo a function.

    Args:
        function: the function.
        flow: the function's control flow.
        activity: what has cotangents.
        arrays: where the cotangents of arrays are.
        seed: the number of the result's leaf whose cotangent is 1. None if the cotangents of all are variables.
        is_callee: whether other functions call the function.

    Attributes:
        activity: what has cotangents.
        local: the numbers whose cotangents only one run of the reverse sweep through a block uses.
        is_guarded: whether a partial is guarded against products of 0 and infinity.
        indeterminate: the statements whose derivative may be infinite where their cotangent is 0, see `IndeterminateForms`.
        doubtful: those of them whose cotangent is also 0 where nothing uses their result. They are not in ``indeterminate``.
        ways: the reverse sweep through each block.
        nonzero: for each block the numbers whose cotangents may differ from 0 where its reverse sweep begins.
        nonzero_at_end: the same where the reverse sweep leaves a block to one that came before it.
        assignments: the statements that add to a cotangent that is 0.
        taken: the numbers whose cotangents are taken.
    """

    def __init__(
        self,
        function: Function,
        flow: ControlFlow,
        activity: Activity,
        arrays: CotangentArrays,
        seed: int | None,
        is_callee: bool = False,
    ) -> None:
        self._flow = flow
        self.activity = activity
        self._arrays = arrays
        self._increments = Increments(flow)
        forms = indeterminate_forms(function, flow, activity, is_callee)
        self._guarded = statements_before_infinite_derivatives(function, forms.infinite)
        self.is_guarded = bool(self._guarded)
        users = self._increments.users
        self._without_use = statements_without_use(flow)
        self.doubtful = (forms.infinite & self._without_use) - forms.before_calls
        self.indeterminate = forms.infinite - self.doubtful
        self._flat = forms.zero if self.doubtful else frozenset()
        self.local = {
            scalar
            for scalar in scalars_defined_in(flow.blocks)
            if scalar in activity and users.get(scalar, set()) <= {scalar.block}
        }
        self.ways = {block: self._reverse_sweep(block, seed) for block in flow.blocks}
        self.nonzero: dict[Block, set[Scalar]] = {block: set() for block in flow.blocks}
        self.nonzero_at_end: dict[tuple[Block, Block], set[Scalar]] = {}
        self.assignments: set[AdjointStatement] = set()
        self.taken: set[Scalar] = set()
        self._drop_zero_additions()

    # ---- zeros ----------------------------------------------------------------------------------------------------

    def _drop_zero_additions(self) -> None:
        """Finds the cotangents that may differ from 0, and leaves out what adds others."""
        sizes: list[int] = []
        while sizes != (sizes := [len(self.nonzero[block]) for block in self._flow.blocks]):
            self.assignments.clear()
            self.taken.clear()
            ways = {block: self._adjoint_without_zeros(block) for block in reversed(self._flow.blocks)}
        self.ways = ways

    def _adjoint_without_zeros(self, block: Block) -> BlockAdjoint:
        """Returns the reverse sweep through a block without what adds zeros, and tells the blocks before what may differ from 0."""
        nonzero = set(self.nonzero[block])

        def follow(statements: list[AdjointStatement], nonzero: set[Scalar]) -> Iterator[AdjointStatement]:
            for statement in statements:
                if isinstance(statement, TakeCotangent):
                    if statement.scalar not in nonzero:
                        continue
                    nonzero.discard(statement.scalar)
                    self.taken.add(statement.scalar)
                elif statement.cotangent is not None and statement.cotangent not in self.taken:
                    continue
                elif statement.target is not None:
                    if statement.target not in nonzero:
                        self.assignments.add(statement)
                    nonzero.add(statement.target)
                yield statement

        way = self.ways[block]
        statements, phis = [*follow(way.statements, nonzero)], [*follow(way.phis, nonzero)]
        edges = {}
        for before, edge in way.edges.items():
            at_end = set(nonzero)
            edges[before] = [*follow(edge, at_end)]
            self.nonzero_at_end[block, before] = at_end
            self.nonzero[before] |= at_end
        return BlockAdjoint(statements, phis, edges)

    # ---- statements -----------------------------------------------------------------------------------------------

    def _reverse_sweep(self, block: Block, seed: int | None) -> BlockAdjoint:
        statements = [*self._add_seeds(block.results, seed)]
        for statement in reversed(block.statements):
            statements += statement.adjoint(self)
        phis = [phi for phi in block.phis if phi.target in self.activity]
        takes: list[AdjointStatement] = [
            take(target, is_phi=True) for target in scalars_among(phi.target for phi in phis)
        ]
        edges = {before: [*self._edge_adjoint(block, phis, before)] for before in self._flow.predecessors[block]}
        return BlockAdjoint(statements, takes, edges)

    def _add_to_variable(self, value: Operand, source: Term, cotangent: Scalar | None = None) -> Iterator[AddVariable]:
        if isinstance(value, Scalar) and value in self.activity:
            yield AddVariable(target=value, source=source, cotangent=cotangent)

    def _add_seeds(self, results: list[Operand | View], seed: int | None) -> Iterator[AdjointStatement]:
        """Yields what adds the cotangents of the result."""
        for number, value in enumerate(results):
            if seed is None:
                type = None if isinstance(value, View) else value.type
                yield from self._add_to(value, Variable(f"c_{number}", type))
            elif number == seed:
                assert not isinstance(value, View)
                yield from self._add_to_variable(value, Constant(1.0, value.type).term)

    def _add_to(self, value: Operand | View, source: Term) -> Iterator[AdjointStatement]:
        """Yields what adds to the cotangent of a number or an array."""
        if not isinstance(value, View):
            yield from self._add_to_variable(value, source)
        elif value.root in self.activity:
            yield _add_array(value, source)

    def _cotangent_indices(self, root: Root, indices: list[Operand]) -> list[Operand]:
        """Returns what tells the place of an element's cotangent."""
        return [*(root.dims[1:] if self._arrays.is_flat(root) else []), *indices]

    def of_load(self, load: Load) -> Iterator[AdjointStatement]:
        """Yields what adds the cotangent of a number to that of the element that it was loaded from."""
        if load not in self._increments.statements:
            yield take(load.target)
            if load.root in self.activity:
                reads = [*self._cotangent_indices(load.root, load.operands), *load.guards]
                yield AddToElement(load=load, cotangent=load.target, reads=reads)

    def of_store(self, store: Store) -> Iterator[AdjointStatement]:
        """Yields what moves the cotangent of an element to that of the number that was stored."""
        value, *indices = store.operands
        index = self._cotangent_indices(store.root, indices)
        if isinstance(value, Scalar) and value in self.activity:
            yield AddElement(target=value, store=store, reads=index)
        if store not in self._increments.statements:
            yield ClearElement(store=store, reads=index)

    def of_allocate(self, allocation: Allocate) -> Iterator[AdjointStatement]:
        """Yields what clears the cotangent of an array whose memory is used again."""
        if self._arrays.has_buffer_cotangent(allocation.root):
            yield _clear_array(allocation.root)

    def of_call(self, call: Call) -> Iterator[AdjointStatement]:
        """Yields what calls the adjoint of a function."""
        callee = self._arrays.callee_of(call)
        yield from self._undo_call(call) if callee is None else self._reverse_call(call, callee)

    def of_compute(self, statement: Compute) -> Iterator[AdjointStatement]:
        """Yields what adds the partials of a number to the cotangents of its operands."""
        yield take(statement.target)
        is_guarded = statement in self._guarded
        partials = statement.partials
        if is_guarded:
            partials = sums_by_operand(partials, statement.operands, statement.target.type)
        for operand, partial in zip(statement.operands, partials, strict=True):
            if partial is None or self._increments.through.get(statement) is operand:
                continue
            if isinstance(operand, Scalar) and operand in self.activity:
                type = statement.target.type
                is_doubtful = statement in self.doubtful
                is_indeterminate = is_doubtful or statement in self.indeterminate
                if is_indeterminate:
                    partial = with_zero_cotangents(partial)
                if is_guarded and may_be_zero(partial, statement.operands):
                    partial = guard(partial, type)
                may_skip = statement in self._without_use or Singularity.LOGARITHM in statement.singularity
                if may_skip and not is_indeterminate and may_be_nan(partial, statement.operands):
                    partial = skip_zeros(partial, type)
                yield add_partial(operand, statement, partial, statement in self._flat, is_doubtful)

    # ---- calls ----------------------------------------------------------------------------------------------------

    def _undo_call(self, call: Call) -> Iterator[AdjointStatement]:
        """Yields the reverse sweep through a call of a function that has an adjoint of its own."""
        rule = self._arrays.rule_of(call)
        if call.is_product:
            yield from self._undo_product(call, rule)
            return
        if rule.adjoint is None:
            raise refuse(f"{rule.name} has no adjoint: give it one with fg.adjoint", call.location)
        yield from self._restore_arrays(call)
        yield from self._take_results(call.results)
        saved, reads = self._arrays.saved_arrays(call), self._reads_of_results(call.results)
        for place, part in enumerate([*call.results, *call.arguments]):
            if place in rule.unread:
                reads += part.sizes
            elif place not in saved:
                reads += part.index_operands
        variables = [Variable(f"e_{call.results[0].name}_{position}") for position in rule.active]
        yield CallAdjoint(call=call, rule=rule, variables=variables, reads=reads, is_guarded=call in self._guarded)
        yield from self._clear_results(call)
        for position, variable in zip(rule.active, variables, strict=True):
            yield from self._add_to(call.arguments[position], variable)

    def _restore_arrays(self, call: Call) -> Iterator[RestoreArrays]:
        saved = self._arrays.saved_arrays(call)
        if self._arrays.has_recorded_arrays(call) and saved:
            arrays = [*reversed(saved.values())]
            yield RestoreArrays(arrays=arrays, reads=[size for _, array in arrays for size in array.sizes])

    def _undo_product(self, call: Call, rule: CallRule) -> Iterator[AdjointStatement]:
        """Yields the reverse sweep through a product of matrices and vectors."""
        yield from self._restore_arrays(call)
        saved = self._arrays.saved_arrays(call)
        (result,) = call.results
        assert isinstance(result, Root)
        for position in rule.active:
            target, other = call.views[position], call.views[1 - position]
            is_flat = self._arrays.is_flat(target.root)
            reads = [*result.dims, *(_offset_operands(target) if is_flat else self._reads_of_cotangent(target, "A"))]
            if 2 - position not in saved:
                reads += other.index_operands
            yield AddProduct(call=call, position=position, is_guarded=call in self._guarded, reads=reads)
        yield from self._clear_results(call)

    def _reverse_call(self, call: Call, callee: Callee) -> Iterator[AdjointStatement]:
        """Yields the reverse sweep through a call of a function that is not inlined: it adds to the cotangents of arrays, and returns those of numbers."""
        results = [result for result in call.results if result.is_real]
        yield from self._take_results(results)
        unwritten = unwritten_arrays(call)
        reads = self._reads_of_results(results)
        if callee.is_exact:
            numbers = [call.arguments[number] for number in callee.function.rerun_argument_numbers(unwritten)]
            reads += [number for number in numbers if not isinstance(number, View)]
        reads += [operand for position in unwritten for operand in call.arguments[position].index_operands]
        numbers = []
        for position in callee.active:
            value = call.arguments[position]
            if isinstance(value, View):
                reads += self._reads_of_cotangent(value, callee.argument_types[position].layout)
            else:
                numbers.append(value)
        variables = [Variable(f"e_{number}") for number in range(len(numbers))]
        yield CallReverse(call=call, callee=callee, unwritten=unwritten, variables=variables, reads=reads)
        yield from self._clear_results(call)
        for value, variable in zip(numbers, variables, strict=True):
            yield from self._add_to_variable(value, variable)

    def _take_results(self, results: Sequence[Scalar | Root]) -> Iterator[TakeCotangent]:
        for result in scalars_among(results):
            if result in self.activity:
                yield take(result)

    def _reads_of_results(self, results: Sequence[Scalar | Root]) -> list[Operand]:
        """Returns what the cotangents of a call's results read."""
        arrays = [root for result in results for root in result.roots]
        return [
            size for root in arrays if root not in self.activity or self._arrays.is_flat(root) for size in root.dims
        ]

    def _reads_of_cotangent(self, view: View, layout: str) -> list[Operand]:
        """Returns what the cotangent of an argument reads."""
        root = view.root
        if layout != "C":
            return [*(root.dims if self._arrays.is_flat(root) else []), *view.index_operands]
        if view.is_whole() and root.kind in ("parameter", "global"):
            return []
        return [*root.dims[1:], *view.starts, *view.sizes]

    def _clear_results(self, call: Call) -> Iterator[ClearArray]:
        for root in call.makes:
            if root in self.activity and self._arrays.has_buffer_cotangent(root):
                yield _clear_array(root)

    # ---- phis -----------------------------------------------------------------------------------------------------

    def _edge_adjoint(self, block: Block, phis: list[Phi], before: Block) -> Iterator[AdjointStatement]:
        """Yields what adds the cotangents of phis to those of the values that they have on the way from ``before``."""
        for phi in phis:
            value = phi.incoming.get(before)
            if isinstance(phi.target, Scalar) and isinstance(value, Scalar):
                yield from self._add_to_variable(value, Variable(f"t_{phi.target.name}", phi.target.type), phi.target)
        arrays = [
            (phi.target, value)
            for phi in phis
            if isinstance(phi.target, Root) and isinstance(value := phi.incoming.get(before), View)
        ]
        moved = self._transferred_cotangents(block, arrays)
        added = [(target, value) for target, value in arrays if target not in moved]
        for target, value in added:
            yield TakeArray(root=target, is_copied=value.root in self.activity, reads=value.sizes)
        for target, source in _swap_sequence(moved):
            yield Exchange(first=source, second=target)
        for target, value in added:
            if value.root in self.activity:
                yield _add_array(value, Variable(f"t_{target.name}"), is_flat=True)

    def _transferred_cotangents(self, block: Block, arrays: list[tuple[Root, View]]) -> dict[Root, Root]:
        """Returns for each phi whose cotangent becomes that of another array, as it is, the other array.

        That array's cotangent is 0 at the start of ``block``: it is a phi of the block, too, or nothing uses the array from there on.
        """
        targets = {target for target, _ in arrays}
        moved: dict[Root, Root] = {}
        for target, value in arrays:
            source = value.root.memory_owner
            if (
                value.is_whole()
                and source.kind in ("local", "phi")
                and source in self.activity
                and source.type.dtype == target.type.dtype
                and not (source.is_growing or target.is_growing)
                and source not in moved.values()
                and (source in targets or source not in self._live_arrays[block])
            ):
                moved[target] = source
        return moved

    @functools.cached_property
    def _live_arrays(self) -> dict[Block, set[Root]]:
        return self._flow.live_arrays()


def take(scalar: Scalar, is_phi: bool = False) -> TakeCotangent:
    """Returns the statement that takes the cotangent of a number."""
    return TakeCotangent(scalar=scalar, is_phi=is_phi, cotangent=scalar)


def _clear_array(root: Root) -> ClearArray:
    return ClearArray(root=root, reads=[] if root.is_growing else root.dims)


def add_partial(
    target: Scalar, statement: Any, partial: Term, may_be_flat: bool = False, is_doubtful: bool = False
) -> AddPartial:
    """Returns the statement that adds a partial of a statement with one result to the cotangent of an operand.

    Args:
        target: the operand.
        statement: has a ``target`` and ``operands``.
        partial: a term of the result's cotangent, the result and the operands.
        may_be_flat, is_doubtful: see `AddPartial`.
    """
    operands = zip(OPERANDS, statement.operands, strict=False)
    reads = [operand for leaf, operand in operands if reads_leaf(leaf, partial)]
    reads += [statement.target] if reads_leaf(RESULT, partial) else []
    return AddPartial(
        target=target,
        statement=statement,
        partial=partial,
        may_be_flat=may_be_flat,
        is_doubtful=is_doubtful,
        cotangent=statement.target,
        reads=reads,
    )


def _add_array(view: View, source: Term, is_flat: bool = False) -> AddArray:
    return AddArray(view=view, source=source, is_flat=is_flat, reads=_offset_operands(view))


def _offset_operands(view: View) -> list[Operand]:
    """Returns what says where the elements of a view are in the array in C order."""
    return [*view.sizes, *view.starts, *[axis.step for axis in view.axes], *view.root.dims[1:]]


def _swap_sequence(moved: dict[Root, Root]) -> Iterator[tuple[Root, Root]]:
    """Yields pairs of arrays. Their exchanges, in this order, give each value of ``moved`` what its key had."""
    target_of = {source: target for target, source in moved.items()}
    while target_of:
        first = source = next((source for source in target_of if source not in moved), next(iter(target_of)))
        while source in target_of:
            target = target_of.pop(source)
            if target is not first:  # the last exchange of a cycle would undo the others
                yield source, target
            source = target
