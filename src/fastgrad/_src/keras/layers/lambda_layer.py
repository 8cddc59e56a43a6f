"""``Lambda``: a user's function as a layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.masks import any_mask_flag
from fastgrad._src.keras.saving.objects import (
    deserialize_keras_object,
    is_lambda,
    lambda_parts,
    serialize_keras_object,
)
from fastgrad._src.keras.saving.registration import SafeModeScope, in_safe_mode


class Lambda(Layer):
    """A layer that calls the user's function. It has no weights, and does not track weights that the function uses.

    Args:
        function: a function of the input; it may also take ``mask`` and ``training``.
        output_shape: the shape of the result without the batch, or a function of the input's shape. Default: the shape is
            inferred by a run on zeros.
        mask: the mask of the result, or a function of the input and its mask.
        arguments: further keyword arguments of the function.
        **kwargs: as in ``Layer``.

    Example:
        >>> tf.keras.layers.Lambda(lambda x: 2 * x)(tf.constant([1.0, 2.0])).numpy()
        array([2., 4.], dtype=float32)
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
        keyword_arguments = dict(self.arguments)
        keyword_arguments.update(
            {name: value for name, value in (("mask", mask), ("training", training)) if name in self._wanted}
        )
        return self.function(inputs, **keyword_arguments)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return self.mask(inputs, previous_mask) if callable(self.mask) else self.mask

    def compute_output_shape(self, input_shape: Any) -> Any:
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
