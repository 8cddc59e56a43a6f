"""A training that is killed, and started again until it is through, ends with the bits of one that is not killed."""

import os

import pytest

from tests.reliability.faults import victims

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kill -9 and fork are POSIX")


@pytest.mark.parametrize("kind", ["by_hand", "by_fit", "by_fit_within_epochs"])
def test_killed_at_several_moments(tmp_path, kind, full, figure):
    kills, runs = victims.run(
        "stopped_training", "survive", kind, str(tmp_path), 30 if full else 3, timeout=600
    ).split()
    figure("trainings killed", int(kills))
    figure("killed trainings with the bits of one that was not", int(runs))
