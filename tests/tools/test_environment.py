"""`tools/environment.sh` finds a Python that really runs, and says what to do when it can make no environment."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "environment.sh"
NEEDED = ("cat", "cksum", "dirname", "head", "id", "mktemp", "rm", "sh")
SHIM = "#!/bin/sh\necho 'python3.14: command not found; it exists in other versions' >&2\nexit 127\n"
WITHOUT_VENV = f"""#!/bin/sh
case "$*" in "-m venv"*|"-m virtualenv"*) echo 'ensurepip is not available' >&2; exit 1;; esac
exec {sys.executable} "$@"
"""

pytestmark = pytest.mark.skipif(shutil.which("cksum") is None, reason="the script needs a POSIX system")


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
        path = self.commands / name
        path.write_text(text)
        path.chmod(0o755)

    def make(self, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.folder / "tools" / "environment.sh", ".venv", "examples"],
            env={"PATH": str(self.commands), "HOME": str(self.folder), **settings},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_without_any_python_one_line_installs_one(checkout: Checkout) -> None:
    checkout.command("python3.14", SHIM)
    finished = checkout.make()
    assert finished.returncode == 1
    assert "needs a Python from 3.10" in finished.stderr
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


def test_a_folder_that_is_no_environment_is_left_alone(checkout: Checkout) -> None:
    (checkout.folder / ".venv").mkdir()
    (checkout.folder / ".venv" / "mine.txt").write_text("keep")
    finished = checkout.make()
    assert finished.returncode == 1
    assert ".venv is in the way" in finished.stderr
    assert (checkout.folder / ".venv" / "mine.txt").exists()


def test_an_environment_made_from_the_same_files_is_left_alone(checkout: Checkout) -> None:
    """The stamp matches after a first run whose installation is faked."""
    environment = checkout.folder / ".venv" / "bin"
    environment.mkdir(parents=True)
    (checkout.folder / ".venv" / "pyvenv.cfg").write_text("")
    log = checkout.folder / "pip.log"
    python = environment / "python"
    python.write_text(
        f'#!/bin/sh\ncase "$*" in "-m pip"*) echo "$*" >>{log}; exit;; *"import pip") exit;; esac\nexec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    assert checkout.make().returncode == 0
    assert ".[examples]" in log.read_text()
    log.unlink()
    again = checkout.make()
    assert (again.returncode, again.stdout, log.exists()) == (0, "", False)
    os.utime(checkout.folder / "pyproject.toml")
    assert checkout.make().stdout == ""
    (checkout.folder / "pyproject.toml").write_text("[project]\nversion = '2'\n")
    assert "installing fastgrad[examples]" in checkout.make().stdout
