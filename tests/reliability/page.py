"""Makes `docs/reliability.md` of the figures of the suites in `tests/reliability`.

    python -m tests.reliability.page

The words of a part are its `README.md`, what was found in it is its `mended.md`, and its figures are its `figures.json`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
PAGE = FOLDER.parents[1] / "docs" / "reliability.md"
PARTS = {
    "boundaries": "test-boundaries",
    "gradients": "test-gradients",
    "random_programs": "test-random-programs",
    "bad_input": "test-bad-input",
    "hostile_files": "test-hostile-files",
    "faults": "test-faults",
    "memory": "test-memory",
    "accuracy": "test-accuracy",
    "machines": "test-machines",
}
"""The parts in the order of the page, with the targets of `make` that run their long form."""

HEAD = """# Reliability

What the suites in `tests/reliability` tried, and what they found. `make test-all` runs a short form of each part. The target that stands
under a heading runs the long form, and writes the figures. `make reliability` makes this page of them.
"""


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
    lines = ["| figure | value |", "| --- | --- |"]
    lines += [f"| {name} | {number(value)} |" for name, value in content["figures"].items()]
    lines += ["", f"Tests: {outcomes}, in {content['seconds']:,} s, on {machine['cpu']}, Python {machine['python']},"]
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
        lines += ["", "Found and mended:", "", mended]
    return lines


def page() -> str:
    """The whole page."""
    lines = HEAD.rstrip().splitlines()
    for part, target in PARTS.items():
        lines += section(part, target)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
