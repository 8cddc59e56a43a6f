"""``Sequential``."""

import warnings

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras

layers = keras.layers


class Halving(layers.Layer):
    """A layer without a rule for its output's shape."""

    def call(self, inputs):
        return inputs[:, ::2]


class TestBuilding:
    @pytest.mark.parametrize(
        "first",
        [
            lambda: [keras.Input((3,)), layers.Dense(2)],
            lambda: [layers.InputLayer(shape=(3,)), layers.Dense(2)],
            lambda: [layers.Dense(2, input_shape=(3,))],
            lambda: [layers.Dense(2, input_dim=3)],
        ],
        ids=["Input", "InputLayer", "input_shape", "input_dim"],
    )
    def test_at_once_where_the_shape_is_known_without_a_warning(self, first):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = keras.Sequential([*first(), layers.Dense(1)])
        assert model.built
        assert [tuple(w.shape) for w in model.weights] == [(3, 2), (2,), (2, 1), (1,)]
        assert (model.input_shape, model.output_shape) == ((None, 3), (None, 1))
        assert len(model.layers) == 2
        assert model.weights[0].path == f"{model.name}/{model.layers[0].name}/kernel"

    def test_by_build(self):
        model = keras.Sequential([layers.Dense(2)])
        model.build((None, 3))
        assert model.built
        with pytest.raises(ValueError, match="already configured"):
            model.build((None, 4))

    def test_without_layers(self):
        with pytest.raises(ValueError, match="no layers"):
            keras.Sequential().build((None, 3))
        with pytest.raises(ValueError, match="no layers"):
            keras.Sequential()(tf.ones((1, 1)))

    def test_layers_without_a_rule_are_run_on_zeros(self):
        model = keras.Sequential([keras.Input((4,)), Halving(), layers.Dense(1)])
        assert [tuple(w.shape) for w in model.weights] == [(2, 1), (1,)]
        assert model.output_shape == (None, 1)

    def test_building_is_not_seen_by_tapes(self):
        with tf.GradientTape() as tape:
            keras.Sequential([keras.Input((4,)), Halving(), layers.Dense(1)])
        assert tape.watched_variables() == ()


class TestGrowing:
    def test_add_builds_what_it_can(self):
        model = keras.Sequential()
        model.add(keras.Input((3,)))
        assert not model.built
        model.add(layers.Dense(2))
        kernel = model.layers[0].kernel
        model.add(layers.Dense(1))
        assert model.layers[0].kernel is kernel
        assert len(model.weights) == 4

    def test_add_after_a_call(self):
        model = keras.Sequential([layers.Dense(2)])
        model(tf.ones((1, 3)))
        model.add(layers.Dense(5))
        assert model(tf.ones((1, 3))).shape == (1, 5)
        assert model.output_shape == (1, 5)

    def test_pop(self):
        model = keras.Sequential([keras.Input((3,)), layers.Dense(2), layers.Dense(1)])
        top = model.pop()
        assert top.units == 1
        assert model(tf.ones((1, 3))).shape == (1, 2)
        assert len(model.weights) == 2
        model.add(layers.Dense(7))
        assert model.output_shape == (None, 7)
        with pytest.raises(IndexError):
            keras.Sequential().pop()

    def test_one_input(self):
        with pytest.raises(ValueError, match="different Input layer"):
            keras.Sequential([keras.Input((3,)), keras.Input((4,))])

    def test_layers_cannot_be_set(self):
        with pytest.raises(AttributeError, match="add"):
            keras.Sequential().layers = []

    def test_a_layer_may_come_twice(self):
        shared = layers.Dense(2, kernel_initializer="ones")
        model = keras.Sequential([shared, shared])
        np.testing.assert_array_equal(model(tf.ones((1, 2))), [[4.0, 4.0]])
        assert len(model.weights) == 2

    def test_models_nest(self):
        inner = keras.Sequential([layers.Dense(2)], name="inner")
        outer = keras.Sequential([inner, layers.Dense(1)], name="outer")
        outer(tf.ones((1, 3)))
        assert outer.weights[0].path.split("/")[:2] == ["outer", "inner"]
        assert len(outer.trainable_variables) == 4


