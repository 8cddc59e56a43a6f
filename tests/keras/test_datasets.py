"""``keras.datasets`` without a network: small files of the same form, placed by hand."""

import gzip
import hashlib
import io
import json
import pickle
import socket
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fastgrad import keras
from fastgrad._src.keras.utils import files

NUMBERS = np.random.default_rng(0)
TEXTS = [[1, 5, 9, 2], [3, 3], [7, 8, 1, 2, 4, 6], [2], [9, 9, 9]]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache folder, and no network."""

    def refuse(*args, **kwargs):
        raise OSError("there is no network here")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    (tmp_path / "datasets").mkdir()
    return tmp_path / "datasets"


@pytest.fixture
def any_checksum(monkeypatch):
    """Our small files have other checksums."""
    monkeypatch.setattr(files, "_has_checksum", lambda path, wanted, algorithm: Path(path).is_file())


def objects(lists):
    found = np.empty(len(lists), object)
    found[:] = lists
    return found


class TestOffline:
    @pytest.mark.parametrize(
        ("name", "file"),
        [
            ("mnist", "mnist.npz"),
            ("fashion_mnist", "train-images-idx3-ubyte.gz"),
            ("cifar10", "cifar-10-batches-py-target_archive"),
            ("cifar100", "cifar-100-python-target_archive"),
            ("imdb", "imdb.npz"),
            ("reuters", "reuters.npz"),
            ("boston_housing", "boston_housing.npz"),
            ("california_housing", "california_housing.npz"),
        ],
    )
    def test_the_error_says_where_to_put_the_file(self, cache, name, file):
        pytest.importorskip("pooch")
        with pytest.raises(ConnectionError, match=f"put it at {cache}.*{file} .(sha256|md5) [0-9a-f]+"):
            getattr(keras.datasets, name).load_data()
        assert [path for path in cache.rglob("*") if path.is_file()] == []

    def test_a_file_with_another_checksum_is_not_taken(self, cache):
        pytest.importorskip("pooch")
        (cache / "mnist.npz").write_bytes(b"something else")
        with pytest.raises(ConnectionError, match="with another checksum"):
            keras.datasets.mnist.load_data()
        assert (cache / "mnist.npz").read_bytes() == b"something else"

    def test_without_pooch(self, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "pooch", None)
        with pytest.raises(ImportError, match=r"pip install .fastgrad\[datasets\]"):
            keras.datasets.mnist.load_data()


@pytest.mark.usefixtures("any_checksum")
class TestPlaced:
    def test_mnist(self, cache):
        parts = {"x_train": NUMBERS.integers(0, 255, (6, 28, 28), np.uint8), "y_train": np.arange(6, dtype=np.uint8)}
        parts.update(x_test=parts["x_train"][:2], y_test=parts["y_train"][:2])
        np.savez(cache / "mnist.npz", **parts)
        (x, y), (x_test, y_test) = keras.datasets.mnist.load_data()
        for found, name in ((x, "x_train"), (y, "y_train"), (x_test, "x_test"), (y_test, "y_test")):
            np.testing.assert_array_equal(found, parts[name])

    def test_fashion_mnist(self, cache):
        images, labels = NUMBERS.integers(0, 255, (4, 28, 28), np.uint8), np.arange(4, dtype=np.uint8)
        folder = cache / "fashion-mnist"
        folder.mkdir()
        for kind in ("train", "t10k"):
            (folder / f"{kind}-images-idx3-ubyte.gz").write_bytes(gzip.compress(bytes(16) + images.tobytes()))
            (folder / f"{kind}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(bytes(8) + labels.tobytes()))
        (x, y), _ = keras.datasets.fashion_mnist.load_data()
        np.testing.assert_array_equal(x, images)
        np.testing.assert_array_equal(y, labels)

    @pytest.mark.parametrize("image_format", ["channels_last", "channels_first"])
    def test_cifar(self, cache, monkeypatch, image_format):
        monkeypatch.setattr("fastgrad._src.keras.datasets.cifar.image_data_format", lambda: image_format)
        images = NUMBERS.integers(0, 255, (2, 3072), np.uint8)
        members = {f"cifar-10-batches-py/data_batch_{i}": {b"data": images, b"labels": [i, 2]} for i in range(1, 6)}
        members["cifar-10-batches-py/test_batch"] = {b"data": images[:1], b"labels": [7]}
        coarse = {b"data": images, b"fine_labels": [80, 3], b"coarse_labels": [4, 5]}
        members.update({"cifar-100-python/train": coarse, "cifar-100-python/test": coarse})
        for folder in ("cifar-10-batches-py", "cifar-100-python"):
            with tarfile.open(cache / f"{folder}-target_archive", "w:gz") as archive:
                for name, value in members.items():
                    contents = pickle.dumps(value, protocol=2)
                    member = tarfile.TarInfo(name)
                    member.size = len(contents)
                    archive.addfile(member, io.BytesIO(contents))
        (x, y), (x_test, y_test) = keras.datasets.cifar10.load_data()
        assert x.shape == ((10, 32, 32, 3) if image_format == "channels_last" else (10, 3, 32, 32))
        first = images[0].reshape(3, 32, 32)
        np.testing.assert_array_equal(x[0], first.transpose(1, 2, 0) if image_format == "channels_last" else first)
        assert y.tolist() == [[1], [2], [2], [2], [3], [2], [4], [2], [5], [2]]
        assert (y.dtype, y_test.tolist(), len(x_test)) == (np.uint8, [[7]], 1)
        assert keras.datasets.cifar100.load_data()[0][1].tolist() == [[80], [3]]
        assert keras.datasets.cifar100.load_data("coarse")[0][1].tolist() == [[4], [5]]
        with pytest.raises(ValueError, match="label_mode"):
            keras.datasets.cifar100.load_data("medium")

    def test_imdb(self, cache):
        labels = np.array([0, 1, 0, 1, 1])
        np.savez(cache / "imdb.npz", x_train=objects(TEXTS), y_train=labels, x_test=objects(TEXTS), y_test=labels)
        (x, y), (x_test, _) = keras.datasets.imdb.load_data()
        order = np.arange(5)
        np.random.RandomState(113).shuffle(order)
        assert y.tolist() == labels[order].tolist()
        assert [text[1:] for text in x] == [[w + 3 if w + 3 < 12 else 2 for w in TEXTS[i]] for i in order]
        assert all(text[0] == 1 for text in x_test)
        (x, _), _ = keras.datasets.imdb.load_data(
            num_words=6, skip_top=2, maxlen=4, oov_char=None, start_char=None, index_from=0
        )
        assert sorted(x.tolist()) == [[], [2], [3, 3]]
        with pytest.raises(ValueError, match="Increase maxlen"):
            keras.datasets.imdb.load_data(maxlen=1)
        (cache / "imdb_word_index.json").write_text(json.dumps({"the": 1}))
        assert keras.datasets.imdb.get_word_index() == {"the": 1}

    def test_reuters(self, cache):
        np.savez(cache / "reuters.npz", x=objects(TEXTS), y=np.arange(5))
        (x, y), (x_test, y_test) = keras.datasets.reuters.load_data(index_from=0, start_char=None, num_words=99)
        assert {int(label): text for label, text in zip([*y, *y_test], [*x, *x_test], strict=True)} == dict(
            enumerate(TEXTS)
        )
        assert (len(x), len(x_test)) == (4, 1)

    def test_housing(self, cache):
        x, y = NUMBERS.normal(size=(700, 3)), np.arange(700.0)
        np.savez(cache / "boston_housing.npz", x=x, y=y)
        np.savez(cache / "california_housing.npz", x=x, y=y)
        order = np.arange(700)
        np.random.RandomState(113).shuffle(order)
        (x_train, y_train), (_, y_test) = keras.datasets.boston_housing.load_data()
        np.testing.assert_array_equal(y_train, y[order][:560])
        np.testing.assert_array_equal(y_test, y[order][560:])
        np.testing.assert_array_equal(x_train, x[order][:560])
        (_, y_small), _ = keras.datasets.california_housing.load_data("small", test_split=0.5)
        assert len(y_small) == 300
        for arguments in ({"test_split": 1.0}, {"version": "medium"}):
            with pytest.raises(ValueError, match=r"test_split|version"):
                keras.datasets.california_housing.load_data(**arguments)

    def test_pickles_name_nothing_but_data(self, cache):
        class Evil:
            def __reduce__(self):
                return print, ("run",)

        np.savez(cache / "imdb.npz", x_train=objects([Evil()]), y_train=[0], x_test=objects([[1]]), y_test=[0])
        with pytest.raises(ValueError, match="which is not data"):
            keras.datasets.imdb.load_data()


class TestGetFile:
    """From the address of a file on this machine: no network is needed."""

    def test_what_is_there_with_the_right_checksum_is_taken(self, cache):
        (cache / "a.txt").write_text("hello")
        for hashed in (hashlib.sha256(b"hello"), hashlib.md5(b"hello")):
            path = keras.utils.get_file("a.txt", "http://nowhere.invalid/a.txt", file_hash=hashed.hexdigest())
            assert Path(path) == cache / "a.txt"
        assert keras.utils.get_file(origin="http://nowhere.invalid/a.txt") == str(cache / "a.txt")

    @pytest.mark.parametrize("kind", ["zip", "tar"])
    def test_archives(self, cache, tmp_path, kind):
        source = tmp_path / "source"
        source.mkdir()
        (source / "a.txt").write_text("hello")
        __import__("shutil").make_archive(str(cache / "b"), kind, source)
        (cache / f"b.{kind}").rename(cache / "b_archive")
        folder = keras.utils.get_file("b", "http://nowhere.invalid/b", extract=True)
        assert Path(folder) == cache / "b"
        assert (Path(folder) / "a.txt").read_text() == "hello"
        assert keras.utils.get_file("b", "http://nowhere.invalid/b", untar=True) == folder

    @pytest.mark.parametrize("evil", ["../evil.txt", "/tmp/evil.txt", "link"])
    def test_archives_that_write_elsewhere_are_refused(self, cache, evil):
        member = tarfile.TarInfo(evil)
        if evil == "link":
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        with tarfile.open(cache / "b_archive", "w") as archive:
            archive.addfile(member, io.BytesIO())
        with pytest.raises(ValueError, match="a link or lies outside"):
            keras.utils.get_file("b", "http://nowhere.invalid/b", extract=True)
        assert [path.name for path in cache.iterdir()] == ["b_archive"]

    def test_arguments(self):
        with pytest.raises(ValueError, match="origin"):
            keras.utils.get_file("a")
        with pytest.raises(ValueError, match="without folders"):
            keras.utils.get_file("a/b", "http://nowhere.invalid/b")


def test_without_a_home(monkeypatch, tmp_path):
    """Keras's folder is then one of temporary files, not one named ``~``."""
    from fastgrad._src.keras.utils.files import cache_folder

    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert cache_folder() == str(tmp_path / ".keras")


@pytest.mark.parametrize(
    "payload",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"c_codecs\nencode\n(S'x'\nS'zip'\ntR.",
        b"cnumpy\nndarray\n((I1\nttR(I1\n(I4\ntcnumpy\ndtype\n(S'O8'\ntRI0\n]tb.",  # NumPy itself crashes here
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I1099511627776\ntS'd'\ntR.",
    ],
)
def test_pickles_make_arrays_of_numbers_and_nothing_else(cache, any_checksum, payload):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    with zipfile.ZipFile(cache / "imdb.npz", "w") as archive:
        archive.writestr("x_train.npy", header.getvalue() + payload)
    with pytest.raises(ValueError, match=r"imdb\.npz"):
        keras.datasets.imdb.load_data()
