"""Kernels for a GPU, and their way to LLVM IR."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any, NamedTuple

from fastgrad.kernels.building.body import Special
from fastgrad.kernels.building.build import Kernel
from fastgrad.kernels.building.compile import parameter_type, type_names
from fastgrad.kernels.building.number_types import llvm_type
from fastgrad.kernels.building.signature import SHARE, Signature, parse_signature
from fastgrad.kernels.building.specials import Write
from fastgrad.kernels.building.translate import translated
from fastgrad.kernels.building.wrapper import RAISED

THREADS = 256
"""How many threads a block has, where a kernel does not say."""


@dataclass(frozen=True, eq=False)
class DeviceKernel:
    """A kernel for a GPU.

    Attributes:
        function: its body; the last two parameters, `first` and `last`, are the units of work that a call does.
        signature: its parameters.
        variables: the names of the dtypes that each of its type variables may be.
        threads: how many a block has.
        together: whether units are dealt out to blocks, whose threads share the work on them; else to single threads.
        noalias: whether no two arrays overlap.
    """

    function: FunctionType
    signature: Signature
    variables: Mapping[str, tuple[str, ...]]
    threads: int = THREADS
    together: bool = False
    noalias: bool = True

    @property
    def name(self) -> str:
        """The name of the body."""
        return self.function.__name__

    def checked_types(self, given: Mapping[str, Any]) -> dict[str, str]:
        """The names of the dtypes for the type variables.

        Raises:
            TypeError: one is missing, or is none that the kernel is for.
        """
        names = {name: str(dtype) for name, dtype in given.items()}
        if names.keys() != self.variables.keys():
            raise TypeError(f"kernel {self.name}: give a dtype for each of {tuple(self.variables)}, not {tuple(names)}")
        for name, dtype in names.items():
            if dtype not in self.variables[name]:
                raise TypeError(f"kernel {self.name}: {name} is {dtype}; it may be {', '.join(self.variables[name])}")
        return names


def device_kernel(
    signature: str, *, threads: int = THREADS, **variables: tuple[str, ...]
) -> Callable[[Any], DeviceKernel]:
    """Declares a kernel whose threads work together, block by block.

    Args:
        signature: as `kernels.building.build.kernel` takes it; the last two parameters are `first: int, last: int`.
        threads: how many a block has; a multiple of the 32 of a warp.
        variables: the dtypes that each type variable stands for.
    """
    parsed = _shared(parse_signature(signature))
    return lambda function: DeviceKernel(function, parsed, variables, threads, together=True)


def on_device(kernel: Kernel) -> DeviceKernel:
    """A CPU's kernel whose work can be shared, as one whose units are dealt out to single threads.

    Raises:
        TypeError: its work cannot be shared.
    """
    variables = {name: tuple([dtype.name for dtype in dtypes]) for name, dtypes in kernel.variables.items()}
    return DeviceKernel(kernel.function, _shared(kernel.signature), variables, noalias=kernel.noalias)


def _shared(signature: Signature) -> Signature:
    if tuple([parameter.name for parameter in signature.parameters[-2:]]) != SHARE:
        raise TypeError(
            f"a kernel for a GPU shares its work: its last parameters are first and last, not {signature.text}"
        )
    return signature


class Machine(NamedTuple):
    """What the entry of a kernel is written with.

    Attributes:
        specials: how the names of `cuda.body` are written.
        head: of the definition of the entry.
        numbers: lines that give %thread, %threads, %block and %blocks, as int64.
        declared: what these lines use.
    """

    specials: Mapping[Special, Write]
    head: str
    numbers: str
    declared: Sequence[str]


def kernel_ir(kernel: DeviceKernel, dtypes: Mapping[str, Any], machine: Machine) -> tuple[str, str]:
    """LLVM IR of a kernel with its entry, `@kernel(its parameters but the last two, units)`, and of a module to link with it.

    Raises:
        Untranslatable: the body has something that no GPU does.
    """
    variables = kernel.checked_types(dtypes)
    kinds = [parameter_type(parameter, variables) for parameter in kernel.signature.parameters]
    result = "int64" if kernel.signature.returns_status else "none"
    body = translated(kernel.function, kinds, result, type_names(variables), kernel.noalias, machine.specials)
    parameters = [(llvm_type(kind), f"%p{i}") for i, kind in enumerate(kinds[:-2])]
    aligned = " noalias align 16" if kernel.noalias else " align 16"
    formal = ", ".join(f"{kind}{aligned if kind == 'ptr' else ''} {name}" for kind, name in parameters)
    actual = "".join(f"{kind} {name}, " for kind, name in parameters)
    if kernel.together:
        begin, step = "  %begin = add i64 %block, 0", "  %step = add i64 %blocks, 0"
    else:
        begin = "  %before = mul i64 %block, %threads\n  %begin = add i64 %before, %thread"
        step = "  %step = mul i64 %blocks, %threads"
    status = f"call {llvm_type(result)} @.body({actual}i64 %unit, i64 %next)"
    declared = "\n".join(line for line in machine.declared if line not in body.text)
    if RAISED in body.text:  # for a step of 0 in a range: what cannot be
        declared += f"\ndefine internal void @{RAISED}() alwaysinline {{\n  unreachable\n}}"
    entry = f"""{declared}
{machine.head} @kernel({formal}{", " if formal else ""}i64 %units) {{
entry:
{machine.numbers}
{begin}
{step}
  br label %test
test:
  %unit = phi i64 [ %begin, %entry ], [ %after, %work ]
  %more = icmp slt i64 %unit, %units
  br i1 %more, label %work, label %done
work:
  %next = add nsw i64 %unit, 1
  {status}
  %after = add nsw i64 %unit, %step
  br label %test
done:
  ret void
}}
"""
    return body.text + entry, body.specials
