"""Finds the products of 0 and an infinite or NaN derivative that count as 0.

The cotangent of the operand of ``sqrt`` is infinite at 0. In ``sqrt(x * x)`` the derivative of ``x * x`` is 0 there. Forward mode multiplies the 0 by the infinite
derivative; the rule of ``sqrt`` makes the product 0. Reverse mode multiplies the infinite cotangent by the 0, so ``x * x`` needs such a rule, too. In ``sqrt(x) * y``
forward mode multiplies an infinite tangent by 0, so the product needs the rule in forward mode.

The product counts as 0 if the zero does not come from the operand of the infinite derivative. In ``sqrt(x) ** 2`` it does: at 0 the derivative of the square is 0, the derivative of
the root is infinite, and the limit of their product is 1. Such a product is an indeterminate form, and NaN.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from numba import types

from fastgrad._src.derivatives.analysis.control_flow import ControlFlow, memory_families
from fastgrad._src.derivatives.ir.operands import Constant, Operand, Root, Scalar, View
from fastgrad._src.derivatives.ir.partials import is_plain_selection
from fastgrad._src.derivatives.ir.representation import Block, Function, Phi, phis_in, statements_in
from fastgrad._src.derivatives.ir.statements import Call, Compute, Load, Statement
from fastgrad._src.scalars.formulas import (
    ANYWHERE,
    COTANGENT,
    NO_SINGULARITY,
    RESULT,
    Leaf,
    Singularity,
    Term,
    nodes_of,
)
from fastgrad._src.scalars.terms import MULTIPLY

_Writers = Mapping[Root, list[Statement]]


class IndeterminateForms(NamedTuple):
    """Statements one of which has a derivative that is infinite where the derivative of another one, which follows, is 0.

    Attributes:
        infinite: the statements whose derivative is infinite.
        zero: the statements whose derivative is 0.
        before_calls: those of ``infinite`` whose results flow into other functions, which may have derivatives of 0.
    """

    infinite: frozenset[Statement]
    zero: frozenset[Statement]
    before_calls: frozenset[Statement]


def indeterminate_forms(
    function: Function, flow: ControlFlow, active: Container[Scalar | Root], is_callee: bool = False
) -> IndeterminateForms:
    """Returns the statements whose derivatives may be infinite and 0 at one number, so that the product of both may have any limit.

    Args:
        function: the function.
        flow: its control flow.
        active: the numbers and arrays that have derivatives.
        is_callee: whether other functions call it. Their statements may have derivatives that are 0 or infinite, as those of calls may.
    """
    unknown = _values_from_outside(function, is_callee)
    singularities = _singularities_before(flow, active, [part for part in unknown if part in active])
    if not singularities:
        return IndeterminateForms(frozenset(), frozenset(), frozenset())
    flat: list[tuple[Operand, Singularity]] = []
    zero: set[Compute] = set()
    passed: list[Operand | View | Root] = []
    for block in flow.blocks:
        for statement in block.statements:
            if isinstance(statement, Compute):
                operands = [*_zero_derivative_operands(statement, singularities)]
                flat += operands
                zero.update([statement] if operands else [])
            elif isinstance(statement, Call) and _may_have_zero_derivative(statement, singularities):
                passed += statement.inputs
        passed += block.results if is_callee else []
    passed += [root for root in function.roots if is_callee and root.kind == "parameter" and root.is_written]
    before_calls = _singular_sources([(part, ANYWHERE) for part in passed], singularities, function)
    return IndeterminateForms(
        before_calls | _singular_sources(flat, singularities, function), frozenset(zero), before_calls
    )


def _singular_sources(
    numbers: Iterable[tuple[Operand | View | Root, Singularity]],
    singularities: Mapping[Operand | Root, Singularity],
    function: Function,
) -> frozenset[Statement]:
    """Returns the statements with singularities, those of a kind that is given with each of ``numbers``, which come of their results."""
    pending: dict[Singularity, list[Operand | View | Root]] = defaultdict(list)
    for value, kinds in numbers:
        for kind in Singularity:
            if kind in kinds & singularities.get(value.memory_owner, NO_SINGULARITY):
                pending[kind].append(value)
    writers = _writers_of(function) if pending else {}
    return frozenset(
        statement
        for kind, parts in pending.items()
        for statement in _statements_before(parts, function.blocks, writers)
        if kind in statement.singularity
    )


def _values_from_outside(function: Function, is_callee: bool) -> Iterator[Scalar | Root]:
    """Yields the numbers and arrays that come of functions that are called and not inlined, and of callers."""
    parts: list[Scalar | Root] = [*function.scalars, *function.roots]
    yield from (part for part in parts if is_callee and part.block is None and part.position is not None)
    for statement in statements_in(function.blocks):
        if statement.callee is not None:
            yield from (part.memory_owner for part in statement.outputs)


def _may_have_zero_derivative(call: Call, singularities: Mapping[Operand | Root, Singularity]) -> bool:
    """True if the derivative of a call may be 0 at a singularity that its arguments come from: that of a product if both operands do."""
    found = [singularities.get(part.memory_owner, NO_SINGULARITY) for part in call.inputs]
    if call.is_product:
        first, second = found
        return bool(first & second & MULTIPLY.flat_at)
    return any(found)


def _zero_derivative_operands(
    statement: Compute, singularities: Mapping[Operand | Root, Singularity]
) -> Iterator[tuple[Operand, Singularity]]:
    """Yields the operands of a statement that come of singularities at which the derivative with respect to them may be 0, with these."""
    known = {operand: singularities[operand] for operand in statement.operands if operand in singularities}
    if not known or statement.target not in singularities:
        return
    for operand, partial in zip(statement.operands, statement.partials, strict=True):
        if partial is None or operand not in known or is_plain_selection(partial):
            continue
        leaves = [node for node in nodes_of(partial) if isinstance(node, Leaf) and node is not COTANGENT]
        read = [statement.target if leaf is RESULT else statement.operands[leaf.position or 0] for leaf in leaves]
        is_product = statement.operation is MULTIPLY
        others = any(other in known and other is not operand for other in read) and not is_product
        kinds = (ANYWHERE if others else statement.flat_at) & known[operand]
        if any(kinds & singularities.get(number, NO_SINGULARITY) for number in read):
            yield operand, kinds


def _singularities_before(
    flow: ControlFlow, active: Container[Scalar | Root], unknown: Iterable[Scalar | Root] = ()
) -> dict[Operand | Root, Singularity]:
    """Returns for each number and array that has derivatives the singularities of the statements that it comes from; ``unknown`` may have all."""
    found: dict[Operand | Root, Singularity] = dict.fromkeys(unknown, ANYWHERE)
    for statement in statements_in(flow.blocks):
        if statement.singularity:
            found.update({target: statement.singularity for target in statement.definitions if target in active})
    ways = [way for way in _dependence_edges(flow.blocks) if way[1] in active] if found else []
    size = -1
    while size != (size := sum(kinds.value for kinds in found.values())):
        for source, target, kinds in ways:
            if source in found and (passed := kinds & found[source]):
                found[target] = found.get(target, NO_SINGULARITY) | passed
    return found


def _dependence_edges(blocks: Sequence[Block]) -> Iterator[tuple[Operand | Root, Scalar | Root, Singularity]]:
    """Yields a number or an array, one that is computed from it, and the singularities of the first that matter to the second."""
    for block in blocks:
        for phi in block.phis:
            for value in phi.incoming.values():
                yield value.memory_owner, phi.target.memory_owner, ANYWHERE
            for name, root in phi.aliases:  # a store to a phi is one to the array that it names
                yield name.memory_owner, root.memory_owner, ANYWHERE
        for statement in block.statements:
            # The derivative falls quicker than a pole rises, whatever follows.
            falls_quicker = statement.flat_at is Singularity.LOGARITHM
            for source, target in statement.derivative_edges:
                yield (
                    source.memory_owner,
                    target.memory_owner,
                    ANYWHERE & ~Singularity.POLE if falls_quicker else ANYWHERE,
                )


def statements_before_infinite_derivatives(
    function: Function, indeterminate: Iterable[Statement]
) -> frozenset[Statement]:
    """Returns the statements whose results flow into a function that has an infinite derivative at a finite value, or into one of an indeterminate form.

    Arrays are followed, whatever they are, and calls of functions that have derivatives of their own.
    """
    pending: list[Operand | View | Root] = [operand for statement in indeterminate for operand in statement.operands]
    for statement in statements_in(function.blocks):
        if Singularity.ROOT in statement.singularity:
            pending += statement.operands
    return _statements_before(pending, function.blocks, _writers_of(function)) if pending else frozenset()


def _writers_of(function: Function) -> _Writers:
    """Returns for each array the statements that may write its memory."""
    families = memory_families(function)
    writers: dict[Root, list[Statement]] = defaultdict(list)
    for statement in statements_in(function.blocks):
        for target in {root.memory_owner for _, result in statement.derivative_edges for root in result.roots}:
            for other in families[target]:
                writers[other].append(statement)
    return writers


def statements_after_infinite_derivatives(flow: ControlFlow, active: Container[Scalar | Root]) -> frozenset[Statement]:
    """Returns the statements that read a number whose tangent may be infinite: it comes from a function that has an infinite derivative at a finite operand.

    Of calls these are products.

    Args:
        flow: the control flow of the function.
        active: the numbers and arrays that have tangents.
    """
    kinds = Singularity.ROOT | Singularity.LOGARITHM
    after = {number for number, found in _singularities_before(flow, active).items() if found & kinds}
    statements = list(statements_in(flow.blocks))
    return frozenset(
        statement
        for statement in statements
        if (
            isinstance(statement, Compute)
            and isinstance(statement.target.type, types.Float)
            and _reads_one_of(after, statement)
        )
        or (statement.is_product and any(part.memory_owner in after for part in statement.inputs))
    )


def _reads_one_of(numbers: Container[Operand | Root], statement: Compute) -> bool:
    pairs = zip(statement.operands, statement.partials, strict=True)
    return any(partial is not None and operand in numbers for operand, partial in pairs)


def _statements_before(
    pending: list[Operand | View | Root], blocks: Sequence[Block], writers: _Writers
) -> frozenset[Statement]:
    """Returns the statements that compute the floats ``pending``, and those from which these come: through phis, and through the arrays of ``writers``."""
    phis: dict[Operand | Root, Phi] = {phi.target: phi for phi in phis_in(blocks)}
    found: set[Statement] = set()
    visited: set[Operand | Root] = set()
    while pending:
        number = pending.pop().memory_owner
        if number in visited or not (number.roots or number.is_real):  # constants and integers have no derivatives
            continue
        visited.add(number)
        definition = number.definition if isinstance(number, Scalar) else None
        if isinstance(definition, Compute):
            found.add(definition)
            pending += definition.operands
        elif isinstance(definition, Load):
            pending.append(definition.root)
        elif isinstance(definition, Call):
            found.add(definition)
            pending += definition.inputs if writers else []
        elif number in phis and not number.roots:
            pending += phis[number].incoming.values()
        for writer in [writer for root in number.roots for writer in writers.get(root, ())]:
            if isinstance(writer, Call):
                found.add(writer)
            pending += [source for source, target in writer.derivative_edges if target.roots]
    return frozenset(found)


def may_be_nan(partial: Term, operands: Sequence[Operand]) -> bool:
    """True if the derivative in a partial may be infinite or NaN: it reads the result or an operand that is no constant, other than to select."""
    leaves = [node for node in nodes_of(partial) if isinstance(node, Leaf) and node is not COTANGENT]
    return not is_plain_selection(partial) and any(
        leaf.position is None or not isinstance(operands[leaf.position], Constant) for leaf in leaves
    )


def may_be_zero(partial: Term, operands: Sequence[Operand]) -> bool:
    """True if the derivative in a partial may be 0: it reads the result or an operand that is no constant other than 0."""
    leaves = [node for node in nodes_of(partial) if isinstance(node, Leaf) and node is not COTANGENT]
    operands = [operands[leaf.position] for leaf in leaves if leaf.position is not None]
    is_nonzero = [isinstance(operand, Constant) and operand.value != 0 for operand in operands]
    return len(operands) < len(leaves) or not all(is_nonzero)
