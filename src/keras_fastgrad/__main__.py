"""``python -m keras_fastgrad [--also PACKAGE] (SCRIPT | -m MODULE) [ARG ...]`` runs a Keras script on fastgrad."""

from __future__ import annotations

import argparse
import os
import runpy
import sys
from collections.abc import Sequence

import keras_fastgrad


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a script or a module as ``python`` does; its ``import keras`` gives Keras on fastgrad.

    Args:
        arguments: the words of the command; default: those of this process.

    Returns:
        The exit status 0; errors and ``SystemExit`` of the script pass through.
    """
    parser = argparse.ArgumentParser(
        prog="python -m keras_fastgrad",
        usage="%(prog)s [-h] [--also PACKAGE] (SCRIPT | -m MODULE) [ARG ...]",
        description="Runs a script whose import of keras gives Keras on fastgrad.",
    )
    also = "a package whose import of tensorflow gives fastgrad, too; can be repeated"
    parser.add_argument("--also", action="append", default=[], help=also)
    parser.add_argument("-m", action="store_true", dest="is_module", help="run a module by its name")
    parser.add_argument("script", help="a Python file, or the name of a module after -m")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="what the script gets")
    options = parser.parse_args(arguments)
    keras_fastgrad.activate(options.also)
    sys.argv = [options.script, *options.arguments]
    if options.is_module:
        runpy.run_module(options.script, run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(os.path.realpath(options.script))
        runpy.run_path(options.script, run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())
