"""Complex numbers as pairs of floats, so that the rules of real functions give their derivatives.

A complex number is its real and its imaginary part (``values.Complex``); an array of complex numbers is an array of floats with one more axis
(``View.parts``). The cotangent of ``x + iy`` is the cotangent of ``x`` plus ``i`` times the cotangent of ``y``, as on fastgrad's tape.
"""

from __future__ import annotations

import cmath
import math
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from fastgrad._src.derivatives.codegen.complex_arrays import complex_of_parts, real_parts
from fastgrad._src.derivatives.frontend import views as view_rules
from fastgrad._src.derivatives.ir import scalar_rules
from fastgrad._src.derivatives.ir.complex_rules import (
    COMPLEX,
    DERIVATIVES,
    DERIVATIVES_OF_POWER,
    DERIVATIVES_OF_QUOTIENT,
    PARTS,
    Derivative,
)
from fastgrad._src.derivatives.ir.operands import Constant, Operand, Scalar, is_constant
from fastgrad._src.derivatives.ir.partials import Partial, call_operation
from fastgrad._src.derivatives.ir.scalar_operations import CASTS
from fastgrad._src.derivatives.ir.statements import Compute
from fastgrad._src.derivatives.ir.values import Complex, Items, Method, Static, describe, is_complex
from fastgrad._src.scalars.formulas import CHEAP_COST, COTANGENT, FUNCTION_COST, OPERANDS, RESULT, ScalarOperation, Term
from fastgrad._src.scalars.terms import DIVIDE, MULTIPLY, POWER, SELECT, names_of

if TYPE_CHECKING:
    from fastgrad._src.derivatives.frontend.lowering import Lowering

Rule = Callable[[Any, list[Any], types.Type], Any]
FUNCTIONS: dict[Any, Rule] = {}
"""The rules of functions of complex numbers, of (lowering, operands, Numba's type of the result)."""
_REAL_SIN, _REAL_COS = call_operation(math.sin, 1), call_operation(math.cos, 1)


def _holomorphic_rule(value: Any, *derivatives: Derivative) -> Rule:
    """Returns the rule of a holomorphic function.

    Args:
        value: the function, or the operation of an operator.
        *derivatives: the derivative with respect to each operand.
    """

    def rule(lowering: Lowering, operands: list[Any], type: types.Type) -> Any:
        float_type = type.underlying_float
        numbers: list[Operand] = []
        for operand in operands:
            numbers += real_and_imaginary(lowering, operand, float_type)
        arguments = [COMPLEX(*OPERANDS[place : place + 2]) for place in range(0, len(numbers), 2)]
        operation = value if isinstance(value, ScalarOperation) else call_operation(value, len(arguments))
        values = _lower_complex_term(lowering.builder, operation(*arguments), numbers, float_type)
        result = COMPLEX(*OPERANDS[len(numbers) : len(numbers) + 2])
        of_real: list[Term] = []
        of_imag: list[Term] = []
        for derivative in derivatives:
            real, imag = [part(derivative(*arguments, result)) for part in PARTS]
            of_real += [COTANGENT * real, -COTANGENT * imag]
            of_imag += [COTANGENT * imag, COTANGENT * real]
        number = _with_partials(lowering, numbers, values, of_real, of_imag)
        for part in (number.real, number.imag):
            assert isinstance(part, Scalar)
            assert isinstance(part.definition, Compute)
            part.definition.singularity = scalar_rules.singularity_of(value, numbers[::2])
            part.definition.flat_at = scalar_rules.flat_at(value, numbers[::2])
        return number

    return rule


def _lower_complex_term(builder: Any, term: Term, numbers: list[Operand], float_type: types.Type) -> list[Scalar]:
    """Lowers the real and the imaginary part of a complex number, a term of ``numbers``."""
    operations = [builder.expression(part(term)) for part in PARTS]
    return [builder.compute(float_type, operation, numbers, FUNCTION_COST) for operation in operations]


def _with_partials(
    lowering: Lowering, numbers: list[Operand], values: list[Scalar], of_real: list[Term], of_imag: list[Term]
) -> Complex:
    """Returns a complex number with the real and the imaginary part ``values``, and the partials of these with respect to ``numbers``.

    The operands of the partials are the numbers, then the values.
    """
    operands = [*numbers, *values]
    float_type = values[0].type
    parts = []
    for place, terms in enumerate((of_real, of_imag)):
        partials: list[Partial] = [_partial_in_type(term, float_type) for term in terms]
        same = lowering.builder.expression(OPERANDS[len(numbers) + place])
        parts.append(lowering.builder.compute(float_type, same, operands, CHEAP_COST, [*partials, None, None]))
    return Complex(*parts)


