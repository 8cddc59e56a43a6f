"""The memory bandwidth of this process, by the triad `a = b + s * c` over arrays larger than the caches."""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

SECONDS = 0.1
ALIGNMENT = 16


class Triad:
    """Three float32 arrays of together `bytes_moved` bytes, cut into a part for each of `threads` threads.

    The loop is compiled by Numba (vectorised, plain stores) and holds no lock. Counted are the bytes of `a`, `b` and `c`
    once each, as STREAM does: what a processor reads besides because it writes whole cache lines is not.
    """

    def __init__(self, bytes_moved: int, threads: int) -> None:
        import numba

        def triad(a: np.ndarray, b: np.ndarray, c: np.ndarray, s: np.float32) -> None:
            for i in range(a.size):
                a[i] = b[i] + s * c[i]

        size = bytes_moved // 12
        row = numba.float32[::1]
        self._loop = numba.njit(numba.void(row, row, row, numba.float32), nogil=True)(triad)
        self._bytes = 12 * size
        cuts = [size * part // threads // ALIGNMENT * ALIGNMENT for part in range(threads)] + [size]
        arrays = np.zeros(size, np.float32), np.ones(size, np.float32), np.ones(size, np.float32)
        self._parts = [[array[begin:end] for array in arrays] for begin, end in pairwise(cuts)]
        self._pool = ThreadPoolExecutor(threads)
        self._pass()

    def _pass(self) -> None:
        list(self._pool.map(lambda part: self._loop(*part, np.float32(0.5)), self._parts))

    def bytes_per_second(self) -> float:
        """Returns the bandwidth now, over a tenth of a second and at least three passes."""
        passes = 0
        began = time.perf_counter()
        while (seconds := time.perf_counter() - began) < SECONDS or passes < 3:
            self._pass()
            passes += 1
        return passes * self._bytes / seconds
