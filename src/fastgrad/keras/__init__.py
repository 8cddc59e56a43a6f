"""``tf.keras``: layers, models, losses, metrics and optimizers. Each namespace is imported when first used."""

from __future__ import annotations

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.version import KERAS_VERSION as __version__  # noqa: F401, N811

_NAMESPACES = frozenset(
    [
        "activations",
        "backend",
        "callbacks",
        "config",
        "constraints",
        "datasets",
        "export",
        "initializers",
        "layers",
        "losses",
        "metrics",
        "mixed_precision",
        "models",
        "ops",
        "optimizers",
        "preprocessing",
        "random",
        "regularizers",
        "saving",
        "tree",
        "utils",
    ]
)

_MODULE_OF_NAME: dict[str, str | tuple[str, str | None]] = {
    "DTypePolicy": "keras.dtype_policy",
    "Functional": "keras.models.functional",
    "Initializer": "keras.initializers",
    "Input": "keras.layers.input_layer",
    "InputSpec": "keras.layers.input_spec",
    "KerasTensor": "keras.layers.symbolic",
    "Layer": "keras.layers.layer",
    "Loss": "keras.losses.loss",
    "Metric": "keras.metrics.metric",
    "Model": "keras.models.model",
    "Optimizer": "keras.optimizers.optimizer",
    "Regularizer": "keras.regularizers",
    "Sequential": "keras.models.sequential",
    "Variable": ("keras.weight", "Weight"),
    "name_scope": "keras.naming",
}

__getattr__, __dir__ = _namespace_hooks("tf.keras", globals(), _MODULE_OF_NAME, _NAMESPACES)
