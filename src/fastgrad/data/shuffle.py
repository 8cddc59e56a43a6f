"""The shuffle buffer, for items that are elements or row numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from fastgrad.data.node import Failure


def shuffled(chunks: Iterable[Any], buffer_size: int, draws: Callable[[int], np.random.Generator]) -> Iterator[Any]:
    """Yields the items of ``chunks`` in random order, through a buffer of ``buffer_size`` items.

    First the buffer is filled. Then each next item replaces a random item of the buffer, which is yielded. At the end the rest of the
    buffer is yielded in random order. The order depends on ``draws`` alone, not on the division into chunks. Row numbers come in large
    chunks and are moved by a few array operations; elements come in lists.
    """
    exchanges: Any = None
    held: Any = None
    for chunk in chunks:
        if type(chunk) is Failure:
            yield chunk
            continue
        items: Any = np.arange(chunk.start, chunk.stop) if type(chunk) is range else chunk
        if held is None:
            held = items[:0]
        missing = buffer_size - len(held)
        if missing > 0:
            held = _joined(held, items[:missing])
            items = items[missing:]
        if not len(items):
            continue
        if exchanges is None:
            exchanges = draws(0)
            places = _places(exchanges, buffer_size)
        if type(items) is list:
            for item in items:
                place = next(places)
                yield [held[place]]
                held[place] = item
        else:
            yield _exchanged(held, items, (exchanges.random(len(items)) * buffer_size).astype(np.int64))
    if held is not None and len(held):
        order = draws(1).permutation(len(held))
        yield [held[i] for i in order] if type(held) is list else held[order]


def _places(generator: np.random.Generator, size: int) -> Iterator[int]:
    """Yields random numbers below ``size``, the same numbers as one draw of many gives."""
    while True:
        yield from (generator.random(256) * size).astype(np.int64).tolist()


def _joined(held: Any, items: Any) -> Any:
    if type(held) is list:
        held.extend(items)
        return held
    return np.concatenate([held, items])


def _exchanged(held: Any, items: Any, places: np.ndarray) -> np.ndarray:
    """Does all exchanges at once: a place gives the item that was last put there, or the item of the buffer."""
    order = np.argsort(places, kind="stable")
    sorted_places = places[order]
    out = held[places]
    again = np.flatnonzero(sorted_places[1:] == sorted_places[:-1])
    out[order[again + 1]] = items[order[again]]
    last = np.ones(len(order), bool)
    last[again] = False
    held[sorted_places[last]] = items[order[last]]
    return out