def _partial_in_type(partial: Term, type: types.Type) -> Term:
    """Returns a partial of float64 numbers as one of ``type``."""
    return partial if type == types.float64 else CASTS[str(type)](partial)


# ---- numbers ------------------------------------------------------------------------------------------------------


def real_and_imaginary(lowering: Lowering, value: Any, float_type: types.Type) -> tuple[Operand, Operand]:
    """Returns the real and the imaginary part of a number as floats of a type."""
    if isinstance(value, Complex):
        return lowering.operands.cast(value.real, float_type), lowering.operands.cast(value.imag, float_type)
    return lowering.operands.cast(value, float_type), Constant(0.0, float_type)


def as_complex(lowering: Lowering, value: Any, type: types.Type) -> Complex:
    """Returns a number as a complex number of ``type``."""
    return Complex(*real_and_imaginary(lowering, value, type.underlying_float))


def rule(*functions: Any) -> Callable[[Rule], Rule]:
    """Returns the decorator that makes a function the rule of ``functions``."""

    def add(function: Rule) -> Rule:
        FUNCTIONS.update(dict.fromkeys(functions, function))
        return function

    return add


def apply(lowering: Lowering, function: Any, operands: list[Any], type: types.Type) -> Any:
    """Lowers an operator or function of numbers, some of which are complex, or whose result is.

    Raises:
        DifferentiationError: it has no rule.
    """
    if function not in FUNCTIONS:
        raise _refusal(lowering, function)
    return FUNCTIONS[function](lowering, operands, type)


def _refusal(lowering: Lowering, function: Any) -> Exception:
    return lowering.builder.refuse(f"{describe(Static(function))} of complex numbers can't be differentiated")


def _partwise_rule(function: Any) -> Rule:
    """Returns the rule of a function that is applied to the real and to the imaginary parts."""

    def apply_to_parts(lowering: Lowering, operands: list[Any], type: types.Type) -> Any:
        float_type = type.underlying_float
        pairs = [real_and_imaginary(lowering, operand, float_type) for operand in operands]
        return Complex(
            *[lowering.operators.apply(function, list(numbers), float_type) for numbers in zip(*pairs, strict=True)]
        )

    return apply_to_parts


for _operator, _function in (
    *((operator.add, np.add), (operator.sub, np.subtract)),
    *((operator.neg, np.negative), (operator.pos, np.positive)),
):
    FUNCTIONS[_operator] = FUNCTIONS[_function] = _partwise_rule(_operator)


@rule(operator.mul, np.multiply)
def _product(lowering: Lowering, operands: list[Any], type: types.Type) -> Any:
    float_type = type.underlying_float
    (a, b), (c, d) = [real_and_imaginary(lowering, operand, float_type) for operand in operands]

    def times(x: Operand, y: Operand) -> Operand:
        # Numba multiplies also by 0, which gives the sign of 0; the derivative is 0.
        if is_constant(x, 0.0) or is_constant(y, 0.0):
            return lowering.builder.compute(float_type, MULTIPLY, [x, y])
        return lowering.operators.apply(operator.mul, [x, y], float_type)

    real = lowering.operators.apply(operator.sub, [times(a, c), times(b, d)], float_type)
    return Complex(real, lowering.operators.apply(operator.add, [times(a, d), times(b, c)], float_type))


FUNCTIONS[np.square] = lambda lowering, operands, kind: _product(lowering, operands * 2, kind)
_NUMPY_DIVISION = _holomorphic_rule(np.divide, *DERIVATIVES_OF_QUOTIENT)
_DIVISION = _holomorphic_rule(DIVIDE, *DERIVATIVES_OF_QUOTIENT)
FUNCTIONS[np.divide] = _NUMPY_DIVISION


@rule(operator.truediv)
def _quotient(lowering: Lowering, operands: list[Any], type: types.Type) -> Any:
    """Lowers a division: one of numbers raises if the divisor is 0, one of arrays does not."""
    return (_NUMPY_DIVISION if lowering.frame.is_internal else _DIVISION)(lowering, operands, type)


