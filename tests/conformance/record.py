"""Keeps TensorFlow's answers to the programs, and runs TensorFlow in a process of its own for all suites (`tests/record.py`)."""

import json
import os
import subprocess
import tempfile
import warnings
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

EXPECTED = Path(__file__).parent / "expected"
ROOT = Path(__file__).parents[2]
# oneDNN's kernels round differently from one CPU to the next, and abort on a convolution of the wrong rank.
REFEREE_SETTINGS = {
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "KERAS_BACKEND": "tensorflow",
}


def referee_python() -> Path | None:
    """The Python that has TensorFlow, or None where there is none."""
    named = os.environ.get("FASTGRAD_REFEREE_PYTHON")
    if named:
        return Path(named).absolute()
    made = ROOT / ".venv-conformance" / "bin" / "python"
    return made if made.exists() else None


def required_python() -> Path:
    """The Python that has TensorFlow.

    Raises:
        SystemExit: there is none.
    """
    python = referee_python()
    if python is None:
        raise SystemExit("no TensorFlow: run `make record`, or name a Python that has it in FASTGRAD_REFEREE_PYTHON")
    return python


def recorded() -> dict[str, dict[str, Any]]:
    """The committed answers: `{program: {"versions": ..., "answers": {case: {question: answer}}}}`."""
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(EXPECTED.glob("*.json"))}


def run_tensorflow(
    python: Path, module: str, *arguments: str | Path, settings: Mapping[str, str] = REFEREE_SETTINGS
) -> None:
    """Runs a module of the tests in a process with TensorFlow.

    Raises:
        RuntimeError: the process failed; its last lines are in the message.
    """
    finished = subprocess.run(
        [python, "-m", module, *arguments],
        cwd=ROOT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        raise RuntimeError(f"asking TensorFlow with {python} failed:\n{finished.stderr[-3000:]}")


def asked_now(python: Path, programs: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """What TensorFlow answers today to some programs or all, in a process of its own; the same form as `recorded`."""
    with tempfile.TemporaryDirectory() as folder:
        run_tensorflow(python, "tests.conformance.answers", "tensorflow", folder, *programs)
        answers = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in Path(folder).iterdir()}
    for case in (case for program in answers.values() for case in program["answers"].values()):
        for answer in case.values():
            if isinstance(answer, dict):
                answer.pop("message", None)  # TensorFlow's wording is not part of the contract
    return dict(sorted(answers.items()))


def write(answers: dict[str, dict[str, Any]]) -> None:
    """Writes the answers to `expected/`, a question a line, and removes what no program asks any more."""
    for file in EXPECTED.glob("*.json"):
        if file.stem not in answers:
            file.unlink()
    for program, record in answers.items():
        cases = (
            f"{json.dumps(case)}: {{\n"
            + ",\n".join(f" {json.dumps(q)}: {json.dumps(a)}" for q, a in found.items())
            + "\n}"
            for case, found in record["answers"].items()
        )
        text = f'{{\n"versions": {json.dumps(record["versions"])},\n"answers": {{\n' + ",\n".join(cases) + "\n}\n}\n"
        (EXPECTED / f"{program}.json").write_text(text, encoding="utf-8")


def asked() -> dict[str, set[str]]:
    """The questions of each program, as `case: question`; of a case that fails, those that are recorded."""
    import fastgrad

    from .answers import program_names, questions_of

    known = recorded()
    result: dict[str, set[str]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for program in program_names():
            answers = known.get(program, {"answers": {}})["answers"]
            result[program] = {
                f"{case}: {question}"
                for case, questions in questions_of(fastgrad, program).items()
                for question in (answers.get(case, ()) if isinstance(questions, Exception) else questions)
            }
    return result


def answered() -> dict[str, set[str]]:
    """The questions of each program that have answers."""
    return {
        program: {f"{case}: {question}" for case, answers in record["answers"].items() for question in answers}
        for program, record in recorded().items()
    }


def record(files: Collection[str], *, again: bool) -> None:
    """Asks TensorFlow the questions of programs, and writes its answers."""
    from .answers import program_names

    programs = program_names()
    known = {program: answers for program, answers in recorded().items() if program in programs}
    named = [file for file in files if file in programs]
    write(dict(sorted({**known, **(asked_now(required_python(), named) if named else {})}.items())))
