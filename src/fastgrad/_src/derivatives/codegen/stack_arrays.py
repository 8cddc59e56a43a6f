"""Escape analysis: finds the small arrays that only the function itself uses, which can be in its stack frame."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from fastgrad._src.derivatives.output import tree as code
from fastgrad._src.scalars.formulas import Number, Term

MOST_ELEMENTS = 128
"""The elements of the largest array of constant sizes that is on the stack."""
_ROOM = 64
"""The elements of an array of other sizes that is on the stack: where it has more, it is on the heap."""
_MOST_OF_FUNCTION = 4096
"""The elements of all such arrays of a function. Threads may have small stacks."""
_MAKERS = {"np.empty", "np.zeros"}
_BORROWERS = {"save_array", "load_array", "contiguous", "add_product", "may_share_memory"}
"""The functions of `tape_memory.py` that keep no reference to the arrays that they take."""

_COPYING = {"size", "shape", "copy"}
"""The attributes and methods whose results do not show the memory of an array."""


def stack_allocations(written: code.Code) -> dict[code.Statement, int]:
    """Returns the assignments of new arrays that can be on the stack, with the room that they need there, in elements.

    The variable of such an array is given nothing else. No other variable, no result and no unknown function gets it: its elements are read and
    written, and functions take it that do not keep it.
    """
    allocations: dict[str, list[code.Assign]] = defaultdict(list)
    others: list[code.Statement] = []
    for body in (written.prologue, *written.blocks.values()):
        for statement in code.statements_in(body):
            if isinstance(statement, code.Assign) and isinstance(statement.target, code.Variable) and _sizes(statement):
                allocations[statement.target.name].append(statement)
            else:
                others.append(statement)
    ranks = {name: {len(_sizes(each)) for each in statements} for name, statements in allocations.items()}
    uses = _Uses({name: max(each) for name, each in ranks.items() if len(each) == 1})
    for statement in others:
        uses.add(statement)
    found: dict[code.Statement, int] = {}
    for name, statements in allocations.items():
        if name in uses.ranks and name not in uses.escaping:
            rooms = [_room(statement) for statement in statements]
            if all(rooms) and sum(found.values()) + sum(rooms) <= _MOST_OF_FUNCTION:
                found |= dict(zip(statements, rooms, strict=True))
    return found


def _room(statement: code.Assign) -> int:
    """Returns the room that a new array needs on the stack; 0 if it is too large for it."""
    sizes = [size.value for size in _sizes(statement) if isinstance(size, Number)]
    if len(sizes) < len(_sizes(statement)):
        return _ROOM
    return max(math.prod(sizes), 1) if math.prod(sizes) <= MOST_ELEMENTS else 0


def _sizes(statement: code.Assign) -> Sequence[Term]:
    """Returns the sizes of the array that a statement makes; none if it makes no array."""
    value = statement.value
    if value.operation is None or value.operation.name not in _MAKERS:
        return ()
    shape = value.operands[0]
    return shape.operands if isinstance(shape.operation, code.TupleOf) else (shape,)


class _Uses:
    """Finds the variables whose arrays get further than to elements and to functions that do not keep them.

    Args:
        ranks: the number of axes of the arrays of variables.

    Attributes:
        escaping: the names of these variables.
    """

    def __init__(self, ranks: dict[str, int]) -> None:
        self.ranks = ranks
        self.escaping: set[str] = set()

    def add(self, statement: code.Statement) -> None:
        """Adds what a statement does with arrays."""
        self.escaping |= {variable.name for variable in code.assigned_variables(statement)}
        is_stored = isinstance(statement, code.Assign) and not isinstance(statement.target.operation, code.Subscript)
        for term in statement.terms:
            self._use(term, is_stored or isinstance(statement, code.Return))

    def _use(self, term: Term, is_kept: bool) -> None:
        """Adds the arrays that a term is made of; ``is_kept`` says that something keeps its value."""
        operation = term.operation
        if isinstance(term, code.Variable):
            if is_kept:
                self.escaping.add(term.name)
        elif isinstance(operation, code.Subscript):
            array, *indices = term.operands
            is_element = operation.is_element and self.ranks.get(getattr(array, "name", "")) == len(indices)
            self._use(array, is_kept and not is_element)
            for index in indices:
                self._use(index, False)
        elif operation is not None:
            if isinstance(operation, code.SizeAlong) or getattr(operation, "named", None) in _COPYING:
                is_kept = False
            elif operation.name is not None:
                is_kept = operation.name not in _BORROWERS
            for operand in term.operands:
                self._use(operand, is_kept)
