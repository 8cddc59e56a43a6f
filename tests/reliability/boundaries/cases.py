"""A case: a row of the operation table with arrays of some sizes and layouts, computed now, by its kernels, and in a compiled program.

What is compared with NumPy in float64:

- the row called now, its operands contiguous, transposed, strided, reversed, or one element or one byte off their alignment;
- its kernels, cut into shares, with results in the middle of other memory, with results that take the place of an operand, and with scratch memory that holds NaNs;
- a compiled program of the row, and one in which operands die at the row, are views that the program makes, and results go on into another operation.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import numpy as np

import fastgrad as tf
from fastgrad.floating_errors import QUIET, errors_reset, errors_set
from fastgrad.kernels.running import at_once, launch
from fastgrad.kernels.running.launch import Launches, run_launches
from fastgrad.operation import TABLE, Operation
from fastgrad.tensor import Tensor
from fastgrad.trace.programs import frame
from fastgrad.trace.programs.native_form import launches_of_row
from tests.kernels.properties import Property, results_of, widened

LAYOUTS = ("contiguous", "one element off", "one byte off", "transposed", "strided", "reversed", "every third")
VIEWS = ("none", "strided", "reversed", "transposed")
GUARD = 128
"""Bytes on each side of an array that nothing may write; as numbers they are NaN, or large."""


@dataclass
class Tally:
    """What was tried."""

    cases: int = 0
    compiled: int = 0
    in_place: int = 0
    elements: int = 0
    worst: float = 0.0
    rows: set[str] = field(default_factory=set)
    dtypes: set[str] = field(default_factory=set)
    kernels: set[str] = field(default_factory=set)


class NumPyWithoutZeros:
    """NumPy, whose `empty` gives memory in which every byte is 255: NaNs, or the last number."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def empty(shape: Any, dtype: Any = float) -> np.ndarray:
        y = np.empty(shape, dtype)
        y.reshape(-1).view(np.uint8)[...] = 255
        return y


@contextlib.contextmanager
def small_work_is_shared(threads: int) -> Iterator[None]:
    """Has so many threads, which share any work, and scratch memory that is full of NaNs."""
    before = tf.config.get_num_threads()
    kept = [(at_once, "SHARED_FROM"), (frame, "SHARED_FROM"), (frame, "SHARE"), (launch, "np"), (at_once, "np")]
    values = [getattr(module, name) for module, name in kept]
    tf.config.set_num_threads(threads)
    full = NumPyWithoutZeros()
    for (module, name), value in zip(kept, (2.0, 2.0, 1.0, full, full), strict=True):
        setattr(module, name, value)
    try:
        yield
    finally:
        for (module, name), value in zip(kept, values, strict=True):
            setattr(module, name, value)
        tf.config.set_num_threads(before)


