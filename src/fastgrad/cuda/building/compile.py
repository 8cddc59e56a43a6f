"""From a kernel to PTX, the GPU's assembly language, by the NVPTX backend of the LLVM that llvmlite brings.

No driver, no GPU and no package of NVIDIA's is needed for that; `link` makes machine code of the PTX.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

import llvmlite.binding as llvm

from fastgrad.cuda.building.kernel import DeviceKernel, Machine, kernel_ir
from fastgrad.cuda.building.specials import ON_GPU
from fastgrad.kernels.building.native import initialize_llvm

TRIPLE = "nvptx64-nvidia-cuda"

# Functions of numbers that LLVM leaves to a library are not there; the compiler ends the process over them.
_HAS = re.compile(
    r"llvm\.(?!(exp|exp2|exp10|log|log2|log10|pow|powi|sin|cos|tan|a?sinh?|a?cosh?|a?tanh?|atan2|ldexp|frexp)\.)"
)

_REGISTERS = {"thread": "tid", "threads": "ntid", "block": "ctaid", "blocks": "nctaid"}
_GPU = Machine(
    specials=ON_GPU,
    head="define ptx_kernel void",
    numbers="\n".join(
        f"  %{name}.32 = call i32 @llvm.nvvm.read.ptx.sreg.{register}.x()\n  %{name} = zext i32 %{name}.32 to i64"
        for name, register in _REGISTERS.items()
    ),
    declared=[f"declare i32 @llvm.nvvm.read.ptx.sreg.{register}.x()" for register in _REGISTERS.values()],
)


def gpu_ir(kernel: DeviceKernel, dtypes: Mapping[str, Any]) -> tuple[str, str]:
    """`kernel_ir` for a GPU, which machine code follows from."""
    return kernel_ir(kernel, dtypes, _GPU)


def compile_ptx(kernel: DeviceKernel, dtypes: Mapping[str, Any], capability: int) -> str:
    """The PTX of a kernel; its entry is `kernel`.

    Args:
        kernel: what is compiled.
        dtypes: the dtype of each type variable.
        capability: the compute capability of the GPU, times ten: 80, 90, 100, ...

    Raises:
        TypeError: dtypes that the kernel is not for.
        Untranslatable: the body has something that no GPU does.
        RuntimeError: it calls a function that is not there on a GPU.
    """
    text, specials = gpu_ir(kernel, dtypes)
    module = llvm.parse_assembly(text)
    if specials:
        module.link_in(llvm.parse_assembly(specials))
    machine = _target_machine(capability)
    module.triple = TRIPLE
    module.data_layout = str(machine.target_data)
    for function in module.functions:
        if not function.is_declaration and function.name != "kernel":
            function.linkage = "internal"
    module.verify()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(module, builder)
    missing = [f.name for f in module.functions if f.is_declaration and not _HAS.match(f.name)]
    if missing:
        raise RuntimeError(f"kernel {kernel.name} calls {', '.join(missing)}, which is not there on a GPU")
    return str(machine.emit_assembly(module))


@functools.cache
def _target_machine(capability: int) -> Any:
    initialize_llvm()
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    # The oldest version of PTX that the GPU has: newer drivers take it, older ones take no newer one.
    features = "+ptx70" if capability < 89 else "+ptx78" if capability < 100 else "+ptx86"
    return llvm.Target.from_triple(TRIPLE).create_target_machine(cpu=f"sm_{capability}", features=features, opt=3)
