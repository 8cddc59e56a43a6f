import errno
import os
import sqlite3
import struct
import tempfile
import time

import numpy as np
import platformdirs
import pytest

from fastgrad._src.jit import cache, store
from fastgrad._src.jit.build import kernel

ENTRY = cache.Entry(b"code" * 100, ("expf", "PyLong_FromLongLong"))


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("FASTGRAD_CACHE_DIR", str(tmp_path / "kernels"))
    monkeypatch.setattr(cache, "_warnings_given", [])
    return tmp_path / "kernels"


def _entries(folder):
    return sorted(folder.glob("*" + cache.ENTRY_FILE_SUFFIX))


def _triple():
    """A kernel that no other test has loaded."""

    @kernel("x: in[T], out: out[T], n: int", T=("float32", "float64"))
    def triple(x, out, n):
        for i in range(n):
            out[i] = T(3) * x[i]

    return triple


def _works():
    triple, out = _triple(), np.empty(3)
    triple[out.dtype](np.arange(3.0), out, 3)
    np.testing.assert_array_equal(out, [0, 3, 6])


def test_an_entry_comes_back_whole(folder):
    assert cache.load("key") is None
    cache.store("key", ENTRY)
    assert cache.load("key") == ENTRY
    assert cache.load("another key") is None
    assert len(_entries(folder)) == 1


def test_the_folder_is_made_when_it_is_missing(folder):
    _works()
    assert len(_entries(folder)) == 1


@pytest.mark.parametrize("kept", [0, 10, len(cache.MAGIC) + 63, 200, -1])
def test_a_truncated_entry_counts_as_absent(folder, kept):
    cache.store("key", ENTRY)
    (path,) = _entries(folder)
    path.write_bytes(path.read_bytes()[:kept])
    assert cache.load("key") is None


def test_any_flipped_bit_is_found(folder):
    cache.store("key", ENTRY)
    (path,) = _entries(folder)
    blob = path.read_bytes()
    for at in range(0, len(blob), 7):
        path.write_bytes(blob[:at] + bytes([blob[at] ^ 4]) + blob[at + 1 :])
        assert cache.load("key") is None
    path.write_bytes(blob + b"\0")
    assert cache.load("key") is None


def test_an_entry_under_another_keys_name_is_not_used(folder):
    cache.store("key", ENTRY)
    cache.store("other", cache.Entry(b"other", ()))
    os.replace(cache._entry_path(str(folder), "other"), cache._entry_path(str(folder), "key"))
    assert cache.load("key") is None


def test_a_bad_entry_is_compiled_again_and_replaced_in_silence(folder, capfd):
    _works()
    (path,) = _entries(folder)
    good = path.read_bytes()
    path.write_bytes(good[:-1] + b"\1")
    _works()
    assert path.read_bytes() == good
    path.write_bytes(b"")
    _works()
    assert path.read_bytes() == good
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("other", ["llvmlite", "python", "cpu", "vectors", "builder"])
def test_what_another_version_or_processor_has_left_is_not_used(folder, monkeypatch, other):
    here = store.platform_key()
    assert other in here
    monkeypatch.setattr(store, "platform_key", lambda: here.replace(other, f"{other} other"))
    _works()
    (left,) = _entries(folder)
    left.write_bytes(left.read_bytes()[:-1])  # it would be found out
    monkeypatch.setattr(store, "platform_key", lambda: here)
    _works()
    assert len(_entries(folder)) == 2


def test_a_folder_that_can_only_be_read_serves(folder, monkeypatch, capfd):
    _works()

    def refuse(*args, **options):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    for name in ("makedirs", "replace", "utime"):
        monkeypatch.setattr(os, name, refuse)
    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    (path,) = _entries(folder)
    monkeypatch.setattr(cache, "_DAY_SECONDS", -1.0)  # a use would be noted
    _works()
    assert capfd.readouterr().err == ""
    path.unlink()
    _works()
    assert _one_warning(capfd.readouterr().err)


def test_a_disk_that_is_full_in_the_middle_leaves_nothing(folder, monkeypatch, capfd):
    written = os.fdopen

    def full(*args, **options):
        file = written(*args, **options)

        class Full:
            def __enter__(self):
                return self

            def __exit__(self, *exception):
                file.close()

            def write(self, blob):
                file.write(blob[:100])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        return Full()

    monkeypatch.setattr(os, "fdopen", full)
    _works()
    monkeypatch.undo()
    assert _one_warning(capfd.readouterr().err)
    assert list(folder.iterdir()) == []


def _one_warning(text):
    return text.count("\n") == 1 and text.count("cache") >= 1


def test_a_folder_that_cannot_be_made_costs_one_line(folder, monkeypatch, capfd):
    file = folder.parent / "file"
    file.write_text("in the way")
    monkeypatch.setenv("FASTGRAD_CACHE_DIR", str(file / "kernels"))
    _works()
    _works()
    text = capfd.readouterr().err
    assert _one_warning(text)
    assert str(file) in text
    assert "FASTGRAD_CACHE_DIR" in text


