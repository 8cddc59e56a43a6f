"""Kernels against NumPy and SciPy in float64: ragged and empty sizes, any cut into shares, arrays of any layout.

A property is a row of the operation table with arrays to try it on, of sizes that are drawn, and what it has to give for them.
`tests/reliability/boundaries` tries the same properties around the blocks of the kernels, in other layouts, and in programs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf  # fills the table, and knows bfloat16
from fastgrad._src.compiler.programs.lowering import launches_of_row
from fastgrad._src.core.floating_errors import QUIET, reset_float_errors, set_float_errors
from fastgrad._src.core.operation import TABLE
from fastgrad._src.kernels.runtime.launch import run_launches
from tests.kernels.in_place import written_over

F64, I64 = np.float64, np.int64
SIZE = st.one_of(st.integers(0, 5), st.sampled_from([7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 130]))
FLOATS = ("float32", "float64")
COMPLEX = ("complex64", "complex128")
HALVES = ("float16", "bfloat16")
ANY = (*FLOATS, *HALVES, "complex128", "int8", "int64", "bool")
"""Dtypes of moves, of every size of element."""


@dataclass(frozen=True)
class Property:
    """What is known of a row.

    Attributes:
        name: of the row.
        sizes: how many it is tried with.
        make: of a generator, a dtype and the sizes the arrays and attributes.
        exact: of the arrays, floats as float64 and complex numbers as NumPy's longest, and the attributes the results; None for
            what the row gives now, if NumPy computes that.
        ulps: by how many of the greatest number a result may be off; 0 for moves.
        dtypes: of `make`.
        each: whether a complex result may be off by so many of itself, not of the greatest.
    """

    name: str
    sizes: int
    make: Callable[..., tuple[list[np.ndarray], dict[str, Any]]]
    exact: Callable[..., Any] | None
    ulps: float = 0.0
    dtypes: tuple[str, ...] = FLOATS
    each: bool = False


def dtype_of(name: str) -> np.dtype:
    """A dtype, bfloat16 among them, which NumPy does not know by name."""
    return tf.as_dtype(name).numpy


def normal(r: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    return r.normal(size=shape).astype(dtype)


def numbers(r: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    """Numbers of any dtype, small ones that all floats hold, a NaN or an infinity here and there."""
    kind = dtype_of(dtype)
    x = r.integers(0 if kind.kind in "ub" else -9, 9, shape)
    if kind.kind in "iub":
        return np.asarray(x).astype(kind)
    y = np.asarray(x * (0.5 + 0.25j if kind.kind == "c" else 0.5)).astype(kind)
    if y.size:
        y.reshape(-1)[r.integers(0, y.size, 1 + y.size // 20)] = r.choice([np.nan, np.inf, -np.inf, -0.0])
    return y


def ids(r: np.random.Generator, most: int, *shape: int) -> np.ndarray:
    return r.integers(0, most, shape)


def one_array(*_: Any, **attributes: Any) -> Callable[..., Any]:
    """Makes an array of the sizes, and these attributes."""
    return lambda r, dtype, *sizes: ([normal(r, dtype, *sizes)], attributes)


def of_sizes(count: int, **attributes: Any) -> Callable[..., Any]:
    """Makes so many arrays of the sizes, each at least 1, and these attributes."""
    return lambda r, dtype, *sizes: (
        [normal(r, dtype, *[max(1, size) for size in sizes]) - number for number in range(count)],
        attributes,
    )


def layouts(r: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """The same elements, somewhere else in memory."""
    match r.integers(0, 4):
        case 0:
            return np.asfortranarray(x)
        case 1:
            wide = np.full([2 * size for size in x.shape], 99).astype(x.dtype)
            wide[tuple([slice(None, None, 2)] * x.ndim)] = x
            return wide[tuple([slice(None, None, 2)] * x.ndim)]
        case 2:
            return np.flip(np.flip(x).copy())
    return x


def results_of(name: str, arrays: list[np.ndarray], attributes: dict[str, Any]) -> list[np.ndarray]:
    """What a row gives now."""
    token = set_float_errors(QUIET)
    try:
        found = TABLE[name].run(*arrays, **attributes)
    finally:
        reset_float_errors(token)
    return [np.asarray(one) for one in (found if isinstance(found, tuple) else (found,))]


def widened(x: np.ndarray) -> np.ndarray:
    """The same numbers with as many digits as NumPy has."""
    if x.dtype.kind == "c":
        return x.astype(np.clongdouble)
    return x.astype(F64) if x.dtype.kind in "fV" else x


def assert_exact(found: list[np.ndarray], exact: tuple[Any, ...], known: Property) -> None:
    """Asserts that results are what they have to be, up to the property's tolerance; ``...`` stands for any."""
    for y, wanted in zip(found, exact, strict=False):
        if wanted is ...:
            continue
        assert y.shape == np.shape(wanted)
        if not known.ulps or y.dtype.kind not in "fVc":
            wanted = np.asarray(wanted).astype(y.dtype)
            np.testing.assert_array_equal(
                *[widened(a) for a in (y, wanted)]
            )  # NumPy takes NaNs of bfloat16 for numbers
            continue
        largest = float(np.abs(wanted[np.isfinite(wanted)]).max(initial=1.0))
        tolerance = known.ulps * float(ml_dtypes.finfo(y.dtype).eps)
        absolute = 0.0 if known.each else tolerance * largest
        np.testing.assert_allclose(widened(y), wanted, rtol=tolerance, atol=absolute)


