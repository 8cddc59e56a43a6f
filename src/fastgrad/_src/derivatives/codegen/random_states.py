"""The states of Numba's random generators in a thread: a function that runs again from the same states draws the same numbers."""

from __future__ import annotations

import contextlib
import ctypes
import functools
from collections.abc import Iterator
from typing import Any

import numba
import numpy as np
from numba import types

from fastgrad._src.jit.numba_canaries import Feature
from fastgrad._src.jit.numba_features import require
from fastgrad._src.jit.numba_internals import _helperlib


class _State(ctypes.Structure):
    """The C structure of a state in Numba: a Mersenne twister, and the second number of the last pair of normal draws."""

    _fields_ = [
        ("index", ctypes.c_int),
        ("words", ctypes.c_uint * 624),
        ("has_gauss", ctypes.c_int),
        ("gauss", ctypes.c_double),
        ("is_initialized", ctypes.c_int),
    ]


_BYTES = ctypes.sizeof(_State)
_numpy_state = types.ExternalFunction("numba_get_np_random_state", types.intp())
_python_state = types.ExternalFunction("numba_get_py_random_state", types.intp())
_memcpy = types.ExternalFunction("memcpy", types.intp(types.intp, types.intp, types.intp))


@numba.njit
def random_states():  # type: ignore[no-untyped-def]
    """Returns a copy of the states of ``np.random`` and ``random``."""
    states = np.empty((2, _BYTES), np.uint8)
    _memcpy(states.ctypes.data, _numpy_state(), _BYTES)
    _memcpy(states.ctypes.data + _BYTES, _python_state(), _BYTES)
    return states


@numba.njit
def set_random_states(states):  # type: ignore[no-untyped-def]
    """Restores states of ``random_states``."""
    _memcpy(_numpy_state(), states.ctypes.data, _BYTES)
    _memcpy(_python_state(), states.ctypes.data + _BYTES, _BYTES)


def functions_of_states() -> dict[str, Any]:
    """Returns the functions that copy and restore the states in compiled code, by name."""
    require(Feature.RANDOM_STATES)
    return {"random_states": random_states, "set_random_states": set_random_states}


def copy_of_states() -> list[bytes]:
    """Returns a copy of the states, for ``drawing_from``; nothing is compiled."""
    of_numpy, of_python = _address_functions()
    return [_memory_at(of_numpy()).raw, _memory_at(of_python()).raw]


@contextlib.contextmanager
def drawing_from(states: list[bytes]) -> Iterator[None]:
    """Draws from the copied states in its block. After it the generators go on as if nothing had been drawn."""
    later = copy_of_states()
    _restore_states(states)
    try:
        yield
    finally:
        _restore_states(later)


@functools.lru_cache(maxsize=256)
def _memory_at(address: int) -> Any:
    return (ctypes.c_char * _BYTES).from_address(address)


@functools.cache
def _address_functions() -> tuple[Any, Any]:
    require(Feature.RANDOM_STATES)
    return _helperlib.rnd_get_np_state_ptr, _helperlib.rnd_get_py_state_ptr


def _restore_states(states: list[bytes]) -> None:
    for address_of, state in zip(_address_functions(), states, strict=True):
        _memory_at(address_of()).raw = state
