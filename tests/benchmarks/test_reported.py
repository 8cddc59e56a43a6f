"""The programs of `benchmarks/reported` compute what they say, and its page is what the stored results give."""

import os
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.reported import how_small
from benchmarks.reported.__main__ import main
from benchmarks.reported.case import ALONG, FASTGRAD, Case
from benchmarks.reported.cases import CASES, OTHER_DERIVATIVES
from benchmarks.reported.measure import difference, run_process
from benchmarks.reported.page import PAGE, page, stored
from benchmarks.reported.worker import arrays_of, first_call

STEP = 1e-6
DERIVATIVES = [case for case in CASES.values() if case.derivative]


def scope_of(case: Case) -> dict[str, Any]:
    """The names that our side of a case defines, without Numba's compilation."""
    scope: dict[str, Any] = {"__name__": "reported_case"}
    exec(case.program(FASTGRAD).replace("@njit\n", ""), scope)
    return scope


@pytest.mark.parametrize("case", DERIVATIVES, ids=lambda case: case.name)
def test_the_derivative_is_that_of_finite_differences_of_the_python_function(case: Case) -> None:
    _, (value, gradient), _ = first_call(case.program(FASTGRAD), case.tiny)
    scope = scope_of(case)
    argument, *others = scope["arguments"](case.tiny)
    single = argument.dtype == np.float32
    argument = argument.astype(np.float64)
    f = scope["f"]
    assert value == pytest.approx(f(argument, *others), rel=1e-5 if single else 1e-12)
    assert gradient.shape == argument.shape
    for index in list(np.ndindex(argument.shape))[:5]:
        up, down = argument.copy(), argument.copy()
        up[index] += STEP
        down[index] -= STEP
        slope = (f(up, *others) - f(down, *others)) / (2.0 * STEP)
        assert gradient[index] == pytest.approx(slope, rel=1e-4, abs=1e-7), index


@pytest.mark.parametrize("case", OTHER_DERIVATIVES.values(), ids=lambda case: case.name)
def test_other_derivatives_are_those_of_the_gradient(case: Case) -> None:
    _, found, _ = first_call(case.program(FASTGRAD), case.tiny)
    scope: dict[str, Any] = {"__name__": "reported_case"}
    exec(case.program(FASTGRAD), scope)
    argument, *others = scope["arguments"](case.tiny)
    direction = others.pop() if case.derivative in ALONG else np.cos(np.arange(argument.size)).reshape(argument.shape)
    gradient = scope["fg"].grad(scope["f"])
    step = STEP if argument.dtype == np.float64 else 2.0**-10
    moved = [gradient((argument + sign * step * direction).astype(argument.dtype), *others) for sign in (1.0, -1.0)]
    product = (moved[0] - moved[1]) / (2.0 * step)
    slope = np.sum(gradient(argument, *others) * direction)
    tolerance = 1e-4 if step == STEP else 1e-2
    if case.derivative == "hessian":
        found = found @ direction
    if case.derivative == "jacobian":
        found = np.sum(found * direction)
    if case.derivative in ("hvp", "hessian"):
        np.testing.assert_allclose(found, product, rtol=tolerance, atol=tolerance * np.max(np.abs(product)))
    else:
        assert (found[1] if case.derivative == "jvp" else found) == pytest.approx(slope, rel=tolerance)


def numpy_layers(
    x: np.ndarray, values: Sequence[np.ndarray], activation: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """The output of dense layers, in float64."""
    x = x.astype(np.float64)
    for kernel, bias in zip(values[:-2:2], values[1:-2:2], strict=True):
        x = activation(x @ kernel + bias)
    return x @ values[-2] + values[-1]


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0.0)


@pytest.mark.parametrize("name", ["predict", "model_call"])
def test_a_call_of_a_model_gives_what_numpy_gives(name: str) -> None:
    case = CASES[name]
    row, *values = scope_of(case)["arguments"](case.tiny)
    _, output, _ = first_call(case.program(FASTGRAD), case.tiny)
    np.testing.assert_allclose(output, numpy_layers(row, values, relu), rtol=1e-5, atol=1e-6)


def test_a_call_of_the_convolutional_network_gives_what_numpy_gives() -> None:
    case = CASES["cnn_call"]
    images, *values = scope_of(case)["arguments"](case.tiny)
    x = images.astype(np.float64)
    for kernel, bias in (values[0:2], values[2:4]):
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
        x = relu(np.einsum("nhwcij,ijco->nhwo", windows, kernel) + bias)
        rows, columns = x.shape[1] // 2, x.shape[2] // 2
        x = x[:, : 2 * rows, : 2 * columns].reshape(len(x), rows, 2, columns, 2, -1).max(axis=(2, 4))
    _, output, _ = first_call(case.program(FASTGRAD), case.tiny)
    np.testing.assert_allclose(output, numpy_layers(x.reshape(len(x), -1), values[4:], relu), rtol=1e-4, atol=1e-5)


def test_fit_starts_from_the_loss_that_numpy_gives() -> None:
    case = CASES["fit"]
    x, y, *values = scope_of(case)["arguments"](case.tiny)
    call, (loss, chances), _ = first_call(case.program(FASTGRAD), case.tiny)
    expected = 1.0 / (1.0 + np.exp(-numpy_layers(x, values, relu)))
    np.testing.assert_allclose(chances, expected, rtol=1e-4)
    smoothed = y * 0.95 + 0.025
    entropy = -(smoothed * np.log(expected) + (1.0 - smoothed) * np.log(1.0 - expected)).mean()
    assert float(loss) == pytest.approx(entropy, rel=1e-4)
    assert np.isfinite(call().history["loss"]).all()