def check(known: Property, data: st.DataObject, sizes: tuple[int, ...]) -> None:
    """Draws arrays; compares what the row gives now, and its kernels in any shares, with what is exact."""
    dtype = data.draw(st.sampled_from(known.dtypes), "dtype")
    r = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1), "seed"))
    made, attributes = known.make(r, dtype, *sizes)
    arrays = [np.asarray(x) for x in made]  # NumPy makes numbers of arrays of shape ()
    found = results_of(known.name, [layouts(r, x) for x in arrays], attributes)
    exact: Any = tuple(found)
    if known.exact is not None:
        token = set_float_errors(QUIET)
        try:
            exact = known.exact(*map(widened, arrays), **attributes)
        finally:
            reset_float_errors(token)
    exact = exact if isinstance(exact, tuple) else (exact,)
    assert_exact(found, exact, known)
    outputs = [np.full(y.shape, 77).astype(y.dtype) for y in found]
    if all(0 in y.shape for y in outputs):
        return  # programs have no step for what has no elements
    launches = launches_of_row(TABLE[known.name], arrays, outputs, attributes)
    if launches is None:
        assert any(0 in x.shape for x in arrays)
        return
    if launches.alias:
        return
    assert run_launches(launches, arrays, outputs, shares=data.draw(st.integers(1, 5), "shares")) is None
    assert_exact(outputs, exact, known)
    for output, number in launches.in_place:
        if outputs[output].nbytes == arrays[number].nbytes:  # a program uses no other memory twice
            given, again = [x.copy() for x in arrays], [np.empty_like(y) for y in outputs]
            again[output] = given[number].reshape(-1).view(again[output].dtype).reshape(again[output].shape)
            assert run_launches(written_over(launches, given, again, {output: number}), given, again) is None
            assert [y.tobytes() for y in again] == [y.tobytes() for y in outputs]


def property_test(properties: Sequence[Property]) -> Callable[..., None]:
    """The test of a file that has these properties."""

    @pytest.mark.parametrize("known", properties, ids=lambda known: known.name)
    @settings(max_examples=6, deadline=None)
    @given(data=st.data())
    def test(known: Property, data: st.DataObject) -> None:
        check(known, data, data.draw(st.tuples(*[SIZE] * known.sizes), "sizes"))

    return test
