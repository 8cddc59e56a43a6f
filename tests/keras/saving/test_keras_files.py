"""Keras's own files, both ways: what Keras wrote is read here, and with ``make conformance`` Keras reads ours."""

import json
import os
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from tests.keras.saving import models_of_both as both

h5py = pytest.importorskip("h5py")

REFEREE = os.environ.get("FASTGRAD_REFEREE_PYTHON", "")
layers = keras.layers
NAMES = list(both.MODELS)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    with zipfile.ZipFile(Path(__file__).with_name("recorded_files.zip")) as archive:
        archive.extractall(folder)
    return folder


def check(found, expected):
    np.testing.assert_allclose(found["outputs"], expected["outputs"], rtol=1e-5, atol=1e-6)
    assert len(found["optimizer"]) == len(expected["optimizer"])
    for one, other in zip(found["optimizer"], expected["optimizer"], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)
    assert found["loss"].keys() == expected["loss"].keys()
    for name, value in expected["loss"].items():
        assert found["loss"][name] == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_what_keras_wrote_is_read(recorded, name):
    expected = json.loads((recorded / "facts.json").read_text())[name]
    check(both.facts(both.loaded(keras, recorded, name), name), expected)


@pytest.mark.parametrize("name", NAMES)
def test_there_and_back(tmp_path, name):
    model = both.MODELS[name](keras)
    (model.save_weights if name == "subclass" else model.save)(both.file_of(tmp_path, name))
    expected = both.facts(model, name)
    assert both.facts(both.loaded(keras, tmp_path, name), name) == expected


@pytest.mark.skipif(not REFEREE, reason="asks real Keras: make conformance")
def test_keras_reads_what_is_written_here(tmp_path):
    expected = {}
    for name, make in both.MODELS.items():
        model = make(keras)
        (model.save_weights if name == "subclass" else model.save)(both.file_of(tmp_path, name))
        expected[name] = both.facts(model, name)
    command = [REFEREE, both.__file__, "read", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    found = json.loads((tmp_path / "facts.json").read_text())
    for name in NAMES:
        check(found[name], expected[name])


@pytest.mark.skipif(not REFEREE, reason="asks real Keras: make conformance")
def test_what_keras_writes_today_is_read(tmp_path):
    command = [REFEREE, both.__file__, "write", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    expected = json.loads((tmp_path / "facts.json").read_text())
    for name in NAMES:
        check(both.facts(both.loaded(keras, tmp_path, name), name), expected[name])


def test_training_goes_on_from_what_keras_wrote(recorded, tmp_path):
    model = both.loaded(keras, recorded, "compiled")
    assert isinstance(model.optimizer, keras.optimizers.AdamW)
    assert int(model.optimizer.iterations) == 2
    assert model.optimizer.get_config()["learning_rate"]["class_name"] == "ExponentialDecay"
    model.train_on_batch(both.X, both.LABELS)
    assert int(model.optimizer.iterations) == 3
    uncompiled = keras.models.load_model(both.file_of(recorded, "compiled"), compile=False)
    assert not uncompiled.compiled


def test_weights_of_a_model_file_alone(recorded):
    model = keras.models.clone_model(both.loaded(keras, recorded, "recurrent"))
    model.load_weights(both.file_of(recorded, "recurrent"))
    expected = json.loads((recorded / "facts.json").read_text())["recurrent"]["outputs"]
    np.testing.assert_allclose(model(both.X).numpy(), expected, rtol=1e-5, atol=1e-6)


def small(path=None):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(3), layers.Dense(1)])
    if path is not None:
        model.save_weights(path)
    return model


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_other_floats(tmp_path, dtype):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(3, dtype=dtype)])
    twin = keras.Sequential([keras.Input((2,)), layers.Dense(3, dtype=dtype)])
    model.save_weights(tmp_path / "w.weights.h5")
    twin.load_weights(tmp_path / "w.weights.h5")
    np.testing.assert_array_equal(twin.get_weights()[0], model.get_weights()[0])


