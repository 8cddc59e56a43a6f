"""The cases of a row: sizes around each constant of the row's code, dtypes, threads and seeds.

`long_samples` is the long form: fixed seeds, every dtype of every property, and every size of `borders_of` and `amounts_of`.
`short_samples` is the short form: a few random cases of a seed.
"""

from __future__ import annotations

import functools
import itertools
import math
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from fastgrad._src.jit.isa import host_isa
from fastgrad._src.kernels.gemm.layout import LARGE_A_BYTES
from fastgrad._src.ops.attention import MAX_HEAD_WIDTH
from tests.kernels.properties import Property, dtype_of
from tests.reliability.boundaries.constants import blocks_of
from tests.reliability.boundaries.properties import ALL

THREADS = (1, 2, 3, 4, 8)
STEPS = (-1, 0, 1)
LARGEST = (1 << 19) + 1
"""The largest size that is tried; larger constants are tried as products of sizes."""
AMOUNT = 1 << 12
"""Constants from here on are also tried as products of sizes: they count elements, bytes or multiplications."""
MUCH = 1 << 17
"""Constants from here on are tried with fewer products of sizes, as these cases take most of the time."""
RECURRENT = (8, 800, 800)
LAPACK = (8, 24, 69)
DECOMPOSITIONS = (
    *("cholesky", "det", "slogdet", "inv", "solve", "triangular_solve", "expm"),
    *("sqrtm", "lu", "logm", "qr", "svd", "eig", "eigh", "pinv", "least_norm_solution"),
    *("cofactors", "cofactors_derivative"),
)
"""Rows that LAPACK computes."""
LARGEST_OF: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(["lstm", "gru", "simple_rnn", "lstm_gradient", "gru_gradient", "simple_rnn_gradient"], RECURRENT),
    **dict.fromkeys(["attention", "attention_gradient"], (1100, 1100, MAX_HEAD_WIDTH, MAX_HEAD_WIDTH)),
    "unique": (1100, 1100),
    **dict.fromkeys(DECOMPOSITIONS, LAPACK),
}
"""For each size of a row the largest one that its generator of arrays, or the time of its referee, allows."""
ROOM = 1 << 14
"""Elements of a case in which several sizes are at borders."""
PRODUCTS = ("matmul", "dense", "wide_product")
"""Rows whose code compares the bytes of one matrix with a constant, if the other matrix has at least a panel of columns."""
RANDOM = 8
"""Random cases of each row in the long form, beyond those at each border."""


class Sample(NamedTuple):
    """A case of a row.

    Attributes:
        number: index of the property in `ALL[row]`.
        dtype, sizes, seed: arguments of the property's `make`; layouts and views of operands follow from the seed.
        threads: number of threads, and of shares that kernels are cut into.
    """

    number: int
    dtype: str
    sizes: tuple[int, ...]
    seed: int
    threads: int


class Border(NamedTuple):
    """A size next to a constant: `block + step`, for the size with the index `place`; block 1 gives the sizes 0, 1 and 2."""

    place: int
    block: int
    step: int


class Amount(NamedTuple):
    """Sizes whose product is below (step -1), at (0) or above (1) a constant; `places` are the indices of these sizes."""

    places: tuple[int, ...]
    block: int
    step: int


def largest_of(name: str, place: int) -> int:
    """The largest size that is tried at a place of a row."""
    return LARGEST_OF[name][place] if name in LARGEST_OF else LARGEST


def pairs_by_blocks(name: str) -> dict[tuple[int, tuple[int, ...]], list[tuple[int, str]]]:
    """The pairs (index of a property, dtype) of a row, by the number of sizes and the constants that the row's code reads for the dtype."""
    pairs: dict[tuple[int, tuple[int, ...]], list[tuple[int, str]]] = {}
    for number, known in enumerate(ALL[name]):
        for dtype in known.dtypes:
            pairs.setdefault((known.sizes, blocks_of(name, dtype_of(dtype).itemsize)), []).append((number, dtype))
    return pairs


@functools.cache
def borders_of(name: str) -> dict[Border, frozenset[tuple[int, str]]]:
    """The borders of a row, each with the pairs (index of a property, dtype) that can be tried there."""
    pairs: dict[Border, set[tuple[int, str]]] = {}
    for (count, blocks), which in pairs_by_blocks(name).items():
        for place, block, step in itertools.product(range(count), (1, *blocks), STEPS):
            if block + step <= largest_of(name, place):
                pairs.setdefault(Border(place, block, step), set()).update(which)
    return {border: frozenset(which) for border, which in pairs.items()}


@functools.cache
def amounts_of(name: str) -> dict[Amount, frozenset[tuple[int, str]]]:
    """Products of sizes of a row, each with the pairs (index of a property, dtype) that can be tried there.

    Products are those of each pair of sizes and of all sizes (from `MUCH` on of one pair and of all), at constants of at least `AMOUNT` and
    at those above the largest size.
    """
    pairs: dict[Amount, set[tuple[int, str]]] = {}
    r = np.random.default_rng(0)
    for (count, blocks), which in pairs_by_blocks(name).items():
        groups = [*itertools.combinations(range(count), 2), tuple(range(count))]
        for places, block, step in itertools.product(dict.fromkeys(groups), blocks, STEPS):
            if block >= MUCH and places not in groups[-2:]:
                continue
            caps = [largest_of(name, place) for place in places]
            large = block >= AMOUNT or block + 1 > min(caps)
            if large and len(places) > 1 and factors(block, step, caps, r):
                pairs.setdefault(Amount(places, block, step), set()).update(which)
    return {amount: frozenset(which) for amount, which in pairs.items()}


