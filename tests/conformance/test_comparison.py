"""The comparison itself: what counts as the same answer."""

import pytest

from .comparison import differences


def array(values: list[float | str], dtype: str = "float32") -> dict[str, object]:
    return {"Tensor": {"dtype": dtype, "shape": [len(values)], "values": values}}


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (1, 1),
        ("text", "text"),
        (None, None),
        ({"float": 1.0}, {"float": 1.000001}),
        (array([1.0, "nan", "inf"]), array([1.000001, "nan", "inf"])),
        ({"raises": ["ValueError"]}, {"raises": ["UnicodeError", "ValueError"], "message": "m"}),
        ({"list": [1, {"tuple": []}]}, {"list": [1, {"tuple": []}]}),
    ],
)
def test_same(expected: object, actual: object) -> None:
    assert differences(expected, actual) == []


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (1, True),
        (1, {"float": 1.0}),
        (None, "text"),
        (array([1.0]), array([1.001])),
        (array([1.0]), array(["nan"])),
        (array(["inf"]), array(["-inf"])),
        (array([1.0]), array([1.0], "float64")),
        (array([1.0]), {"array": array([1.0])["Tensor"]}),
        (array([1.0], "int32"), array([2.0], "int32")),
        ({"raises": ["ValueError"]}, {"raises": ["TypeError"], "message": "m"}),
        ({"raises": ["ValueError"]}, array([1.0])),
        ({"list": [1]}, {"tuple": [1]}),
        ({"list": [1]}, {"list": [1, 2]}),
        ({"dict": {"a": 1, "b": 2}}, {"dict": {"b": 2, "a": 1}}),
    ],
)
def test_different(expected: object, actual: object) -> None:
    assert len(differences(expected, actual)) == 1
