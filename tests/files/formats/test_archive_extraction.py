"""Archives: what is unpacked, and what is refused."""

import gzip
import io
import os
import tarfile

import pytest

from fastgrad._src.files.formats.archive_extraction import unpack


def tarred(*members):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def unpacked(tmp_path, contents):
    (tmp_path / "archive").write_bytes(contents)
    (tmp_path / "folder").mkdir(exist_ok=True)
    unpack(str(tmp_path / "archive"), str(tmp_path / "folder"))
    return {
        str(path.relative_to(tmp_path / "folder")): path.read_bytes()
        for path in (tmp_path / "folder").rglob("*")
        if path.is_file()
    }


def test_the_checksum_of_a_compressed_tar_is_checked(tmp_path):
    """tarfile stops at the end of the archive, before gzip's checksum."""
    data = gzip.compress(tarred(("a", b"the same text " * 3)), 0)
    assert unpacked(tmp_path, data) == {"a": b"the same text " * 3}
    for place in (data.index(b"same"), len(data) - 6):
        with pytest.raises(ValueError, match=r"archive' is no intact zip or tar archive: .*incorrect data check"):
            unpacked(tmp_path, data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])


def test_long_names_take_no_memory(tmp_path):
    header = bytearray(tarred(("a", b""))[:512])
    header[124:136], header[156:157] = b"00700000000\0", b"L"
    header[148:156] = b"%06o\0 " % (sum(header) - sum(header[148:156]) + 8 * 32)
    with pytest.raises(ValueError, match="one of its headers announces 117440512 bytes"):
        unpacked(tmp_path, bytes(header))


def test_a_bomb_is_refused_before_it_fills_the_disk(tmp_path):
    data = gzip.compress(tarred(*[("a", bytes(1 << 20))] * 30), 9)
    header = bytearray(tarred(("big", b""))[:512])
    header[124:136] = b"20000000000\0"  # 2 GiB
    header[148:156] = b"%06o\0 " % (sum(header) - sum(header[148:156]) + 8 * 32)
    assert unpacked(tmp_path, data) == {"a": bytes(1 << 20)}
    with pytest.raises(ValueError, match="a decompression bomb"):
        unpacked(tmp_path, gzip.compress(bytes(header)))


def test_members_in_each_others_place(tmp_path):
    with pytest.raises(ValueError, match="two members take each other's place"):
        unpacked(tmp_path, tarred(("a", b"x"), ("a/b", b"x")))


def test_names_of_many_letters(tmp_path):
    name = "folder/" + "a" * 200
    assert unpacked(tmp_path, tarred((name, b"x"))) == {name: b"x"}
    with pytest.raises(ValueError, match="a name that is too long"):
        unpacked(tmp_path, tarred(("a" * 300, b"x")))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_pipes_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "archive")
    with pytest.raises(OSError, match="no regular file"):
        unpack(str(tmp_path / "archive"), str(tmp_path))
