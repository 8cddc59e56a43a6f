"""Crafted kernel entries, datasets, texts, images, archives and pickles."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fastgrad._src.files.formats.record_file import crc32c
from tests.reliability.hostile_files.attacks import (
    ANY,
    DEEP,
    MEBIBYTE,
    REFUSED,
    SECRET,
    Attack,
    add,
    attack,
    contents,
    npy,
    opens,
    overlapping,
    zeros,
    zipped,
)

# ---- the kernel cache: what its folder and its entries may be stands in tests/jit/test_cache.py --------

contents(("kernel entry", "kernel pack"), "other files", lambda: b"\x7fELF" + bytes(1000))
contents(("kernel entry",), "an entry without a digest", lambda: b"fastgrad kernel 1\n" + bytes(200))


# ---- data ------------------------------------------------------------------------------------------------------------


def with_index(**changes: Any) -> Attack:
    def write(path: Path) -> Any:
        from fastgrad._src.data import cache

        index = json.loads(path.read_text())
        del index["checksum"]
        index.update(changes)
        path.write_text(json.dumps({**index, "checksum": cache._index_checksum(index)}))
        return REFUSED

    return write


OF_INDEX = ("dataset index", "dataset cache")
for title, changes in {
    "a writer out of the folder": {"writer": "../../../" + SECRET},
    "a writer that is a list": {"writer": []},
    "a file of 10^18 elements": {"files": [10**18]},
    "a million files": {"files": [1] * 10**6},
    "negative sizes": {"files": [-4]},
    "more elements than there are": {"files": [5]},
    "fewer elements than there are": {"files": [2]},
    "sizes that are texts": {"files": ["4"]},
    "no files": {"files": None},
    "another dtype": {"spec": {"dict": [["x", {"dtype": "float32", "shape": [3]}], ["t", None], ["n", None]]}},
    "an unknown dtype": {"spec": {"dtype": "object", "shape": []}},
    "another shape": {"spec": {"dict": [["x", {"dtype": "float64", "shape": [4]}], ["t", None], ["n", None]]}},
    "a spec that is a number": {"spec": 3},
    "a spec without tensors": {"spec": None, "files": [1000] * 1000},
}.items():
    add(OF_INDEX, title, with_index(**changes))
contents(OF_INDEX, "deep brackets", lambda: DEEP)
contents(OF_INDEX, "no object", lambda: b"3")


def with_elements(**changes: Any) -> Attack:
    def write(path: Path) -> Any:
        from fastgrad._src.files.formats.tensor_file import load_tensors, save_tensors

        arrays, texts = load_tensors(path)
        save_tensors(path, {**arrays, **{name.replace("_", "."): value for name, value in changes.items()}}, texts)
        return REFUSED

    return write


for title, arrays in {
    "negative shapes": {"2_shapes": np.full((4, 1), -3, np.int64)},
    "shapes whose product overflows": {"2_shapes": np.full((4, 2), 1 << 62, np.int64)},
    "shapes of floats": {"2_shapes": np.full((4, 1), 3.0)},
    "shapes of one row": {"2_shapes": np.full((1, 4), 3, np.int64)},
    "texts of negative lengths": {"1_lengths": np.array([-1, 20, 0, -8], np.int64)},
    "texts beyond the end": {"1_lengths": np.array([1 << 40, 0, 0, 0], np.int64)},
    "values of another dtype": {"0": np.zeros(4, np.float64)},
    "too few values": {"2": np.zeros(5, np.float64)},
}.items():
    add(("dataset elements",), title, with_elements(**arrays))

OF_GZIP = ("lines in gzip", "CSV in gzip", "CSV in batches, gzip")


def record_of(length: int) -> bytes:
    """The header of a record of some length, with a right checksum."""
    header = struct.pack("<Q", length)
    crc = crc32c(header)
    return header + struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


contents(OF_GZIP, "a line of 100 MiB", lambda: gzip.compress(bytes(100 * MEBIBYTE), 1))
contents(OF_GZIP, "gzip in gzip", lambda: gzip.compress(gzip.compress(b"x,y\n1,b\n")), ANY)
contents(OF_GZIP, "zeros after the end", lambda: gzip.compress(b"x,y\n1,b\n") + bytes(100), ANY)
contents(OF_GZIP, "two streams", lambda: gzip.compress(b"x,y\n1,b\n") + gzip.compress(b"2,c\n"), ANY)
contents(
    OF_GZIP,
    "two streams of which the second is damaged",
    lambda: gzip.compress(b"x,y\n1,b\n") + gzip.compress(b"2,c\n")[:-3],
)
contents(("lines in zlib", "CSV in zlib"), "a line of 100 MiB", lambda: zlib.compress(bytes(100 * MEBIBYTE), 1))
contents(("records",), "a record of 2^50 bytes", lambda: record_of(1 << 50))
contents(("records in gzip",), "a record of 2^50 bytes", lambda: gzip.compress(record_of(1 << 50)))
contents(
    ("records in gzip",),
    "a record of 100 MiB that is cut off",
    lambda: gzip.compress(record_of(101 * MEBIBYTE) + bytes(100 * MEBIBYTE)),
)
contents(
    ("tensor",), "a value that stands for 2^40", lambda: b"\x08\x01\x12\x09\x12\x07\x08\x80\x80\x80\x80\x80 *\x04\0\0@@"
)
contents(
    ("tensor",),
    "sizes whose product overflows",
    lambda: b"\x08\x01\x12\x18" + b"\x12\x0a\x08" + b"\xff" * 8 + b"\x7f" + b"\x12\x0a\x08" + b"\xff" * 8 + b"\x7f",
)
contents(("log in CSV",), "bytes that are no UTF-8", lambda: b"epoch,loss\n0,caf\xe9\n", ANY)
contents(("log in CSV",), "a quote that never ends", lambda: b'epoch,loss\n0,"' + b"a\n" * MEBIBYTE, ANY)
contents(("log in CSV",), "zero bytes", lambda: bytes(1000), ANY)
contents(("log in CSV",), "a line of 16 MiB", lambda: b"a" * (16 * MEBIBYTE), ANY)
contents(("lines",), "a line of a megabyte", lambda: b"a" * MEBIBYTE, ANY)
contents(("CSV", "CSV in batches"), "a field of a megabyte", lambda: b"x,y\n1," + b"a" * MEBIBYTE)
contents(("CSV", "CSV in batches"), "a quote that never ends", lambda: b'x,y\n1,"' + b"a\n" * (MEBIBYTE // 2))
contents(("CSV", "CSV in batches"), "zero bytes", lambda: b"x,y\n1,\0\0\n", ANY)
contents(("CSV", "CSV in batches"), "a million columns", lambda: b"," * MEBIBYTE, ANY)
contents(("CSV", "CSV in batches"), "a number of a million digits", lambda: b"x,y\n" + b"9" * 100_000 + b",a\n", ANY)
contents(("CSV", "CSV in batches"), "bytes that are no UTF-8", lambda: b"x,y\n1,caf\xe9\n", ANY)

OF_IMAGES = ("PNG", "JPEG", "GIF", "BMP", "images of a folder")


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, rows: bytes, kind: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


contents(OF_IMAGES, "an image of 2^31 by 2^31 pixels", lambda: png((1 << 31) - 1, (1 << 31) - 1, zlib.compress(b"")))
contents(OF_IMAGES, "an image of 13,000 by 13,000 pixels without one", lambda: png(13_000, 13_000, zlib.compress(b"")))
contents(
    OF_IMAGES[:-1],
    "an image that is a bomb",
    lambda: png(1000, 40_000, zlib.compress(bytes(1001 * 40_000 * 3 // 3)), 0),
    ANY,
)
contents(OF_IMAGES, "more pixels than announced", lambda: png(4, 4, zlib.compress(bytes(100 * MEBIBYTE), 1)), ANY)
contents(OF_IMAGES, "a text in zlib that is a bomb", lambda: (
    png(4, 4, zlib.compress(bytes(52)))[:-12] + chunk(b"iTXt", b"k\0\1\0\0\0" + zlib.compress(bytes(100 * MEBIBYTE), 1))
), ANY)  # fmt: skip
contents(OF_IMAGES, "PostScript", lambda: (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\n(executed) (w) file closefile\nshowpage\n%%EOF\n"
))  # fmt: skip
contents(OF_IMAGES, "SVG", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>")
contents(
    ("BMP",),
    "a size of 2^31",
    lambda: b"BM" + struct.pack("<IIIIiiHHIIIIII", 60, 0, 54, 40, 1 << 30, 1 << 30, 1, 24, 0, 0, 0, 0, 0, 0),
)
contents(("BMP",), "rows that are not there", lambda: (
    b"BM" + struct.pack("<IIIIiiHHIIIIII", 60, 0, 54, 40, 13_000, 13_000, 1, 24, 0, 0, 0, 0, 0, 0) + bytes(MEBIBYTE)
))  # fmt: skip


# ---- archives --------------------------------------------------------------------------------------------------------


def tarred(*members: tuple[dict[str, Any], bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for fields, data in members:
            member = tarfile.TarInfo()
            member.size = len(data)
            for name, value in fields.items():
                setattr(member, name, value)
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def raw_header(size: bytes, kind: bytes, name: bytes = b"a") -> bytes:
    block = bytearray(512)
    block[: len(name)] = name
    block[100:108], block[108:116], block[116:124] = b"0000644\0", b"0000000\0", b"0000000\0"
    block[124:136], block[136:148], block[156:157] = size.rjust(12, b"0"), b"00000000000\0", kind
    block[257:265] = b"ustar  \0"
    block[148:156] = b"%06o\0 " % (sum(block) - sum(block[148:156]) + 8 * 32)
    return bytes(block)


NEGATIVE = b"\xff" * 4 + (-(1 << 20)).to_bytes(8, "big", signed=True)
TARS: dict[str, tuple[Callable[[], bytes], Any]] = {
    "a path out of the folder": (lambda: tarred(({"name": "../written"}, b"x")), REFUSED),
    "a path deep out of the folder": (lambda: tarred(({"name": "a/../../../written"}, b"x")), REFUSED),
    "an absolute path": (lambda: tarred(({"name": "/tmp/" + SECRET}, b"x")), REFUSED),
    "a symbolic link": (lambda: tarred(({"name": "a", "type": tarfile.SYMTYPE, "linkname": "/etc"}, b""), ({"name": "a/" + SECRET}, b"x")), REFUSED),
    "a hard link": (lambda: tarred(({"name": "a", "type": tarfile.LNKTYPE, "linkname": "/etc/passwd"}, b"")), REFUSED),
    "a device": (lambda: tarred(({"name": "a", "type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5}, b"")), REFUSED),
    "a pipe in it": (lambda: tarred(({"name": "a", "type": tarfile.FIFOTYPE}, b"")), REFUSED),
    "a file of 8 GiB that is not there": (lambda: raw_header(b"77777777777\0", b"0"), REFUSED),
    "a file of negative size": (lambda: raw_header(NEGATIVE, b"0") + bytes(1024), REFUSED),
    "a long name of 8 GiB": (lambda: raw_header(b"77777777777\0", b"L"), REFUSED),
    "a long name of negative size": (lambda: raw_header(NEGATIVE, b"L") + bytes(1024), REFUSED),
    "a pax header of negative size": (lambda: raw_header(NEGATIVE, b"x") + bytes(1024), REFUSED),
    "a pax header whose length is 0": (lambda: raw_header(b"00000000020\0", b"x") + b"0 path=a\n".ljust(512, b"\0") + raw_header(b"0\0", b"0"), ANY),
    "a pax header with a size of -1": (lambda: raw_header(b"00000000021\0", b"x") + b"16 size=-1048576\n".ljust(512, b"\0") + raw_header(b"0\0", b"0") + bytes(1024), ANY),
    "bits that give a file to all users": (lambda: tarred(({"name": "a", "mode": 0o6777}, b"x")), ANY),
    "ten thousand files of one name": (lambda: tarred(*[({"name": "a"}, b"")] * 10_000), ANY),
}  # fmt: skip

for title, (make, result) in TARS.items():
    contents(("tar",), title, make, result)
    contents(("tar.gz",), title, lambda make=make: gzip.compress(make()), result)
    contents(("none", "tar.xz"), title, lambda make=make: lzma.compress(make()), result)
    contents(("none", "tar.bz2"), title, lambda make=make: bz2.compress(make()), result)
contents(("tar.gz",), "a file of 3 GiB of zeros in 3 MB", lambda: gzip.compress(
    raw_header(b"20000000000\0", b"0") + bytes(100 * MEBIBYTE), 1
))  # fmt: skip
contents(("tar.gz", "CIFAR"), "a long name of 100 MiB in 1 MB", lambda: gzip.compress(
    raw_header(b"00620000000\0", b"L") + bytes(101 * MEBIBYTE), 1
))  # fmt: skip
contents(("tar.xz",), "a file of 100 MiB of zeros in 44 KB", lambda: lzma.compress(
    raw_header(b"00620000000\0", b"0") + bytes(101 * MEBIBYTE), preset=0
))  # fmt: skip
contents(("tar.bz2",), "a file of 100 MiB of zeros in 10 KB", lambda: (
    bz2.compress(raw_header(b"00620000000\0", b"0")) + bz2.compress(bytes(MEBIBYTE)) * 101
))  # fmt: skip
contents(("tar.bz2",), "a long name of 100 MiB in 10 KB", lambda: (
    bz2.compress(raw_header(b"00620000000\0", b"L")) + bz2.compress(bytes(MEBIBYTE)) * 101
))  # fmt: skip
contents(
    ("tar.bz2",),
    "other bytes after the end",
    lambda: bz2.compress(tarred(({"name": "a"}, b"x"))) + b"BZh9" + bytes(100),
    ANY,
)
contents(("tar.bz2",), "a block of another size", lambda: b"BZh0" + bz2.compress(tarred(({"name": "a"}, b"x")))[4:])
contents(("tar.gz",), "20,000 files", lambda: gzip.compress(raw_header(b"0\0", b"0") * 20_000, 1), ANY)
contents(("zip",), "a path out of the folder", lambda: zipped({"../written": b"x"}))
contents(("zip",), "an absolute path", lambda: zipped({"/tmp/" + SECRET: b"x"}))
contents(("zip",), "backslashes out of the folder", lambda: zipped({"..\\written": b"x"}))
contents(("zip",), "a bomb", lambda: zipped({"a": zeros(100)}), ANY)
contents(("zip",), "members over each other", lambda: overlapping("0000.npy", bytes(8 * MEBIBYTE), 900))
contents(
    ("zip",), "a name that occurs twice", lambda: overlapping("0000.npy", b"x", 1).replace(b"0.npy", b"0.npy"), ANY
)


@attack("zip")
def a_symbolic_link(path: Path) -> Any:
    info = zipfile.ZipInfo("a")
    info.create_system, info.external_attr = 3, (0o120777 << 16)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, "/etc")
        archive.writestr("a/" + SECRET, "x")
    return ANY


@attack("npz of objects")
def a_pickle_among_objects(path: Path) -> Any:
    np.savez(path, x=np.array([opens(path.parents[1] / "executed"), None], object))
    return REFUSED


PICKLES = {
    "a pickle of os.system": b"cos\nsystem\n(S'touch executed'\ntR.",
    "a pickle of eval": b"c__builtin__\neval\n(S'1'\ntR.",
    "a pickle that writes with a codec": b"c_codecs\nopen\n(S'executed'\nS'w'\ntR.",
    "a pickle of a persistent name": b"Pexecuted\n.",
    "a pickle of an extension": b"\x80\x02\x82\x01.",
    "a pickle of a gigabyte": b"\x80\x02T\xff\xff\xff\x7f",
    "a pickle of 2^62 bytes": b"\x80\x04\x8e" + (1 << 62).to_bytes(8, "little"),
    "a pickle of an array of 2^40 values": b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(L1099511627776L\ntS'd'\ntR.",
    "a pickle of a dtype of lists": b"cnumpy\ndtype\n(S'V1'\nI0\nI1\ntR(I3\nS'|'\nN(S'a'\nt(dtI1\nI1\nI0\ntb.",
    "a pickle of an array state with objects": b"cnumpy\nndarray\n((I1\nttR(I1\n(I4\ntcnumpy\ndtype\n(S'O8'\ntRI0\n]tb.",
    "deep tuples": b"\x80\x02" + b"(" * 100_000 + b"t" * 100_000 + b".",
}


def pickled(payload: bytes) -> Attack:
    def write(path: Path) -> Any:
        data = npy("|O", (1,), payload)
        path.write_bytes(zipped({"x.npy": data, "y.npy": npy()}))
        return ANY if payload.startswith(b"\x80\x02(") else REFUSED

    return write


for title, payload in PICKLES.items():
    add(("npz of objects",), title, pickled(payload))
