"""The arena: one block of memory for all temporary values of a program, each at one offset while it is live."""

from __future__ import annotations

from bisect import bisect_left, insort

ALIGNMENT = 64
"""Bytes of the alignment of each value: a cache line, and the widest vector register."""


class Arena:
    """Allocates and frees ranges of one block.

    ``take`` gives the smallest free range that is large enough; otherwise the block grows. Neighbouring free ranges are
    merged. The caller allocates in the order of the program.

    Attributes:
        size: bytes that the block needs.
    """

    def __init__(self) -> None:
        self.size = 0
        self._free_by_size: list[tuple[int, int]] = []  # free ranges as (size, offset), sorted
        self._starts: dict[int, int] = {}  # of free ranges: offset to size
        self._ends: dict[int, int] = {}  # of free ranges: end to offset

    def allocate(self, size: int) -> int:
        """Returns the offset of ``size`` free bytes, and marks them as used."""
        size = -(-max(size, 1) // ALIGNMENT) * ALIGNMENT
        at = bisect_left(self._free_by_size, (size, 0))
        if at < len(self._free_by_size):
            free_size, offset = self._free_by_size[at]
            self._remove(offset, free_size)
            if free_size > size:
                self._insert(offset + size, free_size - size)
            return offset
        last_start = self._ends.get(self.size)
        if last_start is not None:  # the free range at the end grows
            self._remove(last_start, self._starts[last_start])
            self.size = last_start + size
            return last_start
        offset = self.size
        self.size += size
        return offset

    def grow(self, size: int) -> int:
        """Returns the offset of ``size`` bytes at the end of the block, which no value has used before."""
        offset = self.size
        self.size += -(-max(size, 1) // ALIGNMENT) * ALIGNMENT
        return offset

    def free(self, offset: int, size: int) -> None:
        """Frees the range that ``allocate(size)`` returned."""
        size = -(-max(size, 1) // ALIGNMENT) * ALIGNMENT
        start_before = self._ends.get(offset)
        if start_before is not None:
            grown = self._starts[start_before]
            self._remove(start_before, grown)
            offset, size = start_before, size + grown
        size_after = self._starts.get(offset + size)
        if size_after is not None:
            self._remove(offset + size, size_after)
            size += size_after
        self._insert(offset, size)

    def _insert(self, offset: int, size: int) -> None:
        insort(self._free_by_size, (size, offset))
        self._starts[offset] = size
        self._ends[offset + size] = offset

    def _remove(self, offset: int, size: int) -> None:
        del self._free_by_size[bisect_left(self._free_by_size, (size, offset))]
        del self._starts[offset]
        del self._ends[offset + size]
