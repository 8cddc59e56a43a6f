"""Crafted HDF5 files, and configurations of models that ask for what a file must not have."""

from __future__ import annotations

import base64
import functools
import json
import marshal
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.reliability.hostile_files.attacks import (
    ANY,
    ATTACKS,
    DEEP,
    MEBIBYTE,
    OBJECTS,
    REFUSED,
    SECRET,
    TEXTS_IN_JSON,
    Attack,
    add,
    attack,
    contents,
    opens,
    zeros,
    zipped,
)

# ---- HDF5 -----------------------------------------------------------------------------------------------------------


OF_HDF5 = (".h5", ".weights.h5", ".h5 of Keras", ".weights.h5 of Keras")


def hdf5(change: Callable[[Any, Any], Any], result: Any = REFUSED) -> Attack:
    def write(path: Path) -> Any:
        import h5py

        with h5py.File(path, "a") as file:
            file.attrs.pop("fastgrad_crc32", None)
            change(h5py, file)
        return result

    return write


def in_hdf5(title: str, result: Any = REFUSED) -> Callable[[Callable[[Any, Any], Any]], None]:
    def decorate(change: Callable[[Any, Any], Any]) -> None:
        add(OF_HDF5, title, hdf5(change, result))

    return decorate


@in_hdf5("groups within 30,000 groups")
def _(h5py: Any, file: Any) -> None:
    group = file
    for _ in range(30_000):
        group = group.create_group("a")


@in_hdf5("a group that contains itself")
def _(h5py: Any, file: Any) -> None:
    file["again"] = file["/"]


@in_hdf5("groups that hold each other twice")
def _(h5py: Any, file: Any) -> None:
    group = file.create_group("first")
    for _ in range(40):
        inner = group.create_group("a")
        group["b"] = inner
        group = inner


@in_hdf5("a link to another file")
def _(h5py: Any, file: Any) -> None:
    file["other"] = h5py.ExternalLink("/etc/" + SECRET, "x")


@in_hdf5("a soft link")
def _(h5py: Any, file: Any) -> None:
    file["other"] = h5py.SoftLink("/nowhere")


@in_hdf5("values in another file")
def _(h5py: Any, file: Any) -> None:
    file.create_dataset("other", (8,), "u1", external=[("/etc/" + SECRET, 0, 8)])


@in_hdf5("a virtual array of another file")
def _(h5py: Any, file: Any) -> None:
    layout = h5py.VirtualLayout((8,), "u1")
    layout[:] = h5py.VirtualSource("/etc/" + SECRET, "x", (8,))
    file.create_virtual_dataset("other", layout)


@in_hdf5("an array of 2^62 values without a byte")
def _(h5py: Any, file: Any) -> None:
    file.create_dataset("other", (1 << 60,), "f4", chunks=(1 << 20,))


@in_hdf5("an array of zeros under a fill value")
def _(h5py: Any, file: Any) -> None:
    file.create_dataset("other", (1 << 30,), "f4", chunks=(1 << 20,), fillvalue=1.0)


@in_hdf5("one array under a thousand names")
def _(h5py: Any, file: Any) -> None:
    file["other"] = np.ones(MEBIBYTE, np.uint8)
    for number in range(1500):
        file[f"other{number}"] = file["other"]


@in_hdf5("an array compressed a thousand times")
def _(h5py: Any, file: Any) -> None:
    file.create_dataset(
        "other", (4 * MEBIBYTE,), "f4", chunks=(MEBIBYTE,), data=np.zeros(4 * MEBIBYTE, "f4"), compression="gzip"
    )


@in_hdf5("an array by scale and offset")
def _(h5py: Any, file: Any) -> None:
    file.create_dataset("other", data=np.zeros(16 * MEBIBYTE, "i4"), chunks=(MEBIBYTE,), scaleoffset=1)


@in_hdf5("references")
def _(h5py: Any, file: Any) -> None:
    file.create_dataset("other", data=np.array([file.ref], h5py.ref_dtype), dtype=h5py.ref_dtype)


