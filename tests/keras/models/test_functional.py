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


class AddIfGiven(layers.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.dense = layers.Dense(2, kernel_initializer="ones", use_bias=False)

    def call(self, x, other=None):
        return self.dense(x if other is None else x + other)


class TestOptionalInputs:
    ONES = np.ones((2, 2), np.float32)

    def model(self):
        x, other = keras.Input((2,), name="x"), keras.Input((2,), name="other", optional=True)
        model = keras.Model({"x": x, "other": other}, AddIfGiven()(x, other))
        model.compile("sgd", "mse")
        return model

    @pytest.mark.parametrize(("other", "expected"), [(None, 2.0), (ONES, 4.0)], ids=["none", "given"])
    def test_layers_get_none_where_none_is_passed(self, other, expected):
        model, data = self.model(), {"x": self.ONES, "other": other}
        np.testing.assert_array_equal(model(data), expected * self.ONES)
        np.testing.assert_array_equal(model.predict(data, verbose=0), expected * self.ONES)
        assert model.evaluate(data, self.ONES, verbose=0) == (expected - 1.0) ** 2
        assert model.fit(data, self.ONES, verbose=0).history["loss"] == [(expected - 1.0) ** 2]
        model.fit(((data, self.ONES) for _ in range(2)), verbose=0)

    def test_other_inputs_can_not_be_none(self):
        model = self.model()
        with pytest.raises(ValueError, match="the input 'x' is not optional"):
            model({"x": None, "other": self.ONES})
        plain = keras.Sequential([keras.Input((2,), name="x"), layers.Dense(1)])
        plain = keras.Model(plain.inputs, plain.outputs)
        plain.compile("sgd", "mse")
        with pytest.raises(ValueError, match="the input 'x' is not optional"):
            plain.fit([None], np.ones((2, 1)), verbose=0)

    def test_a_copy_has_them(self):
        model = keras.models.clone_model(keras.Model.from_config(self.model().get_config(), {"AddIfGiven": AddIfGiven}))
        assert model({"x": self.ONES, "other": None}).shape == (2, 2)


class TestStructureOfInputs:
    def model(self, *names):
        inputs = {name: keras.Input((2,), name=name) for name in names}
        return keras.Model(inputs, layers.Subtract()(list(inputs.values())))

    def test_inputs_that_the_model_does_not_have_are_warned_of(self):
        x = np.ones((1, 2), np.float32)
        with pytest.warns(UserWarning, match="The structure of `inputs` doesn't match the expected structure"):
            assert self.model("a", "b")({"a": x, "b": x, "c": x}).shape == (1, 2)

    def test_a_list_in_place_of_a_dict_is_in_the_order_of_the_names(self):
        one, two = np.full((1, 2), 1.0, np.float32), np.full((1, 2), 2.0, np.float32)
        with pytest.warns(UserWarning, match="The structure of `inputs` doesn't match"):
            np.testing.assert_array_equal(self.model("a", "b")([one, two]), [[-1.0, -1.0]])
        with pytest.raises(ValueError, match="The structure of `inputs` doesn't match"):
            self.model("b", "a")([one, two])


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_restored_model_gives_outputs_of_the_same_type(kind):
    x = keras.Input((3,))
    model = keras.Model(x, kind([layers.Dense(2)(x), layers.Dense(1)(x)]))
    assert type(keras.Model.from_config(model.get_config())(np.ones((1, 3), np.float32))) is kind


class Counting(layers.Layer):
    """Counts its calls in a weight that is made at once, or by ``build``."""

    def __init__(self, at_once=True, **options):
        super().__init__(**options)
        self.counter = self.add_weight(shape=(), initializer="zeros", trainable=False) if at_once else None

    def build(self, input_shape):
        if self.counter is None:
            self.counter = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x):
        self.counter.assign_add(1.0)
        return x


