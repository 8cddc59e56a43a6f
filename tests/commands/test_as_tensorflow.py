"""`python -m fastgrad.as_tensorflow`: scripts import fastgrad by the names `tensorflow` and `keras`, other files do not."""

import importlib.util
import os
import subprocess
import sys
from textwrap import dedent

import pytest

from fastgrad._src.commands.as_tensorflow import TENSORFLOW_VERSION
from fastgrad._src.commands.private_names import PRIVATE_NAMES, PYTHON


def python(*arguments, folder, **environment):
    """Runs Python in a folder; returns the finished process."""
    paths = os.pathsep.join([*environment.pop("paths", ()), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def run(folder, text, *arguments, options=(), **environment):
    """Runs a script `scripts/train.py` below a folder as the command does; returns its output. It must end with exit code 0."""
    script = folder / "scripts" / "train.py"
    script.parent.mkdir(exist_ok=True)
    script.write_text(dedent(text))
    command = ["-m", "fastgrad.as_tensorflow", *options, "scripts/train.py", *arguments]
    finished = python(*command, folder=folder, **environment)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.splitlines()


@pytest.fixture
def library(tmp_path):
    """A library in a folder of installed packages that uses TensorFlow if it finds it; returns that folder."""
    folder = tmp_path / "lib" / "site-packages"
    folder.mkdir(parents=True)
    (folder / "plotter.py").write_text(
        dedent("""
        import importlib, importlib.util
        try:
            import tensorflow as tf
        except ModuleNotFoundError as error:
            tf, text = error.name, str(error)
        try:
            layers = importlib.import_module("keras.layers")
        except ModuleNotFoundError as error:
            layers = error.name
        spec = importlib.util.find_spec("tensorflow")
        """)
    )
    return folder


def test_each_form_of_import_gives_fastgrads_own_modules(tmp_path):
    text = """
        import importlib
        import fastgrad
        import tensorflow as tf
        import tensorflow.keras.optimizers
        import tensorflow.keras as k
        import tensorflow.compat.v1 as tf1
        from tensorflow import keras
        from tensorflow.keras.layers import Dense
        from tensorflow.python.keras import layers as private_layers
        from tensorflow.config.experimental import list_physical_devices
        import keras as k3
        from keras import layers
        from keras.src.layers import LSTM
        assert tensorflow is tf and tensorflow.keras.optimizers is fastgrad.keras.optimizers
        assert keras is k is k3 is tf.keras is fastgrad.keras
        assert layers is private_layers is importlib.import_module("tensorflow.keras.layers") is fastgrad.keras.layers
        assert Dense is fastgrad.keras.layers.Dense and LSTM is fastgrad.keras.layers.LSTM
        assert tf1 is fastgrad.compat.v1 and tf.Variable is fastgrad.Variable
        assert list_physical_devices is fastgrad.config.experimental.list_physical_devices
        assert fastgrad.__name__ == "fastgrad" and fastgrad.__spec__.name == "fastgrad" == layers.__spec__.parent[:8]
        print(tf.__version__, tf.version.VERSION, keras.__version__ == fastgrad.keras.__version__, fastgrad.__version__)
    """
    import fastgrad

    assert run(tmp_path, text) == [f"{TENSORFLOW_VERSION} {TENSORFLOW_VERSION} True {fastgrad.__version__}"]


def test_a_script_trains_and_pickles_what_it_defines(tmp_path):
    text = """
        import pickle
        import numpy as np
        import tensorflow as tf
        from mine import dense

        class Kept:
            value = 1

        model = tf.keras.Sequential([tf.keras.Input((2,)), dense(1)])
        model.compile("sgd", "mse")
        losses = model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=3, verbose=0).history["loss"]
        assert losses[-1] < losses[0]
        assert type(pickle.loads(pickle.dumps(Kept()))) is Kept
        assert pickle.loads(pickle.dumps(tf.keras.layers.Dense)) is tf.keras.layers.Dense
    """
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "mine.py").write_text("from keras.layers import Dense as dense")
    assert run(tmp_path, text) == []


def test_a_script_sees_what_python_gives_it(tmp_path):
    text = """
        import os, sys
        print(sys.argv, os.path.basename(sys.path[0]), __file__, __name__, __spec__, sys.modules["__main__"].__file__)
    """
    file = os.path.join("scripts", "train.py")
    arguments = ["--epochs", "1", "-m", "-h"]
    (line,) = run(tmp_path, text, *arguments)
    file_path = tmp_path / file
    assert line == f"{[file, *arguments]} scripts {file_path} __main__ None {file_path}"
    assert python(file, *arguments, folder=tmp_path).stdout.strip() == line


def test_a_module_runs_by_its_name(tmp_path):
    package = tmp_path / "course"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "train.py").write_text(
        "import sys, tensorflow as tf; print(tf.__version__, sys.argv[1:], __spec__.name)"
    )
    finished = python("-m", "fastgrad.as_tensorflow", "-m", "course.train", "--x", folder=tmp_path)
    assert finished.stdout == f"{TENSORFLOW_VERSION} ['--x'] course.train\n", finished.stderr


