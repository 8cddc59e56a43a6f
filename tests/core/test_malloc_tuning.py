"""Arrays that are dropped and made again do not go through the system."""

import json
import os
import subprocess
import sys

import pytest

from fastgrad._src.core import malloc_tuning

PROGRAM = """
import resource
import fastgrad as tf

x = tf.ones([150_000])  # large enough for pages of its own, too small for huge ones

def rounds(count):
    for _ in range(count):
        kept = [x + 1.0 for _ in range(10)]
        del kept
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

before = rounds(5)
print(rounds(20) - before)
"""

STEPS = """
import json
import resource
import time
import fastgrad as tf

x = tf.ones([{size}])

def step():
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x
        for _ in range(10):
            y = tf.sin(y) * 1.5
    tape.gradient(y, x)

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

for _ in range(40):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
in_use = resident()
time.sleep(4)
print(json.dumps([faults, in_use, resident()]))
"""

# A new process has no freed memory that an array of 50 MB could take.
MEMORY_INFO = """
import json
import numpy as np
import fastgrad as tf

before = tf.config.experimental.get_memory_info("CPU:0")
x = np.ones(50_000_000, np.uint8)
print(json.dumps([before, tf.config.experimental.get_memory_info("/device:CPU:0")]))
"""


def faults(**settings: str) -> int:
    """The pages that the system gives in 20 rounds of ten arrays of 147 pages."""
    return int(printed(PROGRAM, **settings))


def printed(program: str, **settings: str) -> str:
    """What a program prints in a process without settings of malloc but those given."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={**environment, **settings}
    )
    return run.stdout


@pytest.mark.skipif(not malloc_tuning._is_glibc(), reason="the C library is not glibc")
def test_memory_is_kept_for_the_next_arrays():
    assert faults() < 100


@pytest.mark.skipif(not malloc_tuning._is_glibc(), reason="the C library is not glibc")
def test_what_the_environment_says_is_left():
    assert faults(MALLOC_TRIM_THRESHOLD_="131072", MALLOC_MMAP_THRESHOLD_="131072") > 10_000


@pytest.mark.skipif(not malloc_tuning._is_glibc(), reason="the C library is not glibc")
@pytest.mark.parametrize("size", [1_000_000, 9_000_000])
def test_the_bound_follows_the_steps_and_memory_is_returned_at_rest(size):
    faults_of_ten_steps, in_use, at_rest = json.loads(printed(STEPS.format(size=size)))
    assert faults_of_ten_steps < 1_000
    assert at_rest < in_use - 20 * 4 * size


@pytest.mark.parametrize(("content", "limit"), [("1073741824", 1 << 30), ("max", None), (None, None)])
def test_a_container_limits_the_memory(content, limit, monkeypatch, tmp_path):
    if content is not None:
        (tmp_path / "memory.max").write_text(content)
    monkeypatch.setattr(malloc_tuning, "MEMORY_LIMIT", tmp_path / "memory.max")
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert malloc_tuning._bytes_of_memory() == min(machine, limit or machine)


def test_memory_info_follows_the_memory_of_the_process():
    before, now = json.loads(printed(MEMORY_INFO))
    assert now["current"] >= before["current"] + 45_000_000
    assert now["peak"] >= now["current"] > 0
    assert now["kept"] >= 0
