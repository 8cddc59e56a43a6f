"""One rank of a data-parallel training: `python -m benchmarks.peers.data_parallel LIBRARY`, started by `benchmarks.distributed`.

The rank connects to a socket of its parent, waits for requests without using a processor, and answers each.
fastgrad's ranks are processes of MPI. PyTorch's ranks train with DistributedDataParallel on gloo.
"""

import itertools
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Client
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.data import Inputs
from benchmarks.peers.workload import Workload
from benchmarks.peers.workloads import WORKLOADS, cnn, mlp, transformer

BATCHED = ("x", "y", "ids")
"""The inputs that are divided among the ranks, along their second axis."""
ADDRESS, RANK, SIZE = "BENCHMARK_ADDRESS", "BENCHMARK_RANK", "BENCHMARK_SIZE"
MEETING, CORES, THREADS = "BENCHMARK_MEETING", "BENCHMARK_CORES", "BENCHMARK_THREADS"

MODELS: dict[str, Workload] = {
    "mlp": WORKLOADS["mlp_wide"],
    "cnn": Workload(
        "cnn",
        "32x32x3, 3x3 convolutions to 32, 64 and 128 channels, relu, max-pooling, batch 64, softmax cross-entropy, SGD",
        partial(cnn.inputs, 32, (3, 32, 64, 128), 64, norms=False, distinct=4, count=8),
        cnn.PROGRAMS,
    ),
    "transformer": Workload(
        "transformer",
        "two blocks of width 128, 4 heads, 64 tokens, batch 16, softmax cross-entropy, Adam",
        partial(transformer.inputs, 16, count=16),
        WORKLOADS["transformer"].programs,
    ),
    "embedding": WORKLOADS["recommender"],
    "tiny": Workload(
        "tiny", "64-32-10, batch 32, Adam; for tests", partial(mlp.data.classification, (64, 32, 10)), mlp.PROGRAMS
    ),
}
"""The workloads by name; all batches can be divided by 4."""


def share_of(inputs: Inputs, rank: int, size: int) -> Inputs:
    """Returns the inputs of a rank: its part of each batch, and all weights."""

    def part(array: np.ndarray) -> np.ndarray:
        count = array.shape[1] // size
        return array[:, rank * count : (rank + 1) * count]

    return {name: part(array) if name in BATCHED else array for name, array in inputs.items()}


class Rank:
    """What a rank can be asked for: calls by name, a barrier, and facts about its collectives.

    Attributes:
        calls: functions without arguments: `step`, `local` (the step without reduction), `reduce` and `update` (an update of weights
            with and without it), `bare`.
        barrier: waits for all ranks.
        facts: after some steps: `reduced` and `gathered` bytes of a step, `transfers` of a step.
    """

    def __init__(self) -> None:
        self.calls: dict[str, Callable[[], Any]] = {}
        self.barrier: Callable[[], Any] = lambda: None
        self.facts: Callable[[], dict[str, float]] = dict


def cycled(step: Callable[..., Any], batches: Sequence[tuple[Any, ...]]) -> Callable[[], Any]:
    """Returns a function that calls the step with the next batch."""
    endless = itertools.cycle(batches)
    return lambda: step(*next(endless))


