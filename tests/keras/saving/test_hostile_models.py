"""Files of models that ask for what a file must not have."""

import json
import zipfile

import h5py
import numpy as np
import pytest

from fastgrad import keras
from fastgrad._src.files.formats.hdf5_file import read_attributes, read_hdf5
from fastgrad._src.files.formats.tensor_file import save_tensors

ENDINGS = [".keras", ".h5", ".safetensors"]


def with_configuration(path, change):
    """A file of a model whose configuration has been changed."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    config = json.loads(model.to_json())
    change(config)
    if path.suffix == ".safetensors":
        values = {f"layers/dense/{name}": np.zeros(shape) for name, shape in (("kernel", (3, 2)), ("bias", 2))}
        save_tensors(path, values, {"fastgrad.model": json.dumps(config)})
        return
    model.save(path)
    if path.suffix == ".h5":
        with h5py.File(path, "a") as file:
            del file.attrs["fastgrad_crc32"]
            file.attrs["model_config"] = json.dumps(config)
        return
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**parts, "config.json": json.dumps(config)}.items():
            archive.writestr(name, data)


def dense(config):
    return config["config"]["layers"][1]


def set_units(count):
    return lambda config: dense(config)["config"].update(units=count)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("units", [1 << 24, 1 << 50])
def test_weights_much_larger_than_the_file_are_not_made(tmp_path, ending, units):
    path = tmp_path / f"m{ending}"
    with_configuration(path, set_units(units))
    with pytest.raises(ValueError, match=r"asks for much larger weights than the file has.*'.*m\."):
        keras.models.load_model(path)


def test_weights_that_the_file_has_not_may_be_made_by_choice(tmp_path):
    path = tmp_path / "m.safetensors"
    with_configuration(path, set_units(1 << 22))
    with pytest.raises(ValueError, match="are not those of"):
        keras.models.load_model(path, safe_mode=False)


def nested(config):
    layer = dense(config)
    for _ in range(200):
        layer = {"module": "keras", "class_name": "Sequential", "config": {"layers": [layer]}, "registered_name": None}
    config["config"]["layers"].append(layer)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "change",
    [
        nested,
        lambda config: config["config"].pop("layers"),
        lambda config: config["config"].update(layers=[3]),
        lambda config: config.pop("config"),
        lambda config: dense(config).update(config=[1]),
        lambda config: dense(config).update(class_name=["Dense"]),
        lambda config: dense(config).update(module=3),
        lambda config: dense(config)["config"].update(units="2"),
    ],
    ids=["nested", "no layers", "numbers", "no config", "a list", "a list of names", "a number", "a text"],
)
def test_configurations_of_which_no_model_can_be_made(tmp_path, ending, change):
    path = tmp_path / f"m{ending}"
    with_configuration(path, change)
    with pytest.raises((ValueError, TypeError), match=r"m\.") as error:
        keras.models.load_model(path)
    assert len(str(error.value)) < 5000


@pytest.mark.parametrize("text", ["3", "[]", "null", '{"a": 1}', "[" * 100_000, "9" * 100_000])
def test_texts_that_are_no_models(text):
    with pytest.raises(ValueError, match="no model|no JSON|integer string"):
        keras.models.model_from_json(text)


def with_configuration_text(path, text):
    with_configuration(path, lambda config: None)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**parts, "config.json": text}.items():
            archive.writestr(name, data)


def test_a_configuration_that_is_a_bomb(tmp_path):
    path = tmp_path / "m.keras"
    with_configuration_text(path, b"[" + b"[]," * 10_000_000 + b"[]]")
    with pytest.raises(ValueError, match=r"config\.json announces 30000004 bytes"):
        keras.models.load_model(path)


def test_arrays_over_each_other(tmp_path):
    """A thousand names of one array would take a thousand times its memory."""
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["a"] = np.ones(100_000, np.uint8)
        for number in range(10):
            file[f"a{number}"] = file["a"]
    with open(tmp_path / "w.h5", "rb") as file, pytest.raises(ValueError, match="its arrays announce 1100000 bytes"):
        read_hdf5(file, "w.h5")


def test_arrays_beyond_the_end(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["a"] = np.full(12345, 7, "u1")
    data = (tmp_path / "w.h5").read_bytes()
    longer = data.replace((12345).to_bytes(8, "little"), (1 << 40).to_bytes(8, "little"))
    (tmp_path / "w.h5").write_bytes(longer)
    with open(tmp_path / "w.h5", "rb") as file, pytest.raises(ValueError, match=r"'w\.h5' is no intact HDF5 file"):
        read_hdf5(file, "w.h5")


@pytest.mark.parametrize("read", [read_hdf5, read_attributes])
def test_groups_of_many_levels(tmp_path, read):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        group = file
        for _ in range(1000):
            group = group.create_group("a")
    with open(tmp_path / "w.h5", "rb") as file, pytest.raises(ValueError, match="more than 200 levels"):
        read(file, "w.h5")


def test_layers_are_no_models(tmp_path):
    path = tmp_path / "m.safetensors"
    save_tensors(path, {}, {"fastgrad.model": json.dumps({"a": [1, 2]})})
    with pytest.raises(ValueError, match=r"m\.safetensors holds no model, but a dict"):
        keras.models.load_model(path)


def test_a_text_that_is_longer_than_its_archive(tmp_path):
    """A part that does not compress hides how well the rest does; Python's objects would take gigabytes."""
    path = tmp_path / "m.keras"
    text = np.random.default_rng(0).bytes(100_000).hex().encode()
    with_configuration_text(path, b'["' + text + b'",' + b"[]," * 2_000_000 + b"[]]")
    with pytest.raises(
        ValueError, match=r"config\.json announces a text of 6200007 bytes, and the most here is 1048576"
    ):
        keras.models.load_model(path)


@pytest.mark.parametrize("count", [1, 3000])
def test_texts_over_each_other(tmp_path, count):
    """References to one long text: a list of them is refused before it is read, single ones as soon as they are longer than the file."""
    path, length = tmp_path / "w.h5", 100_077
    with h5py.File(path, "w") as file:
        texts = np.array(["B" * length, *[f"{number:05}" for number in range(count)]], object)
        for number in range(3000 // count // 30):
            file.attrs.create(f"single{number}", "short", dtype=h5py.string_dtype())
        file.attrs.create("layer_names", texts, dtype=h5py.string_dtype())
    data = path.read_bytes()
    first, second = (size.to_bytes(4, "little") for size in (length, 5))
    place = next(at for at in range(len(data)) if data.startswith(first, at) and data.startswith(second, at + 16))
    reference = data[place : place + 16]
    data = data[:place] + reference * (count + 1) + data[place + 16 * (count + 1) :]
    short = {
        data[at : at + 16]
        for at in range(len(data))
        if data.startswith(second, at) and data[at + 4 : at + 12] == reference[4:12]
    }
    for other in short:
        data = data.replace(other, reference)
    path.write_bytes(data)
    message = "3001 texts of variable length" if count > 1 else "its texts have more than"
    with open(path, "rb") as file, pytest.raises(ValueError, match=message):
        read_attributes(file, "w.h5")


def test_errors_of_layers_within_layers_are_short():
    text = (
        '{"class_name": "Dense", "config": ' * 300 + "{}" + ', "module": "keras.layers", "registered_name": null}' * 300
    )
    with pytest.raises(TypeError, match="Error when deserializing class 'Dense'") as caught:
        keras.saving.deserialize_keras_object(json.loads(text))
    assert len(str(caught.value)) < 5000
