"""Derivatives of functions that Numba compiles: ``grad``, ``value_and_grad``, ``jvp``, ``vjp`` and ``hvp``. ``matrices.py`` has Jacobian and Hessian matrices.

The names and meanings are JAX's. Numba compiles a returned derivative at its first call with a combination of argument types.
Functions that Numba compiles may call the transforms of functions that Numba compiled. The compilation imports ``derivation.py``, unless the derivative is on disk.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

from fastgrad._src.derivatives.codegen.compilation import DerivativeCompiler, DerivedDispatcher, LaneCompiler
from fastgrad._src.derivatives.compiled_transforms import (
    offer_derivative,
    offer_gradient,
    offer_jvp,
    offer_vjp,
)
from fastgrad._src.derivatives.functions.parameters import (
    Types,
    is_number,
    is_variadic,
    name_of,
    parameter_names,
    parameter_positions,
    stub_of,
    with_fixed_parameters,
    wrapped_function,
)
from fastgrad._src.derivatives.output.tree import item, tuple_of
from fastgrad._src.derivatives.transform_cache import PreparedPullback, PreparedTangent, bind_arguments
from fastgrad._src.scalars.formulas import Term


def _derivation() -> Any:
    """Returns the module that derives. It is imported when a derivative is compiled, not if the derivative is on disk."""
    from fastgrad._src.derivatives import derivation

    return derivation


class DerivativeOfAnyNumber:
    """A derivative of a function with ``*args``: for each number of arguments a compiled function. Python calls it, compiled functions don't.

    Args:
        function: the user's function.
        derivative_of: maps a function of a fixed number of parameters to its derivative.
        more: how many arguments the derivative takes after those of the function.
    """

    def __init__(self, function: Any, derivative_of: Callable[[FunctionType], Any], more: int = 0) -> None:
        self.function = function
        self._more = more
        self._derivative_of = functools.lru_cache(maxsize=256)(derivative_of)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Returns the derivative; ``keywords`` are arguments of the function."""
        count = len(arguments) - self._more
        own = bind_arguments(self.function, arguments[: max(count, 0)], keywords, "a derivative")
        return self._derivative_of(with_fixed_parameters(self.function, len(own)))(*own, *arguments[max(count, 0) :])


def value_and_grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Any:
    """Returns a compiled function that computes ``f`` and its gradient.

    Args:
        f: a function that ``numba.njit`` compiled, or that Numba can compile. It returns a float, or with ``has_aux`` a pair of a float and
            other results.
        argnums: the index of the argument to differentiate with respect to, or several indices. These arguments are floats, arrays of
            floats, lists of floats, of arrays or of lists of floats, tuples of all these, records, arrays of records, or instances of
            ``numba.experimental.jitclass``. ``f`` may not change a list. Another argument may be a ``numpy.random.Generator``: its state
            moves as by a call of ``f``.
        has_aux: whether ``f`` returns other results, too.

    Returns:
        a function of the arguments of ``f`` that returns (value, gradient); for several ``argnums``, gradient is a tuple. The gradient of an
        array has the array's shape and dtype. The gradient of a list, also of a typed list of Numba, is a list of the gradients of its items. The gradient of an array of records is an array of the same shape, with the float fields. The
        gradient of a record is such an array of shape (): Numba returns no record that it makes. The gradient of an instance is a named tuple
        of the instance's float fields.

    Raises:
        ValueError: ``argnums`` are not indices of parameters.
        DifferentiationError: when the result is called: ``f`` has a construct that can't be differentiated. The message has file and line.

    Example:
        >>> def energy(x):
        ...     return np.sum(x**2) / 2
        >>> fg.value_and_grad(energy)(np.array([1.0, 2.0]))
        (2.5, array([1., 2.]))
    """
    return _gradient(value_and_grad, f, argnums, has_aux)


def grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Any:
    """Returns a compiled function that computes the gradient of ``f``. Arguments and errors are those of ``value_and_grad``.

    Returns:
        a function of the arguments of ``f`` that returns the gradient; with ``has_aux`` (gradient, aux).

    Example:
        >>> def energy(x):
        ...     return np.sum(x**2) / 2
        >>> fg.grad(energy)(np.array([1.0, 2.0]))
        array([1., 2.])
    """
    return _gradient(grad, f, argnums, has_aux)


