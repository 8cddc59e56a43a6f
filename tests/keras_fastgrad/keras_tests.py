"""Runs Keras's own tests, which its wheel contains, on fastgrad, and compares them with what TensorFlow passes.

    python -m tests.keras_fastgrad.keras_tests                        a sample of the files
    python -m tests.keras_fastgrad.keras_tests --full                 all files; writes the counts of each file
    python -m tests.keras_fastgrad.keras_tests --record PYTHON        runs them on TensorFlow, in the environment of PYTHON

`not_passed_with_tensorflow.txt` lists the tests that do not pass on TensorFlow, and `excluded_tests.txt` those that pass there and
not on fastgrad, each with its reason. The run fails if another test fails.
"""

from __future__ import annotations

import argparse
import collections
import importlib.util
import json
import os
import random
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
SAMPLE = FOLDER / "sample_of_tests.txt"
NOT_PASSED = FOLDER / "not_passed_with_tensorflow.txt"
EXCLUDED = FOLDER / "excluded_tests.txt"
RESULTS = FOLDER / "results.json"
RESULTS_VARIABLE = "KERAS_TESTS_RESULTS"


def pytest_runtest_setup(item):
    """Seeds NumPy and Python by the test's name, since many of Keras's tests draw their data: each run has the same data."""
    seed = zlib.crc32(item.nodeid.encode())
    np.random.seed(seed)
    random.seed(seed)


def pytest_runtest_logreport(report):
    """Appends the outcome of a test to the file of results; this module is a plugin of the pytest that runs Keras's tests."""
    if report.when == "call" or report.outcome != "passed":
        with open(os.environ[RESULTS_VARIABLE], "a", encoding="utf-8") as file:
            print(json.dumps([report.nodeid, report.outcome]), file=file)


def files_of_tests(keras: Path) -> list[str]:
    """Returns all files of Keras's tests, below its folder."""
    return sorted(str(path.relative_to(keras)) for path in keras.rglob("*_test.py"))


def lines_of(path: Path) -> list[str]:
    """Returns the lines of a file without comments and empty lines; none if there is no file."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]


def outcomes(python: str, files: Sequence[str], plugins: Sequence[str], processes: int) -> dict[str, str]:
    """Runs files of tests, each in a process, and returns the outcome of each test by its name: "passed", "failed" or "skipped"."""
    code = "import importlib.util; print(importlib.util.find_spec('keras').origin)"
    keras = Path(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()).parent
    outcome_by_test: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder, "results")
        root = str(FOLDER.parents[1])
        variables = {**os.environ, RESULTS_VARIABLE: str(results), "KERAS_HOME": folder, "TF_CPP_MIN_LOG_LEVEL": "3"}
        variables["PYTHONPATH"] = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        command = [
            python,
            "-m",
            "pytest",
            "-q",
            "--no-header",
            "--tb=line",
            "-c",
            os.devnull,
            f"--rootdir={keras.parent}",
        ]
        command += [
            "-p",
            "no:cacheprovider",
            "-p",
            "tests.keras_fastgrad.keras_tests",
            "--continue-on-collection-errors",
        ]
        for plugin in plugins:
            command += ["-p", plugin]

        def status_of(file: str) -> int:
            try:
                arguments = [*command, str(keras / file)]
                return subprocess.run(
                    arguments, env=variables, capture_output=True, check=False, timeout=1800
                ).returncode
            except subprocess.TimeoutExpired:
                return -1

        with ThreadPoolExecutor(processes) as pool:
            for file, status in zip(files, pool.map(status_of, files), strict=True):
                if status not in (0, 1, 5):  # not: all passed, some failed, no tests
                    outcome_by_test[f"keras/{file}"] = "failed"  # not collected, or the process died
        for line in results.read_text(encoding="utf-8").splitlines() if results.exists() else ():
            name, outcome = json.loads(line)
            outcome_by_test[name] = outcome if outcome_by_test.get(name) != "failed" else "failed"
    return outcome_by_test


def record(python: str, files: Sequence[str], processes: int) -> None:
    """Writes the tests of some files that do not pass on TensorFlow; keeps the lines of other files."""
    outcome_by_test = outcomes(python, files, (), processes)
    others = [line for line in lines_of(NOT_PASSED) if line.split("::")[0].removeprefix("keras/") not in files]
    names = sorted({*others, *[name for name, outcome in outcome_by_test.items() if outcome != "passed"]})
    head = "# The tests of Keras 3.15.1 that do not pass on TensorFlow 2.21: failed, skipped, or with imports that are missing.\n"
    NOT_PASSED.write_text(head + "\n".join(names) + "\n", encoding="utf-8")
    print(
        f"{sum(outcome == 'passed' for outcome in outcome_by_test.values())} of {len(outcome_by_test)} tests passed on TensorFlow"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns 1 if a test fails that passes on TensorFlow and is not excluded."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.keras_fastgrad.keras_tests", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--full", action="store_true", help="all files in place of the sample")
    parser.add_argument(
        "--record", metavar="PYTHON", help="run the tests on TensorFlow in the environment of this Python"
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("files", nargs="*", help="files below Keras's folder, such as src/layers/core/dense_test.py")
    options = parser.parse_args(arguments)
    spec = importlib.util.find_spec("keras")
    assert spec is not None, "Keras is not installed"
    assert spec.origin is not None
    files = options.files or (files_of_tests(Path(spec.origin).parent) if options.full else lines_of(SAMPLE))
    if options.record:
        record(options.record, files, options.processes)
        return 0
    outcome_by_test = outcomes(sys.executable, files, ["keras_fastgrad.pytest_plugin"], options.processes)
    not_passed, excluded = set(lines_of(NOT_PASSED)), set(lines_of(EXCLUDED))
    wanted = {name: outcome for name, outcome in outcome_by_test.items() if name not in not_passed}
    failed = sorted(name for name, outcome in wanted.items() if outcome != "passed")
    counts = collections.Counter(wanted.values())
    print(f"{counts['passed']} of {len(wanted)} tests that pass on TensorFlow pass on fastgrad ({len(failed)} do not)")
    unexpected = [name for name in failed if name not in excluded]
    print(*[f"failed and not in {EXCLUDED.name}: {name}" for name in unexpected], sep="\n")
    mended = sorted(name for name in excluded if outcome_by_test.get(name) == "passed")
    print(*[f"passed and still in {EXCLUDED.name}: {name}" for name in mended], sep="\n")
    if options.full:
        by_file: dict[str, list[int]] = {}
        for name, outcome in wanted.items():
            pair = by_file.setdefault(name.split("::")[0], [0, 0])
            pair[0] += outcome == "passed"
            pair[1] += 1
        RESULTS.write_text(json.dumps(dict(sorted(by_file.items())), indent=1) + "\n", encoding="utf-8")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