class TestCalling:
    def test_a_missing_or_extra_last_dimension_of_one_is_forgiven(self):
        model = keras.Sequential([keras.Input((1,)), layers.Dense(1, kernel_initializer="ones")])
        np.testing.assert_array_equal(model(np.array([1.0, 2.0])), [[1.0], [2.0]])
        model = keras.Sequential([keras.Input((2,)), layers.Dense(1, kernel_initializer="ones")])
        np.testing.assert_array_equal(model(np.ones((3, 2, 1))), [[2.0]] * 3)
        with pytest.raises(ValueError, match=r"Expected shape \(None, 2\)"):
            model(np.ones((3, 2, 5)))

    def test_shapes_before_they_are_known(self):
        with pytest.raises(AttributeError, match="input shape"):
            _ = keras.Sequential([layers.Dense(1)]).input_shape
        with pytest.raises(AttributeError, match="output shape"):
            _ = keras.Sequential([layers.Dense(1)]).output_shape


def test_config_makes_it_again():
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, "relu"), layers.Dropout(0.5), layers.Dense(1)], name="m"
    )
    config = model.get_config()
    assert config["build_input_shape"] == (None, 4)
    assert [layer["class_name"] for layer in config["layers"]] == ["InputLayer", "Dense", "Dropout", "Dense"]
    twin = keras.Sequential.from_config(config)
    assert twin.built
    assert (twin.name, [w.shape for w in twin.weights]) == ("m", [w.shape for w in model.weights])
    unbuilt = keras.Sequential.from_config(keras.Sequential([layers.Dense(1)]).get_config())
    assert not unbuilt.built
    with pytest.raises(ValueError, match="'layers'"):
        keras.Sequential.from_config({"name": "x"})


class TestGraph:
    """A Sequential whose input is known has KerasTensors, as a functional model has."""

    def make(self):
        return keras.Sequential(
            [keras.Input((8, 8, 1), name="x"), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(3)]
        )

    def test_parts_of_it_are_models(self):
        model, x = self.make(), np.ones((1, 8, 8, 1), np.float32)
        assert [tensor.shape for tensor in (*model.inputs, *model.outputs)] == [(None, 8, 8, 1), (None, 3)]
        assert model.inputs[0].name == "x"
        assert model.outputs[0] is model.layers[-1].output
        parts = keras.Model(model.inputs, [layer.output for layer in model.layers])(x)
        assert [tuple(part.shape) for part in parts] == [(1, 6, 6, 2), (1, 72), (1, 3)]
        np.testing.assert_allclose(parts[-1], model(x), rtol=1e-6)
        head = keras.Model(model.layers[0].output, model.outputs)
        assert len(head.weights) == 2
        np.testing.assert_allclose(head(parts[0]), model(x), rtol=1e-6)

    def test_it_follows_what_is_added_and_removed(self):
        model = self.make()
        model.add(layers.Dense(5))
        assert model.outputs[0].shape == (None, 5)
        assert keras.Model(model.inputs, model.outputs)(np.ones((1, 8, 8, 1))).shape == (1, 5)
        model.pop()
        assert model.outputs[0].shape == (None, 3)
        while model.layers:
            model.pop()
        assert not model.built
        with pytest.raises(AttributeError, match="no defined outputs"):
            _ = model.outputs

    @pytest.mark.parametrize("how", ["call", "build", "fit"])
    def test_once_it_is_built(self, how):
        model = keras.Sequential([layers.Dense(3), layers.Dense(1)])
        for name in ("inputs", "outputs"):
            with pytest.raises(AttributeError, match=f"no defined {name}"):
                getattr(model, name)
        if how == "call":
            model(np.ones((2, 4), np.float32))
        elif how == "build":
            model.build((None, 4))
        else:
            model.compile("sgd", "mse")
            model.fit(np.ones((2, 4)), np.ones((2, 1)), verbose=0)
        assert model.layers[0].output.shape[1:] == (3,)
        assert keras.Model(model.inputs, model.layers[0].output)(np.ones((5, 4))).shape == (5, 3)

    def test_layers_that_pick_words(self):
        model = keras.Sequential(
            [
                keras.Input((None,), dtype="int32"),
                layers.Embedding(5, 3, mask_zero=True),
                layers.LSTM(4),
                layers.Dense(2),
            ]
        )
        assert [layer.output.shape for layer in model.layers] == [(None, None, 3), (None, 4), (None, 2)]
        assert model.inputs[0].dtype == "int32"

    def test_a_known_model_at_the_bottom_builds_it(self):
        inner = keras.Sequential([keras.Input((2,)), layers.Dense(3)])
        for bottom in (inner, keras.Model(inner.inputs, inner.outputs[0])):
            grown = keras.Sequential()
            grown.add(bottom)
            grown.add(layers.Dense(2))
            for model in (keras.Sequential([bottom, layers.Dense(2)]), grown):
                assert model.built
                assert (len(model.weights), model.input_shape, model.output_shape) == (4, (None, 2), (None, 2))

    def test_the_first_call_of_a_layer_gives_its_output(self):
        layer = layers.Dense(3)
        first = layer(keras.Input((2,)))
        layer(keras.Input((2,)))
        assert layer.output is first


