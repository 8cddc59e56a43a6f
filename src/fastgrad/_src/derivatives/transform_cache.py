"""``vjp`` and ``jvp`` of calls. What depends on the function and the types of arguments is prepared once, and kept."""

from __future__ import annotations

import copy
import functools
import inspect
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np
from numba import types

from fastgrad._src.core.errors import DifferentiationError
from fastgrad._src.derivatives.codegen.compilation import check_jit_is_enabled
from fastgrad._src.derivatives.codegen.random_states import copy_of_states, drawing_from
from fastgrad._src.derivatives.codegen.record_fields import (
    LISTS,
    State,
    instance_state,
    instances_with_state,
    is_instance,
    memory_in_argument,
)
from fastgrad._src.derivatives.functions.argument_types import (
    check_parts_of_result,
    check_types,
    has_random_generator,
    is_differentiable,
)
from fastgrad._src.derivatives.functions.numba_types import WITHOUT_MEMORY, UnknownType, leaf_types, number_type
from fastgrad._src.derivatives.functions.parameters import (
    is_variadic,
    parameter_names,
    place,
    with_fixed_parameters,
    wrapped_function,
)
from fastgrad._src.derivatives.functions.snapshot import Snapshot
from fastgrad._src.jit.dispatcher_cache import RecentlyUsed
from fastgrad._src.jit.numba_internals import dispatcher

_LAYOUT = 0x503
"""The flags of an array that its Numba type depends on: contiguous in either order, aligned, writable."""
_NUMBERS = frozenset(
    [
        float,
        int,
        complex,
        bool,
        str,
        type(None),
        np.float64,
        np.float32,
        np.complex128,
        np.complex64,
        np.int64,
        np.bool_,
    ]
)


class _Function:
    """A function with what was prepared for calls of it, as long as no value that it reads changes.

    Args:
        f: the function.

    Attributes:
        calls: the prepared calls, by class, number of primals and kinds of the arguments.
    """

    def __init__(self, f: Any) -> None:
        self._f = f
        snapshot = Snapshot([f], keeps_parallel=True)
        self._reads_another_value = snapshot.change_check()
        values = [leaf for read in snapshot.reads for leaf in result_leaves(read.recorded)]
        self._arrays = [(array, array.tobytes()) for array in values if isinstance(array, np.ndarray)]
        # Numba may have compiled these functions with values that have changed since.
        self._with_values_of_now = snapshot.functions[0] if any(map(_is_compiled, [f, *values])) else f
        self.calls = RecentlyUsed()
        self._dispatchers: dict[Any, Any] = {}

    def has_changed(self) -> bool:
        """Returns whether a value that the function reads has changed, or an element of an array."""
        return self._reads_another_value() or any(array.tobytes() != content for array, content in self._arrays)

    def dispatcher(self, count: int, maker: Callable[..., Any], *options: Any) -> Any:
        """Returns ``maker`` of the function with ``count`` arguments and of ``options``, the one of an earlier call if there is one."""
        key = count, maker, options
        if key not in self._dispatchers:
            self._dispatchers[key] = maker(self.of(count), *options)
        return self._dispatchers[key]

    def compiled(self, count: int) -> Any:
        """Returns the function of ``count`` arguments, which Numba compiles with the values that it and its callees read now."""
        key = count, None
        if key not in self._dispatchers:
            f = self._with_values_of_now
            f = with_fixed_parameters(f, count) if is_variadic(f) else f
            self._dispatchers[key] = f if isinstance(f, dispatcher.Dispatcher) else numba.njit(f)
        return self._dispatchers[key]

    def of(self, count: int) -> Any:
        """Returns the function of ``count`` arguments."""
        return with_fixed_parameters(self._f, count) if is_variadic(self._f) else self._f


_FUNCTIONS = RecentlyUsed()


