"""The programs of README.md and of the pages in docs/ run, and print what the pages say they print."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
READMES = sorted((ROOT / "src").rglob("*.md"))

_PROGRAM = re.compile(r"^```python\n(.*?)^```\n(?:\n*^```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#]+)[^)]*\)")
_PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]+)`")
_NEW_FILES = {
    "data/every.py",
    "keras/layers/scale.py",
    "keras/optimizers/sign_descent.py",
    "kernels/movement/mirroring.py",
}
"""The files that someone who follows a recipe of CONTRIBUTING.md makes."""
_MADE = {"site/docs", "site/index.html", "plugins/profile/TIME/HOST.trace.json.gz"}
"""What commands write, and a profile of a user."""

PROGRAMS = [
    pytest.param(program, output, id=f"{page.name}-{number}")
    for page in PAGES
    for number, (program, output) in enumerate(_PROGRAM.findall(page.read_text(encoding="utf-8")), start=1)
]


@pytest.mark.parametrize(("program", "output"), PROGRAMS)
def test_a_program_runs_and_prints_what_follows(program, output, tmp_path):
    filters = ["-W", "error"]
    for package in ("pymc", "nutpie"):
        if f"import {package}" in program:
            if importlib.util.find_spec(package) is None:
                pytest.skip(f"{package} is not installed: pip install fastgrad[pymc]")
            filters = []  # ArviZ warns of its own next version when it is imported
    for peer, extra in (("torch", "torch"), ("jax", "jax"), ("iminuit", "fits")):
        if f"import {peer}\n" in program and importlib.util.find_spec(peer) is None:
            pytest.skip(f"{peer} is not installed: pip install fastgrad[{extra}]")
    finished = subprocess.run(
        [sys.executable, *filters, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == output


def test_the_readme_has_a_program_of_about_fifteen_lines():
    program = PROGRAMS[0].values[0]
    assert PROGRAMS[0].id == "README.md-1"
    assert len([line for line in program.splitlines() if line.strip()]) <= 15


@pytest.mark.parametrize("page", [*PAGES, *READMES], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_that_are_there(page):
    targets = [target for target in _LINK.findall(page.read_text(encoding="utf-8")) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", [*PAGES, *READMES], ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_are_those_of_files_and_folders(page):
    """A word in capitals stands for any name."""
    source = ROOT / "src" / "fastgrad" / "_src"
    folders = [ROOT, source, source.parent, page.parent, page.parent.parent]
    missing = [
        path
        for path in set(_PATH.findall(page.read_text(encoding="utf-8"))) - _MADE
        if not any(any(folder.glob(re.sub("[A-Z]{3,}", "*", path))) for folder in folders)
    ]
    assert {*missing} == (_NEW_FILES if page.name == "CONTRIBUTING.md" else set())
