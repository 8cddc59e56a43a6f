"""Crafted files: headers that lie, entries that climb out of their folder, links, bombs, deep nesting, pickles, code.

Each attack changes a valid file, or writes another in its place, and returns what the reader has to make of it: `REFUSED`, or `ANY`
where a right result is as good.
"""

from __future__ import annotations

import functools
import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.reliability.hostile_files.readers import READERS

REFUSED = object()
ANY = object()
SECRET = "secret-outside"
NO_FILES = ("a pipe", "a device without end", "a device whose line has no end", "a folder", "a link to itself")
MEBIBYTE = 1 << 20

Attack = Callable[[Path], Any]
ATTACKS: dict[str, dict[str, tuple[Attack, bool]]] = {}


def of(name: str, full: bool) -> Iterator[tuple[str, Attack]]:
    """The attacks on a reader by their names; unless `full`, those only that no reader of the same kind has."""
    for title, (function, is_first) in ATTACKS.get(name, {}).items():
        if full or is_first:
            yield title, function


def add(readers: tuple[str, ...], title: str, function: Attack) -> None:
    """Adds an attack to readers, of which the first stands for all in the short form."""
    for reader in readers:
        ATTACKS.setdefault(reader, {})[title] = function, reader == readers[0]


def attack(*readers: str) -> Callable[[Attack], Attack]:
    """Makes a function an attack on some readers, under its own name. The readers are of different kinds."""

    def decorate(function: Attack) -> Attack:
        for reader in readers:
            add((reader,), function.__name__.replace("_", " "), function)
        return function

    return decorate


def contents(readers: tuple[str, ...], title: str, make: Callable[[], bytes], result: Any = REFUSED) -> None:
    """Adds an attack that writes other contents in the place of a file."""
    cached = functools.cache(make)

    def write(path: Path) -> Any:
        path.write_bytes(cached())
        return result

    add(readers, title, write)


def opens(folder: Path) -> Any:
    """An object whose pickle makes a folder where it is read."""

    class Payload:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(folder),)

    return Payload()


