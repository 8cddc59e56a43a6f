"""Ctrl-C arrives, leaves state whole and no lock held; the next call works."""

import signal

import pytest

from tests.reliability.faults import victims

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers of signals")


def test_interrupts_at_random_moments(tmp_path, full, figure):
    printed = victims.run(
        "interrupts", "interrupt", str(tmp_path), 30 if full else 4, timeout=600, FASTGRAD_NUM_THREADS="3"
    )
    lines = [line.split(": ") for line in printed.splitlines()]
    assert len(lines) == 5
    for kind, count in lines:
        assert int(count) > 0, printed
        figure(f"interrupts: {kind}", int(count))
