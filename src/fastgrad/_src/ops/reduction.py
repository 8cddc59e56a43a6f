"""Reductions over axes: sums, means, products, extremes, any, all, norms and logsumexp.

One file, because their gradients are made of each other; half of it is the documentation of public functions.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from textwrap import indent
from typing import Any, Protocol

import numpy as np

from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.dispatch import dispatchers
from fastgrad._src.core.dtypes import bool as boolean
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.floating_errors import QUIET, reset_float_errors, set_float_errors
from fastgrad._src.core.lowering import IndexMap, Reducer
from fastgrad._src.core.operand_errors import dtype_error
from fastgrad._src.core.operation import (
    BOOL_DTYPES,
    FLOAT_DTYPES,
    HALF_DTYPES,
    INTEGER_DTYPES,
    LARGE,
    NUMERIC_DTYPES,
    REAL_DTYPES,
    TABLE,
    Form,
    Operation,
    operation,
)
from fastgrad._src.core.recording import recorders
from fastgrad._src.core.result_rules import reduced_shape, reduction_result
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.kernels.movement.layout import Layout, broadcast
from fastgrad._src.kernels.movement.strided import single_result_layouts
from fastgrad._src.ops.arguments import as_python_ints, tensor_of
from fastgrad._src.ops.arithmetic import conjugate, multiply, subtract
from fastgrad._src.ops.batching import extend_sizes_rule, shift_axes_rule
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.comparison import equal
from fastgrad._src.ops.division import divide_no_nan, realdiv
from fastgrad._src.ops.exponential import exp
from fastgrad._src.ops.kernel_launches import KERNEL_FLOATS, launches_from, make_kernel_run
from fastgrad._src.ops.shaping import broadcast_view_or_small_copy
from fastgrad._src.ops.summation import (
    KERNEL_MIN_ELEMENTS,
    in_row_order,
    reduce_by_kernels,
    sum_over,
    sum_runs_kernels,
)

# NumPy's type stubs accept only a literal keepdims.
_add_reduce: Any = np.add.reduce
_multiply_reduce: Any = np.multiply.reduce
_maximum_reduce: Any = np.maximum.reduce
_minimum_reduce: Any = np.minimum.reduce
_or_reduce: Any = np.logical_or.reduce
_and_reduce: Any = np.logical_and.reduce


def reduction_axes(name: str, axis: Any, rank: int) -> tuple[int, ...]:
    """Returns ``axis`` of a reduction as sorted axes, counted from the front; None means all.

    Args:
        name: the operation, for the error.
        axis: None, an int, or a list, tuple, array or tensor of ints.
        rank: the number of dimensions of the tensor.

    Raises:
        InvalidArgumentError: an axis is out of range or comes twice.
    """
    if axis is None:
        return _ALL_AXES_BY_RANK[rank] if rank < 8 else tuple(range(rank))
    if type(axis) is int and -rank <= axis < rank:
        return (axis + rank if axis < 0 else axis,)
    if isinstance(axis, float):
        raise TypeError(f"{name}: axis must be integers, got {axis!r}.")
    items = axis if isinstance(axis, (list, tuple)) else (axis,)
    if items and type(items[0]) is bool and all(type(item) is bool for item in items):
        axis = [int(item) for item in items]  # TensorFlow takes them, but not beside integers
    numbers = as_python_ints(axis, f"{name}: axis")
    axes = set()
    for number in numbers:
        if not -rank <= number < rank:
            raise InvalidArgumentError(
                f"{name}: Invalid reduction dimension ({number} for input with {rank} dimension(s)); "
                f"axes are in [{-rank}, {rank})."
            )
        axes.add(number + rank if number < 0 else number)
    if len(axes) < len(numbers):
        raise InvalidArgumentError(f"{name}: Invalid reduction arguments: Axes contains duplicate dimension: {axis}.")
    return tuple(sorted(axes))


_ALL_AXES_BY_RANK = [tuple(range(rank)) for rank in range(8)]


_BATCHING_RULE = shift_axes_rule("axes")


class Reduction(Operation):
    """A reduction over axes; ``run(x, axes, keepdims)`` returns a new array, never a view."""

    def __init__(
        self,
        name: str,
        run: Callable[..., Any],
        gradient: Any = None,
        *,
        dtypes: frozenset[np.dtype],
        launches: str | None = None,
        reducer: Reducer | None = None,
        rounds_as_run: Callable[..., bool] | None = None,
        decomposition: Callable[..., Any] | None = None,
    ) -> None:
        kernels = None if launches is None else launches_from("reduction.general", f"{launches}_launches")
        super().__init__(
            name,
            run,
            gradient,
            form=Form.REDUCE,
            dtypes=dtypes,
            launches=kernels,
            batched=_BATCHING_RULE,
            reducer=reducer,
            rounds_as_run=rounds_as_run,
            decomposition=decomposition,
            result=reduction_result,
        )

    def __call__(self, x: Tensor, *, axes: tuple[int, ...], keepdims: bool) -> Tensor:
        """``Operation.__call__`` without its loops, for speed: one input, two attributes, no views."""
        if dispatchers:
            return Operation.__call__(self, x, axes=axes, keepdims=keepdims)
        active = recorders.active
        if active and active[0]._prediction is not None:
            known = active[0]._prediction.result(self, (x,), {"axes": axes, "keepdims": keepdims}, active)
            if known is not None:
                return known
        token = set_float_errors(QUIET)
        try:
            result = self.run(x._array, axes, keepdims)
        except (MemoryError, ValueError) as error:
            self._raise_explained(error, (x,))
        finally:
            reset_float_errors(token)
        y = Tensor(result if type(result) is np.ndarray else np.asarray(result))
        if active:
            inputs, outputs, attributes = (x,), (y,), {"axes": axes, "keepdims": keepdims}
            for recorder in active:
                recorder.on_operation(self, inputs, outputs, attributes)
        return y


def _call_reduction(operation: Operation, input_tensor: Any, axis: Any, keepdims: Any) -> Any:
    try:
        x = input_tensor if type(input_tensor) is Tensor else tensor_of(input_tensor)
    except CompositeOperand as met:
        return met.call(operation.name, input_tensor, axis, keepdims)
    array = x._array
    if array.dtype not in operation.dtypes:
        raise dtype_error(operation.name, array.dtype, operation.dtypes)
    return operation(x, axes=reduction_axes(operation.name, axis, array.ndim), keepdims=bool(keepdims))


class ReductionFunction(Protocol):
    """The type of the public reductions."""

    def __call__(
        self, input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None
    ) -> Tensor: ...


_DOCSTRING = """{summary}

    Args:
        input_tensor: {takes}
        axis: an int or several; None means all axes.
        keepdims: whether the reduced dimensions stay, with size 1.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: {refused}, or an axis is out of range.
    {example}"""


def _public_function(
    row: Operation, summary: str, takes: str, refused: str, takes_lists: bool = False, example: str = ""
) -> ReductionFunction:
    """Makes the public function of a reduction.

    Args:
        row: the reduction, which has the function's name.
        summary: the first line of the docstring.
        takes: what the tensor may be.
        refused: which tensors are errors.
        takes_lists: whether lists and arrays are converted to booleans; others are a TypeError.
        example: calls and what they print, for the docstring.
    """

    def reduction(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
        result: Tensor = _call_reduction(
            row, _as_booleans(input_tensor) if takes_lists else input_tensor, axis, keepdims
        )
        return result

    reduction.__name__ = reduction.__qualname__ = row.name
    section = f"\n    Example:\n{indent(example, ' ' * 8)}\n    " if example else ""
    reduction.__doc__ = _DOCSTRING.format(summary=summary, takes=takes, refused=refused, example=section)
    return reduction


# ---- sums and means ------------------------------------------------------------------------------------


def _elements_per_result(whole: np.ndarray, reduced: Any) -> int:
    """The number of elements that are reduced to each result."""
    return whole.size // (reduced.size or 1)


def _run_rebroadcast(g: np.ndarray, shape: tuple[int, ...], axes: tuple[int, ...]) -> np.ndarray:
    if g.ndim != len(shape):
        g = g.reshape([1 if axis in axes else size for axis, size in enumerate(shape)])
    return broadcast_view_or_small_copy(g, shape)


def _rebroadcast_views(
    layout: Layout, input_shape: tuple[int, ...], results: Any, shape: tuple[int, ...], axes: tuple[int, ...]
) -> list[Layout] | None:
    if len(input_shape) != len(shape):
        input_shape = tuple([1 if axis in axes else size for axis, size in enumerate(shape)])
    return single_result_layouts(broadcast(layout, input_shape, shape))


rebroadcast = operation(
    "spread",
    Form.INDEX_MAP,
    run=_run_rebroadcast,
    gradient=lambda g, y, x, shape, axes: _sum(g, axes=axes, keepdims=x._array.ndim == len(shape)),
    index_map=IndexMap(views=_rebroadcast_views, broadcasts=True),
    dtypes=NUMERIC_DTYPES,
    batched=extend_sizes_rule("shape"),
    simplifications=lambda rules: (rules.remove_if_type_unchanged,),
)
rebroadcast.__doc__ = (
    "The result of a reduction at all the elements of ``shape`` that were reduced to it: a part of gradients."
)


def _run_sum(x: np.ndarray, axes: tuple[int, ...], keepdims: bool) -> Any:
    dtype = x.dtype
    y = sum_over(x, axes, keepdims)
    return y if y.dtype is dtype or y.dtype == dtype else y.astype(dtype)


_sum: Reduction = Reduction(
    "reduce_sum",
    _run_sum,
    lambda g, y, x, axes, keepdims: rebroadcast(g, shape=x._array.shape, axes=axes),
    dtypes=NUMERIC_DTYPES,
    launches="sum",
    reducer=Reducer("sum", REAL_DTYPES),
    rounds_as_run=sum_runs_kernels,
)


reduce_sum = _public_function(
    _sum,
    "The sum over axes.",
    "a numeric tensor. Sums of integers wrap around in their dtype; half-width floats are summed in float32.",
    "the dtype has no sums",
    example=""">>> tf.reduce_sum([[1, 2], [3, 4]])