class PreparedCall:
    """Calls of a function with arguments of some types.

    Args:
        function: the function.
        primals: the arguments that have tangents or cotangents.
        values: all arguments, in the order of the parameters.
    """

    owner = ""

    def __init__(self, function: _Function, primals: Sequence[Any], values: Sequence[Any]) -> None:
        self._function = function
        self._f = function.of(len(values))
        self._python_function = wrapped_function(self._f, self.owner)
        self._types = tuple(map(type_of, values))
        self._given = len(primals)
        self.defaults: Sequence[Any] = ()
        """The values of the last parameters, for calls without keywords."""
        self._positions = tuple(n for n, type in enumerate(self._types[: self._given]) if not _is_constant(type))
        check_types(self._python_function, self._types, self._checked_positions(), self.owner, has_argnums=False)

    def _checked_positions(self) -> tuple[int, ...]:
        return self._positions

    @classmethod
    def of(cls, f: Any, primals: Sequence[Any], keywords: dict[str, Any]) -> tuple[Any, Sequence[Any]]:
        """Returns the prepared call, and its arguments."""
        function = _function_of(f, cls.owner)
        values = bind_arguments(f, primals, keywords, cls.owner) if keywords else primals
        key = cls, len(primals), tuple(map(_kind_of, values))
        call = function.calls.get(key)
        if call is None:
            bound = values if keywords else bind_arguments(f, primals, keywords, cls.owner)
            call = cls(function, primals, bound)
            call.defaults = bound[len(values) :]
            function.calls.put(key, call)
        return call, (*values, *call.defaults) if call.defaults else values


def _function_of(f: Any, owner: str) -> _Function:
    try:
        function = _FUNCTIONS.get(f)
    except TypeError:  # no hash
        function = None
    if function is None or function.has_changed():
        if not is_variadic(f):
            wrapped_function(f, owner)  # raises
        function = _Function(f)
        _FUNCTIONS.put(f, function)
    return function


def _kind_of(value: Any) -> Any:
    """Returns what the Numba type of a value depends on, sooner than Numba tells the type."""
    kind = type(value)
    if kind is np.ndarray:
        return value.dtype, value.ndim, value.flags.num & _LAYOUT
    if kind in _NUMBERS or isinstance(value, dispatcher.Dispatcher):
        return kind if kind in _NUMBERS else value
    return (kind, *map(_kind_of, value)) if isinstance(value, tuple) else type_of(value)


def _is_constant(type: types.Type) -> bool:
    """True for values without tangents and cotangents: integers, truth values, texts, None, functions, dictionaries, and tuples, lists and arrays of them."""
    number = number_type(type)
    return not is_differentiable(type) and number != types.float16 and not isinstance(number, types.PyObject)


