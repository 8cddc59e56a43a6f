"""`python -m benchmarks.peers`: fastgrad's training steps beside those of TensorFlow, PyTorch and JAX."""

import argparse
import os
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.apart import ROOT
from benchmarks.machine import provenance
from benchmarks.other_programs import MATERIAL, others_share_now
from benchmarks.peers import limits
from benchmarks.peers.known import OURS, PEERS
from benchmarks.peers.record import FOLDER, FORMAT, Record, write_json
from benchmarks.peers.report import summary, table
from benchmarks.peers.runner import Results, Settings, run
from benchmarks.peers.workload import Workload
from benchmarks.peers.workloads import WORKLOADS

PYTHON_VARIABLE = "FASTGRAD_PEERS_PYTHON"
PEERS_ENVIRONMENT = ROOT / ".venv-peers" / "bin" / "python"  # what `make peers-env` makes
QUICK = {"rounds": 3, "slice": 0.1, "minutes": 9.0}
# When time is short, one of each kind comes first.
FIRST = ("mlp_small", "transformer", "chain_math", "mlp_tiny", "rnn_32", "adam", "linear_regression", "deep_mlp")


def names_type(known: Mapping[str, object], kind: str) -> Callable[[str], list[str]]:
    """Returns an argparse type for comma-separated names, which rejects unknown names with a list of the known ones."""

    def read(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",") if name.strip()]
        unknown = [name for name in names if name not in known]
        if unknown or not names:
            wrong = f"unknown {kind} {', '.join(unknown)}" if unknown else f"no {kind} named"
            raise argparse.ArgumentTypeError(f"{wrong}; known: {', '.join(known)}")
        return list(dict.fromkeys(names))

    return read


def peer_and_python(text: str) -> tuple[str, str]:
    """Parses the option `PEER=PATH`."""
    peer, equals, path = text.partition("=")
    if not equals or not path:
        raise argparse.ArgumentTypeError(f"{text!r} is not PEER=PATH")
    names_type(PEERS, "peer")(peer)
    return peer, path


def positive_number(number: Callable[[str], float]) -> Callable[[str], float]:
    """Returns an argparse type for numbers above zero."""

    def read(text: str) -> float:
        value = number(text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"{text} is not above zero")
        return value

    read.__name__ = "number above zero"
    return read


def peers_python() -> str:
    """Returns the path of the Python that has the peers: from the environment variable, from `make peers-env`, or ours."""
    made = str(PEERS_ENVIRONMENT) if PEERS_ENVIRONMENT.exists() else sys.executable
    return os.environ.get(PYTHON_VARIABLE) or made


def add_measuring(parser: argparse.ArgumentParser, *, peers: Sequence[str], rounds: int, slice_seconds: float) -> None:
    """Adds the options for the peers, threads and durations to a parser."""
    add = parser.add_argument
    add(
        "--peers",
        type=names_type(PEERS, "peer"),
        default=list(peers),
        metavar="NAMES",
        help=f"default: {', '.join(peers)}",
    )
    add("--rounds", type=positive_number(int), default=rounds, help=f"timed slices of each peer (default {rounds})")
    add(
        "--slice",
        type=positive_number(float),
        default=slice_seconds,
        metavar="SECONDS",
        help=f"length of a slice (default {slice_seconds:g})",
    )
    add("--threads", type=positive_number(int), default=2, help="threads of each peer (default 2)")
    add(
        "--minutes",
        type=positive_number(float),
        default=float("inf"),
        help="begin nothing that would take longer than this in all, and name what is left out",
    )
    add(
        "--python-for",
        type=peer_and_python,
        action="append",
        default=[],
        metavar="PEER=PATH",
        help=f"the Python that has this peer; for all but fastgrad also by the environment variable {PYTHON_VARIABLE}; "
        "default: the environment that make peers-env makes, where it is",
    )