def test_a_directory_in_an_entrys_place_costs_one_line(folder, capfd):
    _works()
    (path,) = _entries(folder)
    path.unlink()
    path.mkdir()
    _works()
    _works()
    assert _one_warning(capfd.readouterr().err)
    assert [p.name for p in folder.iterdir()] == [path.name]  # nothing half-written is left


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_full_or_read_only_disk_costs_one_line(folder, monkeypatch, capfd, code):
    def refuse(source, target):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "replace", refuse)
    _works()
    _works()
    text = capfd.readouterr().err
    assert _one_warning(text)
    assert os.strerror(code) in text
    assert list(folder.iterdir()) == []


def test_no_home_is_fine(folder, monkeypatch, capfd):
    monkeypatch.delenv("FASTGRAD_CACHE_DIR")
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: f"~/.cache/{name}")
    _works()
    assert _one_warning(capfd.readouterr().err)
    assert not os.path.exists("~")


def test_no_home_that_platformdirs_refuses_is_fine(folder, monkeypatch, capfd):
    def refuse(name):
        raise RuntimeError("could not determine the home directory")

    monkeypatch.delenv("FASTGRAD_CACHE_DIR")
    monkeypatch.setattr(platformdirs, "user_cache_dir", refuse)
    _works()
    assert _one_warning(capfd.readouterr().err)


def _give_away(path, monkeypatch):
    """Makes a file or folder that of another user."""
    if os.geteuid() == 0:
        os.chown(path, 12345, 12345)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)


def _refuses(folder, capfd, reason):
    """Compiles in spite of what is in the folder, with one line that says why."""
    capfd.readouterr()
    before = {path: path.read_bytes() for path in _entries(folder)}
    _works()
    text = capfd.readouterr().err
    assert _one_warning(text)
    assert reason in text
    assert str(folder) in text
    assert {path: path.read_bytes() for path in _entries(folder)} == before


@pytest.mark.parametrize("is_empty", [True, False])
def test_a_folder_of_another_user_is_not_used(folder, monkeypatch, capfd, is_empty):
    """Its entries are machine code, which would be run."""
    folder.mkdir() if is_empty else _works()
    _give_away(folder, monkeypatch)
    _refuses(folder, capfd, "belongs to another user")


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o702, 0o770])
def test_a_folder_that_others_may_write_to_is_not_used(folder, monkeypatch, capfd, mode):
    _works()
    monkeypatch.setattr(cache, "_is_private_group", lambda group, user: False)
    folder.chmod(mode)
    _refuses(folder, capfd, "chmod go-w")


def test_a_group_of_the_user_alone_may_write(folder, monkeypatch, capfd):
    _works()
    monkeypatch.setattr(cache, "_is_private_group", lambda group, user: True)
    folder.chmod(0o770)
    monkeypatch.setattr(cache, "store", None)
    _works()
    assert capfd.readouterr().err == ""


def test_private_groups_have_the_name_of_the_user():
    grp, pwd = pytest.importorskip("grp"), pytest.importorskip("pwd")
    user = pwd.getpwuid(os.geteuid())
    group = grp.getgrgid(user.pw_gid)
    assert cache._is_private_group(user.pw_gid, user.pw_uid) == (
        group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
    )
    assert not cache._is_private_group(987654, user.pw_uid)


def test_new_folders_are_the_users_alone(folder):
    before = os.umask(0)
    try:
        _works()
    finally:
        os.umask(before)
    (path,) = _entries(folder)
    assert (folder.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)


@pytest.mark.parametrize("change", ["owner", "mode", "link", "pipe"])
def test_an_entry_that_another_user_made_is_compiled_again_and_replaced(folder, monkeypatch, capfd, change):
    _works()
    (path,) = _entries(folder)
    if change == "owner":
        if os.geteuid():
            pytest.skip("only the superuser can give files away")
        _give_away(path, monkeypatch)
    elif change == "mode":
        path.chmod(0o666)
    else:
        path.replace(folder.parent / "elsewhere")
        path.symlink_to(folder.parent / "elsewhere") if change == "link" else os.mkfifo(path)
    _works()
    text = capfd.readouterr().err
    assert _one_warning(text) if change in ("owner", "mode") else text == ""
    assert path.is_file()
    assert not path.is_symlink()
    assert path.stat().st_uid == os.geteuid()
    assert path.stat().st_mode & 0o777 == 0o600
    cache._warnings_given.clear()
    _works()
    assert capfd.readouterr().err == ""


def test_a_folder_of_ones_own_in_a_folder_of_all_serves(folder, monkeypatch, capfd):
    """As in /tmp. Another user's folder in its place belongs to that user."""
    folder.parent.chmod(0o777)
    _works()
    monkeypatch.setattr(cache, "store", None)
    _works()
    folder.rename(folder.parent / "moved")
    folder.symlink_to(folder.parent / "moved")
    _works()
    assert capfd.readouterr().err == ""
    monkeypatch.undo()
    monkeypatch.setenv("FASTGRAD_CACHE_DIR", str(folder))
    folder.unlink()
    folder.mkdir()
    _give_away(folder, monkeypatch)
    _refuses(folder, capfd, "belongs to another user")


