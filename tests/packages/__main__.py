"""How much of the Numba code of packages fastgrad differentiates: ``make test-packages``, or ``python -m tests.packages PACKAGE …`` for some.

Each package runs its own tests, or a script of ``use``. The counts go to ``figures.json`` and to docs/numba_packages.md.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.packages.classify import category_of

FOLDER = Path(__file__).parent
FIGURES = FOLDER / "figures.json"
PAGE = FOLDER.parents[1] / "docs" / "numba_packages.md"
OWN_TESTS = {
    "arch": ["tests/univariate/test_recursions.py"],
    "quantecon": ["optimize", "markov/tests/test_ddp.py", "markov/tests/test_gth_solve.py"],
}
"""Folders and files of tests, by the names that packages are imported by."""
SCRIPTS = {script.stem.removeprefix("use_"): script for script in sorted((FOLDER / "use").glob("use_*.py"))}
CATEGORIES = (
    "wrong",
    "failed",
    "refused",
    "search",
    "at a branch",
    "right within noise",
    "right",
    "not smooth",
    "too slow",
    "skipped",
)
"""The categories of functions. That of a function is the first of those of its calls."""
LISTED = ("wrong", "failed", "refused", "search", "at a branch", "right within noise", "too slow")
"""The categories of the functions that the page names."""
COLUMNS = (
    "right",
    "right within noise",
    "refused",
    "failed",
    "wrong",
    "at a branch",
    "search",
    "not smooth",
    "too slow",
    "skipped",
)
SECONDS_FOR_A_PACKAGE = 3600.0


def main() -> int:
    """Runs packages and writes the page; the status is 1 if a derivative is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.packages", description=__doc__)
    parser.add_argument("packages", nargs="*", help="names that packages are imported by (default: all)")
    parser.add_argument("--reports", help="a folder for the reports; those that are there are not made again")
    options = parser.parse_args()
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        reports = Path(options.reports or folder)
        for package in options.packages or sorted({*OWN_TESTS, *SCRIPTS}):
            path = reports / f"{package}.json"
            if not path.exists():
                run(package, path)
            figures[package] = summary(json.loads(path.read_text()))
    figures = dict(sorted(figures.items()))
    FIGURES.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    PAGE.write_text(page(figures))
    return 1 if any(row["counts"]["wrong"] for row in figures.values()) else 0


def run(package: str, path: Path) -> None:
    """Writes the report of a package."""
    command = [str(SCRIPTS[package])] if package in SCRIPTS else ["pytest", "-q", "-p", "no:cacheprovider"]
    if package in OWN_TESTS:
        folder = Path(importlib.util.find_spec(package).submodule_search_locations[0])
        command += [str(folder / part) for part in OWN_TESTS[package]]
    words = [sys.executable, "-m", "tests.packages.classify", package, "--out", str(path.resolve()), "--", *command]
    subprocess.run(words, cwd=FOLDER.parents[1], timeout=SECONDS_FOR_A_PACKAGE, check=False)


def category_and_reason(function: dict) -> tuple[str, str]:
    """Returns the category of a function, and the reason without the place in its file."""
    of_calls = [(category_of(call["status"], call["reason"]), call["reason"]) for call in function["calls"]]
    category, reason = min(of_calls, key=lambda of_call: CATEGORIES.index(of_call[0]))
    text = re.split(r":[0-9]+: ", [*reason.splitlines(), ""][0], maxsplit=1)[-1]
    return category, text.removeprefix(f"{category.removeprefix('right ')}: ")


def summary(report: dict) -> dict:
    """Returns the counts of a report, and the reasons of the categories that the page names."""
    distribution = importlib.metadata.packages_distributions()[report["package"]][0]
    rows = {function["name"]: category_and_reason(function) for function in report["functions"]}
    categories = [category_and_reason(function)[0] for function in report["functions"]]
    seconds = [function["seconds"] for function in report["functions"] if function["status"] != "skipped"]
    return {
        "distribution": distribution,
        "version": importlib.metadata.version(distribution),
        "seconds": round(statistics.median(seconds), 1),
        "counts": {category: categories.count(category) for category in CATEGORIES},
        "reasons": {name: f"{category}: {reason}" for name, (category, reason) in rows.items() if category in LISTED},
    }


def page(figures: dict) -> str:
    """Returns the text of docs/numba_packages.md."""
    counts = {status: sum(row["counts"].get(status, 0) for row in figures.values()) for status in CATEGORIES}
    with_floats = sum(counts[status] for status in CATEGORIES if status != "skipped")
    lines = [
        "# Derivatives of packages' Numba functions",
        "",
        "`python -m fastgrad.differentiate PACKAGE -- pytest …` runs a command and records the first calls of each function that the package compiles with Numba, calls from compiled functions included.",
        "For each call it compares reverse mode, forward mode and central differences: derivatives of all floats that the function returns or writes, with respect to all floats that it takes.",
        "`make test-packages` does so for the packages below, with the arguments of their own tests or of the scripts in [tests/packages/use](../tests/packages/use), and writes this page.",
        "It also sorts what the command lists as a disagreement: wrong, at a branch, or a search.",
        "",
        (
            f"Of {with_floats} functions that compute floats from floats, {counts['right']} are right, {counts['right within noise']} right within noise, "
            f"{counts['refused']} refused, {counts['failed']} failed, {counts['at a branch']} at a branch, {counts['search']} searches, "
            f"{counts['not smooth']} not smooth at the arguments, {counts['too slow']} too slow, and {counts['wrong']} wrong."
        ),
        "",
        f"| package | version | {' | '.join(COLUMNS)} | seconds |",
        f"| --- | --- |{' --: |' * (len(COLUMNS) + 1)}",
    ]
    for row in figures.values():
        numbers = " | ".join(str(row["counts"].get(status, 0)) for status in COLUMNS)
        lines.append(f"| {row['distribution']} | {row['version']} | {numbers} | {row.get('seconds', '')} |")
    lines += [
        "",
        (
            "*Not smooth*: differences do not converge as their step shrinks, or left and right differences differ. *Skipped*: the function takes, returns and writes no floats, "
            "or the call raises. *Too slow*: it takes longer than two minutes, compilation included. *Failed*: an error other than a refusal. "
            "*Seconds*: the median CPU time of the check of a function, compilation of the function and its derivatives included."
        ),
        "",
        (
            "*Wrong*: the derivative differs from differences, for none of the next three reasons. "
            "*At a branch*: a branch such as `if multiplier == 0` takes another path at this one point than at all points around it, where derivatives are right; "
            "this path may omit terms, so its derivative differs. "
            "*Search*: a loop searches by comparisons, such as bisection; derivatives are right between the jumps of the result. "
            "*Right within noise*: the function rounds inside, mostly to float32; differences agree if their steps are large compared with this noise."
        ),
        "",
        "## What is not right",
        "",
        "| function | reason |",
        "| --- | --- |",
    ]
    lines += [
        f"| `{name}` | {reason.replace('|', ' ')} |"
        for row in figures.values()
        for name, reason in row["reasons"].items()
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
