"""The rules of types are Numba's: each is compared with what Numba finds."""

import itertools
import operator

import pytest

from fastgrad.kernels.building.number_types import (
    FLOATS,
    INTEGERS,
    Untranslatable,
    compared_as,
    constant,
    conversion,
    number_result,
    unified,
    whole_result,
)
from tests.kernels.building.numba_referee import _frontend

TYPES = ("bool", *INTEGERS, *FLOATS)
WHOLE = ("bool", *INTEGERS)
PAIRS = list(itertools.product(TYPES, TYPES))


@pytest.fixture(scope="module")
def numba_typing():
    return _frontend().typing


def _numba_type(name):
    from numba.core import types

    return types.boolean if name == "bool" else getattr(types, name)


@pytest.mark.parametrize("function", [operator.add, operator.sub, operator.mul])
def test_sums_and_products_have_numbas_types(numba_typing, function):
    for a, b in PAIRS:
        found = numba_typing.resolve_function_type(function, (_numba_type(a), _numba_type(b)), {})
        assert number_result(a, b) == str(found.return_type), (a, b)


@pytest.mark.parametrize("function", [operator.floordiv, operator.mod, operator.and_, operator.or_, operator.xor])
def test_quotients_rests_and_bits_of_integers_have_numbas_types(numba_typing, function):
    for a, b in itertools.product(INTEGERS, INTEGERS):
        found = numba_typing.resolve_function_type(function, (_numba_type(a), _numba_type(b)), {})
        assert whole_result(a, b) == str(found.return_type), (a, b)


@pytest.mark.parametrize("function", [operator.lshift, operator.rshift])
def test_shifts_have_numbas_types(numba_typing, function):
    for a, b in itertools.product(INTEGERS, INTEGERS):
        found = numba_typing.resolve_function_type(function, (_numba_type(a), _numba_type(b)), {})
        assert whole_result(a, a) == str(found.return_type), (a, b)


@pytest.mark.parametrize("function", [operator.lt, operator.eq])
def test_numbers_are_compared_in_numbas_types(numba_typing, function):
    for a, b in PAIRS:
        found = numba_typing.resolve_function_type(function, (_numba_type(a), _numba_type(b)), {})
        assert compared_as(a, b) == str(found.args[0]) == str(found.args[1]), (a, b)


def test_where_ways_meet_types_are_numbas(numba_typing):
    for a, b in PAIRS:
        assert unified(a, b) == str(numba_typing.unify_types(_numba_type(a), _numba_type(b))), (a, b)
    assert unified(("int64", "float32"), ("int64", "float64")) == ("int64", "float64")
    with pytest.raises(Untranslatable):
        unified("*float32", "int64")


def test_literals_have_numbas_types():
    from numba.core.typing.typeof import typeof

    for value in (0, -1, 2**62, 2**63, 2**64 - 1, -(2**63), 0.5, True):
        assert constant(value).type == str(typeof(value)), value
    with pytest.raises(Untranslatable):
        constant(2**64)


def test_conversions_keep_the_value_where_it_fits():
    assert conversion("int8", "int64") == "sext"
    assert conversion("uint8", "int64") == "zext"
    assert conversion("bool", "float32") == "uitofp"
    assert conversion("int64", "uint64") is None
    assert conversion("float64", "uint8") == "fptoui"
    assert conversion("float64", "float32") == "fptrunc"
