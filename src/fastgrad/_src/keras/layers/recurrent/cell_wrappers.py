"""``tf.nn.RNNCell…Wrapper``: cells around a cell, for loops over time that a program writes itself.

As in TensorFlow 2.21, a wrapper is a ``tf.Module`` and no layer of Keras 3: ``keras.layers.RNN`` can't make the state of one.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import math
from collections.abc import Callable
from typing import Any

from fastgrad._src.core import dtypes, nest, placement
from fastgrad._src.core.dtypes import as_dtype
from fastgrad._src.core.module import Module
from fastgrad._src.core.names import missing_member_getattr
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.keras import naming
from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.saving.objects import deserialize_keras_object, serialize_keras_object
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.creation import zeros
from fastgrad._src.ops.random_ops import dropout, uniform
from fastgrad._src.ops.rounding import floor


class _CellWrapper(Module):
    """The base class of the wrappers.

    Args:
        cell: a cell: ``call(inputs, states)``, ``state_size`` and ``output_size``.
        name: the name; default that of TensorFlow's class in snake case, numbered.
        dtype: the dtype in configurations; float32 by default.
        trainable: kept for configurations.

    Attributes:
        cell: the wrapped cell.

    Raises:
        AttributeError: ``cell`` has no method ``call``.
    """

    _default_name = ""
    __getattr__ = missing_member_getattr

    def __init__(self, cell: Any, name: str | None = None, dtype: Any = None, trainable: bool = True) -> None:
        if not callable(getattr(cell, "call", None)):
            raise AttributeError(f"{type(self).__name__}: `cell` must have a method `call`, got {cell!r:.200}.")
        super().__init__(naming.auto_name(self._default_name) if name is None else name)
        self.cell = cell
        self.built = False
        self.trainable = trainable
        self.dtype = as_dtype("float32" if dtype is None else dtype).name
        parameters = inspect.signature(cell.call).parameters.values()
        self._takes_training = any(p.name == "training" or p.kind is p.VAR_KEYWORD for p in parameters)

    @property
    def weights(self) -> list[Any]:
        """The variables of the cell."""
        return list(self.variables)

    @property
    def trainable_weights(self) -> list[Any]:
        """The trainable variables of the cell."""
        return list(self.trainable_variables)

    @property
    def state_size(self) -> Any:
        """The state sizes of the cell."""
        return self.cell.state_size

    @property
    def output_size(self) -> Any:
        """The output size of the cell."""
        return self.cell.output_size

    def build(self, inputs_shape: Any) -> None:
        """Makes the weights of the cell."""
        self.built = True
        if not getattr(self.cell, "built", False):
            self.cell.build(inputs_shape)
            self.cell.built = True

    def __call__(self, inputs: Any, state: Any, training: bool | None = None, **kwargs: Any) -> tuple[Any, Any]:
        """Builds the cell at the first call, then runs ``call``; ``training`` goes to a cell that takes it."""
        inputs = nest.map_structure(convert_to_tensor, inputs)
        if not self.built:
            self.build(nest.map_structure(lambda x: tuple(x.shape), inputs))
        if training is not None and self._takes_training:
            kwargs["training"] = training
        return self.call(inputs, state, **kwargs)

    def call(self, inputs: Any, state: Any, **kwargs: Any) -> tuple[Any, Any]:
        """Runs one time step.

        Args:
            inputs: the cell's input.
            state: the cell's states.
            **kwargs: further arguments of the cell's ``call``.

        Returns:
            The output and the new states.
        """
        return self._call_cell(inputs, state, **kwargs)

    def _call_cell(self, inputs: Any, state: Any, **kwargs: Any) -> tuple[Any, Any]:
        output, new_state = self.cell.call(inputs, state, **kwargs)
        return output, new_state

    def get_initial_state(self, inputs: Any = None, batch_size: Any = None, dtype: Any = None) -> Any:
        """Returns zeros in the structure of ``state_size``.

        Args:
            inputs: a tensor whose first dimension and dtype replace those given.
            batch_size: the number of rows.
            dtype: the dtype of the states.

        Raises:
            ValueError: the number of rows or the dtype is not known.
        """
        if inputs is not None:
            x = convert_to_tensor(inputs)
            batch_size, dtype = x.shape[0], x.dtype
        if batch_size is None or dtype is None:
            raise ValueError(
                "batch_size and dtype cannot be None while constructing initial state: "
                f"batch_size={batch_size}, dtype={dtype}. ({type(self).__name__} is for loops over time that a program writes; "
                "keras.layers.RNN takes cells of Keras.)"
            )
        return nest.map_structure(
            lambda size: zeros([batch_size, *([size] if isinstance(size, int) else size)], dtype), self.state_size
        )

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """Returns ``cell.zero_state(batch_size, dtype)``; cells of Keras have no such method."""
        return self.cell.zero_state(batch_size, dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, with the class and the configuration of the cell."""
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": self.dtype,
            "cell": {"class_name": type(self.cell).__name__, "config": self.cell.get_config()},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """Makes the wrapper of a configuration, with a new cell."""
        config = dict(config)
        cell_config = config.pop("cell")
        layer = getattr(importlib.import_module("fastgrad.keras.layers"), cell_config["class_name"], None)
        if isinstance(layer, type) and issubclass(layer, Layer):
            return cls(layer.from_config(cell_config["config"]), **config)
        return cls(deserialize_keras_object(cell_config, custom_objects), **config)

    def _function_config(self, key: str, function: Callable[..., Any]) -> dict[str, Any]:
        return {key: serialize_keras_object(function)}


