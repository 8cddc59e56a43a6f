"""Runs Keras's own tests, which its wheel contains, on fastgrad, and compares them with what TensorFlow passes.

    python -m tests.keras_fastgrad.keras_tests                        a sample of the files
    python -m tests.keras_fastgrad.keras_tests --full                 all files; writes the counts of each file
    python -m tests.keras_fastgrad.keras_tests --record PYTHON        asks TensorFlow, in the environment of PYTHON, for what does not pass

`not_passed_with_tensorflow.txt` lists the tests that pass neither on fastgrad nor on TensorFlow, and `excluded_tests.txt` those that pass on
TensorFlow and not on fastgrad, each with its reason. The run fails if another test fails. With `--keep FOLDER`, a run that was stopped goes on
where it ended.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import importlib.util
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
SAMPLE = FOLDER / "sample_of_tests.txt"
NOT_PASSED = FOLDER / "not_passed_with_tensorflow.txt"
EXCLUDED = FOLDER / "excluded_tests.txt"
PAGE = FOLDER.parents[1] / "docs" / "results" / "keras_tests.md"
RESULTS_VARIABLE = "KERAS_TESTS_RESULTS"
ADDRESS = re.compile("0x[0-9a-f]+")
"""Of an object, in the names of some tests; another one in each process."""


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


def outcomes(
    python: str, tests_by_file: Mapping[str, Sequence[str]], plugins: Sequence[str], processes: int, folder: Path
) -> dict[str, str]:
    """Runs files of tests, each in a process, and returns the outcome of each test by its name: "passed", "failed" or "skipped".

    Args:
        python: the interpreter that has Keras.
        tests_by_file: the names of the tests to run of each file, below Keras's folder; none: all of them.
        plugins: plugins of pytest.
        processes: how many files run at once.
        folder: where the outcomes of each file are kept. A file whose outcomes it has is not run.
    """
    code = "import importlib.util; print(importlib.util.find_spec('keras').origin)"
    keras = Path(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()).parent
    command = [python, "-m", "pytest", "-q", "--no-header", "--tb=line", "-c", os.devnull, f"--rootdir={keras.parent}"]
    for option in ("no:cacheprovider", "tests.keras_fastgrad.keras_tests", *plugins):
        command += ["-p", option]
    command.append("--continue-on-collection-errors")
    paths = [str(FOLDER.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {**os.environ, "KERAS_HOME": str(folder / "home"), "PYTHONPATH": os.pathsep.join(paths)}
    variables["TF_CPP_MIN_LOG_LEVEL"] = "3"

    def outcomes_of(file: str) -> dict[str, str]:
        kept = folder / f"{file.replace('/', '.')}.json"
        if kept.exists():
            return dict(json.loads(kept.read_text(encoding="utf-8")))
        results = kept.with_suffix(".lines")
        results.write_text("")
        arguments = [str(keras.parent / name) for name in tests_by_file[file]] or [str(keras / file)]
        process = {"env": {**variables, RESULTS_VARIABLE: str(results)}, "capture_output": True, "timeout": 1800}
        try:
            status = subprocess.run([*command, *arguments], check=False, **process).returncode  # type: ignore[call-overload]
        except subprocess.TimeoutExpired:
            status = -1
        outcome_by_test: dict[str, str] = {}
        if status not in (0, 1, 5):  # not: all passed, some failed, no tests
            outcome_by_test[f"keras/{file}"] = "failed"  # not collected, or the process died
        for line in results.read_text(encoding="utf-8").splitlines():
            name, outcome = json.loads(line)
            name = ADDRESS.sub("0x", name)
            outcome_by_test[name] = outcome if outcome_by_test.get(name) != "failed" else "failed"
        kept.write_text(json.dumps(outcome_by_test, indent=1), encoding="utf-8")
        return outcome_by_test

    with ThreadPoolExecutor(processes) as pool:
        return {name: outcome for each in pool.map(outcomes_of, tests_by_file) for name, outcome in each.items()}


def record(python: str, names: Sequence[str], processes: int, folder: Path) -> None:
    """Adds those of some tests that do not pass on TensorFlow to the list of these."""
    variables = {**os.environ, "PYTHONPATH": str(FOLDER.parents[1])}
    # Another package `tests` in the environment would hide this one, and no test would pass.
    subprocess.run([python, "-c", "import tensorflow, tests.keras_fastgrad.keras_tests"], env=variables, check=True)
    tests_by_file: dict[str, list[str]] = {}
    for name in names:
        tests_by_file.setdefault(name.split("::")[0].removeprefix("keras/"), []).append(name)
    for file, tests in tests_by_file.items():
        if any("0x" in name for name in tests):
            tests_by_file[file] = []  # all of them: no command names a test by an address of another process
    outcome_by_test = outcomes(python, tests_by_file, (), processes, folder)
    not_passed = {*lines_of(NOT_PASSED), *[name for name in names if outcome_by_test.get(name) != "passed"]}
    head = "# The tests of Keras 3.15.1 that pass neither on fastgrad nor on TensorFlow 2.21: failed, skipped, or with imports that are missing.\n"
    NOT_PASSED.write_text(head + "\n".join(sorted(not_passed)) + "\n", encoding="utf-8")


def page(outcome_by_test: Mapping[str, str], others: int) -> str:
    """Returns the page of results by file.

    Args:
        outcome_by_test: the outcomes of the tests that pass on TensorFlow or on fastgrad.
        others: the number of tests that pass on neither.
    """
    by_file: dict[str, collections.Counter[bool]] = {}
    for name, outcome in outcome_by_test.items():
        file = name.split("::")[0].removeprefix("keras/src/")
        by_file.setdefault(file, collections.Counter())[outcome == "passed"] += 1
    passed, total = sum(counts[True] for counts in by_file.values()), len(outcome_by_test)
    return "\n".join(
        [
            "# Keras's own tests on fastgrad",
            "",
            f"{passed:,} of {total:,} tests of Keras 3.15.1 pass: {passed / total:.1%} of those that pass on TensorFlow 2.21 or on fastgrad.",
            f"{others} more pass on neither of them: they need another backend, several devices, a download or a package that was not installed.",
            "`tests/keras_fastgrad/excluded_tests.txt` has the reason for each test that passes on TensorFlow alone.",
            "",
            "`make test-keras FULL=1` runs them and writes this page.",
            "",
            "| file | passed | not passed |",
            "| --- | --: | --: |",
            *[f"| `{file}` | {counts[True]} | {counts[False]} |" for file, counts in sorted(by_file.items())],
            "",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns 1 if a test fails that passes on TensorFlow and is not excluded."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.keras_fastgrad.keras_tests", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--full", action="store_true", help="all files in place of the sample")
    parser.add_argument("--record", metavar="PYTHON", help="the Python whose environment has TensorFlow")
    parser.add_argument("--keep", metavar="FOLDER", help="where outcomes are kept, and not asked for again")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("files", nargs="*", help="files below Keras's folder, such as src/layers/core/dense_test.py")
    options = parser.parse_args(arguments)
    spec = importlib.util.find_spec("keras")
    assert spec is not None, "Keras is not installed"
    assert spec.origin is not None
    files = options.files or (files_of_tests(Path(spec.origin).parent) if options.full else lines_of(SAMPLE))
    with contextlib.ExitStack() as stack:
        folder = Path(options.keep or stack.enter_context(tempfile.TemporaryDirectory()))
        parts = {name: folder / name for name in ("fastgrad", "tensorflow")}
        for part in parts.values():
            part.mkdir(parents=True, exist_ok=True)
        every_test = dict.fromkeys(files, ())
        plugins = ["keras_fastgrad.pytest_plugin"]
        outcome_by_test = outcomes(sys.executable, every_test, plugins, options.processes, parts["fastgrad"])
        excluded = set(lines_of(EXCLUDED))
        if options.record:
            failed = {name for name, outcome in outcome_by_test.items() if outcome != "passed"}
            asked = sorted(failed - {*lines_of(NOT_PASSED), *excluded})
            record(options.record, asked, options.processes, parts["tensorflow"])
    not_passed = set(lines_of(NOT_PASSED))
    wanted = {name: outcome for name, outcome in outcome_by_test.items() if name not in not_passed}
    failed = sorted(name for name, outcome in wanted.items() if outcome != "passed")
    counts = collections.Counter(wanted.values())
    print(
        f"{counts['passed']} of {len(wanted)} tests that pass on TensorFlow or fastgrad pass on fastgrad ({len(failed)} do not)"
    )
    unexpected = [name for name in failed if name not in excluded]
    print(*[f"failed and not in {EXCLUDED.name}: {name}" for name in unexpected], sep="\n")
    mended = sorted(name for name in excluded if outcome_by_test.get(name) == "passed")
    print(*[f"passed and still in {EXCLUDED.name}: {name}" for name in mended], sep="\n")
    if options.full:
        PAGE.write_text(page(wanted, len(outcome_by_test) - len(wanted)), encoding="utf-8")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
