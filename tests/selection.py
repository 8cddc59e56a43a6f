"""The tests that a run selects. The commit alone decides, so that each machine selects the same tests of it.

Each test belongs to one of N shards, by the hash of its name. ``pytest --shards N`` runs one shard: the one that the hash of the commit's tree
names, or the one that ``--shard K`` names. All shards together are all tests. ``--by-module`` puts the tests of a module in one shard, so that
fewer modules are imported and fewer kernels compiled. ``--whole-if-changed`` also runs all tests that a change concerns, as `changed_tests` says, or
one of two, three ... shards of them if they would take longer than `MOST_SECONDS`.

Draws within tests follow from `run_seed`, which is the hash of the tree; ``FASTGRAD_RANDOM_SEED=123`` sets another one. A copy without
git history has the shard and the seed 0.

``python -m tests.selection 12 FOLDER`` prints a pattern of the modules with benchmarks of one shard of 12, for ``asv --bench``.
"""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from zlib import crc32

import pytest
from platformdirs import user_cache_path

ROOT = Path(__file__).resolve().parents[1]
TESTS, PACKAGE = ROOT / "tests", ROOT / "src" / "fastgrad"
VARIABLE = "FASTGRAD_RANDOM_SEED"
HOURS = 4
"""A change is the commits of so many hours before the last one, by their own dates: a pull request or a working session."""
TESTS_OF_OTHER_FOLDERS = {
    "benchmarks": ("tests/benchmarks",),
    "docs": ("tests/test_readme.py", "tests/docs", "tests/tools/test_recording_picture.py"),
    "examples": ("tests/test_examples.py",),
    "tools": ("tests/tools",),
    "README.md": ("tests/test_readme.py",),
}
"""The tests of what lies neither in the package nor in its tests."""

MOST_SECONDS = 600
"""The time of a processor for the tests that a change concerns."""
SECONDS = {
    "tests/derivatives": 1.0,
    "tests/custom_operations": 1.0,
    "tests/benchmarks": 1.0,
    "tests/test_examples.py": 5.0,
    "tests/test_readme.py": 5.0,
}
SECONDS_OF_OTHERS = 0.1
"""About what a test takes with an empty cache of kernels, by the start of its path."""


def git(*arguments: str) -> str:
    """Returns the output of a git command in this copy; an empty text if there is no git or no history."""
    try:
        return subprocess.check_output(["git", *arguments], cwd=ROOT, text=True, stderr=subprocess.DEVNULL).strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def run_seed() -> int:
    """Returns the seed of this run and of its child processes."""
    return int(os.environ.setdefault(VARIABLE, str(int(git("rev-parse", "HEAD^{tree}")[:7] or "0", 16))))


def once_in(parts: int, name: str) -> bool:
    """True for about one of ``parts`` names, which depend on the seed of the run."""
    return crc32(f"{run_seed()} {name}".encode()) % parts == 0


def cache_folder(name: str) -> Path:
    """Returns the path of a folder that all runs and clones of a user share."""
    return user_cache_path("fastgrad-tests") / name


# ---- what a change concerns -------------------------------------------------------------------------------------------


def changed_paths() -> list[str]:
    """Returns the paths of the files that the change added, modified or removed."""
    date = int(git("log", "-1", "--format=%ct") or 0)
    before = git("rev-list", "-1", "--first-parent", f"--before={date - HOURS * 3600}", "HEAD")
    return git("diff", "--name-only", before).splitlines() if before else []


@cache
def changed_tests(with_importers: bool = True) -> frozenset[str]:
    """Returns the paths of the test modules and folders that the change concerns.

    They are the test modules that changed or that import a changed file of ``tests``; and for each changed module of the package, the
    tests of its own package and, ``with_importers``, of the packages that import it, and the tests that import it.
    """
    import grimp

    graph = grimp.build_graph("fastgrad", "tests", cache_dir=None)
    return frozenset(test for path in changed_paths() for test in _tests_of_path(Path(path), graph, with_importers))


def _tests_of_path(path: Path, graph: object, with_importers: bool = True) -> Iterator[str]:
    top = path.parts[0]
    if top in TESTS_OF_OTHER_FOLDERS:
        yield from TESTS_OF_OTHER_FOLDERS[top]
    elif top == "tests" and path.suffix != ".py":
        yield path.parent.as_posix() if len(path.parts) > 2 else "tests/tools"
    elif top == "tests" or path.parts[:2] == ("src", "fastgrad"):
        module = ".".join(path.with_suffix("").parts[top == "src" :]).removesuffix(".__init__")
        is_known = module in graph.modules
        if top == "tests":
            yield from _test_modules({module, *(graph.find_downstream_modules(module) if is_known else [])})
        elif module != "fastgrad":
            importers = graph.find_modules_that_directly_import(module) if is_known and with_importers else set()
            yield from _test_modules(importers)
            yield from filter(None, map(tests_of_module, {module, *importers}))


