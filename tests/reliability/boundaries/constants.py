"""The sizes at which a row's code changes what it does: the constants that its functions and kernels read.

A walk over code objects starts at a row's `run` and `launches`, follows the functions, classes and kernels that they name, and collects the whole
numbers: constants of modules, by name, and literals in kernels.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import inspect
import pkgutil
import types
from collections.abc import Iterator
from typing import Any

import fastgrad._src.kernels
from fastgrad._src.compiler.fusion.emit import launches_of_group
from fastgrad._src.compiler.fusion.epilogues import launches_of_product
from fastgrad._src.compiler.fusion.product_updates import launches_with_update
from fastgrad._src.compiler.fusion.statistics import launches_of_convolution_with_moments
from fastgrad._src.core.operation import TABLE, Operation
from fastgrad._src.jit.build import Kernel
from fastgrad._src.jit.isa import host_isa
from fastgrad._src.kernels.optimizers.update_rule import unit_count
from fastgrad._src.ops.attention import attention

ROOMS = ("fastgrad._src.kernels.", "fastgrad._src.ops.", "fastgrad._src.image.", "fastgrad._src.compiler.fusion.")
OUTSIDE = ("fastgrad._src.jit.", "fastgrad._src.kernels.runtime.", "fastgrad._src.kernels.collectives.")
"""How kernels are compiled and called, and how processes exchange arrays; where arrays are cut is decided elsewhere."""

NUMBERS = ("fastgrad._src.kernels.math.", "fastgrad._src.kernels.elementwise.half")
"""Functions of numbers, whose literals are coefficients, shifts and masks."""

NO_SIZES = {
    "attention.gradient": "DQ_FLAG DK_DV_FLAG",
    "random.random": "PHILOX_MULTIPLIER_0 PHILOX_MULTIPLIER_1 PHILOX_WEYL_0 PHILOX_WEYL_1 LOW_32_BITS",
    "gemm.eager": "NDARRAY_ALIGNED_FLAG MOST_KEPT_CALLS",
    "gemm.layout": "COPY_PADDING_ELEMENTS",
    "gemm.pairs": "COPY_PADDING_ELEMENTS",
    "recurrent.walk": "GATE_COUNT HAS_SECOND_STATE",
    "convolution.patches": "IS_DEPTHWISE",
    "movement.strided": "MOVE_RANK",
    "hashing.number_texts": "MOST_DECIMALS TEXT_BYTES",
    "hashing.text_contents": "MOST_DIGITS MOST_EXACT_DIGITS",
}
"""Constants of kernels that are no number of elements, rows, columns or bytes: words, flags, seeds, paddings, numbers of axes and digits."""


def modules() -> list[types.ModuleType]:
    """The modules of kernels."""
    names = [module.name for module in pkgutil.walk_packages(fastgrad._src.kernels.__path__, "fastgrad._src.kernels.")]
    return [importlib.import_module(name) for name in names if not f"{name}.".startswith(OUTSIDE)]


def declared(module: types.ModuleType) -> dict[str, int]:
    """The whole numbers of a module's own constants."""
    tree = ast.parse(inspect.getsource(module))
    names: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, (ast.Assign, ast.AnnAssign)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}  # a tuple numbers its names
    values = {name: getattr(module, name) for name in names if name.isupper()}
    return {name: value for name, value in values.items() if type(value) is int}


def all_constants() -> set[tuple[str, str]]:
    """Every constant of a kernel module that is a size, as (module, name)."""
    pairs: set[tuple[str, str]] = set()
    for module in modules():
        short = module.__name__.removeprefix("fastgrad._src.kernels.")
        pairs |= {(short, name) for name in declared(module) if name not in NO_SIZES.get(short, "").split()}
    return pairs


ROOTS: dict[str, tuple[Any, ...]] = {
    "attention": (attention,),
    "matmul": (launches_of_product, launches_with_update),
    "dense": (launches_of_product, launches_with_update),
    "reduce_sum": (launches_of_group, launches_of_convolution_with_moments),
    "apply_update": (unit_count,),
}
"""What decides beside a row's own functions: public functions on top of it, and what makes one step of several rows."""
GROUPS = (launches_of_group,)
"""What makes kernels of element-wise rows."""


