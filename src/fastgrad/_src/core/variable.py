"""``Variable``: mutable state in one fixed block of memory, and its snapshots."""

from __future__ import annotations

import enum
import importlib
import itertools
import weakref
from collections.abc import Callable
from operator import methodcaller
from threading import get_ident
from types import NoneType
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core import tensor as tensors
from fastgrad._src.core.cache_alignment import aligned_copy, is_aligned
from fastgrad._src.core.eager import VariableAggregation, VariableSynchronization
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.floating_errors import QUIET, reset_float_errors, set_float_errors
from fastgrad._src.core.memory_sharing import memory_sharing
from fastgrad._src.core.names import declare_missing
from fastgrad._src.core.operand_errors import check_not_narrow
from fastgrad._src.core.placement import move_to_device, move_to_selected_device, placement
from fastgrad._src.core.recording import inside_function, recorders
from fastgrad._src.core.replicas import replica_group
from fastgrad._src.core.scopes import current_name_scope
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Operand, Reference, Tensor, convert_to_tensor, elements_text
from fastgrad._src.core.variable_creators import CreatedByScopes
from fastgrad._src.jit.locks import new_rlock_held_at_fork

_creation_numbers = itertools.count()

LARGE = 1 << 18
"""The elements of an array from which simple operations and writes of variables run on all threads (``large_arrays.py``)."""


_NUMBERS = frozenset(dtype.numpy for dtype in dtypes.ALL if dtype.name not in ("bool", "string"))
"""The dtypes of numbers, that variables add and subtract."""


class WriterLock:
    """The lock of writers: NumPy releases the GIL for large arrays, and concurrent updates must not get lost."""

    def __init__(self) -> None:
        self.lock = new_rlock_held_at_fork()


writer_lock = WriterLock()


def _check_mode(argument: str, mode: Any) -> None:
    """Raises ValueError unless ``mode`` is None or an enumeration member, such as of ``tf.VariableSynchronization``."""
    if mode is not None and not isinstance(mode, enum.Enum):
        raise ValueError(f"tf.Variable: Invalid variable {argument} mode: {argument}={mode!r}.")


def _operator_method_that_raises(name: str, operator: str, method: str) -> Callable[[Any, Any], Any]:
    """Returns the special method of an ``operator`` such as ``+=``; it raises an error that names ``method``."""

    def raise_refusal(self: Any, other: Any) -> Any:
        raise RuntimeError(
            f"`variable {operator} value` with `tf.Variable`s is not supported. Use `variable.{method}(value)` to modify the "
            f"variable in place, or `out = variable {operator[:-1]} value` to get a new tensor."
        )

    raise_refusal.__name__, raise_refusal.__qualname__ = name, f"Variable.{name}"
    return raise_refusal