class PreparedPullback(PreparedCall):
    """Calls of ``vjp``.

    Args:
        function, primals, values: as in ``PreparedCall``.
    """

    owner = "vjp"
    pullback: Callable[..., Any]
    """The function that makes the dispatchers."""

    def __init__(self, function: _Function, primals: Sequence[Any], values: Sequence[Any]) -> None:
        super().__init__(function, primals, values)
        check_jit_is_enabled(f"vjp of {self._python_function.__name__}")  # at once, not at a call of the pullback
        self._compiled = function.compiled(len(values))
        in_memory = [leaf for leaf in leaf_types(types.Tuple(self._types)) if not isinstance(leaf, WITHOUT_MEMORY)]
        self._has_instances = any(isinstance(leaf, types.ClassInstanceType) for leaf in in_memory)
        self._has_generators = any(map(has_random_generator, self._types))
        self._may_share_memory = len(in_memory) > 1 or self._has_instances
        self._pullbacks: dict[int, Any] = {}

    def _checked_positions(self) -> tuple[int, ...]:
        return self._positions or tuple(range(self._given))

    def run(self, values: Sequence[Any]) -> tuple[Any, Callable[..., tuple[Any, ...]]]:
        """Returns the result and the pullback."""
        if self._may_share_memory:
            self._check_no_shared_memory(values)
        states = copy_of_states()
        given, values = values, copies(values)
        own = {}
        if self._has_generators:  # the state of the user's generators moves
            own = {id(leaf): leaf for leaf in result_leaves(tuple(given)) if isinstance(leaf, np.random.Generator)}
        state = instance_state(result_leaves(tuple(values))) if self._has_instances else []
        if state:
            with instances_with_state(state):
                result = self._compiled(*copies(given, own))
        else:
            result = self._compiled(*copies(given, own))
        has_drawn = states != copy_of_states()
        results = result_leaves(result)
        count = len(results)
        pull = self._pullbacks.get(count)
        if pull is None:
            check_parts_of_result(type_of(result), self._python_function, self.owner)
            maker = type(self).pullback
            pull = self._function.dispatcher(len(values), maker, self._positions, count)
            # At once, so that a later change of what the function reads concerns the pullback no more than the result.
            pull.compile((*self._types, *map(self._cotangent_type, results)))
            self._pullbacks[count] = pull
        run_again = functools.partial(_run_again, pull, values, states if has_drawn else None, state)
        return result, functools.partial(self._pull_back, run_again, results)

    def _pull_back(self, run: Callable[..., tuple[Any, ...]], results: list[Any], cotangent: Any) -> tuple[Any, ...]:
        cotangents = result_leaves(cotangent)
        if len(cotangents) != len(results):
            raise ValueError(
                f"vjp of {self._python_function.__name__}: {len(cotangents)} cotangents for {len(results)} results."
            )
        gradients = run(
            [
                part if _is_direction_of(part, y) else self._cotangent(part, y)
                for part, y in zip(cotangents, results, strict=True)
            ]
        )
        if len(gradients) == self._given:
            return gradients
        of_position = dict(zip(self._positions, gradients, strict=True))
        return tuple(map(of_position.get, range(self._given)))

    def _cotangent_type(self, result: Any) -> types.Type:
        """Returns the type of most cotangents of a result."""
        if not isinstance(result, (np.ndarray, np.generic, int, float, complex)):
            return types.float64  # the compilation says why such a result is refused
        like = np.ones((1,) * result.ndim, result.dtype) if isinstance(result, np.ndarray) else result
        if _is_direction_of(like, like):
            return type_of(like)
        return type_of(self._cotangent(None if _is_constant(type_of(like)) else like, like))

    def _cotangent(self, part: Any, result: Any) -> Any:
        """Returns the cotangent of a result as the compiled pullback takes it."""
        if part is None and _is_constant(type_of(result)):
            part = np.zeros(result.shape) if isinstance(result, np.ndarray) else 0.0
        if np.shape(part) != np.shape(result):
            raise ValueError(
                f"vjp of {self._python_function.__name__}: a cotangent has the shape {np.shape(part)}, its result {np.shape(result)}."
            )
        return _convert_like(_as_float(_direction_like(part, result)), result, "vjp")

    def _check_no_shared_memory(self, values: Sequence[Any]) -> None:
        """Raises ValueError if the function writes an argument that shares memory with another one."""
        arrays = [
            (n, array)
            for n, value in enumerate(values)
            for leaf in result_leaves(value)
            for array in memory_in_argument(leaf)
        ]
        pairs = [(n, m) for (n, x), (m, y) in itertools.combinations(arrays, 2) if np.may_share_memory(x, y)]
        names = parameter_names(self._python_function) if pairs else []
        for pair in pairs:
            if self._written & {*pair}:
                from fastgrad._src.derivatives.transform.emission import shared_memory_message

                raise ValueError(f"vjp: {shared_memory_message(names[number] for number in pair)}")

    @functools.cached_property
    def _written(self) -> set[int | None]:
        """The numbers of the arguments that the function writes."""
        from fastgrad._src.derivatives.derivation import lowered_function, written_positions

        return written_positions(lowered_function(self._f, self._types)[0])


def _run_again(pull: Any, values: Sequence[Any], states: Any, state: State, cotangents: list[Any]) -> tuple[Any, ...]:
    """Returns the cotangents of the primals; the random draws and the instances are those of the first run."""
    if states is None and not state:
        gradients: tuple[Any, ...] = pull(*copies(values), *cotangents)
        return gradients
    with drawing_from(copy_of_states() if states is None else states), instances_with_state(state):
        return tuple(pull(*copies(values), *cotangents))


