"""Compiles the library's kernels while a wheel is built, so that `pip install .` and `python -m build` bring machine code.

FASTGRAD_KERNELS names the processors:

    this   the best level of the machine that builds; by default
    all    each level of the machine's architecture, for a wheel that others install
    none   no kernels: the wheel is for all platforms, and kernels are compiled at their first use

An editable installation brings none.
"""

import os
import platform
import subprocess
import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VARIABLE = "FASTGRAD_KERNELS"
CHOICES = ("this", "all", "none")
INSTALLED = "fastgrad/_src/jit/installed"
GLIBC = "2_28"
"""The oldest glibc of pip's Linux that the wheel is for. Kernels name few functions of it, and find them when they are loaded."""


class WheelKernels(BuildHookInterface):
    """Hatch asks it for requirements, and calls it before and after it builds a wheel."""

    _folder: TemporaryDirectory | None = None

    def dependencies(self) -> list[str]:
        """The requirements of the build: to compile kernels, the package runs."""
        return [] if self._choice() == "none" else list(self.metadata.core.dependencies)

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compiles the kernels into a folder of its own, and names the wheel for its Python and platform."""
        choice = self._choice()
        if version != "standard" or choice == "none":
            return
        self._folder = TemporaryDirectory()
        command = [
            sys.executable,
            "-m",
            "fastgrad._src.commands.warm",
            "--wheel",
            self._folder.name,
            "--levels",
            choice,
        ]
        # pip makes the requirements of a build known by this variable.
        path = os.pathsep.join(filter(None, [os.path.join(self.root, "src"), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        self.app.display_info(
            f"compiling the library's kernels for {choice} processors: some minutes; {VARIABLE}=none omits them"
        )
        if subprocess.run(command, env=environment, check=False).returncode:  # noqa: S603 - ours
            self._folder.cleanup()
            raise RuntimeError(
                f"the library's kernels could not be compiled; {VARIABLE}=none builds a wheel without them"
            )
        files = sorted(Path(self._folder.name).glob("*.db"))
        if not files:
            self.app.display_info("this processor is of no level: the wheel brings no kernels")
            return
        build_data["force_include"].update({str(file): f"{INSTALLED}/{file.name}" for file in files})
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
            python = f"cp{sys.version_info[0]}{sys.version_info[1]}"
            machine = sysconfig.get_platform().partition("-")[2].replace("-", "_").replace(".", "_")
            build_data["tag"] = f"{python}-{python}-manylinux_{GLIBC}_{machine}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Removes the folder of kernels, which the wheel now has."""
        if self._folder is not None:
            self._folder.cleanup()

    @staticmethod
    def _choice() -> str:
        choice = os.environ.get(VARIABLE) or "this"
        if choice not in CHOICES:
            raise ValueError(f"{VARIABLE} is {choice!r}; it may be {', '.join(CHOICES)}")
        return choice
