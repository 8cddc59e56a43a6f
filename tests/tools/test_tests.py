"""Every test asserts something, and what tests share is in modules that are no tests."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.completeness

TESTS = Path(__file__).resolve().parents[1]
ASSERTING_NAME = re.compile(r"assert|^(raises|warns|deprecated_call|fail)$", re.IGNORECASE)


@cache
def trees():
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in TESTS.rglob("*.py")}


@cache
def functions():
    """The functions and methods of all tests by name."""
    named = defaultdict(list)
    for tree in trees().values():
        for node in tree.body:
            for function in node.body if isinstance(node, ast.ClassDef) else [node]:
                if isinstance(function, ast.FunctionDef):
                    named[function.name].append(function)
    return named


@cache
def facts(function):
    """Whether a function has an assertion of its own, and the names that it calls."""
    own, called = False, set()
    for node in ast.walk(function):
        if isinstance(node, ast.Name | ast.Attribute):
            own = own or bool(ASSERTING_NAME.search(getattr(node, "id", None) or node.attr))
        elif isinstance(node, ast.Call):
            holder = getattr(node.func, "value", None)
            if isinstance(node.func, ast.Name):
                called.add(node.func.id)
            elif isinstance(holder, ast.Name) and holder.id in {"self", "rows"}:
                called.add(node.func.attr)
        is_checked_process = isinstance(node, ast.keyword) and ast.unparse(node) == "check=True"
        own = own or is_checked_process or isinstance(node, ast.Assert)
    return own, called


def has_assertion(function):
    """True if a function, or one that it calls, has an assertion."""
    seen, pending = set(), [function]
    while pending:
        own, called = facts(pending.pop())
        if own:
            return True
        for name in called - seen:
            pending += functions().get(name, [])
        seen |= called
    return False


def in_modules_and_classes(body):
    """The test functions that pytest collects."""
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from in_modules_and_classes(node.body)
        elif isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node


def test_every_test_asserts_something():
    silent = [
        f"{path.relative_to(TESTS)}:{test.lineno}: {test.name}"
        for path, tree in trees().items()
        if path.name.startswith("test_")
        for test in in_modules_and_classes(tree.body)
        if not has_assertion(test)
    ]
    assert silent == []


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_nothing_is_imported_from_test_modules():
    modules = {path.stem for path in trees() if path.name.startswith("test_")}
    suspected = re.compile(r"import .*\btest_|from .*\btest_\w+ import")
    found = [
        f"{path.relative_to(TESTS)}: {name}"
        for path, tree in trees().items()
        if suspected.search(path.read_text(encoding="utf-8"))
        for name in imported(tree)
        if name.rpartition(".")[2] in modules
    ]
    assert found == []
