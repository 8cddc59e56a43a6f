"""Writes the library's kernels that typical programs use, from which another process compiles ahead of use (compile_ahead.py).

python tools/typical_kernels.py              # runs each typical program in a process of its own, and rewrites the table
python tools/typical_kernels.py --program 3  # runs one program and prints its kernels, in the order of their first use
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from fastgrad._src.commands.typical_programs import list_typical_programs
from fastgrad._src.jit import build, compile_ahead, second_process
from fastgrad._src.jit.compile_ahead import KernelAddress, KernelsOfProgram
from fastgrad._src.jit.made_classes import MADE_CLASSES
from fastgrad._src.kernels.runtime import eager_launch

TABLE = Path(compile_ahead.__file__).with_name("typical_kernels.json")
THREADS = "2"  # the least with which anything is compiled ahead
POOL_NANOSECONDS = 2_000.0
"""The work from which on a typical program uses the thread pool: users' programs have larger arrays."""


def kernels_of(number: int) -> KernelsOfProgram:
    """Runs a typical program; returns the library's kernels that it loads for the first time, in their order, and its classes."""
    loaded: dict[KernelAddress, None] = {}
    object_code = build._object_code
    eager_launch.LEAST_POOL_NANOSECONDS = POOL_NANOSECONDS

    def noted(source, entry=None):
        address = compile_ahead.address_of(source)
        if address is not None and _is_found_at(address, source):
            loaded[address] = None
        return object_code(source, entry)

    build._object_code = noted
    try:
        list_typical_programs()[number].run()
    finally:
        build._object_code = object_code
    return KernelsOfProgram(tuple(loaded), tuple(sorted(MADE_CLASSES)))


def _is_found_at(address: KernelAddress, source) -> bool:
    """True if another process makes the same code of an address."""
    try:
        found = build.kernel_source_of_module(*address)
    except LookupError:
        return False
    return build._content_of(found) == build._content_of(source)


def kernels_in_a_process(number: int) -> KernelsOfProgram:
    """Returns `kernels_of` a program in a process of its own."""
    # Without the process that compiles ahead, which would read the table.
    environment = {**os.environ, "FASTGRAD_NUM_THREADS": THREADS, "FASTGRAD_QUIET": "1", second_process.VARIABLE: "0"}
    command = [sys.executable, __file__, "--program", str(number)]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603 - this file
    kernels, classes = json.loads(finished.stdout)
    return KernelsOfProgram(tuple([KernelAddress(*map(_as_tuples, fields)) for fields in kernels]), tuple(classes))


def _as_tuples(value):
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value


def table_text(programs: Mapping[KernelsOfProgram, int]) -> str:
    """Returns the table: a line for each kernel, and one for each different program: how many there are, its kernels' numbers, its classes."""
    addresses = sorted({address for program in programs for address in program.kernels})
    numbers = {address: number for number, address in enumerate(addresses)}
    kernels = [json.dumps([a.module, a.name, dict(a.variables), a.in_place]) for a in addresses]
    lists = [
        json.dumps([count, [numbers[address] for address in program.kernels], program.classes])
        for program, count in programs.items()
    ]
    joined = ",\n"
    return f'{{"kernels": [\n{joined.join(kernels)}\n],\n"programs": [\n{joined.join(lists)}\n]}}\n'


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the table, or prints the kernels of one program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=int, help="the number of one typical program, whose kernels are printed")
    chosen = parser.parse_args(arguments).program
    if chosen is not None:
        print(json.dumps(kernels_of(chosen)))
        return
    programs = Counter([kernels_in_a_process(number) for number in range(len(list_typical_programs()))])
    TABLE.write_text(table_text(programs), encoding="utf-8")


if __name__ == "__main__":
    main()