def test_all_that_does_not_fit_is_said_at_once_and_nothing_changes(tmp_path):
    path = tmp_path / "w.weights.h5"
    small(path)
    with h5py.File(path, "a") as file:
        del file["layers/dense/vars/1"], file.attrs["fastgrad_crc32"]
        file["layers/dense/vars/2"] = np.ones(3, np.float32)
        del file["layers/dense_1/vars/0"]
        file["layers/dense_1/vars/0"] = np.ones((4, 1), np.float32)
        del file["layers/dense_1/vars/1"]
        file["layers/dense_1/vars/1"] = np.ones(7, np.float32)
    model = small()
    before = model.get_weights()
    with pytest.raises(ValueError, match="Nothing has been changed") as caught:
        model.load_weights(path)
    for part in ("dense/vars/1", "dense/vars/2", "dense_1/vars/0", r"(4, 1)", "dense_1/vars/1", "(7,)"):
        assert part in str(caught.value)
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def bombs(path):
    """Files that would read other files, take much memory, or never end."""
    secret = path.with_name("secret.h5")
    with h5py.File(secret, "w") as file:
        file["x"] = np.ones((2, 3), np.float32)

    def external_link(file):
        file["layers/dense/vars/0"] = h5py.ExternalLink(str(secret), "x")

    def soft_link(file):
        file["layers/dense/vars/0"] = h5py.SoftLink("/layers/dense/vars/1")

    def virtual(file):
        layout = h5py.VirtualLayout((2, 3), np.float32)
        layout[:] = h5py.VirtualSource(str(secret), "x", (2, 3))
        file.create_virtual_dataset("layers/dense/vars/0", layout)

    def external_storage(file):
        file.create_dataset("layers/dense/vars/0", (2, 3), np.float32, external=[(str(secret), 0, 24)])

    def unwritten(file):
        file.create_dataset("layers/dense/vars/0", (1 << 40,), np.float32, chunks=(1 << 20,))

    def cycle(file):
        file["layers/dense/again"] = file["layers"]

    def text(file):
        file["layers/dense/vars/0"] = "import os"

    return [external_link, soft_link, virtual, external_storage, unwritten, cycle, text]


@pytest.mark.parametrize("number", range(7))
def test_files_that_reach_outside_are_refused(tmp_path, number):
    path = tmp_path / "w.weights.h5"
    small(path)
    with h5py.File(path, "a") as file:
        del file["layers/dense/vars/0"]
        bombs(path)[number](file)
    with pytest.raises(ValueError, match="no intact HDF5"):
        small().load_weights(path)


@pytest.mark.parametrize("ending", [".keras", ".weights.h5"])
def test_damaged_files_are_refused_and_old_ones_stay(tmp_path, ending):
    path = tmp_path / f"m{ending}"
    model = small()
    save = model.save if ending == ".keras" else model.save_weights
    save(path)
    with pytest.raises(FileExistsError):
        save(path, overwrite=False)
    assert os.listdir(tmp_path) == [path.name]
    whole = path.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="no intact"):
            small().load_weights(path)


@keras.saving.register_keras_serializable(package="tests")
class Unbuilt(keras.Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.dense = layers.Dense(2)

    def call(self, inputs):
        return self.dense(inputs)


@pytest.mark.parametrize("ending", [".keras", ".h5", ".safetensors"])
@pytest.mark.parametrize("make", [Unbuilt, lambda: keras.Sequential([layers.Dense(2)])], ids=["subclass", "Sequential"])
@pytest.mark.parametrize("compiled", [False, True])
def test_models_that_are_not_built(tmp_path, ending, make, compiled):
    model = make()
    if compiled:
        model.compile("adam", "mean_squared_error")
        model.optimizer.learning_rate = 0.25
    model.save(tmp_path / f"m{ending}")
    again = keras.models.load_model(tmp_path / f"m{ending}")
    assert (again.built, again.compiled) == (False, compiled)
    if compiled:
        assert float(again.optimizer.learning_rate) == 0.25
    assert again(np.ones((1, 3))).shape == (1, 2)
    if ending == ".keras":
        with pytest.raises(ValueError, match="has not yet been built"):
            model.save_weights(tmp_path / "w.weights.h5")


class PlainSubclass(keras.Model):
    """A class with the constructor of functional models."""


@pytest.mark.parametrize("ending", [".keras", ".h5", ".safetensors"])
def test_functional_models_of_a_plain_subclass(tmp_path, ending):
    inputs = keras.Input((2,))
    model = PlainSubclass(inputs, layers.Dense(1)(inputs))
    model.save(tmp_path / f"m{ending}")
    again = keras.models.load_model(tmp_path / f"m{ending}", {"PlainSubclass": PlainSubclass})
    assert type(again) is type(keras.models.clone_model(model)) is PlainSubclass
    np.testing.assert_array_equal(again(np.ones((1, 2))), model(np.ones((1, 2))))


FLOATS = ["bfloat16", "float16", "float32", "float64"]


@pytest.mark.parametrize("target", FLOATS)
@pytest.mark.parametrize("source", FLOATS)
@pytest.mark.parametrize("ending", [".keras", ".weights.h5"])
def test_weights_of_one_float_type_go_into_another(tmp_path, ending, source, target):
    def make(dtype):
        return keras.Sequential([keras.Input((2,)), layers.Dense(2, dtype=dtype)])

    model, again = make(source), make(target)
    model.save(tmp_path / "m.keras") if ending == ".keras" else model.save_weights(tmp_path / "m.weights.h5")
    again.load_weights(tmp_path / f"m{ending}")
    assert again.layers[0].kernel.dtype == target
    np.testing.assert_allclose(np.float64(again.get_weights()[0]), np.float64(model.get_weights()[0]), rtol=0.01)


def test_a_missing_file(tmp_path):
    with pytest.raises(ValueError, match="File not found: filepath="):
        keras.models.load_model(tmp_path / "none.keras")


@pytest.mark.parametrize("ending", [".weights.h5", ".h5"])
def test_changed_values_and_texts_are_noticed(tmp_path, ending):
    """Keras's files have no checksum, ours do."""
    import h5py

    path = tmp_path / f"m{ending}"
    model = small()
    model.save_weights(path) if ending == ".weights.h5" else model.save(path)
    whole = path.read_bytes()
    value = model.get_weights()[0].tobytes()
    place = whole.index(value)
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with pytest.raises(ValueError, match="the checksum of its arrays is not that of its contents"):
        small().load_weights(path)
    path.write_bytes(whole)
    with h5py.File(path, "a") as file:
        file.attrs["other"] = "text"
    if ending == ".h5":
        with pytest.raises(ValueError, match="the checksum of its texts"):
            keras.models.load_model(path)
    with h5py.File(path, "a") as file:
        del file.attrs["fastgrad_crc32"]
    again = small()
    again.load_weights(path)
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])


