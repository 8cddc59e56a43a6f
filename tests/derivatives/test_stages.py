"""The rooms of `fastgrad._src.derivatives`, and where fastgrad uses the private parts of Numba."""

import ast
from pathlib import Path

import pytest

import fastgrad
import fastgrad._src.derivatives

pytestmark = pytest.mark.completeness

FOLDER = Path(fastgrad._src.derivatives.__file__).parent
PACKAGE = Path(fastgrad.__file__).parent / "_src"
PUBLIC = {"cuda", "extending", "typed", "types"}
"""The packages and modules of Numba that its manual describes; names of the package itself are public, too."""
PRIVATE_IN = {
    "cuda/codegen": ["numba_cuda.py"],
    "custom_operations": ["scalar_step.py"],
    "jit": [
        "checked_pointers.py",
        "frontend.py",
        "intrinsics.py",
        "numba_internals.py",
        "numba_registries.py",
        "numba_target.py",
        "phases.py",
    ],
}
"""The files that import private parts, by folder; docs/numba.md tells of them."""


def imported_modules(source):
    """Yields the dotted names of what a source imports: modules, and names of modules."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def is_private(name):
    """True for the dotted name of a private part of Numba: a name of one of its packages that the manual does not describe."""
    package, *names = name.split(".")
    if package != "numba" or not names:
        return False
    is_name_of_package = len(names) == 1 and not _is_module(names[0])
    return names[0].startswith("_") or not (names[0] in PUBLIC or is_name_of_package) or _is_private_cuda(names)


def _is_private_cuda(names):
    return names[0] == "cuda" and len(names) > 1 and names[1] != "extending"


def _is_module(name):
    import numba

    folder = Path(numba.__file__).parent
    return (folder / name).is_dir() or (folder / f"{name}.py").exists()


@pytest.mark.parametrize(
    ("source", "private"),
    [
        ("import numba", False),
        ("import numba as nb", False),
        ("from numba import njit, types", False),
        ("from numba.extending import overload", False),
        ("from numba.typed import List", False),
        ("from numba.core import ir", True),
        ("import numba.core.ir as ir", True),
        ("from numba.np.arrayobj import make_array", True),
        ("from numba.cpython.builtins import ol_isinstance", True),
        ("from numba.misc import dump_style", True),
        ("from numba.parfors import parfor", True),
        ("from numba.stencils.stencil import StencilFunc", True),
        ("from numba.experimental.jitclass import base", True),
        ("from numba import core", True),
        ("from numba import _helperlib", True),
        ("def f():\n    from numba.core import ir", True),
    ],
)
def test_the_guard_knows_private_parts(source, private):
    assert any(map(is_private, imported_modules(source))) == private


def test_private_parts_of_numba_are_imported_in_few_files():
    importing = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if any(map(is_private, imported_modules(path.read_text(encoding="utf-8")))):
            importing.setdefault(path.parent.relative_to(PACKAGE).as_posix(), []).append(path.name)
    assert importing == PRIVATE_IN


def test_the_readme_names_each_file_of_each_folder():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    files = [path for path in FOLDER.glob("*/*.py") if path.name != "__init__.py"]
    assert [path.name for path in files if f"`{path.name}`" not in text] == []
