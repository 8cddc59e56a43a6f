"""A derivative raises what the function raises, or has its value, and never ends the process: for each instruction of its own, by its own LLVM IR and by Numba."""

import json
import math
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from fastgrad._src.derivatives.codegen.code_expressions import Expressions
from fastgrad._src.derivatives.codegen.code_functions import FUNCTION_RULES
from fastgrad._src.derivatives.frontend import methods
from fastgrad._src.derivatives.frontend.calls import RANDOM_DRAWS
from fastgrad._src.derivatives.ir import special_functions
from fastgrad._src.derivatives.numpy import (
    elementwise_and_reductions,  # the import adds rules
    joins_and_views,  # the import adds rules
    products,  # noqa: F401  # the import adds rules
)
from fastgrad._src.jit.numba_features import PLAIN_VARIABLE
from fastgrad._src.scalars.formulas import OPERATORS
from tests.reliability.bad_arguments import worker
from tests.reliability.bad_arguments.table import ANYTHING, LLVM, METHODS, REFUSES_NOTHING, ROWS
from tests.selection import once_in


def results(names, is_plain):
    """Returns the calls of rows and what they gave; a call that ended the process gave "a crash"."""
    variables = {**os.environ, PLAIN_VARIABLE: "1" if is_plain else ""}
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.reliability.bad_arguments.worker"],
        input=json.dumps(names),
        capture_output=True,
        text=True,
        check=False,
        env=variables,
    )
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    if run.returncode != 0:
        lines.append(f"a crash: {run.returncode} {run.stderr[-500:]}")
    return list(zip(lines[::2], lines[1::2], strict=True))


def is_same(first, second):
    if isinstance(first, str) or isinstance(second, str):
        return first == second
    return np.allclose(first, second, rtol=1e-9, equal_nan=True)


def differences(calls):
    """Returns the calls of derivatives that gave something else than the function, whose call comes before them."""
    texts, expected = [], None
    for name, result in calls:
        if name.endswith(" by function"):
            expected = result
        if not is_same(expected, result):
            texts.append(f"{name}: {result}, not {expected}")
    return texts


@pytest.mark.parametrize("name", ROWS)
def test_a_derivative_gives_what_the_function_gives(name, full, figure):
    if not full and not once_in(4, name):
        pytest.skip("another commit's turn")
    calls = results([name], is_plain=False)
    figure("calls", len(calls))
    figure("calls that raise", sum(isinstance(result, str) for _, result in calls))
    assert calls
    assert not differences(calls)


@pytest.mark.parametrize("name", ROWS)
def test_so_does_the_derivative_that_numba_compiles(name, full, figure):
    if not full and not once_in(40, name):
        pytest.skip("another commit's turn")
    calls = results([name], is_plain=True)
    figure("calls by Numba's pipeline", len(calls))
    assert calls
    assert not differences(calls)


def names_of(instructions):
    """Returns the public names of operators and functions."""
    named = [each for each in instructions if hasattr(each, "__name__")]
    return {f"{(each.__module__ or '').lstrip('_')}.{each.__name__}" for each in named}


def test_each_instruction_of_a_derivative_has_a_row_or_a_reason():
    instructions = names_of([*joins_and_views.RULES, *OPERATORS, *RANDOM_DRAWS])
    excused = {name for names in ANYTHING.values() for name in names}
    assert not excused & set(ROWS)
    assert not excused - instructions
    assert instructions - excused - set(ROWS) == set()


def test_each_method_of_a_container_has_a_row():
    methods_of_arrays = {
        name for name, rule in elementwise_and_reductions.METHODS.items() if rule not in joins_and_views.RULES.values()
    }
    rules = {**methods.RULES, "array": methods_of_arrays}
    assert {kind: set(names) for kind, names in METHODS.items()} == {kind: set(names) for kind, names in rules.items()}


def test_each_function_of_scipy_has_a_row():
    names = [row.special for row in ROWS["functions of SciPy"]]
    assert set(names) == {*special_functions.RULES, *special_functions.BESSEL_RULES}


def test_each_instruction_that_is_written_as_llvm_ir_has_a_row_or_a_reason():
    context = SimpleNamespace(typing_context=None)
    expressions = Expressions(SimpleNamespace(context=context, builder=None))
    functions_of_operations = {operation: function for function, operation in OPERATORS.items()}
    operations = {functions_of_operations.get(operation, operation.text) for operation in expressions._rules}
    written = [each.__name__ for each in expressions._rules_of_classes]
    texts = {each for each in operations if isinstance(each, str)}
    with_reason = {name for names in ANYTHING.values() for name in names}
    names = names_of(operations - texts) | names_of(FUNCTION_RULES) | texts | {*written}
    assert names - with_reason - set(ROWS) - set(LLVM) == set()
    assert not set(LLVM) - names
    assert all(row in ROWS for row in LLVM.values())


def is_refused(row, arguments):
    """True if Python and NumPy raise, warn, or give no finite number."""
    scope = {name: getattr(value, "py_func", value) for name, value in vars(worker).items()}
    function = worker.function_of(row, {**scope, "math": math})
    copies = [x.copy() if isinstance(x, np.ndarray) else x for x in arguments]
    try:
        with np.errstate(all="raise"):
            return not np.all(np.isfinite(np.asarray(function(*copies), complex)))
    except Exception:  # noqa: BLE001 - of any class
        return True


@pytest.mark.parametrize("name", ROWS)
def test_a_row_has_bad_arguments(name):
    has_bad_arguments = any(is_refused(row, arguments) for row in ROWS[name] for arguments in row.arguments)
    assert has_bad_arguments is (name not in REFUSES_NOTHING)


def test_a_crash_names_its_call():
    assert differences([("f by function", [1.0, 0.0]), ("f by jvp", "a crash: -11")]) == [
        "f by jvp: a crash: -11, not [1.0, 0.0]"
    ]
    assert not differences([("f by function", [math.nan, 0.0]), ("f by jvp", [math.nan, 0.0])])
