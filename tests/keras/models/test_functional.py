"""Functional models: what tests/conformance/programs/functional.py does not ask of TensorFlow."""

import json

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from fastgrad.keras import layers

X = np.sin(np.arange(8 * 4) * 0.7).reshape(8, 4).astype(np.float32)


def make_model():
    x = keras.Input((4,), name="x")
    h = layers.Dense(5, activation="tanh", name="h")(x)
    h = layers.Dropout(0.5, seed=1, name="drop")(h)
    return keras.Model(x, [layers.Dense(2, name="a")(h), (2.0 * h[:, :3] - 1.0) / 2.0], name="model")


def test_it_is_saved_with_its_calls(tmp_path):
    model = make_model()
    model.save(tmp_path / "model.safetensors")
    again = keras.models.load_model(tmp_path / "model.safetensors")
    for found, wanted in zip(again(X), model(X), strict=True):
        np.testing.assert_array_equal(found, wanted)
    text = json.loads(model.to_json())
    assert [layer["name"] for layer in text["config"]["layers"]][:3] == ["x", "h", "drop"]
    assert keras.models.model_from_json(model.to_json()).output_shape == [(None, 2), (None, 3)]


def test_layers_learn_whether_it_is_training():
    model = make_model()
    quiet = [model(X, training=False)[1].numpy() for _ in range(2)]
    np.testing.assert_array_equal(*quiet)
    assert not np.array_equal(model(X, training=True)[1], quiet[0])


def test_masks_go_along():
    x = keras.Input((3,), dtype="int32")
    h = layers.Embedding(5, 4, mask_zero=True)(x)
    model = keras.Model(x, layers.LSTM(2)(layers.Dense(3)(h)))
    embedding = model.layers[1]
    before = model(np.array([[1, 2, 0], [1, 2, 3]], np.int32)).numpy()
    rows = embedding.get_weights()[0]
    rows[[0, 3]] += 1.0
    embedding.set_weights([rows])
    after = model(np.array([[1, 2, 0], [1, 2, 3]], np.int32)).numpy()
    np.testing.assert_array_equal(after[0], before[0])
    assert not np.array_equal(after[1], before[1])


def test_a_subclass_may_be_one():
    class Scaled(keras.Model):
        def __init__(self, units):
            x = keras.Input((4,))
            super().__init__(inputs=x, outputs=layers.Dense(units)(x), name="scaled")

        def train_step(self, data):
            return {**super().train_step(data), "seen": 1.0}

    model = Scaled(2)
    assert model.output_shape == (None, 2)
    model.compile("sgd", "mse")
    history = model.fit(X, np.zeros((8, 2), np.float32), verbose=0)
    assert history.history["seen"] == [1.0]


def test_a_compiled_call_gives_the_same():
    model = make_model()
    compiled = tf.function(model)
    for _ in range(3):
        for found, wanted in zip(compiled(tf.constant(X)), model(X), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_freezing_a_part():
    model = make_model()
    model.get_layer("h").trainable = False
    assert [w.path for w in model.trainable_weights] == ["a/kernel", "a/bias"]
    assert len(model.non_trainable_weights) == 2


def frozen_base():
    base = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.BatchNormalization()])
    base.trainable = False
    return base


def with_head(base):
    x = keras.Input((4,))
    return keras.Model(x, layers.Dense(1)(base(x)))


class WithFrozenLayer(keras.Model):
    def __init__(self, **options):
        x = keras.Input((4,))
        super().__init__(x, layers.Dense(1)(layers.Dense(3, trainable=False)(x)), **options)


