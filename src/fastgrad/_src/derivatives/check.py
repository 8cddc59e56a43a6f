"""``check_gradients``: reverse mode, forward mode and central differences of a function, compared number by number.

``Comparer`` compares one direction at a time; ``python -m fastgrad.differentiate`` uses it, too.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from types import EllipsisType
from typing import Any, Literal, NamedTuple

import numba
import numpy as np

from fastgrad._src.derivatives.codegen.random_states import copy_of_states, drawing_from
from fastgrad._src.derivatives.codegen.record_fields import (
    LISTS,
    State,
    field_of,
    instance_state,
    instances_with_state,
    is_instance,
)
from fastgrad._src.derivatives.functions.argument_types import check_types, cotangent_type_of, is_differentiable
from fastgrad._src.derivatives.functions.parameters import (
    is_variadic,
    parameter_positions,
    with_fixed_parameters,
    wrapped_function,
)
from fastgrad._src.derivatives.transform_cache import copies, map_list, result_leaves, type_of
from fastgrad._src.derivatives.transforms import forward_dispatcher, pullback
from fastgrad._src.jit.numba_internals import dispatcher

_LEVELS = 4
_MOST_CERTAIN = 0.05
"""The error of a central difference, relative to its size, above which it says nothing."""


class Direction(NamedTuple):
    """A change of one argument: ``argument[element] += step * change``; ``element`` is ``()`` for a number, ``...`` for a whole array.

    Of lists ``element`` begins with the number of the item. Of records and instances of ``jitclass`` the ``field`` changes. Of a tuple an item
    changes: ``items`` are its number, and the numbers in the tuples within.
    """

    position: int
    element: tuple[int, ...] | EllipsisType
    change: Any
    field: str = ""
    items: tuple[int, ...] = ()


class FunctionRaises(Exception):
    """The function that is compared raises at moved arguments, or its results have other shapes there. The cause is the error."""


class Comparison(NamedTuple):
    """Three derivatives along one direction, the error of the third, and whether they are one number.

    The function is "not smooth" where differences do not converge as their step shrinks, or where those from the left and the right differ.
    """

    reverse: float
    forward: float
    difference: float
    error: float
    status: Literal["right", "wrong", "not smooth"]

    def __str__(self) -> str:
        return (
            f"reverse mode {self.reverse!r}, forward mode {self.forward!r}, central differences {self.difference!r} with an error of "
            f"about {self.error:.1e}"
        )


def check_gradients(f: Callable[..., Any], *arguments: Any, argnums: int | Sequence[int] | None = None) -> None:
    """Checks that the derivatives of ``f`` by reverse mode, by forward mode and by central differences agree.

    Richardson extrapolation takes the differences to a step of 0 and estimates their error. Results that are arrays or tuples are
    weighted and summed first. Complex numbers are compared along the real and the imaginary axis.

    Args:
        f: a function that Numba compiles; it returns a real or complex float, an array of floats or a tuple of these.
        *arguments: the point where to compare. Avoid kinks and jumps: differences are not derivatives there.
        argnums: the index of the argument to check, or several indices. Default: all floats, arrays of floats, lists of these, records and
            instances of ``jitclass`` with such fields, and tuples with one of all these.

    Raises:
        AssertionError: the derivatives differ. The message names the argument and the index and has the three numbers.
        ValueError: no argument is a float, an array of floats, a list of these, a record or instance with such fields, or a tuple with one of these.
        DifferentiationError: ``f`` can't be differentiated, or Numba does not know the class of an argument.

    Example:
        >>> def energy(x):
        ...     return np.sum(x**2) / 2
        >>> fg.check_gradients(energy, np.array([1.0, 2.0]))
    """
    if is_variadic(f):
        f = with_fixed_parameters(f, len(arguments))
    python_function = wrapped_function(f, "check_gradients")
    bound = inspect.signature(python_function).bind(*arguments)
    bound.apply_defaults()
    values = [
        np.array(value, order="K") if isinstance(value, np.ndarray) else value for value in bound.arguments.values()
    ]
    names, types = list(bound.arguments), tuple(map(type_of, values))
    check_types(python_function, types, (), "check_gradients")
    if argnums is None:
        positions = tuple(n for n, type in enumerate(types) if is_float(values[n]) or is_differentiable(type))
        if not positions:
            raise ValueError(
                f"check_gradients: {python_function.__name__} got no float, no array or list of floats, and no record or tuple with them."
            )
    else:
        positions = parameter_positions(argnums, python_function, "check_gradients")
    comparer = Comparer(f, values, positions)
    for position in positions:
        for direction in unit_directions(values[position], position):
            try:
                comparison = comparer.compare(direction)
            except FunctionRaises as error:
                raise error.__cause__ from None  # type: ignore[misc]  # set where it is raised
            if comparison.status != "right":
                index = direction.element
                text = "".join([names[position], *(f"[{item}]" for item in direction.items)])
                text = f"{text}.{direction.field}" if direction.field else text
                text = f"{text}[{', '.join(map(str, index))}]" if index else text  # type: ignore[arg-type]
                if np.iscomplexobj(_part_of(values[position], direction)):
                    text = f"the {'real' if direction.change == 1 else 'imaginary'} part of {text}"
                raise AssertionError(
                    f"check_gradients: the derivatives of {python_function.__name__} with respect to {text} differ: {comparison}. "
                    "Where the function has a kink or a jump, differences are no derivatives."
                )


class Comparer:
    """Compares derivatives of a function at one point. Results that are arrays or tuples are weighted and summed.

    Args:
        f: a function that Numba compiles.
        values: its arguments, which are never written to.
        positions: the numbers of the arguments that are differentiated: floats, arrays of floats, records and instances of ``jitclass``.

    Raises:
        DifferentiationError: ``f`` can't be differentiated.
    """

    def __init__(self, f: Any, values: Sequence[Any], positions: tuple[int, ...]) -> None:
        self._values = values
        self._positions = positions
        self._states = copy_of_states()
        leaves = result_leaves(tuple(values))
        self._state = instance_state(leaves)
        self._compiled = f if isinstance(f, dispatcher.Dispatcher) else numba.njit(f)
        results = result_leaves(self._run(self._compiled))
        random = np.random.default_rng(0)
        self._weights = [
            1.0
            if len(results) == 1 and isinstance(y, (float, np.floating))
            else _weights_like(random.uniform(0.5, 1.5, np.shape(y)), y)
            for y in results
        ]
        self._shapes = [np.shape(y) for y in results]
        self._pullback = pullback(f, positions, len(results))
        self._cotangents = self._run(self._pullback, *self._weights)
        fields = [_field_or_value(value, field) for value in leaves for field in _float_fields(value)]
        floats = [part for value in (*leaves, *fields, *results) for part in _items_of(value) if is_float(part)]
        self._eps = max(float(np.finfo(np.asarray(part).dtype).eps) for part in floats)
        self._forward = forward_dispatcher(f, positions)

    @property
    def eps(self) -> float:
        """The relative rounding of the argument or result of the lowest precision."""
        return self._eps

    def compare(self, direction: Direction, noise: float | None = None, rounding: float = 0.0) -> Comparison:
        """Returns the derivatives of the weighted sum along ``direction``.

        Args:
            direction: what changes.
            noise: the error of the results relative to their size, which decides the steps; default: the rounding of their dtypes.
            rounding: the error of both modes relative to their size, if it is larger than that of their dtypes.

        Raises:
            FunctionRaises: the function raises near the point.
        """
        tangents = [zeros_of(self._values[number]) for number in self._positions]
        place = self._positions.index(direction.position)
        tangents[place] = _shifted_argument(tangents[place], direction, direction.change)
        derivatives = self.apply_weights(self._run(self._forward, *tangents)[1])
        derivative = float(derivatives.sum())
        cotangent = self.reverse(direction)
        size, eps = self.size(direction), noise or self._eps

        def results_at_step(step: float) -> np.ndarray:
            return self.results_at(direction, step)

        difference, error = central_difference(results_at_step, size, eps)
        scale = max(abs(cotangent), abs(derivative), abs(difference))
        most_apart = max(1e3 * eps, rounding) * (max(scale, float(np.abs(derivatives).sum())) + 1.0)
        is_equal = abs(cotangent - derivative) <= most_apart
        is_exact = error <= _MOST_CERTAIN * max(scale, 1.0)
        # A result that changes by less than its rounding at the largest step does not change at all.
        here = results_at_step(0.0)
        # Forward mode says which results change, except where its terms cancel to 0 and those of reverse mode do not.
        changing = here[derivatives != 0.0] if derivatives.any() else here
        unseen = eps * float(np.abs(changing).sum()) / first_step_size(size, eps)
        is_close = abs(cotangent - difference) <= 10 * error + 100 * math.sqrt(self._eps) * scale + unseen
        is_smooth = (
            math.isfinite(difference) and is_exact and (is_close or _has_one_derivative(results_at_step, size, eps))
        )
        status: Any = "right" if is_equal and is_smooth and is_close else "wrong" if is_smooth else "not smooth"
        return Comparison(cotangent, derivative, difference, error, status)

    def reverse(self, direction: Direction) -> float:
        """Returns the derivative of the weighted sum along ``direction`` by reverse mode."""
        cotangent = self._cotangents[self._positions.index(direction.position)]
        return float(np.real(np.sum(np.conj(direction.change) * _part_of(cotangent, direction))))

    def has_two_derivatives(self, direction: Direction) -> bool:
        """True if differences from the left converge to one number, and those from the right to another."""
        step = self._eps**0.25 * max(self.size(direction), 0.01)
        here = self.results_at(direction, 0.0)
        sides = []
        for side in (1.0, -1.0):
            moved = [self.results_at(direction, side * part) for part in (step, step / 8.0)]
            sides.append(
                [float((y - here).sum()) / (side * part) for y, part in zip(moved, (step, step / 8.0), strict=True)]
            )
        change = max(abs(coarse - fine) for coarse, fine in sides)
        noise = 8.0 * self._eps * float(np.abs(here).sum()) / (step / 8.0)
        return abs(sides[0][1] - sides[1][1]) > 10.0 * change + noise

    def size(self, direction: Direction) -> float:
        """Returns the size of the largest number that ``direction`` changes."""
        return float(np.max(np.abs(_part_of(self._values[direction.position], direction))))

    def results_at(self, direction: Direction, step: float) -> np.ndarray:
        """Returns the weighted results, one by one, for arguments that are moved by ``step`` along ``direction``.

        Raises FunctionRaises if the function raises there, or its results have other shapes.
        """
        values, state = self.shifted_arguments(direction, step)
        try:
            results = self._run(self._compiled, at=values, state=state)
            self._check_shapes(results, direction, step)
        except Exception as error:
            raise FunctionRaises from error
        return self.apply_weights(results)

    def _check_shapes(self, results: Any, direction: Direction, step: float) -> None:
        """Raises ValueError if the results have other shapes than those of the arguments that did not move."""
        shapes = [np.shape(part) for part in result_leaves(results)]
        if shapes != self._shapes:
            raise ValueError(
                f"check_gradients: results have the shapes {self._shapes}; if argument {direction.position} changes by {step:.1e} they "
                f"have {shapes}. Choose a point where shapes stay."
            )

    def shift(self, direction: Direction, step: float) -> Comparer:
        """Returns a comparer of the function where the arguments are moved by ``step`` along ``direction``.

        Raises FunctionRaises if the function raises there.
        """
        self.results_at(direction, step)  # so that what the pullback raises is a defect of the pullback
        comparer = copy.copy(self)
        comparer._values, comparer._state = self.shifted_arguments(direction, step)
        comparer._cotangents = comparer._run(self._pullback, *self._weights)
        return comparer

    def shifted_arguments(self, direction: Direction, step: float) -> tuple[list[Any], State]:
        """Returns copies of the arguments, moved by ``step`` along ``direction``, and the state of instances of ``jitclass`` there."""
        position, element, change, field, items = direction
        values = copies(self._values)
        state = self._state
        changed = _item_of(values[position], items)
        if is_instance(changed):
            state = [
                (owner, name, _shifted_value(np.copy(part)[()], element, step * change), contents)
                if owner is changed and name == field and not isinstance(part, np.ndarray)
                else (owner, name, part, _shifted_value(contents.copy(), element, step * change))
                if owner is changed and name == field
                else (owner, name, part, contents)
                for owner, name, part, contents in state
            ]
        else:
            values[position] = _shifted_argument(values[position], direction, step * change)
        return values, state

    def _run(self, function: Any, *more: Any, at: Sequence[Any] | None = None, state: State | None = None) -> Any:
        """Returns the result for copies of the arguments, with the same random draws in all runs."""
        with drawing_from(self._states), instances_with_state(self._state if state is None else state):
            return function(*copies(self._values if at is None else at), *more)

    def apply_weights(self, y: Any) -> np.ndarray:
        """Returns the numbers of a result, each with its weight."""
        pairs = zip(result_leaves(y), self._weights, strict=True)
        parts = [
            np.ravel(np.real(np.asarray(part, np.result_type(part, np.float64)) * np.conj(weight)))
            for part, weight in pairs
            if is_float(part)
        ]
        return np.concatenate(parts)


def unit_directions(value: Any, position: int) -> Iterator[Direction]:
    """Yields a direction for each number of an argument, for a complex number two."""
    if isinstance(value, tuple):
        for number, item in enumerate(value):
            if is_differentiable(type_of(item)):
                for direction in unit_directions(item, position):
                    yield direction._replace(items=(number, *direction.items))
        return
    if isinstance(value, LISTS):
        for number, item in enumerate(value):
            for direction in unit_directions(item, position):
                yield direction._replace(element=(number, *direction.element))  # type: ignore[misc]  # no whole arrays
        return
    for field in _float_fields(value) or [""]:
        part = _field_or_value(value, field)
        changes = (1.0, 1j) if np.iscomplexobj(part) else (1.0,)
        for index in np.ndindex(np.shape(part)):
            yield from (Direction(position, index, change, field) for change in changes)


def central_difference(function: Callable[[float], np.ndarray], x: float, eps: float) -> tuple[float, float]:
    """Returns the derivative of a sum at a shift of 0 by Richardson's extrapolation of central differences, and its approximate error."""
    step = first_step_size(x, eps)
    row: list[float] = []
    best, error = np.nan, np.inf
    for _ in range(_LEVELS):
        previous = row
        above, below = function(step), function(-step)
        row = [float((above - below).sum()) / (2.0 * step)]
        size = float(np.abs(above[above != below]).sum())
        for order, coarse in enumerate(previous, start=1):
            row.append(row[-1] + (row[-1] - coarse) / (4.0**order - 1.0))
            found = max(abs(row[-1] - row[-2]), abs(row[-1] - coarse)) + eps * size / step
            if found < error:
                best, error = row[-1], found
        step /= 2.0
    return best, error


