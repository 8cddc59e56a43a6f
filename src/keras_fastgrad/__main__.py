"""``python -m keras_fastgrad [--also PACKAGE] (SCRIPT | -m MODULE) [ARG ...]`` runs a Keras script on fastgrad."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Sequence

import keras_fastgrad
from fastgrad._src.commands.as_tensorflow import script_parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a script or a module as ``python`` does; its ``import keras`` gives Keras on fastgrad.

    Args:
        arguments: the words of the command; default: those of this process.

    Returns:
        The exit status 0; errors and ``SystemExit`` of the script pass through.
    """
    parser = script_parser(
        "keras_fastgrad",
        "[--also PACKAGE]",
        "Runs a script whose import of keras gives Keras on fastgrad.",
        "a package whose import of tensorflow gives fastgrad, too; can be repeated",
    )
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
