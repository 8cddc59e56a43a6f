"""Whole eager training steps: the workloads of `benchmarks.peers`, fastgrad alone."""

import itertools

from benchmarks.peers.workloads import WORKLOADS


class Step:
    """Forward, loss, gradient and update."""

    params = (tuple(WORKLOADS),)
    param_names = ("workload",)
    version = "1"

    def setup(self, workload: str) -> None:
        import fastgrad as tf

        chosen = WORKLOADS[workload]
        self.step, batches = chosen.programs["tensorflow"](tf, chosen.inputs())
        self.batches = itertools.cycle(batches)
        self.time_step(workload)

    def time_step(self, workload: str) -> None:
        self.step(*next(self.batches))
