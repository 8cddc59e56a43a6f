"""Findings in the results: ratios with their spread, lost comparisons, growth exponents."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.dashboard.stored import Stored
from benchmarks.other_programs import MATERIAL
from benchmarks.peers.kernels import REST
from benchmarks.peers.known import OURS
from benchmarks.peers.record import Record
from benchmarks.peers.report import speedups, spread, triad_shares
from benchmarks.peers.runner import COMPILED, Results, others_while_timed
from benchmarks.peers.workload import FASTEST

FUNCTION = COMPILED[0]
EAGER = OURS[0]
NOT_MET = "NOT MET"
EAGER_PEERS = ("torch", "tensorflow")
COMPILING = ("fastgrad.function", "torch.compile", "jax", "tf.function", "xla")


@dataclass(frozen=True)
class Ratio:
    """The ratio of a peer's time to that of one of fastgrad's modes: the median of the rounds, and the quartiles."""

    peer: str
    median: float
    low: float
    high: float

    @property
    def lost(self) -> bool:
        """True if the peer is faster."""
        return self.median < 1.0

    @property
    def undecided(self) -> bool:
        """True if the spread includes 1, so that the runs do not show which is faster."""
        return self.low < 1.0 < self.high

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def ratio(results: Results, ours: str, peer: str | None) -> Ratio | None:
    """Returns the ratio of a peer's time to ours; None if one of the two was not timed."""
    values = speedups(results, ours, peer)
    return Ratio(peer, statistics.median(values), *spread(values)) if peer and values else None


def fastest(results: Results, among: Sequence[str] | None = None) -> str | None:
    """Returns the mode of another library with the smallest median time; None if none was timed."""
    timed = [
        peer
        for peer, result in results.items()
        if result.microseconds and peer not in OURS and (among is None or peer in among)
    ]
    return min(timed, key=lambda peer: results[peer].median(), default=None)


def against_fastest(record: Record, ours: str, among: Sequence[str] | None = None) -> Ratio | None:
    """Returns the ratio of the fastest of several peers to one of our modes."""
    return ratio(record.results, ours, fastest(record.results, among))


def geometric_mean(ratios: Sequence[float]) -> float:
    """Returns the geometric mean of ratios."""
    return math.exp(statistics.fmean(map(math.log, ratios)))


@dataclass(frozen=True)
class Loss:
    """A missed goal: the workload, and a sentence about it."""

    where: str
    what: str


@dataclass(frozen=True)
class KernelShare:
    """A kernel of a compiled step.

    Attributes:
        name: its name.
        time: its share of the time of all kernels, on one thread.
        limit: its arithmetic as a share of the peak, or its bytes as a share of the triad's, whichever is more; on one thread.
    """

    name: str
    time: float
    limit: float


@dataclass(frozen=True)
class LimitShares:
    """How far a compiled step is from the machine's limits.

    Attributes:
        arithmetic: its operations a second as a share of the peak of fused multiply-adds.
        memory: the bytes of all kernels' operands a second as a share of the triad's; above 1 where they come from caches.
        threads: the time of all kernels on one thread, as a share of the time that all threads take together.
        kernels: the kernels with the longest times.
    """

    arithmetic: float
    memory: float
    threads: float
    kernels: Sequence[KernelShare]


SHOWN_KERNELS, LEAST_SHOWN = 3, 0.01
LEAST_MICROSECONDS = 0.01  # recorded times are rounded to it


def limit_shares(record: Record) -> LimitShares | None:
    """Returns the shares of the machine's limits that the compiled step of a workload reaches; None if they are not known."""
    result, limits = record.results.get(FUNCTION), record.facts.get("limits", {})
    threads = record.settings.threads
    if result is None or not result.kernels or not result.microseconds or not {"1", str(threads)} <= {*limits}:
        return None
    seconds = result.median() / 1e6
    flops, moved, alone = (
        math.fsum(row[what] for row in result.kernels) for what in ("flops", "bytes", "microseconds")
    )

    def shares_of(limit: Mapping[str, float], flops: float, moved: float, seconds: float) -> tuple[float, float]:
        return flops / seconds / limit["flops_per_second"], moved / seconds / limit["bytes_per_second"]

    least = max(LEAST_SHOWN * alone, LEAST_MICROSECONDS)
    named = [row for row in result.kernels if row["name"] != REST and row["microseconds"] >= least]
    longest = sorted(named, key=lambda row: -row["microseconds"])[:SHOWN_KERNELS]
    kernels = [
        KernelShare(
            row["name"],
            row["microseconds"] / alone,
            max(shares_of(limits["1"], row["flops"], row["bytes"], row["microseconds"] / 1e6)),
        )
        for row in longest
    ]
    arithmetic, memory = shares_of(limits[str(threads)], flops, moved, seconds)
    return LimitShares(arithmetic, memory, alone / 1e6 / (threads * seconds), kernels)


def lost_to_peers(records: Mapping[str, Record]) -> list[Loss]:
    """Returns the workloads in which the fastest peer is, or may be, faster than the compiled step."""
    found = []
    for name, record in records.items():
        for ours in (FUNCTION,):
            best = against_fastest(record, ours)
            if best is not None and (best.lost or best.undecided):
                how = "is not told apart from us: it takes" if best.undecided else "is faster: it takes"
                found.append(Loss(name, f"{best.peer} {how} {best} times as long as {ours}"))
    return found


