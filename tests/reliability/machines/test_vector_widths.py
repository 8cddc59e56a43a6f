"""The bits of results are the same for every width of vectors (`FASTGRAD_LANES`), whatever the machine has."""

import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys

import pytest

from tests.kernels.convolution import convolutions
from tests.kernels.gemm import products
from tests.reliability.machines.programs import digests

ROOT = pathlib.Path(__file__).parents[3]


def digests_elsewhere(full, *, command=(), **environment):
    """The hashes of a process of its own, which may be emulated."""
    code = f"import json; from tests.reliability.machines.programs import digests; print(json.dumps(digests({full})))"
    run = subprocess.run(
        [*command, sys.executable, "-c", code],
        env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=3000,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout)


@pytest.mark.parametrize("lanes", [4, 8, 16])
def test_bits_do_not_depend_on_the_width_of_vectors(lanes, full, figure):
    expected = digests(full)
    found = digests_elsewhere(full, FASTGRAD_LANES=str(lanes))
    assert [name for name in expected if found[name] != expected[name]] == []
    figure("kernels compared with other widths of vectors", len(expected))


@pytest.mark.skipif(
    shutil.which("qemu-x86_64") is None or platform.machine() != "x86_64", reason="needs qemu-x86_64 (qemu-user)"
)
def test_bits_are_those_of_a_processor_with_avx2_and_without_avx512(full, figure, tmp_path):
    """Which qemu emulates: an instruction of AVX-512 would end the process."""
    if not full:
        pytest.skip("the emulated process compiles for minutes: the long form runs it")
    expected = digests(False)
    found = digests_elsewhere(
        False,
        command=("qemu-x86_64", "-cpu", "Haswell-noTSX"),
        FASTGRAD_CACHE_DIR=str(tmp_path),
        FASTGRAD_NUM_THREADS="1",
    )
    assert [name for name in expected if found[name] != expected[name]] == []
    figure("kernels compared with those of an emulated processor with AVX2 only", len(expected))


def test_bits_are_those_of_the_tiles_for_neon(tmp_path, full):
    """Which have 16 bytes a vector, 32 registers and no masks: LLVM makes them of what the machine has."""
    if not full:
        pytest.skip("it compiles every product and convolution of their tests: the long form runs it")
    code = (
        "from fastgrad._src.jit import isa\n"
        "isa._TILE_HEIGHTS_WITH_16_REGISTERS = isa._TILE_HEIGHTS_WITH_32_REGISTERS\n"
        "machine = isa.host_isa()\n"
        "assert (machine.vector_bytes, len(machine.heights), machine.masks) == (16, 4, False), machine\n"
        "from tests.kernels.gemm.products import digest\n"
        "from tests.kernels.convolution.convolutions import hash_of_results\n"
        "print(digest(), hash_of_results())"
    )
    more = {"FASTGRAD_LANES": "4", "FASTGRAD_CACHE_DIR": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **more, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert run.stdout.split() == [products.digest(), convolutions.hash_of_results()], run.stderr


def test_loops_have_vectors_as_wide_as_the_machine_has():
    """LLVM alone would take half of them on this processor."""
    code = (
        "from fastgrad._src.jit import isa, native\n"
        "native.compile_for(native.Machine('x86_64-unknown-linux-gnu', 'cascadelake', '+avx512f,+avx512vl'))\n"
        "print(isa.features_for_loops())"
    )
    for lanes, wanted in (("", "-prefer-256-bit"), ("8", "+prefer-256-bit")):
        run = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "FASTGRAD_LANES": lanes, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=600,
        )
        assert wanted in run.stdout.strip().split(",")
