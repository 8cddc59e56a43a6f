"""``Model``: a layer of layers that can be saved."""

from __future__ import annotations

from typing import Any

from fastgrad.errors import UnimplementedError
from fastgrad.keras.layers.layer import Layer
from fastgrad.keras.saving import model_files
from fastgrad.keras.training.trainer import Trainer


class Model(Trainer, Layer):
    """The base of models: subclasses make layers in ``__init__`` and use them in ``call(inputs)``.

    Args:
        trainable, dtype, name, ...: as in ``Layer``.

    Raises:
        UnimplementedError: ``inputs`` and ``outputs``, as for a functional model.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args or {"inputs", "outputs"} & kwargs.keys():
            raise UnimplementedError(
                "Model(inputs, outputs): functional models are not there yet; use keras.Sequential, or subclass keras.Model "
                "and write `call`."
            )
        super().__init__(**kwargs)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The model's computation; subclasses write it. It gets tensors, and ``training`` if that is a parameter."""
        raise NotImplementedError(f"Model {type(self).__name__} does not have a `call()` method implemented.")

    @property
    def layers(self) -> list[Any]:
        """The layers set as attributes, also in lists and dicts, in the order in which they were set."""
        return list(self._sublayers)

    @layers.setter
    def layers(self, _: Any) -> None:
        raise AttributeError("`Model.layers` attribute is reserved and should not be used. Please use another name.")

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """One of ``layers``, by name or by position.

        Raises:
            ValueError: there is none, or not exactly one of the two is given.
        """
        layers = self.layers
        if (name is None) == (index is None):
            raise ValueError(f"Provide either a layer name or a layer index. Received: index={index}, name={name}.")
        if index is not None:
            if index >= len(layers):
                raise ValueError(
                    f"Was asked to retrieve layer at index {index} but model only has {len(layers)} layers."
                )
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise ValueError(f"No such layer: {name}. Existing layers are: {[layer.name for layer in layers]}.")

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Writes the weights to a ``.safetensors`` or ``.npz`` file; see ``keras.saving.save_weights``."""
        model_files.save_weights(self, filepath, overwrite)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False) -> None:
        """Takes the weights of a file, all or none; see ``keras.saving.load_weights``."""
        model_files.load_weights(self, filepath, skip_mismatch)

    def save(self, filepath: Any, overwrite: bool = True, **options: Any) -> None:
        """Writes configuration and weights to a ``.safetensors`` or ``.npz`` file; see ``keras.models.save_model``."""
        model_files.save_model(self, filepath, overwrite, **options)

    def to_json(self, **options: Any) -> str:
        """The configuration as JSON text, for ``keras.models.model_from_json``; ``options`` are those of ``json.dumps``."""
        return model_files.model_to_json(self, **options)
