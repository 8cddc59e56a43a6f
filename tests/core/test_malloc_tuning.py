"""Arrays that are dropped and made again do not go through the system."""

import os
import subprocess
import sys

import pytest

from fastgrad.core import malloc_tuning

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


def faults(**settings: str) -> int:
    """The pages that the system gives in 20 rounds of ten arrays of 147 pages."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env={**environment, **settings}
    )
    return int(run.stdout)


@pytest.mark.skipif(not malloc_tuning._is_glibc(), reason="the C library is not glibc")
def test_memory_is_kept_for_the_next_arrays():
    assert faults() < 100


@pytest.mark.skipif(not malloc_tuning._is_glibc(), reason="the C library is not glibc")
def test_what_the_environment_says_is_left():
    assert faults(MALLOC_TRIM_THRESHOLD_="131072", MALLOC_MMAP_THRESHOLD_="131072") > 10_000
