"""``Layer``: what it owns, how it is built and called, how it is written down."""

import copy
import pickle
import warnings

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from fastgrad._src.core import python_state_version

layers = keras.layers


class Linear(layers.Layer):
    """The layer that every guide begins with."""

    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="ones", name="w")
        self.b = self.add_weight(shape=(self.units,), initializer="zeros", trainable=True)

    def call(self, inputs):
        return tf.matmul(inputs, self.w) + self.b


class Modes(layers.Layer):
    """Notes the ``training`` of its calls."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seen = []

    def call(self, inputs, training=None):
        self.seen.append(training)
        return inputs


class Around(layers.Layer):
    """A layer without ``training`` around one with it."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, inputs):
        return self.inner(inputs)


class TestBuilding:
    def test_build_can_be_called_before(self):
        layer = Linear()
        layer.build((None, 4))
        assert layer.built
        w = layer.w
        layer(tf.ones((1, 4)))
        assert layer.w is w

    def test_a_layer_without_build_is_built_by_its_first_call(self):
        layer = Modes()
        layer(tf.ones((1, 1)))
        assert layer.built

    def test_build_gets_the_shapes_of_several_inputs(self):
        class Two(layers.Layer):
            def build(self, a_shape, b_shape):
                self.shapes = (a_shape, b_shape)

            def call(self, a, b):
                return a + b

        layer = Two()
        layer(np.ones((1, 2)), np.ones((2, 2)))
        assert layer.shapes == ((1, 2), (2, 2))

    def test_build_arguments_must_name_inputs(self):
        class Wrong(layers.Layer):
            def build(self, a_shape, other_shape):
                pass

            def call(self, a, b):
                return a

        with pytest.raises(ValueError, match="other_shape"):
            Wrong()(tf.ones(1), tf.ones(1))

    @pytest.mark.parametrize("container", [dict, list])
    def test_build_gets_the_shapes_of_nested_inputs(self, container):
        class Nested(layers.Layer):
            def build(self, input_shape):
                self.shapes = input_shape

            def call(self, inputs):
                values = inputs.values() if isinstance(inputs, dict) else inputs
                return sum(values)

        layer = Nested()
        pair = {"x": np.ones((1, 2)), "y": np.ones((1, 2))}
        layer(pair if container is dict else list(pair.values()))
        assert layer.shapes == ({"x": (1, 2), "y": (1, 2)} if container is dict else [(1, 2), (1, 2)])

    def test_super_build_inside_build_is_harmless(self):
        class Careful(Linear):
            def build(self, input_shape):
                super().build(input_shape)
                layers.Layer.build(self, input_shape)

        layer = Careful()
        layer(tf.ones((1, 2)))
        assert len(layer.weights) == 2

    def test_build_of_a_layer_of_layers_builds_them(self):
        layer = Around(Linear())
        layer.build((None, 4))
        assert [tuple(w.shape) for w in layer.weights] == [(4, 3), (3,)]
        assert layer.weights[0].path == f"{layer.name}/{layer.inner.name}/w"

    def test_forgetting_super_init_is_explained(self):
        class Forgetful(layers.Layer):
            def __init__(self):
                self.inner = layers.Dense(1)

        with pytest.raises(RuntimeError, match=r"super\(\).__init__\(\)"):
            Forgetful()(tf.ones((1, 1)))

    def test_call_must_be_written(self):
        with pytest.raises(NotImplementedError, match="call"):
            layers.Layer()(tf.ones(1))

    def test_failed_first_call_leaves_the_layer_unbuilt(self):
        class Fails(Linear):
            def build(self, input_shape):
                raise ValueError("not this shape")

        layer = Fails()
        with pytest.raises(ValueError, match="not this shape"):
            layer(tf.ones((1, 2)))
        assert not layer.built
        assert layer.weights == []


class TestNames:
    def test_names_are_snake_case_and_numbered(self):
        keras.backend.clear_session()
        assert [layers.Dense(1).name, layers.Dense(1).name, layers.LeakyReLU().name] == [
            "dense",
            "dense_1",
            "leaky_re_lu",
        ]
        assert layers.Dense(1, name="mine").name == "mine"

    def test_names_are_no_paths(self):
        with pytest.raises(ValueError, match="/"):
            layers.Dense(1, name="a/b")

    def test_weights_have_plain_names_and_paths(self):
        layer = Linear(name="linear")
        layer.build((None, 2))
        assert layer.w.name == "w"
        assert layer.w.path == "linear/w"
        assert layer.b.name.startswith("variable")
        assert layer.path == "linear"

    def test_paths_name_the_layers_around(self):
        outer = Around(Around(Linear(name="c")))
        outer.inner.name, outer.name = "b", "a"
        outer(tf.ones((1, 2)))
        assert [w.path.rsplit("/", 1)[0] for w in outer.weights] == ["a/b/c", "a/b/c"]

    def test_repr(self):
        assert repr(layers.Dense(1, name="d")) == "<Dense name=d, built=False>"


