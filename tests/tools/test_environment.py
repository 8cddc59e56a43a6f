"""`tools/environment.sh` finds a Python that really runs, and says what to do when it can make no environment."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "environment.sh"
NEEDED = ("cat", "cksum", "dirname", "head", "id", "mktemp", "rm", "sh", "tr")
SHIM = "#!/bin/sh\necho 'python3.14: command not found; it exists in other versions' >&2\nexit 127\n"
WITHOUT_VENV = f"""#!/bin/sh
case "$*" in "-m venv"*|"-m virtualenv"*) echo 'ensurepip is not available' >&2; exit 1;; esac
exec {sys.executable} "$@"
"""


def of_version(minor: int) -> str:
    """An interpreter that says it is Python 3.`minor`, and makes no environment."""
    return f"""#!/bin/sh
case "$1" in -) {{ echo 'import sys; sys.version_info = (3, {minor}, 0)'; cat; }} | {sys.executable} "$@"; exit;; esac
case "$*" in "-m venv"*|"-m virtualenv"*) echo 'ensurepip is not available' >&2; exit 1;; esac
exec {sys.executable} "$@"
"""


pytestmark = pytest.mark.skipif(shutil.which("cksum") is None, reason="the script needs a POSIX system")


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


class Checkout:
    """A checkout with nothing but the script, and a PATH with nothing but what is put on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.commands = folder / "commands"
        self.commands.mkdir()
        for name in NEEDED:
            (self.commands / name).symlink_to(shutil.which(name) or name)
        (folder / "tools").mkdir()
        shutil.copy(SCRIPT, folder / "tools")
        (folder / "pyproject.toml").write_text("[project]\n")

    def command(self, name: str, text: str) -> None:
        write_program(self.commands / name, text)

    def in_pyenv(self, minor: int) -> None:
        """An interpreter that pyenv has installed, and its command on the path, which pyenv does not run."""
        write_program(self.folder / ".pyenv" / "versions" / f"3.{minor}.1" / "bin" / "python", of_version(minor))
        self.command(f"python3.{minor}", SHIM)

    def make(self, *what: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.folder / "tools" / "environment.sh", ".venv", *(what or ["examples"])],
            env={"PATH": str(self.commands), "HOME": str(self.folder), **settings},
            capture_output=True,
            text=True,
            check=False,
        )

    def environment(self, failing: str = "") -> Path:
        """An environment whose pip only writes down what it is asked for, and fails if a pattern of the shell says so."""
        binaries = self.folder / ".venv" / "bin"
        binaries.mkdir(parents=True)
        (self.folder / ".venv" / "pyvenv.cfg").write_text("")
        log = self.folder / "pip.log"
        fails = f"case \"$*\" in {failing}) echo 'no such host' >&2; exit 1;; esac" if failing else ":"
        python = binaries / "python"
        python.write_text(
            f'#!/bin/sh\ncase "$*" in "-m pip"*) echo "$*" >>{log}; {fails}; exit;; *"import pip") exit;; esac\n'
            f'exec {sys.executable} "$@"\n'
        )
        python.chmod(0o755)
        return log


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_without_any_python_one_line_installs_one(checkout: Checkout) -> None:
    checkout.command("python3.14", SHIM)
    finished = checkout.make()
    assert finished.returncode == 1
    assert "needs a Python from 3.11" in finished.stderr
    assert finished.stderr.splitlines()[-1].strip() == "curl -LsSf https://astral.sh/uv/install.sh | sh"


def test_a_python_without_venv_and_nothing_else_gives_the_line_that_installs_it(checkout: Checkout) -> None:
    checkout.command("python3.14", SHIM)
    checkout.command("python3", WITHOUT_VENV)
    finished = checkout.make()
    assert finished.returncode == 1
    assert "python3 can make no virtual environment" in finished.stderr
    assert finished.stderr.splitlines()[-1].strip() == "python3 -m pip install --user virtualenv"


def test_where_there_is_apt_its_package_is_named(checkout: Checkout) -> None:
    checkout.command("python3", WITHOUT_VENV)
    checkout.command("apt-get", "#!/bin/sh\n")
    assert "apt-get install python3" in checkout.make().stderr.splitlines()[-1]


def test_an_interpreter_asked_for_that_does_not_run_is_named(checkout: Checkout) -> None:
    checkout.command("python3", WITHOUT_VENV)
    assert "PYTHON=python9 does not run" in checkout.make(PYTHON="python9").stderr


