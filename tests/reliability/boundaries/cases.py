"""A case: a row of the operation table with arrays of some sizes and layouts, computed eagerly, by its kernels, and in a compiled program.

What is compared with NumPy in float64:

- the eager row, with each operand in a layout of `LAYOUTS`;
- its kernels, their work split into shares, with NaNs around operands, around results and in scratch memory, and with results that overwrite an operand;
- a compiled program: operands in a layout of `LAYOUTS`. In half of the programs operands are seen through a view of `VIEWS`; in half of these they are
  intermediate results that nothing else reads, so that the program may overwrite them, and results go on into another operation.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

import fastgrad as tf
from fastgrad._src.compiler.programs import frame
from fastgrad._src.compiler.programs.lowering import launches_of_row
from fastgrad._src.core.floating_errors import QUIET, reset_float_errors, set_float_errors
from fastgrad._src.core.operation import TABLE, Form, Operation
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.kernels.runtime import eager_launch, launch
from fastgrad._src.kernels.runtime.launch import Launches, run_launches
from tests.kernels.in_place import written_over
from tests.kernels.properties import Property, results_of, widened
from tests.reliability.boundaries.sampling import DECOMPOSITIONS

LAYOUTS = (
    "contiguous",
    "one element off",
    "one byte off",
    "transposed",
    "axes permuted",
    "strided",
    "one axis strided",
    "every third",
    "reversed",
    "one axis reversed",
    "sub-array",
    "broadcast",
)
"""How an operand lies in memory: `sub-array` is x[:, 1:n + 1] of a wider array, `broadcast` has a stride of 0."""
VIEWS = (
    "none",
    "strided",
    "one axis strided",
    "reversed",
    "one axis reversed",
    "transposed",
    "axes permuted",
    "sub-array",
    "broadcast",
)
"""Operations that make an operand in a compiled program."""
GUARD = 128
"""Bytes on each side of an array that nothing may write; as numbers they are NaN, or large."""
HALF_ULPS = 2.0
"""By how many units in the last place a result of half width may be off, beyond what the property allows for float32."""
HALF_ULPS_OF = {"rsqrt_gradient": 4.0}
"""Rows whose eager code rounds after each multiplication, as TensorFlow's does."""
REPEATABLE = (Form.REDUCE, Form.CONTRACT, Form.CONVOLVE, Form.INDEX_MAP)
"""Forms, besides element-wise ones, whose operands may be any numbers, so also numbers that repeat along an axis."""
HALVES = ("float16", "bfloat16")
WITHOUT_KERNELS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(DECOMPOSITIONS, ("float32", "float64", "complex64", "complex128")),
    **dict.fromkeys(["random_gamma", "random_poisson", "random_binomial"], ("float32", "float64", *HALVES)),
    **dict.fromkeys(["reduce_all", "reduce_any"], ("bool",)),
    **dict.fromkeys(["bincount", "histogram_fixed_width_bins"], HALVES),
    "reduce_mean": ("uint64",),
    **dict.fromkeys(["mirror_pad_gradient", "unsorted_segment_prod"], (*HALVES, "complex64", "complex128")),
    **dict.fromkeys(["cumprod", "linear_recurrence"], ("complex64", "complex128")),
}
"""Dtypes in which a row has no kernels of its own: a compiled program calls the eager row, or (`reduce_all`, `reduce_any`) the compiler writes
a kernel for it and the operations beside it, as for element-wise rows."""


@dataclass
class Tally:
    """What was tried."""

    cases: int = 0
    compiled: int = 0
    in_place: int = 0
    elements: int = 0
    worst: float = 0.0


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
    """Sets the number of threads, shares work of any size among them, and fills scratch memory with NaNs."""
    before = tf.config.get_num_threads()
    kept = [
        (eager_launch, "LEAST_POOL_NANOSECONDS"),
        (frame, "LEAST_THREADED_STEP_NANOSECONDS"),
        (frame, "LEAST_SHARE_NANOSECONDS"),
        (launch, "np"),
        (eager_launch, "np"),
    ]
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


def constant_axes(x: np.ndarray) -> list[int]:
    """The axes of an array, of more than one element, along which its elements repeat."""
    if x.dtype.kind == "O" or x.size == 0:
        return []
    raw = np.ascontiguousarray(x).view(np.uint8).reshape(*x.shape, x.itemsize)
    return [axis for axis, n in enumerate(x.shape) if n > 1 and (raw == raw.take([0], axis)).all()]


def one_axis(x: np.ndarray, r: np.random.Generator) -> int:
    return int(r.integers(0, x.ndim))


