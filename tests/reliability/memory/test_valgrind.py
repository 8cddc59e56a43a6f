"""Valgrind's memcheck: machine code of kernels and NumPy, as fastgrad calls it, touch no memory that is not theirs."""

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernels.every_kernel import SCENES

ROOT = Path(__file__).parents[3]
PROGRAM = "tests.reliability.memory.kernels_for_valgrind"
MEMCHECK = ["valgrind", "--tool=memcheck", "--error-limit=no", "--num-callers=30", "--leak-check=no"]
OURS = re.compile(r"(: \?\?\?$|_multiarray_umath|openblas|llvmlite)")  # machine code that is not in a file has no names
INTERPRETER = re.compile(r"_PyEval|_PyObject_|cfunction_|\((\w+\.c|\w+\.h):\d+\)$")

pytestmark = [
    pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the kernels are compiled for x86-64"),
]


def errors_of(log: str) -> list[str]:
    """The errors of a log that machine code of kernels, NumPy or llvmlite makes.

    The others are the loader's, which reads whole words of short strings, and CPython's, which compares numbers before it
    looks whether they are set.
    """
    blocks = re.split(r"\n==\d+== *\n", log)
    errors = []
    for block in blocks:
        lines = [re.sub(r"^==\d+== ?", "", line) for line in block.splitlines()]
        frames = [line for line in lines if re.match(r" +(at|by) 0x", line)]
        accused = (
            re.match(r"(Invalid|Use of|Conditional|Source and dest|Jump|Process)", lines[0].strip()) if lines else None
        )
        if accused and frames:
            until = next((i for i, frame in enumerate(frames) if INTERPRETER.search(frame)), len(frames))
            if any(OURS.search(frame) for frame in frames[: until + 1]):
                errors.append("\n".join(lines))
    return errors


def run(folder: Path, *options: str, under: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    settings = {
        "PYTHONPATH": path,
        "PYTHONMALLOC": "malloc",
        "FASTGRAD_CACHE_DIR": str(folder),
        "FASTGRAD_NUM_THREADS": "1",
    }
    command = [*under, sys.executable, "-m", PROGRAM, *options]
    done = subprocess.run(
        command, env={**os.environ, **settings}, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def kernels(full):
    """A folder of kernels for valgrind, which is kept between runs."""
    if not full:
        pytest.skip("valgrind takes minutes: make test-memory")
    return ROOT / ".cache" / "kernels_for_valgrind"


def errors_under_valgrind(part: str, folder: Path, log: Path) -> tuple[list[str], int]:
    """The errors of a part of the program, and its number of calls."""
    run(folder, part)  # compiles
    done = run(folder, part, under=(*MEMCHECK, f"--log-file={log}"))
    return errors_of(log.read_text()), int(done.stdout.split()[-1])


def test_valgrind_reports_a_kernel_that_reads_beyond_its_array(kernels, tmp_path):
    errors, _ = errors_under_valgrind("broken", kernels, tmp_path / "log")
    assert any("Invalid read" in error for error in errors)


@pytest.mark.parametrize("part", ["steps", *[scene.__name__ for scene in SCENES]])
def test_kernels_touch_no_memory_that_is_not_theirs(part, kernels, tmp_path, figure):
    errors, calls = errors_under_valgrind(part, kernels, tmp_path / "log")
    figure("calls under valgrind", calls)
    figure("errors of valgrind", len(errors))
    assert not errors, "\n\n".join(errors[:5])
