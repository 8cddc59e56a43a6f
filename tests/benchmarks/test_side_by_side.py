"""Small measurements in native loops: results are compared first, what is short is said at the end of a line."""

from typing import Any

import pytest

from benchmarks import eager_operations, products
from benchmarks.dashboard.findings import limits_missed
from benchmarks.peers.process import PeerError, PeerProcess
from benchmarks.side_by_side import Measured, measured, verdict


@pytest.mark.parametrize("library", ["fastgrad", "numpy"])
def test_a_library_repeats_products(library: str) -> None:
    ((case, found),) = measured("products", [library], [(32, 48, 64)], [1], rounds=2, stretch=1e-4)
    assert case == (32, 48, 64)
    assert not found.problems
    assert len(found.seconds[library, 1]) == 2
    if library == "fastgrad":
        assert found.share(1, products.operations(case)) > 0.0


def test_products_are_named_by_their_sizes() -> None:
    assert products.named_cases("64x64x64,128x2048x2048") == [(64, 64, 64), (128, 2048, 2048)]
    for text in ("64", "64x64", "64x64x0"):
        with pytest.raises(ValueError, match="three positive sizes"):
            products.named_cases(text)


@pytest.mark.parametrize("library", ["fastgrad", "numpy"])
def test_a_library_repeats_eager_operations(library: str) -> None:
    cases = [("sin", 512), ("mean of rows", 1024), ("many Adam", 1024)]
    for case, found in measured("operations", [library], cases, [1], rounds=1, stretch=1e-4):
        if (library, case[0]) == ("numpy", "many Adam"):
            assert found.problems[library, 1].endswith("NumPy has no many Adam")
        else:
            assert not found.problems
            assert eager_operations.row(case, found).startswith(case[0])


def test_a_process_that_ends_takes_no_further_part(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = PeerProcess.ask

    def ask(process: PeerProcess, timeout: float, **request: Any) -> dict[str, Any]:
        if request["do"] == "slice":
            raise PeerError("its process ended", "")
        return asked(process, timeout, **request)

    monkeypatch.setattr(PeerProcess, "ask", ask)
    (_, first), (_, second) = measured("products", ["numpy"], [(8, 8, 8), (9, 9, 9)], [1], rounds=1, stretch=1e-5)
    assert first.problems == {("numpy", 1): "its process ended"}
    assert not first.seconds
    assert not second.seconds


def test_what_is_short_of_the_peak_or_behind_a_peer_is_named() -> None:
    seconds = {("fastgrad", 1): [2e-6, 1e-6], ("numpy", 1): [1e-6, 0.8e-6], ("jax", 1): [3e-6, 2e-6]}
    found = Measured(seconds, peaks={1: [1e12, 2e12]})
    assert found.fastest(1) == "numpy"
    assert found.ratio("numpy", 1) == pytest.approx(0.65)
    case = (64, 64, 64)
    assert found.share(1, products.operations(case)) == pytest.approx(2 * 64**3 / 1e-6 / 2e12)
    said = dict(products.conclusions({case: found}))
    assert said["1 thread: 0 of 1 sizes have 90% of the peak, geometric mean 26.2%; 64x64x64 26%"] is False
    assert said["1 thread: 1 of 1 sizes are under 0.9 of the fastest peer's pace; 64x64x64 0.65"] is False
    assert products.row(case, found).startswith("  64   64   64 |    349.5   26.2%    0.65       -    1.75")


def test_a_limit_that_is_not_met_is_a_loss() -> None:
    lines = [verdict("slow", met=False), verdict("quick", met=True), verdict("a fact", met=None)]
    (loss,) = limits_missed({"products": {"title": "Products", "lines": lines}})
    assert (loss.where, loss.what) == ("Products", "slow")
