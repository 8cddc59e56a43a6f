"""What was compiled goes with its programs: nothing grows with the number of programs that there have been."""

import gc
import linecache
import os
import subprocess
import sys
import textwrap
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.dispatch import cache
from fastgrad._src.compiler.fusion import emit, kernel_writer
from fastgrad._src.compiler.programs.program import Program
from tests.compiler.recorded import record

X = np.linspace(0.5, 1.5, 6, dtype=np.float32)
STEPS = (tf.square, tf.abs, tf.negative, lambda x: x + 1.0)


def texts(kind):
    """Names of the texts of what was compiled."""
    gc.collect()
    return {name for name in linecache.cache if name.startswith(f"<fastgrad {kind} ")}


@pytest.fixture
def few_known(monkeypatch):
    """Kernels are forgotten as soon as there is another one."""
    monkeypatch.setattr(kernel_writer, "MOST_CACHED_KERNELS", 1)
    monkeypatch.setattr(emit, "MOST_CACHED_GROUPS", 1)
    emit._launches_by_group.clear()
    kernel_writer._kernels.clear()


@pytest.fixture
def made(monkeypatch):
    """The programs that functions have made, as long as they are there."""
    found = weakref.WeakSet()

    class Known(Program):
        def __init__(self, *graphs):
            super().__init__(*graphs)
            found.add(self)

    monkeypatch.setattr("fastgrad._src.compiler.dispatch.traces.Program", Known)
    return found


def engines():
    """How many of LLVM's engines, which have the code of kernels, there are."""
    gc.collect()
    return sum(type(thing).__name__ == "ExecutionEngine" for thing in gc.get_objects())


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
    monkeypatch.setattr(kernel_writer, "MOST_CACHED_KERNELS", 6)
    monkeypatch.setattr(emit, "MOST_CACHED_GROUPS", 6)
    emit._launches_by_group.clear()
    kernel_writer._kernels.clear()
    before = texts("kernel")
    kept = Program(record(structure(0), X)[0])
    for number in range(1, 24):
        compiled = Program(record(structure(number), X)[0])
        wanted = structure(number)(tf.constant(X))
        np.testing.assert_allclose(compiled([X])[0], wanted, rtol=1e-6)
        assert len(kernel_writer._kernels) <= 6
        assert len(emit._launches_by_group) <= 6
    np.testing.assert_allclose(kept([X])[0], structure(0)(tf.constant(X)), rtol=1e-6)
    del compiled
    assert len(texts("kernel") - before) <= 6 + 1
    del kept


@pytest.mark.usefixtures("few_known")
def test_a_kernel_that_was_forgotten_is_built_again():
    for number in (1, 2, 1, 2, 1):
        compiled = Program(record(structure(number), X)[0])
        np.testing.assert_allclose(compiled([X])[0], structure(number)(tf.constant(X)), rtol=1e-6)


def test_programs_of_keys_that_are_given_up_go(monkeypatch, made):
    monkeypatch.setattr(cache, "MOST_KEYS_PER_FUNCTION", 4)
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


@pytest.mark.usefixtures("few_known")
def test_the_code_of_kernels_goes_with_their_programs():
    before = engines()
    kept = [Program(record(structure(number), X)[0]) for number in range(40)]
    there = engines()
    assert there >= before + 2
    for number, program in enumerate(kept):
        np.testing.assert_allclose(program([X])[0], structure(number)(tf.constant(X)), rtol=1e-6)
    del kept[1:], program
    assert engines() <= before + 2  # of the first kernel, and of the last
    np.testing.assert_allclose(kept[0]([X])[0], structure(0)(tf.constant(X)), rtol=1e-6)


@pytest.mark.filterwarnings("ignore:.* is being recorded for the")
@pytest.mark.usefixtures("few_known")
def test_code_that_another_thread_runs_stays(monkeypatch):
    monkeypatch.setattr(cache, "MOST_KEYS_PER_FUNCTION", 1)
    step = tf.function(structure(5))
    sizes = [range(1, 30), range(30, 60)]

    def run(some):
        for size in some:
            for _ in range(4):
                x = np.linspace(0.5, 1.5, size, dtype=np.float32)
                np.testing.assert_allclose(step(tf.constant(x)), structure(5)(tf.constant(x)), rtol=1e-6)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, sizes))


@pytest.mark.usefixtures("few_known")
def test_code_that_a_tape_will_run_stays():
    x = tf.constant(X)
    step = tf.function(lambda x: tf.reduce_sum(tf.tanh(x) * tf.exp(x)))
    for _ in range(3):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = step(x)
        wanted = tape.gradient(y, x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = step(x)
    del step
    for number in range(20):
        Program(record(structure(number), X)[0])([X])
    gc.collect()
    np.testing.assert_array_equal(tape.gradient(y, x), wanted)


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="resident memory is read from Linux's /proc")
def test_resident_memory_is_flat_while_functions_come_and_go():
    program = """
        import gc, os
        import fastgrad as tf
        from fastgrad._src.compiler.fusion import emit, kernel_writer
        from tests.compiler.programs.test_eviction import structure

        emit.MOST_KNOWN = kernel_writer.MOST_BUILT = 4

        def resident():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

        def compile_anew(times):
            for _ in range(times):
                for number in range(20):
                    step = tf.function(structure(number))
                    step(tf.ones(6)), step(tf.ones(6))
                gc.collect()

        compile_anew(10)  # after 5 a process that compiled kernels, since the cache had none, takes 1.6 MB once more
        before = resident()
        compile_anew(15)
        print(resident() - before)
        """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    printed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], env=environment, capture_output=True, text=True, check=True
    )
    assert int(printed.stdout) < 1 << 20


def test_programs_go_at_once(made):
    """Before Python looks for garbage in cycles: code and arenas can be large."""
    gc.disable()
    try:
        for _ in range(3):
            step = tf.function(structure(3))
            for _ in range(3):
                step(tf.constant(X))
            assert len(made) == 1
            del step
    finally:
        gc.enable()