class TestInputs:
    def test_float_tensors_too(self):
        assert Modes()(tf.ones((1, 2), tf.float64)).dtype == "float32"
        assert Modes(dtype="float64")(tf.ones((1, 2))).dtype == "float64"

    def test_unless_autocast_is_off(self):
        assert Modes(autocast=False)(tf.ones((1, 2), tf.float64)).dtype == "float64"

    @pytest.mark.parametrize("dtype", ["int32", "int64", "bool"])
    def test_other_dtypes_stay(self, dtype):
        assert Modes()(np.ones((1, 2), dtype)).dtype == dtype

    def test_variables_are_read(self):
        assert isinstance(Modes()(tf.Variable([1.0])), tf.Tensor)

    def test_arrays_inside_dicts_and_lists_become_tensors(self):
        out = Modes()({"a": np.ones(2), "b": [np.ones(1), tf.ones(3)]})
        assert isinstance(out["a"], tf.Tensor)
        assert out["a"].dtype == "float32"
        assert [x.shape for x in out["b"]] == [(1,), (3,)]

    @pytest.mark.parametrize("value", [[[1.0, 2.0]], 1.0, "text", [1]], ids=repr)
    def test_plain_python_values_are_refused(self, value):
        with pytest.raises(ValueError, match="Only input tensors"):
            layers.Dense(2)(value)

    def test_none_is_refused_where_a_rank_is_wanted(self):
        with pytest.raises(ValueError, match="Inputs to a layer should be tensors"):
            layers.Dense(2)(None)

    def test_keyword_inputs(self):
        np.testing.assert_array_equal(Linear()(inputs=np.ones((1, 2))), [[2.0] * 3])

    def test_missing_input(self):
        with pytest.raises(TypeError):
            Linear()()

    def test_results_do_not_depend_on_having_seen_the_shape(self):
        layer = Linear()
        x = tf.constant([[1.0, 2.0]])
        first, second = layer(x), layer(x)
        np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(layer(tf.ones((5, 2))), np.full((5, 3), 2.0))

    def test_input_spec_is_checked_at_every_call(self):
        layer = layers.Dense(2)
        for _ in range(2):
            layer(tf.ones((1, 3)))
        for _ in range(2):
            with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 3"):
                layer(tf.ones((1, 4)))
            with pytest.raises(ValueError, match="min_ndim=2"):
                layer(tf.ones(3))

    def test_a_changed_input_spec_counts_at_once(self):
        layer = Modes()
        layer(tf.ones(3))
        layer.input_spec = layers.InputSpec(ndim=2)
        with pytest.raises(ValueError, match="expected ndim=2, found ndim=1"):
            layer(tf.ones(3))


class TestTraining:
    @pytest.mark.parametrize("mode", [None, True, False])
    def test_inner_layers_inherit_it(self, mode):
        inner = Modes()
        outer = Around(Around(inner))
        for _ in range(2):
            outer(tf.ones((1, 1)), training=mode)
        assert list(inner.seen) == [mode, mode]

    def test_an_explicit_mode_wins(self):
        class Inference(Around):
            def call(self, inputs):
                return self.inner(inputs, training=False)

        inner = Modes()
        Inference(inner)(tf.ones((1, 1)), training=True)
        assert list(inner.seen) == [False]

    def test_a_default_of_the_signature_reaches_inner_layers(self):
        class Trains(Around):
            def call(self, inputs, training=True):
                return self.inner(inputs)

        inner = Modes()
        Trains(inner)(tf.ones((1, 1)))
        assert list(inner.seen) == [True]

    def test_it_ends_with_the_call_also_after_an_error(self):
        class Raises(layers.Layer):
            def call(self, inputs, training=None):
                raise RuntimeError("no")

        with pytest.raises(RuntimeError):
            Raises()(tf.ones(1), training=True)
        modes = Modes()
        modes(tf.ones(1))
        assert list(modes.seen) == [None]


