"""The command line `fastgrad`.

fastgrad cache info     prints the folder, number and size of the cached kernels
fastgrad cache clear    removes the cached kernels
fastgrad info           prints what a report of a defect needs: versions, machine, kernels, settings
fastgrad names FILE …   lists the names of TensorFlow and Keras that scripts and notebooks ask for, and that are missing or differ
fastgrad warm           compiles all kernels of the library, typical programs and what typical derivatives call, for this machine in advance

``python -m fastgrad.as_tensorflow train.py`` runs a TensorFlow script without an edit.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fastgrad._src.jit import cache


def ends_quietly(main: Callable[..., int]) -> Callable[..., int]:
    """Decorates the function of a command: it returns 1 if no process reads its output any more, as in ``fastgrad info | head -3``."""

    @functools.wraps(main)
    def quiet_main(arguments: Sequence[str] | None = None, **options: Any) -> int:
        try:
            try:
                return main(arguments, **options)
            finally:
                print(end="", flush=True)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes the rest at its end
            return 1

    return quiet_main


@ends_quietly
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: the words of the command; default: those of this process.

    Returns:
        The exit status: 0; 1 if the command failed. For an invalid command, `SystemExit` gives 2.
    """
    import argparse

    parser = argparse.ArgumentParser(
        prog="fastgrad",
        description="Commands about fastgrad on this machine.",
        epilog="`python -m fastgrad.as_tensorflow train.py` runs a TensorFlow script without an edit.",
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    cache_command = commands.add_parser("cache", help="the kernels that are kept compiled")
    cache_actions = cache_command.add_subparsers(dest="action", required=True, metavar="action")
    cache_actions.add_parser("info", help="where they are kept, how many, and how large they are")
    cache_actions.add_parser("clear", help="remove them; they are compiled again when they are used")
    info_command = commands.add_parser("info", help="what a report of a defect needs: versions, machine, settings")
    info_command.set_defaults(action="report")
    warm_command = commands.add_parser("warm", help="compile all kernels of the library for this machine now")
    warm_command.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="how many work side by side")
    warm_command.set_defaults(action="warm")
    names_command = commands.add_parser(
        "names", help="which names of TensorFlow and Keras that scripts ask for are missing, or differ and how"
    )
    names_command.add_argument("files", nargs="+", metavar="file", help="a Python file or a notebook; it is not run")
    names_command.set_defaults(action="names")
    options = parser.parse_args(arguments)
    if options.action == "report":
        return _print_report()
    if options.action == "names":
        return _print_names(options.files)
    if options.action == "warm":
        return _compile_kernels(options.processes)
    return _clear_kernel_cache() if options.action == "clear" else _print_cache_info()


def _print_cache_info() -> int:
    folder = cache.cache_folder()
    entries, size = cache.count_and_bytes()
    print(f"folder:  {folder or 'none: there is no home folder; set FASTGRAD_CACHE_DIR'}")
    print(f"kernels: {entries}")
    print(f"size:    {size / 2**20:.1f} MiB, of at most {cache.CACHE_LIMIT_BYTES / 2**20:.0f}")
    return 0


def _print_report() -> int:
    from fastgrad._src.commands.environment_report import report_lines

    for line in report_lines():
        print(line)
    return 0


def _print_names(files: Sequence[str]) -> int:
    from fastgrad._src.commands.script_names import check_script

    status = 0
    for file in files:
        try:
            count, missing, differing = check_script(Path(file))
        except (OSError, SyntaxError, ValueError) as error:
            print(f"fastgrad: {file}: {error}", file=sys.stderr)
            status = 1
            continue
        for use, text in missing:
            print(f"{file}:{use.line}: {use.name}: {text}")
        for use, text in differing:
            print(f"{file}:{use.line}: {use.name} differs: {text}")
        print(
            f"{file}: {count - len(missing)} of {count} names are there"
            + f", {len(differing)} differ" * bool(differing)
        )
        status = 1 if missing else status
    return status


def _compile_kernels(processes: int) -> int:
    if processes < 1:
        print(f"fastgrad: warm needs at least 1 process, got {processes}", file=sys.stderr)
        return 1
    if cache.cache_folder() is None:
        print("fastgrad: there is no folder for kernels; set FASTGRAD_CACHE_DIR", file=sys.stderr)
        return 1
    from fastgrad._src.commands.warm import compile_side_by_side

    for done, total in compile_side_by_side(processes):
        if done % 50 == 0 or done == total:
            print(f"{done} of {total} kernels, programs and derivatives", flush=True)
    return _print_cache_info()


def _clear_kernel_cache() -> int:
    removed, size, errors = cache.clear()
    for error in errors:
        print(f"fastgrad: {error}", file=sys.stderr)
    print(f"removed {removed} kernels, {size / 2**20:.1f} MiB")
    return 1 if errors else 0
