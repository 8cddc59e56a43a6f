"""``Lambda``: a user's function as a layer; ``Operator``: Python's operators on KerasTensors."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from importlib import import_module
from typing import Any

import fastgrad as tf
from fastgrad.core import nest
from fastgrad.core.tensor import Tensor
from fastgrad.keras import naming
from fastgrad.keras.layers.layer import Layer
from fastgrad.keras.layers.symbolic import KerasTensor, keras_tensors, symbolic_call
from fastgrad.keras.masks import any_mask_flag
from fastgrad.keras.saving.objects import deserialize_keras_object, is_lambda, lambda_parts, serialize_keras_object
from fastgrad.keras.saving.registration import SafeModeScope, in_safe_mode
from fastgrad.keras.symbolic_functions import FUNCTIONS


class Lambda(Layer):
    """A layer that calls the user's function. It has no weights, and does not track weights that the function uses.

    Args:
        function: a function of the input; it may also take ``mask`` and ``training``.
        output_shape: the shape of the result without the batch, or a function of the input's shape; default: from a run on
            zeros.
        mask: the mask of the result, or a function of the input and its mask.
        arguments: further keyword arguments of the function.
        **kwargs: as in ``Layer``.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.arguments = arguments or {}
        self.function = function
        self.mask = mask
        self.supports_masking = mask is not None
        any_mask_flag.is_set |= self.supports_masking
        self._output_shape = output_shape
        self._wanted = frozenset(inspect.signature(function).parameters)
        self._build_at_init()

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        """Returns the result of the user's function."""
        keyword_arguments = dict(self.arguments)
        keyword_arguments.update(
            {name: value for name, value in (("mask", mask), ("training", training)) if name in self._wanted}
        )
        return self.function(inputs, **keyword_arguments)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The layer's ``mask`` argument, or its result if it is a function."""
        return self.mask(inputs, previous_mask) if callable(self.mask) else self.mask

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape from ``output_shape``, or from a run of the function on zeros."""
        if self._output_shape is None:
            return super().compute_output_shape(input_shape)
        if callable(self._output_shape):
            return self._output_shape(input_shape)
        return (input_shape[0], *self._output_shape)

    def _overrides_shape(self) -> bool:
        return self._output_shape is not None

    def get_config(self) -> dict[str, Any]:
        """The constructor arguments by name; TypeError for a lambda whose closure cannot be serialized."""
        config = {**super().get_config(), "function": _function_config(self.function)}
        if self._output_shape is not None:
            config["output_shape"] = _function_config(self._output_shape)
        if self.mask is not None:
            config["mask"] = _function_config(self.mask)
        return {**config, "arguments": serialize_keras_object(self.arguments)}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None, safe_mode: bool | None = None
    ) -> Any:
        """Makes the layer from ``config``; ValueError for lambdas, unless ``safe_mode`` is False."""
        config = dict(config)
        with SafeModeScope(in_safe_mode() if safe_mode is None else safe_mode):
            for name in config.keys() & {"function", "output_shape", "mask", "arguments"}:
                config[name] = deserialize_keras_object(config[name], custom_objects)
        if isinstance(config.get("output_shape"), list):
            config["output_shape"] = tuple(config["output_shape"])
        return cls(**config)


def _function_config(value: Any) -> Any:
    if is_lambda(value):
        return {"class_name": "__lambda__", "config": lambda_parts(value)}
    return serialize_keras_object(value)


_OPERATOR_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "true_divide": operator.truediv,
    "floor_divide": operator.floordiv,
    "mod": operator.mod,
    "power": operator.pow,
    "matmul": operator.matmul,
    "negative": operator.neg,
    "absolute": operator.abs,
    "equal": tf.equal,
    "not_equal": tf.not_equal,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "logical_and": operator.and_,
    "logical_or": operator.or_,
    "logical_xor": operator.xor,
    "logical_not": operator.invert,
    "get_item": operator.getitem,
}


class Operator(Layer):
    """A layer that applies one of Python's operators, or a function of ``keras.ops`` or ``keras.activations``, to KerasTensors.

    Args:
        operation: the operator's name, or that of the function in ``keras``, such as ``ops.nn.conv`` or ``activations.relu``.
        name: the name; default ``operation``, numbered.
        **kwargs: as in ``Layer``.
    """

    _config_names = ("operation",)

    def __init__(self, operation: str, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=naming.auto_name(operation.rpartition(".")[2]) if name is None else name, **kwargs)
        self._function = _OPERATOR_FUNCTIONS.get(operation) or _function_of_path(operation)
        self.operation = operation
        self.autocast = False
        self._build_at_init()

    def __call__(self, *operands: Any, **kwargs: Any) -> Any:
        """The operator's result; operands may be Python numbers, too."""
        if keras_tensors((operands, kwargs)):
            return symbolic_call(self, operands, kwargs)
        if in_safe_mode() and not any(isinstance(value, Tensor) for value in nest.flatten((operands, kwargs))):
            # The call of a model in a file, whose constants may ask for any amount of memory.
            raise ValueError(f"Operator '{self.name}': a call in a model's configuration must have a tensor.")
        return self.call(*operands, **kwargs)

    def call(self, *operands: Any, **options: Any) -> Any:
        """Returns the operator's result."""
        return self._function(*operands, **options)


def _function_of_path(path: str) -> Callable[..., Any]:
    """Returns a function of ``keras.ops`` or ``keras.activations`` by its path in ``keras``; ValueError if there is none."""
    import_module(f"fastgrad.keras.{'ops' if path.startswith('ops.') else 'activations'}")  # fills the table
    if path not in FUNCTIONS:
        raise ValueError(
            f"Operator: `operation` must be an operator or a function of keras.ops or keras.activations, got {path!r}."
        )
    return FUNCTIONS[path]


def _operator_method(name: str, is_reflected: bool = False) -> Callable[..., Any]:
    def method(self: KerasTensor, *other: Any) -> Any:
        operands = (*other, self) if is_reflected else (self, *other)
        return Operator(name)(*operands)

    return method


_BINARY_OPERATOR_METHODS = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "true_divide",
    "floordiv": "floor_divide",
    "mod": "mod",
    "pow": "power",
    "matmul": "matmul",
    "and": "logical_and",
    "or": "logical_or",
    "xor": "logical_xor",
}
for _method, _name in _BINARY_OPERATOR_METHODS.items():
    setattr(KerasTensor, f"__{_method}__", _operator_method(_name))
    setattr(KerasTensor, f"__r{_method}__", _operator_method(_name, is_reflected=True))
for _method, _name in {
    "neg": "negative",
    "abs": "absolute",
    "invert": "logical_not",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "ne": "not_equal",
    "getitem": "get_item",
}.items():
    setattr(KerasTensor, f"__{_method}__", _operator_method(_name))
