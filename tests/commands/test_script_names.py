"""`fastgrad names`: the names that a script asks for, without running it."""

import json

import pytest

from fastgrad._src.commands.command_line import main
from fastgrad._src.commands.script_names import names_of
from fastgrad._src.core.peer_names import DIFFERING

SCRIPT = """
import numpy as np
import tensorflow as tf
import tensorflow.keras.backend as K
from tensorflow import keras
from tensorflow.keras.layers import Dense, NoSuchLayer
raise SystemExit("a script is read, not run")
x = tf.nn.relu(tf.constant([1.0])).shape.rank
y = tf.no_such_function(x)
model = keras.Sequential([Dense(3), keras.layers.NoSuchLayer()])
tf.keras.Model.fit, K.square(x), np.no_such_function
tf.float32.no_such_member, tf.nn.no_such_space.function
tf.no_such_function
"""


def test_each_name_is_found_once_with_its_first_line():
    uses = names_of(SCRIPT)
    assert [use.line for use in uses] == sorted(use.line for use in uses)
    assert {use.name: use.line for use in uses} == {
        "tf.keras.backend": 4,
        "tf.keras": 5,
        "tf.keras.layers.Dense": 6,
        "tf.keras.layers.NoSuchLayer": 6,
        "tf.nn.relu": 8,
        "tf.constant": 8,
        "tf.no_such_function": 9,
        "tf.keras.Sequential": 10,
        "tf.keras.Model.fit": 11,
        "tf.keras.backend.square": 11,
        "tf.float32.no_such_member": 12,
        "tf.nn.no_such_space.function": 12,
    }


def test_missing_names_are_told_at_once_and_are_the_exit_status(tmp_path, capsys):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    assert main(["names", str(script)]) == 1
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0:2] for line in lines] == [
        [f"{script}:6", "tf.keras.layers.NoSuchLayer"],
        [f"{script}:9", "tf.no_such_function"],
        [f"{script}:12", "tf.nn.no_such_space.function"],
        [f"{script}:8", "tf.nn.relu differs"],
        [f"{script}:10", "tf.keras.Sequential differs"],
        [f"{script}:11", "tf.keras.Model.fit differs"],
    ]
    assert last == f"{script}: 9 of 12 names are there, 3 differ"


def test_a_script_without_missing_names_is_fine(tmp_path, capsys):
    script = tmp_path / "train.py"
    script.write_text("import fastgrad as tf\nfrom keras import layers as L\nL.Dense(tf.reduce_sum([3]))\n")
    assert main(["names", str(script)]) == 0
    assert capsys.readouterr().out == f"{script}: 3 of 3 names are there\n"


def test_names_that_differ_are_told_with_the_difference_and_are_no_failure(tmp_path, capsys):
    script = tmp_path / "train.py"
    script.write_text(
        "import tensorflow as tf\ntf.abs(tf.sort([1.0]))\ntf.data.Dataset.range(3)\ntf.raw_ops.Abs(x=1)\n"
    )
    assert main(["names", str(script)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{script}:2: tf.sort differs: NaN comes last.",
        f"{script}:3: tf.data.Dataset.range differs: {DIFFERING['tf.data.Dataset']}",
        f"{script}: 4 of 4 names are there, 2 differ",
    ]


def test_notebooks_are_read_without_commands_of_ipython(tmp_path, capsys):
    cells = [
        {"cell_type": "markdown", "source": ["tf.no_such_name"]},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "!pip install x\n", "import tensorflow as tf\n"]},
        {"cell_type": "code", "source": "tf.no_such_function(1)"},
    ]
    notebook = tmp_path / "a.ipynb"
    notebook.write_text(json.dumps({"cells": cells}))
    assert main(["names", str(notebook)]) == 1
    assert f"{notebook}:4: tf.no_such_function:" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["def f(:\n", None])
def test_what_is_no_python_is_an_error(tmp_path, capsys, text):
    script = tmp_path / "train.py"
    if text is not None:
        script.write_text(text)
    assert main(["names", str(script)]) == 1
    assert f"fastgrad: {script}:" in capsys.readouterr().err
