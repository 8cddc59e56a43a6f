"""The readers of files: how each small valid file is made, how it is read, and which errors the reader documents."""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import json
import lzma
import os
import pickle
import random
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
from PIL.Image import Image

import fastgrad as fg
import fastgrad as tf
from fastgrad import keras
from fastgrad._src.commands.script_names import check_script
from fastgrad._src.files.formats.tensor_file import load_tensors, save_tensors
from fastgrad._src.jit import cache
from fastgrad._src.jit import dispatcher_cache as disk_cache
from fastgrad._src.keras.datasets import cifar, fashion_mnist, reading, word_numbers
from tests.files.checkpoints import tensorflow_checkpoints

KERAS_FILE = (ValueError, TypeError)
OF_CHECKPOINT = (tf.errors.InvalidArgumentError, tf.errors.NotFoundError)
MODELS_OF_TENSORFLOW = Path(__file__).parents[2] / "files" / "saved_model" / "tensorflow_models" / "models.tar.xz"
USER_MODELS = MODELS_OF_TENSORFLOW.with_name("user_models.tar.xz")
CHECKPOINTS_OF_TENSORFLOW = Path(__file__).parents[2] / "files" / "checkpoints" / "tensorflow_checkpoints.tar.xz"
OF_SAVED_MODEL = (tf.errors.InvalidArgumentError,)
OF_VOCABULARY = (tf.errors.InvalidArgumentError, tf.errors.OutOfRangeError, tf.errors.FailedPreconditionError)
LOST = (tf.errors.DataLossError, tf.errors.InvalidArgumentError)

LOST_CONTENTS = (tf.errors.InvalidArgumentError, tf.errors.FailedPreconditionError)  # the second for a folder
OF_RECORDS = (tf.errors.DataLossError, tf.errors.FailedPreconditionError)
OF_GFILE = (tf.errors.FailedPreconditionError, tf.errors.NotFoundError)


class Refused(Exception):
    """A reader that answers None has refused the file."""


class Reader(NamedTuple):
    """A reader of files.

    Attributes:
        make: writes a small valid file into a folder, and returns its path. What else it writes there stays intact.
        read: what the reader makes of the file, as arrays, texts, lists and dicts.
        errors: the classes that the reader documents.
        is_checked: whether the format has checksums over all that matters, so that only the right result may come back.
        header: how many bytes have each of their bits flipped; None for all.
        names_file: whether an error has to name the file; False where there is none.
        given: what the reader is given in the place of the file's path, if so: its folder, or its name. An error may have that instead.
    """

    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    errors: tuple[type[BaseException], ...]
    is_checked: bool = False
    header: int | None = None
    names_file: bool = True
    given: Callable[[Path], object] = str

    def is_named(self, path: Path, text: str) -> bool:
        """Whether a text has the path of the file, or what the reader is given instead."""
        return str(path) in text or str(self.given(path)) in text


def values() -> dict[str, np.ndarray]:
    """Arrays of several dtypes."""
    return {"x": np.arange(5.0), "name": np.arange(3, dtype=np.int16), "f": np.float32([[1, 2], [3, 4]])}


def narrow_values() -> dict[str, np.ndarray]:
    """Arrays of dtypes that NumPy's files do not have."""
    return {"e": np.float32([1.5, -2.0]).astype(ml_dtypes.float8_e5m2), "i": np.int8([3, -4]).astype(ml_dtypes.int4)}


# ---- weights and checkpoints --------------------------------------------------------------------------------


