"""Functions that Numba compiles, for use in other libraries: the shared part of ``fastgrad.pytensor``, ``fastgrad.torch`` and ``fastgrad.jax``."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np
from numba import types

from fastgrad._src.derivatives.functions.numba_types import number_or_array, number_type
from fastgrad._src.derivatives.functions.parameters import (
    Types,
    parameter_names,
    parameter_positions,
    place,
    wrapped_function,
)
from fastgrad._src.derivatives.functions.snapshot import compile_error, draws_random_numbers
from fastgrad._src.derivatives.transform_cache import bind_arguments
from fastgrad._src.derivatives.transform_cache import result_leaves as leaves_of
from fastgrad._src.derivatives.transforms import pullback, second_pullback
from fastgrad._src.jit.generated_source import generated_function, name_in_source, unused_name
from fastgrad._src.jit.numba_internals import Dispatcher, as_dtype, cpu_target, errors


class ExportedFunction:
    """A function that Numba compiles and its pullback, as functions of NumPy's arrays. Arrays of rank 0 stand for numbers.

    Args:
        f: the user's function.
        argnums: the numbers of the arguments to differentiate with respect to; None: all that are float64 or float32 in a call.
        owner: the public function's name, for errors.
        library: the name of the other library, for errors.

    Raises:
        TypeError: ``f`` is no function, or has ``*args``.
        ValueError: ``argnums`` are no numbers of parameters, or ``f`` draws random numbers.
    """

    def __init__(self, f: Callable[..., Any], argnums: int | Sequence[int] | None, owner: str, library: str) -> None:
        function = wrapped_function(f, owner)
        self.f = f
        self.owner = owner
        self.arity = len(parameter_names(function))
        self.name = function.__name__
        self._positions = None if argnums is None else parameter_positions(argnums, function, owner)
        self._pullback = functools.lru_cache(maxsize=256)(functools.partial(pullback, f))
        self._second_pullback = functools.lru_cache(maxsize=256)(second_pullback)
        check_draws_nothing(f, owner, library)

    def bound(self, arguments: Sequence[Any], named: dict[str, Any]) -> tuple[Any, ...]:
        """Returns the arguments of a call in the order of the parameters, with default values."""
        return bind_arguments(self.f, arguments, named, self.owner)

    def positions(self, dtypes: Sequence[np.dtype]) -> tuple[int, ...]:
        """Returns the numbers of the arguments to differentiate with respect to in a call with these dtypes.

        Raises:
            TypeError: ``argnums`` names an argument that is no float64 or float32.
        """
        floats = tuple(number for number, dtype in enumerate(dtypes) if dtype in (np.float64, np.float32))
        for number in self._positions or ():
            if number not in floats:
                raise TypeError(
                    f"{self.owner}: argnums names the argument {number} of {self.name}, which is {dtypes[number]}: pass float64 or float32."
                )
        return floats if self._positions is None else self._positions

    def leaves(self, arrays: Sequence[Any]) -> tuple[list[types.Type], bool]:
        """Returns Numba's types of the numbers and arrays in the result of a call, and whether the result is a tuple.

        Args:
            arrays: what has the dtypes and the ranks of the arguments.
        """
        argument_types = self._argument_types(arrays)
        leaves = [type for _, type in result_leaves(self.f, self.owner, argument_types)]
        return leaves, isinstance(result_type(self.f, self.owner, argument_types), types.BaseTuple)

    def _argument_types(self, arrays: Sequence[Any]) -> Types:
        try:
            return tuple(number_or_array(numba.from_dtype(np.dtype(x.dtype)), x.ndim) for x in arrays)
        except errors.NumbaNotImplementedError as error:
            raise TypeError(f"{self.owner}: {self.name}: Numba has no such arguments: {error}.") from None

    def results(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Returns the numbers and arrays in the result as new arrays."""
        leaves, _ = self.leaves(arrays)
        results = leaves_of(dispatcher_of(self.f)(*map(_number_or_copy, arrays)))
        # Numba returns float32 as float.
        return [np.array(y, dtype_of(type)) for y, type in zip(results, leaves, strict=True)]

    def cotangents(
        self, arrays: Sequence[np.ndarray], positions: tuple[int, ...], cotangents: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """Returns the cotangents of the arguments numbered ``positions``, of their dtypes.

        Args:
            arrays: the arguments.
            positions: numbers of arguments.
            cotangents: those of all results; of integers anything.
        """
        pulled = self._pullback(positions, len(cotangents))(
            *map(_number_or_copy, arrays), *self._cast_cotangents(arrays, cotangents)
        )
        return [np.asarray(g, arrays[number].dtype) for number, g in zip(positions, pulled, strict=True)]

    def compute_second_cotangents(
        self,
        arrays: Sequence[np.ndarray],
        positions: tuple[int, ...],
        cotangents: Sequence[np.ndarray],
        tangents: Sequence[np.ndarray],
    ) -> list[np.ndarray]:
        """Returns the cotangents of those ``cotangents`` that are of floats, and of the arguments numbered ``positions`` where ``tangents`` are those of the result of ``cotangents()``."""
        is_float = [dtype_of(type).kind == "f" for type in self.leaves(arrays)[0]]
        given = list(itertools.compress(self._cast_cotangents(arrays, cotangents), is_float))
        directions = [_number_or_copy(np.asarray(t, arrays[n].dtype)) for n, t in zip(positions, tangents, strict=True)]
        zeros = [np.zeros_like(g)[()] for g in given]
        floats = function_of_floats(self.f, self.owner, self._argument_types(arrays))
        run = self._second_pullback(floats, positions, positions, len(given))
        of_cotangents, pulled = run(*map(_number_or_copy, arrays), *directions, *zeros, *given)
        like = [np.asarray(g).dtype for g in given] + [arrays[number].dtype for number in positions]
        return [np.asarray(g, dtype) for g, dtype in zip((*of_cotangents, *pulled), like, strict=True)]

    def _cast_cotangents(self, arrays: Sequence[np.ndarray], cotangents: Sequence[np.ndarray]) -> list[Any]:
        """Returns cotangents with the dtypes of the results; of integers float64."""
        leaves, _ = self.leaves(arrays)
        dtypes = [dtype_of(type) for type in leaves]
        return [
            _number_or_copy(np.asarray(g, dtype if dtype.kind == "f" else np.float64))
            for g, dtype in zip(cotangents, dtypes, strict=True)
        ]


def dtype_of(type: types.Type) -> np.dtype:
    """Returns the dtype of a number or of an array's elements."""
    return as_dtype(number_type(type))


def _number_or_copy(x: np.ndarray) -> Any:
    """Returns the number in an array of rank 0, of other arrays a copy in C order, which a function may write."""
    return np.array(x, order="C")[()]


def check_draws_nothing(f: Any, owner: str, library: str) -> None:
    """Raises ValueError if a function draws random numbers."""
    if draws_random_numbers(f):
        function = wrapped_function(f, owner)
        raise ValueError(
            f"{place(function)}: {owner}: {function.__name__} draws random numbers, and {library} takes an operation for a "
            "function of its inputs: draw before, and pass the numbers."
        )


def dispatcher_of(f: Any) -> Any:
    """Returns the dispatcher of a function, for equal functions the same."""
    return f if isinstance(f, Dispatcher) else _njit(f)


_njit = functools.lru_cache(maxsize=256)(numba.njit)


@functools.lru_cache(maxsize=256)
def result_type(f: Any, owner: str, argument_types: Types) -> types.Type:
    """Returns the type of the result that Numba infers.

    Raises:
        TypeError: Numba can't compile the function.
    """
    try:
        signature = types.Dispatcher(dispatcher_of(f)).get_call_type(cpu_target.typing_context, argument_types, {})
    except errors.NumbaError as error:
        function = wrapped_function(f, owner)
        raise compile_error(f"{owner} of {function.__name__}", argument_types, error, function) from error
    return types.unliteral(signature.return_type)


def result_leaves(f: Any, owner: str, argument_types: Types) -> list[tuple[str, types.Type]]:
    """Returns the text and the type of each number and array in ``result``, from left to right.

    Raises:
        TypeError: the result has something else, or nothing.
    """
    type = result_type(f, owner, argument_types)
    leaves = _leaves_of_type("result", type)
    for _, leaf in leaves:
        item = number_type(leaf)
        if not isinstance(item, (types.Float, types.Integer, types.Boolean)) or item == types.float16:
            break
    else:
        if leaves:
            return leaves
    function = wrapped_function(f, owner)
    raise TypeError(
        f"{place(function)}: {owner}: {function.__name__} returns {type}: return a real number, an array of real numbers, or a tuple of them."
    )


def _leaves_of_type(text: str, type: types.Type) -> list[tuple[str, types.Type]]:
    if isinstance(type, types.BaseTuple):
        return [
            leaf
            for number, item in enumerate(type)
            for leaf in _leaves_of_type(f"{text}[{number}]", types.unliteral(item))
        ]
    return [(text, type)]


@functools.lru_cache(maxsize=256)
def function_of_floats(f: Any, owner: str, argument_types: Types) -> Any:
    """Returns the function whose results are those of ``f`` that are floats or arrays of floats."""
    leaves = result_leaves(f, owner, argument_types)
    floats = [text for text, type in leaves if isinstance(getattr(type, "dtype", type), types.Float)]
    if len(floats) == len(leaves):
        return f
    function = wrapped_function(f, owner)
    name, parameters = name_in_source(function.__name__), parameter_names(function)
    callee, result, given = unused_name("f", parameters), unused_name("result", parameters), ", ".join(parameters)
    returned = "".join(f"{text.replace('result', result)}, " for text in floats)
    source = f"def {name}({given}):\n    {result} = {callee}({given})\n    return ({returned})\n"
    return numba.njit(generated_function(name, source, owner, {callee: dispatcher_of(f)}))
