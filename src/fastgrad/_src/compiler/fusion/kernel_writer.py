"""Writes the source of a group's kernel: parameters, indices, loads, steps and stores.

The text is in ``linecache``, so that tools that show source find it.
"""

from __future__ import annotations

import contextlib
import linecache
import weakref
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from fastgrad._src.compiler.fusion.fused import Fused, Step
from fastgrad._src.compiler.fusion.reductions import reduction_of_one_element
from fastgrad._src.compiler.fusion.scalar_casts import element_type, load_code, store_code
from fastgrad._src.compiler.fusion.scalar_code import KERNEL_GLOBALS, compute_dtype, scalar_code
from fastgrad._src.core.operation import Binary, Form, Operation
from fastgrad._src.jit.body import digest, local_array
from fastgrad._src.jit.build import NO_ALIASES, Kernel
from fastgrad._src.jit.generated_source import function_from_source
from fastgrad._src.jit.locks import new_lock
from fastgrad._src.jit.signature import SHARE_PARAMETERS, parse_signature
from fastgrad._src.kernels.math.vector_math import greatest, least
from fastgrad._src.kernels.reduction import lanes
from fastgrad._src.kernels.runtime.launch import Input, Launch, Operand, Output, Scratch

_LOOP_GLOBALS: dict[str, Any] = {
    "local_array": local_array,
    "fill": lanes.fill_lanes,
    "padded": lanes.padded_lane_count,
    "lanes_sum": lanes.lanes_sum,
    "lanes_product": lanes.lanes_product,
    "lanes_greatest": lanes.lanes_greatest,
    "lanes_least": lanes.lanes_least,
    "least": least,
    "greatest": greatest,
}


