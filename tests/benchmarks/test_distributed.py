"""The benchmark of data-parallel steps, and the model that projects them to more hosts."""

import json
import math
from pathlib import Path

import pytest

from benchmarks import distributed, projection
from benchmarks.distributed import Contestant
from benchmarks.peers.data_parallel import MODELS, share_of
from benchmarks.projection import Network
from fastgrad._src.kernels.collectives.transfers import simulated_network

NETWORK = Network(10e-6, 1e-9)


MODULES = {"figures": "benchmarks.distributed", "projection": "benchmarks.projection"}


def timed(**seconds: list[float]) -> dict[str, object]:
    return {"seconds": seconds, "facts": {"reduced": 4e6, "gathered": 0, "transfers": 1}}


RESULTS = {
    "fastgrad 1x1": {"seconds": {"step": [4.0, 8.0], "local": [4.0, 8.0]}, "facts": {}},
    "fastgrad 2x1": timed(step=[2.0, 4.0], local=[1.75, 3.75], bare=[0.5, 0.5], reduce=[1.6, 1.6], update=[1.0, 1.0]),
    "torch 2x1": {"seconds": {"step": [3.0, 6.0]}, "facts": {}},
}


def test_figures_are_medians_of_ratios_within_rounds() -> None:
    found = distributed.figures(RESULTS, "fastgrad 2x1")
    assert found["speed-up"] == 2.0
    assert found["hidden"] == 0.5
    assert found["reduce / bare"] == pytest.approx(1.2)
    assert found["DDP / step"] == 1.5
    head, one, two = distributed.table({"mlp": RESULTS})
    assert head == distributed.HEAD
    assert one.split() == ["mlp", "1x1", "6000.00", "1.00", "-"]
    assert two.split() == ["mlp", "2x1", "3000.00", "2.00", "1.50", "4.00", "1", "500.00", "1.20", "50%"]


def test_other_losses_than_those_of_one_process_are_an_error() -> None:
    assert distributed.mean_losses([[1.0, 2.0], [3.0, 4.0]]) == [2.0, 3.0]
    distributed.check_losses("mlp", [1.0, 2.0001], [1.0, 2.0], "torch 2x1")
    with pytest.raises(ValueError, match="mlp: the loss of torch 2x1 at step 1 is 2.1"):
        distributed.check_losses("mlp", [1.0, 2.1], [1.0, 2.0], "torch 2x1")
    with pytest.raises(ValueError, match="nan"):
        distributed.check_losses("mlp", [math.nan], [1.0], "torch 2x1")


@pytest.mark.parametrize("model", MODELS)
def test_batches_are_divided_and_weights_are_not(model: str) -> None:
    inputs = MODELS[model].inputs()
    parts = [share_of(inputs, rank, 4) for rank in range(4)]
    for name, array in inputs.items():
        if name in ("x", "y", "ids"):
            assert sum(part[name].shape[1] for part in parts) == array.shape[1]
        else:
            assert all(part[name] is array for part in parts)


def test_ranks_train_as_one_process_does_and_are_timed(tmp_path: Path) -> None:
    if distributed.launcher() is None:
        pytest.skip("no mpiexec: pip install fastgrad[mpi]")
    page, results = tmp_path / "page.md", tmp_path / "results.json"
    page.write_text("before\n<!-- figures -->\nold\n<!-- end of figures -->\nafter\n")
    options = ["--models", "tiny", "--ranks", "2", "--libraries", "fastgrad", "--rounds", "2", "--slice", "0.01"]
    assert distributed.main([*options, "--results", str(results), "--page", str(page)]) == 0
    models = json.loads(results.read_text())["models"]
    one, two = models["tiny"].values()
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-4)
    assert {call: len(seconds) for call, seconds in two["seconds"].items()} == {
        "step": 2,
        "local": 2,
        "reduce": 2,
        "update": 2,
        "bare": 2,
    }
    assert two["facts"]["reduced"] == 4 * (64 * 32 + 32 + 32 * 10 + 10)
    assert two["facts"]["transfers"] >= 1
    text = page.read_text()
    assert text.startswith("before\n<!-- figures -->\n`python -m benchmarks.distributed")
    assert text.endswith("```\n<!-- end of figures -->\nafter\n")
    assert "old" not in text