@pytest.mark.parametrize(
    "text", ["def f():\n    1 / 0\nf()", "import sys\nsys.exit(7)", "raise SystemExit('no')", "raise KeyboardInterrupt"]
)
def test_errors_and_exit_codes_are_those_of_python(tmp_path, text):
    (tmp_path / "bad.py").write_text(text)
    theirs = python("bad.py", folder=tmp_path)
    ours = python("-m", "fastgrad.as_tensorflow", "bad.py", folder=tmp_path)
    assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout)
    assert ours.stderr.replace(str(tmp_path) + os.sep, "") == theirs.stderr.replace(str(tmp_path) + os.sep, "")


def test_a_missing_name_has_its_line_and_the_nearest_name(tmp_path):
    lines = run(
        tmp_path,
        """\
        import tensorflow as tf
        try:
            tf.keras.layers.Densee
        except AttributeError as error:
            print(error)
        try:
            from tensorflow.nn import reluu
        except ImportError as error:
            print(error)
        """,
    )
    assert "train.py:3: " in lines[0]
    assert "Did you mean: Dense?" in lines[0]
    assert "train.py:7: cannot import name 'reluu'" in lines[1]
    assert "Did you mean: relu" in lines[1]


IMPORTS = """
    import sys
    import importlib.util
    import tensorflow as tf
    import plotter
    print(plotter.tf == "tensorflow", plotter.layers == "keras", plotter.spec, "tensorflow" in sys.modules)
    print(importlib.util.find_spec("tensorflow").name)
    print(getattr(plotter, "text", ""))
"""


def test_libraries_are_told_the_truth(tmp_path, library):
    told, spec, text = run(tmp_path, IMPORTS, paths=[str(library)])
    assert told == "True True None False"
    assert spec == "tensorflow"
    assert "'plotter'" in text
    assert "`--also plotter`" in text


@pytest.mark.parametrize("also", ["plotter", "lib/site-packages"])
def test_a_library_that_the_user_names_gets_fastgrad(tmp_path, library, also):
    text = (
        "import tensorflow as tf, plotter, fastgrad; print(plotter.tf is tf, plotter.layers is fastgrad.keras.layers)"
    )
    assert run(tmp_path, text, options=["--also", also], paths=[str(library)]) == ["True True"]


def test_a_package_gets_fastgrad_where_a_folder_has_its_name(tmp_path, library):
    (tmp_path / "plotter").mkdir()
    (tmp_path / "plotter" / "README.md").write_text("as in the clone of a repository")
    text = "import tensorflow as tf, plotter; print(plotter.tf is tf)"
    assert run(tmp_path, text, options=["--also", "plotter"], paths=[str(library)]) == ["True"]


def test_install_is_for_the_folder_of_its_caller(tmp_path, library):
    text = """
        import fastgrad.as_tensorflow
        fastgrad.as_tensorflow.install()
        fastgrad.as_tensorflow.install(packages=["json"])
        import builtins, tensorflow as tf, plotter
        print(tf.__version__, plotter.tf, builtins.__import__.__closure__[0].cell_contents.__name__)
    """
    (tmp_path / "a.py").write_text(dedent(text))
    finished = python("a.py", folder=tmp_path, paths=[str(library)])
    assert finished.stdout == f"{TENSORFLOW_VERSION} tensorflow __import__\n", finished.stderr
    line = "import fastgrad.as_tensorflow as a; a.install(); import tensorflow as tf; print(tf.__version__)"
    assert python("-c", line, folder=tmp_path).stdout == f"{TENSORFLOW_VERSION}\n"


@pytest.mark.parametrize("name", ["tensorflow", "keras"])
def test_a_process_with_the_real_module_is_refused(tmp_path, name):
    (tmp_path / f"{name}.py").write_text("")
    line = f"import {name}, fastgrad.as_tensorflow as a; a.install()"
    finished = python("-c", line, folder=tmp_path)
    assert finished.returncode == 1
    assert f"this process has already imported {name!r}" in finished.stderr
    assert "call install() before" in finished.stderr


def test_the_users_files_get_fastgrad_where_tensorflow_is_installed(tmp_path, library):
    (library / "tensorflow.py").write_text("__version__ = 'real'")
    text = "import tensorflow as tf, plotter; print(tf.__version__, plotter.tf)"
    assert run(tmp_path, text, paths=[str(library)]) == [f"{TENSORFLOW_VERSION} tensorflow"]


def test_pytest_takes_it_as_a_plugin(tmp_path, library):
    (tmp_path / "conftest.py").write_text("import keras")
    (tmp_path / "test_mine.py").write_text(
        "import tensorflow as tf\nimport plotter\n\ndef test_it():\n    assert plotter.tf is tf\n    assert tf.add(1, 2) == 3\n"
    )
    command = ["-m", "pytest", "-q", "-p", "fastgrad.as_tensorflow", "-p", "no:cacheprovider"]
    passed = python(*command, "--also", "plotter", folder=tmp_path, paths=[str(library)])
    assert "1 passed" in passed.stdout, passed.stdout + passed.stderr
    failed = python(*command, folder=tmp_path, paths=[str(library)])
    assert "1 failed" in failed.stdout


