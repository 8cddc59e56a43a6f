"""Compiled steps on one thread and on two: `python -m benchmarks.thread_scaling [--quick] [--work NAMES]`.

Each step has a process for each number of threads, which stand still in turns; after each slice a process does fused multiply-adds in
registers, which say what two threads of this machine are worth at the time. Ratios are taken within each round.
"""

import argparse
import contextlib
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.peers.__main__ import names_type, progress
from benchmarks.peers.process import PeerProcess, measure_in_turns
from benchmarks.peers.runner import COMPILED
from benchmarks.peers.workloads import WORKLOADS
from benchmarks.side_by_side import verdict

THREADS = (1, 2)
WANTED, OF_PEAKS = 1.8, 0.9  # times as fast on two threads, or this share of the ratio of the peaks
HELD = ("mlp_middle", "mlp_wide")  # to that: the perceptron 128x784-256-10 and larger
CHOSEN = (*HELD, "mlp_small", "deep_mlp", "lstm", "gru", "transformer", "cnn_mnist", "cnn_cifar", "vae")
ROUNDS, QUICK_ROUNDS, SLICE = 11, 3, 0.15


def scaling(name: str, rounds: int) -> tuple[list[float], list[list[float]]]:
    """Returns for each round the gain of arithmetic by a second thread, and the microseconds of a step on one and two threads."""
    peaks: list[float] = []
    times: list[list[float]] = [[] for _ in THREADS]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        inputs = Path(folder, "inputs.npz")
        np.savez(inputs, **WORKLOADS[name].inputs())
        request = {"peer": COMPILED[0], "workload": name, "inputs": str(inputs)}
        running: list[tuple[PeerProcess, int]] = []
        for threads in THREADS:
            process = PeerProcess(sys.executable, threads)
            stack.callback(process.close)
            running.append((process, process.prepare(SLICE, threads=threads, **request)))
        for answers in measure_in_turns(running, rounds, peak=True):
            for found, answer in zip(times, answers, strict=True):
                found.append(answer["microseconds"])
            peaks.append(answers[1]["peak"] / answers[0]["peak"])
    return peaks, times


def main(command: Sequence[str] | None = None) -> int:
    """Prints a row for each workload; returns 0 if the workloads with a goal reach it, else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.thread_scaling", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds, not {ROUNDS}")
    parser.add_argument("--work", type=names_type(WORKLOADS, "workload"), default=CHOSEN, metavar="NAMES")
    chosen = parser.parse_args(command)
    print(f"{'step':<14} {'1 thread':>12} {'2 threads':>12} {'ratio':>6}  {'peaks':>5}  {'of them':>7}")
    lines, kept = [], True
    for name in chosen.work:
        progress(name)
        peaks, (alone, shared) = scaling(name, QUICK_ROUNDS if chosen.quick else ROUNDS)
        ratios = [one / two for one, two in zip(alone, shared, strict=True)]
        ratio, peak = statistics.median(ratios), statistics.median(peaks)
        share = statistics.median(ratio / peak for ratio, peak in zip(ratios, peaks, strict=True))
        progress("")
        print(
            f"{name:<14} {statistics.median(alone):>9.1f} us {statistics.median(shared):>9.1f} us {ratio:>6.2f}  {peak:>5.2f}  {share:>7.2f}",
            flush=True,
        )
        if name in HELD:
            met = ratio >= WANTED or share >= OF_PEAKS
            kept &= met
            lines.append(
                verdict(
                    f"{name}: {ratio:.2f} times as fast on two threads, {share:.2f} of the ratio of the peaks; wanted {WANTED}, or {OF_PEAKS}",
                    met,
                )
            )
    print("", *lines, sep="\n")
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main())
