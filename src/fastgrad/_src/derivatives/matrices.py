"""Matrices of derivatives: Jacobians in forward mode, Hessians by products of the Hessian and unit vectors."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import numba
import numpy as np
from numba import types

from fastgrad._src.core.errors import DifferentiationError
from fastgrad._src.derivatives.codegen.compilation import DerivedDispatcher
from fastgrad._src.derivatives.codegen.random_states import functions_of_states
from fastgrad._src.derivatives.codegen.record_fields import field_of
from fastgrad._src.derivatives.codegen.tape_memory import may_share_memory
from fastgrad._src.derivatives.compiled_pullbacks import copy_text
from fastgrad._src.derivatives.compiled_transforms import offer_derivative
from fastgrad._src.derivatives.functions.argument_types import (
    check_result,
    field_types_of,
    has_random_generator,
    is_list,
    specialize,
)
from fastgrad._src.derivatives.functions.numba_types import number_type
from fastgrad._src.derivatives.functions.parameters import (
    Types,
    is_number,
    is_variadic,
    parameter_names,
    parameter_positions,
    place,
    stub_of,
    wrapped_function,
)
from fastgrad._src.derivatives.functions.snapshot import draws_random_numbers
from fastgrad._src.derivatives.transforms import (
    DerivativeOfAnyNumber,
    forward_dispatcher,
    hvp,
)
from fastgrad._src.jit.generated_source import generated_function
from fastgrad._src.jit.library_functions import njit_kept_on_disk


def _matrix_dispatcher(
    maker: Callable[..., Any], f: Any, argnums: int | Sequence[int], column_of: Callable[[int, int], Any]
) -> Any:
    """Returns the dispatcher of matrices whose columns come from unit vectors in the place of an argument's direction.

    Args:
        maker: ``jacobian`` or ``hessian``.
        f: the user's function.
        argnums: the number of the argument, or several.
        column_of: maps the number of an argument, and a number of directions, to the function that takes the arguments of ``f`` and an array of so many
            directions. It returns an array of columns, for ``jacobian`` a tuple: the result, then the columns. Several are the last axis.
    """
    if is_variadic(f):
        return DerivativeOfAnyNumber(f, lambda function: maker(function, argnums))
    owner = maker.__name__
    python_function = wrapped_function(f, owner)
    positions = parameter_positions(argnums, python_function, owner, is_single=maker is hessian)
    is_single = is_number(argnums)
    stub = stub_of(python_function, owner)
    names = [f"a_{name}" for name in parameter_names(python_function)]  # no other name of the text starts so

    def derive(argument_types: Types) -> FunctionType:
        from fastgrad._src.derivatives.derivation import lowered_function, written_positions
        from fastgrad._src.derivatives.frontend.adjoint_calls import tuple_text
        from fastgrad._src.derivatives.ir.operands import Constant
        from fastgrad._src.derivatives.output.text import term_text
        from fastgrad._src.derivatives.transform.forward_mode import tangents_per_run

        argument_types = specialize(f, argument_types, positions, owner).types
        _check_no_generator(
            argument_types, names, f"{place(python_function)}: {owner}: {{}} of {python_function.__name__}"
        )
        lines: list[str] = []
        scope = _SCOPE | {"np": np, "_float32": np.float32, "may_share_memory": may_share_memory, "field_of": field_of}
        lowered, flow = lowered_function(f, argument_types)
        before_a_run = []
        if draws_random_numbers(f):  # each run draws the same
            scope |= functions_of_states()
            lines.append("states = random_states()")
            before_a_run = ["set_random_states(states)"]
        item = number_type(lowered.result)
        if maker is hessian:
            check_result(lowered.result, python_function, owner)
        elif not isinstance(item, (types.Float, types.Complex)):
            raise DifferentiationError(
                f"{place(python_function)}: {owner}: {python_function.__name__} returns {lowered.result}; return a float or an array of floats."
            )
        written = written_positions(lowered)  # each run changes them
        lines += _memory_check_lines(names, argument_types, written)
        given = [
            copy_text(name, argument_types[number], scope) if number in written else name
            for number, name in enumerate(names)
        ]
        _check_no_written_records(
            argument_types, written, names, f"{place(python_function)}: {owner}: {python_function.__name__}"
        )
        for position in positions:
            type, argument = argument_types[position], names[position]
            _check_argument_type(type, f"{place(python_function)}: {owner}: the argument {argument[2:]}")
            is_array = isinstance(type, types.Array)
            width = tangents_per_run(lowered, flow) if maker is jacobian and is_array else 1
            scope[f"columns_of_{position}"] = column_of(position, width)
            columns = f"columns_{position}"
            target = f"_, {columns}" if maker is jacobian else columns
            call = f"{target} = columns_of_{position}({', '.join(given)}, {{}})"
            if not is_array:
                lines += [
                    *before_a_run,
                    call.format(term_text(Constant(1.0, type).term)),
                    f"result_{position} = {columns}",
                ]
                continue
            like = type if maker is hessian else lowered.result
            rank, dtype = (like.ndim, like.dtype) if isinstance(like, types.Array) else (0, item)
            lines += _matrix_source_lines(argument, position, width, rank, dtype, [*before_a_run, call])
        results = [f"result_{position}" for position in positions]
        lines.append(f"return {results[0] if is_single else tuple_text(results)}")
        source = "\n    ".join([f"def {stub.__name__}({', '.join(names)}):", *lines]) + "\n"
        return generated_function(stub.__name__, source, owner, scope)

    return DerivedDispatcher(stub, (maker, f, positions[0] if is_single else positions), derive)


def _matrix_source_lines(
    argument: str, position: int, width: int, rank: int, dtype: types.Type, run: list[str]
) -> list[str]:
    """Returns the lines that compute a matrix, ``width`` columns at a time.

    Args:
        argument: the name of the array with respect to which the derivatives are.
        position: of the argument. It ends the names of the variables.
        width: the number of directions of a run.
        rank, dtype: of the result of a run.
        run: the lines that set the columns; the last one takes the directions.
    """
    directions, columns, matrix, shape = [f"{name}_{position}" for name in ("directions", "columns", "matrix", "shape")]
    shaped = "unit_directions" if width > 1 else "unit_direction"
    return [
        f"{directions} = zero_matrix({argument}.size, {width}, {argument})",
        f"{shape} = {(0,) * rank}",
        f"{matrix} = np.empty((0, 0), np.{dtype})",
        f"for first in range(0, max({argument}.size, 1), {width}):",
        *[f"    {line}" for line in run[:-1]],
        "    " + run[-1].format(f"{shaped}({directions}, {argument}, first)"),
        f"    elements = as_array({columns})",
        "    if first == 0:",
        f"        {shape} = elements.shape[:{rank}]",
        f"        {matrix} = zero_matrix(elements.size // {width}, {argument}.size, {matrix})",
        f"    write_columns({matrix}, elements, first, {width})",
        f"result_{position} = matrix_of_shape({matrix}, {shape}, {argument})",
    ]


@njit_kept_on_disk()
def _zero_matrix(rows, columns, like):  # type: ignore[no-untyped-def]
    """Returns a matrix of zeros of the dtype of ``like``."""
    return np.zeros((rows, columns), like.dtype)


@njit_kept_on_disk()
def _set_unit_directions(directions, first):  # type: ignore[no-untyped-def]
    """Makes column number k of a matrix the unit vector number ``first + k``."""
    for row in range(directions.shape[0]):
        for column in range(directions.shape[1]):
            directions[row, column] = 1.0 if row == first + column else 0.0


@njit_kept_on_disk()
def _unit_direction(directions, like, first):  # type: ignore[no-untyped-def]
    """Returns the unit vector number ``first`` in the shape of ``like``; its memory is that of ``directions``, a matrix of one column."""
    _set_unit_directions(directions, first)
    return directions.reshape(like.shape)


@njit_kept_on_disk()
def _unit_directions(directions, like, first):  # type: ignore[no-untyped-def]
    """Returns unit vectors in the shape of ``like``, along a further axis; their memory is that of ``directions``, a matrix with a column for each."""
    _set_unit_directions(directions, first)
    return directions.reshape((*like.shape, directions.shape[1]))


@njit_kept_on_disk()
def _write_columns(matrix, elements, first, width):  # type: ignore[no-untyped-def]
    """Writes the result of a run to the columns of a matrix from ``first`` on."""
    elements = elements.ravel()
    for row in range(matrix.shape[0]):
        for number in range(min(width, matrix.shape[1] - first)):
            matrix[row, first + number] = elements[width * row + number]


@njit_kept_on_disk()
def _matrix_of_shape(matrix, shape, like):  # type: ignore[no-untyped-def]
    """Returns a matrix as an array of ``shape`` and the shape of ``like``."""
    return matrix.reshape(shape + like.shape)


@numba.extending.register_jitable
def _as_array(value):  # type: ignore[no-untyped-def]
    return np.asarray(value)


_SCOPE: dict[str, Any] = {
    function.__name__.removeprefix("_"): function
    for function in (_zero_matrix, _unit_direction, _unit_directions, _write_columns, _matrix_of_shape, _as_array)
}
"""The functions that matrices are made with. Numba compiles reshapes and loops once, not for each function."""


def _texts_of_arrays(text: str, type: types.Type) -> list[str]:
    """Returns the texts of the arrays of an argument: of a tuple those of its items, of a record or an instance its fields."""
    if isinstance(type, (types.Record, types.ClassInstanceType)):
        return [f"field_of({text}, {name!r})" for name in field_types_of(type) or ()]
    if isinstance(type, types.BaseTuple):
        return [array for number, item in enumerate(type) for array in _texts_of_arrays(f"{text}[{number}]", item)]
    return [text] if isinstance(type, types.Array) else []


def _memory_check_lines(names: Sequence[str], argument_types: Types, written: set[int | None]) -> list[str]:
    """Returns the lines that raise if an argument numbered in ``written`` shares memory with another one."""
    from fastgrad._src.derivatives.transform.emission import shared_memory_message

    arrays = [
        (number, text)
        for number, (name, type) in enumerate(zip(names, argument_types, strict=True))
        for text in _texts_of_arrays(name, type)
    ]
    return [
        f"if may_share_memory({first}, {second}): raise ValueError({shared_memory_message([names[number][2:], names[other][2:]])!r})"
        for (number, first), (other, second) in itertools.combinations(arrays, 2)
        if written & {number, other}
    ]


def _check_no_written_records(
    argument_types: Types, written: set[int | None], names: Sequence[str], function: str
) -> None:
    """Raises DifferentiationError if a function writes records or instances, which runs for columns would change again and again."""
    for number in written:
        assert number is not None
        if isinstance(argument_types[number], (types.Record, types.ClassInstanceType)):
            raise DifferentiationError(
                f"{function} writes {names[number][2:]}, a record or an instance, which each column would change again: use vjp or jvp, or write "
                "copies of its fields."
            )


def _check_no_generator(argument_types: Types, names: Sequence[str], words: str) -> None:
    """Raises DifferentiationError for a random generator, from which each column would draw other numbers."""
    for name, type in zip(names, argument_types, strict=True):
        if has_random_generator(type):
            raise DifferentiationError(
                f"{words.format(f'the argument {name[2:]}')} is or has a random generator, from which each column would draw other numbers: use vjp, jvp or hvp, or "
                "draw before and pass the numbers."
            )


def _check_argument_type(type: types.Type, argument: str) -> None:
    """Raises DifferentiationError if no matrix has the derivatives with respect to an argument of a type."""
    if isinstance(type, types.BaseTuple):
        remedy = (
            "a tuple, and matrices of derivatives are those of arrays and floats: use vjp, or pass its items one by one"
        )
    elif is_list(type):
        remedy = "a list, and matrices of derivatives are those of arrays and floats: use vjp or hvp, or pass its items one by one"
    elif field_types_of(type) is not None:
        remedy = "of records or an instance, and matrices of derivatives are those of arrays and floats: use vjp, or pass its fields one by one"
    elif isinstance(getattr(type, "dtype", type), types.Complex):
        remedy = (
            "complex, and matrices of derivatives are real: use jvp or vjp, or pass the real and the imaginary part"
        )
    else:
        return
    raise DifferentiationError(f"{argument} is {remedy}.")


def jacobian(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Any:
    """Returns a compiled function that computes the Jacobian matrix of ``f`` in forward mode, several columns at a time.

    Args:
        f: as for ``jvp``; it returns a float or an array of floats.
        argnums: the index of the argument, a float or an array of floats, or several indices.

    Returns:
        a function of the arguments of ``f``. It returns an array of shape ``result.shape + argument.shape``; for a float argument, the
        derivative has the type and shape of the result. For several ``argnums`` it returns a tuple of these. When it is called, it raises
        DifferentiationError if ``f`` can't be differentiated, or if the argument is complex, a tuple, a record or an instance.

    Example:
        >>> def polar(p):
        ...     return np.array([p[0] * np.cos(p[1]), p[0] * np.sin(p[1])])
        >>> fg.jacobian(polar)(np.array([2.0, 0.0]))
        array([[1., 0.],
               [0., 2.]])
    """
    return _matrix_dispatcher(jacobian, f, argnums, lambda position, width: forward_dispatcher(f, (position,), width))


def hessian(f: Callable[..., Any], argnums: int = 0) -> Any:
    """Returns a compiled function that computes the Hessian matrix of ``f``, column by column by ``hvp``.

    Args:
        f: as for ``value_and_grad``.
        argnums: the index of the argument, a float or an array of floats.

    Returns:
        a function of the arguments of ``f``. It returns an array of shape ``argument.shape + argument.shape``, or a float for a float argument.

    Example:
        >>> def energy(x):
        ...     return np.sum(x**2) / 2
        >>> fg.hessian(energy)(np.array([1.0, 2.0]))
        array([[1., 0.],
               [0., 1.]])
    """
    return _matrix_dispatcher(hessian, f, argnums, lambda position, _: hvp(f, position))


offer_derivative(jacobian)
offer_derivative(hessian)
