"""Models and weights in files."""

import json
import os
import zipfile

import numpy as np
import pytest
import safetensors.numpy

import fastgrad as tf
from fastgrad import keras
from fastgrad._src.files.formats.tensor_file import save_tensors

layers = keras.layers
ENDINGS = [".safetensors", ".npz"]


@keras.saving.register_keras_serializable(package="tests")
class Scale(layers.Layer):
    """A program's own layer."""

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape):
        self.shift = self.add_weight(shape=(input_shape[-1],), initializer="random_normal", name="shift")

    def call(self, inputs):
        return inputs * self.factor + self.shift

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@keras.saving.register_keras_serializable(package="tests")
def doubled(x):
    return 2.0 * x


class Net(keras.Model):
    """A program's own model, not registered."""

    def __init__(self, units=3):
        super().__init__()
        self.blocks = [layers.Dense(units, doubled), Scale(2.0)]
        self.heads = {"a": layers.Dense(1), "b": layers.Dense(2)}
        self.bias = tf.Variable([1.0])

    def call(self, inputs):
        for block in self.blocks:
            inputs = block(inputs)
        return self.heads["a"](inputs) + tf.reduce_sum(self.heads["b"](inputs), 1, keepdims=True) + self.bias


X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


def small(units=3):
    model = keras.Sequential([layers.Dense(units, "relu"), layers.Dropout(0.5), Scale(3.0), layers.Dense(2)])
    model(X)
    return model


def same(model, other):
    return all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights(), strict=True))