def test_nothing_is_run(tmp_path):
    """A configuration names classes of Keras's or the program's own, and never Python code."""
    path = tmp_path / "m.keras"
    small().save(path)
    code = {"class_name": "__lambda__", "config": {"value": "4wEAAAA=", "defaults": None, "closure": None}}
    function = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}
    for evil in (code, function, {"module": "os", "class_name": "system", "config": {}}):
        with zipfile.ZipFile(path) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        config = json.loads(parts["config.json"])
        config["config"]["layers"][1]["config"]["activation"] = evil
        with zipfile.ZipFile(tmp_path / "evil.keras", "w") as archive:
            for name, contents in {**parts, "config.json": json.dumps(config)}.items():
                archive.writestr(name, contents)
        with pytest.raises((TypeError, ValueError), match=r"Could not locate|lambda"):
            keras.models.load_model(tmp_path / "evil.keras")


def test_without_h5py_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(ImportError, match="pip install"):
        small().save(tmp_path / "m.keras")
    for name in ("m.keras", "m.h5"):  # before training, not after its first epoch
        with pytest.raises(ImportError, match="pip install h5py"):
            keras.callbacks.ModelCheckpoint(tmp_path / name)
    assert os.listdir(tmp_path) == []


class TestCompiled:
    """What a model is compiled with is saved in our own formats, too."""

    @pytest.mark.parametrize("ending", [".keras", ".safetensors", ".npz"])
    def test_training_goes_on(self, tmp_path, ending):
        model = both.compiled(keras)
        model.save(tmp_path / f"m{ending}")
        twin = keras.models.load_model(tmp_path / f"m{ending}")
        for _ in range(3):
            tf.random.set_seed(1)
            expected = model.train_on_batch(both.X, both.LABELS)
            tf.random.set_seed(1)
            assert twin.train_on_batch(both.X, both.LABELS) == pytest.approx(expected, rel=1e-5)
        for one, other in zip(twin.optimizer.variables, model.optimizer.variables, strict=True):
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-5, atol=1e-8)

    @pytest.mark.parametrize("ending", [".weights.h5", ".safetensors", ".npz"])
    def test_weights_carry_the_optimizers_state(self, tmp_path, ending):
        model, twin = both.compiled(keras), both.compiled(keras)
        model.save_weights(tmp_path / f"w{ending}")
        twin.load_weights(tmp_path / f"w{ending}")
        for one, other in zip(twin.optimizer.variables, model.optimizer.variables, strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy())
        twin.compile("sgd", "mse")
        with pytest.warns(UserWarning, match="state of the optimizer"):
            twin.load_weights(tmp_path / f"w{ending}")

    @pytest.mark.parametrize(
        "kind", ["Adadelta", "Adafactor", "Adagrad", "Adam", "Adamax", "Ftrl", "Lion", "Nadam", "RMSprop"]
    )
    def test_optimizers(self, tmp_path, kind):
        model = small()
        model.compile(
            getattr(keras.optimizers, kind)(), keras.losses.Huber(0.5), metrics=[keras.metrics.MeanSquaredError("m")]
        )
        model.train_on_batch(np.ones((2, 2)), np.ones((2, 1)))
        model.save(tmp_path / "m.keras")
        twin = keras.models.load_model(tmp_path / "m.keras")
        assert type(twin.optimizer) is type(model.optimizer)
        expected = model.train_on_batch(np.ones((2, 2)), np.ones((2, 1)), return_dict=True)
        assert twin.train_on_batch(np.ones((2, 2)), np.ones((2, 1)), return_dict=True) == pytest.approx(
            expected, rel=1e-5
        )
        assert set(expected) == {"loss", "m"}

    def test_optimizers_that_are_attributes(self, tmp_path):
        """As Keras, which visits them by their names, the inner one of another, too."""

        class Two(keras.Model):
            def __init__(self):
                super().__init__()
                self.dense = layers.Dense(2)
                self.other_optimizer = keras.optimizers.Adam()

            def call(self, x):
                return self.dense(x)

        model = Two()
        model(np.ones((1, 2)))
        model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(momentum=0.5)), "mse")
        model.other_optimizer.build(model.trainable_variables)
        model.save_weights(tmp_path / "w.weights.h5")
        with h5py.File(tmp_path / "w.weights.h5") as file:
            assert {"dense", "optimizer", "other_optimizer"} == set(file)
            assert len(file["other_optimizer/vars"]) == len(model.other_optimizer.variables)
            assert "inner_optimizer" in file["optimizer"]
        twin = Two()
        twin(np.ones((1, 2)))
        with pytest.warns(UserWarning, match="state of the optimizer"):
            twin.load_weights(tmp_path / "w.weights.h5")
        np.testing.assert_array_equal(twin.get_weights()[0], model.get_weights()[0])

    def test_a_loss_that_cannot_be_written_down_is_left_out(self, tmp_path):
        model, factor = small(), np.ones(2)
        model.compile("sgd", lambda y, p: (y - p) * factor)
        with pytest.warns(UserWarning, match="`compile` are not saved"):
            model.save(tmp_path / "m.keras")
        assert not keras.models.load_model(tmp_path / "m.keras").compiled

    def test_to_json(self):
        twin = keras.models.model_from_json(both.compiled(keras).to_json())
        assert isinstance(twin.optimizer, keras.optimizers.AdamW)


