"""What fastgrad asks of the Python that runs it."""

import subprocess
import sys

import pytest

from fastgrad._src.core.interpreter import refuse_free_threading


@pytest.mark.parametrize("change", ["sys.abiflags = 't'", "sys._is_gil_enabled = lambda: False"])
def test_free_threaded_python_is_refused_by_the_import(change):
    program = f"import sys; {change}; import fastgrad"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=600)
    assert run.returncode == 1
    last = run.stderr.splitlines()[-1]
    assert last.startswith("ImportError: fastgrad does not run on free-threaded Python")
    assert sys.executable in last


def test_this_python_is_taken():
    assert refuse_free_threading() is None
