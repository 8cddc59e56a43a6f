"""The cases, in the order of the page; each module has the cases of one report."""

from benchmarks.reported.case import Case
from benchmarks.reported.cases import (
    finite_differences,
    first_step,
    joints,
    keras_calls,
    keras_fit,
    layer_width,
    matrix_carry,
    ratings,
    rotations,
    scalar_states,
    tridiagonal,
)

MODULES = (
    scalar_states,
    matrix_carry,
    rotations,
    joints,
    tridiagonal,
    ratings,
    finite_differences,
    keras_calls,
    keras_fit,
    layer_width,
    first_step,
)
CASES: dict[str, Case] = {case.name: case for module in MODULES for case in module.CASES}
OTHER_DERIVATIVES: dict[str, Case] = {
    name: case for reported in CASES.values() for name, case in reported.by_others().items()
}
"""Other derivatives of the same functions."""
