"""The errors of element-wise functions beside TensorFlow's, eager and compiled, in units of the last place (ulp) of the exact value."""

import functools
import json

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.operation import TABLE, Form
from tests.reliability.accuracy.functions import COMPLEX as COMPLEX_ROWS
from tests.reliability.accuracy.functions import NAMED, OF_GRADIENTS, ROWS, WITHOUT_ROUNDING
from tests.reliability.accuracy.points import COMPLEX, HALVES, points
from tests.reliability.accuracy.record import DTYPES, FILE, distances

GOAL = 2.0
NOT_OF_HALVES = ("zeta", "polygamma", "betainc")
TENSORFLOW = json.loads(FILE.read_text(encoding="utf-8"))


def results(call, arguments):
    """What the eager call gives, and the third call of a compiled function."""
    tensors = [tf.constant(x) for x in arguments]
    compiled = tf.function(functools.partial(call, tf))
    for _ in range(3):
        last = compiled(*tensors)
    return call(tf, *tensors).numpy(), last.numpy()


def test_every_element_wise_row_of_the_table_is_measured():
    known = {*ROWS, *COMPLEX_ROWS, *WITHOUT_ROUNDING.split(), *OF_GRADIENTS.split()}
    rows = [name for name, row in TABLE.items() if row.form is Form.ELEMENTWISE]
    assert [name for name in rows if NAMED.get(name, name) not in known] == []


def check_errors(name, row, dtype, goal, full, figure):
    """Errors are within a goal, or those of TensorFlow where they are more."""
    parts = points(name, row, dtype, share=1 if full else 20)
    arguments = [np.concatenate(columns) for columns in zip(*parts.values(), strict=True)]
    eager, compiled = results(row.call, arguments)
    of_each = [distances(name, row, dtype, got, arguments) for got in (eager, compiled)]
    errors = np.maximum(*of_each)
    worse, start = {}, 0
    for part, (x, *_) in parts.items():
        mine = errors[start : start + x.size]
        worst = start + int(mine.argmax())
        theirs = TENSORFLOW[name].get(dtype, {}).get(part, 0.0)
        if mine.max() > max(goal, theirs):
            at = [column[worst].item() for column in arguments]
            worse[part] = f"{mine.max():.3g} ulp at {at}: {eager[worst]!r} {compiled[worst]!r}, TensorFlow {theirs:.3g}"
        figure("parts of ranges", 1)
        figure("parts of ranges within 2 ulp", int(mine.max() <= goal))
        figure("parts of ranges within 2 ulp in TensorFlow", int(theirs <= goal))
        start += x.size
    assert worse == {}
    figure(f"points of functions of {dtype}", errors.size)


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
