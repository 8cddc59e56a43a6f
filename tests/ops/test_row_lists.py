"""The operation table is the only list of operations: the compiler asks rows for their properties, not for their names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import fastgrad
from fastgrad import linalg, nn, random  # noqa: F401  # whose rows are in the table once they are imported
from fastgrad.core.operation import TABLE

FOLDERS = ("compiler/passes", "compiler/control_flow")
SOURCE = Path(fastgrad.__file__).parent


def lists_of_rows(text: str) -> Iterator[str]:
    """The sets, dicts, tuples, lists and patterns of a source text that hold the names of two rows or more."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Set | ast.Tuple | ast.List):
            items: list[ast.AST | None] = [*node.elts]
        elif isinstance(node, ast.Dict):
            items = [*node.keys, *node.values]
        elif isinstance(node, ast.MatchOr):
            items = [pattern.value for pattern in node.patterns if isinstance(pattern, ast.MatchValue)]
        else:
            continue
        names = [item.value for item in items if isinstance(item, ast.Constant) and item.value in TABLE]
        if len(names) > 1:
            yield f"line {node.lineno}: {names}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_file_of_the_compiler_has_a_list_of_rows(folder: str) -> None:
    files = sorted((SOURCE / folder).glob("*.py"))
    assert files
    assert [f"{path.name}, {rows}" for path in files for rows in lists_of_rows(path.read_text())] == []


@pytest.mark.parametrize(
    "text",
    [
        "frozenset({'tanh', 'sigmoid'})",
        "{'gelu': 'gelu_slope'}",
        "name in ('abs', 'other', 'negative')",
        "ROWS = ['concat', 'stack']",
        "match name:\n    case 'concat' | 'stack':\n        pass",
    ],
)
def test_a_list_of_rows_is_found(text: str) -> None:
    assert len(list(lists_of_rows(text))) == 1


@pytest.mark.parametrize("text", ["TABLE['tanh']", "{'axis', 'tanh'}", "(name == 'concat', name == 'stack')", "[1, 2]"])
def test_single_names_are_not_lists(text: str) -> None:
    assert list(lists_of_rows(text)) == []