class TestOwnVariables:
    @keras.saving.register_keras_serializable("tests")
    class Table(keras.layers.Layer):
        """A layer with a weight, and an array that it saves itself."""

        def __init__(self, **options):
            super().__init__(**options)
            self.dense = keras.layers.Dense(1)
            self.table = np.zeros(2)

        def build(self, input_shape):
            self.scale = self.add_weight(shape=(2,), initializer="ones", name="scale")
            self.dense.build(input_shape)

        def call(self, x):
            return self.dense(x * self.scale)

        def save_own_variables(self, store):
            store["table"] = self.table
            store["scale"] = self.scale

        def load_own_variables(self, store):
            self.table = np.array(store["table"])
            self.scale.assign(store["scale"])

    def model(self):
        return keras.Sequential([keras.Input((2,)), self.Table(name="table"), keras.layers.Dense(1)])

    @pytest.mark.parametrize("ending", [".keras", ".weights.h5"])
    def test_a_layer_saves_and_loads_what_it_likes(self, tmp_path, ending):
        first, x = self.model(), np.ones((3, 2), np.float32)
        first.compile("adam", "mse")
        first.fit(x, x[:, :1], verbose=0)
        first.layers[0].table = np.array([3.0, 4.0])
        path = tmp_path / f"model{ending}"
        if ending == ".keras":
            first.save(path)
            second = keras.models.load_model(path)
        else:
            first.save_weights(path)
            second = self.model()
            second.load_weights(path)
        np.testing.assert_array_equal(second.layers[0].table, [3.0, 4.0])
        np.testing.assert_array_equal(second(x), first(x))

    @pytest.mark.parametrize("ending", [".keras", ".weights.h5"])
    def test_an_optimizer_saves_and_loads_what_it_likes(self, tmp_path, ending):
        @keras.saving.register_keras_serializable(package="tests")
        class Counting(keras.optimizers.Adam):
            count = 0

            def save_own_variables(self, store):
                super().save_own_variables(store)
                store["count"] = np.array(self.count)

            def load_own_variables(self, store):
                self.count = int(np.array(store["count"]))
                super().load_own_variables({name: store[name] for name in store.keys() - {"count"}})

        first, x = self.model(), np.ones((3, 2), np.float32)
        first.compile(Counting(), "mse")
        first.fit(x, x[:, :1], verbose=0)
        first.optimizer.count = 7
        path = tmp_path / f"model{ending}"
        if ending == ".keras":
            first.save(path)
            second = keras.models.load_model(path)
        else:
            first.save_weights(path)
            second = self.model()
            second.compile(Counting(), "mse")
            second.optimizer.build(second.trainable_variables)
            second.load_weights(path)
        assert (second.optimizer.count, int(second.optimizer.iterations)) == (7, 1)
        for value, expected in zip(second.optimizer.variables, first.optimizer.variables, strict=True):
            np.testing.assert_array_equal(value, expected)

    def test_a_file_without_an_optimizer_loads(self, tmp_path):
        class Refusing(keras.optimizers.SGD):
            def load_own_variables(self, store):
                raise AssertionError

        first, second = self.model(), self.model()
        first.save_weights(tmp_path / "model.weights.h5")
        second.compile(Refusing(), "mse")
        second.load_weights(tmp_path / "model.weights.h5")

    @pytest.mark.parametrize("ending", [".keras", ".safetensors", ".npz"])
    def test_files_beside_the_weights(self, tmp_path, ending):
        @keras.saving.register_keras_serializable(package="tests")
        class WithFiles(keras.layers.Layer):
            contents = None

            def call(self, x):
                return x

            def save_assets(self, folder):
                (Path(folder) / "inner").mkdir()
                (Path(folder) / "inner" / "data.bin").write_bytes(self.contents)

            def load_assets(self, folder):
                self.contents = (Path(folder) / "inner" / "data.bin").read_bytes()

        lookup = keras.layers.StringLookup(vocabulary=["a"])
        nested = keras.Sequential([WithFiles(name="one"), WithFiles(name="two")], name="nested")
        model = keras.Sequential([keras.Input((1,), dtype="string"), lookup, nested, keras.layers.Dense(1)])
        contents = [bytes(range(256)), "é".encode()]
        for layer, text in zip(nested.layers, contents, strict=True):
            layer.contents = text
        model.save(tmp_path / f"model{ending}")
        loaded = keras.models.load_model(tmp_path / f"model{ending}")
        assert [layer.contents for layer in loaded.layers[1].layers] == contents
        for layer in loaded.layers[1].layers:
            layer.contents = None
        loaded.load_weights(tmp_path / f"model{ending}")
        assert [layer.contents for layer in loaded.layers[1].layers] == contents

    def test_a_name_that_leads_out_of_the_folder(self, tmp_path):
        @keras.saving.register_keras_serializable(package="tests")
        class Reader(keras.layers.Layer):
            def load_assets(self, folder):
                raise AssertionError

        path = tmp_path / "model.keras"
        keras.Sequential([keras.Input((1,)), Reader()]).save(path)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("assets/../../stray", "x")
        with pytest.raises(ValueError, match="stray"):
            keras.models.load_model(path)

    def test_an_error_of_its_own_comes_out(self, tmp_path):
        class Refusing(self.Table):
            def save_own_variables(self, store):
                raise ValueError("not today")

        model = keras.Sequential([keras.Input((2,)), Refusing()])
        with pytest.raises(ValueError, match="not today"):
            model.save_weights(tmp_path / "model.weights.h5")
        assert not list(tmp_path.iterdir())

    def test_weights_by_position(self):
        layer = keras.layers.Dense(2)
        with pytest.raises(ValueError, match="expected 0 variables, but received 1.*never built"):
            layer.load_own_variables({"0": np.ones((3, 2))})
        layer.build((None, 3))
        store = {}
        layer.save_own_variables(store)
        np.testing.assert_array_equal(store["0"], layer.kernel)
        np.testing.assert_array_equal(store["1"], layer.bias)
        layer.load_own_variables({"0": np.ones((3, 2)), "1": np.ones(2)})
        for values in ({"0": np.zeros((3, 2))}, {"0": np.zeros((3, 2)), "1": np.zeros(3)}):
            with pytest.raises(ValueError, match="expected 2 variables|shape"):
                layer.load_own_variables(values)
        np.testing.assert_array_equal(layer.kernel, np.ones((3, 2)))
        np.testing.assert_array_equal(layer.bias, np.ones(2))
