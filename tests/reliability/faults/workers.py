"""Functions of datasets that raise, hang or end their process while threads call them. Run by ``test_workers.py``."""

from __future__ import annotations

import gc
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import fastgrad as tf

Dataset = tf.data.Dataset
BEFORE = 15
"""So many elements are made before the fault: the first eight without a thread."""


def slowly(x: Any) -> Any:
    """An element that is worth a thread, and that no compiled function makes."""
    time.sleep(0.001)
    return x.numpy()


def generated(fault: Any) -> Any:
    def generate() -> Iterator[int]:
        for number in range(BEFORE):
            time.sleep(0.001)
            yield number
        fault()

    return Dataset.from_generator(generate, output_signature=tf.TensorSpec((), tf.int32))


def mapped(fault: Any, **options: Any) -> Any:
    def function(x: Any) -> Any:
        if int(x) == BEFORE:
            fault()
        return slowly(x)

    return Dataset.range(BEFORE + 10).map(function, **options)


PIPELINES = {
    "generator": generated,
    "prefetched generator": lambda fault: generated(fault).prefetch(2),
    "map": mapped,
    "prefetched map": lambda fault: mapped(fault).prefetch(2),
    "parallel map": lambda fault: mapped(fault, num_parallel_calls=3),
    "prefetched parallel map": lambda fault: mapped(fault, num_parallel_calls=3).prefetch(2),
    "batches": lambda fault: mapped(fault, num_parallel_calls=2).batch(1).prefetch(tf.data.AUTOTUNE).unbatch(),
}


def hang() -> None:
    threading.Event().wait()


def taken(dataset: Any, errors: type[BaseException]) -> tuple[list[int], str]:
    """The elements of a dataset before an error, and its text."""
    values: list[int] = []
    try:
        values.extend(map(int, dataset))
    except errors as error:
        return values, f"{error!r}"
    raise AssertionError(f"no error after {values}")


def raising(kind: str) -> None:
    """An error comes where its element would have come, and leaves no thread. `SystemExit` of a worker ends no thread silently."""

    class Fault(Exception):
        pass

    for error in (Fault, SystemExit, KeyboardInterrupt, Fault):

        def fault(error: type[BaseException] = error) -> None:
            raise error("in a worker")

        values, message = taken(PIPELINES[kind](fault), BaseException)
        assert "in a worker" in message, message
        assert values == list(range(len(values))), values
        assert error is not Fault or len(values) == BEFORE, values
    gc.collect()
    for _ in range(200):
        left = [
            thread.name for thread in threading.enumerate() if thread.name.startswith(("fastgrad-map", "fastgrad-pre"))
        ]
        if len(left) == len(set(left)):  # those of the last iteration, which could go on after the error
            break
        time.sleep(0.01)
    else:
        raise AssertionError(left)
    print("raised")


def hanging(kind: str) -> None:
    """Ctrl-C ends the waiting for an element that never comes, and the process then ends by itself."""
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    values, _ = taken(PIPELINES[kind](hang), KeyboardInterrupt)
    assert values == list(range(len(values))), values
    assert len(values) > 4, values
    assert [int(x) for x in Dataset.range(3).map(slowly).prefetch(1)] == [0, 1, 2]
    print("interrupted", flush=True)


def leaving(kind: str) -> None:
    """A process whose iteration waits for an element that never comes in another thread ends when its main thread does."""
    iterator = iter(PIPELINES[kind](hang))

    def iterate() -> None:
        for _ in iterator:
            pass

    threading.Thread(target=iterate, daemon=True).start()
    time.sleep(0.3)
    print("left", flush=True)
    sys.exit(0)
