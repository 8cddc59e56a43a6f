"""Files of named arrays: what goes in comes out, what is damaged is refused."""

import io
import json
import tracemalloc
import zipfile

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fastgrad._src.files.formats.tensor_file import load_tensors, save_tensors
from tests.conformance.programs import edges

ENDINGS = [".safetensors", ".npz"]
DTYPES = ["bool", *[name for name in edges._DTYPES if name != "bfloat16" and "complex" not in name]]


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tobytes() == np.ascontiguousarray(array).tobytes()


@pytest.mark.parametrize("ending", ENDINGS)
class TestRoundTrip:
    @pytest.mark.parametrize("dtype", [*DTYPES, ml_dtypes.bfloat16, "complex64"], ids=str)
    @pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (5,), (2, 3)], ids=str)
    def test_dtypes_and_shapes(self, tmp_path, ending, dtype, shape):
        array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
        save_tensors(tmp_path / f"a{ending}", {"x": array, "y/z": array}, {"text": "ü\n"})
        arrays, texts = load_tensors(tmp_path / f"a{ending}")
        assert_same(arrays, {"x": array, "y/z": array})
        assert texts == {"text": "ü\n"}

    def test_transposed_and_odd_sizes(self, tmp_path, ending):
        values = {
            "transposed": np.arange(6.0).reshape(2, 3).T,
            "odd": np.arange(3, dtype=np.int8),
            "strided": np.arange(10.0)[::3],
            "nan": np.array([np.nan, -0.0, np.inf]),
        }
        save_tensors(tmp_path / f"a{ending}", values, {})
        assert_same(load_tensors(tmp_path / f"a{ending}")[0], values)

    def test_nothing_at_all(self, tmp_path, ending):
        save_tensors(tmp_path / f"a{ending}", {}, {})
        assert load_tensors(tmp_path / f"a{ending}") == ({}, {})

    @pytest.mark.parametrize(
        "array", [np.array(["text"]), np.array([None]), np.zeros(1, [("a", "f4")])], ids=["U", "O", "V"]
    )
    def test_other_dtypes_are_refused(self, tmp_path, ending, array):
        with pytest.raises(ValueError, match="'x'"):
            save_tensors(tmp_path / f"a{ending}", {"x": array}, {})
        assert list(tmp_path.iterdir()) == []

    def test_two_saves_give_the_same_bytes(self, tmp_path, ending):
        values = {"b": np.ones(3), "a": np.zeros(2, np.int8)}
        save_tensors(tmp_path / f"a{ending}", values, {"k": "v"})
        save_tensors(tmp_path / f"b{ending}", dict(reversed(values.items())), {"k": "v"})
        assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()


@given(
    array=hnp.arrays(st.sampled_from(DTYPES), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)),
    name=st.text(st.characters(codec="utf-8", exclude_characters="\0\\"), min_size=1).filter(
        lambda s: not s.startswith("__")
    ),
    ending=st.sampled_from(ENDINGS),
)
def test_round_trip_of_anything(tmp_path_factory, array, name, ending):
    path = tmp_path_factory.mktemp("any") / f"a{ending}"
    save_tensors(path, {name: array}, {})
    assert_same(load_tensors(path)[0], {name: array})


class TestOtherLibraries:
    def test_safetensors_reads_ours_and_we_read_theirs(self, tmp_path):
        values = {"a": np.arange(3, dtype=np.int8), "b": np.ones((2, 2)), "c": np.array(5.0, np.float32)}
        save_tensors(tmp_path / "a.safetensors", values, {"k": "v"})
        assert_same(safetensors.numpy.load_file(tmp_path / "a.safetensors"), values)
        safetensors.numpy.save_file(values, tmp_path / "a.safetensors", {"k": "v"})
        arrays, texts = load_tensors(tmp_path / "a.safetensors")
        assert_same(arrays, values)
        assert texts == {"k": "v"}

    @pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
    def test_numpy_archives(self, tmp_path, save):
        values = {"a": np.arange(3, dtype=np.int8), "f": np.asfortranarray(np.arange(6.0).reshape(2, 3))}
        save(tmp_path / "a.npz", **values)
        assert_same(load_tensors(tmp_path / "a.npz")[0], values)
        save_tensors(tmp_path / "b.npz", values, {})
        assert_same({k: v for k, v in np.load(tmp_path / "b.npz").items() if k in values}, values)

    def test_big_endian_archives(self, tmp_path):
        np.savez(tmp_path / "a.npz", a=np.arange(3, dtype=">i4"))
        assert_same(load_tensors(tmp_path / "a.npz")[0], {"a": np.arange(3, dtype=np.int32)})


