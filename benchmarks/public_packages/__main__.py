"""Counts which tests of public packages pass with TensorFlow and with fastgrad, test by test.

    python -m benchmarks.public_packages --sources FOLDER --python fastgrad=PYTHON --python tensorflow=PYTHON [--install]

`packages.json` is the table of packages: versions, what is installed beside them, where their tests are, known failures.
`FOLDER/OWNER+NAME` is a git clone of each repository, or holds one named `repo`. The interpreters are those of two
environments: one has fastgrad, Keras and no TensorFlow, the other TensorFlow and Keras. Both have pytest and pytest-timeout.
`--install` installs each package in both with pip, without what it requires, and then what the table has beside it.
`docs/public_packages.md` is written from `benchmarks/results/public_packages.json`.
"""

import argparse
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from benchmarks.apart import ROOT, THREADS, thread_settings

TABLE = Path(__file__).with_name("packages.json")
PROGRAM = Path(__file__).with_name("deepxde_program.py")
RESULTS = ROOT / "benchmarks" / "results" / "public_packages.json"
PAGE = ROOT / "docs" / "public_packages.md"
LIBRARIES = ("tensorflow", "fastgrad")
SECONDS_OF_A_TEST = 300
NO_REASON = "not understood yet"

HEAD = """# Tests of public packages

`python -m benchmarks.public_packages` writes this page. It runs the own tests of packages that are written for TensorFlow or Keras,
once with TensorFlow {tensorflow} and once with fastgrad, and compares them test by test. Both have Keras {keras}.
No file of a package or of its tests was edited. A program of DeepXDE counts as a test: it passes if it prints TensorFlow's losses, digit by digit,
from the same seed. Tests that do not pass with TensorFlow are not counted: many of these packages are older than the libraries beside them.

Of {total} tests that pass with TensorFlow, {passed} pass with fastgrad.

| package | version | passes with TensorFlow | passes with fastgrad | run by |
| --- | --- | --- | --- | --- |
"""
COMMANDS = {
    "keras": "`pytest -p keras_fastgrad.pytest_plugin`",
    "tensorflow": "`python -m fastgrad.as_tensorflow --real-keras {also} {runner}`",
}
LOSSES = re.compile(r"^\d+ +\[.*", re.MULTILINE)
"""The lines of DeepXDE's table of losses, each with its step."""


def has_programs(entry: Mapping[str, Any]) -> bool:
    """Returns whether programs of the package are run in place of tests."""
    return "programs" in entry


def command(entry: Mapping[str, Any], library: str) -> list[str]:
    """Returns the arguments of Python that run pytest, or a program of the package, with a library.

    Args:
        entry: a package of the table.
        library: ``"tensorflow"`` or ``"fastgrad"``.

    Raises:
        ValueError: the table does not say by which command the package runs on fastgrad.
    """
    if entry["imports"] not in COMMANDS:
        raise ValueError(f"{entry['name']}: imports is {entry['imports']!r}; use one of {', '.join(COMMANDS)}")
    runner = [str(PROGRAM)] if has_programs(entry) else ["-m", "pytest"]
    if library == "tensorflow":
        return runner
    if entry["imports"] == "keras":
        return [*runner, "-p", "keras_fastgrad.pytest_plugin"]
    also = [argument for name in entry["also"] for argument in ("--also", name)]
    return ["-m", "fastgrad.as_tensorflow", "--real-keras", *also, *runner]


def write_tests(entry: Mapping[str, Any], sources: Path, folder: Path) -> None:
    """Writes the files of a package's tests, as its repository has them, below ``folder``."""
    clone = sources / entry["repository"].replace("/", "+")
    clone = clone / "repo" if (clone / "repo").is_dir() else clone
    archive = ["git", "-C", str(clone), "archive", "--format=tar", entry["commit"], *entry["files"]]
    with tarfile.open(fileobj=io.BytesIO(subprocess.run(archive, capture_output=True, check=True).stdout)) as files:
        files.extractall(folder, filter="data")


def install(entry: Mapping[str, Any], python: str) -> None:
    """Installs a package without what it requires, as that may be TensorFlow, and then what is beside it."""
    requirements = [f"{entry['name']}=={entry['version']}"]
    for arguments in (["--no-deps", *requirements], entry["beside"]):
        if arguments:
            subprocess.run([python, "-m", "pip", "install", "--quiet", *arguments], check=True)


def versions(python: str, names: Sequence[str]) -> dict[str, str]:
    """Returns the versions of those of the named packages that an environment has."""
    text = (
        "import importlib.metadata as m, json, sys\n"
        "installed = {name.lower().replace('_', '-'): d.version for d in m.distributions() if (name := d.name)}\n"
        "print(json.dumps({name: installed[name] for name in sys.argv[1:] if name in installed}))"
    )
    asked = subprocess.run([python, "-c", text, *names], capture_output=True, text=True, check=True)
    version_by_name: dict[str, str] = json.loads(asked.stdout)
    return version_by_name


