"""Makes `docs/reliability.md` and `docs/results/reliability.md` of the figures of the suites in `tests/reliability`.

    python -m tests.reliability.page

The first is a table of the parts. The second has all of each: its words (`README.md`), the defects that it has shown
(`mended.md`) and its figures (`figures.json`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
PAGE = FOLDER.parents[1] / "docs" / "reliability.md"
RESULTS = PAGE.parent / "results" / "reliability.md"
PARTS = {
    "boundaries": "test-boundaries",
    "gradients": "test-gradients",
    "random_programs": "test-random-programs",
    "bad_input": "test-bad-input",
    "bad_arguments": "test-bad-arguments",
    "hostile_files": "test-hostile-files",
    "faults": "test-faults",
    "memory": "test-memory",
    "accuracy": "test-accuracy",
    "machines": "test-machines",
}
"""The parts in the order of the page, with the sessions of noxfile.py that run their long form."""

HEAD = """# Reliability

Stress tests of fastgrad. Each part is a suite in `tests/reliability`. `make test-all` runs a short form of each suite; the commit's hash selects
its cases. The command in the table runs the long form, whose tests are counted here. [results/reliability.md](results/reliability.md) says how each part
works, what it does not cover, its figures, and the defects that it has found, each with its regression test.

| part | what is tried | tests | time | defects fixed | command |
| --- | --- | ---: | ---: | ---: | --- |
"""

RESULTS_HEAD = """# Reliability: all results

The tests of the suites in `tests/reliability`, and the defects that they have found. [reliability.md](../reliability.md) sums it up. The target under
a heading runs the long form and writes the figures. `make reliability` makes this page.
"""

SUBJECTS = {
    "boundaries": "each row of the operation table just below, at and above each size where a kernel changes what it does, in any layout of memory",
    "gradients": "each gradient, beside TensorFlow's and central differences, to second order",
    "random_programs": "random programs: eager, compiled, vectorised and on TensorFlow; derivatives of random Numba functions",
    "bad_input": "wrong calls of each public family: the class of the error is TensorFlow's, and nothing has changed",
    "bad_arguments": "sizes below 0, divisors of 0, NaN and other arguments that Numba functions refuse: derivatives raise the same",
    "hostile_files": "damaged and malicious files, given to each reader",
    "faults": "processes killed, disks full, allocations refused, steps interrupted",
    "memory": "a million replays, changing shapes, steps defined again: memory stays flat",
    "accuracy": "each function, sum and statistic beside longer numbers; the same bits for each number of threads",
    "machines": "emulated ARM and AVX2 processors, other widths of vectors, the oldest and newest Python and dependencies",
}
"""What each part tries."""


def words(path: Path) -> str:
    """The text of a file without its heading, and with smaller headings within it, or nothing."""
    if not path.exists():
        return ""
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(
        f"#{line}" if line.startswith("##") else line for line in lines if not line.startswith("# ")
    ).strip()


def number(value: float) -> str:
    """A figure as text: `20,000`, `1.52`."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def figures(content: dict[str, Any]) -> list[str]:
    """The table of a part."""
    machine = content["machine"]
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(content["tests"].items()))
    lines = [f"| {name} | {number(value)} |" for name, value in content["figures"].items()]
    lines = ["| figure | value |", "| --- | --- |", *lines, ""] if lines else []
    lines += [f"Tests: {outcomes}, in {content['seconds']:,} s, on {machine['cpu']}, Python {machine['python']},"]
    lines += [f"NumPy {machine['numpy']}, Numba {machine['numba']}, at commit {machine['commit']}."]
    return lines


def whole_suite(path: Path) -> list[str]:
    """The table of the configurations that `tests/reliability/machines/__main__.py` ran the whole short suite on."""
    if not path.exists():
        return []
    lines = ["", "| whole short suite | Python | tests | processor | commit |", "| --- | --- | --- | --- | --- |"]
    for name, run in json.loads(path.read_text(encoding="utf-8")).items():
        configuration = f"{name} dependencies" if name in ("lowest", "newest") else f"vectors of {name}"
        outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in run["tests"].items())
        lines.append(f"| {configuration} | {run['python']} | {outcomes} | {run['cpu']} | {run['commit']} |")
    return lines


def section(part: str, target: str) -> list[str]:
    """The section of a part."""
    folder = FOLDER / part
    lines = ["", f"## {part.replace('_', ' ').capitalize()}", "", f"`make {target}`. {words(folder / 'README.md')}", ""]
    if (folder / "figures.json").exists():
        lines += figures(json.loads((folder / "figures.json").read_text(encoding="utf-8")))
    lines += whole_suite(folder / "whole_suite.json")
    if mended := words(folder / "mended.md"):
        lines += ["", "Defects found and fixed:", "", mended]
    return lines


def summary(part: str, target: str) -> str:
    """The row of a part in the table."""
    content = json.loads((FOLDER / part / "figures.json").read_text(encoding="utf-8"))
    mended = FOLDER / part / "mended.md"
    defects = (
        sum(line.startswith("- ") for line in mended.read_text(encoding="utf-8").splitlines()) if mended.exists() else 0
    )
    name = part.replace("_", " ")
    link = f"[{name}](results/reliability.md#{name.replace(' ', '-')})"
    minutes = f"{max(1, round(content['seconds'] / 60)):,} min"
    return f"| {link} | {SUBJECTS[part]} | {content['tests']['passed']:,} | {minutes} | {defects or ''} | `make {target}` |"


def page() -> str:
    """The page to read."""
    return HEAD + "\n".join(summary(part, target) for part, target in PARTS.items()) + "\n"


def results() -> str:
    """The page with all results."""
    lines = RESULTS_HEAD.rstrip().splitlines()
    for part, target in PARTS.items():
        lines += section(part, target)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    RESULTS.write_text(results(), encoding="utf-8")
