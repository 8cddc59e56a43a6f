"""`tools/try_release.py` builds files, installs each in an empty environment, and compares what the README's program prints."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from benchmarks.readme_program import readme_program, timed_run
from tools import try_release


def test_the_first_program_of_the_readme_is_a_program_and_its_output():
    program, printed = readme_program()
    compile(program, "README.md", "exec")
    assert program.startswith("import fastgrad as tf\n")
    assert printed.splitlines()[0].startswith("step 0: loss ")


def test_the_time_of_the_first_line_is_before_that_of_the_end(tmp_path):
    text = "import os, time\nprint(os.getcwd())\ntime.sleep(0.3)\nprint('second')\nraise SystemExit(3)"
    done = timed_run([sys.executable], text, cwd=tmp_path)
    assert done.first + 0.3 <= done.whole
    assert (done.printed, done.status) == (f"{tmp_path}\nsecond\n", 3)


def test_a_source_becomes_an_sdist_and_wheels_without_and_with_kernels(monkeypatch, tmp_path):
    def made(command, env, **options):
        out = Path(command[command.index("--outdir") + 1])
        out.mkdir()
        assert out.name == env["FASTGRAD_KERNELS"]
        for ending in (".whl",) if "--wheel" in command else (".whl", ".tar.gz"):
            (out / f"fastgrad{ending}").touch()

    monkeypatch.setattr(subprocess, "run", made)
    assert try_release.build(tmp_path / "source", tmp_path) == {
        "sdist": tmp_path / "none" / "fastgrad.tar.gz",
        "wheel, kernels: none": tmp_path / "none" / "fastgrad.whl",
        "wheel, kernels: all": tmp_path / "all" / "fastgrad.whl",
    }


def test_a_wheel_is_installed_where_there_is_no_compiler_and_its_program_runs(monkeypatch, tmp_path, capsys):
    wheel = tmp_path / "dist" / "tiny-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr(
            "tiny.py", "import os, shutil\nfound = [shutil.which(name) for name in ('cc', 'gcc', 'clang', 'g++')]\n"
        )
        file.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        file.writestr(
            "tiny-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        file.writestr("tiny-1.0.dist-info/RECORD", "")
    program = "import tiny\nprint(tiny.found)\n"
    monkeypatch.setattr(try_release, "readme_program", lambda: (program, "[None, None, None, None]\n"))
    try_release.try_installation("a wheel", wheel, tmp_path)
    assert capsys.readouterr().out.startswith("a wheel: 0.0 MB, installed in ")


@pytest.mark.parametrize(
    ("program", "message"),
    [("print('another loss')", "'another loss.n' and ended with status 0"), ("1 / 0", "'' and ended with status 1")],
)
def test_a_program_that_fails_or_prints_something_else_ends_the_trial(program, message, monkeypatch, tmp_path):
    monkeypatch.setattr(try_release, "readme_program", lambda: (program, "a loss\n"))
    with pytest.raises(SystemExit, match=message):
        try_release.seconds_to_losses(Path(sys.executable), tmp_path)


def test_the_command_clones_the_checkout_and_tries_what_was_built(monkeypatch, tmp_path):
    commands, tried = [], []
    monkeypatch.setattr(subprocess, "run", lambda command, **options: commands.append(command))
    monkeypatch.setattr(try_release, "build", lambda source, out: {"sdist": out / source.name})
    monkeypatch.setattr(try_release, "try_installation", lambda name, path, folder: tried.append((name, path)))
    monkeypatch.setattr(sys, "argv", ["try_release", "--out", str(tmp_path)])
    assert try_release.main() == 0
    assert commands[0][:2] == ["git", "clone"]
    assert str(Path(__file__).parents[2]) in commands[0]
    assert tried == [("sdist", tmp_path / "source")]
