"""Compressed files as streams."""

import gzip
import io
import zlib

import pytest

from fastgrad._src.files.formats.decompression import decompressed

DATA = bytes(range(256)) * 2000


@pytest.mark.parametrize(("kind", "compress"), [("gzip", gzip.compress), ("zlib", zlib.compress)])
class TestStreams:
    def test_the_contents_come_back(self, kind, compress):
        assert decompressed(io.BytesIO(compress(DATA)), kind).read() == DATA
        assert decompressed(io.BytesIO(compress(b"")), kind).read() == b""

    def test_several_streams_follow_each_other(self, kind, compress):
        assert decompressed(io.BytesIO(compress(DATA) + compress(b"end") + bytes(9)), kind).read() == DATA + b"end"

    def test_places_can_be_gone_to(self, kind, compress):
        stream = decompressed(io.BytesIO(compress(DATA)), kind)
        for place in (0, 300_000, 5, 511_999, 512_000, 100):
            assert stream.seek(place) == place
            assert stream.read(7) == DATA[place : place + 7]
            assert stream.tell() == min(place + 7, len(DATA))

    def test_files_that_end_early(self, kind, compress):
        data = compress(DATA)
        for length in (0, 1, 11, len(data) // 2, len(data) - 1):
            with pytest.raises(EOFError):
                decompressed(io.BytesIO(data[:length]), kind).read()

    def test_a_checksum_that_is_another(self, kind, compress):
        data = bytearray(compress(DATA))
        data[-5 if kind == "gzip" else -1] ^= 1
        with pytest.raises(zlib.error, match="incorrect data check"):
            decompressed(io.BytesIO(bytes(data)), kind).read()

    def test_closing_closes_the_file(self, kind, compress):
        file = io.BytesIO(compress(DATA))
        decompressed(file, kind).close()
        assert file.closed
