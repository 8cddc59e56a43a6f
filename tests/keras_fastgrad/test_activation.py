"""``import keras_fastgrad`` before ``import keras``, and the ways that are refused."""

import os
import subprocess
import sys

import pytest


def run(code, *options, **variables):
    """Runs a program; returns its exit status and what it printed."""
    environment = {**os.environ, **variables}
    result = subprocess.run(
        [sys.executable, *options, *(["-c", code] if code else [])],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=environment,
    )
    return result.returncode, result.stdout + result.stderr


REPORT = """
import sys, keras, numpy as np
print(keras.backend.backend(), "tensorflow" in sys.modules, type(keras.ops.ones(2)).__module__)
"""
ON_FASTGRAD = "tensorflow False fastgrad."


def test_keras_runs_on_fastgrad_without_tensorflow():
    status, text = run("import keras_fastgrad\nprint(keras_fastgrad.is_active())" + REPORT)
    assert status == 0, text
    assert "True" in text
    assert ON_FASTGRAD in text


def test_a_script_and_a_module_are_run(tmp_path):
    (tmp_path / "script.py").write_text(REPORT + "import neighbour, sys\nprint(sys.argv[1:], __name__)")
    (tmp_path / "neighbour.py").write_text("")
    status, text = run("", "-m", "keras_fastgrad", str(tmp_path / "script.py"), "--epochs", "3")
    assert status == 0, text
    assert ON_FASTGRAD in text
    assert "['--epochs', '3'] __main__" in text
    status, text = run(
        "", "-m", "keras_fastgrad", "-m", "script", "4", PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path])
    )
    assert status == 0, text
    assert ON_FASTGRAD in text
    assert "['4'] __main__" in text


def test_another_package_gets_fastgrad_for_tensorflow(tmp_path):
    (tmp_path / "client.py").write_text(
        "import keras, tensorflow as tf\nfrom tensorflow.keras.layers import Dense\nfrom tensorflow.python.eager import context\n"
        "V = tf.Variable(1.0)\nassert context.executing_eagerly() and Dense is tf.keras.layers.Dense is keras.layers.Dense"
    )
    (tmp_path / "script.py").write_text(
        "import sys, client\nprint(type(client.V).__module__, 'tensorflow' in sys.modules)"
    )
    status, text = run("", "-m", "keras_fastgrad", "--also", "client", str(tmp_path / "script.py"))
    assert status == 0, text
    assert "fastgrad._src.core.variable False" in text


def test_pytest_runs_tests_on_fastgrad(tmp_path):
    (tmp_path / "test_model.py").write_text(
        "import keras, tensorflow as tf\n\ndef test_it():\n    assert isinstance(keras.ops.ones(2), tf.Tensor)\n"
    )
    options = ("-m", "pytest", "-q", "-c", os.devnull, "-p", "keras_fastgrad.pytest_plugin", str(tmp_path))
    status, text = run("", *options)
    assert status == 0, text
    assert "1 passed" in text


def test_the_backend_is_named_in_no_other_process():
    code = "import os, keras_fastgrad, keras\nprint(os.environ.get('KERAS_BACKEND'))"
    status, text = run(code, KERAS_BACKEND="")
    assert status == 0, text
    assert text.strip() in ("", "None")


@pytest.mark.parametrize(
    ("code", "variables", "words"),
    [
        ("import types, sys; sys.modules['keras'] = types.ModuleType('keras')", {}, "already imported 'keras'"),
        ("import types, sys; sys.modules['tensorflow'] = types.ModuleType('x')", {}, "already imported 'tensorflow'"),
        ("", {"KERAS_BACKEND": "jax"}, "KERAS_BACKEND is 'jax'; unset it"),
        (
            "import importlib.metadata; importlib.metadata.version = lambda name: '3.17.2'",
            {},
            'pip install "keras==3.15.*"',
        ),
    ],
)
def test_what_can_not_work_is_refused_with_the_remedy(code, variables, words):
    status, text = run(f"{code}\nimport keras_fastgrad", **variables)
    assert status == 1
    assert words in text


def test_the_installed_keras_has_the_known_layout():
    code = """
import importlib.util, keras_fastgrad
from keras_fastgrad.hook import OVERRIDES
import keras
for name in OVERRIDES:
    assert importlib.util.find_spec(name) is not None, name
import sys
missing = set(OVERRIDES) - set(sys.modules)
assert not missing, missing
"""
    status, text = run(code)
    assert status == 0, text


def test_names_that_are_nowhere_raise():
    code = """
import keras_fastgrad
from keras_fastgrad import names
for wrong in (lambda: names.tf.no_such_name, lambda: names.tf.__internal__.no_such_name):
    try:
        wrong()
    except (AttributeError, ImportError) as error:
        print(error)
    else:
        raise SystemExit(1)
"""
    status, text = run(code)
    assert status == 0, text
