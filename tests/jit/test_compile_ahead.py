"""Another process compiles what a program is likely to need next, and this process finds it in the disk cache."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

import fastgrad as fg
from fastgrad._src.commands.typical_programs import list_typical_programs
from fastgrad._src.jit import build, compile_ahead, second_process, store
from fastgrad._src.jit.compile_ahead import KernelAddress, likely_next, typical_programs
from fastgrad._src.jit.made_classes import MADE_CLASSES
from fastgrad._src.kernels.convolution import patches
from fastgrad._src.kernels.random import draws, random
from fastgrad._src.kernels.runtime import driver, thread_pool
from tests.selection import run_seed
from tools.typical_kernels import TABLE, kernels_in_a_process, table_text

SEED = draws.philox_words._source({"I": "int64"})
ADVANCE = random.advance_state._source({})


def address(module, name, **variables):
    return KernelAddress(f"fastgrad._src.kernels.{module}", name, tuple(variables.items()), ())


@pytest.fixture(autouse=True)
def two_processes(monkeypatch, tmp_path):
    """An empty cache, two processors, and a second process of the test's own."""
    monkeypatch.setenv("FASTGRAD_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("FASTGRAD_NUM_THREADS", "2")
    monkeypatch.setenv(second_process.VARIABLE, "1")
    monkeypatch.setattr(second_process, "_processes", [])
    yield
    second_process._end_processes()


def ahead_of(monkeypatch, *sources):
    """Returns what compiles these kernels ahead, after it has begun with the first, or ended."""
    addresses = list(map(compile_ahead.address_of, sources))
    monkeypatch.setattr(compile_ahead, "likely_next", lambda needed, *_: [a for a in addresses if a not in needed])
    ahead = compile_ahead.CompilationAhead()
    assert not ahead.has_compiled(SEED)
    while ahead._thread is not None and not ahead._requested:
        time.sleep(0.001)
    return ahead


def wait_until_idle(ahead):
    limit = time.monotonic() + 600.0
    while ahead.is_at_work():
        assert time.monotonic() < limit, "the second process works for ten minutes"
        time.sleep(0.01)


# ---- what comes next ---------------------------------------------------------------------------------------


def test_a_convolution_is_followed_by_its_gradients():
    needed = {
        address("random.draws", "philox_words", I="int64"),
        compile_ahead.address_of(patches.slide._source({"T": "float32"})),
    }
    likely = likely_next(needed, set())
    assert needed.isdisjoint(likely)
    assert address("convolution.patches", "gather_filters", T="float32") in likely
    assert address("gemm.gemm", "gemm", T="float32") in likely
    assert not [a for a in likely if a.module.startswith("fastgrad._src.kernels.recurrent")]


def test_a_layer_is_followed_by_its_kernels():
    needed = {address("random.draws", "philox_words", I="int64")}
    for layer, kernel in {"LSTM": "lstm", "Conv2D": "slide"}.items():
        likely = [one.name for one in likely_next(needed, {"Dense", layer})]
        assert {"lstm", "slide"}.intersection(likely) == {kernel}


def test_layers_losses_and_optimizers_are_noted():
    fg.keras.layers.Dense(1), fg.keras.losses.Huber(), fg.keras.optimizers.Nadam()
    assert {"Dense", "Huber", "Nadam"} <= MADE_CLASSES


def last_of_step(program):
    """Returns the place of the first kernel of an optimizer."""
    return next(i for i, a in enumerate(program) if a.module.startswith(compile_ahead.LAST_OF_STEP))


def test_what_most_similar_programs_need_comes_first_and_of_that_the_last_of_the_first_step():
    needed = {address("random.draws", "philox_words", I="int64")}
    programs = [
        p.kernels for p, count in typical_programs().items() for _ in range(count) if needed.issubset(p.kernels)
    ]
    likely = likely_next(needed, set())
    shares = [
        min(round(float(np.mean([a in program for program in programs])), 1), compile_ahead.LARGE_SHARE) for a in likely
    ]
    assert shares == sorted(shares, reverse=True)
    surely = [a for a, share in zip(likely, shares, strict=True) if share == shares[0]]
    place = {a: np.mean([p.index(a) for p in programs if a in p]) for a in surely}
    is_after = {a: np.mean([p.index(a) > last_of_step(p) for p in programs if a in p]) > 0.5 for a in surely}
    assert {*is_after.values()} == {False, True}
    assert surely == sorted(surely, key=lambda a: (is_after[a], -place[a]))


def test_nothing_is_likely_for_a_program_of_unknown_kernels():
    assert likely_next({address("gemm.gemm", "no_such_kernel")}, {"NoSuchLayer"}) == []


def test_the_table_names_kernels_of_the_library():
    for one in {a for program in typical_programs() for a in program.kernels}:
        source = build.kernel_source_of_module(*one)
        kernel = build.kernel_of_module(one.module, one.name)
        native = kernel.deferred_function(*[np.dtype(dict(one.variables)[name]) for name in kernel.variables])
        used = native.__self__.source._replace(in_place=one.in_place)
        assert build._content_of(source) == build._content_of(used)
        assert compile_ahead.address_of(used) == one


def test_the_table_is_what_its_tool_writes():
    assert table_text(typical_programs()) == TABLE.read_text(encoding="utf-8")


def test_the_table_has_what_a_typical_program_needs():
    number = run_seed() % len(list_typical_programs())
    used = kernels_in_a_process(number)
    similar = [set(program.kernels) for program in typical_programs() if program.classes == used.classes]
    shares = [len(kernels.intersection(used.kernels)) / len(kernels.union(used.kernels)) for kernels in similar]
    assert max(shares) >= 0.8, number


# ---- compilation -------------------------------------------------------------------------------------------


def test_the_other_process_stores_the_code_of_this_one(monkeypatch):
    content = build._content_of(ADVANCE)
    expected = build._compile(ADVANCE, build._symbol(ADVANCE, content))
    ahead = ahead_of(monkeypatch, ADVANCE)
    assert ahead.has_compiled(ADVANCE)  # waits if the other process is at work
    assert store.load(content) == expected
    assert not ahead.is_at_work_on(ADVANCE)


def test_a_kernel_that_is_waited_for_is_not_compiled_here(monkeypatch):
    monkeypatch.setattr(compile_ahead, "COMPILATION_AHEAD", ahead_of(monkeypatch, ADVANCE))
    monkeypatch.setattr(build, "_compile_and_store", None)
    _, entry = build._object_code(ADVANCE)
    assert entry == store.load(build._content_of(ADVANCE))


def test_nothing_is_compiled_ahead_where_a_cache_has_most_kernels(monkeypatch):
    address = compile_ahead.address_of(ADVANCE)
    monkeypatch.setattr(compile_ahead, "likely_next", lambda *_: [address])
    ahead = compile_ahead.CompilationAhead()
    assert not ahead.has_compiled(SEED, kernels_from_cache=2)
    assert (ahead._queue, ahead._thread) == ([], None)
    assert not ahead.has_compiled(SEED, kernels_from_cache=1)
    wait_until_idle(ahead)
    assert ahead._requested == {address}


def test_kernels_that_can_wait_come_after_the_first_step():
    needed = {address("random.draws", "philox_words", I="int64")}
    unknown = address("gemm.gemm", "no_such_kernel")
    before, after = likely_next(needed, {"Dense", "Adam"}), likely_next(needed, {"Dense", "Adam"}, [unknown])
    assert [a for a in after if a != unknown] == before
    names = [a.name for a in after]
    assert names.index("gemm") < names.index("no_such_kernel") < names.index("check_value")


def test_a_kernel_that_can_wait_is_compiled_with_others(monkeypatch):
    ahead = ahead_of(monkeypatch, ADVANCE)
    awaited = driver.run_worker._source({})
    assert ahead.is_awaited(awaited)
    wait_until_idle(ahead)
    assert store.load(build._content_of(awaited)) is not None
    assert not ahead.is_awaited(awaited)


def test_a_kernel_that_is_compiled_here_is_not_awaited(monkeypatch):
    monkeypatch.setattr(compile_ahead, "likely_next", lambda needed, classes, awaited: awaited)
    monkeypatch.setattr(compile_ahead.CompilationAhead, "_start", lambda ahead: None)
    ahead = compile_ahead.CompilationAhead()
    assert ahead.is_awaited(ADVANCE)
    assert not ahead.has_compiled(ADVANCE)
    assert ahead._queue == []
    assert not ahead.is_awaited(ADVANCE)


def test_a_kernel_that_can_wait_is_compiled_when_nothing_else_is(monkeypatch):
    monkeypatch.setattr(compile_ahead, "PATIENCE_SECONDS", -1.0)
    ahead = compile_ahead.CompilationAhead()
    assert ahead.is_awaited(ADVANCE)
    wait_until_idle(ahead)
    assert store.load(build._content_of(ADVANCE)) is not None


def test_the_thread_pool_is_used_when_its_kernels_are_compiled(monkeypatch):
    monkeypatch.setattr(compile_ahead, "COMPILATION_AHEAD", compile_ahead.CompilationAhead())
    pool = thread_pool.ThreadPool()
    # As in a process that has not used them.
    monkeypatch.setattr(build.Kernel, "__contains__", lambda kernel, key: False)
    assert pool.is_awaited()
    wait_until_idle(compile_ahead.COMPILATION_AHEAD)
    assert not pool.is_awaited()


def test_nobody_awaits_a_kernel_where_one_process_compiles(monkeypatch):
    monkeypatch.setenv(second_process.VARIABLE, "0")
    monkeypatch.setattr(build.Kernel, "__contains__", lambda kernel, key: False)
    assert not driver.run_worker.is_awaited()


def test_this_process_compiles_what_the_other_one_fails_to(monkeypatch):
    monkeypatch.setattr(compile_ahead, "COMPILE", "fastgrad._src.jit.build:no_such_function")
    monkeypatch.setattr(compile_ahead, "COMPILATION_AHEAD", ahead_of(monkeypatch, ADVANCE))
    _, entry = build._object_code(ADVANCE)
    assert entry.code
    assert compile_ahead.COMPILATION_AHEAD._is_allowed()  # one kernel has failed, not the process


def test_nothing_is_compiled_ahead_after_the_other_process_has_failed(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    ahead = ahead_of(monkeypatch, ADVANCE)
    wait_until_idle(ahead)
    assert not ahead._is_allowed()
    assert not ahead.has_compiled(ADVANCE)
    assert ahead._thread is None


def test_nothing_is_compiled_ahead_of_a_program_that_compiles_nothing_any_more(monkeypatch):
    monkeypatch.setattr(compile_ahead, "PATIENCE_SECONDS", -1.0)
    ahead = ahead_of(monkeypatch, ADVANCE)
    wait_until_idle(ahead)
    assert not ahead._requested
    assert not ahead.has_compiled(ADVANCE)


@pytest.mark.parametrize("variable", [second_process.VARIABLE, "FASTGRAD_NUM_THREADS"])
def test_settings_that_allow_one_process(monkeypatch, variable):
    monkeypatch.setenv(variable, "0" if variable == second_process.VARIABLE else "1")
    assert ahead_of(monkeypatch, ADVANCE)._thread is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_a_forked_child_compiles_nothing_ahead(monkeypatch):
    monkeypatch.setattr(compile_ahead, "CompilationAhead", lambda: compile_ahead.COMPILATION_AHEAD)
    ahead = ahead_of(monkeypatch, ADVANCE)
    child = os.fork()
    if child == 0:
        os._exit(int(ahead.has_compiled(ADVANCE) or ahead._thread is not None))
    assert os.waitpid(child, 0)[1] == 0
    wait_until_idle(ahead)
    ahead._forget()


PROGRAM = """
import numpy as np
import fastgrad as tf
from fastgrad._src.jit.compile_ahead import COMPILATION_AHEAD as ahead
tf.keras.utils.set_random_seed(0)
model = tf.keras.Sequential([tf.keras.Input((8,)), tf.keras.layers.Dense(16, "tanh"), tf.keras.layers.Dense(1)])
model.compile("sgd", "mse")
x = np.linspace(0, 1, 256, dtype=np.float32).reshape(32, 8)
model.fit(x, x[:, :1], epochs=2, verbose=0)
print(model.predict(x, verbose=0).tobytes().hex(), len(ahead._requested))
"""


def test_a_program_has_the_same_bits_and_uses_what_was_compiled_ahead(tmp_path):
    outputs = []
    for setting in "01":
        environment = os.environ | {second_process.VARIABLE: setting, "FASTGRAD_CACHE_DIR": str(tmp_path / setting)}
        finished = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True, timeout=600
        )
        outputs.append(finished.stdout.split())
    (alone, none_ahead), (together, ahead) = outputs
    assert alone == together
    assert int(none_ahead) == 0 < int(ahead)
