"""tools/package_graph.py: which packages import which, in docs/design.md."""

import ast
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


def test_imports_have_their_kinds():
    text = "import a\nif TYPE_CHECKING:\n    from b import c\ndef f():\n    from d import e\nclass G:\n    import h\n"
    imports = sorted(TOOL["imports_of_file"](ast.parse(text)))
    assert imports == [(0, "a"), (0, "h"), (1, "d.e"), (2, "b.c")]


def test_circles_are_found():
    edges = {"a": {"b"}, "b": {"c", "e"}, "c": {"a"}, "d": {"a"}, "e": {"f"}, "f": {"e"}, "g": set()}
    assert TOOL["circles"](edges) == [["a", "b", "c"], ["e", "f"]]


def test_no_files_import_each_other_when_they_are_loaded(capsys):
    TOOL["main"](["--circles"])
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == [f"circles of files {kind}:" for kind in TOOL["KINDS"][:2]]
