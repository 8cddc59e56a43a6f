"""Models and weights in files: ``.safetensors``, ``.npz``, and Keras's own; saving and loading are all or nothing."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_type, checked_path, require
from fastgrad._src.core.damaged_file import error_message, parser_errors_as_one
from fastgrad._src.core.dtypes import as_dtype
from fastgrad._src.core.object_graph import mismatch_messages, named_variables
from fastgrad._src.core.placement import move_to_device
from fastgrad._src.core.replicas import ALONE
from fastgrad._src.core.variable import Variable
from fastgrad._src.files.formats import tensor_file
from fastgrad._src.files.formats.hdf5_file import h5py_module
from fastgrad._src.files.formats.json_text import parse_json
from fastgrad._src.files.formats.tensor_file import load_tensors, save_tensors
from fastgrad._src.jit.user_lines import warn
from fastgrad._src.keras.saving import keras_archive, legacy_h5
from fastgrad._src.keras.saving.assets import load_assets, saved_assets
from fastgrad._src.keras.saving.keras_names import VariablesByKerasName, keras_variables
from fastgrad._src.keras.saving.objects import deserialize_keras_object, serialize_keras_object
from fastgrad._src.keras.saving.registration import CustomObjectScope, SafeModeScope, in_safe_mode
from fastgrad._src.keras.saving.sharing import LayerSharing
from fastgrad._src.keras.weight import MemoryLimit, memory_limit
from fastgrad._src.ops.replica_messages import average_on_read, run_on_first_replica

_CONFIG_KEY = "fastgrad.model"
_TEXT_PREFIX = "fastgrad.text/"
_ASSET_PREFIX = "fastgrad.asset/"
_OPTIMIZER_PREFIX = "optimizer/"
_INNER_OPTIMIZERS_PREFIX = "layers_optimizer/"


def _has_keras_ending(path: Any, endings: tuple[str, ...]) -> bool:
    """True if the ending is that of a Keras file; ValueError if it is none of ``endings``."""
    name = checked_path("A model's file", "filepath", path)
    if not name.endswith(endings) or (name.endswith(".weights.h5") and ".weights.h5" not in endings):
        raise ValueError(f"The names of such files end in {', '.join(endings[:-1])} or {endings[-1]}, got {name!r}.")
    return name.endswith(keras_archive.ENDINGS)


_WEIGHT_ENDINGS = (".weights.h5", *tensor_file.ENDINGS)
_MODEL_ENDINGS = (".keras", ".h5", ".hdf5", *tensor_file.ENDINGS)


def _is_legacy_h5(path: Any) -> bool:
    name = checked_path("A model's file", "filepath", path)
    return name.endswith((".h5", ".hdf5")) and not name.endswith(".weights.h5")


def _check_model_argument(name: str, model: Any) -> None:
    """Raises TypeError if ``model`` is not a layer."""
    from fastgrad._src.keras.layers.layer import Layer

    require(isinstance(model, Layer), name, "`model` must be a model or a layer", TypeError, model=model)


def check_path(filepath: Any, weights_only: bool) -> None:
    """Checks that models, or weights alone, can be saved under the name ``filepath``.

    Raises:
        ValueError: another ending.
        ImportError: a Keras file, and h5py is not installed.
    """
    if _has_keras_ending(filepath, _WEIGHT_ENDINGS if weights_only else _MODEL_ENDINGS) or _is_legacy_h5(filepath):
        h5py_module()


def save_weights(model: Any, filepath: Any, overwrite: bool = True) -> None:
    """Writes the weights of a model or layer; if the model is compiled, also the optimizer's state.

    Args:
        model: a built model or layer.
        filepath: ends in ``.safetensors`` or ``.npz``, where names are paths of weights (``layers/dense/kernel``), or in
            ``.weights.h5``, which Keras reads.
        overwrite: whether a file of this name may be replaced.

    Raises:
        ValueError: another ending, or the model has no weights yet.
        TypeError: ``model`` is not a layer, or ``filepath`` is not a path.
        ImportError: a ``.weights.h5`` file, and h5py is not installed.
        OSError: the file could not be written; an older file is unchanged. (FileExistsError: the file exists and
            ``overwrite`` is False.)
    """
    _check_model_argument("save_weights", model)
    require(model.built, "save_weights", f"'{model.name}' has not yet been built. Call it, or `build(input_shape)`")
    is_keras = _has_keras_ending(filepath, _WEIGHT_ENDINGS)
    _write_on_first_replica(model, lambda: _write_model_file(model, filepath, is_keras, None, overwrite))


def _write_on_first_replica(model: Any, write: Callable[[], None]) -> None:
    """Writes the file of a model; in a model of a strategy's scope, the first replica writes, and the others wait."""
    group = getattr(model, "_replicas", ALONE)
    optimizer = getattr(model, "optimizer", None)
    average_on_read(group, [*model.weights, *(() if optimizer is None else optimizer.variables)])
    with _whole_slots(model):
        run_on_first_replica(group, write)


