"""Tables from keys to values: StaticHashTable, StaticVocabularyTable, MutableHashTable, DenseHashTable.

A table is a Python dict. A look-up is a call of Python that compiled programs make at each run. After as many look-ups of keys
as the table has keys, the table gets an index: a hash table of a kernel, which is valid until the table changes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_choice, check_type, refuse, require
from fastgrad._src.core.errors import FailedPreconditionError, InvalidArgumentError, NotFoundError
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.lookup.initializers import KeyAndValueDtypes, TableInitializer
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor
from fastgrad._src.structures.strings.formatting import as_string
from fastgrad._src.structures.strings.hashing import to_hash_bucket_fast

_KEY_DTYPES = (dtypes.string, dtypes.int32, dtypes.int64)


class LookupInterface(KeyAndValueDtypes):
    """The base class of tables.

    Args:
        key_dtype: string, int32 or int64.
        value_dtype: the dtype of values.
        name: the table's name in errors.

    Raises:
        NotFoundError: keys of another dtype.
    """

    def __init__(self, key_dtype: Any, value_dtype: Any, name: str | None) -> None:
        super().__init__(key_dtype, value_dtype)
        self._name = name
        if self._key_dtype not in _KEY_DTYPES:
            refuse(self, "keys must be string, int32 or int64; cast them", NotFoundError, dtype=self._key_dtype.name)

    @property
    def name(self) -> str | None:
        """The name of the table."""
        return self._name

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        """Returns the value of each key.

        Args:
            keys: a tensor or a ragged tensor of the dtype of keys.
            name: kept for TensorFlow's signature.

        Returns:
            The shape of ``keys``.

        Raises:
            TypeError: another dtype.
        """
        raise NotImplementedError

    def __getitem__(self, keys: Any) -> Any:
        return self.lookup(keys)

    def _checked_keys(self, keys: Any, error: type[Exception] = TypeError) -> Tensor:
        x = keys if hasattr(keys, "dtype") else convert_to_tensor(keys, self._key_dtype)
        if dtypes.as_dtype(x.dtype) is not self._key_dtype:
            refuse(self, f"Dtype of `keys` must be {self._key_dtype}; use tf.cast", error, dtype=x.dtype)
        return convert_to_tensor(x)


_MOST_KEYS_IN_PYTHON = 16  # the dict finds as few sooner

_undo_log: ContextVar[dict[_HashTable, dict[Any, Any]] | None] = ContextVar("undo_log", default=None)


@contextlib.contextmanager
def undo_changes() -> Iterator[None]:
    """A context after which all tables have the elements that they had before it."""
    log: dict[_HashTable, dict[Any, Any]] = {}
    token = _undo_log.set(log)
    try:
        yield
    finally:
        _undo_log.reset(token)
        for table, values in log.items():
            table._values = values
            table._forget_index()


@dataclass(frozen=True)
class TableCall:
    """What a program calls at each run: a method of a table on arrays.

    Attributes:
        table: the table.
        method: a key of ``TABLE_METHODS``.
    """

    table: _HashTable
    method: str

    def __call__(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """Returns the results as arrays."""
        results: tuple[np.ndarray, ...] = TABLE_METHODS[self.method](self.table, *arrays)
        return results


class _HashTable(LookupInterface):
    """A table in a dict; ``_changes`` tells that programs must not compute a look-up once for all."""

    _changes = True

    def __init__(self, key_dtype: Any, value_dtype: Any, default_value: Any, name: str | None) -> None:
        super().__init__(key_dtype, value_dtype, name)
        self._default: Tensor = convert_to_tensor(default_value, self._value_dtype)
        self._values: dict[Any, Any] = {}
        self._forget_index()

    @property
    def _value_shape(self) -> tuple[int, ...]:
        shape: tuple[int, ...] = self._default._array.shape
        return shape

    def _call(self, method: str, *inputs: Tensor) -> Any:
        return ops.call_on_host(f"{type(self).__name__}.{method}", TableCall(self, method), inputs, self._changes)

    def _forget_index(self) -> None:
        self._index: tuple[ops.KeyIndex, np.ndarray] | None = None  # with the values, in the order of the keys
        self._keys_until_index = len(self._values)

    def _before_change(self) -> None:
        log = _undo_log.get()
        if log is not None and self not in log:
            log[self] = dict(self._values)

    def _check_keys(self, keys: np.ndarray) -> None:
        """Raises InvalidArgumentError for keys that the table can't have."""

    def _find(self, keys: np.ndarray, default: np.ndarray) -> tuple[np.ndarray]:
        self._check_keys(keys)
        shape = keys.shape + self._value_shape
        if self._index is not None and keys.size > _MOST_KEYS_IN_PYTHON:
            index, values = self._index
            positions = index.positions_of(keys)
            found = values.take(positions, 0, mode="wrap")
            missing = np.nonzero(positions < 0)
            found[missing] = np.broadcast_to(default, shape)[missing]
            return (found,)
        values = np.array(np.broadcast_to(default, shape))
        rows = values.reshape(keys.size, *self._value_shape)
        for row, key in enumerate(keys.reshape(-1).tolist()):
            value = self._values.get(key)
            if value is not None:
                rows[row] = value
        self._keys_until_index -= keys.size
        if self._keys_until_index <= 0 and self._values and self._index is None:
            table_keys, table_values = self._exported()
            self._index = ops.KeyIndex(table_keys), table_values
        return (values,)

    def _lookup(self, keys: Any, default: Tensor, error: type[Exception] = TypeError) -> Any:
        if isinstance(keys, RaggedTensor):
            return keys.with_flat_values(self._lookup(keys.flat_values, default, error))
        return self._call("lookup", self._checked_keys(keys, error), default)[0]

    def _exported(self) -> tuple[np.ndarray, np.ndarray]:
        keys = np.empty(len(self._values), self._key_dtype.numpy)
        keys[:] = list(self._values)
        values = np.empty((len(keys), *self._value_shape), self._value_dtype.numpy)
        for row, value in enumerate(self._values.values()):
            values[row] = value
        return keys, values

    def _count(self) -> tuple[np.ndarray]:
        return (np.array(len(self._values), np.int64),)

    def size(self, name: str | None = None) -> Tensor:
        """Returns the number of keys, int64."""
        (count,) = self._call("size")
        return count

    def export(self, name: str | None = None) -> tuple[Tensor, Tensor]:
        """Returns all keys and their values, in the order in which they came."""
        keys, values = self._call("export")
        return keys, values