def at_axis(ndim: int, axis: int, index: slice) -> tuple[slice, ...]:
    """The index that takes a slice of one axis."""
    return tuple([index if at == axis else slice(None) for at in range(ndim)])


def surrounded(x: np.ndarray, shape: Sequence[int], index: tuple[slice, ...]) -> np.ndarray:
    """An array of a shape, of bytes of 255, with the elements of `x` at an index."""
    wide = amid(np.empty(shape, x.dtype))[0]
    wide.reshape(-1).view(np.uint8)[...] = 255
    wide[index] = x
    return wide


def stepped(x: np.ndarray, index: tuple[slice, ...]) -> tuple[np.ndarray, tuple[slice, ...]]:
    """A wider array of NaNs with the elements of `x` at an index of steps and offsets."""
    shape = [n * (at.step or 1) if at.step else n + (at.start or 0) * 2 for n, at in zip(x.shape, index, strict=True)]
    ends = [
        slice(at.start, at.start + n) if at.start and not at.step else at for n, at in zip(x.shape, index, strict=True)
    ]
    return surrounded(x, shape, tuple(ends)), tuple(ends)


def slices_of(x: np.ndarray, name: str, r: np.random.Generator) -> tuple[slice, ...]:
    """The index that reads an array's elements out of a wider one, for a layout or view of slices."""
    step = 3 if name == "every third" else 2
    match name:
        case "strided" | "every third":
            return (slice(step - 2, None, step),) * x.ndim
        case "one axis strided":
            return at_axis(x.ndim, one_axis(x, r), slice(0, None, step))
    return at_axis(x.ndim, one_axis(x, r), slice(int(r.integers(1, 4)), None))


def laid_out(x: np.ndarray, layout: str, r: np.random.Generator) -> np.ndarray:
    """The elements of an array in another layout of `LAYOUTS`, amid NaNs.

    Args:
        x: any array.
        layout: of `LAYOUTS`; `broadcast` is contiguous if no elements repeat along an axis.
        r: draws an axis.
    """
    if x.dtype.kind == "O":
        return x
    if x.size > 1 << 18 and layout in ("strided", "every third"):
        layout = "one axis strided"  # memory between so many elements is many times as much
    if layout == "one element off":
        return amid(x, x.itemsize)[0]
    if layout == "one byte off":
        return amid(x, 1)[0]
    if layout == "contiguous" or x.ndim == 0:
        return amid(x)[0]
    if layout == "broadcast":
        axes = constant_axes(x)
        first = x.take([0], axes[int(r.integers(0, len(axes)))]) if axes else x
        return np.broadcast_to(amid(first)[0], x.shape) if axes else amid(x)[0]
    if layout in ("transposed", "axes permuted"):
        perm = range(x.ndim)[::-1] if layout == "transposed" else [int(axis) for axis in r.permutation(x.ndim)]
        return amid(np.ascontiguousarray(x.transpose(perm)))[0].transpose(np.argsort(perm))
    if layout in ("reversed", "one axis reversed"):
        back = slice(None, None, -1)
        index = (back,) * x.ndim if layout == "reversed" else at_axis(x.ndim, one_axis(x, r), back)
        return amid(np.ascontiguousarray(x[index]))[0][index]
    wide, index = stepped(x, slices_of(x, layout, r))
    return wide[index]


def shown_by_view(x: np.ndarray, view: str, r: np.random.Generator) -> tuple[np.ndarray, Callable[[Any], Any]]:
    """An array, and the operation that makes of it, in a program, a view with the elements of `x`."""
    if x.ndim == 0 or x.dtype.kind == "O" or view == "none":
        return x, lambda t: t
    if view == "broadcast":
        axes = constant_axes(x)
        return (x.take([0], axes[0]), lambda t: tf.broadcast_to(t, x.shape)) if axes else (x, lambda t: t)
    if view in ("transposed", "axes permuted"):
        perm = list(range(x.ndim))[::-1] if view == "transposed" else [int(axis) for axis in r.permutation(x.ndim)]
        back = [int(axis) for axis in np.argsort(perm)]
        return np.ascontiguousarray(x.transpose(perm)), lambda t: tf.transpose(t, back)
    if view in ("reversed", "one axis reversed"):
        axes = list(range(x.ndim)) if view == "reversed" else [one_axis(x, r)]
        return np.flip(x, axes).copy(), lambda t: tf.reverse(t, axes)
    wide, index = stepped(x, slices_of(x, view, r))
    return wide, lambda t: t[index]


def half_overflows(dtype: np.dtype) -> float:
    """The power of two after a dtype's largest number."""
    return 2.0 ** int(ml_dtypes.finfo(dtype).maxexp)


