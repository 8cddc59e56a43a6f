"""Users' functions: the Python function that Numba compiled, and a snapshot of the values that a function reaches."""

from __future__ import annotations

import builtins
import functools
import inspect
import itertools
import os
import random
import types
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeGuard

import numpy as np

from fastgrad._src.core.python_state_version import count_change
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.derivatives.functions.dispatchers import dispatcher_of_copy
from fastgrad._src.jit.bytecode import HANDLER_OPCODES, name_paths_of, opcodes_in
from fastgrad._src.jit.captured_values import PLAIN_TYPES, ReachedValue, has_changed
from fastgrad._src.jit.generated_source import function_from_source, name_in_source, unused_name
from fastgrad._src.jit.libraries import is_of_library
from fastgrad._src.jit.locks import new_rlock

_name_counts: Counter[str] = Counter()
_numbers = itertools.count()  # unique names in conditions, so that those of several snapshots can be joined
_NO_VALUE = object()
_TYPES_WITHOUT_ATTRIBUTES = (*PLAIN_TYPES, Tensor, Variable, np.ndarray, list, tuple, dict, set, types.FunctionType)
_CHANGING_MODULES = ("random", "numpy.random", "time", "datetime", "secrets", "uuid")
_CHANGING_BUILTINS = (next, input, os.urandom)


def unique_name(name: str) -> str:
    """Returns a name that no earlier operation has had, so that a name means one operation."""
    _name_counts[name] += 1
    return name if _name_counts[name] == 1 else f"{name}#{_name_counts[name]}"


def python_function(function: Any) -> types.FunctionType:
    """Returns the Python function that Numba compiled, or ``function`` itself.

    Raises:
        TypeError: there is no Python function.
    """
    if has_own_adjoint(function):
        raise TypeError(f"got {function!r}, which has an adjoint of its own: give a function that calls it.")
    return _python_function_of(function)


def _python_function_of(function: Any) -> types.FunctionType:
    if is_user_operation(function):
        python: types.FunctionType = function.python_function
        return python
    for name in ("", "_dispatcher", "gufunc_builder"):  # of njit, vectorize, guvectorize
        candidate = getattr(function, name, None) if name else function
        if not name and has_fixed_types(candidate):
            return caller_of(candidate)
        candidate = getattr(candidate, "py_func", candidate)
        if isinstance(candidate, types.FunctionType):
            return candidate
    raise TypeError(f"got {function!r}; give a Python function, or one that Numba has compiled.")


CALLED = "called_function"
"""The attribute of a function of ``caller_of`` that has the function which it calls."""


def has_fixed_types(value: Any) -> bool:
    """True for a function that Numba compiled for given signatures only, or with given types of variables (``njit(locals=...)``)."""
    is_compiled = hasattr(value, "targetoptions") and isinstance(getattr(value, "py_func", None), types.FunctionType)
    return is_compiled and (bool(value.locals) or not value._can_compile)


@functools.lru_cache(maxsize=256)
def caller_of(dispatcher: Any) -> types.FunctionType:
    """Returns a Python function that calls one with given types.

    What is traced or derived of it sees a call, which casts arguments, variables and the result as Numba does.
    """
    function = dispatcher.py_func
    code, name = function.__code__, name_in_source(function.__name__)
    parameters = [*inspect.signature(function).parameters]
    callee = unused_name("callee", parameters)
    given = ", ".join(parameters)
    source = f"def {name}({given}):\n    return {callee}({given})\n"
    scope = {callee: dispatcher, "__name__": function.__module__}
    caller = function_from_source(name, source, f"<call {next(_numbers)}: {name}>", scope)
    del scope[name]
    # Errors name the user's line.
    caller.__code__ = caller.__code__.replace(co_filename=code.co_filename, co_firstlineno=code.co_firstlineno)
    caller.__defaults__, caller.__doc__ = function.__defaults__, function.__doc__
    setattr(caller, CALLED, dispatcher)
    return caller


