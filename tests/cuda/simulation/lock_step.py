"""A deterministic GPU simulation on the CPU: a kernel's own code, thread by thread.

A kernel is compiled as for the GPU, but for this processor. `fibers` receives its requests: the thread's number, a barrier. One
thread of a block runs at a time, until it waits for the others. When all wait, they continue in order. So results are reproducible,
and behaviour that is undefined on a GPU is an error: threads that wait at different places, or that end while others wait; accesses
outside arrays; two threads that access the same shared element between two barriers, one of them with a write (`races`). Shared
memory is filled with NaN first.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import llvmlite.binding as llvm
import numpy as np

from fastgrad._src.cuda.codegen.entry import entry_of
from fastgrad._src.cuda.codegen.kernel import STATUS_WITHOUT_ERROR, DeviceKernel
from fastgrad._src.jit import bounds
from fastgrad._src.jit.native import initialize_llvm, target_machine
from fastgrad._src.jit.object_code import run_passes
from fastgrad._src.jit.signature import LIST_KINDS, Parameter, Signature
from fastgrad._src.jit.wrapper import RAISE_SYMBOL, checked_names_ir
from fastgrad._src.kernels.runtime.launch import Constant, Input, Launches, Output, Scratch
from tests.cuda.simulation import fibers, races
from tests.cuda.simulation.fibers import REQUEST_KINDS

_NUMBER_KINDS = frozenset({"float", "int", "count"})
_simulation_lock = threading.Lock()  # a process has the memory of one block, and one compiler of its kernels


class SimulationError(RuntimeError):
    """The error for a kernel whose behaviour is undefined on a GPU."""


def simulate(
    kernel: DeviceKernel,
    dtypes: Mapping[str, Any],
    arguments: Sequence[Any],
    units: int = 1,
    blocks: int = 2,
    threads: int = 64,
) -> int | None:
    """Runs a GPU kernel on the CPU, thread by thread; the kernel writes to its arrays.

    Args:
        kernel: the kernel.
        dtypes: the dtype of each type variable.
        arguments: the arguments of a call without `first` and `last`: contiguous arrays, numbers, tuples of arrays.
        units: the number of units of work.
        blocks: the number of blocks that get them.
        threads: the number of threads of a block, a power of two; fewer than on a GPU, as each costs time here.

    Returns:
        The smallest answer of a unit with an error; None without errors.

    Raises:
        SimulationError: threads wait at different places, or end while others wait, or share an element without a barrier.
        OutOfBoundsError: an access is outside an array.
        CompileError: the body uses something that a GPU can't do.
    """
    answer = np.array([STATUS_WITHOUT_ERROR], np.uint64)
    words, kept_arrays = _entry_words(kernel, arguments)
    rooms = {array.ctypes.data: array.nbytes for array in sorted(kept_arrays, key=lambda array: array.nbytes)}
    SimulatedKernel(kernel, dtypes).run([*words, answer.ctypes.data], units, blocks, threads, rooms.__getitem__)
    return None if answer[0] == STATUS_WITHOUT_ERROR else int(answer[0])


class SimulatedKernel:
    """A kernel, compiled for the simulation.

    Args:
        kernel: the kernel to compile.
        dtypes: the dtype of each type variable.

    Attributes:
        kernel: as given.
        names: for each launch word that is an address, the name of its parameter; None for a number.

    Raises:
        CompileError: the body uses something that a GPU can't do.
    """

    def __init__(self, kernel: DeviceKernel, dtypes: Mapping[str, Any]) -> None:
        self.kernel = kernel
        self.names = (*[None if p.kind in _NUMBER_KINDS else p.name for p in kernel.entry_parameters], "answer")
        self._types = kernel.checked_dtypes(dtypes)
        with _simulation_lock:
            self._native = _compiled_for_simulation(kernel, tuple(sorted(self._types.items())))

    def run(
        self, words: Sequence[int | float], units: int, blocks: int, threads: int, bytes_at: Callable[[int], int]
    ) -> None:
        """Runs the simulated kernel with launch words.

        Args:
            words: an address or a number for each of its `entry_parameters`, and the address of the answer.
            units, blocks, threads: see `simulate`.
            bytes_at: returns the number of bytes at an address.
        """
        sizes, kept_arrays = self._array_sizes(words, bytes_at)
        entry_words = np.array([*words, *sizes, units], object)
        is_real = np.zeros(len(entry_words), bool)
        is_real[: len(self._native.kinds)] = np.array(self._native.kinds) == "double"
        packed_words = np.empty(len(entry_words), np.int64)
        packed_words[~is_real] = entry_words[~is_real]
        packed_words.view(np.float64)[is_real] = entry_words[is_real]
        with _simulation_lock:
            for number in range(blocks if self.kernel.has_work_units else 1):
                block = _Block(self.kernel.name, threads if self.kernel.has_work_units else 1, number, blocks)
                (block.run_together if self.kernel.together else block.run)(self._native, packed_words)
        del kept_arrays

    def _array_sizes(self, words: Sequence[Any], bytes_at: Callable[[int], int]) -> tuple[list[int], list[np.ndarray]]:
        """Returns the sizes of a kernel's arrays for bounds checks, and the arrays to keep alive during the run."""
        counts = [
            word
            for parameter, word in zip(self.kernel.entry_parameters, words, strict=False)
            if parameter.kind == "count"
        ]
        sizes: list[int] = []
        kept_arrays: list[np.ndarray] = []
        for parameter, word in zip(self.kernel.entry_parameters, words, strict=False):
            if parameter.kind in {*_NUMBER_KINDS, "objects"} or parameter.name in self.kernel.numbers_in_memory:
                continue
            if parameter.kind == "sizes":
                sizes.append(bytes_at(word) // 8)
                continue
            item_bytes = np.dtype(self._types.get(str(parameter.element), parameter.element)).itemsize
            if parameter.kind in LIST_KINDS:
                count = min([bytes_at(word) // 8, *counts])
                addresses = (ctypes.c_int64 * count).from_address(word)
                kept_arrays.append(np.array([bytes_at(address) // item_bytes for address in addresses], np.int64))
                sizes += [kept_arrays[-1].ctypes.data, count]
            else:
                sizes.append(bytes_at(word) // item_bytes)
        return sizes, kept_arrays


def _entry_words(kernel: DeviceKernel, arguments: Sequence[Any]) -> tuple[list[int | float], list[Any]]:
    """Returns the launch words of a kernel's entry, and the arrays to keep alive during the run."""
    values = iter(arguments)
    words: list[int | float] = []
    kept_arrays: list[Any] = []
    lists: Sequence[np.ndarray] = ()
    for parameter in kernel.entry_parameters:
        value: Any = next(values) if parameter.passed else None
        if parameter.kind in LIST_KINDS:
            lists = value
            kept_arrays += lists
            value = np.array([array.ctypes.data for array in value], np.int64)
        elif parameter.kind == "sizes":
            value = np.array([array.size for array in lists], np.int64)
        elif parameter.kind == "count":
            value = len(lists)
        if isinstance(value, np.ndarray):
            kept_arrays.append(value)
            words.append(value.ctypes.data)
        else:
            words.append(float(value) if parameter.kind == "float" else int(value))
    return words, kept_arrays


def run_on_simulation(
    launches: Launches, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray], blocks: int = 2, threads: int = 32
) -> int | None:
    """Runs GPU launches on a simulated GPU; returns the answer of the first launch with an error, or None.

    Args:
        launches, inputs, outputs: as in `run_launches`.
        blocks, threads: see `simulate`.
    """
    scratch = [np.full(size * dtype.itemsize, 255, np.uint8).view(dtype) for dtype, size in launches.scratch]
    launches.copy_initial_values(inputs, outputs)

    def value(operand: Any) -> Any:
        if type(operand) is tuple:
            return tuple(map(value, operand))
        arrays = {Input: inputs, Output: outputs, Scratch: scratch}.get(type(operand))
        return operand.array if type(operand) is Constant else operand if arrays is None else arrays[operand.number]

    for launch in launches.launches:
        kernel: Any = launch.kernel
        arguments = [value(operand) for operand in launch.operands]
        answer = simulate(kernel.kernel, kernel.dtypes, arguments, launch.units, blocks, threads)
        if answer is not None:
            return answer
    return None


class _Block:
    """A simulated block of threads."""

    def __init__(self, kernel_name: str, threads: int, block: int, blocks: int) -> None:
        self.kernel_name, self.threads, self._shared_begin = kernel_name, threads, races.begin_block()
        fibers.begin_block(threads, block, blocks, self._shared_begin, races.SHARED_END_ADDRESS)

    def run(self, native: _NativeKernel, words: np.ndarray) -> None:
        """Runs a kernel without barriers, one thread after another."""
        for number in range(self.threads):
            fibers.set_thread(number)
            native.function(words.ctypes.data)
            if bounds.has_error():
                bounds.raise_error()

    def run_together(self, native: _NativeKernel, words: np.ndarray) -> None:
        """Runs the threads of the block from barrier to barrier of a kernel."""
        states = fibers.start_threads(native.address, words.ctypes.data)
        while True:
            fibers.run_until_all_wait()
            if bounds.has_error():
                bounds.raise_error()
            problem = self._behaviour_error(states)
            if problem is not None:
                raise SimulationError(problem)
            if states[0, fibers.REQUEST] == fibers.ENDED:
                return
            races.begin_interval()

    def _behaviour_error(self, states: np.ndarray) -> str | None:
        """Returns the error text of a race, or of threads that wait at different call sites, or None."""
        if fibers.has_exhausted_shared_memory():
            return f"kernel {self.kernel_name} has more than the {races.SHARED_MEMORY_BYTES} bytes of shared memory of a block"
        race = races.first_race()
        if race is not None:
            return f"kernel {self.kernel_name}: {race}"
        ended = states[:, fibers.REQUEST] == fibers.ENDED
        if ended.any():
            if ended.all():
                return None
            waiting_thread = int(ended.argmin())
            return f"thread {ended.argmax()} has ended while thread {waiting_thread} waits for it ({_request_name(states[waiting_thread])})"
        is_elsewhere = (states[:, fibers.REQUEST :] != states[0, fibers.REQUEST :]).any(1)
        if is_elsewhere.any():
            other_thread = int(is_elsewhere.argmax())
            return f"threads wait in different places: 0 ({_request_name(states[0])}) and {other_thread} ({_request_name(states[other_thread])})"
        return None


def _request_name(thread_state: np.ndarray) -> str:
    return REQUEST_KINDS[thread_state[fibers.REQUEST]].name


class _NativeKernel(NamedTuple):
    """A kernel's native code for the CPU: a callable that takes the address of launch words, and its address."""

    function: Callable[[int], None]
    address: int
    kinds: Sequence[str]
    engine: Any


@functools.cache
def _compiled_for_simulation(kernel: DeviceKernel, dtypes: tuple[tuple[str, str], ...]) -> _NativeKernel:
    from fastgrad._src.jit.compile import parameter_type, types_by_name
    from fastgrad._src.jit.frontend import ScalarFunction, frontend, lower_body
    from tests.cuda.simulation.intrinsics import simulated_gpu

    initialize_llvm()
    variables = dict(dtypes)
    types = types_by_name(variables)
    arguments = [*[parameter_type(parameter, variables) for parameter in kernel.entry_parameters], "*int64", "int64"]
    with bounds.bounds_checks(True):
        body_function = ScalarFunction(frontend(simulated_gpu), kernel.function, types)
        body = lower_body(entry_of(kernel, body_function), arguments, "none", {}, kernel.noalias, (), simulated_gpu)
        text = (
            checked_names_ir(kernel.name, Signature("", tuple(_parameters_with_answer(kernel)), False))
            + body.text
            + _words_entry_ir(kernel)
        )
    module = llvm.parse_assembly(text)
    module.triple = target_machine().triple
    machine = llvm.Target.from_triple(module.triple).create_target_machine(opt=1)
    module.data_layout = str(machine.target_data)
    for part in body.modules:
        module.link_in(part, preserve=True)
    module.link_in(llvm.parse_assembly(races.WATCH_IR))
    if RAISE_SYMBOL in [function.name for function in module.functions]:
        module.link_in(llvm.parse_assembly(_RAISE_IR))
    for function in module.functions:
        if not function.is_declaration and function.name != "of_words":
            function.linkage = "internal"
    options = llvm.create_pipeline_tuning_options(speed_level=1)
    builder = llvm.create_pass_builder(machine, options)
    run_passes(builder.getModulePassManager(), module, builder)
    for symbol, address in (
        fibers.addresses_by_symbol() | bounds.symbol_addresses() | races.addresses_by_symbol()
    ).items():
        llvm.add_symbol(symbol, address)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    address = engine.get_function_address("of_words")
    kinds = [_word_type(parameter) for parameter in _parameters_with_answer(kernel)]
    return _NativeKernel(ctypes.CFUNCTYPE(None, ctypes.c_void_p)(address), address, kinds, engine)


_RAISE_IR = f"define void @{RAISE_SYMBOL}() alwaysinline {{\n  unreachable\n}}"
"""LLVM IR of the function that a range with step 0 calls: a step that is not a literal is a number of threads."""


def _parameters_with_answer(kernel: DeviceKernel) -> list[Parameter]:
    """Returns the parameters of a kernel's entry, with its answer and without the number of units."""
    return [*kernel.entry_parameters, Parameter("answer", "inout", "int64")]


def _word_type(parameter: Parameter) -> str:
    """Returns LLVM's type of the launch word of a parameter."""
    return {"int": "i64", "count": "i64", "float": "double"}.get(parameter.kind, "ptr")


def _words_entry_ir(kernel: DeviceKernel) -> str:
    """Returns LLVM IR of a function that calls a kernel's entry with the words at an address.

    The words are those of the entry's parameters, then `signature.array_size_words`, then the number of units.
    """
    parameters = _parameters_with_answer(kernel)
    words = itertools.count(len(parameters))
    lines, call_arguments = [], []

    def load_word(kind: str, place: int) -> str:
        lines.append(f"  %at{place} = getelementptr i64, ptr %words, i64 {place}")
        lines.append(f"  %w{place} = load {kind}, ptr %at{place}")
        return f"{kind} %w{place}"

    for place, parameter in enumerate(parameters):
        call_arguments.append(load_word(_word_type(parameter), place))
        if parameter.kind in _NUMBER_KINDS:
            continue
        if parameter.kind in LIST_KINDS:
            call_arguments.append(load_word("ptr", next(words)))
        if parameter.name in kernel.numbers_in_memory or parameter is parameters[-1]:
            call_arguments.append("i64 1")
        elif parameter.kind == "objects":  # of Python objects, whose number is not known
            call_arguments.append(f"i64 {bounds.NO_BOUND}")
        else:
            call_arguments.append(load_word("i64", next(words)))
        call_arguments.append(f"ptr @.name_{parameter.name}")
    call_arguments.append(load_word("i64", next(words)))
    body = "\n".join(lines)
    return f"""
define void @of_words(ptr %words) {{
{body}
  call void @.body({", ".join(call_arguments)})
  ret void
}}
"""