class PreparedTangent(PreparedCall):
    """Calls of ``jvp``.

    Args:
        function, primals, values: as in ``PreparedCall``.
    """

    owner = "jvp"
    forward: Callable[..., Any]
    """The function that makes the dispatchers."""

    def __init__(self, function: _Function, primals: Sequence[Any], values: Sequence[Any]) -> None:
        super().__init__(function, primals, values)
        self._constants = [number for number in range(self._given) if number not in self._positions]
        self._dispatcher = function.dispatcher(len(values), type(self).forward, self._positions)

    def run(self, values: Sequence[Any], tangents: Sequence[Any]) -> Any:
        """Returns the result and its tangent."""
        for number in self._constants:
            self._check_zero(number, tangents[number], self._types[number])
        directions = [
            tangent
            if _is_direction_of(tangent := tangents[number], values[number])
            else self._tangent(number, tangent, values[number])
            for number in self._positions
        ]
        return self._dispatcher(*values, *directions)

    def _tangent(self, number: int, tangent: Any, value: Any) -> Any:
        """Returns the tangent of the argument ``number``, or of an item of it, as compiled functions take it."""
        if isinstance(value, tuple) and isinstance(tangent, (tuple, list)) and len(tangent) == len(value):
            items = [self._tangent(number, *pair) for pair in zip(tangent, value, strict=True)]
            return type(tangent)(*items) if hasattr(tangent, "_fields") else tuple(items)
        kind = type_of(value)
        if _is_constant(kind):
            self._check_zero(number, tangent, kind)
            return None
        if isinstance(value, LISTS):
            return self._tangent_of_list(number, tangent, value)
        return _convert_like(_direction_like(tangent, value), value, "jvp")

    def _tangent_of_list(self, number: int, tangent: Any, value: Any) -> Any:
        """Returns the tangent of a list as compiled functions take it; None stands for a tangent that is 0."""
        if tangent is None:
            tangent = [None] * len(value)
        if not isinstance(tangent, (tuple, *LISTS)) or len(tangent) != len(value):
            raise self._error_of_list(number, f"{tangent!r}, for {len(value)} items")
        items = [self._tangent_in_list(number, *pair) for pair in zip(tangent, value, strict=True)]
        if items and isinstance(items[0], np.ndarray):
            return items  # a typed list takes no arrays of another layout
        result = value.copy()  # Numba takes no lists of lists but typed ones, and no empty lists
        for index, item in enumerate(items):
            result[index] = item
        return result

    def _tangent_in_list(self, number: int, tangent: Any, value: Any) -> Any:
        if isinstance(value, LISTS):
            return self._tangent_of_list(number, tangent, value)
        tangent = np.zeros_like(value) if tangent is None else _convert_like(tangent, value, "jvp")
        if np.shape(tangent) != np.shape(value):
            raise self._error_of_list(
                number, f"of the shape {np.shape(tangent)} for an item of the shape {np.shape(value)}"
            )
        return np.asarray(tangent, value.dtype) if isinstance(value, np.ndarray) else type(value)(tangent)

    def _error_of_list(self, number: int, reason: str) -> ValueError:
        function = self._python_function
        return ValueError(
            f"jvp of {function.__name__}: the tangent of the list {parameter_names(function)[number]} is {reason}: pass a list of tangents of the "
            "shapes of the items, or None for 0."
        )

    def _check_zero(self, number: int, tangent: Any, type: types.Type) -> None:
        """Raises DifferentiationError if the tangent of an argument that has no derivative is not 0 or None."""
        if tangent is None or (isinstance(tangent, (bool, int, float, np.generic, np.ndarray)) and not np.any(tangent)):
            return
        function = self._python_function
        item = "" if type is self._types[number] else "an item of "
        raise DifferentiationError(
            f"{place(function)}: jvp: {item}the argument {parameter_names(function)[number]} of {function.__name__} is of type {type}, which "
            f"has no derivative, and its tangent is {tangent!r}. Pass None as the tangent, or a float as the argument."
        )


