"""``Operator``: Python's operators, and functions of ``keras.ops`` and ``keras.activations``, on KerasTensors.

As in Keras, such an operation is a part of a functional model's ``operations``, but it is not a layer.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from importlib import import_module
from typing import Any

from fastgrad._src.core import nest
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras import naming
from fastgrad._src.keras.layers.operator_classes import class_name, join_arguments, keras_module, split_arguments
from fastgrad._src.keras.layers.symbolic import FirstCallDescriptor, KerasTensor, keras_tensors, symbolic_call
from fastgrad._src.keras.saving.objects import deserialize_keras_object, serialize_keras_object
from fastgrad._src.keras.saving.registration import in_safe_mode
from fastgrad._src.keras.symbolic_functions import FUNCTIONS
from fastgrad._src.ops.comparison import equal, not_equal

# Item access, and the operators in files of fastgrad before it had Keras's classes: their values are TensorFlow's.
OPERATOR_FUNCTIONS: dict[str, Callable[..., Any]] = {
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
    "equal": equal,
    "not_equal": not_equal,
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


_classes: dict[str, type[Operator]] = {}


class Operator:
    """An operation of a functional model that is no layer: a Python operator or a function on KerasTensors.

    An instance is of a subclass with the name of Keras's class, such as ``Add``.

    Args:
        operation: the operator's name, or that of the function in ``keras``, such as ``ops.nn.conv`` or ``activations.relu``.
        name: the name; default that of Keras's class in snake case, numbered.
        options: further keyword arguments of the function; those of Keras's class, if a file of Keras's has them.

    Attributes:
        name, operation, options: the arguments.

    Raises:
        ValueError: there is no such function.
    """

    _public_name = "Operator"  # in configurations
    _path = ""  # the function's, in subclasses
    # What a layer has, of one without weights that is built.
    built = True
    input_spec = None
    variables: tuple[Any, ...] = ()
    weights: tuple[Any, ...] = ()
    _inbound_nodes: list[Any]

    def __new__(cls, operation: str, name: str | None = None, options: dict[str, Any] | None = None) -> Any:
        """Makes an instance of the subclass for the function."""
        return object.__new__(_class_of_path(operation))

    def __init__(self, operation: str, name: str | None = None, options: dict[str, Any] | None = None) -> None:
        self._function = OPERATOR_FUNCTIONS.get(operation) or _function_of_path(operation)
        self.name = naming.auto_name(type(self).__name__) if name is None else naming.checked_name(name)
        self.operation = operation
        self.options = dict(options or {})

    def __call__(self, *operands: Any, **kwargs: Any) -> Any:
        """The function's result; operands may be Python numbers, too."""
        if keras_tensors((operands, kwargs)):
            return symbolic_call(self, operands, kwargs)
        if in_safe_mode() and not any(isinstance(value, Tensor) for value in nest.flatten((operands, kwargs))):
            # The call of a model in a file, whose constants may ask for any amount of memory.
            raise ValueError(f"Operator '{self.name}': a call in a model's configuration must have a tensor.")
        return self.call(*operands, **kwargs)

    def call(self, *operands: Any, **kwargs: Any) -> Any:
        """Returns the function's result."""
        operands, kwargs = self._with_options(operands, kwargs)
        return self._function(*operands, **kwargs)

    def _with_options(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Returns the arguments of the function: ``options`` come to their places among those of the call."""
        if not self.options:
            return args, kwargs
        return join_arguments(self.operation, self._function, args, kwargs, self.options)

    input = FirstCallDescriptor("The KerasTensors of the first call, nested.")
    output = FirstCallDescriptor("The KerasTensors that the first call returned, nested.")

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments by name."""
        config: dict[str, Any] = {"name": self.name, "operation": self.operation}
        return {**config, "options": self.options} if self.options else config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Returns the operation of a configuration of ``get_config``, or of Keras's class of this name."""
        if "operation" in config:
            return cls(**{key: config[key] for key in ("operation", "name", "options") if key in config})
        known = inspect.signature(_function_of_path(cls._path)).parameters if len(config) > 1 else {}
        options = {}
        for key, value in config.items():
            if key in known:
                options[key] = deserialize_keras_object(value)
            elif key != "name" and value not in (None, False):
                raise ValueError(f"{cls.__name__}: `{key}` is not supported, got {value!r} for {config.get('name')!r}.")
        return cls(cls._path, config.get("name"), options)

    def keras_config(self) -> tuple[dict[str, Any], list[Any]] | None:
        """Returns the configuration of Keras's class, and the arguments of each call without those of its constructor.

        None if Keras has no such class, or its constructor's arguments differ between the calls.
        """
        module = keras_module(self.operation)
        if module is None:
            return None
        calls, all_options = [], []
        for args, kwargs in (node.arguments for node in self._inbound_nodes):
            args, kwargs = self._with_options(args, kwargs)
            args, kwargs, options = split_arguments(self.operation, self._function, args, kwargs)
            calls.append((args, kwargs))
            all_options.append(serialize_keras_object(options))
        if any(options != all_options[0] for options in all_options):
            return None
        name = type(self).__name__
        config = {"name": self.name, **all_options[0]}
        return {"module": module, "class_name": name, "config": config, "registered_name": name}, calls

    def __reduce__(self) -> Any:
        """Copies and pickles without the calls, which a copy of the model restores."""
        return Operator, (self.operation, self.name, self.options)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"

    def _overrides_spec(self) -> bool:
        return False

    def _overrides_shape(self) -> bool:
        return False

    def _clear_losses(self) -> None:
        """Does nothing: an operation adds no losses."""


def _class_of_path(path: str) -> type[Operator]:
    if path not in _classes:
        _classes[path] = type(
            class_name(path), (Operator,), {"_path": path, "__module__": __name__, "__doc__": Operator.__doc__}
        )
    return _classes[path]


def operator_class(module: str, name: str) -> type[Operator] | None:
    """Returns the class for one of Keras's classes of operations, such as ``Add`` of ``keras.src.ops.numpy``; None if unknown.

    Args:
        module: Keras's module of the class.
        name: the name of the class.
    """
    import_module("fastgrad._src.keras.ops.namespace")  # fills the table
    paths = (path for path in ("get_item", *FUNCTIONS) if class_name(path) == name and keras_module(path) == module)
    path = next(paths, None)
    return None if path is None else _class_of_path(path)


def _function_of_path(path: str) -> Callable[..., Any]:
    """Returns a function of ``keras.ops`` or ``keras.activations`` by its path in ``keras``; ValueError if there is none."""
    import_module(
        f"fastgrad._src.keras.{'ops.namespace' if path.startswith('ops.') else 'activations'}"
    )  # fills the table
    if path not in FUNCTIONS:
        raise ValueError(f"Operator: `operation` must be an operator, or of keras.ops or activations, got {path!r}.")
    return FUNCTIONS[path]


def _operator_method(name: str, is_reflected: bool = False) -> Callable[..., Any]:
    def method(self: KerasTensor, *other: Any) -> Any:
        operands = (*other, self) if is_reflected else (self, *other)
        return Operator(name if name == "get_item" else f"ops.numpy.{name}")(*operands)

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
    "round": "round",
    "invert": "logical_not",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "ne": "not_equal",
    "getitem": "get_item",
}.items():
    setattr(KerasTensor, f"__{_method}__", _operator_method(_name))
