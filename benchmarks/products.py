"""Matrix products of all sizes beside OpenBLAS, PyTorch, JAX and the peak: `python -m benchmarks.products [--quick]`.

float32, C = A B for M, N and K in {32 … 1024} with K from 64 on, in native loops of repeats (`benchmarks/peers/products.py`) on one thread and on two. The
peak is measured in fastgrad's process before and after each of its slices; its share is that of the best of both, ratios to peers are
taken within each round. Results are compared with float64's first.
"""

import argparse
import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.dashboard.findings import geometric_mean
from benchmarks.peers.known import MEASURED
from benchmarks.side_by_side import Measured, measured, verdict

SIZES = (32, 64, 128, 256, 512, 1024)
QUICK = (32, 64, 1024)
PEERS = ("numpy", "torch", "jax")
THREADS = (1, 2)
ROUNDS, STRETCH = 5, 0.005
QUICK_ROUNDS = 3
OF_PEAK = {1: 0.90, 2: 0.85}
LEAST_SHARED = 128  # the least of the three sizes from which on two threads count
WANTED, LEAST = 1.3, 0.9  # times the fastest peer's pace: geometric mean, and each
WORST = 12  # sizes that a line names

Case = tuple[int, int, int]


def cases(sizes: Sequence[int]) -> list[Case]:
    """Returns the cases: the sizes m, n, k of the products."""
    return [case for case in itertools.product(sizes, repeat=3) if case[2] >= 64]


def named_cases(text: str) -> list[Case]:
    """Returns the cases of a text such as "256x256x256,128x2048x2048": M, N and K of each product."""
    named = [tuple(int(size) for size in case.split("x")) for case in text.split(",")]
    if any(len(case) != 3 or min(case) < 1 for case in named):
        raise ValueError(f"products: each of `--sizes` must be three positive sizes, such as 64x64x128; got {text!r}.")
    return [(m, n, k) for m, n, k in named]


def operations(case: Case) -> float:
    """Returns the operations of one product; a multiply-add counts as two."""
    return 2.0 * case[0] * case[1] * case[2]


def heading() -> str:
    """Returns the two header lines of the table."""
    group = f"{'GFLOP/s':>8} {'of peak':>7} " + " ".join(f"/ {peer:<5}" for peer in PEERS)
    named = "".join(f" | {f'{threads} thread' + 's' * (threads > 1):<{len(group)}}" for threads in THREADS)
    return f"{'':>14}{named}\n{'M':>4} {'N':>4} {'K':>4}" + f" | {group}" * len(THREADS)


def row(case: Case, found: Measured) -> str:
    """Returns a row of the table: the results of one size."""
    text = "{:>4} {:>4} {:>4}".format(*case)
    for threads in THREADS:
        if (MEASURED, threads) not in found.seconds:
            text += f" | {found.problems.get((MEASURED, threads), 'not measured')}"
            continue
        speed = operations(case) / found.median(MEASURED, threads) / 1e9
        ratios = [f"{found.ratio(p, threads):>7.2f}" if (p, threads) in found.seconds else f"{'-':>7}" for p in PEERS]
        text += f" | {speed:>8.1f} {found.share(threads, operations(case)):>7.1%} {' '.join(ratios)}"
    return text


def conclusions(results: Mapping[Case, Measured]) -> Iterator[tuple[str, bool | None]]:
    """Returns lines with the conclusions, and whether each goal is met."""
    for threads in THREADS:
        on = f"{threads} thread" + "s" * (threads > 1)
        done = {case: found for case, found in results.items() if (MEASURED, threads) in found.seconds}
        held = [case for case in done if threads == 1 or min(case) >= LEAST_SHARED]
        if held:
            shares = {case: done[case].share(threads, operations(case)) for case in held}
            few = {case: share for case, share in shares.items() if share < OF_PEAK[threads]}
            which = f"{len(held) - len(few)} of {len(held)} sizes" + f" from {LEAST_SHARED} on" * (threads > 1)
            mean = f"geometric mean {geometric_mean(list(shares.values())):.1%}"
            yield f"{on}: {which} have {OF_PEAK[threads]:.0%} of the peak, {mean}{_worst(few, '.0%')}", not few
        ratios = {case: found.ratio(peer, threads) for case, found in done.items() if (peer := found.fastest(threads))}
        if ratios:
            mean_ratio = geometric_mean(list(ratios.values()))
            told = f"{on}: {mean_ratio:.2f} times the pace of the fastest peer in the geometric mean, wanted {WANTED}"
            yield told, mean_ratio >= WANTED
            slow = {case: ratio for case, ratio in ratios.items() if ratio < LEAST}
            told = f"{on}: {len(slow)} of {len(ratios)} sizes are under {LEAST} of the fastest peer's pace"
            yield told + _worst(slow, ".2f"), not slow
        for peer in PEERS:
            each = [found.ratio(peer, threads) for found in done.values() if (peer, threads) in found.seconds]
            if each:
                yield (
                    f"{on}: {geometric_mean(each):.2f} times the pace of {peer}, {min(each):.2f} to {max(each):.2f}",
                    None,
                )


def _worst(values: Mapping[Case, float], form: str) -> str:
    if not values:
        return ""
    worst = sorted(values, key=lambda case: values[case])
    named = ", ".join(f"{'x'.join(map(str, case))} {values[case]:{form}}" for case in worst[:WORST])
    return f"; {'worst: ' if len(worst) > WORST else ''}{named}"


def main(command: Sequence[str] | None = None) -> int:
    """Prints a row for each size, then the goals; returns 0 if all are met, else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.products", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"sizes {QUICK} alone, {QUICK_ROUNDS} rounds")
    parser.add_argument("--sizes", metavar="MxNxK,…", type=named_cases, help="these products alone")
    options = parser.parse_args(command)
    quick, chosen = options.quick, options.sizes or cases(QUICK if options.quick else SIZES)
    rounds = QUICK_ROUNDS if quick else ROUNDS
    print(heading(), flush=True)
    results: dict[Case, Measured] = {}
    for case, found in measured("products", (MEASURED, *PEERS), chosen, THREADS, rounds, STRETCH):
        results[case] = found
        print(row(case, found), flush=True)
    problems = {
        f"{library} on {threads}: {what}"
        for found in results.values()
        for (library, threads), what in found.problems.items()
    }
    said = list(conclusions(results))
    print("", *(verdict(line, met) for line, met in said), *sorted(problems), sep="\n")
    return int(any(met is False for _, met in said))


if __name__ == "__main__":
    sys.exit(main())
