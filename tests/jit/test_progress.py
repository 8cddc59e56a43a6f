"""What is said on stderr while kernels are compiled."""

import io
import os
import subprocess
import sys
import time

import pytest

from fastgrad._src.jit import progress

BEGIN = "fastgrad: compiling {}kernels, once for this machine (`fastgrad warm` compiles the library's in advance)\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


on_both = pytest.mark.parametrize("stream", [io.StringIO, Terminal], ids=["file", "terminal"])


def stderr_of(stream, monkeypatch):
    """Put a stream in the place of `sys.stderr`. (A fixture could not: pytest sets `sys.stderr` after it.)"""
    monkeypatch.delenv("FASTGRAD_QUIET", raising=False)
    stderr = stream()
    monkeypatch.setattr(sys, "stderr", stderr)
    return stderr


@on_both
def test_a_short_compilation_says_nothing(stream, monkeypatch):
    stderr = stderr_of(stream, monkeypatch)
    compilation = progress.CompilationProgress()
    for _ in range(9):
        compilation.record(0.1)
    compilation.end()
    assert stderr.getvalue() == ""


@on_both
def test_eager_code_has_a_line_at_the_begin_and_at_the_end(stream, monkeypatch):
    stderr = stderr_of(stream, monkeypatch)
    compilation = progress.CompilationProgress()
    for seconds in (0.5, 0.4, 0.3, 2.0, 2.0):
        compilation.record(seconds)
    compilation.end()
    compilation.end()
    assert stderr.getvalue() == BEGIN.format("") + "fastgrad: compiled 5 kernels in 5 s\n"


@on_both
def test_eager_code_that_compiles_for_minutes_has_a_line_each_ten_seconds_on_a_terminal(stream, monkeypatch):
    stderr = stderr_of(stream, monkeypatch)
    compilation = progress.CompilationProgress()
    for _ in range(13):
        compilation.record(2.0)
    lines = stderr.getvalue().splitlines()[1:]
    expected = ["fastgrad: compiling kernels, once for this machine: 7 so far"] if stderr.isatty() else []
    assert lines[:1] == expected
    assert len(lines) == (2 if stderr.isatty() else 0)
    compilation.end()


@on_both
def test_a_program_counts_its_kernels(stream, monkeypatch):
    stderr = stderr_of(stream, monkeypatch)
    compilation = progress.CompilationProgress()
    with compilation.of_program() as program:
        compilation.record(2.0)  # while it is planned
        missing = ["a", "b", "c"]
        program.expect(lambda: missing)
        while missing:
            compilation.record(0.5)
            missing.pop()
    counts = "".join(
        f"\rfastgrad: compiling 4 kernels, once for this machine: {count} of 4"
        for count in ((2, 3, 4) if stderr.isatty() else ())
    )
    erase = "\r\x1b[K" if stderr.isatty() else ""
    assert stderr.getvalue() == BEGIN.format("4 ") + counts + erase + "fastgrad: compiled 4 kernels in 4 s\n"


@on_both
def test_kernels_that_another_process_compiles_are_counted(stream, monkeypatch):
    stderr = stderr_of(stream, monkeypatch)
    compilation = progress.CompilationProgress()
    with compilation.of_program() as program:
        missing = ["a", "b", "c"]
        program.expect(lambda: missing)
        compilation.record(2.0)
        missing.clear()
    lines = stderr.getvalue().replace("\r", "\n").splitlines()
    assert "compiling 3 kernels" in lines[0]
    assert "compiled 3 kernels in 2 s" in lines[-1]


@on_both
def test_programs_in_a_program_do_not_end_its_compilation(stream, monkeypatch):
    stderr = stderr_of(stream, monkeypatch)
    compilation = progress.CompilationProgress()
    with compilation.of_program() as program:
        program.expect(lambda: [1])
        compilation.record(2.0)
        with compilation.of_program() as loop:
            loop.expect(lambda: [1, 2, 3])
            compilation.record(2.0)
    assert stderr.getvalue().count("compiled 2 kernels in 4 s") == 1


@on_both
def test_the_messages_can_be_silenced(stream, monkeypatch):
    stderr = stderr_of(stream, monkeypatch)
    monkeypatch.setenv("FASTGRAD_QUIET", "1")
    progress.CompilationProgress().record(2.0)
    monkeypatch.delenv("FASTGRAD_QUIET")
    compilation = progress.CompilationProgress()
    monkeypatch.setattr(progress, "COMPILATION_PROGRESS", compilation)
    progress.set_compile_messages(False)
    compilation.record(2.0)
    compilation.end()
    assert stderr.getvalue() == ""
    progress.set_compile_messages(True)
    compilation.record(1.1)
    compilation.end()
    assert len(stderr.getvalue().splitlines()) == 2


def test_a_first_program_counts_its_kernels_where_there_is_no_terminal(tmp_path):
    code = """
import fastgrad as tf
from fastgrad._src.jit import progress
progress.QUIET_SECONDS = 0.0
def step(x):
    y = x
    for i in range(1, 9):
        y = tf.cumsum(tf.sin(y) * i + y) if i % 2 else tf.exp(-y * i) - tf.cos(y)
    return y
step = tf.function(step)
x = tf.ones([64])
step(x), step(x)
"""
    environment = {**os.environ, "FASTGRAD_CACHE_DIR": str(tmp_path)}
    environment.pop("FASTGRAD_QUIET", None)
    first = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    lines = first.stderr.splitlines()
    begins, ends = lines[::2], lines[1::2]
    assert all(line.startswith("fastgrad: compiling ") for line in begins), first.stderr
    assert all(line.startswith("fastgrad: compiled ") for line in ends), first.stderr
    assert len(begins) == len(ends) >= 2
    assert "fastgrad warm" in begins[0]
    assert begins[1].split()[2] == ends[1].split()[2], "the program has as many kernels as it said"
    assert second.stderr == ""


@on_both
def test_a_derivative_that_compiles_for_long_has_a_line_at_the_begin_and_at_the_end(stream, monkeypatch):
    stderr = stderr_of(stream, monkeypatch)
    compilation = progress.CompilationProgress()
    with compilation.of_derivative("grad_f"):
        pass
    assert stderr.getvalue() == ""
    monkeypatch.setattr(progress, "DERIVATIVE_SECONDS", 0.0)
    with compilation.of_derivative("grad_g"), compilation.of_derivative("jvp_of_what_g_calls"):
        while "\n" not in stderr.getvalue():
            time.sleep(0.01)
    begin = "fastgrad: compiling the derivative grad_g; later processes read it from the cache\n"
    assert stderr.getvalue() == begin + "fastgrad: compiled the derivative grad_g in 0 s\n"
    compilation.enabled = False
    with compilation.of_derivative("grad_h"):
        time.sleep(0.05)
    assert "grad_h" not in stderr.getvalue()


def test_a_gradient_says_that_it_is_compiled(tmp_path):
    code = """
import numpy as np
import fastgrad as fg
from fastgrad._src.jit import progress
progress.DERIVATIVE_SECONDS = 0.0
def energy(x):
    return np.sum(x**2)
fg.grad(energy)(np.ones(2))
"""
    environment = {**os.environ, "FASTGRAD_CACHE_DIR": str(tmp_path), "FASTGRAD_QUIET": "0"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    begin, end = [line for line in run.stderr.splitlines() if "derivative" in line]
    assert begin.startswith("fastgrad: compiling the derivative grad_energy; later processes read it")
    assert end.startswith("fastgrad: compiled the derivative grad_energy in ")
