"""What was compiled goes with its programs: nothing grows with the number of programs that there have been."""

import gc
import linecache
import weakref

import numpy as np

import fastgrad as tf
from fastgrad.trace.calling import cache
from fastgrad.trace.fusion import emit, kernel_writer
from fastgrad.trace.programs import frame, native_form
from fastgrad.trace.programs.program import Program
from tests.trace.test_replay import record

X = np.linspace(0.5, 1.5, 6, dtype=np.float32)
STEPS = (tf.square, tf.abs, tf.negative, lambda x: x + 1.0)


def texts(kind):
    """Names of the texts of what was compiled."""
    gc.collect()
    return {name for name in linecache.cache if name.startswith(f"<fastgrad {kind} ")}


def structure(number):
    """A function of its own group of operations for each number."""

    def program(x):
        for digit in np.base_repr(number + 16, 4):
            x = STEPS[int(digit)](x)
        return x

    return program


def test_the_text_of_a_program_goes_with_it():
    before = texts("program")
    graph, _ = record(structure(1), X)
    compiled = [Program(graph) for _ in range(20)]
    there = texts("program") - before
    assert len(there) == 20
    assert all("def make(frame)" in "".join(linecache.getlines(name)) for name in there)
    del compiled
    assert texts("program") == before


def test_kernels_of_many_structures_are_bounded(monkeypatch):
    monkeypatch.setattr(kernel_writer, "MOST_BUILT", 6)
    monkeypatch.setattr(emit, "MOST_KNOWN", 6)
    emit._known.clear()
    kernel_writer._built.clear()
    before = texts("kernel")
    kept = Program(record(structure(0), X)[0])
    for number in range(1, 24):
        compiled = Program(record(structure(number), X)[0])
        wanted = structure(number)(tf.constant(X))
        np.testing.assert_allclose(compiled([X])[0], wanted, rtol=1e-6)
        assert len(kernel_writer._built) <= 6
        assert len(emit._known) <= 6
    np.testing.assert_allclose(kept([X])[0], structure(0)(tf.constant(X)), rtol=1e-6)
    del compiled
    for known in (native_form._may_stop, frame._can_be_shared):
        known.cache_clear()
    assert len(texts("kernel") - before) <= 6 + 1
    del kept


def test_a_kernel_that_was_forgotten_is_built_again(monkeypatch):
    monkeypatch.setattr(kernel_writer, "MOST_BUILT", 1)
    monkeypatch.setattr(emit, "MOST_KNOWN", 1)
    for number in (1, 2, 1, 2, 1):
        compiled = Program(record(structure(number), X)[0])
        np.testing.assert_allclose(compiled([X])[0], structure(number)(tf.constant(X)), rtol=1e-6)


def test_programs_of_keys_that_are_given_up_go(monkeypatch):
    monkeypatch.setattr(cache, "KEYS", 4)
    made = weakref.WeakSet()

    class Known(Program):
        def __init__(self, *graphs):
            super().__init__(*graphs)
            made.add(self)

    monkeypatch.setattr("fastgrad.trace.calling.ways.Program", Known)
    before = texts("program")
    step = tf.function(structure(3))
    for size in range(1, 9):
        for _ in range(3):
            step(tf.ones([size]))
    gc.collect()
    assert len(made) == 4
    assert len(texts("program") - before) == 4
    del step
    gc.collect()
    assert not made
    assert texts("program") == before
