"""Checks of a program: eager, compiled, over rows at once, and TensorFlow agree."""

from __future__ import annotations

import contextlib
import importlib
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

import numpy as np

import fastgrad as tf
from fastgrad._src.compiler.dispatch import forward_program
from fastgrad._src.compiler.programs import pipeline
from fastgrad._src.core import backward, repeated_backward, repeated_forward, tape
from fastgrad._src.core.dispatch import Dispatcher, dispatchers
from tests.reliability.random_programs import runs
from tests.reliability.random_programs.builder import HALVES
from tests.reliability.random_programs.comparison import EPSILON, difference, explained, spread
from tests.reliability.random_programs.program import THRESHOLDS, Program
from tests.reliability.random_programs.referee import Referee
from tests.reliability.random_programs.runs import Outcome

UPDATES = 1e-5
"""Tolerance of what depends on an optimizer: Keras rounds its learning rate to float32 for variables of float64, too."""


class Result:
    """What came of a program.

    Attributes:
        failure: what differs; nothing if all agree.
        against: what it differs from: "compiled", "mapped", "TensorFlow", or "eager" if that fails.
        rounding: a difference that was no more than its rounding explains.
        undecided: a difference in calls that end in an error or not by their rounding, which are not compared.
        raised: the text of an error that all raised.
        refereed: whether results were compared with TensorFlow's.
        without_gradient: whether TensorFlow has no gradient for an operation of the program.
    """

    def __init__(self) -> None:
        self.failure = ""
        self.against = ""
        self.rounding = ""
        self.undecided = ""
        self.raised = ""
        self.refereed = False
        self.without_gradient = False


def checked(program: Program, referee: Referee | None = None) -> Result:
    """Runs a program every way.

    Args:
        program: what to run.
        referee: TensorFlow, where there is one.
    """
    result = Result()
    source = program.source()
    asked = referee is not None and program.referee
    if asked:
        referee.start(source, program.form)
    wanted = None
    try:
        with warnings.catch_warnings(), thresholds(program.small), graphs_validated():
            warnings.filterwarnings("ignore")
            warnings.filterwarnings("error", message=".*could not be compiled")
            wanted = _compare_own(program, source, result)
    except Exception:  # noqa: BLE001 - a failure of the program, to be made smaller
        result.failure, result.against = traceback.format_exc(), "eager"
    if asked:
        answer = referee.outcomes()
        if result.failure:
            return result
        if isinstance(answer, str):
            result.failure, result.against = f"TensorFlow: {answer}", "TensorFlow"
        elif wanted is not None:
            if any(outcome.error in {"LookupError", "NotImplementedError"} for outcome in answer):
                result.without_gradient = True  # second derivatives of softsign, of recompute_grad
                return result
            result.refereed = True
            if program.optimizer and program.tolerance < UPDATES:
                before = _before_updates(wanted)
                _compare(program, "TensorFlow", before, _before_updates(answer), result, before)
                program = program.without(tolerance=UPDATES)
            _compare(program, "TensorFlow", wanted, answer, result, wanted)
    return result


def _before_updates(outcomes: list[Outcome]) -> list[Outcome]:
    """The results of the first call, which do not depend on an optimizer."""
    return [outcome._replace(state=[]) for outcome in outcomes[:1]]


@contextlib.contextmanager
def thresholds(small: bool) -> Iterator[None]:
    """The compiler's decisions for large arrays are those for small ones inside, too."""
    with contextlib.ExitStack() as stack:
        for module, name, value in THRESHOLDS if small else ():
            stack.enter_context(mock.patch.object(importlib.import_module(module), name, value))
        yield


@contextlib.contextmanager
def graphs_validated() -> Iterator[None]:
    """Each graph is valid after each pass inside; its operations follow their result rules."""
    apply_passes = pipeline.apply_passes
    with mock.patch.object(pipeline, "apply_passes", lambda graph, passes, *_: apply_passes(graph, passes, check=True)):
        yield


def _compare_own(program: Program, source: str, result: Result) -> list[Outcome]:
    if program.form == "map":
        wanted = runs.rows(source, tf)
        mapped = runs.rows(source, tf, lambda tf, step, a: tf.vectorized_map(lambda row: step(*row), tuple(a)))
        _compare(program, "mapped", mapped, wanted, result, wanted)
        compiled = runs.rows(source, tf, _compiled_map)
        _compare(program, "mapped and compiled", compiled, wanted, result, wanted)
    else:
        with gradients_of_programs_checked():
            wanted = runs.run(source, tf)
        if "tape" in source and not any(outcome.error for outcome in wanted):
            _check_repeated_passes(source)
        of_compiled = [o._replace(state=list(o.before)) if o.error else o for o in wanted]  # an error changes no state
        _compare(program, "compiled", runs.run(source, tf, tf.function), of_compiled, result, of_compiled)
    if wanted and wanted[-1].error:
        result.raised = wanted[-1].text
    return wanted


def _check_repeated_passes(source: str) -> None:
    """Checks that tapes with programs give the bits of tapes without."""
    with mock.patch.object(repeated_backward.programs, "is_on", False):
        wanted = runs.run(source, tf, times=4)
    with (
        mock.patch.object(repeated_backward, "RUNS_BEFORE_PROGRAM", 0),
        mock.patch.object(repeated_forward, "PASSES_IN_A_ROW", 1),
        mock.patch.object(forward_program, "LEAST_RESULTS", 1),
        mock.patch.object(forward_program, "COMPARISON_COST", 0.0),
        mock.patch.object(forward_program, "SEGMENT_COST", 0.0),
    ):
        repeated_backward.programs.clear()
        got = runs.run(source, tf, times=4)
    for ours, others in zip(got, wanted, strict=True):
        assert ours.error == others.error, ours.text
        for x, y in zip((*ours.values, *ours.state), (*others.values, *others.state), strict=True):
            if x is not None and y is not None:
                np.testing.assert_array_equal(x.array, y.array, "tapes with programs, and without")