def units(wanted: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The distance between neighbouring numbers of a dtype at exact numbers."""
    info = ml_dtypes.finfo(dtype)
    exponents = np.frexp(np.maximum(np.abs(wanted), float(info.smallest_normal)))[1]
    return np.asarray(np.ldexp(float(info.eps), exponents - 1))


def compare(found: Sequence[np.ndarray], exact: Sequence[Any], known: Property, tally: Tally) -> None:
    """Asserts that results are exact up to the tolerance, and keeps the largest part of it that one needed.

    The tolerance of float32, float64 and complex results is the property's number of ulps, of the result and of the largest result.
    That of half-width results is `HALF_ULPS` of the result, and the property's number of float32 ulps of the largest result, for sums.
    """
    assert len(found) >= len(exact)
    for y, wanted in zip(found, exact, strict=False):
        if wanted is ...:
            continue
        wanted = np.asarray(wanted)
        assert y.shape == wanted.shape
        if not known.ulps or y.dtype.kind not in "fVc":
            with np.errstate(over="ignore"):  # of products of float16
                rounded = wanted.astype(y.dtype)
            np.testing.assert_array_equal(widened(y), widened(rounded))
            continue
        wide, is_half = widened(y), y.dtype.itemsize == 2
        largest = float(np.abs(wanted[np.isfinite(wanted)]).max(initial=1.0))
        tolerance = known.ulps * float(np.finfo(np.float32).eps if is_half else np.finfo(y.dtype).eps)
        bound = (0.0 if known.each else tolerance * largest) + tolerance * np.abs(wanted)
        if is_half:
            wanted = wanted.astype(np.float64)
            beyond = half_overflows(y.dtype)
            wanted = np.where(np.abs(wanted) >= beyond, np.copysign(np.inf, wanted), wanted)
            wide = np.where(np.isinf(wide) & np.isfinite(wanted), np.copysign(beyond, wide), wide)
            wide = np.where(
                np.isinf(wanted) & (np.abs(wide) >= float(ml_dtypes.finfo(y.dtype).max)),
                np.copysign(np.inf, wide),
                wide,
            )
            finite_bound = np.where(np.isfinite(wanted), wanted, 0)
            bound = bound + HALF_ULPS_OF.get(known.name, HALF_ULPS) * units(finite_bound, y.dtype)
        finite = np.isfinite(wanted) & np.isfinite(wide)
        np.testing.assert_array_equal(np.where(finite, 0, wide), np.where(finite, 0, wanted))
        if not finite.any():
            continue
        off = np.where(finite, np.abs(np.where(finite, wide, 0) - np.where(finite, wanted, 0)), 0)
        bound = np.where(finite, np.maximum(bound, 1e-300), 1)
        at = np.unravel_index(int(np.argmax(off / bound)), off.shape)
        assert off[at] <= bound[at], (
            f"{wide[at]} at {[int(n) for n in at]} of {y.shape}, {y.dtype}, where {wanted[at]} is exact: off by {off[at]:.3g}, "
            f"allowed {bound[at]:.3g}; {int((off > bound).sum())} elements are off"
        )
        tally.worst = max(tally.worst, float(off[at] / bound[at]))


def exact_results(known: Property, arrays: list[np.ndarray], attributes: dict[str, Any]) -> tuple[Any, ...] | None:
    """What a property says that its row gives; None for what the row itself gives for contiguous arrays."""
    if known.exact is None:
        return None
    token = set_float_errors(QUIET)
    try:
        exact = known.exact(*map(widened, arrays), **attributes)
    finally:
        reset_float_errors(token)
    return exact if isinstance(exact, tuple) else (exact,)


class Case:
    """A property with arrays.

    Args:
        known: the property.
        dtype, sizes: of its arrays.
        seed: of all that is drawn: arrays, layouts and views.
    """

    def __init__(self, known: Property, dtype: str, sizes: tuple[int, ...], seed: int) -> None:
        self.known, self.dtype, self.sizes, self.seed = known, dtype, sizes, seed
        self.row: Operation = TABLE[known.name]
        self.generator = np.random.default_rng([seed, *sizes])
        token = set_float_errors(QUIET)
        try:
            made, self.attributes = known.make(self.generator, dtype, *sizes)
        finally:
            reset_float_errors(token)
        self.arrays = [np.asarray(x) for x in made]
        self.elements = sum(x.size for x in self.arrays)
        self.layouts = [str(self.generator.choice(LAYOUTS)) for _ in self.arrays]
        if self.row.lowering.elementwise.term is not None or self.row.form in REPEATABLE:
            self.arrays = [
                self._repeated(x) if layout == "broadcast" else x
                for x, layout in zip(self.arrays, self.layouts, strict=True)
            ]
        is_plain = self.generator.random() < 0.5  # for the row alone the compiler writes few kernels
        self.dying = not is_plain and bool(self.generator.integers(0, 2))
        self.views = ["none" if is_plain else self._view(layout) for layout in self.layouts]

    def _repeated(self, x: np.ndarray) -> np.ndarray:
        """The array with its first elements along one axis in place of all others there."""
        if x.ndim == 0 or x.size == 0 or x.dtype.kind == "O":
            return x
        axis = one_axis(x, self.generator)
        return np.repeat(x.take([0], axis), x.shape[axis], axis)

    def _view(self, layout: str) -> str:
        if self.generator.random() < 0.4:
            return "none"
        return layout if layout == "broadcast" else str(self.generator.choice(VIEWS))

    def __repr__(self) -> str:
        return (
            f"Case({self.known.name!r}, {self.dtype!r}, {self.sizes}, {self.seed}) with {self.attributes}, layouts {self.layouts}, "
            f"views {self.views}{', operands that die' if self.dying else ''}"
        )

    def run(self, threads: int, tally: Tally) -> None:
        """Computes and compares everything but programs."""
        known, arrays = self.known, self.arrays
        before = [x.tobytes() for x in arrays]
        found = results_of(known.name, self._laid_out(arrays), self.attributes)
        exact = exact_results(known, arrays, self.attributes)
        plain = results_of(known.name, arrays, self.attributes) if exact is None else None
        self.exact = tuple(plain) if plain is not None else exact
        compare(found, self.exact, known, tally)
        self.outputs = found
        tally.cases += 1
        tally.elements += self.elements
        self._run_kernels(threads, tally)
        assert [x.tobytes() for x in arrays] == before, "an operand was written to"

    def _laid_out(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [laid_out(x, layout, self.generator) for x, layout in zip(arrays, self.layouts, strict=True)]

    def _run_kernels(self, shares: int, tally: Tally) -> None:
        outputs = self.outputs
        if all(0 in y.shape for y in outputs) or any(x.dtype.kind == "O" for x in (*self.arrays, *outputs)):
            return  # programs have no step for what has no elements
        launches = launches_of_row(self.row, self.arrays, outputs, self.attributes)
        if launches is None:
            known = self.row.form is Form.ELEMENTWISE or self.dtype in WITHOUT_KERNELS.get(self.row.name, ())
            assert known or any(0 in x.shape for x in self.arrays), "a compiled program has no kernels for the row"
            return
        if launches.alias:
            return
        one = self._computed(launches, 1, self.generator.choice([0, 1]), tally)
        if shares > 1:
            several = self._computed(launches, shares, 0, tally)
            assert [y.tobytes() for y in several] == [y.tobytes() for y in one], f"bits depend on {shares} shares"
        for output, number in launches.in_place:
            if outputs[output].nbytes == self.arrays[number].nbytes:  # a program uses no other memory twice
                self._run_in_place(launches, output, number, shares, one)
                tally.in_place += 1

    def _computed(self, launches: Launches, shares: int, elements: int, tally: Tally) -> list[np.ndarray]:
        """Results of kernels, operands and results amid NaNs."""
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
            operands, results = [x.copy() for x in self.arrays], [np.empty_like(y) for y in self.outputs]
            results[output] = operands[number].reshape(-1).view(results[output].dtype).reshape(results[output].shape)
            same = written_over(launches, operands, results, {output: number})
            assert run_launches(same, operands, results, shares=count) is None
            assert [y.tobytes() for y in results] == [y.tobytes() for y in wanted], (
                f"a result overwrites operand {number}"
            )

    def run_compiled(self, tally: Tally) -> None:
        """Computes it in a compiled program, and compares; `run` comes first."""
        pairs = [shown_by_view(x, view, self.generator) for x, view in zip(self.arrays, self.views, strict=True)]
        row, attributes = self.row, self.attributes
        shows = [show for _, show in pairs]
        tensors = [Tensor(x) for x in self._laid_out([x for x, _ in pairs])]
        numbers = {x.real.dtype for x in (*self.arrays, *self.outputs) if x.dtype.kind not in "bO"}
        ones = {dtype: tf.constant(np.ones((), dtype)) for dtype in numbers}

        def program(*tensors: Any) -> Any:
            operands = [show(t) for show, t in zip(shows, tensors, strict=True)]
            if not self.dying:
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