@contextlib.contextmanager
def _whole_slots(model: Any, is_loaded: bool = False) -> Iterator[None]:
    """Replaces the sharded optimizer of a model by one that has all slots, as files hold them, in a `with` statement.

    Args:
        model: all processes give it.
        is_loaded: whether the sharded optimizer takes what is assigned to the slots.
    """
    owner, name = model.__dict__, "optimizer"
    while (optimizer := owner.get(name)) is not None and not hasattr(optimizer, "unsharded"):
        owner, name = optimizer.__dict__, "inner_optimizer"
    if optimizer is None:
        yield
        return
    owner[name] = whole = optimizer.unsharded()
    try:
        yield
        if is_loaded:
            optimizer.set_from_unsharded(whole)
    finally:
        owner[name] = optimizer


def _write_model_file(model: Any, path: Any, is_keras: bool, config: str | None, overwrite: bool) -> None:
    contents = _variables_by_stored_name(model, is_keras)
    values = {name: move_to_device(variable._array, None) for name, variable in contents.variables.items()}
    for prefix, layer in contents.stores.items():
        store: dict[str, Any] = {}
        layer.save_own_variables(store)
        values.update({prefix + name: np.asarray(value) for name, value in store.items()})
    texts = {prefix + name: t for prefix, layer in contents.texts.items() for name, t in layer._saved_texts().items()}
    is_weights_h5 = is_keras and config is None
    assets = {} if is_weights_h5 else saved_assets(contents.assets)
    if is_keras:
        keras_archive.write_keras_file(path, values, contents.groups, config or "", {**texts, **assets}, overwrite)
    else:
        metadata = {} if config is None else {_CONFIG_KEY: config}
        metadata |= {_TEXT_PREFIX + name: text for name, text in texts.items()}
        # A character for each byte: these files hold texts.
        metadata |= {_ASSET_PREFIX + name: asset.decode("latin-1") for name, asset in assets.items()}
        save_tensors(path, values, metadata, overwrite)


def _variables_by_stored_name(model: Any, is_keras_format: bool) -> VariablesByKerasName:
    """Returns the contents of a model and its optimizer by their names in files."""
    if is_keras_format:
        return keras_variables(model)
    contents = named_variables(model)
    prefixes = []
    for place, layer in enumerate(model._flatten_layers()):  # the model is the first
        optimizer = layer.__dict__.get("optimizer")
        if optimizer is not None and hasattr(layer, "compile_from_config"):
            prefixes.append(f"{_INNER_OPTIMIZERS_PREFIX}{place}/" if place else _OPTIMIZER_PREFIX)
            contents.update({prefixes[-1] + name: variable for name, variable in named_variables(optimizer).items()})
    names = ("_saved_texts", "save_assets", "load_assets")
    has_files = any(hasattr(layer, name) for layer in model._flatten_layers() for name in names)
    texts, assets = keras_variables(model)[-2:] if has_files else ({}, {})
    inner = tuple(prefix for prefix in prefixes if prefix != _OPTIMIZER_PREFIX)
    return VariablesByKerasName(
        contents,
        {},
        (*inner, _INNER_OPTIMIZERS_PREFIX),
        {f"{prefix}vars/": layer for prefix, layer in texts.items()},
        texts,
        assets,
    )


def _read_model_file(path: Any, is_keras: bool) -> tuple[dict[str, np.ndarray], Any, dict[str, bytes]]:
    if is_keras:
        return keras_archive.read_keras_file(path)
    values, texts = load_tensors(path)
    with parser_errors_as_one(path, "file of a model"):
        config = parse_json(texts[_CONFIG_KEY]) if _CONFIG_KEY in texts else None
        encodings = {_TEXT_PREFIX: "utf-8", _ASSET_PREFIX: "latin-1"}
        return (
            values,
            config,
            {
                key.removeprefix(prefix): text.encode(encoding)
                for prefix, encoding in encodings.items()
                for key, text in texts.items()
                if key.startswith(prefix)
            },
        )