def tensors(ending: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        save_tensors(folder / f"a{ending}", values() | narrow_values(), {"key": "text"})
        return folder / f"a{ending}"

    return make


def read_tensors(path: Path) -> Any:
    """The arrays, and the text that was saved. Damage to the name of the checksum may leave it among the texts."""
    arrays, texts = load_tensors(path)
    return [arrays, texts.get("key")]


def compressed_npz(folder: Path) -> Path:
    np.savez_compressed(folder / "a.npz", **values())
    return folder / "a.npz"


def saved_model(folder: Path) -> Path:
    module = tf.Module()
    module.v, module.parts = tf.Variable([1.0, 2.0, 3.0]), {"list": [tf.Variable(4.0)]}

    def function(x: Any) -> Any:
        y = tf.cond(tf.reduce_sum(x) > 0, lambda: x * module.v, lambda: x - 1.0)
        return {
            "y": tf.reshape(y, [-1]),
            "part": tf.boolean_mask(y, y[:, 0] > 0),
            "c": module.parts["list"][0] + [0.5, 7.0],
        }

    module.f = tf.function(function, input_signature=[tf.TensorSpec([None, 3])])
    tf.saved_model.save(module, folder / "model")
    return folder / "model" / "saved_model.safetensors"


def read_saved_model(path: Path) -> Any:
    """The variables of the object, and what its function makes of two arguments."""
    loaded = tf.saved_model.load(path.parent)
    results = [loaded.f(tf.constant(sign * np.float32([[1, 2, 3], [-4, 5, 6]]))) for sign in (1, -1)]
    return [loaded.v, loaded.parts["list"], results, dict(loaded.signatures).keys() == {"serving_default"}]


def saved_model_of_texts(folder: Path) -> Path:
    table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
    table.insert(["a", "b", "c"], tf.constant([1, 2, 3], tf.int64))
    module = tf.Module()

    def function(x: Any, weights: Any) -> Any:
        numbers = table.lookup(tf.strings.split(x))
        return {"padded": numbers.to_tensor(), "ragged": numbers, "weights": weights * 2.0, "count": table.size()}

    specs = [tf.TensorSpec([None], tf.string), tf.RaggedTensorSpec([None, None], tf.float32)]
    module.f = tf.function(function, input_signature=specs)
    tf.saved_model.save(module, folder / "model")
    return folder / "model" / "saved_model.safetensors"


def read_saved_model_of_texts(path: Path) -> Any:
    """What the function makes of texts and a ragged tensor."""
    loaded = tf.saved_model.load(path.parent)
    results = loaded.f(tf.constant(["a b", "", "c x a"]), tf.ragged.constant([[1.0, 2.0], [3.0]]))
    return [results["padded"], results["ragged"].to_list(), results["weights"].to_list(), results["count"]]


def file_of_tensorflow(path: Path, name: str) -> Callable[[Path], Path]:
    """Unpacks the files of an archive beside the file ``name``, which is to be damaged."""

    def make(folder: Path) -> Path:
        with tarfile.open(path) as archive:
            members = [
                member
                for member in archive.getmembers()
                if member.name.startswith(name.split("/", maxsplit=1)[0].split(".", maxsplit=1)[0])
            ]
            archive.extractall(folder, members, filter="data")
        return folder / name

    return make


def read_model_of_tensorflow(folder: Path) -> Any:
    """The variables among the attributes of the object, and the names of its attributes and signatures."""
    loaded = tf.saved_model.load(folder)
    variables = {name: value for name, value in vars(loaded).items() if isinstance(value, tf.Variable)}
    return [variables, sorted(vars(loaded)), sorted(loaded.signatures)]


def read_tables_of_tensorflow(folder: Path) -> Any:
    """The numbers of some terms in the table of a loaded model."""
    return [part.numpy().tolist() for part in tf.saved_model.load(folder).get(tf.constant(["a", "b", "z"]))]


def read_checkpoint_of_tensorflow(path: Path) -> Any:
    """The variables of a module after a checkpoint of TensorFlow was read."""
    module = tensorflow_checkpoints.module_of(tf)
    tf.train.Checkpoint(module).read(path.with_suffix("")).expect_partial()
    return [value.numpy().tolist() for value in (module.w, module.parts[0], module.parts[1]["k"], module.inner.v)]


class Program:
    """Objects that a checkpoint saves: variables, the random state of the process, an iteration of a dataset."""

    def __init__(self, value: float) -> None:
        tf.random.set_seed(int(value))
        self.variable = tf.Variable([value, value + 1])
        self.items = {"one": tf.Variable(value), "two": [tf.Variable([[value]])]}
        self.random = tf.train.RandomState()
        self.numbers = iter(tf.data.Dataset.range(7).shuffle(4, seed=5))
        self.checkpoint = tf.train.Checkpoint(v=self.variable, d=self.items, r=self.random, n=self.numbers)

    def contents(self) -> list[Any]:
        """All that a checkpoint restores."""
        values = [self.variable, self.items["one"], self.items["two"][0]]
        return [*values, self.random.state(), self.numbers.state()]


def checkpoint(folder: Path) -> Path:
    program = Program(3.0)
    for _ in range(3):
        next(program.numbers)
    random.seed(0)
    np.random.seed(0)
    program.checkpoint.write(folder / "ckpt")
    return folder / "ckpt.safetensors"


def read_checkpoint(path: Path) -> Any:
    """What is restored, and how the iteration goes on. A file that is refused must not change anything."""
    program = Program(0.0)
    before = content(program.contents())
    try:
        program.checkpoint.read(path).assert_consumed()
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        if content(program.contents()) != before:
            raise AssertionError("the file is refused, and has changed the program") from error
        raise
    return [*program.contents(), list(program.numbers)]


def trained(folder: Path, epochs: int) -> list[Any]:
    """What a `fit` with a backup ends with: weights, the state of the optimizer, and what another callback keeps."""
    made = model()
    made.compile("adam", "mse")
    stopping = keras.callbacks.EarlyStopping("loss", patience=3)
    backup = keras.callbacks.BackupAndRestore(folder / "backup", delete_checkpoint=False)
    data = tf.data.Dataset.from_tensor_slices((np.ones((4, 3)), np.ones((4, 2)))).shuffle(4, seed=1).batch(2)
    made.fit(data, epochs=epochs, verbose=0, callbacks=[stopping, backup])
    return [made.get_weights(), [one.numpy() for one in made.optimizer.variables], stopping.best, stopping.wait]


def backup_of_fit(folder: Path) -> Path:
    trained(folder, 1)
    return folder / "backup" / "backup.safetensors"


def read_backup(path: Path) -> Any:
    """All epochs are done in the backup, so that `fit` restores and does not train."""
    return trained(path.parents[1], 1)


def checkpoint_state(folder: Path) -> Path:
    manager = tf.train.CheckpointManager(Program(3.0).checkpoint, folder, 2)
    manager.save()
    manager.save()
    return folder / "checkpoint"


def read_checkpoint_state(path: Path) -> Any:
    state = tf.train.get_checkpoint_state(path.parent)
    manager = tf.train.CheckpointManager(Program(0.0).checkpoint, path.parent, 2)
    tf.train.latest_checkpoint(path.parent)
    if state is None:
        raise Refused
    return [state.model_checkpoint_path, state.all_model_checkpoint_paths, manager.checkpoints]


def model() -> Any:
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="relu", name="a")], name="small")
    for number, weight in enumerate(made.weights):
        weight.assign(np.arange(weight.shape.num_elements()).reshape(weight.shape) + float(number))
    return made