@in_hdf5("texts")
def _(h5py: Any, file: Any) -> None:
    file["other"] = "import os"


@in_hdf5("attributes of names that are numbers", ANY)
def _(h5py: Any, file: Any) -> None:
    file.attrs["layer_names"] = np.arange(3)
    file.attrs["weight_names0"] = np.arange(3)
    file.attrs["other"] = h5py.Empty("f4")
    file.attrs["reference"] = file.ref


def contiguous_beyond_the_end(path: Path) -> Any:
    """The length of an array's values, in its header, becomes a terabyte."""
    import h5py

    with h5py.File(path, "a") as file:
        file.attrs.pop("fastgrad_crc32", None)
        file.create_dataset("other", data=np.full(12345, 7, "u1"))
    data = path.read_bytes()
    for old, new in (((12345).to_bytes(8, "little"), (1 << 40).to_bytes(8, "little")),):
        assert old in data
        data = data.replace(old, new)
    path.write_bytes(data)
    return REFUSED


add(OF_HDF5, "values beyond the end of the file", contiguous_beyond_the_end)


def one_text_many_times(path: Path, kind: str) -> Any:
    """A list of texts of variable length whose references all become those of one long text."""
    import h5py

    count, length = 2000, MEBIBYTE + 77
    with h5py.File(path, "a") as file:
        file.attrs.pop("fastgrad_crc32", None)
        texts = np.array(["B" * length, *[f"{number:05}" for number in range(count)]], object)
        item = file if kind == "group" else file.create_dataset("other", data=np.zeros(3, "V2"))
        item.attrs.create("dtype" if kind == "array" else "layer_names", texts, dtype=h5py.string_dtype())
    data = path.read_bytes()
    first, second = (size.to_bytes(4, "little") for size in (length, 5))
    (place,) = [at.start() for at in re.finditer(re.escape(first), data) if data[at.start() + 16 :].startswith(second)]
    path.write_bytes(data[:place] + data[place : place + 16] * (count + 1) + data[place + 16 * (count + 1) :])
    return ANY if kind == "group" and path.name.endswith(".weights.h5") else REFUSED  # weights have no lists of names


for kind in ("group", "array"):
    add(OF_HDF5, f"one text a thousand times, of {kind}s", functools.partial(one_text_many_times, kind=kind))


# ---- models ---------------------------------------------------------------------------------------------------------


def code_of_lambda() -> dict[str, Any]:
    code = base64.encodebytes(marshal.dumps((lambda x: __import__("os").mkdir("executed")).__code__)).decode()
    return {"class_name": "__lambda__", "config": {"value": [code, None, None]}}


