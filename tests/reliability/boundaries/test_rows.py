"""Every row of the operation table around every block, vector and cut of its code, in any layout, on 1 to 8 threads, now and compiled."""

from __future__ import annotations

import pytest

from tests.reliability.boundaries.cases import Tally
from tests.reliability.boundaries.properties import ALL
from tests.reliability.boundaries.sampling import LARGEST
from tests.reliability.boundaries.sweep import tried

SHORT, LONG = 2, 24
"""Cases of a row."""


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_row_around_its_blocks(name, full, figure):
    tally = Tally()
    count, largest = (LONG, LARGEST) if full else (SHORT, 1 << 13)
    failures = tried(name, count, largest, tally, one_team=not full)
    figure("cases", tally.cases)
    figure("cases in compiled programs", tally.compiled)
    figure("results in the place of an operand", tally.in_place)
    figure("elements", tally.elements)
    figure("largest error as a part of the tolerance", round(float(tally.worst), 3), combine="max")
    assert not failures, f"{len(failures)} cases failed\n" + "\n".join(failures[:3])