def whole_model(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        model().save(folder / name)
        return folder / name

    return make


def read_model(path: Path) -> Any:
    loaded = keras.models.load_model(path)
    return [loaded.get_config(), loaded.get_weights()]


def weights(folder: Path) -> Path:
    model().save_weights(folder / "w.weights.h5")
    return folder / "w.weights.h5"


def read_weights(path: Path) -> Any:
    made = model()
    made.load_weights(path)
    return made.get_weights()


def as_keras_writes(make: Callable[[Path], Path]) -> Callable[[Path], Path]:
    """A file without our checksum, as Keras writes it."""

    def changed(folder: Path) -> Path:
        import h5py

        path = make(folder)
        with h5py.File(path, "a") as file:
            del file.attrs["fastgrad_crc32"]
        return path

    return changed


def configuration(folder: Path) -> Path:
    path = folder / "model.json"
    path.write_text(model().to_json())
    return path


def read_configuration(path: Path) -> Any:
    return keras.models.model_from_json(path.read_bytes().decode()).get_config()


def read_object(path: Path) -> Any:
    made = keras.saving.deserialize_keras_object(json.loads(path.read_bytes()))
    return made.get_config() if hasattr(made, "get_config") else made


# ---- the kernel cache -----------------------------------------------------------------------------------------

KEY = "source of a kernel\nplatform"
ENTRY = cache.Entry(b"code" * 20, ("expf", "PyLong_FromLongLong"))


def kernel_entry(folder: Path) -> Path:
    os.environ["FASTGRAD_CACHE_DIR"] = str(folder / "kernels")
    cache.store(KEY, ENTRY)
    return Path(cache._entry_path(str(folder / "kernels"), KEY))


def read_kernel_entry(path: Path) -> Any:
    os.environ["FASTGRAD_CACHE_DIR"] = str(path.parent)
    entry = cache.load(KEY)
    if entry is None:
        raise Refused
    return [entry.code, list(entry.symbols)]


def kernel_pack(folder: Path) -> Path:
    kernel_entry(folder)
    cache.pack_folder(str(folder / "kernels"), str(folder / "installed" / "level.db"))
    return folder / "installed" / "level.db"


def read_kernel_pack(path: Path) -> Any:
    cache.close_installed()
    cache.INSTALLED_FOLDER = str(path.parent)
    entry = cache.load_installed(path.stem, KEY)
    if entry is None:
        raise Refused
    return [entry.code, list(entry.symbols)]


def square(x):
    return x * x


DERIVATIVE = fg.grad(square)


def derivative_entry(folder: Path) -> Path:
    os.environ["FASTGRAD_CACHE_DIR"] = str(folder / "kernels")
    disk_cache.COMPILED = disk_cache.RecentlyUsed()
    DERIVATIVE._cache.save_overload(*compiled_derivative())
    (path,) = [file for file in (folder / "kernels").iterdir() if b"derivative " in file.read_bytes()[:1000]]
    return path


@functools.cache
def compiled_derivative() -> tuple[Any, Any]:
    """The signature of a derivative, and what Numba made of it."""
    DERIVATIVE(3.0)
    ((signature, result),) = DERIVATIVE.overloads.items()
    return signature, result


def read_derivative_entry(path: Path) -> Any:
    os.environ["FASTGRAD_CACHE_DIR"] = str(path.parent)
    disk_cache.COMPILED = disk_cache.RecentlyUsed()
    result = DERIVATIVE._cache.load_overload(compiled_derivative()[0], DERIVATIVE.targetctx)
    if result is None:
        raise Refused
    return result.entry_point(3.0)


# ---- data -----------------------------------------------------------------------------------------------------


def dataset() -> Any:
    elements = {"x": np.arange(12.0).reshape(4, 3), "t": ["one", "two", "", "four"], "n": np.arange(4, dtype=np.uint8)}
    return tf.data.Dataset.from_tensor_slices(elements)


def dataset_index(folder: Path) -> Path:
    dataset().save(folder / "saved")
    return folder / "saved" / "index.json"


def dataset_elements(folder: Path) -> Path:
    dataset().save(folder / "saved")
    (path,) = (folder / "saved").glob("*.safetensors")
    return path


def read_dataset(path: Path) -> Any:
    loaded = tf.data.Dataset.load(path.parent)
    return [len(loaded), str(loaded.element_spec), list(loaded.as_numpy_iterator())]


def read_cached(path: Path) -> Any:
    return list(dataset().map(lambda item: item["x"] * 0).cache(str(path.parent)).as_numpy_iterator())


LINES = "".join(["x,y\n", *[f'{n},"text {n}"\n' for n in range(12)]]).encode()
COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "GZIP": lambda data: gzip.compress(data, mtime=0),
    "ZLIB": zlib.compress,
}