def factors(amount: int, step: int, caps: list[int], r: np.random.Generator) -> tuple[int, ...]:
    """Sizes whose product is an amount, or a little below or above it; () if there are none within the caps."""
    for _ in range(20):
        sizes, rest = [], amount
        for cap in caps[:-1]:
            divisors = [
                d for d in (1, 2, 3, 4, 7, 8, 13, 16, 32, 64, 128, 256, 512, 1024) if rest % d == 0 and d <= cap
            ]
            wide = [d for d in divisors if d > 1 and rest // d > 1] or divisors
            sizes.append(wide[int(r.integers(0, len(wide)))])
            rest //= sizes[-1]
        if 0 < rest + step <= caps[-1]:
            return (*sizes, rest + step)
    return ()


def threads_of(r: np.random.Generator) -> int:
    return THREADS[int(r.integers(0, len(THREADS)))]


def seed_of(r: np.random.Generator) -> int:
    return int(r.integers(0, 1 << 31))


def filled(at: dict[int, int], known: Property, name: str, r: np.random.Generator) -> tuple[int, ...]:
    """All sizes of a property: those of `at`, and small ones."""
    few = 4 if math.prod(at.values()) < AMOUNT else 1
    return tuple(
        [at.get(place, int(r.integers(1, min(few, largest_of(name, place)) + 1))) for place in range(known.sizes)]
    )


def long_samples(name: str) -> list[Sample]:
    """The cases of a row in the long form: at least one for each (property, dtype), `Border` and `Amount`; then random ones."""
    r = np.random.default_rng(zlib.crc32(name.encode()))
    properties = ALL[name]
    every = [(number, dtype) for number, known in enumerate(properties) for dtype in known.dtypes]
    samples: list[Sample] = []

    def add(pair: tuple[int, str], at: dict[int, int]) -> None:
        sizes = filled(at, properties[pair[0]], name, r)
        samples.append(Sample(*pair, sizes, seed_of(r), threads_of(r)))

    allowed = borders_of(name)
    pending = dict.fromkeys(shuffled(list(allowed), r))
    turns = itertools.cycle(shuffled(every, r))
    for turn, pair in enumerate(turns):
        if turn >= len(every) and not pending:
            break
        at: dict[int, int] = {}
        several = r.random() < 0.6  # others are small, so that thin arrays are tried too
        for border in list(pending):
            if border.place in at or pair not in allowed[border]:
                continue
            size = border.block + border.step
            elements = math.prod([max(1, n) for n in at.values()])
            if at and (not several or elements * size > ROOM):
                continue
            at[border.place] = size
            del pending[border]
            if len(at) == properties[pair[0]].sizes:
                break
        if at or turn < len(every):
            add(pair, at)
    for amount, pairs in amounts_of(name).items():
        pair = sorted(pairs)[int(r.integers(0, len(pairs)))]
        caps = [largest_of(name, place) for place in amount.places]
        add(pair, dict(zip(amount.places, factors(amount.block, amount.step, caps, r), strict=True)))
    if name in PRODUCTS:
        columns = host_isa().panel_bytes
        for pair, step in itertools.product(every, STEPS):
            if dtype_of(pair[1]).kind in "fV":
                add(pair, {0: LARGE_A_BYTES // dtype_of(pair[1]).itemsize // 512 + step, 1: 512, 2: columns + step})
    seeds = [int(seed) for seed in r.integers(0, 1 << 31, RANDOM)]
    return samples + [sample for seed in seeds for sample in short_samples(name, 1, seed, 1 << 16)]


def shuffled(items: list, r: np.random.Generator) -> list:
    return [items[index] for index in r.permutation(len(items))]


def short_samples(name: str, count: int, seed: int, largest: int = 1 << 13) -> list[Sample]:
    """Random cases of a row, with sizes around its constants, and around twice these.

    Args:
        name: of the row.
        count: number of cases.
        seed: of what is drawn.
        largest: most elements that the sizes of a case multiply to.
    """
    r = np.random.default_rng([seed, zlib.crc32(name.encode())])
    samples = []
    for _ in range(count):
        number = int(r.integers(0, len(ALL[name])))
        known = ALL[name][number]
        dtype = str(r.choice(known.dtypes))
        blocks = (1, *blocks_of(name, dtype_of(dtype).itemsize))
        at: dict[int, int] = {}
        for place in shuffled(list(range(known.sizes)), r)[: int(r.integers(1, known.sizes + 1))]:
            size = int(r.choice(blocks)) * int(r.integers(1, 3)) + int(r.integers(-1, 2))
            if size * math.prod([max(1, n) for n in at.values()]) <= largest and size <= largest_of(name, place):
                at[place] = size
        samples.append(Sample(number, dtype, filled(at, known, name, r), seed_of(r), threads_of(r)))
    return samples


def borders(places: int, blocks: tuple[int, ...], largest: int) -> Iterator[dict[int, int]]:
    """Sizes around blocks, as {place: size}, for programs that are no rows; the other sizes are small.

    Args:
        places: number of sizes.
        blocks: constants of code.
        largest: size.
    """
    for sizes in itertools.product((0, 1, 2), repeat=min(places, 3)):
        yield dict(enumerate(sizes))
    for place, block, times, step in itertools.product(range(places), blocks, (1, 2), STEPS):
        if block * times <= largest:
            yield {place: block * times + step}
    for one, other in itertools.combinations(range(places), 2):
        for block in blocks:  # a border of the number of elements, and of two sizes at once
            if block <= largest:
                yield {one: 3, other: -(-block // 3)}
                yield {one: max(block // 7, 1), other: 7}
        for first, second in itertools.product([b for b in blocks if b <= 64], repeat=2):
            yield {one: first + 1, other: max(second - 1, 1)}
