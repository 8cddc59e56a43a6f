"""What a report of a defect needs to say about the installation and the machine: ``fastgrad info``."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from importlib import metadata

from fastgrad._src.core.version import VERSION
from fastgrad._src.jit import cache
from fastgrad._src.jit.isa import host_levels
from fastgrad._src.jit.native import target_machine
from fastgrad._src.jit.processors import default_threads

_PACKAGES = ("numpy", "numba", "llvmlite", "scipy", "ml_dtypes", "h5py", "protobuf", "numba-cuda", "mpi4py", "keras")
_SETTINGS = ("FASTGRAD_", "NUMBA_", "OMP_", "MKL_", "OPENBLAS_", "CUDA_", "PYTHONOPTIMIZE")
"""How names of environment variables begin that change what runs."""


def report_lines() -> Iterator[str]:
    """Yields the lines of the report: versions, machine, kernels and settings. No line has a name of a user or of a host."""
    yield f"fastgrad:   {VERSION}, {_installation()}"
    yield f"Python:     {platform.python_version()} ({platform.python_implementation()}), {sys.maxsize.bit_length() + 1} bits"
    yield f"packages:   {', '.join(f'{name} {version}' for name, version in _versions())}"
    yield f"system:     {platform.platform()}"
    machine = target_machine()
    yield f"processor:  {processor_name()}; LLVM calls it {machine.cpu}, {machine.triple}"
    yield f"levels:     {', '.join(host_levels()) or 'none: wheels have no kernels for this processor'}"
    yield f"threads:    {default_threads()} of {os.cpu_count()} processors"
    entries, size = cache.count_and_bytes()
    yield f"kernels:    {entries} in the cache, {size / 2**20:.1f} MiB; {_installed_kernels()}"
    settings = sorted(name for name in os.environ if name.startswith(_SETTINGS))
    yield f"settings:   {', '.join(f'{name}={_without_home(os.environ[name])}' for name in settings) or 'none'}"


def _installation() -> str:
    """Returns how the package was installed."""
    try:
        files = metadata.distribution("fastgrad").files or []
    except metadata.PackageNotFoundError:
        return "not installed: imported from a folder of sources"
    is_editable = not any(file.as_posix() == "fastgrad/__init__.py" for file in files)
    return "an editable installation" if is_editable else "installed"


def _installed_kernels() -> str:
    """Returns for which processors the installed package has kernels."""
    files = os.listdir(cache.INSTALLED_FOLDER) if os.path.isdir(cache.INSTALLED_FOLDER) else []
    levels = [level for level in host_levels() if f"{level}.db" in files]
    return f"installed ones for {', '.join(levels)}" if levels else "none installed for this processor"


def _versions() -> Iterator[tuple[str, str]]:
    """Yields the packages that are installed, with their versions."""
    for name in _PACKAGES:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue


def processor_name() -> str:
    """Returns the processor's name from the operating system."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _without_home(text: str) -> str:
    """Returns a text with ``~`` for the path of the home folder."""
    home = os.path.expanduser("~")
    return text.replace(home, "~") if len(home) > 1 else text
