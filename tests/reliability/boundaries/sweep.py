"""Runs samples of rows: `python -m tests.reliability.boundaries.sweep COUNT ROW ...` prints what was tried, and what failed, as JSON."""

from __future__ import annotations

import itertools
import json
import sys
import traceback
import zlib

from tests.reliability.boundaries.cases import Case, Tally, small_work_is_shared
from tests.reliability.boundaries.properties import ALL
from tests.reliability.boundaries.sampling import Sample, samples


def tried(name: str, count: int, largest: int, tally: Tally, one_team: bool = False) -> list[str]:
    """Runs cases of a row; gives what failed.

    Args:
        name: of the row.
        count: how many cases; if they are fewer than its properties, each of these gets at most one.
        largest: size.
        tally: counts them.
        one_team: whether all have the same number of threads: to start these takes longer than a small case.
    """
    properties = ALL[name]
    drawn: list[tuple[int, Sample]] = []
    for number, known in enumerate(properties):
        turn = (number + zlib.crc32(name.encode())) % len(properties)  # which of them have one more
        each = count // len(properties) + (turn < count % len(properties))
        drawn += [(number, sample) for sample in samples(known, each, largest)]
    if one_team:
        drawn = [(number, sample._replace(threads=drawn[0][1].threads)) for number, sample in drawn]
    failures: list[str] = []
    by_threads = sorted(drawn, key=lambda pair: pair[1].threads)
    for threads, group in itertools.groupby(by_threads, key=lambda pair: pair[1].threads):
        with small_work_is_shared(threads):
            for number, sample in group:
                try:
                    case = Case(properties[number], sample.dtype, sample.sizes, sample.seed)
                    case.run(sample.layout, threads, tally)
                    case.run_compiled(sample.layout, sample.view, sample.dying, tally)
                except Exception:  # noqa: BLE001 - whatever it is, the other cases of the row are tried
                    failures.append(f"{name} {number} {sample}\n{traceback.format_exc(limit=-3)}")
    return failures


def main(count: int, *names: str) -> None:
    tally = Tally()
    failures = [failure for name in names for failure in tried(name, count, 1 << 14, tally)]
    print(json.dumps({"cases": tally.cases, "compiled": tally.compiled, "worst": tally.worst, "failures": failures}))


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
