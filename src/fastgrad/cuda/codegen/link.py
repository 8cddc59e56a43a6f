"""From PTX to a GPU's machine code, by NVIDIA's nvJitLink, which needs neither a driver nor a GPU; cuda-core calls it."""

from __future__ import annotations

import re
from typing import Any, NamedTuple


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


def link(ptx: str, capability: int) -> Cubin:
    """The machine code of a kernel.

    Args:
        ptx: what `compile_ptx` gave.
        capability: the compute capability of the GPU, times ten.

    Raises:
        RuntimeError: the linker refuses it; the message has its reason.
    """
    from cuda.core import Linker, LinkerOptions, ObjectCode

    try:
        options = LinkerOptions(arch=f"sm_{capability}", ptxas_options=["-v"])
        linker = Linker(ObjectCode.from_ptx(ptx.encode()), options=options)
        code: Any = linker.link("cubin").code
    except Exception as error:  # cuda-core raises errors of its parts, of many kinds
        raise RuntimeError(
            f"nvJitLink refuses the PTX of a kernel for compute capability {capability / 10}: {error}"
        ) from error
    report = linker.get_info_log()

    def number(pattern: str) -> int:
        return sum(int(count) for count in re.findall(pattern, report))

    spills = number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads")
    return Cubin(
        bytes(code),
        number(r"Used (\d+) registers"),
        number(r"(\d+) bytes stack frame"),
        spills,
        number(r"Used .*?(\d+) bytes smem"),
    )
