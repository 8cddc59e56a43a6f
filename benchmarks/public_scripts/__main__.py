"""Public scripts under TensorFlow and fastgrad: `python -m benchmarks.public_scripts --sources FOLDER --peer PYTHON`.

`scripts.json` names the scripts, and the replacements that make them small. `FOLDER/OWNER+NAME` is a git clone of each
repository, or holds one named `repo`. Each script runs under both libraries, in processes and folders of its own
(`driver.py`). `docs/unedited_scripts.md` is written from the results.
"""

import argparse
import concurrent.futures
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.apart import ROOT, THREADS, thread_settings
from fastgrad._src.commands.script_names import _code_of_notebook

HERE = Path(__file__).parent
TABLE = ROOT / "docs" / "unedited_scripts.md"
RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE = 2e-3, 2e-4
"""Training multiplies differences of rounding. A wrong gradient, loss or update gives differences far above these."""
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+\.?\d*(?:e[-+]?\d+)?(?![\w.])", re.IGNORECASE)

HEAD = """# Public scripts without an edit

`python -m benchmarks.public_scripts` writes this page. [without_an_edit.md](without_an_edit.md) says how to run a script.
Each script ran under TensorFlow {version} and under fastgrad from the same starting weights, with generated data
of the same shapes. Only sizes were replaced: `benchmarks/public_scripts/scripts.json` has all replacements.
Shuffles, dropout and augmentation had no effect, and random draws gave the same numbers (`driver.py`).

{ends} of {total} scripts end. {equal} of these have TensorFlow's values. Scripts that TensorFlow {version} does not run are not listed.

Compared are all weights that layers made, results of `fit`, `evaluate` and `predict`, numeric global variables, and printed numbers.
Arrays are equal if the root mean square of the difference is at most {absolute:g} + {relative:g} times that of TensorFlow's values.

| script | repository | ends | values | what stops it, or what differs |
| --- | --- | --- | --- | --- |
"""


class Outcome(NamedTuple):
    """How a run ended: the last line of its error, or an empty text; what it printed; what the driver recorded."""

    error: str
    printed: str
    found: dict[str, Any]


def source_of(entry: dict[str, Any], sources: Path, common: Sequence[Sequence[str]]) -> str:
    """Returns the text of a script with its replacements.

    Raises:
        ValueError: a replacement of the script itself does not match.
    """
    clone = sources / entry["repository"].replace("/", "+")
    clone = clone / "repo" if (clone / "repo").is_dir() else clone
    shown = ["git", "-C", str(clone), "show", f"{entry['commit']}:{entry['path']}"]
    text = subprocess.run(shown, capture_output=True, check=True).stdout.decode()
    if entry["path"].endswith(".ipynb"):
        text = _code_of_notebook(text)
    for pattern, replacement in common:
        text = re.sub(pattern, replacement, text)
    for pattern, replacement in entry.get("replacements", ()):
        text, count = re.subn(pattern, replacement, text)
        if not count:
            raise ValueError(f"{entry['path']} has no {pattern!r}")
    return text


