"""A model of the time of data-parallel steps on up to 64 hosts: `python -m benchmarks.projection`.

The model takes the compute time, the bytes and the number of transfers from `benchmarks/results/distributed.json`, and a
latency and a bandwidth of the network. Its assumptions:

- An all-reduce is a reduce-scatter by recursive halving and an all-gather by recursive doubling, as in MPICH for long
  messages: 2 log2(n) messages, and 2 (n - 1) / n of the bytes over each link. A ring has 2 (n - 1) messages.
- Transfers share one link, one after the other; a latency overlaps with the bytes of other transfers.
- Gradients become ready evenly during the backward pass, which is the last two thirds of the computation. The update
  needs all of them. With one transfer nothing is hidden.
- Packing and unpacking cost time per byte, as measured: the reduction of fastgrad less that of MPI.
- All hosts are as fast as this machine. A batch is that of the benchmark on each host (weak scaling).
- Stragglers, congestion and input pipelines are left out.

It is compared with the measured steps on 2 and 4 ranks here, and with steps on a simulated network, which delays each
transfer of two ranks by what it would take on n hosts.
"""

import argparse
import json
import math
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.apart import ROOT
from benchmarks.distributed import (
    PAGE,
    RESULT,
    WARM_CALLS,
    Contestant,
    Ranks,
    launcher,
    printed,
    reduction_seconds,
    updated_page,
)
from benchmarks.machine import provenance
from benchmarks.other_programs import others_share
from benchmarks.peers.__main__ import progress, warn_if_busy
from benchmarks.peers.record import RESULTS, write_json

PROJECTED = RESULTS / "projection.json"
HOSTS = (2, 4, 8, 16, 32, 64)
SIMULATED_HOSTS = (2, 8, 64)
SIZES = (1 << 10, 1 << 14, 1 << 18, 1 << 20, 1 << 22, 1 << 24)
BACKWARD = 2 / 3
"""The share of the backward pass in the computation of a step."""


@dataclass(frozen=True)
class Network:
    """A network.

    Attributes:
        latency: seconds of a message without bytes.
        seconds_per_byte: of a link.
    """

    latency: float
    seconds_per_byte: float


NETWORKS = {
    "1 Gb/s": Network(50e-6, 8e-9),
    "10 Gb/s": Network(25e-6, 0.8e-9),
    "100 Gb/s": Network(5e-6, 0.08e-9),
}
"""Round numbers of Ethernet by TCP, and of InfiniBand."""


def all_reduce_costs(ranks: int, network: Network, *, ring: bool = False) -> tuple[float, float]:
    """Returns the seconds of an all-reduce without bytes, and its seconds per byte."""
    messages = 2 * (ranks - 1) if ring else 2 * math.ceil(math.log2(ranks))
    return messages * network.latency, 2 * (ranks - 1) / ranks * network.seconds_per_byte


def all_gather_costs(ranks: int, network: Network) -> tuple[float, float]:
    """Returns the seconds of an all-gather without bytes, and its seconds per byte of one rank."""
    return math.ceil(math.log2(ranks)) * network.latency, (ranks - 1) * network.seconds_per_byte


def step_seconds(compute: float, transfers: Sequence[tuple[float, float]], packing: float = 0.0) -> float:
    """Returns the seconds of a step.

    Args:
        compute: seconds of the step without reduction.
        transfers: of each transfer, in their order, the seconds of its messages and of its bytes.
        packing: seconds in which gradients are copied to and from buckets.
    """
    end = link_free = 0.0
    for number, (latency, occupied) in enumerate(transfers, 1):
        ready = compute * (1 - BACKWARD + BACKWARD * number / len(transfers))
        link_free = max(ready, link_free) + occupied
        end = max(end, link_free + latency)
    return max(compute, end) + packing


def projected(
    facts: Mapping[str, float], compute: float, ranks: int, network: Network, packing: float, *, ring: bool = False
) -> float:
    """Returns the seconds of a step on a number of ranks.

    Args:
        facts: `reduced` and `gathered` bytes, and the number of `transfers`.
        compute: seconds of the step without reduction.
        ranks: how many, at least 2.
        network: between them.
        packing: seconds of packing and unpacking.
        ring: whether all-reduces go round a ring.
    """
    gathers = 2 if facts["gathered"] else 0  # values and indices
    latency, per_byte = all_gather_costs(ranks, network)
    transfers = [(latency, per_byte * facts["gathered"] / 2)] * gathers
    count = max(1, int(facts["transfers"]) - gathers)
    latency, per_byte = all_reduce_costs(ranks, network, ring=ring)
    transfers += [(latency, per_byte * facts["reduced"] / count)] * count
    return step_seconds(compute, transfers, packing)


