"""Derivatives of SciPy's special functions, which Numba code calls by their addresses in ``scipy.special.cython_special``.

Numba's only special functions are those of ``math``. Packages such as numba-stats use the addresses of SciPy's functions; numba-scipy lets Numba
call them by name. The formulas of derivatives are those of the NIST Digital Library of Mathematical Functions (chapters 4 to 8, 10, 19).
"""

from __future__ import annotations

import ctypes
import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types
from numba.extending import get_cython_function_address

from fastgrad._src.derivatives.ir import parameter_derivatives as series
from fastgrad._src.derivatives.ir.operands import Operand, Scalar
from fastgrad._src.derivatives.ir.partials import ZERO_PRODUCT, Partial, call_operation
from fastgrad._src.scalars import terms
from fastgrad._src.scalars.formulas import COTANGENT, FUNCTION_COST, OPERANDS, RESULT, Term, partials_of, substitute
from fastgrad._src.scalars.terms import SELECT

if TYPE_CHECKING:
    from fastgrad._src.derivatives.frontend.lowering import Lowering

# ---- rules -------------------------------------------------------------------------------------------------------------

_X, _Y, _Z = OPERANDS[:3]
_TRIGAMMA = call_operation(series.trigamma, 1)
_LOG_NDTR_DERIVATIVE = call_operation(series.log_ndtr_derivative, 2)
_ERFCX_DERIVATIVE = call_operation(series.erfcx_derivative, 2)
_DAWSN_DERIVATIVE = call_operation(series.dawsn_derivative, 2)
_EXPREL_DERIVATIVE = call_operation(series.exprel_derivative, 2)
_ELLIPTIC_DERIVATIVE = call_operation(series.elliptic_derivative, 3)
_GAMMA_DENSITY = call_operation(series.gamma_density, 2)
_GAMMAINC_BY_SHAPE = call_operation(series.gammainc_by_shape, 2)
_BETA_DENSITY = call_operation(series.beta_density, 3)
_BETAINC_BY_PARAMETER = call_operation(series.betainc_by_parameter, 4)
_STUDENT_DENSITY = call_operation(series.student_density, 2)
_STUDENT_BY_DEGREES = call_operation(series.student_by_degrees, 2)
_VOIGT_BY_PARAMETER = call_operation(series.voigt_by_parameter, 4)
_LOG_IV_BY_ORDER = call_operation(series.log_iv_by_order, 2)
_LOG_KV_BY_ORDER = call_operation(series.log_kv_by_order, 2)
_NONCENTRAL_DENSITY = call_operation(series.noncentral_density, 3)
_NONCENTRAL_BY_DEGREES = call_operation(series.noncentral_by_degrees, 3)
_SQRT_PI, _SQRT_2PI = math.sqrt(math.pi), math.sqrt(2.0 * math.pi)
_DECAY = terms.exp(-terms.abs(_X))

