"""Checks of arguments: the class of the error, and a text with the owner, the argument, what it must be, and its value."""

import numpy as np
import pytest

from fastgrad._src.core.argument_checks import check_choice, check_interval, check_positive, check_type, require


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
