"""The cases of all programs, and the one-sided derivatives that tests compare with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.derivatives import central
from tests.derivatives.table import active, all_programs, copy_of

PROGRAMS = all_programs()
CASES = [(name, place) for name, program in PROGRAMS.items() for place in range(len(program.cases))]
"""Names of programs, each with the place of one of its calls."""
REFUSED_TODAY = frozenset(
    [
        "branches.branch_chooses_a_view_or_a_new_array",
        "containers.typed_list_of_arrays",
        "effects.length_of_a_text",
        "views.view_passed_around",
    ]
)
"""The programs that have gradients, and that are refused: each with its line, none wrong."""
RIGHT = [(name, place) for name, place in CASES if PROGRAMS[name].refused is False]


def arguments_of(name: str, place: int) -> tuple[Any, ...]:
    """Returns copies of the arguments of a call."""
    return tuple(map(copy_of, PROGRAMS[name].cases[place]))


def directions(arguments: tuple[Any, ...], places: tuple[int, ...]) -> Iterator[tuple[Any, ...]]:
    """Yields each unit vector, and three random vectors, of the arguments at ``places``."""
    arrays = [np.asarray(arguments[place]) for place in places]
    numbers = [2 if array.dtype.kind == "c" else 1 for array in arrays]
    sizes = [array.size * number for array, number in zip(arrays, numbers, strict=True)]
    rng = np.random.default_rng(7)
    for flat in [*np.eye(sum(sizes)), *rng.normal(size=(3, sum(sizes)))]:
        parts = np.split(flat, np.cumsum(sizes)[:-1])
        yield tuple(
            (part.view(np.complex128) if number == 2 else part).reshape(array.shape)
            for part, number, array in zip(parts, numbers, arrays, strict=True)
        )


def slope_along(gradients: tuple[Any, ...], direction: tuple[Any, ...]) -> float:
    """Returns the derivative along ``direction``; a complex gradient has those along the real and the imaginary axis."""
    return sum(float(np.sum(np.real(np.conj(g) * d))) for g, d in zip(gradients, direction, strict=True))


def one_sided(name: str, place: int, direction: tuple[Any, ...]) -> list[float]:
    """Returns the finite derivatives from the left and from the right."""
    program = PROGRAMS[name]
    arguments = program.cases[place]
    found = central.directional(program.function, arguments, active(arguments), direction)
    return [float(each) for each in found if abs(each) < 1e6]
