"""Processes that faults happen to: functions of this folder's modules, each run by a Python of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]


def command(module: str, function: str, *arguments: Any) -> list[str]:
    """The command line that calls ``tests.reliability.faults.MODULE.FUNCTION(*arguments)``; arguments are written by ``repr``."""
    given = ", ".join(map(repr, arguments))
    program = (
        f"from tests.reliability.faults.{module} import {function}\nif __name__ == '__main__': {function}({given})"
    )
    return [sys.executable, "-c", program]


def environment(**variables: str | None) -> dict[str, str]:
    """The environment of a victim; None removes a variable."""
    merged = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]), **variables}
    return {name: value for name, value in merged.items() if value is not None}


def start(module: str, function: str, *arguments: Any, wrapper: tuple[str, ...] = (), **variables: str | None) -> Any:
    """A victim that runs, with pipes for its output; the caller waits for it or kills it."""
    return subprocess.Popen(
        [*wrapper, *command(module, function, *arguments)],
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def run(
    module: str,
    function: str,
    *arguments: Any,
    timeout: float = 300,
    wrapper: tuple[str, ...] = (),
    **variables: str | None,
) -> str:
    """What a victim prints that comes to its end within ``timeout`` seconds."""
    finished = subprocess.run(
        [*wrapper, *command(module, function, *arguments)],
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        cwd=ROOT,
    )
    assert finished.returncode == 0, f"{finished.returncode}\n{finished.stdout[-3000:]}\n{finished.stderr[-6000:]}"
    return finished.stdout


def killed_at_call(write: Any, number: int) -> bool:
    """Runs ``write()`` in a forked child that kills itself at its call number ``number`` of a C function; False if it has fewer."""
    child = os.fork()
    if not child:
        try:
            calls = [number]

            def count(frame: Any, event: str, argument: Any) -> None:
                if event in ("c_call", "c_return"):
                    calls[0] -= 1
                    if not calls[0]:
                        os.kill(os.getpid(), signal.SIGKILL)

            sys.setprofile(count)
            write()
            sys.setprofile(None)
        except BaseException as error:  # noqa: BLE001 - the child ends here in any case
            os.write(2, f"{error!r}\n".encode())
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
    return os.WIFSIGNALED(status)