class KernelWriter:
    """Writes the Python source of a group's kernel.

    Attributes:
        fused: the group.
    """

    def __init__(self, fused: Fused) -> None:
        self.fused = fused
        self._lines: list[str] = []
        self._depth = 1
        self._arrays: dict[str, tuple[str, Operand]] = {}
        self._numbers: dict[str, int] = {}
        self._bases: dict[Any, str] = {}
        self._loaded: set[int] = set()
        self.dtypes = [*[source.dtype for source in fused.inputs], *[step.output for step in fused.steps]]

    # ---- text ----------------------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        """Writes a line at the current indentation."""
        self._lines.append("    " * self._depth + text)

    @contextlib.contextmanager
    def block(self, head: str) -> Iterator[None]:
        """A context in which lines are written as the indented block of the statement ``head``."""
        self.line(f"{head}:")
        self._depth += 1
        with self.scope():
            yield
        self._depth -= 1

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        """A context whose end forgets the index bases and loads written since its start."""
        bases, loads = dict(self._bases), set(self._loaded)
        yield
        self._bases, self._loaded = bases, loads

    def stack_array(self, name: str, dtype: str, size: int) -> str:
        """Declares an array on the stack, once; returns its name."""
        self.line_at_top(f"{name} = local_array({dtype}, {size})")
        return name

    def line_at_top(self, text: str) -> None:
        """Writes a line at the top of the kernel, once."""
        if f"    {text}" not in self._lines:
            self._lines.insert(0, f"    {text}")

    # ---- parameters ----------------------------------------------------------------------------------------

    def array_parameter(self, name: str, kind: str, operand: Operand) -> str:
        """Declares an array parameter, once; returns its name."""
        self._arrays.setdefault(name, (kind, operand))
        return name

    def integer_parameter(self, name: str, value: int) -> str:
        """Declares an integer parameter, once; returns its name."""
        assert self._numbers.setdefault(name, value) == value, f"{name} is {self._numbers[name]} and {value}"
        return name

    def size_parameter(self, dim: int) -> str:
        """Declares the size of a loop dimension as a parameter; returns its name."""
        return self.integer_parameter(f"n{dim}", self.fused.sizes[dim])

    def launch(self, units: int, unit_operands: Collection[Operand] = ()) -> Launch:
        """Returns the launch of the written kernel; each unit has one element of each array in ``unit_operands``."""
        parameters, source, operands = self.parameters_source_operands()
        kernel = native_kernel(parameters, source, self.fused.number.name)
        typed_operands = [
            (type(operand), operand) for operand in unit_operands
        ]  # operands are tuples, and Input(0) == Output(0)
        parts = {i: units for i, operand in enumerate(operands) if (type(operand), operand) in typed_operands}
        cost = nanoseconds_of(self.fused) / max(units, 1)
        return Launch(kernel, operands, units, cost, parts)

    def parameters_source_operands(self) -> tuple[str, str, tuple[Operand, ...]]:
        """Returns the parameters in the builder's notation, the source of a function ``fused``, and the operands."""
        names = [*self._arrays, *self._numbers, *SHARE_PARAMETERS]
        parameters = [f"{name}: {kind}" for name, (kind, _) in self._arrays.items()]
        parameters += [f"{name}: int" for name in (*self._numbers, *SHARE_PARAMETERS)]
        source = "\n".join([f"def fused({', '.join(names)}):", *self._lines]) + "\n"
        operands = [operand for _, operand in self._arrays.values()]
        return ", ".join(parameters), source, (*operands, *self._numbers.values())

    # ---- places ----------------------------------------------------------------------------------------------

    def write_dimension_indices(self, flat: str, dims: Sequence[int]) -> None:
        """Writes the indices ``k<dim>`` of dimensions, computed from the flat index ``flat``."""
        remainder = flat
        for dim in dims[:0:-1]:
            self.line(f"k{dim} = {remainder} % {self.size_parameter(dim)}")
            if dim != dims[1]:
                self.line(f"rest{dim} = {remainder} // {self.size_parameter(dim)}")
                remainder = f"rest{dim}"
            else:
                remainder = f"{remainder} // {self.size_parameter(dim)}"
        if dims:
            self.line(f"k{dims[0]} = {remainder}")

    def element_index(
        self, array_name: str, dims: Sequence[int], strides: Sequence[int], offset: int, inner: str
    ) -> str:
        """Returns the expression of an element's index in an array with ``strides``.

        Args:
            array_name: for names of parameters.
            dims, strides: of the dimensions with an index, the last of which is the innermost.
            offset: of the first element.
            inner: the index of the innermost dimension.
        """
        key = tuple(dims[:-1]), tuple(strides[:-1]), offset
        base = self._bases.get(key)
        if base is None:
            terms = [self.integer_parameter(f"offset_{array_name}", offset)] if offset else []
            for dim, stride in zip(dims[:-1], strides[:-1], strict=True):
                if stride:
                    terms.append(f"k{dim}" if stride == 1 else f"k{dim} * {self._stride_name(array_name, dim, stride)}")
            base = " + ".join(terms)
            if len(terms) > 1 or "*" in base:
                self.line(f"at_{array_name} = {base}")
                base = f"at_{array_name}"
            self._bases[key] = base
        step = strides[-1] if strides else 0
        if not step:
            return base or "0"
        factor = inner if step == 1 else f"{inner} * {self.integer_parameter(f'step_{array_name}', step)}"
        return f"{base} + {factor}" if base else factor

    def _stride_name(self, array_name: str, dim: int, stride: int) -> str:
        below = dim + 1
        if below == len(self.fused.sizes) - 1 and stride == self.fused.sizes[below]:
            return self.size_parameter(below)
        return self.integer_parameter(f"stride_{array_name}_{dim}", stride)

    # ---- values ----------------------------------------------------------------------------------------------

    def load(self, numbers: Sequence[int], dims: Sequence[int], inner: str) -> None:
        """Writes the loads of inputs to local variables.

        Args:
            numbers: of the inputs.
            dims: of their strides.
            inner: the index of the last of these.
        """
        for i in numbers:
            if i in self._loaded:
                continue
            self._loaded.add(i)
            source = self.fused.inputs[i]
            name = self.array_parameter(f"x{i}", f"in[{element_type(source.dtype)}]", Input(source.array))
            index = self.element_index(f"x{i}", dims, source.strides, source.offset, inner)
            self.line(f"v{i} = {load_code(f'{name}[{index}]', source.dtype)}")

    def inputs_by_loop_level(self) -> tuple[list[int], list[int], list[int]]:
        """Returns three lists of inputs: constant in the loop, constant in the innermost dimension, varying with each element."""
        constant: list[int] = []
        of_rows: list[int] = []
        of_elements: list[int] = []
        for i, source in enumerate(self.fused.inputs):
            if not source.kept:
                level = constant if not any(source.strides) else of_elements if source.strides[-1] else of_rows
                level.append(i)
        return constant, of_rows, of_elements

    def step(self, number: int, step: Step) -> None:
        """Writes an element-wise step."""
        operands = [f"v{i}" for i in step.operands]
        if step.row.lowering.reducer is not None:
            self.line(f"v{number} = {reduction_of_one_element(step.row.lowering.reducer, operands[0], step.output)}")
            return
        translation = scalar_code(step.row.name, operands, step.inputs, step.output, step.attributes)
        assert translation is not None, f"{step.row.name} can't be fused"
        self.line(f"v{number} = {translation[0]}")

    def store(self, number: int, memory: Operand, index: str) -> None:
        """Writes the store of a step's value."""
        self.line(f"{self._array_of_memory(number, memory)}[{index}] = {store_code(f'v{number}', self.dtypes[number])}")

    def store_result(self, number: int, index: str) -> None:
        """Writes the store of a step's value, if the step is a result."""
        if number in self.fused.outputs:
            self.store(number, Output(self.fused.outputs.index(number)), index)

    def load_step(self, number: int, memory: Operand, index: str) -> None:
        """Writes the load of a step's value that was stored before."""
        self.line(f"v{number} = {load_code(f'{self._array_of_memory(number, memory)}[{index}]', self.dtypes[number])}")

    def _array_of_memory(self, number: int, memory: Operand) -> str:
        kind = f"out[{element_type(self.dtypes[number])}]"
        letter = "y" if isinstance(memory, Output) else "stash"
        assert isinstance(memory, (Output, Scratch))
        return self.array_parameter(f"{letter}{memory.number}", kind, memory)


