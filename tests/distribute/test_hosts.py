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
print(f"rank {hvd.rank()} of {hvd.size()} {hvd.local_rank()} of {hvd.local_size()} {float(total)}\\n", end="", flush=True)
"""


def test_ranks_on_two_hosts_reduce_together():
    path = launcher()
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    if "HYDRA" not in version:
        pytest.skip("the launcher is not MPICH's")
    hosts = ["-launcher", "fork", "-hosts", f"localhost,{os.uname().nodename}", "-n", "2", "-ppn", "1"]
    finished = subprocess.run(
        [path, *hosts, sys.executable, "-c", CODE],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "FASTGRAD_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    for rank in range(2):
        assert f"rank {rank} of 2 " in finished.stdout
    assert finished.stdout.count(" 3.0") == 2


def test_a_process_that_no_launcher_started_is_alone():
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    assert strategy.num_replicas_in_sync == 1
    assert strategy.cluster_resolver.task_id in (None, 0)