DEEP = b"[" * 100_000 + b"]" * 100_000
OBJECTS = b"[" + b'{"":0},' * (MEBIBYTE // 7) + b"0]"
"""The JSON text of which Python makes the most objects."""

TEXTS_IN_JSON = ("model in JSON", "object in JSON")
"""Readers that are given a text and no file."""

STREAMS = ("lines", "CSV", "CSV in batches", "log in CSV")
STREAMS += tuple(name for name in READERS if name.startswith(("lines in", "CSV in", "records")))
"""Readers that also read pipes, and wait for them."""


@attack(*[name for name in READERS if name not in TEXTS_IN_JSON + STREAMS])
def a_pipe(path: Path) -> Any:
    path.unlink()
    os.mkfifo(path)
    return REFUSED


@attack(*[name for name in READERS if name not in TEXTS_IN_JSON + STREAMS])
def a_device_without_end(path: Path) -> Any:
    path.unlink()
    path.symlink_to("/dev/zero")
    return REFUSED


@attack(*[name for name in STREAMS if name != "log in CSV"])
def a_device_whose_line_has_no_end(path: Path) -> Any:
    path.unlink()
    path.symlink_to("/dev/zero")
    return REFUSED


@attack(*[name for name in READERS if name not in (*TEXTS_IN_JSON, "Parquet")])  # Parquet files may be folders of files
def a_folder(path: Path) -> Any:
    path.unlink()
    path.mkdir()
    return REFUSED


@attack(*[name for name in READERS if name not in TEXTS_IN_JSON])
def a_link_to_itself(path: Path) -> Any:
    path.unlink()
    path.symlink_to(path.name)
    return ANY


@attack(
    "safetensors",
    "npz",
    "checkpoint",
    "backup of fit",
    ".keras",
    ".h5",
    ".weights.h5",
    "model in npz",
    "npz of objects",
    "CIFAR",
    "PNG",
    "zip",
    "tar",
)
def a_pickle(path: Path) -> Any:
    path.write_bytes(pickle.dumps(opens(path.parents[1] / "executed")))
    return REFUSED


# ---- safetensors ---------------------------------------------------------------------------------------------


def safetensors(header: Any, data: bytes = b"") -> Callable[[], bytes]:
    def make() -> bytes:
        text = header() if callable(header) else header if isinstance(header, bytes) else json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text + data

    return make


def entry(shape: Any = (1,), offsets: Any = (0, 4), dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


OF_SAFETENSORS = (
    "safetensors",
    "checkpoint",
    "backup of fit",
    "saved model",
    "model in safetensors",
    "dataset elements",
)
contents(OF_SAFETENSORS, "a header of 2^64 - 1 bytes", lambda: b"\xff" * 8 + b"{}")
contents(OF_SAFETENSORS, "a header of 90 MB that is not there", lambda: (90_000_000).to_bytes(8, "little") + b"{}")
contents(OF_SAFETENSORS, "offsets that overlap", safetensors({"a": entry(), "b": entry()}, bytes(4)))
contents(OF_SAFETENSORS, "offsets beyond the end", safetensors({"a": entry((1 << 40,), (0, 1 << 42))}, bytes(4)))
contents(OF_SAFETENSORS, "offsets beyond 2^64", safetensors({"a": entry((1 << 70,), (0, 1 << 72))}, bytes(4)))
contents(OF_SAFETENSORS, "a shape whose product overflows", safetensors({"a": entry((1 << 33, 1 << 31), (0, 0))}))
contents(OF_SAFETENSORS, "a negative shape", safetensors({"a": entry((-2, -2), (0, 16))}, bytes(16)))
contents(OF_SAFETENSORS, "a shape of very long numbers", safetensors({"a": entry([10**4000] * 200)}, bytes(4)))
contents(OF_SAFETENSORS, "a shape of 10,000 axes", safetensors({"a": entry([1] * 10_000)}, bytes(4)))
contents(OF_SAFETENSORS, "a number of a million digits", safetensors(b'{"a":' + b"9" * MEBIBYTE + b"}"))
contents(OF_SAFETENSORS, "deep nesting", safetensors(DEEP))
contents(OF_SAFETENSORS, "many names of which the last occurs twice", safetensors(
    lambda: b"{" + b",".join(b'"%d":0' % n for n in (*range(60_000), 59_999)) + b"}"
))  # fmt: skip
contents(OF_SAFETENSORS, "many empty lists", safetensors(lambda: b'{"a":[' + b"[]," * (MEBIBYTE // 2) + b"[]]}"))
contents(OF_SAFETENSORS, "many small objects", safetensors(lambda: b'{"a":' + OBJECTS + b"}"))
contents(OF_SAFETENSORS, "many small objects in its texts", safetensors({"__metadata__": {
    "fastgrad.objects": OBJECTS.decode(), "fastgrad.model": OBJECTS.decode(),
}}), ANY)  # fmt: skip
contents(OF_SAFETENSORS, "a checksum that is no text", safetensors({"__metadata__": {"fastgrad.crc32": 1}}))


# ---- npz --------------------------------------------------------------------------------------------------------


def zipped(members: dict[str, Any], method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.comment = comment
        for name, data in members.items():
            with archive.open(
                zipfile.ZipInfo(name) if method == zipfile.ZIP_STORED else name, "w", force_zip64=True
            ) as member:
                for part in [data] if isinstance(data, bytes) else data:
                    member.write(part)
    return stream.getvalue()


def npy(descr: Any = "<f4", shape: Any = (1,), data: bytes = bytes(4), version: int = 1) -> bytes:
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape!r}, }}".encode()
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + data


def zeros(mebibytes: int) -> Iterator[bytes]:
    return (bytes(MEBIBYTE) for _ in range(mebibytes))


def overlapping(name: str, data: bytes, copies: int) -> bytes:
    """An archive whose list names one member many times."""
    stream = io.BytesIO(zipped({name: data}, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(stream) as archive:
        start = archive.start_dir
        local = stream.getvalue()[:start]
        (info,) = archive.infolist()
    entries = b""
    for number in range(copies):
        other = f"{number:0{len(name) - 4}}.npy".encode()
        entries += struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 3, 20, 0, 0, 8, 0, 33, info.CRC, info.compress_size, info.file_size,
                               len(other), 0, 0, 0, 0, 0, 0) + other  # fmt: skip
    return local + entries + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, copies, copies, len(entries), start, 0)


OF_NPZ = ("npz", "compressed npz", "model in npz")
contents(OF_NPZ, "a bomb under a small shape", lambda: zipped({"a.npy": [npy(shape=(3,), data=b""), *zeros(100)]}))
contents(OF_NPZ, "a header that is a bomb", lambda: zipped(
    {"a.npy": [b"\x93NUMPY\2\0" + struct.pack("<I", 100 * MEBIBYTE), *zeros(100)]}
))  # fmt: skip
contents(
    OF_NPZ,
    "members over each other",
    lambda: overlapping("0000.npy", npy("<f4", (MEBIBYTE,), bytes(4 * MEBIBYTE)), 900),
)
contents(OF_NPZ, "a member of 2^62 bytes that is not there", lambda: zipped({"a.npy": npy(shape=(1 << 60,))}))
contents(OF_NPZ, "a shape that overflows", lambda: zipped({"a.npy": npy(shape=(1 << 62, 4))}))
contents(OF_NPZ, "a negative shape", lambda: zipped({"a.npy": npy(shape=(-1, -1))}))
contents(OF_NPZ, "objects", lambda: zipped({"a.npy": npy("|O", (1,), pickle.dumps([1]))}))
contents(OF_NPZ, "texts", lambda: zipped({"a.npy": npy("<U1", (1,))}))
contents(OF_NPZ, "structures", lambda: zipped({"a.npy": npy([("a", "<f4"), ("b", "|O")], (1,), bytes(12))}))
contents(OF_NPZ, "arrays in arrays", lambda: zipped({"a.npy": npy(("<f4", (1 << 40,)), (1,))}))
contents(OF_NPZ, "a header that calls", lambda: zipped({"a.npy": npy("<f4", "__import__('os').mkdir('x')")}))
contents(OF_NPZ, "a header in deep brackets", lambda: zipped({"a.npy": b"\x93NUMPY\1\0\xff\xff" + b"(" * 65535}))
contents(OF_NPZ, "names out of the folder", lambda: zipped({"../../a.npy": npy(), "/etc/a.npy": npy()}), ANY)
contents(
    OF_NPZ,
    "a bomb in lzma",
    lambda: zipped({"a.npy": [npy(shape=(100 * MEBIBYTE // 4,), data=b""), *zeros(100)]}, zipfile.ZIP_LZMA),
)
contents(OF_NPZ, "metadata in deep brackets", lambda: zipped({"__metadata__.npy": npy("|u1", (len(DEEP),), DEEP)}))
contents(OF_NPZ, "metadata of a hundred megabytes in a hundred kilobytes", lambda: zipped(
    {"__metadata__.npy": [npy("|u1", (100 * MEBIBYTE // 3 * 3 + 2,), b"["), *(b"[]," * (MEBIBYTE // 3) for _ in range(100)), b"]"]}
))  # fmt: skip
contents(OF_NPZ, "an archive of zeros that is as it says", lambda: zipped(
    {"a.npy": [npy("<f4", (4 * MEBIBYTE,), b""), *zeros(16)]}
), ANY)  # fmt: skip


@attack("npz", "compressed npz")
def a_pickle_in_an_array(path: Path) -> Any:
    np.savez(path, a=np.array([opens(path.parents[1] / "executed")], object))
    return REFUSED


@attack("safetensors", "npz", "compressed npz")
def a_large_file(path: Path) -> Any:
    from fastgrad._src.files.formats.tensor_file import save_tensors

    save_tensors(path, {"x": np.arange(4.0 * MEBIBYTE), "y": np.arange(MEBIBYTE)}, {})
    return ANY


# ---- checkpoints --------------------------------------------------------------------------------------------------


def with_graph(graph: Any) -> Attack:
    def write(path: Path) -> Any:
        from fastgrad._src.files.checkpoints import checkpoint
        from fastgrad._src.files.formats.tensor_file import load_tensors, save_tensors

        arrays, texts = load_tensors(path)
        save_tensors(
            path,
            arrays,
            {**texts, checkpoint._OBJECT_GRAPH_KEY: graph if isinstance(graph, str) else json.dumps(graph)},
        )
        return REFUSED

    return write


for title, graph in {
    "no JSON": "{",
    "deep brackets": "[" * 50_000,
    "no nodes": [],
    "a number": 3,
    "nodes that are no pairs": [[1, 2, 3]],
    "nodes of texts": [["ab", "cd"]],
    "children outside of the list": [[{"v": 7}, {}]],
    "negative children": [[{"v": -1}, {}]],
    "children that are texts": [[{"v": "0"}, {}]],
    "values that are no texts": [[{"v": 1}, {}], [{}, {"": [1]}]],
}.items():
    add(("checkpoint",), f"a graph of {title}", with_graph(graph))


def with_arrays(**changes: Any) -> Attack:
    """An attack that changes arrays of a file whose checksum is right; `__` stands for a slash, and None deletes an array."""

    def write(path: Path) -> Any:
        from fastgrad._src.files.formats.tensor_file import load_tensors, save_tensors

        arrays, texts = load_tensors(path)
        for name, value in changes.items():
            full = name.replace("__", "/")
            assert full in arrays, (full, sorted(arrays))
            if value is None:
                del arrays[full]
            else:
                arrays[full] = as_bytes(value) if isinstance(value, str) else value
        save_tensors(path, arrays, texts)
        return REFUSED

    return write


def as_bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


for title, changes in {
    "no state of the generators of fastgrad": {"r__tf": None},
    "a state of NumPy's generator that is deep brackets": {"r__numpy": "[" * 50_000},
    "a state of NumPy's generator of another kind": {"r__numpy": '["PCG64", [1], 0, 0, 0.0]'},
    "a state of NumPy's generator at a negative position": {"r__numpy": json.dumps(["MT19937", [1] * 624, -5, 0, 0.0])},
    "a state of NumPy's generator beyond its end": {"r__numpy": json.dumps(["MT19937", [1] * 624, 1 << 40, 0, 0.0])},
    "a state of Python's generator beyond its end": {"r__python": json.dumps([3, [1] * 624 + [1 << 31], None])},
    "a state of Python's generator that is short": {"r__python": "[3, [1, 2], null]"},
    "a state of Python's generator of a text": {"r__python": json.dumps([3, [1] * 624 + [1], "text"])},
    "states of floats": {"r__tf": np.zeros(3)},
    "an iteration without its position": {"n__position": None},
    "an iteration without its random state": {"n__random": None},
    "an iteration at a negative position": {"n__position": np.array(-3, np.int64)},
    "an iteration at several positions": {"n__position": np.arange(3)},
    "an iteration at a position that is no number": {"n__position": np.array(np.nan)},
    "an iteration at half a position": {"n__position": np.array(0.5)},
    "an iteration of other generators": {"n__random": np.zeros((5, 4), np.uint64)},
    "an iteration of generators of floats": {"n__random": np.full((1, 4), np.nan)},
    "a large variable": {"v": np.zeros(1 << 20, np.float32)},
    "a variable of another dtype": {"v": np.zeros(2, np.int8)},
}.items():
    add(("checkpoint",), title, with_arrays(**changes))
for title, changes in {
    "no numbers of epochs": {"fitting__at": None},
    "numbers of epochs of floats": {"fitting__at": np.array([0.5, np.nan, 3])},
    "two numbers of epochs": {"fitting__at": np.arange(2)},
    "a negative epoch": {"fitting__at": np.array([-(1 << 40), 0, 0])},
    "a negative batch": {"fitting__at": np.array([0, -1, 0])},
    "callbacks of deep brackets": {"fitting__callbacks__EarlyStopping__loss__0": "[" * 50_000},
    "callbacks of small objects": {"fitting__callbacks__EarlyStopping__loss__0": OBJECTS.decode()},
    "callbacks that keep nothing": {"fitting__callbacks__EarlyStopping__loss__0": "{}"},
    "a callback that keeps a model": {"fitting__callbacks__EarlyStopping__loss__0": '{"_model": 3}'},
    "callbacks that are a list": {"fitting__callbacks__BackupAndRestore____0": "[3]"},
    "callbacks whose numbers are texts": {"fitting__callbacks__BackupAndRestore____0": '{"_batches": "os.system"}'},
    "data at a negative position": {"fitting__train__position": np.array(-3, np.int64)},
    "data of other generators": {"fitting__train__random": np.zeros((5, 4), np.uint64)},
    "generators of another kind": {"random__numpy": '["PCG64", [1], 0, 0, 0.0]'},
    "weights of another shape": {"model__layers__dense__kernel": np.zeros((3, 3), np.float32)},
    "weights of another dtype": {"model__layers__dense__kernel": np.zeros((3, 2), np.int8)},
}.items():
    add(("backup of fit",), title, with_arrays(**changes))

OF_STATE = ("checkpoint state",)
contents(OF_STATE, "names out of the folder", lambda: b'model_checkpoint_path: "../../secret-outside"\n', ANY)
contents(OF_STATE, "a long line", lambda: b'model_checkpoint_path: "' + b"a" * MEBIBYTE + b'"\n', ANY)
contents(OF_STATE, "a line that makes a pattern slow", lambda: b'model_checkpoint_path: "' + b"\\" * 100_001)
contents(OF_STATE, "many numbers", lambda: b"all_model_checkpoint_timestamps: 1e999\n" * 10_000)