def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False, by_name: bool = False) -> None:
    """Loads all weights of a file into a model or layer; loads none if something does not fit.

    If the model is compiled and its optimizer has the same variables, the optimizer's state is loaded too.

    Args:
        model: a built model with the structure of the saved one.
        filepath: as in ``save_weights`` and ``save_model``.
        skip_mismatch: whether weights that are missing, extra or of another shape are skipped, with a warning.
        by_name: whether layers get the weights of layers with the same name in an ``.h5`` file of a model. Layers and weights without
            a counterpart, and the optimizer, do not change.

    Raises:
        ValueError: another ending; ``by_name`` for a file that is no ``.h5``; a damaged file; names, shapes or dtypes differ (the error lists all).
        TypeError: ``model`` is not a layer, or ``filepath`` is not a path.
        ImportError: a Keras file, and h5py is not installed.
        OSError: the file could not be read.
    """
    _check_model_argument("load_weights", model)
    if _is_legacy_h5(filepath):
        with _whole_slots(model, is_loaded=True):
            _assign_legacy(model, legacy_h5.read_legacy_h5(filepath), skip_mismatch, f"{filepath}", by_name)
        return
    require(not by_name, "load_weights", "`by_name` only supports legacy '.h5' or '.hdf5' files", filepath=filepath)
    is_keras = _has_keras_ending(filepath, (*keras_archive.ENDINGS, *tensor_file.ENDINGS))
    values, _, files = _read_model_file(filepath, is_keras)
    with _whole_slots(model, is_loaded=True):
        _assign_values(model, values, files, is_keras, skip_mismatch, f"{filepath}")


def _assign_legacy(
    model: Any, saved: legacy_h5.LegacyModelContents, skip_mismatch: bool, source: str, by_name: bool = False
) -> None:
    _check_built(model, saved.values, (legacy_h5.OPTIMIZER_PREFIX,))
    if by_name:
        variables = legacy_h5.variables_of_named_layers(model, saved, skip_mismatch, source)
    else:
        variables = legacy_h5.variables_by_file_name(model, saved)
    values = {
        name: _cast_to_variable(value, variables.get(name))
        for name, value in saved.values.items()
        if name in variables or not by_name
    }
    _assign_named(model, variables, values, (legacy_h5.OPTIMIZER_PREFIX,), skip_mismatch, source)


def _check_built(model: Any, values: dict[str, np.ndarray], optimizers: tuple[str, ...]) -> None:
    """Raises ValueError if there are weights for a model that has no weights yet."""
    if not model.built and not all(name.startswith(optimizers) for name in values):
        raise ValueError(f"Model '{model.name}' isn't built. Call it, or `model.build(input_shape)`, before you load.")


def _assign_values(
    model: Any,
    values: dict[str, np.ndarray],
    files: dict[str, bytes],
    is_keras: bool,
    skip_mismatch: bool,
    source: str,
) -> None:
    variables, _, optimizers, owners, layers_with_texts, layers_with_assets = _variables_by_stored_name(model, is_keras)
    stores = {
        prefix: {name.removeprefix(prefix): values.pop(name) for name in list(values) if name.startswith(prefix)}
        for prefix in owners
    }
    _check_built(model, values, (_OPTIMIZER_PREFIX, *optimizers))
    if is_keras:
        values = {name: _cast_to_variable(value, variables.get(name)) for name, value in values.items()}
    _assign_named(model, variables, values, (_OPTIMIZER_PREFIX, *optimizers), skip_mismatch, source)
    for prefix, store in stores.items():
        if store or not prefix.startswith((_OPTIMIZER_PREFIX, *optimizers)):  # a file may have no optimizer
            owners[prefix].load_own_variables(store)
    for prefix, layer in layers_with_texts.items():
        own_files = {name.removeprefix(prefix): file for name, file in files.items() if name.startswith(prefix)}
        layer._load_texts({name: file.decode() for name, file in own_files.items() if name.endswith(".txt")})
    load_assets(layers_with_assets, files)