def compile_error(
    name: str, argument_types: Sequence[Any], error: Exception, function: types.FunctionType
) -> TypeError:
    """Returns the error for a function that Numba can't compile."""
    line = f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}"
    remedy = " It was compiled for given signatures only: give numba.njit none." if hasattr(function, CALLED) else ""
    return TypeError(
        f"{name}: Numba can't compile the function at {line} for ({', '.join(map(str, argument_types))}).{remedy}\n{error}"
    )


def is_user_operation(value: Any) -> bool:
    """True for what ``elementwise`` and ``kernel`` make."""
    return getattr(type(value), "compiles_function", False)


def has_own_adjoint(value: Any) -> bool:
    """True for a function that got its adjoint by ``fg.adjoint``."""
    return "own_adjoint" in getattr(value, "__dict__", ())


def is_user_function(value: Any) -> TypeGuard[types.FunctionType]:
    """True for a Python function that no library has."""
    return isinstance(value, types.FunctionType) and not is_of_library(value.__module__)


def _varies_between_calls(value: Any) -> bool:
    """True for a source of numbers that differ from call to call: random numbers, clocks, iterators."""
    owner = getattr(value, "__self__", value)
    if isinstance(owner, (random.Random, np.random.RandomState, np.random.Generator)):
        return True
    module = getattr(owner, "__module__", None) or getattr(value, "__module__", None) or ""
    return callable(value) and (
        any(value is source for source in _CHANGING_BUILTINS)
        or (isinstance(module, str) and (module in _CHANGING_MODULES or module.startswith("numpy.random.")))
    )