class TestFrozenLayers:
    """Of a model only the head is trained: 2 of its weights."""

    MAKERS = (
        lambda: with_head(frozen_base()),
        lambda: with_head(layers.Dense(3, trainable=False)),
        lambda: with_head(with_head(layers.Dense(3, trainable=False))),  # the inner model's head is trained, too
        WithFrozenLayer,
        lambda: keras.Sequential([keras.Input((4,)), frozen_base(), layers.Dense(1)]),
    )

    def trained(self, model):
        return len(model.trainable_variables), [layer.trainable for layer in model._flatten_layers()[1:]]

    @pytest.mark.parametrize("make", MAKERS)
    def test_they_stay_so_when_a_model_is_made_of_them(self, make):
        model = make()
        assert model.trainable
        assert len(model.trainable_variables) == (4 if make is self.MAKERS[2] else 2)
        assert self.trained(keras.Model(model.inputs, model.outputs))[0] == len(model.trainable_variables)

    @pytest.mark.parametrize("make", MAKERS)
    @pytest.mark.parametrize("way", ["clone", "config", ".keras", ".safetensors", ".h5", "json"])
    def test_they_stay_so(self, make, way, tmp_path):
        model = make()
        if way == "clone":
            again = keras.models.clone_model(model)
        elif way == "config" and not isinstance(model, WithFrozenLayer):
            again = type(model).from_config(model.get_config())
        elif way == "json" or isinstance(model, WithFrozenLayer):
            again = keras.models.clone_model(model)
        else:
            model.save(tmp_path / f"model{way}")
            again = keras.models.load_model(tmp_path / f"model{way}")
        assert self.trained(again) == self.trained(model)

    @pytest.mark.parametrize("trainable", [None, True, False])
    def test_the_models_own_setting_is_its_own(self, trainable):
        layer = layers.Dense(3, trainable=False)
        x = keras.Input((4,))
        model = keras.Model(x, layers.Dense(1)(layer(x)), trainable=trainable)
        assert (layer.trainable, model.layers[-1].trainable) == (False, True)
        assert len(model.trainable_variables) == (0 if trainable is False else 2)
        assert len(WithFrozenLayer(trainable=trainable).trainable_variables) == (0 if trainable is False else 2)

    def test_a_frozen_weight_stays_frozen(self):
        layer = layers.Dense(3)
        layer.build((None, 4))
        layer.kernel.trainable = False
        assert len(with_head(layer).trainable_variables) == 3
        assert not layer.kernel.trainable

    @pytest.mark.parametrize("wrap", [layers.Bidirectional, lambda layer: layer])
    def test_recurrent_layers_stay_so_in_configurations(self, wrap):
        layer = wrap(layers.LSTM(2, trainable=False))
        twin = keras.layers.deserialize(keras.layers.serialize(layer))
        for one in (layer, twin):
            one(np.ones((1, 2, 3), np.float32))
            assert one.trainable_variables == []

    def test_frozen_weights_and_moving_means_do_not_move(self):
        base = frozen_base()
        before = [weight.numpy() for weight in base.weights]
        model = with_head(base)
        model.compile("adam", "mse")
        model.fit(X, np.ones((8, 1)), epochs=2, verbose=0)
        for weight, value in zip(base.weights, before, strict=True):
            np.testing.assert_array_equal(weight, value)

    def test_a_frozen_discriminator_is_not_trained_by_its_generator(self):
        discriminator = keras.Sequential([keras.Input((2,)), layers.Dense(4), layers.Dense(1, activation="sigmoid")])
        discriminator.compile("adam", "binary_crossentropy")
        discriminator.trainable = False
        generator = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
        noise = keras.Input((4,))
        both = keras.Model(noise, discriminator(generator(noise)))
        both.compile("adam", "binary_crossentropy")
        before = [weight.numpy() for weight in discriminator.weights]
        both.train_on_batch(X, np.ones((8, 1)))
        assert len(both.trainable_variables) == 2
        for weight, value in zip(discriminator.weights, before, strict=True):
            np.testing.assert_array_equal(weight, value)


class TestBeginningAtAResult:
    """A model may begin at the result of a layer: that layer is not in it."""

    def test_it_has_the_layers_that_follow(self):
        x = keras.Input((4,))
        hidden = layers.Dense(3)(x)
        model = keras.Model(hidden, layers.Dense(2)(hidden))
        assert [type(layer).__name__ for layer in model.layers] == ["InputLayer", "Dense"]
        assert len(model.weights) == 2
        assert model.input_shape == (None, 3)
        assert keras.Model.from_config(model.get_config())(X[:, :3]).shape == (8, 2)

    def test_its_values_are_those_of_the_whole(self):
        x = keras.Input((4,))
        other = keras.Input((3,))
        hidden = layers.Dense(3)(x)
        whole = keras.Model([x, other], layers.Dense(2)(layers.Add()([layers.Activation("tanh")(hidden), other])))
        head = keras.Model([hidden, other], whole.output)
        before = keras.Model(x, hidden)
        np.testing.assert_allclose(head([before(X), X[:, 1:]]), whole([X, X[:, 1:]]), rtol=1e-6)