def test_less_usual_forms_of_import_give_the_same_modules(tmp_path):
    text = """
        import builtins, importlib, importlib.util
        from keras import *
        from tensorflow import *
        import tensorflow as tf
        import tensorflow.python.keras.backend as K
        import keras.src.layers as private_layers
        import keras.api.layers as api_layers
        import tensorflow.python.keras

        print = builtins.print  # `from tensorflow import *` has another one
        layers = importlib.import_module(".layers", "tensorflow.keras")
        print(layers is private_layers is api_layers is tf.keras.layers, K is tf.keras.backend)
        print(tensorflow.python.keras is tf.keras)
        print(__import__("tensorflow") is __import__("tensorflow.keras") is tf)
        print(importlib.util.find_spec("tensorflow.keras").name, importlib.util.find_spec("tensorflow.nothing"))
        print(reduce_sum is tf.reduce_sum, Variable is tf.Variable, Sequential is tf.keras.Sequential, nn is tf.nn)
        def resolve():
            return __import__("keras.layers", fromlist=["Dense"]).Dense
        print(resolve() is tf.keras.layers.Dense)
    """
    assert run(tmp_path, text) == [
        "True True",
        "True",
        "True",
        "tensorflow.keras None",
        "True True True True",
        "True",
    ]


@pytest.mark.parametrize(
    "command", [("pytest", "-p", "fastgrad.as_tensorflow"), ("fastgrad.as_tensorflow", "-m", "pytest")]
)
def test_importorskip_does_not_skip_the_file(tmp_path, command):
    (tmp_path / "test_model.py").write_text(
        dedent("""
        import pytest
        tf = pytest.importorskip("tensorflow", minversion="2.16")
        layers = pytest.importorskip("tensorflow.keras.layers")

        def test_a_sum():
            assert float(tf.reduce_sum([1.0, 2.0])) == 3.0
            assert layers is tf.keras.layers

        def test_a_newer_version():
            pytest.importorskip("tensorflow", minversion="99.0")

        def test_a_missing_module():
            pytest.importorskip("tensorflow.nothing")
        """)
    )
    finished = python("-m", *command, "-q", "-p", "no:cacheprovider", folder=tmp_path)
    assert "1 passed, 2 skipped" in finished.stdout, finished.stdout + finished.stderr


def test_private_names_of_tensorflow_give_fastgrads_public_ones(tmp_path):
    text = """
        import importlib
        import fastgrad
        import tensorflow.python.ops.math_ops as math_ops
        from tensorflow.python.eager import context
        from tensorflow.python.framework import config, ops, smart_cond
        from tensorflow.python.util.nest import flatten
        assert math_ops.sqrt is fastgrad.sqrt and flatten is fastgrad.nest.flatten
        fastgrad.random.set_seed(3)
        assert context.executing_eagerly() and context.context().executing_eagerly() and context.global_seed() == 3
        assert context.context().device_spec.device_type is None
        assert smart_cond.smart_cond(True, lambda: 1, lambda: 2) == 1 and smart_cond.smart_constant_value(1) is True
        assert int(smart_cond.smart_cond(fastgrad.constant(False), lambda: 1, lambda: 2)) == 2
        assert importlib.import_module("tensorflow.python.framework.ops") is ops
        """
    assert run(tmp_path, text) == []


@pytest.mark.parametrize("module", PRIVATE_NAMES)
def test_each_private_name_of_the_table_has_a_value(module):
    value = PYTHON
    for part in module.split("."):
        value = getattr(value, part)
    for name, target, packages in PRIVATE_NAMES[module]:
        assert getattr(value, name) is not None, (name, target)
        assert packages


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("from tensorflow.python.ops.math_ops import nothing", "'nothing' from 'tensorflow.python.ops.math_ops'"),
        ("from tensorflow.python.ops import nothing_ops", "'nothing_ops' from 'tensorflow.python.ops'"),
        ("import tensorflow.python.ops.nothing_ops", "'tensorflow.python.ops.nothing_ops'"),
        ("from tensorflow.python.nothing import ops", "'tensorflow.python.nothing'"),
        ("from tensorflow.python.ops import math_ops; math_ops.nothing", "tensorflow.python.ops.math_ops.nothing"),
    ],
)
def test_the_error_for_a_missing_private_name_names_it(tmp_path, statement, name):
    text = f"""
        try:
            {statement.replace("; ", chr(10) + " " * 12)}
        except (ImportError, AttributeError) as error:
            print(error)
        """
    assert name in run(tmp_path, text)[0]


def test_real_keras_that_is_not_installed_is_refused_with_the_remedy(tmp_path):
    if importlib.util.find_spec("keras") is not None:
        pytest.skip("Keras is installed")
    finished = python("-c", "import fastgrad.as_tensorflow as a; a.install(real_keras=True)", folder=tmp_path)
    assert finished.returncode == 1
    assert 'pip install "fastgrad[keras]"' in finished.stderr