class StaticHashTable(_HashTable):
    """A table that does not change.

    Args:
        initializer: a ``KeyValueTensorInitializer`` or ``TextFileInitializer``.
        default_value: the value of all other keys, a scalar.
        name, experimental_is_anonymous: kept for TensorFlow's signature.

    Raises:
        TypeError, ValueError: ``default_value`` does not have the dtype of values, or is no scalar, or ``initializer`` is none.
        FailedPreconditionError: a key has two values.
        NotFoundError: keys are neither strings nor integers, or there is no such file.
        InvalidArgumentError: see the initializer.
    """

    _changes = False

    def __init__(
        self,
        initializer: TableInitializer,
        default_value: Any,
        name: str | None = None,
        experimental_is_anonymous: bool = False,
    ) -> None:
        check_type("StaticHashTable", "a table initializer", TableInitializer, initializer=initializer)
        super().__init__(initializer.key_dtype, initializer.value_dtype, default_value, name)
        require(not self._value_shape, "StaticHashTable", "`default_value` must be a scalar", shape=self._value_shape)
        initializer.initialize(self)

    def _fill(self, keys: np.ndarray, values: np.ndarray) -> None:
        for key, value in zip(keys.tolist(), values.tolist(), strict=True):
            if self._values.setdefault(key, value) != value:
                raise FailedPreconditionError(
                    f"StaticHashTable: HashTable has different value for same key. Key {key!r} has {self._values[key]!r} "
                    f"and trying to add value {value!r}."
                )
        self._forget_index()

    @property
    def default_value(self) -> Tensor:
        """The value of keys that are not in the table."""
        return self._default

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        return self._lookup(keys, self._default)


