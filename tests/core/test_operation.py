"""Calls of operations: every kind of row explains the same failures in the same way."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.core.operation import TABLE, Operation
from fastgrad._src.scalars import terms

X = tf.ones((2, 2))
CALLS = {
    "tanh": lambda: tf.tanh(X),
    "add": lambda: tf.add(X, X),
    "reduce_max": lambda: tf.reduce_max(X, 0),
    "reshape": lambda: tf.reshape(X, (4,)),
}


@pytest.mark.parametrize("name", ["tanh", "add", "reduce_max", "reshape"])
@pytest.mark.parametrize("error", [MemoryError("Unable to allocate"), ValueError("array is too big; `arr.size`")])
def test_a_result_larger_than_memory_is_out_of_memory(name, error, monkeypatch):
    def run(*arrays, **attributes):
        raise error

    monkeypatch.setattr(TABLE[name], "run", run)
    with pytest.raises(tf.errors.ResourceExhaustedError, match=f"^{name}: "):
        CALLS[name]()


@pytest.mark.parametrize("watched", [False, True])
def test_a_sum_or_product_beyond_the_address_space_is_out_of_memory(watched):
    x = tf.zeros((1 << 24, 1))
    with tf.GradientTape() as tape:
        if watched:
            tape.watch(x)
        with pytest.raises(tf.errors.ResourceExhaustedError, match="add: Unable to allocate"):
            tf.add(x, tf.reshape(x, (1, 1 << 24)))
        with pytest.raises(tf.errors.ResourceExhaustedError, match="matmul: "):
            tf.matmul(x, tf.reshape(x, (1, 1 << 24)))


@pytest.mark.parametrize("name", ["tanh", "add", "reduce_max", "reshape"])
def test_other_errors_of_a_run_stay_as_they_are(name, monkeypatch):
    """An error of two operands whose shapes fit is not about shapes."""
    cause = KeyError("cause")

    def run(*arrays, **attributes):
        raise ValueError("what the run says") from cause

    monkeypatch.setattr(TABLE[name], "run", run)
    with np.errstate(over="raise"):
        with pytest.raises(ValueError, match="^what the run says$") as raised:
            CALLS[name]()
        assert np.geterr()["over"] == "raise"
    assert raised.value.__cause__ is cause


def test_a_row_declares_the_parts_of_its_lowering():
    assert TABLE["tanh"].lowering.elementwise.term is terms.tanh
    assert TABLE["true_positions"].lowering.result_size.count is np.count_nonzero
    assert TABLE["check_numerics"].lowering.checks
    assert "code" not in vars(TABLE["tanh"])
    assert Operation.lowering.launches is None
