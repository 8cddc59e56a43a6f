"""The start of MPI, in which each rank waits for all others.

If a rank ends before it starts MPI, the others wait for ever, and the launcher does not notice. So a thread looks for
such ranks during the start. mpi4py would start MPI with the GIL held, so this module calls MPI's function without the GIL.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastgrad._src.kernels.collectives.monitor import WARNING_SECONDS, print_at_once

LOOK_SECONDS = 1.0
"""Seconds between two looks for ranks that have ended."""


def initialise(mpi: Any) -> None:
    """Starts MPI with support for threads, and ends it when the process ends.

    Args:
        mpi: mpi4py's module.

    Raises:
        RuntimeError: MPI reports an error.
    """
    function = ctypes.CDLL(mpi.__file__).MPI_Init_thread
    started = threading.Event()
    watcher = threading.Thread(target=_watch_other_ranks, args=(started,), name="fastgrad-start", daemon=True)
    watcher.start()
    is_interruptible = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if is_interruptible:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python would handle Ctrl-C only after the start
    try:
        code = function(None, None, int(mpi.THREAD_MULTIPLE), ctypes.byref(ctypes.c_int()))
    finally:
        if is_interruptible:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        started.set()
        watcher.join()
    if code != 0:
        raise RuntimeError(f"MPI_Init_thread failed with code {code}: MPI could not start on this machine.")
    process = os.getpid()

    def finalise() -> None:
        if os.getpid() == process and not mpi.Is_finalized():
            mpi.Finalize()

    atexit.register(finalise)


def _watch_other_ranks(started: threading.Event) -> None:
    """Ends this rank if another rank of this machine has ended; warns if the start takes long."""
    looks = 0
    while not started.wait(LOOK_SECONDS):
        looks += 1
        if count_of_ended_ranks() and not started.wait(LOOK_SECONDS):
            print_at_once(
                "A rank has ended before it started MPI, so that this rank would wait for ever. An error of that rank stands above; "
                "without one, all ranks must use tf.distribute, or none.\n"
            )
            os._exit(1)  # the launcher then ends the other ranks
        if looks == int(WARNING_SECONDS):
            print_at_once(
                f"WARNING: this rank has waited for {looks} s for the other ranks to start MPI. All ranks must use tf.distribute. "
                "If all do, look at the hosts and the network that the launcher uses.\n"
            )


def count_of_ended_ranks(environment: Mapping[str, str] = os.environ, processes: Path = Path("/proc")) -> int:
    """Returns how many ranks of this machine have ended, by the children of MPICH's launcher; 0 if it is not known."""
    ranks = int(environment.get("MPI_LOCALNRANKS", "0"))
    alive = 0
    parent = os.getppid()
    try:
        is_launcher = (processes / str(parent) / "comm").read_text().startswith("hydra_pmi")
    except OSError:
        is_launcher = False
    if not is_launcher:  # a shell, for example, that has this rank as its only child
        return 0
    for path in processes.glob("[0-9]*/stat") if ranks > 1 else ():
        try:
            state, of_parent = path.read_text().rpartition(")")[2].split()[:2]
        except OSError:  # it has just ended
            continue
        alive += int(of_parent) == parent and state not in "ZX"
    return ranks - alive if 0 < alive < ranks else 0