def settings_of(chosen: argparse.Namespace) -> Settings:
    """Returns the settings from the parsed options of `add_measuring`."""
    pythons = {peer: sys.executable if peer in OURS else peers_python() for peer in PEERS} | dict(chosen.python_for)
    return Settings(chosen.rounds, chosen.slice, chosen.threads, pythons)


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
        type=names_type(WORKLOADS, "workload"),
        default=sorted(WORKLOADS, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST)),
        metavar="NAMES",
        help="default: all",
    )
    add_measuring(parser, peers=list(PEERS), rounds=15, slice_seconds=0.2)
    add(
        "--quick",
        action="store_true",
        help=f"{QUICK['rounds']} rounds of {QUICK['slice']} s, as many workloads as fit into {QUICK['minutes']:g} minutes",
    )
    add(
        "--json",
        type=Path,
        metavar="FILE",
        help="write everything measured to this file; without it, and with all peers, a file for each workload in "
        f"{FOLDER.relative_to(ROOT)}",
    )
    chosen = parser.parse_args(command)
    if chosen.quick:
        vars(chosen).update(QUICK)
    return chosen


class Deadline:
    """A time limit: allows another workload if the longest one so far would fit."""

    def __init__(self, minutes: float) -> None:
        self._end = time.monotonic() + minutes * 60
        self._longest = 0.0
        self._began = time.monotonic()

    def allows_another(self) -> bool:
        """Returns whether another workload fits; the time since the last call is the duration of the last workload."""
        now = time.monotonic()
        self._longest, self._began = max(self._longest, now - self._began), now
        return now + self._longest <= self._end


def main(command: Sequence[str] | None = None) -> int:
    """Runs the workloads, prints and writes the results of each, then prints a summary of all.

    Returns:
        0; 1 if a peer crashed or disagreed; 130 if the user interrupted, after printing and writing what was done.
    """
    given = sys.argv[1:] if command is None else list(command)
    chosen = arguments(given)
    settings = settings_of(chosen)
    told = shlex.join(["python", "-m", "benchmarks.peers", *given])
    warn_if_busy()
    records: dict[str, Record] = {}
    interrupted = failed = False
    deadline, left_out = Deadline(chosen.minutes), []
    for name in chosen.work:
        if interrupted or not deadline.allows_another():
            left_out.append(name)
            continue
        try:
            record = measured(WORKLOADS[name], chosen.peers, settings, told)
        except ModuleNotFoundError as error:
            progress("")
            print(f"{name}: left out, its data needs {error.name}, which is not installed\n")
            failed = True
            continue
        interrupted = record.facts["interrupted"]
        progress("")
        print(table(record.workload, record.results, settings), end="\n\n", flush=True)
        if any(result.microseconds for result in record.results.values()):
            records[name] = record
            # What is committed compares libraries; a run with none of them there would put nothing in its place.
            if not chosen.json and set(chosen.peers) == set(PEERS) and record.compares:
                record.save()
        failed |= any(result.problem and not result.absent for result in record.results.values())
    if interrupted:
        print("interrupted")
    if records:
        print(summary({n: r.results for n, r in records.items()}))
    if left_out:
        print(f"\nleft out, {'interrupted before' if interrupted else 'no time'}: {', '.join(left_out)}")
    absent = {p: r.problem for record in records.values() for p, r in record.results.items() if r.absent}
    if absent:
        print("not compared everywhere: " + "; ".join(f"{peer} ({why})" for peer, why in absent.items()))
    if chosen.json:
        write_json(chosen.json, {"format": FORMAT, "workloads": {n: r.as_json() for n, r in records.items()}})
    return 130 if interrupted else int(failed)


def measured(workload: Workload, peers: Sequence[str], settings: Settings, command: str) -> Record:
    """Runs one workload, and the machine's limits after it; an interrupt ends it, and what is there is kept."""
    facts: dict[str, Any] = provenance(command) | {"limits": {}, "interrupted": False}
    results: Results = {}
    try:
        for stage in run(workload, peers, settings, progress):
            results = stage
        progress(f"{workload.name}: the machine's limits")
        facts["limits"] = limits.measure()
    except KeyboardInterrupt:
        facts["interrupted"] = True
    except RuntimeError as error:  # without Numba, say
        facts["limits_problem"] = str(error)
    return Record(workload, results, settings, facts)


def warn_if_busy() -> None:
    """Prints a warning if other programs use the processors."""
    share = others_share_now()
    if share is not None and share > MATERIAL:
        print(f"other programs take {share:.0%} of the processors' time: the times below will wander\n", flush=True)


def progress(text: str) -> None:
    """Shows one changing line on a terminal, nothing elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