class Reached:
    """What a walk over code has met: constants as (module, name), and literals of kernels."""

    def __init__(self) -> None:
        self.constants: dict[tuple[str, str], int] = {}
        self.literals: set[int] = set()
        self.homes: dict[str, set[int]] = {}
        self.kernels: set[str] = set()
        self._seen: set[int] = set()

    @property
    def sizes(self) -> set[tuple[str, str]]:
        """The constants that code reads, and those whose value is a literal in a kernel of their module."""
        literals = {
            (home, name)
            for home, values in self.homes.items()
            for name, value in declared(importlib.import_module(f"fastgrad._src.kernels.{home}")).items()
            if value in values
        }
        return {*self.constants, *literals}

    def walk(self, value: Any, in_kernel: bool = False) -> None:
        """Follows a function, a class, a kernel, or a container of such."""
        if id(value) in self._seen:
            return
        self._seen.add(id(value))
        if isinstance(value, functools.partial):
            value = value.func
        if isinstance(value, Kernel):
            self.kernels.add(f"{value.function.__module__}.{value.__name__}")
            self.walk(value.function, True)
        elif isinstance(value, dict):
            for part in list(value.values()):
                self.walk(part, in_kernel)
        elif isinstance(value, (tuple, list)):
            for part in value:
                self.walk(part, in_kernel)
        elif isinstance(value, type) and value.__module__.startswith(ROOMS):
            for part in list(vars(value).values()):
                self.walk(part, in_kernel)
        elif hasattr(value, "__wrapped__"):
            self.walk(value.__wrapped__, in_kernel)
        elif isinstance(value, types.FunctionType):
            module = value.__module__ or ""
            if module.startswith(ROOMS) and not f"{module}.".startswith(OUTSIDE):
                self._walk_closure(value, in_kernel)
                for default in value.__defaults__ or ():
                    self.walk(default, in_kernel)
                self._walk_code(value.__code__, value.__globals__, in_kernel)

    def _walk_closure(self, function: types.FunctionType, in_kernel: bool) -> None:
        contents = [cell.cell_contents for cell in function.__closure__ or () if cell is not None and _is_filled(cell)]
        words = [value for value in contents if type(value) is str]
        places = [f"fastgrad._src.kernels.{word}" for word in words]
        places += [value for value in function.__code__.co_consts if type(value) is str]
        for place in places:
            if place.startswith(ROOMS) and _exists(place):
                module = importlib.import_module(place)
                for word in words:
                    self.walk(getattr(module, word, None), in_kernel)
        for value in contents:
            self.walk(value, in_kernel)

    def _walk_code(self, code: types.CodeType, names: dict[str, Any], in_kernel: bool) -> None:
        in_kernel = in_kernel and not names["__name__"].startswith(NUMBERS)
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self._walk_code(constant, names, in_kernel)
            elif in_kernel and type(constant) is int and 3 <= constant <= 4096:
                self.literals.add(constant)
                self.homes.setdefault(names["__name__"].removeprefix("fastgrad._src.kernels."), set()).add(constant)
        for name, value, home in list(_named(code.co_names, names)):
            if type(value) is int:
                if name.isupper() and value > 1:
                    self.constants[home, name] = value
            else:
                self.walk(value, in_kernel)


def _named(names: tuple[str, ...], scope: dict[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Each global that code names, and each attribute of a module that it may name, with the module that declares it."""
    here = scope.get("__name__", "")
    held = [scope[name] for name in names if isinstance(scope.get(name), types.ModuleType)]
    held = [module for module in held if module.__name__.startswith(ROOMS)]
    held += [importlib.import_module(name) for name in names if name.startswith(ROOMS)]  # imported by the function
    for name in names:
        if name in scope:
            yield name, scope[name], _home(name, here, scope[name])
        for module in held:
            if hasattr(module, name):
                yield name, getattr(module, name), _home(name, module.__name__, getattr(module, name))


def _is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False


@functools.cache
def _exists(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


@functools.cache
def _imports(module: str) -> dict[str, str]:
    """Where the names come from that a module imports from others."""
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    return {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def _home(name: str, module: str, value: Any) -> str:
    if type(value) is not int:
        return module
    while True:
        source = _imports(module).get(name)
        if source is None:
            return module.removeprefix("fastgrad._src.kernels.")
        module, _, name = source.partition(":")


@functools.cache
def reached(name: str) -> Reached:
    """What a row's code reads."""
    row: Operation = TABLE[name]
    walk = Reached()
    walk.walk(row.run)
    walk.walk(row.lowering.launches)
    if row.lowering.result_size is not None:
        walk.walk(row.lowering.result_size.launches)
    for root in ROOTS.get(name, ()):
        walk.walk(root)
    if row.lowering.elementwise.term is not None:
        for root in GROUPS:
            walk.walk(root)
    return walk


@functools.cache
def blocks_of(name: str, itemsize: int) -> tuple[int, ...]:
    """The sizes around which a row is tried: its constants and literals, and the vectors and panels of this machine."""
    walk = reached(name)
    sizes = {
        value
        for (module, constant), value in walk.constants.items()
        if constant not in NO_SIZES.get(module, "").split()
    }
    sizes |= {size // itemsize for size in sizes if size >= 1 << 14}  # numbers of bytes, some of them
    lanes = host_isa().vector_bytes // itemsize
    sizes |= walk.literals | {lanes, 2 * lanes, 4 * lanes, host_isa().panel_bytes // itemsize}
    return tuple(sorted(size for size in sizes if 1 < size < 1 << 24))
