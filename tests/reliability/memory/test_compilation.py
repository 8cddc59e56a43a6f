"""What a compilation leaves in memory: the code, and nothing of the compiler."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = str(Path(__file__).parents[3] / "src")
MOST_BYTES = 16_000
ONCE = 2 << 20
"""Bytes by which a table that grows may be larger at the end."""

PROGRAM = """
import ctypes
import gc
import os
import sys

from fastgrad._src.jit.build import Kernel
from fastgrad._src.jit.compile import compile_kernel
from fastgrad._src.jit.signature import KernelSource, parse_signature

def half(x, out, rows):
    for i in range(rows):
        out[i] = x[i] * 0.5

signature = parse_signature("x: in[float32], out: out[float32], rows: int")

def compiled(count):
    for i in range(count):
        compile_kernel(KernelSource(half, signature, {}, noalias=True), f"half_{count}_{i}")

def resident():
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

compiled(60)
before = resident()
compiled(int(sys.argv[1]))
print(resident() - before)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="resident memory is read from /proc")
def test_a_compilation_leaves_a_few_kilobytes(full, figure):
    count = 1000 if full else 120
    command = [sys.executable, "-c", PROGRAM, str(count)]
    environment = {**os.environ, "PYTHONPATH": SOURCE}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    left = int(run.stdout) / count
    assert left * count < MOST_BYTES * count + ONCE
    figure("compilations", count)
    figure("bytes left by a compilation", round(left), combine="max")
    assert left < MOST_BYTES or not full