class TestOwning:
    def test_attributes_lists_tuples_and_dicts(self):
        class Holder(layers.Layer):
            def __init__(self):
                super().__init__()
                self.several = []
                self.one = Linear(name="one")
                self.pair = (Linear(name="two"), 3)
                self.named = {"x": Linear(name="three")}
                self.several.append(Linear(name="four"))
                self.several += [[Linear(name="five")]]

        holder = Holder()
        assert [layer.name for layer in holder._sublayers] == ["one", "two", "three", "four", "five"]

    def test_removal_and_replacement(self):
        class Holder(layers.Layer):
            pass

        holder = Holder()
        holder.items = [Linear(name="a"), Linear(name="b")]
        holder.items.pop()
        assert [layer.name for layer in holder._sublayers] == ["a"]
        holder.items[0] = Linear(name="c")
        assert [layer.name for layer in holder._sublayers] == ["c"]
        holder.other = {"k": Linear(name="d")}
        del holder.other["k"]
        del holder.items
        assert holder._sublayers == []

    def test_nothing_new_after_it_is_built(self):
        layer = Linear()
        layer.build((None, 1))
        with pytest.raises(ValueError, match="already built"):
            layer.extra = layers.Dense(1)
        with pytest.raises(ValueError, match="already built"):
            layer.add_weight(shape=())
        layer.note = "plain values are welcome"

    def test_own_weights_come_first_trainable_before_others(self):
        class Mixed(layers.Layer):
            def build(self, input_shape):
                self.inner = layers.Dense(1)
                self.counter = self.add_weight(shape=(), trainable=False, name="counter")
                self.scale = self.add_weight(shape=(), name="scale")

            def call(self, inputs):
                return self.inner(inputs) * self.scale

        layer = Mixed()
        layer(tf.ones((1, 1)))
        assert [w.name for w in layer.weights] == ["scale", "counter", "kernel", "bias"]
        assert [w.name for w in layer.trainable_weights] == ["scale", "kernel", "bias"]
        assert [w.name for w in layer.non_trainable_weights] == ["counter"]

    def test_a_shared_layer_counts_once(self):
        shared = Linear()
        outer = Around(Around(shared))
        outer.again = shared
        outer(tf.ones((1, 1)))
        assert len(outer.weights) == 2

    def test_a_weight_can_be_frozen_alone(self):
        layer = Linear()
        layer.build((None, 1))
        layer.w.trainable = False
        assert len(layer.trainable_variables) == 1
        assert layer.trainable_variables[0] is layer.b

    def test_frozen_at_construction(self):
        layer = Linear(trainable=False)
        layer.build((None, 1))
        assert layer.trainable_variables == []
        with pytest.raises(ValueError, match="boolean"):
            Linear(trainable=1)

    def test_the_lists_are_the_callers_own(self):
        layer = Linear()
        layer.build((None, 1))
        layer.trainable_variables.clear()
        assert len(layer.trainable_variables) == 2


class TestWeights:
    @pytest.mark.parametrize(
        "values", [[], [np.ones((2, 3))], [np.ones((2, 3)), np.ones(4)], [np.ones(6), np.ones(3)]], ids=len
    )
    def test_set_weights_is_all_or_nothing(self, values):
        layer = Linear()
        layer.build((None, 2))
        before = layer.get_weights()
        with pytest.raises(ValueError, match="linear"):
            layer.set_weights(values)
        for a, b in zip(before, layer.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)

    def test_add_weight_arguments(self):
        layer = layers.Layer()
        weight = layer.add_weight((2, 2), "identity", "float64", name="m", regularizer="l2", constraint="non_neg")
        np.testing.assert_array_equal(weight, np.eye(2))
        assert weight.dtype == "float64"
        assert float(weight.regularizer(weight)) == pytest.approx(0.02)
        assert isinstance(weight.constraint, keras.constraints.NonNeg)
        assert layer.add_weight().shape == ()
        assert layer.add_weight(dtype="int32", shape=(1,)).numpy() == 0
        with pytest.raises(ValueError, match="keyword"):
            layer.add_weight("name")
        with pytest.raises(ValueError, match=r"Use: add_weight\(shape=..., name='kernel'\)"):
            layer.add_weight("kernel", shape=(2, 2))
        with pytest.raises(ValueError, match="fully-defined"):
            layer.add_weight(shape=(None, 1))
        with pytest.raises(ValueError, match="gave shape"):
            layer.add_weight(shape=(2,), initializer=lambda shape, dtype=None: tf.ones((3,)))


class TestLosses:
    def test_add_loss_until_the_next_call(self):
        class Penalised(layers.Layer):
            def call(self, inputs):
                self.add_loss(tf.reduce_sum(inputs))
                return inputs

        outer = Around(Penalised())
        for _ in range(3):
            outer(tf.constant([1.0, 2.0]))
        assert [float(loss) for loss in outer.losses] == [3.0]
        assert [float(loss) for loss in outer.inner.losses] == [3.0]

    def test_add_loss_takes_tensors(self):
        with pytest.raises(ValueError, match="add_loss"):
            layers.Layer().add_loss(lambda: 1.0)

    def test_regularizers_have_gradients(self):
        layer = layers.Dense(1, kernel_initializer="ones", kernel_regularizer=keras.regularizers.L2(0.5))
        layer.build((None, 3))
        with tf.GradientTape() as tape:
            penalty = tf.add_n(layer.losses)
        np.testing.assert_allclose(tape.gradient(penalty, layer.kernel), np.ones((3, 1)))
        layer.trainable = False
        assert layer.losses == []

    def test_activity_regularizer_is_divided_by_the_batch(self):
        layer = layers.Dense(2, kernel_initializer="ones", activity_regularizer="l1")
        for _ in range(2):
            layer(tf.ones((4, 3)))
        assert [float(loss) for loss in layer.losses] == pytest.approx([0.01 * 2 * 3])


