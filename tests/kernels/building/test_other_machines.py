"""Object code for a machine that this one is not: kernels are compiled for one with NEON."""

import os
import pathlib
import struct
import subprocess
import sys

import llvmlite.binding as llvm
import pytest

TRIPLE = "aarch64-unknown-linux-gnu"
PROGRAM = f"""
import importlib, pkgutil, sys, time
import fastgrad.kernels
from fastgrad.kernels.building import build, native

native.compile_for(native.Machine({TRIPLE!r}, "neoverse-n1", "+neon"))
found = {{}}
for module in pkgutil.walk_packages(fastgrad.kernels.__path__, "fastgrad.kernels."):
    if not module.ispkg and module.name.removeprefix("fastgrad.kernels.").startswith(tuple(sys.argv[1:])):
        values = vars(importlib.import_module(module.name)).values()
        found.update((id(value), value) for value in values if isinstance(value, build.Kernel))
for kernel in found.values():
    types = {{name: dtypes[0].name for name, dtypes in kernel.variables.items()}}
    numbers = tuple(None if p.element is None else 0 for p in kernel.signature.parameters)
    start = time.perf_counter()
    code, symbols = build._compile(kernel, types, "entry", numbers)
    print(kernel.__name__, code[:20].hex(), len(symbols), round(time.perf_counter() - start, 3))
"""


def _has_the_target():
    try:
        llvm.initialize_all_targets()
        llvm.Target.from_triple(TRIPLE)
    except RuntimeError:
        return False
    return True


@pytest.mark.skipif(not _has_the_target(), reason=f"this LLVM makes no code for {TRIPLE}")
@pytest.mark.parametrize(
    ("modules", "least"),
    [
        (("products.gemm", "products.pairs", "reducing.softmax", "running.driver", "drawing.random"), 15),
        pytest.param(("",), 150, marks=pytest.mark.thorough),
    ],
    ids=["some", "all"],
)
def test_kernels_become_code_for_neon(modules, least):
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, *modules],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "FASTGRAD_QUIET": "1"},
        cwd=pathlib.Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    lines = [line.split() for line in run.stdout.splitlines()]
    assert len(lines) >= least
    for name, head, *_ in lines:
        elf, machine = bytes.fromhex(head)[:4], struct.unpack("<H", bytes.fromhex(head)[18:20])[0]
        assert (elf, machine) == (b"\x7fELF", 183), name
