"""``keras.utils.get_file``: downloads from a server on this machine, and copies of files."""

import hashlib
import http.server
import tarfile
import threading
from functools import partial
from pathlib import Path

import pytest

from fastgrad import keras

pytest.importorskip("pooch")

CONTENTS = b"some data" * 100


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def address(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "a.bin").write_bytes(CONTENTS)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/a.bin"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("hashed", [None, hashlib.sha256(CONTENTS).hexdigest(), hashlib.md5(CONTENTS).hexdigest()])
def test_downloads_once(address, tmp_path, hashed):
    path = keras.utils.get_file(origin=address, file_hash=hashed, cache_dir=tmp_path)
    assert Path(path) == tmp_path / "datasets" / "a.bin"
    assert Path(path).read_bytes() == CONTENTS
    assert keras.utils.get_file(origin="http://127.0.0.1:1/a.bin", file_hash=hashed, cache_dir=tmp_path) == path
    assert [one.name for one in Path(path).parent.iterdir()] == ["a.bin"]


def test_a_file_with_another_checksum_is_replaced(address, tmp_path):
    path = tmp_path / "datasets" / "a.bin"
    path.parent.mkdir()
    path.write_bytes(b"old")
    keras.utils.get_file(origin=address, file_hash=hashlib.sha256(CONTENTS).hexdigest(), cache_dir=tmp_path)
    assert path.read_bytes() == CONTENTS
    path.write_bytes(b"old")
    keras.utils.get_file(origin=address, cache_dir=tmp_path, force_download=True)
    assert path.read_bytes() == CONTENTS


def test_a_download_with_another_checksum_is_thrown_away(address, tmp_path):
    path = tmp_path / "datasets" / "a.bin"
    path.parent.mkdir()
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="hash"):
        keras.utils.get_file(origin=address, file_hash="0" * 64, cache_dir=tmp_path)
    assert [one.name for one in path.parent.iterdir()] == ["a.bin"]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("hashed", [None, hashlib.sha256(CONTENTS).hexdigest()])
def test_a_file_of_this_machine_is_copied(tmp_path, hashed):
    source = tmp_path / "a b.bin"
    source.write_bytes(CONTENTS)
    path = keras.utils.get_file(origin=source.as_uri(), fname="c.bin", file_hash=hashed, cache_dir=tmp_path)
    assert Path(path) == tmp_path / "datasets" / "c.bin"
    assert Path(path).read_bytes() == source.read_bytes() == CONTENTS
    assert [one.name for one in Path(path).parent.iterdir()] == ["c.bin"]


@pytest.mark.parametrize(
    ("address", "file_hash", "error", "text"),
    [
        ("file://{}/missing.bin", None, ConnectionError, "can't be downloaded .*No such file.* put it at"),
        ("file://{}", None, ConnectionError, "directory"),
        ("file://elsewhere{}/a.bin", None, ConnectionError, "another machine"),
        ("file://{}/a.bin", "0" * 64, ValueError, "hash"),
    ],
)
def test_a_file_of_this_machine_that_is_refused(tmp_path, address, file_hash, error, text):
    (tmp_path / "a.bin").write_bytes(CONTENTS)
    with pytest.raises(error, match=text):
        keras.utils.get_file(fname="a.bin", origin=address.format(tmp_path), file_hash=file_hash, cache_dir=tmp_path)
    assert list((tmp_path / "datasets").iterdir()) == []


def test_an_archive_of_this_machine_is_unpacked(tmp_path):
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as archive:
        archive.add(__file__, arcname="inside.py")
    folder = keras.utils.get_file(origin=(tmp_path / "a.tgz").as_uri(), cache_dir=tmp_path, extract=True)
    assert (Path(folder) / "inside.py").read_bytes() == Path(__file__).read_bytes()


def test_what_is_not_there(address, tmp_path):
    with pytest.raises(ConnectionError, match="can't be downloaded .*404.* put it at"):
        keras.utils.get_file(origin=address + "x", cache_dir=tmp_path)