def lost_to_eager_peers(records: Mapping[str, Record]) -> list[Loss]:
    """Returns the workloads in which an eager peer is faster than the eager step."""
    found = []
    for name, record in records.items():
        best = against_fastest(record, EAGER, EAGER_PEERS)
        if best is not None and best.lost:
            found.append(Loss(name, f"{best.peer} takes {best} times as long as eager fastgrad"))
    return found


def missed_aims(records: Mapping[str, Record]) -> list[Loss]:
    """Returns the missed speed goals of compiled and eager steps."""
    found = []
    for name, record in records.items():
        workload = record.workload
        for ours, aims in ((FUNCTION, workload.wanted), (EAGER, workload.wanted_eagerly)):
            for peer, wanted in aims.items():
                against = fastest(record.results) if peer == FASTEST else peer
                got = ratio(record.results, ours, against) if against else None
                if got is not None and got.median < wanted:
                    how = "eagerly " if ours == EAGER else ""
                    found.append(Loss(name, f"wanted {how}{wanted:g} times as fast as {against}, is {got}"))
        shares = triad_shares(workload, record.results, FUNCTION)
        if shares and workload.wanted_of_triad is not None and statistics.median(shares) < workload.wanted_of_triad:
            got_share = f"{statistics.median(shares):.2f}"
            found.append(Loss(name, f"wanted {workload.wanted_of_triad:g} of the triad's bandwidth, has {got_share}"))
    return found


def problems(records: Mapping[str, Record]) -> list[Loss]:
    """Returns the peers, fastgrad included, that crashed, failed or computed other losses."""
    return [
        Loss(name, f"{peer} {result.problem}")
        for name, record in records.items()
        for peer, result in record.results.items()
        if result.problem and not result.absent
    ]


def operations_in_python(records: Mapping[str, Record]) -> list[Loss]:
    """Returns the operations of compiled steps that have no kernel."""
    found = []
    for name, record in records.items():
        kernels = record.results[FUNCTION].kernels if FUNCTION in record.results else []
        named = [kernel["name"] for kernel in kernels if not kernel["native"]]
        if named:
            found.append(Loss(name, f"runs as Python between native stretches: {', '.join(named)}"))
    return found


def limits_missed(tables: Mapping[str, Mapping[str, Any]]) -> list[Loss]:
    """Returns the lines of the stored tables that report a missed limit."""
    return [
        Loss(stored["title"], line.strip().removesuffix(f": {NOT_MET}"))
        for stored in tables.values()
        for line in stored["lines"]
        if line.endswith(NOT_MET)
    ]


def slower_starts(records: Mapping[str, Record]) -> list[Loss]:
    """Returns the workloads in which another compiling peer starts faster from an empty cache."""
    found = []
    for name, record in records.items():
        times = {peer: seconds for peer in COMPILING if (seconds := ready_seconds(record, peer, cold=True)) is not None}
        sooner = [f"{peer} {times[peer]:.1f} s" for peer in times if times[peer] < times.get(FUNCTION, 0.0)]
        if sooner:
            found.append(
                Loss(name, f"ready after {times[FUNCTION]:.1f} s with nothing compiled yet; {', '.join(sooner)}")
            )
    return found


def ready_seconds(record: Record, peer: str, *, cold: bool) -> float | None:
    """Returns the seconds from building the model to the end of the fourth call, with an empty cache or a filled one."""
    facts: Mapping[str, Any] = record.results[peer].facts if peer in record.results else {}
    if cold:
        facts = facts.get("cold", facts)
    elif "cold" not in facts:
        return None
    return facts.get("ready_seconds")


def disturbing_share(record: Record) -> float | None:
    """Returns the share of the processors' time that other programs took during or before timing; None if unknown."""
    timed = others_while_timed(record.results)
    return timed if timed is not None else record.facts.get("others_before")


def disturbed(found: Stored) -> str:
    """Returns a sentence that lists measurements disturbed by other programs; empty if there are none."""
    shares = {name: disturbing_share(record) for name, record in found.records.items()}
    for name, sweep in found.sweeps.items():
        known = [share for point in sweep["points"] if (share := point.get("others_share")) is not None]
        shares[name] = statistics.fmean(known) if known else sweep.get("others_before")
    shares |= {name: printed.get("others_share") for name, printed in found.tables.items()}
    much = {name: share for name, share in shares.items() if share is not None and share > MATERIAL}
    if not much:
        return ""
    named = ", ".join(f"{name} {share:.0%}" for name, share in much.items())
    return f"Other programs took more than {MATERIAL:.0%} of the processors' time during these, whose times wander: {named}."


def growth_exponent(sizes: Sequence[float], times: Sequence[float]) -> float:
    """Returns the exponent of the fitted power law, by least squares on logarithms."""
    xs, ys = [math.log(size) for size in sizes], [math.log(time) for time in times]
    x, y = statistics.fmean(xs), statistics.fmean(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum((a - x) ** 2 for a in xs)
