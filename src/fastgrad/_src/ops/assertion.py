"""Checks of values, shapes and dtypes while a program runs (``tf.debugging``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.dtypes import string
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operand_errors import mixed_dtypes_error
from fastgrad._src.core.operation import INEXACT_DTYPES, TABLE, Form, Operation, operation
from fastgrad._src.core.result_rules import same_as_first, scalar_of
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_like, convert_to_tensor
from fastgrad._src.jit.user_lines import line_text, user_line
from fastgrad._src.ops.batching import leading_axes_rule
from fastgrad._src.ops.kernel_launches import launches_from

# ---- values --------------------------------------------------------------------------------------


_CONDITIONS: dict[str, tuple[str, Callable[..., Any]]] = {
    "assert_equal": ("==", np.equal),
    "assert_none_equal": ("!=", np.not_equal),
    "assert_less": ("<", np.less),
    "assert_less_equal": ("<=", np.less_equal),
    "assert_greater": (">", np.greater),
    "assert_greater_equal": (">=", np.greater_equal),
    "assert_positive": (">", np.greater),
    "assert_non_negative": (">=", np.greater_equal),
    "assert_near": ("~=", lambda x, y, rtol, atol: np.abs(x - y) <= atol + rtol * np.abs(y)),
}
"""The comparison sign and the element-wise test of each assertion, by the name of the assertion."""


def _make_comparison_assertion(name: str) -> Callable[..., None]:
    def check(
        x: Any, y: Any, message: str | None = None, summarize: int | None = None, name: str | None = None
    ) -> None:
        x = convert_to_tensor(x)
        y = convert_like(y, x._array.dtype)
        _call_comparison(check.__name__, x, y, message, summarize)

    check.__name__ = check.__qualname__ = name
    check.__doc__ = f"""Raises InvalidArgumentError unless ``x {_CONDITIONS[name][0]} y`` holds for every element, broadcast.

    Args:
        x, y: tensors of one dtype.
        message: put before what is reported.
        summarize: how many elements the report shows; default 3, -1 for all.
        name: kept for TensorFlow's signature. TensorFlow: tf.debugging.{name}.
    """
    return check


def _call_comparison(
    name: str, x: Tensor, y: Tensor, message: str | None, summarize: int | None, *bounds: Tensor
) -> None:
    if x._array.dtype != y._array.dtype:
        raise mixed_dtypes_error(name, x._array.dtype, y._array.dtype)
    _comparison_operation(x, y, *bounds, check=name, message=message, summarize=summarize)


def _run_comparison(
    x: np.ndarray, y: np.ndarray, *bounds: Any, check: str, message: str | None, summarize: int | None
) -> Any:
    sign, holds = _CONDITIONS[check]
    try:
        satisfied = np.asarray(holds(x, y, *bounds))
    except ValueError:
        raise InvalidArgumentError(f"{check}: Incompatible shapes: {list(x.shape)} vs. {list(y.shape)}.") from None
    if satisfied.all():
        return np.ones((), bool)
    first_index = np.argwhere(~satisfied)[0].tolist()
    operand_texts = [
        f"{name} (shape={TensorShape.of(a.shape)} dtype={dtypes.DTYPE_OF_NUMPY[a.dtype].name}) = {_elements_text(a, summarize)}"
        for name, a in (("x", x), ("y", y))
    ]
    raise InvalidArgumentError(
        f"{message + ': ' if message else ''}{check}: condition x {sign} y did not hold; first at index {first_index}. "
        f"{operand_texts[0]}, {operand_texts[1]}"
    )


_comparison_operation = operation(
    "assert",
    Form.EXTERN,
    run=_run_comparison,
    launches=launches_from("elementwise.checking", "assert_launches"),
    result=scalar_of(bool),
    checks=True,
)


def _elements_text(x: np.ndarray, summarize: int | None) -> str:
    count = 3 if summarize is None else summarize
    flat = x.reshape(-1)
    leading_elements = flat if count < 0 else flat[:count]
    return "[" + " ".join(str(v) for v in leading_elements) + (" ...]" if len(leading_elements) < len(flat) else "]")


assert_equal = _make_comparison_assertion("assert_equal")
assert_none_equal = _make_comparison_assertion("assert_none_equal")
assert_less = _make_comparison_assertion("assert_less")
assert_less_equal = _make_comparison_assertion("assert_less_equal")
assert_greater = _make_comparison_assertion("assert_greater")
assert_greater_equal = _make_comparison_assertion("assert_greater_equal")


def _make_sign_assertion(name: str) -> Callable[..., None]:
    def check(x: Any, message: str | None = None, summarize: int | None = None, name: str | None = None) -> None:
        x = convert_to_tensor(x)
        if x.dtype is string:
            raise TypeError(f"{check.__name__}: x must hold real numbers, got dtype string.")
        zero = constant_tensor(np.zeros((), x._array.dtype))
        _call_comparison(check.__name__, x, zero, message, summarize)

    check.__name__ = check.__qualname__ = name
    check.__doc__ = f"""Raises InvalidArgumentError unless ``x {_CONDITIONS[name][0]} 0`` holds for every element.

    Args:
        x: a real tensor.
        message, summarize, name: as in ``assert_equal``. TensorFlow: tf.debugging.{name}.
    """
    return check


assert_positive = _make_sign_assertion("assert_positive")
assert_non_negative = _make_sign_assertion("assert_non_negative")


def assert_near(
    x: Any,
    y: Any,
    rtol: Any = None,
    atol: Any = None,
    message: str | None = None,
    summarize: int | None = None,
    name: str | None = None,
) -> None:
    """Raises InvalidArgumentError unless ``|x - y| <= atol + rtol * |y|`` for every element.

    Args:
        x, y: floating or complex tensors of one dtype.
        rtol, atol: tolerances; default ten times the dtype's epsilon.
        message, summarize, name: as in ``assert_equal``. TensorFlow: tf.debugging.assert_near.
    """
    import ml_dtypes

    x = convert_to_tensor(x)
    y = convert_like(y, x._array.dtype)
    epsilon = 10 * float(ml_dtypes.finfo(x.dtype.real_dtype.numpy).eps) if x.dtype.is_differentiable else 0.0
    tolerances = [epsilon if bound is None else bound for bound in (rtol, atol)]
    bounds = [
        convert_to_tensor(np.asarray(bound) if isinstance(bound, (int, float)) else bound) for bound in tolerances
    ]
    bounds = [TABLE["cast"](bound, dtype="float64") for bound in bounds]
    _call_comparison("assert_near", x, y, message, summarize, *bounds)


def Assert(
    condition: Any, data: Any, summarize: int | None = None, name: str | None = None
) -> None:  # TensorFlow's name
    """Raises InvalidArgumentError with ``data`` unless ``condition`` is true. TensorFlow: tf.debugging.Assert."""
    predicate = convert_to_tensor(condition)
    if predicate._array.ndim:
        raise ValueError(
            f"Assert: the truth value of a condition of shape {predicate.shape} is ambiguous; use tf.reduce_all."
        )
    _assert_true_operation(predicate, *[convert_to_tensor(item) for item in data], summarize=summarize)


def _run_assert_true(condition: np.ndarray, *data: np.ndarray, summarize: int | None) -> np.ndarray:
    if not np.all(condition):
        data_text = ", ".join(_elements_text(item, summarize) for item in data)
        raise InvalidArgumentError(
            f"Expected 'tf.Tensor(False, shape=(), dtype=bool)' to be true. Summarized data: {data_text}"
        )
    return np.ones((), bool)


_assert_true_operation = operation(
    "assert_true",
    Form.EXTERN,
    run=_run_assert_true,
    launches=launches_from("elementwise.checking", "assert_true_launches"),
    result=scalar_of(bool),
    checks=True,
)


# ---- finite numbers --------------------------------------------------------------------------------


def _run_check_numerics(x: np.ndarray, message: str) -> np.ndarray:
    if not np.isfinite(x).all():
        number_kinds = " and ".join(what for what, test in (("Inf", np.isinf), ("NaN", np.isnan)) if test(x).any())
        first_index = np.argwhere(~np.isfinite(x))[0].tolist()
        raise InvalidArgumentError(
            f"check_numerics: {message} : Tensor had {number_kinds} values; first at index {first_index}."
        )
    return x


_check_numerics_operation: Operation = operation(
    "check_numerics",
    Form.EXTERN,
    run=_run_check_numerics,
    gradient=lambda g, y, x, message: _check_numerics_operation(
        g, message="Not a number (NaN) or infinity (Inf) in the gradient of " + message
    ),
    dtypes=INEXACT_DTYPES,
    launches=launches_from("elementwise.checking", "check_numerics_launches"),
    batched=leading_axes_rule,
    result=same_as_first,
    checks=True,
)


def check_numerics(tensor: Any, message: str, name: str | None = None) -> Any:
    """Returns ``tensor`` if all its elements are finite; its gradient is checked, too.

    Args:
        tensor: a floating tensor.
        message: put into the error.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: an element is NaN or infinite; the message names the first and the caller's line.

    TensorFlow: tf.debugging.check_numerics.
    """
    try:
        x = convert_to_tensor(tensor)
    except CompositeOperand as met:
        return met.mapped(lambda values: check_numerics(values, message), tensor)
    _check_numerics_operation.check_dtype(x._array)
    return _check_numerics_operation(x, message=f"{message} (called at {line_text(user_line())})")


def assert_all_finite(x: Any, message: str, name: str | None = None) -> Tensor:
    """Calls ``check_numerics``. TensorFlow: tf.debugging.assert_all_finite."""
    return check_numerics(x, message, name)


# ---- shapes and dtypes -------------------------------------------------------------------------------


def _message_prefix(message: str | None) -> str:
    return message + ": " if message else ""


def _rank_as_int(name: str, rank: Any) -> int:
    """Converts ``rank`` to an int; raises ValueError if it is no integer."""
    try:
        return int(rank)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: Argument `rank` must be an integer, got {rank!r}.") from None


def _rank_error(name: str, x: Tensor, allowed: Any, message: str | None) -> ValueError:
    """Returns the error for a tensor whose rank is not ``allowed``."""
    return ValueError(
        f"{_message_prefix(message)}{name}: Tensor must have rank {allowed}. Received rank {x.ndim}, shape {x.shape}"
    )


def assert_rank(x: Any, rank: Any, message: str | None = None, name: str | None = None) -> None:
    """Raises ValueError unless ``x`` has rank ``rank``. TensorFlow: tf.debugging.assert_rank."""
    rank = _rank_as_int("assert_rank", rank)
    x = convert_to_tensor(x)
    if x.ndim != rank:
        raise _rank_error("assert_rank", x, rank, message)


def assert_rank_at_least(x: Any, rank: Any, message: str | None = None, name: str | None = None) -> None:
    """Raises ValueError unless ``x`` has rank ``rank`` or more. TensorFlow: tf.debugging.assert_rank_at_least."""
    rank = _rank_as_int("assert_rank_at_least", rank)
    x = convert_to_tensor(x)
    if x.ndim < rank:
        raise _rank_error("assert_rank_at_least", x, f"at least {rank}", message)


def assert_rank_in(x: Any, ranks: Iterable[Any], message: str | None = None, name: str | None = None) -> None:
    """Raises ValueError unless the rank of ``x`` is one of ``ranks``. TensorFlow: tf.debugging.assert_rank_in."""
    x = convert_to_tensor(x)
    allowed = [_rank_as_int("assert_rank_in", rank) for rank in ranks]
    if x.ndim not in allowed:
        raise _rank_error("assert_rank_in", x, f"in {allowed}", message)


def assert_type(tensor: Any, tf_type: Any, message: str | None = None, name: str | None = None) -> None:
    """Raises TypeError unless ``tensor`` has dtype ``tf_type``. TensorFlow: tf.debugging.assert_type."""
    x, expected = convert_to_tensor(tensor), dtypes.as_dtype(tf_type)
    if x.dtype is not expected:
        raise TypeError(f"{_message_prefix(message)}assert_type: tensor must be of type {expected!r}; got {x.dtype!r}")


def assert_integer(x: Any, message: str | None = None, name: str | None = None) -> None:
    """Raises TypeError unless ``x`` is of an integer dtype. TensorFlow: tf.debugging.assert_integer."""
    x = convert_to_tensor(x)
    if not x.dtype.is_integer:
        raise TypeError(f"{_message_prefix(message)}Expected 'x' to be integer type. Found: {x.dtype!r}.")


def assert_shapes(
    shapes: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None
) -> None:
    """Checks the shapes of several tensors against each other.

    Args:
        shapes: a dict or list of pairs ``(tensor, shape)``; a shape is a tuple of ints, None or ``"?"`` for any size, and
            symbols (``"N"``), each with one size in all shapes; ``...`` or ``"*"`` first for any leading dimensions.
        data, summarize, name: kept for TensorFlow's signature.
        message: the text before the error message.

    Raises:
        ValueError: a shape does not fit, or ``shapes`` holds something other than pairs.
        TypeError: ``shapes`` is no dict or list. TensorFlow: tf.debugging.assert_shapes.
    """
    if not isinstance(shapes, Iterable):
        raise TypeError(f"assert_shapes: Argument `shapes` must be a dict or a list of pairs, got {shapes!r}.")
    pairs = list(shapes.items() if isinstance(shapes, dict) else shapes)
    if any(not isinstance(pair, (list, tuple)) or len(pair) != 2 for pair in pairs):
        raise ValueError(f"assert_shapes: Argument `shapes` must hold pairs of a tensor and a shape, got {shapes!r}.")
    sizes: dict[Any, tuple[int, TensorShape]] = {}
    for tensor, symbols in pairs:
        x = convert_to_tensor(getattr(tensor, "deref", lambda value=tensor: value)())
        symbols = list(symbols) if isinstance(symbols, (list, tuple, str, TensorShape)) else [symbols]
        # A scalar counts as a vector of one element where a vector is wanted.
        actual_sizes = list(x.shape) or [1] * (len(symbols) == 1 and symbols[0] not in (Ellipsis, "*"))
        if symbols and symbols[0] in (Ellipsis, "*"):
            symbols = symbols[1:]
            actual_sizes = (
                actual_sizes[len(actual_sizes) - len(symbols) :] if len(actual_sizes) >= len(symbols) else actual_sizes
            )
        if len(actual_sizes) != len(symbols):
            raise ValueError(
                f"{_message_prefix(message)}assert_shapes: expected rank {len(symbols)} for {symbols}, got shape {x.shape}."
            )
        for size, symbol in zip(actual_sizes, symbols, strict=True):
            if symbol in (None, "?", "."):
                continue
            expected_size = (
                int(symbol)
                if isinstance(symbol, int) or str(symbol).isdigit()
                else sizes.setdefault(symbol, (size, x.shape))[0]
            )
            if size != expected_size:
                raise ValueError(
                    f"{_message_prefix(message)}assert_shapes: dimension {symbol!r} must have size {expected_size}, got {size} in shape {x.shape}."
                )
