"""What the programs of the table must give, recorded: `make record` records the modules that have changed. It needs no TensorFlow for these.

For each call Numba computes what Python does in extended precision, and the gradients by differences are certain: both are checked before they
are recorded. So tests of derivatives compare with numbers that are right, and need not compute them again.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Collection
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.derivatives import central
from tests.derivatives.interpreted import run_derivative
from tests.derivatives.plain_python import INTERPRETED
from tests.derivatives.table import Program, active, all_programs, copy_of

FOLDER = Path(__file__).parent
FILE = FOLDER / "recorded.json"
READ_BY_ALL = ("table.py", "central.py")


def digest(module: str) -> str:
    """Returns the hash of all that the numbers of a module's programs follow from."""
    paths = [FOLDER / "programs" / f"{module}.py", *[FOLDER / name for name in READ_BY_ALL]]
    return sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()


@cache
def recorded() -> dict[str, Any]:
    """Returns the record: for each module its digest, the references by call, and the calls that store snapshots of loops."""
    content: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return content


def reference(program: Program, place: int) -> central.Reference:
    """Returns the gradients of a call by differences, and bounds of their errors; recorded ones if nothing has changed."""
    module, arguments = program.tags[0], program.cases[place]
    record = recorded().get(module)
    if record is None or record["digest"] != digest(module):
        return central.reference(program.function, arguments, active(arguments))
    gradients, errors = record["references"][f"{program.name} {place}"]
    return central.Reference(tuple(map(_array, gradients)), tuple(map(_array, errors)))


def has_snapshots(name: str, place: int) -> bool:
    """True if the gradient of a call stores snapshots of a loop, if they need no memory."""
    record = recorded().get(name.partition(".")[0], {})
    return f"{name} {place}" in record.get("with_snapshots", ())


def check(program: Program, place: int) -> central.Reference | None:
    """Returns the gradients of a call by differences, after the program and they were checked; None where differences can't tell them.

    Raises:
        AssertionError: Numba and Python differ, or the gradients are not certain.
    """
    arguments = program.cases[place]
    what = f"{program.name} {place}"
    result = program.function(*map(copy_of, arguments))
    if not program.refused:
        assert isinstance(result, float | np.floating), what
        assert math.isfinite(result), what
        assert active(arguments), what
        expected = float(central.value(program.function, arguments))
        tolerance = 1e-5 if program.is_single(place) else 1e-11
        assert abs(result - expected) <= max(tolerance * abs(expected), 1e-11), (what, result, expected)
    if program.refused or program.kink or program.written(place) is not None:
        return None
    found = central.reference(program.function, arguments, active(arguments))
    for position, gradient, error in zip(active(arguments), found.gradients, found.errors, strict=True):
        assert np.shape(gradient) == np.shape(arguments[position]), what
        assert np.all(np.isfinite(gradient)), what
        assert np.all(error <= 1e-9 * (1 + abs(gradient))), what
    return found


def record_of(module: str, programs: list[Program]) -> dict[str, Any]:
    """Returns the record of a module, after its programs were checked."""
    references, with_snapshots = {}, []
    for program in programs:
        for place in range(len(program.cases)):
            found = check(program, place)
            if found is not None:
                references[f"{program.name} {place}"] = [list(map(_numbers, part)) for part in found]
            if program.refused is False and _stores_snapshots(program, place):
                with_snapshots.append(f"{program.name} {place}")
    return {"digest": digest(module), "references": references, "with_snapshots": with_snapshots}


def _stores_snapshots(program: Program, place: int) -> bool:
    calls: list[int] = []
    with pytest.MonkeyPatch.context() as patch, np.errstate(all="ignore"):
        patch.setenv("FASTGRAD_CHECKPOINT_BYTES", "0")
        patch.setitem(INTERPRETED, "snapshot_slots", lambda *_: calls.append(1) or 1)
        try:
            run_derivative(
                program.function, tuple(map(copy_of, program.cases[place])), 1.0, active(program.cases[place])
            )
        except Exception as error:  # noqa: BLE001  # refused, or Python raises where compiled code does not
            print(f"{program.name}: {error}", file=sys.stderr)
            return False
    return bool(calls)


def _numbers(value: Any) -> Any:
    """Returns numbers that JSON has: pairs for complex ones."""
    array = np.asarray(value)
    if array.dtype.kind == "c":
        return {"complex": np.stack([array.real, array.imag], -1).astype(np.float64).tolist()}
    return array.astype(np.float64).tolist()


def _array(numbers: Any) -> Any:
    if isinstance(numbers, dict):
        pairs = np.asarray(numbers["complex"])
        return (pairs[..., 0] + 1j * pairs[..., 1])[()]
    return np.asarray(numbers, np.float64)[()]


def programs_of_modules() -> dict[str, list[Program]]:
    """Returns the programs of each module, in alphabetical order of modules."""
    by_module: dict[str, list[Program]] = {}
    for program in all_programs().values():
        by_module.setdefault(program.tags[0], []).append(program)
    return dict(sorted(by_module.items()))


def asked() -> dict[str, set[str]]:
    """Returns the digest of each module: its calls are recorded together."""
    return {module: {f"digest {digest(module)}"} for module in programs_of_modules()}


def answered() -> dict[str, set[str]]:
    """Returns the digest with which each module was recorded."""
    return {module: {f"digest {record['digest']}"} for module, record in recorded().items()}


def record(files: Collection[str], *, again: bool) -> None:
    """Records modules."""
    content = {
        module: record_of(module, programs) if module in files else recorded()[module]
        for module, programs in programs_of_modules().items()
    }
    lines = [f'"{name}": {json.dumps(part)}' for name, part in content.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
