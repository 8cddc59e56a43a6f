"""Environments with the lowest and with the newest dependencies, in which `python -m tests.reliability.machines` runs the suite."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from tests.selection import run_seed

ROOT = Path(__file__).parents[3]
MINOR_VERSIONS = range(11, 15)
"""The versions 3.x of Python that pyproject.toml takes."""


def project() -> dict[str, Any]:
    """The table `project` of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def requirements(python: str, extra: str = "test") -> list[Requirement]:
    """What fastgrad and one of its extras ask for under a version of Python, as `3.11`."""
    optional = project()["optional-dependencies"]
    todo = [Requirement(text) for text in [*project()["dependencies"], *optional[extra]]]
    needed = []
    for requirement in todo:
        if requirement.name == "fastgrad":
            todo += [Requirement(text) for name in sorted(requirement.extras) for text in optional[name]]
        elif requirement.marker is None or requirement.marker.evaluate({"python_version": python}):
            needed.append(requirement)
    return needed


def lowest(requirement: Requirement) -> str | None:
    """The lowest release of a requirement as a constraint of pip: `scipy==1.13.*`, or None without a lower bound."""
    versions = [part.version for part in requirement.specifier if part.operator in (">=", "==")]
    if not versions:
        return None
    numbers = versions[0].split(".")
    numbers += ["0"] * (2 - len(numbers))
    return f"{requirement.name}=={'.'.join(numbers)}{'.*' if len(numbers) == 2 else ''}"


def constraints(python: str) -> str:
    """Constraints of pip that choose the lowest dependencies."""
    return "".join(sorted({f"{line}\n" for line in map(lowest, requirements(python)) if line}))


def version_of(python: str) -> str:
    """The version of an interpreter, as `3.11`."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def pythons() -> dict[str, str]:
    """The Pythons of this machine that fastgrad takes: commands on the path, and those of pyenv, by version as `3.11`."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [f"python3.{minor}" for minor in MINOR_VERSIONS]
    candidates += sorted(str(path) for minor in MINOR_VERSIONS for path in versions.glob(f"3.{minor}.*/bin/python"))
    by_version: dict[str, str] = {}
    for python in [*candidates, sys.executable]:
        try:
            by_version.setdefault(version_of(python), python)
        except (OSError, subprocess.CalledProcessError):  # pyenv's commands exist for versions that are not chosen
            continue
    taken = [f"3.{minor}" for minor in MINOR_VERSIONS]
    return {version: by_version[version] for version in taken if version in by_version}


def drawn(others: list[str], seed: int) -> str:
    """One of some versions: for two of three seeds the first, the oldest that is supported, else one of the newer ones."""
    oldest, *newer = others
    return newer[seed // 3 % len(newer)] if newer and seed % 3 == 0 else oldest


def other_python() -> dict[str, str]:
    """One of `pythons` other than this one, which the commit's tree chooses; none if there is no other."""
    others = {version: python for version, python in pythons().items() if version != version_of(sys.executable)}
    if not others:
        return {}
    version = drawn([*others], run_seed())
    return {version: others[version]}


def make(python: str, dependencies: str, folder: Path) -> Path:
    """Makes an environment with the `lowest` or the `newest` dependencies, and returns its Python."""
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    here = folder / "bin" / "python"
    subprocess.run([python, "-m", "venv", "--clear", str(folder)], check=True, env=environment)
    install = [str(here), "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, "--upgrade", "pip"], check=True, env=environment)
    more = []
    if dependencies == "lowest":
        chosen = folder / "lowest.txt"
        chosen.write_text(constraints(version_of(python)), encoding="utf-8")
        more = ["--constraint", str(chosen)]
    subprocess.run([*install, "--editable", ".[test]", *more], check=True, cwd=ROOT, env=environment)
    return here