class TestConfiguration:
    def test_plain_arguments_are_found(self):
        class Plain(layers.Layer):
            def __init__(self, units, scale=2.0, name=None):
                super().__init__(name=name)

        config = Plain(3, name="p").get_config()
        assert config == {"name": "p", "units": 3, "scale": 2.0}
        assert isinstance(Plain.from_config(config), Plain)

    def test_others_must_be_written(self):
        class Rich(layers.Layer):
            def __init__(self, array):
                super().__init__()

        with pytest.raises(NotImplementedError, match="get_config"):
            Rich(np.ones(2)).get_config()

    def test_written_ones_add_to_the_base(self):
        class Written(layers.Layer):
            def __init__(self, units, **kwargs):
                super().__init__(**kwargs)
                self.units = units

            def get_config(self):
                return {**super().get_config(), "units": self.units}

        config = Written(2, name="w", trainable=False, dtype="float64").get_config()
        twin = Written.from_config(config)
        assert (twin.units, twin.name, twin.trainable, twin.dtype) == (2, "w", False, "float64")

    def test_what_does_not_fit_is_explained(self):
        with pytest.raises(TypeError, match="Error when deserializing class 'Dense'"):
            layers.Dense.from_config({"units": 2, "nonsense": 1})

    def test_unknown_arguments(self):
        with pytest.raises(ValueError, match="nonsense"):
            layers.Dense(2, nonsense=1)


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))], ids=["copy", "pickle"]
)
def test_copies_own_their_weights(duplicate):
    model = keras.Sequential([layers.Dense(2), layers.Dropout(0.5, seed=1), layers.Dense(1)])
    x = tf.ones((2, 3))
    y = model(x)
    twin = duplicate(model)
    np.testing.assert_array_equal(twin(x), y)
    assert twin.trainable_variables[0] is twin.layers[0].kernel
    twin.set_weights([0 * w for w in twin.get_weights()])
    np.testing.assert_array_equal(model(x), y)


def test_lists_of_copies_report_to_the_copies():
    class Holder(layers.Layer):
        def __init__(self):
            super().__init__()
            self.items = [layers.Dense(1)]

    holder = Holder()
    twin = copy.deepcopy(holder)
    twin.items.append(layers.Dense(1))
    assert len(twin._sublayers) == 2
    assert len(holder._sublayers) == 1


def test_output_shapes_of_layers_without_a_rule():
    class Halves(layers.Layer):
        def call(self, inputs):
            return {"a": inputs[:, :1], "b": tf.reduce_sum(inputs)}

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Halves().compute_output_shape((None, 4)) == {"a": (None, 1), "b": ()}
        assert Halves().compute_output_shape((7, 4)) == {"a": (7, 1), "b": ()}


def test_the_output_spec_has_shape_and_dtype_without_a_call():
    layer = keras.layers.Dense(3, dtype="mixed_float16")
    spec = layer.compute_output_spec(keras.KerasTensor((None, 4), dtype="float16"))
    assert (spec.shape, spec.dtype) == ((None, 3), "float16")
    with pytest.raises(AttributeError, match="never been called"):
        _ = layer.output


@pytest.mark.parametrize("dtype", ["float32", "float64", "mixed_bfloat16"])
def test_the_dtype_of_a_configuration_reaches_init_by_its_name(dtype):
    given = []

    class Own(keras.layers.Layer):
        def __init__(self, dtype=None, **options):
            given.append(dtype)
            super().__init__(dtype=dtype, **options)

    assert Own.from_config(Own(dtype=dtype).get_config()).dtype_policy.name == dtype
    assert given == [dtype, dtype]


def test_shapes_of_outputs_are_enough_for_their_spec():
    class Parts(keras.layers.Layer):
        def call(self, x):
            raise RuntimeError

        def compute_output_shape(self, input_shape):
            return (input_shape, (input_shape, {"a": input_shape}), [input_shape])

    for found in (
        Parts().compute_output_spec(keras.KerasTensor((2, 3))),
        Parts()(keras.KerasTensor((2, 3))),
    ):
        assert [type(part) for part in (found, found[1], found[1][1], found[2])] == [tuple, tuple, dict, list]
        assert {part.shape for part in tf.nest.flatten(found)} == {(2, 3)}


def test_tapes_give_gradients_of_frozen_layers():
    x = tf.ones((2, 3))
    frozen, made_frozen = keras.layers.Dense(2), keras.layers.Dense(2, trainable=False)
    frozen(x)
    frozen.trainable = False
    for layer in (frozen, made_frozen):
        with tf.GradientTape() as tape:
            hidden = layer(x)
            loss = tf.reduce_sum(hidden * hidden)
        by_kernel, by_hidden = tape.gradient(loss, [layer.kernel, hidden])
        np.testing.assert_allclose(by_hidden, 2.0 * hidden)
        np.testing.assert_allclose(by_kernel, tf.matmul(x, 2.0 * hidden, transpose_a=True), rtol=1e-6)
        assert layer.trainable_variables == []
    normalization = keras.layers.BatchNormalization(trainable=False)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(normalization(x, training=True) ** 2)
    assert [g is not None for g in tape.gradient(loss, normalization.weights)] == [True, True, False, False]


