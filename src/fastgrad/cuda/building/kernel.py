"""Kernels for a GPU, and their way to LLVM IR."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import FunctionType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from fastgrad.kernels.building.bounds import RECORD, checking
from fastgrad.kernels.building.build import Kernel, body_of, signature_of
from fastgrad.kernels.building.compile import parameter_type, type_names
from fastgrad.kernels.building.number_types import llvm_type
from fastgrad.kernels.building.signature import SHARE, Parameter, Signature, checked_words, parse_signature
from fastgrad.kernels.building.specials import TOUCHED, Write
from fastgrad.kernels.building.translate import translated
from fastgrad.kernels.building.wrapper import RAISED, body_arguments, fields_of, names_ir

THREADS = 256
"""How many threads a block has, where a kernel does not say."""


@dataclass(frozen=True, eq=False)
class DeviceKernel:
    """A kernel for a GPU.

    Attributes:
        function: its body; if two neighbouring parameters are `first` and `last`, they are the units of work that a call does,
            else all the work is one unit.
        signature: its parameters.
        variables: the names of the dtypes that each of its type variables may be.
        threads: how many a block has.
        together: whether units are dealt out to blocks, whose threads share the work on them; else to single threads.
        noalias: whether no two arrays overlap.
        exact: whether the body is for just as many threads; else any multiple of a warp will do.
        read: names of parameters that are a `float` to the body, which are read from memory when the kernel runs.
    """

    function: FunctionType
    signature: Signature
    variables: Mapping[str, tuple[str, ...]]
    threads: int = THREADS
    together: bool = False
    noalias: bool = True
    exact: bool = False
    read: frozenset[str] = frozenset()

    def with_threads(self, threads: int) -> DeviceKernel:
        """The same with as many threads in a block."""
        return _variant(self, threads, self.read)

    def reading(self, names: frozenset[str]) -> DeviceKernel:
        """The same, but these numbers are in memory."""
        return _variant(self, self.threads, names)

    @property
    def name(self) -> str:
        """The name of the body."""
        return self.function.__name__

    @property
    def is_shared(self) -> bool:
        """Whether it has units of work."""
        return self.signature.takes_shares

    @property
    def given(self) -> tuple[Parameter, ...]:
        """The parameters of its entry, which are followed by where its answer goes, and the number of units."""
        own = [parameter for parameter in self.signature.parameters if parameter.name not in SHARE]
        return tuple([Parameter(one.name, "in", "float64") if one.name in self.read else one for one in own])

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


@functools.lru_cache(maxsize=1024)
def _variant(kernel: DeviceKernel, threads: int, read: frozenset[str]) -> DeviceKernel:
    same = threads == kernel.threads and read == kernel.read
    return kernel if same else replace(kernel, threads=threads, read=read)


def device_kernel(
    signature: str, *, threads: int = THREADS, exact: bool = False, **variables: tuple[str, ...]
) -> Callable[[Any], DeviceKernel]:
    """Declares a kernel whose threads work together, block by block.

    Args:
        signature: as `kernels.building.build.kernel` takes it; the last two parameters are `first: int, last: int`.
        threads: how many a block has; a multiple of the 32 of a warp.
        exact: whether the body is for just as many.
        variables: the dtypes that each type variable stands for.
    """
    parsed = parse_signature(signature)
    return lambda function: DeviceKernel(function, parsed, variables, threads, together=True, exact=exact)


def on_device(kernel: Kernel) -> DeviceKernel:
    """A CPU's kernel, as one whose units are dealt out to single threads."""
    variables = {name: tuple([dtype.name for dtype in dtypes]) for name, dtypes in kernel.variables.items()}
    return DeviceKernel(kernel.function, kernel.signature, variables, noalias=kernel.noalias)


class OnDevice(NamedTuple):
    """What is the kernel of a launch on a GPU: what is compiled, and the dtype of each of its type variables."""

    kernel: DeviceKernel
    dtypes: Mapping[str, str]

    @property
    def signature(self) -> Signature:
        """The parameters of the body."""
        return self.kernel.signature


_known: WeakKeyDictionary[Any, OnDevice] = WeakKeyDictionary()


def of_native(native: Any) -> OnDevice:
    """The same of a native function, which a `Kernel` gave for some dtypes."""
    conversion, body = native.__self__, body_of(native)
    assert body is not None, f"{native.__name__} is for the host alone"
    if conversion not in _known:
        variables = {name: (dtype,) for name, dtype in body.variables.items()}
        kernel = DeviceKernel(body.function, signature_of(native), variables, noalias=body.noalias)
        _known[conversion] = OnDevice(kernel, body.variables)
    return _known[conversion]