@pytest.mark.parametrize("case", [CASES["width_45"], how_small.CASE], ids=lambda case: case.name)
def test_a_trained_step_begins_with_the_loss_that_numpy_gives_and_lowers_it(case: Case) -> None:
    x, y, *values = scope_of(case)["arguments"](case.tiny)
    activation = np.tanh if case is how_small.CASE else np.asarray
    _, losses, _ = first_call(case.program(FASTGRAD), case.tiny)
    assert losses[0] == pytest.approx(((numpy_layers(x, values, activation) - y) ** 2).mean(), rel=1e-5)
    assert losses == sorted(losses, reverse=True)
    assert len(set(losses)) == len(losses)


def test_a_whole_process_prints_the_result_of_one_step_by_numpy(tmp_path: Path) -> None:
    case = CASES["first_step"]
    scope: dict[str, Any] = {"np": np}
    exec(case.arguments, scope)
    x, y, kernel, bias, last, shift = (array.astype(np.float64) for array in scope["arguments"](scope["SIZE"]))
    hidden = relu(x @ kernel + bias)
    error = 2.0 * (hidden @ last + shift - y) / y.size
    into_hidden = (error @ last.T) * (hidden > 0.0)
    last, shift = last - 0.01 * hidden.T @ error, shift - 0.01 * error.sum(axis=0)
    kernel, bias = kernel - 0.01 * x.T @ into_hidden, bias - 0.01 * into_hidden.sum(axis=0)
    cache = os.environ.get("FASTGRAD_CACHE_DIR", str(tmp_path))
    run = run_process(case, FASTGRAD, sys.executable, cache, str(tmp_path / "bytecode"))
    assert run["value"] == pytest.approx((relu(x @ kernel + bias) @ last + shift).sum(), rel=1e-4)
    assert run["cpu"] > 0.0


def test_the_size_from_which_a_peer_wins_is_that_of_its_last_stretch() -> None:
    def at(theirs: float) -> dict[str, Any]:
        return {"contestants": {"fastgrad": {"cpu": [1.0]}, "jax": {"cpu": [theirs]}}}

    assert how_small.wins_from({"8": at(0.5), "16": at(2.0), "32": at(0.9), "64": at(0.8)}, "jax", "cpu") == 32
    assert how_small.wins_from({"8": at(0.5), "16": at(2.0)}, "jax", "cpu") is None
    assert how_small.wins_from({"8": at(0.5)}, "torch", "cpu") is None


def test_the_committed_chart_is_what_the_committed_results_give() -> None:
    found = how_small.stored()
    assert found is not None
    drawn = how_small.picture(found)
    assert how_small.PICTURE.read_text(encoding="utf-8") == drawn
    _, _, width, height = map(float, ET.fromstring(drawn).attrib["viewBox"].split())
    for circle in ET.fromstring(drawn).iter("{http://www.w3.org/2000/svg}circle"):
        assert 0.0 <= float(circle.attrib["cx"]) <= width
        assert 0.0 <= float(circle.attrib["cy"]) <= height


def test_the_committed_page_is_what_the_committed_results_give() -> None:
    """Else: python -m benchmarks.reported --page."""
    assert PAGE.read_text(encoding="utf-8") == page(stored(), how_small.stored())


def test_a_difference_of_a_small_array_is_not_hidden_by_a_large_one() -> None:
    reference = list(arrays_of((1e9, np.array([1.0, 2.0]))))
    assert difference(list(arrays_of((1e9, np.array([1.0, 2.2])))), reference) == pytest.approx(0.1)
    assert difference(list(arrays_of((1e9, np.array([1.0, 2.0])))), reference) == 0.0
    assert difference(list(arrays_of((1e9, np.array([1.0])))), reference) == float("inf")
    assert not difference(list(arrays_of((1e9, np.array([1.0, np.nan])))), reference) <= 1.0


def test_the_page_says_who_is_ahead_and_what_was_not_measured() -> None:
    machine = {"cpu": "A processor", "processors": 2}
    result = {
        "date": "2026-01-02T00:00:00",
        "machine": machine,
        "versions": {"numba": "1", "numpy": "2"},
        "others_share": 0.5,
        "contestants": {
            "fastgrad": {"cpu": [0.002, 0.004], "wall": [0.002, 0.004], "versions": {}, "first": 1.0},
            "jax": {"cpu": [0.001, 0.002], "wall": [0.004, 0.008], "versions": {"jax": "9.9"}, "first": 2.0},
            "old_jax": {"problem": "not measured: no --old-jax"},
        },
    }
    text = page({"rotations": result}, None)
    assert "| JAX 9.9 | 1.5 | 6 | 0.5 | 2 | 2 |" in text
    assert "**fastgrad is behind**: JAX 9.9 takes 50% of fastgrad's CPU time." in text
    assert "JAX: not measured: no --old-jax." in text
    assert "Not measured: `python -m benchmarks.reported scalar_states`." in text
    assert "other programs took 50% to 50%" in text


def test_an_unknown_case_lists_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["nonsense"])
    assert "unknown case nonsense: the cases are scalar_states" in capsys.readouterr().err