def test_fit_leaves_frozen_layers_alone():
    model = keras.Sequential([keras.layers.Dense(2), keras.layers.Dense(1)])
    model.build((None, 3))
    model.layers[0].trainable = False
    model.compile("adam", "mse")
    frozen, trained = model.layers[0].kernel.numpy(), model.layers[1].kernel.numpy()
    model.fit(np.ones((8, 3)), np.ones((8, 1)), epochs=2, batch_size=2, verbose=0)
    np.testing.assert_array_equal(model.layers[0].kernel, frozen)
    assert not np.allclose(model.layers[1].kernel, trained)
    assert len(model.optimizer.variables) == 2 + 2 * 2


def test_masks_that_layers_compute_from_arrays_and_symbolic_inputs():
    masking = keras.layers.Masking()
    for dtype in (np.float64, np.int64):
        np.testing.assert_array_equal(masking.compute_mask(np.array([[[0, 0], [1, 0]]], dtype)), [[False, True]])
    inputs = [keras.KerasTensor((None, 2, 1))] * 2
    given = [np.array([[True, False]]), np.array([[False, True]])]
    joined = keras.layers.Concatenate(axis=1).compute_mask(inputs, given)
    np.testing.assert_array_equal(joined, [[True, False, False, True]])
    assert not keras.layers.Lambda(lambda x: x).supports_masking
    assert keras.layers.Lambda(lambda x: x, mask=lambda x, mask: mask).supports_masking


def test_a_symbolic_tensor_is_dense_unless_it_is_told_otherwise():
    assert not keras.KerasTensor((2,)).sparse
    assert keras.KerasTensor((2,), sparse=True).sparse


class TestLossesOfEarlierCalls:
    """Only those of the last call count, after calls by any other layer."""

    class Adding(layers.Layer):
        def call(self, inputs):
            self.add_loss(tf.reduce_sum(inputs))
            return inputs

    @pytest.mark.parametrize("wrap", [Around, lambda layer: keras.Sequential([layer])])
    def test_of_a_layer_called_alone(self, wrap):
        x = tf.ones((2, 2))
        inner = self.Adding()
        inner(x)
        outer = wrap(inner)
        outer(x)
        assert len(outer.losses) == 1
        inner(x)
        outer(x)
        assert (len(outer.losses), len(inner.losses)) == (1, 1)

    def test_of_two_calls_inside_one(self):
        class Twice(layers.Layer):
            def __init__(self):
                super().__init__()
                self.inner = TestLossesOfEarlierCalls.Adding()

            def call(self, inputs):
                return self.inner(self.inner(inputs))

        layer = Twice()
        for _ in range(2):
            layer(tf.ones((2, 2)))
            assert len(layer.losses) == 2


def test_a_found_configuration_has_the_policy_of_the_layer():
    class Scale(keras.layers.Layer):
        def __init__(self, factor, **options):
            super().__init__(**options)
            self.factor = factor

    layer = Scale(2.0, dtype="float16", trainable=False)
    config = layer.get_config()
    assert config["dtype"]["config"] == {"name": "float16"}
    assert config["trainable"] is False
    assert Scale.from_config(config).get_config() == config
    layer.trainable = True
    assert layer.get_config()["trainable"] is True


class TestTrainingArgument:
    """``training=None`` in a call is None, and layers within then take their defaults; recorded from Keras 3.15."""

    @pytest.mark.parametrize("default", [True, False, None])
    def test_none_is_not_inherited(self, default):
        seen = []

        class Inner(layers.Layer):
            def call(self, x, training=default):
                seen.append(training)
                return x

        class Outer(layers.Layer):
            def __init__(self):
                super().__init__()
                self.inner = Inner()

            def call(self, x, training=None, passed=()):
                return self.inner(x, **dict(passed))

        x, outer = tf.ones((1, 2)), Outer()
        Inner()(x, training=None)
        for passed in ({}, {"training": None}, {"training": True}, {"training": False}):
            for training in (False, True):
                outer(x, training=training, passed=list(passed.items()))
        Inner()(x)
        assert seen == [None, False, True, None, None, True, True, False, False, default]

    def test_none_in_a_functional_model_is_that_of_the_model(self):
        inputs = keras.Input((1000,))
        model = keras.Model(inputs, layers.Dropout(0.5)(inputs, training=None))
        x = np.ones((1, 1000), np.float32)
        assert np.any(model(x, training=True) == 0.0)
        np.testing.assert_array_equal(model(x), x)