def first_step_size(x: float, eps: float) -> float:
    """Returns the first step of differences at a number ``x`` of a function whose results have the relative error ``eps``."""
    return float(eps**0.25 * max(abs(x), 0.01) * 2.0)


def _has_one_derivative(function: Callable[[float], np.ndarray], x: float, eps: float) -> bool:
    """True if differences from the left and from the right of a sum approach each other as the step shrinks."""
    here = function(0.0)
    gaps = []
    for step in (eps**0.25 * max(x, 0.01), eps**0.25 * max(x, 0.01) / 8.0):
        above, below = function(step), function(-step)
        noise = 8.0 * eps * float(np.abs(here).sum() + np.abs(above).sum()) / step
        gaps.append((abs(float((above - 2.0 * here + below).sum())) / step, noise))
    (coarse, _), (fine, noise) = gaps
    return fine <= coarse / 2.0 + noise


def is_float(value: Any) -> bool:
    """True for floats, complex numbers and arrays of them."""
    return isinstance(value, (float, complex, np.inexact)) or (
        isinstance(value, np.ndarray) and value.dtype.kind in "fc"
    )


def _items_of(value: Any) -> Iterator[Any]:
    """Yields the numbers and arrays of a list; other values as they are."""
    if isinstance(value, LISTS):
        for item in value:
            yield from _items_of(item)
    else:
        yield value


