"""`python -m benchmarks.peers`: fastgrad's training steps beside those of TensorFlow, PyTorch and JAX."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.peers.known import OURS, PEERS
from benchmarks.peers.report import as_json, summary, table
from benchmarks.peers.runner import Results, Settings, run
from benchmarks.peers.workloads import WORKLOADS

BUSY = 0.5
PYTHON_VARIABLE = "FASTGRAD_PEERS_PYTHON"


def names_out_of(known: Mapping[str, object], kind: str) -> Callable[[str], list[str]]:
    """A reader of comma-separated names that lists the known ones when it meets another."""

    def read(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",") if name.strip()]
        unknown = [name for name in names if name not in known]
        if unknown or not names:
            wrong = f"unknown {kind} {', '.join(unknown)}" if unknown else f"no {kind} named"
            raise argparse.ArgumentTypeError(f"{wrong}; known: {', '.join(known)}")
        return list(dict.fromkeys(names))

    return read


def peer_and_python(text: str) -> tuple[str, str]:
    """Reads `PEER=PATH`."""
    peer, equals, path = text.partition("=")
    if not equals or not path:
        raise argparse.ArgumentTypeError(f"{text!r} is not PEER=PATH")
    names_out_of(PEERS, "peer")(peer)
    return peer, path


def positive(number: Callable[[str], float]) -> Callable[[str], float]:
    """A reader of numbers above zero."""

    def read(text: str) -> float:
        value = number(text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"{text} is not above zero")
        return value

    read.__name__ = "number above zero"
    return read


def arguments(command: Sequence[str]) -> argparse.Namespace:
    """Reads the command line; an unknown workload or peer ends the program and lists the known ones."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="workloads:\n"
        + "\n".join(f"  {name:<20} {workload.about}" for name, workload in WORKLOADS.items())
        + "\npeers:\n"
        + "\n".join(f"  {name:<20} {peer.about}" for name, peer in PEERS.items()),
    )
    add = parser.add_argument
    add(
        "--work",
        type=names_out_of(WORKLOADS, "workload"),
        default=list(WORKLOADS),
        metavar="NAMES",
        help="default: all",
    )
    add("--peers", type=names_out_of(PEERS, "peer"), default=list(PEERS), metavar="NAMES", help="default: all")
    add("--rounds", type=positive(int), default=15, help="timed slices of each peer (default 15)")
    add("--slice", type=positive(float), default=0.2, metavar="SECONDS", help="length of a slice (default 0.2)")
    add("--threads", type=positive(int), default=2, help="threads of each peer (default 2)")
    add("--json", type=Path, metavar="FILE", help="also write everything measured to this file")
    add(
        "--python-for",
        type=peer_and_python,
        action="append",
        default=[],
        metavar="PEER=PATH",
        help=f"the Python that has this peer; for all but fastgrad also by the environment variable {PYTHON_VARIABLE}",
    )
    return parser.parse_args(command)


def main(command: Sequence[str] | None = None) -> int:
    """Runs the workloads and prints a table for each, then a summary of all.

    Returns:
        0; 1 if a peer crashed or disagreed; 130 if the user interrupted, after printing what was done.
    """
    chosen = arguments(sys.argv[1:] if command is None else command)
    elsewhere = os.environ.get(PYTHON_VARIABLE) or sys.executable
    pythons = {peer: sys.executable if peer in OURS else elsewhere for peer in PEERS} | dict(chosen.python_for)
    settings = Settings(chosen.rounds, chosen.slice, chosen.threads, pythons)
    load = os.getloadavg()[0]
    if load > BUSY:
        print(f"other programs keep this machine busy (load {load:.1f}): the times below will wander\n")
    done: dict[str, Results] = {}
    interrupted = failed = False
    for name in chosen.work:
        try:
            for results in run(WORKLOADS[name], chosen.peers, settings, progress):
                done[name] = results
        except KeyboardInterrupt:
            interrupted = True
        except ModuleNotFoundError as error:
            progress("")
            print(f"{name}: left out, its data needs {error.name}, which is not installed\n")
            failed = True
            continue
        progress("")
        print(table(WORKLOADS[name], done.get(name, {}), settings), end="\n\n", flush=True)
        if interrupted:
            print("interrupted")
            break
    if done:
        print(summary(WORKLOADS, done))
    if chosen.json:
        chosen.json.write_text(
            json.dumps(as_json(done, settings, load, interrupted), indent=1) + "\n", encoding="utf-8"
        )
    failed |= any(result.problem and not result.absent for results in done.values() for result in results.values())
    return 130 if interrupted else int(failed)


def progress(text: str) -> None:
    """Shows one changing line on a terminal, nothing elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
