"""A training that is killed, and started again until it is through, ends with the bits of one that is not killed."""

import itertools
import os
import random
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.train import stopped_training

KINDS = ["by_hand", "by_fit", "by_fit_within_epochs"]


def run(kind, folder, steps=None):
    """Runs it to its end, or kills it so many steps after its start, in the middle of whatever it does then."""
    command = [sys.executable, stopped_training.__file__, kind, str(folder)]
    with subprocess.Popen(command, env=dict(os.environ), stdout=subprocess.PIPE) as process:
        lines = list(itertools.islice(process.stdout, steps))
        if steps is None:
            assert process.wait(120) == 0
        else:
            time.sleep(random.uniform(0, 0.004))
            process.kill()
    return len(lines)


@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_several_moments(tmp_path, kind):
    steps = run(kind, tmp_path / "whole")
    numbers = random.Random(kind)
    for _ in range(2):
        run(kind, tmp_path / "killed", numbers.randrange(1, steps // 2))
    assert not (tmp_path / "killed" / "done.npz").exists()
    assert run(kind, tmp_path / "killed") < steps
    with np.load(tmp_path / "whole" / "done.npz") as whole, np.load(tmp_path / "killed" / "done.npz") as killed:
        for name in whole:
            np.testing.assert_array_equal(whole[name], killed[name])