def amid(x: np.ndarray, offset: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A copy of an array in the middle of bytes of 255, and these bytes.

    Args:
        x: any array of numbers.
        offset: bytes between a multiple of 64 and its start.
    """
    memory = np.full(x.nbytes + 2 * GUARD + 64, 255, np.uint8)
    start = GUARD - memory.ctypes.data % 64 + offset
    y = np.frombuffer(memory.data, x.dtype, x.size, start).reshape(x.shape)
    y[...] = x
    return y, memory


def is_untouched(memory: np.ndarray, y: np.ndarray) -> bool:
    """True if the bytes around an array of `amid` are what they were."""
    start = y.ctypes.data - memory.ctypes.data
    return bool((memory[:start] == 255).all() and (memory[start + y.nbytes :] == 255).all())


def laid_out(x: np.ndarray, layout: str) -> np.ndarray:
    """The elements of an array in another layout of `LAYOUTS`, amid NaNs."""
    if x.dtype.kind == "O":
        return x
    if x.size > 1 << 18 and layout in ("strided", "every third"):
        layout = "one element off"  # memory between so many elements is many times as much
    if layout == "contiguous":
        return amid(x)[0]
    if layout == "one element off":
        return amid(x, x.itemsize)[0]
    if layout == "one byte off":
        return amid(x, 1)[0]
    if x.ndim == 0:
        return amid(x)[0]
    if layout == "transposed":
        return amid(np.ascontiguousarray(x.T))[0].T
    if layout == "reversed":
        every = (slice(None, None, -1),) * x.ndim
        return amid(np.ascontiguousarray(x[every]))[0][every]
    step = 2 if layout == "strided" else 3
    wide = amid(np.full([step * size for size in x.shape], 255).astype(x.dtype))[0]
    every = (slice(1, None, step),) * x.ndim
    wide[every] = x
    return wide[every]


def shown_by_view(x: np.ndarray, view: str) -> tuple[np.ndarray, Callable[[Any], Any]]:
    """An array, and the operation that makes a view with the elements of `x` of it in a program."""
    if x.ndim == 0 or x.dtype.kind == "O" or view == "none":
        return x, lambda t: t
    if view == "strided":
        wide = np.zeros([2 * size for size in x.shape], x.dtype)
        every = (slice(None, None, 2),) * x.ndim
        wide[every] = x
        return wide, lambda t: t[every]
    if view == "reversed":
        axes = tuple(range(x.ndim))
        return np.flip(x).copy(), lambda t: tf.reverse(t, axes)
    return np.ascontiguousarray(x.T), tf.transpose


def compare(found: Sequence[np.ndarray], exact: Sequence[Any], known: Property, tally: Tally) -> None:
    """Asserts that results are exact up to the property's tolerance, and keeps the largest part of it that one needed."""
    assert len(found) >= len(exact)
    for y, wanted in zip(found, exact, strict=False):
        if wanted is ...:
            continue
        wanted = np.asarray(wanted)
        assert y.shape == wanted.shape
        if not known.ulps or y.dtype.kind not in "fVc":
            np.testing.assert_array_equal(widened(y), widened(wanted.astype(y.dtype)))
            continue
        wide = widened(y)
        if y.dtype.itemsize == 2:
            with np.errstate(over="ignore"):  # numbers beyond its largest are infinite
                wanted = widened(wanted.astype(y.dtype))
        largest = float(np.abs(wanted[np.isfinite(wanted)]).max(initial=1.0))
        tolerance = known.ulps * float(ml_dtypes.finfo(y.dtype).eps)
        absolute = 0.0 if known.each else tolerance * largest
        np.testing.assert_allclose(wide, wanted, rtol=tolerance, atol=absolute)
        finite = np.isfinite(wanted) & np.isfinite(wide)
        if finite.any():
            bound = absolute + tolerance * np.abs(wanted[finite])
            off = np.abs(wide[finite] - wanted[finite])
            tally.worst = max(tally.worst, float((off / np.maximum(bound, 1e-300)).max()))


def exact_results(known: Property, arrays: list[np.ndarray], attributes: dict[str, Any]) -> tuple[Any, ...] | None:
    """What a property says that its row gives; None for what the row itself gives for contiguous arrays."""
    if known.exact is None:
        return None
    token = errors_set(QUIET)
    try:
        exact = known.exact(*map(widened, arrays), **attributes)
    finally:
        errors_reset(token)
    return exact if isinstance(exact, tuple) else (exact,)


class Case:
    """A property with arrays.

    Args:
        known: the property.
        dtype, sizes: of its arrays.
        seed: of all that is drawn.
    """

    def __init__(self, known: Property, dtype: str, sizes: tuple[int, ...], seed: int) -> None:
        self.known, self.dtype, self.sizes, self.seed = known, dtype, sizes, seed
        self.row: Operation = TABLE[known.name]
        self.generator = np.random.default_rng([seed, *sizes])
        token = errors_set(QUIET)
        try:
            made, self.attributes = known.make(self.generator, dtype, *sizes)
        finally:
            errors_reset(token)
        self.arrays = [np.asarray(x) for x in made]
        self.elements = sum(x.size for x in self.arrays)

    def __repr__(self) -> str:
        return f"Case({self.known.name!r}, {self.dtype!r}, {self.sizes}, {self.seed}) with {self.attributes}"

    def run(self, layout: str, threads: int, tally: Tally) -> None:
        """Computes and compares everything but programs."""
        known, arrays = self.known, self.arrays
        before = [x.tobytes() for x in arrays]
        found = results_of(known.name, [laid_out(x, layout) for x in arrays], self.attributes)
        exact = exact_results(known, arrays, self.attributes)
        plain = results_of(known.name, arrays, self.attributes) if exact is None else None
        self.exact = tuple(plain) if plain is not None else exact
        compare(found, self.exact, known, tally)
        self.outputs = found
        tally.cases += 1
        tally.elements += self.elements
        tally.rows.add(known.name)
        tally.dtypes.add(self.dtype)
        self._run_kernels(threads, tally)
        assert [x.tobytes() for x in arrays] == before, "an operand was written to"

    def _run_kernels(self, shares: int, tally: Tally) -> None:
        outputs = self.outputs
        if all(0 in y.shape for y in outputs) or any(x.dtype.kind == "O" for x in (*self.arrays, *outputs)):
            return  # programs have no step for what has no elements
        launches = launches_of_row(self.row, self.arrays, outputs, self.attributes)
        if launches is None or launches.alias:
            return
        tally.kernels |= {kernel_name(part.kernel) for part in launches.launches}
        one = self._computed(launches, 1, self.generator.choice([0, 1]), tally)
        if shares > 1:
            several = self._computed(launches, shares, 0, tally)
            assert [y.tobytes() for y in several] == [y.tobytes() for y in one], f"bits depend on {shares} shares"
        for output, number in launches.in_place:
            if outputs[output].nbytes == self.arrays[number].nbytes:  # a program uses no other memory twice
                self._run_in_place(launches, output, number, shares, one)
                tally.in_place += 1

    def _computed(self, launches: Launches, shares: int, elements: int, tally: Tally) -> list[np.ndarray]:
        """What kernels give, operands and results amid NaNs."""
        inputs = [amid(x, int(elements) * x.itemsize)[0] for x in self.arrays]
        guarded = [amid(np.empty(y.shape, y.dtype)) for y in self.outputs]
        for y, _ in guarded:
            y.reshape(-1).view(np.uint8)[...] = 255
        results = [y for y, _ in guarded]
        assert run_launches(launches, inputs, results, shares=shares) is None
        compare(results, self.exact, self.known, tally)
        assert all(is_untouched(memory, y) for y, memory in guarded), "memory beside a result was written to"
        return results

    def _run_in_place(
        self, launches: Launches, output: int, number: int, shares: int, wanted: list[np.ndarray]
    ) -> None:
        for count in {1, shares}:
            given, again = [x.copy() for x in self.arrays], [np.empty_like(y) for y in self.outputs]
            again[output] = given[number].reshape(-1).view(again[output].dtype).reshape(again[output].shape)
            assert run_launches(launches, given, again, shares=count) is None
            assert [y.tobytes() for y in again] == [y.tobytes() for y in wanted], f"in the place of operand {number}"

    def run_compiled(self, layout: str, view: str, dying: bool, tally: Tally) -> None:
        """Computes it in a compiled program, and compares; `run` comes first."""
        pairs = [shown_by_view(x, view) for x in self.arrays]
        row, attributes = self.row, self.attributes
        shows = [show for _, show in pairs]
        tensors = [Tensor(laid_out(x, layout)) for x, _ in pairs]
        numbers = {x.real.dtype for x in (*self.arrays, *self.outputs) if x.dtype.kind not in "bO"}
        ones = {dtype: tf.constant(np.ones((), dtype)) for dtype in numbers}

        def program(*tensors: Any) -> Any:
            operands = [show(t) for show, t in zip(shows, tensors, strict=True)]
            if not dying:
                return row(*operands, **attributes)
            results = row(*[times_one(t, ones) for t in operands], **attributes)
            return [times_one(y, ones) for y in (results if isinstance(results, tuple) else (results,))]

        compiled = tf.function(program)
        for _ in range(3):  # the first call records
            results = compiled(*tensors)
        found = [y.numpy() for y in tf.nest.flatten(results)]
        compare(found, self.exact, self.known, tally)
        tally.compiled += 1


def times_one(t: Any, ones: dict[np.dtype, Any]) -> Any:
    """A tensor times 1, a number that the compiler does not know, part by part of complex ones: another array of the same numbers."""
    if t.dtype.is_complex:
        return tf.complex(times_one(tf.math.real(t), ones), times_one(tf.math.imag(t), ones))
    return tf.multiply(t, ones[t.dtype.numpy]) if t.dtype.numpy in ones else t


def kernel_name(kernel: Any) -> str:
    """A kernel's name and dtypes."""
    family = getattr(kernel, "__self__", None)
    return f"{getattr(family, '__name__', kernel)} {getattr(kernel, '__name__', '')}"