class TestMergesOfOtherDtypes:
    @pytest.mark.parametrize(
        "name", ["Add", "Multiply", "Average", "Maximum", "Minimum", "Subtract", "Concatenate", "Dot"]
    )
    def test_inputs_take_their_common_dtype(self, name):
        layer = getattr(layers, name)(**({"axes": 1} if name == "Dot" else {}))
        integers, floats = tf.reshape(tf.range(6), (2, 3)), tf.ones((2, 3))
        expected = layer([tf.cast(integers, "float32"), floats])
        for inputs in ([integers, floats], [tf.cast(integers, "int64"), tf.cast(floats, "float64")]):
            result = layer(inputs)
            assert result.dtype == "float32"
            np.testing.assert_array_equal(result, expected)
        assert layer([tf.cast(integers, "int64"), integers]).dtype == ("float64" if name == "Average" else "int64")
        symbolic = layer([keras.Input((3,), dtype="int32"), keras.Input((3,))])
        assert symbolic.dtype == "float32"


@pytest.mark.parametrize("policy", ["float64", "float16", "mixed_float16"])
def test_inputs_are_floatx_under_a_global_policy(policy):
    keras.config.set_dtype_policy(policy)
    try:
        assert keras.Input((3,)).dtype == layers.InputLayer(shape=(3,)).dtype == "float32"
    finally:
        keras.config.set_dtype_policy("float32")


_scale = 1.0


def _scaled(x):
    return x * _scale


class _DenseOfAUser(layers.Dense):
    pass


class _DenseWithCall(layers.Dense):
    def call(self, inputs):
        return super().call(inputs)


class _LeakyOfAUser(layers.LeakyReLU):
    pass


def _set_attribute(name, value):
    return lambda layer: setattr(layer, name, value)


_CHANGES = {
    "Dense.activation": (lambda: layers.Dense(2, "relu"), _set_attribute("activation", keras.activations.tanh)),
    "Dense.activation None": (lambda: layers.Dense(2, "relu"), _set_attribute("activation", None)),
    "a subclass": (lambda: _DenseOfAUser(2), _set_attribute("activation", keras.activations.tanh)),
    "a subclass with call": (lambda: _DenseWithCall(2), _set_attribute("activation", keras.activations.tanh)),
    "a number of a subclass": (_LeakyOfAUser, _set_attribute("negative_slope", 0.7)),
    "a number": (layers.LeakyReLU, _set_attribute("negative_slope", 0.7)),
    "Activation.activation": (lambda: layers.Activation("relu"), _set_attribute("activation", keras.activations.tanh)),
    "a layer as activation": (
        lambda: layers.Activation(layers.LeakyReLU(0.1)),
        lambda layer: setattr(layer.activation, "negative_slope", 0.7),
    ),
    "Lambda.function": (lambda: layers.Lambda(lambda x: x), _set_attribute("function", lambda x: 2.0 * x)),
    "a global that Lambda.function reads": (lambda: layers.Lambda(_scaled), lambda layer: globals().update(_scale=3.0)),
    "a global that an activation reads": (
        lambda: layers.Dense(2, activation=_scaled),
        lambda layer: globals().update(_scale=3.0),
    ),
    "the activation of a cell": (
        lambda: keras.Sequential([layers.Reshape((2, 1)), layers.SimpleRNN(2)]),
        lambda layer: setattr(layer.layers[1].cell, "activation", keras.activations.relu),
    ),
}


@pytest.mark.parametrize("change", _CHANGES)
def test_compiled_calls_notice_changed_functions(change, monkeypatch):
    monkeypatch.setitem(globals(), "_scale", 1.0)
    make_layer, change_layer = _CHANGES[change]
    keras.utils.set_random_seed(0)
    layer, x = make_layer(), tf.constant([[-1.0, 2.0]])
    model = keras.Sequential([layers.Input((2,)), layer])
    function = tf.function(model)
    before = model(x).numpy()
    for _ in range(3):
        model.predict(x, verbose=0)
        function(x)
    change_layer(layer)
    expected = model(x).numpy()
    assert (expected != before).any()
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-6)
    np.testing.assert_allclose(function(x), expected, rtol=1e-6)


_PENALTY_CHANGES = {
    "activity_regularizer": (
        {"activity_regularizer": "l1"},
        _set_attribute("activity_regularizer", keras.regularizers.L2(1.0)),
    ),
    "a number of activity_regularizer": (
        {"activity_regularizer": "l2"},
        lambda layer: setattr(layer.activity_regularizer, "l2", 1.0),
    ),
    "no activity_regularizer": ({"activity_regularizer": "l2"}, _set_attribute("activity_regularizer", None)),
    "the regularizer of a weight": ({}, lambda layer: setattr(layer.kernel, "regularizer", keras.regularizers.L2(1.0))),
    "a number of the regularizer": (
        {"kernel_regularizer": "l2"},
        lambda layer: setattr(layer.kernel.regularizer, "l2", 1.0),
    ),
    "the constraint of a weight": (
        {},
        lambda layer: setattr(layer.kernel, "constraint", keras.constraints.MaxNorm(0.1)),
    ),
    "a number of the constraint": (
        {"kernel_constraint": keras.constraints.MaxNorm(5.0)},
        lambda layer: setattr(layer.kernel.constraint, "max_value", 0.1),
    ),
    "no constraint": (
        {"kernel_constraint": keras.constraints.MaxNorm(0.1)},
        lambda layer: setattr(layer.kernel, "constraint", None),
    ),
}