def _element_of(value: Any, element: Any) -> Any:
    """Returns the element of a number, an array or a list that a direction changes."""
    if isinstance(value, LISTS):
        return _element_of(value[element[0]], element[1:])
    return np.asarray(value)[element]


def _item_of(value: Any, items: Sequence[int]) -> Any:
    """Returns the item of nested tuples at the numbers ``items``."""
    for number in items:
        value = value[number]
    return value


def _part_of(value: Any, direction: Direction) -> Any:
    """Returns the number or array of an argument, or of its cotangent, that a direction changes."""
    return _element_of(_field_or_value(_item_of(value, direction.items), direction.field), direction.element)


def _float_fields(value: Any) -> list[str]:
    """Returns the names of the fields of floats and of arrays of floats of records and instances."""
    if is_instance(value):
        return [name for _, name, part, _ in instance_state([value]) if is_float(part)]
    dtype: Any = value.dtype if isinstance(value, (np.ndarray, np.void)) else None
    return [name for name in (dtype.names if dtype is not None else None) or () if dtype[name].base.kind in "fc"]


def _field_or_value(value: Any, field: str) -> Any:
    """Returns a field of a record, of an array of records, of an instance, or of a cotangent of one; without a field the value."""
    if not field:
        return value
    return getattr(value, field) if is_instance(value) or isinstance(value, tuple) else field_of(value, field)