def check_environments(entry: Mapping[str, Any], pythons: Mapping[str, str]) -> None:
    """Raises an error unless both environments have the package, and only one TensorFlow.

    Raises:
        RuntimeError: an environment has another version of the package, or fastgrad's environment has TensorFlow.
    """
    for library, python in pythons.items():
        version_by_name = versions(python, [entry["name"], "tensorflow", "tensorflow-cpu"])
        if version_by_name.get(entry["name"]) != entry["version"]:
            raise RuntimeError(
                f"{python} has {entry['name']} {version_by_name.get(entry['name'])}, not {entry['version']}: add --install"
            )
        if library == "fastgrad" and len(version_by_name) > 1:
            raise RuntimeError(f"{python} has TensorFlow: the tests of {entry['name']} could import it; uninstall it")


def outcomes(report: str) -> dict[str, str]:
    """Returns the outcome of each test in a JUnit report: passed, failed or skipped.

    Args:
        report: the XML that ``pytest --junitxml`` writes.
    """
    outcome_by_test = {}
    for case in ET.fromstring(report).iter("testcase"):  # noqa: S314  # pytest's own file
        kinds = {child.tag for child in case} & {"failure", "error", "skipped"}
        outcome = "passed" if not kinds else "skipped" if kinds == {"skipped"} else "failed"
        name = f"{case.get('classname')}::{case.get('name')}"
        if outcome_by_test.get(name) != "failed":  # an error of a fixture's end is a case of its own
            outcome_by_test[name] = outcome
    return outcome_by_test


def run(entry: Mapping[str, Any], library: str, python: str, sources: Path, seconds: float) -> dict[str, str]:
    """Runs the tests of a package with a library, and returns the outcome of each.

    Raises:
        RuntimeError: pytest ended without a report.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_tests(entry, sources, folder)
        options = ["-q", "-o", "addopts=", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
        options += [f"--timeout={SECONDS_OF_A_TEST}", f"--junitxml={folder / 'report.xml'}", *entry.get("options", ())]
        started = [python, *command(entry, library), *options, *entry["tests"]]
        ended = run_process(started, folder, library, seconds)
        if not (folder / "report.xml").exists():
            raise RuntimeError(
                f"{entry['name']} with {library} has no report:\n{(ended.stdout + ended.stderr)[-2000:]}"
            )
        return outcomes((folder / "report.xml").read_text(encoding="utf-8"))


def run_process(
    arguments: Sequence[str], folder: Path, library: str, seconds: float
) -> subprocess.CompletedProcess[str]:
    """Returns how a process with a library ended; 124 is the exit status of one that did not end in time."""
    settings = {**os.environ, **thread_settings(THREADS), "MPLBACKEND": "Agg", "FASTGRAD_QUIET": "1"}
    if library == "tensorflow":
        settings.pop("PYTHONPATH", None)
    try:
        return subprocess.run(
            arguments, cwd=folder, env=settings, capture_output=True, text=True, check=False, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(arguments, 124, "", f"not ended after {seconds:.0f} s")


def losses(entry: Mapping[str, Any], library: str, python: str, sources: Path, seconds: float) -> dict[str, list[str]]:
    """Runs the programs of a package with a library, and returns the lines of losses that each prints, by its path."""
    lines: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        write_tests(entry, sources, Path(folder))
        for dtype, steps, script in entry["programs"]:
            started = [python, *command(entry, library), dtype, str(steps), str(Path(folder, script))]
            ended = run_process(started, Path(folder), library, seconds)
            lines[script] = LOSSES.findall(ended.stdout) if ended.returncode == 0 else []
    return lines


def outcomes_of_programs(theirs: Mapping[str, list[str]], ours: Mapping[str, list[str]]) -> list[dict[str, str]]:
    """Returns the outcomes with TensorFlow and with fastgrad: a program passes with fastgrad if the losses are TensorFlow's."""
    passed = {script: "passed" if lines else "failed" for script, lines in theirs.items()}
    return [passed, {script: "passed" if ours[script] == lines else "failed" for script, lines in theirs.items()}]


def outcomes_with_both(
    entry: Mapping[str, Any], pythons: Mapping[str, str], sources: Path, seconds: float
) -> list[dict[str, str]]:
    """Returns the outcomes of a package's tests, or of its programs, with TensorFlow and with fastgrad."""
    if has_programs(entry):
        theirs, ours = (losses(entry, library, pythons[library], sources, seconds) for library in LIBRARIES)
        return outcomes_of_programs(theirs, ours)
    return [run(entry, library, pythons[library], sources, seconds) for library in LIBRARIES]