@pytest.mark.parametrize("change", _PENALTY_CHANGES)
def test_training_steps_notice_changed_penalties_and_constraints(change):
    options, change_layer = _PENALTY_CHANGES[change]
    x = np.array([[-1.0, 2.0]], np.float32)
    start = [np.ones((2, 2), np.float32), np.zeros(2, np.float32)]

    def result(run_eagerly, steps_before):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([layers.Input((2,)), layers.Dense(2, **options)])
        model.compile("sgd", "mse", run_eagerly=run_eagerly)
        model.set_weights(start)
        for _ in range(steps_before):
            model.train_on_batch(x, x)
        model.set_weights(start)
        if change_layer is not None:
            change_layer(model.layers[0])
        return [np.ravel(model.train_on_batch(x, x))[0], *model.get_weights()]

    expected, after_steps = result(True, 0), result(False, 3)
    for one, two in zip(expected, after_steps, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5)


def test_training_steps_notice_what_a_user_changes():
    class Scaled(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1, kernel_initializer="ones")
            self.factor = 1.0

        def call(self, x):
            return self.dense(x) * self.factor

    model, x = Scaled(), np.ones((4, 2), np.float32)
    for _ in range(3):
        assert model.predict(x, verbose=0)[0, 0] == 2.0
    model.factor = 10.0
    assert model.predict(x, verbose=0)[0, 0] == 20.0


def test_a_step_whose_layers_do_not_change_is_recorded_once():
    model, x = keras.Sequential([layers.Input((2,)), layers.Dense(1, kernel_regularizer="l2")]), np.ones((4, 2))
    model.compile("sgd", "mse")
    for _ in range(4):
        model.train_on_batch(x, np.ones((4, 1)))
        keras.regularizers.L2(0.5)
        layers.Dense(2, "relu")
    assert "1 trace, 1 program" in str(model.make_train_function().report())