_DERIVATIVES: dict[str, list[Term]] = {
    "ndtr": [terms.exp(-0.5 * _X * _X) / _SQRT_2PI],
    "ndtri": [_SQRT_2PI * terms.exp(0.5 * RESULT * RESULT)],
    "log_ndtr": [_LOG_NDTR_DERIVATIVE(_X, RESULT)],
    "erf": [2.0 / _SQRT_PI * terms.exp(-_X * _X)],
    "erfc": [-2.0 / _SQRT_PI * terms.exp(-_X * _X)],
    "erfcx": [_ERFCX_DERIVATIVE(_X, RESULT)],
    "erfi": [2.0 / _SQRT_PI * terms.exp(_X * _X)],
    "dawsn": [_DAWSN_DERIVATIVE(_X, RESULT)],
    "erfinv": [0.5 * _SQRT_PI * terms.exp(RESULT * RESULT)],
    "erfcinv": [-0.5 * _SQRT_PI * terms.exp(RESULT * RESULT)],
    "gammaln": [terms.digamma(_X)],
    "loggamma": [terms.digamma(_X)],
    "psi": [_TRIGAMMA(_X)],
    "betaln": [terms.digamma(each) - terms.digamma(_X + _Y) for each in (_X, _Y)],
    "expit": [_DECAY / ((1.0 + _DECAY) * (1.0 + _DECAY))],
    "log_expit": [-terms.expm1(RESULT)],
    "exp2": [RESULT * math.log(2.0)],
    "exp10": [RESULT * math.log(10.0)],
    "expm1": [RESULT + 1.0],
    "exprel": [_EXPREL_DERIVATIVE(_X, RESULT)],
    "expi": [terms.exp(_X) / _X],
    "exp1": [-terms.exp(-_X) / _X],
    "wrightomega": [RESULT / (1.0 + RESULT)],
    "ellipk": [_ELLIPTIC_DERIVATIVE(_X, 1.0 - _X, 1)],
    "ellipkm1": [-_ELLIPTIC_DERIVATIVE(1.0 - _X, _X, 1)],
    "ellipe": [_ELLIPTIC_DERIVATIVE(_X, 1.0 - _X, 2)],
    "entr": [-terms.log(_X) - 1.0],
    "rel_entr": [terms.log(_X / _Y) + 1.0, -_X / _Y],
    "kl_div": [terms.log(_X / _Y), (_Y - _X) / _Y],
    "gammainc": [_GAMMAINC_BY_SHAPE(_X, _Y), _GAMMA_DENSITY(_X, _Y)],
    "gammaincc": [-_GAMMAINC_BY_SHAPE(_X, _Y), -_GAMMA_DENSITY(_X, _Y)],
    "chdtr": [0.5 * _GAMMAINC_BY_SHAPE(0.5 * _X, 0.5 * _Y), 0.5 * _GAMMA_DENSITY(0.5 * _X, 0.5 * _Y)],
    "chdtrc": [-0.5 * _GAMMAINC_BY_SHAPE(0.5 * _X, 0.5 * _Y), -0.5 * _GAMMA_DENSITY(0.5 * _X, 0.5 * _Y)],
    "gdtr": [_Z * _GAMMA_DENSITY(_Y, _X * _Z), _GAMMAINC_BY_SHAPE(_Y, _X * _Z), _X * _GAMMA_DENSITY(_Y, _X * _Z)],
    "betainc": [_BETAINC_BY_PARAMETER(_X, _Y, _Z, 1), _BETAINC_BY_PARAMETER(_X, _Y, _Z, 0), _BETA_DENSITY(_X, _Y, _Z)],
    "chndtr": [
        _NONCENTRAL_DENSITY(_X, _Y, _Z),
        _NONCENTRAL_BY_DEGREES(_X, _Y, _Z),
        -_NONCENTRAL_DENSITY(_X, _Y + 2.0, _Z),
    ],
    "stdtr": [_STUDENT_BY_DEGREES(_X, _Y), _STUDENT_DENSITY(_X, _Y)],
    "owens_t": [
        -0.5 * terms.exp(-0.5 * _X * _X) * terms.erf(_X * _Y / math.sqrt(2.0)) / _SQRT_2PI,
        terms.exp(-0.5 * _X * _X * (1.0 + _Y * _Y)) / (2.0 * math.pi * (1.0 + _Y * _Y)),
    ],
    "voigt_profile": [_VOIGT_BY_PARAMETER(_X, _Y, _Z, place) for place in range(3)],
}
"""The derivatives of functions of SciPy with respect to each operand, by their names."""


def _rule_of_inverse(derivatives: list[Term], place: int) -> Rule:
    """Returns the partials of the inverse of a function in the operand of number ``place``."""
    derivatives = [substitute(derivative, {OPERANDS[place]: RESULT}) for derivative in derivatives]
    density = derivatives[place]
    return [
        COTANGENT / density if number == place else COTANGENT * (-derivative / density)
        for number, derivative in enumerate(derivatives)
    ]


Rule = list[Partial]
RULES: dict[str, Rule] = {
    **{name: [COTANGENT * derivative for derivative in each] for name, each in _DERIVATIVES.items()},
    "gamma": [COTANGENT * RESULT * terms.digamma(_X)],
    "beta": [COTANGENT * RESULT * (terms.digamma(each) - terms.digamma(_X + _Y)) for each in (_X, _Y)],
    "logit": [COTANGENT / (_X * (1.0 - _X))],
    "log1p": [COTANGENT / (1.0 + _X)],
    "cbrt": [*partials_of(terms.cbrt)],
    "xlogy": [
        SELECT(terms.logical_and(_X == 0.0, _Y == 0.0), 0.0, COTANGENT * terms.log(_Y)),
        ZERO_PRODUCT(_X, COTANGENT / _Y),
    ],
    "xlog1py": [
        SELECT(terms.logical_and(_X == 0.0, _Y == -1.0), 0.0, COTANGENT * terms.log1p(_Y)),
        ZERO_PRODUCT(_X, COTANGENT / (1.0 + _Y)),
    ],
    **{
        name: _rule_of_inverse(_DERIVATIVES[inverse], place)
        for name, inverse, place in [
            ("gammaincinv", "gammainc", 1),
            ("gammainccinv", "gammaincc", 1),
            ("chdtri", "chdtrc", 1),
            ("betaincinv", "betainc", 2),
            ("stdtrit", "stdtr", 1),
            ("chndtrix", "chndtr", 0),
        ]
    },
}
"""The partials of functions of SciPy by their names."""