def whole(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    save_tensors(
        path,
        {"x": np.arange(5.0), "name": np.arange(3, dtype=np.int16), "h": np.ones(3, ml_dtypes.bfloat16)},
        {"k": "v"},
    )
    return path, path.read_bytes()


def refused(path, contents):
    path.write_bytes(contents)
    with pytest.raises(ValueError, match="no intact"):
        load_tensors(path)


@pytest.mark.parametrize("ending", ENDINGS)
class TestDamage:
    def test_every_truncation(self, tmp_path, ending):
        path, contents = whole(tmp_path, ending)
        needless = 21 if ending == ".npz" else 0  # the archive's comment, which is at its end
        for length in [*range(0, len(contents) - needless, 7), len(contents) - needless - 1]:
            refused(path, contents[:length])

    def test_every_flipped_bit(self, tmp_path, ending):
        path, contents = whole(tmp_path, ending)
        good, _ = load_tensors(path)
        for position in range(len(contents)):
            bad = bytearray(contents)
            bad[position] ^= 1 << position % 8
            path.write_bytes(bad)
            try:
                arrays, _ = load_tensors(path)
            except ValueError:
                continue
            assert_same(arrays, good)  # no value depends on this bit: it is in the date of a zip entry, say

    def test_more_than_there_should_be(self, tmp_path, ending):
        path, contents = whole(tmp_path, ending)
        if ending == ".safetensors":
            refused(path, contents + b"\0")
        else:
            with zipfile.ZipFile(path, "a") as archive:
                archive.writestr("readme.txt", "text")
            refused(path, path.read_bytes())

    def test_other_files(self, tmp_path, ending):
        for contents in (b"", b"text", b"\x80\x04N.", bytes(1000), b"\xff" * 1000):
            refused(tmp_path / f"a{ending}", contents)


def header_file(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(shape=(1,), offsets=(0, 4), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@pytest.mark.parametrize(
    ("header", "size", "message"),
    [
        (b'{"a":%s,"a":%s}' % (json.dumps(entry()).encode(), json.dumps(entry()).encode()), 4, "'a' occurs twice"),
        ({"a": entry((2,))}, 4, "does not fit"),
        ({"a": entry((-1,))}, 4, "no sizes"),
        ({"a": entry((1.0,))}, 4, "no sizes"),
        ({"a": entry((True,))}, 4, "no sizes"),
        ({"a": entry((2**62, 8))}, 4, "does not fit"),
        ({"a": entry(offsets=(4, 8))}, 8, "do not begin"),
        ({"a": entry(), "b": entry()}, 4, "do not begin"),
        ({"a": entry(offsets=(4, 0))}, 4, "does not fit"),
        ({"a": entry()}, 3, "the header announces"),
        ({"a": entry()}, 5, "the header announces"),
        ({"a": entry(dtype="F8_E4M3")}, 4, "F8_E4M3"),
        ({"a": entry(dtype=["F32"])}, 4, "dtype"),
        ({"a": {"dtype": "F32"}}, 4, "not described"),
        ({"a": 3}, 4, "not described"),
        ({"__metadata__": {"k": 1}, "a": entry()}, 4, "metadata"),
        ({"__metadata__": [], "a": entry()}, 4, "metadata"),
        ([], 0, "no JSON object"),
        (b"[" * 100_000, 0, "no JSON"),
        (b"\xff\xfe", 0, "no JSON"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_safetensors_headers_that_lie(tmp_path, header, size, message):
    path = tmp_path / "a.safetensors"
    path.write_bytes(header_file(header, bytes(size)))
    with pytest.raises(ValueError, match=message):
        load_tensors(path)


def npy(array, **changes):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape, **changes}
    )
    return stream.getvalue() + array.tobytes()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("a.npy", npy(np.ones(2))), ("a.npy", npy(np.ones(2)))], "twice"),
        ([("a.txt", b"")], "no array"),
        ([("a.npy", npy(np.ones(2), shape=(3,)))], "does not fit"),
        ([("a.npy", npy(np.ones(2), shape=(2**40,)))], "does not fit"),
        ([("a.npy", npy(np.ones(2)) + b"\0")], "does not fit"),
        ([("a.npy", npy(np.ones(1), descr="|O"))], "never loaded"),
        ([("a.npy", b"\x93NUMPY\x09\x00" + bytes(200))], "version"),
        ([("a.npy", b"\x80\x04N.")], "magic"),
        ([("__metadata__.npy", npy(np.frombuffer(b"{", np.uint8)))], "metadata"),
        ([("__metadata__.npy", npy(np.frombuffer(b'{"texts":{"a":1},"bfloat16":[]}', np.uint8)))], "metadata"),
        ([("__metadata__.npy", npy(np.frombuffer(b'{"texts":{},"bfloat16":["a"]}', np.uint8)))], "bfloat16"),
        ([("__metadata__.npy", npy(np.frombuffer(b"{}", np.uint8))), ("a.npy", npy(np.ones(1)))], "shows 2 members"),
    ],
    ids=lambda value: str(value)[:20],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_that_lie(tmp_path, members, message):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name, contents in members:
            archive.writestr(name, contents)
        archive.comment = b"fastgrad, members: 1"
    with pytest.raises(ValueError, match=message):
        load_tensors(path)


@pytest.mark.parametrize(
    ("header", "megabytes", "message"),
    [
        (npy(np.empty(0, np.float32), shape=(3,)), 200, r"'a\.npy' of shape \(3,\) and dtype float32 does not fit"),
        (b"\x93NUMPY\2\0" + (100_000_000).to_bytes(4, "little"), 100, "has a header of 100000000 bytes"),
    ],
    ids=["values", "header"],
)
def test_sizes_in_npz_are_checked_before_memory_is_taken(tmp_path, header, megabytes, message):
    """NumPy reads as many bytes as the header announces, and looks at their number then."""
    with (
        zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.npy", "w") as member,
    ):
        member.write(header)
        for _ in range(megabytes):
            member.write(bytes(1_000_000))
    assert (tmp_path / "bomb.npz").stat().st_size < 1_000_000
    tracemalloc.start()
    with pytest.raises(ValueError, match=message):
        load_tensors(tmp_path / "bomb.npz")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


def test_members_that_an_archive_announces_are_there(tmp_path):
    """The length of a comment of the first member hides the second."""
    np.savez(tmp_path / "a.npz", a=np.ones(2), b=np.ones(2))
    data = bytearray((tmp_path / "a.npz").read_bytes())
    place = data.index(b"PK\1\2")
    data[place + 32] = len(data) - 22 - (place + 46 + len("a.npy"))
    (tmp_path / "a.npz").write_bytes(data)
    assert zipfile.ZipFile(tmp_path / "a.npz").namelist() == ["a.npy"]
    with pytest.raises(ValueError, match="it shows 1 members and announces 2"):
        load_tensors(tmp_path / "a.npz")


def test_an_archive_that_ends_in_other_bytes_is_not_empty(tmp_path):
    """zipfile takes the length of the members' list from the end, and a length of 0 for no members."""
    np.savez(tmp_path / "a.npz", a=np.ones(2), b=np.ones(2))
    data = bytearray((tmp_path / "a.npz").read_bytes() + b"something")
    place = data.rindex(b"PK\5\6")
    data[place + 12 : place + 16] = bytes(4)
    data[place + 16 : place + 20] = place.to_bytes(4, "little")
    (tmp_path / "a.npz").write_bytes(data)
    assert zipfile.ZipFile(tmp_path / "a.npz").namelist() == []
    with pytest.raises(ValueError, match="it shows 0 members and announces 2"):
        load_tensors(tmp_path / "a.npz")


@pytest.mark.parametrize("shape", [[10**4000] * 100, [1] * 100_000], ids=["large", "many"])
def test_shapes_are_bounded_before_they_are_multiplied(tmp_path, shape):
    (tmp_path / "a.safetensors").write_bytes(header_file({"a": entry(shape)}, bytes(4)))
    with pytest.raises(ValueError, match="no sizes") as error:
        load_tensors(tmp_path / "a.safetensors")
    assert len(str(error.value)) < 1000


def test_a_name_that_occurs_twice_among_many_takes_no_time(tmp_path):
    names = b",".join(b'"%d":0' % n for n in (*range(100_000), 99_999))
    (tmp_path / "a.safetensors").write_bytes(header_file(b"{" + names + b"}"))
    with pytest.raises(ValueError, match="'99999' occurs twice"):
        load_tensors(tmp_path / "a.safetensors")


def test_a_checksum_whose_name_is_damaged_is_missed(tmp_path):
    save_tensors(tmp_path / "a.safetensors", {"x": np.ones(3)}, {})
    data = (tmp_path / "a.safetensors").read_bytes()
    (tmp_path / "a.safetensors").write_bytes(data.replace(b"fastgrad.crc32", b"fastgrad.crc33"))
    with pytest.raises(ValueError, match="its checksum is missing"):
        load_tensors(tmp_path / "a.safetensors")


def test_an_array_of_a_compressed_archive_takes_its_memory_once(tmp_path):
    size = 16 << 20
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(size // 4, np.float32))
    tracemalloc.start()
    try:
        arrays, _ = load_tensors(tmp_path / "a.npz")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert arrays["a"].nbytes == size
    assert peak < 1.4 * size


def test_texts_of_an_archive_are_no_longer_than_it(tmp_path):
    """Python's objects of JSON take 30 times its memory."""
    text = np.frombuffer(b"[" + b"[]," * 1_000_000 + b"[]]", np.uint8)
    np.savez_compressed(tmp_path / "a.npz", __metadata__=text)
    with pytest.raises(ValueError, match=r"announces a text of 3000132 bytes, and the most here is 1048576"):
        load_tensors(tmp_path / "a.npz")
