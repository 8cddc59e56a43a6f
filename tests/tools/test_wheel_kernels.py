"""The build of a wheel compiles the library's kernels, unless `FASTGRAD_KERNELS` says otherwise."""

import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ["numba>=1", "numpy>=1"]


class Build:
    """A build with this project's hook; Hatch's own builder is not needed for it."""

    def __init__(self, levels=("x86-64-v3",), fails=False):
        pytest.importorskip("hatchling", reason="the extra test brings it")
        hook_class = runpy.run_path(str(ROOT / "tools" / "wheel_kernels.py"))["WheelKernels"]
        metadata = SimpleNamespace(core=SimpleNamespace(dependencies=REQUIREMENTS))
        self.lines, self.commands, self.levels, self.fails = [], [], levels, fails
        app = SimpleNamespace(display_info=self.lines.append)
        self.hook = hook_class(str(ROOT), {}, None, metadata, "", "wheel", app)
        self.data = {"force_include": {}, "pure_python": True, "infer_tag": False}

    def run(self, command, **options):
        self.commands.append((command, options))
        for level in self.levels:
            Path(command[command.index("--wheel") + 1], f"{level}.db").write_bytes(b"code")
        return SimpleNamespace(returncode=int(self.fails))


def build(monkeypatch, choice="", version="standard", **options):
    monkeypatch.setenv("FASTGRAD_KERNELS", choice)
    monkeypatch.setenv("PYTHONPATH", "requirements")
    one = Build(**options)
    monkeypatch.setattr(subprocess, "run", one.run)
    one.hook.initialize(version, one.data)
    return one


@pytest.mark.parametrize(("choice", "levels"), [("", "this"), ("this", "this"), ("all", "all")])
def test_a_wheel_brings_the_kernels_of_the_processors_asked_for(monkeypatch, choice, levels):
    one = build(monkeypatch, choice)
    assert one.hook.dependencies() == REQUIREMENTS
    ((command, options),) = one.commands
    assert command[:4] == [sys.executable, "-m", "fastgrad._src.commands.warm", "--wheel"]
    assert command[-2:] == ["--levels", levels]
    assert options["env"]["PYTHONPATH"] == f"{ROOT / 'src'}{os.pathsep}requirements"
    ((source, target),) = one.data["force_include"].items()
    assert Path(source).read_bytes() == b"code"
    assert target == "fastgrad/_src/jit/installed/x86-64-v3.db"
    assert one.data["pure_python"] is False
    assert one.data["infer_tag"] is True
    if sys.platform == "linux":
        assert one.data["tag"].startswith(f"cp3{sys.version_info[1]}-cp3{sys.version_info[1]}-manylinux_2_28_")
    one.hook.finalize("standard", one.data, "")
    assert not Path(source).exists()


@pytest.mark.parametrize(("choice", "version"), [("none", "standard"), ("this", "editable")])
def test_a_build_without_kernels_is_for_all_platforms(monkeypatch, choice, version):
    one = build(monkeypatch, choice, version)
    assert one.commands == []
    assert one.data == {"force_include": {}, "pure_python": True, "infer_tag": False}
    assert one.hook.dependencies() == ([] if choice == "none" else REQUIREMENTS)


def test_a_processor_of_no_level_gets_a_wheel_without_kernels(monkeypatch):
    one = build(monkeypatch, levels=())
    assert one.data == {"force_include": {}, "pure_python": True, "infer_tag": False}
    assert "no kernels" in one.lines[-1]
    one.hook.finalize("standard", one.data, "")


def test_a_failed_compilation_ends_the_build_with_the_remedy(monkeypatch):
    with pytest.raises(RuntimeError, match="FASTGRAD_KERNELS=none"):
        build(monkeypatch, fails=True)


def test_an_unknown_choice_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="FASTGRAD_KERNELS is 'some'; it may be this, all, none"):
        build(monkeypatch, "some")
