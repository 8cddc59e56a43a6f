"""``Wrapper``: the base of layers that wrap another layer."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.argument_checks import require
from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.saving.objects import deserialize_keras_object, serialize_keras_object


class Wrapper(Layer):
    """The base of layers that change how another layer is used; subclasses write ``call``.

    Args:
        layer: the wrapped layer.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: ``layer`` is not a layer.
    """

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        require(isinstance(layer, Layer), self, "`layer` must be a keras.layers.Layer", layer=layer)
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape: Any = None) -> None:
        """Builds the wrapped layer."""
        if not self.layer.built:
            self.layer.build(input_shape)
            self.layer.built = True

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layer": serialize_keras_object(self.layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        config = dict(config)
        return cls(deserialize_keras_object(config.pop("layer"), custom_objects), **config)
