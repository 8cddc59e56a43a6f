"""The number of threads of a process: the user's choice, else the processors that the process may use."""

from __future__ import annotations

import os
from pathlib import Path

from fastgrad.kernels.codegen.jit_switch import jit_is_disabled


def default_threads() -> int:
    """Returns `FASTGRAD_NUM_THREADS`, else how many threads may run at once; 1 if kernels run as plain Python.

    Raises:
        ValueError: the variable holds no valid number of threads.
    """
    if jit_is_disabled():
        return 1
    chosen = os.environ.get("FASTGRAD_NUM_THREADS", "").strip()
    if chosen:
        if not chosen.isdecimal() or int(chosen) < 1:
            raise ValueError(f"FASTGRAD_NUM_THREADS is {chosen!r}; it is a number of threads, at least 1")
        return int(chosen)
    try:
        processors = len(os.sched_getaffinity(0))
    except AttributeError:  # not on this platform
        processors = os.cpu_count() or 1
    limit = control_group_quota()
    return processors if limit is None else min(processors, limit)


def control_group_quota(root: str = "/sys/fs/cgroup", groups: str = "/proc/self/cgroup") -> int | None:
    """Returns the CPU limit of this process's Linux control groups (as in a container), in processors, or None.

    A part of a processor counts as one. Both versions of the interface are read: `cpu.max` of each group up to the
    root, and `cpu.cfs_quota_us` with `cpu.cfs_period_us`.
    """
    try:
        lines = Path(groups).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    folders = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if not controllers:
            tops = [Path(root), Path(root, "unified")]
        elif "cpu" in controllers.split(","):
            tops = [Path(root, controllers), Path(root, "cpu")]
        else:
            continue
        path = Path(group.lstrip("/"))
        for top in tops:
            for place in (path, *path.parents):
                time = _cpu_quota(top / place)
                if time is not None:
                    folders.append(time)
    return max(1, int(-(-min(folders) // 1))) if folders else None


def _cpu_quota(folder: Path) -> float | None:
    """Returns the CPU quota of a group, in processors."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text(encoding="utf-8").split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text(encoding="utf-8").strip()
            period = (folder / "cpu.cfs_period_us").read_text(encoding="utf-8").strip()
        return int(quota) / int(period) if quota not in ("max", "-1") else None
    except (OSError, ValueError, ZeroDivisionError):  # no such group, or one of another kind of system
        return None
