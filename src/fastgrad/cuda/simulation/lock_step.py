"""A GPU in slow motion, on the CPU: a kernel's own code, thread by thread, with nothing left to chance.

A kernel is compiled as for the GPU, but for this processor, and its questions (which thread am I? wait for the others; give
me another thread's number) are put to this module. Of a block's threads one runs at a time, until it asks for the
others; when all have, they go on in order. So results are the same each time, and what a GPU leaves undefined is an error:
threads that wait in different places, or that end while others wait; accesses outside of arrays; two threads that touch the same
shared element between two barriers, one of them writing (`races`). Shared memory is full of NaN at first.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import llvmlite.binding as llvm
import numpy as np

from fastgrad.cuda.building import body
from fastgrad.cuda.building.kernel import NO_ANSWER, DeviceKernel, Machine, kernel_ir
from fastgrad.cuda.building.specials import ASKED, BLOCK, BLOCKS, IN_SIMULATION, SIMULATED
from fastgrad.cuda.simulation import races
from fastgrad.kernels.building import bounds
from fastgrad.kernels.building.native import initialize_llvm, target
from fastgrad.kernels.building.signature import LIST_KINDS, checked_words
from fastgrad.kernels.running.launch import Constant, Input, Launches, Output, Scratch

_THREAD, _THREADS, _SHARED, _SYNCHRONIZE, _XOR, _DOWN = (
    ASKED.index(special)
    for special in (
        body.thread,
        body.threads,
        body.shared_array,
        body.synchronize,
        body.shuffle_xor,
        body.shuffle_down,
    )
)
_CPU = Machine(
    specials=IN_SIMULATION,
    head="define void",
    numbers="\n".join(
        f"  %{name} = call i64 @{SIMULATED}(i64 {kind}, i64 0, i64 0, i64 0)"
        for name, kind in (("thread", _THREAD), ("threads", _THREADS), ("block", BLOCK), ("blocks", BLOCKS))
    ),
    declared=[f"declare i64 @{SIMULATED}(i64, i64, i64, i64)"],
    checked=True,
)
_NUMBERS: Mapping[str, Any] = {"float": ctypes.c_double, "int": ctypes.c_int64, "count": ctypes.c_int64}


class SimulationError(RuntimeError):
    """A kernel does what a GPU leaves undefined."""


class _Request(NamedTuple):
    """What a thread waits for the others with."""

    kind: int
    place: int
    bits: int
    lanes: int


def simulate(
    kernel: DeviceKernel,
    dtypes: Mapping[str, Any],
    arguments: Sequence[Any],
    units: int = 1,
    blocks: int = 2,
    threads: int = 64,
) -> int | None:
    """Runs a kernel; its arrays are written to.

    Args:
        kernel: what is run.
        dtypes: the dtype of each type variable.
        arguments: what a caller passes but for `first` and `last`: contiguous arrays, numbers, tuples of arrays.
        units: how many units of work there are.
        blocks: how many blocks they are dealt out to.
        threads: how many each block has, a multiple of 32; fewer than a GPU is given, as each costs time here.

    Returns:
        The smallest answer of a unit that was not fine; None if all were.

    Raises:
        SimulationError: threads wait in different places, or end while others wait, or share an element without waiting.
        OutOfBoundsError: an access outside of an array.
        Untranslatable: the body has something that no GPU does.
    """
    answer = np.array([NO_ANSWER], np.uint64)
    words, kept = _words(kernel, arguments)
    rooms = {array.ctypes.data: array.nbytes for array in sorted(kept, key=lambda array: array.nbytes)}
    SimulatedKernel(kernel, dtypes).run([*words, answer.ctypes.data], units, blocks, threads, rooms.__getitem__)
    return None if answer[0] == NO_ANSWER else int(answer[0])


class SimulatedKernel:
    """A kernel, compiled for the simulation.

    Args:
        kernel: what is compiled.
        dtypes: the dtype of each type variable.

    Attributes:
        kernel: as given.
        names: for each word that it runs with the name of the parameter whose address it is; None for a number.

    Raises:
        Untranslatable: the body has something that no GPU does.
    """

    def __init__(self, kernel: DeviceKernel, dtypes: Mapping[str, Any]) -> None:
        self.kernel = kernel
        self.names = (*[None if p.kind in _NUMBERS else p.name for p in kernel.given], "answer")
        self._types = kernel.checked_types(dtypes)
        self._native = _compiled(kernel, tuple(sorted(self._types.items())))

    def run(
        self, words: Sequence[int | float], units: int, blocks: int, threads: int, room: Callable[[int], int]
    ) -> None:
        """Runs the kernel.

        Args:
            words: an address or a number for each of its `given` parameters, and the address of the answer.
            units, blocks, threads: see `simulate`.
            room: gives how many bytes there are at an address.
        """
        sizes, kept = self._sizes(words, room)
        threads = self.kernel.threads if self.kernel.exact else threads
        for number in range(blocks if self.kernel.is_shared else 1):
            block = _Block(self.kernel.name, threads if self.kernel.is_shared else 1, number, blocks)
            block.run(lambda: self._native(*words, *sizes, units), self.kernel.together)
        del kept

    def _sizes(self, words: Sequence[Any], room: Callable[[int], int]) -> tuple[list[int], list[np.ndarray]]:
        """`signature.checked_words`, and what must be kept meanwhile."""
        counts = [word for parameter, word in zip(self.kernel.given, words, strict=False) if parameter.kind == "count"]
        sizes: list[int] = []
        kept: list[np.ndarray] = []
        for parameter, word in zip(self.kernel.given, words, strict=False):
            if parameter.name in self.kernel.read or parameter.kind in _NUMBERS or parameter.kind == "objects":
                continue
            if parameter.kind == "sizes":
                sizes.append(room(word) // 8)
                continue
            width = np.dtype(self._types.get(str(parameter.element), parameter.element)).itemsize
            if parameter.kind in LIST_KINDS:
                count = min([room(word) // 8, *counts])
                addresses = (ctypes.c_int64 * count).from_address(word)
                kept.append(np.array([room(address) // width for address in addresses], np.int64))
                sizes += [kept[-1].ctypes.data, count]
            else:
                sizes.append(room(word) // width)
        return sizes, kept


def _words(kernel: DeviceKernel, arguments: Sequence[Any]) -> tuple[list[int | float], list[Any]]:
    """What the entry is called with, and what must be kept meanwhile."""
    values = iter(arguments)
    words: list[int | float] = []
    kept: list[Any] = []
    lists: Sequence[np.ndarray] = ()
    for parameter in kernel.given:
        value: Any = next(values) if parameter.passed else None
        if parameter.kind in LIST_KINDS:
            lists = value
            kept += lists
            value = np.array([array.ctypes.data for array in value], np.int64)
        elif parameter.kind == "sizes":
            value = np.array([array.size for array in lists], np.int64)
        elif parameter.kind == "count":
            value = len(lists)
        if isinstance(value, np.ndarray):
            kept.append(value)
            words.append(value.ctypes.data)
        else:
            words.append(float(value) if parameter.kind == "float" else int(value))
    return words, kept


def run_on_simulation(
    found: Launches, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray], blocks: int = 2, threads: int = 32
) -> int | None:
    """Runs launches whose kernels are `OnDevice` now, on a simulated GPU; gives the answer that stopped them.

    Args:
        found, inputs, outputs: as for `run_launches`.
        blocks, threads: see `simulate`.
    """
    scratch = [np.full(size * dtype.itemsize, 255, np.uint8).view(dtype) for dtype, size in found.scratch]
    for output, source in found.starts_as:
        np.copyto(outputs[output], inputs[source])

    def value(operand: Any) -> Any:
        if type(operand) is tuple:
            return tuple(map(value, operand))
        arrays = {Input: inputs, Output: outputs, Scratch: scratch}.get(type(operand))
        return operand.array if type(operand) is Constant else operand if arrays is None else arrays[operand.number]

    for launch in found.launches:
        kernel: Any = launch.kernel
        arguments = [value(operand) for operand in launch.operands]
        answer = simulate(kernel.kernel, kernel.dtypes, arguments, launch.units, blocks, threads)
        if answer is not None:
            return answer
    return None


class _Block:
    """The threads of a block, each a thread of Python of which one runs at a time."""

    def __init__(self, kernel: str, count: int, block: int, blocks: int) -> None:
        self.kernel, self.count, self.block, self.blocks = kernel, count, block, blocks
        self._requests: list[_Request | None] = [None] * count
        self._answers = [0] * count
        # Locks, each taken by who waits for another's turn to end: a semaphore takes several times as long.
        self._turns = [_taken() for _ in range(count)]
        self._back = _taken()
        self._ended = [False] * count
        self._shared: dict[int, int] = {}
        self._room = races.clear()
        self._error: str | None = None

    def run(self, kernel: Any, together: bool = True) -> None:
        """Runs the kernel in all threads; one after another, if none waits for others."""
        if not together:
            for number in range(self.count):
                _running.block, _running.number = self, number
                kernel()
                if bounds.happened():
                    bounds.report()
            return
        threads = [threading.Thread(target=self._thread, args=(number, kernel)) for number in range(self.count)]
        for thread in threads:
            thread.start()
        while not all(self._ended):
            self._turns[self._ended.index(False)].release()
            self._back.acquire()
            if self._error is None:
                self._error = self._check()
            if all(r is None or r.kind == _SYNCHRONIZE for r in self._requests):
                races.barrier()
            if self._error is None and not all(self._ended):
                self._exchange()
        for thread in threads:
            thread.join()
        if bounds.happened():
            bounds.report()
        if self._error is not None:
            raise SimulationError(self._error)

    def _thread(self, number: int, kernel: Any) -> None:
        self._turns[number].acquire()
        _running.block, _running.number = self, number
        races.turn(number)
        try:
            kernel()
        finally:
            self._ended[number] = True
            self._requests[number] = None
            self._pass_on(number)

    def _pass_on(self, number: int) -> None:
        """It is the next thread's turn; after the last one's, that of who looks at what all ask for."""
        for other in range(number + 1, self.count):
            if not self._ended[other]:
                self._turns[other].release()
                return
        self._back.release()

    def answer(self, number: int, kind: int, place: int, a: int, b: int) -> int:
        """Answers a thread's question, once the others have come, too, if that is what it asks for."""
        if kind == _THREAD:
            return number
        if kind in (_THREADS, BLOCK, BLOCKS):
            return {_THREADS: self.count, BLOCK: self.block, BLOCKS: self.blocks}[kind]
        if kind == _SHARED:
            return self._shared_address(place, a * b)
        if self._error is None:  # else the thread runs to its end, alone
            self._requests[number] = _Request(kind, place, a, b)
            self._pass_on(number)
            self._turns[number].acquire()
            races.turn(number)
        return self._answers[number]

    def _shared_address(self, place: int, size: int) -> int:
        if place not in self._shared:
            end = self._room + (size + 15) // 16 * 16
            self._shared[place], self._room = (self._room, end) if end <= races.END else (races.BEGIN, end)
            if end > races.END:
                self._error = f"kernel {self.kernel} has more than the {races.SHARED} bytes of shared memory of a block"
        return self._shared[place]

    def _check(self) -> str | None:
        """What is wrong with what the threads have done, and where they wait."""
        if bounds.happened():
            return "see `bounds.report`"
        race = races.found()
        if race is not None:
            return f"kernel {self.kernel}: {race}"
        waiting = {(r.kind, r.place) for r in self._requests if r is not None}
        if waiting and any(self._ended):
            ended, waits = self._ended.index(True), self._ended.index(False)
            return f"thread {ended} has ended while thread {waits} waits for it ({self._name(waits)})"
        if len(waiting) > 1:
            first = self._requests[0]
            other = next(n for n, r in enumerate(self._requests) if r and first and r[:2] != first[:2])
            return f"threads wait in different places: 0 ({self._name(0)}) and {other} ({self._name(other)})"
        return None

    def _name(self, number: int) -> str:
        request = self._requests[number]
        return "ended" if request is None else ASKED[request.kind].name

    def _exchange(self) -> None:
        for number, request in enumerate(self._requests):
            if request is None or request.kind == _SYNCHRONIZE:
                continue
            lane = number % body.WARP
            other = lane ^ request.lanes if request.kind == _XOR else lane + request.lanes
            giver = self._requests[number - lane + other] if 0 <= other < body.WARP else request
            assert giver is not None
            self._answers[number] = giver.bits


