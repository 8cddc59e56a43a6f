"""``keras.Variable``: a layer's weight, a ``tf.Variable`` with a path, a regularizer and a constraint."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from functools import reduce
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import require
from fastgrad._src.core.dtypes import DTYPE_OF_NUMPY, DType, bfloat16, float16, float32
from fastgrad._src.core.eager import VariableAggregation, VariableSynchronization
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.placement import move_to_device
from fastgrad._src.core.recording import inside_function
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none, convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.keras import naming, ownership, settings
from fastgrad._src.ops.casting import cast


class _AnyOverwriteFlag:
    """Whether any weight has ``overwrite_with_gradient``: until one has, optimizers do not look for such a weight."""

    is_set = False


any_overwrite_flag = _AnyOverwriteFlag()


class MemoryLimit:
    """A byte limit for weights made while a file is loaded, so that a small file cannot ask for terabytes.

    Args:
        stored: the bytes of all values in the file.
    """

    def __init__(self, stored: int) -> None:
        self._stored = stored
        self._bytes_left = 8 * stored + (16 << 20)

    def subtract(self, count: int, owner: str) -> None:
        """Subtracts ``count`` bytes from the limit for a weight; ValueError naming ``owner`` if too few bytes are left."""
        self._bytes_left -= count
        if self._bytes_left < 0:
            text = f"{count} bytes for '{owner}', the file has {self._stored}. Pass safe_mode=False if you trust it"
            raise ValueError(f"The configuration asks for much larger weights than the file has: {text}.")


memory_limit: ContextVar[MemoryLimit | None] = ContextVar("memory_limit", default=None)


def fixed_shape(shape: Any, owner: str) -> tuple[int, ...]:
    """``shape`` as a tuple of ints; ValueError naming ``owner`` if a dimension is unknown or negative."""
    if isinstance(shape, (int, np.integer)):
        shape = (shape,)
    sizes = tuple(TensorShape(shape))
    require(None not in sizes, owner, "shapes of variables must be fully-defined (no `None`)", shape=sizes)
    return sizes


class Weight(Variable, operands_by_read_value=False):
    """A variable made from an initializer; a subclass of ``tf.Variable``, so tapes and optimizers accept it.

    Args:
        initializer: a function ``(shape, dtype) -> tensor``, its name, or a value.
        shape: the shape; required with an initializer.
        dtype: the dtype; default: the value's dtype, ``floatx()`` with an initializer.
        trainable: whether optimizers train the weight; assignable. Tapes watch a weight that was made trainable, also once
            it is frozen, so that its gradient can be asked for.
        autocast: whether a layer may read the weight in the layer's compute dtype.
        aggregation: how replicas of a strategy are joined; see ``Layer.add_weight`` and ``Metric.add_variable``.
        synchronization: ``"on_read"`` lets each replica of a strategy have its own value; reads outside of a step combine them.
        layout: kept for Keras's signature.
        name: the name, without ``/``; default ``variable``, ``variable_1`` ...

    Attributes:
        name: the name without the path.
        path: the names of the enclosing layers and of the weight: ``sequential/dense/kernel``.
        regularizer: a function from the weight to a penalty, or None.
        constraint: a function that optimizers apply to the weight after an update, or None.
        overwrite_with_gradient: whether optimizers assign the gradient to the weight instead of updating it.

    Raises:
        ValueError: an initializer has no shape, the shape has unknown dimensions, or the name contains ``/``.
    """

    def __init__(
        self,
        initializer: Any,
        shape: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str | None = "none",
        synchronization: str | None = "auto",
        name: str | None = None,
        layout: Any = None,
        **options: Any,
    ) -> None:
        self.auto_named = name is None
        name = naming.auto_name("variable") if name is None else naming.checked_name(name)
        parent = naming.current_path()
        self._path = f"{parent}/{name}" if parent else name
        if isinstance(initializer, str):
            from fastgrad._src.keras import initializers

            initializer = initializers.get(initializer)
        if callable(initializer) and not isinstance(initializer, Variable):
            require(shape is not None, self, "a Variable from an initializer needs a `shape`", initializer=initializer)
            value = run_initializer(
                initializer, fixed_shape(shape, self._path), settings.standardize_dtype(dtype), self._path
            )
        else:
            value = _as_dtype(initializer, None if dtype is None else settings.standardize_dtype(dtype))
        modes: dict[str, Any] = {}
        if synchronization == "on_read":
            modes = {"synchronization": VariableSynchronization.ON_READ, "aggregation": aggregation_rule(aggregation)}
        super().__init__(value, trainable=bool(trainable), **modes)
        self._name = name
        self.autocast = autocast
        self.aggregation = aggregation or "none"
        self.synchronization = synchronization or "none"
        self._regularizer: Callable[[Any], Any] | None = None
        self._overwrites = False

    @staticmethod
    def _replica_class() -> type[Variable]:
        from fastgrad._src.keras.replica_weight import ReplicaWeight  # only training on several processes needs it

        return ReplicaWeight

    @property
    def name(self) -> str:
        """The name alone, without a path and without ``:0``."""
        return self._name

    @property
    def path(self) -> str:
        """The names of the enclosing layers and of the weight, joined by ``/``."""
        return self._path

    @property
    def dtype(self) -> str:  # type: ignore[override]  # a name in Keras, a DType in TensorFlow
        """The name of the dtype, ``"float32"``; every function that takes a dtype takes it."""
        return self._operand_dtype.name

    @property
    def value(self) -> Weight:  # type: ignore[override]  # a property in Keras, a method in TensorFlow
        """The variable that holds the value, the weight itself: gradients and tangents of one are those of the other."""
        return self

    def read_value(self) -> Tensor:
        return super().value()

    @property
    def trainable(self) -> bool:
        """Whether optimizers train the weight."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        ownership.count_tracking_change()

    @property
    def regularizer(self) -> Callable[[Any], Any] | None:
        """The function from the weight to a penalty, or None."""
        return self._regularizer

    @regularizer.setter
    def regularizer(self, value: Callable[[Any], Any] | None) -> None:
        self._regularizer = value
        ownership.count_tracking_change()

    @property
    def constraint(self) -> Callable[[Any], Any] | None:
        """The function that optimizers apply to the weight after an update, or None."""
        return self._constraint

    @constraint.setter
    def constraint(self, value: Callable[[Any], Any] | None) -> None:
        self._constraint = value
        ownership.count_tracking_change()

    @property
    def overwrite_with_gradient(self) -> bool:
        """Whether optimizers assign the gradient instead of updating the weight; TypeError if set to a non-bool."""
        return self._overwrites

    @overwrite_with_gradient.setter
    def overwrite_with_gradient(self, value: bool) -> None:
        require(isinstance(value, bool), self, "`overwrite_with_gradient` must be a boolean", TypeError, value=value)
        self._overwrites = value
        any_overwrite_flag.is_set |= value
        ownership.count_tracking_change()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        any_overwrite_flag.is_set |= self._overwrites

    def _converted_part(self, operation_name: str, value: Any) -> Tensor:
        # As in Keras, an assigned value is converted, also a tensor of another float dtype.
        return _as_dtype(value, DTYPE_OF_NUMPY[self._array.dtype])

    def _converted(self, operation_name: str, value: Any) -> Tensor:
        tensor = self._converted_part(operation_name, value)
        shape = self._array.shape
        if tensor._array.shape == shape:
            return tensor
        try:
            if operation_name != "assign" and np.broadcast_shapes(tensor._array.shape, shape) == shape:
                return TABLE["broadcast_to"](tensor, shape=shape)
        except ValueError:
            pass  # the error below has more details
        raise ValueError(
            f"The shape of the target variable and the shape of the target value in `variable.{operation_name}(value)` must match. "
            f"variable.shape={self.shape}, Received: value.shape={tensor.shape}. Target variable: {self._path}"
        )

    def _promoted_operands(self, other: Any, is_division: bool) -> tuple[Any, Any] | None:
        # As in Keras, an operator on a weight and a tensor has a result of the common dtype.
        tensor = as_tensor_or_none(other)
        if (
            tensor is None
            or tensor._operand_dtype is self._operand_dtype
            or "string" in (self._operand_dtype.name, tensor._operand_dtype.name)
        ):
            return None
        operands = with_common_dtype([self._read(), tensor])
        if is_division and operands[0]._operand_dtype.is_integer:
            operands = [cast(x, settings.standardize_dtype(None)) for x in operands]
        return operands[0], operands[1]

    def __repr__(self) -> str:
        value = "" if inside_function() else f", value={move_to_device(self._array, None)[()]}"
        return f"<Variable path={self._path}, shape={self.shape}, dtype={self._operand_dtype.name}{value}>"


