"""Ahead-of-time compilation: of the library's kernels, of the fused groups of typical programs, and of the functions that derivatives call.

They go into the disk cache of this machine, or into the files of a wheel.
"""

from __future__ import annotations

import argparse
import functools
import gc
import importlib
import itertools
import os
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence

import fastgrad._src.kernels
from fastgrad._src.commands.typical_programs import list_typical_programs
from fastgrad._src.derivatives.typical_derivatives import list_typical_derivatives
from fastgrad._src.jit import cache, store
from fastgrad._src.jit.build import Kernel
from fastgrad._src.jit.dispatcher_cache import compile_for_level_of_wheel
from fastgrad._src.jit.isa import LEVELS, host_levels, levels_of_architecture


def list_library_kernels() -> list[tuple[Kernel, dict[str, str]]]:
    """Returns each kernel of the package with each combination of dtypes of its type variables, in a fixed order."""
    for module in pkgutil.walk_packages(fastgrad._src.kernels.__path__, "fastgrad._src.kernels."):
        importlib.import_module(module.name)
    importlib.import_module("fastgrad._src.keras.optimizers.namespace")
    from fastgrad._src.kernels.optimizers.update_rule import RULES

    for rule in RULES.values():
        for name, value in vars(type(rule)).items():
            if isinstance(value, functools.cached_property):
                getattr(rule, name)
    rule_kernel_ids = {id(value) for rule in RULES.values() for value in vars(rule).values()}
    kernels = [
        kernel
        for kernel in gc.get_objects()
        if issubclass(type(kernel), Kernel)  # isinstance would fail on a dead weak proxy
        and (str(kernel.function.__module__).startswith("fastgrad.") or id(kernel) in rule_kernel_ids)
    ]
    combinations = [
        (kernel, dict(zip(kernel.variables, [dtype.name for dtype in dtypes], strict=True)))
        for kernel in kernels
        for dtypes in itertools.product(*kernel.variables.values())
    ]
    return sorted(
        combinations,
        key=lambda one: (str(one[0].function.__module__), one[0].__name__, one[0].signature.text, str(one[1])),
    )


def compile_kernels(remainder: int, divisor: int) -> Iterator[str]:
    """Compiles the kernels whose index is `remainder` modulo `divisor`, unless they exist; yields their names."""
    for kernel, variables in list_library_kernels()[remainder::divisor]:
        kernel.compile_variants(variables)
        yield kernel.__name__


def compile_programs(remainder: int, divisor: int) -> Iterator[str]:
    """Runs the typical programs whose index is `remainder` modulo `divisor`, which compiles them; yields their models."""
    for program in list_typical_programs()[remainder::divisor]:
        program.run()
        yield program.model


def compile_derivatives(remainder: int, divisor: int) -> Iterator[str]:
    """Computes the typical derivatives whose index is `remainder` modulo `divisor`, which compiles what they call; yields their functions' names."""
    compile_for_level_of_wheel()
    for derivative in list_typical_derivatives()[remainder::divisor]:
        derivative.run()
        yield derivative.name


WORK: dict[str, Callable[[int, int], Iterator[str]]] = {
    "kernels": compile_kernels,
    "programs": compile_programs,
    "derivatives": compile_derivatives,
}
"""The stages of compilation, in order: programs come after the library's kernels, which they use."""


def compile_side_by_side(
    processes: int, arguments: Sequence[str] = (), work: Sequence[str] = tuple(WORK)
) -> Iterator[tuple[int, int]]:
    """Compiles in several processes; after each kernel, program or derivative, yields the number done and the total.

    Args:
        processes: the number of processes.
        arguments: further words of this module's command line.
        work: keys of `WORK`.

    Raises:
        RuntimeError: a process failed; the message has its error output.
    """
    counts = {
        "kernels": len(list_library_kernels()),
        "programs": len(list_typical_programs()),
        "derivatives": len(list_typical_derivatives()),
    }
    total = sum([counts[name] for name in work])
    done = 0
    for name in work:
        for _ in _lines_of_processes(processes, ["--work", name, *arguments]):
            done += 1
            yield done, total


def _lines_of_processes(processes: int, arguments: Sequence[str]) -> Iterator[bytes]:
    """Yields the lines that processes print, each of which has a part of the work."""
    command = [sys.executable, "-m", "fastgrad._src.commands.warm", *arguments, "--parts", str(processes)]
    environment = {**os.environ, "FASTGRAD_QUIET": "1", "FASTGRAD_COMPILER_PROCESS": "0", "NUMBA_DISABLE_JIT": "0"}
    with tempfile.TemporaryFile("w+") as errors:
        workers = [
            subprocess.Popen([*command, "--part", str(part)], stdout=subprocess.PIPE, stderr=errors, env=environment)  # noqa: S603 - ours
            for part in range(processes)
        ]
        try:
            for worker in workers:
                yield from worker.stdout or ()
            exit_codes = [worker.wait() for worker in workers]
            if any(exit_codes):
                errors.seek(0)
                raise RuntimeError(f"the library's kernels could not be compiled:\n{errors.read()}")
        finally:
            for worker in workers:
                worker.kill()
                worker.communicate()


def compile_for_wheel(levels: Sequence[str], folder: str, processes: int) -> None:
    """Compiles for levels of processors into the files of a wheel, and prints the progress.

    A level that this processor does not have gets the library's kernels only, since programs and derivatives for it can't run here.

    Args:
        levels: names of `isa.LEVELS`.
        folder: where the files go.
        processes: the number of processes.
    """
    for level in levels:
        work = [name for name in WORK if name == "kernels" or level in host_levels()]
        with tempfile.TemporaryDirectory() as entries_folder:
            for done, total in compile_side_by_side(processes, ["--level", level, "--folder", entries_folder], work):
                if done % 100 == 0 or done == total:
                    print(f"{level}: {done} of {total} kernels, programs and derivatives", flush=True)
            path = os.path.join(folder, f"{level}.db")
            entries = cache.pack_folder(entries_folder, path)
            print(f"{path}: {entries} entries, {os.path.getsize(path) / 2**20:.1f} MiB", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Compiles a part of one stage, or all for a wheel; `fastgrad warm` and the build of a wheel run it."""
    parser = argparse.ArgumentParser(prog="python -m fastgrad._src.commands.warm")
    parser.add_argument("--wheel", metavar="FOLDER", help="compile the files of a wheel, for levels of processors")
    parser.add_argument(
        "--levels",
        choices=("this", "all"),
        default="this",
        help="the best of this processor, or all of its architecture",
    )
    parser.add_argument("--level", choices=LEVELS, help="compile for a level of processors, instead of this one")
    parser.add_argument("--folder", help="the folder for the code of a level")
    parser.add_argument("--work", choices=WORK, default="kernels", help="what to compile")
    parser.add_argument("--part", type=int, default=0, help="the number of this process")
    parser.add_argument("--parts", type=int, default=1, help="how many processes there are")
    options = parser.parse_args(arguments)
    if (options.level is None) != (options.folder is None):
        parser.error("--level and --folder belong together")
    if options.wheel:
        levels = levels_of_architecture() if options.levels == "all" else host_levels()[:1]
        compile_for_wheel(levels, options.wheel, os.cpu_count() or 1)
        return
    if options.level:
        store.compile_for_wheel(options.level, options.folder)
    for name in WORK[options.work](options.part, options.parts):
        print(name, flush=True)


if __name__ == "__main__":
    main()
