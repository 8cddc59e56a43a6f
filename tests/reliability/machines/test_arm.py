"""Kernels for ARM: compiled to object code, and run where qemu emulates the processor."""

import os
import pathlib
import shutil
import struct
import subprocess
import sys

import llvmlite.binding as llvm
import pytest

from tests.reliability.machines import arm

TRIPLE = "aarch64-unknown-linux-gnu"
PROGRAM = f"""
import importlib, pkgutil, sys, time
import fastgrad._src.kernels
from fastgrad._src.jit import build, native

native.compile_for(native.Machine({TRIPLE!r}, "neoverse-n1", "+neon"))
found = {{}}
for module in pkgutil.walk_packages(fastgrad._src.kernels.__path__, "fastgrad._src.kernels."):
    if not module.ispkg and module.name.removeprefix("fastgrad._src.kernels.").startswith(tuple(sys.argv[1:])):
        values = vars(importlib.import_module(module.name)).values()
        found.update((id(value), value) for value in values if isinstance(value, build.Kernel))
for kernel in found.values():
    types = {{name: dtypes[0].name for name, dtypes in kernel.variables.items()}}
    start = time.perf_counter()
    code, symbols = build._compile(kernel._source(types), "entry")
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
def test_kernels_become_code_for_neon(full, figure):
    some = ("gemm.gemm", "gemm.pairs", "reduction.softmax", "runtime.driver", "random.random")
    modules, least = (("",), 150) if full else (some, 15)
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, *modules],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "FASTGRAD_QUIET": "1"},
        cwd=pathlib.Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
        timeout=3000,
    )
    assert run.returncode == 0, run.stderr
    lines = [line.split() for line in run.stdout.splitlines()]
    assert len(lines) >= least
    for name, head, *_ in lines:
        elf, machine = bytes.fromhex(head)[:4], struct.unpack("<H", bytes.fromhex(head)[18:20])[0]
        assert (elf, machine) == (b"\x7fELF", 183), name
    figure("kernels compiled for ARM", len(lines))


@pytest.mark.skipif(
    not _has_the_target() or None in map(shutil.which, (arm.COMPILER, arm.EMULATOR)),
    reason=f"needs {arm.COMPILER} and {arm.EMULATOR} (gcc-aarch64-linux-gnu, libc6-dev-arm64-cross, qemu-user)",
)
def test_kernels_give_the_same_bits_on_an_emulated_arm_processor(full, figure, tmp_path):
    """The launches of the rows of the tests of properties, and functions of numbers; few of them in the short form."""
    rows = () if full else ("exp", "tanh", "cumsum", "reduce_sum", "cumulative_logsumexp", "one_hot")
    run = subprocess.run(
        [sys.executable, "-m", "tests.reliability.machines.arm", tmp_path, *rows],
        env={
            **os.environ,
            "FASTGRAD_LANES": "4",
            "FASTGRAD_BFLOAT16": "0",
            "FASTGRAD_NUM_THREADS": "1",
            "FASTGRAD_CACHE_DIR": str(tmp_path),
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        cwd=pathlib.Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
        timeout=3000,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    *differences, last = run.stdout.splitlines()
    assert differences == []
    figure("kernels run on an emulated ARM processor", int(last.split()[1]))
    figure("calls of kernels on an emulated ARM processor, bits compared", int(last.split()[3]))
