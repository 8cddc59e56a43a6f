"""The errors of element-wise functions beside TensorFlow's, eager and compiled, in units of the last place (ulp) of the exact value."""

import numpy as np
import pytest

from fastgrad.operation import TABLE, Form
from tests.reliability.accuracy.functions import COMPLEX as COMPLEX_ROWS
from tests.reliability.accuracy.functions import NAMED, OF_GRADIENTS, ROWS, WITHOUT_ROUNDING
from tests.reliability.accuracy.points import COMPLEX, HALVES
from tests.reliability.accuracy.record import DTYPES
from tests.reliability.accuracy.table import NOT_OF_HALVES, TENSORFLOW, measured

GOAL = 2.0
SLACK = 2.5
COMPOSED = ("silu", "keras silu", "keras mish", "sigmoid_cross_entropy", "weighted_cross_entropy", "log_poisson_loss")
"""Products and sums of functions. Their errors, and those of SciPy's functions, may be up to `SLACK` times TensorFlow's: at single points either is better."""


def test_every_element_wise_row_of_the_table_is_measured():
    known = {*ROWS, *COMPLEX_ROWS, *WITHOUT_ROUNDING.split(), *OF_GRADIENTS.split()}
    rows = [name for name, row in TABLE.items() if row.form is Form.ELEMENTWISE]
    assert [name for name in rows if NAMED.get(name, name) not in known] == []


def check_errors(name, row, dtype, goal, full, figure):
    """Errors are within a goal, or those of TensorFlow where they are more."""
    parts, arguments, got = measured(name, row, dtype, share=1 if full else 20)
    worse, start = {}, 0
    for part, errors in parts.items():
        worst = start + int(errors.argmax())
        theirs = TENSORFLOW[name].get(dtype, {}).get(part, 0.0) * (SLACK if row.slow or name in COMPOSED else 1.0)
        if errors.max() > max(goal, theirs):
            at, results = [column[worst].item() for column in arguments], [each[worst] for each in got]
            worse[part] = f"{errors.max():.3g} ulp at {at}: {results}, TensorFlow {theirs:.3g}"
        figure("parts of ranges", 1)
        figure("parts of ranges within 2 ulp", int(errors.max() <= goal))
        figure(
            "parts of ranges within 2 ulp in TensorFlow", int(TENSORFLOW[name].get(dtype, {}).get(part, 0.0) <= goal)
        )
        start += errors.size
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