class StaticVocabularyTable(LookupInterface):
    """A table from the terms of a vocabulary to their numbers; other terms are hashed to buckets, numbered after the vocabulary.

    Args:
        initializer: an initializer with int64 values, from 0 on, and keys of strings or int64; None: all terms are hashed.
        num_oov_buckets: the number of buckets for terms out of the vocabulary, above 0.
        lookup_key_dtype: the dtype of keys of ``lookup``: string, or an integer dtype; by default that of the initializer.
        name, experimental_is_anonymous: kept for TensorFlow's signature.

    Raises:
        ValueError: ``num_oov_buckets`` is not above 0.
        TypeError: keys or values of another dtype, or ``initializer`` is none.
    """

    def __init__(
        self,
        initializer: TableInitializer | None,
        num_oov_buckets: int,
        lookup_key_dtype: Any = None,
        name: str | None = None,
        experimental_is_anonymous: bool = False,
    ) -> None:
        self._buckets = ops.as_python_int(num_oov_buckets, "StaticVocabularyTable: num_oov_buckets")
        require(self._buckets > 0, self, "`num_oov_buckets` must be > 0; use StaticHashTable", got=self._buckets)
        self._table: StaticHashTable | None = None
        key_dtype = dtypes.string
        if initializer is not None:
            check_type(self, "a table initializer or None", TableInitializer, initializer=initializer)
            key_dtype = initializer.key_dtype if lookup_key_dtype is None else dtypes.as_dtype(lookup_key_dtype)
            check_choice(self, (dtypes.int64, dtypes.string), TypeError, key_dtype=initializer.key_dtype)
            if initializer.key_dtype.is_integer != key_dtype.is_integer:
                raise TypeError(
                    f"Invalid `key_dtype`, expected {'integer' if key_dtype.is_integer else 'non-integer'} but got "
                    f"{initializer.key_dtype}."
                )
            check_choice(self, (dtypes.int64,), TypeError, value_dtype=initializer.value_dtype)
            self._table = StaticHashTable(initializer, -1, name)
        super().__init__(key_dtype, dtypes.int64, name)

    def size(self, name: str | None = None) -> Tensor:
        """Returns the number of terms and buckets, int64."""
        return constant_tensor(np.array(self._term_count() + self._buckets, np.int64))

    def _term_count(self) -> int:
        return 0 if self._table is None else len(self._table._values)

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        if isinstance(keys, RaggedTensor):
            return keys.with_flat_values(self.lookup(keys.flat_values))
        x = self._checked_keys(keys)
        if self._key_dtype.is_integer:
            x = ops.cast(x, dtypes.int64)
        buckets = to_hash_bucket_fast(as_string(x) if self._key_dtype.is_integer else x, self._buckets)
        if self._table is None:
            return buckets
        numbers = self._table.lookup(x)
        return ops.where(ops.not_equal(numbers, -1), numbers, buckets + self._term_count())