def changed_configuration(config: Any, change: str) -> Any:
    """A model's configuration with something evil in it."""
    dense = config["config"]["layers"][1]
    inner = dense["config"]
    evil: dict[str, Any] = {
        "module": "os",
        "class_name": "system",
        "config": {"command": "touch executed"},
        "registered_name": None,
    }
    function = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}
    nested: Any = {"module": "keras", "class_name": "Sequential", "config": {"layers": []}, "registered_name": None}
    if change == "deep nesting":
        for _ in range(200):
            nested = {
                "module": "keras",
                "class_name": "Sequential",
                "config": {"layers": [nested]},
                "registered_name": None,
            }
    changes: dict[str, Callable[[], Any]] = {
        "a class of another module": lambda: config["config"]["layers"].__setitem__(1, evil),
        "a function of another module": lambda: inner.update(activation=function),
        "a lambda": lambda: inner.update(activation=code_of_lambda()),
        "a Lambda layer": lambda: dense.update(
            class_name="Lambda", config={"name": "l", "function": code_of_lambda(), "arguments": {}}
        ),
        "a Lambda layer of the older form": lambda: dense.update(
            class_name="Lambda", config={"name": "l", "function": code_of_lambda()["config"]["value"], "function_type": "lambda"}
        ),
        "a private class": lambda: dense.update(module="keras.layers", class_name="_Any"),
        "a function in the place of a class": lambda: dense.update(module="keras.saving", class_name="load_model"),
        "a path in the place of a module": lambda: dense.update(module="keras.../os"),
        "a module that is no text": lambda: dense.update(module=["os"]),
        "a class name that is a list": lambda: dense.update(class_name=["Dense"]),
        "weights of terabytes": lambda: inner.update(units=1 << 40),
        "weights of 3 GiB": lambda: inner.update(units=1 << 28),
        "weights by an orthogonal matrix of 3 GiB": lambda: inner.update(units=1 << 28, kernel_initializer="orthogonal"),
        "a negative number of units": lambda: inner.update(units=-3),
        "a number of units that is a text": lambda: inner.update(units="3"),
        "inputs of terabytes": lambda: config["config"]["layers"][0]["config"].update(batch_shape=[1 << 40, 1 << 40]),
        "no layers": lambda: config["config"].pop("layers"),
        "layers that are a text": lambda: config["config"].update(layers="Dense"),
        "no configuration": lambda: config.pop("config"),
        "a list": lambda: None,
        "deep nesting": lambda: config["config"]["layers"].append(nested),
        "a file for a vocabulary": lambda: dense.update(
            class_name="StringLookup", config={"name": "l", "vocabulary": "/etc/" + SECRET}
        ),
        "an initializer with a tensor of bad shape": lambda: inner.update(
            kernel_initializer={"class_name": "__numpy__", "config": {"value": [[1], [2, 3]], "dtype": "float32"}}
        ),
        "a tensor of objects": lambda: inner.update(
            kernel_initializer={"class_name": "__tensor__", "config": {"value": [1], "dtype": "object"}}
        ),
        "a large integer": lambda: inner.update(units=10**300),
    }  # fmt: skip
    changes[change]()
    return [config] if change == "a list" else config


CONFIGURATIONS = (
    "a class of another module", "a function of another module", "a lambda", "a Lambda layer", "a Lambda layer of the older form",
    "a private class", "a function in the place of a class", "a path in the place of a module", "a module that is no text",
    "a class name that is a list", "weights of terabytes", "weights of 3 GiB", "weights by an orthogonal matrix of 3 GiB",
    "a negative number of units", "a number of units that is a text", "inputs of terabytes", "no layers", "layers that are a text",
    "no configuration", "a list", "deep nesting", "a file for a vocabulary", "an initializer with a tensor of bad shape",
    "a tensor of objects", "a large integer",
)  # fmt: skip


def rewritten(name: str, change: Callable[[Any], Any]) -> Attack:
    """An attack that changes the configuration in the file of a model."""

    def write(path: Path) -> Any:
        if name == ".keras":
            with zipfile.ZipFile(path) as archive:
                parts = {one: archive.read(one) for one in archive.namelist()}
            parts["config.json"] = json.dumps(change(json.loads(parts["config.json"]))).encode()
            path.write_bytes(zipped(parts, zipfile.ZIP_STORED))
        elif name in (".h5", ".h5 of Keras"):
            import h5py

            with h5py.File(path, "a") as file:
                file.attrs.pop("fastgrad_crc32", None)
                file.attrs["model_config"] = json.dumps(change(json.loads(file.attrs["model_config"])))
        elif name in ("model in safetensors", "model in npz"):
            from fastgrad._src.files.formats.tensor_file import load_tensors, save_tensors

            arrays, texts = load_tensors(path)
            save_tensors(path, arrays, {"fastgrad.model": json.dumps(change(json.loads(texts["fastgrad.model"])))})
        else:
            path.write_text(json.dumps(change(json.loads(path.read_text()))))
        return ANY if name.endswith("JSON") else REFUSED

    return write


for reader in (".keras", ".h5", ".h5 of Keras", "model in safetensors", "model in npz", *TEXTS_IN_JSON):
    for title in CONFIGURATIONS:
        if reader not in TEXTS_IN_JSON or not title.startswith("weights"):  # a text alone may ask for large weights
            function = rewritten(reader, lambda config, title=title: changed_configuration(config, title))
            ATTACKS.setdefault(reader, {})[title] = function, reader in (".keras", "object in JSON")