@pytest.mark.parametrize("ending", ENDINGS)
class TestWeights:
    def test_come_back(self, tmp_path, ending):
        model, twin = small(), small()
        model.save_weights(tmp_path / f"w{ending}")
        assert not same(model, twin)
        twin.load_weights(tmp_path / f"w{ending}")
        assert same(model, twin)
        np.testing.assert_array_equal(model(X), twin(X))
        assert os.listdir(tmp_path) == [f"w{ending}"]

    def test_names_do_not_depend_on_what_was_made_before(self, tmp_path, ending):
        small().save_weights(str(tmp_path / f"w{ending}"))
        reader = safetensors.numpy.load_file if ending == ".safetensors" else np.load
        assert {name for name in reader(tmp_path / f"w{ending}") if name != "__metadata__"} == {
            "layers/dense/kernel",
            "layers/dense/bias",
            "layers/scale/shift",
            "layers/dense_1/kernel",
            "layers/dense_1/bias",
        }

    def test_of_a_subclass(self, tmp_path, ending):
        model, twin = Net(), Net()
        model(X)
        twin(X)
        model.save_weights(tmp_path / f"w{ending}")
        twin.load_weights(tmp_path / f"w{ending}")
        assert same(model, twin)

    def test_of_any_dtype(self, tmp_path, ending):
        class Many(layers.Layer):
            def build(self, input_shape):
                for dtype in ("float16", "bfloat16", "float64", "int8", "int64", "uint16", "bool"):
                    self.add_weight(shape=(3,), dtype=dtype, initializer="ones", trainable=False, name=dtype)
                self.add_weight(shape=(0, 2), name="empty")
                self.add_weight(shape=(), name="scalar")

        layer, twin = Many(), Many()
        layer.build(None)
        twin.build(None)
        twin.set_weights([0 * w for w in twin.get_weights()])
        keras.saving.save_weights(layer, tmp_path / f"w{ending}")
        keras.saving.load_weights(twin, tmp_path / f"w{ending}")
        assert same(layer, twin)
        assert [w.dtype for w in twin.weights] == [w.dtype for w in layer.weights]

    def test_before_build(self, tmp_path, ending):
        with pytest.raises(ValueError, match="isn't built|has not yet been built"):
            keras.Sequential([layers.Dense(1)]).save_weights(tmp_path / f"w{ending}")
        small().save_weights(tmp_path / f"w{ending}")
        with pytest.raises(ValueError, match="isn't built|has not yet been built"):
            keras.Sequential([layers.Dense(1)]).load_weights(tmp_path / f"w{ending}")

    @pytest.mark.parametrize(
        "change",
        [
            lambda values: values.pop("layers/dense/bias"),
            lambda values: values.update(extra=np.ones(2, np.float32)),
            lambda values: values.update({"layers/dense_1/bias": np.ones(3, np.float32)}),
            lambda values: values.update({"layers/dense_1/bias": np.ones(2, np.float64)}),
            lambda values: values.update({"layers/dense_1/bias": np.ones((1, 2), np.float32)}),
        ],
        ids=["missing", "extra", "shape", "dtype", "rank"],
    )
    def test_that_do_not_fit_change_nothing(self, tmp_path, ending, change):
        model, path = small(), tmp_path / f"w{ending}"
        values = {
            name: np.zeros_like(value)
            for name, value in zip(
                [
                    "layers/dense/kernel",
                    "layers/dense/bias",
                    "layers/scale/shift",
                    "layers/dense_1/kernel",
                    "layers/dense_1/bias",
                ],
                model.get_weights(),
                strict=True,
            )
        }
        change(values)
        safetensors.numpy.save_file(values, path) if ending == ".safetensors" else np.savez(path, **values)
        before = model.get_weights()
        with pytest.raises(ValueError, match=r"(?i)nothing has been changed"):
            model.load_weights(path)
        for a, b in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)

    def test_skip_mismatch(self, tmp_path, ending):
        model, other = small(), small(units=5)
        model.save_weights(tmp_path / f"w{ending}")
        before = other.get_weights()
        with pytest.warns(UserWarning, match="layers/dense/kernel"):
            other.load_weights(tmp_path / f"w{ending}", skip_mismatch=True)
        np.testing.assert_array_equal(other.get_weights()[-1], model.get_weights()[-1])
        np.testing.assert_array_equal(other.get_weights()[0], before[0])

    def test_overwrite(self, tmp_path, ending):
        model, path = small(), tmp_path / f"w{ending}"
        model.save_weights(path)
        model.save_weights(path)
        with pytest.raises(FileExistsError):
            model.save_weights(path, overwrite=False)

    def test_of_another_writer(self, tmp_path, ending):
        """Files without our metadata are files, too."""
        model, path = small(), tmp_path / f"w{ending}"
        names = [
            "layers/dense/kernel",
            "layers/dense/bias",
            "layers/scale/shift",
            "layers/dense_1/kernel",
            "layers/dense_1/bias",
        ]
        values = {name: np.full_like(value, 2.0) for name, value in zip(names, model.get_weights(), strict=True)}
        safetensors.numpy.save_file(values, path) if ending == ".safetensors" else np.savez_compressed(path, **values)
        model.load_weights(path)
        assert all((w == 2.0).all() for w in model.get_weights())


@pytest.mark.parametrize("name", ["w", "w.weights", "w.safetensors.bak", "w.NPZ"])
def test_other_endings_are_refused(tmp_path, name):
    model = small()
    for action in (model.save_weights, model.load_weights, model.save, keras.models.load_model):
        with pytest.raises(ValueError, match=r"\.safetensors or \.npz"):
            action(tmp_path / name)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("ending", ENDINGS)
def test_one_format_under_the_others_ending_is_refused(tmp_path, ending):
    model = small()
    model.save_weights(tmp_path / f"w{ending}")
    other = tmp_path / f"w{ENDINGS[1 - ENDINGS.index(ending)]}"
    os.rename(tmp_path / f"w{ending}", other)
    before = model.get_weights()
    with pytest.raises(ValueError, match="no intact"):
        model.load_weights(other)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("ending", ENDINGS)
