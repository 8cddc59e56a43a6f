"""Eager functions, reductions and optimizers beside NumPy's and PyTorch's: `python -m benchmarks.eager_operations [--quick]`.

float32, one thread, a call from Python each; results are compared with float64's first. Processes stand still in turns; times are
medians over rounds, ratios are taken within each round.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.dashboard.findings import geometric_mean
from benchmarks.peers.known import MEASURED
from benchmarks.peers.operations import EXACT, OPTIMIZERS
from benchmarks.side_by_side import Measured, measured, verdict

PEERS = ("numpy", "torch")
SIZES = (16_384, 1_048_576)
LEAST = 0.95  # of a peer's pace: what is less is slower
ROUNDS, QUICK_ROUNDS, STRETCH = 7, 3, 0.005

Case = tuple[str, int]


def cases() -> list[Case]:
    """Returns the cases, pairs of a name and a size: operations, then optimizers."""
    functions = [(name, size) for name in EXACT if name not in OPTIMIZERS for size in SIZES]
    return functions + [case for name in OPTIMIZERS for case in ((f"many {name}", SIZES[0]), (name, SIZES[1]))]


def row(case: Case, found: Measured) -> str:
    """Returns a row of the table: the result of one case."""
    text = f"{case[0]:<18} {case[1]:>9}"
    if (MEASURED, 1) not in found.seconds:
        return f"{text} {found.problems.get((MEASURED, 1), 'not measured')}"
    ratios = "".join(f" {found.ratio(p, 1):>7.2f}" if (p, 1) in found.seconds else f" {'-':>7}" for p in PEERS)
    return f"{text} {found.median(MEASURED, 1) * 1e6:>9.1f}{ratios}"


def conclusions(results: Mapping[Case, Measured]) -> Iterator[tuple[str, bool]]:
    """Returns lines that compare fastgrad with each peer, and whether nothing is slower."""
    for peer in PEERS:
        ratios = {
            f"{name} of {size}": found.ratio(peer, 1)
            for (name, size), found in results.items()
            if {(peer, 1), (MEASURED, 1)} <= found.seconds.keys()
        }
        if ratios:
            slow = [
                f"{case} {ratio:.2f}" for case, ratio in sorted(ratios.items(), key=lambda one: one[1]) if ratio < LEAST
            ]
            told = f"{geometric_mean(list(ratios.values())):.2f} times the pace of {peer} in the geometric mean"
            yield (
                f"{told}; {len(slow)} of {len(ratios)} are under {LEAST} of it{': ' * bool(slow)}{', '.join(slow)}",
                not slow,
            )


def main(command: Sequence[str] | None = None) -> int:
    """Prints a row for each case and the comparison; returns 0 if nothing is slower and all results agree, else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.eager_operations", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds, not {ROUNDS}")
    rounds = QUICK_ROUNDS if parser.parse_args(command).quick else ROUNDS
    print(f"{'operation':<18} {'elements':>9} {'us':>9}" + "".join(f" {f'/ {peer}':>7}" for peer in PEERS), flush=True)
    results: dict[Case, Measured] = {}
    for case, found in measured("operations", (MEASURED, *PEERS), cases(), [1], rounds, STRETCH):
        results[case] = found
        print(row(case, found), flush=True)
    problems = [
        f"{library}, {case[0]}: {what}"
        for case, found in results.items()
        for (library, _), what in found.problems.items()
    ]
    wrong = [one for one in problems if "NotImplementedError" not in one]
    said = list(conclusions(results))
    print("", *(verdict(line, met) for line, met in said), *wrong, sep="\n")
    return int(bool(wrong) or not all(met for _, met in said))


if __name__ == "__main__":
    sys.exit(main())