def _compiled_map(tf: Any, step: Any, arguments: Any) -> Any:
    mapped = tf.function(lambda *rows: tf.vectorized_map(lambda row: step(*row), rows))
    mapped(*arguments)
    return mapped(*arguments)


@contextlib.contextmanager
def gradients_of_programs_checked() -> Iterator[None]:
    """Each backward pass of a tape inside also runs as a program, which must give the same bits."""

    def both(entries: Any, targets: Any, keys: Any, *_: Any) -> Any:
        by_program = gradients_of_tape(entries, targets, keys)
        by_rules = repeated_backward.backward_pass(entries, targets, keys)
        for ours, wanted in zip(by_program, by_rules, strict=True):
            assert type(ours) is type(wanted)
            parts = [(ours.values, wanted.values)] if isinstance(ours, tf.IndexedSlices) else [(ours, wanted)]
            for x, y in parts if ours is not None else ():
                np.testing.assert_array_equal(x._array, y._array, "by a program, and by the gradient rules")
        return by_rules

    gradients_of_tape = repeated_backward.gradients_of_tape
    with (
        mock.patch.object(repeated_backward, "RUNS_BEFORE_PROGRAM", 0),
        mock.patch.object(tape, "gradients_of_tape", both),
    ):
        yield


def _compare(
    program: Program,
    against: str,
    got: list[Outcome],
    wanted: list[Outcome],
    result: Result,
    own: list[Outcome],
) -> None:
    if result.failure:
        return
    text = difference(got, wanted, program.tolerance)
    if not text:
        return
    noisy: list[list[Outcome]] = []
    rounds_inside = against == "TensorFlow" and program.dtype in HALVES  # of its operations
    units = 16.0 if rounds_inside else 4.0
    for count in (4, 16):  # the sign of a sum that is 0 but for its rounding is the same in 4 of 4 runs at times
        noisy += [_noisy(program, seed, units) for seed in range(len(noisy), count)]
        for outcome in (outcome for run in noisy for outcome in run):
            assert outcome.error in {"", "InvalidArgumentError"}, outcome.text
        away = spread(noisy, own)
        if explained(got, wanted, away, program.tolerance):
            break
    else:
        result.failure, result.against = text, against
        return
    if len(away) < len(own):
        result.undecided = f"{against}: {text}"
    else:
        result.rounding = f"{against}: {text}"


def _noisy(program: Program, seed: int, units: float) -> list[Outcome]:
    """The program with other rounding, of float32 if it is compared no closer.

    Each statement changes its value by some units in the last place. Each operation inside of it changes what it rounds by a unit. The sum of two
    parts of a gradient changes by units of the larger part, since TensorFlow adds the parts in another order.
    """
    rng = np.random.default_rng(seed)
    least = EPSILON["float32"] if program.tolerance >= UPDATES else 0.0

    def noise(shape: Sequence[int], dtype: str, units: float) -> np.ndarray:
        return max(EPSILON[dtype], least) * units * rng.choice([-1.0, -0.75, 0.75, 1.0], size=tuple(shape))

    def wave(x: Any, dtype: str) -> Any:
        return tf.constant(1.0 + noise(x.shape, dtype, units), x.dtype)

    def rounded(x: Any, dtype: str) -> Any:
        return tf.custom_gradient(lambda x: (x * wave(x, dtype), lambda g: g * wave(g, dtype)))(x)

    def rounded_sum(a: Any, b: Any) -> Any:
        total = add_cotangents(a, b)
        if isinstance(total, tf.IndexedSlices):
            return total
        size = tf.maximum(abs(tf.convert_to_tensor(a)), abs(tf.convert_to_tensor(b)))
        away = size * tf.constant(noise(size.shape, size.dtype.name, units), size.dtype)
        return total + tf.stop_gradient(tf.cast(away, total.dtype))

    class OtherRounding(Dispatcher):
        def result(self, operation: Any, inputs: tuple[Any, ...], attributes: dict[str, Any]) -> Any:
            arrays = [x._array for x in inputs]
            result = operation.run(*arrays, **attributes)
            many = result if isinstance(result, tuple) else (result,)
            many = tuple([_changed(np.asarray(x), arrays, lambda x: noise(x.shape, x.dtype.name, 1.0)) for x in many])
            return many if isinstance(result, tuple) else many[0]

    source = program.source(noisy=True)
    add_cotangents = backward._add_cotangents
    dispatcher = OtherRounding()
    dispatchers.append(dispatcher)
    try:
        with mock.patch.object(backward, "_add_cotangents", rounded_sum):
            if program.form == "map":
                return runs.rows(source, tf, rounded=rounded)
            return runs.run(source, tf, rounded=rounded)
    finally:
        dispatchers.remove(dispatcher)


def _changed(
    result: np.ndarray, operands: Sequence[np.ndarray], noise: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """A result of an operation with other rounding: integers and elements of the operands are exact."""
    if result.dtype.name not in EPSILON:
        return result
    with np.errstate(all="ignore"):
        exact = result == np.rint(result)
        for operand in operands:
            if operand.dtype == result.dtype:
                exact |= np.isin(abs(result), abs(operand))
        return np.where(exact, result, result * (1.0 + noise(result))).astype(result.dtype)
