"""Files of records: files that TensorFlow wrote, damage, checksums, and the one framing of all files of records."""

import os
import subprocess
import sys
import threading
import zlib

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.files.formats.record_file import crc32c, encode_record

RECORDS = [b"abc", b"", b"0123456789" * 40]
# What TensorFlow 2.21 writes for these.
PLAIN = (
    b"\x03\0\0\0\0\0\0\0\xb0\x99I\x0eabcnW\xf1!" + bytes(8) + b")\x03\x98\x07\xd8\xea\x82\xa2"
    b"\x90\x01\0\0\0\0\0\0\x90\x93\xa7\xa5" + RECORDS[2] + b"\xad\x9b\x0c\xa5"
)
GZIP = (
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03cf\x80\x80\r3=\xf9\x12\x93\x92\xf3\xc2?*BE\x184\x99g\xb0\xdfx\xd5\xb4h\x02#\x84"
    b"?a\xf2\xf2\xa5\x06\x86F\xc6&\xa6f\xe6\x16\x96\xa3\xac\xc1\xc0Z;\x9bg)\x00\x8d\x1emX\xc3\x01\x00\x00"
)
ZLIB = (
    b"x\x9ccf\x80\x80\r3=\xf9\x12\x93\x92\xf3\xc2?*BE\x184\x99g\xb0\xdfx\xd5\xb4h\x02#\x84?a\xf2\xf2\xa5\x06\x86F\xc6&\xa6f\xe6"
    b"\x16\x96\xa3\xac\xc1\xc0Z;\x9bg)\x00F\x02_S"
)


def read(path, kind=None):
    return list(tf.data.TFRecordDataset(str(path), kind).as_numpy_iterator())


@pytest.mark.parametrize(("kind", "contents"), [("", PLAIN), ("GZIP", GZIP), ("ZLIB", ZLIB)])
def test_files_of_tensorflow_are_read(tmp_path, kind, contents):
    (tmp_path / "a").write_bytes(contents)
    assert read(tmp_path / "a", kind) == RECORDS


def test_files_have_tensorflows_bytes(tmp_path):
    with tf.io.TFRecordWriter(tmp_path / "a") as writer:
        for record in RECORDS:
            writer.write(record)
    assert (tmp_path / "a").read_bytes() == PLAIN


@pytest.mark.parametrize("length", [*range(10), 255, 256, 257, 511, 512, 700, 65_535, 65_536 + 256, 70_001])
def test_checksums_are_those_of_the_definition(length):
    data = np.random.default_rng(length).bytes(length)
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ 0x82F63B78 * (state & 1)
    assert crc32c(data) == state ^ 0xFFFFFFFF


def test_the_checksum_of_the_standards_text():
    assert crc32c(b"123456789") == 0xE3069283  # RFC 3720


def test_a_writer_in_a_context_closes_its_file_after_an_error(tmp_path):
    def write(writer):
        with writer:
            writer.write(b"abc")
            raise KeyError

    with pytest.raises(KeyError):
        write(tf.io.TFRecordWriter(tmp_path / "a", "GZIP"))
    assert read(tmp_path / "a", "GZIP") == [b"abc"]


def test_a_wrong_record_leaves_the_file_as_it_was(tmp_path):
    with tf.io.TFRecordWriter(tmp_path / "a") as writer:
        writer.write(b"abc")
        with pytest.raises(TypeError, match=r"TFRecordWriter.write: wants bytes; use numpy\(\) .* Received: record=3"):
            writer.write(3)
        writer.write(b"")
    assert read(tmp_path / "a") == [b"abc", b""]


@pytest.mark.parametrize("cut", range(1, len(PLAIN)))
def test_a_file_that_is_cut_off_gives_whole_records_and_then_an_error(tmp_path, cut):
    (tmp_path / "a").write_bytes(PLAIN[:cut])
    ends = [19, 35]
    found = []
    if cut in ends:
        found = read(tmp_path / "a")
    else:
        with pytest.raises(tf.errors.DataLossError, match="truncated record"):
            found.extend(tf.data.TFRecordDataset(str(tmp_path / "a")).as_numpy_iterator())
    assert found == RECORDS[: sum(cut >= end for end in ends)]


@pytest.mark.parametrize("position", range(len(PLAIN)))
def test_a_byte_that_is_changed_is_an_error(tmp_path, position):
    damaged = bytearray(PLAIN)
    damaged[position] ^= 4
    (tmp_path / "a").write_bytes(damaged)
    with pytest.raises(
        tf.errors.DataLossError, match=r"a' is no intact file of records: (corrupted|truncated) record at \d+"
    ):
        read(tmp_path / "a")


@pytest.mark.parametrize("kind", ["", "GZIP", "ZLIB"])
def test_a_record_that_says_more_than_there_is_takes_no_memory(tmp_path, kind):
    length = (1 << 50).to_bytes(8, "little")
    mask = (crc32c(length) >> 15 | crc32c(length) << 17) + 0xA282EAD8 & 0xFFFFFFFF
    data = length + mask.to_bytes(4, "little") + encode_record(b"x")
    (tmp_path / "a").write_bytes({"": data, "GZIP": zlib.compress(data, wbits=31), "ZLIB": zlib.compress(data)}[kind])
    with pytest.raises(tf.errors.DataLossError, match="truncated record at 0"):
        read(tmp_path / "a", kind)


def test_an_error_leaves_the_records_before_it(tmp_path):
    (tmp_path / "a").write_bytes(PLAIN[:-1])
    dataset = tf.data.TFRecordDataset(str(tmp_path / "a"))
    assert list(dataset.take(2).as_numpy_iterator()) == RECORDS[:2]


def test_a_pipe_is_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writing = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(PLAIN))
    writing.start()
    assert read(tmp_path / "pipe") == RECORDS
    writing.join()


def test_events_have_the_framing_of_records(tmp_path):
    writer = tf.summary.create_file_writer(tmp_path)
    with writer.as_default():
        tf.summary.scalar("loss", 1.5, step=3)
    writer.close()
    (path,) = tmp_path.iterdir()
    records = read(path)
    assert len(records) == 2
    assert b"brain.Event:2" in records[0]
    assert b"loss" in records[1]


def test_protobuf_and_tensorboardx_are_imported_at_first_use():
    program = """if True:
        import sys
        import fastgrad as tf
        assert not [name for name in sys.modules if name.startswith("fastgrad._src.files.")]
        tf.io.gfile.exists("a"), tf.io.decode_raw(b"a", tf.uint8), tf.data.TFRecordDataset("a"), tf.io.FixedLenFeature([], tf.int64)
        tf.summary.create_file_writer("a"), tf.keras.callbacks.TensorBoard("a")
        assert not {"google.protobuf", "tensorboardX"} & set(sys.modules)
        tf.train.Example()
        assert "google.protobuf" in sys.modules
    """
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_a_writer_that_is_dropped_has_written_all_records(tmp_path, compression):
    path = str(tmp_path / "records")
    writer = tf.io.TFRecordWriter(path, compression)
    writer.write(b"first")
    writer.write(b"last")
    del writer
    assert list(tf.data.TFRecordDataset(path, compression).as_numpy_iterator()) == [b"first", b"last"]
    with pytest.raises(tf.errors.NotFoundError):
        tf.io.TFRecordWriter(str(tmp_path / "missing" / "records"))