def _assign_named(
    model: Any,
    variables: dict[str, Variable],
    values: dict[str, np.ndarray],
    optimizers: tuple[str, ...],
    skip_mismatch: bool,
    source: str,
) -> None:
    """Assigns all values or none; those of an optimizer (names begin with one of ``optimizers``) only if they fit."""
    states = [(_pop_prefixed(values, prefix), _pop_prefixed(variables, prefix), prefix) for prefix in optimizers]
    missing_names, unknown_names = sorted(variables.keys() - values.keys()), sorted(values.keys() - variables.keys())
    mismatches = mismatch_messages(variables, values)
    if skip_mismatch:
        fitting_values = {
            name: value
            for name, value in values.items()
            if name in variables and not mismatch_messages(variables, {name: value})
        }
        skipped_names = sorted((variables.keys() | values.keys()) - fitting_values.keys())
        if skipped_names:
            warn(f"load_weights: {source} does not fit '{model.name}' at {skipped_names}; these are skipped.")
        values = fitting_values
    elif missing_names or unknown_names or mismatches:
        names = f"Missing in the file: {missing_names or 'none'}; not in the model: {unknown_names or 'none'}."
        sentences = [*([names] if missing_names or unknown_names else []), *mismatches, "Nothing has been changed."]
        raise ValueError(f"The weights in {source} are not those of '{model.name}'. {' '.join(sentences)}")
    for name, value in values.items():
        variables[name].assign(value)
    for state, optimizer_variables, prefix in states:
        if state.keys() == optimizer_variables.keys() and not mismatch_messages(optimizer_variables, state):
            for name, value in state.items():
                optimizer_variables[name].assign(value)
        elif state and optimizer_variables:
            owner = "" if prefix in (_OPTIMIZER_PREFIX, legacy_h5.OPTIMIZER_PREFIX) else f" of {prefix.rstrip('/')}"
            warn(
                f"The state of the optimizer{owner} in {source} is left out: it is {len(state)} values, the model's optimizer has "
                f"{len(optimizer_variables)} variables"
                + (", or others." if len(state) == len(optimizer_variables) else "."),
            )


