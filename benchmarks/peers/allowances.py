"""Step time over width, and over what a process may use of the machine: `python -m benchmarks.peers.allowances`.

A perceptron with two hidden layers is trained in each library under each allowance: one processor, two, and two under a quota of a control
group (as containers have it) of one and of one and a half. All processes of a width are timed in turns. The results go to
`benchmarks/results/allowances.json`; `make performance` draws them.
"""

import argparse
import contextlib
import os
import shlex
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data
from benchmarks.machine import provenance
from benchmarks.peers.__main__ import add_measuring, progress, settings_of, warn_if_busy
from benchmarks.peers.process import PeerProcess, measure_in_turns
from benchmarks.peers.record import RESULTS, write_json

FILE = RESULTS / "allowances.json"
PEERS = ("fastgrad.function", "torch", "jax")
WIDTHS = (8, 16, 32, 64, 128, 256, 512)
BATCH = 64
FEW = 4  # batches
PERIOD_MICROSECONDS = 100_000
WORKLOAD = "mlp_small"  # its programs take layers of any widths
MOST_SLOWER = 1.05


@dataclass(frozen=True)
class Allowance:
    """What a process may use.

    Attributes:
        name: in tables.
        processors: those that its affinity allows.
        quota: the processor time that its control group allows, in processors; None for all.
    """

    name: str
    processors: int
    quota: float | None = None


ALLOWANCES = (
    Allowance("1 processor", 1),
    Allowance("2 processors", 2),
    Allowance("quota of 1", 2, 1.0),
    Allowance("quota of 1.5", 2, 1.5),
)


@contextlib.contextmanager
def group_with_quota(quota: float) -> Iterator[Path]:
    """A context with a control group of Linux that has a quota; its value is the file that takes the numbers of processes.

    Raises:
        OSError: this user may not make one.
    """
    root = Path("/sys/fs/cgroup")
    is_first_version = (root / "cpu").is_dir()
    group = (root / "cpu" if is_first_version else root) / f"fastgrad-benchmark-{os.getpid()}-{quota:g}"
    microseconds = round(quota * PERIOD_MICROSECONDS)
    group.mkdir()
    try:
        if is_first_version:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_MICROSECONDS), encoding="ascii")
            (group / "cpu.cfs_quota_us").write_text(str(microseconds), encoding="ascii")
        else:
            (group / "cpu.max").write_text(f"{microseconds} {PERIOD_MICROSECONDS}", encoding="ascii")
        yield group / "cgroup.procs"
    finally:
        group.rmdir()


def times_of_width(width: int, chosen: argparse.Namespace) -> dict[str, dict[str, list[float]]]:
    """Returns for each peer and allowance the microseconds of a step of this width, by round.

    Raises:
        OSError: there are no control groups, or this user may not make one.
        PeerError: a process failed.
    """
    settings = settings_of(chosen)
    running: list[tuple[PeerProcess, int]] = []
    found: dict[str, dict[str, list[float]]] = {peer: {one.name: [] for one in ALLOWANCES} for peer in chosen.peers}
    with contextlib.ExitStack() as stack:
        inputs = Path(stack.enter_context(tempfile.TemporaryDirectory()), "inputs.npz")
        np.savez(inputs, **data.classification((width, width, width, 10), BATCH, FEW))
        groups = {one: stack.enter_context(group_with_quota(one.quota)) for one in ALLOWANCES if one.quota is not None}
        for peer in chosen.peers:
            for allowance in ALLOWANCES:
                progress(f"width {width}: {peer}, {allowance.name}")
                process = PeerProcess(settings.pythons[peer], allowance.processors)
                stack.callback(process.close)
                if allowance in groups:
                    groups[allowance].write_text(str(process.pid), encoding="ascii")
                request = {"peer": peer, "workload": WORKLOAD, "inputs": str(inputs), "threads": allowance.processors}
                running.append((process, process.prepare(chosen.slice, **request)))
        places = [times for by_allowance in found.values() for times in by_allowance.values()]
        for answers in measure_in_turns(running, chosen.rounds):
            for times, answer in zip(places, answers, strict=True):
                times.append(answer["microseconds"])
    return found


def main(command: Sequence[str] | None = None) -> int:
    """Measures all widths and writes the results; returns 1 if more processors make a step of fastgrad slower, else 0."""
    given = sys.argv[1:] if command is None else list(command)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.allowances", description=__doc__)
    parser.add_argument("--widths", type=lambda text: [int(one) for one in text.split(",")], default=list(WIDTHS))
    parser.add_argument("--results", type=Path, default=FILE, metavar="FILE", help=f"default: {FILE.name}")
    add_measuring(parser, peers=PEERS, rounds=7, slice_seconds=0.1)
    chosen = parser.parse_args(given)
    warn_if_busy()
    facts = provenance(shlex.join(["python", "-m", "benchmarks.peers.allowances", *given]))
    points = []
    for width in chosen.widths:
        times = times_of_width(width, chosen)
        points.append({"width": width, "microseconds": times})
        progress("")
        for peer, by_allowance in times.items():
            cells = ", ".join(f"{name} {statistics.median(values):.1f} us" for name, values in by_allowance.items())
            print(f"{width:>4} {peer:<18} {cells}", flush=True)
    write_json(chosen.results, {**facts, "batch": BATCH, "points": points})
    slower = slower_with_more(points)
    print("slower with two processors than with one: " + (", ".join(map(str, slower)) or "no width"))
    return int(bool(slower))


def slower_with_more(points: Sequence[Mapping[str, Any]], peer: str = PEERS[0]) -> list[int]:
    """Returns the widths whose step is slower on two processors than on one by more than `MOST_SLOWER`; ratios are taken round by round."""
    found = []
    for point in points:
        one, two = (point["microseconds"][peer][allowance.name] for allowance in ALLOWANCES[:2])
        if statistics.median(b / a for a, b in zip(one, two, strict=True)) > MOST_SLOWER:
            found.append(point["width"])
    return found


if __name__ == "__main__":
    sys.exit(main())