class TestStructureOfOutputs:
    @pytest.mark.parametrize(
        ("wrap", "unwrap"),
        [(lambda t: [t], lambda r: r), (lambda t: (t,), lambda r: r), (lambda t: {"a": t}, lambda r: r["a"])],
    )
    def test_an_only_item_of_a_list_is_the_output_itself(self, wrap, unwrap):
        x = keras.Input((4,))
        model = keras.Model([x], wrap(layers.Dense(3)(x)))
        assert unwrap(model(X)).shape == (8, 3)
        assert unwrap(model.predict(X, verbose=0)).shape == (8, 3)
        assert unwrap(model.predict_on_batch(X)).shape == (8, 3)
        assert (model.input_shape, model.output_shape) == ((None, 4), (None, 3))

    def test_of_keras_tensors_the_list_is_kept(self):
        x = keras.Input((4,))
        model = keras.Model(x, [layers.Dense(3)(x)])
        (result,) = model(keras.Input((4,)))
        assert result.shape == (None, 3)
        (result,) = model(keras.Input((4,), dtype="int32"))
        assert result.shape == (None, 3)

    def test_shapes_of_several_are_a_list(self):
        x = keras.Input((4,), name="x")
        model = keras.Model({"x": x}, {"b": layers.Dense(3)(x), "a": layers.Dense(1)(x)})
        assert model.output_shape == [(None, 1), (None, 3)]
        assert model.compute_output_shape({"x": (None, 4)}) == {"b": (None, 3), "a": (None, 1)}


class TestStateSetAfterTheConstructor:
    """A functional model may own more than its graph has."""

    class Extended(keras.Model):
        def __init__(self, *args):
            if not args:
                x = keras.Input((4,))
                args = x, layers.Dense(1)(x)
            super().__init__(*args)
            self.extra = layers.Dense(2)
            self.parts = [layers.Dense(1)]
            self.total = keras.metrics.Mean(name="total")
            self.factor = self.add_weight(shape=(), initializer="ones", name="factor")

        def train_step(self, data):
            self.total.update_state(3.0)
            return super().train_step(data)

    @pytest.mark.parametrize("arguments", [0, 2])
    def test_by_a_subclass(self, arguments):
        x = keras.Input((4,))
        model = self.Extended(*(x, layers.Dense(1)(x))[:arguments])
        assert len(model.layers) == 2
        assert len(model.weights) == 3
        model.extra(X)
        assert len(model.trainable_variables) == 5
        model.compile("sgd", "mse")
        with pytest.warns(UserWarning, match="Gradients do not exist"):
            history = model.fit(X, np.ones((8, 1)), verbose=0).history
        assert sorted(history) == ["loss", "total"]

    def test_from_outside(self):
        model = make_model()
        model.teacher = layers.Dense(2)
        model.parts = []
        model.parts.append(layers.Dense(3))
        model.parts[0](X)
        assert len(model.weights) == 6

    def test_other_layers_stay_locked(self):
        layer = layers.Dense(2)
        layer(X)
        with pytest.raises(ValueError, match="already built"):
            layer.extra = layers.Dense(2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: keras.Model(keras.Input((1,)), keras.Input((1,))), "not among the model's inputs"),
        (lambda: keras.Model(keras.Input((1,)), np.ones(3)), "must be KerasTensors"),
        (lambda: keras.Model("x", keras.Input((1,))), "must be KerasTensors"),
        (lambda: make_model()(np.ones((2, 5), np.float32)), "Expected shape"),
        (lambda: make_model()([X, X]), "expected 1 input"),
        (lambda: layers.Dense(2).output, "never been called"),
        (lambda: bool(keras.Input((1,))), "boolean"),
        (lambda: list(keras.Input((1,))), "Iterating"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises((ValueError, TypeError, AttributeError), match=message):
        make()