<tf.Tensor: shape=(), dtype=int32, numpy=10>
>>> tf.reduce_sum([[1, 2], [3, 4]], axis=1)
<tf.Tensor: shape=(2,), dtype=int32, numpy=array([3, 7], dtype=int32)>""",
)


def _run_mean(x: np.ndarray, axes: tuple[int, ...], keepdims: bool) -> Any:
    dtype = x.dtype
    if dtype in INTEGER_DTYPES:
        total = _add_reduce(x, axes, np.int64 if dtype.kind == "i" else np.uint64, None, keepdims)
        count = _elements_per_result(x, total)
        if count:
            total = np.abs(total) // total.dtype.type(count) * np.sign(total)  # towards zero
        return total.astype(dtype)
    if not x.size:
        total = sum_over(x, axes, keepdims)
        return (total / total.dtype.type(_elements_per_result(x, total))).astype(dtype)
    y = sum_over(x, axes, keepdims, prod(map(x.shape.__getitem__, axes)))
    return y if y.dtype is dtype or y.dtype == dtype else y.astype(dtype)


def _mean_gradient(g: Tensor, y: Tensor, x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    count = _elements_per_result(x._array, y._array)
    return rebroadcast(multiply(g, 1.0 / count) if count else g, shape=x._array.shape, axes=axes)


_mean = Reduction(
    "reduce_mean",
    _run_mean,
    _mean_gradient,
    dtypes=NUMERIC_DTYPES,
    launches="mean",
    reducer=Reducer("sum", FLOAT_DTYPES, result_code="({0} / {number}(reduced))"),
)


reduce_mean = _public_function(
    _mean,
    "The mean over axes.",
    "a numeric tensor; means of integers are integers, rounded towards zero.",
    "the dtype has no means",
    example=""">>> tf.reduce_mean([[1.0, 2.0], [3.0, 4.0]], axis=0)