@pytest.mark.parametrize(
    ("commands", "in_pyenv", "below", "chosen"),
    [
        ([11, 12, 13, 14], [], "3.15", "python3.13"),
        ([11, 12, 13, 14], [], "3.13", "python3.12"),
        ([11, 14], [], "3.15", "python3.11"),
        ([14], [], "3.15", "python3.14"),
        ([11], [12, 13], "3.15", ".pyenv/versions/3.13.1/bin/python"),
        ([11], [12, 13], "3.13", ".pyenv/versions/3.12.1/bin/python"),
        ([12], [11], "3.15", "python3.12"),
    ],
)
def test_python_3_13_is_tried_first(
    checkout: Checkout, commands: list[int], in_pyenv: list[int], below: str, chosen: str
) -> None:
    """The message about what lacks venv names the first that runs."""
    for minor in commands:
        checkout.command(f"python3.{minor}", of_version(minor))
    for minor in in_pyenv:
        checkout.in_pyenv(minor)
    error = checkout.make(PYTHON_BELOW=below).stderr
    python = checkout.folder / chosen if "/" in chosen else chosen
    assert f"{python} can make no virtual environment" in error.splitlines()[-3]


def test_pyenv_may_be_elsewhere(checkout: Checkout) -> None:
    checkout.in_pyenv(13)
    elsewhere = checkout.folder / "else where"
    (checkout.folder / ".pyenv").rename(elsewhere)
    assert f"{elsewhere}/versions/3.13.1/bin/python can make no" in checkout.make(PYENV_ROOT=str(elsewhere)).stderr


def test_an_environment_that_runs_keeps_its_python(checkout: Checkout) -> None:
    """A call with PYTHON= may have made it."""
    checkout.environment()
    checkout.in_pyenv(13)
    assert "making .venv again" not in checkout.make().stdout


def test_a_folder_that_is_no_environment_is_left_alone(checkout: Checkout) -> None:
    (checkout.folder / ".venv").mkdir()
    (checkout.folder / ".venv" / "mine.txt").write_text("keep")
    finished = checkout.make()
    assert finished.returncode == 1
    assert ".venv is in the way" in finished.stderr
    assert (checkout.folder / ".venv" / "mine.txt").exists()


def test_an_environment_made_from_the_same_files_is_left_alone(checkout: Checkout) -> None:
    """The stamp matches after a first run whose installation is faked."""
    log = checkout.environment()
    assert checkout.make().returncode == 0
    assert ".[examples]" in log.read_text()
    log.unlink()
    again = checkout.make()
    assert (again.returncode, again.stdout, log.exists()) == (0, "", False)
    os.utime(checkout.folder / "pyproject.toml")
    assert checkout.make().stdout == ""
    (checkout.folder / "pyproject.toml").write_text("[project]\nversion = '2'\n")
    assert "installing fastgrad[examples]" in checkout.make().stdout


def test_an_environment_with_more_extras_serves_for_fewer(checkout: Checkout) -> None:
    log = checkout.environment()
    assert checkout.make("test,lint").returncode == 0
    assert ".[test,lint]" in log.read_text()
    assert [checkout.make(extras).stdout for extras in ("lint", "test", "lint,test")] == ["", "", ""]
    assert "installing fastgrad[lint,cuda]" in checkout.make("lint,cuda").stdout


@pytest.mark.parametrize("reached", [True, False])
def test_what_has_a_place_of_its_own_is_asked_for_there_once_and_alone(checkout: Checkout, reached: bool) -> None:
    """Else a host that does not answer would be waited for with every package."""
    log = checkout.environment(failing="" if reached else "*early.txt")
    for name in ("wanted.txt", "early.txt"):
        (checkout.folder / name).write_text("")
    finished = checkout.make("wanted.txt", "early.txt")
    assert (finished.returncode, finished.stderr) == (0, "")
    *_, early, wanted = log.read_text().splitlines()
    assert early == "-m pip --timeout 10 --retries 1 install --quiet --no-deps --requirement early.txt"
    assert wanted == "-m pip install --quiet --requirement wanted.txt"
    assert ("what early.txt asks for is not to be had where it says" in finished.stdout) is not reached
    assert checkout.make("wanted.txt", "early.txt").stdout == ""


def test_only_the_early_file_of_the_peers_names_a_host() -> None:
    """And it asks for versions that the other one has."""
    folder = SCRIPT.parents[1] / "benchmarks" / "peers"
    assert "http" not in (folder / "requirements.txt").read_text(encoding="utf-8")
    early = (folder / "first.txt").read_text(encoding="utf-8")
    assert "--constraint requirements.txt" in early
    assert "==" not in early
