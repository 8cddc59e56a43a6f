"""Checks of arguments: the class of the error, and a text with the owner, the argument, what it must be, and its value."""

import numpy as np
import pytest

from fastgrad._src.core.argument_checks import (
    check_at_least,
    check_choice,
    check_interval,
    check_length,
    check_positive,
    check_rank,
    check_shapes,
    check_type,
    require,
)


class Owner:
    def __init__(self, name=None):
        self.name = name


@pytest.mark.parametrize(("owner", "text"), [("f", "f: "), (Owner(), "Owner: "), (Owner("mine"), "Owner 'mine': ")])
def test_errors_name_the_owner_the_argument_and_its_value(owner, text):
    with pytest.raises(ValueError, match=rf"^{text}`n` must be small\. Received: n=9$"):
        require(False, owner, "`n` must be small", n=9)
    require(True, owner, "`n` must be small", n=9)


def test_errors_without_values_are_the_requirement_alone():
    with pytest.raises(RuntimeError, match=r"^f: call it first\.$"):
        require(False, "f", "call it first", RuntimeError)


@pytest.mark.parametrize("count", [0, -1, True, 1.0, None, "1"])
def test_counts_are_positive_integers(count):
    with pytest.raises(ValueError, match="f: `n` must be a positive integer. Received: n="):
        check_positive("f", m=1, n=count)


def test_choices():
    check_choice("f", ("a", "b"), mode="a")
    with pytest.raises(ValueError, match=r"f: `mode` must be one of \('a', 'b'\). Received: mode='c'"):
        check_choice("f", ("a", "b"), mode="c")


@pytest.mark.parametrize(
    ("interval", "inside", "outside"),
    [
        ("[0, 1]", [0, 0.5, 1, np.float32(1)], [-1e-9, 1.1, np.nan]),
        ("(0, 1]", [1e-9, 1], [0, 1.1]),
        ("[0, 1)", [0, 0.9], [1, -1]),
        ("(0, 1)", [0.5], [0, 1]),
        ("[2, inf)", [2, 1e30], [1, -np.inf, np.inf]),
        ("[-inf, 0]", [-np.inf, 0], [1]),
    ],
)
def test_intervals(interval, inside, outside):
    for number in inside:
        check_interval("f", interval, rate=number)
    for number in outside:
        with pytest.raises(ValueError, match="f: `rate` must be in the interval .* Received: rate=") as error:
            check_interval("f", interval, rate=number)
        assert interval in str(error.value)


def test_types():
    check_type("f", "a list of names", (list, tuple), names=[], others=())
    with pytest.raises(TypeError, match="f: `others` must be a list of names. Received: others=3"):
        check_type("f", "a list of names", (list, tuple), names=[], others=3)
    with pytest.raises(ValueError, match="f: `names` must be a list of names. Received: names=None"):
        check_type("f", "a list of names", (list, tuple), ValueError, names=None)


def test_lower_bounds_lengths_and_ranks():
    check_at_least("f", 1, n=1, m=2.5)
    with pytest.raises(KeyError, match="f: `m` must be at least 1. Received: m=0"):
        check_at_least("f", 1, KeyError, n=1, m=0)
    check_length("f", 2, names=["a", "b"], pair=(1, 2))
    with pytest.raises(ValueError, match=r"f: `names` must have 2 items, got 1. Received: names=\['a'\]"):
        check_length("f", 2, names=["a"])
    check_rank("f", 0, scalar=np.zeros(()))
    check_rank("f", (2, 3), x=np.zeros((1, 2)), shape=(1, 2, 3))
    with pytest.raises(TypeError, match=r"f: `x` must have rank 2 or 3\. Received: shape=\[4\]"):
        check_rank("f", (2, 3), TypeError, x=np.zeros(4))


@pytest.mark.parametrize(
    ("wanted", "right", "wrong"),
    [
        ("x ()", [((),)], [((1,),)]),
        ("x (n, 4)", [((0, 4),), ((3, 4),)], [((4,),), ((4, 3),), ((1, 4, 4),)]),
        ("x (n, n)", [((3, 3),)], [((3, 2),)]),
        ("x (..., n, n)", [((3, 3),), ((7, 8, 2, 2),)], [((3,),), ((3, 3, 2),)]),
        ("x (a, n), y (n, b)", [((2, 3), (3, 4))], [((2, 3), (2, 3)), ((2, 3), (3,))]),
        ("x (..., n, 4), y (..., n)", [((2, 4), (2,)), ((5, 2, 4), (5, 2))], [((5, 2, 4), (2,)), ((5, 2, 4), (2, 5))]),
        ("x (...), y (...)", [((), ()), ((1, 2), (1, 2))], [((1, 2), (1,)), ((1,), (2,))]),
    ],
)
def test_shapes(wanted, right, wrong):
    for shapes in right:
        check_shapes("f", wanted, ValueError, *shapes)
        check_shapes("f", wanted, ValueError, *map(np.zeros, shapes))
    for shapes in wrong:
        with pytest.raises(RuntimeError, match="f: The arguments must have the shapes x .* Received: shapes=") as error:
            check_shapes("f", wanted, RuntimeError, *shapes)
        assert wanted in str(error.value)
        assert str([list(shape) for shape in shapes]) in str(error.value)


def test_the_class_of_the_error_is_that_of_the_caller():
    with pytest.raises(KeyError, match="`mode` must be one of"):
        check_choice("f", ("a", "b"), KeyError, mode="c")
    with pytest.raises(KeyError, match="`rate` must be in the interval"):
        check_interval("f", "[0, 1]", KeyError, rate=2)
