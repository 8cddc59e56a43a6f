"""Reads TensorBoard's event files, for tests."""

import struct
from collections.abc import Iterator
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import masked_crc32c


def records(contents: bytes) -> Iterator[bytes]:
    """The records of an event file, the last of which may be cut off: length, checksum, bytes, checksum."""
    at = 0
    while at + 12 <= len(contents):
        length, checksum = struct.unpack_from("<QI", contents, at)
        assert checksum == masked_crc32c(contents[at : at + 8])
        record = contents[at + 12 : at + 12 + length]
        at += 12 + length + 4
        if at <= len(contents):
            assert contents[at - 4 : at] == struct.pack("<I", masked_crc32c(record))
            yield record


def events(folder):
    """The events of all files in a folder."""
    return [
        Event.FromString(record)
        for path in sorted(Path(folder).glob("events.*"))
        for record in records(path.read_bytes())
    ]


def scalars(folder):
    """``{name: [(step, value), ...]}`` of all files in a folder; for what is no number its plugin or kind."""
    found = {}
    for event in events(folder):
        for value in event.summary.value:
            plugin = value.metadata.plugin_data.plugin_name
            number = struct.unpack("<f", value.tensor.tensor_content)[0] if plugin == "scalars" else None
            found.setdefault(value.tag, []).append(
                (event.step, number if number is not None else plugin or value.WhichOneof("value"))
            )
    return found
