"""The programs of `benchmarks/reported` compute what they say, and its page is what the stored results give."""

from typing import Any

import numpy as np
import pytest

from benchmarks.reported.__main__ import main
from benchmarks.reported.case import FASTGRAD, Case
from benchmarks.reported.cases import CASES
from benchmarks.reported.measure import difference
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


def test_the_committed_page_is_what_the_committed_results_give() -> None:
    """Else: python -m benchmarks.reported --page."""
    assert PAGE.read_text(encoding="utf-8") == page(stored())


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
    text = page({"rotations": result})
    assert "| JAX 9.9 | 1.5 | 6 | 0.5 | 2 | 2 |" in text
    assert "**fastgrad is behind**: JAX 9.9 takes 2 times less CPU time." in text
    assert "JAX: not measured: no --old-jax." in text
    assert "Not measured: `python -m benchmarks.reported scalar_states`." in text
    assert "other programs took 50% to 50%" in text


def test_an_unknown_case_lists_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["nonsense"])
    assert "unknown case nonsense: the cases are scalar_states" in capsys.readouterr().err
