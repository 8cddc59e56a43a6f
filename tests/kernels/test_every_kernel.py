"""Every kernel gives the same bits compiled and as plain Python (`NUMBA_DISABLE_JIT`)."""

import pickle

import pytest

from fastgrad._src.jit.bounds import checks_bounds
from tests.kernels import every_kernel
from tests.kernels.process import run_python

pytestmark = pytest.mark.skipif(
    checks_bounds(), reason="compares the builds that are not checked; others compile as long again"
)


SCENES = [scene.__name__ for scene in every_kernel.SCENES]


def outcome(path, scenes, **variables):
    """What a process gives, and which kernels it has and has used."""
    variables = {"FASTGRAD_NUM_THREADS": "1", "FASTGRAD_QUIET": "1", **variables}
    run = run_python("-m", "tests.kernels.every_kernel", str(path), *scenes, timeout=1200, **variables)
    assert run.returncode == 0, run.stderr
    return pickle.loads(path.read_bytes())


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return outcome(tmp_path_factory.mktemp("plain") / "results", SCENES, NUMBA_DISABLE_JIT="1")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The results of compiled kernels. Without the instruction for bfloat16 all kernels are others, so few are asked for."""
    folder = tmp_path_factory.mktemp("compiled")
    of_instruction = "products_of_bfloat16"
    results = outcome(folder / "results", [name for name in SCENES if name != of_instruction])["results"]
    return results | outcome(folder / "few", [of_instruction], FASTGRAD_BFLOAT16="0")["results"]


def test_every_kernel_runs_as_plain_python(plain):
    assert plain["unused"] == set()


def test_results_have_the_bits_of_compiled_kernels(plain, compiled):
    assert plain["results"].keys() == compiled.keys()
    assert [name for name, bits in plain["results"].items() if bits != compiled[name]] == []
