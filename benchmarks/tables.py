"""Stores the printed tables of the smaller programs: `python -m benchmarks.tables [NAMES]` writes it into `benchmarks/results/tables/`.

The page and `docs/results/performance.md` show these lines as they were printed.
"""

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.apart import ROOT
from benchmarks.machine import provenance
from benchmarks.other_programs import others_share
from benchmarks.peers.__main__ import names_type, warn_if_busy
from benchmarks.peers.record import RESULTS, write_json

FOLDER = RESULTS / "tables"
NOT_MET = 1  # the exit status of a program one of whose limits is not met
CRASHED = 70
# As `python -m` does, but an error ends it with another status than a limit that is not met.
RUN = f"""
import os, runpy, sys

def crashed(*error):
    sys.__excepthook__(*error)
    sys.stdout.flush()
    os._exit({CRASHED})

sys.excepthook = crashed
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True)
class Table:
    """A benchmark program that prints a table.

    Attributes:
        title: what it measures.
        arguments: of `python -m`, its name first.
    """

    title: str
    arguments: tuple[str, ...]

    @property
    def command(self) -> str:
        """The command line of the program."""
        return " ".join(("python", "-m", *self.arguments))


TABLES: Mapping[str, Table] = {
    "whole_scripts": Table("Whole scripts beside TensorFlow", ("benchmarks.whole_scripts",)),
    "products": Table("Matrix products", ("benchmarks.products",)),
    "eager_operations": Table("Eager operations", ("benchmarks.eager_operations",)),
    "thread_scaling": Table("One thread and two", ("benchmarks.thread_scaling",)),
    "start_up": Table("First calls", ("benchmarks.start_up",)),
    "compiled_memory": Table("Memory of compiled steps", ("benchmarks.compiled_memory",)),
    "call_overhead": Table("What a call costs beyond its native code", ("benchmarks.call_overhead",)),
    "custom_kernels": Table("Users' kernels beside built-in operations", ("benchmarks.custom_kernels",)),
    "memory": Table("Memory of eager steps, sparse updates", ("benchmarks.memory",)),
}


def measure(name: str, folder: Path = FOLDER) -> int:
    """Runs a program, prints and stores its output, and returns its exit status; stores nothing if it crashed."""
    table = TABLES[name]
    facts = provenance(table.command)
    print(f"{table.title} ({table.command})", flush=True)
    command = [sys.executable, "-c", RUN, *table.arguments]
    with (
        others_share() as others,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, bufsize=1) as process,
    ):
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line.rstrip())
            print(lines[-1], flush=True)
    status = process.returncode
    if status in (0, NOT_MET) and lines:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(
            folder / f"{name}.json", {"title": table.title, **facts, "others_share": others.value, "lines": lines}
        )
    else:
        print(f"{table.command} ended with exit code {status}: not written")
    return status


def main(command: Sequence[str] | None = None) -> int:
    """Runs the named programs, or all; returns the exit status.

    Returns:
        0 if each ran to its end, whether or not its limits are met; else 1.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__)
    parser.add_argument("names", nargs="?", type=names_type(TABLES, "table"), default=list(TABLES), metavar="NAMES")
    chosen = parser.parse_args(command).names
    warn_if_busy()
    return int(max(measure(name) not in (0, NOT_MET) for name in chosen))


if __name__ == "__main__":
    sys.exit(main())
