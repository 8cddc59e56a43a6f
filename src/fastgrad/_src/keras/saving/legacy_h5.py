"""Keras's older whole-model files, ``.h5``: configurations are attributes; weights follow the order of the layers."""

from __future__ import annotations

import importlib
import json
import os
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core.damaged_file import open_regular, parser_errors_as_one
from fastgrad._src.core.placement import move_to_device
from fastgrad._src.core.variable import Variable
from fastgrad._src.files.formats.atomic_write import write_atomically
from fastgrad._src.files.formats.hdf5_file import h5py_module, read_attributes, read_hdf5, write_hdf5
from fastgrad._src.files.formats.json_text import parse_json
from fastgrad._src.jit.user_lines import warn
from fastgrad._src.keras.saving.objects import deserialize_keras_object, serialize_keras_object
from fastgrad._src.keras.version import KERAS_VERSION

OPTIMIZER_PREFIX = "optimizer_weights/"
_WEIGHTS_GROUP = "model_weights"
_TOP_LEVEL_GROUP = "top_level_model_weights"
_CLASS_NAMESPACES = (
    *("layers", "optimizers", "optimizers.schedules", "losses", "metrics"),
    *("initializers", "regularizers", "constraints"),
)
_IGNORED_LAYER_SETTINGS = frozenset({"batch_input_shape", "implementation", "time_major", "ragged"})


class LegacyModelContents(NamedTuple):
    """The contents of an ``.h5`` file: two configurations or None, the names of weights by layer, and all values."""

    config: dict[str, Any] | None
    training: dict[str, Any] | None
    names_by_layer: dict[str, list[str]]
    optimizer_names: list[str]
    values: dict[str, np.ndarray]

    @property
    def names(self) -> list[list[str]]:
        """The names of the weights of each layer that has some, in the order of the layers."""
        return [names for names in self.names_by_layer.values() if names]


def write_legacy_h5(model: Any, path: Any, overwrite: bool) -> None:
    """Writes a model to an ``.h5`` file: configuration, weights, compile arguments and optimizer state.

    Raises:
        ValueError: the model cannot be made from a configuration.
        ImportError: h5py is not installed.
        OSError: the file could not be written; an older file is unchanged.
    """
    h5py_module()
    model_config = serialize_keras_object(model)
    root_attributes = {"backend": "tensorflow", "keras_version": KERAS_VERSION}
    root_attributes["model_config"] = json.dumps(
        {name: model_config[name] for name in ("module", "class_name", "config", "registered_name")}
    )
    compile_config = dict(model_config.get("compile_config") or {})
    if compile_config:
        compile_config["optimizer_config"] = compile_config.pop("optimizer")
        root_attributes["training_config"] = json.dumps(compile_config)
    layers = [layer.name for layer in model.layers]
    attributes: dict[str, dict[str, Any]] = {"": root_attributes}
    attributes[_WEIGHTS_GROUP] = {
        "layer_names": layers,
        "backend": root_attributes["backend"],
        "keras_version": KERAS_VERSION,
    }
    arrays: dict[str, np.ndarray] = {}
    for group, variables in _variables_by_group(model):
        names = [variable.path for variable in variables]
        if len(set(names)) < len(names):
            names = [f"{name}_{index}" for index, name in enumerate(names)]
        attributes[group] = {"weight_names": names}
        arrays.update(
            {
                f"{group}/{name}": move_to_device(weight._array, None)
                for name, weight in zip(names, variables, strict=True)
            }
        )
    os.makedirs(os.path.dirname(os.fsdecode(os.fspath(path))) or ".", exist_ok=True)
    write_atomically(path, lambda file: write_hdf5(file, arrays, attributes), overwrite)


