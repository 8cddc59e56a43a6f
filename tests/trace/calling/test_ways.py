import gc

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.trace.calling import ways


def _compiled(monkeypatch, tree):
    """What `tree` is called with goes on; returns the results of three calls of a compiled function."""
    monkeypatch.setattr(ways, "Tree", tree)
    step = tf.function(lambda x: tf.tanh(x) * 2.0)
    return [step(tf.constant([0.5, 1.0])).numpy() for _ in range(3)]


@pytest.mark.parametrize("before", [True, False])
def test_garbage_is_collected_after_a_compilation_as_before_it(monkeypatch, before):
    seen = []

    def tree(*args):
        seen.append(gc.isenabled())
        return original(*args)

    original = ways.Tree
    (gc.enable if before else gc.disable)()
    try:
        for y in _compiled(monkeypatch, tree):
            np.testing.assert_allclose(y, 2 * np.tanh([0.5, 1.0]), rtol=1e-6)
        assert seen == [False]
        assert gc.isenabled() is before
    finally:
        gc.enable()


def test_a_compilation_that_fails_leaves_the_collector_on(monkeypatch):
    def tree(*args):
        raise ZeroDivisionError

    with pytest.warns(UserWarning, match="ZeroDivisionError"):
        found = _compiled(monkeypatch, tree)
    for y in found:
        np.testing.assert_allclose(y, 2 * np.tanh([0.5, 1.0]), rtol=1e-6)
    assert gc.isenabled()