class Machine(NamedTuple):
    """What the entry of a kernel is written with.

    Attributes:
        specials: how the names of `cuda.building.body` are written.
        head: of the definition of the entry.
        numbers: lines that give %thread, %threads, %block and %blocks, as int64.
        declared: what these lines use.
        checked: whether accesses outside of arrays are found (`kernels.building.bounds`); entries then have more parameters.
    """

    specials: Mapping[Any, Write]
    head: str
    numbers: str
    declared: Sequence[str]
    checked: bool = False


NO_ANSWER = (1 << 64) - 1
"""What stands where the answer goes before a kernel runs. Kernels whose answer is no status leave it there."""


def kernel_ir(kernel: DeviceKernel, dtypes: Mapping[str, Any], machine: Machine) -> tuple[str, str]:
    """LLVM IR of a kernel with its entry, and of a module to link with it.

    The entry is `@kernel(what is given, answer, units)`. Of the answers >= 0, with which units say that they are not fine, the
    smallest is kept at the address `answer`. For a machine that checks, `signature.checked_words` follow the answer.

    Raises:
        TypeError: dtypes that the kernel is not for.
        Untranslatable: the body has something that no GPU does.
    """
    with checking(machine.checked):
        return _kernel_ir(kernel, dtypes, machine)


def _kernel_ir(kernel: DeviceKernel, dtypes: Mapping[str, Any], machine: Machine) -> tuple[str, str]:
    variables = kernel.checked_types(dtypes)
    parameters = kernel.signature.parameters
    kinds = [parameter_type(parameter, variables) for parameter in parameters]
    result = "int64" if kernel.signature.returns_status else "none"
    specials = machine.specials
    if not kernel.together:  # its threads share nothing
        specials = {special: write for special, write in specials.items() if special is not TOUCHED}
    body = translated(kernel.function, kinds, result, type_names(variables), kernel.noalias, specials)
    aligned = " noalias align 16" if kernel.noalias else " align 16"
    words = checked_words(kernel.signature)
    formal, behind, read, actual = "", "", "", []
    for i, parameter in enumerate(kernel.given):
        (kind, _), *sizes = fields_of(parameter)
        formal += f"{kind}{aligned if kind == 'ptr' else ''} %p{i}, "
        if parameter.name in kernel.read:
            read += f"  %r{i} = load double, ptr %p{i}\n"
            actual.append(f"double %r{i}")
            continue
        given = [f"%p{i}"]
        for (size, _), word in zip(sizes, words.get(parameter.name, ()), strict=False):
            behind += f"{size} %s{word}, "
            given.append(f"%s{word}")
        actual.append(body_arguments(parameter, given))
    if kernel.is_shared:
        place = [parameter.name for parameter in parameters].index(SHARE[0])
        actual[place:place] = ["i64 %unit", "i64 %next"]
    work = f"call {llvm_type(result)} @.body({', '.join(actual)})"
    if kernel.signature.returns_status:
        work = f"""%status = {work}
  %old = atomicrmw umin ptr %answer, i64 %status monotonic"""  # -1, that all is well, is the greatest of all
    if kernel.together:
        begin, step = "  %begin = add i64 %block, 0", "  %step = add i64 %blocks, 0"
    else:
        begin = "  %before = mul i64 %block, %threads\n  %begin = add i64 %before, %thread"
        step = "  %step = mul i64 %blocks, %threads"
    declared = "\n".join(line for line in machine.declared if line not in body.text)
    if RAISED in body.text:  # for a step of 0 in a range: what cannot be
        declared += f"\ndefine internal void @{RAISED}() alwaysinline {{\n  unreachable\n}}"
    test = "%more = icmp slt i64 %unit, %units"
    if machine.checked:
        declared += names_ir(kernel.name, kernel.signature)
        test = f"""%flag = load i64, ptr @{RECORD}
  %fine = icmp eq i64 %flag, 0
  %some = icmp slt i64 %unit, %units
  %more = and i1 %some, %fine"""
    entry = f"""{declared}
{machine.head} @kernel({formal}ptr %answer, {behind}i64 %units) {{
entry:
{machine.numbers}
{read}
{begin}
{step}
  br label %test
test:
  %unit = phi i64 [ %begin, %entry ], [ %after, %work ]
  {test}
  br i1 %more, label %work, label %done
work:
  %next = add nsw i64 %unit, 1
  {work}
  %after = add nsw i64 %unit, %step
  br label %test
done:
  ret void
}}
"""
    return body.text + entry, body.specials
