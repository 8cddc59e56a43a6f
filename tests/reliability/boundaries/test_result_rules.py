"""The result rule of each row gives the shapes and dtypes that the row gives, for every case of the suite."""

from __future__ import annotations

import pytest

from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.result_rules import ArraySpec, fits_spec, specs_of
from tests.kernels.properties import results_of
from tests.reliability.boundaries.cases import Case
from tests.reliability.boundaries.properties import ALL
from tests.reliability.boundaries.sampling import long_samples, short_samples
from tests.selection import run_seed

SHORT = 4
"""Cases of a row in the short form."""


@pytest.mark.parametrize("name", sorted(ALL))
def test_the_rule_of_a_row_equals_its_results(name, full, figure):
    seed = run_seed()
    print(f"again with FASTGRAD_RANDOM_SEED={seed}")
    samples = long_samples(name) if full else short_samples(name, SHORT, seed)
    wrong = []
    for sample in samples:
        case = Case(ALL[name][sample.number], sample.dtype, sample.sizes, sample.seed)
        specs = TABLE[name].result(*[ArraySpec(x.shape, x.dtype) for x in case.arrays], **case.attributes)
        specs, results = specs_of(specs), results_of(name, case.arrays, case.attributes)
        assert all(size is None or type(size) is int for spec in specs for size in spec.shape)
        if len(specs) != len(results) or not all(map(fits_spec, specs, results)):
            wrong.append(f"{case}: {specs}, not {[(y.shape, y.dtype) for y in results]}")
    figure("cases compared with result rules", len(samples))
    assert wrong == []