def test_calls_that_set_flags_to_the_same_have_no_settings_compared_again():
    model = tf.keras.Sequential([tf.keras.Input((3,)), tf.keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((4, 3), np.float32)
    calls = [lambda: model.predict(x, verbose=0), lambda: model.evaluate(x, x[:, :1], verbose=0)]
    for call in calls:
        call()
    before = python_state_version.change_count[0]
    for call in calls:
        call()
    assert python_state_version.change_count[0] == before


@pytest.mark.parametrize(
    ("name", "missing"), [("AveragePooling2D", "pool_size"), ("Conv1D", "kernel_size"), ("Dense", "units")]
)
def test_errors_about_arguments_name_the_class(name, missing):
    with pytest.raises(TypeError, match=rf"^{name}\.__init__\(\) missing.*'{missing}'"):
        getattr(tf.keras.layers, name)(*[3] * (missing == "kernel_size"))


def test_no_built_in_layer_has_a_private_constructor():
    layers = [value for value in vars(tf.keras.layers).values() if isinstance(value, type)]
    assert len(layers) > 100
    assert not [layer for layer in layers if layer.__init__.__qualname__.startswith("_")]


class TestRuleOfShapes:
    """``compute_output_shape`` of a user's class, which symbolic calls ask."""

    def test_of_several_arguments(self):
        class Cross(layers.Layer):
            asked = ()

            def build(self, a_shape, b_shape=None):
                self.scale = self.add_weight(shape=(a_shape[-1],), initializer="ones")

            def compute_output_shape(self, a_shape, b_shape=None):
                self.asked = (*self.asked, (a_shape, b_shape))
                return (a_shape[0], None)

            def call(self, a, b=None):
                return a * self.scale

        layer, a, b = Cross(), keras.Input((2,)), keras.Input((3,))
        layer.build((None, 2))
        for args, options, shapes in [
            ((a, b), {}, ((None, 2), (None, 3))),
            ((a,), {"b": b}, ((None, 2), (None, 3))),
            ((), {"a": a, "b": b}, ((None, 2), (None, 3))),
            ((a,), {"b": 1.0}, ((None, 2), None)),
        ]:
            layer.asked = ()
            assert layer(*args, **options).shape == (None, None)
            assert layer.asked == (shapes,)

    def test_of_a_list_and_a_dict(self):
        class First(layers.Layer):
            def compute_output_shape(self, input_shape):
                self.asked = input_shape
                return {"out": next(iter(input_shape.values())) if isinstance(input_shape, dict) else input_shape[0]}

            def call(self, inputs):
                return {"out": next(iter(inputs.values())) if isinstance(inputs, dict) else inputs[0]}

        a, b = keras.Input((2,)), keras.Input((3,))
        layer = First()
        assert layer([a, b])["out"].shape == (None, 2)
        assert layer.asked == [(None, 2), (None, 3)]
        assert layer({"x": b, "y": a})["out"].shape == (None, 3)
        assert layer.asked == {"x": (None, 3), "y": (None, 2)}
        model = keras.Model([a, b], layer([a, b])["out"])
        np.testing.assert_array_equal(model([np.ones((1, 2)), np.zeros((1, 3))]), [[1.0, 1.0]])

    def test_a_rule_that_does_not_know_an_argument_is_left_out(self):
        class Sum(layers.Layer):
            def compute_output_shape(self, a_shape, other_shape=None):
                raise AssertionError

            def call(self, a, b):
                return a + b

        assert Sum()(keras.Input((2,)), keras.Input((2,))).shape == (None, 2)


class TestOverriddenProperties:
    def test_trainable(self):
        class Frozen(layers.Layer):
            frozen = True

            @property
            def trainable(self):
                return not self.frozen

            @trainable.setter
            def trainable(self, value):
                self.frozen = not value

            def build(self, input_shape):
                self.scale = self.add_weight(shape=(), initializer="ones")
                self.shift = keras.Variable(0.0)

            def call(self, x):
                return x * self.scale + self.shift

        layer = Frozen()
        layer.frozen = True
        layer.build((None, 2))
        assert (len(layer.trainable_weights), len(layer.non_trainable_weights)) == (0, 2)
        assert not layer.scale.trainable
        assert layer.get_config()["trainable"] is False
        layer.frozen = False
        assert layer.trainable_weights == [layer.shift]

    @pytest.mark.parametrize("is_property", [False, True])
    def test_input_spec(self, is_property):
        spec = keras.InputSpec(ndim=3)

        class Checked(layers.Layer):
            input_spec = property(lambda self: spec) if is_property else spec

            def call(self, x):
                return x

        layer = Checked()
        assert layer(np.ones((1, 2, 3))).shape == (1, 2, 3)
        for call in (
            lambda: layer(np.ones((1, 2))),
            lambda: layer(keras.Input((2,))),
            lambda: keras.Sequential([keras.Input((2,)), Checked()]),
        ):
            with pytest.raises(ValueError, match="ndim=3"):
                call()


class _Scale(tf.keras.layers.Layer):
    def build(self, input_shape):
        self.scale = self.add_weight(shape=input_shape[-1:], initializer="ones")

    def call(self, x):
        return x * self.scale


class _HalfScale(_Scale):
    compute_dtype = property(lambda self: "float16")


class _HalfDense(tf.keras.layers.Dense):
    @property
    def compute_dtype(self):
        return "float16"


@pytest.mark.parametrize("make", [_HalfScale, lambda: _HalfDense(2)])
def test_an_overridden_compute_dtype_is_that_of_inputs_and_of_reads_of_weights(make):
    layer = make()
    for x in (np.ones((3, 2), np.float32), tf.ones((3, 2)), tf.ones((3, 2))):
        assert layer(x).dtype == tf.float16
    assert layer.weights[0].dtype == "float32"
    assert make()(tf.keras.Input((2,))).dtype == "float16"


def test_an_overridden_variable_dtype_is_that_of_new_weights():
    class Wide(_Scale):
        @property
        def variable_dtype(self):
            return "float64"

    layer = Wide()
    assert layer(np.ones((3, 2), np.float32)).dtype == tf.float32
    assert (layer.weights[0].dtype, layer.dtype) == ("float64", "float64")


def test_a_build_may_call_the_layer_after_that_of_the_base_class():
    """As in Keras, whose ``Layer.build`` marks the layer as built."""

    class Adapter(tf.keras.layers.Layer):
        built_for = ()

        def build(self, input_shape):
            super().build(input_shape)
            self.built_for += (tuple(input_shape),)
            self(tf.zeros(input_shape))

        def call(self, inputs):
            return inputs + 1.0

    layer = Adapter()
    assert layer(tf.ones([2])).numpy().tolist() == [2.0, 2.0]
    assert layer.built_for == ((2,),)


class _RawVariables(layers.Layer):
    def __init__(self):
        super().__init__()
        self.scale, self.count = tf.Variable(1.0), tf.Variable(0.0, trainable=False)
        self.parts = [tf.Variable(2.0)]

    def call(self, inputs):
        return inputs * self.scale * self.parts[0] + self.count


def test_each_class_with_a_raw_variable_that_is_trained_warns_once():
    model = tf.keras.Sequential([tf.keras.Input((1,)), _RawVariables(), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="fastgrad trains 'scale', 'parts/0'. Keras 3 trains no tf.Variable") as warned:
        model.fit(np.ones((4, 1)), np.zeros((4, 1)), verbose=0)
    assert [warning.filename for warning in warned] == [__file__]
    assert len(_RawVariables().trainable_variables) == 2
