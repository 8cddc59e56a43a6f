"""The errors of element-wise functions beside TensorFlow's, eager and compiled, in units of the last place (ulp) of the exact value."""

import numpy as np
import pytest

from fastgrad._src.core.operation import TABLE, Form
from tests.record import skip_unanswered
from tests.reliability.accuracy.functions import COMPLEX as COMPLEX_ROWS
from tests.reliability.accuracy.functions import COMPOSED, NAMED, OF_GRADIENTS, OF_USERS, ROWS, WITHOUT_ROUNDING
from tests.reliability.accuracy.points import COMPLEX, HALVES
from tests.reliability.accuracy.record import DTYPES
from tests.reliability.accuracy.table import NOT_OF_HALVES, TENSORFLOW, measured

GOAL = 2.0
KNOWN: dict[tuple[str, str], dict[str, float]] = {
    ("dawsn", "float64"): {"moderate": 3.2},
    ("expint", "float64"): {"whole range": 6.5, "moderate": 40.0, "beside points": 1e16},
    ("fresnel_cos", "float64"): {"whole range": 450.0},
    ("sigmoid_cross_entropy", "float32"): {"near zero": 2.7},
    ("silu", "float32"): {"near zero": 2.3},
    ("silu", "float64"): {"near zero": 2.7},
    ("log_poisson_loss", "float32"): {"whole range": 22.0},
    ("zeta", "float64"): {"subnormal": 21.0},
}
"""The groups of arguments in which errors are larger than `GOAL` and TensorFlow's, with their limits."""


@pytest.mark.completeness
def test_every_element_wise_row_of_the_table_is_measured():
    known = {
        *ROWS,
        *COMPLEX_ROWS,
        *WITHOUT_ROUNDING.split(),
        *OF_GRADIENTS.split(),
        *COMPOSED.split(),
        *OF_USERS.split(),
    }
    rows = [name for name, row in TABLE.items() if row.form is Form.ELEMENTWISE]
    assert [name for name in rows if NAMED.get(name, name) not in known] == []


def check_errors(name, row, dtype, goal, full, figure):
    """Errors are within a goal, TensorFlow's, or the known ones, whatever is most."""
    parts, arguments, got = measured(name, row, dtype, share=1 if full else 20)
    worse, start = {}, 0
    for part, errors in parts.items():
        worst = start + int(errors.argmax())
        theirs = TENSORFLOW.get(name, {}).get(dtype, {}).get(part, 0.0)
        if errors.max() > max(goal, theirs, KNOWN.get((name, dtype), {}).get(part, 0.0)):
            at, results = [column[worst].item() for column in arguments], [each[worst] for each in got]
            worse[part] = f"{errors.max():.3g} ulp at {at}: {results}, TensorFlow {theirs:.3g}"
        figure("groups of arguments", 1)
        figure("groups of arguments with errors of 2 ulp or less", int(errors.max() <= goal))
        figure("groups of arguments with errors of 2 ulp or less in TensorFlow", int(theirs <= goal))
        figure("groups of arguments with errors above 2 ulp and TensorFlow's", int(errors.max() > max(goal, theirs)))
        start += errors.size
    if worse and name not in TENSORFLOW:
        skip_unanswered([name])
    assert worse == {}
    figure(f"points of functions of {dtype}", start)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ROWS)
def test_errors_are_within_two_ulp_or_those_of_tensorflow(name, dtype, full, figure):
    check_errors(name, ROWS[name], dtype, GOAL, full, figure)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", [name for name in ROWS if name not in NOT_OF_HALVES])
def test_errors_at_every_number_of_two_bytes(name, dtype, full, figure):
    check_errors(name, ROWS[name], dtype, GOAL, full, figure)


@pytest.mark.parametrize("dtype", COMPLEX)
@pytest.mark.parametrize("name", COMPLEX_ROWS)
def test_errors_of_complex_functions(name, dtype, full, figure):
    """Two units in each part."""
    check_errors(name, COMPLEX_ROWS[name], dtype, GOAL * np.sqrt(2), full, figure)
