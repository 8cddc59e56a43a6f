"""The tables of orders and layouts: each candidate is the cheapest of some product."""

import pytest

from fastgrad._src.jit.isa import isa_of
from fastgrad._src.jit.native import Machine
from fastgrad._src.kernels.gemm import config, layout

CHOSEN = {
    ((128, 784), (784, 256), False, False, False, True): ("given", "split-k"),
    ((300, 2048), (300, 1024), True, False, False, True): ("given", "copied rows"),
    ((100, 64), (64, 64), False, False, True, False): ("given", "rows near B"),
    ((100, 300), (300, 1024), False, False, True, False): ("given", "rows far from B"),
    ((1000, 2048), (2048, 512), False, False, False, False): ("given", "rows without copy"),
    ((1000, 2048), (2048, 1024), False, False, False, False): ("given", "groups of panels"),
    ((8, 16), (16, 8), False, False, False, False): ("given", "single panels"),
    ((8, 1024), (1024, 1024), False, True, False, True): ("turned", "single panels"),
    ((100, 30), (30, 1), False, False, False, False): ("swapped", "single panels"),
}
"""The order and the layout by the shapes, which of them are transposed, `has_epilogue` and `multithreaded`."""


@pytest.mark.parametrize("sizes", CHOSEN)
def test_the_cheapest_candidate_is_chosen(monkeypatch, sizes):
    monkeypatch.delenv("FASTGRAD_LANES", raising=False)
    isa = isa_of(Machine("x86_64-unknown-linux", "", "+avx,+avx2,+fma"))
    monkeypatch.setattr(layout, "host_isa", lambda: isa)
    chosen = []

    def watched(candidates, product):
        applicable = [one for one in candidates if one.applies(product)]
        chosen.append(min(applicable, key=lambda one: one.cost(product)))
        plan = cheapest_plan(candidates, product)
        assert plan == chosen[-1].plan(product)
        return plan

    cheapest_plan = layout.cheapest_plan
    monkeypatch.setattr(config, "cheapest_plan", watched)
    assert config.gemm_config_of(4, *sizes) is not None
    assert tuple(candidate.name for candidate in chosen) == CHOSEN[sizes]


def test_each_candidate_is_chosen_somewhere():
    names = {name for chosen in CHOSEN.values() for name in chosen}
    assert names == {candidate.name for candidate in (*layout.ORDERS, *layout.LAYOUTS)}
