"""Asynchronous copies of arrays to a GPU, through a rotation of pinned buffers."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np

from fastgrad.cuda.devices.memory import Device, DeviceArray

_ALIGNMENT = 256


class _Buffer:
    """Pinned memory, and the event after the last copy from it."""

    def __init__(self) -> None:
        self.memory = np.empty(0, np.uint8)
        self.event: Any = None


def sent(elements: Iterator[list[Any]], device: Device, ahead: int) -> Iterator[list[Any]]:
    """Yields the elements with their arrays on a GPU. Values that are not numeric host arrays pass unchanged.

    A copy waits for earlier work, which may still use the destination. It runs in parallel with later work. With two elements ahead,
    that is at least all work on one element.

    Args:
        elements: lists of arrays.
        device: the destination.
        ahead: the number of elements whose copies start before they are requested.
    """
    driver = device.driver
    buffers = deque(_Buffer() for _ in range(ahead + 1))
    waiting: deque[tuple[list[Any], Any]] = deque()
    try:
        for element in elements:
            buffer = buffers[0]
            buffers.rotate(-1)
            found, buffer.event = _send(element, device, buffer)
            waiting.append((found, buffer.event))
            if len(waiting) > ahead:
                found, event = waiting.popleft()
                driver.wait(event)
                yield found
        while waiting:
            found, event = waiting.popleft()
            driver.wait(event)
            yield found
    finally:
        for _, event in waiting:  # before their memory is reused
            driver.wait(event)


def _send(element: list[Any], device: Device, buffer: _Buffer) -> tuple[list[Any], Any]:
    """Starts the copies of an element's arrays; returns the new arrays, and the event after the copies."""
    driver = device.driver
    goes = [isinstance(one, np.ndarray) and not one.dtype.hasobject for one in element]
    sizes = [-(-one.nbytes // _ALIGNMENT) * _ALIGNMENT if go else 0 for one, go in zip(element, goes, strict=True)]
    if buffer.event is not None:
        driver.finish(buffer.event)
    if len(buffer.memory) < sum(sizes):
        buffer.memory = driver.pinned(sum(sizes))
    found: list[Any] = [
        device.array(one.shape, one.dtype) if go else one for one, go in zip(element, goes, strict=True)
    ]
    event, start = driver.event(), 0
    for one, there, size in zip(element, found, sizes, strict=True):
        if isinstance(there, DeviceArray) and size:
            memory = buffer.memory[start : start + math.prod(one.shape) * one.itemsize]
            pinned = memory.view(one.dtype).reshape(one.shape)
            pinned[...] = one
            event = driver.copy_ahead(there.address, pinned, event)
            start += size
    return found, event