def _variables_by_group(model: Any) -> list[tuple[str, list[Any]]]:
    """Returns the variables by the groups of the file."""
    groups = [
        (f"{_WEIGHTS_GROUP}/{layer.name}", [*layer.trainable_weights, *layer.non_trainable_weights])
        for layer in model.layers
    ]
    groups.append((f"{_WEIGHTS_GROUP}/{_TOP_LEVEL_GROUP}", [*model._trainable_own, *model._other_own]))
    optimizer = model.__dict__.get("optimizer")
    return (
        groups if optimizer is None or not optimizer.built else [*groups, (OPTIMIZER_PREFIX[:-1], optimizer.variables)]
    )


def read_legacy_h5(path: Any) -> LegacyModelContents:
    """Returns the contents of an ``.h5`` file of a model, or of weights alone.

    Raises:
        ImportError: h5py is not installed.
        ValueError: the file is damaged.
        OSError: it cannot be read.
    """
    source = os.fsdecode(os.fspath(path))
    with open_regular(path) as file:
        attributes = read_attributes(file, source)
        file.seek(0)
        values = read_hdf5(file, source)
    with parser_errors_as_one(path, "HDF5 file of a model"):
        return _model_contents(attributes, values)


def _model_contents(attributes: dict[str, dict[str, Any]], values: dict[str, np.ndarray]) -> LegacyModelContents:
    root = _WEIGHTS_GROUP if _WEIGHTS_GROUP in attributes else ""
    prefix = f"{root}/" if root else ""
    layers = [*_text_list_attribute(attributes.get(root, {}), "layer_names"), _TOP_LEVEL_GROUP]
    names_by_layer = {
        layer: [
            f"{prefix}{layer}/{name}"
            for name in _text_list_attribute(attributes.get(f"{prefix}{layer}", {}), "weight_names")
        ]
        for layer in layers
    }
    optimizer_names = _text_list_attribute(attributes.get(OPTIMIZER_PREFIX[:-1], {}), "weight_names")
    texts = [attributes[""].get(name) for name in ("model_config", "training_config")]
    config, training = (None if text is None else parse_json(text) for text in texts)
    return LegacyModelContents(
        config,
        training,
        names_by_layer,
        [OPTIMIZER_PREFIX + name for name in optimizer_names],
        values,
    )


def _text_list_attribute(attributes: dict[str, Any], name: str) -> list[str]:
    """Returns the attribute ``name``, a list of texts that is stored whole or in numbered parts."""
    if name in attributes:
        return list(attributes[name])
    part_numbers = sorted(
        int(key[len(name) :]) for key in attributes if key.startswith(name) and key[len(name) :].isdigit()
    )
    return [text for number in part_numbers for text in attributes[f"{name}{number}"]]


def variables_by_file_name(model: Any, contents: LegacyModelContents) -> dict[str, Variable]:
    """Returns variables by their names in the file; pairs layers with weights by position if the counts match."""
    groups = [(group, variables) for group, variables in _variables_by_group(model) if variables]
    optimizer = groups.pop()[1] if groups and groups[-1][0] == OPTIMIZER_PREFIX[:-1] else []
    variables_by_name = dict(zip(contents.optimizer_names, optimizer, strict=False))
    counts_match = [len(variables) for _, variables in groups] == [len(names) for names in contents.names]
    for position, (group, variables) in enumerate(groups):
        names = contents.names[position] if counts_match else [f"{group}/{variable.path}" for variable in variables]
        variables_by_name.update(zip(names, variables, strict=True))
    return variables_by_name


def variables_of_named_layers(
    model: Any, contents: LegacyModelContents, skip_mismatch: bool, source: str
) -> dict[str, Variable]:
    """Returns the variables of the layers whose names are in the file, by the names of the weights there.

    Raises:
        ValueError: a layer has another number of weights, unless ``skip_mismatch``, which leaves it out with a warning.
    """
    variables_by_name: dict[str, Variable] = {}
    for group, variables in _variables_by_group(model):
        layer = group.removeprefix(f"{_WEIGHTS_GROUP}/")
        names = contents.names_by_layer.get(layer)
        if group == OPTIMIZER_PREFIX[:-1] or names is None:
            continue
        if len(names) == len(variables):
            variables_by_name.update(zip(names, variables, strict=True))
            continue
        message = f"load_weights: layer '{layer}' has {len(variables)} weights, but {len(names)} in {source}"
        if not skip_mismatch:
            raise ValueError(f"{message}. Pass skip_mismatch=True to leave it out. Nothing has been changed.")
        warn(f"{message}; it is left out.")
    return variables_by_name