FUNCTIONS[operator.pow] = FUNCTIONS[pow] = _holomorphic_rule(POWER, *DERIVATIVES_OF_POWER)
FUNCTIONS[np.power] = _holomorphic_rule(np.power, *DERIVATIVES_OF_POWER)
for _name, _derivative in DERIVATIVES.items():
    for _value in {getattr(module, name, None) for module in (cmath, np) for name in names_of(_name)} - {None}:
        FUNCTIONS[_value] = _holomorphic_rule(_value, _derivative)


_LOGARITHM = FUNCTIONS[cmath.log]


@rule(cmath.log)
def _log(lowering: Lowering, operands: list[Any], type: types.Type) -> Any:
    logarithms = [_LOGARITHM(lowering, [operand], type) for operand in operands]
    return logarithms[0] if len(operands) == 1 else _DIVISION(lowering, logarithms, type)


@rule(np.conjugate)
def _conjugate(lowering: Lowering, operands: list[Any], type: types.Type) -> Any:
    (value,) = operands
    return Complex(value.real, lowering.operators.apply(operator.neg, [value.imag], value.imag.type))


@rule(abs, np.absolute)
def _modulus(lowering: Lowering, operands: list[Any], type: types.Type) -> Any:
    """Lowers the absolute value, whose derivative at 0 is 0."""
    (value,) = operands
    numbers = [value.real, value.imag]
    partials = [
        _partial_in_type(COTANGENT * SELECT(RESULT != 0.0, leaf / RESULT, 0.0), type)
        for leaf in OPERANDS[: len(numbers)]
    ]
    return lowering.builder.compute(type, lowering.builder.call_of(math.hypot, 2), numbers, FUNCTION_COST, partials)


@rule(cmath.phase)
def _phase(lowering: Lowering, operands: list[Any], type: types.Type) -> Any:
    (value,) = operands
    return lowering.operators.apply(math.atan2, [value.imag, value.real], type)


@rule(cmath.polar)
def _polar(lowering: Lowering, operands: list[Any], type: types.Type) -> Any:
    return Items([_modulus(lowering, operands, type[0]), _phase(lowering, operands, type[1])], type)


@rule(cmath.rect)
def _rect(lowering: Lowering, operands: list[Any], type: types.Type) -> Any:
    builder, float_type = lowering.builder, type.underlying_float
    numbers = [lowering.operands.cast(lowering.operands.scalar(operand), float_type) for operand in operands]
    radius, angle, real, imag = OPERANDS[:4]
    values = _lower_complex_term(builder, call_operation(cmath.rect, 2)(radius, angle), numbers, float_type)
    of_real = [COTANGENT * _REAL_COS(angle), -COTANGENT * imag]
    of_imag = [COTANGENT * _REAL_SIN(angle), COTANGENT * real]
    return _with_partials(lowering, numbers, values, of_real, of_imag)


@rule(complex, np.complex64, np.complex128)
def _complex(lowering: Lowering, operands: list[Any], type: types.Type) -> Any:
    if len(operands) == 1:
        return as_complex(lowering, operands[0], type)
    return Complex(
        *[lowering.operands.cast(lowering.operands.scalar(operand), type.underlying_float) for operand in operands]
    )


FUNCTIONS[np.real] = lambda lowering, operands, _: operands[0].real
FUNCTIONS[np.imag] = lambda lowering, operands, _: operands[0].imag


def _condition_rule(of_part: Any, of_parts: Any) -> Rule:
    """Returns the rule of a condition: ``of_part`` of the real and the imaginary parts, joined by ``of_parts``."""

    def condition(lowering: Lowering, operands: list[Any], type: types.Type) -> Any:
        pairs = [
            (operand.real, operand.imag) if isinstance(operand, Complex) else (operand, Constant(0.0, types.float64))
            for operand in operands
        ]
        parts = [lowering.operators.apply(of_part, list(numbers), type) for numbers in zip(*pairs, strict=True)]
        return lowering.operators.apply(of_parts, parts, type)

    return condition


