"""The shuffle buffer, for items that are elements or row numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from fastgrad._src.data.node import Failure


def shuffle_items(
    chunks: Iterable[Any], buffer_size: int, draws: Callable[[int], np.random.Generator]
) -> Iterator[Any]:
    """Yields the items of ``chunks`` in random order, through a buffer of ``buffer_size`` items.

    First the buffer is filled. Then each next item replaces a random item of the buffer, which is yielded. At the end the rest of the
    buffer is yielded in random order. The order depends on ``draws`` alone, not on the division into chunks. Row numbers come in large
    chunks and are moved by a few array operations; elements come in lists.
    """
    exchange_generator: Any = None
    buffer: Any = None
    for chunk in chunks:
        if type(chunk) is Failure:
            yield chunk
            continue
        items: Any = np.arange(chunk.start, chunk.stop) if type(chunk) is range else chunk
        if buffer is None:
            buffer = items[:0]
        free_slots = buffer_size - len(buffer)
        if free_slots > 0:
            buffer = _append_items(buffer, items[:free_slots])
            items = items[free_slots:]
        if not len(items):
            continue
        if exchange_generator is None:
            exchange_generator = draws(0)
            positions = _random_positions(exchange_generator, buffer_size)
        if type(items) is list:
            for item in items:
                position = next(positions)
                yield [buffer[position]]
                buffer[position] = item
        else:
            yield _swap_items(buffer, items, (exchange_generator.random(len(items)) * buffer_size).astype(np.int64))
    if buffer is not None and len(buffer):
        order = draws(1).permutation(len(buffer))
        yield [buffer[i] for i in order] if type(buffer) is list else buffer[order]


def _random_positions(generator: np.random.Generator, size: int) -> Iterator[int]:
    """Yields random numbers below ``size``; blocks of draws give the same numbers as single draws."""
    while True:
        yield from (generator.random(256) * size).astype(np.int64).tolist()


def _append_items(buffer: Any, items: Any) -> Any:
    if type(buffer) is list:
        buffer.extend(items)
        return buffer
    return np.concatenate([buffer, items])


def _swap_items(buffer: Any, items: Any, positions: np.ndarray) -> np.ndarray:
    """Exchanges ``items`` with the buffer items at ``positions``, in order, by array operations; returns the latter."""
    order = np.argsort(positions, kind="stable")
    sorted_positions = positions[order]
    out = buffer[positions]
    repeated = np.flatnonzero(sorted_positions[1:] == sorted_positions[:-1])
    out[order[repeated + 1]] = items[order[repeated]]
    is_last = np.ones(len(order), bool)
    is_last[repeated] = False
    buffer[sorted_positions[is_last]] = items[order[is_last]]
    return out
