"""Kernels that are compiled ahead: into the cache by `fastgrad warm`, and into the files that a wheel brings."""

import gc
import json
import os
import subprocess
import sys
from collections import Counter

import pytest

from benchmarks import first_derivatives
from fastgrad._src.commands import warm
from fastgrad._src.commands.typical_programs import TypicalComputation, TypicalProgram
from fastgrad._src.derivatives.typical_derivatives import TypicalDerivative
from fastgrad._src.jit import build, cache, isa
from fastgrad._src.jit.bounds import checks_bounds
from fastgrad._src.jit.isa import LEVELS, host_levels
from fastgrad._src.jit.native import Machine, target_machine
from fastgrad._src.kernels.movement.numbering import cross
from fastgrad._src.kernels.reduction.softmax import softmax_gradient

pytestmark = pytest.mark.skipif(checks_bounds(), reason="code that is compiled ahead is not checked")

MODULES = ("fastgrad._src.kernels.elementwise.map_kernel", "fastgrad._src.kernels.reduction.row_blocks")

SHIP = """
import sys
from fastgrad._src.commands import warm
from fastgrad._src.jit import store
store.compile_for_wheel(sys.argv[1], sys.argv[2])
for kernel, variables in warm.list_library_kernels():
    if kernel.function.__module__ in sys.argv[3:]:
        kernel.code(variables)
"""

USE = """
import sys
import numpy as np
from fastgrad._src.jit import cache
cache.INSTALLED_FOLDER = sys.argv[1]
from fastgrad._src.kernels.elementwise import activation
x, out = np.ones(3, np.float32), np.empty(3, np.float32)
activation.gelu[x.dtype](x, out, 0, 3)
print(float(out[0]), "numba" in sys.modules)
"""


def _run(code, *arguments, text="", **environment):
    run = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        input=text,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "FASTGRAD_QUIET": "1", **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


def test_the_kernels_of_the_library_are_found_in_a_fixed_order():
    gc.unfreeze()  # tests/conftest.py hides objects from the garbage collector, which tells of the kernels
    names = [(kernel.__name__, tuple(variables.items())) for kernel, variables in warm.list_library_kernels()]
    assert {"gemm", "softmax", "adam", "begin_on_pool", "lstm_gradient", "attention"} <= {name for name, _ in names}
    assert ("gelu", (("T", "float32"),)) in names
    assert names == [(kernel.__name__, tuple(variables.items())) for kernel, variables in warm.list_library_kernels()]


@pytest.mark.skipif(not host_levels(), reason="this processor is of no level")
def test_a_process_takes_code_of_its_level_from_the_package_without_importing_numba(tmp_path):
    level, installed = host_levels()[0], tmp_path / "installed"
    _run(SHIP, level, str(tmp_path / "entries"), *MODULES)
    assert cache.pack_folder(str(tmp_path / "entries"), str(installed / f"{level}.db")) > 10
    value, numba = _run(USE, str(installed), FASTGRAD_CACHE_DIR=str(tmp_path / "empty"))
    assert float(value) == pytest.approx(0.8413447)
    assert numba == "False"
    assert not (tmp_path / "empty").exists()


@pytest.mark.skipif(not host_levels(), reason="this processor is of no level")
def test_a_damaged_or_foreign_file_of_entries_is_passed_over(tmp_path):
    level, installed = host_levels()[0], tmp_path / "installed"
    _run(SHIP, level, str(tmp_path / "entries"), *MODULES)
    for entry in (tmp_path / "entries").iterdir():
        entry.write_bytes(entry.read_bytes()[:-1] + b"?")
    cache.pack_folder(str(tmp_path / "entries"), str(installed / f"{level}.db"))
    value, numba = _run(USE, str(installed), FASTGRAD_CACHE_DIR=str(tmp_path / "cache"))
    assert float(value) == pytest.approx(0.8413447)
    assert numba == "True"
    (installed / f"{level}.db").write_bytes(b"SQLite format 3\0 and no more")
    value, _ = _run(USE, str(installed), FASTGRAD_CACHE_DIR=str(tmp_path / "other"))
    assert float(value) == pytest.approx(0.8413447)


ARM_LINUX = Machine("aarch64-unknown-linux-gnu", "neoverse-n1", "+fp-armv8,+neon,+sve")


