"""A step in which an allocation fails raises MemoryError, changes no state, and holds no lock; the next call is right."""

import importlib.util

import pytest

from tests.reliability.faults import victims


def test_memory_of_arrays(full, figure):
    lines = victims.run("allocations", "exhaust_each", 10_000 if full else 12, timeout=600).splitlines()
    assert len(lines) == 5
    for line in lines:
        kind, allocations, failed = line.split(",")
        assert int(failed) >= int(allocations) // 2, line
        figure(f"allocations failed in turn: {kind}", int(failed))


needs_failing_objects = pytest.mark.skipif(
    importlib.util.find_spec("_testcapi") is None, reason="this Python cannot fail allocations of objects"
)


@needs_failing_objects
def test_memory_of_objects_in_a_replay(figure):
    failed = int(victims.run("allocations", "exhaust_objects"))
    assert failed >= 1
    figure("allocations failed in turn: objects of a replay", failed)


@needs_failing_objects
def test_memory_of_a_worker_that_wakes(figure):
    """A worker died with the lock that wakes it: programs, and the end of the process, waited forever."""
    figure("wakes of a worker without memory", int(victims.run("allocations", "exhaust_workers", timeout=600)))
