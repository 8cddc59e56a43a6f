"""tf.nest: structures taken apart, put together, and walked side by side."""

import collections
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastgrad as tf

nest = tf.nest


class Point(NamedTuple):
    x: object
    y: object


STRUCTURES = st.recursive(
    st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3)
        | st.builds(Point, inner, inner)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("structure", "leaves"),
    [
        ([], []),
        ("abc", ["abc"]),
        ({"b": 1, "a": [2, (3,)]}, [2, 3, 1]),
        (collections.OrderedDict([("b", 1), ("a", 2)]), [2, 1]),
        (Point(1, {"z": 2, "y": 3}), [1, 3, 2]),
    ],
)
def test_flatten_walks_dicts_in_the_order_of_their_keys(structure, leaves):
    assert nest.flatten(structure) == leaves


def test_what_is_a_leaf():
    assert all(map(nest.is_nested, ([1], (1,), {"a": 1}, Point(1, 2))))
    leaves = (1, "abc", {1, 2}, iter([1]), np.ones(2), tf.constant([1]), tf.Variable([1]), tf.TensorShape([1]))
    assert not any(map(nest.is_nested, leaves))


@given(STRUCTURES)
def test_packing_what_was_flattened_gives_it_back(structure):
    again = nest.pack_sequence_as(structure, nest.flatten(structure))
    assert again == structure
    assert type(again) is type(structure)
    nest.assert_same_structure(structure, again)
    assert nest.map_structure(lambda x: x, structure) == structure


def test_packing_keeps_the_kind_and_order_of_dicts():
    structure = collections.OrderedDict([("b", 1), ("a", 2)])
    assert list(nest.map_structure(lambda x: x + 1, structure).items()) == [("b", 2), ("a", 3)]
    default = nest.map_structure(lambda x: x + 1, collections.defaultdict(int, a=2))
    assert isinstance(default, collections.defaultdict)
    assert default == {"a": 3}


def test_map_structure_walks_lists_and_tuples_side_by_side():
    assert nest.map_structure(lambda a, b: a + b, [1, 2], (1, 2), check_types=False) == [2, 4]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: nest.flatten({1: 2, "a": 3}), TypeError),
        (lambda: nest.pack_sequence_as([0, 0], [1]), ValueError),
        (lambda: nest.pack_sequence_as(0, [1, 2]), ValueError),
        (lambda: nest.pack_sequence_as([0], 3), TypeError),
        (lambda: nest.map_structure(lambda a, b: a, [1, 2], (1, 2)), TypeError),
        (lambda: nest.map_structure(lambda a, b: a, [1, 2], [1]), ValueError),
        (lambda: nest.map_structure(3, [1]), TypeError),
        (lambda: nest.map_structure(lambda x: x), ValueError),
        (lambda: nest.map_structure(lambda x: x, [1], depth=2), ValueError),
        (lambda: nest.assert_same_structure([1, [2]], [1, 2]), ValueError),
        (lambda: nest.assert_same_structure({"a": 1}, {"b": 1}), ValueError),
        (lambda: nest.assert_same_structure(1, [1]), ValueError),
        (lambda: nest.assert_same_structure([1], (1,)), TypeError),
        (lambda: nest.assert_same_structure(Point(1, 2), (1, 2)), TypeError),
    ],
)
def test_what_does_not_go_together_is_refused(call, error):
    with pytest.raises(error):
        call()


def test_types_count_only_if_asked_for():
    nest.assert_same_structure([1], (1,), check_types=False)
    nest.assert_same_structure({"a": 1}, collections.OrderedDict(a=1))
