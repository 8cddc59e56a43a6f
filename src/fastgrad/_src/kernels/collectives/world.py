"""The processes that MPI's launcher started ("ranks"), and the addresses of MPI's functions.

mpi4py loads MPI and initialises it. Steps of programs call MPI's functions by their addresses (`transfers.py`).
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

SIZE_VARIABLES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", "PALS_SIZE")
"""Environment variables in which launchers say the number of processes."""

LAUNCHER_VARIABLES = (*SIZE_VARIABLES, "PMI_RANK", "PMIX_RANK", "PMI_FD")
"""Environment variables that are set in a process that a launcher of MPI has started."""


class World:
    """The group of all processes of a job; one process if no launcher of MPI started it.

    Attributes:
        rank: the number of this process, from 0.
        size: the number of processes.
        local_rank, local_size: the same among the processes of this machine.
        communicator: mpi4py's communicator of tensors; None without MPI.
        control: mpi4py's communicator of messages about the job; None without MPI.
    """

    def __init__(self, mpi: Any = None) -> None:
        self.rank = self.local_rank = 0
        self.size = self.local_size = 1
        self.communicator: Any = None
        self.control: Any = None
        self.mpi = mpi
        if mpi is None:
            return
        self.rank, self.size = mpi.COMM_WORLD.Get_rank(), mpi.COMM_WORLD.Get_size()
        self.communicator, self.control = mpi.COMM_WORLD.Dup(), mpi.COMM_WORLD.Dup()
        self.communicator.Set_errhandler(mpi.ERRORS_RETURN)
        local = mpi.COMM_WORLD.Split_type(mpi.COMM_TYPE_SHARED, key=self.rank)
        self.local_rank, self.local_size = local.Get_rank(), local.Get_size()
        local.Free()


def is_launched(environment: Mapping[str, str] = os.environ) -> bool:
    """Returns whether a launcher of MPI has started this process."""
    if any(name in environment for name in LAUNCHER_VARIABLES):
        return True
    return "SLURM_PROCID" in environment and environment.get("SLURM_STEP_NUM_TASKS", "1") != "1"


@functools.cache
def world() -> World:
    """Returns the group of all processes; the first call initialises MPI, and all processes make it.

    Raises:
        ImportError: a launcher started more than one process, and mpi4py is not installed.
        RuntimeError: MPI has no support for threads, which the progress thread needs; or the ranks run different versions.
    """
    if not is_launched():
        return World()
    try:
        import mpi4py

        mpi4py.rc.initialize = False
        from mpi4py import MPI
    except ImportError as error:
        if not any(os.environ.get(name, "1") != "1" for name in (*SIZE_VARIABLES, "SLURM_STEP_NUM_TASKS")):
            return World()
        raise ImportError(
            f"A launcher of MPI started this process, and mpi4py cannot be imported: {error}. "
            'Install it with `pip install "fastgrad[mpi]"`.'
        ) from error
    if not MPI.Is_initialized():
        from fastgrad._src.kernels.collectives.start import initialise

        initialise(MPI)
    if MPI.Query_thread() < MPI.THREAD_MULTIPLE:
        raise RuntimeError(
            "This MPI library was initialised without support for threads (MPI_THREAD_MULTIPLE), "
            "which fastgrad.distribute needs. Import fastgrad before other packages that initialise MPI."
        )
    group = World(MPI)
    if group.size > 1:
        from fastgrad._src.kernels.collectives.monitor import start_monitor

        start_monitor(group)
    return group


def function_address(name: str) -> int:
    """Returns the address of a function of the MPI library."""
    mpi = world().mpi
    return int(ctypes.cast(getattr(ctypes.CDLL(mpi.__file__), name), ctypes.c_void_p).value or 0)


def handle_of(thing: Any) -> int:
    """Returns the C handle of an object of mpi4py, such as a datatype, as an int."""
    return int(np.uint64(world().mpi._handleof(thing)).astype(np.int64))


def datatype_handle(dtype: np.dtype) -> int:
    """Returns the handle of MPI's datatype for the elements of an array."""
    return handle_of(world().mpi.Datatype.fromcode(np.dtype(dtype).char))


def finish_transfers(memory: object) -> None:
    """Waits until no transfer uses the memory of a program that has been abandoned.

    Transfers that other processes do not join within a second never end: then the job has failed.

    Args:
        memory: an object that keeps the memory alive.
    """
    transfers = sys.modules.get("fastgrad._src.kernels.collectives.transfers")
    if transfers is not None and transfers.engine.cache_info().currsize:
        transfers.engine().finish(memory)
