"""Arguments of compiled functions: which values tell calls apart, and which are refused."""

import array
import collections
import dataclasses
import types

import pytest

import fastgrad as tf


@dataclasses.dataclass
class Config:
    sizes: list


@dataclasses.dataclass(frozen=True)
class FrozenConfig:
    sizes: list


MUTABLE = {
    "set": {1, 2},
    "bytearray": bytearray(b"ab"),
    "deque": collections.deque([1]),
    "memoryview": memoryview(bytearray(b"ab")),
    "array.array": array.array("i", [1]),
    "UserList": collections.UserList([1]),
    "keys of a dict": {1: 2}.keys(),
    "namespace": types.SimpleNamespace(sizes=[1]),
    "dataclass": Config([1]),
    "frozen dataclass of a list": FrozenConfig([1]),
}


@pytest.mark.parametrize("value", MUTABLE.values(), ids=MUTABLE)
@pytest.mark.parametrize("nested", [lambda x: x, lambda x: [x], lambda x: {"a": (1, x)}])
def test_an_argument_without_a_hash_is_refused(value, nested):
    runs = []
    function = tf.function(lambda x, s: runs.append(1) or x)
    for _ in range(2):
        with pytest.raises(
            TypeError, match=r"Could not generate a generic TraceType for the argument .s.*Pass a list"
        ) as refusal:
            function(tf.constant(1.0), nested(value))
        assert refusal.type is TypeError
    assert not runs


@pytest.mark.parametrize("value", [frozenset({1}), (1, (2,)), memoryview(b"ab"), object(), b"ab"])
def test_an_immutable_argument_is_recorded_once(value):
    runs = []
    function = tf.function(lambda x, s: runs.append(1) or x)
    for _ in range(4):
        function(tf.constant(1.0), value)
    assert len(runs) == 1


def test_a_list_and_a_dict_that_change_are_recorded_again():
    sizes, rates = [1.0], {"a": 2.0}
    function = tf.function(lambda x, s, r: x * sum(s) * sum(r.values()))
    assert [float(function(tf.constant(1.0), sizes, rates)) for _ in range(3)] == [2.0] * 3
    sizes.append(4.0)
    assert float(function(tf.constant(1.0), sizes, rates)) == 10.0
    rates["b"] = 1.0
    assert float(function(tf.constant(1.0), sizes, rates)) == 15.0


def _assign_item(structure, x):
    structure[0] = x


CHANGES = {
    "append": (list, lambda s, x: s.append(x), r"items of s\."),
    "append a number": (list, lambda s, x: s.append(1), r"items of s\."),
    "pop": (lambda: [tf.constant(1.0)], lambda s, x: s.pop(), r"items of s\."),
    "item": (lambda: [tf.constant(1.0)], _assign_item, r"items of s\."),
    "swap": (lambda: [1, 2], lambda s, x: s.reverse(), r"items of s\."),
    "extend in place": (lambda: [1], lambda s, x: s.__iadd__([x]), r"items of s\."),
    "dict item": (dict, lambda s, x: s.update(a=x), r"items of s\."),
    "dict pop": (lambda: {"a": 1}, lambda s, x: s.pop("a"), r"items of s\."),
    "default of a dict": (lambda: collections.defaultdict(list), lambda s, x: s["a"].append(x), r"items of s\."),
    "nested": (lambda: {"a": ({"b": []},)}, lambda s, x: s["a"][0]["b"].append(x), r"items of s\['a'\]\[0\]\['b'\]\."),
    "dict in a list": (lambda: [{}], lambda s, x: s[0].update(a=x), r"items of s\[0\]\."),
}


@pytest.mark.parametrize(("make", "change", "text"), CHANGES.values(), ids=CHANGES)
def test_a_change_of_a_list_or_dict_among_the_arguments_is_refused(make, change, text):
    counter = tf.Variable(0.0)

    @tf.function
    def function(x, s):
        counter.assign_add(1.0)
        change(s, x)
        return x

    structure = make()
    for passed in ((structure,), {"s": structure}) * 2:
        with pytest.raises(ValueError, match=r"function\(\) should not modify its Python input arguments.*" + text):
            function(tf.constant(1.0), **passed) if isinstance(passed, dict) else function(tf.constant(1.0), *passed)
    with pytest.raises(ValueError, match="should not modify"):
        tf.function(lambda x: function(x, structure))(tf.constant(1.0))
    assert tf.nest.flatten(structure) == tf.nest.flatten(make())
    assert float(counter) == 0.0


def test_a_function_may_change_copies_and_keyword_arguments():
    @tf.function
    def function(x, s, **options):
        s = list(s)
        s.append(x)
        options["scale"] = options.pop("factor")
        return tf.add_n(s) * options["scale"]

    one = tf.constant(1.0)
    for factor in (2.0, 3.0, 4.0):
        values = [one]
        assert float(function(one, values, factor=factor)) == 2 * factor
        assert values == [one]


def test_a_function_of_elements_may_change_their_dict():
    def split(features):
        label = features.pop("y")
        return features, label

    dataset = tf.data.Dataset.from_tensor_slices({"x": [1.0, 2.0, 3.0], "y": [4, 5, 6]}).map(split)
    assert [(float(x["x"]), int(y)) for x, y in dataset] == [(1.0, 4), (2.0, 5), (3.0, 6)]


def test_a_closure_is_an_argument():
    def make(rate):
        m = tf.Variable(rate)
        return lambda x: x * m

    twice, thrice = make(2.0), make(3.0)
    function = tf.function(lambda s, x: s(x))
    for i in range(4):
        assert float(function(twice, tf.constant(float(i)))) == 2.0 * i
        assert float(function(thrice, tf.constant(float(i)))) == 3.0 * i


def test_a_closure_is_a_default_argument_or_stands_within_one():
    def make(rate):
        m = tf.Variable(rate)
        return lambda x: x * m

    def default(x, s=make(2.0)):  # noqa: B008
        return s(x)

    within = tf.function(lambda parts, x: parts["a"](x) + parts["b"][0](x))
    parts, function = {"a": make(2.0), "b": [make(5.0)]}, tf.function(default)
    for i in range(4):
        assert float(function(tf.constant(float(i)))) == 2.0 * i
        assert float(within(parts, tf.constant(float(i)))) == 7.0 * i


def test_floats_that_python_compares_are_no_arguments_of_replays():
    x, y = tf.constant(3.0), tf.constant(100.0)

    @tf.function
    def first(k, x, y):
        return x * 0.5 if k > 1.0 else x

    @tf.function
    def between(x, k, y, rate):
        return (y - x * k) * rate if k > 1.0 else y * rate, k, y

    for k in (1.0, 2.0, 2.0, 2.0, 3.0, 3.0, 3.0, 1.0, 2.0):
        assert float(first(k, x, y)) == (1.5 if k > 1.0 else 3.0)
        for rate in (1.0, 0.5, 0.5, 0.25):
            value = (100.0 - 3.0 * k if k > 1.0 else 100.0) * rate
            assert list(map(float, between(x, k, y, rate))) == [value, k, 100.0]
            with tf.GradientTape() as tape:
                tape.watch(y)
                total = between(x, k, y, rate)[0] + first(k, y, x)
            assert float(tape.gradient(total, y)) == rate + (0.5 if k > 1.0 else 1.0)
