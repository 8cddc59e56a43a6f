"""Calls of Python code from a program of tensors: py_function, numpy_function."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes, nest
from fastgrad._src.core.argument_checks import checked_callable, refuse
from fastgrad._src.core.backward import dense_gradient
from fastgrad._src.core.errors import InvalidArgumentError, TraceError
from fastgrad._src.core.placement import run_on_host
from fastgrad._src.core.recording import hide_from_recorders, in_trial_run, recorders
from fastgrad._src.core.tape import GradientTape, record_operation
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.ops.arguments import as_python_ints


def py_function(
    func: Callable[..., Any] | None = None,
    inp: Any = None,
    Tout: Any = None,  # TensorFlow's name
    name: str | None = None,
) -> Any:
    """Calls ``func`` with tensors; gradients flow through its operations.

    Also a decorator: ``@tf.py_function(Tout=...)``.

    Args:
        func: a function from the tensors of ``inp`` to a value, a list of values, or None. Without ``func``, returns a
            decorator.
        inp: a list of tensors, or values that convert to tensors.
        Tout: the dtype of the result, a list of dtypes for several results, or ``[]`` for none.
        name: kept for TensorFlow's signature.

    Returns:
        A tensor, or a list of tensors if ``Tout`` is a list; or a decorator. The arguments of the decorated function
        take the place of ``inp``.

    Raises:
        InvalidArgumentError: ``func`` returned another number of values, or another dtype.
        TypeError: ``Tout`` is missing, ``func`` is given without ``inp``, or ``inp`` without ``func``.
        ValueError: ``func`` is not callable. Errors of ``func`` propagate unchanged. TensorFlow: tf.py_function.
    """
    _check_arguments("py_function", func, inp, Tout)
    if func is None:
        return _decorator(functools.partial(py_function, Tout=Tout, name=name))
    if not callable(func):
        raise ValueError(f"py_function: Expected func to be callable. Received func={func!r} of type {type(func)}.")
    inputs = tuple([convert_to_tensor(x) for x in inp])
    if not any(recorder.records_state for recorder in recorders.active):
        return nest.map_structure(_with_sample_sizes, _result_tensors("py_function", func(*inputs), Tout))

    def call_function(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        results = nest.flatten(_result_tensors("py_function", func(*map(_own_tensor, arrays)), Tout))
        return tuple([y._array if y._owner is None else y._array.copy() for y in results])  # variables change in place

    def gradient(needs: Any, g: Any, y: Any, *xs: Tensor) -> list[Any]:
        cotangents = g if type(g) is tuple else (g,)
        needed_positions = [position for position, need in enumerate(needs) if need]

        def run_gradient(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
            tensors = [*map(_own_tensor, arrays)]
            sources = [tensors[len(cotangents) + position] for position in needed_positions]
            with GradientTape(persistent=True) as tape:
                tape.watch(sources)
                results = nest.flatten(_result_tensors("py_function", func(*tensors[len(cotangents) :]), Tout))
            input_cotangents = tape.gradient(results, sources, tensors[: len(cotangents)], "zero")
            return tuple([dense_gradient(cotangent)._array for cotangent in input_cotangents])

        input_cotangents = iter(call_on_host("py_function_gradient", run_gradient, (*cotangents, *xs)))
        return [next(input_cotangents) if need else None for need in needs]

    outputs = call_on_host("py_function", call_function, inputs)
    record_operation("py_function", inputs, outputs, gradient)
    return list(outputs) if nest.is_nested(Tout) else outputs[0]


def numpy_function(
    func: Callable[..., Any] | None = None,
    inp: Any = None,
    Tout: Any = None,  # TensorFlow's name
    stateful: bool = True,
    name: str | None = None,
) -> Any:
    """Calls ``func`` with NumPy arrays, without a gradient. Also a decorator: ``@tf.numpy_function(Tout=...)``.

    Args:
        func: a function from arrays (copies, which it may change) to arrays. Without ``func``, returns a decorator.
        inp, Tout, name: as in ``py_function``.
        stateful: kept for TensorFlow's signature.

    Returns:
        A tensor, or a list of tensors if ``Tout`` is a list; or a decorator. The arguments of the decorated function
        take the place of ``inp``.

    Raises:
        InvalidArgumentError: ``func`` returned another number of values, or another dtype, than ``Tout`` says.
        TypeError: ``func`` is not callable; ``Tout`` is missing, ``func`` is given without ``inp``, or ``inp`` without ``func``.
            TensorFlow: tf.numpy_function.
    """
    _check_arguments("numpy_function", func, inp, Tout)
    if func is None:
        return _decorator(functools.partial(numpy_function, Tout=Tout, stateful=stateful, name=name))
    checked_callable("numpy_function", "func", func)

    def call_function(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        arguments = [array.copy() if array.ndim else array[()] for array in arrays]
        return tuple([y._array for y in nest.flatten(_result_tensors("numpy_function", func(*arguments), Tout))])

    outputs = call_on_host("numpy_function", call_function, tuple([convert_to_tensor(x) for x in inp]))
    outputs = tuple(map(_with_sample_sizes, outputs))
    return list(outputs) if nest.is_nested(Tout) else outputs[0]


def timestamp(name: str | None = None) -> Tensor:
    """The seconds since 1970, float64, also in each run of a recorded function. TensorFlow: tf.timestamp."""
    seconds: Tensor = numpy_function(lambda: np.float64(time.time()), [], dtypes.float64)
    return seconds


def _own_tensor(array: np.ndarray) -> Tensor:
    """Returns a tensor that the user's function may keep: the next run of a recorded program writes to the array."""
    return Tensor(array.copy())


