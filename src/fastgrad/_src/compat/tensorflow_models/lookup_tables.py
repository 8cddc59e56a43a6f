"""The operations of a graph on lookup tables: they make tables, fill them, and look keys up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastgrad._src.compat.tensorflow_models.attributes import Attributes
from fastgrad._src.ops.creation import zeros
from fastgrad._src.structures.lookup.initializers import KeyValueTensorInitializer, TextFileInitializer
from fastgrad._src.structures.lookup.tables import DenseHashTable, MutableHashTable, StaticHashTable, _HashTable


def _checked_table(value: Any) -> _HashTable:
    if not isinstance(value, _HashTable):
        raise TypeError(f"a handle of a table is needed, got a {type(value).__name__}")
    return value


def _checked_mutable_table(value: Any) -> MutableHashTable:
    if not isinstance(value, MutableHashTable):
        raise TypeError(f"a handle of a table that changes is needed, got a {type(value).__name__}")
    return value


def _static_table(attributes: Attributes) -> StaticHashTable:
    key_dtype, value_dtype = attributes["key_dtype"], attributes["value_dtype"]
    nothing = KeyValueTensorInitializer(zeros([0], key_dtype), zeros([0], value_dtype))
    return StaticHashTable(nothing, zeros([], value_dtype))


def _default_value(attributes: Attributes) -> Any:
    return zeros(attributes.get("value_shape", []), attributes["value_dtype"])


def _mutable_table(attributes: Attributes) -> MutableHashTable:
    return MutableHashTable(attributes["key_dtype"], attributes["value_dtype"], _default_value(attributes))


def _dense_table(attributes: Attributes, empty_key: Any, deleted_key: Any) -> DenseHashTable:
    key_dtype, value_dtype = attributes["key_dtype"], attributes["value_dtype"]
    return DenseHashTable(key_dtype, value_dtype, _default_value(attributes), empty_key, deleted_key)


def _import_elements(attributes: Attributes, table: Any, keys: Any, values: Any) -> None:
    if isinstance(table, StaticHashTable):
        KeyValueTensorInitializer(keys, values).initialize(table)
    else:
        _checked_mutable_table(table).insert(keys, values)


def _fill_from_file(attributes: Attributes, table: Any, filename: Any) -> None:
    size = attributes["vocab_size"]
    TextFileInitializer(
        filename,
        table.key_dtype,
        attributes["key_index"],
        table.value_dtype,
        attributes["value_index"],
        None if size < 0 else size,
        attributes["delimiter"],
        value_index_offset=attributes.get("offset", 0),
    ).initialize(table)


TABLE_MAKERS: dict[str, Callable[..., Any]] = {
    "HashTableV2": _static_table,
    "MutableHashTableV2": _mutable_table,
    "MutableHashTableOfTensorsV2": _mutable_table,
    "MutableDenseHashTableV2": _dense_table,
}
"""The operations that make a table."""

TABLE_INITIALIZERS: dict[str, Callable[..., Any]] = {
    "LookupTableImportV2": _import_elements,
    "InitializeTableV2": _import_elements,
    "InitializeTableFromTextFileV2": _fill_from_file,
}
"""The operations that fill a table."""

ON_TABLES: dict[str, Callable[..., Any]] = {
    **TABLE_MAKERS,
    **TABLE_INITIALIZERS,
    "LookupTableFindV2": lambda attributes, table, keys, default: _checked_table(table)._lookup(keys, default),
    "LookupTableSizeV2": lambda attributes, table: _checked_table(table).size(),
    "LookupTableExportV2": lambda attributes, table: _checked_table(table).export(),
    "LookupTableInsertV2": lambda attributes, table, keys, values: _checked_mutable_table(table).insert(keys, values),
    "LookupTableRemoveV2": lambda attributes, table, keys: _checked_mutable_table(table).remove(keys),
}
"""All operations on tables: functions of a node's attributes and inputs, which return its result."""
