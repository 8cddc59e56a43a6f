"""The scenes of `every_kernel` use every kernel of the library."""

import json

import pytest

from fastgrad._src.jit.bounds import checks_bounds
from tests.kernels import every_kernel
from tests.kernels.process import run_python

pytestmark = pytest.mark.skipif(
    checks_bounds(), reason="checked builds use the same kernels, and compile as long again"
)

WITHOUT_INSTRUCTION = ["products_of_bfloat16"]
"""The scenes of the kernels that are there for processors without an instruction for bfloat16."""


def unused_kernels(path, scenes, **variables):
    """The kernels that scenes do not use in a process with these environment variables."""
    variables = {"FASTGRAD_NUM_THREADS": "1", "FASTGRAD_QUIET": "1", **variables}
    run = run_python("-m", "tests.kernels.every_kernel", str(path), *scenes, timeout=1200, **variables)
    assert run.returncode == 0, run.stderr
    return set(json.loads(path.read_text()))


def test_a_scene_uses_every_kernel(tmp_path):
    """Without the instruction for bfloat16 all kernels are others, so few are asked for."""
    scenes = [scene.__name__ for scene in every_kernel.SCENES if scene.__name__ not in WITHOUT_INSTRUCTION]
    unused = unused_kernels(tmp_path / "most", scenes)
    assert unused & unused_kernels(tmp_path / "few", WITHOUT_INSTRUCTION, FASTGRAD_BFLOAT16="0") == set()
