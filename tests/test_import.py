"""Importing fastgrad is quick, compiles nothing, and brings its namespaces when they are asked for."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

SOURCE = str(Path(__file__).parents[1] / "src")
HEAVY = ("numba", "llvmlite", "scipy", "safetensors", "matplotlib", "sklearn", "tqdm", "ctypes.util")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """What a new Python prints that runs a program; bytecode is kept from one to the next, as an installation does."""
    environment = {**os.environ, "PYTHONPATH": SOURCE, "PYTHONPYCACHEPREFIX": str(tmp_path_factory.mktemp("bytecode"))}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def run(program: str, **more: str) -> str:
        command = [sys.executable, "-c", textwrap.dedent(program)]
        finished = subprocess.run(command, env=environment | more, capture_output=True, text=True, check=False)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    return run


def test_import_brings_no_heavy_package_and_compiles_nothing(run, tmp_path):
    """LLVM waits for the first kernel; arithmetic on few numbers has none."""
    printed = run(
        f"""
        import sys
        import fastgrad as tf
        print([name for name in {HEAVY} if name in sys.modules])
        v = tf.Variable([1.0, 2.0])
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(tf.square(v) * tf.maximum(-v, v) + tf.sqrt(v)[None] / tf.ones([2, 1]))
        tape.gradient(y, v)
        print([name for name in {HEAVY} if name in sys.modules])
        """,
        FASTGRAD_CACHE_DIR=str(tmp_path / "cache"),
    )
    assert printed.split() == ["[]", "[]"]
    assert not (tmp_path / "cache").exists()


def test_namespaces_are_imported_when_they_are_asked_for(run):
    printed = run(
        """
        import sys
        import fastgrad as tf
        later = ("keras", "data", "distribute", "train", "losses", "metrics", "optimizers", "config", "autodiff")
        print([name for name in later if "fastgrad." + name in sys.modules])
        for name in later:
            getattr(tf, name)
        print([name for name in later if "fastgrad." + name not in sys.modules])
        """
    )
    assert printed.split() == ["[]", "[]"]


@pytest.mark.parametrize(
    "namespace",
    [
        "keras",
        "keras.layers",
        "keras.models",
        "keras.optimizers",
        "data",
        "distribute",
        "train",
        "losses",
        "metrics",
    ],
)
def test_no_namespace_needs_numba_or_scipy_to_be_imported(run, namespace):
    printed = run(
        f"import sys, fastgrad.{namespace}; "
        "print([name for name in ('numba', 'llvmlite', 'scipy', 'safetensors') if name in sys.modules])"
    )
    assert printed.split() == ["[]"]


@pytest.mark.parametrize(
    "statement",
    [
        "from fastgrad import keras; keras.layers.Dense",
        "from fastgrad import data; data.Dataset",
        "from fastgrad.keras import layers, optimizers, losses, metrics, models; layers.Dense; optimizers.Adam",
        "from fastgrad.keras.layers import Dense, Dropout, Embedding",
        "from fastgrad.keras.models import Sequential, Model",
        "from fastgrad.keras.optimizers import Adam; from fastgrad.keras.optimizers.schedules import ExponentialDecay",
        "import fastgrad.keras.losses; fastgrad.keras.losses.Huber",
        "import fastgrad.keras.layers as L; L.Dense",
        "import fastgrad.keras.backend as K; K.clear_session",
        "import fastgrad.optimizers; fastgrad.optimizers.SGD",
        "import fastgrad.nn, fastgrad.math, fastgrad.linalg, fastgrad.random",
        "import fastgrad as tf; tf.keras.layers.Dense; tf.data.AUTOTUNE; tf.train.Checkpoint",
        "import fastgrad as tf; tf.keras.optimizers.schedules.CosineDecay; tf.losses.Huber; tf.metrics.Mean",
        "import fastgrad as tf; tf.Module; tf.zeros_initializer(); tf.initializers.Zeros; tf.errors.InvalidArgumentError",
        "import fastgrad.debugging as d; d.assert_equal",
        "from fastgrad.train import AdamOptimizer, GradientDescentOptimizer, get_or_create_global_step",
    ],
)
def test_forms_of_import(run, statement):
    run(statement)


def test_a_composed_function_is_imported_when_it_is_asked_for(run):
    """`import fastgrad` runs all modules of rows, so functions that few programs call have a folder of their own."""
    printed = run(
        """
        import sys
        import fastgrad as tf
        def imported():
            return ",".join(sorted(name for name in sys.modules if name.startswith("fastgrad._src.ops.composed."))) or None
        tf.nn.relu, tf.math.exp, tf.random.normal, tf.linalg.inv, tf.sparse.reorder, tf.signal.fft
        print(imported())
        tf.nn.nce_loss
        print(imported())
        """
    )
    assert printed.split() == ["None", "fastgrad._src.ops.composed.candidate_sampling"]


def test_names_show_in_dir_before_they_are_imported(run):
    printed = run("import fastgrad as tf; print({'keras', 'data', 'train', 'Module', 'matmul'} <= set(dir(tf)))")
    assert printed.strip() == "True"


SMALL_OR_OF_NUMPY = frozenset(
    [
        "__future__",
        "atexit",
        "builtins",
        "collections",
        "contextlib",
        "contextvars",
        "ctypes",
        "enum",
        "errno",
        "functools",
        "gc",
        "heapq",
        "importlib",
        "inspect",
        "itertools",
        "linecache",
        "marshal",
        "math",
        "ml_dtypes",
        "numpy",
        "operator",
        "os",
        "pickle",
        "pkgutil",
        "platform",
        "re",
        "stat",
        "struct",
        "sys",
        "textwrap",
        "threading",
        "time",
        "types",
        "typing",
        "warnings",
        "weakref",
    ]
)
"""The packages that fastgrad's modules may import when they are imported: small ones, and those that all versions of NumPy import."""


def test_import_asks_for_little_beside_numpy(run):
    """What takes time: each module costs some tenths of a millisecond, hashlib or pathlib several milliseconds."""
    printed = run(
        """
        import builtins
        real, asked = builtins.__import__, set()
        def record(name, globals=None, *rest):
            if str((globals or {}).get("__name__")).partition(".")[0] == "fastgrad":
                asked.add(name.partition(".")[0])
            return real(name, globals, *rest)
        builtins.__import__ = record
        import fastgrad
        print(*sorted(asked - {"fastgrad"}))
        """
    )
    assert set(printed.split()) <= SMALL_OR_OF_NUMPY


def test_a_name_that_is_there_does_not_put_off_the_search_for_garbage(monkeypatch):
    """Freezing counts all garbage as old, and sets back the count after which old garbage is looked for."""
    import gc

    import fastgrad as tf

    def names():
        return tf.function, tf.Module, tf.keras.Model, tf.keras.layers

    names()
    frozen = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(True))
    for _ in range(3):
        names()
        assert not hasattr(tf, "no_such_name")
        assert not hasattr(tf.keras, "no_such_name")
    assert not frozen