def test_a_rank_that_ends_is_an_error_with_its_output(tmp_path: Path) -> None:
    ranks = distributed.Ranks(Contestant("fastgrad", 1, 1), "tiny", str(tmp_path))
    try:
        with pytest.raises(RuntimeError, match="(?s)fastgrad 1x1 gave no answer.*KeyError: 'nonsense'"):
            ranks.ask(do="slice", call="nonsense", repeats=1)
    finally:
        ranks.close()


def test_one_transfer_is_exposed_and_many_are_hidden() -> None:
    assert projection.step_seconds(1.0, []) == 1.0
    assert projection.step_seconds(1.0, [(0.1, 0.2)], packing=0.05) == pytest.approx(1.35)
    many = projection.step_seconds(1.0, [(0.0, 0.02)] * 10)
    assert many == pytest.approx(1.02), "all but the last are done before the gradients are"
    assert projection.step_seconds(1.0, [(0.0, 0.2)] * 10) == pytest.approx(0.4 + 2.0), "the link is the limit"


def test_costs_are_those_of_the_algorithms() -> None:
    assert projection.all_reduce_costs(2, NETWORK) == pytest.approx((20e-6, 1e-9))
    assert projection.all_reduce_costs(64, NETWORK) == pytest.approx((120e-6, 2 * 63 / 64 * 1e-9))
    assert projection.all_reduce_costs(64, NETWORK, ring=True) == pytest.approx((1260e-6, 2 * 63 / 64 * 1e-9))
    assert projection.all_gather_costs(8, NETWORK) == pytest.approx((30e-6, 7e-9))


def test_a_network_is_fitted_to_its_times() -> None:
    latency, per_byte = projection.all_reduce_costs(4, NETWORK)
    found = projection.fitted({size: latency + size * per_byte for size in projection.SIZES}, 4)
    assert found.latency == pytest.approx(NETWORK.latency)
    assert found.seconds_per_byte == pytest.approx(NETWORK.seconds_per_byte)


def test_the_simulated_network_delays_by_what_the_model_says() -> None:
    latency, per_byte = simulated_network(projection.delays(64, NETWORK))
    assert (latency, per_byte) == pytest.approx(projection.all_reduce_costs(64, NETWORK), rel=1e-4)


def test_rows_are_gathered_and_the_rest_is_reduced() -> None:
    facts = {"reduced": 1e6, "gathered": 2e6, "transfers": 3}
    gather, reduce = projection.all_gather_costs(4, NETWORK), projection.all_reduce_costs(4, NETWORK)
    alone = projection.projected(facts, 0.0, 4, NETWORK, 0.0)
    assert alone == pytest.approx(2e6 * gather[1] + 1e6 * reduce[1] + reduce[0])


@pytest.mark.parametrize(
    ("file", "part"), [(distributed.RESULT, "figures"), (projection.PROJECTED, "projection")], ids=str
)
def test_the_page_shows_the_committed_results(file: Path, part: str) -> None:
    page = distributed.PAGE.read_text(encoding="utf-8")
    if not file.exists():
        assert distributed.replace_part(page, part, f"Not measured yet: `python -m {MODULES[part]}`.") == page
        return
    results = json.loads(file.read_text(encoding="utf-8"))
    models = json.loads(distributed.RESULT.read_text(encoding="utf-8"))["models"]
    lines = distributed.table(models) if part == "figures" else projection.lines_of(results, models)
    assert distributed.replace_part(page, part, distributed.printed(results, lines)) == page
