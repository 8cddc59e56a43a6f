"""The intermediate representation of derivatives: blocks of statements on scalars and array elements."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from numba import types

from fastgrad._src.derivatives.ir.operands import Counter, Location, Operand, Root, Scalar, View
from fastgrad._src.derivatives.ir.statements import NO_END, End, Statement, Store


@dataclass(eq=False, slots=True)
class Phi:
    """A scalar or array that takes its value from the way to its block.

    Attributes:
        target: the scalar, or a root of kind "phi".
        incoming: the value by the block before; views for arrays.
    """

    target: Scalar | Root
    location: Location
    incoming: dict[Block, Operand | View] = field(default_factory=dict)

    @property
    def aliases(self) -> list[tuple[Root, Root]]:
        """Pairs of its array and one that this may be; none if it is a number."""
        return [(name, root) for name in self.target.roots for value in self.incoming.values() for root in value.roots]


@dataclass(eq=False, slots=True)
class Block:
    """A basic block: phis, statements, and how it ends."""

    number: int
    phis: list[Phi] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    end: End = NO_END

    @property
    def successors(self) -> list[Block]:
        """The blocks that may follow, each once."""
        return self.end.successors

    @property
    def results(self) -> list[Operand | View]:
        """The leaves of the function's result, if the function ends here."""
        return self.end.results

    def define(self, target: Scalar, statement: Statement) -> None:
        """Appends the statement that gives a number its value."""
        target.definition = statement
        self.statements.append(statement)

    @property
    def returns(self) -> bool:
        """Whether the function ends here, with a result."""
        return self.end.returns


def statements_in(blocks: Iterable[Block]) -> Iterator[Statement]:
    """Returns the statements of blocks, in their order."""
    return itertools.chain.from_iterable(block.statements for block in blocks)


def phis_in(blocks: Iterable[Block]) -> Iterator[Phi]:
    """Returns the phis of blocks, in their order."""
    return itertools.chain.from_iterable(block.phis for block in blocks)


class Function:
    """A function in this representation.

    Attributes:
        name: of the user's function.
        location: where it is defined.
        parameters: the names of its parameters.
        names: what error messages call them.
        types: their Numba types.
        blocks: in an order in which each block comes after those that dominate it.
        scalars, roots: all of them.
        globals: values that the text names.
        copies: the copies of arrays for which Numba takes the arrays themselves if they are contiguous. Of each the array, the stores that fill the
            copy, and the place.
        appended: the arrays that are copied to lists of arrays, by the first statement that makes room for them or writes one of their sizes.
        fills: of the elements of each list of arrays the stores that append items.
        last_choices: for running minima and maxima, see ``transform/running_extrema.py``, the last iteration that gave them another value.
        assumed_sizes: the sizes of arrays among the arguments that are taken for constants, by the names of the arrays and the axes.
        result: the structure of the result: a Numba type.
    """

    def __init__(
        self, name: str, location: Location, parameters: list[str], parameter_types: tuple[types.Type, ...]
    ) -> None:
        self.name = name if name.isidentifier() else "function"
        self.location = location
        self.parameters = self.names = parameters
        self.types = parameter_types
        self.blocks: list[Block] = []
        self.arguments: list[Any] = []
        self.scalars: list[Scalar] = []
        self.roots: list[Root] = []
        self.counters: list[Counter] = []
        self.globals: dict[str, Any] = {}
        self.copies: dict[Root, tuple[Root, set[Statement], Location]] = {}
        self.appended: dict[Statement, Root] = {}
        self.fills: dict[Root, set[Statement]] = {}
        self.last_choices: dict[Scalar, Scalar] = {}
        self.assumed_sizes: dict[tuple[str, int], int] = {}
        self.result: types.Type = types.none

    def number_blocks(self) -> None:
        """Numbers the blocks by their order."""
        for number, block in enumerate(self.blocks):
            block.number = number

    def note_copy(self, copy: Root, source: Root, location: Location) -> None:
        """Notes a copy for which Numba may take the array itself."""
        stores: set[Statement] = {
            statement
            for statement in statements_in(self.blocks)
            if isinstance(statement, Store) and statement.root is copy
        }
        self.copies[copy] = (source, stores, location)
