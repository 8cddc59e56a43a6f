"""The rooms of `fastgrad.differentiation`: which parts of Numba it uses, and where."""

import re
from pathlib import Path

import pytest

import fastgrad.differentiation

pytestmark = pytest.mark.completeness

FOLDER = Path(fastgrad.differentiation.__file__).parent


def test_undocumented_parts_of_numba_are_imported_in_one_file():
    importing = [
        path.relative_to(FOLDER).as_posix()
        for path in FOLDER.rglob("*.py")
        if re.search(r"^\s*(from|import) numba\.(core|np)\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert importing == ["runtime/numba_internals.py"]


def test_the_readme_names_each_file_of_each_folder():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    files = [path for path in FOLDER.glob("*/*.py") if path.name != "__init__.py"]
    assert [path.name for path in files if f"`{path.name}`" not in text] == []
