"""Operations are said once, in their rows: the code that works on rows holds no list of their names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import fastgrad as tf
from fastgrad import linalg, nn, random  # noqa: F401  # whose rows are in the table once they are imported
from fastgrad._src.core.operation import TABLE

SOURCE = Path(tf.__file__).parent / "_src"
FOLDERS = ("compiler", "jit", "kernels", "cuda")
DISPLAYS = (ast.Set, ast.Dict, ast.Tuple, ast.List, ast.MatchOr)
# By file: the list's names that are those of rows by chance.
ALLOWED = {
    "compiler/fusion/scalar_code.py": "the functions of scalar expressions, which rows write in their code",
    "compiler/dispatch/function_source.py": "methods of Python's lists",
    "compiler/dispatch/function_type.py": "TensorFlow's names of the types of operations",
    "compiler/recording/scalar.py": "Python's operators",
    "jit/external_symbols.py": "functions of the C library",
    "kernels/gemm/dense.py": "values of the attribute `activation`, which choose a kernel",
}


def _names(display: ast.AST) -> set[str]:
    """Returns the row names among the elements, keys and values of a display, but not of displays inside it."""
    if isinstance(display, ast.MatchOr):
        parts = [getattr(pattern, "value", None) for pattern in display.patterns]
    else:
        parts = [*display.keys, *display.values] if isinstance(display, ast.Dict) else getattr(display, "elts", [])
    return {part.value for part in parts if isinstance(part, ast.Constant) and part.value in TABLE}


def _lists_of_names(source: str) -> list[set[str]]:
    """Returns the row names of each set, dict, tuple and list of a module that has at least two of them."""
    displays = [node for node in ast.walk(ast.parse(source)) if isinstance(node, DISPLAYS)]
    return [names for names in map(_names, displays) if len(names) > 1]


def _files_with_lists() -> Iterator[tuple[str, list[set[str]]]]:
    for folder in FOLDERS:
        for path in sorted((SOURCE / folder).rglob("*.py")):
            lists = _lists_of_names(path.read_text(encoding="utf-8"))
            if lists:
                yield path.relative_to(SOURCE).as_posix(), lists


def test_no_file_but_those_of_rows_lists_operations_by_name():
    files = dict(_files_with_lists())
    assert {name: lists for name, lists in files.items() if name not in ALLOWED} == {}
    assert files.keys() == ALLOWED.keys()  # else a reason is out of date


@pytest.mark.parametrize(
    "text",
    [
        "{'add', 'exp'}",
        "f(x) in ('add', 'exp')",
        "{'add': 1, 'exp': 2}",
        "{1: 'add', 2: 'exp'}",
        "match x:\n    case 'add' | 'exp':\n        pass",
    ],
)
def test_lists_are_found(text):
    assert _lists_of_names(text) == [{"add", "exp"}]


@pytest.mark.parametrize("text", ["['add', 'no row']", "f('add', 'exp')", "[['add'], ['exp']]", "{'add'}"])
def test_single_names_and_other_words_are_no_lists(text):
    assert _lists_of_names(text) == []
