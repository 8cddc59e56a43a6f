"""The tests that a short run draws, the seed that draws them, and what is kept between runs.

`FASTGRAD_RANDOM_SEED=123` repeats a run; without it the seed follows from the time.

`pytest --sampled` draws a quarter of the tests with the mark `sweep`. `--short` draws the samples of `SHORT_SAMPLES`, too, and a third of the cases of
each other test that has many; and the longer a test takes (`slow_tests.txt`), the more seldom it is drawn. Other seeds draw other tests, so that runs
try all of them in time. `--modules-of 6` draws a sixth of the modules before they are imported. `--if-changed` draws a quarter of the modules that
depend on nothing that has changed since they passed (`changed_modules.py`). `--write-slow-tests` writes the times of this run. `python -m tests.sampling 3 folder` prints a pattern of a third of the modules in a folder, for `asv --bench`.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import pytest

from tests.changed_modules import Records, kind_of_run

SWEEP_PARTS = 4
MANY_CASES = 12
"""A test with so many cases is a family: its cases mostly run the same lines."""
MANY_CASES_PARTS = 3
"""`--short` draws one of so many cases of a family that has no place in `SHORT_SAMPLES`."""
SHORT_SAMPLES = {
    # Each program is asked as a whole, so that an error shows in any case; most cases have several answers.
    "tests/conformance/test_conformance.py::test_answer_is_tensorflows": 3,
    # TensorFlow is asked again, for minutes: its versions are pinned, and its answers recorded.
    "tests/conformance/test_recorded_answers.py": 12,
    # Numba compiles each program and its derivative in each run. `make test-derivatives` has all cases.
    "tests/differentiation/": 3,
    "tests/differentiation/test_complex_numbers.py": 4,
    "tests/differentiation/test_disk_cache.py": 6,
    "tests/differentiation/test_found_defects.py": 2,
    "tests/differentiation/test_gradients.py": 12,
    "tests/differentiation/test_linear_algebra.py": 12,
    "tests/differentiation/test_numpy_calls.py::test_arguments_by_keyword": 24,
    "tests/differentiation/test_numpy_functions.py": 12,
    "tests/differentiation/test_random_programs.py": 8,
    "tests/differentiation/test_redundancy.py": 12,
    # Numba compiles each function in each run.
    "tests/custom/test_array_kernel.py": 3,
    "tests/custom/test_functions.py": 3,
    # Each test is a program or a training.
    "tests/benchmarks/": 2,
    "tests/benchmarks/test_gradbench.py": 6,
    "tests/test_examples.py": 4,
    "tests/test_readme.py": 4,
    # Each test starts processes, which compile or run for seconds.
    "tests/core/test_malloc_tuning.py": 4,
    "tests/custom/test_scalar_kernel.py::test_a_warm_process": 3,
    "tests/kernels/codegen/test_phases.py": 3,
    "tests/kernels/codegen/test_progress.py": 3,
    "tests/kernels/codegen/test_second_process.py": 2,
    "tests/kernels/gemm/test_gemm.py::test_bits_are_those_of_every_width_of_vectors": 2,
    "tests/kernels/gemm/test_pairs.py::test_bits_are_those_of_every_machine": 2,
    "tests/reliability/memory/": 4,
    "tests/test_import.py": 2,
    # The same gradients four times: TensorFlow's recorded ones, compiled ones, central differences, and the table of operations.
    "tests/reliability/gradients/test_against_tensorflow.py": 2,
    "tests/reliability/gradients/test_central_differences.py": 3,
    "tests/reliability/gradients/test_compiled.py": 3,
    # What finds most defects stays whole: sizes at borders draw their own cases.
    "tests/reliability/boundaries/": 1,
    "tests/reliability/faults/": 1,
    # Sweeps of errors, functions and files, each case by the same lines.
    "tests/reliability/accuracy/test_functions.py": 6,
    "tests/reliability/bad_input/test_wrong_calls.py": 4,
    "tests/reliability/hostile_files/test_hostile_files.py": 4,
}
"""The places of which `--short` draws one test of so many, sweeps or not, and why. The longest place that fits a test counts."""
UNCHANGED_PARTS = 4
"""How many times smaller a sample is if the code has not changed."""
SLOW_TESTS = Path(__file__).with_name("slow_tests.txt")
"""The tests that took more than a second with an empty cache, and their seconds."""
SLOW_PARTS = 6
"""`--short` draws one of so many tests that take so many seconds or more, and one of three that take three."""
WHOLE_SECONDS = 6
"""`--short` draws each test that asks whether there is a case of everything, if it takes no more than this."""
VARIABLE = "FASTGRAD_RANDOM_SEED"
ROOT = Path(__file__).resolve().parents[1]


def run_seed() -> int:
    """Returns the seed of this run, which is that of its child processes, too."""
    return int(os.environ.setdefault(VARIABLE, str(time.time_ns() // 1_000_000 % 10**9)))


def once_in(parts: int, name: str) -> bool:
    """True for about one of `parts` names, which other names are with another seed."""
    return crc32(f"{run_seed()} {name}".encode()) % parts == 0


def drawn_names(parts: int, names: Sequence[str]) -> set[str]:
    """Returns one of each `parts` neighbours in a list, so that each stretch of the list is tried. The last neighbours may have none."""
    drawn = set()
    for start in range(0, len(names), parts):
        neighbours = names[start : start + parts]
        drawn.update(neighbours[crc32(f"{run_seed()} {neighbours[0]}".encode()) % parts :][:1])
    return drawn


def place_of(name: str) -> str | None:
    """Returns the place of a test in `SHORT_SAMPLES`, None if it has none."""
    return max((place for place in SHORT_SAMPLES if name.startswith(place)), key=len, default=None)


def parts_of(family: str, count: int, is_sweep: bool, short: bool) -> int:
    """Returns one of how many tests of a family is drawn.

    Args:
        family: a place, or the file and the name of a test.
        count: the number of its tests.
        is_sweep: whether they have the mark `sweep`.
        short: whether the run is a short one.
    """
    if short and family in SHORT_SAMPLES:
        return SHORT_SAMPLES[family]
    if is_sweep:
        return SWEEP_PARTS
    return MANY_CASES_PARTS if short and count >= MANY_CASES else 1


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--sampled", action="store_true", help=f"run one of {SWEEP_PARTS} tests of each sweep")
    parser.addoption("--short", action="store_true", help="run samples of the places that tests/sampling.py names")
    parser.addoption("--modules-of", type=int, default=1, help="run one of so many modules")
    parser.addoption(
        "--if-changed",
        action="store_true",
        help=f"run one of {UNCHANGED_PARTS} modules that have not changed since they passed",
    )
    parser.addoption(
        "--write-slow-tests",
        action="store_true",
        help=f"write the times of the slow tests of this run to {SLOW_TESTS.name}",
    )


class Modules:
    """Draws modules before they are imported.

    Args:
        parts: one of so many modules is drawn.
        unchanged: the modules that have not changed since they passed; of these a quarter as many are drawn.
    """

    def __init__(self, parts: int, unchanged: Sequence[str]) -> None:
        self.parts, self.unchanged = parts, frozenset(unchanged)

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Leaves out the modules that the seed does not draw."""
        name = collection_path.relative_to(ROOT).as_posix()
        if not collection_path.match("test_*.py"):
            return None
        return None if once_in(self.parts * (UNCHANGED_PARTS if name in self.unchanged else 1), name) else True

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """A sample without a module passes, too."""
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK


class SlowTests:
    """Writes the times of the tests that took more than a second. Tests that did not run keep theirs."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Adds the time of a phase of a test."""
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration

    def pytest_sessionfinish(self) -> None:
        """Writes the file."""
        times = slow_tests() | {name: round(seconds) for name, seconds in self.seconds.items()}
        lines = [f"{seconds} {name}\n" for name, seconds in sorted(times.items()) if seconds > 1]
        SLOW_TESTS.write_text("".join(lines), encoding="utf-8")


def slow_tests() -> dict[str, int]:
    """Returns the seconds of the slow tests by their names."""
    lines = SLOW_TESTS.read_text(encoding="utf-8").splitlines()
    return {name: int(seconds) for seconds, _, name in (line.partition(" ") for line in lines)}


def pytest_configure(config: pytest.Config) -> None:
    """Decides which modules are drawn; processes of pytest-xdist are told which ones have not changed."""
    is_worker = hasattr(config, "workerinput")
    unchanged: Sequence[str] = config.workerinput.get("unchanged", ()) if is_worker else ()  # type: ignore[attr-defined]
    if config.getoption("--if-changed") and not is_worker:
        records = Records(kind_of_run(config))
        config.pluginmanager.register(records)
        unchanged = records.unchanged
    if config.getoption("--modules-of") > 1 or unchanged:
        config.pluginmanager.register(Modules(config.getoption("--modules-of"), unchanged), "drawn modules")
    if config.getoption("--write-slow-tests") and not is_worker:
        config.pluginmanager.register(SlowTests())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the tests that the seed does not draw."""
    short, sampled = config.getoption("--short"), config.getoption("--sampled")
    if not short and not sampled:
        return
    families: dict[tuple[str, bool], list[str]] = {}
    for item in items:
        name = item.nodeid.partition("[")[0]
        place = place_of(name) if short and not is_whole(item.nodeid) else None
        is_sweep = place is None and item.get_closest_marker("sweep") is not None
        families.setdefault((place or name, is_sweep), []).append(item.nodeid)
    drawn: set[str] = set()
    for (family, is_sweep), names in families.items():
        drawn |= drawn_names(parts_of(family, len(names), is_sweep, short), names)
    if short:
        drawn = without_some_slow_tests(drawn)
    left_out = [item for item in items if item.nodeid not in drawn]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item.nodeid in drawn]


def is_whole(name: str) -> bool:
    """True for a test without cases in tests/reliability or tests/tools: most ask about all files or all cases, in no time."""
    return name.startswith(("tests/reliability/", "tests/tools/")) and "[" not in name


def without_some_slow_tests(names: set[str]) -> set[str]:
    """Returns the names with a sample of the slow tests: one of three that take three seconds, one of six that take six or more.

    All slow tests of a place that is never sampled stay, and so do those of a place of which one test in six or fewer is drawn.
    Tests that ask about all files or all cases stay, too, if they take six seconds at most: a change breaks no other
    test of what it adds.
    """
    times = slow_tests()
    groups: dict[int, list[str]] = {}
    for name in sorted(names & times.keys()):
        if is_whole(name) and times[name] <= WHOLE_SECONDS:
            continue
        sample = SHORT_SAMPLES.get(place_of(name.partition("[")[0]) or "", 2)
        if 1 < sample < SLOW_PARTS:
            groups.setdefault(min(times[name], SLOW_PARTS), []).append(name)
    drawn = set().union(*[drawn_names(parts, group) for parts, group in groups.items()])
    return names - set().union(*groups.values()) | drawn


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says how a failure, or a sample, comes again."""
    modules = config.pluginmanager.get_plugin("drawn modules")
    is_sample = modules is not None or config.getoption("--short") or config.getoption("--sampled")
    if modules is not None:
        terminalreporter.write_line(f"one of {modules.parts} modules was drawn")
        terminalreporter.write_line(
            f"{len(modules.unchanged)} modules have not changed since they passed: a quarter as many of these"
        )
    elif is_sample:
        terminalreporter.write_line("samples were drawn")
    if is_sample or "failed" in terminalreporter.stats:
        terminalreporter.write_line(f"{VARIABLE}={run_seed()} draws the same again")


def pattern_of_modules(parts: int, folder: str) -> str:
    """Returns a regular expression for about one of `parts` modules with benchmarks in a folder, at least one."""
    has_benchmark = re.compile(r"def (time|track|mem|peakmem|timeraw)_").search
    modules = sorted(
        path.stem for path in Path(folder).glob("[a-z]*.py") if has_benchmark(path.read_text(encoding="utf-8"))
    )
    drawn = [module for module in modules if once_in(parts, module)] or modules[:1]
    return rf"^({'|'.join(drawn)})\."


if __name__ == "__main__":
    print(pattern_of_modules(int(sys.argv[1]), sys.argv[2]))