class TestSymbolicCalls:
    @pytest.mark.parametrize("at_once", [True, False])
    @pytest.mark.parametrize("wrapped", [False, True])
    def test_they_change_no_state(self, at_once, wrapped):
        counting = Counting(at_once)
        layer = counting
        if wrapped:
            layer = layers.TimeDistributed(counting)
        x = keras.Input((3, 3))
        model = keras.Model(x, layer(x))
        assert float(counting.counter) == 0.0
        sequential = keras.Sequential([keras.Input((3, 3)), layer])
        sequential.compute_output_shape((None, 3, 3))
        assert float(counting.counter) == 0.0
        model(np.ones((2, 3, 3), np.float32))
        assert float(counting.counter) > 0.0

    def test_a_rule_of_the_layer_is_used_in_place_of_a_run(self):
        class Trained(layers.Layer):
            def build(self, input_shape):
                self.scale = self.add_weight(shape=(input_shape[-1],))

            def call(self, x, training=False):
                assert training
                return x

            def compute_output_spec(self, x, training=False):
                return keras.KerasTensor((*x.shape[:-1], 7), dtype="float16")

        x = keras.Input((3,))
        result = Trained()(x)
        assert (result.shape, result.dtype) == ((None, 7), "float16")
        model = keras.Model(x, result)
        assert [weight.shape for weight in model.weights] == [(3,)]
        assert model(np.ones((2, 3), np.float32), training=True).shape == (2, 3)


class TestClones:
    def nested(self):
        x = keras.Input((3,))
        inner = keras.Model(x, layers.Dense(4)(x), name="inner")
        stack = keras.Sequential([keras.Input((4,)), layers.Dense(2)], name="stack")
        y = keras.Input((3,))
        return keras.Model(y, stack(inner(y)))

    def test_a_call_function_calls_the_new_layers(self):
        def call(layer, *args, **kwargs):
            result = layer(*args, **kwargs)
            return layers.Dropout(0.5)(result) if isinstance(layer, layers.Dense) else result

        x = keras.Input((3,))
        model = keras.Model(x, layers.Dense(2)(layers.Dense(4)(x)))
        clone = keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=call)
        assert [type(layer).__name__ for layer in clone.layers] == [
            "InputLayer",
            "Dense",
            "Dropout",
            "Dense",
            "Dropout",
        ]
        np.testing.assert_array_equal(clone(X[:, :3]), model(X[:, :3]))
        stack = keras.Sequential([layers.Dense(1)])
        with pytest.raises(ValueError, match="`call_function` is not supported with Sequential"):
            keras.models.clone_model(stack, call_function=call)

    def test_models_inside_are_cloned_with_the_same_functions_if_that_is_asked_for(self):
        seen = []

        def clone(layer):
            seen.append(type(layer).__name__)
            return type(layer).from_config(layer.get_config())

        model = self.nested()
        keras.models.clone_model(model, clone_function=clone)
        assert seen == ["Functional", "Sequential"]
        seen.clear()
        copy = keras.models.clone_model(model, clone_function=clone, recursive=True)
        assert seen == ["Dense", "Dense"]
        copy.set_weights(model.get_weights())
        np.testing.assert_array_equal(copy(X[:, :3]), model(X[:, :3]))

    def test_input_tensors_have_the_structure_of_the_inputs(self):
        inputs = {"x": keras.Input((3,), name="x"), "y": keras.Input((3,), name="y")}
        model = keras.Model(inputs, {"sum": layers.Add()(list(inputs.values()))})
        assert set(keras.models.clone_model(model, input_tensors=inputs).input) == {"x", "y"}
        with pytest.raises(ValueError, match="`input_tensors` must have the same structure as model.input"):
            keras.models.clone_model(model, input_tensors=tuple(inputs.values()))


def test_configurations_may_leave_out_the_modules_of_layers():
    x = keras.Input((3,), name="x")
    config = keras.Model(x, layers.Dense(2, name="y")(x)).get_config()
    for layer in config["layers"]:
        del layer["module"]
    assert [type(layer).__name__ for layer in keras.Model.from_config(config).layers] == ["InputLayer", "Dense"]
    config["layers"][1]["inbound_nodes"][0]["args"][0]["config"]["keras_history"][0] = "unknown"
    with pytest.raises(ValueError, match="calls whose inputs are not there"):
        keras.Model.from_config(config)


