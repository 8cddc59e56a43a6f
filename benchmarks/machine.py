"""What was measured on, and of which commit: what every file of results begins with."""

import os
import platform
import re
import subprocess
import sys
from datetime import datetime, timezone
from importlib import metadata
from typing import Any

from benchmarks.apart import ROOT
from benchmarks.other_programs import others_share_now

PACKAGES = ("numpy", "numba", "llvmlite", "scipy")
MEASURED_FOLDERS = ("src", "benchmarks")


def provenance(command: str) -> dict[str, Any]:
    """The date, the commit, the command that measures, the machine, what others take of it now, and our own versions."""
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
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
    """What git answers about this checkout; empty where there is none."""
    try:
        finished = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607
    except OSError:
        return ""
    return finished.stdout.strip() if finished.returncode == 0 else ""


def machine() -> dict[str, Any]:
    """The processor, how many of them there are for us, memory and system."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": cpu_name(),
        "processors": usable,
        "memory_gigabytes": memory_gigabytes(),
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
    }


def machine_name() -> str:
    """A short name for files and folders, the same for equal machines: `amd-epyc-2` has two processors."""
    return "-".join([*machine_words(), str(machine()["processors"])])


def machine_words() -> list[str]:
    """What tells processors apart in a name: `amd`, `epyc`."""
    return re.findall(r"[a-z0-9]+", re.sub(r"\(.*?\)|@.*|\d+-core|processor|cpu", " ", cpu_name().lower()))


def cpu_name() -> str:
    """The processor's name as the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def memory_gigabytes() -> int | None:
    """The size of the memory, where the system tells it."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)
    except (AttributeError, OSError, ValueError):
        return None


def versions() -> dict[str, str]:
    """Python's and those of the packages that fastgrad stands on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    sys.stdout.write(machine_name() + "\n")
