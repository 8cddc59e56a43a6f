"""Functions for programs written for TensorFlow's graphs, with their meaning in eager execution."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from fastgrad._src.core.recording import inside_function
from fastgrad._src.core.tensor import as_tensor_or_none


class VariableSynchronization(enum.Enum):
    """When the replicas of a ``tf.distribute.Strategy`` combine their values of a variable."""

    AUTO = 0
    NONE = 1
    ON_WRITE = 2
    ON_READ = 3


class VariableAggregation(enum.Enum):
    """How the replicas of a ``tf.distribute.Strategy`` combine their values of a variable."""

    NONE = 0
    SUM = 1
    MEAN = 2
    ONLY_FIRST_REPLICA = 3


def executing_eagerly() -> bool:
    """True if ``tf.function`` does not record this thread. TensorFlow: tf.executing_eagerly.

    Example:
        >>> tf.executing_eagerly()
        True
    """
    return not inside_function()


def enable_eager_execution(config: Any = None, device_policy: Any = None, execution_mode: Any = None) -> None:
    """Does nothing: execution is always eager. TensorFlow: tf.compat.v1.enable_eager_execution.

    Example:
        >>> fg.enable_eager_execution()
        >>> fg.executing_eagerly()
        True
    """


def get_logger() -> Any:
    """Returns the logger ``fastgrad``. TensorFlow: tf.get_logger."""
    import logging

    return logging.getLogger("fastgrad")


def control_dependencies(control_inputs: Any) -> AbstractContextManager[None]:
    """Returns a context that calls the callable ``control_inputs`` on entry and does nothing else: operations run in program order.

    Raises:
        TypeError: ``control_inputs`` is not iterable. TensorFlow: tf.control_dependencies.

    Example:
        >>> v = tf.Variable(1.0)
        >>> with tf.control_dependencies([v.assign(2.0)]):
        ...     y = v * 1.0
        >>> y.numpy()
        np.float32(2.0)
    """
    if control_inputs is not None and not isinstance(control_inputs, Iterable):
        raise TypeError(f"control_dependencies: Argument `control_inputs` must be a list, got {control_inputs!r}.")
    return _with_callables_called(control_inputs or ())


@contextmanager
def _with_callables_called(items: Iterable[Any]) -> Iterator[None]:
    for item in items:
        if callable(item):
            item()
    yield


def group(*inputs: Any, **kwargs: Any) -> None:
    """Does nothing: the operations have already run. TensorFlow: tf.group.

    Example:
        >>> v = tf.Variable(1.0)
        >>> tf.group(v.assign_add(1.0), v.assign_add(1.0))
        >>> v.numpy()
        np.float32(3.0)
    """


def no_op(name: str | None = None) -> None:
    """Does nothing. TensorFlow: tf.no_op."""


def tuple(tensors: Any, control_inputs: Any = None, name: str | None = None) -> Any:  # TensorFlow's name
    """Returns ``tensors`` unchanged. TensorFlow: tf.tuple."""
    return tensors


def get_static_value(tensor: Any, partial: bool = False) -> Any:
    """Returns a tensor's value as a NumPy array or scalar, other objects unchanged. TensorFlow: tf.get_static_value."""
    tensor_or_none = as_tensor_or_none(tensor)
    return tensor if tensor_or_none is None else tensor_or_none._elements().copy()[()]
