"""Runs random programs: `python -m tests.reliability.random_programs SEED COUNT`.

With one of `--show` it prints the program of a seed.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from tests.derivatives.random_derivatives import drawn
from tests.reliability.random_programs import derivatives
from tests.reliability.random_programs.batches import batch, many
from tests.reliability.random_programs.generator import program_of


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.reliability.random_programs", description=main.__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("count", type=int, nargs="?", default=1)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--journal", type=Path, help="batches that are done are kept here, and not run again")
    parser.add_argument("--batch", action="store_true", help="in this process; prints what is counted as JSON")
    parser.add_argument("--show", action="store_true", help="print the program of the seed, do not run it")
    parser.add_argument(
        "--derivatives", action="store_true", help="of Numba functions, in place of programs of tensors"
    )
    chosen = parser.parse_args()
    python = os.environ.get("FASTGRAD_REFEREE_PYTHON")
    options = ["--derivatives"] if chosen.derivatives else []
    if chosen.show:
        print(drawn(chosen.seed).source if chosen.derivatives else program_of(chosen.seed).text())
    elif chosen.batch and chosen.derivatives:
        print(json.dumps(derivatives.batch(chosen.seed, chosen.count)))
    elif chosen.batch:
        print(json.dumps(batch(chosen.seed, chosen.count, python)))
    else:
        result = many(chosen.seed, chosen.count, python, chosen.processes, chosen.journal, *options)
        for name, value in [*result["figures"].items(), *sorted(result["reached"].items())]:
            print(f"{value:>10,} {name}")
        for failure in result["failures"]:
            print(f"seed {failure['seed']}: {failure['against']}")


main()
