"""A kind of values of derivatives is one class: phis, functions that become part of others, and messages ask it alone."""

import math

import numba
import pytest
from numba import types

import fastgrad as fg
from fastgrad._src.core.errors import DifferentiationError
from fastgrad._src.derivatives.frontend import phis as phi_rules
from fastgrad._src.derivatives.ir.operands import Value


class Box(Value):
    """A number in a box: a value that the library does not have. Numba takes it for a tuple of one number."""

    __slots__ = ("number",)

    words = "a box"
    incoming = 0

    def __init__(self, number):
        self.number = number

    @property
    def leaves(self):
        return [self.number]

    @property
    def argument_type(self):
        return types.UniTuple(self.number.type, 1)

    def add_incoming(self, phis, block, value):
        Box.incoming += 1
        self.number.add_incoming(phis, block, None if value is None else value.number)

    def bind(self, splice, value):
        self.number.bind(splice, value.number)


@numba.njit
def box(x):
    return (x,)


unbox = numba.njit(lambda boxed: boxed[0])


box.lowering_rule = lambda lowering, arguments: Box(arguments[0])
unbox.lowering_rule = lambda lowering, arguments: arguments[0].number


@pytest.fixture
def boxes(monkeypatch, tmp_path):
    """Makes variables that are tuples of one type, and have several definitions, boxes."""
    monkeypatch.setitem(phi_rules._PHIS, types.UniTuple, lambda phis, kind, hint: Box(phis.new_phi(kind.dtype, hint)))
    monkeypatch.setenv("FASTGRAD_CACHE_DIR", str(tmp_path))  # derivatives with boxes are not kept


@numba.njit
def boxed_product(x, steps):
    boxed = box(x)
    for _ in range(steps):
        if x > 0.5:
            boxed = box(unbox(boxed) * math.sin(x))
        else:
            boxed = box(unbox(boxed) + x * x)
    return unbox(boxed)


def test_a_value_is_one_class_in_both_modes(boxes):
    Box.incoming = 0
    for x in (0.7, 0.3):
        steps, h = 4, 1e-6
        difference = (boxed_product(x + h, steps) - boxed_product(x - h, steps)) / (2 * h)
        assert fg.grad(boxed_product)(x, steps) == pytest.approx(difference, rel=1e-8)
        assert fg.jvp(boxed_product, (x, steps), (1.0, None))[1] == pytest.approx(difference, rel=1e-8)
        second = fg.hvp(boxed_product)(x, steps, 1.0)
        ahead, behind = fg.grad(boxed_product)(x + h, steps), fg.grad(boxed_product)(x - h, steps)
        assert second == pytest.approx((ahead - behind) / (2 * h), rel=1e-7)
    assert Box.incoming > 2


def test_messages_have_the_words_of_a_value(boxes):
    sine_of_a_box = numba.njit(lambda x: unbox(box(x)) + abs(box(x)[0]))

    with pytest.raises(DifferentiationError, match="a box"):
        fg.grad(sine_of_a_box)(0.5)