<tf.Tensor: shape=(2,), dtype=float32, numpy=array([2., 3.], dtype=float32)>""",
)


# ---- products ------------------------------------------------------------------------------------------


def _run_prod(x: np.ndarray, axes: tuple[int, ...], keepdims: bool) -> Any:
    if x.dtype in HALF_DTYPES:  # rounds once, as in programs
        return np.asarray(_multiply_reduce(x.astype(np.float32, order="C"), axes, None, None, keepdims)).astype(x.dtype)
    if x.size >= KERNEL_MIN_ELEMENTS and x.dtype in REAL_DTYPES and axes == tuple(range(x.ndim - len(axes), x.ndim)):
        return _prod_by_kernels(x, axes=axes, keepdims=keepdims)
    return _multiply_reduce(in_row_order(x), axes, x.dtype, None, keepdims)


_prod_by_kernels = make_kernel_run(launches_from("reduction.general", "prod_launches"), reduction_result)


def _prod_gradient(g: Tensor, y: Tensor, x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    # Multiplies the products from the left and from the right of each element, because y / x fails where x is 0.
    shape = x._array.shape
    order = tuple([axis for axis in range(len(shape)) if axis not in axes]) + axes
    kept_sizes = tuple([shape[axis] for axis in order[: len(order) - len(axes)]])
    rows = TABLE["reshape"](
        TABLE["transpose"](x, perm=order), shape=(prod(kept_sizes), _elements_per_result(x._array, y._array))
    )
    products_before = TABLE["cumprod"](rows, axis=1, exclusive=True, reverse=False)
    products_after = TABLE["cumprod"](rows, axis=1, exclusive=True, reverse=True)
    products_of_others = TABLE["reshape"](
        multiply(products_before, products_after), shape=tuple([shape[axis] for axis in order])
    )
    inverse_order = tuple([order.index(axis) for axis in range(len(order))])
    return multiply(
        rebroadcast(g, shape=shape, axes=axes), conjugate(TABLE["transpose"](products_of_others, perm=inverse_order))
    )


_prod = Reduction(
    "reduce_prod",
    _run_prod,
    _prod_gradient,
    dtypes=NUMERIC_DTYPES,
    launches="prod",
    reducer=Reducer("product", REAL_DTYPES),
)


reduce_prod = _public_function(
    _prod,
    "The product over axes; its gradients are exact where elements are zero.",
    "a numeric tensor. Products of integers wrap around in their dtype.",
    "the dtype has no products",
)


# ---- extremes ------------------------------------------------------------------------------------------


def _make_extreme_run(ufunc: Any, sign: int) -> Callable[..., Any]:
    def reduce_to_extremes(x: np.ndarray, axes: tuple[int, ...], keepdims: bool) -> Any:
        extremes = _extremes_by_kernel(x, axes, keepdims, sign)
        if extremes is not None:
            return extremes
        initial = np._NoValue if x.size else _dtype_limit(x.dtype, -sign)
        return ufunc(x, axes, None, None, keepdims, initial=initial)

    return reduce_to_extremes


def _extremes_by_kernel(x: np.ndarray, axes: tuple[int, ...], keepdims: bool, sign: int) -> np.ndarray | None:
    """The extremes of a large array, by a kernel; None where NumPy is faster or there is no kernel."""
    if x.size < KERNEL_MIN_ELEMENTS or x.dtype not in KERNEL_FLOATS:
        return None
    if len(axes) == x.ndim and (x.size < LARGE or not x.flags.c_contiguous):
        return None
    from fastgrad._src.kernels.reduction.narrow_extremes import narrow_extremes_launches

    return reduce_by_kernels(narrow_extremes_launches, x, axes, keepdims, sign)


def _dtype_limit(dtype: np.dtype, sign: int) -> Any:
    """The smallest value of ``dtype`` if ``sign`` is -1, else the largest, as the extreme of an empty array."""
    if dtype.kind in "iu":
        return np.iinfo(dtype).min if sign < 0 else np.iinfo(dtype).max
    return dtype.type(sign * np.inf)


def _extreme_gradient(g: Tensor, y: Tensor, x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    shape = x._array.shape
    is_extreme = cast(equal(x, rebroadcast(y, shape=shape, axes=axes)), x.dtype)
    share = realdiv(g, _sum(is_extreme, axes=axes, keepdims=keepdims))
    return multiply(is_extreme, rebroadcast(share, shape=shape, axes=axes))


_max = Reduction(
    "reduce_max",
    _make_extreme_run(_maximum_reduce, 1),
    _extreme_gradient,
    dtypes=REAL_DTYPES,
    launches="max",
    reducer=Reducer("greatest", REAL_DTYPES),
)
_min = Reduction(
    "reduce_min",
    _make_extreme_run(_minimum_reduce, -1),
    _extreme_gradient,
    dtypes=REAL_DTYPES,
    launches="min",
    reducer=Reducer("least", REAL_DTYPES),
)


reduce_max = _public_function(
    _max,
    "The largest element over axes; NaN if one element is NaN. Equal extremes share the gradient evenly.",
    "a real tensor. The largest element of an empty tensor is -inf or the smallest integer.",
    "the dtype has no order",
    example=""">>> tf.reduce_max([[1, 5], [3, 2]], axis=1)
