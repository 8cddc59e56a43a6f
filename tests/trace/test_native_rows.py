"""The kernels that compiled programs run for rows of the table give what the rows' ``run`` gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.errors import InvalidArgumentError
from fastgrad.floating_errors import QUIET, errors_reset, errors_set
from fastgrad.kernels.launch import run_launches
from fastgrad.operation import TABLE
from fastgrad.recording import Recorder, start, stop
from tests.ops.samples import SAMPLES

rng = np.random.default_rng(3)
F32, F64, I32, I64 = np.float32, np.float64, np.int32, np.int64


@dataclass
class Case:
    """A row at arrays and attributes."""

    name: str
    arrays: tuple[np.ndarray, ...]
    attributes: dict[str, Any]

    def __repr__(self) -> str:
        arrays = ",".join(f"{a.dtype.name}{list(a.shape)}" for a in self.arrays)
        attributes = ",".join(f"{k}={v}" for k, v in self.attributes.items())
        return f"{self.name}({arrays} {attributes})"


def case(name: str, *arrays: Any, **attributes: Any) -> Case:
    return Case(name, tuple([np.asarray(a) for a in arrays]), attributes)


def normal(*shape: int, dtype: Any = F32) -> np.ndarray:
    return (rng.normal(size=shape) * 3).astype(dtype)


def whole(low: int, high: int, *shape: int, dtype: Any = I64) -> np.ndarray:
    return rng.integers(low, high, shape).astype(dtype)


def run_of(case: Case) -> list[np.ndarray]:
    """What the row gives."""
    token = errors_set(QUIET)
    try:
        found = TABLE[case.name].run(*case.arrays, **case.attributes)
    finally:
        errors_reset(token)
    return [np.ascontiguousarray(y).reshape(np.shape(y)) for y in (found if type(found) is tuple else (found,))]


def native_of(case: Case, wanted: list[np.ndarray], shares: int = 1) -> list[np.ndarray] | int | None:
    """What its kernels give, a number >= 0 if they stop, or None if there are none."""
    arrays = [np.ascontiguousarray(a).reshape(a.shape) for a in case.arrays]
    outputs = [np.full(y.size, 7).astype(y.dtype).reshape(y.shape) for y in wanted]
    found = TABLE[case.name].launches(arrays, outputs, **case.attributes)
    if found is None:
        return None
    if found.alias:
        return [arrays[0].reshape(wanted[0].shape)]
    answer = run_launches(found, arrays, outputs, shares)
    return outputs if answer is None else answer


def assert_same(found: Any, wanted: list[np.ndarray], rtol: float | None) -> None:
    assert isinstance(found, list), found
    for y, z in zip(found, wanted, strict=True):
        if rtol is None or y.dtype.kind in "biu":
            np.testing.assert_array_equal(y, z)
            continue
        wide = (
            y.astype(np.complex128 if y.dtype.kind == "c" else F64),
            z.astype(np.complex128 if y.dtype.kind == "c" else F64),
        )
        scale = {2: 3e3 if y.dtype.name == "float16" else 3e4, 4: 1.0, 8: 1e-7 if y.dtype.kind != "c" else 1.0}.get(
            y.dtype.itemsize, 1e-7
        )
        tolerance = rtol * scale
        size = max(1.0, float(np.abs(wide[1][np.isfinite(wide[1])]).max(initial=0)))
        np.testing.assert_allclose(*wide, rtol=tolerance, atol=tolerance * size)


def check(case: Case, rtol: float | None = None) -> None:
    wanted = run_of(case)
    if wanted and all(0 in y.shape for y in wanted):
        return  # programs have no step for what has no elements
    found = native_of(case, wanted)
    assert found is not None, "there are no kernels"
    assert_same(found, wanted, rtol)
    for shares in (2, 3, 7):
        cut = native_of(case, wanted, shares)
        assert [y.tobytes() for y in cut] == [y.tobytes() for y in found]


def collected(name: str) -> list[Case]:
    """All rows with kernels that a sample of the table runs, both ways."""
    cases: list[Case] = []

    class Watch(Recorder):
        def on_operation(self, operation: Any, inputs: Any, outputs: Any, attributes: Any) -> None:
            if getattr(operation, "launches", None) is not None:
                cases.append(Case(operation.name, tuple([x._array.copy() for x in inputs]), dict(attributes)))

    sample = SAMPLES[name]
    inputs = [tf.constant(a) for a in sample.arrays]
    watch = Watch()
    start(watch)
    try:
        with tf.GradientTape() as outer:
            outer.watch(inputs)
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                y = sample.function(*inputs)
            gradients = [g for g in tape.gradient(y, inputs) if g is not None]
        if sample.order > 1:
            outer.gradient(gradients, inputs)
    finally:
        stop(watch)
    return list({repr(case): case for case in cases}.values())


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_of_the_table(name: str) -> None:
    for case in collected(name):
        check(case, 1e-6)


def at(dtypes: Any, make: Any) -> list[Case]:
    return [make(np.dtype(dtype)) for dtype in dtypes]


HALVES = (np.dtype(np.float16), tf.bfloat16.numpy)
FLOATS = (np.dtype(F32), np.dtype(F64), *HALVES)

CLOSE: list[Case] = [
    *at(FLOATS, lambda d: case("softmax", normal(7, 5).astype(d))),
    case("softmax", normal(3, 4, 300)),
    *at(FLOATS, lambda d: case("softmax_gradient", normal(7, 5).astype(d), normal(7, 5).astype(d))),
    *at(FLOATS, lambda d: case("log_softmax", normal(7, 5).astype(d))),
    *at(FLOATS, lambda d: case("log_softmax_gradient", normal(7, 5).astype(d), normal(7, 5).astype(d))),
    case("sparse_softmax_cross_entropy", normal(9, 4), whole(0, 4, 9)),
    case("sparse_softmax_cross_entropy", normal(9, 4, dtype=F64), whole(0, 4, 9, dtype=I32)),
    case("sparse_softmax_cross_entropy_gradient", normal(9), normal(9, 4), whole(-1, 5, 9)),
    case("softmax_cross_entropy", normal(9, 4), normal(9, 4)),
    case("softmax_cross_entropy_gradient", normal(9), normal(9, 4), normal(9, 4)),
    case("layer_normalization", normal(6, 300), normal(300), normal(300), epsilon=1e-3),
    case("layer_normalization", normal(6, 1, dtype=F64), normal(1, dtype=F64), normal(1, dtype=F64), epsilon=0.0),
    case("layer_normalization_gradient", normal(70, 600), normal(70, 600), normal(600), normal(70), normal(70)),
]
"""Sums, whose order may differ."""


@pytest.mark.parametrize("case", CLOSE, ids=repr)
def test_close(case: Case) -> None:
    check(case, 2e-6)


EXACT: list[Case] = []
"""Elements that are moved, chosen or counted, or computed one by one."""


@pytest.mark.parametrize("case", EXACT, ids=repr)
def test_exact(case: Case) -> None:
    check(case)


REFUSED: list[tuple[Case, type[Exception], str]] = [
    (case("sparse_softmax_cross_entropy", normal(3, 4), [1, 4, 0]), InvalidArgumentError, "label value of 4 at row 1"),
]


@pytest.mark.parametrize(("case", "error", "message"), REFUSED, ids=repr)
def test_kernels_stop_where_a_row_raises(case: Case, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        run_of(case)
    arrays = list(case.arrays)
    found = TABLE[case.name].launches(arrays, outputs_of(case), **case.attributes)
    assert run_launches(found, arrays, outputs_of(case), 2) >= 0


def outputs_of(case: Case) -> list[np.ndarray]:
    """Arrays for the results of a row that raises at these arrays, from its results at zeros."""
    harmless = Case(case.name, tuple([np.zeros_like(a) for a in case.arrays]), case.attributes)
    return [np.empty(y.shape, y.dtype) for y in run_of(harmless)]
