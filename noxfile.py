"""The sessions: commands for work on fastgrad, each with its environment. `make` lists the usual ones, `make sessions` lists all.

`make NAME ARGS='…'` or `nox --session NAME -- …` runs one; the arguments go to its program. The environments are made by
`tools/environment.sh`, and kept. Variables change what runs: FULL=1 runs all shards, SHARD=3 another one, CHANGED=1 also the tests
that the last commits concern; PYTHON=python3.12 chooses the interpreter, which is Python 3.13 without it.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import NamedTuple

import nox
from nox.command import CommandFailed

ROOT = Path(__file__).parent
nox.options.default_venv_backend = "none"
nox.options.sessions = ["test"]
nox.options.stop_on_first_error = True

IN_TEST_ALL = ["test-all"]
"""The tag of the sessions of `make test-all` and `.ci/run`, which run in the order of this file."""


def is_set(variable: str) -> bool:
    """True if an environment variable is there and not empty."""
    return bool(os.environ.get(variable))


def environment(
    session: nox.Session, extras: str, folder: str = ".venv", early: str = "", below: str = "", interpreter: str = ""
) -> str:
    """Makes an environment with some extras, or with what a file of requirements names, and returns its Python."""
    arguments = [folder, extras, *([early] if early else [])]
    variables = {"PYTHON_BELOW": below} if below else {}
    variables |= {"PYTHON": interpreter} if interpreter else {}
    session.run("tools/environment.sh", *arguments, env=variables, external=True, log=False)
    return str(ROOT / folder / "bin" / "python")


def tensorflow(session: nox.Session, more_extras: str = "") -> str:
    """Makes the environment of TensorFlow and Keras, whose answers are compared with ours, and returns its Python."""
    return environment(session, "conformance" + more_extras, ".venv-conformance", below="3.14")


def run(session: nox.Session, *command: str, **variables: str) -> None:
    """Runs a program with some environment variables."""
    session.run(*command, env=variables, external=True)


# ---- tests ------------------------------------------------------------------------------------------------------------

BRIEFLY = ("-q", "--no-header", "-rfE", "--durations=10", "--durations-min=5")
"""A dot for each test, a line for each failure, and one for each of the ten slowest that took more than 5 s."""
SIDE_BY_SIDE = ("-n", "auto", "--maxprocesses", "8", "--dist", "worksteal")
"""A process for each processor (`tests/conftest.py` counts them), up to eight; a process without tests takes half of another's."""
SHARDS = 12

WITH_SESSIONS = ("tests/cuda", "tests/distribute", "tests/keras_fastgrad", "tests/reliability/random_programs")
"""Tests that need another environment, launcher or much time: they have sessions of their own."""
WITH_ALL_THREADS = ("tests/kernels/runtime", "tests/test_threads_and_fork.py")
"""Tests of threads: those that run side by side have one thread each."""


class Tests(NamedTuple):
    """A run of pytest.

    Args:
        arguments: paths and options, separated by spaces.
        modules_of: the number of shards, of which the modules of one run; 0 for all modules. FULL=1 runs all.
        side_by_side: whether the tests run in a process for each processor.
        whole_if_changed: whether CHANGED=1 adds the tests that the last commits concern.
        variables: environment variables, as `NAME=value`.
    """

    arguments: str
    modules_of: int = 0
    side_by_side: bool = True
    whole_if_changed: bool = False
    variables: str = ""


def shard(count: int) -> list[str]:
    """The options of pytest for one of some shards; none with FULL=1."""
    if not count or is_set("FULL"):
        return []
    return ["--shards", str(count), *(["--shard", os.environ["SHARD"]] if is_set("SHARD") else [])]


def pytest(session: nox.Session, python: str, tests: Tests, *more: str, **variables: str) -> None:
    """Runs tests."""
    selection = shard(tests.modules_of)
    options = [
        *BRIEFLY,
        *(SIDE_BY_SIDE if tests.side_by_side else ()),
        *selection,
        *(["--by-module"] if selection else []),
        *(["--whole-if-changed"] if tests.whole_if_changed and is_set("CHANGED") else []),
    ]
    variables |= dict(pair.split("=") for pair in tests.variables.split())
    run(session, python, "-m", "pytest", *options, *tests.arguments.split(), *more, *session.posargs, **variables)


