"""The growth of a step's time with its size: `python -m benchmarks.peers.scaling` runs four workloads with batch, width and length over two decades.

Each size is a run like those of `benchmarks.peers`, of few peers and short; a file for each sweep goes to
`benchmarks/results/scaling/`.
"""

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import data
from benchmarks.data import Inputs
from benchmarks.machine import provenance
from benchmarks.peers.__main__ import Deadline, add_measuring, names_type, progress, settings_of, warn_if_busy
from benchmarks.peers.record import RESULTS, write_json
from benchmarks.peers.runner import Results, others_while_timed, run
from benchmarks.peers.workloads import WORKLOADS, deep_mlp, rnn, transformer

FOLDER = RESULTS / "scaling"
PEERS = ("fastgrad", "fastgrad.function", "torch", "jax")
NARROW, LONG = (4, 16, 64, 400), (2, 8, 32, 200)
FEW = 4  # batches: large ones would fill the memory


@dataclass(frozen=True)
class Sweep:
    """A workload measured in several sizes.

    Attributes:
        workload: whose programs are run.
        axis: what grows.
        about: what does not.
        sizes: of about two decades.
        inputs: makes data and weights for a size.
    """

    workload: str
    axis: str
    about: str
    sizes: Sequence[int]
    inputs: Callable[[int], Inputs]

    @property
    def name(self) -> str:
        """The name of the sweep, for its file and the command line."""
        return f"{self.workload}_{self.axis}"


def classifier(widths: Callable[[int], Sequence[int]], batch: Callable[[int], int]) -> Callable[[int], Inputs]:
    """Returns a function from a size to the data and weights of a classifier of that width or batch."""
    return lambda size: data.classification(widths(size), batch(size), FEW)


def deep(width: int, layers: int) -> tuple[int, ...]:
    """Returns the widths of the layers of the deep network."""
    return (width,) * (layers + 1) + (10,)


SWEEPS = {
    sweep.name: sweep
    for sweep in (
        Sweep("mlp_small", "batch", "784-64-10", NARROW, classifier(lambda _: (784, 64, 10), int)),
        Sweep(
            "mlp_small",
            "width",
            "784-width-10, batch 32",
            (8, 32, 128, 800),
            classifier(lambda n: (784, n, 10), lambda _: 32),
        ),
        Sweep(
            "mlp_small",
            "length",
            "inputs: length-64-10, batch 32",
            (32, 128, 512, 3200),
            classifier(lambda n: (n, 64, 10), lambda _: 32),
        ),
        Sweep("deep_mlp", "batch", "twelve layers of 128", NARROW, classifier(lambda _: deep_mlp.WIDTHS, int)),
        Sweep(
            "deep_mlp",
            "width",
            "twelve layers, batch 64",
            (8, 32, 128, 800),
            classifier(lambda n: deep(n, 12), lambda _: deep_mlp.BATCH),
        ),
        Sweep(
            "deep_mlp",
            "length",
            "layers of 64, batch 64",
            (1, 4, 16, 100),
            classifier(lambda n: deep(64, n), lambda _: deep_mlp.BATCH),
        ),
        Sweep("rnn_32", "batch", "32 units, 32 steps", NARROW, lambda n: rnn.inputs(32, FEW, batch=n)),
        Sweep("rnn_32", "width", "32 steps, batch 16", (4, 16, 64, 400), lambda n: rnn.inputs(32, FEW, units=n)),
        Sweep("rnn_32", "length", "32 units, batch 16", LONG, lambda n: rnn.inputs(n, FEW)),
        Sweep(
            "transformer",
            "batch",
            "width 64, 32 tokens",
            (1, 4, 16, 100),
            lambda n: transformer.inputs(n, 32, FEW, width=64),
        ),
        Sweep(
            "transformer",
            "width",
            "32 tokens, batch 8",
            (8, 32, 128, 800),
            lambda n: transformer.inputs(length=32, count=FEW, width=n),
        ),
        Sweep(
            "transformer",
            "length",
            "tokens, width 64, batch 8",
            (4, 16, 64, 400),
            lambda n: transformer.inputs(length=n, count=FEW, width=64),
        ),
    )
}


def main(command: Sequence[str] | None = None) -> int:
    """Runs the named sweeps, or all, and writes the results of each.

    Returns:
        0; 1 if a peer crashed or disagreed; 130 if the user interrupted, after writing the sizes that are done.
    """
    given = sys.argv[1:] if command is None else list(command)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.scaling", description=__doc__)
    parser.add_argument(
        "--sweep", type=names_type(SWEEPS, "sweep"), default=list(SWEEPS), metavar="NAMES", help="default: all"
    )
    parser.add_argument(
        "--results", type=Path, default=FOLDER, metavar="FOLDER", help="default: benchmarks/results/scaling"
    )
    add_measuring(parser, peers=PEERS, rounds=5, slice_seconds=0.1)
    chosen = parser.parse_args(given)
    settings = replace(settings_of(chosen), from_nothing=False)
    warn_if_busy()
    failed, deadline, left_out = False, Deadline(chosen.minutes), []
    for name in chosen.sweep:
        if not deadline.allows_another():
            left_out.append(name)
            continue
        sweep = SWEEPS[name]
        facts = provenance(shlex.join(["python", "-m", "benchmarks.peers.scaling", *given]))
        points: list[dict[str, Any]] = []
        interrupted = False
        for size in sweep.sizes:
            workload = replace(WORKLOADS[sweep.workload], inputs=partial(sweep.inputs, size))
            results: Results = {}
            try:
                for stage in run(workload, chosen.peers, settings, progress):
                    results = stage
            except KeyboardInterrupt:
                interrupted = True
            progress("")
            points.append(point(size, results))
            print(row(name, size, results), flush=True)
            failed |= any(result.problem and not result.absent for result in results.values())
            if interrupted:
                break
        chosen.results.mkdir(parents=True, exist_ok=True)
        about = {"workload": sweep.workload, "axis": sweep.axis, "about": sweep.about, "interrupted": interrupted}
        measured = {"rounds": settings.rounds, "slice_seconds": settings.slice_seconds, "threads": settings.threads}
        write_json(chosen.results / f"{name}.json", {**about, **facts, "settings": measured, "points": points})
        if interrupted:
            print("interrupted")
            return 130
    if left_out:
        print(f"left out, no time: {', '.join(left_out)}")
    return int(failed)


def point(size: int, results: Results) -> dict[str, Any]:
    """Returns the results of a size as JSON data."""
    peers = {
        peer: {"problem": result.problem, "microseconds": [float(f"{t:.5g}") for t in result.microseconds.values()]}
        for peer, result in results.items()
    }
    return {"size": size, "others_share": others_while_timed(results), "peers": peers}


def row(name: str, size: int, results: Results) -> str:
    """Returns the printed row of a size."""
    cells = [
        f"{peer} {f'{result.median():.1f} us' if result.microseconds else result.problem or 'not timed'}"
        for peer, result in results.items()
    ]
    return f"{name:<20} {size:>6}  {', '.join(cells)}"


if __name__ == "__main__":
    sys.exit(main())
