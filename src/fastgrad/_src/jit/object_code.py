"""Compiles a kernel's LLVM module to object code, in this process or in a second one: `python object_code.py` serves the process that starts it.

The second process needs only llvmlite, so this file imports nothing else. A function that it must call may import more.
"""

from __future__ import annotations

import functools
import os
import pickle
import sys
import threading
import time
from typing import IO, Any, NamedTuple

SIZE_BYTES = 8  # of a message, before it
IDLE_SECONDS = 10.0
"""The time without a request after which the other process ends."""


class Settings(NamedTuple):
    """What object code depends on beside the module.

    Attributes:
        triple, cpu, features: of the processor, in LLVM's terms.
        kept: the functions that stay visible.
        inline: whether vectorisation may have added calls (see `library_calls`), which are then inlined, too.
    """

    triple: str
    cpu: str
    features: str
    kept: tuple[str, ...]
    inline: bool


@functools.cache
def target_machine(triple: str, cpu: str, features: str) -> Any:
    """Returns LLVM's machine for a processor."""
    import llvmlite.binding as llvm

    compiler = llvm.Target.from_triple(triple)
    reloc = "static" if compiler.name.startswith("x86") else "default"
    return compiler.create_target_machine(
        cpu=cpu, features=features, opt=3, reloc=reloc, codemodel="jitdefault", jit=True
    )


def run_passes(manager: Any, module: Any, builder: Any) -> None:
    """Runs a pass manager once and frees it: llvmlite (0.46 to 0.50) would leak some 90 KB a compilation."""
    import llvmlite.binding as llvm

    manager.run(module, builder)
    if "_dispose" not in vars(type(manager)):  # a later llvmlite frees it itself
        llvm.ffi.lib.LLVMPY_DisposeNewModulePassManger(manager)
        manager.detach()


def optimise(module: Any, settings: Settings) -> None:
    """Makes everything but the entries private and runs LLVM's -O3 pipeline once."""
    import llvmlite.binding as llvm

    machine = target_machine(settings.triple, settings.cpu, settings.features)
    module.data_layout = str(machine.target_data)
    for function in module.functions:
        if not function.is_declaration and function.name not in settings.kept:
            function.linkage = "internal"
    for variable in module.global_variables:
        if not variable.is_declaration and not variable.name.startswith("llvm."):
            variable.linkage = "internal"
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = True
    builder = llvm.create_pass_builder(machine, options)
    run_passes(builder.getModulePassManager(), module, builder)
    if settings.inline:
        after = llvm.create_new_module_pass_manager()
        after.add_always_inliner_pass()
        run_passes(after, module, builder)


def object_code(module: Any, settings: Settings) -> tuple[bytes, list[str]]:
    """Returns the object code of an optimised module, and the names that the module declares."""
    machine = target_machine(settings.triple, settings.cpu, settings.features)
    declared = [f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")]
    declared += [g.name for g in module.global_variables if g.is_declaration]
    return machine.emit_object(module), declared


def send(stream: IO, message: Any) -> None:
    """Writes a message."""
    data = pickle.dumps(message)
    stream.write(len(data).to_bytes(SIZE_BYTES, "little") + data)
    stream.flush()


def receive(stream: IO) -> Any:
    """Returns the next message; None at the end of the stream. Only the process at the other end writes it."""
    size = stream.read(SIZE_BYTES)
    return pickle.loads(stream.read(int.from_bytes(size, "little"))) if len(size) == SIZE_BYTES else None  # noqa: S301


def _code_of(bitcode: bytes, settings: Settings) -> tuple[bytes, list[str]]:
    """Returns what `object_code` makes of a module after its optimisation."""
    import llvmlite.binding as llvm

    module = llvm.parse_bitcode(bitcode)
    optimise(module, settings)
    return object_code(module, settings)


def _call(function: str, arguments: tuple[Any, ...]) -> bool:
    """Calls a function "module:name"; returns whether it ended without an error."""
    import importlib

    module, _, name = function.partition(":")
    try:
        getattr(importlib.import_module(module), name)(*arguments)
    except Exception:  # noqa: BLE001  # the process that asks does the work itself
        return False
    return True


def _serve() -> None:
    """Serves requests from standard input; the first message is Python's search path.

    A request is LLVM bitcode with its settings, or a function's name with its arguments.
    """
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.path[:] = receive(requests)
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    idle_since = [time.monotonic()]

    def end_when_idle() -> None:
        while time.monotonic() - idle_since[0] < IDLE_SECONDS:
            time.sleep(IDLE_SECONDS / 10)
        os._exit(0)

    threading.Thread(target=end_when_idle, daemon=True).start()
    while (request := receive(requests)) is not None:
        idle_since[0] = float("inf")
        what, arguments = request
        send(answers, _call(what, arguments) if isinstance(what, str) else _code_of(what, Settings(*arguments)))
        idle_since[0] = time.monotonic()


if __name__ == "__main__":
    _serve()