def reason(entry: Mapping[str, Any], test: str) -> str:
    """Returns why a test does not pass with fastgrad, from the first row of the table that matches its name."""
    return next((text for pattern, text in entry.get("reasons", ()) if re.search(pattern, test)), NO_REASON)


def page(entries: Sequence[Mapping[str, Any]], results: Mapping[str, Any]) -> str:
    """Returns the page: a row for each package, and the tests that pass with TensorFlow only, with reasons."""
    listed = [entry for entry in entries if entry["name"] in results["packages"]]
    counted = [results["packages"][entry["name"]] for entry in listed]
    total = sum(result["passed_with_tensorflow"] for result in counted)
    passed = sum(result["passed_with_both"] for result in counted)
    text = HEAD.format(total=total, passed=passed, **results["versions"])
    for entry, result in zip(listed, counted, strict=True):
        also = " ".join(f"--also {name}" for name in entry.get("also", ()))
        run_by = COMMANDS[entry["imports"]].format(
            also=also, runner=PROGRAM.name if has_programs(entry) else "-m pytest"
        )
        counts = f"{result['passed_with_tensorflow']} | {result['passed_with_both']}"
        text += f"| {entry['name']} | {entry['version']} | {counts} | {run_by} |\n"
    if passed == total:
        return text
    text += "\n## Tests that pass with TensorFlow only\n\n| package | tests | reason |\n| --- | --- | --- |\n"
    for entry, result in zip(listed, counted, strict=True):
        by_reason: dict[str, list[str]] = {}
        for test in result["passed_with_tensorflow_only"]:
            by_reason.setdefault(reason(entry, test), []).append(test.rpartition("::")[2])
        for why, tests in by_reason.items():
            named = ", ".join(f"`{test}`" for test in tests[:4]).replace("|", "\\|")
            more = f" and {len(tests) - 4} more" if len(tests) > 4 else ""
            text += f"| {entry['name']} | {named}{more} | {why} |\n"
    return text


def compared(theirs: Mapping[str, str], ours: Mapping[str, str]) -> dict[str, Any]:
    """Returns the counts of a package from the outcomes of its tests with TensorFlow and with fastgrad."""
    expected = [test for test, outcome in theirs.items() if outcome == "passed"]
    lacking = [test for test in expected if ours.get(test) != "passed"]
    return {
        "passed_with_tensorflow": len(expected),
        "passed_with_both": len(expected) - len(lacking),
        "passed_with_fastgrad": sum(outcome == "passed" for outcome in ours.values()),
        "passed_with_tensorflow_only": sorted(lacking),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the tests and writes the results. Returns 1 if a test passes with TensorFlow only, for no reason in the table."""
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(prog="python -m benchmarks.public_packages")
    parser.add_argument("--sources", type=Path, required=True, help="the folder with the clones")
    parser.add_argument("--python", action="append", required=True, help="LIBRARY=PYTHON, for tensorflow and fastgrad")
    parser.add_argument("--only", nargs="*", default=[entry["name"] for entry in table], help="names of packages")
    parser.add_argument("--install", action="store_true", help="install the packages with pip first")
    parser.add_argument("--seconds", type=float, default=1800, help="the limit of one package's run with one library")
    parser.add_argument("--results", type=Path, default=RESULTS, help="a file; packages that do not run stay in it")
    options = parser.parse_args(arguments)
    pythons = dict(text.split("=", 1) for text in options.python)
    if set(pythons) != set(LIBRARIES):
        parser.error(f"--python names {', '.join(pythons)}; it needs {' and '.join(LIBRARIES)}")
    results = json.loads(options.results.read_text()) if options.results.exists() else {"packages": {}}
    version_by_name = versions(pythons["tensorflow"], ["tensorflow-cpu", "tensorflow", "keras"])
    results["versions"] = {
        "keras": version_by_name["keras"],
        "tensorflow": version_by_name.get("tensorflow") or version_by_name["tensorflow-cpu"],
    }
    unexplained = 0
    for entry in [entry for entry in table if entry["name"] in options.only]:
        if options.install:
            for python in pythons.values():
                install(entry, python)
        check_environments(entry, pythons)
        result = compared(*outcomes_with_both(entry, pythons, options.sources, options.seconds))
        results["packages"][entry["name"]] = result
        lacking = result["passed_with_tensorflow_only"]
        unexplained += sum(reason(entry, test) == NO_REASON for test in lacking)
        print(
            f"{entry['name']} {entry['version']}: of {result['passed_with_tensorflow']} tests that pass with TensorFlow, "
            f"{result['passed_with_both']} pass",
            *lacking,
            sep="\n  ",
            flush=True,
        )
        options.results.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if options.results == RESULTS:
        PAGE.write_text(page(table, results), encoding="utf-8")
    return int(unexplained > 0)


if __name__ == "__main__":
    sys.exit(main())