def _shifted_argument(value: Any, direction: Direction, step: Any) -> Any:
    """Returns an argument, or a tangent of one, that may be written to with ``step`` added to the number or array that a direction changes."""
    if direction.items:
        first, *rest = direction.items
        parts = list(value)
        parts[first] = _shifted_argument(parts[first], direction._replace(items=tuple(rest)), step)
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    field, index = direction.field, direction.element
    if not field:
        return _shifted_value(value, index, step)
    if isinstance(value, tuple):
        return value._replace(**{field: _shifted_value(getattr(value, field), index, step)})  # type: ignore[attr-defined]
    part = np.array(_field_or_value(value, field))
    part[index] += step
    value[field] = part
    return value


def _weights_like(weights: Any, like: Any) -> Any:
    if not isinstance(like, np.ndarray):
        return weights * (1.0 + 0.7j) if np.iscomplexobj(like) else float(weights)
    if like.dtype.kind == "c":
        weights = weights * (1.0 + 0.7j)
    return np.asarray(weights, like.dtype if like.dtype.kind in "fc" else None)  # of no axes it is a number before


def zeros_of(value: Any) -> Any:
    """Returns a tangent or a cotangent of a value that is 0."""
    if isinstance(value, LISTS):
        return map_list(zeros_of, value)
    if isinstance(value, tuple):
        return tuple(zeros_of(item) if is_differentiable(type_of(item)) else None for item in value)
    if is_instance(value):
        parts = [zeros_of(_field_or_value(value, field)) for field in _float_fields(value)]
        return cotangent_type_of(numba.typeof(value))(*parts)
    if _float_fields(value):
        return np.zeros(np.shape(value), cotangent_type_of(numba.typeof(value)))
    return np.zeros_like(value) if isinstance(value, np.ndarray) else type(value)(0.0)


def _shifted_value(value: Any, index: Any, step: Any) -> Any:
    """Returns a number, or an array or a list that may be written to, with ``step`` added at ``index``."""
    if isinstance(value, LISTS):
        value[index[0]] = _shifted_value(value[index[0]], index[1:], step)
        return value
    if not isinstance(value, np.ndarray):
        return type(value)(value + step)
    value[index] += step
    return value
