"""Replaces sizes of arrays that have one value on all ways by that constant. So loops, products and memory of small arrays have constant sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fastgrad._src.derivatives.analysis.control_flow import add_reachable
from fastgrad._src.derivatives.ir.operands import (
    INDEX,
    Constant,
    Operand,
    Root,
    Scalar,
    index_constant,
    is_constant,
    views_among,
)
from fastgrad._src.derivatives.ir.representation import Function, phis_in, statements_in
from fastgrad._src.derivatives.ir.scalar_operations import RULES_OF_SIZES
from fastgrad._src.derivatives.ir.statements import Compute, Size
from fastgrad._src.derivatives.ir.values import is_hashable
from fastgrad._src.scalars.terms import ADD, MULTIPLY

Known = dict[Operand, "int | None"]
"""The values of integers; None for one that is no constant. An integer of which nothing is known yet is missing."""
_Value = Callable[[list["int | None"]], "int | None"]
_Definitions = dict[Scalar, tuple[_Value, list[Operand], bool]]
_LARGEST_ASSUMED_SIZE = 4


def find_constant_sizes(function: Function) -> dict[Operand, Operand]:
    """Returns the integers of a function that are equal to constants, or to other integers, with these.

    The size of an array that a loop carries depends on itself: it is taken for a constant until one of its definitions is not. Statements that raise
    where sizes do not fit together stay.
    """
    known = _known_integers(function, _definitions_of_integers(function), function.assumed_sizes)
    replaced: dict[Operand, Operand] = {
        scalar: index_constant(value) for scalar, value in known.items() if value is not None
    }
    return replaced | _neutral_operations(function, replaced)


def sizes_to_assume(function: Function) -> dict[tuple[str, int], int]:
    """Returns the sizes of arguments with which small arrays keep constant sizes, by the names of the arrays and the axes.

    ``m = np.zeros((3, 3))``, which a loop replaces by ``a @ m``, keeps its size if ``a`` has three rows. With other sizes such a function
    seldom has a result.
    """
    definitions = _definitions_of_integers(function)
    arguments: dict[Operand, tuple[str, int]] = {
        size: (root.name, axis)
        for size, root, axis in _sizes_of_parameters(function)
        if root.type == function.types[root.position or 0]  # no item of a tuple and no part of a complex number
    }
    sizes_of_phis = [
        [view.sizes[axis] for view in views_among(phi.incoming.values())]
        for phi in phis_in(function.blocks)
        if isinstance(phi.target, Root)
        for axis in range(phi.target.type.ndim)
    ]
    assumed: dict[tuple[str, int], int] = {}
    wanted: list[tuple[list[Operand], int]] = []
    known, count = _known_integers(function, definitions, assumed), -1
    while count != len(assumed):
        count = len(assumed)
        compared = [operands for rule, operands, _ in definitions.values() if assumed and _is_equality(rule, operands)]
        for sizes in sizes_of_phis + compared:
            values = [_value_in(known, size) for size in sizes]
            constants = set(values) - {None}
            sources = _sources(sizes, definitions, known)
            if len(constants) == 1 and sources and sources <= arguments.keys():
                (value,) = constants
                if value is not None and 1 < value <= _LARGEST_ASSUMED_SIZE:
                    assumed |= {arguments[source]: value for source in sources}
                    wanted.append((sizes, value))
        known = _known_integers(function, definitions, assumed)
    return assumed if all(_value_in(known, size) == value for sizes, value in wanted for size in sizes) else {}


def _is_equality(rule: _Value, operands: list[Operand]) -> bool:
    """True for an operation that raises if two sizes differ, or repeats an array of size 1."""
    return len(operands) == 2 and rule([2, None]) == rule([None, 2]) == 2


def _sources(sizes: list[Operand], definitions: _Definitions, known: Known) -> set[Operand]:
    """Returns the integers without definitions that sizes which are no constants follow from."""

    def unknown(operands: list[Operand]) -> list[Operand]:
        return [operand for operand in operands if _value_in(known, operand) is None]

    def origins(size: Operand) -> list[Operand]:
        return unknown(definitions[size][1]) if size in definitions else []

    return add_reachable(set(), unknown(sizes), origins) - definitions.keys()


def _known_integers(function: Function, definitions: _Definitions, assumed: dict[tuple[str, int], int]) -> Known:
    """Returns the values of the integers of which something is known; ``assumed`` has sizes of arguments."""
    known: Known = {
        size: assumed[root.name, axis]
        for size, root, axis in _sizes_of_parameters(function)
        if (root.name, axis) in assumed
    }

    def values_of(operands: list[Operand]) -> list[int | None]:
        """Returns the values of those operands of which something is known."""
        return [_value_in(known, operand) for operand in operands if operand in known or operand not in definitions]

    is_changed = True
    while is_changed:
        is_changed = False
        for scalar, (value_of, operands, is_phi) in definitions.items():
            values = values_of(operands)
            if known.get(scalar, 0) is None or not values or (len(values) < len(operands) and not is_phi):
                continue
            value = value_of(values)
            if scalar not in known or known[scalar] != value:
                known[scalar] = None if scalar in known else value
                is_changed = True
    return known


def _value_in(known: Known, operand: Operand) -> int | None:
    return int(operand.value) if isinstance(operand, Constant) else known.get(operand)


def _sizes_of_parameters(function: Function) -> Iterator[tuple[Scalar, Root, int]]:
    """Yields the sizes of parameters, with these and the axes."""
    for statement in statements_in(function.blocks):
        if isinstance(statement, Size) and statement.root.kind == "parameter":
            yield statement.target, statement.root, statement.axis


def _definitions_of_integers(function: Function) -> _Definitions:
    """Returns the rule, the operands and whether it is a phi, for each value that is a size or computed from sizes."""
    phis = {phi.target: phi for phi in phis_in(function.blocks)}
    definitions: _Definitions = {}
    for block in function.blocks:
        for phi in block.phis:
            if isinstance(phi.target, Scalar) and phi.target.type == INDEX:
                definitions[phi.target] = _only_value, list(phi.incoming.values()), True  # type: ignore[arg-type]
        for statement in block.statements:
            if isinstance(statement, Size) and statement.root in phis:
                operands = [view.sizes[statement.axis] for view in phis[statement.root].incoming.values()]
                definitions[statement.target] = _only_value, operands, True
            elif isinstance(statement, Compute) and statement.target.type == INDEX:
                function_or_operation = statement.operation.function or statement.operation
                rule = RULES_OF_SIZES.get(function_or_operation) if is_hashable(function_or_operation) else None
                if rule is not None and all(operand.type == INDEX for operand in statement.operands):
                    definitions[statement.target] = _value_by(rule), statement.operands, False
    return definitions


def _value_by(rule: Callable[..., int | None]) -> _Value:
    return lambda values: rule(*values)


def _only_value(values: list[int | None]) -> int | None:
    return values[0] if values.count(values[0]) == len(values) else None


def _neutral_operations(function: Function, replaced: dict[Operand, Operand]) -> dict[Operand, Operand]:
    """Returns sums with 0 and products with 1, with their other operands."""
    neutral: dict[Operand, Operand] = {}
    for statement in statements_in(function.blocks):
        if (
            isinstance(statement, Compute)
            and statement.operation in (ADD, MULTIPLY)
            and statement.target not in replaced
        ):
            first, second = [replaced.get(operand, operand) for operand in statement.operands]
            value = 1 if statement.operation is MULTIPLY else 0
            if all(operand.type == INDEX for operand in (statement.target, first, second)):
                if is_constant(second, value):
                    neutral[statement.target] = first
                elif is_constant(first, value):
                    neutral[statement.target] = second
    return neutral
