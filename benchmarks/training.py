"""Whole training steps: the workloads of `benchmarks.peers`, fastgrad alone, eager and compiled, on one and two threads."""

import itertools

import fastgrad
from benchmarks.peers.known import OURS, PEERS
from benchmarks.peers.workload import Program, Workload
from benchmarks.peers.workloads import WORKLOADS
from benchmarks.threads import use_threads

WARM_CALLS = 4


def program(workload: Workload, mode: str) -> Program:
    """Returns the step and batches of a workload in a mode of fastgrad."""
    found = PEERS[mode].program(workload)
    assert found is not None, f"{workload.name} has no program for {mode}"
    return found


class Step:
    """The time of a training step: forward pass, loss, gradient and update."""

    params = (tuple(WORKLOADS), OURS, (1, 2))
    param_names = ("workload", "mode", "threads")
    version = "3"
    timeout = 300.0

    def setup(self, workload: str, mode: str, threads: int) -> None:
        use_threads(threads)
        chosen = WORKLOADS[workload]
        if not PEERS[mode].can_compile(fastgrad):
            raise NotImplementedError(f"this version has no {mode}")
        step, batches = program(chosen, mode)(fastgrad, chosen.inputs())
        self.step = PEERS[mode].compiled(fastgrad, step)
        self.batches = itertools.cycle(batches)
        for _ in range(WARM_CALLS):
            self.time_step(workload, mode, threads)

    def time_step(self, workload: str, mode: str, threads: int) -> None:
        self.step(*next(self.batches))


class Memory:
    """The peak memory of a process that trains a few steps."""

    params = (("mlp_small", "deep_mlp", "transformer", "rnn_32"), OURS)
    param_names = ("workload", "mode")
    version = "1"
    steps = 20

    def setup(self, workload: str, mode: str) -> None:
        step, batches = program(WORKLOADS[workload], mode)(fastgrad, WORKLOADS[workload].inputs())
        self.step, self.batches = PEERS[mode].compiled(fastgrad, step), itertools.cycle(batches)

    def peakmem_steps(self, workload: str, mode: str) -> None:
        for _ in range(self.steps):
            self.step(*next(self.batches))