def test_layers_set_as_attributes_are_not_in_the_stack(tmp_path):
    class Extended(keras.Sequential):
        def __init__(self):
            super().__init__([keras.Input((2,)), layers.Dense(3)])
            self.extra = layers.Dense(7)
            self.parts = [layers.Dense(5)]

    model = Extended()
    assert model(np.ones((4, 2), np.float32)).shape == (4, 3)
    assert (len(model.layers), model.output_shape) == (1, (None, 3))
    model.extra(np.ones((1, 2), np.float32))
    assert len(model.weights) == 4
    model.save_weights(tmp_path / "model.safetensors")
    twin = Extended()
    twin.extra(np.ones((1, 2), np.float32))
    twin.load_weights(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(twin.extra.kernel, model.extra.kernel)


def test_an_input_stands_first():
    with pytest.raises(ValueError, match="the Input must be first, not behind 'last'"):
        keras.Sequential([layers.Dense(2, name="last"), keras.Input((2,))])


def test_a_layer_stands_twice():
    layer = layers.Dense(2)
    model = keras.Sequential([layer, layer])
    x = np.ones((1, 2), np.float32)
    np.testing.assert_allclose(model(x), layer(layer(x)), rtol=1e-6)
    assert len(model.layers) == 2
    assert model.count_params() == 6


class TestDtypes:
    """Inputs have the dtype of the ``Input``, without one that of the first layer. Expected values are Keras's."""

    @pytest.mark.parametrize(
        ("bottom", "dtype"),
        [([], "float32"), ([layers.Input((2,))], "float32"), ([layers.Input((2,), dtype="int64")], "int64")],
    )
    def test_numbers_are_cast(self, bottom, dtype):
        model = keras.Sequential([*bottom, layers.Lambda(lambda x: x * 2)])
        for _ in range(2):  # the first call builds the model
            result = model(np.array([[200, 3]], "uint8"))
            assert (result.dtype, result.numpy().tolist()) == (dtype, [[400, 6]])
        assert model.predict(np.array([[200, 3]], "uint8"), verbose=0).tolist() == [[400, 6]]

    def test_ids_stay_exact(self):
        keras.mixed_precision.set_global_policy("mixed_float16")
        try:
            model = keras.Sequential([layers.Embedding(2052, 1)])
            model.build((None, 1))
            model.set_weights([np.arange(2052.0).reshape(-1, 1) % 7])
            assert model(np.array([[2051]])).numpy().tolist() == [[[2051 % 7]]]
        finally:
            keras.mixed_precision.set_global_policy("float32")

    def test_a_cast_keeps_the_mask(self):
        inputs = tf.constant([[1, 0]])
        inputs._keras_mask = tf.constant([[True, False]])
        masked = keras.Sequential([layers.Activation("linear")])(inputs)
        assert masked._keras_mask.numpy().tolist() == [[True, False]]


def test_a_subclass_has_its_own_add_and_build_called():
    class Stack(keras.Sequential):
        def __init__(self, *args):
            self.added = []
            super().__init__(*args)

        def add(self, layer, rebuild=True):
            self.added.append(layer.name)
            super().add(layer, rebuild)

        def build(self, input_shape=None):
            super().build(input_shape)
            self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="scale")

        def call(self, inputs, training=None, mask=None):
            return super().call(inputs * (self.scale + 1.0), training=training, mask=mask)

    for first in ([], [keras.Input((3,), name="given")]):
        model = Stack([*first, keras.layers.Dense(1, kernel_initializer="ones", name="top")])
        assert model.added == [*(["given"] if first else []), "top"]
        np.testing.assert_array_equal(model(np.ones((2, 3))), [[6.0], [6.0]])
        assert sorted(weight.name for weight in model.weights) == ["bias", "kernel", "scale"]
