"""Files that are there whole or not at all."""

import os
import threading

import pytest

from fastgrad._src.files.formats.atomic_write import write_atomically


def put(contents):
    return lambda file: file.write(contents)


def test_new_and_replaced(tmp_path):
    path = tmp_path / "f"
    write_atomically(path, put(b"one"))
    assert path.read_bytes() == b"one"
    write_atomically(str(path), put(b"three"))
    write_atomically(path, put(b"2"))
    assert path.read_bytes() == b"2"
    assert os.listdir(tmp_path) == ["f"]


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing(tmp_path):
    path = tmp_path / "f"
    write_atomically(path, put(b"old"))

    def fail(file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_atomically(path, fail)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, lambda file: (_ for _ in ()).throw(KeyboardInterrupt))
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["f"]


def test_a_full_disk(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full to stand for a full disk")

    def fill(file):
        with open("/dev/full", "wb", buffering=0) as full:
            full.write(b"x")

    with pytest.raises(OSError, match="space"):
        write_atomically(tmp_path / "f", fill)
    assert os.listdir(tmp_path) == []


def test_folders_and_missing_folders(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path / "folder", put(b""))
    with pytest.raises(FileNotFoundError, match=r"missing/f'$"):
        write_atomically(tmp_path / "missing" / "f", put(b""))
    assert os.listdir(tmp_path) == ["folder"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_folders_that_cannot_be_written(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError):
            write_atomically(tmp_path / "f", put(b""))
    finally:
        tmp_path.chmod(0o700)


def test_overwrite_can_be_forbidden(tmp_path):
    path = tmp_path / "f"
    write_atomically(path, put(b"old"), overwrite=False)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        write_atomically(path, put(b"new"), overwrite=False)
    assert path.read_bytes() == b"old"


def test_symbolic_links_are_followed(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_atomically(tmp_path / "link", put(b"new"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_the_strays_of_a_killed_writer_are_reused(tmp_path):
    (tmp_path / ".f.partial").write_bytes(b"x" * 1000)
    write_atomically(tmp_path / "f", put(b"new"))
    assert os.listdir(tmp_path) == ["f"]
    assert (tmp_path / "f").read_bytes() == b"new"


def test_writers_at_the_same_time(tmp_path):
    """Each file that a reader sees is whole, for any order of the writers."""
    path = tmp_path / "f"
    barrier = threading.Barrier(4)

    def write(letter):
        barrier.wait()
        for _ in range(10):
            write_atomically(path, lambda file: [file.write(letter * 1000) for _ in range(20)])

    threads = [threading.Thread(target=write, args=(bytes([letter]),)) for letter in b"abc"]
    for thread in threads:
        thread.start()
    barrier.wait()
    while any(thread.is_alive() for thread in threads):
        if path.exists():
            contents = path.read_bytes()
            assert len(contents) == 20_000
            assert len(set(contents)) == 1
    for thread in threads:
        thread.join()
    assert os.listdir(tmp_path) == ["f"]