def test_calls_in_the_form_of_keras_2_are_read():
    def layer(kind, name, calls, **config):
        return {"class_name": kind, "name": name, "config": {"name": name, **config}, "inbound_nodes": calls}

    config = {
        "name": "older",
        "layers": [
            layer("InputLayer", "a", [], batch_input_shape=[None, 3], dtype="float32"),
            layer("InputLayer", "b", [], batch_input_shape=[None, 3], dtype="float32"),
            layer("Subtract", "difference", [[["a", 0, 0, {}], ["b", 0, 0, {}]]]),
            layer("Dropout", "dropped", [[["difference", 0, 0, {"training": False}]]], rate=0.5),
        ],
        "input_layers": [["a", 0, 0], ["b", 0, 0]],
        "output_layers": [["dropped", 0, 0]],
    }
    model = keras.Model.from_config(config)
    np.testing.assert_array_equal(model([X[:, :3], X[:, 1:]]), X[:, :3] - X[:, 1:])


def test_operators_are_layers_with_the_name_of_their_operation():
    x = keras.Input((2,))
    results = [x + 1, 1 + x, x * 2, x / 2, -x, abs(x), x**2, x[:, :1], x // 1, x % 2, x < 1, x != 1]
    names = keras.Model(x, results).output_names
    assert [name.rstrip("_0123456789") for name in names] == [
        *("add", "add", "multiply", "true_divide", "negative", "absolute", "power", "get_item"),
        *("floor_divide", "mod", "less", "not_equal"),
    ]
    model = keras.Model(x, [x * 2, x + 1])
    model.compile("sgd", "mse")
    logs = model.evaluate(X[:, :2], [X[:, :2], X[:, :2]], verbose=0, return_dict=True)
    assert list(logs) == [f"{model.output_names[1]}_loss", "loss", f"{model.output_names[0]}_loss"]


class _Noted(layers.Layer):
    """Notes the ``training`` of its calls."""

    def call(self, x, training=None):
        self.training = training
        return x


@pytest.mark.parametrize("given", [None, False, True])
def test_training_of_a_model_comes_before_that_of_a_layers_call(given):
    x = keras.Input((3,))
    noted = _Noted()
    inner = keras.Model(x, noted(x, training=given))
    outer = keras.Model(x, inner(x, training=False))
    for training in (True, False):
        inner(X[:, :3], training=training)
        assert noted.training is training
        outer(X[:, :3], training=training)
        assert noted.training is training
    inner(X[:, :3])
    assert noted.training is given
    outer(X[:, :3])
    assert noted.training is False


def test_a_base_that_is_unfrozen_moves_its_statistics_in_fit():
    x = keras.Input((4,))
    normalization = layers.BatchNormalization()
    base = keras.Model(x, normalization(x))
    base.trainable = False
    model = keras.Model(x, layers.Dense(1)(base(x, training=False)))
    labels = np.ones((len(X), 1), np.float32)
    model.compile("sgd", "mse")
    model.fit(X, labels, verbose=0)
    assert not normalization.moving_mean.numpy().any()
    base.trainable = True
    model.compile("sgd", "mse")
    model.fit(X, labels, verbose=0)
    assert normalization.moving_mean.numpy().all()


def test_an_input_layer_takes_a_symbolic_tensor():
    tensor = keras.KerasTensor((None, 3), "float32")
    layer = keras.layers.InputLayer(input_tensor=tensor)
    assert layer.output is tensor
    assert (layer.batch_shape, layer.dtype) == ((None, 3), "float32")
    model = keras.Model(tensor, keras.layers.Rescaling(2.0)(tensor))
    assert model(np.ones((2, 3), np.float32)).numpy().tolist() == [[2.0] * 3] * 2
    with pytest.raises(ValueError, match="incompatible `batch_size` argument"):
        keras.layers.InputLayer(batch_size=2, input_tensor=tensor)
