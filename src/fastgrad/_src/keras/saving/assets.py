"""Files that layers of users keep beside their weights, by the methods ``save_assets`` and ``load_assets``, as in Keras."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any


def saved_assets(layers: Mapping[str, Any]) -> dict[str, bytes]:
    """Lets each layer of ``layers``, by the names of their folders, save its files; returns the contents of all by name."""
    if not layers:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, layer in layers.items():
            if hasattr(layer, "save_assets"):
                (root / name).mkdir(parents=True, exist_ok=True)
                layer.save_assets(str(root / name))
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def load_assets(layers: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """Lets each layer of ``layers`` load the ``files`` in its folder, if there are any.

    Raises:
        ValueError: the name of a file leads out of the folder.
    """
    if not layers:
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, contents in files.items():
            if ".." in PurePosixPath(name).parts or Path(name).is_absolute() or "\\" in name:
                raise ValueError(f"An asset of the model's file has the name {name!r:.200}, which is no path in it.")
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(contents)
        for name, layer in layers.items():
            if hasattr(layer, "load_assets") and (root / name).is_dir() and any((root / name).iterdir()):
                layer.load_assets(str(root / name))