class Runner:
    """A process of `driver.py` that runs scripts under one library."""

    def __init__(self, library: str, python: str) -> None:
        settings = {"MPLBACKEND": "Agg", "TF_CPP_MIN_LOG_LEVEL": "3", "FASTGRAD_QUIET": "1", "PYTHONHASHSEED": "0"}
        environment = {**os.environ, **thread_settings(THREADS), **settings}
        if library == "tensorflow":
            environment.pop("PYTHONPATH", None)
        command = [python, str(HERE / "driver.py"), library]
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def run(self, text: str, seconds: float) -> Outcome:
        """Runs a text as a script in a folder of its own."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "script.py").write_text(text, encoding="utf-8")
            job = [str(folder / "script.py"), str(folder / "found.pickle"), seconds]
            print(json.dumps(job), file=self._process.stdin, flush=True)
            code = int(self._process.stdout.readline())
            printed = (folder / "stdout").read_text(errors="replace")
            if code == -signal.SIGKILL:
                return Outcome(f"not ended after {seconds:.0f} s", printed, {})
            if code:
                return Outcome(
                    last_error((folder / "stderr").read_text(errors="replace").replace(f"{name}/", "")), printed, {}
                )
            return Outcome("", printed, pickle.loads((folder / "found.pickle").read_bytes()))  # noqa: S301  # the driver's

    def close(self) -> None:
        """Ends the process."""
        self._process.communicate()


def last_error(text: str) -> str:
    """Returns the line of a traceback that names the error, shortened."""
    lines = [line for line in text.splitlines() if re.match(r"[A-Za-z_.]*(Error|Exception|Interrupt|Exit)\b", line)]
    return (lines or text.splitlines() or ["no message"])[-1][:200]


def difference(ours: Outcome, theirs: Outcome, ignored: Sequence[str]) -> str:
    """Returns what differs between two runs, or an empty text."""
    for kind in "weights", "globals":
        for name, arrays in theirs.found[kind].items():
            if name in ignored:
                continue
            text = array_difference(ours.found[kind].get(name, []), arrays)
            if text:
                return f"{kind} {name}: {text}"
    for index, arrays in enumerate(theirs.found["results"]):
        text = (
            array_difference(ours.found["results"][index], arrays) if index < len(ours.found["results"]) else "missing"
        )
        if text:
            return f"result {index} of fit, evaluate or predict: {text}"
    numbers, expected = (
        [
            float(number)
            for line in outcome.printed.splitlines()
            if not any(word in line for word in ignored)
            for number in NUMBER.findall(line)
        ]
        for outcome in (ours, theirs)
    )
    if len(numbers) != len(expected):
        return f"prints {len(numbers)} numbers, TensorFlow {len(expected)}"
    text = array_difference([np.array(numbers)], [np.array(expected)])
    return f"printed numbers: {text}" if text else ""


def array_difference(ours: Sequence[Any], theirs: Sequence[Any]) -> str:
    """Returns how arrays differ, or an empty text."""
    if [array.shape for array in ours] != [array.shape for array in theirs]:
        return f"{len(ours)} arrays, TensorFlow {len(theirs)}, or other shapes"
    for a, b in zip(ours, theirs, strict=True):
        if a.size and not np.array_equal(a, b, equal_nan=b.dtype.kind in "fc"):
            error = np.sqrt(np.mean(np.abs(np.subtract(a, b, dtype=complex)) ** 2))
            size = np.sqrt(np.mean(np.abs(b.astype(complex)) ** 2))
            if not error <= ABSOLUTE_TOLERANCE + RELATIVE_TOLERANCE * size:
                return f"differ by {error:.2g} on average, size {size:.2g}"
    return ""


def compare(entry: dict[str, Any], text: str, runners: Sequence[Runner], seconds: float) -> dict[str, Any]:
    """Runs a script under both libraries at the same time and compares the runs."""
    with concurrent.futures.ThreadPoolExecutor(len(runners)) as pool:
        ours, theirs = pool.map(lambda runner: runner.run(text, seconds), runners)
    result = {"path": entry["path"], "repository": entry["repository"], "theirs": theirs.error, "ours": ours.error}
    if not theirs.error and not ours.error:
        result["difference"] = difference(ours, theirs, entry.get("ignored", ()))
    return result


def table(rows: Sequence[dict[str, Any]], version: str) -> str:
    """Returns the page: a row for each script that ends under TensorFlow."""
    rows = [row for row in rows if not row["theirs"]]
    ends = [row for row in rows if not row["ours"]]
    text = HEAD.format(
        version=version,
        ends=len(ends),
        total=len(rows),
        equal=sum(not row["difference"] for row in ends),
        absolute=ABSOLUTE_TOLERANCE,
        relative=RELATIVE_TOLERANCE,
    )
    for row in rows:
        note = (row["ours"] or row["difference"]).replace("|", "\\|")
        values = "" if row["ours"] else "no" if row["difference"] else "equal"
        text += f"| {row['path']} | {row['repository']} | {'no' if row['ours'] else 'yes'} | {values} | {note} |\n"
    return text


def main(command: Sequence[str] | None = None) -> int:
    """Runs the scripts; writes the page if all were asked for. Returns 1 if a script that ends under TensorFlow does not end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.public_scripts", description=__doc__)
    parser.add_argument("--sources", type=Path, required=True, help="the folder with the clones")
    parser.add_argument("--peer", required=True, help="a Python interpreter with TensorFlow")
    parser.add_argument(
        "--only", default="", help="run the scripts whose repository and path match this regular expression"
    )
    parser.add_argument("--scripts", type=Path, default=HERE / "scripts.json", help="the list of scripts")
    parser.add_argument("--seconds", type=float, default=150, help="the limit of a run")
    parser.add_argument("--results", type=Path, help="a file for the results; those that it has are not run again")
    options = parser.parse_args(command)
    scripts = json.loads(options.scripts.read_text(encoding="utf-8"))
    entries = [
        entry for entry in scripts["scripts"] if re.search(options.only, f"{entry['repository']} {entry['path']}")
    ]
    kept = json.loads(options.results.read_text()) if options.results and options.results.exists() else {}
    runners = Runner("fastgrad", sys.executable), Runner("tensorflow", options.peer)
    for entry in entries:
        key = f"{entry['repository']} {entry['path']}"
        if key not in kept:
            text = source_of(entry, options.sources, scripts["replacements"])
            kept[key] = compare(entry, text, runners, options.seconds)
            if options.results:
                options.results.write_text(json.dumps(kept, indent=1, ensure_ascii=False))
        print(key, {name: value for name, value in kept[key].items() if name not in ("path", "repository")}, flush=True)
    for runner in runners:
        runner.close()
    rows = [kept[f"{entry['repository']} {entry['path']}"] for entry in entries]
    if not options.only:
        asked = "import importlib.metadata as m; print(m.version('tensorflow_cpu'))"
        version = subprocess.run([options.peer, "-c", asked], capture_output=True, text=True, check=True).stdout.strip()
        TABLE.write_text(table(rows, version), encoding="utf-8")
    return int(any(row["ours"] and not row["theirs"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