def _pop_prefixed(items: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Removes the items whose names begin with a prefix; returns them."""
    return {name: items.pop(name) for name in list(items) if name.startswith(prefix)}


def _cast_to_variable(value: np.ndarray, variable: Variable | None) -> np.ndarray:
    """Casts a value of a Keras file to the dtype of its variable if both are floats or both integers."""
    if variable is None:
        return value
    source, target = as_dtype(value.dtype), as_dtype(variable._array.dtype)
    both_float = source.is_floating and target.is_floating  # NumPy cannot cast between float16 and bfloat16
    if both_float or np.can_cast(value.dtype, variable._array.dtype, "same_kind"):
        return value.astype(variable._array.dtype, copy=False)
    return value


def save_model(model: Any, filepath: Any, overwrite: bool = True, **options: Any) -> None:
    """Writes a model's configuration, weights, compile arguments, and optimizer state.

    Args:
        model: its layers have a ``get_config``; a model that is not built is saved without weights.
        filepath: ends in ``.safetensors`` or ``.npz``, or in ``.keras`` or ``.h5`` (the older form), which Keras reads.
        overwrite: whether a file of this name may be replaced.
        **options: ``zipped`` of Keras's signature; it must be True.

    Raises:
        ValueError: another ending, another option, or a folder in place of a file.
        TypeError: ``model`` is not a model.
        TypeError, NotImplementedError: a layer has no configuration.
        ImportError: a ``.keras`` file, and h5py is not installed.
        OSError: the file could not be written; an older file is unchanged.
    """
    if options.keys() - {"zipped"}:
        raise ValueError(f"save_model: unknown arguments {sorted(options.keys() - {'zipped'})}.")
    if options.get("zipped") is False:
        raise ValueError("save_model: a model is one file; folders are not written. Leave out `zipped=False`.")
    require(isinstance(filepath, (str, os.PathLike)), "save_model", "`filepath` must be a path", filepath=filepath)
    is_keras = _has_keras_ending(filepath, _MODEL_ENDINGS)
    _check_model_argument("save_model", model)
    if _is_legacy_h5(filepath):
        _write_on_first_replica(model, lambda: legacy_h5.write_legacy_h5(model, filepath, overwrite))
    else:
        _write_on_first_replica(
            model, lambda: _write_model_file(model, filepath, is_keras, model_to_json(model), overwrite)
        )


def load_model(
    filepath: Any, custom_objects: dict[str, Any] | None = None, compile: bool = True, safe_mode: bool = True
) -> Any:
    """Returns a model that ``save_model`` or Keras wrote, with its weights.

    Only constructors of known classes run, unless ``safe_mode`` is False.

    Args:
        filepath: as in ``save_model``.
        custom_objects: a user's classes and functions by name, unless they are registered.
        compile: whether to compile the model and load its optimizer's state, if it was saved compiled.
        safe_mode: False also loads lambdas, whose code may do anything. Use False only for files that you trust.

    Raises:
        ValueError: another ending; a damaged file; a file with weights only; weights that do not fit the model; a lambda
            in safe mode; a ``.keras`` file that does not exist.
        TypeError: a class or function is not known.
        ImportError: a ``.keras`` file, and h5py is not installed.
        OSError: the file could not be read.

    Example:
        >>> model = tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(1)])
        >>> model.save("model.keras")
        >>> copy = tf.keras.models.load_model("model.keras")
        >>> bool(tf.reduce_all(copy(tf.ones((1, 2))) == model(tf.ones((1, 2)))))
        True
    """
    is_keras = _has_keras_ending(filepath, _MODEL_ENDINGS)
    if _is_legacy_h5(filepath):
        saved = legacy_h5.read_legacy_h5(filepath)
        ambient = in_safe_mode()
        is_safe = safe_mode if ambient is None else ambient
        with (
            _creation_context(filepath, saved.values, is_safe),
            CustomObjectScope(custom_objects),
            SafeModeScope(is_safe),
        ):
            model = legacy_h5.model_of_contents(saved, compile)
        _check_model(model, filepath)
        _assign_legacy(model, saved, False, f"{filepath}")
        return model
    if is_keras and not os.path.isfile(filepath):
        raise ValueError(f"File not found: {filepath=}. It must be an accessible `.keras` zip file.")
    values, config, files = _read_model_file(filepath, is_keras)
    if config is None:
        raise ValueError(f"{filepath} holds weights but no model: make it, then call `model.load_weights(filepath)`.")
    ambient = in_safe_mode()
    with _creation_context(filepath, values, safe_mode if ambient is None else ambient), LayerSharing():
        model_config = config if compile else {**config, "compile_config": None}
        model = deserialize_keras_object(model_config, custom_objects, safe_mode)
    _check_model(model, filepath)
    _assign_values(model, values, files, is_keras, False, f"{filepath}")
    return model


@contextlib.contextmanager
def _creation_context(path: Any, values: dict[str, np.ndarray], safe_mode: bool) -> Iterator[None]:
    """A context that makes a file's model: errors name the file; in safe mode the size of weights is limited."""
    limit = MemoryLimit(sum(value.nbytes for value in values.values())) if safe_mode else None
    limit_token = memory_limit.set(limit)
    try:
        yield
    except (TypeError, ValueError) as error:
        if type(error) not in (TypeError, ValueError):
            raise
        raise type(error)(f"{error} (The model is that of {os.fsdecode(path)!r}.)") from error
    except (AttributeError, LookupError, RecursionError) as error:
        raise ValueError(f"No model can be made of {os.fsdecode(path)!r}: {error_message(error)}") from error
    finally:
        memory_limit.reset(limit_token)


def _check_model(model: Any, path: Any) -> None:
    from fastgrad._src.keras.layers.layer import Layer

    if not isinstance(model, Layer):
        raise ValueError(f"{os.fsdecode(path)} holds no model, but a {type(model).__name__}.")


def model_to_json(model: Any, **options: Any) -> str:
    """Returns a model's configuration as JSON text; ``options`` are those of ``json.dumps``."""
    sharing = LayerSharing()
    with sharing:
        config = serialize_keras_object(model)
    return json.dumps(sharing.without_unshared_layer_numbers(config), **options)


def model_from_json(json_string: str, custom_objects: dict[str, Any] | None = None) -> Any:
    """Returns a new model, with new weights, from the text of ``model.to_json()``.

    Raises:
        ValueError: the text is not JSON, or has no model.
        TypeError: a class in it is not known, or ``json_string`` is not a text.
    """
    check_type("model_from_json", "a text", (str, bytes), json_string=json_string)
    try:
        config = parse_json(json_string)
    except ValueError as error:
        raise ValueError(f"model_from_json: {error}") from error
    with LayerSharing():
        model = deserialize_keras_object(config, custom_objects)
    _check_model(model, "The JSON text")
    return model
