"""``keras.layers.serialize`` and ``keras.layers.deserialize``."""

from __future__ import annotations

import importlib
from typing import Any

from fastgrad._src.core.argument_checks import require
from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.saving.objects import deserialize_keras_object, serialize_keras_object


def serialize(layer: Layer) -> dict[str, Any]:
    """Returns the configuration of ``layer`` as plain values."""
    return serialize_keras_object(layer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """Makes a layer from a configuration; ValueError if it is the configuration of another object."""
    public_names = vars(importlib.import_module("fastgrad.keras.layers"))
    layer = deserialize_keras_object(config, custom_objects, module_objects=public_names)
    require(isinstance(layer, Layer), "keras.layers.deserialize", "`config` must be that of a layer", config=config)
    return layer