class TestModels:
    def test_a_sequential_comes_back_whole(self, tmp_path, ending):
        model = small()
        keras.models.save_model(model, tmp_path / f"m{ending}")
        twin = keras.models.load_model(tmp_path / f"m{ending}")
        assert isinstance(twin, keras.Sequential)
        assert same(model, twin)
        np.testing.assert_array_equal(model(X), twin(X))
        assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]
        assert twin.layers[0].get_config() == model.layers[0].get_config()

    def test_a_subclass_by_custom_objects(self, tmp_path, ending):
        model = Net()
        y = model(X)
        model.save(tmp_path / f"m{ending}")
        with pytest.raises(TypeError, match="Could not locate class 'Net'"):
            keras.models.load_model(tmp_path / f"m{ending}")
        twin = keras.models.load_model(tmp_path / f"m{ending}", custom_objects={"Net": Net})
        np.testing.assert_array_equal(twin(X), y)
        with keras.saving.custom_object_scope({"Net": Net}):
            assert isinstance(keras.models.load_model(tmp_path / f"m{ending}"), Net)

    def test_frozen_layers_stay_frozen(self, tmp_path, ending):
        model = small()
        model.layers[0].trainable = False
        model.save(tmp_path / f"m{ending}")
        twin = keras.models.load_model(tmp_path / f"m{ending}")
        assert len(twin.trainable_variables) == len(model.trainable_variables) == 3

    def test_weights_of_a_model_file_can_be_loaded_alone(self, tmp_path, ending):
        model, twin = small(), small()
        model.save(tmp_path / f"m{ending}")
        twin.load_weights(tmp_path / f"m{ending}")
        assert same(model, twin)

    def test_a_weights_file_is_no_model(self, tmp_path, ending):
        small().save_weights(tmp_path / f"w{ending}")
        with pytest.raises(ValueError, match="holds weights but no model"):
            keras.models.load_model(tmp_path / f"w{ending}")

    def test_missing_files(self, tmp_path, ending):
        with pytest.raises(FileNotFoundError):
            keras.models.load_model(tmp_path / f"m{ending}")
        with pytest.raises(OSError, match="missing"):
            small().save(tmp_path / "missing" / f"m{ending}")


def test_a_configuration_runs_no_code(tmp_path):
    path = tmp_path / "m.npz"
    evil = {"module": "os", "class_name": "system", "config": {"command": "true"}, "registered_name": None}
    for config in (
        evil,
        {**evil, "module": "keras.os"},
        {**evil, "module": "keras.layers", "class_name": "_Any"},
        {**evil, "module": "keras.saving", "class_name": "load_model"},
    ):
        save_tensors(path, {}, {"fastgrad.model": json.dumps(config)})
        with pytest.raises(TypeError, match="Could not locate class"):
            keras.models.load_model(path)