@declare_missing(
    "SaveSliceInfo",
    "count_up_to",
    "eval",
    "experimental_ref",
    "from_proto",
    "graph",
    "handle",
    "initial_value",
    "initialized_value",
    "load",
    "op",
    "set_shape",
    "to_proto",
)
class Variable(Operand, metaclass=CreatedByScopes):
    """A mutable tensor; gradient tapes watch it if it is trainable.

    A read returns a snapshot, which later assigns do not change. The snapshot shares the variable's memory until the variable
    changes; just before that the snapshot gets a copy. So a read does not copy, and the variable's memory never moves.

    Args:
        initial_value: an argument of ``tf.convert_to_tensor``, or a function without arguments that returns it.
        trainable: whether tapes watch it automatically; default: True unless ``synchronization`` is ``ON_READ``.
        name: shown in the repr as ``name:0``; not made unique.
        dtype: the dtype to convert the initial value to.
        shape: checked against the shape of the initial value.
        constraint: a function from the variable to its new value, which optimizers apply after each update; or None.
        synchronization, aggregation: how the replicas of a ``tf.distribute.Strategy`` combine their values; without effect
            outside of its scope.
        validate_shape, caching_device, variable_def, import_scope: as in TensorFlow, without effect.

    In the scope of a strategy of several replicas, all of them create the variable, with the initial value of replica 0.

    Raises:
        ValueError: the initial value is missing or does not have the shape ``shape``, or ``constraint`` is not callable.

    Example:
        >>> v = tf.Variable([1.0, 2.0])
        >>> v.assign_add([1.0, 1.0]).numpy()
        array([2., 3.], dtype=float32)
    """

    __array_priority__ = 100

    # True for zero-initialized variables that the library creates implicitly: recordings ignore their creation.
    _made_quietly = False
    _restored = 0  # the number of the last restoration that set the value
    aggregation: Any = VariableAggregation.NONE
    synchronization: Any = VariableSynchronization.AUTO
    _counts_changes = False  # whether it counts changes of attributes in Python, on which recordings depend

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool | None = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        variable_def: Any = None,
        dtype: Any = None,
        import_scope: str | None = None,
        constraint: Any = None,
        synchronization: Any = None,
        aggregation: Any = None,
        shape: Any = None,
    ) -> None:
        if initial_value is None:
            raise ValueError(
                "The `initial_value` arg to `tf.Variable` must be specified: a Variable starts with a value."
            )
        if constraint is not None and not callable(constraint):
            raise ValueError(f"tf.Variable: `constraint` must be None or a function of the value, got {constraint!r}.")
        if not isinstance(name, (str, NoneType)):
            raise TypeError(f"tf.Variable: `name` must be a text, got {name!r}.")
        if not (synchronization is None and aggregation is None):
            _check_mode("synchronization", synchronization)
            _check_mode("aggregation", aggregation)
            self.synchronization = synchronization or VariableSynchronization.AUTO
            self.aggregation = aggregation or VariableAggregation.NONE
        if callable(initial_value):
            initial_value = initial_value()
        if dtype is not None:
            dtype = dtypes.as_dtype(dtype)
        value = convert_to_tensor(initial_value, dtype)
        if shape is not None and not value.shape.is_compatible_with(shape):
            raise ValueError(
                f"In this `tf.Variable` creation, the initial value's shape ({value.shape}) is not compatible "
                f"with the explicitly supplied `shape` argument ({shape})."
            )
        group = replica_group()
        if group.size > 1:
            self._replicas = group
        # A converted NumPy array is a new copy, so the variable can keep it.
        own = isinstance(initial_value, np.ndarray) and value._array.base is None and is_aligned(value._array)
        array = move_to_selected_device(value._array) if placement.active else value._array
        if type(array) is not np.ndarray:
            self._array: Any = array if array is not value._array else array.copy()
        else:
            self._array = array if own or array is not value._array else aligned_copy(array)
        self._serial = next(_creation_numbers)  # the order of creation
        self._name = current_name_scope() + (name or "Variable")
        on_read = getattr(synchronization, "name", None) == "ON_READ"
        self._trainable = self._is_auto_watched = not on_read if trainable is None else bool(trainable)
        self.constraint = constraint
        self._snapshot: weakref.ref[Tensor] | None = None
        self._views: list[weakref.ref[Tensor]] = []
        if group.strategy is not None and not self._made_quietly:
            group.strategy._variable_created(self, synchronization, aggregation)
        for recorder in recorders.active:
            recorder.on_create(self)

    def __init_subclass__(cls, operands_by_read_value: bool = True, **options: Any) -> None:
        super().__init_subclass__(**options)
        # Operands are what a user's `read_value` returns.
        if operands_by_read_value and "read_value" in vars(cls) and "_read" not in vars(cls):
            cls._read = convert_to_tensor  # type: ignore[assignment]

    # ---- reading ---------------------------------------------------------------------------

    def _read(self) -> Tensor:
        """Returns the current value as a tensor that shares the memory until the next write.

        Reports the read to recorders. Only for operands: all reads until the next write return the same tensor, which tapes
        map to the variable. Users get another tensor from ``value``, which they may watch or treat as a constant.
        """
        snapshot = self._snapshot() if self._snapshot is not None else None
        if snapshot is None:
            snapshot = Tensor(self._array)
            snapshot._owner = self
            self._snapshot = weakref.ref(snapshot)
            memory_sharing.last = next(memory_sharing.numbers)  # for speed, instead of `note_new_share`
            # Now that a later write sees the share. Another thread may be in a write, without the GIL.
            if memory_sharing.only_user != get_ident() and not memory_sharing.has_single_thread():
                with writer_lock.lock:
                    snapshot = Tensor(self._array.copy())
                    self._snapshot = weakref.ref(snapshot)
                    memory_sharing.note_new_share()  # the next write must drop this snapshot
        for recorder in recorders.active:
            recorder.on_read(self, snapshot)
        return snapshot

    def _read_as_stored(self) -> Tensor:
        """Like ``_read``, but always in the variable's own dtype, also if operands get another dtype."""
        return self._read()

    def _register_view(self, tensor: Tensor) -> None:
        """Registers ``tensor``, a possible view of this variable's memory, for a copy before the next write."""
        tensor._owner = self
        memory_sharing.note_new_share()
        views = self._views
        if len(views) >= 64 and len(views) & (len(views) - 1) == 0:
            self._views = views = [view for view in views if view() is not None]
        views.append(weakref.ref(tensor))

    def value(self) -> Tensor:
        """Returns the current value as a new tensor that later assigns do not change."""
        tensor = Tensor(self._array)
        self._register_view(tensor)
        if not memory_sharing.has_single_thread():
            with writer_lock.lock:
                tensor = Tensor(self._array.copy())
        for recorder in recorders.active:
            recorder.on_read(self, tensor)
        return tensor

    read_value = value

    def numpy(self) -> Any:
        """Returns a copy of the current value as a NumPy array (a NumPy scalar if the shape is ())."""
        if recorders.active:
            self._read()._report_value_use("numpy")
        if type(self._array) is not np.ndarray:
            with writer_lock.lock:
                return move_to_device(self._array, None)[()]
        if not self._array.ndim:
            return self._array[()]
        if self._array.size < 256 and memory_sharing.has_single_thread():  # NumPy keeps the GIL
            return self._array.copy()
        with writer_lock.lock:
            return self._array.copy()

    def _value_to_save(self) -> np.ndarray:
        """Returns the value that a checkpoint stores, on the host; it may share the memory."""
        return move_to_device(self._array, None)

    def _restore_value(self, value: Any) -> None:
        """Assigns a value that a checkpoint has stored."""
        self.assign(value)

    # ---- writing ---------------------------------------------------------------------------

    @property
    def _unique_id(self) -> str:
        """A text that only this variable has in its process; Keras's optimizers use it as a key."""
        return f"{self._name}_{self._serial}"

    def assign(self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Any:
        """Assigns a new value in place.

        Args:
            value: a value of the variable's shape and dtype; Python values and arrays are converted.
            use_locking, name: kept for TensorFlow's signature.
            read_value: whether to return the variable (else None).

        Raises:
            ValueError: ``value`` has another shape, or is a tensor of another dtype; the variable is unchanged.
        """
        tensor = self._converted("assign", value)
        array = tensor._array
        if array.shape != self._array.shape:
            raise ValueError(
                f"Cannot assign value to variable '{self.name}': Shape mismatch. The variable shape {self.shape}, "
                f"and the assigned value shape {TensorShape.of(array.shape)} are incompatible."
            )
        with writer_lock.lock:
            write_to_memory(self._memory_for_write(), array)
        for recorder in recorders.active:
            recorder.on_assign(self, tensor)
        return self if read_value else None

    def assign_add(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Any:
        """Adds ``delta``, of the variable's shape and dtype, in place; errors as in ``assign``.

        Raises:
            InvalidArgumentError: ``delta`` has another shape: it is not broadcast.
        """
        return self._update(np.add, "assign_add", delta, read_value)

    def assign_sub(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Any:
        """Subtracts ``delta``, of the variable's shape and dtype, in place; errors as in ``assign_add``."""
        return self._update(np.subtract, "assign_sub", delta, read_value)

    def _update(self, ufunc: Any, operation_name: str, delta: Any, read_value: bool) -> Any:
        tensor = self._converted(operation_name, delta)
        check_not_narrow(operation_name, self._array, _NUMBERS)
        array = tensor._array
        if array.shape != self._array.shape:
            raise InvalidArgumentError(
                f"{operation_name}: Cannot update variable '{self.name}' with shape {list(self.shape)} using a Tensor with shape "
                f"{list(array.shape)}, shapes must be equal."
            )
        if self._must_change_by_operations():
            value = self._read_as_stored()
            return self.assign(value + tensor if ufunc is np.add else value - tensor, read_value=read_value)
        token = set_float_errors(QUIET)
        try:
            with writer_lock.lock:
                buffer = self._memory_for_write()
                if buffer.size < LARGE:
                    ufunc(buffer, array, out=buffer)
                else:
                    name = "add" if ufunc is np.add else "subtract"
                    operations = importlib.import_module("fastgrad._src.core.operation")
                    _large_arrays().update_large(operations.TABLE[name], buffer, array)
        finally:
            reset_float_errors(token)
        return self if read_value else None

    def _must_change_by_operations(self) -> bool:
        """True if updates must run as an operation and an assignment: for recorders of state, and on a GPU."""
        return type(self._array) is not np.ndarray or any(one.records_state for one in recorders.active)

    def _converted(self, operation_name: str, value: Any) -> Tensor:
        if operation_name != "assign" and self._array.dtype.kind in "bO":
            raise InvalidArgumentError(
                f"{operation_name}: variable '{self.name}' of dtype {self._operand_dtype.name} has no sums."
            )
        return convert_to_tensor(value, dtypes.DTYPE_OF_NUMPY[self._array.dtype])

    def _converted_part(self, operation_name: str, value: Any) -> Tensor:
        """Returns ``value`` for an assignment to a part of the variable, of any shape."""
        return self._converted(operation_name, value)

    def _memory_for_write(self) -> np.ndarray:
        """Returns the variable's memory for a write, after tensors that share it got their own copies."""
        for recorder in recorders.active:
            recorder.on_write(self)
        self._detach_views()
        return self._array

    def _detach_views(self) -> None:
        """Gives each tensor that shares the variable's memory a copy of the value, before a write."""
        is_alone = memory_sharing.only_user == get_ident() or memory_sharing.has_single_thread()
        if self._snapshot is not None or self._views:
            references = [*self._views, self._snapshot] if self._snapshot is not None else self._views
            has_shared = False
            for reference in references:
                tensor = reference()
                if tensor is not None and tensor._owner is not None:
                    tensor._array = tensor._array.copy()
                    tensor._owner = None
                    has_shared = True
            self._snapshot = None
            self._views = []
            if has_shared and not is_alone:
                memory_sharing.wait_for_other_threads()

    # ---- properties ------------------------------------------------------------------------

    def _promoted_operands(self, other: Any, is_division: bool) -> tuple[Any, Any] | None:
        """Returns both operands in their common dtype, for variable classes with dtype promotion; here None."""
        return None

    @property
    def name(self) -> str:
        """The name, followed by ``:0``."""
        return self._name + ":0"

    @property
    def initializer(self) -> None:
        """None, as in TensorFlow's eager mode: a variable has its initial value at once."""
        return None

    @property
    def trainable(self) -> bool:
        """True if gradient tapes watch the variable automatically."""
        return self._trainable

    def ref(self) -> Reference:
        """Returns a hashable reference for use as a key; variables themselves are not hashable."""
        return Reference(self)

    def __hash__(self) -> int:
        raise TypeError("Variable is unhashable. Instead, use variable.ref() as the key.")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self._read().__array__(dtype, copy)

    def __dlpack__(self, **options: Any) -> Any:
        return self._read().__dlpack__(**options)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return self.value().__cuda_array_interface__

    def __bool__(self) -> bool:
        return bool(self._read())

    def __int__(self) -> int:
        return int(self._read())

    def __float__(self) -> float:
        return float(self._read())

    def _as_argument(self) -> float:
        return self._read()._as_argument()

    def __complex__(self) -> complex:
        return complex(self._read())

    def __index__(self) -> int:
        return self._read().__index__()

    def __iter__(self) -> Any:
        return iter(self._read())

    def __format__(self, spec: str) -> str:
        return format(self._read(), spec) if spec else repr(self)

    def __repr__(self) -> str:
        # The text holds no value in a recording, as that of a tensor.
        value = "" if inside_function() else f", numpy={elements_text(move_to_device(self._array, None))}"
        return f"<tf.Variable '{self.name}' shape={self.shape} dtype={self._operand_dtype.name}{value}>"

    def __copy__(self) -> Variable:
        return self.__deepcopy__({})

    def __deepcopy__(self, memo: dict[int, Any]) -> Variable:
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        twin.__dict__.update(self.__dict__)
        twin._array = aligned_copy(self._array) if type(self._array) is np.ndarray else self._array.copy()
        twin._serial = next(_creation_numbers)
        twin._snapshot, twin._views = None, []
        return twin

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_array": move_to_device(self._array, None), "_snapshot": None, "_views": []}

    __iadd__ = _operator_method_that_raises("__iadd__", "+=", "assign_add")
    __isub__ = _operator_method_that_raises("__isub__", "-=", "assign_sub")
    __imul__ = _operator_method_that_raises("__imul__", "*=", "assign")
    __itruediv__ = _operator_method_that_raises("__itruediv__", "/=", "assign")
    __ipow__ = _operator_method_that_raises("__ipow__", "**=", "assign")


def write_to_memory(memory: Any, array: Any) -> None:
    """Writes the value ``array`` to a variable's ``memory``, on any devices."""
    if type(memory) is np.ndarray:
        array = move_to_device(array, None)
        if memory.size < LARGE:
            np.copyto(memory, array)
        else:
            _large_arrays().copy_large(memory, array)
    else:
        memory.write(array)


def _large_arrays() -> Any:
    return importlib.import_module("fastgrad._src.core.large_arrays")  # which imports the kernels


tensors.converters.append((Variable, methodcaller("read_value")))  # a subclass may override `read_value`


def stands_for_variable(item: Any) -> bool:
    """True for an object of another library that stands for the variable ``item.value``, as Keras's variables do."""
    return getattr(type(item), "_should_act_as_resource_variable", False)
