"""Kernels on an emulated ARM processor: `python -m tests.reliability.machines.arm FOLDER [NAME ...]`.

Calls of kernels are recorded here, with tiles and vectors for NEON. Then the kernels are compiled for ARM, linked with `arm.c`, and run by
qemu-aarch64 with the recorded arguments. The results have the same bits, or the call is printed.
"""

from __future__ import annotations

import itertools
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.jit import isa, native
from fastgrad._src.jit.build import full_name, signature_of, source_of
from fastgrad._src.jit.signature import ARRAY_KINDS, LIST_KINDS, SHARE_PARAMETERS
from fastgrad._src.kernels.math import circular
from fastgrad._src.kernels.runtime.launch import run_launches

COMPILER, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"
MACHINE = native.Machine("aarch64-unknown-linux-gnu", "neoverse-n1", "+neon")
NUMBER, ARRAY, LIST = range(3)
OF_THE_HOST = {"function", "psi", "gamma", "gammaln"}
"""Parameters that are addresses of functions of SciPy."""


FAR = circular.RANGE_REDUCTION_END.values
"""Beyond these numbers sines and tangents are the C library's."""


class Call(NamedTuple):
    """A call of a kernel, its memory before, and the same after it."""

    row: str
    kernel: Any
    units: int
    before: list[np.ndarray]
    words: list[tuple[int, ...]]
    after: list[np.ndarray]


def words_of(kernel: Any, arguments: list[Any]) -> tuple[list[tuple[int, ...]], list[np.ndarray]] | None:
    """The words of a step (`wrapper.step_ir`) and the arrays that they name; None for what only this machine can run."""
    arrays: list[np.ndarray] = []
    given, words = iter(arguments), []
    lists: list[list[np.ndarray]] = []

    def place(x: np.ndarray) -> int:
        for number, known in enumerate(arrays):
            if known.ctypes.data == x.ctypes.data and known.nbytes == x.nbytes:
                return number
        arrays.append(x)
        return len(arrays) - 1

    for parameter in signature_of(kernel).parameters:
        if parameter.name in SHARE_PARAMETERS and parameter.kind == "int":
            continue
        if parameter.name in OF_THE_HOST or parameter.kind == "objects":
            return None
        if parameter.kind == "count":
            words.append((NUMBER, len(lists[0])))
        elif parameter.kind == "sizes":
            words.append((ARRAY, place(np.array([x.size for x in lists[0]], np.int64))))
        elif parameter.kind in ARRAY_KINDS:
            words.append((ARRAY, place(next(given))))
        elif parameter.kind in LIST_KINDS:
            lists.append(list(next(given)))
            words.append((LIST, *map(place, lists[-1])))
        elif parameter.kind == "float":
            words.append((ARRAY, place(np.array([next(given)], np.float64))))
        else:
            words.append((NUMBER, int(next(given))))
    ends = sorted((x.ctypes.data, x.ctypes.data + x.nbytes) for x in arrays if x.nbytes)
    apart = all(first[1] <= second[0] for first, second in itertools.pairwise(ends))
    return (words, arrays) if apart else None


def recorded(names: list[str]) -> tuple[list[Call], int]:
    """The calls of the kernels of rows, and of functions of numbers; and how many calls only this machine can run."""
    calls: list[Call] = []
    row, left_out = "", 0

    def call(kernel: Any, arguments: list[Any], units: int) -> int | None:
        nonlocal left_out
        described = words_of(kernel, arguments)
        before = [] if described is None else [x.copy() for x in described[1]]
        complete = iter(arguments)
        ends = {"first": 0, "last": units}
        passed = signature_of(kernel).passed_parameters
        answer = kernel(*[ends[p.name] if p.name in ends and p.kind == "int" else next(complete) for p in passed])
        if described is None:
            left_out += 1
        else:
            calls.append(Call(row, kernel, units, before, described[0], [x.copy() for x in described[1]]))
        return answer if answer is not None and answer >= 0 else None

    for name, launches, arrays, outputs in rows(names):
        row = name
        run_launches(launches, arrays, outputs, call=call)
    for name, kernel, arguments in numbers(names):
        row = name
        call(kernel, arguments, 0)
    return calls, left_out


def rows(names: list[str]) -> Iterator[tuple[str, Any, list[np.ndarray], list[np.ndarray]]]:
    """The launches of the rows of the tests of properties, with arrays."""
    from fastgrad._src.compiler.programs.lowering import launches_of_row
    from fastgrad._src.core.operation import TABLE
    from tests.kernels.every_property import PROPERTIES
    from tests.kernels.properties import results_of

    for known in PROPERTIES:
        if names and known.name not in names:
            continue
        for dtype in known.dtypes:
            for sizes in ((2, 3, 4, 5), (19, 7, 21, 2)):
                made, attributes = known.make(np.random.default_rng(1), dtype, *sizes[: known.sizes])
                arrays = [np.ascontiguousarray(x) for x in made]
                outputs = [np.zeros(y.shape, y.dtype) for y in results_of(known.name, arrays, attributes)]
                launches = launches_of_row(TABLE[known.name], arrays, outputs, attributes)
                if launches is not None and not launches.alias:
                    yield f"{known.name} {dtype} {sizes[: known.sizes]}", launches, arrays, outputs


