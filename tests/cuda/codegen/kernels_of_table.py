"""Every kernel that a GPU may be given: of the table's rows, of programs, of updates, and all that files of kernels declare."""

from __future__ import annotations

import functools
import importlib
import itertools
import pkgutil
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

import fastgrad._src.cuda.kernels
import fastgrad._src.kernels
from fastgrad._src import cuda
from fastgrad._src.core.operation import TABLE
from fastgrad._src.cuda.codegen.kernel import DeviceKernel, device_kernel_of
from fastgrad._src.cuda.kernels.choice import REPLACEMENT_TABLES, launches_on_device, row_launches_on_device
from fastgrad._src.jit.build import Kernel
from fastgrad._src.scalars.formulas import arity_of
from fastgrad.errors import InvalidArgumentError
from tests.compiler.programs import row_cases as rows
from tests.compiler.recorded import with_gradient
from tests.cuda.kernels.groups import nodes_of
from tests.ops.samples import SAMPLES


class Found(NamedTuple):
    """A kernel and the dtype of each of its type variables."""

    kernel: DeviceKernel
    dtypes: dict[str, str]

    @property
    def is_for_gpus(self) -> bool:
        """Whether its body was written for a GPU, not for a CPU."""
        return self.kernel.function.__globals__.get("__name__", "fastgrad._src.cuda").startswith("fastgrad._src.cuda")

    @property
    def elements(self) -> set[str | None]:
        """The dtypes of its numbers."""
        return {*self.dtypes.values(), *[parameter.element for parameter in self.kernel.signature.parameters]}


def of_rows() -> Iterator[Found]:
    """Those of all rows that are in no group, each with the dtypes of the row's case."""
    for case in (*rows.CLOSE, *rows.EXACT):
        wanted = rows.run_of(case)
        arrays = [np.ascontiguousarray(a).reshape(a.shape) for a in case.arrays]
        yield from _of_launches(row_launches_on_device(TABLE[case.name], arrays, wanted, case.attributes))


def of_programs() -> Iterator[Found]:
    """Those of the table's samples and their gradients: what is fused, and what is computed in parts."""
    for sample in SAMPLES.values():
        programs = [[np.asarray(a, dtype) for a in sample.arrays] for dtype in (np.float32, np.float64)]
        yield from _of_first(with_gradient(sample.function), programs)  # some have constants of float64


def of_scalars() -> Iterator[Found]:
    """Those of all element-wise rows, of elements that are some accesses of 128 bits."""
    for name, row in TABLE.items():
        if row.lowering.elementwise.term is None or name == "cast":
            continue
        arity = arity_of(row.lowering.elementwise.term)
        kinds = [[dtype] * arity for dtype in ("float32", "float64", "int32", "bool")]
        kinds += [["bool", "float32", "float32"], ["float32", "bool"]]  # of `where`, of `masked`
        yield from _of_first(row, [[np.ones(16, kind) for kind in one] for one in kinds])


def declared() -> Iterator[Found]:
    """All that the files of `cuda.kernels` declare, for the first and the last dtypes that each is for."""
    for module in _modules(cuda.kernels):
        for value in vars(module).values():
            for one in value.values() if isinstance(value, dict) else [value]:
                if isinstance(one, DeviceKernel):
                    yield from _of_dtypes(one)


def of_the_cpu() -> Iterator[Found]:
    """All kernels of a CPU that nothing takes the place of."""
    replaced = {function for family in REPLACEMENT_TABLES for function in family}
    for module in _modules(fastgrad._src.kernels):
        for one in vars(module).values():
            if isinstance(one, Kernel) and one.function not in replaced:
                yield from _of_dtypes(device_kernel_of(one))


def all_different(*sources: Iterator[Found]) -> list[Found]:
    """What these find, each once."""
    found = {}
    for one in itertools.chain(*sources):
        found.setdefault((one.kernel.function, one.kernel.threads, tuple(sorted(one.dtypes.items()))), one)
    return list(found.values())


@functools.cache
def for_gpus() -> list[Found]:
    """Those that were written for a GPU, but for the ones of single element-wise rows."""
    return [one for one in all_different(of_rows(), of_programs(), declared()) if one.is_for_gpus]


@functools.cache
def for_single_rows() -> list[Found]:
    """Those of single element-wise rows, which differ in what they compute."""
    known = {one.kernel.function for one in for_gpus()}
    return [one for one in all_different(of_scalars()) if one.is_for_gpus and one.kernel.function not in known]


def _of_first(program: Any, choices: Iterable[Sequence[np.ndarray]]) -> Iterator[Found]:
    """Those of a program on the first arrays that it takes.

    Raises:
        ValueError: it takes none.
    """
    for arrays in choices:
        try:
            nodes = nodes_of(program, *arrays)[1]
        except (InvalidArgumentError, TypeError):
            continue
        for node in nodes:
            yield from _of_launches(launches_on_device(node))
        return
    raise ValueError(f"{program} takes none of these arrays")


def _of_launches(launches: Any) -> Iterator[Found]:
    for launch in () if launches is None else launches.launches:
        yield Found(launch.kernel.kernel, dict(launch.kernel.dtypes))


def _of_dtypes(kernel: DeviceKernel) -> Iterator[Found]:
    choices = list(itertools.product(*kernel.variables.values()))
    for names in dict.fromkeys((choices[0], choices[-1])):
        yield Found(kernel, dict(zip(kernel.variables, names, strict=True)))


def _modules(package: Any) -> Iterator[Any]:
    for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        yield importlib.import_module(info.name)
