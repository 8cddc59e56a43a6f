"""Layer configurations, which hold the arguments of a layer's constructor."""

from __future__ import annotations

import inspect
from typing import Any

from fastgrad._src.core import nest
from fastgrad._src.keras import activations, dtype_policy, regularizers
from fastgrad._src.keras.configured import Configured
from fastgrad._src.keras.saving.objects import serialize_keras_object


class LayerConfiguration(Configured):
    """The part of ``Layer`` that makes a configuration from a layer, and a layer from a configuration."""

    name: str
    activity_regularizer: Any
    trainable: bool
    _policy: Any
    _arguments: tuple[tuple[Any, ...], dict[str, Any]]

    def get_config(self) -> dict[str, Any]:
        """The configuration from which ``from_config`` makes the layer again, without its weights.

        A subclass with its own arguments overrides this method and adds them to ``super().get_config()``. Plain
        arguments (numbers, strings, booleans and lists of them) need no override.

        Raises:
            NotImplementedError: an argument is not plain.
        """
        graph_config = self._config_of_layer_graph()
        if graph_config is not None:
            return graph_config
        kind = type(self)
        base_config: dict[str, Any] = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": serialize_keras_object(self._policy),
        }
        if self.activity_regularizer is not None:
            base_config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        if kind.get_config is not LayerConfiguration.get_config or _same_arguments_as_base(kind):
            return base_config
        plain_arguments = self._serializable_arguments()
        return {
            **{name: value for name, value in base_config.items() if _accepts_argument(kind, name)},
            **plain_arguments,
        }

    def _config_of(self, names: tuple[str, ...]) -> dict[str, Any]:
        """The attributes ``names``, with activations, initializers, regularizers and constraints as plain values."""
        return {name: _serialized_argument(name, getattr(self, name)) for name in names}

    def _config_of_layer_graph(self) -> dict[str, Any] | None:
        """Returns the configuration of a model made from layers; None for objects defined by their arguments."""
        return None

    def _serializable_arguments(self) -> dict[str, Any]:
        """The arguments given to ``__init__``; NotImplementedError if some are not plain."""
        args, kwargs = self._arguments
        signature = inspect.signature(type(self).__init__)
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        plain_arguments: dict[str, Any] = {}
        for name, value in list(bound.arguments.items())[1:]:
            kind = signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_KEYWORD:
                plain_arguments.update(value)
            elif kind is inspect.Parameter.POSITIONAL_ONLY or (kind is inspect.Parameter.VAR_POSITIONAL and value):
                raise self._missing_get_config_error()
            elif kind is not inspect.Parameter.VAR_POSITIONAL:
                plain_arguments[name] = value
        for name in ("name", "trainable", "dtype"):  # the layer's attributes hold the current values
            plain_arguments.pop(name, None)
        if not all(item is None or isinstance(item, (str, int, float, bool)) for item in nest.flatten(plain_arguments)):
            raise self._missing_get_config_error()
        return plain_arguments

    def _missing_get_config_error(self) -> NotImplementedError:
        return NotImplementedError(
            f"Object {type(self).__name__} was created by passing non-serializable argument values in `__init__()`, and "
            "therefore the object must override `get_config()` in order to be serializable. Please implement "
            "`get_config()`: return {**super().get_config(), 'my_argument': self.my_argument}."
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Makes the layer from ``config``, with new weights; TypeError if the class's ``__init__`` does not take the configuration."""
        try:
            if isinstance(config.get("dtype"), dict):  # a user's class gets the policy's name
                config = {**config, "dtype": dtype_policy.get(config["dtype"]).name}
            return cls(**config)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"Error when deserializing class '{cls.__name__}' using config={_shortened_text(config)}.\n\n"
                f"Exception encountered: {_shortened_text(error)}"
            ) from error


def _serialized_argument(name: str, value: Any) -> Any:
    if name.endswith("activation"):
        return activations.serialize(value)
    return serialize_keras_object(value) if name.endswith(("_initializer", "_regularizer", "_constraint")) else value


def _shortened_text(value: Any) -> str:
    """The text of ``value``; for a very long text, such as that of nested layers, its start and end."""
    text = str(value)
    return text if len(text) <= 2000 else f"{text[:1000]} … {text[-1000:]}"


def _same_arguments_as_base(kind: type) -> bool:
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]  # type: ignore[misc]
    base = {"activity_regularizer", "trainable", "dtype", "autocast", "name"}
    return all(p.name in base or p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters) and any(
        p.name == "dtype" or p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters
    )


def _accepts_argument(kind: type, name: str) -> bool:
    parameters = inspect.signature(kind.__init__).parameters  # type: ignore[misc]
    return name in parameters or any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
