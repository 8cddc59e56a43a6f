"""Side-by-side measurement of small cases: native loops of repeats, interleaved over libraries in separate processes."""

import contextlib
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.dashboard.findings import NOT_MET
from benchmarks.peers.__main__ import peers_python, progress
from benchmarks.peers.known import MEASURED
from benchmarks.peers.process import PeerError, PeerProcess

TOLERANCE = 1e-5
TIMEOUT = 120.0
OWN = (MEASURED, "numpy")  # the NumPy that fastgrad stands on
Contestant = tuple[str, int]  # a library, and on how many threads


@dataclass
class Measured:
    """The results of one case.

    Attributes:
        seconds: by library and threads, of one repeat in each round.
        peaks: by threads, operations a second that the machine reached in each round.
        problems: by library and threads, why there are no seconds.
    """

    seconds: dict[Contestant, list[float]] = field(default_factory=dict)
    peaks: dict[int, list[float]] = field(default_factory=dict)
    problems: dict[Contestant, str] = field(default_factory=dict)

    def median(self, library: str, threads: int) -> float:
        """Returns the median seconds of a repeat."""
        return statistics.median(self.seconds[library, threads])

    def ratio(self, library: str, threads: int) -> float:
        """Returns the median ratio of a library's time to fastgrad's."""
        pairs = zip(self.seconds[library, threads], self.seconds[MEASURED, threads], strict=True)
        return statistics.median(theirs / ours for theirs, ours in pairs)

    def fastest(self, threads: int) -> str | None:
        """Returns the peer with the smallest median time."""
        peers = [library for library, its in self.seconds if its == threads and library != MEASURED]
        return min(peers, key=lambda library: self.median(library, threads), default=None)

    def share(self, threads: int, operations: float) -> float:
        """Returns the best speed as a share of the peak; `operations` is the number in a repeat."""
        return operations / min(self.seconds[MEASURED, threads]) / max(self.peaks[threads])


def measured(
    family: str, libraries: Sequence[str], cases: Sequence[Any], threads: Sequence[int], rounds: int, stretch: float
) -> Iterator[tuple[Any, Measured]]:
    """Yields each case with its results, as soon as it is measured.

    Args:
        family: of cases, see `benchmarks/peers/repeats.py`.
        libraries: fastgrad and its peers; one that is not installed is left out.
        cases: what the family's functions take, as JSON.
        threads: numbers of them; each library has a process for each.
        rounds: timed slices of each.
        stretch: how many seconds a timed stretch is about, three of which are a slice.
    """
    with contextlib.ExitStack() as stack:
        running: dict[Contestant, PeerProcess] = {}
        for library in libraries:
            for count in threads:
                python = sys.executable if library in OWN else peers_python()
                worker = ("benchmarks.peers.repeats", family, library, str(count))
                running[library, count] = process = PeerProcess(python, count, module=worker)
                stack.callback(process.close)
        for case in cases:
            progress(f"{family} {case}")
            yield case, _one(case, running, rounds, stretch)
        progress("")


def _one(case: Any, running: dict[Contestant, PeerProcess], rounds: int, stretch: float) -> Measured:
    found, repeats = Measured(), {}
    for contestant in list(running):
        answer = _asked(contestant, running, do="prepare", case=case)
        if "seconds" not in answer:
            found.problems[contestant] = answer.get("failed") or f"has no {answer['missing']}"
        elif not answer["error"] <= TOLERANCE:
            found.problems[contestant] = f"disagrees by {answer['error']:.1e}"
        else:
            repeats[contestant] = max(1, round(stretch / answer["seconds"]))
            found.seconds[contestant] = []
    order = list(repeats)
    for round_ in range(rounds):
        turn = round_ % max(1, len(order))
        for contestant in order[turn:] + order[:turn]:
            if contestant in found.problems:
                continue
            answer = _asked(contestant, running, do="slice", repeats=repeats[contestant])
            if "seconds" in answer:
                found.seconds[contestant].append(answer["seconds"])
            else:
                found.problems[contestant] = answer["failed"]
                del found.seconds[contestant]
            if "peak" in answer:
                found.peaks.setdefault(contestant[1], []).append(answer["peak"])
    return found


def _asked(contestant: Contestant, running: dict[Contestant, PeerProcess], **request: Any) -> dict[str, Any]:
    """Returns the answer of a resumed process; drops a process that crashed or hung."""
    process = running[contestant]
    process.resume()
    try:
        answer = process.ask(TIMEOUT, **request)
    except PeerError as error:
        running.pop(contestant).close()
        return {"failed": str(error)}
    process.stop()
    return answer


def verdict(line: str, met: bool | None) -> str:
    """Returns a line about a limit; its last words tell if it is not met, see `benchmarks.dashboard.findings`."""
    return line if met is None else f"{line}: {'met' if met else NOT_MET}"
