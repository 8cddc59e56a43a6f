"""Writers that are killed at any moment leave the state before or the one after, whole; the next writer goes on."""

import os

import pytest

from tests.reliability.faults import victims, writers

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kill -9 and fork are POSIX")


def test_killed_writers(tmp_path, full, figure):
    moments = 30 if full else 3
    killed = writers.counts(victims.run("writers", "each", "kills", "kill", str(tmp_path), moments, timeout=600))
    assert len(killed) == len(writers.KINDS)
    for kind, count in killed.items():
        assert count >= moments, killed
        figure(f"writers killed: {kind}", count)
