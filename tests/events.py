"""Reads TensorBoard's event files, for tests."""

import struct
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event


def scalars(folder):
    """``{name: [(step, value), ...]}`` of all files in a folder."""
    found = {}
    for path in sorted(Path(folder).glob("events.*")):
        contents, at = path.read_bytes(), 0
        while at < len(contents):
            (size,) = struct.unpack_from("<Q", contents, at)
            event = Event.FromString(contents[at + 12 : at + 12 + size])
            at += 12 + size + 4
            for value in event.summary.value:
                kind = value.WhichOneof("value")
                found.setdefault(value.tag, []).append(
                    (event.step, value.simple_value if kind == "simple_value" else kind)
                )
    return found
