"""Models and weights in ``.safetensors`` and ``.npz`` files: whole or not at all, both ways."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np

from fastgrad.keras.saving.objects import deserialize_keras_object, serialize_keras_object
from fastgrad.storage.object_graph import check_fit, named_variables
from fastgrad.storage.tensor_file import checked_ending, load_tensors, save_tensors

_MODEL = "fastgrad.model"


def save_weights(model: Any, filepath: Any, overwrite: bool = True) -> None:
    """Writes the weights of a model or layer, under names that say where they are (``layers/dense/kernel``).

    Args:
        model: built.
        filepath: ends in ``.safetensors`` or ``.npz``.
        overwrite: whether a file of this name may be replaced.

    Raises:
        ValueError: another ending, or a model that has no weights yet.
        OSError: the file could not be written; an old one is untouched. (FileExistsError: there is one,
            and ``overwrite`` is False.)
    """
    checked_ending(filepath)
    save_tensors(filepath, _values(model), {}, overwrite)


def _values(model: Any) -> dict[str, np.ndarray]:
    if not model.built:
        raise ValueError(
            f"The model '{model.name}' has no weights to save: it isn't built. Call it on data, or `model.build(input_shape)`."
        )
    return {name: variable._array for name, variable in named_variables(model).items()}


def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False) -> None:
    """Gives a model or layer the weights of a file, all of them, or none if something does not fit.

    Args:
        model: built, of the same structure as the one that was saved.
        filepath: as in ``save_weights``.
        skip_mismatch: whether weights that are missing, extra or of another shape are left out, with a warning.

    Raises:
        ValueError: another ending, a damaged file, names, shapes or dtypes that are not the model's.
        OSError: the file could not be read.
    """
    values, _ = load_tensors(filepath)
    _assign(model, values, skip_mismatch, f"{filepath}")


def _assign(model: Any, values: dict[str, np.ndarray], skip_mismatch: bool, source: str) -> None:
    if not model.built:
        raise ValueError(
            f"You are loading weights into model '{model.name}', which isn't built: it has no weights yet. "
            "Call it on data, or `model.build(input_shape)`, before you load."
        )
    variables = named_variables(model)
    missing, extra = sorted(variables.keys() - values.keys()), sorted(values.keys() - variables.keys())
    if skip_mismatch:
        fitting = {
            name: value
            for name, value in values.items()
            if name in variables and value.shape == variables[name]._array.shape
        }
        skipped = sorted((variables.keys() | values.keys()) - fitting.keys())
        if skipped:
            warnings.warn(
                f"load_weights: {source} does not fit '{model.name}' at {skipped}; these are skipped.", stacklevel=3
            )
        values = fitting
    elif missing or extra:
        raise ValueError(
            f"The weights in {source} are not those of '{model.name}'. "
            f"Missing in the file: {missing or 'none'}; not in the model: {extra or 'none'}. Nothing has been changed."
        )
    check_fit(variables, values)
    for name, value in values.items():
        variables[name].assign(value)


def save_model(model: Any, filepath: Any, overwrite: bool = True, **options: Any) -> None:
    """Writes a model's configuration and weights.

    Args:
        model: built; its layers have a ``get_config``.
        filepath: ends in ``.safetensors`` or ``.npz``.
        overwrite: whether a file of this name may be replaced.
        **options: ``zipped`` of Keras's signature, which changes nothing.

    Raises:
        ValueError: another ending, a model that is not built, a lambda in its configuration.
        TypeError, NotImplementedError: a layer cannot say how to make it again.
        OSError: the file could not be written; an old one is untouched.
    """
    if options.keys() - {"zipped"}:
        raise ValueError(f"save_model: unknown arguments {sorted(options.keys() - {'zipped'})}.")
    checked_ending(filepath)
    save_tensors(filepath, _values(model), {_MODEL: model_to_json(model)}, overwrite)


def load_model(
    filepath: Any, custom_objects: dict[str, Any] | None = None, compile: bool = True, safe_mode: bool = True
) -> Any:
    """The model that ``save_model`` wrote, with its weights. No code is run but the constructors of known classes.

    Args:
        filepath: as in ``save_model``.
        custom_objects: the program's own classes and functions by name, unless they are registered.
        compile, safe_mode: kept for Keras's signature.

    Raises:
        ValueError: another ending, a damaged file, one that holds weights only, weights that are not those of the model.
        TypeError: a class that is not known.
        OSError: the file could not be read.
    """
    values, texts = load_tensors(filepath)
    if _MODEL not in texts:
        raise ValueError(
            f"{filepath} holds weights but no model: make the model first, then call `model.load_weights(filepath)`."
        )
    model = model_from_json(texts[_MODEL], custom_objects)
    _assign(model, values, False, f"{filepath}")
    return model


def model_to_json(model: Any, **options: Any) -> str:
    """A model's configuration as JSON text; ``options`` are those of ``json.dumps``."""
    return json.dumps(serialize_keras_object(model), **options)


def model_from_json(json_string: str, custom_objects: dict[str, Any] | None = None) -> Any:
    """A new model from ``model.to_json()``; its weights are new, too.

    Raises:
        ValueError: the text is no JSON.
        TypeError: a class in it is not known.
    """
    return deserialize_keras_object(json.loads(json_string), custom_objects)
