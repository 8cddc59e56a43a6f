"""Which sizes, layouts and threads a property is tried with: around each constant of its row's code, drawn by a seed."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tests.kernels.properties import Property, dtype_of
from tests.reliability.boundaries.cases import LAYOUTS, VIEWS
from tests.reliability.boundaries.constants import blocks_of

THREADS = (1, 2, 3, 4, 8)
TINY = (0, 1, 2)
LARGEST = 1 << 19
"""The largest size that is tried."""
LARGEST_OF = {
    **dict.fromkeys(["lstm", "gru", "simple_rnn", "lstm_gradient", "gru_gradient", "simple_rnn_gradient"], 800),
    **dict.fromkeys(["attention", "attention_gradient"], 1100),
    "unique": 1100,
}
"""For rows whose arrays or referees grow with the square of a size."""


class Sample(NamedTuple):
    """The arguments of a case, and how it is run."""

    dtype: str
    sizes: tuple[int, ...]
    seed: int
    layout: str
    threads: int
    view: str
    dying: bool


def borders(places: int, blocks: tuple[int, ...], largest: int) -> Iterator[tuple[tuple[int, ...], dict[int, int]]]:
    """Which sizes are at a border: pairs (block, {place: size}); the others are small.

    Args:
        places: how many sizes there are.
        blocks: numbers that change what code does.
        largest: number of elements.
    """
    for sizes in itertools.product(TINY, repeat=min(places, 3)):
        yield (0,), dict(enumerate(sizes))
    for place, block, times, step in itertools.product(range(places), blocks, (1, 2), (-1, 0, 1)):
        if block * times <= largest:
            yield (block, times, step), {place: block * times + step}
    for one, other in itertools.combinations(range(places), 2):
        for block in blocks:  # a border of the number of elements, and of two sizes at once
            if block <= largest:
                yield (block, one, other), {one: 3, other: -(-block // 3)}
                yield (block, one, other), {one: max(block // 7, 1), other: 7}
        for first, second in itertools.product([b for b in blocks if b <= 64], repeat=2):
            yield (first, second), {one: first + 1, other: max(second - 1, 1)}


def samples(known: Property, count: int, largest: int, seed: int = 0) -> list[Sample]:
    """So many samples of a property, or all borders if they are fewer; the same ones for the same seed."""
    r = np.random.default_rng([seed, zlib.crc32(repr((known.name, known.sizes, known.dtypes)).encode())])
    itemsizes = {dtype_of(dtype).itemsize for dtype in known.dtypes}
    blocks = {block for itemsize in itemsizes for block in blocks_of(known.name, itemsize)}
    found = [*borders(known.sizes, tuple(sorted(blocks)), min(largest, LARGEST_OF.get(known.name, largest)))]
    order = r.permutation(len(found))[:count] if count < len(found) else range(len(found))
    start = int(r.integers(0, 1 << 16))  # so that each dtype and layout has its turn
    drawn = []
    for number, index in enumerate(order, start):
        at = found[index][1]
        few = 4 if max(at.values(), default=0) < 1 << 12 else 1
        sizes = tuple([at.get(place, int(r.integers(1, few + 1))) for place in range(known.sizes)])
        drawn.append(
            Sample(
                known.dtypes[number % len(known.dtypes)],
                sizes,
                int(r.integers(0, 1 << 31)),
                LAYOUTS[int(r.integers(0, len(LAYOUTS)))],
                int(r.choice(THREADS)),
                VIEWS[int(r.integers(0, len(VIEWS)))],
                bool(r.integers(0, 2)),
            )
        )
    return sorted(drawn, key=lambda sample: sample.threads)