def add_tests(name: str, purpose: str, *runs: Tests, extras: str = "test", tags: list[str] | None = None) -> None:
    """Adds a session that runs tests in `.venv`."""

    def tests_of_session(session: nox.Session) -> None:
        python = environment(session, extras)
        for tests in runs:
            pytest(session, python, tests)

    tests_of_session.__doc__ = purpose
    nox.session(tests_of_session, name=name, tags=tags)


@nox.session(tags=IN_TEST_ALL)
def test(session: nox.Session) -> None:
    """Runs a shard of the tests, in some minutes. With a path in tests/ as an argument: all tests of this path."""
    python = environment(session, "test")
    if any("tests/" in argument for argument in session.posargs):
        pytest(session, python, Tests(""))
        return
    pytest(session, python, Tests("", whole_if_changed=True), *shard(SHARDS), *tests_of_package())
    run(session, python, "-m", "pytest", *BRIEFLY, *WITH_ALL_THREADS)


def tests_of_package() -> list[str]:
    """The options of pytest that leave out the tests with sessions of their own."""
    return [f"--ignore={path}" for path in (*WITH_SESSIONS, *WITH_ALL_THREADS)]


def pythons_of_machine(session: nox.Session, function: str) -> dict[str, str]:
    """The result of a function of `tests/reliability/machines/environments.py`: commands of Pythons, by version."""
    code = f"import json; from tests.reliability.machines import environments; print(json.dumps(environments.{function}()))"
    python = environment(session, "test")
    return dict(json.loads(str(session.run(python, "-c", code, silent=True, external=True, log=False))))


def test_with_python(session: nox.Session, version: str, interpreter: str, modules_of: int) -> None:
    """Runs the demo, the README's programs and a shard of the tests on a Python."""
    python = environment(session, "test,examples", f".venv-python{version}", interpreter=interpreter)
    run(session, python, "examples/digits.py")
    pytest(session, python, Tests("tests/test_readme.py -k README.md", side_by_side=False))
    pytest(session, python, Tests("", modules_of), *tests_of_package())


@nox.session
def pythons(session: nox.Session) -> None:
    """Runs the demo, the README's programs and a shard of the tests on each Python that is installed here."""
    for version, interpreter in pythons_of_machine(session, "pythons").items():
        test_with_python(session, version, interpreter, SHARDS)


@nox.session(name="test-python", tags=IN_TEST_ALL)
def test_python(session: nox.Session) -> None:
    """Runs the same with fewer tests on one other Python, which the commit's tree chooses (two of three times the oldest)."""
    others = pythons_of_machine(session, "other_python")
    if not others:
        session.skip("no other Python that fastgrad takes is installed here")
    for version, interpreter in others.items():
        test_with_python(session, version, interpreter, 4 * SHARDS)


add_tests(
    "test-threads",
    "Runs the tests of whole programs again, with all threads (a third).",
    Tests("tests/compiler/programs", modules_of=3, side_by_side=False),
    tags=IN_TEST_ALL,
)


@nox.session(name="test-random-programs", tags=IN_TEST_ALL)
def test_random_programs(session: nox.Session) -> None:
    """Runs 240 random programs (FULL=1: 20,000) eager, compiled and on TensorFlow; differentiates 30 (20,000) functions."""
    variables = {}
    try:
        variables["FASTGRAD_REFEREE_PYTHON"] = tensorflow(session)
    except CommandFailed:
        if is_set("FULL"):
            raise
        session.warn("TensorFlow could not be installed: random programs are not compared with it")
    full = "--full " if is_set("FULL") else ""
    pytest(session, environment(session, "test"), Tests(full + "tests/reliability/random_programs"), **variables)


def derivative_tests(names: str) -> str:
    """The paths of tests of derivatives."""
    return " ".join(f"tests/derivatives/test_{name}.py" for name in names.split())


# Values and gradients, which are the same by Numba's own pipeline; other tests are about what fastgrad puts in its place.
PLAIN_NUMBA = derivative_tests(
    "callees complex_numbers gradients language linear_algebra matrix_products parallel_loops random_draws "
    "second_derivatives special_functions"
)
# Bodies, functions of numbers, tiles, emitted groups, users' functions, whole steps and derivatives: all that is asked of Numba.
ASKED_OF_NUMBA = " ".join(
    (
        "tests/jit tests/kernels/math tests/kernels/gemm tests/compiler/fusion tests/compiler/test_optimizer_steps.py",
        "tests/custom_operations",
        PLAIN_NUMBA,
        derivative_tests(
            "code disk_cache exceptional_exits exponential inferred_callees ordered_sums plain_numba stages "
            "typed_functions"
        ),
    )
)


