"""The declaration of GPU kernels, and the conversion of CPU kernels to GPU kernels."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import FunctionType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from fastgrad._src.jit.build import Kernel, source_of
from fastgrad._src.jit.signature import SHARE_PARAMETERS, Parameter, Signature, parse_signature

DEFAULT_THREADS_PER_BLOCK = 256
"""The default number of threads in a block."""


@dataclass(frozen=True, eq=False)
class DeviceKernel:
    """A kernel for a GPU.

    Attributes:
        function: its body. If two neighbouring parameters are `first` and `last`, they are the units of work of a call;
            otherwise all the work is one unit.
        signature: its parameters.
        variables: the names of the dtypes that each type variable may have.
        threads: the largest number of threads in a block, a power of two; any smaller one works, too.
        together: whether units go to blocks, whose threads share the work; otherwise units go to single threads.
        noalias: whether no two arrays overlap.
        numbers_in_memory: names of `float` parameters of the body that the entry reads from memory when the kernel runs.
    """

    function: FunctionType
    signature: Signature
    variables: Mapping[str, tuple[str, ...]]
    threads: int = DEFAULT_THREADS_PER_BLOCK
    together: bool = False
    noalias: bool = True
    numbers_in_memory: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The name of the function that is the kernel's body."""
        return self.function.__name__

    @property
    def has_work_units(self) -> bool:
        """True if the kernel has units of work, which several threads or blocks get."""
        return self.signature.takes_shares

    @property
    def entry_parameters(self) -> tuple[Parameter, ...]:
        """The parameters of the entry, without the last two: the answer's address and the number of units."""
        passed = [p for p in self.signature.parameters if p.name not in SHARE_PARAMETERS]
        return tuple([Parameter(p.name, "in", "float64") if p.name in self.numbers_in_memory else p for p in passed])

    def checked_dtypes(self, dtypes: Mapping[str, Any]) -> dict[str, str]:
        """Returns the dtype name of each type variable, after a check that the kernel supports the dtypes.

        Raises:
            TypeError: a dtype is missing, or the kernel does not support it.
        """
        names = {name: str(dtype) for name, dtype in dtypes.items()}
        if names.keys() != self.variables.keys():
            raise TypeError(f"kernel {self.name}: give a dtype for each of {tuple(self.variables)}, not {tuple(names)}")
        for name, dtype in names.items():
            if dtype not in self.variables[name]:
                raise TypeError(f"kernel {self.name}: {name} is {dtype}; it may be {', '.join(self.variables[name])}")
        return names


@functools.lru_cache(maxsize=1024)
def with_attributes(kernel: DeviceKernel, **changes: Any) -> DeviceKernel:
    """Returns a GPU kernel with changed attributes; the kernel itself if none changes."""
    return replace(kernel, **changes) if any(getattr(kernel, name) != new for name, new in changes.items()) else kernel


def device_kernel(signature: str, **variables: tuple[str, ...]) -> Callable[[Any], DeviceKernel]:
    """Returns a decorator that declares a kernel whose units go to blocks.

    Args:
        signature: as in `jit.build.kernel`. The last two parameters are `first: int, last: int`.
        variables: the dtypes of each type variable.
    """
    parsed = parse_signature(signature)
    return lambda function: DeviceKernel(function, parsed, variables, together=True)


def device_kernel_of(kernel: Kernel) -> DeviceKernel:
    """Converts a CPU kernel to a GPU kernel whose units go to single threads."""
    variables = {name: tuple([dtype.name for dtype in dtypes]) for name, dtypes in kernel.variables.items()}
    return DeviceKernel(kernel.function, kernel.signature, variables, noalias=kernel.noalias and not kernel.aliases)


class TypedDeviceKernel(NamedTuple):
    """A GPU kernel with the dtype of each of its type variables, as launches have it."""

    kernel: DeviceKernel
    dtypes: Mapping[str, str]

    @property
    def signature(self) -> Signature:
        """The parameters of the kernel's body."""
        return self.kernel.signature


_kernels_by_native: WeakKeyDictionary[Any, TypedDeviceKernel] = WeakKeyDictionary()


def device_kernel_of_native(native: Any) -> TypedDeviceKernel:
    """Returns the GPU kernel of a native function, which a `Kernel` compiled for some dtypes."""
    conversion, source = native.__self__, source_of(native)
    assert source is not None, f"{native.__name__} is for the host alone"
    if conversion not in _kernels_by_native:
        variables = {name: (dtype,) for name, dtype in source.variables.items()}
        kernel = DeviceKernel(
            source.function, source.signature, variables, noalias=source.noalias and not source.in_place
        )
        _kernels_by_native[conversion] = TypedDeviceKernel(kernel, source.variables)
    return _kernels_by_native[conversion]


STATUS_WITHOUT_ERROR = (1 << 64) - 1
"""The initial value of a kernel's status word, where units with an error store their number."""