def aggregation_rule(aggregation: str | None) -> VariableAggregation:
    """Returns the member for a Keras name such as ``"sum"``; KeyError if there is none."""
    return VariableAggregation[(aggregation or "none").upper()]


class CastWeight(Weight):
    """A weight that a running layer reads in its compute dtype; outside of layer calls, reads keep the stored dtype."""

    def _read(self) -> Tensor:
        return self._cast_for_running_layer(super()._read())

    def _read_as_stored(self) -> Tensor:
        return super()._read()

    def read_value(self) -> Tensor:
        """Returns the current value, in the compute dtype of the running layer, if there is one."""
        return self._cast_for_running_layer(super().read_value())

    @property
    def _operand_dtype(self) -> DType:  # the dtype in which the weight is read
        stack = naming.running_layers.now.stack
        reader = getattr(stack[-1], "_layer_dtype", None) if stack else None
        return super()._operand_dtype if reader is None or not reader.is_floating else reader

    def _cast_for_running_layer(self, tensor: Tensor) -> Tensor:
        stack = naming.running_layers.now.stack  # as in ``_operand_dtype``, without its call: every read runs this
        reader = getattr(stack[-1], "_layer_dtype", None) if stack else None
        return tensor if reader is None or not reader.is_floating else cast(tensor, reader)


