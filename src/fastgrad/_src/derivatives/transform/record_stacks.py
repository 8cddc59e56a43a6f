"""Writes the code of pushes and pops of the two sweeps on the stacks of records: numbers, codes of branches, and contents of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numba import types

from fastgrad._src.derivatives.codegen.tape_memory import ALL_STACKS
from fastgrad._src.derivatives.ir.operands import Counter, Scalar
from fastgrad._src.derivatives.output import tree as code
from fastgrad._src.derivatives.transform.emission import Emitter
from fastgrad._src.scalars.formulas import Term

VALUES, CODES, ARRAYS = [code.integer(name) for name in ALL_STACKS]
VALUES_TOP, CODES_TOP, ARRAYS_TOP = TOPS = tuple(code.integer(f"{name}_top") for name in ALL_STACKS)
VALUES_ROOM, CODES_ROOM = code.integer("values_room"), code.integer("codes_room")
STACKS = (VALUES, VALUES_TOP, VALUES_ROOM, CODES, CODES_TOP, CODES_ROOM, ARRAYS, ARRAYS_TOP)
STACKS_OF_REVERSE = (VALUES, VALUES_TOP, CODES, CODES_TOP, ARRAYS, ARRAYS_TOP)
"""The variables that calls of functions that are not inlined take and return, on the forward and on the reverse sweep; there they return `TOPS`."""
OWNER = code.integer("owner")
"""The variable of the owner of the stacks."""


def position(offset: int, row: Term | None = None) -> Term:
    """Returns a place from the top of the stack of numbers: of a number, or with the size of a row of a row."""
    if not offset:
        return VALUES_TOP
    return VALUES_TOP + (offset if row is None else offset * row)


def acquired(stack: str) -> Term:
    """Returns an empty stack."""
    return code.call("acquire", OWNER, *ALL_STACKS[stack])


def capacity(stack: Term) -> Term:
    """Returns the number of items that a stack has room for."""
    return code.call("capacity", stack)


def released(stack: str) -> code.Evaluate:
    """Returns the statement that leaves a stack for the next call."""
    number, width = ALL_STACKS[stack]
    return code.Evaluate(code.call("release", number, code.integer(stack), width))


class RecordStacks:
    """Writes uses of the stacks.

    Args:
        emitter: appends statements.

    Attributes:
        used: the names of the stacks that the code uses.
    """

    def __init__(self, emitter: Emitter) -> None:
        self._emitter = emitter
        self._write = emitter.write
        self.used: set[str] = set()

    def stack(self, variable: code.Variable) -> code.Variable:
        """Returns the variable of a stack, which the code uses."""
        self.used.add(variable.name)
        return variable

    def _call(self, name: str, *operands: Any) -> None:
        self._write(code.Evaluate(code.call(name, *operands)))

    def write_room_test(self, values: Any, codes: Any) -> None:
        """Writes the test that the stacks have room for more numbers and codes; None for none."""
        for count, stack, room in ((values, VALUES, VALUES_ROOM), (codes, CODES, CODES_ROOM)):
            if count is not None:
                number, width = ALL_STACKS[stack.name]
                top = code.integer(f"{stack.name}_top")
                with self._emitter.when(top + count > room):
                    self._write(code.assign(room, 2 * room + count))
                    grown = code.call("grow_stack", OWNER, number, stack, width, room)
                    self._write(code.assign(stack, grown))

    def write_room_reservation(self, count: Term, values: int, codes: int, more: int = 0) -> None:
        """Writes the test that the stacks have room for the records of iterations, and for more numbers."""
        self.write_room_test(count * values + more if values else None, count * codes + 2 if codes else None)

    def write_number_room_test(self, count: int) -> None:
        """Writes the test that there is room for ``count`` numbers."""
        self.write_room_test(count or None, None)

    def push(self, values: Sequence[Term], first: int = 0, row: Term | None = None) -> None:
        """Writes what puts numbers on the stack, the first one at place ``first`` from the top, which stays where it is.

        Args:
            values: the numbers.
            first: the place of the first one.
            row: the size of a row, if each number goes into a separate row.
        """
        for offset, value in enumerate(values, first):
            self._call("push_value", self.stack(VALUES), position(offset, row), value)

    def raise_top(self, count: int) -> None:
        """Writes the step of the top of the stack of numbers."""
        if count:
            self._write(code.add_to(VALUES_TOP, count))

    def lower_top(self, count: int) -> None:
        """Writes the step of the top back."""
        if count:
            self._write(code.subtract_from(VALUES_TOP, count))

    def popped(self, type: types.Type, place: Term) -> Term:
        """Returns the number of a type at a place of the stack."""
        return code.call(f"pop_{type}", self.stack(VALUES), place)

    def pop(self, item: Scalar | Counter, place: Term | int) -> None:
        """Writes what reads a number from the stack, at a place, or at one from the top."""
        place = position(place) if isinstance(place, int) else place
        variable = item.term if isinstance(item, Scalar) else code.integer(item.name)
        assert variable.type is not None
        self._write(code.assign(variable, self.popped(variable.type, place)))

    def push_code(self, number: int) -> None:
        """Writes what puts the code of a way on the stack."""
        self._call("push_code", self.stack(CODES), CODES_TOP, number)
        self._write(code.add_to(CODES_TOP, 1))

    def pop_code(self) -> None:
        """Writes what takes the code of a way from the stack."""
        self._write(code.subtract_from(CODES_TOP, 1))
        self._write(code.assign(code.integer("code"), code.call("pop_code", self.stack(CODES), CODES_TOP)))

    def push_array(self, array: Term, count: Term) -> None:
        """Writes what puts the ``count`` elements of an array on the stack of arrays."""
        grown = code.call("grow_array_stack", OWNER, ARRAYS, ARRAYS_TOP + count)
        self._write(code.assign(ARRAYS, grown))
        self._call("save_array", self.stack(ARRAYS), ARRAYS_TOP, array)
        self._write(code.add_to(ARRAYS_TOP, count))

    def pop_array(self, array: Term) -> None:
        """Writes what takes the elements of an array from the stack of arrays."""
        self._write(code.subtract_from(ARRAYS_TOP, code.size(array)))
        self._call("load_array", self.stack(ARRAYS), ARRAYS_TOP, array)
