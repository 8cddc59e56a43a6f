"""A test module counts as changed if a file that it depends on has changed since it passed."""

import pytest

from tests import changed_modules
from tests.changed_modules import Records, dependencies

FILES = {
    "pyproject.toml": "[project]\n",
    "src/fastgrad/__init__.py": "",
    "src/fastgrad/core/tensor.py": "",
    "src/fastgrad/ops/casting.py": "from fastgrad.core.tensor import Tensor\n",
    "src/fastgrad/kernels/sums.py": "",
    "src/fastgrad/compiler/plan.py": "",
    "src/fastgrad/signal/windows.py": "from fastgrad.ops import (\n    casting,\n)\n",
    "src/fastgrad/nn.py": "_MODULE_OF_LAZY_NAME = {\n    'mel': 'signal.windows',\n}\n",
    "src/fastgrad/sets.py": "def size():\n    from fastgrad.signal import windows\n",
    "tests/conftest.py": "from fastgrad import sets\n",
    "tests/ops/test_casting.py": "import fastgrad as tf\n\ntf.cast(1.0)\n",
    "tests/ops/samples.py": "",
    "tests/signal/test_windows.py": "import fastgrad as tf\nfrom tests.ops.samples import S\n\ntf.signal.hann_window\n",
    "tests/signal/answers.json": "{}",
    "tests/signal/cases/windows.py": "import fastgrad as tf\ntf.sets.size()\n",
    "tests/sets/test_sets.py": "from fastgrad.sets import size\n\nfrom . import helper\n",
    "tests/test_nn.py": "import fastgrad as tf\n\ntf.nn.mel()\n",
    "tests/sets/helper.py": "from ..ops import samples\n",
}


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A function that writes the file at a path of a small tree in the place of this one; the caches of `changed_modules` are empty after it."""

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        for function in CACHED:
            function.cache_clear()
        return path

    monkeypatch.setattr(changed_modules, "ROOT", tmp_path)
    monkeypatch.setattr(changed_modules, "SOURCES", tmp_path / "src" / "fastgrad")
    monkeypatch.setattr(changed_modules, "TESTS", tmp_path / "tests")
    monkeypatch.setattr(changed_modules, "COMMON", frozenset({tmp_path / "tests" / "conftest.py"}))
    monkeypatch.setattr(changed_modules, "cache_folder", lambda name: tmp_path / name)
    for name, text in FILES.items():
        write(name, text)
    yield write
    for function in CACHED:
        function.cache_clear()


CACHED = [function for function in vars(changed_modules).values() if hasattr(function, "cache_clear")]


@pytest.mark.parametrize(
    ("module", "parts", "files"),
    [
        ("ops/test_casting.py", set(), {"ops/test_casting.py"}),
        (
            "signal/test_windows.py",
            {"signal", "sets"},
            {"signal/test_windows.py", "signal/answers.json", "signal/cases/windows.py", "ops/samples.py"},
        ),
        ("sets/test_sets.py", {"sets", "signal"}, {"sets/test_sets.py", "sets/helper.py", "ops/samples.py"}),
        ("test_nn.py", {"nn", "signal"}, {"test_nn.py"}),
    ],
)
def test_dependencies(tree, tmp_path, module, parts, files):
    found_parts, found_files = dependencies(tmp_path / "tests" / module)
    assert found_parts == {"core", "ops", "kernels", "compiler"} | parts
    assert {path.relative_to(tmp_path / "tests").as_posix() for path in found_files} == files | {"conftest.py"}


@pytest.mark.parametrize(
    ("changed", "still_unchanged"),
    [
        (
            None,
            {
                "tests/ops/test_casting.py",
                "tests/signal/test_windows.py",
                "tests/sets/test_sets.py",
                "tests/test_nn.py",
            },
        ),
        ("src/fastgrad/core/tensor.py", set()),
        ("src/fastgrad/__init__.py", set()),
        ("tests/conftest.py", set()),
        ("src/fastgrad/signal/windows.py", {"tests/ops/test_casting.py"}),
        ("src/fastgrad/signal/mel.py", {"tests/ops/test_casting.py"}),
        ("tests/ops/samples.py", {"tests/ops/test_casting.py", "tests/test_nn.py"}),
        ("tests/signal/answers.json", {"tests/ops/test_casting.py", "tests/sets/test_sets.py", "tests/test_nn.py"}),
        ("tests/ops/test_casting.py", {"tests/signal/test_windows.py", "tests/sets/test_sets.py", "tests/test_nn.py"}),
    ],
)
def test_modules_that_passed_count_as_unchanged_until_they_change(tree, changed, still_unchanged):
    first = Records("a run")
    assert first.unchanged == []
    first.ran |= set(first.keys)
    first.pytest_sessionfinish(None, pytest.ExitCode.OK)
    if changed:
        tree(changed, "NEW = 1\n")
    assert set(Records("a run").unchanged) == still_unchanged
    assert Records("a run with checked memory").unchanged == []


def test_a_run_that_fails_leaves_no_record(tree):
    run = Records("a run")
    run.ran |= set(run.keys)
    run.pytest_sessionfinish(None, pytest.ExitCode.TESTS_FAILED)
    assert Records("a run").unchanged == []


def test_a_module_that_searches_the_package_depends_on_all_of_it(tree, tmp_path):
    path = tree("tests/sets/test_files.py", "import fastgrad\n\nfor path in folder.rglob('*.py'):\n    pass\n")
    assert dependencies(path)[0] == set(changed_modules.parts())


def test_modules_of_this_tree():
    assert "keras" in dependencies(changed_modules.TESTS / "reliability" / "hostile_files" / "test_call_sites.py")[0]
    root = changed_modules.TESTS
    parts, files = dependencies(root / "differentiation" / "test_gradients.py")
    assert "differentiation" in parts
    assert "keras" not in parts
    assert root / "differentiation" / "programs" / "loops.py" in files
    assert "data" in dependencies(root / "keras" / "training" / "test_fit.py")[0]
