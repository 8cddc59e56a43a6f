"""Every row of the operation table, at sizes around every constant of its code, in any layout, on 1 to 8 threads, eager and compiled."""

from __future__ import annotations

import pytest

from tests.reliability.boundaries.cases import Tally
from tests.reliability.boundaries.properties import ALL
from tests.reliability.boundaries.sampling import long_samples, short_samples
from tests.reliability.boundaries.sweep import failures_of
from tests.selection import run_seed

SHORT = 2
"""Cases of a row in the short form."""


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_row_around_its_blocks(name, full, figure):
    tally = Tally()
    if full:
        samples = long_samples(name)
    else:
        seed = run_seed()
        print(f"again with FASTGRAD_RANDOM_SEED={seed}")
        samples = short_samples(name, SHORT, seed)
        samples = [
            sample._replace(threads=samples[0].threads) for sample in samples
        ]  # starting threads takes longer than a case
    failures = failures_of(name, samples, tally)
    figure("cases", tally.cases)
    figure("cases in compiled programs", tally.compiled)
    figure("results that overwrite an operand", tally.in_place)
    figure("elements", tally.elements)
    figure("largest error as a part of the tolerance", round(float(tally.worst), 3), combine="max")
    assert not failures, f"{len(failures)} of {len(samples)} cases failed\n" + "\n".join(failures[:3])
