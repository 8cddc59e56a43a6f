"""Keras's own files: ``.weights.h5``, and ``.keras``, a zip archive of a configuration and a ``.weights.h5`` file."""

from __future__ import annotations

import io
import json
import os
import time
import zipfile
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from fastgrad._src.core.damaged_file import open_regular
from fastgrad._src.core.version import VERSION
from fastgrad._src.files.formats.atomic_write import write_atomically
from fastgrad._src.files.formats.hdf5_file import h5py_module, read_hdf5, write_hdf5
from fastgrad._src.files.formats.json_text import parse_json
from fastgrad._src.files.formats.zip_archive import open_zip, read_json_member
from fastgrad._src.keras.version import KERAS_VERSION

ENDINGS = (".weights.h5", ".keras")
_CONFIG_MEMBER, _METADATA_MEMBER, _WEIGHTS_MEMBER = "config.json", "metadata.json", "model.weights.h5"
_ASSETS_FOLDER = "assets/"
_NPZ_WEIGHTS_MEMBER = "model.weights.npz"  # an option of Keras writes weights in this form


def write_keras_file(
    path: Any,
    arrays: dict[str, np.ndarray],
    groups: dict[str, str],
    config: str,
    assets: Mapping[str, str | bytes],
    overwrite: bool,
) -> None:
    """Writes weights, and to ``.keras`` files a model's configuration, atomically.

    Args:
        path: ends in one of ``ENDINGS``.
        arrays: the values by Keras's names.
        groups: the names of the layers by the names of their groups.
        config: JSON text.
        assets: the contents of other files by name; ``.weights.h5`` files have none, as in Keras.
        overwrite: whether a file of this name may be replaced.

    Raises:
        ImportError: h5py is not installed.
        OSError: the file could not be written; an older file is unchanged.
    """
    h5py_module()  # raises its ImportError before anything is written

    def write_archive(file: BinaryIO) -> None:
        weights = io.BytesIO()
        write_hdf5(weights, arrays, _name_attributes_of_groups(groups))
        metadata = {
            "keras_version": KERAS_VERSION,
            "fastgrad_version": VERSION,
            "date_saved": time.strftime("%Y-%m-%d@%H:%M:%S"),
        }
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(_METADATA_MEMBER, json.dumps(metadata))
            archive.writestr(_CONFIG_MEMBER, config)
            archive.writestr(_WEIGHTS_MEMBER, weights.getbuffer())
            for name, contents in assets.items():
                archive.writestr(_ASSETS_FOLDER + name, contents)

    if os.fsdecode(os.fspath(path)).endswith(".keras"):
        write_atomically(path, write_archive, overwrite)
    else:
        write_atomically(path, lambda file: write_hdf5(file, arrays, _name_attributes_of_groups(groups)), overwrite)


def _name_attributes_of_groups(groups: dict[str, str]) -> dict[str, dict[str, Any]]:
    return {path: {"name": name} for path, name in groups.items()}


def read_keras_file(path: Any) -> tuple[dict[str, np.ndarray], dict[str, Any] | None, dict[str, bytes]]:
    """Returns the values by Keras's names, the configuration or None, and the other files by name.

    Raises:
        ImportError: h5py is not installed.
        ValueError: the file is damaged, or has no weights in HDF5.
        OSError: it cannot be read.
    """
    source = os.fsdecode(os.fspath(path))
    with open_regular(path) as file:
        if not source.endswith(".keras"):
            return read_hdf5(file, source), None, {}
        with open_zip(file, path, ".keras file") as archive:
            names = archive.namelist()
            if _NPZ_WEIGHTS_MEMBER in names:
                raise ValueError(f"{_NPZ_WEIGHTS_MEMBER} holds pickled objects, which are never loaded")
            if _CONFIG_MEMBER not in names or _WEIGHTS_MEMBER not in names:
                raise ValueError(f"{_CONFIG_MEMBER} and {_WEIGHTS_MEMBER} are wanted, it has {names!r:.200}")
            config = parse_json(read_json_member(archive, _CONFIG_MEMBER))
            metadata = parse_json(read_json_member(archive, _METADATA_MEMBER)) if _METADATA_MEMBER in names else {}
            if archive.getinfo(_WEIGHTS_MEMBER).compress_type != zipfile.ZIP_STORED:
                raise ValueError("its weights are compressed, as Keras never writes them")
            weights = io.BytesIO(archive.read(_WEIGHTS_MEMBER))
            assets = {
                name.removeprefix(_ASSETS_FOLDER): _stored_file(archive, name)
                for name in names
                if name.startswith(_ASSETS_FOLDER) and not name.endswith("/")
            }
            if "fastgrad_version" not in metadata:
                config = without_keras_only_arguments(config)
    return read_hdf5(weights, source), config, assets


def _stored_file(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name!r:.200} is compressed, as Keras never writes it")
    return archive.read(name)


def without_keras_only_arguments(config: Any) -> Any:
    """Returns a Keras configuration without the call arguments that only Keras writes.

    In functional models these are masks, together with the operations that make them (fastgrad's layers pass masks on
    automatically), and ``training=False``, which the model's own argument overrides.
    """
    if isinstance(config, list):
        return [without_keras_only_arguments(item) for item in config]
    if not isinstance(config, dict):
        return config
    cleaned_config = {name: without_keras_only_arguments(value) for name, value in config.items()}
    if cleaned_config.keys() >= {"layers", "input_layers", "output_layers"}:
        operations = {
            layer["name"] for layer in cleaned_config["layers"] if str(layer.get("module")).startswith("keras.src.ops")
        }
        layers = [layer for layer in cleaned_config["layers"] if layer["name"] not in operations]
        calls = {layer["name"]: layer.get("inbound_nodes") for layer in cleaned_config["layers"]}
        for call in (call for layer in layers for call in layer.get("inbound_nodes", [])):
            call["kwargs"] = {
                name: value
                for name, value in call["kwargs"].items()
                if not (name.endswith("mask") and operations & _referenced_layers(value))
                and (name, value) != ("training", False)
            }
        needed: set[str] = set()
        found = operations & _referenced_layers([layers, cleaned_config["output_layers"]])
        while found - needed:
            needed |= found
            found = operations & _referenced_layers([calls[name] for name in found])
        cleaned_config["layers"] = [
            layer for layer in cleaned_config["layers"] if layer["name"] not in operations - needed
        ]
    return cleaned_config


def _referenced_layers(value: Any) -> set[str]:
    """Returns the names of the layers whose results a configuration refers to."""
    if isinstance(value, dict):
        history = value.get("keras_history")
        return {history[0]} if history else set().union(*map(_referenced_layers, value.values()))
    if isinstance(value, list):
        is_history = len(value) == 3 and isinstance(value[0], str) and isinstance(value[1], int)
        return {value[0]} if is_history else set().union(*map(_referenced_layers, value))
    return set()
