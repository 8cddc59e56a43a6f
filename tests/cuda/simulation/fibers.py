"""The threads of a simulated block as fibers: native code on separate stacks. One runs until it waits for the others.

A stack switch takes nanoseconds; system threads would take 25 us to hand over, at each barrier and for each thread. No Python runs on
these stacks: `fibers_ir` answers a thread's request, or writes it to the thread's state for the caller of `run_until_all_wait`.
"""

from __future__ import annotations

import ctypes
import functools
import platform
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from fastgrad._src.cuda.codegen import body
from fastgrad._src.jit.native import initialize_llvm, target_machine

MOST_THREADS_PER_BLOCK = 1024
_STACK_BYTES_PER_THREAD = 128 * 1024
MOST_REQUEST_CALL_SITES = 1 << 18
"""The largest number of call sites of requests in the kernels of a process."""

REQUEST_SYMBOL = "fastgrad_simulated"
"""The symbol of the function that a simulated kernel calls: (index in `REQUEST_KINDS`, call site, a, b) returns an int64."""

REQUEST_KINDS = (
    *(body.thread_index, body.block_size, body.block_index, body.grid_size),
    *(body.shared_array, body.synchronize),
)
"""The functions that a simulated thread calls by a request to this module."""

STATE_SYMBOL = "fastgrad_fibers"
THREAD, _THREADS, _BLOCK, _BLOCKS, _SCHEDULER, _ENTRY, _ARGUMENTS = range(7)
_SHARED_NEXT, _SHARED_END, _SHARED_FULL, _BLOCKS_BEGUN = range(7, 11)
"""The indices of the words of `_block_state`.

They are the current thread, the number of threads, the block and the number of blocks, the stack of `run_until_all_wait`, the kernel
and its arguments, the shared memory with its end and a flag for too much of it, and the count of blocks begun.
"""

_STACK_POINTER, REQUEST, CALL_SITE = range(3)
"""The indices of the words of a thread's state: stack pointer, request (in `REQUEST_KINDS`), and call site."""

ENDED = -1
"""The value of `REQUEST` for a thread that has ended."""

_block_state = (ctypes.c_int64 * 11)()
_thread_states = np.zeros((MOST_THREADS_PER_BLOCK, 3), np.int64)
_shared_addresses = np.zeros((MOST_REQUEST_CALL_SITES, 2), np.int64)
"""The address of the shared array of each call site, and the number of the block that made the array."""

_THREAD_STATES_SYMBOL, _SHARED_ADDRESSES_SYMBOL = "fastgrad_fibers_rows", "fastgrad_fibers_shared"

# The end of an inactive stack: the callee-saved registers, and the return address.
_STACK_SWITCH_ASSEMBLY = {
    "x86_64": (
        "x86_64_sysvcc",
        [f"pushq %{r}" for r in ("rbp", "rbx", "r12", "r13", "r14", "r15")]
        + ["movq %rsp, (%rdi)", "movq %rsi, %rsp"]
        + [f"popq %{r}" for r in ("r15", "r14", "r13", "r12", "rbx", "rbp")]
        + ["retq"],
    ),
    "aarch64": (
        "",
        ["sub sp, sp, #160"]
        + [f"stp x{19 + 2 * i}, x{20 + 2 * i}, [sp, #{16 * i}]" for i in range(6)]
        + [f"stp d{8 + 2 * i}, d{9 + 2 * i}, [sp, #{96 + 16 * i}]" for i in range(4)]
        + ["mov x9, sp", "str x9, [x0]", "mov sp, x1"]
        + [f"ldp x{19 + 2 * i}, x{20 + 2 * i}, [sp, #{16 * i}]" for i in range(6)]
        + [f"ldp d{8 + 2 * i}, d{9 + 2 * i}, [sp, #{96 + 16 * i}]" for i in range(4)]
        + ["add sp, sp, #160", "ret"],
    ),
}
_NEW_STACK_WORDS_AND_RETURN_INDEX = {"x86_64": (8, 6), "aarch64": (20, 11)}
"""The number of words on a new stack, and the index of the return address. x86-64 has a caller's word last."""


def begin_block(threads: int, block: int, blocks: int, shared_begin: int, shared_end: int) -> None:
    """Begins the block number `block` of `blocks`, with shared memory from `shared_begin` to `shared_end`."""
    _block_state[_THREADS], _block_state[_BLOCK], _block_state[_BLOCKS] = threads, block, blocks
    _block_state[_SHARED_NEXT], _block_state[_SHARED_END], _block_state[_SHARED_FULL] = shared_begin, shared_end, 0
    _block_state[_BLOCKS_BEGUN] += 1


