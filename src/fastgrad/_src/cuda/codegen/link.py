"""Links PTX to a GPU's machine code by NVIDIA's nvJitLink, called by cuda-core. It needs neither a driver nor a GPU."""

from __future__ import annotations

import re
from typing import Any, NamedTuple


class Cubin(NamedTuple):
    """The machine code of a kernel, and the registers and memory of a thread.

    Attributes:
        code: an ELF file that the driver loads.
        registers: the number of registers of a thread.
        stack, spills, shared: bytes of memory: a thread's stack, spilled registers, a block's shared memory.
    """

    code: bytes
    registers: int
    stack: int
    spills: int
    shared: int


def link(ptx: str, capability: int) -> Cubin:
    """Links the PTX of a kernel to machine code.

    Args:
        ptx: the result of `compile_ptx`.
        capability: the compute capability of the GPU, times ten.

    Raises:
        RuntimeError: the linker rejects the PTX; the message has its reason.
    """
    from cuda.core import Linker, LinkerOptions, ObjectCode

    try:
        options = LinkerOptions(arch=f"sm_{capability}", ptxas_options=["-v"])
        linker = Linker(ObjectCode.from_ptx(ptx.encode()), options=options)
        code: Any = linker.link("cubin").code
    except Exception as error:  # cuda-core raises errors of its parts, of many classes
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