@nox.session(name="test-numba", tags=IN_TEST_ALL)
def test_numba(session: nox.Session) -> None:
    """Tests the compiler and derivatives with the oldest Numba (a sixth; FULL=1: also by Numba's own pipeline)."""
    python = environment(session, "test,oldest", ".venv-numba")
    pytest(session, python, Tests(ASKED_OF_NUMBA, modules_of=6))
    if is_set("FULL"):
        pytest(session, python, Tests(PLAIN_NUMBA, variables="FASTGRAD_PLAIN_NUMBA=1"))


CHECKED = "FASTGRAD_CHECK_BOUNDS=1"
add_tests(
    "test-checked",
    "Tests kernels, operations and programs with every access of memory checked (a twelfth).",
    Tests("tests/kernels tests/ops tests/compiler", modules_of=12, variables=CHECKED),
    Tests("tests/kernels/runtime tests/compiler/programs", modules_of=12, side_by_side=False, variables=CHECKED),
    tags=IN_TEST_ALL,
)
add_tests(
    "test-cuda",
    "Compiles kernels for NVIDIA GPUs to machine code and runs them in simulation (a quarter).",
    Tests("tests/cuda", modules_of=4, whole_if_changed=True),
    extras="test,cuda",
    tags=IN_TEST_ALL,
)


@nox.session(name="test-keras", tags=IN_TEST_ALL)
def test_keras(session: nox.Session) -> None:
    """Tests Keras on fastgrad, and runs a sample of Keras's own tests (FULL=1: all of them)."""
    python = environment(session, "test,keras,jax", ".venv-keras")  # Keras's tests of trainers import JAX
    pytest(session, python, Tests("tests/keras_fastgrad", side_by_side=False))
    run(session, python, "-m", "tests.keras_fastgrad.keras_tests", *(["--full"] if is_set("FULL") else []))


KERNELS_WITH_LANES = "tests/kernels/test_properties.py tests/kernels/gemm tests/jit/test_bounds.py"
add_tests(
    "test-lanes",
    "Tests kernels with vectors of 4 and 8 float32 lanes (a third).",
    *(Tests(KERNELS_WITH_LANES, modules_of=3, variables=f"FASTGRAD_LANES={lanes}") for lanes in (4, 8)),
    tags=IN_TEST_ALL,
)
add_tests(
    "test-distributed",
    "Tests tf.distribute, on 2 to 4 ranks under MPI's launcher (a quarter).",
    Tests("tests/distribute", modules_of=4, side_by_side=False, whole_if_changed=True),  # ranks take all processors
    tags=IN_TEST_ALL,
)
add_tests(
    "test-gpu",
    "Runs the tests that need an NVIDIA GPU; says why they are skipped where there is none.",
    Tests("-rs -m gpu tests/cuda", side_by_side=False),
    extras="test,cuda",
)
add_tests(
    "test-timed",
    "Runs the tests that compare times, on an idle machine.",
    Tests("-m timed", side_by_side=False),
)
add_tests(
    "test-derivatives",
    "Runs all tests of derivatives of Numba functions.",
    Tests("tests/derivatives"),
)


@nox.session(name="test-versions")
def test_versions(session: nox.Session) -> None:
    """Runs the suite with the lowest Python and dependencies, with the newest, and with vectors of 4 and 8 lanes."""
    run(session, environment(session, "test"), "-m", "tests.reliability.machines", *session.posargs)


@nox.session(name="test-packages")
def test_packages(session: nox.Session) -> None:
    """Checks derivatives of packages' Numba functions (arguments: packages); writes docs/numba_packages.md."""
    run(session, environment(session, "packages", ".venv-packages"), "-m", "tests.packages", *session.posargs)


@nox.session
def bridges(session: nox.Session) -> None:
    """Tests fastgrad.pytensor, fastgrad.torch and fastgrad.jax: Numba functions in models of these libraries."""
    python = environment(session, "test,bridges", ".venv-bridges")
    paths = " ".join(f"tests/derivatives/bridges/test_{name}.py" for name in ("pytensor", "torch", "jax"))
    pytest(session, python, Tests(paths, side_by_side=False))
    run(session, python, "-m", "pytest", *BRIEFLY, "tests/test_examples.py", "-k", "pymc or numpyro")


# ---- the long forms of tests/reliability, each a part of docs/reliability.md; `make test` runs the short ones ---------------

RELIABILITY = "--full tests/reliability/"
add_tests(
    "test-boundaries",
    "Tries every kernel at every border of its blocks, vectors and threads.",
    Tests(RELIABILITY + "boundaries"),
)