def _check_arguments(name: str, func: Any, inp: Any, Tout: Any) -> None:
    """Raises TypeError unless the arguments call a function or make a decorator."""
    if Tout is None:
        refuse(name, f"Missing required argument: 'Tout', as in @tf.{name}(Tout=tf.float32)", TypeError)
    if func is None and inp is not None:
        raise TypeError(f"{name}: Don't set the 'inp' argument when using it as a decorator; `func` is missing.")
    if func is not None and inp is None:
        raise TypeError(f"{name}: Missing required argument: 'inp', the list of arguments of `func`.")


def _decorator(call: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Makes a decorator; a decorated function calls ``call(func, args)``."""

    def decorated(func: Callable[..., Any]) -> Callable[..., Any]:
        return functools.wraps(func)(lambda *args: call(func, args))

    return decorated


def call_on_host(
    name: str, run: Callable[..., tuple[np.ndarray, ...]], inputs: tuple[Tensor, ...], acts: bool = True
) -> tuple[Tensor, ...]:
    """Calls ``run`` on the arrays of ``inputs``, and reports it to recorders, so that each replay calls it.

    ``acts`` tells that ``run`` does more than to compute its results from its arguments.

    Raises:
        TraceError: ``run`` acts, and the program runs on trial.
    """
    if acts and in_trial_run():
        raise TraceError(f"{name}: what it does can't be undone, so that it is not written down before it is its turn.")
    with hide_from_recorders():
        arrays = run_on_host(lambda given: run(*given), [x._array for x in inputs])
        outputs = tuple([Tensor(array) for array in arrays])
    for recorder in recorders.active:
        recorder.on_call(name, run, inputs, outputs, acts)
    return outputs


class _ThreadState(threading.local):
    """What ``call_of_strings`` remembers, for each thread.

    Attributes:
        sample_size: the size of unknown dimensions of sample results; None where operations compute.
        latest: the key, the arguments and the results of the latest call.
    """

    sample_size: int | None = None
    latest: tuple[Any, Any, Any] = (None, None, ())


_thread = _ThreadState()


@contextlib.contextmanager
def sample_results(unknown_size: int) -> Iterator[None]:
    """A context in which ``call_of_strings``, ``where``, ``boolean_mask`` and ``unique`` return samples, whose unknown dimensions have the size ``unknown_size``.

    A dataset asks for the shapes of results so: no string that it could make up is a valid example. All dimensions of results of
    ``py_function`` and ``numpy_function`` are unknown.
    """
    before, _thread.sample_size = _thread.sample_size, unknown_size
    try:
        yield
    finally:
        _thread.sample_size = before


def _with_sample_sizes(result: Tensor) -> Tensor:
    """Returns ``result``, in ``sample_results`` with the size of unknown dimensions: Python code may give any other size."""
    return with_sample_rows(result, result._array.ndim)


def with_sample_rows(result: Tensor, unknown_dimensions: int = 1) -> Tensor:
    """Returns ``result``, in ``sample_results`` with the size of unknown dimensions, which are the first ones."""
    if _thread.sample_size is None:
        return result
    sizes = [_thread.sample_size] * unknown_dimensions
    return Tensor(np.resize(result._array, [*sizes, *result._array.shape[unknown_dimensions:]]))


def call_of_strings(
    name: str,
    run: Callable[..., tuple[np.ndarray, ...]],
    inputs: tuple[Tensor, ...],
    sample: Callable[[int], tuple[np.ndarray, ...]] | None,
    key: Any,
) -> tuple[Tensor, ...]:
    """Calls ``run`` on the arrays of ``inputs`` as ``call_on_host``; a recording guards the shapes of results that may vary.

    Args:
        name: the name of the call.
        run: computes its results from its arguments, the first of which are strings.
        inputs: the arguments.
        sample: returns results of the right shapes, with the given size for unknown dimensions; None if nothing is known.
        key: equal for functions that compute the same; or a function that returns it, where what ``run`` computes may change.
    """
    if _thread.sample_size is not None and sample is not None:
        return tuple([Tensor(array) for array in sample(_thread.sample_size)])
    if not any(recorder.records_state for recorder in recorders.active):
        return call_on_host(name, run, inputs, acts=False)
    if sample is None or [x.shape for x in sample(2)] != [x.shape for x in sample(3)]:
        # The guard and the call, and several recordings that are tried in turn, compute the results once.
        def run_once(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
            texts, current_key = [array.tolist() for array in arrays], key() if callable(key) else key
            if _thread.latest[:2] != (current_key, texts):
                _thread.latest = current_key, texts, run(*arrays)
            results: tuple[np.ndarray, ...] = _thread.latest[2]
            return tuple([result.copy() for result in results])

        def shapes_of_results(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
            return (np.array([size for array in run_once(*arrays) for size in (array.ndim, *array.shape)], np.int64),)

        as_python_ints(call_on_host(f"{name}_shapes", shapes_of_results, inputs, acts=False)[0], f"{name}: shapes")
        return call_on_host(name, run_once, inputs, acts=False)
    return call_on_host(name, run, inputs, acts=False)


def _result_tensors(what: str, result: Any, result_types: Any) -> Any:
    several = nest.is_nested(result_types)
    types = (
        [dtypes.as_dtype(requested) for requested in nest.flatten(result_types)]
        if several
        else [dtypes.as_dtype(result_types)]
    )
    values = [] if result is None else list(result) if several and isinstance(result, (list, tuple)) else [result]
    if len(values) != len(types):
        raise InvalidArgumentError(f"{what}: func returned {len(values)} values, but Tout asks for {len(types)}.")
    tensors = [_result_tensor(what, value, dtype) for value, dtype in zip(values, types, strict=True)]
    return tensors if several else tensors[0]


def _result_tensor(what: str, value: Any, dtype: dtypes.DType) -> Tensor:
    tensor = (
        convert_to_tensor(value, dtype_hint=dtype)
        if not isinstance(value, (np.ndarray, np.generic))
        else convert_to_tensor(value)
    )
    if tensor.dtype is not dtype:
        raise InvalidArgumentError(f"{what}: func returned {tensor.dtype.name}, but Tout says {dtype.name}; cast it.")
    return tensor
