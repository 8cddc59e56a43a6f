"""A compilation that is cut short is done by a later call."""

import pytest

import fastgrad as tf
from fastgrad._src.compiler.dispatch import traces


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_too_little_memory_and_interrupts_leave_a_function_to_be_compiled(monkeypatch, error):
    v = tf.Variable(1.0)
    step = tf.function(lambda x: v.assign_add(x) * 2.0)

    def fail(*graphs):
        raise error

    step(tf.constant(1.0))
    with monkeypatch.context() as context:
        context.setattr(traces, "Program", fail)
        with pytest.raises(error):
            step(tf.constant(1.0))
    assert float(v) == 2.0
    assert float(step(tf.constant(1.0))) == 6.0
    assert float(step(tf.constant(1.0))) == 8.0
    assert step.cache_info().recordings == 1
    assert "runs eagerly" not in step.report()
