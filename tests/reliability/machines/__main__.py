"""Runs the whole short suite on other configurations: `python -m tests.reliability.machines [--only NAME] [PYTEST ARGUMENTS]`.

A configuration is a Python with its dependencies, or a width of vectors. `.venv-lowest` and `.venv-newest` are made of the Pythons that are installed.
The numbers of tests are written to `whole_suite.json`, which `tests/reliability/page.py` reads.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.reliability import figures
from tests.reliability.machines.environments import ROOT, make, pythons, version_of

FILE = Path(__file__).parent / "whole_suite.json"
CONFIGURATIONS = ("lowest", "newest", "4 lanes", "8 lanes")
IN_PARALLEL = ["-n", "auto", "--maxprocesses", "8", "--dist", "worksteal"]


def outcomes(output: str) -> dict[str, int]:
    """The numbers of the last line of pytest: `{"passed": 300, "failed": 1}`."""
    last = [line for line in output.splitlines() if " in " in line and re.search(r"\d+ (passed|failed|error)", line)]
    return (
        {kind: int(number) for number, kind in re.findall(r"(\d+) (passed|failed|errors?|skipped)", last[-1])}
        if last
        else {}
    )


def run(python: Path, arguments: list[str], **environment: str) -> dict[str, int]:
    """Runs the suite, and shows what it prints."""
    process = subprocess.Popen(
        [python, "-m", "pytest", "-q", *arguments],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"} | environment,
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


def tried(name: str, arguments: list[str]) -> dict[str, Any]:
    """Runs the suite on one configuration.

    Returns:
        The numbers of tests, the version of Python, the processor and the commit.
    """
    interpreters = [*pythons().values()]
    if name.endswith("lanes"):
        python, environment = Path(sys.executable), {"FASTGRAD_LANES": name.removesuffix(" lanes")}
    else:
        python, environment = make(interpreters[0 if name == "lowest" else -1], name, ROOT / f".venv-{name}"), {}
    counts = run(python, arguments or IN_PARALLEL, **environment)
    machine = figures.machine()
    return {"tests": counts, "python": version_of(str(python)), "cpu": machine["cpu"], "commit": machine["commit"]}


def main() -> int:
    """Returns the number of configurations with a failure."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability.machines", description=main.__doc__)
    parser.add_argument("--only", choices=CONFIGURATIONS, action="append", help="run these configurations alone")
    chosen, arguments = parser.parse_known_args()
    content = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    failed = 0
    for name in chosen.only or CONFIGURATIONS:
        content[name] = result = tried(name, arguments)
        failed += "passed" not in result["tests"] or any(kind.startswith(("fail", "err")) for kind in result["tests"])
        FILE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return failed


if __name__ == "__main__":
    sys.exit(main() != 0)