def _function_of_config(config: dict[str, Any], key: str, custom_objects: dict[str, Any] | None) -> Any:
    """Returns the configuration with the function under ``key`` in place of its own configuration."""
    if not isinstance(config.get(key), dict):
        return config
    return {**config, key: deserialize_keras_object(config[key], custom_objects)}


class RNNCellResidualWrapper(_CellWrapper):
    """A cell whose inputs are added to its outputs.

    Args:
        cell: the cell.
        residual_fn: ``(inputs, outputs)`` -> outputs, in place of the sum.
        **kwargs: ``name``, ``dtype`` and ``trainable``.

    Raises:
        AttributeError: ``cell`` has no method ``call``.
        ValueError: at a call: inputs and outputs have different shapes, or structures.
    """

    _default_name = "residual_wrapper"

    def __init__(self, cell: Any, residual_fn: Callable[[Any, Any], Any] | None = None, **kwargs: Any) -> None:
        super().__init__(cell, **kwargs)
        self._residual_fn = residual_fn

    def _call_cell(self, inputs: Any, state: Any, **kwargs: Any) -> tuple[Any, Any]:
        outputs, new_state = super()._call_cell(inputs, state, **kwargs)
        return (self._residual_fn or _sum_of_equal_shapes)(inputs, outputs), new_state

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, with the class and the configuration of the cell."""
        function = self._residual_fn
        return super().get_config() | ({} if function is None else self._function_config("residual_fn", function))

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """Makes the wrapper of a configuration, with a new cell."""
        return super().from_config(_function_of_config(config, "residual_fn", custom_objects), custom_objects)


def _sum_of_equal_shapes(inputs: Any, outputs: Any) -> Any:
    def added(x: Tensor, y: Tensor) -> Tensor:
        if x.shape != y.shape:
            raise ValueError(
                f"RNNCellResidualWrapper: Shapes {tuple(x.shape)} of the inputs and {tuple(y.shape)} of the outputs are incompatible. "
                "Give a cell with as many units as the inputs have, or `residual_fn`."
            )
        return x + y

    nest.assert_same_structure(inputs, outputs)
    return nest.map_structure(added, inputs, outputs)


class RNNCellDeviceWrapper(_CellWrapper):
    """A cell that runs in ``tf.device(device)``.

    Args:
        cell: the cell.
        device: the name of a device, as for ``tf.device``.
        **kwargs: ``name``, ``dtype`` and ``trainable``.

    Raises:
        AttributeError: ``cell`` has no method ``call``.
    """

    _default_name = "device_wrapper"

    def __init__(self, cell: Any, device: Any, **kwargs: Any) -> None:
        super().__init__(cell, **kwargs)
        self._device = device

    def _call_cell(self, inputs: Any, state: Any, **kwargs: Any) -> tuple[Any, Any]:
        with placement.device(self._device):
            return super()._call_cell(inputs, state, **kwargs)

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """Returns ``cell.zero_state(batch_size, dtype)`` on the device."""
        with placement.device(self._device):
            return super().zero_state(batch_size, dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, with the class and the configuration of the cell."""
        return super().get_config() | {"device": self._device}


