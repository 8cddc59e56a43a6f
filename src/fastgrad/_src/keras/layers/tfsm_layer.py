"""``TFSMLayer``: a function of a SavedModel as a layer."""

from __future__ import annotations

import os
from typing import Any

from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.saving.registration import in_safe_mode


class TFSMLayer(Layer):
    """A layer that calls a function of a SavedModel, which ``Model.export`` wrote here or in TensorFlow.

    The variables that the function uses are the weights of the layer, so it can be trained. A saved model has the path of the folder,
    not its files.

    Args:
        filepath: the folder of the SavedModel.
        call_endpoint: an attribute of the loaded object, or the name of a signature, such as ``"serving_default"``.
        call_training_endpoint: the one that is called with ``training=True``; default ``call_endpoint``.
        trainable: whether the weights are trained.
        name, dtype: as in ``Layer``.

    Call arguments:
        inputs: what the function takes: a tensor, or a list or dict of tensors.
        training: chooses the function.
        **kwargs: further arguments of the function.

    Raises:
        ValueError: the SavedModel has no such endpoint, or can't be read (see ``tf.saved_model.load``).
    """

    _config_names = ("filepath", "call_endpoint", "call_training_endpoint")

    def __init__(
        self,
        filepath: Any,
        call_endpoint: str = "serve",
        call_training_endpoint: str | None = None,
        trainable: bool = True,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        from fastgrad._src.files.saved_model import load  # not at the top: Keras does not need it

        super().__init__(trainable=trainable, name=name, dtype=dtype)
        loaded = load(filepath)
        self.filepath = os.fspath(filepath)
        self.call_endpoint, self.call_training_endpoint = call_endpoint, call_training_endpoint
        endpoints = [name for name in (call_endpoint, call_training_endpoint) if name]
        self._endpoints = {name: _endpoint(loaded, name, self.filepath) for name in endpoints}
        for function in self._endpoints.values():
            for variable in [variable for entry in function.entries for variable in entry.variables()]:
                self._track_object(variable)
        self.trainable = trainable
        self._build_at_init()

    def call(self, inputs: Any, training: bool = False, **kwargs: Any) -> Any:
        name = self.call_training_endpoint if training and self.call_training_endpoint else self.call_endpoint
        return self._endpoints[name](inputs, **kwargs)

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None, safe_mode: bool | None = None
    ) -> Any:
        """Makes the layer from ``config``; ValueError unless ``safe_mode`` is False: the configuration names a folder that is read then."""
        if (in_safe_mode() if safe_mode is None else safe_mode) is not False:
            raise ValueError(
                "A `TFSMLayer` loads an external SavedModel, so it is disallowed. If you trust it, "
                "give `safe_mode=False` to the function."
            )
        return cls(**config)


def _endpoint(loaded: Any, name: str, filepath: str) -> Any:
    function = getattr(loaded, name, None)
    function = loaded.signatures.get(name) if function is None else function
    if not hasattr(function, "entries"):
        known = list(loaded.signatures)
        raise ValueError(f"{filepath} has no endpoint '{name}'. Give one of {known} as `call_endpoint`.")
    return function
