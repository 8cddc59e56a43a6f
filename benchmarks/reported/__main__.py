"""Measures public performance reports: `python -m benchmarks.reported [CASE …] --jax PYTHON --old-jax PYTHON --peers PYTHON`.

Each case is a report filed at another library, as a program for fastgrad and one for that library. Results go into
`benchmarks/results/reported/`, and `docs/reported_elsewhere.md` and `docs/images/how_small.svg` are made of them; `--page` makes these alone.
A contestant whose Python is not given is left out, and the page says so.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence

from benchmarks.machine import provenance
from benchmarks.peers.__main__ import positive_number, warn_if_busy
from benchmarks.peers.record import write_json
from benchmarks.reported import how_small
from benchmarks.reported.cases import CASES, OTHER_DERIVATIVES
from benchmarks.reported.measure import Processes, measure
from benchmarks.reported.page import FOLDER, PAGE, page, stored

ROUNDS = 7
MEASURED = {**CASES, **OTHER_DERIVATIVES}


def measure_and_store(name: str, processes: Processes, rounds: int) -> None:
    """Measures a case, prints a line for each contestant, and stores the results."""
    facts = provenance(f"python -m benchmarks.reported {name}")
    case = MEASURED[name]
    result = measure(case, processes, rounds)
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_json(FOLDER / f"{name}.json", {**facts, "case": name, "size": case.size, **result})
    for contestant, took in result["contestants"].items():
        told = took.get("problem") or ", ".join(
            f"{clock} {statistics.median(took[clock]) * 1e3:.3f} ms" for clock in ("cpu", "wall")
        )
        print(f"{name:<20} {contestant:<14} {told}", flush=True)


def main(command: Sequence[str] | None = None) -> int:
    """Measures the named cases, or all, and writes the page; returns 1 if a case failed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reported", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "cases", nargs="*", metavar="CASE", help=f"of {', '.join(MEASURED)}, {how_small.NAME} (default: all)"
    )
    parser.add_argument("--jax", default="", metavar="PYTHON", help="a Python that has a JAX of today")
    parser.add_argument("--old-jax", default="", metavar="PYTHON", help="a Python that has JAX 0.4.31")
    parser.add_argument("--peers", default="", metavar="PYTHON", help="a Python that has TensorFlow and PyTorch")
    parser.add_argument("--rounds", type=positive_number(int), default=ROUNDS, help=f"turns (default {ROUNDS})")
    parser.add_argument("--page", action="store_true", help="measure nothing: make the page of the stored results")
    options = parser.parse_args(command)
    known = (*MEASURED, how_small.NAME)
    if unknown := [name for name in options.cases if name not in known]:
        parser.error(f"unknown case {', '.join(unknown)}: the cases are {', '.join(known)}")
    failures = 0
    if not options.page:
        warn_if_busy()
        pythons = {"jax": options.jax, "old_jax": options.old_jax, "peers": options.peers}
        with Processes(pythons) as processes:
            for name in options.cases or known:
                try:
                    if name == how_small.NAME:
                        how_small.measure_and_store(pythons, options.rounds)
                    else:
                        measure_and_store(name, processes, options.rounds)
                except RuntimeError as error:
                    print(f"{name:<20} {error}", flush=True)
                    failures += 1
    widths = how_small.stored()
    if widths:
        how_small.PICTURE.parent.mkdir(parents=True, exist_ok=True)
        how_small.PICTURE.write_text(how_small.picture(widths), encoding="utf-8")
    PAGE.write_text(page(stored(), widths), encoding="utf-8")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
