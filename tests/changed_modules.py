"""Which test modules depend on files that have changed since they passed: `pytest --if-changed`.

A test module depends on the files of `tests` that it imports, on their neighbours that are no Python, and on folders of cases
below them. It depends on the parts of src/fastgrad that these files name, with all that the parts import, also where that waits
until a name is asked for. A part is a folder or a module directly in src/fastgrad. Each module depends on what `import fastgrad` loads. A file that searches folders, or asks where
the package is, depends on all parts: it may read each file of them.
When a run passes, it leaves a file for each of its modules, whose name is a digest of what the module depends on.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest
from platformdirs import user_cache_path

import fastgrad

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "src" / "fastgrad"
TESTS = ROOT / "tests"
SETTINGS = ("FASTGRAD_CHECK_BOUNDS", "FASTGRAD_LANES")
"""The variables that make a run another one."""
COMMON = frozenset(
    TESTS / name for name in ("conftest.py", "sampling.py", "changed_modules.py", "reliability/figures.py")
)
"""The files that all test modules depend on. What they import themselves serves a few tests, which import it, too."""
LOADED = ("core", "ops", "kernels", "compiler")
"""Parts that `import fastgrad` loads, or that run what it records."""


def cache_folder(name: str) -> Path:
    """Returns the path of a folder that all runs and clones of a user share."""
    return user_cache_path("fastgrad-tests") / name


_IMPORT = re.compile(r"^ *from +([.\w]+) +import +(?:\(([^)]*)\)|(.*))|^ *import +([.\w]+)", re.MULTILINE)
_SEARCHES = re.compile(r"\brglob\(|\b(?:tf|fg|fastgrad)\.__file__|\b(?:iter_modules|walk_packages)\(")
_ATTRIBUTE = re.compile(r"\b(?:tf|fg|fastgrad)\.(\w+)")


def _imports(text: str) -> list[tuple[str, list[str]]]:
    """Returns the modules that a text imports, or imports from, and the names that it imports from them."""
    return [
        (origin or module, re.findall(r"\w+", within or line)) for origin, within, line, module in _IMPORT.findall(text)
    ]


def _parts_in(module: str, names: list[str]) -> list[str]:
    """Returns the parts of src/fastgrad of an import."""
    first, *rest = module.split(".")
    return [] if first != "fastgrad" else rest[:1] or names


def _lazy_parts(text: str) -> set[str]:
    """Returns the parts of src/fastgrad that a public namespace imports when one of its names is asked for."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_MODULE_OF_LAZY_NAME":
            return {module.partition(".")[0] for module in ast.literal_eval(node.value).values()}
    return set()


@cache
def parts() -> dict[str, frozenset[str]]:
    """Returns the parts of src/fastgrad, and for each the parts that it imports, itself included."""
    imported: dict[str, set[str]] = {}
    for path in SOURCES.rglob("*.py"):
        part = path.relative_to(SOURCES).parts[0].removesuffix(".py")
        text = path.read_text("utf-8")
        imported.setdefault(part, {part}).update(
            _lazy_parts(text), (name for module, names in _imports(text) for name in _parts_in(module, names))
        )
    names = set(imported) - {"__init__"}

    def closure(part: str) -> frozenset[str]:
        reached, waiting = {part}, [part]
        while waiting:
            new = (imported[waiting.pop()] & names) - reached
            reached |= new
            waiting += new
        return frozenset(reached)

    return {name: closure(name) for name in names}


@cache
def _content(path: Path) -> bytes:
    return sha256(path.read_bytes()).digest()


@cache
def _part_digest(part: str) -> str:
    folder = SOURCES / part
    files = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
    return _digest(str(path.relative_to(SOURCES)).encode() + _content(path) for path in files)


def _digest(pieces: Iterable[bytes]) -> str:
    return sha256(b"\n".join(pieces)).hexdigest()