def names_in(code: types.CodeType) -> Iterator[str]:
    """Yields the names of all globals and attributes in a function's code and in the code nested in it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from names_in(constant)


def globals_and_closure_values(function: types.FunctionType) -> dict[str, Any]:
    """Returns the outside values that a function uses, by name: globals, and variables of enclosing functions."""
    values = {name: function.__globals__[name] for name in names_in(function.__code__) if name in function.__globals__}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            values[name] = cell.cell_contents
        except ValueError:  # assigned later, or the function's own name
            continue
    return values


def _is_library(value: Any) -> bool:
    return isinstance(value, types.ModuleType) and is_of_library(value.__name__)


class Snapshot:
    """Users' functions with all that they reach, as it is now.

    A function reaches globals, variables of enclosing functions, attributes of modules and objects that it reads through
    names, and what the functions that it calls reach: plain ones, those of Numba and of ``elementwise``, also those in tuples and
    default values. The elements of lists, dicts and arrays are not looked at.

    Args:
        functions: functions of users; None stays None.
        keeps_parallel: whether copies of Numba's functions keep their option ``parallel``.

    Attributes:
        functions: copies of the functions. Their globals keep the values of now; attributes of objects do not.
        reads: the values that the functions read.
        conditions: expressions that are true if a value has changed, over the names in ``scope``. They raise the errors of
            ``ReachedValue.read``.
        scope: the values of the names in ``conditions``.
        changing: the labels of sources of numbers that differ from call to call, as ``random.random``.
        tensors: the labels of tensors and variables.
        with_gradients: the labels of operations with gradients that users gave.
        opcodes: the names of the opcodes of all functions.
        order: a number for each name that is read and for each function that is reached, in the order of the search. Places
            and functions are numbered as they are met first, so that a second meeting repeats a number. With ``reads`` it tells
            which functions share a place or a function.
        owner: has the attribute ``given_gradients``: the ``UserFunction`` that the functions belong to, else the snapshot.
    """

    given_gradients: tuple[Any, ...] = ()

    def __init__(self, functions: Sequence[Any], keeps_parallel: bool = False) -> None:
        self._keeps_parallel = keeps_parallel
        self.reads: list[ReachedValue] = []
        self.conditions: list[str] = []
        self.scope: dict[str, Any] = {"differs": has_changed}
        self.changing: list[str] = []
        self.tensors: list[str] = []
        self.with_gradients: list[str] = []
        self.with_given_types: list[str] = []
        self.opcodes: set[str] = set()
        self._copies: dict[Any, Any] = {}  # by the id of the function, and of a method's instance
        self.owner: Any = self
        self._modules: dict[int, types.ModuleType] = {}
        self._names: dict[int, str] = {}  # by id: the names in ``scope``, which keeps the objects alive
        self.order: list[int] = []
        self._known: dict[tuple[int, Any], int] = {}
        self.functions: list[Any] = [
            self._frozen_callable(function) if function is not None else None for function in functions
        ]
        self._copies, self._modules = {}, {}

    def change_check(self) -> Callable[[], bool]:
        """Returns a function that tells whether a value that the functions read has changed."""
        lines = [
            "def has_changed():",
            "    try:",
            f"        return {' or '.join(self.conditions) or 'False'}",
            "    except (KeyError, ValueError, AttributeError):",
            "        return True",
        ]
        scope = dict(self.scope)
        exec("\n".join(lines), scope)  # noqa: S102 - our own text
        return scope["has_changed"]

    @property
    def refusal(self) -> str | None:
        """Why no formula says what the functions do, if that can be told without a trace."""
        if self.changing:
            return f"it calls {self.changing[0]}, which gives another value at each call"
        if self.with_given_types:
            return f"it calls {self.with_given_types[0]}, to which numba.njit gave signatures or types of variables"
        return None if self.opcodes.isdisjoint(HANDLER_OPCODES) else "it has a try or with statement"

    @property
    def underivable_reason(self) -> str | None:
        """Why a gradient of the compiled functions would be wrong, if that can be told without a look at them."""
        if self.changing:
            return f"it calls {self.changing[0]}, which gives another value at each call"
        if self.with_gradients:
            return f"it calls {self.with_gradients[0]}, whose gradient was given, and a trace can't follow it"
        return None

    def native_error(self, name: str, error: TypeError) -> TypeError:
        """Returns the error for functions that Numba can't compile, with the remedy if the functions tell it."""
        if self.tensors:
            return TypeError(
                f"{name}: it takes numbers, and reads the tensor {self.tensors[0]} from outside. Pass {self.tensors[0]} as an input."
            )
        if self.changing:
            return TypeError(
                f"{name}: it calls {self.changing[0]}, which gives another value at each call, and which Numba can't compile here. "
                f"Pass the value as an input.\n{error}"
            )
        return error

    # ---- values ------------------------------------------------------------------------------------------

    def _frozen_callable(self, function: Any) -> Any:
        """Returns a copy of one of the snapshot's own functions. Of one with an adjoint of its own, which calls take as it is, the inside counts, too."""
        if has_own_adjoint(function):
            function = function.own_adjoint.function
            is_compiled = isinstance(getattr(function, "py_func", None), types.FunctionType)
            return self._frozen_dispatcher(function) if is_compiled else function
        is_compiled = is_user_operation(function) or hasattr(function, "targetoptions")
        return self._frozen(function if is_compiled else _python_function_of(function), "")

    def _frozen(self, value: Any, label: str) -> Any:
        """Returns ``value``, or a copy that keeps all that it reaches, and notes what it reaches."""
        if isinstance(value, (Tensor, Variable)):
            self.tensors.append(label)
        elif _varies_between_calls(value):
            self.changing.append(label)
        elif is_user_operation(value):
            return self._frozen_operation(value, label)
        elif has_own_adjoint(value):
            return value.own_adjoint.function
        elif is_user_function(value):
            return self._copy(value)
        elif isinstance(value, types.MethodType) and is_user_function(value.__func__):
            return types.MethodType(self._copy(value.__func__, value.__self__), value.__self__)
        elif isinstance(value, functools.partial):
            return functools.partial(self._frozen(value.func, label), *value.args, **value.keywords)
        elif isinstance(getattr(value, "py_func", None), types.FunctionType):
            if has_fixed_types(value):
                self.with_given_types.append(value.py_func.__name__)
            return self._frozen_dispatcher(value)
        elif isinstance(getattr(getattr(value, "_dispatcher", None), "py_func", None), types.FunctionType):
            return self._frozen_ufunc(value)
        elif type(value) is tuple:
            return self._frozen_items(value, label)
        elif isinstance(value, types.ModuleType) and not is_of_library(value.__name__):
            if id(value) not in self._modules:
                copy = self._modules[id(value)] = types.ModuleType(value.__name__)
                vars(copy)["__getattr__"] = functools.partial(getattr, value)
            return self._modules[id(value)]
        return value

    def _frozen_items(self, values: tuple[Any, ...], label: str) -> tuple[Any, ...]:
        items = [
            value if isinstance(value, PLAIN_TYPES) else self._frozen(value, f"{label}[{number}]")
            for number, value in enumerate(values)
        ]
        is_same = all(item is value for item, value in zip(items, values, strict=True))
        return values if is_same else tuple(items)

    def _frozen_operation(self, value: UserFunction, label: str) -> Any:
        if value.is_under_construction:  # it calls itself
            return self._copy(value.python_function)
        snapshot = value.snapshot
        self.reads += snapshot.reads
        self.conditions += snapshot.conditions
        self.scope |= snapshot.scope
        self.changing += snapshot.changing
        self.tensors += snapshot.tensors
        self.with_gradients += [*snapshot.with_gradients, *([label] if value.given_gradients else [])]
        self.with_given_types += snapshot.with_given_types
        self.opcodes |= snapshot.opcodes
        self.order += [len(snapshot.order), *snapshot.order]
        self._read_and_watch(value, "given_gradients", f"{label}.gradient")
        return value.frozen()

    def _frozen_dispatcher(self, dispatcher: Any) -> Any:
        """Returns a function compiled by Numba, or a copy for a new compilation if it reaches what may change."""
        function = dispatcher.py_func
        if hasattr(dispatcher, "recipe"):  # a derivative
            maker, *arguments = dispatcher.recipe
            is_same = self._frozen(arguments[0], function.__name__) is arguments[0]
            return dispatcher if is_same else maker(*arguments)  # derived with the values of now
        if not dispatcher._can_compile or all(
            _is_library(value) for value in globals_and_closure_values(function).values()
        ):
            self._copy(function)
            return dispatcher
        copy = self._copies.get(id(dispatcher))
        self._is_first_visit(function, None)
        if copy is None:
            local_types = {name: type for name, type in dispatcher.locals.items() if name.isidentifier()}  # no versions
            options: dict[str, Any] = {"locals": local_types} if local_types else {}
            if self._keeps_parallel:
                options["parallel"] = dispatcher.targetoptions.get("parallel", False)
            copy = self._copies[id(dispatcher)] = dispatcher_of_copy(
                dispatcher, _copy_without_globals(function), **options
            )
            self._fill_globals_and_cells(copy.py_func, function)
        return copy

    def _frozen_ufunc(self, ufunc: Any) -> Any:
        """Returns a function of ``numba.vectorize``, or a copy for a new compilation if it reaches what may change."""
        function = ufunc._dispatcher.py_func
        copy = self._copy(function)
        if all(_is_library(value) for value in globals_and_closure_values(function).values()):
            return ufunc
        from numba import vectorize

        return vectorize(copy)

    def _copy(self, function: types.FunctionType, instance: Any = _NO_VALUE) -> types.FunctionType:
        key = id(function), id(instance)
        copy = self._copies.get(key)
        self._is_first_visit(function, id(instance))
        if copy is None:
            copy = self._copies[key] = _copy_without_globals(function)
            self._fill_globals_and_cells(copy, function, instance)
        return copy

    def _fill_globals_and_cells(
        self, copy: types.FunctionType, function: types.FunctionType, instance: Any = _NO_VALUE
    ) -> None:
        """Gives the copy of a function its globals and cells; ``instance`` is the known first argument of a method."""
        code = function.__code__
        self.opcodes |= opcodes_in(code)
        for attribute in ("__code__", "__defaults__"):  # a module that is loaded again may change its functions
            holder, old = self._name_in_scope(function), self._name_in_scope(getattr(function, attribute))
            self.conditions.append(f"{holder}.{attribute} is not {old}")
        if function.__defaults__:
            copy.__defaults__ = self._frozen_items(function.__defaults__, function.__name__)
        cells = zip(function.__closure__ or (), copy.__closure__ or (), strict=True)
        cells_by_name = dict(zip(code.co_freevars, cells, strict=True))
        for path in name_paths_of(code):
            value: Any = _NO_VALUE
            if path.kind == "global":
                value = self._global(path.name, function.__globals__, copy.__globals__)
            elif path.kind == "free":
                value = self._cell_contents(path.name, *cells_by_name[path.name])
            elif path.kind == "local" and path.name == code.co_varnames[0]:
                value = instance
            label = path.name
            for attribute in path.attributes:
                label = f"{label}.{attribute}"
                value = self._watched_attribute(value, attribute, label)

    def _global(self, name: str, table: dict[str, Any], copied_table: dict[str, Any]) -> Any:
        if name in table:
            value = self._read_and_watch(table, name, name)
            if name not in copied_table:
                copied_table[name] = self._frozen(value, name)
            return value
        value = getattr(builtins, name, _NO_VALUE)
        if value is not _NO_VALUE and self._is_first_visit(table, name):
            self.conditions.append(f"{name!r} in {self._name_in_scope(table)}")
            self.reads.append(ReachedValue(name, lambda: table.get(name, value), value))
            self._frozen(value, name)
        return value

    def _cell_contents(self, name: str, cell: types.CellType, copied_cell: types.CellType) -> Any:
        try:
            value = self._read_and_watch(cell, "cell_contents", name)
        except ValueError:  # assigned later
            return _NO_VALUE
        try:
            copied_cell.cell_contents  # noqa: B018 - raises if the cell is empty
        except ValueError:
            copied_cell.cell_contents = self._frozen(value, name)
        return value

    def _watched_attribute(self, holder: Any, name: str, label: str) -> Any:
        """Returns an attribute of a value and notes it; no value for what is computed, or can't change."""
        if holder is _NO_VALUE or isinstance(holder, _TYPES_WITHOUT_ATTRIBUTES):
            return _NO_VALUE
        if isinstance(holder, types.ModuleType) and not is_of_library(holder.__name__):
            if name not in vars(holder):
                return _NO_VALUE
            value, copied = self._read_and_watch(vars(holder), name, label), vars(self._frozen(holder, label))
            if name not in copied:
                copied[name] = self._frozen(value, label)
            return value
        owner = holder if isinstance(holder, type) else type(holder)
        if is_of_library(owner.__module__) or isinstance(holder, types.ModuleType):
            value = getattr(holder, name, _NO_VALUE) if isinstance(holder, (type, types.ModuleType)) else _NO_VALUE
            self._frozen(value, label)
            return value
        kind = next((kind for kind in owner.__mro__ if name in vars(kind)), None)
        declared = _NO_VALUE if kind is None else vars(kind)[name]
        method = declared.fget if isinstance(declared, property) else getattr(declared, "__func__", declared)
        if is_user_function(method) and name not in getattr(holder, "__dict__", {}):
            self._copy(method, owner if isinstance(declared, classmethod) else holder)
            if not isinstance(declared, classmethod):  # Python makes a new object of it at each read
                self._read_and_watch(kind, name, label)
            return _NO_VALUE
        is_own = name in getattr(holder, "__dict__", {})
        is_plain = declared is not _NO_VALUE and not hasattr(type(declared), "__get__")
        if not (is_own or is_plain or isinstance(declared, types.MemberDescriptorType)):
            return _NO_VALUE
        value = self._read_and_watch(holder, name, label)
        self._frozen(value, label)
        return value

    # ---- places ------------------------------------------------------------------------------------------

    def _read_and_watch(self, place: Any, name: str, label: str) -> Any:
        """Returns the value of a name in a place, and adds the condition that it has changed."""
        value = _value_at(place, name)
        if self._is_first_visit(place, name):
            holder, old = self._name_in_scope(place), self._name_in_scope(value)
            text = f"{holder}[{name!r}]" if type(place) is dict else f"{holder}.{name}"
            condition = f"{text} is not {old}"
            is_plain = isinstance(value, PLAIN_TYPES)
            self.conditions.append(f"({condition} and differs({text}, {old}))" if is_plain else condition)
            self.reads.append(ReachedValue(label, functools.partial(_value_at, place, name), value))
        return value

    def _is_first_visit(self, place: Any, name: Any) -> bool:
        """Notes that the search meets a name in a place, or a function with an instance; True if it does so for the first time."""
        key, count = (id(place), name), len(self._known)
        number = self._known.setdefault(key, count)
        self.order.append(number)
        return number == count

    def _name_in_scope(self, value: Any) -> str:
        name = self._names.get(id(value))
        if name is None:
            name = self._names[id(value)] = f"u{next(_numbers)}"
            self.scope[name] = value
        return name