contents(("model in JSON",), "deep brackets", lambda: DEEP)
contents(("model in JSON",), "a number of a million digits", lambda: b"9" * MEBIBYTE)
contents(("model in JSON",), "many small objects", lambda: OBJECTS)
contents(("object in JSON",), "many small objects", lambda: OBJECTS, ANY)
OF_OBJECTS = ("object in JSON",)
contents(OF_OBJECTS, "a number", lambda: b"3", ANY)
contents(OF_OBJECTS, "a function of a module", lambda: json.dumps(
    {"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "function"}
).encode())  # fmt: skip
contents(OF_OBJECTS, "code of a lambda", lambda: json.dumps(code_of_lambda()).encode())
contents(OF_OBJECTS, "an object of a private module", lambda: json.dumps(
    {"module": "fastgrad._src.files.formats.tensor_file", "class_name": "load_tensors", "config": {"path": "/etc/" + SECRET}, "registered_name": None}
).encode())  # fmt: skip
contents(
    OF_OBJECTS,
    "a slice of texts",
    lambda: b'{"class_name": "__slice__", "config": {"start": "a", "stop": {}, "step": []}}',
    ANY,
)
contents(OF_OBJECTS, "an array of a terabyte", lambda: (
    b'{"class_name": "__numpy__", "config": {"value": 1, "dtype": "(1000000000000,)f8"}}'
))  # fmt: skip
contents(OF_OBJECTS, "a name in 500 scopes", lambda: (
    b'{"class_name": "Dense", "config": ' * 500 + b"{}" + b', "module": "keras.layers", "registered_name": null}' * 500
))  # fmt: skip


@attack(".keras", "model in safetensors", "model in npz", ".h5", ".h5 of Keras")
def a_large_model(path: Path) -> Any:
    from fastgrad import keras

    keras.Sequential([keras.Input((3,)), keras.layers.Dense(MEBIBYTE)]).save(path)
    return ANY


@attack(".keras")
def a_configuration_that_is_longer_than_its_archive(path: Path) -> Any:
    parts: dict[str, Any] = members_of(path)
    text = base64.b64encode(
        np.random.default_rng(0).bytes(900_000)
    )  # what follows is compressed a thousand times, both together less than 100 times
    parts["config.json"] = [b'["', text, b'",', *(b"[]," * (MEBIBYTE // 3) for _ in range(50)), b"[]]"]
    path.write_bytes(zipped(parts))
    return REFUSED


def members_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {one: archive.read(one) for one in archive.namelist()}


@attack(".keras")
def a_bomb_for_a_configuration(path: Path) -> Any:
    parts: dict[str, Any] = members_of(path)
    parts["config.json"] = [b"[", *(b"[]," * (MEBIBYTE // 3) for _ in range(90)), b"[]]"]
    path.write_bytes(zipped(parts))
    return REFUSED


@attack(".keras")
def weights_that_are_compressed(path: Path) -> Any:
    parts: dict[str, Any] = members_of(path)
    parts["model.weights.h5"] = zeros(100)
    path.write_bytes(zipped(parts))
    return REFUSED


@attack(".keras")
def weights_in_a_pickle(path: Path) -> Any:
    parts: dict[str, Any] = members_of(path)
    parts["model.weights.npz"] = pickle.dumps(opens(path.parents[1] / "executed"))
    path.write_bytes(zipped(parts))
    return REFUSED


@attack(".keras")
def a_configuration_in_deep_brackets(path: Path) -> Any:
    path.write_bytes(zipped({**members_of(path), "config.json": DEEP}))
    return REFUSED


@attack(".keras")
def metadata_that_are_a_list(path: Path) -> Any:
    path.write_bytes(zipped({**members_of(path), "metadata.json": b"3"}, zipfile.ZIP_STORED))
    return REFUSED


@attack(".keras")
def members_out_of_the_folder(path: Path) -> Any:
    path.write_bytes(zipped({**members_of(path), "../../written": b"", "/tmp/written": b""}, zipfile.ZIP_STORED))
    return ANY
