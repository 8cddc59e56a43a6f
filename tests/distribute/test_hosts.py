"""The documented command lines for several hosts; two names of this machine stand for two hosts."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import fastgrad as tf
from tests.distribute.ranks import ROOT, launcher

CODE = """
import fastgrad as tf
import fastgrad.distribute as hvd
strategy = tf.distribute.MultiWorkerMirroredStrategy()
total = hvd.allreduce(tf.constant(hvd.rank() + 1.0), op=hvd.Sum)
print(f"rank {hvd.rank()} of {hvd.size()}, on its host {hvd.local_rank()} of {hvd.local_size()}: {float(total)}\\n", end="", flush=True)
"""


@pytest.mark.parametrize("each", [1, 2])
def test_ranks_on_two_hosts_reduce_together(each):
    path = launcher()
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    if "HYDRA" not in version:
        pytest.skip("the launcher is not MPICH's")
    hosts = ["-launcher", "fork", "-hosts", f"localhost,{os.uname().nodename}", "-n", str(2 * each), "-ppn", str(each)]
    finished = subprocess.run(
        [path, *hosts, sys.executable, "-c", CODE],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "FASTGRAD_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    total = float(sum(range(1, 2 * each + 1)))
    for rank in range(2 * each):
        assert f"rank {rank} of {2 * each}, on its host {rank % each} of {each}: {total}\n" in finished.stdout


def test_a_process_that_no_launcher_started_is_alone():
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    assert strategy.num_replicas_in_sync == 1
    assert strategy.cluster_resolver.task_id in (None, 0)
