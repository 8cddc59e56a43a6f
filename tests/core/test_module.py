"""``tf.Module``."""

import copy

import numpy as np
import pytest

import fastgrad as tf


class Leaf(tf.Module):
    def __init__(self, name=None):
        super().__init__(name=name)
        self.z = tf.Variable(1.0, name="z")
        self.a = tf.Variable(2.0, name="a", trainable=False)
        self.d = {"k": tf.Variable(3.0, name="dk"), "b": [tf.Variable(4.0, name="db0")]}


class Tree(tf.Module):
    def __init__(self):
        super().__init__()
        self.m2 = Leaf()
        self.own = tf.Variable(0.0, name="own")
        self.m1 = Leaf("named")
        self.items = [Leaf()]


def test_submodules_those_directly_inside_first():
    outer = tf.Module()
    outer.x = Tree()
    assert [type(m).__name__ for m in outer.submodules] == ["Tree", "Leaf", "Leaf", "Leaf"]
    assert [m.name for m in outer.x.submodules] == ["leaf", "named", "leaf"]
    assert outer.submodules[0] is outer.x


def test_shared_and_circular_things_count_once():
    tree = Tree()
    tree.again = tree.m1
    tree.m1.parent = tree
    tree.alias = tree.own
    assert len(tree.variables) == 13
    assert [v.name for v in tree.non_trainable_variables] == ["a:0"] * 3
    assert len(tree.submodules) == 3


def test_names():
    assert (Leaf().name, Leaf("x").name, Tree().name) == ("leaf", "x", "tree")
    assert type("MyHTTPModule", (tf.Module,), {})().name == "my_http_module"
    for bad in ("a b", "1a", ""):
        with pytest.raises(ValueError, match="not a valid module name"):
            Leaf(bad)


def test_name_scopes():
    class Scoped(tf.Module):
        @tf.Module.with_name_scope
        def __call__(self):
            return tf.Variable(1.0, name="w")

    assert Scoped(name="outer")().name == "outer/w:0"
    with Scoped().name_scope as scope:
        assert scope == "scoped/"


def test_layers_inside():
    class Mixed(tf.Module):
        def __init__(self):
            super().__init__()
            self.dense = tf.keras.layers.Dense(2)
            self.model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
            self.metric = tf.keras.metrics.Mean()

        def __call__(self, x):
            return self.model(self.dense(x))

    mixed = Mixed()
    mixed(np.ones((1, 3)))
    assert [v.name for v in mixed.trainable_variables] == ["kernel", "bias", "kernel", "bias"]
    assert len(mixed.variables) == 6


def test_training_and_copying():
    leaf = Leaf()
    twin = copy.deepcopy(leaf)
    with tf.GradientTape() as tape:
        loss = leaf.z * leaf.d["k"]
    for variable, gradient in zip(leaf.trainable_variables, tape.gradient(loss, leaf.trainable_variables), strict=True):
        if gradient is not None:
            variable.assign_sub(gradient)
    assert (float(leaf.z), float(leaf.d["k"])) == (-2.0, 2.0)
    assert (float(twin.z), float(twin.d["k"])) == (1.0, 3.0)


def test_the_scope_of_a_module_is_a_whole_path_from_where_it_was_made():
    with tf.name_scope("outer"):
        module = tf.Module(name="inner")
    assert module.name_scope.name == "outer/inner/"
    with tf.name_scope("elsewhere"), module.name_scope:
        assert tf.Variable(1.0, name="v").name == "outer/inner/v:0"


def test_a_subclass_may_refuse_variables_and_give_trainable_variables():
    class Guarded(tf.Module):
        def __init__(self):
            super().__init__()
            self.w = tf.Variable(1.0)

        @property
        def variables(self):
            raise ValueError("no variables yet")

    module = Guarded()
    assert module.trainable_variables == (module.w,)
    assert module.non_trainable_variables == ()