@nox.session(name="test-gradients")
def test_gradients(session: nox.Session) -> None:
    """Compares every gradient with TensorFlow's and with central differences."""
    referee = tensorflow(session)
    tests = Tests(RELIABILITY + "gradients")
    pytest(session, environment(session, "test"), tests, FASTGRAD_REFEREE_PYTHON=referee)


add_tests(
    "test-bad-input",
    "Makes wrong calls of every public family, and fuzzes the checks of arguments.",
    Tests(RELIABILITY + "bad_input"),
)
add_tests(
    "test-bad-arguments",
    "Compares errors of derivatives with those of their functions.",
    Tests(RELIABILITY + "bad_arguments"),
)
add_tests(
    "test-hostile-files",
    "Gives damaged and malicious files to every reader.",
    Tests(RELIABILITY + "hostile_files"),
    extras="test,parquet",
)
add_tests(
    "test-faults",
    "Kills processes, fills disks, fails allocations, interrupts steps.",
    Tests(RELIABILITY + "faults", side_by_side=False),
)
add_tests(
    "test-memory",
    "Replays a million times, changes shapes, defines steps again: memory stays flat.",
    Tests(RELIABILITY + "memory", side_by_side=False),
)
add_tests(
    "test-accuracy",
    "Measures the error of every function, sum and statistic, and compares threads.",
    Tests(RELIABILITY + "accuracy"),
)
add_tests(
    "test-machines",
    "Runs kernels on emulated ARM and AVX2 processors, and with other widths of vectors.",
    Tests(RELIABILITY + "machines", side_by_side=False),
)


@nox.session
def search(session: nox.Session) -> None:
    """Looks for defects with fresh draws: random programs and derivatives, wrong calls, sizes at borders."""
    tensorflow(session)
    seed = str(
        int(time.time())
    )  # other sessions draw by the commit's tree; what this one finds becomes a test with a name
    session.log(f"FASTGRAD_RANDOM_SEED={seed} draws the same again")
    tests = Tests(
        "tests/reliability/random_programs tests/reliability/boundaries tests/reliability/bad_input/test_fuzz.py "
        + derivative_tests("gradients checkpoints")
    )
    pytest(session, environment(session, "test"), tests, FASTGRAD_RANDOM_SEED=seed)


@nox.session
def mutations(session: nox.Session) -> None:
    """Makes seeded defects in src, and counts those that the tests find (arguments: --count 100 --seed 7)."""
    run(session, environment(session, "test,mutations"), "tools/mutations.py", *session.posargs)


# ---- style ------------------------------------------------------------------------------------------------------------

CHECKS = {
    "rules": [("-m", "ruff", "check")],
    "format": [("-m", "ruff", "format", "--check")],
    "words": [("tools/plain_words.py",), ("tools/names_in_text.py",)],
    "types": [("-m", "mypy")],
    "interface": [("-m", "basedpyright", "--level", "error")],
    "size": [("tools/source_size.py",)],
    "imports": [("-c", "from importlinter.cli import lint_imports_command as run; run()")],
}


@nox.session
def lint(session: nox.Session) -> None:
    """Checks style, format, words, types, the size of src and import arrows, or those that are named (arguments: rules types)."""
    python = environment(session, "lint")
    if not CHECKS.keys() >= {*session.posargs}:
        session.error(f"the checks are {', '.join(CHECKS)}")
    for check in session.posargs or CHECKS:
        for command in CHECKS[check]:
            run(session, python, *command)


# ---- comparison with TensorFlow and Keras -----------------------------------------------------------------------------------


@nox.session
def conformance(session: nox.Session) -> None:
    """Compares with real TensorFlow, in an environment of its own."""
    referee = tensorflow(session)
    tests = Tests("tests/conformance tests/core/test_names.py tests/keras/saving", side_by_side=False)
    pytest(session, environment(session, "test"), tests, FASTGRAD_REFEREE_PYTHON=referee)


@nox.session
def record(session: nox.Session) -> None:
    """Asks TensorFlow for recorded answers that are missing or stale (arguments: files, whose answers are all asked again)."""
    referee = tensorflow(session)
    python = environment(session, "test")
    run(session, python, "-m", "tests.record", *session.posargs, FASTGRAD_REFEREE_PYTHON=referee)