@cache
def _parts_and_files_of(path: Path) -> tuple[frozenset[str], frozenset[Path]]:
    """Returns the parts of src/fastgrad that a file of `tests` names, and the files of `tests` that it needs itself."""
    text = path.read_text(encoding="utf-8", errors="replace")
    names = set(parts()) if _SEARCHES.search(text) else set(_ATTRIBUTE.findall(text))
    if path.suffix == ".txt":  # calls of the library, which import nothing
        return frozenset(names), frozenset()
    needed = {near for near in path.parent.iterdir() if near.is_file() and near.suffix not in {".py", ".pyc"}}
    for folder in path.parent.iterdir() if path.parent != TESTS else ():
        if folder.is_dir() and folder.name != "__pycache__" and not any(folder.rglob("test_*.py")):
            needed |= _files(folder)
    for source, imported in _imports(text):
        names.update(_parts_in(source, imported))
        if source.startswith("."):
            dots = len(source) - len(source.lstrip("."))
            base = [path.parent, *path.parents[1:]][dots - 1]
            needed |= _modules(base.joinpath(*source.strip(".").split(".")) if source.strip(".") else base, imported)
        elif source.partition(".")[0] == "tests":
            needed |= _modules(ROOT.joinpath(*source.split(".")), imported)
    return frozenset(fastgrad._MODULE_OF_LAZY_NAME.get(name, name).partition(".")[0] for name in names), frozenset(
        needed
    )


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts}


def _modules(path: Path, names: list[str]) -> set[Path]:
    """Returns the files that an import of names from a module, or a package, of `tests` may run."""
    if path.is_dir():
        found = {path / f"{name}.py" for name in names} | {path / "__init__.py"}
        found |= {file for name in names if (path / name).is_dir() for file in _files(path / name)}
        return {file for file in found if file.exists()}
    return {path.with_suffix(".py")} if path.with_suffix(".py").exists() else set()


def dependencies(module: Path) -> tuple[set[str], set[Path]]:
    """Returns the parts of src/fastgrad and the files of `tests` that a test module depends on."""
    files = {module, *COMMON}
    waiting, named = [module, *set(module.parent.glob("conftest.py")) - files], set(LOADED)
    while waiting:
        path = waiting.pop()
        if path.suffix in {".py", ".txt"}:
            names, needed = _parts_and_files_of(path)
            named |= names
            waiting += needed - files
            files |= needed
    return set().union(*[parts()[part] for part in named & parts().keys()]), files


def key(module: Path, run: str) -> str:
    """Returns the name of the record of a module in a kind of run."""
    depends_on, files = dependencies(module)
    digests = [_part_digest(part).encode() for part in sorted({*depends_on, "__init__"})]
    return _digest(
        [run.encode(), *digests, *[str(path.relative_to(ROOT)).encode() + _content(path) for path in sorted(files)]]
    )


def kind_of_run(config: pytest.Config) -> str:
    """Returns a text that differs between runs whose modules are not the same tests."""
    settings = [f"{name}={os.environ.get(name)}" for name in SETTINGS]
    arguments = [str(argument) for argument in config.invocation_params.args]
    return "\n".join(
        [sys.version, Path(sys.prefix).name, (ROOT / "pyproject.toml").read_text("utf-8"), *settings, *arguments]
    )


class Records:
    """The records of the modules of a run.

    Args:
        run: the kind of the run.
    """

    def __init__(self, run: str) -> None:
        self.run = run
        self.folder = cache_folder("passed")
        known = set(os.listdir(self.folder)) if self.folder.is_dir() else set()
        modules = sorted(TESTS.rglob("test_*.py"))
        self.keys = {path.relative_to(ROOT).as_posix(): key(path, run) for path in modules}
        self.unchanged = sorted(name for name, digest in self.keys.items() if digest in known)
        self.ran: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.ran.add(report.nodeid.partition("::")[0])

    @pytest.hookimpl(optionalhook=True)  # pytest-xdist's
    def pytest_configure_node(self, node: object) -> None:
        """Tells a process of pytest-xdist which modules have not changed: it must collect what the others collect."""
        node.workerinput["unchanged"] = self.unchanged  # type: ignore[attr-defined]

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Records the modules of a run that passed."""
        if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            self.folder.mkdir(parents=True, exist_ok=True)
            for name in self.ran & self.keys.keys():
                (self.folder / self.keys[name]).touch()