def run_initializer(initializer: Callable[..., Any], shape: tuple[int, ...], dtype: DType, owner: str) -> Tensor:
    """Runs the initializer and checks its result; ValueError naming ``owner`` if the shape is wrong."""
    limit = memory_limit.get()
    if limit is not None:
        limit.subtract(math.prod(shape) * dtype.size, owner)
    value = _as_dtype(initializer(shape, dtype=dtype), dtype)
    if value._array.shape != shape:
        raise ValueError(f"The initializer of '{owner}' gave shape {value.shape} in place of {TensorShape(shape)}")
    return value


def assign_all(variables: Iterable[Any], values: Iterable[Any]) -> None:
    """Assigns each value to its variable, or none of them if one does not fit."""
    pairs = [
        (variable, variable._converted("assign", value)) for variable, value in zip(variables, values, strict=True)
    ]
    for variable, value in pairs:
        variable.assign(value)


def with_common_dtype(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Returns ``tensors``, cast to their common dtype if they differ."""
    tensors = list(tensors)
    dtype = reduce(_common_dtype, [x._operand_dtype for x in tensors])
    return [x if x._operand_dtype is dtype else cast(x, dtype) for x in tensors]


def _common_dtype(a: DType, b: DType) -> DType:
    """The common dtype of ``a`` and ``b``: float before integer, integer before boolean, the wider of two floats."""
    if a is b:
        return a
    for kind in ("is_floating", "is_integer"):
        if getattr(a, kind) != getattr(b, kind) and not (a.is_complex or b.is_complex):
            return a if getattr(a, kind) else b
    if {a, b} == {float16, bfloat16}:
        return float32
    return DTYPE_OF_NUMPY[np.promote_types(a.numpy, b.numpy)]


def _as_dtype(value: Any, dtype: DType | None) -> Tensor:
    tensor = as_tensor_or_none(value)
    if tensor is None:
        return convert_to_tensor(value, dtype)
    return tensor if dtype is None or tensor.dtype is dtype else cast(tensor, dtype)