def _taken() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


class _Running(threading.local):
    block: _Block
    number: int


_running = _Running()


@ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
def _simulated(kind: int, place: int, a: int, b: int) -> int:
    return _running.block.answer(_running.number, kind, place, a, b)


_engines: list[Any] = []  # what holds the code of kernels


@functools.cache
def _compiled(kernel: DeviceKernel, dtypes: tuple[tuple[str, str], ...]) -> Any:
    initialize_llvm()
    text, specials = kernel_ir(kernel, dict(dtypes), _CPU)
    module = llvm.parse_assembly(text)
    if specials:
        module.link_in(llvm.parse_assembly(specials))
    module.triple = target().triple
    machine = llvm.Target.from_triple(module.triple).create_target_machine(opt=1)
    module.link_in(llvm.parse_assembly(races.WATCHING))
    symbols = {SIMULATED: ctypes.cast(_simulated, ctypes.c_void_p).value, **bounds.addresses(), **races.addresses()}
    for symbol, address in symbols.items():
        llvm.add_symbol(symbol, address)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    _engines.append(engine)
    kinds = [_NUMBERS.get(parameter.kind, ctypes.c_void_p) for parameter in kernel.given]
    behind = [ctypes.c_int64] * sum(map(len, checked_words(kernel.signature).values()))  # sizes, and addresses of sizes
    return ctypes.CFUNCTYPE(None, *kinds, ctypes.c_void_p, *behind, ctypes.c_int64)(
        engine.get_function_address("kernel")
    )
