"""Weights that both libraries are given."""

from typing import Any

import numpy as np


def with_weights(layer: Any) -> Any:
    """The layer, or model, with weights that follow from their places and shapes alone; none is negative."""
    layer.set_weights(
        [
            (0.5 * np.cos(np.arange(int(np.prod(w.shape))) * 1.3 + place)).reshape(tuple(w.shape)) ** 2
            for place, w in enumerate(layer.weights)
        ]
    )
    return layer


def with_signed_weights(model: Any) -> Any:
    """The model with such weights of both signs."""
    model.set_weights(
        [
            0.5 * np.cos(np.arange(int(np.prod(w.shape)), dtype=np.float64) * 1.3 + place).reshape(tuple(w.shape))
            for place, w in enumerate(model.weights)
        ]
    )
    return model
