"""The public modules: each takes its names from `fastgrad._src` and defines nothing."""

import ast
from pathlib import Path

import pytest

import fastgrad
from tools import name_reasons

pytestmark = pytest.mark.completeness

FOLDER = Path(fastgrad.__file__).parent
FILES = sorted(path for path in FOLDER.rglob("*.py") if "_src" not in path.relative_to(FOLDER).parts)


def defines(node):
    """True for a statement that makes something: neither a docstring, an import, another name, nor a table of late imports."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return False
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant | ast.Call)
    if isinstance(node, ast.If):
        return any(map(defines, node.body))
    if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
        return True
    (target,) = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
    names = [element.id for element in getattr(target, "elts", [target])]
    is_hook = names == ["__getattr__", "__dir__"]
    is_table = names[0].startswith("_") and not any(isinstance(part, ast.Lambda) for part in ast.walk(node.value))
    return not (is_hook or is_table or names == ["__all__"] or isinstance(node.value, ast.Name | ast.Constant))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_a_public_module_defines_nothing(path):
    statements = ast.parse(path.read_text(encoding="utf-8")).body
    assert [ast.unparse(node) for node in statements if defines(node)] == []


def test_definitions_are_told_apart():
    source = """if True:
        def f(): ...
        class C: ...
        x = [1]
        _f = lambda: 1
        for y in (): pass
        """
    assert all(map(defines, ast.parse(source).body[0].body))


def test_the_folder_has_public_modules_alone():
    folders = {path.name for path in FOLDER.iterdir() if path.is_dir()} - {"__pycache__", "_src"}
    names = {path.stem for path in FOLDER.glob("*.py")} - {"__init__", "__main__"}
    # Programs, and bridges, which need other packages. An import by another test makes them attributes.
    others = {"as_tensorflow", "differentiate", "jax", "pytensor", "torch"}
    assert (folders | names) - (set(dir(fastgrad)) - others) == others


def test_public_names_have_a_reason():
    """A program, a page, a saved model or other code uses each: tools/name_reasons.py tells the reasons."""
    assert not name_reasons.names_without_reason()
