"""Variables of TensorFlow 1 as they behave in eager code: each call of ``get_variable`` makes one, and there are no collections."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterator
from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.dtypes import as_dtype
from fastgrad._src.core.indexed_slices import IndexedSlices
from fastgrad._src.core.scopes import name_scope
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.keras.initializers import GlorotUniform
from fastgrad._src.ops import namespace as ops


class _Reuse(enum.Enum):
    AUTO_REUSE = 1


AUTO_REUSE = _Reuse.AUTO_REUSE


class VariableScope:
    """The name, the reuse and the initializer of an open ``variable_scope``."""

    def __init__(self, name: str, reuse: Any = False, initializer: Any = None, dtype: Any = dtypes.float32) -> None:
        self.name, self.reuse, self.initializer, self.dtype = name, reuse, initializer, dtype
        self.original_name_scope = f"{name}/" if name else ""


_scopes: list[VariableScope] = [VariableScope("")]


def get_variable_scope() -> VariableScope:
    """Returns the innermost open ``variable_scope``."""
    return _scopes[-1]


@contextlib.contextmanager
def variable_scope(  # noqa: PLR0913  # TensorFlow's arguments
    name_or_scope: Any,
    default_name: str | None = None,
    values: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    custom_getter: Any = None,
    reuse: Any = None,
    dtype: Any = None,
    use_resource: Any = None,
    constraint: Any = None,
    auxiliary_name_scope: bool = True,
) -> Iterator[VariableScope]:
    """A context in which names of variables have a prefix.

    Args:
        name_or_scope: the prefix, or a scope that ``variable_scope`` gave.
        default_name: the prefix if ``name_or_scope`` is None.
        initializer, dtype: defaults of ``get_variable``.
        reuse: kept for TensorFlow's signature: eager code does not share variables by name.
        auxiliary_name_scope: whether a name scope is opened, too.
        values, regularizer, caching_device, partitioner, custom_getter, use_resource, constraint: kept for TensorFlow's signature.

    Raises:
        TypeError: neither a name nor a scope.

    Example:
        >>> with tf.compat.v1.variable_scope("encoder"):
        ...     v = tf.compat.v1.get_variable("kernel", shape=(2, 3))
        >>> v.name
        'encoder/kernel:0'
    """
    outer = _scopes[-1]
    name = default_name if name_or_scope is None else name_or_scope
    if isinstance(name, VariableScope):
        scope = VariableScope(name.name, name.reuse, name.initializer, name.dtype)
        short_name = name.name.rpartition("/")[2]
    elif isinstance(name, str):
        scope = VariableScope(f"{outer.name}/{name}".removeprefix("/"), reuse, outer.initializer, outer.dtype)
        short_name = name
    else:
        raise TypeError(f"variable_scope: name_or_scope must be a string or VariableScope, got {name!r}.")
    scope.initializer, scope.dtype = initializer or scope.initializer, dtype or scope.dtype
    _scopes.append(scope)
    try:
        with name_scope(short_name) if auxiliary_name_scope and short_name else contextlib.nullcontext():
            yield scope
    finally:
        _scopes.remove(scope)


def get_variable(  # noqa: PLR0913  # TensorFlow's arguments
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    trainable: bool | None = None,
    collections: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    validate_shape: bool = True,
    use_resource: Any = None,
    custom_getter: Any = None,
    constraint: Any = None,
    synchronization: Any = None,
    aggregation: Any = None,
) -> Any:
    """Makes a variable; a second call with the same name makes another one, as in TensorFlow's eager code.

    Args:
        name: its name, below the open variable scopes.
        shape: its shape; unneeded if ``initializer`` is a value.
        dtype: default float32, or that of the value.
        initializer: a function of a shape and ``dtype``, a class of such functions, or a value; default Glorot's uniform numbers for floats,
            zeros for others.
        trainable: default True.
        constraint: as of ``tf.Variable``.
        regularizer, collections, caching_device, partitioner, validate_shape, use_resource, custom_getter, synchronization, aggregation:
            kept for TensorFlow's signature.

    Raises:
        ValueError: there is neither a shape nor a value, or both.

    Example:
        >>> tf.compat.v1.get_variable("scale", initializer=2.0).numpy()
        np.float32(2.0)
    """
    scope = _scopes[-1]
    initializer = scope.initializer if initializer is None else initializer
    is_value = initializer is not None and not callable(initializer)
    target = as_dtype(dtype or (convert_to_tensor(initializer).dtype if is_value else scope.dtype))
    if is_value:
        if shape is not None:
            raise ValueError("If initializer is a constant, do not specify shape.")
        value = convert_to_tensor(initializer, target)
    elif shape is None and initializer is None:
        raise ValueError(f"get_variable: Shape of a new variable ({name}) must be fully defined, got None.")
    else:
        if initializer is None:
            floats = GlorotUniform() if target.is_floating else ops.zeros_initializer()
            initializer = floats
        elif isinstance(initializer, type):
            initializer = initializer()
        value = initializer() if shape is None else initializer(TensorShape(shape).as_list(), dtype=target)
    full_name = f"{scope.name}/{name}".removeprefix("/")
    with name_scope(""):  # the name is complete
        return Variable(
            value,
            trainable=True if trainable is None else trainable,
            name=full_name,
            dtype=target,
            constraint=constraint,
        )


def get_local_variable(name: str, *args: Any, **kwargs: Any) -> Any:
    """``get_variable`` with a variable that is not trainable."""
    return get_variable(name, *args, **{**kwargs, "trainable": False})


def global_variables(scope: str | None = None) -> list[Any]:
    """Returns an empty list: eager code keeps no collections of variables."""
    return []


all_variables = local_variables = model_variables = moving_average_variables = trainable_variables = global_variables


def global_variables_initializer(*args: Any, **kwargs: Any) -> None:
    """Returns None: variables have their values from the start in eager code.

    Example:
        >>> tf.compat.v1.global_variables_initializer()
    """


local_variables_initializer = variables_initializer = tables_initializer = global_variables_initializer
initialize_all_variables = initialize_local_variables = initialize_variables = global_variables_initializer
initialize_all_tables = global_variables_initializer


def is_variable_initialized(variable: Any) -> Any:
    """Returns True, as a tensor."""
    return ops.constant(True)


def assign(ref: Any, value: Any, validate_shape: Any = None, use_locking: Any = None, name: str | None = None) -> Any:
    """Gives the variable ``ref`` a value, and returns it."""
    return ref.assign(value)


def assign_add(ref: Any, value: Any, use_locking: Any = None, name: str | None = None) -> Any:
    """Adds ``value`` to the variable ``ref``, and returns it."""
    return ref.assign_add(value)


def assign_sub(ref: Any, value: Any, use_locking: Any = None, name: str | None = None) -> Any:
    """Subtracts ``value`` from the variable ``ref``, and returns it."""
    return ref.assign_sub(value)


def _scatter_function(method: str, by_rows: bool) -> Any:
    def scatter(ref: Any, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None) -> Any:
        if not by_rows:
            return getattr(ref, method)(indices, updates)
        # a value for all rows is taken, too
        indices = convert_to_tensor(indices)
        rows = ops.broadcast_to(ops.cast(updates, ref.dtype), [*indices.shape, *ref.shape[1:]])
        return getattr(ref, method)(IndexedSlices(rows, indices))

    scatter.__name__ = scatter.__qualname__ = method
    scatter.__doc__ = (
        f"Calls ``ref.{method}`` with {'rows' if by_rows else 'elements'} of the variable ``ref``, and returns it."
    )
    return scatter


scatter_add, scatter_sub, scatter_update = (
    _scatter_function(f"scatter_{key}", True) for key in ("add", "sub", "update")
)
scatter_mul, scatter_div = (_scatter_function(f"scatter_{key}", True) for key in ("mul", "div"))
scatter_max, scatter_min = (_scatter_function(f"scatter_{key}", True) for key in ("max", "min"))
scatter_nd_add, scatter_nd_sub, scatter_nd_update = (
    _scatter_function(f"scatter_nd_{key}", False) for key in ("add", "sub", "update")
)
