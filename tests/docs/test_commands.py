"""Commands in README.md, CONTRIBUTING.md and the pages of docs/: cheap ones run, the others name what is there.

A command is a line in a block of ``sh``, or stands between backticks in a sentence.
"""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.reliability.machines.environments import project
from tests.sessions import sessions, targets

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^ *```(?:sh|bash|console|shell)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
ANY_BLOCK = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:[A-Z_]+=\S+ )*(?:\S*python3?|\S*pip|make|fastgrad|mpiexec|pytest) [^`]+)`")
RUN_FASTGRAD = "import sys; from fastgrad._src.commands.command_line import main; sys.exit(main())"
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
FILES = {
    "train.py": "import fastgrad as tf\nfloat(tf.constant(1.0))\n",
    "course/train.py": "import tensorflow as tf\nfloat(tf.constant(1.0))\n",
    "plotter.py": "import tensorflow\n",
    "test_one.py": "import tensorflow as tf\ndef test_one():\n    assert float(tf.constant(1.0)) == 1.0\n",
}
"""The reader's files that commands name."""


def commands_in(page: str) -> Iterator[str]:
    """Yields the lines of the blocks of `sh`, and the commands between backticks."""
    for block in BLOCK.findall(page):
        yield from (line.strip() for line in block.splitlines() if shlex.split(line, comments=True))
    yield from INLINE.findall(ANY_BLOCK.sub("", page))


def simple_commands(line: str) -> Iterator[list[str]]:
    """Yields the words of each command of a line, without the variables and words of the shell before it."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= set(";&|"):
            if words:
                yield words
            words = []
        elif words or not re.fullmatch(r"[A-Z_]+=.*|until|do", word):
            words.append(word)


def run(words: Sequence[str], folder: Path) -> str:
    """Returns what a command prints in a folder; it must end with 0."""
    variables = {**ENVIRONMENT, "FASTGRAD_CACHE_DIR": str(folder / "cache")}
    done = subprocess.run(words, cwd=folder, env=variables, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout


def check_help(command: Sequence[str], words: Sequence[str], folder: Path) -> None:
    """Checks that the help of a command has the options among the words."""
    options = [word.partition("=")[0] for word in words if word.startswith("-")]
    told = run([*command, "--help"], folder) if options else ""
    assert [option for option in options if not re.search(rf"(?<![\w-]){option}(?![\w-])", told)] == []


def check_fastgrad(words: list[str], folder: Path) -> None:
    if words[0] == "warm":  # takes minutes
        check_help([sys.executable, "-c", RUN_FASTGRAD, "warm"], ["--help", *words[1:]], folder)
    else:
        run([sys.executable, "-c", RUN_FASTGRAD, *words], folder)


def check_python(words: list[str], folder: Path) -> None:
    if words[0] == "-c":
        compile(words[1], "-c", "exec")
    elif words[0] != "-m":
        assert (folder / words[0]).exists() or (ROOT / words[0]).exists()
        check_help([sys.executable, str(ROOT / words[0])], words[1:], folder)
    elif "--real-keras" in words and importlib.util.find_spec("keras") is None:
        assert words[1] == "fastgrad.as_tensorflow"
    elif words[1] == "fastgrad.as_tensorflow":
        run([sys.executable, *words], folder)
    elif words[1] == "keras_fastgrad":  # tests/keras_fastgrad runs it where Keras is installed
        assert {word for word in words if word.startswith("--")} <= {"--also"}
    elif words[1] not in ("build", "venv"):  # of other packages
        specification = importlib.util.find_spec(words[1])
        assert specification is not None, f"there is no module {words[1]}"
        if specification.submodule_search_locations:
            assert importlib.util.find_spec(f"{words[1]}.__main__") is not None
        else:
            assert 'if __name__ == "__main__":' in Path(str(specification.origin)).read_text(encoding="utf-8")
        options = words[2 : words.index("--")] if "--" in words else words[2:]
        check_help([sys.executable, "-m", words[1]], options, folder)


def check_pip(words: list[str], folder: Path) -> None:
    assert words[0] == "install"
    for extras in re.findall(r"\[(.*?)\]", " ".join(words)):
        assert set(extras.split(",")) <= {*project()["optional-dependencies"]}


def check_make(words: list[str], folder: Path) -> None:
    names = [word for word in words if "=" not in word and word != "NAME"]  # NAME: of any session
    assert {*names} <= {*sessions(), *targets()}
    arguments = [word for text in words if text.startswith("ARGS=") for word in shlex.split(text[5:])]
    assert [word for word in arguments if word.startswith(("tests/", "src/")) and not (ROOT / word).exists()] == []


def check_launcher(words: list[str], folder: Path) -> None:
    """Checks the program that the launcher of ranks starts; some sentences name options only."""
    starts = [place for place, word in enumerate(words) if word.endswith("python")]
    if starts:
        check_python(words[starts[0] + 1 :], folder)


def check_pytest(words: list[str], folder: Path) -> None:
    if words != ["-p", "keras_fastgrad.pytest_plugin"]:  # tests/keras_fastgrad runs it where Keras is installed
        run([sys.executable, "-m", "pytest", *words], folder)


def nothing(words: list[str], folder: Path) -> None:
    """Checks nothing: commands of the system."""


KINDS: dict[str, Callable[[list[str], Path], None]] = {
    "fastgrad": check_fastgrad,
    "python": check_python,
    "pip": check_pip,
    "make": check_make,
    "mpiexec": check_launcher,
    "srun": check_launcher,
    "pytest": check_pytest,
    **dict.fromkeys(("cd", "done", "git", "sleep"), nothing),
}
COMMANDS = sorted({command for page in PAGES for command in commands_in(page.read_text(encoding="utf-8"))})


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_one_that_works(command, tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    for program, *words in simple_commands(command):
        kind = program.rpartition("/")[2].removesuffix("3")
        assert kind in KINDS, f"this test does not know {program}: add it to KINDS"
        KINDS[kind](words, tmp_path)


def test_the_commands_of_a_page_are_found():
    page = "`make lint` and `X=1 .venv/bin/python -m a.b`\n```sh\n# note\nmake  # lists\na && X=1 b; until c; do d; done\n```\n```python\n`make docs`\n```\n"
    found = [*commands_in(page)]
    assert found == ["make  # lists", "a && X=1 b; until c; do d; done", "make lint", "X=1 .venv/bin/python -m a.b"]
    assert [*simple_commands(found[1])] == [["a"], ["b"], ["c"], ["d"], ["done"]]


@pytest.mark.parametrize(
    "command",
    [
        "make no-such-session",
        "make test ARGS=tests/no_such_folder",
        "pip install '.[no-such-extra]'",
        "python examples/no_such_file.py",
        "python -m benchmarks.no_such_module",
        "python -m benchmarks.first_program --no-such-option",
        "python -m benchmarks.apart",  # has nothing to run
        "fastgrad no-such-command",
        "no-such-program",
    ],
)
def test_a_command_that_does_not_work_is_found(command, tmp_path):
    with pytest.raises(AssertionError):
        test_a_command_is_one_that_works(command, tmp_path)
