"""Public scripts under TensorFlow and fastgrad: `python -m benchmarks.public_scripts --sources FOLDER --peer PYTHON`.

`scripts.json` names the scripts, and the replacements that make them small. `FOLDER/OWNER+NAME` is a git clone of each
repository, or holds one named `repo`. Each script runs under both libraries, in processes and folders of its own
(`driver.py`). `docs/unedited_scripts.md` is written from the results.
"""

import argparse
import concurrent.futures
import itertools
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
CHANGE = 1e-5
"""The relative change of TensorFlow's starting weights, in a run that shows what rounding does to a script."""
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+\.?\d*(?:e[-+]?\d+)?(?![\w.])", re.IGNORECASE)

HEAD = """# Public scripts without an edit

`python -m benchmarks.public_scripts` writes this page. [without_an_edit.md](without_an_edit.md) says how to run a script.
Each script ran under TensorFlow {version} and under fastgrad from the same starting weights, with generated data
of the same shapes. Only sizes were replaced: `benchmarks/public_scripts/scripts.json` has all replacements.
Shuffles, dropout and augmentation had no effect, and random draws gave the same numbers (`driver.py`).

{ends} of {total} scripts end. {equal} of these have TensorFlow's values, {rounding} differ by rounding. Scripts that TensorFlow {version} does not run are not listed.

Compared are all weights that layers made, results of `fit`, `evaluate` and `predict`, numeric global variables, and printed numbers.
Arrays are equal if the root mean square of the difference is at most {absolute:g} + {relative:g} times that of TensorFlow's values.

"Rounding" means: TensorFlow's own values change by at least half as much if its starting weights change by {change:g} of their size,
and Keras computes the bias correction of Adam in float64, as fastgrad does; in float32 it has errors of 6.7e-6 ([accuracy.md](accuracy.md)).
Rounding moves a value across 0, or past another in a window of max pooling; then the gradient goes elsewhere.
In float64, with that correction, all gradients in 12 steps of aymericdamien's raw convolutional network are equal to 1e-13.

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

    def __init__(self, library: str, python: str, change: float = 0.0) -> None:
        settings = {"MPLBACKEND": "Agg", "TF_CPP_MIN_LOG_LEVEL": "3", "FASTGRAD_QUIET": "1", "PYTHONHASHSEED": "0"}
        settings["CHANGE_OF_WEIGHTS"] = str(change)
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


def difference(ours: Outcome, theirs: Outcome, ignored: Sequence[str], changed: Outcome | None = None) -> str:
    """Returns what differs between two runs, or an empty text.

    With ``changed``, TensorFlow's run from changed weights, a difference up to twice TensorFlow's own is not one.
    """
    others = changed or theirs
    for kind in "weights", "globals":
        for name, arrays in theirs.found[kind].items():
            if name in ignored:
                continue
            text = array_difference(ours.found[kind].get(name, []), arrays, others.found[kind].get(name, []))
            if text:
                return f"{kind} {name}: {text}"
    found = [outcome.found["results"] for outcome in (ours, theirs, others)]
    for index, (a, b, c) in enumerate(itertools.zip_longest(*found, fillvalue=[])):
        text = array_difference(a, b, c)
        if text:
            return f"result {index} of fit, evaluate or predict: {text}"
    numbers, expected, other = (printed_numbers(outcome.printed, ignored) for outcome in (ours, theirs, others))
    if len(numbers) != len(expected):
        return f"prints {len(numbers)} numbers, TensorFlow {len(expected)}"
    text = array_difference([numbers], [expected], [other])
    return f"printed numbers: {text}" if text else ""


def printed_numbers(printed: str, ignored: Sequence[str]) -> np.ndarray:
    """Returns the numbers in the printed lines that have none of the ignored words."""
    lines = [line for line in printed.splitlines() if not any(word in line for word in ignored)]
    return np.array([float(number) for line in lines for number in NUMBER.findall(line)])


def array_difference(ours: Sequence[Any], theirs: Sequence[Any], others: Sequence[Any]) -> str:
    """Returns how arrays differ, or an empty text; twice the difference of the last two is allowed."""
    if [array.shape for array in ours] != [array.shape for array in theirs]:
        return f"{len(ours)} arrays, TensorFlow {len(theirs)}, or other shapes"
    same_shapes = [array.shape for array in others] == [array.shape for array in theirs]
    for a, b, c in zip(ours, theirs, others if same_shapes else theirs, strict=True):
        if a.size and not np.array_equal(a, b, equal_nan=b.dtype.kind in "fc"):
            error, own = (root_mean_square(np.subtract(array, b, dtype=complex)) for array in (a, c))
            size = root_mean_square(b)
            if not error <= max(ABSOLUTE_TOLERANCE + RELATIVE_TOLERANCE * size, 2 * own):
                return f"differ by {error:.2g} on average, size {size:.2g}"
    return ""


def root_mean_square(array: np.ndarray) -> float:
    """Returns the root of the mean of squared magnitudes."""
    return float(np.sqrt(np.mean(np.abs(array.astype(complex)) ** 2)))


def compare(
    entry: dict[str, Any], text: str, runners: Sequence[Runner], changing: Runner, seconds: float
) -> dict[str, Any]:
    """Runs a script under both libraries at the same time and compares the runs.

    If values differ, TensorFlow runs it again from changed weights, and ``beyond_rounding`` is what differs by more.
    """
    with concurrent.futures.ThreadPoolExecutor(len(runners)) as pool:
        ours, theirs = pool.map(lambda runner: runner.run(text, seconds), runners)
    result = {"path": entry["path"], "repository": entry["repository"], "theirs": theirs.error, "ours": ours.error}
    if not theirs.error and not ours.error:
        ignored = entry.get("ignored", ())
        result["difference"] = difference(ours, theirs, ignored)
        if result["difference"]:
            changed = changing.run(text, seconds)
            result["beyond_rounding"] = difference(ours, theirs, ignored, None if changed.error else changed)
    return result


def values_cell(row: dict[str, Any]) -> str:
    """Returns whether the values of a script that ends are equal, differ by multiplied rounding, or differ."""
    return "equal" if not row["difference"] else "no" if row["beyond_rounding"] else "rounding"


def table(rows: Sequence[dict[str, Any]], version: str) -> str:
    """Returns the page: a row for each script that ends under TensorFlow."""
    rows = [row for row in rows if not row["theirs"]]
    ends = [row for row in rows if not row["ours"]]
    text = HEAD.format(
        version=version,
        ends=len(ends),
        total=len(rows),
        equal=sum(values_cell(row) == "equal" for row in ends),
        rounding=sum(values_cell(row) == "rounding" for row in ends),
        change=CHANGE,
        absolute=ABSOLUTE_TOLERANCE,
        relative=RELATIVE_TOLERANCE,
    )
    for row in rows:
        note = row["ours"] or row.get("beyond_rounding") or row["difference"]
        note = f"{note}: {row['cause']}" if note and row["cause"] else note
        note = note.replace("|", "\\|")
        values = "" if row["ours"] else values_cell(row)
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
    changing = Runner("tensorflow", options.peer, CHANGE)
    for entry in entries:
        key = f"{entry['repository']} {entry['path']}"
        if key not in kept:
            text = source_of(entry, options.sources, scripts["replacements"])
            kept[key] = compare(entry, text, runners, changing, options.seconds)
            if options.results:
                options.results.write_text(json.dumps(kept, indent=1, ensure_ascii=False))
        print(key, {name: value for name, value in kept[key].items() if name not in ("path", "repository")}, flush=True)
    for runner in (*runners, changing):
        runner.close()
    rows = [{**kept[f"{entry['repository']} {entry['path']}"], "cause": entry.get("cause", "")} for entry in entries]
    if not options.only:
        asked = "import importlib.metadata as m; print(m.version('tensorflow_cpu'))"
        version = subprocess.run([options.peer, "-c", asked], capture_output=True, text=True, check=True).stdout.strip()
        TABLE.write_text(table(rows, version), encoding="utf-8")
    return int(any(row["ours"] and not row["theirs"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