@pytest.mark.parametrize(
    "statement",
    [
        "create view entries as select '{name}' as name, zeroblob(1000000000) as entry",
        "create view entries as with recursive r(n) as (select 1 union all select n + 1 from r) select n as name, n as entry from r",
        "create table entries (name text primary key, entry generated always as (zeroblob(1000000000)))",
        "create table other (name)",
    ],
)
def test_installed_entries_are_a_plain_table(tmp_path, monkeypatch, statement):
    monkeypatch.setattr(cache, "INSTALLED_FOLDER", str(tmp_path))
    with sqlite3.connect(tmp_path / "level.db") as connection:
        connection.execute(statement.format(name=cache._entry_name("key")))
    connection.close()
    assert cache.load_installed("level", "key") is None
    cache.close_installed()


@pytest.mark.parametrize("value", [None, 3, "text", b"", 1.5])
def test_installed_entries_are_bytes(tmp_path, monkeypatch, value):
    monkeypatch.setattr(cache, "INSTALLED_FOLDER", str(tmp_path))
    os.makedirs(tmp_path / "none")
    cache.pack_folder(str(tmp_path / "none"), str(tmp_path / "level.db"))
    with sqlite3.connect(tmp_path / "level.db") as connection:
        connection.execute("insert into entries values (?, ?)", (cache._entry_name("key"), value))
    connection.close()
    assert cache.load_installed("level", "key") is None
    opened = list(cache._databases.values())
    cache.close_installed()
    assert not cache._databases
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].execute("select 1")


def test_lengths_that_lie_under_a_right_digest(folder):
    """They take no part of the file for another, and nothing outside of it."""
    for rest in (b"", bytes(23), bytes(24), b"\xff" * 24, struct.pack("<QQQ", 3, 0, 1 << 62) + b"key"):
        assert cache._decoded(cache.MAGIC + cache.digest(rest).encode() + rest, "key") is None


def test_the_platforms_folder_is_the_default(monkeypatch):
    monkeypatch.delenv("FASTGRAD_CACHE_DIR")
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: f"/somewhere/{name}")
    assert cache.cache_folder() == "/somewhere/fastgrad"
    monkeypatch.setenv("FASTGRAD_CACHE_DIR", "")
    assert cache.cache_folder() == "/somewhere/fastgrad"


def test_a_folder_removed_meanwhile_is_made_again(folder):
    cache.store("key", ENTRY)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    assert cache.load("key") is None
    cache.store("key", ENTRY)
    assert cache.load("key") == ENTRY


def test_the_entries_unused_for_longest_go_first(folder, monkeypatch):
    for k in range(6):
        cache.store(f"key {k}", ENTRY)
        os.utime(cache._entry_path(str(folder), f"key {k}"), (k, k))
    size = _entries(folder)[0].stat().st_size
    monkeypatch.setattr(cache, "CACHE_LIMIT_BYTES", 4 * size)
    monkeypatch.setattr(cache, "STORES_BETWEEN_EVICTIONS", 1)
    cache.load("key 0")  # noted as used
    cache.store("key 6", ENTRY)
    kept = [k for k in range(7) if cache.load(f"key {k}") is not None]
    assert kept == [0, 4, 5, 6]


def test_entries_from_the_future_go_first_and_become_of_today_when_used(folder, monkeypatch):
    """A clock that was set back: else they would stay, and each new entry would go, until the clock is there again."""
    for k in range(4):
        cache.store(f"key {k}", ENTRY)
        os.utime(cache._entry_path(str(folder), f"key {k}"), (time.time() + 300 * 86400,) * 2)
    (folder / "writing-future").write_bytes(b"half")
    os.utime(folder / "writing-future", (time.time() + 300 * 86400,) * 2)
    size = _entries(folder)[0].stat().st_size
    monkeypatch.setattr(cache, "CACHE_LIMIT_BYTES", 2 * size)
    monkeypatch.setattr(cache, "STORES_BETWEEN_EVICTIONS", 1)
    cache.load("key 0")
    cache.store("key 4", ENTRY)
    assert [k for k in range(5) if cache.load(f"key {k}") is not None] == [0, 4]
    assert not (folder / "writing-future").exists()


def test_what_killed_writers_left_is_removed_after_a_day(folder):
    folder.mkdir()
    old, new = folder / "writing-old", folder / "writing-new"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 2 * 86400,) * 2)
    cache.store("key", ENTRY)
    assert not old.exists()
    assert new.exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_installed_entries_are_no_pipe(tmp_path, monkeypatch):
    """SQLite would wait for a process that writes to it."""
    monkeypatch.setattr(cache, "INSTALLED_FOLDER", str(tmp_path))
    os.mkfifo(tmp_path / "level.db")
    assert cache.load_installed("level", "key") is None
