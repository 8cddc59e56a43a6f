"""Runs the short suite with the lowest Python and dependencies, and with the newest: `python -m tests.reliability.machines [PYTEST ARGUMENTS]`.

Makes `.venv-lowest` and `.venv-newest` of the Pythons that are here, and adds the numbers of tests to `figures.json`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.reliability import figures
from tests.reliability.machines.environments import ROOT, make, pythons, version_of

FILE = Path(__file__).parent / "figures.json"


def outcomes(output: str) -> dict[str, int]:
    """The numbers of the last line of pytest: `{"passed": 300, "failed": 1}`."""
    last = [line for line in output.splitlines() if " in " in line and re.search(r"\d+ (passed|failed|error)", line)]
    return (
        {kind: int(number) for number, kind in re.findall(r"(\d+) (passed|failed|errors?|skipped)", last[-1])}
        if last
        else {}
    )


def run(python: Path, arguments: list[str]) -> dict[str, int]:
    """Runs the suite, and shows what it prints."""
    process = subprocess.Popen(
        [python, "-m", "pytest", "-q", *arguments],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        print(line, end="", flush=True)
        lines.append(line)
    process.wait()
    return outcomes("".join(lines))


def main(arguments: list[str]) -> int:
    """Returns the number of tests that failed."""
    content = (
        json.loads(FILE.read_text(encoding="utf-8"))
        if FILE.exists()
        else {"tests": {}, "figures": {}, "seconds": 0, "machine": figures.machine()}
    )
    found = pythons()
    failed = 0
    for dependencies, python in (("lowest", found[0]), ("newest", found[-1])):
        here = make(python, dependencies, ROOT / f".venv-{dependencies}")
        counts = run(here, arguments or ["-n", "auto", "--maxprocesses", "8", "--dist", "worksteal"])
        failed += sum(counts.get(kind, 0) for kind in ("failed", "error", "errors")) + (not counts)
        name = f"Python {version_of(str(here))} with the {dependencies} dependencies"
        for kind, count in counts.items():
            content["figures"][f"{name}: tests {kind}"] = count
    FILE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) != 0)
