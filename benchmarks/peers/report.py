"""Tables of results: for a terminal, and as a summary in Markdown."""

import statistics
from collections.abc import Mapping

from benchmarks.peers.known import OURS, PEERS
from benchmarks.peers.runner import LOSS_TOLERANCE, Results, Settings
from benchmarks.peers.workload import FASTEST, Workload


def fastest_peer(results: Results) -> str | None:
    """Returns the mode of another library with the smallest median time; None if none was timed."""
    timed = [peer for peer, result in results.items() if result.microseconds and peer not in OURS]
    return min(timed, key=lambda peer: results[peer].median(), default=None)


def spread(values: list[float]) -> tuple[float, float]:
    """Returns the quartiles of the rounds' values."""
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def speedups(results: Results, ours: str, peer: str | None) -> list[float]:
    """Returns for each round the ratio of a peer's time to that of `ours`; empty if one was not timed."""
    return results[peer].ratios(results[ours]) if peer in results and ours in results else []


def triad_shares(workload: Workload, results: Results, ours: str) -> list[float]:
    """Returns for each round the bandwidth of the step as a share of that of the triad in the same process."""
    if ours not in results:
        return []
    result = results[ours]
    return [workload.bytes_moved / (result.microseconds[r] / 1e6) / speed for r, speed in result.triad.items()]


def table(workload: Workload, results: Results, settings: Settings) -> str:
    """Returns the table of one workload: medians over the rounds, quartiles in parentheses."""
    rounds = max((len(result.microseconds) for result in results.values()), default=0)
    how = f"{rounds} rounds of {settings.slice_seconds:g} s, {settings.threads} threads"
    measured = [ours for ours in OURS if ours in results and results[ours].microseconds]
    columns = "".join(f" {f'/ {ours}':<19}" for ours in measured)
    lines = [
        f"{workload.name}: {workload.about}",
        f"  {how}; the first losses agree to {LOSS_TOLERANCE:g}; medians (quartiles)",
        f"  {'peer':<17} {'version':<12} {'losses 1, 20':<20} {'first s':>7}  {'µs a step':<32}{columns}".rstrip(),
    ]
    for peer, result in results.items():
        head = f"  {peer:<17} {result.facts.get('version', ''):<12}"
        if result.facts.get("losses"):
            losses = f"{result.facts['losses'][0]:.6g}, {result.facts['losses'][-1]:.6g}"
            head += f" {losses:<20} {result.facts['first_step_seconds']:>7.2f} "
        if result.microseconds:
            low, high = spread(list(result.microseconds.values()))
            row = f" {f'{result.median():.1f} ({low:.1f} to {high:.1f})':<32}"
            for ours in measured:
                ratios = result.ratios(results[ours])
                row += f" {f'{statistics.median(ratios):.3f}' if ratios and peer != ours else '':<19}"
            lines.append(f"{head}{row}".rstrip())
        elif not result.problem:
            lines.append(f"{head} not timed yet")
        if result.problem:
            lines.append(f"{head} {result.problem}")
            lines += [f"    | {line}" for line in result.output.splitlines()]
    return "\n".join(lines + findings(workload, results))


def findings(workload: Workload, results: Results) -> list[str]:
    """Returns sentences that compare fastgrad's modes with the fastest peer and, if memory is the limit, with the triad."""
    lines = []
    fastest = fastest_peer(results)
    for ours in OURS:
        wanted = workload.wanted if PEERS[ours].compile else workload.wanted_eagerly
        for peer in dict.fromkeys([FASTEST, *wanted]):
            ratios = speedups(results, ours, fastest if peer == FASTEST else peer)
            if ratios:
                low, high = spread(ratios)
                lines.append(
                    f"  {ours}: {statistics.median(ratios):.2f} ({low:.2f} to {high:.2f}) times as fast as "
                    f"{f'the fastest peer, {fastest}' if peer == FASTEST else peer}"
                    + verdict(statistics.median(ratios), wanted.get(peer))
                )
        if shares := triad_shares(workload, results, ours):
            speed = workload.bytes_moved / results[ours].median() / 1e3
            triad = statistics.median(results[ours].triad.values()) / 1e9
            low, high = spread(shares)
            lines.append(
                f"  {ours}: {speed:.1f} GB/s, {statistics.median(shares):.2f} ({low:.2f} to {high:.2f}) of the triad's "
                f"{triad:.1f} GB/s"
                + verdict(statistics.median(shares), workload.wanted_of_triad if PEERS[ours].compile else None)
            )
    return lines


def verdict(value: float, wanted: float | None) -> str:
    """Returns a text that says whether a value reaches its goal."""
    return "" if wanted is None else f"; wanted {wanted:g}: {'met' if value >= wanted else 'NOT MET'}"


def summary(done: Mapping[str, Results]) -> str:
    """Returns a Markdown table with a row for each workload: the fastest peer and its ratios to fastgrad's modes."""
    lines = [
        "| workload | fastest peer | µs | " + " | ".join(f"{ours}, µs | x" for ours in OURS) + " |",
        "| --- | --- | ---: |" + " ---: |" * (2 * len(OURS)),
    ]
    for name, results in done.items():
        fastest = fastest_peer(results)
        cells = [name, fastest or "", f"{results[fastest].median():.1f}" if fastest else ""]
        for ours in OURS:
            result = results.get(ours)
            ratios = speedups(results, ours, fastest)
            cells.append(f"{result.median():.1f}" if result and result.microseconds else "")
            cells.append(f"{statistics.median(ratios):.2f}" if ratios else "")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