class MutableHashTable(_HashTable):
    """A table that changes.

    Args:
        key_dtype: string, int32 or int64.
        value_dtype: the dtype of values.
        default_value: the value of all other keys; all values have its shape.
        name: kept for TensorFlow's signature.
        checkpoint: kept for TensorFlow's signature; tables are not in checkpoints.
        experimental_is_anonymous: kept for TensorFlow's signature.

    Raises:
        TypeError, ValueError: ``default_value`` does not have the dtype of values.
        NotFoundError: keys of another dtype.
    """

    def __init__(
        self,
        key_dtype: Any,
        value_dtype: Any,
        default_value: Any,
        name: str = "MutableHashTable",
        checkpoint: bool = True,
        experimental_is_anonymous: bool = False,
    ) -> None:
        super().__init__(key_dtype, value_dtype, default_value, name)

    def lookup(  # type: ignore[override]  # TensorFlow's order of arguments
        self, keys: Any, dynamic_default_values: Any = None, name: str | None = None
    ) -> Any:
        """Returns the value of each key.

        Args:
            keys: a tensor or a ragged tensor of the dtype of keys.
            dynamic_default_values: the values of keys that are not in the table, one for each key.
            name: kept for TensorFlow's signature.

        Returns:
            The shape of ``keys``, then that of a value.

        Raises:
            ValueError: another dtype of ``keys``.
            InvalidArgumentError: another dtype of ``dynamic_default_values``.
        """
        default = self._default
        if dynamic_default_values is not None:
            default = ops.tensor_of_dtype(
                dynamic_default_values, self._value_dtype, f"{type(self).__name__}.lookup", "dynamic_default_values"
            )
        return self._lookup(keys, default, ValueError)  # as TensorFlow, and unlike the static tables

    def insert(self, keys: Any, values: Any, name: str | None = None) -> None:
        """Inserts keys and their values into the table; a key that exists already gets the new value.

        Args:
            keys: any shape.
            values: the shape of ``keys``, then that of a value.
            name: kept for TensorFlow's signature.

        Raises:
            ValueError: a tensor of another dtype.
            InvalidArgumentError: another shape of ``values``.
        """
        key_tensor = convert_to_tensor(keys, self._key_dtype)
        value_tensor = convert_to_tensor(values, self._value_dtype)
        expected = key_tensor._array.shape + self._value_shape
        if value_tensor._array.shape != expected:
            raise InvalidArgumentError(
                f"{self._name}.insert: Expected shape {list(expected)} for value, got {list(value_tensor._array.shape)}."
            )
        self._call("insert", key_tensor, value_tensor)

    def _put(self, keys: np.ndarray, values: np.ndarray) -> tuple[()]:
        self._check_keys(keys)
        self._before_change()
        rows = values.reshape(keys.size, *self._value_shape)
        # Copies, because a row of the array may be a view of a variable's memory.
        self._values.update(zip(keys.reshape(-1).tolist(), list(np.array(rows)), strict=True))
        self._forget_index()
        return ()

    def remove(self, keys: Any, name: str | None = None) -> None:
        """Removes keys; those that are not in the table are ignored. TypeError: another dtype."""
        self._call("remove", self._checked_keys(keys))

    def _drop(self, keys: np.ndarray) -> tuple[()]:
        self._check_keys(keys)
        self._before_change()
        for key in keys.reshape(-1).tolist():
            self._values.pop(key, None)
        self._forget_index()
        return ()


class DenseHashTable(MutableHashTable):
    """A ``MutableHashTable`` that refuses two reserved keys, as TensorFlow's ``DenseHashTable`` does.

    Args:
        key_dtype, value_dtype, default_value, checkpoint: as in ``MutableHashTable``.
        empty_key, deleted_key: two different keys that are never used.
        initial_num_buckets: a power of 2 from 4 on, or None. The table grows as it must.
        name, experimental_is_anonymous: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: ``empty_key`` equals ``deleted_key``, or ``initial_num_buckets`` is another number. A call
            with a reserved key raises it too.
    """

    def __init__(
        self,
        key_dtype: Any,
        value_dtype: Any,
        default_value: Any,
        empty_key: Any,
        deleted_key: Any,
        initial_num_buckets: int | None = None,
        name: str = "MutableDenseHashTable",
        checkpoint: bool = True,
        experimental_is_anonymous: bool = False,
    ) -> None:
        super().__init__(key_dtype, value_dtype, default_value, name)
        if initial_num_buckets is not None:
            buckets = ops.as_python_int(initial_num_buckets, "DenseHashTable: initial_num_buckets")
            if buckets < 4 or buckets & (buckets - 1):
                raise InvalidArgumentError(
                    f"DenseHashTable: initial_num_buckets must be at least 4 and a power of 2, got {buckets}."
                )
        empty, deleted = [
            convert_to_tensor(key, self._key_dtype)._elements().tolist() for key in (empty_key, deleted_key)
        ]
        require(empty != deleted, self, "Empty and deleted keys cannot be equal", InvalidArgumentError, key=empty)
        self._refused = {empty: "empty_key", deleted: "deleted_key"}

    def _check_keys(self, keys: np.ndarray) -> None:
        if not any((keys == key).any() for key in self._refused):
            return
        for key in keys.reshape(-1).tolist():
            if key in self._refused:
                refuse(self, f"Using the {self._refused[key]} as a table key is not allowed", InvalidArgumentError)

    insert_or_assign = MutableHashTable.insert
    erase = MutableHashTable.remove


TABLE_METHODS: dict[str, Callable[..., Any]] = {
    "lookup": lambda table, keys, default: table._find(keys, default),
    "size": lambda table: table._count(),
    "export": lambda table: table._exported(),
    "insert": lambda table, keys, values: table._put(keys, values),
    "remove": lambda table, keys: table._drop(keys),
}
"""The methods of tables that programs call, by name."""
