"""The machine and the commit of a measurement, with which every file of results begins."""

import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from benchmarks.apart import ROOT
from benchmarks.other_programs import others_share_now

PACKAGES = ("numpy", "numba", "llvmlite", "scipy")
MEASURED_FOLDERS = ("src", "benchmarks")


def provenance(command: str) -> dict[str, Any]:
    """Returns the provenance of results: date, commit, command, machine, the load by other programs, versions."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": git("rev-parse", "HEAD"),
        "changed": bool(
            git("status", "--porcelain", "--untracked-files=no", "--", *MEASURED_FOLDERS, ":!benchmarks/results")
        ),
        "command": command,
        "machine": machine(),
        "others_before": others_share_now(),
        "versions": versions(),
    }


def git(*arguments: str) -> str:
    """Returns the output of a git command in this checkout; empty if there is none."""
    try:
        finished = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607
    except OSError:
        return ""
    return finished.stdout.strip() if finished.returncode == 0 else ""


def machine() -> dict[str, Any]:
    """Returns facts about the machine: processor, number of usable processors, memory, operating system."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": cpu_name(),
        "processors": usable,
        "memory_gigabytes": memory_gigabytes(),
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
    }


def machine_name() -> str:
    """Returns a short name of the machine for files, the same for equal machines: `amd-epyc-2` has two processors."""
    return "-".join([*machine_words(), str(machine()["processors"])])


def machine_words() -> list[str]:
    """Returns the words of the processor's name that identify it: `amd`, `epyc`."""
    return re.findall(r"[a-z0-9]+", re.sub(r"\(.*?\)|@.*|\d+-core|processor|cpu", " ", cpu_name().lower()))


def cpu_name() -> str:
    """Returns the processor's name from the operating system."""
    # `benchmarks.gpu` finds a tree that is not installed only after it has imported this module.
    from fastgrad._src.commands.environment_report import processor_name

    return processor_name()


def memory_gigabytes() -> int | None:
    """Returns the size of the memory in gigabytes; None if unknown."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)
    except (AttributeError, OSError, ValueError):
        return None


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that fastgrad uses."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    sys.stdout.write(machine_name() + "\n")
