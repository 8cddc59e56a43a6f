"""Functions of datasets that raise or hang in threads: the error arrives, Ctrl-C arrives, and the process can end."""

import pytest

from tests.reliability.faults import victims
from tests.reliability.faults.workers import PIPELINES

SHORT = ("prefetched generator", "parallel map", "prefetched parallel map")


@pytest.mark.parametrize("fault", ["raising", "hanging", "leaving"])
@pytest.mark.parametrize("kind", PIPELINES)
def test_faults_of_workers(kind, fault, full, figure):
    if not full and kind not in SHORT:
        pytest.skip("in the long form")
    printed = victims.run("workers", fault, kind, timeout=600)
    assert printed.split() == [{"raising": "raised", "hanging": "interrupted", "leaving": "left"}[fault]]
    figure(f"data workers: {fault}", 1)
