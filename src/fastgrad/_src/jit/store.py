"""Content-addressed compiled code: from the disk cache of this machine, or from the installed package.

Code depends on its content (a body, its types) and on a platform: the builder's files, the compilers, the processor,
the layout of Python's objects. A wheel has code for levels of processors (`isa.LEVELS`), so a library kernel needs no
compiler.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import struct
import sys

from fastgrad._src.jit import cache
from fastgrad._src.jit.body import digest
from fastgrad._src.jit.bounds import checks_bounds
from fastgrad._src.jit.isa import host_levels, isa_of, level_machine
from fastgrad._src.jit.native import Machine, compile_for, initialize_llvm, target_machine
from fastgrad._src.jit.phases import phase
from fastgrad._src.jit.source_files import sources_key

_wheel_builds: list[tuple[str, str]] = []


def compile_for_wheel(level: str, folder: str) -> None:
    """Makes this process compile for a level of processors, and store all code in a folder, for a wheel.

    Args:
        level: a name of `isa.LEVELS`; call this before the first compilation.
        folder: a folder of entries, in the format of `cache.INSTALLED_FOLDER`.
    """
    compile_for(level_machine(level))
    _wheel_builds.append((level_key(level), folder))


def is_for_wheel() -> bool:
    """Returns whether this process compiles for a wheel."""
    return bool(_wheel_builds)


def is_shared() -> bool:
    """Returns whether code that another process of this machine compiles and stores is found here."""
    return not _wheel_builds and cache.cache_folder() is not None


def load(content: str) -> cache.Entry | None:
    """Returns the code for a kernel's content, compiled on this machine or for a level of its processor, or None."""
    if _wheel_builds:
        key, folder = _wheel_builds[-1]
        return cache.read(folder, f"{content}\n{key}")
    with phase("kernel cache"):
        entry = cache.load(f"{content}\n{platform_key()}")
        for level in host_levels() if entry is None else ():
            entry = cache.load_installed(level, f"{content}\n{level_key(level)}")
            if entry is not None:
                break
    return entry


def save(content: str, entry: cache.Entry) -> None:
    """Stores the code for some content."""
    if _wheel_builds:
        key, folder = _wheel_builds[-1]
        cache.write(folder, f"{content}\n{key}", entry)
        return
    with phase("kernel cache"):
        cache.store(f"{content}\n{platform_key()}", entry)


@functools.cache
def platform_key() -> str:
    """Returns the part of cache keys that all kernels of this machine have: LLVM, Numba and processor."""
    initialize_llvm()
    import llvmlite

    return f"llvmlite {llvmlite.__version__} numba {_numba_version()}\n{_machine_key(target_machine())}"


@functools.cache
def level_key(level: str) -> str:
    """Returns the text that all code of a wheel for a level of processors depends on."""
    return f"level {level}\n{_machine_key(level_machine(level))}"


def _machine_key(machine: Machine) -> str:
    layout = struct.calcsize("P"), object.__basicsize__, tuple.__basicsize__, sys.byteorder
    return "\n".join(
        (
            f"builder {_builder_digest()}",
            f"python {sys.version_info[:2]} {layout}",
            f"cpu {' '.join(machine)} vectors {isa_of(machine)}{' checked' if checks_bounds() else ''}",
        )
    )


@functools.cache
def _builder_digest() -> str:
    """Returns a hash of all files of the builder."""
    return sources_key(__name__.rpartition(".")[0])


def _numba_version() -> str:
    """Returns a hash of Numba's version file: importing Numba, or reading package metadata, would take milliseconds."""
    spec = importlib.util.find_spec("numba")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("fastgrad needs Numba, which is not installed: pip install numba")
    with open(os.path.join(spec.submodule_search_locations[0], "_version.py"), "rb") as file:
        return digest(file.read())[:12]