def test_pickles_are_never_loaded(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    np.savez(tmp_path / "w.npz", kernel=np.array([Bomb()], object))
    with pytest.raises(ValueError, match="pickled objects are never loaded"):
        small().load_weights(tmp_path / "w.npz")
    assert not (tmp_path / "exploded").exists()


def test_json_round_trip():
    model = small()
    twin = keras.models.model_from_json(model.to_json())
    assert [w.shape for w in twin.weights] == [w.shape for w in model.weights]
    assert json.loads(model.to_json(indent=1))["class_name"] == "Sequential"


def test_npz_is_a_plain_archive(tmp_path):
    small().save_weights(tmp_path / "w.npz")
    assert zipfile.ZipFile(tmp_path / "w.npz").testzip() is None
    assert np.load(tmp_path / "w.npz")["layers/dense/kernel"].shape == (4, 3)


def with_shared(nested_and_outside):
    shared = layers.Dense(3, name="shared")
    one = keras.Sequential([keras.Input((3,)), shared], name="one")
    two = keras.Sequential([keras.Input((3,)), shared, layers.Dense(3)], name="two")
    x = keras.Input((3,))
    ends = [one(x), two(x), *([shared(x)] if nested_and_outside else [])]
    return keras.Model(x, layers.Add()(ends))


@pytest.mark.parametrize("nested_and_outside", [False, True])
@pytest.mark.parametrize("ending", [".keras", ".npz"])
def test_layers_shared_between_models_inside_stay_one(tmp_path, ending, nested_and_outside):
    if ending == ".keras":
        pytest.importorskip("h5py")
    model = with_shared(nested_and_outside)
    path = tmp_path / f"model{ending}"
    model.save(path)
    again = keras.models.load_model(path)
    assert len(again.weights) == len(model.weights) == 4
    assert again.get_layer("one").layers[0] is again.get_layer("two").layers[0]
    x = np.eye(3, dtype=np.float32)
    np.testing.assert_array_equal(again(x), model(x))
    text = model.to_json()
    assert text.count("shared_object_id") == 2 + nested_and_outside
    assert len(keras.models.model_from_json(text).weights) == 4
    assert "shared_object_id" not in keras.Sequential([layers.Dense(1), layers.Dense(1)]).to_json()
    # Keras numbers only the second of two places inside models.
    first = text.index(', "shared_object_id"')
    lost = text[:first] + text[text.index("}", first) :]
    assert len(keras.models.model_from_json(lost).weights) == 4


def test_a_folder_in_place_of_a_file_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="folders are not written"):
        model.save(tmp_path / "model.keras", zipped=False)
    assert not list(tmp_path.iterdir())
    model.save(tmp_path / "model.keras", zipped=True)


def test_the_optimizers_of_a_model_and_of_a_model_in_it_are_loaded_each_by_itself(tmp_path):
    x, y = np.ones((8, 3), np.float32), np.ones((8, 2), np.float32)
    inner = tf.keras.Sequential([tf.keras.Input((3,)), tf.keras.layers.Dense(2)])
    inner.compile("adam", "mse")
    inner.fit(x, y, epochs=3, verbose=0)
    outer = tf.keras.Sequential([tf.keras.Input((3,)), inner])
    outer.compile("adam", "mse")
    path = str(tmp_path / "outer.keras")
    outer.save(path)
    with pytest.warns(UserWarning, match=r"The state of the optimizer in .* is left out: it is 2 values"):
        loaded = tf.keras.models.load_model(path)
    assert int(loaded.layers[0].optimizer.iterations) == 3
    for ours, theirs in zip(loaded.layers[0].optimizer.variables, inner.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    outer.fit(x, y, epochs=2, verbose=0)
    outer.save(path)
    loaded = tf.keras.models.load_model(path)
    assert (int(loaded.layers[0].optimizer.iterations), int(loaded.optimizer.iterations)) == (3, 2)


@pytest.mark.parametrize("ending", ["safetensors", "npz", "keras"])
def test_optimizers_of_models_within_are_restored(tmp_path, ending):
    def compiled(*layers):
        model = tf.keras.Sequential([tf.keras.Input((3,)), *layers])
        model.compile("adam", "mse")
        model.fit(x, np.zeros((4, *model.output_shape[1:])), verbose=0)
        return model

    x = np.ones((4, 3))
    deepest = compiled(tf.keras.layers.Dense(3))
    inner = compiled(deepest, tf.keras.layers.Dense(2))
    model = compiled(inner, tf.keras.layers.Dense(1))
    deepest.fit(x, x, epochs=2, verbose=0)
    model.save(tmp_path / f"m.{ending}")
    loaded = tf.keras.models.load_model(tmp_path / f"m.{ending}")
    pairs = [(model, loaded), (inner, loaded.layers[0]), (deepest, loaded.layers[0].layers[0])]
    assert [int(one.optimizer.iterations) for _, one in pairs] == [1, 1, 3]
    for one, other in pairs:
        for variable, copied in zip(one.optimizer.variables, other.optimizer.variables, strict=True):
            np.testing.assert_array_equal(variable, copied)
    plain = tf.keras.models.load_model(tmp_path / f"m.{ending}", compile=False)
    np.testing.assert_array_equal(plain(x), model(x))