def _drops_all(state: Any) -> bool:
    """The default filter of states: dropout of all."""
    return True


class RNNCellDropoutWrapper(_CellWrapper):
    """A cell with dropout of its inputs, outputs and new states, at each call.

    Args:
        cell: the cell.
        input_keep_prob, output_keep_prob, state_keep_prob: the probability to keep an element, 1 for no dropout; numbers in
            [0, 1] or scalar tensors.
        variational_recurrent: whether all calls use the same random numbers, drawn once, for all rows (Gal and Ghahramani,
            "A Theoretically Grounded Application of Dropout in Recurrent Neural Networks").
        input_size: with ``variational_recurrent`` and dropout of inputs: the shape of an input without the batch dimension.
        dtype: with ``variational_recurrent``: the dtype of the random numbers.
        seed: an integer; inputs, states and outputs draw with seeds made of it.
        dropout_state_filter_visitor: a function of the states that returns which of them have dropout: a bool, or bools in the
            structure of the states; default all.
        **kwargs: ``name`` and ``trainable``.

    Raises:
        AttributeError: ``cell`` has no method ``call``.
        TypeError: ``dropout_state_filter_visitor`` is no function.
        ValueError: a probability outside of [0, 1], or ``dtype`` or ``input_size`` is missing.
    """

    _default_name = "dropout_wrapper"

    def __init__(
        self,
        cell: Any,
        input_keep_prob: Any = 1.0,
        output_keep_prob: Any = 1.0,
        state_keep_prob: Any = 1.0,
        variational_recurrent: bool = False,
        input_size: Any = None,
        dtype: Any = None,
        seed: int | None = None,
        dropout_state_filter_visitor: Callable[[Any], Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(cell, dtype=dtype, **kwargs)
        if dropout_state_filter_visitor is not None and not callable(dropout_state_filter_visitor):
            raise TypeError("dropout_state_filter_visitor must be callable")
        self._filter = dropout_state_filter_visitor or _drops_all
        self._input_keep_prob = _checked_probability("input_keep_prob", input_keep_prob)
        self._state_keep_prob = _checked_probability("state_keep_prob", state_keep_prob)
        self._output_keep_prob = _checked_probability("output_keep_prob", output_keep_prob)
        self._variational_recurrent = variational_recurrent
        self._input_size = input_size
        self._seed = seed
        self._noise: dict[str, list[Tensor]] = {}
        if variational_recurrent:
            if dtype is None:
                raise ValueError("When variational_recurrent=True, dtype must be provided")
            if _may_drop(self._input_keep_prob):
                if input_size is None:
                    raise ValueError(
                        "When variational_recurrent=True and input_keep_prob < 1.0 or is unknown, input_size must be provided"
                    )
                self._noise["input"] = self._draw_noise("input", [input_size])
            self._noise["state"] = self._draw_noise("state", nest.flatten(cell.state_size))
            self._noise["output"] = self._draw_noise("output", [cell.output_size])

    @property
    def wrapped_cell(self) -> Any:
        """The wrapped cell."""
        return self.cell

    def _draw_noise(self, kind: str, sizes: list[Any]) -> list[Tensor]:
        """Returns a random number in [0, 1) for each element of a row; the rows share them."""
        shapes = [[size] if isinstance(size, int) else list(TensorShape(size)) for size in sizes]
        return [uniform([1, *shape], dtype=self.dtype, seed=self._seed_of(kind, i)) for i, shape in enumerate(shapes)]

    def _seed_of(self, kind: str, index: int) -> int | None:
        """Returns the seed of one of the tensors, as TensorFlow makes it of ``seed``."""
        if self._seed is None:
            return None
        digest = hashlib.md5(f"{self._seed}{kind}_{index}".encode(), usedforsecurity=False).hexdigest()
        return int(digest[:8], 16) & 0x7FFFFFFF

    def _drop(self, kind: str, values: Any, keep_probability: Any, is_dropped: list[Any]) -> Any:
        """Returns the values with dropout of those that ``is_dropped`` says."""
        if not _may_drop(keep_probability):
            return values
        results = []
        for i, (value, drops) in enumerate(zip(nest.flatten(values), is_dropped, strict=True)):
            if not drops:
                results.append(value)
            elif self._variational_recurrent:
                keep = cast(keep_probability, value.dtype)
                kept = floor(keep + cast(self._noise[kind][i], value.dtype))
                results.append(value / keep * kept)
            else:
                results.append(dropout(value, 1.0 - keep_probability, seed=self._seed_of(kind, i)))
        return nest.pack_sequence_as(values, results)

    def _call_cell(self, inputs: Any, state: Any, **kwargs: Any) -> tuple[Any, Any]:
        inputs = self._drop("input", inputs, self._input_keep_prob, [True] * len(nest.flatten(inputs)))
        output, new_state = super()._call_cell(inputs, state, **kwargs)
        states = nest.flatten(new_state)
        if _may_drop(self._state_keep_prob):
            new_state = self._drop(
                "state", new_state, self._state_keep_prob, self._dropped_states(new_state, len(states))
            )
        return self._drop("output", output, self._output_keep_prob, [True] * len(nest.flatten(output))), new_state

    def _dropped_states(self, new_state: Any, count: int) -> list[Any]:
        """Returns for each state whether it has dropout."""
        answer = self._filter(new_state)
        if not isinstance(answer, bool):
            return list(nest.flatten(answer))
        if not answer or not nest.is_nested(new_state):
            return [answer] * count
        items = new_state.values() if isinstance(new_state, dict) else new_state
        return [drops for item in items for drops in self._dropped_states(item, len(nest.flatten(item)))]

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, with the class and the configuration of the cell."""
        config = super().get_config() | {
            "input_keep_prob": self._input_keep_prob,
            "output_keep_prob": self._output_keep_prob,
            "state_keep_prob": self._state_keep_prob,
            "variational_recurrent": self._variational_recurrent,
            "input_size": self._input_size,
            "seed": self._seed,
        }
        if self._filter is not _drops_all:
            config |= self._function_config("dropout_state_filter_visitor", self._filter)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """Makes the wrapper of a configuration, with a new cell."""
        config = _function_of_config(config, "dropout_state_filter_visitor", custom_objects)
        return super().from_config(config, custom_objects)


def _checked_probability(name: str, value: Any) -> Any:
    """Returns a number as a float, and another scalar tensor as it is; ValueError outside of [0, 1]."""
    if isinstance(value, (Tensor, Variable)) and not hasattr(value, "numpy"):
        return value
    number = (
        float(convert_to_tensor(value, dtypes.float32).numpy()) if not isinstance(value, (int, float)) else float(value)
    )
    if math.isnan(number) or not 0 <= number <= 1:
        raise ValueError(f"RNNCellDropoutWrapper: Parameter {name} must be between 0 and 1: {number}")
    return number


def _may_drop(keep_probability: Any) -> bool:
    return not isinstance(keep_probability, float) or keep_probability < 1