def _is_direction_of(direction: Any, value: Any) -> bool:
    """True for a tangent or cotangent that compiled functions take as it is."""
    kind = type(direction)
    if kind is not type(value):
        return False
    if kind is np.ndarray:
        return direction.shape == value.shape and direction.dtype == value.dtype and value.dtype.kind in "fc"
    return kind is float


def _direction_like(direction: Any, value: Any) -> Any:
    """Returns a tangent or cotangent of a number as a number, that of an array without axes as such an array."""
    if isinstance(value, np.void) or is_instance(value):
        return direction
    if isinstance(value, np.ndarray):
        return np.asarray(direction, value.dtype) if value.ndim == 0 == np.ndim(direction) else direction
    return direction[()] if isinstance(direction, np.ndarray) and direction.ndim == 0 else direction


def _convert_like(value: Any, like: Any, owner: str) -> Any:
    """Returns a tangent or cotangent, a complex one if ``like`` is complex."""
    if isinstance(like, (tuple, np.void)) or is_instance(like) or np.iscomplexobj(like) == np.iscomplexobj(value):
        return value
    if not np.iscomplexobj(like):
        raise TypeError(f"{owner}: a real number or array has no complex tangent or cotangent: pass its real part.")
    return value.astype(like.dtype) if isinstance(value, np.ndarray) else type(like)(value)


def _as_float(value: Any) -> Any:
    if isinstance(value, np.ndarray) or np.iscomplexobj(value):
        return value
    if not isinstance(value, (int, float, np.number)):
        raise TypeError(f"vjp: a cotangent is {value!r}; pass a float or an array of floats, as the function returns.")
    return float(value)


def _is_compiled(value: Any) -> bool:
    """True for a function of ``numba.njit`` or ``numba.vectorize`` that Numba has compiled for some types."""
    return bool(getattr(getattr(value, "_dispatcher", value), "overloads", None))


def bind_arguments(f: Any, arguments: Sequence[Any], keywords: dict[str, Any], owner: str) -> tuple[Any, ...]:
    """Returns the arguments of a call, in the order of the parameters, with default values."""
    function = getattr(f, "py_func", f) if is_variadic(f) else wrapped_function(f, owner)
    try:
        bound = inspect.signature(function).bind(*arguments, **keywords)
    except TypeError as error:
        raise TypeError(f"{owner}: {function.__name__}: {error}.") from None
    bound.apply_defaults()
    return bound.args


def type_of(value: Any) -> types.Type:
    """Returns Numba's type of a value; ``UnknownType`` if Numba does not know it."""
    try:
        return numba.typeof(value)
    except ValueError:
        return UnknownType(type(value))


def result_leaves(result: Any) -> list[Any]:
    """Returns the numbers and arrays of a result, from left to right."""
    return [leaf for part in result for leaf in result_leaves(part)] if isinstance(result, tuple) else [result]


def copies(values: Sequence[Any], generators: dict[int, Any] | None = None) -> list[Any]:
    """Returns values with copies of the arrays and random generators, also of those in tuples and lists.

    ``generators`` has the copies of generators, by ``id``: values that share a generator share its copy.
    """
    if generators is None:
        generators = {}
    return [value.copy(order="K") if type(value) is np.ndarray else _copy(value, generators) for value in values]


def _copy(value: Any, generators: dict[int, Any]) -> Any:
    if isinstance(value, np.ndarray):
        return value.copy(order="K")  # a signature may take no other layout
    if type(value) in _NUMBERS:
        return value
    if isinstance(value, tuple):
        items = copies(value, generators)
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    if isinstance(value, LISTS):
        return map_list(lambda item: _copy(item, generators), value)
    if isinstance(value, np.random.Generator):
        return copy.deepcopy(value, generators)
    return value.copy() if hasattr(value, "copy") and not is_instance(value) else value


def map_list(function: Callable[[Any], Any], value: Any) -> Any:
    """Returns a list of the class of ``value`` of what a function returns for each item."""
    if isinstance(value, list):
        return [function(item) for item in value]
    result = value.copy()
    for number, item in enumerate(value):
        result[number] = function(item)
    return result
