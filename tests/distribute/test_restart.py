"""A training that is killed at random moments goes on from its last checkpoint."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest

import fastgrad as fg
from tests.distribute.ranks import ROOT, run_ranks, start_ranks

EPOCHS, SAVE_EVERY = 10, 5
MOST_SECONDS = 120.0
"""Seconds within which all ranks end after one is killed."""


def arguments(directory, *, epochs=EPOCHS, restart=True):
    program = str(ROOT / "examples" / "distributed_digits.py")
    options = ["--directory", str(directory), "--epochs", str(epochs), "--save-every", str(SAVE_EVERY)]
    return [program, *options, *(["--restart"] if restart else [])]


def last_number(pattern, text):
    numbers = re.findall(pattern, text)
    return float(numbers[-1]) if numbers else 0


def saved_steps(directory):
    """Returns the steps of the newest checkpoint, whose numbers are all finite; 0 if there is none."""
    path = fg.train.latest_checkpoint(str(directory))
    if path is None:
        return 0
    names = [name for name, _ in fg.train.list_variables(path)]
    values = {name: np.asarray(fg.train.load_variable(path, name)) for name in names}
    assert len(values) > 10
    assert all(np.isfinite(value).all() for value in values.values() if value.dtype.kind == "f")
    return int(next(value for name, value in values.items() if name.startswith("steps")))


def run_and_kill(count, directory, rng, seconds):
    """Starts the training, kills a random rank after up to ``seconds``; returns the output, and whether it had ended before."""
    process = start_ranks(count, arguments(directory))
    line = process.stdout.readline()
    ranks = re.findall(r"is process (\d+)", line)
    assert len(ranks) == count, line
    time.sleep(rng.uniform(0, seconds))
    killed = time.monotonic()
    with contextlib.suppress(ProcessLookupError):  # it has ended
        os.kill(int(rng.choice(ranks)), signal.SIGKILL)
    try:
        output, _ = process.communicate(timeout=600)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail(f"{count} ranks hang after a kill: {process.communicate()[0]}")
    assert time.monotonic() - killed < MOST_SECONDS
    has_ended = "test accuracy" in output
    assert has_ended or process.returncode != 0, output
    return output, has_ended


def test_kills_at_random_moments_lose_no_checkpoint(tmp_path, full):
    rng = random.Random(0)
    began = time.monotonic()
    status, output = run_ranks(2, arguments(tmp_path / "whole", restart=False))
    assert status == 0, output
    seconds = time.monotonic() - began
    weights = last_number(r"weights: (\S+)", output)

    directory, kills, saved = tmp_path / "killed", 0, 0
    while kills < (30 if full else 3):
        output, has_ended = run_and_kill(rng.choice([2, 3]), directory, rng, seconds)
        continued = last_number(r"continues after step (\d+)", output)
        assert continued in (0, saved)  # 0 if it was killed before
        now = saved_steps(directory)
        assert now >= max(saved, last_number(r"saved after step (\d+)", output))
        assert now % SAVE_EVERY == 0
        saved = now
        if has_ended:
            assert last_number(r"weights: (\S+)", output) == pytest.approx(weights, rel=1e-3)
            shutil.rmtree(directory)
            saved = 0
        else:
            kills += 1
    status, output = run_ranks(2, arguments(directory))
    assert status == 0, output
    assert last_number(r"continues after step (\d+)", output) == saved
    assert last_number(r"weights: (\S+)", output) == pytest.approx(weights, rel=1e-3)
    assert last_number(r"test accuracy: (\S+)", output) > 90


def test_a_failed_rank_and_a_restart_end_with_the_same_weights(tmp_path):
    status, output = run_ranks(2, arguments(tmp_path / "whole", epochs=4, restart=False))
    assert status == 0, output
    weights = last_number(r"weights: (\S+)", output)
    status, output = run_ranks(2, arguments(tmp_path / "two", epochs=2, restart=False))
    assert status == 0, output
    status, output = run_ranks(2, arguments(tmp_path / "two", epochs=4))
    assert status == 0, output
    assert "continues after step 40" in output
    assert last_number(r"weights: (\S+)", output) == weights


FIT = """
import sys, time
import numpy as np
import fastgrad as fg

directory, save_freq, slow = sys.argv[1], sys.argv[2], float(sys.argv[3])
strategy = fg.distribute.MultiWorkerMirroredStrategy()
rng = np.random.default_rng(0)
x, y = rng.normal(size=(160, 4)).astype("float32"), rng.normal(size=(160, 1)).astype("float32")
with strategy.scope():
    fg.keras.utils.set_random_seed(0)
    model = fg.keras.Sequential([fg.keras.Input((4,)), fg.keras.layers.Dense(3, "tanh"), fg.keras.layers.Dense(1)])
    model.compile("adam", "mse")

class Report(fg.keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if strategy.cluster_resolver.task_id == 0:
            print("step", int(model.optimizer.iterations), flush=True)
        time.sleep(slow)

backup = fg.keras.callbacks.BackupAndRestore(directory, save_freq=int(save_freq) if save_freq.isdigit() else save_freq)
model.fit(x, y, batch_size=16, epochs=6, callbacks=[Report(), backup], verbose=0)
if strategy.cluster_resolver.task_id == 0:
    print("weights:", sum(float(np.abs(weight).sum()) for weight in model.get_weights()), flush=True)
"""


@pytest.mark.parametrize(("save_freq", "most_lost"), [("4", 4), ("epoch", 10)])
def test_a_fit_that_is_killed_loses_no_more_steps_than_chosen(tmp_path, save_freq, most_lost):
    status, output = run_ranks(2, ["-c", FIT, str(tmp_path / "whole"), save_freq, "0"])
    assert status == 0, output
    weights = last_number(r"weights: (\S+)", output)

    program = ["-c", FIT, str(tmp_path / "killed"), save_freq]
    process = start_ranks(2, [*program, "0.02"])
    lines = [process.stdout.readline()]
    ranks = re.findall(r"is process (\d+)", lines[0])
    while "step 37\n" not in lines:
        lines.append(process.stdout.readline())
        assert lines[-1], "".join(lines)
    os.kill(int(ranks[1]), signal.SIGKILL)
    output, _ = process.communicate(timeout=600)
    assert process.returncode != 0
    last = last_number(r"step (\d+)", "".join(lines) + output)

    status, output = run_ranks(3, [*program, "0"])
    assert status == 0, output
    first = int(re.search(r"step (\d+)", output)[1])
    assert last - most_lost <= first - 1 <= last
    assert last_number(r"weights: (\S+)", output) == pytest.approx(weights, rel=1e-4)