def model_of_contents(saved: LegacyModelContents, compile: bool) -> Any:
    """Returns the model of a file, with new weights.

    Raises:
        ValueError: the file has no configuration, or has a lambda in safe mode.
        TypeError: a class or function is not known.
    """
    if saved.config is None:
        raise ValueError("The file holds weights but no model: make the model first, then call `model.load_weights`.")
    model = deserialize_keras_object(_upgraded_config(saved.config))
    if compile and saved.training is not None:
        training = dict(_upgraded_config(saved.training))
        training["optimizer"] = training.pop("optimizer_config", None) or "rmsprop"
        model.compile_from_config(training)
    return model


def _upgraded_config(value: Any) -> Any:
    """Converts a configuration to the form of Keras 3: adds modules, converts calls, drops settings without effect.

    As in Keras, models within come back without being compiled: the file has no state of their optimizers.
    """
    if isinstance(value, list):
        return [_upgraded_config(item) for item in value]
    if not isinstance(value, dict):
        return value
    upgraded = {
        name: _upgraded_config(item) for name, item in value.items() if name not in ("inbound_nodes", "compile_config")
    }
    if isinstance(upgraded.get("class_name"), str) and isinstance(upgraded.get("config"), dict):
        inner = upgraded["config"]
        if upgraded["class_name"] == "Model" and "input_layers" in inner:
            upgraded["class_name"] = "Functional"
        if upgraded["class_name"] == "InputLayer" and "batch_input_shape" in inner:
            inner["batch_shape"] = inner["batch_input_shape"]
        if isinstance(inner.get("axis"), list) and len(inner["axis"]) == 1:
            inner["axis"] = inner["axis"][0]
        if any(isinstance(node, list) for layer in value["config"].get("layers", ()) for node in _inbound_nodes(layer)):
            for name in ("input_layers", "output_layers"):  # Keras 2 wrote a list also for a single tensor
                inner[name] = inner[name][0] if len(inner[name]) == 1 else inner[name]
        upgraded["config"] = {name: item for name, item in inner.items() if name not in _IGNORED_LAYER_SETTINGS}
        upgraded.setdefault("module", _keras_module_of_class(upgraded["class_name"]))
    if "inbound_nodes" in value:
        upgraded["inbound_nodes"] = [
            _keras3_call(node) if isinstance(node, list) else _upgraded_config(node) for node in value["inbound_nodes"]
        ]
    return upgraded


def _inbound_nodes(layer: Any) -> list[Any]:
    return layer.get("inbound_nodes", []) if isinstance(layer, dict) else []


def _keras_module_of_class(name: str) -> str | None:
    """Returns the Keras module that has a class of this name."""
    if name == "Functional":
        return "keras.src.models.functional"
    if name in ("Sequential", "Model", "DTypePolicy"):
        return "keras"
    for module_name in _CLASS_NAMESPACES:
        namespace: Any = importlib.import_module("fastgrad.keras")
        for name_part in module_name.split("."):
            namespace = getattr(namespace, name_part)
        if isinstance(vars(namespace).get(name), type):
            return f"keras.{module_name}"
    return None


def _keras3_call(node: list[Any]) -> dict[str, Any]:
    """Converts a Keras 2 call, a list of (layer, call, output, options), to the form of Keras 3."""
    tensors = [
        {
            "class_name": "__keras_tensor__",
            "config": {"shape": None, "dtype": None, "keras_history": list(reference[:3])},
        }
        for reference in node
    ]
    options = node[0][3] if node and len(node[0]) > 3 else {}
    return {"args": tensors if len(tensors) == 1 else [tensors], "kwargs": options}
