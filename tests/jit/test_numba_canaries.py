"""Private parts of Numba: where one differs, its feature is off, or a sentence says which Numba works."""

import math
import os
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numba
import numpy as np
import pytest
from numba.core import analysis, dispatcher

import fastgrad as fg
from fastgrad._src.derivatives.codegen import chunks
from fastgrad._src.derivatives.codegen.exceptional_exits import NativeLowering, ReleasingCompiler
from fastgrad._src.derivatives.codegen.inferred_overloads import inferred_callees
from fastgrad._src.derivatives.codegen.text_pipeline import direct_jumps, quick_liveness
from fastgrad._src.jit import dispatcher_cache as disk_cache
from fastgrad._src.jit import exponential, numba_canaries, numba_features, ordered_sums
from fastgrad._src.jit.numba_canaries import CANARIES, Feature
from fastgrad._src.jit.numba_features import features, is_on, known_differences, require

OPTIONAL = [feature for feature in Feature if feature.is_optional]
SWITCHES = [feature for feature in OPTIONAL if feature not in (Feature.KERNELS, Feature.LOCKS)]


def forget():
    """Lets the next question look at Numba again."""
    known_differences.cache_clear()
    features.cache_clear()


@pytest.fixture
def unknown(monkeypatch, tmp_path):
    """Starts and ends a test without what is remembered of the installed Numba."""
    monkeypatch.setenv("FASTGRAD_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv(numba_features.PLAIN_VARIABLE, raising=False)
    forget()
    yield monkeypatch
    monkeypatch.undo()
    forget()


@pytest.fixture
def without(monkeypatch):
    """Returns a function that turns features off."""

    def turn_off(*off):
        monkeypatch.setattr(numba_features, "features", lambda: frozenset(Feature) - {*off})

    return turn_off


def test_the_installed_numba_is_known():
    different = [
        f"{canary.part}: {canary.look(numba_canaries.part_of(canary.part), canary.known)}, not {canary.known}"
        for canary in CANARIES
        if canary.difference()
    ]
    assert different == []
    assert numba.__version__ in numba_canaries.KNOWN_VERSIONS


def test_each_feature_has_a_canary():
    assert {canary.feature for canary in CANARIES} == set(Feature)
    assert len({canary[:3] for canary in CANARIES}) == len(CANARIES)


@pytest.mark.parametrize(
    "canary", CANARIES, ids=lambda canary: f"{canary.feature.name}-{canary.part}-{canary.look.__name__}"
)
def test_a_part_that_differs_turns_its_feature_off_or_is_named(canary, unknown):
    broken = canary._replace(known=("something_else",))
    unknown.setattr(numba_canaries, "CANARIES", (broken,))
    part = canary.part.replace(":", ".")
    if canary.feature.is_optional:
        with pytest.warns(RuntimeWarning, match=rf"Numba {numba.__version__} differs") as warned:
            assert not is_on(canary.feature)
        (message,) = [str(warning.message) for warning in warned]
        assert part in message
        assert canary.feature.without in message
        assert f'pip install "numba=={numba_canaries.KNOWN_VERSIONS[-1]}"' in message
        require(Feature.FRONT_END)
    else:
        with pytest.raises(
            RuntimeError, match=rf"Numba {numba.__version__} differs .* in {part}\S*\. .*pip install \"numba=="
        ):
            require(canary.feature)
    others = set(Feature) - {canary.feature}
    assert others <= features()


def other_live_map(cfg, blocks, var_use_map, var_def_map):
    """Has the parameters of Numba's function, and another text."""


@pytest.mark.parametrize(
    ("module", "name", "value", "feature"),
    [
        ("numba.core.analysis", "compute_live_map", other_live_map, Feature.QUICK_LIVENESS),
        ("numba.core.analysis", "compute_live_map", None, Feature.QUICK_LIVENESS),
        ("numba.core.untyped_passes", "WithLifting", None, Feature.DIRECT_JUMPS),
        ("numba.core.compiler", "compile_extra", lambda: None, Feature.INFERRED_CALLEES),
        ("numba.core.callconv", "CPUCallConv", type("Other", (), {}), Feature.EXCEPTIONAL_EXITS),
        ("llvmlite.binding", "llvm_version_info", (99, 0, 0), Feature.ORDERED_SUMS),
    ],
    ids=["a text", "a missing function", "a missing name", "parameters", "base classes", "a version"],
)
def test_a_change_of_numba_is_seen(module, name, value, feature, unknown):
    owner = sys.modules[module]
    if value is None:
        unknown.delattr(owner, name)
    else:
        unknown.setattr(owner, name, value)
    with pytest.warns(RuntimeWarning, match=f"{module}.{name}"):
        assert not is_on(feature)


def test_what_was_found_is_remembered_for_later_processes(unknown):
    unknown.setattr(numba_canaries, "CANARIES", (CANARIES[0]._replace(known=()),))
    with pytest.warns(RuntimeWarning, match="differs"):
        assert not is_on(CANARIES[0].feature)
    forget()
    unknown.setattr(numba_features, "differences", lambda: pytest.fail("looks at Numba again"))
    with pytest.warns(RuntimeWarning, match="differs"):
        assert not is_on(CANARIES[0].feature)
    assert is_on(Feature.BLAS)


def test_a_change_of_numba_after_a_look_is_seen(unknown):
    known = analysis.compute_live_map
    assert is_on(Feature.QUICK_LIVENESS)
    forget()
    unknown.setattr(analysis, "compute_live_map", other_live_map)
    with pytest.warns(RuntimeWarning, match=r"numba\.core\.analysis\.compute_live_map"):
        assert not is_on(Feature.QUICK_LIVENESS)
    forget()
    unknown.setattr(analysis, "compute_live_map", known)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert is_on(Feature.QUICK_LIVENESS)


def test_an_unbroken_numba_gives_no_warning(unknown):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert features() == frozenset(Feature)


@pytest.mark.parametrize(
    ("feature", "call"),
    [
        (Feature.FRONT_END, lambda: fg.grad(numba.njit(lambda x: x * x + 0.25))(1.0)),
        (Feature.RANDOM_STATES, lambda: fg.jacobian(numba.njit(lambda x: x * np.random.normal()))(np.ones(2))),
    ],
    ids=["reading a function", "drawing again"],
)
def test_a_derivative_that_needs_a_changed_part_says_so(feature, call, unknown):
    (broken, *_) = [canary for canary in CANARIES if canary.feature is feature]
    unknown.setattr(numba_canaries, "CANARIES", (broken._replace(known=("something_else",)),))
    with pytest.raises(RuntimeError, match=rf"{feature.purpose}: Numba {numba.__version__} differs .*pip install"):
        call()


def python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


def test_imports_do_not_look_at_numba():
    run = python(
        "import fastgrad, fastgrad._src.derivatives\n"
        "from fastgrad._src.jit.numba_features import known_differences\n"
        "assert known_differences.cache_info().currsize == 0"
    )
    assert run.returncode == 0, run.stderr


def test_a_missing_name_is_told_where_it_is_imported():
    run = python(
        "import numba, numba.core.untyped_passes as passes\ndel passes.WithLifting\nimport fastgrad\nfastgrad.grad"
    )
    last = run.stderr.splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert f"Numba {numba.__version__} differs" in last
    assert "numba.core.untyped_passes" in last
    assert 'pip install "numba==' in last


# ---- what is off where a feature is off ---------------------------------------------------------------------------------


def passes_of(pipeline):
    """Returns the passes of a compiler class."""

    class Compiler(pipeline):
        def __init__(self):
            self.state = numba.core.compiler.StateDict()
            self.state.flags = numba.core.compiler.Flags()
            self.state.func_ir = None

    (passes,) = Compiler().define_pipelines()
    return [step for step, _ in passes.passes]


def test_callees_are_compiled(without):
    original = dispatcher.Dispatcher.compile
    with inferred_callees():
        assert dispatcher.Dispatcher.compile is not original
    without(Feature.INFERRED_CALLEES)
    with inferred_callees():
        assert dispatcher.Dispatcher.compile is original


def test_numba_computes_lifetimes(without):
    original = analysis.compute_live_map
    with quick_liveness():
        assert analysis.compute_live_map is not original
    without(Feature.QUICK_LIVENESS)
    with quick_liveness():
        assert analysis.compute_live_map is original


def test_pipelines_are_those_of_numba(without):
    from fastgrad._src.derivatives.codegen.compilation import DerivativeCompiler, LaneCompiler
    from fastgrad._src.jit.library_functions import _Compiler

    own = [DerivativeCompiler, LaneCompiler, ReleasingCompiler, _Compiler]
    numbas = passes_of(numba.core.compiler.Compiler)
    assert all(passes_of(pipeline) != numbas for pipeline in own)
    assert direct_jumps in passes_of(DerivativeCompiler)
    assert NativeLowering not in passes_of(ReleasingCompiler)
    without(*OPTIONAL)
    assert all(passes_of(pipeline) == numbas for pipeline in own)


def test_loops_with_sums_are_numbas(without, monkeypatch):
    options = []
    monkeypatch.setattr(ordered_sums.llvm, "set_option", lambda name, option: options.append(option))
    with ordered_sums.vector_code("x86_64-unknown-linux-gnu"):
        assert len(options) == 1
    without(Feature.ORDERED_SUMS)
    with ordered_sums.vector_code("x86_64-unknown-linux-gnu"):
        assert len(options) == 2


@numba.njit
def bent(value):
    return math.exp(-value) if value > 0.5 else value * value


@numba.njit
def branches(x):
    total = 1.0
    for i in range(x.size):
        total += bent(x[i]) * math.sin(total)
    return total


@numba.njit(parallel=True)
def in_parallel(x):
    total = 0.0
    for i in numba.prange(x.size):
        total += math.exp(x[i]) * x[i]
    return total


@numba.njit
def product(x):
    matrix = x.reshape((8, 8))
    return np.sum(matrix @ matrix)


@numba.njit
def scaled_exponentials(x):
    return np.exp(x[:12]) * x[0]


FUNCTIONS = {Feature.LANES: scaled_exponentials, Feature.BLAS: product, Feature.THREADS: in_parallel}
"""The functions whose derivatives need a feature; others need it for all."""


def answers(function):
    x = np.linspace(0.0, 1.0, 64)
    copy = numba.njit(parallel=function is in_parallel)(function.py_func)
    return (fg.jacobian(copy)(x),) if function is scaled_exponentials else fg.value_and_grad(copy)(x)


@pytest.mark.parametrize("feature", SWITCHES, ids=lambda feature: feature.name)
def test_derivatives_are_the_same_without_a_feature(feature, without, monkeypatch):
    function = FUNCTIONS.get(feature, branches)
    expected = answers(function)
    monkeypatch.setattr(disk_cache, "COMPILED", disk_cache.RecentlyUsed())
    without(feature)
    for part, reference in zip(answers(function), expected, strict=True):
        np.testing.assert_allclose(part, reference, rtol=1e-13, atol=1e-15)


def test_chunks_run_without_threads(without, monkeypatch, tmp_path):
    monkeypatch.setenv("FASTGRAD_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(disk_cache, "COMPILED", disk_cache.RecentlyUsed())
    monkeypatch.setattr(chunks, "_run_on_threads", lambda *_: pytest.fail("calls Numba's threads"))
    without(Feature.THREADS)
    value, _ = answers(in_parallel)
    np.testing.assert_allclose(value, in_parallel(np.linspace(0.0, 1.0, 64)), rtol=1e-13)


def test_exponentials_are_the_c_librarys(without):
    module = SimpleNamespace(functions=[SimpleNamespace(name=exponential.INTRINSIC)])
    without(Feature.EXPONENTIALS)
    exponential.replace_exponentials(module, None)
    assert module.functions[0].name == exponential.INTRINSIC


def test_keys_of_derivatives_on_disk_have_the_features(without):
    keys = [disk_cache._content("key")]
    for feature in SWITCHES:
        without(feature)
        keys.append(disk_cache._content("key"))
    assert len({*keys}) == len(keys)


def documented_rows():
    """Returns the rows of the table in docs/numba.md: what is used for what, and what happens without it."""
    rows = []
    for feature in Feature:
        parts = dict.fromkeys(canary.part.replace(":", ".") for canary in CANARIES if canary.feature is feature)
        written = ", ".join(f"`{part}`" for part in parts)
        rows.append(f"| {feature.purpose} | {feature.without or 'an error'} | {written} |")
    return "\n".join(rows)


@pytest.mark.completeness
def test_the_page_lists_what_derivatives_use():
    page = (Path(__file__).parents[2] / "docs" / "numba.md").read_text(encoding="utf-8")
    assert documented_rows() in page, f"docs/numba.md needs this table:\n{documented_rows()}"
    assert f"from {numba_canaries.KNOWN_VERSIONS[0]} to {numba_canaries.KNOWN_VERSIONS[-1]}" in page
