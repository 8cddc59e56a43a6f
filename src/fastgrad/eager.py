"""What programs written for graphs ask for, as it is in eager execution."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from fastgrad.recording import recorders
from fastgrad.tensor import as_tensor_or_none


class AggregationMethod:
    """How gradients of several uses are added; kept for TensorFlow's signatures, changes nothing."""

    ADD_N = DEFAULT = 0
    EXPERIMENTAL_TREE = 1
    EXPERIMENTAL_ACCUMULATE_N = 2


class VariableSynchronization(enum.Enum):
    """When copies of a variable are synchronised; there is one copy."""

    AUTO = 0
    NONE = 1
    ON_WRITE = 2
    ON_READ = 3


class VariableAggregation(enum.Enum):
    """How copies of a variable are combined; there is one copy."""

    NONE = 0
    SUM = 1
    MEAN = 2
    ONLY_FIRST_REPLICA = 3


def executing_eagerly() -> bool:
    """Whether Python runs for good, not to be recorded by ``tf.function``. TensorFlow: tf.executing_eagerly."""
    return not inside_function()


def enable_eager_execution(config: Any = None, device_policy: Any = None, execution_mode: Any = None) -> None:
    """Does nothing: execution is always eager; the arguments are kept. TensorFlow: tf.compat.v1.enable_eager_execution."""


def inside_function() -> bool:
    """Whether ``tf.function`` records what this thread does. TensorFlow: tf.inside_function."""
    return any(recorder.follows_state for recorder in recorders.active)


def is_symbolic_tensor(tensor: Any) -> bool:
    """False: every tensor has its elements. TensorFlow: tf.is_symbolic_tensor."""
    return False


def get_logger() -> Any:
    """The logger of the name ``fastgrad``, for programs that set its level. TensorFlow: tf.get_logger."""
    import logging

    return logging.getLogger("fastgrad")


def control_dependencies(control_inputs: Any) -> AbstractContextManager[None]:
    """Nothing to order: operations run in the order of the program; TypeError if ``control_inputs`` is no list. TensorFlow: tf.control_dependencies."""
    if control_inputs is not None and not isinstance(control_inputs, Iterable):
        raise TypeError(f"control_dependencies: Argument `control_inputs` must be a list, got {control_inputs!r}.")
    return _called(control_inputs or ())


@contextmanager
def _called(items: Iterable[Any]) -> Iterator[None]:
    for item in items:
        if callable(item):
            item()
    yield


@contextmanager
def init_scope() -> Iterator[None]:
    """Nothing to leave: there is no graph. TensorFlow: tf.init_scope."""
    yield


def group(*inputs: Any, **kwargs: Any) -> None:
    """Nothing to run: the operations have run. TensorFlow: tf.group."""


def no_op(name: str | None = None) -> None:
    """Does nothing. TensorFlow: tf.no_op."""


def tuple(tensors: Any, control_inputs: Any = None, name: str | None = None) -> Any:  # TensorFlow's name
    """The tensors as they are. TensorFlow: tf.tuple."""
    return tensors


def get_static_value(tensor: Any, partial: bool = False) -> Any:
    """The value as a NumPy array (a NumPy scalar for shape ()); what is no tensor as it is. TensorFlow: tf.get_static_value."""
    found = as_tensor_or_none(tensor)
    return tensor if found is None else found.numpy()
