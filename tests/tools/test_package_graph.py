"""tools/package_graph.py: which packages import which, in docs/design.md."""

import runpy
from pathlib import Path

import pytest

TOOL = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "package_graph.py"))


@pytest.mark.completeness
def test_the_page_is_what_the_tool_writes():
    assert TOOL["rewritten"]() == TOOL["PAGE"].read_text(encoding="utf-8"), "run make package-graph"


def test_a_package_is_above_those_that_it_imports():
    layers = TOOL["layers_of"]({"core": {"jit"}, "ops": {"core", "jit"}, "jit": set(), "scalars": set()})
    assert layers == {"jit": 1, "scalars": 1, "core": 2, "ops": 3}


def test_a_circle_is_refused():
    with pytest.raises(ValueError, match=r"import each other: \['a', 'b'\]"):
        TOOL["layers_of"]({"a": {"b"}, "b": {"a"}, "c": set()})
