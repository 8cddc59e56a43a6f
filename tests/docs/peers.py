"""The pages for users of other libraries, with each library's environment: `python -m tests.docs.peers` records the peers' values."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.__main__ import peers_python
from tests.docs.paired_lines import pairs

ROOT = Path(__file__).parents[2]
RUNNER = Path(__file__).with_name("paired_lines.py")
PAGES = {peer: ROOT / "docs" / f"coming_from_{peer.lower()}.md" for peer in ("TensorFlow", "Keras", "PyTorch", "JAX")}
MODULES = {"TensorFlow": "tensorflow", "Keras": "keras", "PyTorch": "torch", "JAX": "optax"}
"""For each peer a module that its page needs; Optax needs JAX."""


def record_of(peer: str) -> Path:
    """Returns the path of the file with the peer's values."""
    return Path(__file__).parent / "recorded" / f"{peer.lower()}.json"


def is_installed(peer: str) -> bool:
    """True if the peers' Python has the library."""
    program = f"import importlib.util as u, sys; sys.exit(u.find_spec({MODULES[peer]!r}) is None)"
    return subprocess.run([peers_python(), "-c", program], check=False).returncode == 0


def run(python: str, *command: str) -> str:
    """Runs a program without this checkout on its path, or with it for this Python; returns what it prints.

    Raises:
        RuntimeError: the program failed; the message has the end of its errors.
    """
    paths = str(ROOT / "src") if python == sys.executable else ""
    finished = subprocess.run(
        [python, *command],
        env={**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    if finished.returncode:
        raise RuntimeError(finished.stderr[-2000:])
    return finished.stdout


def values(peer: str, column: str) -> list[Any]:
    """Returns the values of the lines of a column of the peer's page; see `paired_lines`."""
    python = peers_python() if column == peer else sys.executable
    return json.loads(run(python, str(RUNNER), str(PAGES[peer]), column))


def lines(peer: str) -> list[str]:
    """Returns the peer's lines on its page."""
    return [line for line, _ in pairs(PAGES[peer].read_text(encoding="utf-8"), peer)]


def agree(first: Any, second: Any) -> bool:
    """True if two values of `paired_lines` have the same shapes and kinds of dtypes, and numbers equal to about four digits."""
    if isinstance(first, dict) and isinstance(second, dict):
        if first.keys() != second.keys():
            return False
        if "elements" in first:
            close = first["shape"] == second["shape"] and first["kind"] == second["kind"]
            return close and np.allclose(first["elements"], second["elements"], rtol=1e-4, atol=1e-5)
        return all(agree(first[name], second[name]) for name in first)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(agree, first, second))
    return bool(first == second)


def main() -> None:
    """Writes the files with the values of each installed peer."""
    for peer in PAGES:
        if is_installed(peer):
            named = zip(lines(peer), values(peer, peer), strict=True)
            rows = [json.dumps({"line": line, "value": value}) for line, value in named]
            record_of(peer).parent.mkdir(exist_ok=True)
            record_of(peer).write_text("[\n" + ",\n".join(rows) + "\n]\n", encoding="utf-8")
            print(record_of(peer).relative_to(ROOT))


if __name__ == "__main__":
    main()