<tf.Tensor: shape=(2,), dtype=int32, numpy=array([5, 3], dtype=int32)>""",
)


reduce_min = _public_function(
    _min,
    "The smallest element over axes; NaN if one element is NaN. Equal extremes share the gradient evenly.",
    "a real tensor. The smallest element of an empty tensor is inf or the largest integer.",
    "the dtype has no order",
    example=""">>> tf.reduce_min([[1, 5], [3, 2]], axis=1)
<tf.Tensor: shape=(2,), dtype=int32, numpy=array([1, 2], dtype=int32)>""",
)


# ---- booleans ------------------------------------------------------------------------------------------

_any = Reduction(
    "reduce_any",
    lambda x, axes, keepdims: _or_reduce(x, axes, None, None, keepdims),
    dtypes=BOOL_DTYPES,
    reducer=Reducer("greatest", BOOL_DTYPES, "(1 if {0} else 0)", "({0} != 0)"),
)
_all = Reduction(
    "reduce_all",
    lambda x, axes, keepdims: _and_reduce(x, axes, None, None, keepdims),
    dtypes=BOOL_DTYPES,
    reducer=Reducer("least", BOOL_DTYPES, "(1 if {0} else 0)", "({0} != 0)"),
)


def _as_booleans(x: Any) -> Any:
    """Converts lists and arrays, also empty ones, to booleans; returns tensors unchanged."""
    return convert_to_tensor(x, boolean) if isinstance(x, (list, tuple, np.ndarray)) else x


reduce_any = _public_function(
    _any,
    "Whether any element is true, over axes; False for an empty tensor.",
    "a boolean tensor, or a list or array, which is converted to booleans.",
    "a tensor is not boolean",
    takes_lists=True,
)


reduce_all = _public_function(
    _all,
    "Whether all elements are true, over axes; True for an empty tensor.",
    "a boolean tensor, or a list or array, which is converted to booleans.",
    "a tensor is not boolean",
    takes_lists=True,
)


# ---- logsumexp and the Euclidean norm --------------------------------------------------------------------


def _run_finite_maximum(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    if not x.size:
        return np.zeros([1 if axis in axes else size for axis, size in enumerate(x.shape)], x.dtype)
    high = _maximum_reduce(x, axes, None, None, True)
    return np.where(np.isfinite(high), high, x.dtype.type(0))


# Reduction kernels take rows. Along other axes programs reduce by strided loops, because rows would need a copy.


def reduces_trailing_axes(x: Any, axes: tuple[int, ...]) -> bool:
    """True if ``axes`` are the last axes of ``x``, apart from axes of size 1, so that no copy is needed."""
    long_axes = [axis for axis, size in enumerate(x.shape) if size != 1]
    reduced_axes = [axis for axis in long_axes if axis in axes]
    return 0 in x.shape or reduced_axes == long_axes[len(long_axes) - len(reduced_axes) :]


def _decomposed_finite_maximum(builder: Any, x: Any, axes: tuple[int, ...]) -> tuple[Any] | None:
    if reduces_trailing_axes(x, axes) or x.dtype in HALF_DTYPES:
        return None
    shape = reduced_shape(x.shape, axes, True)
    high = builder.add("reduce_max", x, shape=shape, axes=axes, keepdims=True)
    finite = builder.add("is_finite", high, shape=shape, out_dtype=np.dtype(bool))
    return (builder.add("where", finite, high, builder.number(0.0, x.dtype), shape=shape, out_dtype=x.dtype),)


# The offset of the exponents. It cancels out of every derivative, so it needs no gradient.
_finite_maximum_operation = operation(
    "finite_maximum",
    Form.REDUCE,
    run=_run_finite_maximum,
    dtypes=FLOAT_DTYPES,
    launches=launches_from("reduction.general", "finite_maximum_launches"),
    batched=shift_axes_rule("axis", "axes"),
    reducer=Reducer(
        "greatest",
        FLOAT_DTYPES,
        result_code="({0} if math.fabs({0}) < {number}(math.inf) else {number}(0))",
        is_identity_on_one_element=False,
    ),
    decomposition=_decomposed_finite_maximum,
    result=reduction_result,
)


_logsumexp_launches = launches_from("reduction.general", "logsumexp_launches")
_logsumexp_of_rows = make_kernel_run(_logsumexp_launches, reduction_result)


def _run_logsumexp(x: np.ndarray, axes: tuple[int, ...], keepdims: bool) -> Any:
    if x.dtype in KERNEL_FLOATS and x.size >= KERNEL_MIN_ELEMENTS and reduces_trailing_axes(x, axes):
        return _logsumexp_of_rows(x, axes=axes, keepdims=keepdims)
    if not x.size:
        return np.log(_run_sum(x, axes, keepdims))
    if x.dtype in HALF_DTYPES:  # rounded exponentials leave no digits for a result near 0
        return _run_logsumexp(x.astype(np.float32), axes, keepdims).astype(x.dtype)
    high = _run_finite_maximum(x, axes)
    total = np.log(sum_over(np.exp(np.subtract(x, high)), axes, True)) + high
    if not keepdims:
        total = total.reshape([size for axis, size in enumerate(x.shape) if axis not in axes])
    return total


def _logsumexp_gradient(g: Tensor, y: Tensor, x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    # Uses the softmax relative to the maximum, not exp(x - y), because the rounding error of a large y matters.
    shape = x._array.shape
    weights = exp(subtract(x, _finite_maximum_operation(x, axes=axes)))
    total = TABLE["reduce_sum"](weights, axes=axes, keepdims=keepdims)
    # The total is 0 if all numbers are -inf; their gradients are 0 then, as those of any -inf beside a number.
    return multiply(weights, rebroadcast(divide_no_nan(g, total), shape=shape, axes=axes))


def _decomposed_logsumexp(builder: Any, x: Any, axes: tuple[int, ...], keepdims: bool) -> tuple[Any] | None:
    maxima = _decomposed_finite_maximum(builder, x, axes)
    if maxima is None:
        return None
    (high,) = maxima
    exponentials = builder.add("exp", builder.add("subtract", x, high, shape=x.shape), shape=x.shape)
    total = builder.add("reduce_sum", exponentials, shape=high.shape, axes=axes, keepdims=True)
    total = builder.add("add", builder.add("log", total, shape=high.shape), high, shape=high.shape)
    return (total if keepdims else builder.reshaped(total, reduced_shape(x.shape, axes, False)),)


_logsumexp_operation = Reduction(
    "reduce_logsumexp",
    _run_logsumexp,
    _logsumexp_gradient,
    dtypes=FLOAT_DTYPES,
    launches="logsumexp",
    decomposition=_decomposed_logsumexp,
)


reduce_logsumexp = _public_function(
    _logsumexp_operation,
    "``log(sum(exp(x)))`` over axes, without overflow; -inf for an empty tensor.",
    "a floating tensor.",
    "``input_tensor`` is not floating",
)


def _run_euclidean_norm(x: np.ndarray, axes: tuple[int, ...], keepdims: bool) -> Any:
    if x.dtype in HALF_DTYPES:  # squares of float16 numbers above 256 are infinite, below 2^-13 they are 0
        return _run_euclidean_norm(x.astype(np.float32), axes, keepdims).astype(x.dtype)
    if x.dtype.kind == "c":
        squares = np.multiply(x, np.conjugate(x))
    else:
        squares = np.square(x) if x.size < LARGE else TABLE["square"].run_arrays(x)
    y = np.sqrt(sum_over(squares, axes, keepdims))
    return y if y.dtype == x.dtype else y.astype(x.dtype)


_norm = Reduction(
    "reduce_euclidean_norm",
    _run_euclidean_norm,
    lambda g, y, x, axes, keepdims: multiply(x, rebroadcast(realdiv(g, y), shape=x._array.shape, axes=axes)),
    dtypes=NUMERIC_DTYPES,
    launches="norm",
    reducer=Reducer("sum", KERNEL_FLOATS, "({0} * {0})", "math.sqrt({0})", is_identity_on_one_element=False),
)


reduce_euclidean_norm = _public_function(
    _norm,
    "The root of the sum of squares over axes. Its gradient at 0 is NaN.",
    "a numeric tensor; norms of integers are rounded down to integers.",
    "``input_tensor`` is not numeric",
)