def fastgrad_rank(workload: Workload, inputs: Inputs, rank: int, size: int) -> Rank:
    """Returns the rank in fastgrad: compiled steps with and without reduction, and MPI's own reduction of as many bytes."""
    import fastgrad
    from fastgrad._src.kernels.collectives import transfers
    from fastgrad._src.kernels.collectives.world import world
    from fastgrad.distribute import grouped_allreduce

    noted: list[Any] = []  # the gradients of the eager step

    class AveragingTape(fastgrad.GradientTape):
        def gradient(self, target: Any, sources: Any, **options: Any) -> Any:
            gradients = super().gradient(target, sources, **options)
            noted[:] = gradients
            return grouped_allreduce(gradients)  # means; rows are gathered

    averaging = ModuleType("fastgrad_averaging")
    averaging.__dict__.update(vars(fastgrad), GradientTape=AveragingTape)
    averaging.__dict__["__getattr__"] = partial(getattr, fastgrad)
    made = Rank()
    program = workload.programs["tensorflow"]
    assert program is not None
    eager, batches = program(averaging, inputs)
    eager(*batches[0])
    sparse = [g for g in noted if isinstance(g, fastgrad.IndexedSlices)]
    gathered = sum(g.values.numpy().nbytes + g.indices.numpy().nbytes for g in sparse)
    dense = [g for g in noted if not isinstance(g, fastgrad.IndexedSlices)]
    noted.clear()
    for name, library in (("step", averaging), ("local", fastgrad)):
        step, batches = program(library, inputs)
        made.calls[name] = cycled(fastgrad.function(step), batches)
    if size == 1:
        return made
    rows = fastgrad.constant(np.zeros(gathered // 4, np.float32))

    weights = [fastgrad.Variable(np.zeros(x.shape, np.float32)) for x in dense]
    # As in a step: the gradients are computed into the buckets, and the update reads them there.

    @fastgrad.function
    def reduce(scale: Any) -> Any:
        from fastgrad._src.ops.collectives import all_gather, all_reduce

        for w, g in zip(weights, all_reduce([w * scale for w in weights]), strict=True):
            w.assign_sub(g)
        return all_gather(rows) if gathered else rows

    @fastgrad.function
    def update(scale: Any) -> Any:
        for w in weights:
            w.assign_sub(w * scale)
        return rows

    sums = np.zeros(sum(int(np.prod(x.shape)) for x in dense), np.float32)
    part = np.zeros(gathered, np.uint8)
    whole = np.zeros(gathered * size, np.uint8)
    group, mpi = world().control, world().mpi

    def bare() -> None:
        group.Allreduce(mpi.IN_PLACE, sums)
        if gathered:
            group.Allgather(part, whole)

    scale = fastgrad.constant(0.5)
    made.calls |= {"reduce": lambda: reduce(scale), "update": lambda: update(scale), "bare": bare}
    made.barrier = group.Barrier

    def facts() -> dict[str, float]:
        words = transfers.engine().words
        before = int(words[transfers.STARTED])
        made.calls["step"]()
        return {
            "reduced": sums.nbytes,
            "gathered": gathered,
            "transfers": int(words[transfers.STARTED]) - before,
        }

    made.facts = facts
    return made


def torch_rank(workload: Workload, inputs: Inputs, rank: int, size: int) -> Rank:
    """Returns the rank in PyTorch, with DistributedDataParallel on gloo."""
    import torch
    from torch import distributed
    from torch.nn.parallel import DistributedDataParallel

    torch.set_num_threads(int(os.environ[THREADS]))
    distributed.init_process_group("gloo", init_method=f"file://{os.environ[MEETING]}", rank=rank, world_size=size)

    class Loss(torch.nn.Module):
        def __init__(self, function: Callable[..., Any], trained: Sequence[Any]) -> None:
            super().__init__()
            self.function = function
            self.modules_ = torch.nn.ModuleList(one for one in trained if isinstance(one, torch.nn.Module))
            self.parameters_ = torch.nn.ParameterList(one for one in trained if isinstance(one, torch.nn.Parameter))

        def forward(self, *batch: Any) -> Any:
            return self.function(*batch)

    def data_parallel(function: Callable[..., Any], trained: Sequence[Any]) -> Any:
        return DistributedDataParallel(Loss(function, trained))

    library: Any = torch
    library.data_parallel = data_parallel  # `benchmarks.peers.steps` wraps the losses by it
    program = workload.programs["torch"]
    assert program is not None
    step, batches = program(torch, inputs)
    made = Rank()
    made.calls["step"] = cycled(step, batches)
    made.barrier = distributed.barrier
    return made


LIBRARIES = {"fastgrad": fastgrad_rank, "torch": torch_rank}


def answer(made: Rank, request: dict[str, Any]) -> Any:
    """Returns the answer to a request: losses of the first steps, seconds of a slice, facts, or the names of calls."""
    if request["do"] == "losses":
        return [float(made.calls["step"]()) for _ in range(request["steps"])]
    if request["do"] == "facts":
        return made.facts()
    if request["do"] == "calls":
        return list(made.calls)
    call = made.calls[request["call"]]
    made.barrier()
    began = time.perf_counter()
    for _ in range(request["repeats"]):
        result = call()
    if request["call"] in ("step", "local"):
        float(result)
    made.barrier()
    return (time.perf_counter() - began) / request["repeats"]


def main() -> None:
    """Answers requests until the parent closes the connection."""
    rank = int(os.environ.get("PMI_RANK", os.environ.get(RANK, "0")))
    size = int(os.environ[SIZE])
    threads = int(os.environ[THREADS])
    cores = [int(core) for core in os.environ[CORES].split(",")]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {cores[(rank * threads + i) % len(cores)] for i in range(threads)})
    library, name = sys.argv[1:3]
    inputs = share_of(MODELS[name].inputs(), rank, size)
    with Client(os.environ[ADDRESS], "AF_UNIX") as parent:
        parent.send(rank)
        try:
            made = LIBRARIES[library](MODELS[name], inputs, rank, size)
            while True:
                parent.send(answer(made, parent.recv()))
        except EOFError:
            return


if __name__ == "__main__":
    main()
