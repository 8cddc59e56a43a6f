"""Derivatives of random programs in both modes, run as Python text: right, refused with a line, or wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from fastgrad.errors import DifferentiationError
from tests.derivatives import central, random_programs
from tests.derivatives.interpreted import tangent_and_gradients, value_and_gradients, value_and_tangent_of
from tests.derivatives.table import active, copy_of
from tests.derivatives.wide_programs import WideWriter

RIGHT = "right"
REFUSED = "refused"


def drawn(seed: int) -> random_programs.Drawn:
    """Returns the program of a seed. One of four programs is by `Writer`, the others are by `WideWriter`."""
    return random_programs.draw(seed, WideWriter if seed % 4 else random_programs.Writer)


def outcomes(seed: int) -> tuple[str, dict[str, str]]:
    """Returns the text of a seed's program, and for each mode "right", "refused: " with the reason, or what is wrong."""
    program = drawn(seed)
    results = {}
    for mode, differences in MODES.items():
        try:
            with np.errstate(all="ignore"):
                wrong = [each for each in differences(program) if each]
            results[mode] = wrong[0] if wrong and _has_value_of_python(program) else RIGHT
        except DifferentiationError as refusal:
            place, _, reason = str(refusal).partition(": ")
            has_line = re.fullmatch(rf"<random program {seed}\.\d+>:\d+", place)
            results[mode] = f"{REFUSED}: {reason}" if has_line else f"refused without a line: {refusal}"
        except Exception as error:  # noqa: BLE001 - a failure of the program, which is reported
            results[mode] = f"raised {error!r}"
    return program.source, results


def _has_value_of_python(program: random_programs.Drawn) -> bool:
    """True if Numba's own value of a program is Python's, whose differences are the reference."""
    value = float(program.function(*map(copy_of, program.arguments)))
    right = float(central.value(program.function, program.arguments))
    return abs(value - right) <= 1e-9 * (1.0 + abs(right))


def _by_reverse_mode(program: random_programs.Drawn) -> Iterator[str]:
    places = active(program.arguments)
    value, gradients = value_and_gradients(program.function, tuple(map(copy_of, program.arguments)), 1.0, places)
    yield _of_the_value(program, value)
    for place, found, right, error in zip(places, gradients, *program.reference, strict=True):
        if not np.all(np.abs(found - right) <= error + _tolerance(program)):
            yield f"the gradient of argument {place} is {found}, by differences {right}"


def _by_forward_mode(program: random_programs.Drawn) -> Iterator[str]:
    places = active(program.arguments)
    tangents = _directions(program, places, 1.0)
    value, tangent = value_and_tangent_of(program.function, program.arguments, places)(*program.arguments, *tangents)
    yield _of_the_value(program, value)
    gradients, errors = program.reference
    right = sum(np.sum(gradient * along) for gradient, along in zip(gradients, tangents, strict=True))
    if not abs(tangent - right) <= sum(map(np.sum, errors)) + _tolerance(program):
        yield f"the tangent is {tangent}, by differences {right}"


def _by_reverse_over_forward_mode(program: random_programs.Drawn) -> Iterator[str]:
    """Compares the gradient of a tangent with respect to tangents with gradients, with respect to arguments with differences of tangents."""
    places, arguments = active(program.arguments), program.arguments
    tangents, others = _directions(program, places, 1.0), _directions(program, places, 2.0)
    (value, tangent), found = tangent_and_gradients(
        program.function, tuple(map(copy_of, arguments)), tangents, (0.0, 1.0), places
    )
    yield _of_the_value(program, value)
    for place, of_tangent, right, error in zip(places, found[len(places) :], *program.reference, strict=True):
        if not np.all(np.abs(of_tangent - right) <= error + _tolerance(program)):
            yield f"the gradient of the tangent by that of argument {place} is {of_tangent}, by differences {right}"
    forward = value_and_tangent_of(program.function, arguments, places)

    def moved(step: float) -> float:
        values = [*arguments]
        for place, along in zip(places, others, strict=True):
            values[place] = values[place] + float(step) * along
        return float(forward(*values, *tangents)[1])

    expected = moved(0.0)
    if not abs(tangent - expected) <= 1e-12 * (1.0 + abs(expected)):
        yield f"the tangent is {tangent}, by forward mode {expected}"
    slope = sum(np.sum(gradient * along) for gradient, along in zip(found, others, strict=False))
    right, error = central.extrapolated(moved, central.STEP_IN_DOUBLE * 2.0**-4, np.finfo(float).eps)
    if not abs(slope - right) <= 100.0 * error + 1e-7 * (1.0 + abs(right) + abs(expected)):
        yield f"the second derivative is {slope}, by differences of tangents {right}"


def _directions(program: random_programs.Drawn, places: tuple[int, ...], phase: float) -> tuple[Any, ...]:
    tangents = [np.cos(phase + place + np.arange(np.size(program.arguments[place]))) for place in places]
    return tuple(
        tangent.reshape(np.shape(program.arguments[place])) if np.ndim(program.arguments[place]) else float(tangent[0])
        for place, tangent in zip(places, tangents, strict=True)
    )


MODES = {
    "reverse mode": _by_reverse_mode,
    "forward mode": _by_forward_mode,
    "reverse over forward mode": _by_reverse_over_forward_mode,
}


def _tolerance(program: random_programs.Drawn) -> Any:
    return 1e-9 * (1.0 + max(np.max(np.abs(gradient)) for gradient in program.reference.gradients))


def _of_the_value(program: random_programs.Drawn, value: float) -> str:
    right = float(central.value(program.function, program.arguments))
    return "" if abs(value - right) <= 1e-9 * (1.0 + abs(right)) else f"the value is {value}, in Python {right}"
