"""Runs the peers' test suites: ``python -m tests.conformance.suites --keras FOLDER --tensorflow FOLDER``.

FOLDER holds a copy of the peer's sources: ``keras/src/…`` of tag v3.15.1, ``tensorflow/python/…`` of v2.21. The tests run with
fastgrad in the peer's place; those that fail run once more with the peer itself, in the referee's environment.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conformance.suites.report import write_report

ROOT = Path(__file__).resolve().parents[3]
# What belongs to each suite, relative to the copy: files, or folders whose tests are taken.
SUITES = {
    "keras": [
        *(f"keras/src/{room}" for room in [
            "activations", "callbacks", "constraints", "datasets", "dtype_policies", "initializers", "layers", "legacy",
            "losses", "metrics", "models", "optimizers", "regularizers", "saving", "trainers", "utils",
        ]),
    ],
    "tensorflow": [
        *(f"tensorflow/python/kernel_tests/{room}" for room in [
            "array_ops", "linalg", "math_ops", "nn_ops", "random", "variables",
        ]),
        *(f"tensorflow/python/eager/{name}_test.py" for name in ["backprop", "forwardprop", "ops", "tensor"]),
        *(f"tensorflow/python/ops/{name}_test.py" for name in [
            "array_grad", "array_ops", "bincount_ops", "bitwise_ops", "clip_ops", "control_flow_ops", "embedding_ops",
            "functional_ops", "gradients", "init_ops_v2", "math_grad", "math_ops", "math_ops_linspace", "nn_batchnorm",
            "nn_grad", "nn", "nn_xent", "script_ops", "sort_ops", "special_math_ops", "tensor_array_ops",
        ]),
        "tensorflow/python/data/kernel_tests",
        "tensorflow/python/eager/polymorphic_function",
        "tensorflow/python/ops/ragged",
    ],
}  # fmt: skip
# Tests of classes that fastgrad does not have at all, and of tensors of many gigabytes.
LEFT_OUT = ("linear_operator", "large_concat", "huge_slice", "_benchmark_test")


def copy_tests(suite: str, sources: Path, folder: Path) -> list[str]:
    """Copies the tests of a suite to ``folder/copies`` and returns their paths relative to ``folder``."""
    paths = []
    for place in SUITES[suite]:
        given = sources / place
        if not given.exists():
            raise SystemExit(f"{given} is missing: {sources} must be a copy of {suite}'s sources")
        for file in sorted(given.rglob("*_test.py") if given.is_dir() else [given]):
            if any(part in file.name for part in LEFT_OUT):
                continue
            target = folder / "copies" / file.relative_to(sources)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
            paths.append(str(target.relative_to(folder)))
    return paths


def run(
    suite: str, sources: Path, outcomes: Path, python: str, tests: list[str], arguments: list[str]
) -> dict[str, list[str]]:
    """Runs tests of a suite with ``python`` in the folder of ``outcomes``, and returns their outcomes by their names."""
    folder = outcomes.parent
    environment = {
        **os.environ,
        "SUITE": suite,
        "SUITE_SOURCES": str(sources),
        "SUITE_OUTCOMES": str(outcomes),
        "PYTHONPATH": str(ROOT),
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",
        **({} if python == sys.executable else {"SUITE_REFEREE": "1"}),
    }
    options = ["-q", "-p", "tests.conformance.suites.plugin", "--noconftest", "-p", "no:cacheprovider", "-c", "/dev/null",
               "--rootdir", str(folder), "--import-mode=importlib", "-n", "auto", "--dist", "worksteal", "--timeout", "60",
               "--continue-on-collection-errors", "--tb=no", "--no-header", "-W", "ignore"]  # fmt: skip
    names = folder / "tests.txt"
    names.write_text("\n".join(tests))
    with (folder / f"{outcomes.stem}.log").open("w") as log:
        command = [python, "-m", "pytest", *options, *arguments, f"@{names}"]
        subprocess.run(command, cwd=folder, env=environment, stdout=log, check=False)
    return json.loads(outcomes.read_text())


def judge(suite: str, sources: Path, folder: Path, referee: str, arguments: list[str]) -> dict[str, list[str]]:
    """Runs a suite on fastgrad, and on the peer what failed; what fails there as well says nothing about fastgrad."""
    outcomes = run(
        suite, sources, folder / f"{suite}.json", sys.executable, copy_tests(suite, sources, folder), arguments
    )
    failed = [name for name, (outcome, _) in outcomes.items() if outcome == "failed"]
    if failed:
        answers = run(suite, sources, folder / f"{suite}-referee.json", referee, failed, [])
        for name in failed:
            if name in answers and answers[name][0] not in ("passed", "words"):
                outcomes[name] = ["apart", "fails or is skipped on the peer itself"]
    (folder / f"{suite}.json").write_text(json.dumps(outcomes, indent=0, sort_keys=True))
    return outcomes


def main() -> None:
    """Runs the suites that are asked for and writes docs/conformance.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for suite in SUITES:
        parser.add_argument(f"--{suite}", type=Path, help=f"the folder of {suite}'s sources")
    parser.add_argument("--referee", default=str(ROOT / ".venv-conformance/bin/python"), help="Python of the referee")
    parser.add_argument("--folder", type=Path, default=ROOT / "build/suites", help="where copies and outcomes are kept")
    parser.add_argument("--report-only", action="store_true", help="write the page from the outcomes of the last run")
    options, arguments = parser.parse_known_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    results = {}
    for suite in SUITES:
        sources = getattr(options, suite)
        if sources is not None and options.report_only:
            results[suite] = json.loads((folder / f"{suite}.json").read_text())
        elif sources is not None:
            results[suite] = judge(suite, sources.resolve(), folder, options.referee, arguments)
    if not results:
        parser.error("name the folder of at least one peer's sources")
    write_report(results, ROOT / "docs/conformance.md")


if __name__ == "__main__":
    main()
