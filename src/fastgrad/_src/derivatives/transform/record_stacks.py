"""Writes the source of pushes and pops of the two sweeps on the stacks of records: numbers, codes of branches, and contents of arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from numba import types

from fastgrad._src.derivatives.ir.operands import Counter, Scalar
from fastgrad._src.derivatives.runtime.tape_memory import ALL_STACKS

STACKS = "values, values_top, values_room, codes, codes_top, codes_room, arrays, arrays_top"
STACKS_OF_REVERSE = "values, values_top, codes, codes_top, arrays, arrays_top"
TOPS = "values_top, codes_top, arrays_top"
"""The variables that calls of functions that are not inlined take and return: forward, and on the reverse sweep."""


def position(offset: int, row: str = "") -> str:
    """Returns the text of a place from the top of the stack of numbers: of a number, or with the variable of a row's size of a row."""
    return f"values_top + {offset}{'*' * bool(row)}{row}" if offset else "values_top"


class RecordStacks:
    """Writes uses of the stacks.

    Args:
        write: appends a line with an indentation.

    Attributes:
        used: the names of the stacks that the text uses.
    """

    def __init__(self, write: Callable[[str, int], None]) -> None:
        self._write = write
        self.used: set[str] = set()

    def stack(self, name: str) -> str:
        """Returns the variable of a stack, which the text uses."""
        self.used.add(name)
        return name

    def write_room_test(self, values: str, codes: str, indent: int = 3) -> None:
        """Writes the test that the stacks have room for more numbers and codes."""
        for count, stack in ((values, "values"), (codes, "codes")):
            if count:
                number, width = ALL_STACKS[stack]
                self._write(f"if {stack}_top + {count} > {stack}_room:", indent)
                self._write(f"{stack}_room = 2*{stack}_room + {count}", indent + 1)
                self._write(f"{stack} = grow_stack(owner, {number}, {stack}, {width}, {stack}_room)", indent + 1)

    def write_room_reservation(self, count: str, values: int, codes: int, more: int = 0) -> None:
        """Writes the test that the stacks have room for the records of iterations, and for more numbers."""
        self.write_room_test(f"{count}*{values} + {more}" if values else "", f"{count}*{codes} + 2" if codes else "")

    def write_number_room_test(self, count: int) -> None:
        """Writes the test that there is room for ``count`` numbers."""
        self.write_room_test(str(count) if count else "", "")

    def push(self, names: Sequence[str], first: int = 0, indent: int = 3, row: str = "") -> None:
        """Writes what puts numbers on the stack, the first one at place ``first`` from the top, which stays where it is.

        Args:
            names: the variables with the numbers.
            first: the place of the first one.
            indent: the indentation of the lines.
            row: the variable with the size of a row, if each number goes into a separate row; else empty.
        """
        for offset, name in enumerate(names, first):
            self._write(f"push_value({self.stack('values')}, {position(offset, row)}, {name})", indent)

    def raise_top(self, count: int, indent: int = 3) -> None:
        """Writes the step of the top of the stack of numbers."""
        if count:
            self._write(f"values_top += {count}", indent)

    def lower_top(self, count: int, indent: int = 3) -> None:
        """Writes the step of the top back."""
        if count:
            self._write(f"values_top -= {count}", indent)

    def pop(self, item: Scalar | Counter, place: str | int, indent: int = 3) -> None:
        """Writes what reads a number from the stack, at a place from the top or at the place of a text."""
        type = item.type if isinstance(item, Scalar) else types.int64
        place = place if isinstance(place, str) else position(place)
        self._write(f"{item.name} = pop_{type}({self.stack('values')}, {place})", indent)

    def push_code(self, code: int, indent: int) -> None:
        """Writes what puts the code of a way on the stack."""
        self._write(f"push_code({self.stack('codes')}, codes_top, {code})", indent)
        self._write("codes_top += 1", indent)

    def pop_code(self, indent: int) -> None:
        """Writes what takes the code of a way from the stack."""
        self._write("codes_top -= 1", indent)
        self._write(f"code = pop_code({self.stack('codes')}, codes_top)", indent)

    def push_array(self, name: str, indent: int = 3) -> None:
        """Writes what puts the elements of an array on the stack of arrays."""
        self._write(f"arrays = grow_array_stack(owner, arrays, arrays_top + {name}.size)", indent)
        self._write(f"save_array({self.stack('arrays')}, arrays_top, {name})", indent)
        self._write(f"arrays_top += {name}.size", indent)

    def pop_array(self, name: str, indent: int = 3) -> None:
        """Writes what takes the elements of an array from the stack of arrays."""
        self._write(f"arrays_top -= {name}.size", indent)
        self._write(f"load_array({self.stack('arrays')}, arrays_top, {name})", indent)