def _value_at(place: Any, name: str) -> Any:
    """Returns the value of a name in a dict, or the value of an attribute of any other object."""
    return place[name] if type(place) is dict else getattr(place, name)


def _copy_without_globals(function: types.FunctionType) -> types.FunctionType:
    """Returns a copy of a function without globals and with empty cells."""
    code, scope = function.__code__, {"__builtins__": builtins, "__name__": function.__globals__.get("__name__")}
    cells = tuple([types.CellType() for _ in code.co_freevars])
    copy = types.FunctionType(code, scope, function.__name__, function.__defaults__, cells)
    copy.__kwdefaults__, copy.__doc__ = function.__kwdefaults__, function.__doc__
    copy.__module__, copy.__qualname__ = function.__module__, function.__qualname__
    return copy


_construction_lock = new_rlock()


class UserFunction:
    """The base of operations that users write as functions: ``elementwise`` and ``kernel`` make them.

    The operation that is run and recorded belongs to the values that the function reaches. When one has changed, the next use
    makes another operation; recordings, tapes and programs keep theirs.

    Args:
        function: the user's function, plain or compiled by Numba.

    Attributes:
        python_function: the Python function.
        given_gradients: the user's gradient functions; empty if none are given. None is for no gradient.
        is_under_construction: whether this thread makes the operation.
        __wrapped__: the function as the user passed it.
    """

    compiles_function = True
    is_under_construction = False
    __name__: str
    __qualname__: str

    def __init__(self, function: Any) -> None:
        self.python_function = python_function(function)
        functools.update_wrapper(self, self.python_function)
        self.__wrapped__ = function
        self.given_gradients: tuple[Any, ...] = ()
        self._snapshot: Snapshot
        self._operation: Any
        self._has_changed: Callable[[], bool] = lambda: True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Applies the function to tensors."""
        raise NotImplementedError

    def __reduce__(self) -> str:
        return self.__qualname__  # pickled by name, as functions are

    @property
    def operation(self) -> Any:
        """The operation for the values that the function reaches now."""
        return self._renewed_operation() if self._has_changed() else self._operation

    @property
    def snapshot(self) -> Snapshot:
        """The function and its gradient functions with the values that they reach now."""
        return self.operation.reached

    def frozen(self) -> UserFunction:
        """Returns a copy whose operation stays the present one."""
        copy = object.__new__(type(self))
        vars(copy).update(vars(self))
        copy._operation = self.operation
        copy._has_changed = lambda: False
        copy.__wrapped__ = copy._operation.reached.functions[0]
        copy.python_function = python_function(copy.__wrapped__)
        return copy

    def _set_gradients(self, functions: tuple[Any, ...]) -> None:
        with _construction_lock:
            self.given_gradients = functions
            self._has_changed = lambda: True
            count_change()

    def _renewed_operation(self) -> Any:
        with _construction_lock:
            if self._has_changed():
                self.is_under_construction = True
                try:
                    snapshot = Snapshot([self.__wrapped__, *self.given_gradients])
                    snapshot.owner = self
                    self._operation = self._make_operation(snapshot)
                finally:
                    self.is_under_construction = False
                self._has_changed = snapshot.change_check()
            return self._operation

    def _make_operation(self, snapshot: Snapshot) -> Any:
        """Returns a new operation of the functions in ``snapshot``: the function, then its gradients."""
        raise NotImplementedError


def draws_random_numbers(f: Any) -> bool:
    """True if a function, which may be a derivative of another, may draw random numbers."""
    while hasattr(f, "recipe"):
        f = f.recipe[1]
    return bool(Snapshot([f]).changing)
