"""The tests that a short run draws, the seed that draws them, and what is kept between runs.

`FASTGRAD_RANDOM_SEED=123` repeats a run; without it the seed follows from the time.

`pytest --sampled` draws a quarter of the tests with the mark `sweep`. `--short` draws the samples of `SHORT_SAMPLES`, too, and a third of the cases of
each other test that has many. Other seeds draw other tests, so that runs try all of them in time. `--modules-of 6` draws a sixth of the modules before
they are imported. `--if-changed src/fastgrad/kernels` draws a quarter of these modules if the folder, and the tests, are as they were when the same
run passed last. `python -m tests.sampling 3 folder` prints a pattern of a third of the modules in a folder, for `asv --bench`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from zlib import crc32

import pytest
from platformdirs import user_cache_path

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
SETTINGS = ("FASTGRAD_CHECK_BOUNDS", "FASTGRAD_LANES")
"""The variables that make a run another one."""
VARIABLE = "FASTGRAD_RANDOM_SEED"
ROOT = Path(__file__).resolve().parents[1]


def cache_folder(name: str) -> str:
    """Returns the path of a folder that all runs and clones of a user share."""
    return str(user_cache_path("fastgrad-tests") / name)


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
        action="append",
        default=[],
        metavar="FOLDER",
        help=f"run one of {UNCHANGED_PARTS} of these modules if FOLDER and tests are those of the last such run that passed",
    )


class Modules:
    """Draws modules before they are imported.

    Args:
        parts: one of so many is drawn.
        record: the file to make if the run passes; None for none.
    """

    def __init__(self, parts: int, record: Path | None) -> None:
        self.parts, self.record = parts, record

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Leaves out the modules that the seed does not draw."""
        is_module = collection_path.name.startswith("test_") and collection_path.suffix == ".py"
        is_drawn = once_in(self.parts, collection_path.relative_to(ROOT).as_posix())
        return True if is_module and not is_drawn else None

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Records that these modules passed. A sample without a module passes, too."""
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK
        if exitstatus == pytest.ExitCode.OK and self.record is not None:
            self.record.parent.mkdir(parents=True, exist_ok=True)
            self.record.touch()


def record_of_run(config: pytest.Config) -> Path | None:
    """Returns the file that exists if this run has passed with the code of now; None without `--if-changed`, or if git can't tell."""
    folders = [*config.getoption("--if-changed"), "tests"]
    if len(folders) == 1:
        return None
    try:
        if _git("status", "--porcelain", "--", *folders):
            return None
        trees = _git("rev-parse", *[f"HEAD:{folder}" for folder in folders])
    except (OSError, subprocess.CalledProcessError):
        return None
    settings = [f"{name}={os.environ.get(name)}" for name in SETTINGS]
    run = "\n".join([trees, sys.version, Path(sys.prefix).name, *settings, *map(str, config.invocation_params.args)])
    return Path(cache_folder("passed")) / sha256(run.encode()).hexdigest()


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def pytest_configure(config: pytest.Config) -> None:
    """Decides how many modules are drawn; processes of pytest-xdist are told by their options."""
    record = None if hasattr(config, "workerinput") else record_of_run(config)
    if record is not None and record.exists():
        config.option.modules_of *= UNCHANGED_PARTS
    if config.getoption("--modules-of") > 1:
        config.pluginmanager.register(Modules(config.getoption("--modules-of"), record))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the tests that the seed does not draw."""
    short, sampled = config.getoption("--short"), config.getoption("--sampled")
    if not short and not sampled:
        return
    families: dict[tuple[str, bool], list[str]] = {}
    for item in items:
        name = item.nodeid.partition("[")[0]
        place = place_of(name) if short else None
        is_sweep = place is None and item.get_closest_marker("sweep") is not None
        families.setdefault((place or name, is_sweep), []).append(item.nodeid)
    drawn: set[str] = set()
    for (family, is_sweep), names in families.items():
        drawn |= drawn_names(parts_of(family, len(names), is_sweep, short), names)
    left_out = [item for item in items if item.nodeid not in drawn]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item.nodeid in drawn]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says how a failure, or a sample, comes again."""
    parts = config.getoption("--modules-of")
    is_sample = parts > 1 or config.getoption("--short") or config.getoption("--sampled")
    if is_sample:
        terminalreporter.write_line(f"one of {parts} modules was drawn" if parts > 1 else "samples were drawn")
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
