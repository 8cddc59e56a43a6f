"""Builds a release and tries it: `make try-release`.

From a clone without local changes it builds the sdist, a wheel without kernels and a wheel with kernels. Each is installed in an empty
environment whose PATH has no compiler. There the README's first program must print what the README says.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from benchmarks.apart import ROOT
from benchmarks.readme_program import readme_program, timed_run


def build(source: Path, folder: Path) -> dict[str, Path]:
    """Returns what ``python -m build`` makes of a folder of sources: the sdist, and wheels without and with kernels."""
    paths = {}
    for kernels, what in (("none", ("sdist", "wheel")), ("all", ("wheel",))):
        out = folder / kernels
        options = [] if "sdist" in what else ["--wheel"]
        command = [sys.executable, "-m", "build", *options, "--outdir", str(out), str(source)]
        subprocess.run(command, env={**os.environ, "FASTGRAD_KERNELS": kernels}, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - ours
        for path in out.iterdir():
            name = "sdist" if path.suffix == ".gz" else f"wheel, kernels: {kernels}"
            paths[name] = path
    return paths


def seconds_to_losses(python: Path, home: Path) -> tuple[float, float]:
    """Runs the README's program with an empty cache; returns the seconds from the start of the process to the first line, and to its end."""
    program, expected = readme_program()
    environment = {"PATH": str(python.parent), "HOME": str(home), "FASTGRAD_CACHE_DIR": str(home / "cache")}
    done = timed_run([str(python), "-W", "error"], program, env=environment, cwd=home)
    if done.status or done.printed != expected:
        sys.exit(f"the README's program printed {done.printed!r} and ended with status {done.status}")
    return done.first, done.whole


def try_installation(name: str, path: Path, folder: Path) -> None:
    """Installs a file in an empty environment, and runs the README's program there."""
    environment = folder / path.name
    venv.create(environment, with_pip=True)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    start = time.perf_counter()
    variables = {**os.environ, "PATH": str(python.parent), "FASTGRAD_KERNELS": "none"}
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", str(path)], env=variables, check=True)  # noqa: S603 - ours
    installed = time.perf_counter() - start
    home = folder / f"home of {path.name}"
    home.mkdir()
    first, whole = seconds_to_losses(python, home)
    megabytes = path.stat().st_size / 1e6
    print(
        f"{name}: {megabytes:.1f} MB, installed in {installed:.0f} s, first loss {first:.2f} s, whole program {whole:.2f} s"
    )


def main() -> int:
    """Builds, installs and runs; an error ends the program."""
    parser = argparse.ArgumentParser(prog="python -m tools.try_release", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="the folder for what is built")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary) / "source"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(source)], check=True)  # noqa: S603, S607 - this checkout
        for name, path in build(source, options.out).items():
            try_installation(name, path, Path(temporary))
    return 0


if __name__ == "__main__":
    sys.exit(main())
