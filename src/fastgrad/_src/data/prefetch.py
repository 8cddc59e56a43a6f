"""``prefetch`` and parallel ``map``: threads make elements ahead.

Handing an element from one thread to another takes about 20 us. So the calling thread makes the first elements, and threads start
only if elements are slow. Stages that draw random numbers stay on the calling thread and draw in the usual order, so results
never depend on threads.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from queue import Empty, SimpleQueue
from time import monotonic, perf_counter
from typing import Any

from fastgrad._src.data.node import Chunk, Node
from fastgrad._src.data.ordering import ItemStage
from fastgrad._src.ops.default_generators import default_states

SLOW_ELEMENT_SECONDS = 200e-6  # seconds; a thread makes elements that take longer
SLOW_ELEMENTS_BEFORE_THREADS = 8  # slow elements before threads start; their function may be compiled meanwhile
JOIN_TIMEOUT_SECONDS = 1.0  # seconds that an abandoned iteration waits for the element in progress
_END_OF_ELEMENTS = object()


class SlownessDetector:
    """Measures how long elements take, to decide whether a thread should make the next elements.

    Attributes:
        is_slow: the last ``SLOW_ELEMENTS_BEFORE_THREADS`` elements were slow, and nothing was drawn.
        draws: random numbers were drawn.
    """

    def __init__(self) -> None:
        self.is_slow = self.draws = False
        self._slow_count = 0

    def call_timed(self, make: Callable[..., Any], *arguments: Any) -> Any:
        """Returns ``make(*arguments)``, and counts the call as slow or fast."""
        states = default_states() if self._slow_count else None  # fast elements never get a thread
        start_time = perf_counter()
        result = make(*arguments)
        self._slow_count = self._slow_count + 1 if perf_counter() - start_time > SLOW_ELEMENT_SECONDS else 0
        if states is not None:
            self.draws = self.draws or default_states() != states
            self.is_slow = self._slow_count >= SLOW_ELEMENTS_BEFORE_THREADS and not self.draws
        return result


class Prefetched(ItemStage):
    """The items of the source; a thread makes up to ``size`` elements ahead, but no chunks of row numbers."""

    name = "_PrefetchDataset"

    def __init__(self, source: Node, size: int) -> None:
        super().__init__(source)
        self._size = size

    def chunks(self) -> Iterator[Chunk]:
        return self.source.chunks() if self.rows is not None else super().chunks()

    def elements(self) -> Iterator[Any]:
        return super().elements() if self.rows is not None else prefetch_if_slow(self.source.elements(), self._size)

    def elements_after(self, position: int) -> Iterator[Any]:
        elements = self.source.elements_after(position)
        return elements if self.rows is not None else prefetch_if_slow(elements, self._size)


def prefetch_if_slow(elements: Iterator[Any], size: int) -> Iterator[Any]:
    """Yields ``elements``; after several slow elements a thread keeps ``size`` elements ready."""
    pace = SlownessDetector()
    while not pace.is_slow:
        element = pace.call_timed(next, elements, _END_OF_ELEMENTS)
        if element is _END_OF_ELEMENTS:
            return
        yield element
        if pace.draws:
            yield from elements
            return
    with contextlib.closing(
        _map_by_threads(
            lambda _: next(elements, _END_OF_ELEMENTS),
            itertools.repeat(None),
            1,
            size,
            "fastgrad-prefetch",
            lambda: close_iterator(elements),
        )
    ) as made:
        yield from itertools.takewhile(lambda element: element is not _END_OF_ELEMENTS, made)


def map_in_parallel(function: Callable[[Any], Any], elements: Iterator[Any], threads: int) -> Iterator[Any]:
    """Yields ``function`` of each element, in order; after several slow calls threads call ``function``."""
    pace = SlownessDetector()
    for element in elements:
        yield pace.call_timed(function, element)
        if pace.draws:
            yield from map(function, elements)
            return
        if pace.is_slow:
            break
    else:
        return
    yield from _map_by_threads(function, elements, threads, 2 * threads, "fastgrad-map")


def _map_by_threads(
    function: Callable[[Any], Any],
    elements: Iterator[Any],
    threads: int,
    size: int,
    name: str,
    at_end: Callable[[], None] | None = None,
) -> Generator[Any, None, None]:
    """Yields ``function`` of each element, in order; ``size`` results are made ahead.

    Threads call ``at_end`` when they end; if it is given, they also end after an error or ``_END_OF_ELEMENTS``.

    The threads are daemons: a call that hangs delays neither Ctrl-C nor the end of the process.
    """
    process = os.getpid()
    calls: SimpleQueue[Any] = SimpleQueue()
    workers = [
        threading.Thread(target=_run_worker, args=(function, calls, at_end), name=f"{name}_{number}", daemon=True)
        for number in range(threads)
    ]
    for worker in workers:
        worker.start()
    answers: deque[SimpleQueue[Any]] = deque()
    try:
        for element in elements:
            check_not_forked(process)
            answers.append(SimpleQueue())
            calls.put((element, answers[-1]))
            if len(answers) > size:
                yield _call_result(answers.popleft(), process)
        while answers:
            yield _call_result(answers.popleft(), process)
    finally:
        if process == os.getpid():
            _stop_workers(workers, calls)


def _call_result(result_queue: SimpleQueue[Any], process_id: int) -> Any:
    """Returns the result of a call, or raises its exception."""
    check_not_forked(process_id)
    result, error = result_queue.get()
    if error is not None:
        raise error
    return result


def _stop_workers(workers: list[threading.Thread], calls: SimpleQueue[Any]) -> None:
    """Ends the worker threads. Calls that have not begun are dropped."""
    with contextlib.suppress(Empty):
        while True:
            calls.get_nowait()
    for _ in workers:
        calls.put(None)
    deadline = monotonic() + JOIN_TIMEOUT_SECONDS
    for worker in workers:
        if worker is not threading.current_thread():
            worker.join(max(deadline - monotonic(), 0.0))


def _run_worker(function: Callable[[Any], Any], calls: SimpleQueue[Any], at_end: Callable[[], None] | None) -> None:
    is_over = False
    while not is_over and (request := calls.get()) is not None:
        element, answer = request
        try:
            result = function(element)
            is_over = result is _END_OF_ELEMENTS
            answer.put((result, None))
            del result
        except BaseException as error:  # noqa: BLE001 (raised again where results are taken)
            is_over = at_end is not None
            answer.put((None, error))
        del request, element, answer  # releases them while the thread waits
    if at_end is not None:
        at_end()


def check_not_forked(process_id: int) -> None:
    """Raises RuntimeError in any process but that of ``process_id``: a fork does not copy threads."""
    if process_id != os.getpid():
        raise RuntimeError("A dataset's iteration has threads, which a fork does not copy: iterate anew in the child.")


def close_iterator(elements: Iterator[Any]) -> None:
    """Closes the iterator ``elements``, if it can be closed, after an abandoned iteration."""
    close = getattr(elements, "close", None)
    if close is not None:
        close()