def _mean_of_neighbors(function: Any) -> Any:
    """Returns the mean of a Bessel function's values of the orders below and above."""
    return 0.5 * (function(_X - 1.0, _Y) + function(_X + 1.0, _Y))


BESSEL_RULES: dict[str, Callable[[Any], Term]] = {
    **dict.fromkeys(["jv", "yv", "jve", "yve"], lambda f: COTANGENT * (0.5 * (f(_X - 1.0, _Y) - f(_X + 1.0, _Y)))),
    "iv": lambda f: COTANGENT * _mean_of_neighbors(f),
    "kv": lambda f: COTANGENT * -_mean_of_neighbors(f),
    "ive": lambda f: COTANGENT * (_mean_of_neighbors(f) - SELECT(_Y < 0.0, -RESULT, RESULT)),
    "kve": lambda f: COTANGENT * (RESULT - _mean_of_neighbors(f)),
}
"""The partials of Bessel functions with respect to the second argument. They call the functions of other orders."""
ORDER_RULES: dict[str, Term] = dict(
    **dict.fromkeys(["iv", "ive"], COTANGENT * RESULT * _LOG_IV_BY_ORDER(_X, _Y)),
    **dict.fromkeys(["kv", "kve"], COTANGENT * RESULT * _LOG_KV_BY_ORDER(_X, _Y)),
)
"""The partials of Bessel functions with respect to the order."""


# ---- which function a value is ---------------------------------------------------------------------------------------


@functools.cache
def _names_of_addresses() -> dict[int, str]:
    """Returns the functions of ``scipy.special.cython_special`` by their addresses, of those with rules."""
    from scipy.special import cython_special

    names = {}
    for name in (*RULES, *BESSEL_RULES):
        for symbol in (name, f"__pyx_fuse_0{name}", f"__pyx_fuse_1{name}"):
            if symbol in cython_special.__pyx_capi__:
                names[get_cython_function_address("scipy.special.cython_special", symbol)] = name
    return names


def special_name(function: Any) -> str | None:
    """Returns the name of a special function of SciPy that has a rule here, or None.

    Args:
        function: an object with an address for Numba, a function of ``ctypes``, or a function of ``scipy.special``.
    """
    if hasattr(function, "own_adjoint"):
        return None
    if isinstance(function, types.WrapperAddressProtocol):
        arguments, address = function.signature().args, function.__wrapper_address__()
    elif isinstance(function, ctypes._CFuncPtr):  # type: ignore[attr-defined]  # the base of all functions of ctypes
        arguments = tuple(types.float64 if kind is ctypes.c_double else types.none for kind in function.argtypes or ())
        address = ctypes.cast(function, ctypes.c_void_p).value
    elif isinstance(function, np.ufunc) and type(function).__module__ == "numpy":
        name = function.__name__
        return name if (name in RULES or name in BESSEL_RULES) and _is_of_scipy(function, name) else None
    else:
        return None
    return _names_of_addresses().get(address) if all(type == types.float64 for type in arguments) else None


def _is_of_scipy(function: np.ufunc, name: str) -> bool:
    if getattr(np, name, None) is function:
        return False
    from scipy import special

    return getattr(special, name, None) is function


def _is_of_integers(number: Operand) -> bool:
    """True if a number is computed from integers and constants alone, as the orders of a Bessel function's derivatives are."""
    if not number.is_real:
        return True
    return number.operation is not None and all(map(_is_of_integers, number.operands))


def call(lowering: Lowering, name: str, function: Any, arguments: list[Any], type: types.Type) -> Scalar:
    """Lowers the call of a special function of numbers.

    Raises:
        DifferentiationError: the order of ``jv`` or ``yv`` is not constant.
    """
    builder = lowering.builder
    given = [lowering.operands.scalar(argument) for argument in arguments]
    numbers = [lowering.operands.cast(number, types.float64) for number in given]
    operation = builder.call_of(function, len(numbers), name)
    if name in BESSEL_RULES:
        by_order = None if _is_of_integers(given[0]) else ORDER_RULES.get(name)
        if by_order is None and not _is_of_integers(given[0]):
            raise builder.refuse(
                f"{name} has no derivative with respect to the order: give it a constant or an integer"
            )
        rule: Rule = [by_order, BESSEL_RULES[name](operation)]
    else:
        rule = RULES[name]
    result: Scalar = builder.compute(type, operation, numbers, FUNCTION_COST, rule)
    return result
