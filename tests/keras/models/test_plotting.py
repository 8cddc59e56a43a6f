"""Models as pictures, by Graphviz where it is installed, else as its text."""

import shutil
import sys
import types

import pytest

from fastgrad import keras
from fastgrad.keras import layers


def branches():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    inner = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, "relu", name="in"), layers.Dense(2, name="out")], name="s"
    )
    return keras.Model([a, b], layers.Add(name="sum")([inner(a), inner(b)]), name="branches")


def test_boxes_and_arrows():
    text = keras.utils.model_to_dot(branches(), show_shapes=True)
    for label in ("a (InputLayer)", "s (Sequential)\\nOutput shape: (None, 2)", "sum (Add)"):
        assert f'label="{label}' in text
    assert text.count("->") == 4
    assert text.startswith('digraph "branches"')


def test_boxes_of_a_stack_have_shapes():
    stack = keras.Sequential([keras.Input((4, 2)), layers.Flatten(name="f"), layers.Dropout(0.5, name="d")])
    text = keras.utils.model_to_dot(stack, show_shapes=True)
    assert text.count("Output shape: (None, 8)") == 2


def test_models_inside_have_their_layers():
    text = keras.utils.model_to_dot(branches(), expand_nested=True, show_layer_activations=True)
    assert 'label="s"; style=dashed' in text
    assert 'label="in (Dense)\\nActivation: relu' in text
    assert text.count("->") == 5


def test_text_needs_no_graphviz(tmp_path):
    keras.utils.plot_model(branches(), tmp_path / "model.dot")
    assert "sum" not in (tmp_path / "model.dot").read_text()  # names are left out unless asked for
    assert "Add" in (tmp_path / "model.dot").read_text()


def test_pictures_are_graphvizs(tmp_path, monkeypatch):
    path = tmp_path / "model.svg"
    if shutil.which("dot"):
        keras.utils.plot_model(branches(), path, show_layer_names=True)
        assert "<svg" in path.read_text()
        path.unlink()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ImportError, match=r"install graphviz.*model\.dot"):
        keras.utils.plot_model(branches(), path)
    assert not path.exists()


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_notebooks_show_the_picture(tmp_path, monkeypatch):
    shown = types.SimpleNamespace(SVG=lambda data: ("SVG", data), Image=lambda data: ("Image", data))
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(display=shown))
    assert keras.utils.plot_model(branches(), tmp_path / "model.svg") is None
    monkeypatch.setitem(sys.modules, "ipykernel", types.SimpleNamespace())
    for ending, kind in (("svg", "SVG"), ("png", "Image")):
        path = tmp_path / f"model.{ending}"
        assert keras.utils.plot_model(branches(), path) == (kind, path.read_bytes())


def test_what_can_not_be_drawn(tmp_path):
    with pytest.raises(ValueError, match="not yet been built"):
        keras.utils.model_to_dot(keras.Sequential([layers.Dense(2)]))
    with pytest.raises(ValueError, match="needs an ending"):
        keras.utils.plot_model(branches(), tmp_path / "model")


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
@pytest.mark.parametrize("ending", [".svg", ".png", ".pdf"])
def test_names_may_have_any_letters(tmp_path, ending):
    """Keras's own text can't be drawn with such names."""
    name = 'o"u\\n|{t}<b>'
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3, name=name)], name=name + "inner")
    x = keras.Input((4,))
    model = keras.Model(x, inner(x), name=name)
    path = tmp_path / f"model{ending}"
    keras.utils.plot_model(model, path, show_shapes=True, show_layer_names=True, expand_nested=True, rankdir="LR")
    if ending == ".svg":
        assert "o&quot;u\\n|{t}&lt;b&gt; (Dense)" in path.read_text()
    assert path.stat().st_size > 500