def fitted(seconds: Mapping[int, float], ranks: int) -> Network:
    """Returns the network whose all-reduces take these seconds, by their bytes; relative errors are least."""
    sizes, times = np.array(list(seconds), float), np.array(list(seconds.values()))
    rows = np.stack([1 / times, sizes / times], axis=1)
    (constant, per_byte), *_ = np.linalg.lstsq(rows, np.ones(len(sizes)), rcond=None)
    messages, share = all_reduce_costs(ranks, Network(1.0, 1.0))
    return Network(max(float(constant), 0.0) / messages, max(float(per_byte), 0.0) / share)


def time_all_reduces() -> None:
    """In a rank: prints the seconds of MPI's all-reduce by bytes, as JSON."""
    from mpi4py import MPI

    group, seconds = MPI.COMM_WORLD, {}
    for size in SIZES:
        sums, times = np.zeros(size // 4, np.float32), []
        for _ in range(max(10, min(200, (1 << 26) // size))):
            group.Barrier()
            began = time.perf_counter()
            group.Allreduce(MPI.IN_PLACE, sums)
            times.append(time.perf_counter() - began)
        seconds[size] = statistics.median(times)
    slowest = group.gather(seconds)
    if group.Get_rank() == 0:
        print(json.dumps({size: max(one[size] for one in slowest) for size in SIZES}))


def all_reduce_seconds(ranks: int) -> dict[int, float]:
    """Returns the median seconds of MPI's all-reduces on this machine, by bytes."""
    path = launcher()
    if path is None:
        raise FileNotFoundError("no mpiexec: pip install fastgrad[mpi]")
    command = [path, "-n", str(ranks), sys.executable, "-m", "benchmarks.projection", "--rank"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    return {int(size): seconds for size, seconds in json.loads(finished.stdout).items()}


def delays(ranks: int, network: Network) -> dict[str, str]:
    """Returns the environment in which each transfer takes as long as an all-reduce of so many ranks."""
    latency, per_byte = all_reduce_costs(ranks, network)
    return {
        "FASTGRAD_SIMULATED_LATENCY_US": f"{1e6 * latency:.3f}",
        "FASTGRAD_SIMULATED_BANDWIDTH_GBPS": f"{8e-9 / per_byte:.6f}",
    }


def simulated(model: str, hosts: int, network: Network, rounds: int, slice_seconds: float) -> dict[str, Any]:
    """Returns what two ranks take on the simulated network: median seconds of `step` and `local`, `exposed`, facts."""
    group = Contestant("fastgrad", 2, 1)
    with tempfile.TemporaryDirectory() as folder:
        ranks = Ranks(group, model, folder, delays(hosts, network))
        try:
            seconds: dict[str, list[float]] = {"step": [], "local": []}
            repeats = {}
            for call in seconds:
                ranks.seconds(call, WARM_CALLS)
                repeats[call] = max(1, round(slice_seconds / ranks.seconds(call, WARM_CALLS)))
            for _ in range(rounds):
                for call, times in seconds.items():
                    times.append(ranks.seconds(call, repeats[call]))
            facts = ranks.ask(do="facts")[0]
        finally:
            ranks.close()
    medians = {call: statistics.median(times) for call, times in seconds.items()}
    return {**medians, "exposed": min(seconds["step"]) - min(seconds["local"]), **facts}


def transfer_seconds(facts: Mapping[str, float], ranks: int, network: Network) -> float:
    """Returns the seconds of the all-reduces of a step, one after the other, without a computation beside them."""
    latency, per_byte = all_reduce_costs(ranks, network)
    return latency + per_byte * facts["reduced"]


def packing_seconds(timed: Mapping[str, Any]) -> float:
    """Returns the median seconds by which a reduction of fastgrad is longer than that of MPI; not below 0."""
    pairs = zip(reduction_seconds(timed["seconds"]), timed["seconds"]["bare"], strict=True)
    return max(0.0, statistics.median(reduce - bare for reduce, bare in pairs))


def checks(models: Mapping[str, Mapping[str, Any]], network: Mapping[int, Network]) -> list[dict[str, Any]]:
    """Returns the measured and the projected seconds of each model on each number of ranks of this machine."""
    found = []
    for model, timed in models.items():
        for name, one in timed.items():
            ranks = int(name.split()[1].split("x")[0])
            if not name.startswith("fastgrad") or ranks not in network:
                continue
            local = statistics.median(one["seconds"]["local"])
            seconds = projected(one["facts"], local, ranks, network[ranks], packing_seconds(one))
            measured = statistics.median(one["seconds"]["step"])
            found.append({"model": model, "ranks": ranks, "measured": measured, "projected": seconds})
    return found


def efficiencies(timed: Mapping[str, Any], *, ring: bool = False) -> dict[str, list[float]]:
    """Returns, by network, compute time over step time for each number of hosts, with all processors in one rank."""
    alone = [name for name in timed if name.startswith("fastgrad 1x")][-1]
    compute = statistics.median(timed[alone]["seconds"]["local"])
    two = timed["fastgrad 2x1"]
    return {
        name: [
            compute / projected(two["facts"], compute, hosts, network, packing_seconds(two), ring=ring)
            for hosts in HOSTS
        ]
        for name, network in NETWORKS.items()
    }


def lines_of(results: Mapping[str, Any], models: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Returns the lines of the tables."""
    lines = ["steps on this machine      ranks  measured ms  projected ms  ratio"]
    lines += [f"{c['model']:<26} {c['ranks']:>5} {_compared(c)}" for c in results["checks"]]
    lines += ["", "steps on a simulated network     hosts  measured ms  projected ms  ratio  hidden"]
    lines += [
        f"{c['model']:<20} {c['network']:>11} {c['hosts']:>6} {_compared(c)} {100 * c['hidden']:>6.0f}%"
        for c in results["simulated"]
    ]
    head = " ".join(f"{hosts:>5}" for hosts in HOSTS)
    lines += ["", f"efficiency (weak scaling)   hosts {head}   64, ring"]
    for model, timed in models.items():
        rings = efficiencies(timed, ring=True)
        for name, shares in efficiencies(timed).items():
            cells = " ".join(f"{100 * share:>4.0f}%" for share in shares)
            lines.append(f"{model:<14} {name:>18} {cells} {100 * rings[name][-1]:>9.0f}%")
    return lines


def _compared(check: Mapping[str, Any]) -> str:
    measured, seconds = check["measured"], check["projected"]
    return f"{1e3 * measured:>12.2f} {1e3 * seconds:>13.2f} {seconds / measured:>6.2f}"


def main(command: Sequence[str] | None = None) -> int:
    """Measures the network, compares the model with measured steps, prints the projection; returns the exit status."""
    given = sys.argv[1:] if command is None else list(command)
    if given == ["--rank"]:
        time_all_reduces()
        return 0
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.projection",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--measured", type=Path, default=RESULT, metavar="FILE", help="of benchmarks.distributed")
    add("--rounds", type=int, default=5)
    add("--slice", type=float, default=0.2, metavar="SECONDS")
    add("--network", choices=list(NETWORKS), default="10 Gb/s", help="what is simulated")
    add("--results", type=Path, default=PROJECTED, metavar="FILE", help="default: benchmarks/results/projection.json")
    add("--page", type=Path, default=PAGE, metavar="FILE", help="default: docs/distributed.md")
    chosen = parser.parse_args(given)
    warn_if_busy()
    models = json.loads(chosen.measured.read_text(encoding="utf-8"))["models"]
    results: dict[str, Any] = provenance(shlex.join(["python", "-m", "benchmarks.projection", *given]))
    results["rounds"] = chosen.rounds
    sizes = {int(name.split()[1][0]) for timed in models.values() for name in timed if name.startswith("fastgrad")}
    with others_share() as others:
        seconds = {ranks: all_reduce_seconds(ranks) for ranks in sorted(sizes - {1})}
        here = {ranks: fitted(times, ranks) for ranks, times in seconds.items()}
        results["all_reduces"] = seconds
        results["networks"] = {ranks: vars(network) for ranks, network in here.items()}
        results["checks"] = checks(models, here)
        results["simulated"] = []
        for model, timed in models.items():
            if timed["fastgrad 2x1"]["facts"]["gathered"]:
                continue  # the simulated network has one speed for all transfers: that of all-reduces
            for hosts in SIMULATED_HOSTS:
                progress(f"{model}: {hosts} hosts")
                network = NETWORKS[chosen.network]
                one = simulated(model, hosts, network, chosen.rounds, chosen.slice)
                packing = packing_seconds(timed["fastgrad 2x1"])
                results["simulated"].append(
                    {
                        "model": model,
                        "network": chosen.network,
                        "hosts": hosts,
                        "hidden": 1.0 - one["exposed"] / transfer_seconds(one, hosts, network),
                        "measured": one["step"],
                        "projected": projected(one, one["local"], hosts, network, packing),
                    }
                )
        progress("")
    results["others_share"] = others.value
    lines = lines_of(results, models)
    print("\n".join(lines), flush=True)
    chosen.results.parent.mkdir(parents=True, exist_ok=True)
    write_json(chosen.results, results)
    with updated_page(chosen.page, "projection") as texts:
        texts.append(printed(results, lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
