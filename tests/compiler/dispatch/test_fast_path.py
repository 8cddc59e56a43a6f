"""The generated code of an entry: a user's names and keys are data in it, never code."""

import enum
from typing import Any, NamedTuple

import numpy as np
import pytest

import fastgrad as tf


class Color(enum.IntEnum):
    RED = 1


class Name(enum.StrEnum):
    B = "b"


class Text(str):
    __slots__ = ()

    def __repr__(self):
        return "undefined_name()"


KEYS = [Color.RED, Name.B, Text("z"), "x y", "class", 'a"b\n', (1, 2), frozenset({1}), np.str_("n"), 3, True]


@pytest.mark.parametrize("key", KEYS, ids=[type(key).__name__ + str(i) for i, key in enumerate(KEYS)])
def test_any_key_may_be_in_a_dict_of_results(key):
    function = tf.function(lambda x: {key: x * 2.0})
    for i in range(4):
        assert float(function(tf.constant(float(i)))[key]) == 2.0 * i


@pytest.mark.parametrize("key", KEYS, ids=[type(key).__name__ + str(i) for i, key in enumerate(KEYS)])
def test_any_key_may_be_in_a_dict_of_arguments(key):
    function = tf.function(lambda d: d[key] * 2.0)
    for i in range(4):
        assert float(function({key: tf.constant(float(i))})) == 2.0 * i


def test_two_named_tuples_of_one_name_are_told_apart():
    first, second = NamedTuple("P", [("a", Any), ("b", Any)]), NamedTuple("P", [("b", Any), ("a", Any)])
    odd = type("x y", (first,), {})
    function = tf.function(lambda x: (first(x, x + 1.0), second(x, x + 1.0), odd(x, x + 1.0)))
    for i in range(4):
        a, b, c = function(tf.constant(float(i)))
        assert (type(a), type(b), type(c)) == (first, second, odd)
        assert (float(a.a), float(b.b), float(c.b)) == (i, i, i + 1)


@pytest.mark.parametrize(
    "names", [("x y", "class"), ("ﬁ", "fi"), ("x", "x_0"), ("found", "way"), ("a0", "o"), ("1", "print()")]
)
def test_any_text_may_be_the_name_of_an_argument(names):
    function = tf.function(lambda **given: given[names[0]][0] + 10.0 * given[names[1]])
    for i in range(4):
        given = {names[0]: (tf.constant(float(i)), tf.constant(0.0)), names[1]: tf.constant(7.0)}
        assert float(function(**given)) == i + 70.0


@pytest.mark.parametrize("dense_shape", [None, (5, 3)])
def test_indexed_slices_are_arguments_and_results_of_generated_code(dense_shape):
    function = tf.function(lambda s: tf.IndexedSlices(s.values * 2.0, s.indices, s.dense_shape), verify=1)
    for i in range(4):
        result = function(tf.IndexedSlices(tf.fill((2, 3), float(i)), tf.constant([0, i]), dense_shape))
        assert result.values.numpy().tolist() == [[2.0 * i] * 3] * 2
        assert result.indices.numpy().tolist() == [0, i]
        assert (result.dense_shape is None) == (dense_shape is None)
    assert "def entry" in function.source()