def numbers(names: list[str]) -> Iterator[tuple[str, Any, list[Any]]]:
    """Functions of numbers in loops over hard ranges."""
    from tests.kernels.math import accuracy

    for dtype in map(np.dtype, accuracy.FLOATS):
        x = accuracy.numbers(dtype)[::17]
        x = x[~(np.abs(x) > FAR[dtype.name])].copy()
        for name, kernel in accuracy.KERNELS.items():
            if not names or name in names:
                yield f"{name} {dtype}", kernel[dtype], [x, np.zeros_like(x), x.size]


def objects(calls: list[Call], folder: Path) -> dict[int, int]:
    """Compiles the kernels of calls into `folder` as k0.o, k1.o ...; their numbers by identity."""
    from fastgrad._src.jit.compile import compile_kernel

    native.compile_for(MACHINE)
    compiled: dict[int, int] = {}
    for call in calls:
        if id(call.kernel) not in compiled:
            number = compiled[id(call.kernel)] = len(compiled)
            source = source_of(call.kernel)
            assert source is not None
            code, _ = compile_kernel(source, f"k{number}")
            assert struct.unpack("<H", code[18:20])[0] == 183, "not for ARM"
            (folder / f"k{number}.o").write_bytes(code)
    return compiled


def write(calls: list[Call], compiled: dict[int, int], path: Path) -> None:
    """Writes calls as `arm.c` reads them."""
    parts = [struct.pack("<q", len(calls))]
    for call in calls:
        parts.append(struct.pack("<3q", compiled[id(call.kernel)], call.units, len(call.before)))
        parts += [part for x in call.before for part in (struct.pack("<q", x.nbytes), x.tobytes())]
        parts.append(struct.pack("<q", len(call.words)))
        for kind, *values in call.words:
            parts.append(struct.pack("<q", kind))
            counted = [len(values), *values] if kind == LIST else values
            parts.append(struct.pack(f"<{len(counted)}q", *counted))
    path.write_bytes(b"".join(parts))


def different(call: Call, results: bytes, at: int) -> tuple[str, int]:
    """What differs in the results of a call, or nothing; and where those of the next one begin."""
    at += 8  # the answer
    texts = []
    for number, x in enumerate(call.after):
        y = np.frombuffer(results, x.dtype, x.size, at).reshape(x.shape)
        at += x.nbytes
        same = x.view(np.uint8) == y.view(np.uint8) if x.ndim else x == y
        if not np.all(same) and not np.array_equal(x, y, equal_nan=x.dtype.kind in "fc"):
            with np.errstate(all="ignore"):
                places = np.argwhere((x != y) & ~((x != x) & (y != y)))
            first = tuple(places[0])
            texts.append(f"array {number}: {len(places)} of {x.size}, here {x[first]!r}, ARM {y[first]!r} at {first}")
    return "; ".join(texts), at


def main(folder: Path, names: list[str]) -> None:
    """Records, compiles, runs and compares; the last line has the figures."""
    isa._TILE_HEIGHTS_WITH_16_REGISTERS = isa._TILE_HEIGHTS_WITH_32_REGISTERS  # the tiles of NEON
    compiler = os.fork()
    if not compiler:
        recorded(
            names
        )  # a process compiles for one machine: this one fills the cache with the kernels for this machine
        os._exit(0)
    assert os.waitpid(compiler, 0)[1] == 0
    calls, left_out = recorded(names)
    compiled = objects(calls, folder)
    write(calls, compiled, folder / "calls")
    symbols = [f"k{number}_step" for number in compiled.values()]
    table = "".join(f"int64_t {symbol}(void *, int64_t, int64_t);\n" for symbol in symbols)
    entries = f"const step kernels[] = {{{', '.join(symbols)}}};\n"
    source = (Path(__file__).parent / "arm.c").read_text(encoding="utf-8")
    (folder / "program.c").write_text(source + table + entries, encoding="utf-8")
    program = folder / "program"
    link = ["-O1", "-static", "-o", program, folder / "program.c", *[folder / f"k{n}.o" for n in compiled.values()]]
    # Symbols of Python are those of entries that are not called here.
    subprocess.run([COMPILER, *link, "-lm", "-Wl,--unresolved-symbols=ignore-all"], check=True)
    subprocess.run([EMULATOR, program, folder / "calls", folder / "results"], check=True)
    results, at, differ = (folder / "results").read_bytes(), 0, 0
    for call in calls:
        text, at = different(call, results, at)
        if text:
            differ += 1
            print(f"{call.row}: {full_name(call.kernel)}: {text}")
    assert at == len(results)
    print(f"kernels {len(compiled)} calls {len(calls)} different {differ} left out {left_out}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
