"""The simulated network: transfers count as done only after its latency and the time of their bytes."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

import fastgrad as fg
from fastgrad._src.kernels.collectives.transfers import simulated_network
from fastgrad._src.kernels.collectives.world import world
from fastgrad._src.ops.collectives import all_reduce
from tests.distribute.ranks import run_ranks

LATENCY, GIGABITS, MEGABYTES = 0.02, 0.8, 4


def seconds(call):
    """The shortest of five calls."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return min(times)


def main():
    small, large = np.ones(4, np.float32), np.ones(MEGABYTES * 250_000, np.float32)
    all_reduce([small]), all_reduce([large])
    both = fg.function(lambda x, y: (all_reduce([x])[0], all_reduce([y])[0]))
    x, y = fg.constant(small), fg.constant(large)
    both(x, y), both(x, y)
    calls = [lambda: all_reduce([small]), lambda: all_reduce([large]), lambda: both(x, y)]
    times = world().control.gather([seconds(call) for call in calls])
    if world().rank == 0:
        print(json.dumps([max(values) for values in zip(*times, strict=True)]))
    np.testing.assert_array_equal(all_reduce([large])[0], np.full(large.shape, 2.0))


@pytest.mark.timed
@pytest.mark.parametrize("simulated", [False, True])
def test_a_transfer_takes_its_latency_and_the_time_of_its_bytes(simulated):
    network = {
        "FASTGRAD_SIMULATED_LATENCY_US": str(LATENCY * 1e6),
        "FASTGRAD_SIMULATED_BANDWIDTH_GBPS": str(GIGABITS),
    }
    code = "from tests.distribute.test_simulated_network import main; main()"
    status, output = run_ranks(2, ["-c", code], **(network if simulated else {}))
    assert status == 0, output
    small, large, both = json.loads(output.splitlines()[-1])
    transfer = MEGABYTES * 1e6 * 8 / (GIGABITS * 1e9)
    if simulated:
        assert LATENCY <= small < LATENCY + 0.02
        assert LATENCY + transfer <= large < LATENCY + transfer + 0.05
        assert both >= LATENCY + transfer
    else:
        assert small < LATENCY
        assert large < transfer


def test_settings_are_numbers_from_0_on():
    assert simulated_network({}) == (0.0, 0.0)
    settings = {"FASTGRAD_SIMULATED_LATENCY_US": "50", "FASTGRAD_SIMULATED_BANDWIDTH_GBPS": "10"}
    assert simulated_network(settings) == pytest.approx((5e-5, 0.8e-9))
    for wrong in ("-1", "fast", "nan", "inf"):
        with pytest.raises(ValueError, match="FASTGRAD_SIMULATED_LATENCY_US is"):
            simulated_network({"FASTGRAD_SIMULATED_LATENCY_US": wrong})