def start_threads(kernel_address: int, arguments_address: int) -> np.ndarray:
    """Gives each thread of the block a stack on which to call the kernel; returns the states of the threads."""
    count = _block_state[_THREADS]
    assert count <= MOST_THREADS_PER_BLOCK
    words, return_index = _NEW_STACK_WORDS_AND_RETURN_INDEX[_processor_name()]
    stacks = _stacks()[:count]
    stacks[:, 0] = 0
    stacks[:, -words:] = 0
    stacks[:, return_index - words] = _native_functions().fiber
    _thread_states[:count, _STACK_POINTER] = (
        stacks.ctypes.data + np.arange(1, count + 1) * _STACK_BYTES_PER_THREAD - 8 * words
    )
    _block_state[_ENTRY], _block_state[_ARGUMENTS] = kernel_address, arguments_address
    return _thread_states[:count]


def run_until_all_wait() -> None:
    """Runs one thread after another until it waits for the others, or ends."""
    _native_functions().run_until_all_wait()
    assert not _stacks()[: _block_state[_THREADS], 0].any(), "a thread has more on its stack than there is room for"


def set_thread(number: int) -> None:
    """Sets the number of the current thread of the simulated block."""
    _block_state[THREAD] = number


def has_exhausted_shared_memory() -> bool:
    """True if the threads of the block have requested more shared memory than a block has."""
    return _block_state[_SHARED_FULL] != 0


def addresses_by_symbol() -> dict[str, int]:
    """Returns the addresses of the simulation's functions and memory by the symbols that kernels use."""
    return {REQUEST_SYMBOL: _native_functions().simulated, **_memory_addresses()}


def state_word_ir(index: int) -> str:
    """Returns the address of a word of the simulation's state, as LLVM IR."""
    return f"getelementptr (i64, ptr @{STATE_SYMBOL}, i64 {index})"


def _memory_addresses() -> dict[str, int]:
    return {
        STATE_SYMBOL: ctypes.addressof(_block_state),
        _THREAD_STATES_SYMBOL: _thread_states.ctypes.data,
        _SHARED_ADDRESSES_SYMBOL: _shared_addresses.ctypes.data,
    }


@functools.cache
def _stacks() -> np.ndarray:
    """Allocates a stack for each thread of a block. Unused pages take no memory."""
    memory = np.empty(MOST_THREADS_PER_BLOCK * _STACK_BYTES_PER_THREAD + 64, np.uint8)
    skipped = -memory.ctypes.data % 64
    return (
        memory[skipped : skipped + MOST_THREADS_PER_BLOCK * _STACK_BYTES_PER_THREAD]
        .view(np.int64)
        .reshape(MOST_THREADS_PER_BLOCK, -1)
    )


@functools.cache
def _processor_name() -> str:
    name = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    if name not in _STACK_SWITCH_ASSEMBLY:
        raise NotImplementedError(f"the simulation of a GPU switches stacks on x86-64 and AArch64, not on {name}")
    return name