def _gradient(maker: Callable[..., Any], f: Any, argnums: int | Sequence[int], has_aux: bool) -> Any:
    """Returns the dispatcher that ``grad`` or ``value_and_grad`` returns."""
    if is_variadic(f):
        return DerivativeOfAnyNumber(f, lambda function: maker(function, argnums, has_aux))
    owner, has_value = maker.__name__, maker is value_and_grad
    python_function = wrapped_function(f, owner)
    positions = parameter_positions(argnums, python_function, owner)
    is_single = is_number(argnums)

    def form(result: Term, cotangents: list[Term]) -> Term:
        gradient = cotangents[0] if is_single else tuple_of(cotangents)
        if has_value:
            return tuple_of([result, gradient])
        return tuple_of([gradient, item(result, 1)]) if has_aux else gradient

    def rule(argument_types: Types) -> Any:
        from fastgrad._src.derivatives.gradient_rules import rule_of_gradient

        return rule_of_gradient(f, positions, is_single, has_value, has_aux, form, argument_types)

    return DerivedDispatcher(
        stub_of(python_function, owner),
        (maker, f, positions[0] if is_single else positions, bool(has_aux)),
        lambda argument_types: _derivation().reverse_mode(f, positions, owner, form, argument_types, has_aux),
        rule,
    )


def _no_rule(argument_types: Types) -> None:
    """Says that a derivative is not differentiated again."""


def jvp(
    f: Callable[..., Any],
    primals: Sequence[Any] | None = None,
    tangents: Sequence[Any] | None = None,
    *,
    argnums: int | Sequence[int] = 0,
) -> Any:
    """Computes ``f`` and its directional derivative by forward mode.

    Args:
        f: as for ``value_and_grad``; it may return floats, arrays of floats and tuples of them.
        primals: the arguments of ``f``, a tuple. One may be a ``numpy.random.Generator``, with the tangent None.
        tangents: the directions, a tuple: one for each argument, of its shape; a tuple of them for a tuple, a list of as many for a list, or None for a
            list that does not change. For an argument without derivatives, such as an integer, a function or None: None or 0.
        argnums: without ``primals``: the indices of the arguments that have tangents.

    Returns:
        (result, tangent of the result). Without ``primals``: a compiled function that takes the arguments, then the tangents, and returns this pair.

    Raises:
        TypeError: ``primals`` or ``tangents`` are not a tuple or list, or the tangent of a real argument is complex.
        ValueError: the numbers of primals and tangents differ.

    Example:
        >>> def product(x, y):
        ...     return x * y
        >>> fg.jvp(product, (2.0, 3.0), (1.0, 0.0))
        (6.0, 3.0)
    """
    if primals is not None:
        return _tangents_of_call(f, primals, tangents)
    if is_variadic(f):
        more = 1 if is_number(argnums) else len(tuple(argnums))  # type: ignore[arg-type]
        return DerivativeOfAnyNumber(f, lambda function: jvp(function, argnums=argnums), more)
    python_function = wrapped_function(f, "jvp")
    return forward_dispatcher(f, parameter_positions(argnums, python_function, "jvp"))


def _tangents_of_call(f: Any, primals: Any, tangents: Any) -> Any:
    """Returns the result of a call and its tangent."""
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise TypeError(
            f"jvp: primals and tangents are tuples, one item for each argument of {name_of(f)}; got {primals!r} and {tangents!r}."
        )
    if len(primals) != len(tangents):
        raise ValueError(f"jvp: {len(primals)} primals need as many tangents; got {len(tangents)}.")
    call, values = PreparedTangent.of(f, primals, {})
    return call.run(values, tangents)


def forward_dispatcher(f: Any, positions: tuple[int, ...], width: int = 1) -> DerivedDispatcher:
    """Returns the compiled function of the arguments and the tangents of some that returns (result, tangent).

    Tangents of arrays have one more axis, of size ``width``, if this is not 1.
    """
    python_function = wrapped_function(f, "jvp")
    names = parameter_names(python_function)
    return DerivedDispatcher(
        stub_of(python_function, "jvp", [f"tangent_of_{names[position]}" for position in positions]),
        (forward_dispatcher, f, positions, width),
        lambda argument_types: _derivation().forward_mode(f, positions, "jvp", argument_types, width),
        lambda argument_types: _derivation().splice_of_forward_mode(f, positions, "jvp", argument_types, width),
        LaneCompiler if width > 1 else DerivativeCompiler,
    )


def pullback(f: Any, positions: tuple[int, ...], count: int, has_result: bool = False) -> DerivedDispatcher:
    """Returns the compiled function of the arguments and the cotangents of ``count`` results that returns those of arguments, a tuple.

    With ``has_result`` the tuple has the results before them.
    """

    def form(result: Term, cotangents: list[Term]) -> Term:
        return result + tuple_of(cotangents) if has_result else tuple_of(cotangents)

    return DerivedDispatcher(
        stub_of(wrapped_function(f, "vjp"), "pullback", [f"cotangent_{number}" for number in range(count)]),
        (pullback, f, positions, count, has_result),
        lambda argument_types: _derivation().reverse_mode(f, positions, "vjp", form, argument_types, seed=None),
        _no_rule,
    )


