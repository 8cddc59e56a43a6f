"""The errors of element-wise functions beside TensorFlow's, eager and compiled, in units of the last place (ulp) of the exact value."""

import functools
import json

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.operation import TABLE, Form
from tests.reliability.accuracy.exact import errors, exact
from tests.reliability.accuracy.functions import COMPLEX, NAMED, OF_GRADIENTS, ROWS, WITHOUT_ROUNDING
from tests.reliability.accuracy.points import points
from tests.reliability.accuracy.record import DTYPES, FILE

GOAL = 2.0
TENSORFLOW = json.loads(FILE.read_text(encoding="utf-8"))


def results(call, arguments):
    """What the eager call gives, and the third call of a compiled function."""
    tensors = [tf.constant(x) for x in arguments]
    compiled = tf.function(functools.partial(call, tf))
    for _ in range(3):
        last = compiled(*tensors)
    return call(tf, *tensors).numpy(), last.numpy()


def test_every_element_wise_row_of_the_table_is_measured():
    known = {*ROWS, *COMPLEX, *WITHOUT_ROUNDING.split(), *OF_GRADIENTS.split()}
    rows = [name for name, row in TABLE.items() if row.form is Form.ELEMENTWISE]
    assert [name for name in rows if NAMED.get(name, name) not in known] == []


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ROWS)
def test_errors_are_within_two_ulp_or_those_of_tensorflow(name, dtype, full, figure):
    row = ROWS[name]
    parts = points(name, row, dtype, share=1 if full else 20)
    arguments = [np.concatenate(columns) for columns in zip(*parts.values(), strict=True)]
    eager, compiled = results(row.call, arguments)
    wanted = exact(name, arguments)
    distances = np.maximum(errors(eager, wanted, dtype), errors(compiled, wanted, dtype))
    worse, start = {}, 0
    for part, (x, *_) in parts.items():
        mine = distances[start : start + x.size]
        worst = start + int(mine.argmax())
        theirs = TENSORFLOW[name][dtype][part]
        if mine.max() > max(GOAL, theirs):
            at = [float(column[worst]) for column in arguments]
            worse[part] = f"{mine.max():.3g} ulp at {at}: {eager[worst]!r}, TensorFlow {theirs:.3g}"
        figure("parts of ranges", 1)
        figure("parts of ranges within 2 ulp", mine.max() <= GOAL)
        figure("parts of ranges within 2 ulp in TensorFlow", theirs <= GOAL)
        start += x.size
    assert worse == {}
    figure("points of functions", distances.size)
