"""Writes docs/conformance.md and docs/results/conformance.md from the outcomes of the peers' test suites."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

from tests.conformance.suites.reasons import APART, LEFT

_NAMES = {"keras": "Keras 3.15.1", "tensorflow": "TensorFlow 2.21"}
_INTRODUCTION = """# Conformance: the peers' own tests

`make conformance-suites KERAS=folder TENSORFLOW=folder` runs the public unit tests of Keras (tag v3.15.1) and the eager unit tests of
TensorFlow (v2.21) on fastgrad instead of the peer, and writes this page. The folders hold copies of the peers' sources; they
are not part of this project. `tests/conformance/suites` has substitutes for private modules of the peer.

- **passed**: the test passes unchanged.
- **words**: the test passes, except for the words of an error's message; the class of the error is right.
- **set apart**: the test needs a name that fastgrad does not have, a private part of the peer, graph mode or another backend, or it does
  not pass on the peer itself. [results/conformance.md](results/conformance.md) lists the reasons, and counts the tests of each file.
- **failed**: fastgrad behaves differently. Each failure has a reason below.

Here `fastgrad.keras` runs Keras's tests. [results/keras_tests.md](results/keras_tests.md) has the results of Keras itself [on fastgrad](keras_on_fastgrad.md).

The share is (passed + words) / (passed + words + failed).
"""
_RESULTS_INTRODUCTION = """# Conformance: all results

[conformance.md](../conformance.md) says what was run, and what the columns mean.
"""


def _reason(rules: list[tuple[str, str]], text: str) -> str | None:
    return next((reason for pattern, reason in rules if re.search(pattern, text)), None)


def _short(name: str) -> str:
    """The file of a test, without what all files of its suite begin with."""
    path = name.partition("::")[0].removeprefix("copies/")
    return path.removeprefix("keras/src/").removeprefix("tensorflow/python/")


def _judged(outcomes: dict[str, list[str]]) -> dict[str, tuple[str, str]]:
    """Outcomes with reasons: failures that a rule of `APART` explains, and skipped tests, are set apart."""
    judged = {}
    for name, (outcome, text) in outcomes.items():
        whole = f"{name} | {text}"
        if outcome == "skipped":
            outcome, text = "apart", "skipped by the test itself"
        elif outcome == "failed":
            reason = _reason(APART, whole)
            if reason is not None:
                outcome, text = "apart", reason
            else:
                text = _reason(LEFT, whole) or text
        elif outcome == "apart":
            text = _reason(APART, whole) or text
        judged[name] = (outcome, text)
    return judged


def _share(counts: Counter[str]) -> str:
    fine = counts["passed"] + counts["words"]
    return f"{fine / max(1, fine + counts['failed']):.1%}"


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _grouped(reasons: Counter[str]) -> list[tuple[str, int]]:
    """Reasons and their numbers of tests; missing names of one module in one row."""
    modules: dict[str, Counter[str]] = defaultdict(Counter)
    rows: list[tuple[str, int]] = []
    for reason, count in reasons.items():
        module, _, name = reason.removeprefix("the file can't be imported: ").rpartition(" ")[2].rpartition(".")
        if re.fullmatch(r"(keras|tensorflow|torch)(\.\w+)*", module) and name.isidentifier():
            modules[module][name] += count
        else:
            rows.append((reason, count))
    for module, names in modules.items():
        rows.append((f"`{module}`: " + ", ".join(name for name, _ in names.most_common()), names.total()))
    return sorted(rows, key=lambda row: -row[1])


_KINDS = ["passed", "words", "apart", "failed"]
_HEAD = [_row("", "passed", "words", "set apart", "failed", "share"), "| --- | --: | --: | --: | --: | --: |"]


def write_report(results: dict[str, dict[str, list[str]]], path: Path) -> None:
    """Writes the page to read, and the page with all results in the folder ``results`` beside it.

    Args:
        results: for each suite, outcome and text of each test.
        path: the file of the page to read.
    """
    judged = {suite: _judged(outcomes) for suite, outcomes in results.items()}
    lines, details = [_INTRODUCTION, *_HEAD], [_RESULTS_INTRODUCTION]
    for suite, tests in judged.items():
        counts = Counter(outcome for outcome, _ in tests.values())
        lines.append(_row(_NAMES[suite], *(counts[kind] for kind in _KINDS), _share(counts)))
    for suite, tests in judged.items():
        files: dict[str, Counter[str]] = defaultdict(Counter)
        reasons: Counter[str] = Counter()
        failures: dict[str, list[str]] = defaultdict(list)
        for name, (outcome, text) in sorted(tests.items()):
            files[_short(name)][outcome] += 1
            if outcome == "apart":
                reasons[text] += 1
            elif outcome == "failed":
                failures[text].append(f"{_short(name)} {name.rpartition('::')[2]}")
        lines += ["", f"## {_NAMES[suite]}: failures that are left", "", _row("reason", "tests"), "| --- | --- |"]
        lines += [_row(reason, "; ".join(f"`{name}`" for name in names)) for reason, names in failures.items()]
        details += ["", f"## {_NAMES[suite]}: by file", "", *_HEAD]
        details += [
            _row(f"`{file}`", *(counts[kind] for kind in _KINDS), _share(counts)) for file, counts in files.items()
        ]
        details += ["", f"## {_NAMES[suite]}: why tests are set apart", "", _row("reason", "tests"), "| --- | --: |"]
        details += [_row(reason, count) for reason, count in _grouped(reasons)]
    path.write_text("\n".join(lines) + "\n")
    (path.parent / "results").mkdir(exist_ok=True)
    (path.parent / "results" / path.name).write_text("\n".join(details) + "\n")
