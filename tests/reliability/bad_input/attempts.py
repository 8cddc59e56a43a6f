"""Makes wrong calls in a process of its own: `python -m tests.reliability.bad_input.attempts MODULE CALLS ANSWERS`.

CALLS is a file of JSON, a list of texts. Each answer is a line of JSON in ANSWERS: the text, the public classes of the exception, its message. The line is
written at once, so a process that ends early names its call. Runs in TensorFlow's environment as well as in fastgrad's.
"""

import faulthandler
import functools
import gc
import importlib
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

from .names import names
from .wrong_calls import public_classes

SECONDS = 60
"""A call that takes longer ends the process: it hangs."""

MEMORY = 8 << 30
"""Bytes of address space of a process."""

NOISE = re.compile("Exception ignored|ResourceWarning|Task was destroyed")
"""What Python writes on standard error, and no exit code tells, if a destructor fails or a file was not closed."""

ROOT = Path(__file__).parents[3]


def attempt(tf: ModuleType, text: str) -> tuple[list[str], str]:
    """The public classes and the message of what a call raises; none if it returns."""
    try:
        eval(text, names(tf))
    except Exception as error:  # noqa: BLE001 - the exception is the answer
        return public_classes(tf, error), str(error)
    return [], ""


def attempts_in_a_process(
    python: str, module: str, texts: list[str], environment: dict[str, str], noise: list[str] | None = None
) -> dict[str, tuple[list[str], str]]:
    """The answers of a module to calls, `{text: (classes, message)}`. A call that ends the process answers `["crash"]`, and the last lines of the process.

    Args:
        python: the interpreter and its options, separated by spaces.
        module: `tensorflow` or `fastgrad`.
        texts: the calls.
        environment: what is added to the environment's variables.
        noise: a list to which what destructors and unclosed files have said on standard error is added.

    Raises:
        RuntimeError: the process ended before its first call.
    """
    answers: dict[str, tuple[list[str], str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        output, source = Path(folder, "answers"), Path(folder, "calls")
        while left := [text for text in texts if text not in answers]:
            source.write_text(json.dumps(left), encoding="utf-8")
            output.write_text("")
            command = [
                *python.split(),
                "-X",
                "faulthandler",
                "-m",
                "tests.reliability.bad_input.attempts",
                module,
                str(source),
                str(output),
            ]
            finished = subprocess.run(
                command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False
            )
            if noise is not None and NOISE.search(finished.stderr):
                noise.append(finished.stderr[-3000:])
            lines = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
            answers |= {text: (classes, message) for text, classes, message in lines}
            if finished.returncode:
                if not lines and "Traceback" in finished.stderr:
                    raise RuntimeError(finished.stderr[-3000:])
                answers[left[len(lines)]] = (["crash"], finished.stderr[-3000:])
    return answers


def main() -> None:
    """Writes an answer for each call."""
    module, source, output = sys.argv[1:4]
    tf = importlib.import_module(module)
    if not sys.flags.dev_mode:
        warnings.simplefilter("ignore")
    if module == "fastgrad":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with tempfile.TemporaryDirectory() as folder, Path(output).open("a", encoding="utf-8") as file:
        os.chdir(folder)  # what TensorFlow takes may write files
        for text in json.loads(Path(source).read_text(encoding="utf-8")):
            faulthandler.dump_traceback_later(SECONDS, exit=True)
            sys.unraisablehook = functools.partial(_report_ignored, text)
            print(json.dumps([text, *attempt(tf, text)]), file=file, flush=True)
    gc.collect()


def _report_ignored(text: str, ignored: Any) -> None:
    """Writes what Python ignores, and the call during which or after which that happened."""
    print(f"Exception ignored in {text}, or after it: {ignored.exc_value!r} in {ignored.object!r}", file=sys.stderr)


if __name__ == "__main__":
    main()
