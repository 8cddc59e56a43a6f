"""Asynchronous copies of arrays to a GPU, through a rotation of pinned buffers."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np

from fastgrad._src.cuda.devices.memory import Device, DeviceArray

_PINNED_ALIGNMENT_IN_BYTES = 256


class _PinnedBuffer:
    """Pinned memory, and the event after the last copy from it."""

    def __init__(self) -> None:
        self.memory = np.empty(0, np.uint8)
        self.event: Any = None


def copy_elements_to_device(elements: Iterator[list[Any]], device: Device, elements_ahead: int) -> Iterator[list[Any]]:
    """Yields lists of arrays with the arrays copied to a GPU. Values that are not numeric host arrays pass unchanged.

    A copy waits for earlier work, which may still use the destination. It runs in parallel with later work. With two elements ahead,
    that is at least all work on one element.

    Args:
        elements: lists of arrays.
        device: the destination.
        elements_ahead: the number of elements whose copies start before they are requested.
    """
    driver = device.driver
    buffers = deque(_PinnedBuffer() for _ in range(elements_ahead + 1))
    pending_copies: deque[tuple[list[Any], Any]] = deque()
    try:
        for element in elements:
            buffer = buffers[0]
            buffers.rotate(-1)
            device_element, buffer.event = _start_copies(element, device, buffer)
            pending_copies.append((device_element, buffer.event))
            if len(pending_copies) > elements_ahead:
                device_element, event = pending_copies.popleft()
                driver.wait(event)
                yield device_element
        while pending_copies:
            device_element, event = pending_copies.popleft()
            driver.wait(event)
            yield device_element
    finally:
        for _, event in pending_copies:  # before their memory is reused
            driver.wait(event)


def _start_copies(element: list[Any], device: Device, buffer: _PinnedBuffer) -> tuple[list[Any], Any]:
    """Starts the copies of an element's arrays; returns the new arrays, and the event after the copies."""
    driver = device.driver
    copied_flags = [isinstance(value, np.ndarray) and not value.dtype.hasobject for value in element]
    sizes = [
        -(-value.nbytes // _PINNED_ALIGNMENT_IN_BYTES) * _PINNED_ALIGNMENT_IN_BYTES if is_copied else 0
        for value, is_copied in zip(element, copied_flags, strict=True)
    ]
    if buffer.event is not None:
        driver.synchronize_event(buffer.event)
    if len(buffer.memory) < sum(sizes):
        buffer.memory = driver.allocate_pinned(sum(sizes))
    results: list[Any] = [
        device.array(value.shape, value.dtype) if is_copied else value
        for value, is_copied in zip(element, copied_flags, strict=True)
    ]
    event, offset = driver.event(), 0
    for value, destination, size in zip(element, results, sizes, strict=True):
        if isinstance(destination, DeviceArray) and size:
            memory = buffer.memory[offset : offset + math.prod(value.shape) * value.itemsize]
            pinned = memory.view(value.dtype).reshape(value.shape)
            pinned[...] = value
            event = driver.copy_in_parallel(destination.address, pinned, event)
            offset += size
    return results, event
