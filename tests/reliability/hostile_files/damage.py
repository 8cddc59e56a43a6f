"""Damage done to a small valid file: truncations, flipped bits, random mutations."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Iterator


def spread(count: int, most: int) -> list[int]:
    """At most `most` of the numbers below `count`, evenly spread, with the first and the last."""
    if count <= most:
        return list(range(count))
    return sorted({round(place * (count - 1) / (most - 1)) for place in range(most)})


def truncated(data: bytes, most: int) -> Iterator[tuple[str, bytes]]:
    """The file without its end, from each byte on."""
    for length in spread(len(data), most):
        yield f"truncated to {length}", data[:length]


def flipped(data: bytes, header: int | None, most: int) -> Iterator[tuple[str, bytes]]:
    """The file with one bit flipped: of all its bytes, or of its first `header` bytes and, in a zip archive, of all that is not a member's data."""
    places = list(range(len(data))) if header is None else sorted({*range(min(header, len(data))), *zip_headers(data)})
    for number in spread(8 * len(places), most):
        place, bit = places[number // 8], number % 8
        changed = bytearray(data)
        changed[place] ^= 1 << bit
        yield f"bit {8 * place + bit} flipped", bytes(changed)


def zip_headers(data: bytes) -> set[int]:
    """The places of a zip archive's local headers, of its central directory and of its end; none for other files."""
    if not data.startswith(b"PK\3\4"):
        return set()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        places = set(range(archive.start_dir, len(data)))
        for member in archive.infolist():
            lengths = data[member.header_offset + 26 : member.header_offset + 30]
            length = 30 + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
            places.update(range(member.header_offset, member.header_offset + length))
    return places


INTERESTING = (
    b"\0" * 8,
    b"\xff" * 8,
    b"\x7f" + b"\xff" * 7,
    b"\0\0\0\x80",
    b"\xff\xff\xff\x7f",
    b"../",
    b"-1",
    b"[" * 8,
    b"9" * 8,
)


def mutated(data: bytes, seed: int) -> tuple[str, bytes]:
    """The file after one to four random changes."""
    draw = random.Random(seed)
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4))):
        place = draw.randrange(len(changed) + 1)
        length = min(draw.choice((1, 1, 2, 4, 8, 64)), len(changed) - place)
        kind = draw.randrange(7)
        if kind == 0:
            changed[place : place + length] = draw.randbytes(length)
        elif kind == 1:
            changed[place : place + length] = b""
        elif kind == 2:
            changed[place:place] = draw.randbytes(length)
        elif kind == 3:
            source = draw.randrange(len(changed) + 1)
            changed[place:place] = changed[source : source + length]
        elif kind == 4:
            text = draw.choice(INTERESTING)
            changed[place : place + len(text)] = text
        elif kind == 5 and place < len(changed):
            changed[place] = (changed[place] + draw.choice((-1, 1, 16, 128))) % 256
        elif place < len(changed):
            changed[place] ^= 1 << draw.randrange(8)
    return f"mutation {seed}", bytes(changed)
