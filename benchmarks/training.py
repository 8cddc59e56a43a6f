"""Whole training steps: the workloads of `benchmarks.peers`, fastgrad alone, eager and compiled."""

import itertools

import fastgrad
from benchmarks.peers.known import OURS, PEERS
from benchmarks.peers.workloads import WORKLOADS

WARM_CALLS = 4


class Step:
    """Forward, loss, gradient and update."""

    params = (tuple(WORKLOADS), OURS)
    param_names = ("workload", "mode")
    version = "2"

    def setup(self, workload: str, mode: str) -> None:
        chosen = WORKLOADS[workload]
        if not PEERS[mode].can_compile(fastgrad):
            raise NotImplementedError(f"this version has no {mode}")
        step, batches = chosen.programs["tensorflow"](fastgrad, chosen.inputs())
        self.step = PEERS[mode].compiled(fastgrad, step)
        self.batches = itertools.cycle(batches)
        for _ in range(WARM_CALLS):
            self.time_step(workload, mode)

    def time_step(self, workload: str, mode: str) -> None:
        self.step(*next(self.batches))