@nox.session(name="conformance-suites")
def conformance_suites(session: nox.Session) -> None:
    """Runs the peers' own tests from copies: KERAS=folder TENSORFLOW=folder; writes docs/conformance.md."""
    tensorflow(session, ",suites")
    folders = [
        word for name in ("KERAS", "TENSORFLOW") if is_set(name) for word in (f"--{name.lower()}", os.environ[name])
    ]
    python = environment(session, "test,suites")
    run(session, python, "-m", "tests.conformance.suites", *folders, *session.posargs)


# ---- written pages ----------------------------------------------------------------------------------------------------


@nox.session
def names(session: nox.Session) -> None:
    """Writes the table of the names of TensorFlow and Keras, and the pages that list them."""
    run(session, tensorflow(session), "tools/names_table.py", "--peers")
    run(session, environment(session, "test"), "tools/names_table.py")


@nox.session(name="package-graph")
def package_graph(session: nox.Session) -> None:
    """Writes into docs/design.md which packages import which."""
    run(session, environment(session, "test"), "tools/package_graph.py")


@nox.session
def reliability(session: nox.Session) -> None:
    """Makes docs/reliability.md of the figures of the long forms of tests/reliability."""
    run(session, environment(session, "test"), "-m", "tests.reliability.page")


@nox.session
def performance(session: nox.Session) -> None:
    """Makes docs/performance.md and the picture of the README from the committed results."""
    run(session, environment(session, "benchmarks"), "-m", "benchmarks.dashboard.performance")


def build_site(session: nox.Session) -> None:
    """Builds site/docs; a warning of Sphinx is a failure."""
    run(session, environment(session, "docs", ".venv-docs"), "tools/site/build.py")


@nox.session
def docs(session: nox.Session) -> None:
    """Builds the documentation site, site/docs/index.html, with the reference of all public names."""
    build_site(session)


@nox.session(name="test-docs", tags=IN_TEST_ALL)
def test_docs(session: nox.Session) -> None:
    """Builds the documentation site, checks its links, and opens it in a browser where there is one."""
    try:
        environment(session, "docs", ".venv-docs")
    except CommandFailed:
        session.skip("Sphinx could not be installed: the documentation site is neither built nor tested")
    build_site(session)
    tests = Tests("tests/docs/test_site.py", side_by_side=False, variables="FASTGRAD_SITE=site/docs")
    pytest(session, environment(session, "test"), tests)


@nox.session
def dashboard(session: nox.Session) -> None:
    """Makes the page of all committed results, site/index.html, and asv's site beside it."""
    python = environment(session, "benchmarks")
    run(session, python, "-m", "benchmarks.dashboard", *session.posargs, HOME=HOME_OF_ASV)


# ---- examples and wheels ----------------------------------------------------------------------------------------------


@nox.session
def demo(session: nox.Session) -> None:
    """Trains on the handwritten digits and draws the learning curve."""
    run(session, environment(session, "examples"), "examples/digits.py", *session.posargs)


@nox.session(name="demo-distributed")
def demo_distributed(session: nox.Session) -> None:
    """Trains the digits on two ranks of MPI and in one process, and draws both losses."""
    run(session, environment(session, "examples,mpi"), "examples/distributed_demo.py", *session.posargs)


