"""From PTX to a GPU's machine code, by NVIDIA's nvJitLink, which needs neither a driver nor a GPU."""

from __future__ import annotations

import ctypes
import functools
import re
from pathlib import Path
from typing import Any, NamedTuple

_PTX = 2  # nvJitLinkInputType


class Cubin(NamedTuple):
    """Machine code, and what it needs of a GPU.

    Attributes:
        code: an ELF file that the driver loads.
        registers: how many a thread uses.
        stack, spills, shared: bytes of memory: of a thread's stack, of registers that did not fit, of a block.
    """

    code: bytes
    registers: int
    stack: int
    spills: int
    shared: int


class LinkingUnavailable(RuntimeError):
    """NVIDIA's linker is not installed."""


def link(ptx: str, capability: int) -> Cubin:
    """The machine code of a kernel.

    Args:
        ptx: what `compile_ptx` gave.
        capability: the compute capability of the GPU, times ten.

    Raises:
        LinkingUnavailable: nvJitLink is not there; the message says how it is installed.
        RuntimeError: it refuses the PTX.
    """
    library, suffix = linker()

    def call(name: str, *arguments: Any) -> int:
        return int(getattr(library, name + suffix)(*arguments))

    def text(kind: str) -> str:
        size = ctypes.c_size_t()
        call(f"nvJitLinkGet{kind}Size", handle, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value + 1)
        call(f"nvJitLinkGet{kind}", handle, buffer)
        return buffer.raw[: size.value].rstrip(b"\0").decode(errors="replace")

    options = [f"-arch=sm_{capability}".encode(), b"-verbose"]
    handle = ctypes.c_void_p()
    if call("nvJitLinkCreate", ctypes.byref(handle), len(options), (ctypes.c_char_p * len(options))(*options)):
        raise RuntimeError(f"nvJitLink knows no GPU of compute capability {capability / 10}")
    try:
        data = ptx.encode() + b"\0"
        if call("nvJitLinkAddData", handle, _PTX, data, len(data), b"kernel") or call("nvJitLinkComplete", handle):
            raise RuntimeError(f"nvJitLink refuses the PTX of a kernel:\n{text('ErrorLog')}")
        size = ctypes.c_size_t()
        call("nvJitLinkGetLinkedCubinSize", handle, ctypes.byref(size))
        code = ctypes.create_string_buffer(size.value)
        call("nvJitLinkGetLinkedCubin", handle, code)
        report = text("InfoLog")
    finally:
        call("nvJitLinkDestroy", ctypes.byref(handle))

    def number(pattern: str) -> int:
        return sum(int(found) for found in re.findall(pattern, report))

    spills = number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads")
    return Cubin(
        code.raw,
        number(r"Used (\d+) registers"),
        number(r"(\d+) bytes stack frame"),
        spills,
        number(r"Used .*?(\d+) bytes smem"),  # the linker says it a second time, with what it reserves
    )


@functools.cache
def linker() -> tuple[Any, str]:
    """nvJitLink, and what its functions' names end with in its version.

    Raises:
        LinkingUnavailable: it is not installed.
    """
    for file in _files():
        try:
            library = ctypes.CDLL(str(file))
        except OSError:
            continue
        for suffix in ("", *[f"_{major}_{minor}" for major in (13, 12) for minor in range(9, -1, -1)]):
            # Its header renames functions to those of its version, with two underscores in front.
            prefix = "__" if suffix else ""
            if hasattr(library, f"{prefix}nvJitLinkCreate{suffix}"):
                return _Named(library, prefix), suffix
    raise LinkingUnavailable(
        "machine code for NVIDIA GPUs is made by nvJitLink, which is not installed; this line installs it:\n"
        "  pip install nvidia-nvjitlink"
    )


class _Named:
    """A library whose functions' names begin with something."""

    def __init__(self, library: ctypes.CDLL, prefix: str) -> None:
        self._library, self._prefix = library, prefix

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, self._prefix + name)


def _files() -> list[Path]:
    """Where the package nvidia-nvjitlink has put the library, newest first."""
    from importlib import metadata

    found = []
    for package in ("nvidia-nvjitlink", "nvidia-nvjitlink-cu12"):
        try:
            files = metadata.distribution(package).files or []
        except metadata.PackageNotFoundError:
            continue
        found += [
            Path(str(file.locate())) for file in files if re.search(r"libnvJitLink\.so|nvJitLink.*\.dll", file.name)
        ]
    return found
