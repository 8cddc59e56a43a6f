"""`python -m benchmarks.dashboard`: the page and, where asv and its results are there, asv's site; measures nothing."""

import argparse
import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.apart import ROOT
from benchmarks.dashboard.page import page
from benchmarks.dashboard.stored import stored
from benchmarks.peers.record import RESULTS

LAST_LINES = 5


def publish_asv(site: Path) -> str:
    """Makes asv's site under `site/asv`; returns why not, or nothing if it is there."""
    if importlib.util.find_spec("asv") is None:
        return "asv is not installed"
    if not list((RESULTS / "asv").glob("*/*-*.json")):
        return "there are no committed asv results"
    command = [sys.executable, "-m", "asv", "publish", "--html-dir", str(site / "asv"), "--no-pull"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if finished.returncode:
        return "asv publish failed: " + "\n".join((finished.stdout + finished.stderr).splitlines()[-LAST_LINES:])
    return ""


def main(command: Sequence[str] | None = None) -> int:
    """Writes the site.

    Returns:
        0; 1 if there are no results, or asv's site could not be made although its results are there.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboard", description=__doc__)
    parser.add_argument("--site", type=Path, default=ROOT / "site", metavar="FOLDER", help="default: site")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER", help="default: benchmarks/results")
    parser.add_argument("--no-asv", action="store_true", help="only our own page")
    chosen = parser.parse_args(command)
    try:
        found = stored(chosen.results)
    except (FileNotFoundError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    chosen.site.mkdir(parents=True, exist_ok=True)
    missing = "not asked for" if chosen.no_asv else publish_asv(chosen.site)
    file = chosen.site / "index.html"
    file.write_text(page(found, has_asv=not missing), encoding="utf-8")
    print(f"{file}: {len(found.records)} workloads, {len(found.sweeps)} scaling plots, {len(found.tables)} tables")
    if missing:
        print(f"without asv's site: {missing}")
    return int(missing.startswith("asv publish failed"))


if __name__ == "__main__":
    sys.exit(main())