@pytest.mark.parametrize(
    ("machine", "level", "triple"),
    [
        (ARM_LINUX, "armv8-a", "aarch64-unknown-linux-gnu"),
        (ARM_LINUX._replace(triple="arm64-apple-darwin24.6.0"), "armv8-a", "arm64-apple-darwin20"),
        (Machine("x86_64-apple-darwin23", "skylake", LEVELS["x86-64-v3"][1]), "x86-64-v3", "x86_64-apple-darwin20"),
        (Machine("powerpc64le-unknown-linux-gnu", "pwr9", "+vsx"), None, None),
    ],
)
def test_levels_are_of_the_architecture_and_of_all_versions_of_the_system(monkeypatch, machine, level, triple):
    monkeypatch.setattr(isa, "target_machine", lambda: machine)
    assert isa.host_levels.__wrapped__() == ((level,) if level else ())
    if level:
        assert level in isa.levels_of_architecture()
        assert isa.level_machine(level).triple == triple


def test_a_wheel_gets_a_file_for_each_level(tmp_path, monkeypatch, capsys):
    def compile_side_by_side(processes, arguments, work):
        assert processes == 3
        assert work == ([*warm.WORK] if arguments[1] == "x86-64-v3" else ["kernels"])
        _, level, _, folder = arguments
        cache.write(folder, f"kernel of {level}", cache.Entry(b"code", ()))
        yield 1, 1

    monkeypatch.setattr(warm, "compile_side_by_side", compile_side_by_side)
    monkeypatch.setattr(warm, "host_levels", lambda: ("x86-64-v3",))
    warm.compile_for_wheel(["x86-64-v4", "x86-64-v3"], str(tmp_path), 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x86-64-v3.db", "x86-64-v4.db"]
    monkeypatch.setattr(cache, "INSTALLED_FOLDER", str(tmp_path))
    assert cache.load_installed("x86-64-v3", "kernel of x86-64-v3").code == b"code"
    cache.close_installed()
    assert "x86-64-v4: 1 of 1 kernels, programs and derivatives" in capsys.readouterr().out


def test_a_level_is_one_that_the_processor_has_all_features_of():
    features = set(target_machine().features.split(","))
    for level in host_levels():
        assert features.issuperset(LEVELS[level][1].split(","))


PARTS = """
from fastgrad._src.commands import warm
from fastgrad._src.jit.build import Kernel
compiled = []
Kernel.compile_variants = lambda self, variables: compiled.append((id(self), *variables.items()))
parts = [len(list(warm.compile_kernels(part, 3))) for part in range(3)]
print(len(set(compiled)), len(compiled), sum(parts), len(warm.list_library_kernels()))
"""


def test_each_part_compiles_its_own_kernels():
    counts = _run(PARTS)  # in a process of its own: other tests make kernels of the library's functions, and drop them
    assert int(counts[0]) > 1000
    assert len(set(counts)) == 1


def test_programs_and_derivatives_are_compiled_after_the_kernels_by_all_processes(monkeypatch):
    lines = []

    def lines_of_processes(processes, arguments):
        lines.append((processes, *arguments))
        yield from [b"one", b"two"]

    monkeypatch.setattr(warm, "_lines_of_processes", lines_of_processes)
    total = len(warm.list_library_kernels()) + len(warm.list_typical_programs()) + len(warm.list_typical_derivatives())
    assert list(warm.compile_side_by_side(2, ["--level", "x"])) == [(done, total) for done in range(1, 7)]
    assert lines == [(2, "--work", work, "--level", "x") for work in ("kernels", "programs", "derivatives")]


def test_each_part_runs_its_own_programs(monkeypatch):
    run = []

    def note(program):
        run.append(program)

    monkeypatch.setattr(TypicalProgram, "run", note)
    monkeypatch.setattr(TypicalComputation, "run", note)
    names = [list(warm.compile_programs(part, 3)) for part in range(3)]
    assert Counter(run) == Counter(warm.list_typical_programs())
    assert sum(map(len, names)) == len(run)


def test_each_part_computes_its_own_derivatives(monkeypatch):
    run = []

    def note(derivative):
        run.append(derivative.name)

    monkeypatch.setattr(TypicalDerivative, "run", note)
    names = [name for part in range(3) for name in warm.compile_derivatives(part, 3)]
    assert names == run
    assert sorted(names) == sorted(derivative.name for derivative in warm.list_typical_derivatives())


DERIVATIVES = """
import json, sys, textwrap
import numpy as np
from fastgrad._src.jit import cache, library_functions
if sys.argv[1:]:
    cache.INSTALLED_FOLDER = sys.argv[1]
import fastgrad as fg

compiled, values = [], {}
compile_function = library_functions._NamingCompiler.compile

def note(self, arguments, return_type):
    compiled.append(f"{self.py_func.__qualname__}{arguments}")
    return compile_function(self, arguments, return_type)

library_functions._NamingCompiler.compile = note
head, functions = json.load(sys.stdin)
for name, (function, arguments) in functions.items():
    scope = {"__name__": "model"}
    exec(head + textwrap.dedent(function).replace("SALT", "1e-9"), scope)
    value, gradient = fg.value_and_grad(scope["f"])(*eval(arguments, scope))
    values[name] = [float(value).hex(), np.asarray(gradient).tobytes().hex()]
print(json.dumps([compiled, values]))
"""


def _derivatives(functions, *arguments, **environment):
    """Returns the functions of this package that a process compiles for the derivatives of functions, and the values and gradients in bits."""
    text = json.dumps([first_derivatives.HEAD, functions])
    return json.loads(" ".join(_run(DERIVATIVES, *arguments, text=text, **environment)))


@pytest.mark.skipif(not host_levels(), reason="this processor is of no level")
def test_a_process_takes_what_derivatives_call_from_the_package(tmp_path):
    """The benchmark's functions are typical, and none of their derivatives calls a function of this package that a wheel lacks."""
    level, installed, entries = host_levels()[0], tmp_path / "installed", tmp_path / "entries"
    arguments = ["--work", "derivatives", "--level", level, "--folder", str(entries)]
    names = _run(f"from fastgrad._src.commands import warm\nwarm.main({arguments})")
    assert names == [derivative.name for derivative in warm.list_typical_derivatives()]
    assert cache.pack_folder(str(entries), str(installed / f"{level}.db")) > 90
    compiled, values = _derivatives(
        first_derivatives.FUNCTIONS, str(installed), FASTGRAD_CACHE_DIR=str(tmp_path / "empty")
    )
    assert compiled == []
    chosen = {name: first_derivatives.FUNCTIONS[name] for name in ("garch", "process")}
    compiled, expected = _derivatives(chosen, FASTGRAD_CACHE_DIR=str(tmp_path / "cache"))
    assert any(name.startswith("zero_product") for name in compiled)
    assert expected == {name: values[name] for name in chosen}


MACHINE_OF_NUMBA = """
import sys
from fastgrad._src.jit import dispatcher_cache, store
from fastgrad._src.jit.numba_internals import cpu_target
if sys.argv[1:]:
    store.compile_for_wheel(*sys.argv[1:])
content = dispatcher_cache._content("key")
dispatcher_cache.compile_for_level_of_wheel()
assert dispatcher_cache._content("key") == content
codegen = cpu_target.target_context.codegen()
print(codegen._get_host_cpu_name(), codegen._tm_features)
"""


@pytest.mark.parametrize("level", host_levels())
def test_numba_compiles_for_the_level_of_a_wheel(level, tmp_path):
    assert _run(MACHINE_OF_NUMBA, level, str(tmp_path)) == list(LEVELS[level])
    assert _run(MACHINE_OF_NUMBA)[0] == target_machine().cpu


def test_kernels_that_write_over_an_operand_are_compiled_for_that_too(monkeypatch):
    compiled = []
    monkeypatch.setattr(build, "_object_code", compiled.append)
    softmax_gradient.compile_variants({"T": "float32"})
    assert [source.in_place for source in compiled] == [(), ((2, 0),), ((2, 1),)]
    compiled.clear()
    cross.compile_variants({"T": "float32"})  # it promises nothing of its arrays
    assert [source.in_place for source in compiled] == [()]


def test_a_failure_of_a_process_is_told_with_what_it_wrote():
    with pytest.raises(RuntimeError, match="(?s)could not be compiled.*belong together"):
        list(warm.compile_side_by_side(1, ["--folder", "nowhere"]))