def fibers_ir(processor: str) -> str:
    """Returns the LLVM IR of the stack switch, of the fibers, and of the function that answers requests."""
    convention, lines = _STACK_SWITCH_ASSEMBLY[processor]
    plain = {body.thread_index: THREAD, body.block_size: _THREADS, body.block_index: _BLOCK, body.grid_size: _BLOCKS}
    words = {REQUEST_KINDS.index(special): place for special, place in plain.items()}
    cases = " ".join(f"i64 {kind}, label %plain{place}" for kind, place in words.items())
    plains = "\n".join(
        f"plain{place}:\n  %word{place} = load i64, ptr {state_word_ir(place)}\n  ret i64 %word{place}"
        for place in words.values()
    )
    assembly = "\\0A".join(lines)
    request_stores = "\n".join(
        f"  %at.{name} = getelementptr i64, ptr %row, i64 {place}\n  store i64 %{name}, ptr %at.{name}"
        for name, place in (("kind", REQUEST), ("place", CALL_SITE))
    )
    return f"""
@{STATE_SYMBOL} = external global i64
@{_THREAD_STATES_SYMBOL} = external global i64
@{_SHARED_ADDRESSES_SYMBOL} = external global i64

define internal {convention} void @switch(ptr %kept, ptr %to) naked noinline nounwind {{
  call void asm sideeffect "{assembly}", ""()
  unreachable
}}

define internal ptr @row(i64 %thread) {{
  %at = mul i64 %thread, {_thread_states.shape[1]}
  %row = getelementptr i64, ptr @{_THREAD_STATES_SYMBOL}, i64 %at
  ret ptr %row
}}

define internal void @wait(ptr %row) {{
  %to = load ptr, ptr {state_word_ir(_SCHEDULER)}
  call {convention} void @switch(ptr %row, ptr %to)
  ret void
}}

define void @run_until_all_wait() {{
entry:
  %count = load i64, ptr {state_word_ir(_THREADS)}
  br label %next
next:
  %thread = phi i64 [ 0, %entry ], [ %after, %next ]
  store i64 %thread, ptr {state_word_ir(THREAD)}
  %row = call ptr @row(i64 %thread)
  %stack = load ptr, ptr %row
  call {convention} void @switch(ptr {state_word_ir(_SCHEDULER)}, ptr %stack)
  %after = add i64 %thread, 1
  %more = icmp slt i64 %after, %count
  br i1 %more, label %next, label %done
done:
  ret void
}}

define void @fiber() noreturn {{
  %kernel = load ptr, ptr {state_word_ir(_ENTRY)}
  %arguments = load ptr, ptr {state_word_ir(_ARGUMENTS)}
  call void %kernel(ptr %arguments)
  %thread = load i64, ptr {state_word_ir(THREAD)}
  %row = call ptr @row(i64 %thread)
  %kind = getelementptr i64, ptr %row, i64 {REQUEST}
  store i64 {ENDED}, ptr %kind
  call void @wait(ptr %row)
  unreachable
}}

define i64 @{REQUEST_SYMBOL}(i64 %kind, i64 %place, i64 %a, i64 %b) {{
  switch i64 %kind, label %others [ i64 {REQUEST_KINDS.index(body.shared_array)}, label %shared {cases} ]
{plains}
shared:
  %pair = mul i64 %place, 2
  %at = getelementptr i64, ptr @{_SHARED_ADDRESSES_SYMBOL}, i64 %pair
  %since = getelementptr i64, ptr %at, i64 1
  %known = load i64, ptr %at
  %then = load i64, ptr %since
  %time = load i64, ptr {state_word_ir(_BLOCKS_BEGUN)}
  %new = icmp ne i64 %then, %time
  br i1 %new, label %share, label %give
share:
  %begin = load i64, ptr {state_word_ir(_SHARED_NEXT)}
  %size = mul i64 %a, %b
  %padded = add i64 %size, 15
  %whole = and i64 %padded, -16
  %rest = add i64 %begin, %whole
  %end = load i64, ptr {state_word_ir(_SHARED_END)}
  %fits = icmp ule i64 %rest, %end
  br i1 %fits, label %keep, label %full
full:
  store i64 1, ptr {state_word_ir(_SHARED_FULL)}
  br label %others
keep:
  store i64 %rest, ptr {state_word_ir(_SHARED_NEXT)}
  store i64 %begin, ptr %at
  store i64 %time, ptr %since
  ret i64 %begin
give:
  ret i64 %known
others:
  %thread = load i64, ptr {state_word_ir(THREAD)}
  %row = call ptr @row(i64 %thread)
{request_stores}
  call void @wait(ptr %row)
  ret i64 0
}}
"""


class _NativeFunctions:
    """The native functions of `fibers_ir`, compiled for this process."""

    def __init__(self) -> None:
        initialize_llvm()
        llvm.initialize_native_asmparser()
        module = llvm.parse_assembly(fibers_ir(_processor_name()))
        module.triple = target_machine().triple
        for symbol, address in _memory_addresses().items():
            llvm.add_symbol(symbol, address)
        machine = llvm.Target.from_triple(module.triple).create_target_machine(opt=1)
        self._engine: Any = llvm.create_mcjit_compiler(module, machine)
        self._engine.finalize_object()
        self.fiber, self.simulated = map(self._engine.get_function_address, ("fiber", REQUEST_SYMBOL))
        # The calls keep the GIL, as they are short: other Python threads run between them.
        self.run_until_all_wait: Callable[[], None] = ctypes.PYFUNCTYPE(None)(
            self._engine.get_function_address("run_until_all_wait")
        )


@functools.cache
def _native_functions() -> _NativeFunctions:
    return _NativeFunctions()
