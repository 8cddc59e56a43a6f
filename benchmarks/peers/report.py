"""Results as a table for people and as JSON for programs."""

import os
import platform
import statistics
from datetime import datetime, timezone
from typing import Any

from benchmarks.peers.known import PEERS
from benchmarks.peers.runner import LOSS_TOLERANCE, Results, Settings
from benchmarks.peers.workload import Workload

MEASURED = "fastgrad"


def baseline(results: Results) -> str | None:
    """The peer whose time is above the bar of the ratios: fastgrad, or the first that was timed."""
    timed = [peer for peer, result in results.items() if result.microseconds]
    return MEASURED if MEASURED in timed else next(iter(timed), None)


def spread(values: list[float]) -> tuple[float, float]:
    """The quartiles of the rounds' values."""
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def table(workload: Workload, results: Results, settings: Settings) -> str:
    """The rows of one workload: medians over the rounds, quartiles in parentheses."""
    base = baseline(results)
    rounds = max((len(result.microseconds) for result in results.values()), default=0)
    how = f"{rounds} rounds of {settings.slice_seconds:g} s, {settings.threads} threads"
    lines = [
        f"{workload.name}: {workload.about}",
        f"  {how}; the first losses agree to {LOSS_TOLERANCE:g}; medians (quartiles)",
        f"  {'peer':<12} {'version':<12} {'µs a step':<30} {f'{base} / peer' if base else ''}".rstrip(),
    ]
    for peer, result in results.items():
        version = result.facts.get("version", "")
        if result.microseconds and base is not None:
            times = list(result.microseconds.values())
            low, high = spread(times)
            row = f"{f'{result.median():.1f} ({low:.1f} to {high:.1f})':<30}"
            ratios = results[base].ratios(result)
            if peer != base and ratios:
                low, high = spread(ratios)
                row += f" {statistics.median(ratios):.3f} ({low:.3f} to {high:.3f})"
            lines.append(f"  {peer:<12} {version:<12} {row}".rstrip())
        elif not result.problem:
            lines.append(f"  {peer:<12} {version:<12} not timed yet")
        if result.problem:
            lines.append(f"  {peer:<12} {version:<12} {result.problem}")
            lines += [f"    | {line}" for line in result.output.splitlines()]
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """What was measured on."""
    return {
        "cpu": cpu_name(),
        "processors": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
    }


def cpu_name() -> str:
    """The processor's name as the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def as_json(done: dict[str, Results], settings: Settings, load: float, interrupted: bool) -> dict[str, Any]:
    """Everything measured, round by round; `load` is the machine's before it began."""
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(),
        "load_before": load,
        "threads": settings.threads,
        "slice_seconds": settings.slice_seconds,
        "interrupted": interrupted,
        "workloads": {
            name: {
                peer: {
                    "mode": PEERS[peer].about,
                    "problem": result.problem,
                    "output": result.output,
                    **result.facts,
                    "steps_a_slice": result.steps,
                    "microseconds_a_step": list(result.microseconds.values()),
                    "peak_megabytes": result.peak_megabytes,
                }
                for peer, result in results.items()
            }
            for name, results in done.items()
        },
    }