@nox.session
def wheel(session: nox.Session) -> None:
    """Builds a wheel with compiled kernels for all levels of processors of this architecture, in dist/."""
    python = environment(session, "test")
    run(session, python, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", "dist", ".", FASTGRAD_KERNELS="all")


@nox.session(name="try-release")
def try_release(session: nox.Session) -> None:
    """Builds sdist and wheels in dist/, installs each in an empty environment, and runs the README's program there."""
    run(session, environment(session, "release", ".venv-release"), "-m", "tools.try_release", *session.posargs)


# ---- benchmarks -------------------------------------------------------------------------------------------------------

# asv keeps a file about the machine in the home folder, and asks questions when there is none.
HOME_OF_ASV = str(ROOT / ".asv" / "home")


def kernels_of_tests() -> dict[str, str]:
    """The folder of kernels that `tests/conftest.py` names: those that tests have compiled are not compiled again."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return {"FASTGRAD_CACHE_DIR": os.environ.get("FASTGRAD_CACHE_DIR") or f"{caches}/fastgrad-tests/kernels"}


def asv(session: nox.Session, python: str, command: str, *arguments: str, **variables: str) -> None:
    """Runs a command of asv on this machine, which asv knows by a name of ours."""
    Path(HOME_OF_ASV).mkdir(parents=True, exist_ok=True)
    machine = str(session.run(python, "-m", "benchmarks.machine", silent=True, external=True, log=False)).strip()
    variables["HOME"] = HOME_OF_ASV
    asv_command = (python, "-m", "asv")
    session.run(
        *asv_command, "machine", "--yes", "--machine", machine, env=variables, silent=True, external=True, log=False
    )
    run(session, *asv_command, *command.split(), "--machine", machine, *arguments, **variables)


def bench_commit(session: nox.Session, python: str, *arguments: str, **variables: str) -> None:
    """Runs asv's suite on the checked-out commit, and shows its history."""
    commit = str(session.run("git", "rev-parse", "HEAD", silent=True, external=True, log=False)).strip()
    command = f"run --python=same --set-commit-hash {commit} --show-stderr --attribute rounds=1"
    asv(session, python, command, *arguments, *session.posargs, **variables)
    run(session, python, "-m", "benchmarks.history", **variables)


@nox.session
def bench(session: nox.Session) -> None:
    """Runs the asv suite on the checked-out commit; results go to benchmarks/results/asv."""
    bench_commit(session, environment(session, "benchmarks"))


@nox.session(name="bench-quick")
def bench_quick(session: nox.Session) -> None:
    """Runs each benchmark once, to see that it works; keeps no results (a twelfth of the modules; FULL=1: all)."""
    python = environment(session, "test,benchmarks")
    arguments = ["--quick", "--dry-run"]
    if not is_set("FULL"):
        select = (python, "-m", "tests.selection", str(SHARDS), "benchmarks")
        arguments += ["--bench", str(session.run(*select, silent=True, external=True, log=False)).strip()]
    bench_commit(session, python, *arguments, **kernels_of_tests())


@nox.session(name="bench-compare")
def bench_compare(session: nox.Session) -> None:
    """Compares the checked-out commit with BASE=…, in environments of their own, rounds interleaved."""
    if not is_set("BASE"):
        session.error('name what to compare with: make bench-compare BASE=main [ARGS="--bench training"]')
    command = "continuous --config benchmarks/compare.conf.json --interleave-rounds --split"
    asv(session, environment(session, "benchmarks"), command, os.environ["BASE"], "HEAD", *session.posargs)


@nox.session(name="bench-distributed")
def bench_distributed(session: nox.Session) -> None:
    """Times data-parallel steps beside PyTorch's, projects them to 64 hosts; writes docs/distributed.md."""
    python = environment(session, "benchmarks")
    run(session, python, "-m", "benchmarks.distributed", *session.posargs)
    run(session, python, "-m", "benchmarks.projection")


@nox.session
def gate(session: nox.Session) -> None:
    """Fails on a slow-down that is certain: times over NumPy's, instructions by valgrind where it is."""
    python = environment(session, "benchmarks")
    run(session, python, "-m", "benchmarks.gate", *session.posargs, **kernels_of_tests())


@nox.session(name="peers-env")
def peers_env(session: nox.Session) -> None:
    """Makes the environment of TensorFlow, PyTorch and JAX, .venv-peers."""
    folder = "benchmarks/peers/"
    environment(session, folder + "requirements.txt", ".venv-peers", early=folder + "first.txt", below="3.14")


@nox.session
def peers(session: nox.Session) -> None:
    """Compares with those of TensorFlow, PyTorch and JAX that are there (QUICK=1: in ten minutes, not ninety)."""
    python = environment(session, "benchmarks")
    length = ("--quick",) if is_set("QUICK") else ("--minutes", "70")
    run(session, python, "-m", "benchmarks.peers", *length, *session.posargs)
    if not is_set("QUICK") and not session.posargs:
        run(session, python, "-m", "benchmarks.peers.scaling", "--minutes", "18")


@nox.session
def newest(session: nox.Session) -> None:
    """Names the pages that measure an older release of another library than the package index has."""
    run(session, environment(session, "benchmarks"), "-m", "benchmarks.newest", *session.posargs)


@nox.session
def gradbench(session: nox.Session) -> None:
    """Compares derivatives of GradBench's problems with the tools of a copy of it: GRADBENCH=folder."""
    folder = ("--gradbench", os.environ["GRADBENCH"]) if is_set("GRADBENCH") else ()
    run(session, environment(session, "benchmarks"), "-m", "benchmarks.gradbench", *folder, *session.posargs)


@nox.session
def tables(session: nox.Session) -> None:
    """Measures products, eager operations, threads, first calls, memory ..., and keeps what is printed."""
    run(session, environment(session, "benchmarks"), "-m", "benchmarks.tables", *session.posargs)
