"""docs/names.md lists TensorFlow's public names: each is there, or refused by an error that names the nearest."""

import importlib
import re

import pytest

import fastgrad as tf
from fastgrad.core.names import REFUSED
from tools import names_table

PAGE = names_table.PAGE.read_text(encoding="utf-8")
NAMES = names_table.names_of(PAGE)


def namespace_of(name: str):
    """The module that ``tf.nn`` and the like stand for."""
    found = tf
    for part in name.split(".")[1:]:
        found = getattr(found, part)
    return found


def test_the_page_is_what_the_tool_writes():
    assert names_table.rewritten(PAGE) == PAGE, "run python tools/names_table.py"


def test_the_page_has_its_namespaces_whole():
    """The number of public names of TensorFlow 2.21."""
    counts = {namespace: sum(one == namespace for one, _ in NAMES) for namespace in dict.fromkeys(n for n, _ in NAMES)}
    assert counts == {
        "tf": 308,
        "tf.math": 132,
        "tf.nn": 90,
        "tf.linalg": 69,
        "tf.random": 29,
        "tf.distribute": 29,
        "tf.distribute.experimental": 15,
        "tf.distribute.cluster_resolver": 9,
    }
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("namespace", list(dict.fromkeys(namespace for namespace, _ in NAMES)))
def test_every_name_is_there_or_refused_with_the_nearest(namespace):
    module = namespace_of(namespace)
    for name in [name for one, name in NAMES if one == namespace]:
        if name in REFUSED[namespace]:
            with pytest.raises(AttributeError) as refusal:
                getattr(module, name)
            assert f"{namespace}.{name}" in str(refusal.value)
            assert REFUSED[namespace][name] in str(refusal.value)
        else:
            assert hasattr(module, name), f"{namespace}.{name}"


@pytest.mark.parametrize("namespace", sorted(REFUSED))
def test_what_is_refused_is_not_there_and_its_nearest_is(namespace):
    module = namespace_of(namespace)
    assert not [name for name in REFUSED[namespace] if hasattr(module, name)]
    for nearest in REFUSED[namespace].values():
        assert nearest
        for word in nearest.replace(",", " ").replace("(", " ").replace(")", " ").split():
            if word.startswith("tf."):
                getattr(namespace_of(word.rpartition(".")[0]), word.rpartition(".")[2])


def test_supported_names_are_documented_and_public():
    for namespace, name in NAMES:
        if name in REFUSED[namespace]:
            continue
        value = getattr(namespace_of(namespace), name)
        if callable(value):
            assert value.__doc__, f"{namespace}.{name} has no docstring"
        assert name in dir(namespace_of(namespace)), f"{namespace}.{name} does not show in dir()"


def test_a_slip_of_the_pen_is_answered_with_what_is_close():
    with pytest.raises(AttributeError, match=r"Did you mean: .*matmul"):
        tf.matmull
    with pytest.raises(AttributeError, match=r"fastgrad\.nn.*softmax"):
        tf.nn.sofmax
    with pytest.raises(ImportError, match="matmull"):
        importlib.import_module("fastgrad.matmull")


KERAS_PAGE = names_table.KERAS_PAGE.read_text(encoding="utf-8")
KERAS_ROWS = re.findall(r"\| `(tf[\w.]*)\.(\w+)` \| (\w+) \|", KERAS_PAGE)


def test_the_page_of_keras_is_what_the_tool_writes():
    assert names_table.rewritten(KERAS_PAGE) == KERAS_PAGE, "run python tools/names_table.py"


@pytest.mark.parametrize("namespace", dict.fromkeys(namespace for namespace, _, _ in KERAS_ROWS))
def test_names_of_keras_are_there_where_the_page_says_so(namespace):
    module = namespace_of(namespace)
    rows = {name: state == "supported" for one, name, state in KERAS_ROWS if one == namespace}
    assert {name: hasattr(module, name) for name in rows} == rows
