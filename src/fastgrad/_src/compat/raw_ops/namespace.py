"""TensorFlow's raw operations (``tf.raw_ops``), each composed of public functions; ``table.py`` has the rows."""

from __future__ import annotations

import importlib as _importlib
from typing import Any as _Any

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks


def _table() -> dict[str, _Any]:
    table: dict[str, _Any] = _importlib.import_module("fastgrad._src.compat.raw_ops.table").TABLE
    return table


def __getattr__(name: str) -> _Any:
    operation = None if name.startswith("_") else _table().get(name)
    return _missing(name) if operation is None else operation


def __dir__() -> list[str]:
    return sorted({*_present(), *_table()})


_missing, _present = _namespace_hooks("tf.raw_ops", globals())