def lines(compression: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / f"lines{compression}.csv"
        path.write_bytes(COMPRESSORS[compression](LINES))
        return path

    return make


def read_lines(compression: str) -> Callable[[Path], Any]:
    return lambda path: list(tf.data.TextLineDataset(str(path), compression).as_numpy_iterator())


def read_csv(compression: str) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        records = tf.data.experimental.CsvDataset(str(path), [tf.int32, tf.string], compression, header=True)
        return list(records.as_numpy_iterator())

    return read


def read_csv_batches(compression: str) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        batches = tf.data.experimental.make_csv_dataset(
            str(path), 6, num_epochs=1, shuffle=False, compression_type=compression
        )
        return list(batches.as_numpy_iterator())

    return read


def records(compression: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / f"records{compression}"
        with tf.io.TFRecordWriter(path, compression) as writer:
            for number in range(6):
                writer.write(b"record %d" % number * number)
        return path

    return make


def read_records(compression: str) -> Callable[[Path], Any]:
    return lambda path: list(tf.data.TFRecordDataset(str(path), compression).as_numpy_iterator())


def example(folder: Path) -> Path:
    features = {
        "a": tf.train.Feature(int64_list=tf.train.Int64List(value=[1, 2, 300])),
        "b": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"x", b"text"])),
        "f": tf.train.Feature(float_list=tf.train.FloatList(value=[1.5])),
    }
    path = folder / "example"
    path.write_bytes(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    return path


def read_example(path: Path) -> Any:
    features = {
        "a": tf.io.FixedLenFeature([3], tf.int64),
        "b": tf.io.VarLenFeature(tf.string),
        "f": tf.io.FixedLenSequenceFeature([], tf.float32, True),
        "r": tf.io.RaggedFeature(tf.int64, "a", [tf.io.RaggedFeature.ValueRowIds("a")]),
    }
    found = tf.io.parse_single_example(tf.io.read_file(str(path)), features)
    return [found["a"], found["b"].values, found["f"], found["r"].row_splits]


def tensor(folder: Path) -> Path:
    path = folder / "tensor"
    path.write_bytes(tf.io.serialize_tensor([[1.5, 2.5], [3.5, 4.5]]).numpy())
    return path


def read_tensor(path: Path) -> Any:
    return tf.io.parse_tensor(tf.io.read_file(str(path)), tf.float32)


def records_of_one_length(compression: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / f"fixed{compression}"
        data = b"head" + bytes(range(60)) + b"foot"
        path.write_bytes(gzip.compress(data, mtime=0) if compression else data)
        return path

    return make


def read_records_of_one_length(compression: str) -> Callable[[Path], Any]:
    return lambda path: list(
        tf.data.FixedLengthRecordDataset(str(path), 6, 4, 4, compression_type=compression).as_numpy_iterator()
    )


def sound(folder: Path) -> Path:
    path = folder / "sound.wav"
    path.write_bytes(tf.audio.encode_wav(np.sin(np.arange(24, dtype=np.float32)).reshape(12, 2), 8000).numpy())
    return path


def read_sound(path: Path) -> Any:
    return list(tf.audio.decode_wav(tf.io.read_file(str(path))))


def compressed_text(folder: Path) -> Path:
    path = folder / "text.gz"
    path.write_bytes(gzip.compress(b"a text " * 9, mtime=0))
    return path


def read_compressed_text(path: Path) -> Any:
    return tf.io.decode_compressed(tf.io.read_file(str(path)), "GZIP")


def read_gfile(path: Path) -> Any:
    with tf.io.gfile.GFile(path, "rb") as file:
        return file.readlines()


def parquet(folder: Path) -> Path:
    import pyarrow as pa
    from pyarrow.parquet import write_table

    columns = {"x": np.arange(6.0), "t": ["one", "two", "", "four", "five", "six"], "n": np.arange(6, dtype=np.int16)}
    write_table(pa.table(columns), folder / "a.parquet", write_page_checksum=True)
    return folder / "a.parquet"


def read_parquet(path: Path) -> Any:
    return list(tf.data.experimental.ParquetDataset(str(path)).as_numpy_iterator())


def image(ending: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / "class").mkdir(exist_ok=True)
        pixels = np.random.default_rng(0).integers(0, 255, (6, 5, 3)).astype(np.float32)
        keras.utils.save_img(folder / "class" / f"image.{ending}", pixels, scale=False)
        return folder / "class" / f"image.{ending}"

    return make


def read_image(path: Path) -> Any:
    return keras.utils.load_img(path)


def read_contents_of_jpeg(path: Path) -> Any:
    contents = tf.io.read_file(str(path))
    return [tf.io.extract_jpeg_shape(contents), tf.io.decode_image(contents)]


def vocabulary(folder: Path) -> Path:
    path = folder / "words.txt"
    path.write_bytes("".join(f"word{number}\t{number}\n" for number in range(6)).encode())
    return path


def read_vocabulary(path: Path) -> Any:
    columns = (tf.string, 0, tf.int64, 1)
    table = tf.lookup.StaticHashTable(tf.lookup.TextFileInitializer(str(path), *columns), -1)
    return list(table.export())


def notebook(folder: Path) -> Path:
    path = folder / "a.ipynb"
    cells = [{"cell_type": "code", "source": ["import tensorflow as tf\n", "tf.no_such_name(1)\n"]}]
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    return path


def read_notebook(path: Path) -> Any:
    count, missing, _ = check_script(path)
    return [count, [use.name for use, _ in missing]]


def read_image_directory(path: Path) -> Any:
    images = keras.utils.image_dataset_from_directory(path.parent.parent, image_size=(4, 4), verbose=False)
    return list(images.as_numpy_iterator())


def text_directory(folder: Path) -> Path:
    (folder / "class").mkdir(exist_ok=True)
    path = folder / "class" / "text.txt"
    path.write_bytes(LINES)
    return path


def read_text_directory(path: Path) -> Any:
    texts = keras.utils.text_dataset_from_directory(path.parent.parent, max_length=1000, verbose=False)
    return list(texts.as_numpy_iterator())


def append_log(path: Path) -> Any:
    """The callback looks at the file, and appends to it."""
    before = path.read_bytes() if path.is_file() else b""
    logger = keras.callbacks.CSVLogger(path, append=True)
    logger.on_train_begin()
    logger.on_epoch_end(0, {"loss": 1.0})
    logger.on_train_end()
    after = path.read_bytes() if path.is_file() else b"0,1.0,NA\r\n"
    assert after.startswith(before), "what was there has changed"
    return after[len(before) :].endswith(b"0,1.0,NA\r\n")


# ---- archives -------------------------------------------------------------------------------------------------

MEMBERS = {"a.txt": b"some text\n" * 20, "folder/b.bin": bytes(range(256))}


def tar_bytes() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, contents in MEMBERS.items():
            member = tarfile.TarInfo(name)
            member.size = len(contents)
            archive.addfile(member, io.BytesIO(contents))
    return stream.getvalue()[:4096]  # tarfile fills up to 10,240 bytes with zeros


def zip_bytes() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, contents in MEMBERS.items():
            archive.writestr(zipfile.ZipInfo(name), contents, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "zip": zip_bytes,
    "tar": tar_bytes,
    "tar.gz": lambda: gzip.compress(tar_bytes(), mtime=0),
    "tar.bz2": lambda: bz2.compress(tar_bytes()),
    "tar.xz": lambda: lzma.compress(tar_bytes()),
}


def archive(ending: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / "datasets").mkdir(exist_ok=True)
        path = folder / "datasets" / f"a.{ending}"
        path.write_bytes(ARCHIVES[ending]())
        return path

    return make


def extract(path: Path) -> Any:
    folder = path.parent / f"{path.name.partition('.')[0]}_extracted"
    shutil.rmtree(folder, ignore_errors=True)
    made = keras.utils.get_file(path.name, f"file:///nowhere/{path.name}", cache_dir=path.parent.parent, extract=True)
    found = {str(one.relative_to(made)): one.read_bytes() for one in sorted(Path(made).rglob("*")) if one.is_file()}
    shutil.rmtree(folder)
    return found


# ---- files of keras.datasets, whose checksums are known: what is read when a checksum were that of a hostile file ----


def downloaded(module: Any, path: Path, read: Callable[[], Any]) -> Any:
    known, module.get_file = module.get_file, lambda *args, **options: str(path)
    try:
        return read()
    finally:
        module.get_file = known


def object_npz(folder: Path) -> Path:
    texts = np.empty(2, object)
    texts[:] = [[1, 2, 3], [4]]
    np.savez(folder / "texts.npz", x=texts, y=np.arange(2))
    return folder / "texts.npz"


def read_object_npz(path: Path) -> Any:
    found = downloaded(reading, path, lambda: reading.load_npz_arrays("name", "name", ""))
    return {name: array.tolist() for name, array in found.items()}


def cifar_archive(folder: Path) -> Path:
    path = folder / "archive.tar.gz"
    batch = pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": [3]}, protocol=2)
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo("cifar/one")
        member.size = len(batch)
        tar.addfile(member, io.BytesIO(batch))
    return path


def read_cifar(path: Path) -> Any:
    return downloaded(cifar, path, lambda: cifar.read_batches("cifar", "", "", ["one"], "labels"))


def fashion(folder: Path) -> Path:
    path = folder / "labels.gz"
    path.write_bytes(gzip.compress(bytes(8) + bytes(range(20)), mtime=0))
    return path


def read_fashion(path: Path) -> Any:
    name = "train-labels-idx1-ubyte.gz"
    return downloaded(fashion_mnist, path, lambda: fashion_mnist._decompressed_bytes(name, 8))


def words(folder: Path) -> Path:
    path = folder / "words.json"
    path.write_text(json.dumps({"the": 1, "é": 2}))
    return path


def read_words(path: Path) -> Any:
    return downloaded(word_numbers, path, lambda: word_numbers.word_index("", "", ""))


def folder_of(path: Path) -> Path:
    return path.parent


def folder_of_classes(path: Path) -> Path:
    return path.parents[1]


def name_of(path: Path) -> str:
    return path.name


READERS: dict[str, Reader] = {
    "safetensors": Reader(tensors(".safetensors"), read_tensors, (ValueError,), True),
    "npz": Reader(tensors(".npz"), read_tensors, (ValueError,), True),
    "compressed npz": Reader(compressed_npz, read_tensors, (ValueError,), True),
    "checkpoint": Reader(checkpoint, read_checkpoint, (ValueError, *OF_CHECKPOINT), True, 200),
    "backup of fit": Reader(backup_of_fit, read_backup, (ValueError,), True, 200),
    "checkpoint state": Reader(checkpoint_state, read_checkpoint_state, (ValueError,), given=folder_of),
    ".keras": Reader(whole_model("m.keras"), read_model, KERAS_FILE, True, 300),
    ".h5": Reader(whole_model("m.h5"), read_model, KERAS_FILE, True, 256),
    ".h5 of Keras": Reader(as_keras_writes(whole_model("m.h5")), read_model, KERAS_FILE, header=256),
    ".weights.h5": Reader(weights, read_weights, KERAS_FILE, True, 256),
    ".weights.h5 of Keras": Reader(as_keras_writes(weights), read_weights, KERAS_FILE, header=256),
    "saved model": Reader(saved_model, read_saved_model, (ValueError, *OF_SAVED_MODEL), True, 400, given=folder_of),
    "saved model of texts": Reader(
        saved_model_of_texts, read_saved_model_of_texts, (ValueError, *OF_SAVED_MODEL), True, 400, given=folder_of
    ),
    "TensorFlow's saved model": Reader(
        file_of_tensorflow(MODELS_OF_TENSORFLOW, "module/saved_model.pb"),
        lambda path: read_model_of_tensorflow(path.parent),
        (ValueError, tf.errors.UnimplementedError),
        header=400,
        given=folder_of,
    ),
    "TensorFlow's saved model with a table": Reader(
        file_of_tensorflow(USER_MODELS, "counters/saved_model.pb"),
        lambda path: read_tables_of_tensorflow(path.parent),
        (ValueError, tf.errors.OpError),
        header=400,
        given=folder_of,
    ),
    "TensorFlow's checkpoint of objects": Reader(
        file_of_tensorflow(CHECKPOINTS_OF_TENSORFLOW, "module.index"),
        read_checkpoint_of_tensorflow,
        (ValueError,),
        True,
    ),
    "TensorFlow's checkpoint": Reader(
        file_of_tensorflow(MODELS_OF_TENSORFLOW, "module/variables/variables.index"),
        lambda path: read_model_of_tensorflow(path.parents[1]),
        (ValueError,),
        True,
        given=folder_of_classes,
    ),
    "data of TensorFlow's checkpoint": Reader(
        file_of_tensorflow(MODELS_OF_TENSORFLOW, "module/variables/variables.data-00000-of-00001"),
        lambda path: read_model_of_tensorflow(path.parents[1]),
        (ValueError,),
        True,
        400,
        given=folder_of_classes,
    ),
    "model in safetensors": Reader(whole_model("m.safetensors"), read_model, KERAS_FILE, True, 400),
    "model in npz": Reader(whole_model("m.npz"), read_model, KERAS_FILE, True, 400),
    "model in JSON": Reader(configuration, read_configuration, KERAS_FILE, names_file=False),
    "object in JSON": Reader(configuration, read_object, KERAS_FILE, names_file=False),
    "kernel entry": Reader(kernel_entry, read_kernel_entry, (), True),
    "derivative": Reader(derivative_entry, read_derivative_entry, (), True, 200),
    "kernel pack": Reader(kernel_pack, read_kernel_pack, (), True, 200),
    "dataset index": Reader(dataset_index, read_dataset, (*LOST, tf.errors.NotFoundError), True, given=folder_of),
    "dataset elements": Reader(dataset_elements, read_dataset, LOST, True, given=folder_of),
    "dataset cache": Reader(dataset_index, read_cached, (*LOST, tf.errors.NotFoundError), True, given=folder_of),
    "lines": Reader(lines(""), read_lines(""), LOST),
    "lines in gzip": Reader(lines("GZIP"), read_lines("GZIP"), LOST, True),
    "lines in zlib": Reader(lines("ZLIB"), read_lines("ZLIB"), LOST, True),
    "CSV": Reader(lines(""), read_csv(""), LOST),
    "CSV in gzip": Reader(lines("GZIP"), read_csv("GZIP"), LOST, True),
    "CSV in zlib": Reader(lines("ZLIB"), read_csv("ZLIB"), LOST, True),
    "CSV in batches": Reader(lines(""), read_csv_batches(""), (*LOST, ValueError)),
    "CSV in batches, gzip": Reader(lines("GZIP"), read_csv_batches("GZIP"), LOST, True),
    "records": Reader(records(""), read_records(""), OF_RECORDS),
    "records in gzip": Reader(records("GZIP"), read_records("GZIP"), OF_RECORDS, True),
    "records in zlib": Reader(records("ZLIB"), read_records("ZLIB"), OF_RECORDS, True),
    "example": Reader(example, read_example, LOST_CONTENTS, names_file=False),
    "tensor": Reader(tensor, read_tensor, LOST_CONTENTS, names_file=False),
    "records of one length": Reader(records_of_one_length(""), read_records_of_one_length(""), (*LOST, OF_RECORDS[1])),
    "records of one length in gzip": Reader(
        records_of_one_length("GZIP"), read_records_of_one_length("GZIP"), (*LOST, OF_RECORDS[1]), True
    ),
    "sound": Reader(sound, read_sound, LOST_CONTENTS, names_file=False),
    "compressed text": Reader(compressed_text, read_compressed_text, OF_RECORDS, True, names_file=False),
    "GFile": Reader(lines(""), read_gfile, OF_GFILE, header=20),
    "Parquet": Reader(parquet, read_parquet, LOST),
    "PNG": Reader(image("png"), read_image, (OSError,), True),
    "JPEG": Reader(image("jpg"), read_image, (OSError,)),
    "GIF": Reader(image("gif"), read_image, (OSError,)),
    "BMP": Reader(image("bmp"), read_image, (OSError,), header=54),
    "contents of a JPEG": Reader(
        image("jpg"),
        read_contents_of_jpeg,
        (tf.errors.InvalidArgumentError, tf.errors.FailedPreconditionError),  # the second for a folder
        names_file=False,
    ),
    "vocabulary": Reader(vocabulary, read_vocabulary, OF_VOCABULARY, names_file=False),
    "notebook": Reader(notebook, read_notebook, (ValueError, SyntaxError), names_file=False),
    "images of a folder": Reader(image("png"), read_image_directory, (OSError,), True, 100, given=folder_of_classes),
    "texts of a folder": Reader(text_directory, read_text_directory, (OSError,), header=20, given=folder_of_classes),
    "log in CSV": Reader(text_directory, append_log, (OSError,), header=20),
    "zip": Reader(archive("zip"), extract, (ValueError,), True, given=name_of),
    "tar": Reader(archive("tar"), extract, (ValueError,), header=512, given=name_of),
    "tar.gz": Reader(archive("tar.gz"), extract, (ValueError,), True, given=name_of),
    "tar.bz2": Reader(archive("tar.bz2"), extract, (ValueError,), True, given=name_of),
    "tar.xz": Reader(archive("tar.xz"), extract, (ValueError,), True, given=name_of),
    "npz of objects": Reader(object_npz, read_object_npz, (ValueError,), True),
    "CIFAR": Reader(cifar_archive, read_cifar, (ValueError,), True),
    "Fashion-MNIST": Reader(fashion, read_fashion, (ValueError,), True),
    "word numbers": Reader(words, read_words, (ValueError,)),
}


def content(value: Any) -> Any:
    """A value in a form that compares by dtypes, shapes and bits."""
    if hasattr(value, "numpy"):
        value = value.numpy()
    if isinstance(value, Image):
        value = np.asarray(value)
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        flat = repr(array.tolist()) if array.dtype == object else array.tobytes()
        return array.dtype.name, array.shape, flat
    if isinstance(value, dict):
        return {name: content(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [content(item) for item in value]
    return value
