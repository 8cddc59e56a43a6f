"""The number of threads of a process: the user's choice, else the processors that the process may use."""

from __future__ import annotations

import os


def default_threads() -> int:
    """Returns `FASTGRAD_NUM_THREADS`, else how many threads may run at once.

    Raises:
        ValueError: the variable holds no valid number of threads.
    """
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
        lines = _lines(groups)
    except OSError:
        return None
    quotas = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if not controllers:
            tops = [root, os.path.join(root, "unified")]
        elif "cpu" in controllers.split(","):
            tops = [os.path.join(root, controllers), os.path.join(root, "cpu")]
        else:
            continue
        names = group.strip("/").split("/")
        for top in tops:
            for depth in range(len(names), -1, -1):
                quota = _cpu_quota(os.path.join(top, *names[:depth]))
                if quota is not None:
                    quotas.append(quota)
    return max(1, int(-(-min(quotas) // 1))) if quotas else None


def _cpu_quota(folder: str) -> float | None:
    """Returns the CPU quota of a group, in processors."""
    try:
        if os.path.exists(os.path.join(folder, "cpu.max")):
            quota, period = _lines(os.path.join(folder, "cpu.max"))[0].split()
        else:
            quota, period = (_lines(os.path.join(folder, f"cpu.cfs_{name}_us"))[0] for name in ("quota", "period"))
        return int(quota) / int(period) if quota not in ("max", "-1") else None
    except (OSError, ValueError, IndexError, ZeroDivisionError):  # no such group, or one of another kind of system
        return None


def _lines(path: str) -> list[str]:
    with open(path, encoding="utf-8") as file:  # pathlib would make the import of fastgrad longer
        return file.read().splitlines()