MOST_CACHED_KERNELS = 1024
"""The number of kernels in the cache. A kernel that leaves the cache lives as long as the programs that use it."""

_kernels: OrderedDict[tuple[str, str, str], Any] = OrderedDict()
_kernels_lock = new_lock()


def native_kernel(parameters: str, source: str, number: str) -> Any:
    """Returns the native function of a kernel.

    Args:
        parameters: in the builder's notation.
        source: of a function ``fused``.
        number: the dtype ``T``.
    """
    key = parameters, source, number
    with _kernels_lock:
        native = _kernels.get(key)
        if native is not None:
            _kernels.move_to_end(key)
            return native
    native = _build_kernel(*key)
    with _kernels_lock:
        native = _kernels.setdefault(key, native)
        while len(_kernels) > MOST_CACHED_KERNELS:
            _kernels.popitem(last=False)
    return native


def _build_kernel(parameters: str, source: str, number: str) -> Any:
    function, text = function_of(parameters, source, number)
    kernel = Kernel(function, parse_signature(parameters), {"T": (number,)}, release_gil=False, noalias=True)
    native = kernel.deferred_function(np.dtype(number))
    weakref.finalize(native, _forget_source, function.__code__.co_filename, text)
    return native


def function_of(parameters: str, source: str, number: str, names: Mapping[str, Any] = NO_ALIASES) -> tuple[Any, Any]:
    """Returns the Python function of a kernel's source, named by its hash, and its entry in ``linecache``.

    Args:
        parameters, source, number: as for ``native_kernel``.
        names: further globals of the text besides those of all kernels.
    """
    name = f"fused_{digest(f'{parameters}{source}{number}'.encode())[:12]}"
    source = source.replace("def fused(", f"def {name}(", 1)
    filename = f"<fastgrad kernel {name}>"
    function = function_from_source(name, source, filename, {**KERNEL_GLOBALS, **_LOOP_GLOBALS, **names})
    return function, linecache.cache[filename]


def _forget_source(filename: str, text: Any) -> None:
    """Removes the text of a deleted kernel from ``linecache``, unless the same kernel was built again since."""
    if linecache.cache.get(filename) is text:
        del linecache.cache[filename]


SIMPLE_NANOSECONDS, FUNCTION_NANOSECONDS, BYTE_NANOSECONDS = 0.03, 0.35, 0.02
"""Nanoseconds of an element, about: of a simple operation such as an addition, of a function, of a byte read or written."""


def nanoseconds_of(fused: Fused) -> float:
    """Returns the estimated nanoseconds of a group on one core."""
    steps = sum(FUNCTION_NANOSECONDS if is_costly_function(step) else SIMPLE_NANOSECONDS for step in fused.steps)
    read = sum(source.dtype.itemsize for source in fused.inputs if not source.kept and any(source.strides))
    input_count = len(fused.inputs)
    output_steps = [fused.steps[number - input_count] for number in fused.outputs if number >= input_count]
    size = read + sum(step.output.itemsize for step in output_steps if not step.kept)
    return prod(fused.sizes) * (steps + BYTE_NANOSECONDS * size)


def is_costly_function(step: Step) -> bool:
    """True if a step is a costly function such as exp: a long chain of dependent instructions."""
    if step.row.form is not Form.ELEMENTWISE or callable(step.row.lowering.elementwise.kernel_code):
        return False  # a function writes such an expression, of casts, arithmetic or an optimizer's update
    return isinstance(compute_dtype(step.row.name, step.inputs, step.output, step.attributes), np.dtype)


def have_common_function(step: Step, other: Step) -> bool:
    """True if two steps, such as gelu and its slope, share a costly function of one value."""
    if step.operands[-1] != other.operands[-1]:
        return False
    return _is_derivative(step.row, other.row) or _is_derivative(other.row, step.row)


def _is_derivative(operation: Operation, function: Operation) -> bool:
    """True if an operation is the slope of a function of one input, or a product with the slope."""
    slope = function.lowering.elementwise.derivative
    if slope is None or isinstance(function, Binary) or operation is function:
        return False
    return operation is slope or operation.lowering.elementwise.derivative is slope
