"""Kernels for a GPU."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import FunctionType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from fastgrad.kernels.codegen.build import Kernel, source_of
from fastgrad.kernels.codegen.signature import SHARE, Parameter, Signature, parse_signature

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
        return _variant(self, threads, self.read, self.noalias)

    def reading(self, names: frozenset[str]) -> DeviceKernel:
        """The same, but these numbers are in memory."""
        return _variant(self, self.threads, names, self.noalias)

    def overlapping(self) -> DeviceKernel:
        """The same for arrays that overlap."""
        return _variant(self, self.threads, self.read, False)

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
def _variant(kernel: DeviceKernel, threads: int, read: frozenset[str], noalias: bool) -> DeviceKernel:
    same = (threads, read, noalias) == (kernel.threads, kernel.read, kernel.noalias)
    return kernel if same else replace(kernel, threads=threads, read=read, noalias=noalias)


def device_kernel(
    signature: str, *, threads: int = THREADS, exact: bool = False, **variables: tuple[str, ...]
) -> Callable[[Any], DeviceKernel]:
    """Declares a kernel whose threads work together, block by block.

    Args:
        signature: as `kernels.codegen.build.kernel` takes it; the last two parameters are `first: int, last: int`.
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
    conversion, source = native.__self__, source_of(native)
    assert source is not None, f"{native.__name__} is for the host alone"
    if conversion not in _known:
        variables = {name: (dtype,) for name, dtype in source.variables.items()}
        kernel = DeviceKernel(source.function, source.signature, variables, noalias=source.noalias)
        _known[conversion] = OnDevice(kernel, source.variables)
    return _known[conversion]


NO_ANSWER = (1 << 64) - 1
"""What stands where the answer goes before a kernel runs. Kernels whose answer is no status leave it there."""
