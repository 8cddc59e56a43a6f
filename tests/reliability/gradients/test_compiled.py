"""Derivatives in a compiled function are those of eager code."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

import fastgrad as tf
from tests.conformance.answers import as_data
from tests.selection import once_in

from .case import Case, all_cases
from .comparison import differences
from .derivatives import MODES, prepared, questions

CASES = all_cases()
# A compiled function refuses to make variables, as TensorFlow's does.
MAKE_VARIABLES = (
    "slices of variables",
    "unconnected variables are zeros",
    "variables not watched by themselves",
    "variables that change in between",
    "not trainable variables",
)
# Its loop over time steps gives zeros where steps written out give None.
ZEROS_FOR_NONE = {("TimeDistributed", "second")}
NAMES = [(module, name) for module, cases in CASES.items() for name in cases if name not in MAKE_VARIABLES]


def compiled_and_eager(case: Case, mode: str, dtype: str) -> tuple[Any, Any]:
    """The derivatives of a case from a compiled function that has been recorded before, and from eager code."""
    function, inputs, variables = prepared(tf, case, dtype)
    step = tf.function(lambda *xs: MODES[mode](tf, function, list(xs), variables))
    for _ in range(3):
        compiled = step(*inputs)
    eager = MODES[mode](tf, *prepared(tf, case, dtype))
    return as_data(tf, list(compiled))["list"], as_data(tf, list(eager))["list"]


@pytest.mark.parametrize(("module", "name"), NAMES, ids=[f"{module}-{name}" for module, name in NAMES])
def test_compiled_derivatives_are_those_of_eager_code(
    module: str, name: str, full: bool, figure: Callable[..., None]
) -> None:
    case, wrong = CASES[module][name], []
    for mode, dtype in questions(case):
        question = f"{mode} {dtype}"
        # The long form has all first and second derivatives, and a part of those by forward accumulation and of other dtypes.
        parts = 60 if not full else 1 if dtype == case.dtypes[0] and mode != "forward" else 4
        if (name, mode) in ZEROS_FOR_NONE or not once_in(parts, f"{module}: {name}: {question}"):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                compiled, eager = compiled_and_eager(case, mode, dtype)
            except (tf.errors.InvalidArgumentError, ValueError, TypeError) as error:
                with pytest.raises(type(error)):
                    MODES[mode](tf, *prepared(tf, case, dtype))
                continue
        figure("compiled comparisons", 1)
        wrong += [f"{question}: {line}" for line in differences(eager, compiled, case)]
    assert not wrong, "\n".join(wrong)
