"""Raw operations: their table, signatures, and calls; `conformance/programs/raw_operations.py` has their results."""

import inspect
import pickle

import pytest

import fastgrad as tf
from fastgrad._src.compat.raw_ops.table import TABLE
from tests.conformance.questions import EXPECTED


@pytest.mark.completeness
def test_each_raw_operation_is_compared_with_tensorflow():
    questions = {question for case in EXPECTED["raw_operations"].values() for question in case}
    assert TABLE.keys() - {question.split(",")[0].removesuffix(" of integers") for question in questions} == set()


def test_names_are_listed_and_lead_to_the_table():
    assert set(dir(tf.raw_ops)) - {"__doc__"} >= TABLE.keys()
    assert tf.raw_ops.MatMul is TABLE["MatMul"]
    assert not hasattr(tf.raw_ops, "matmul")


def test_signatures_and_docstrings_say_the_arguments():
    assert str(inspect.signature(tf.raw_ops.Sum)) == "(*, input, axis, keep_dims=False, name=None)"
    assert "tf.reduce_sum" in tf.raw_ops.Sum.__doc__
    assert all(inspect.signature(row).parameters["name"].default is None for row in TABLE.values())


@pytest.mark.completeness
def test_each_name_of_a_function_leads_to_a_public_function():
    for row in TABLE.values():
        assert callable(row._resolved_function)


def test_a_raw_operation_is_pickled_as_its_name():
    assert pickle.loads(pickle.dumps(tf.raw_ops.Relu)) is tf.raw_ops.Relu


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: tf.raw_ops.Add([1.0], [2.0]), r"Add only takes keyword args \(possible keys: \['x', 'y', 'name'\]\)"),
        (lambda: tf.raw_ops.Add(x=[1.0]), r"Add\(\) lacks the argument 'y'; it takes \('x', 'y'\)"),
        (lambda: tf.raw_ops.Add(x=[1.0], y=[1.0], z=3), r"unexpected keyword argument 'z'"),
    ],
)
def test_wrong_arguments_are_answered(call, text):
    with pytest.raises(TypeError, match=text):
        call()