def _test_modules(modules: Iterable[str]) -> Iterator[str]:
    for module in modules:
        path = Path(*module.split(".")).with_suffix(".py")
        if path.match("test_*.py") and (ROOT / path).exists():
            yield path.as_posix()


def tests_of_module(module: str) -> str | None:
    """Returns the path of the tests of a module of the package; None if there are none that mirror its place.

    A module of fastgrad's folder has a test module of its own name. Another module has the folder of its package, or of the
    innermost package around it that has a folder in ``tests``.
    """
    names = [name for name in module.split(".")[1:] if name != "_src"]
    for depth in range(len(names), 0, -1):
        if TESTS.joinpath(*names[:depth]).is_dir():
            return "/".join(["tests", *names[:depth]])
    return f"tests/test_{names[0]}.py" if names and (TESTS / f"test_{names[0]}.py").exists() else None


# ---- pytest -------------------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shards", type=int, default=1, help="run one of so many shards of the tests")
    parser.addoption(
        "--shard", type=int, help="the number of the shard, from 0; without it the commit's tree names one"
    )
    parser.addoption("--by-module", action="store_true", help="put the tests of a module in one shard")
    parser.addoption("--whole-if-changed", action="store_true", help="run all tests that a change concerns, too")


class Shard:
    """The tests of a run.

    Args:
        config: has the options.
    """

    def __init__(self, config: pytest.Config) -> None:
        shard = config.getoption("--shard")
        self.count = config.getoption("--shards")
        self.number = run_seed() if shard is None else shard
        self.is_by_module = config.getoption("--by-module")
        self.concerned = changed_tests(not self.is_by_module) if config.getoption("--whole-if-changed") else frozenset()
        self.parts_of_concerned = 1

    def has(self, name: str) -> bool:
        """True if a test or a module is selected."""
        parts = min(self.parts_of_concerned, self.count) if self.is_concerned(name) else self.count
        return crc32(name.encode()) % parts == self.number % parts

    def is_concerned(self, name: str) -> bool:
        """True if the change concerns a test or a module."""
        path = Path(name.partition("::")[0])
        return not self.concerned.isdisjoint(each.as_posix() for each in (path, *path.parents))

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Leaves out modules of other shards, which are not imported."""
        is_module = self.is_by_module and collection_path.match("test_*.py")
        return True if is_module and not self.has(collection_path.relative_to(ROOT).as_posix()) else None

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leaves out tests of other shards. Tests that look for gaps in what is tested stay: a change breaks them wherever it is."""
        if not self.is_by_module:
            names = [item.nodeid for item in items if self.is_concerned(item.nodeid)]
            seconds = [next((s for path, s in SECONDS.items() if n.startswith(path)), SECONDS_OF_OTHERS) for n in names]
            self.parts_of_concerned = max(1, math.ceil(sum(seconds) / MOST_SECONDS))

        def is_selected(item: pytest.Item) -> bool:
            if self.is_by_module:  # pytest also collects the modules of other shards that its arguments name
                return self.has(item.nodeid.partition("::")[0])
            return self.has(item.nodeid) or "completeness" in item.keywords

        config.hook.pytest_deselected(items=[item for item in items if not is_selected(item)])
        items[:] = filter(is_selected, items)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """A shard without a test passes, too."""
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Says what was selected."""
        number = self.number % self.count
        terminalreporter.write_line(f"shard {number} of {self.count}; {VARIABLE}={run_seed()} draws the same again")
        for path in sorted(self.concerned):
            terminalreporter.write_line(f"a change concerns {path}")


def pytest_configure(config: pytest.Config) -> None:
    """Selects tests if the run has shards.

    Raises:
        pytest.UsageError: an argument names no file. Workers of pytest-xdist do not say so: the run would pass without tests.
    """
    if config.getoption("--shards") > 1:
        missing = [path for path in config.args if not Path(path.partition("::")[0]).exists()]
        if missing:
            raise pytest.UsageError(f"no such tests: {', '.join(missing)}")
        config.pluginmanager.register(Shard(config))


def pattern_of_benchmarks(parts: int, folder: str) -> str:
    """Returns a regular expression for about one of ``parts`` modules with benchmarks in a folder, at least one."""
    has_benchmark = re.compile(r"def (time|track|mem|peakmem|timeraw)_").search
    modules = sorted(path.stem for path in Path(folder).glob("[a-z]*.py") if has_benchmark(path.read_text("utf-8")))
    return rf"^({'|'.join([module for module in modules if once_in(parts, module)] or modules[:1])})\."


if __name__ == "__main__":
    print(pattern_of_benchmarks(int(sys.argv[1]), sys.argv[2]))
