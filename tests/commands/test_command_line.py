"""`fastgrad info`, `fastgrad cache info`, `fastgrad cache clear` and `fastgrad warm`."""

import os
import platform
import re
import subprocess
import sys
from importlib import metadata

import numpy as np
import pytest

import fastgrad
from fastgrad._src.commands import warm
from fastgrad._src.commands.command_line import main
from fastgrad._src.jit import cache


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("FASTGRAD_CACHE_DIR", str(tmp_path / "kernels"))
    return tmp_path / "kernels"


def test_info_tells_where_how_many_and_how_large(folder, capsys):
    for key in ("one", "two"):
        cache.store(key, cache.Entry(b"x" * 2**20, ()))
    (folder / "mine.txt").write_text("no kernel")
    assert main(["cache", "info"]) == 0
    assert capsys.readouterr().out == f"folder:  {folder}\nkernels: 2\nsize:    2.0 MiB, of at most 256\n"


def test_clear_removes_kernels_and_nothing_else(folder, capsys):
    for key in ("one", "two"):
        cache.store(key, cache.Entry(b"x" * 2**20, ()))
    (folder / "mine.txt").write_text("no kernel")
    (folder / "writing-half").write_bytes(b"half")
    assert main(["cache", "clear"]) == 0
    assert capsys.readouterr().out == "removed 2 kernels, 2.0 MiB\n"
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    assert cache.load("one") is None


def test_there_may_be_no_folder_yet(folder, capsys):
    assert main(["cache", "info"]) == main(["cache", "clear"]) == 0
    assert "kernels: 0\n" in capsys.readouterr().out
    assert not folder.exists()


def test_there_may_be_no_home(monkeypatch, capsys):
    monkeypatch.setattr(cache, "cache_folder", lambda: None)
    assert main(["cache", "info"]) == main(["cache", "clear"]) == 0
    assert "set FASTGRAD_CACHE_DIR" in capsys.readouterr().out


def test_what_cannot_be_removed_is_named(folder, monkeypatch, capsys):
    cache.store("one", cache.Entry(b"x", ()))

    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "unlink", refuse)
    assert main(["cache", "clear"]) == 1
    found = capsys.readouterr()
    assert found.out == "removed 0 kernels, 0.0 MiB\n"
    assert "Permission denied" in found.err


@pytest.mark.parametrize("words", [[], ["cache"], ["cache", "burn"], ["bake"]])
def test_other_words_are_refused(words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "usage: fastgrad" in capsys.readouterr().err


def test_the_module_runs_and_imports_no_compiler(folder):
    code = "import sys, runpy; sys.argv = ['fastgrad', 'cache', 'info']\ntry:\n    runpy.run_module('fastgrad', run_name='__main__')\n"
    code += "except SystemExit as end:\n    print(end.code, 'numba' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert run.stdout.splitlines()[1:] == ["kernels: 0", "size:    0.0 MiB, of at most 256", "0 False"], run.stderr


@pytest.mark.parametrize(
    "words", [["fastgrad", "info"], ["fastgrad", "cache", "info"], ["fastgrad.differentiate", "json", "--", "keyword"]]
)
def test_a_command_whose_output_no_process_reads_ends_quietly(folder, words):
    reader, writer = os.pipe()
    os.close(reader)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", *words]
    run = subprocess.run(command, env=environment, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert run.returncode == 1
    assert "BrokenPipe" not in run.stderr


def test_warm_compiles_the_kernels_and_says_how_many(folder, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(
        warm, "compile_side_by_side", lambda processes: asked.append(processes) or iter([(50, 120), (120, 120)])
    )
    assert main(["warm", "--processes", "3"]) == 0
    assert asked == [3]
    assert capsys.readouterr().out.startswith(
        f"50 of 120 kernels, programs and derivatives\n120 of 120 kernels, programs and derivatives\nfolder:  {folder}\n"
    )
    assert main(["warm", "--processes", "0"]) == 1
    assert "at least 1 process, got 0" in capsys.readouterr().err


def test_info_tells_versions_machine_kernels_and_settings(folder, monkeypatch, capsys):
    cache.store("one", cache.Entry(b"x" * 2**20, ()))
    monkeypatch.setenv("FASTGRAD_NUM_THREADS", "3")
    monkeypatch.setenv("NUMBA_CACHE_DIR", os.path.expanduser("~/numba"))
    assert main(["info"]) == 0
    lines = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert lines["fastgrad"].strip().startswith(fastgrad.__version__)
    assert lines["Python"].strip().startswith(platform.python_version())
    assert f"numpy {np.__version__}" in lines["packages"]
    assert f"numba {metadata.version('numba')}" in lines["packages"]
    assert platform.release() in lines["system"]
    assert lines["processor"].strip()
    assert lines["threads"].strip().startswith("3 of ")
    assert lines["kernels"].strip().startswith("1 in the cache, 1.0 MiB")
    assert "FASTGRAD_NUM_THREADS=3" in lines["settings"]
    assert f"NUMBA_CACHE_DIR=~{os.sep}numba" in lines["settings"].replace("/", os.sep)


def test_info_names_neither_the_user_nor_the_host(folder, monkeypatch, tmp_path, capsys):
    home = tmp_path / "of-some-user"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(home / "numba"))
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    assert "of-some-user" not in text
    assert re.search(rf"\b{re.escape(platform.node())}\b", text) is None
