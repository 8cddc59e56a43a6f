"""Kernels of a program are compiled by two processes, with the code that one process makes."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from fastgrad._src.jit import build, object_code, second_process
from fastgrad._src.jit.build import Kernel, compile_kernels, is_compiled
from fastgrad._src.jit.compile import unoptimised_module
from fastgrad._src.jit.progress import CompilationProgress
from fastgrad._src.jit.signature import parse_signature

SIGNATURE = parse_signature("x: in[T], y: out[T], n: int")


def scaled(x, y, n):
    for i in range(n):
        y[i] = x[i] * T(2.0)


def shifted(x, y, n):
    for i in range(n):
        y[i] = x[i] + T(1.0)


def squared(x, y, n):
    for i in range(n):
        y[i] = x[i] * x[i]


def wrong(x, y, n):
    for i in range(n):
        y[i] = x[i].no_such_name


def _kernel(function):
    return Kernel(function, SIGNATURE, {"T": ("float32", "float64")}, False, True)


def _natives():
    dtypes = map(np.dtype, ("float32", "float64"))
    return [_kernel(f).deferred_function(dtype) for dtype in dtypes for f in (scaled, shifted, squared)]


def _modules():
    for number, native in enumerate(_natives()):
        yield unoptimised_module(native.__self__.source, f"kernel_{number}")


def _codes_of_this_process():
    codes = []
    for module, settings in _modules():
        object_code.optimise(module, settings)
        codes.append(object_code.object_code(module, settings))
    return codes


@pytest.fixture(autouse=True)
def _new_process(monkeypatch):
    monkeypatch.setenv(second_process.VARIABLE, "1")
    monkeypatch.setattr(second_process, "_processes", [])
    yield
    second_process._end_processes()


def _slow_modules():
    for module in _modules():
        yield module
        time.sleep(0.3)  # so that the other process does most


def test_two_processes_make_the_code_of_one():
    assert second_process.compile_modules(_slow_modules()) == _codes_of_this_process()
    (process,) = second_process._processes
    assert second_process.compile_modules(_slow_modules()) == _codes_of_this_process()
    assert second_process._processes == [process]


def test_the_other_process_makes_some():
    done = []
    original = object_code.optimise

    def optimise(module, settings):
        done.append(settings.kept[0])
        original(module, settings)

    expected = _codes_of_this_process()
    object_code.optimise = optimise
    try:
        assert second_process.compile_modules(_slow_modules()) == expected
    finally:
        object_code.optimise = original
    assert len(done) < len(expected)


@pytest.mark.parametrize("killed_at", [0, 2, 5])
def test_this_process_does_the_rest_when_the_other_one_dies(killed_at):
    def modules():
        for number, module in enumerate(_slow_modules()):
            if number == killed_at:
                for process in second_process._processes:
                    process.kill()
            yield module

    assert second_process.compile_modules(modules()) == _codes_of_this_process()


def test_this_process_does_all_when_no_other_one_starts(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert second_process.compile_modules(_modules()) == _codes_of_this_process()


def test_errors_of_modules_are_raised():
    def modules():
        yield from _modules()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        second_process.compile_modules(modules())


def test_an_idle_process_ends():
    source = "import sys; sys.path.insert(0, sys.argv[1]); import object_code; object_code.IDLE_SECONDS = 0.2; object_code._serve()"
    folder = os.path.dirname(object_code.__file__)
    command = [sys.executable, "-I", "-c", source, folder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        object_code.send(process.stdin, sys.path)
        assert process.wait(60) == 0


def test_kernels_are_stored_and_errors_are_left_to_the_first_use(monkeypatch, tmp_path):
    monkeypatch.setenv("FASTGRAD_CACHE_DIR", str(tmp_path))
    natives = [*_natives(), _kernel(wrong).deferred_function(np.dtype("float64"))]
    compile_kernels(lambda: natives, 2)
    assert [is_compiled(native) for native in natives] == [True] * 6 + [False]
    with pytest.raises(RuntimeError, match="no_such_name"):
        natives[-1].native_function()


def test_as_many_kernels_are_said_as_are_compiled(monkeypatch, tmp_path, capsys):
    class Progress(CompilationProgress):
        def record(self, seconds):
            super().record(0.4)  # the first line comes when some are compiled, and none is stored

    monkeypatch.setenv("FASTGRAD_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("FASTGRAD_QUIET", raising=False)
    natives, progress = _natives(), Progress()
    monkeypatch.setattr(build, "COMPILATION_PROGRESS", progress)

    def uncompiled():
        return [native for native in natives if not is_compiled(native)]

    with progress.of_program():
        progress.expect(uncompiled)
        compile_kernels(uncompiled, 2)
    lines = capsys.readouterr().err.splitlines()
    assert "compiling 6 kernels" in lines[0]
    assert "compiled 6 kernels" in lines[-1]


@pytest.mark.parametrize(("processors", "setting"), [(1, "1"), (2, "0")])
def test_one_processor_or_a_setting_switches_it_off(monkeypatch, tmp_path, processors, setting):
    monkeypatch.setenv("FASTGRAD_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv(second_process.VARIABLE, setting)
    natives = _natives()
    compile_kernels(lambda: natives, processors)
    assert not any(map(is_compiled, natives))
    assert not second_process._processes


PROGRAM = """
import fastgrad as tf
import numpy as np
x = tf.constant(np.linspace(-1.0, 1.0, 600, dtype="float32").reshape(20, 30))
v = tf.Variable(np.linspace(0.5, 1.5, 30, dtype="float32"))

@tf.function
def step(x):
    with tf.GradientTape() as tape:
        y = tf.nn.softmax(tf.tanh(x * v) + tf.sin(x), axis=1)
        loss = tf.reduce_mean(tf.square(tf.reduce_sum(y * x, axis=0)) * tf.exp(v))
    return loss, tape.gradient(loss, v)

for _ in range(3):
    loss, gradient = step(x)
print(loss.numpy().tobytes().hex(), gradient.numpy().tobytes().hex())
"""


def test_programs_have_the_same_bits(tmp_path):
    results = set()
    for setting in "01":
        environment = {
            **os.environ,
            "FASTGRAD_CACHE_DIR": str(tmp_path / setting),
            second_process.VARIABLE: setting,
            "FASTGRAD_NUM_THREADS": "2",
        }
        run = subprocess.run(
            [sys.executable, "-W", "error", "-c", PROGRAM],
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=True,
        )
        results.add(run.stdout)
    assert len(results) == 1


def test_no_process_is_started_for_work_that_ended_while_another_request_ran():
    with second_process._process_lock:
        assert second_process.compile_modules(_modules()) == _codes_of_this_process()
    assert not second_process._processes