for _functions, _of_part, _of_parts in (
    ((operator.eq, np.equal), operator.eq, operator.and_),
    ((operator.ne, np.not_equal), operator.ne, operator.or_),
    ((bool,), bool, operator.or_),
    ((operator.not_, np.logical_not), operator.not_, operator.and_),
    ((cmath.isnan, np.isnan), math.isnan, operator.or_),
    ((cmath.isinf, np.isinf), math.isinf, operator.or_),
    ((cmath.isfinite, np.isfinite), math.isfinite, operator.and_),
):
    FUNCTIONS.update(dict.fromkeys(_functions, _condition_rule(_of_part, _of_parts)))


# ---- functions of arrays --------------------------------------------------------------------------------------------

_GENERAL: frozenset[Any] = frozenset(
    [
        *(len, zip, enumerate, iter, tuple, isinstance, sum, np.ndenumerate, np.nditer),
        *(operator.matmul, np.dot, np.outer),
        *(np.sum, np.prod, np.mean, np.cumsum, np.cumprod, np.any, np.all, np.trace, np.where, np.select, np.diff),
        *(np.zeros, np.zeros_like, np.empty, np.empty_like, np.ones, np.ones_like, np.full, np.full_like, np.array),
        *(np.asarray, np.ascontiguousarray, np.copy, np.transpose, np.reshape, np.ravel, np.concatenate, np.stack),
        *(np.hstack, np.vstack, np.dstack, np.column_stack, np.append, np.flip, np.flipud, np.fliplr, np.rot90),
        *(np.atleast_1d, np.atleast_2d, np.atleast_3d, np.expand_dims, np.swapaxes, np.moveaxis, np.broadcast_to),
        *(np.roll, np.repeat, np.tril, np.triu, np.diag, np.diagflat, np.take, np.fill_diagonal, np.count_nonzero),
        *(np.linalg.norm, np.linalg.solve, np.linalg.inv, np.linalg.det, np.linalg.slogdet, np.concat, np.eye),
        np.linalg.eigvals,  # complex since NumPy 2.5; ``eig``, which it calls, refuses complex matrices
    ]
)
"""The functions of arrays whose rules hold for complex numbers, too."""
_GENERAL_METHODS = frozenset(
    [
        *("sum", "prod", "mean", "cumsum", "cumprod", "any", "all", "dot", "copy", "transpose", "reshape", "ravel"),
        *("flatten", "astype", "item", "fill", "take", "repeat"),
    ]
)


def call(lowering: Lowering, function: Any, arguments: list[Any], keywords: dict[str, Any], type: types.Type) -> Any:
    """Lowers the call of a function with complex arguments or a complex result; ``NotImplemented`` if the rule for real numbers holds.

    Raises:
        DifferentiationError: the function's rule holds for real numbers only.
    """
    has_complex_result = isinstance(getattr(type, "dtype", type), types.Complex)
    if not has_complex_result and not any(map(is_complex, [*arguments, *keywords.values()])):
        return NotImplemented
    if isinstance(function, np.ufunc) and len(arguments) > function.nin:
        return NotImplemented
    if function in (real_parts, complex_of_parts):
        return arguments[0].real() if function is real_parts else arguments[0].complex()
    if function in (np.real, np.imag) and arguments[0].is_array:
        return view_rules.part(lowering.builder, arguments[0], (np.real, np.imag).index(function))
    if function is np.vdot and not keywords:
        first, second = arguments
        if is_complex(first):
            first = lowering.operators.apply(np.conjugate, [first], lowering.operands.types_of([first])[0])
        return lowering.calls.call(np.dot, [first, second], {}, type, "dot")
    if function in FUNCTIONS and not keywords:
        return lowering.operators.apply(function, arguments, type)
    has_rule = function in lowering.array_functions.RULES or scalar_rules.is_known(function)
    if has_rule and function not in _GENERAL:
        raise _refusal(lowering, function)
    return NotImplemented


def call_method(lowering: Lowering, method: Method, arguments: list[Any], type: types.Type) -> Any:
    """Lowers the call of a method with complex numbers; ``NotImplemented`` if the rule for real numbers holds.

    Raises:
        DifferentiationError: the method's rule holds for real numbers only.
    """
    if method.name in ("conj", "conjugate") and is_complex(method.owner):
        return lowering.operators.apply(np.conjugate, [method.owner], type)
    if method.name == "item" and isinstance(method.owner, Complex):
        return method.owner
    if method.name not in _GENERAL_METHODS:
        raise lowering.builder.refuse(f"the method {method.name} of complex numbers can't be differentiated")
    return NotImplemented