def second_pullback(f: Any, tangents: tuple[int, ...], positions: tuple[int, ...], count: int) -> DerivedDispatcher:
    """Returns the compiled function that runs forward mode forward and backward.

    It takes the arguments of ``f``, the tangents of those numbered ``tangents``, the cotangents of the ``count`` results and the cotangents of their
    tangents. It returns a pair of tuples: the tangents of the results, and the cotangents of the arguments numbered ``positions``.
    """

    def form(result: Term, cotangents: list[Term]) -> Term:
        tangents = item(result, 1)
        return tuple_of([tuple_of([tangents]) if count == 1 else tangents, tuple_of(cotangents)])

    names = [f"tangent_{number}" for number in tangents] + [f"cotangent_{number}" for number in range(2 * count)]
    return DerivedDispatcher(
        stub_of(wrapped_function(f, "vjp"), "second_pullback", names),
        (second_pullback, f, tangents, positions, count),
        lambda argument_types: _derivation().reverse_over_forward(f, tangents, positions, "vjp", form, argument_types),
        _no_rule,
    )


def gradient_and_tangent(
    f: Any, tangents: tuple[int, ...], positions: tuple[int, ...], has_value: bool
) -> DerivedDispatcher:
    """Returns the compiled function that computes a gradient and its directional derivative in one run.

    It takes the arguments of ``f`` and the tangents of those numbered ``tangents``, among them those numbered ``positions``. It returns a tuple: with
    ``has_value`` the value, then the gradients by ``positions``, with ``has_value`` the value's tangent, then the gradients' tangents.
    """
    count = len(parameter_names(wrapped_function(f, "grad")))

    def form(result: Term, cotangents: list[Term]) -> Term:
        values = [item(result, number) for number in (0, 1)] if has_value else []
        gradients, tangents = cotangents[len(positions) :], cotangents[: len(positions)]
        return tuple_of([*values[:1], *gradients, *values[1:], *tangents])

    by = (*positions, *(count + tangents.index(position) for position in positions))
    return DerivedDispatcher(
        stub_of(wrapped_function(f, "jvp"), "gradient_and_tangent", [f"tangent_{number}" for number in tangents]),
        (gradient_and_tangent, f, tangents, positions, has_value),
        lambda argument_types: _derivation().reverse_over_forward(f, tangents, by, "jvp", form, argument_types, seed=1),
        _no_rule,
    )


def vjp(f: Callable[..., Any], *primals: Any, **keywords: Any) -> tuple[Any, Callable[..., tuple[Any, ...]]]:
    """Computes ``f``, and returns its result and the pullback: the function from a cotangent of the result to cotangents of the arguments.

    Args:
        f: as for ``jvp``.
        *primals: the arguments of ``f``. One may be a ``numpy.random.Generator``: its state moves as by a call of ``f``.
        **keywords: more arguments, which have no cotangents.

    Returns:
        (result, pullback). ``pullback(cotangent)`` takes a cotangent with the structure of the result; None or 0 for integers and strings.
        It returns a tuple with the cotangent of each primal; None for a primal without derivatives: an integer, a function, None, a dictionary, a generator. It runs ``f`` once
        more, with copies of the primals and the same random draws. It raises ValueError if the cotangent has another structure or shape.

    Raises:
        ValueError: ``f`` writes an argument that shares memory with another argument.

    Example:
        >>> def product(x, y):
        ...     return x * y
        >>> value, pullback = fg.vjp(product, 2.0, 3.0)
        >>> value, pullback(1.0)
        (6.0, (3.0, 2.0))
    """
    call, values = PreparedPullback.of(f, primals, keywords)
    result: tuple[Any, Callable[..., tuple[Any, ...]]] = call.run(values)
    return result


PreparedPullback.pullback = staticmethod(pullback)
PreparedTangent.forward = staticmethod(forward_dispatcher)


def hvp(f: Callable[..., Any], argnums: int = 0) -> Any:
    """Returns a compiled function that computes the product of the Hessian matrix of ``f`` and a vector, by reverse mode over forward mode.

    Args:
        f: as for ``value_and_grad``.
        argnums: the index of the argument to differentiate with respect to.

    Returns:
        a function that takes the arguments of ``f``, then a vector of the argument's shape, and returns the product, of the same shape.

    Example:
        >>> def energy(x):
        ...     return np.sum(x**2) / 2
        >>> fg.hvp(energy)(np.array([1.0, 2.0]), np.array([1.0, 0.0]))
        array([1., 0.])
    """
    if is_variadic(f):
        return DerivativeOfAnyNumber(f, lambda function: hvp(function, argnums), 1)
    python_function = wrapped_function(f, "hvp")
    (position,) = parameter_positions(argnums, python_function, "hvp", is_single=True)
    return DerivedDispatcher(
        stub_of(python_function, "hvp", ["vector"]),
        (hvp, f, position),
        lambda argument_types: _derivation().reverse_over_forward(
            f, (position,), (position,), "hvp", lambda _, cotangents: cotangents[0], argument_types, seed=1
        ),
        _no_rule,
    )


offer_gradient(grad)
offer_gradient(value_and_grad)
offer_derivative(hvp)
offer_jvp(jvp)
offer_vjp(vjp, pullback)
