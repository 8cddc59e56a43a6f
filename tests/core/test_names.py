"""Names of TensorFlow and Keras: each is there, or asking for it says that they have it and what is nearest."""

import copy
import enum
import fnmatch
import importlib
import importlib.util
import inspect
import json
import os
import pickle
import pkgutil
import re
import subprocess
import sys
import traceback

import pytest

import fastgrad as tf
from fastgrad._src.core.names import declare_missing, suggestions
from fastgrad._src.core.peer_names import DIFFERING, NEAREST, missing_name_text, nearest_alternative, peer_names
from tools import name_use, names_table

PAGE = (names_table.ROOT / "docs" / "coming_from_tensorflow.md").read_text(encoding="utf-8")
CURRENT, FORMER, MEMBERS = peer_names()
ROWS = names_table.rows_of(names_table.namespaces_of(names_table.PAGE))
KERAS_ROWS = names_table.rows_of(names_table.namespaces_of(names_table.KERAS_PAGE))


def namespace_of(name: str):
    """The module that ``tf.nn`` and the like stand for."""
    found = tf
    for part in name.split(".")[1:]:
        found = getattr(found, part)
    return found


def is_there(name: str) -> bool:
    try:
        namespace_of(name)
    except AttributeError:
        return False
    return True


NAMESPACES = [space for space in CURRENT if is_there(space)]


def refusal_of(statement: str) -> Exception:
    with pytest.raises((AttributeError, ImportError)) as refusal:
        exec(statement, {"tf": tf})
    return refusal.value


@pytest.mark.completeness
@pytest.mark.parametrize("page", [names_table.PAGE, names_table.KERAS_PAGE], ids=lambda page: page.name)
def test_the_page_is_what_the_tool_writes(page):
    assert names_table.rewritten(page) == page.read_text(encoding="utf-8"), "run python tools/names_table.py"


@pytest.mark.completeness
def test_the_page_has_every_public_name():
    """The number of public names of some namespaces of TensorFlow 2.21."""
    counts = {
        space: sum(row.name.rpartition(".")[0] == space for row in ROWS)
        for space in ("tf", "tf.math", "tf.nn", "tf.lite")
    }
    assert counts == {"tf": 308, "tf.math": 132, "tf.nn": 90, "tf.lite": 7}
    names = [row.name for row in ROWS + KERAS_ROWS]
    assert len(set(names)) == len(names)
    listed = set(names) | {f"tf.raw_ops.{name}" for name in CURRENT["tf.raw_ops"]}
    unlisted = {f"{space}.{name}" for space, words in CURRENT.items() for name in words} - listed
    assert all(
        any(name.startswith(row.name + ".") for row in KERAS_ROWS if row.status != "supported") for name in unlisted
    )


def test_each_status_is_that_of_the_package():
    for row in ROWS + KERAS_ROWS:
        assert is_there(row.name) == (row.status in ("supported", "differs")), row
        if row.status == "supported":
            assert any((folder / row.text.split("`")[1]).exists() for folder in names_table.FOLDERS), row


def test_the_share_by_use_weights_names_by_their_files():
    is_there = {"tf.image.resize": True, "tf.image.a": False, "tf.io.b": False}
    files = {"tf.image.resize": 30, "tf.image.a": 9, "tf.io.b": 1, "tf.contrib": 60}
    assert names_table.share_by_use(files, is_there) == 75


def test_names_in_use_are_there():
    files = names_table.files_by_name()
    assert files["tf.GradientTape"] > files["tf.queue.FIFOQueue"]
    assert {*files} - {"tf.contrib"} <= set(name_use.public_names().values())
    text = names_table.weighted_by_use()
    assert float(re.findall(r"Weighted by use, ([\d.]+) %", text)[0]) >= 97


PROGRAM = """
import tensorflow as tf, keras
import tensorflow.compat.v1 as tf1
from tensorflow.keras import layers as kl
from tensorflow.nn import relu
tf.linalg.matmul(tf.keras.layers.Dense(3).weights, tf1.placeholder())
kl.Conv2D, keras.Model, tf.contrib.rnn.LSTMCell, tf.nn.relu, unknown.relu
"""
NAMES_OF_PROGRAM = {
    "tf.linalg.matmul", "tf.keras.layers.Dense", "tf.compat.v1.placeholder", "tf.keras.layers.Conv2D", "tf.keras.Model",
    "tf.contrib", "tf.nn.relu",
}  # fmt: skip


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("a.py", PROGRAM),
        ("a.md", f"tf.abs is text\n```python\n{PROGRAM}```\n```\ntf.exp(1)\n```\n"),
        (
            "a.ipynb",
            json.dumps(
                {
                    "cells": [
                        {"cell_type": "markdown", "source": ["tf.abs"]},
                        {"cell_type": "code", "source": ["if True:\n", "    %matplotlib inline\n", PROGRAM]},
                    ]
                }
            ),
        ),
    ],
)
def test_names_of_a_program_are_counted_however_it_imports_them(tmp_path, file, text):
    (tmp_path / file).write_text(text, encoding="utf-8")
    public = name_use.public_names()
    assert {name_use.counted_name(name, public) for name in name_use.names_in(tmp_path / file)} - {
        ""
    } == NAMES_OF_PROGRAM


def test_names_that_public_programs_use_are_there():
    is_there = {row.name: row.status in ("supported", "differs") for row in [*ROWS, *KERAS_ROWS] if row.has_meaning}
    assert names_table.share_by_use(names_table.files_by_name(), is_there) >= 99.5


def test_names_without_a_meaning_on_one_cpu_are_names_of_tensorflow():
    every_name = [f"{space}.{name}" for space, names in CURRENT.items() for name in names]
    for patterns in names_table.WITHOUT_MEANING:
        for pattern in patterns.split(" "):
            assert any(fnmatch.fnmatchcase(name, pattern) for name in every_name), pattern


@pytest.mark.completeness
def test_differing_names_are_there_and_explained():
    page = (names_table.ROOT / "docs" / "differences.md").read_text(encoding="utf-8")
    words = {word.partition("(")[0].rpartition(".")[2] for word in re.findall(r"`([^`\n]+)`", page)}
    names_of_text = {}
    for name, text in DIFFERING.items():
        assert is_there(name), name
        names_of_text.setdefault(text, []).append(name)
    for text, names in names_of_text.items():
        last_parts = [name.rpartition(".")[2] for name in names]
        assert any(fnmatch.fnmatchcase(name, word) for name in last_parts for word in words), names
        assert text.endswith("."), text


def test_the_page_for_tensorflows_users_names_all_missing_namespaces():
    (row,) = re.findall(r"^\| \*\*is not there\*\* .*", PAGE, re.MULTILINE)
    listed = {name if name.startswith("tf.") else f"tf.{name}" for name in re.findall(r"`((?:tf|keras)\.\w+)`", row)}
    parents = {name: name.rpartition(".")[0] for name in CURRENT if name != "tf"}
    missing = {name for name, parent in parents.items() if parent in ("tf", "tf.keras") and not is_there(name)}
    assert missing - listed == set()
    assert all("has it, fastgrad does not." in str(refusal_of(name)) for name in listed)


def test_the_table_of_peers_is_as_the_tool_writes_it():
    lines = names_table.gzip.decompress(names_table.PEERS.read_bytes()).decode().split("\n")
    kinds = ["1" if line.startswith("1 ") else line[0] for line in lines]
    assert kinds == sorted(kinds, key="t1.".index)
    for line in lines:
        head, *names = line.removeprefix("1 ").split(" ")
        assert names == sorted(set(names), key=lambda word: word.partition("=")[0]), head
        assert all(re.fullmatch(r"\w+(=tf[.\w]+)?", name) for name in names), head
    assert not {"annotations", "python"} & CURRENT["tf"]
    assert all(not set(names) & CURRENT.get(space, set()) for space, names in FORMER.items())
    assert FORMER["tf"]["log"] == "tf.math.log"
    assert "Session" in FORMER["tf"]
    assert "applications" in CURRENT["tf.keras"]
    assert "enable_lora" in MEMBERS["Dense"] - MEMBERS["Layer"]


@pytest.mark.completeness
@pytest.mark.parametrize("namespace", NAMESPACES)
def test_every_public_name_is_there_or_refused(namespace):
    module = namespace_of(namespace)
    for name in CURRENT[namespace] | set(FORMER.get(namespace, ())):
        if not hasattr(module, name):
            with pytest.raises(AttributeError) as refusal:
                getattr(module, name)
            text = str(refusal.value)
            assert text.startswith(f"{namespace}.{name}: TensorFlow")
            assert "has it, fastgrad does not." in text
            assert ("Nearest: " in text) == bool(
                nearest_alternative(f"{namespace}.{name}", FORMER.get(namespace, {}).get(name, ""))
            )


def test_nearest_alternatives_are_there():
    for hint in NEAREST.values():
        for word in re.findall(r"\btf(?:\.\w+)+", hint):
            assert is_there(word.replace("tf.GradientTape().", "tf.GradientTape.")), hint


def test_hints_are_for_missing_names():
    there = [name for name in NEAREST if "*" not in name and name.startswith("tf.") and is_there(name)]
    assert not there
    full_names = [f"{space}.{name}" for table in (CURRENT, FORMER) for space, names in table.items() for name in names]
    full_names += [f".{name}" for names in MEMBERS.values() for name in names]
    for pattern in NEAREST:
        expression = re.compile(pattern.replace(".", r"\.").replace("*", ".*"))
        assert "*" not in pattern or any(map(expression.fullmatch, full_names)), pattern


@pytest.mark.parametrize(
    ("statement", "kind", "text"),
    [
        ("tf.Session", AttributeError, r"tf\.Session: TensorFlow 1 has it, .*Nearest: a call of the function"),
        (
            "tf.compat.v1.Session",
            AttributeError,
            r"v1\.Session: TensorFlow 1 has it, .*Nearest: a call of the function",
        ),
        (
            "tf.compat.v1.train.Saver",
            AttributeError,
            r"train\.Saver: TensorFlow 1 has it, .*Nearest: tf\.train\.Checkpoint",
        ),
        (
            "tf.keras.applications",
            AttributeError,
            r"tf\.keras\.applications: TensorFlow has it, fastgrad does not\. Nearest",
        ),
        ("tf.feature_column.x", AttributeError, r"tf\.feature_column: TensorFlow has it, fastgrad does not\. Nearest"),
        ("tf.log", AttributeError, r"Nearest: tf\.math\.log\.$"),
        (
            "tf.keras.dtype_policies",
            AttributeError,
            r"Nearest: tf\.keras\.mixed_precision, tf\.keras\.DTypePolicy\. Keras on fastgrad has it: pip install",
        ),
        ("from fastgrad.keras.wrappers import x", ModuleNotFoundError, r"tf\.keras\.wrappers: TensorFlow has it"),
        (
            "import fastgrad.keras.applications.resnet50",
            ModuleNotFoundError,
            r"tf\.keras\.applications: TensorFlow has it",
        ),
        ("import fastgrad.nn.rnn_cell", ModuleNotFoundError, r"tf\.nn\.rnn_cell: TensorFlow 1 has it"),
        (
            "from fastgrad.keras.layers import ReversibleEmbedding",
            ImportError,
            r"cannot import name 'ReversibleEmbedding' .*TensorFlow has it",
        ),
        (
            "from fastgrad.nn import relu, with_space_to_batch",
            ImportError,
            r"tf\.nn\.with_space_to_batch: TensorFlow has it",
        ),
        ("from fastgrad import feature_column", ImportError, r"tf\.feature_column: TensorFlow has it"),
        ("import fastgrad.metric", ModuleNotFoundError, r"Did you mean: metrics"),
        ("from fastgrad.keras.layers import Densee", ImportError, r"Did you mean: Dense\?$"),
        ("tf.matmull", AttributeError, r"Did you mean: matmul\?$"),
        ("tf.contrib.layers", AttributeError, r"TensorFlow 1 has it, .*Nearest: tf\.GradientTape.*tf\.keras"),
        ("tf.keras.backend.gradients", AttributeError, r"TensorFlow has it, .*Nearest: tf, tf\.math"),
        ("tf.keras.backend.get_session()", AttributeError, r"TensorFlow 1 has it, .*Nearest: a call of the function"),
        ("from fastgrad.keras.utils import np_utils", ImportError, r"TensorFlow 1 has it, .*Nearest: tf\.keras\.utils"),
        ("from fastgrad.keras.layers.core import x", ModuleNotFoundError, r"TensorFlow 1 .*Nearest: tf\.keras\.layers"),
        ("from fastgrad.python.keras import layers", ModuleNotFoundError, r"TensorFlow 1 .*: fastgrad\.keras for"),
        (
            "from fastgrad.keras.preprocessing.image import ImageDataGenerator",
            ImportError,
            r"TensorFlow has it, .*Nearest: tf\.keras\.utils\.image_dataset_from_directory",
        ),
        ("tf.constant([1.0]).reshape(-1)", AttributeError, r"or \.numpy\(\)\.reshape\.$"),
        ("tf.nn.sofmax", AttributeError, r"fastgrad\.nn.*Did you mean: .*softmax"),
    ],
)
def test_missing_names_are_answered_wherever_they_are_asked_for(statement, kind, text):
    refusal = refusal_of(statement)
    assert type(refusal) is kind
    assert re.search(text, str(refusal))
    shown = "".join(traceback.format_exception_only(type(refusal), refusal)).strip()
    assert shown == f"{kind.__name__}: {refusal}"
    assert getattr(refusal, "obj", None) is None  # Python adds no second suggestion
    assert shown.count("Did you mean") <= 1


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("tf.constant(1.0).eval()", r"'Tensor' .* 'eval': TensorFlow has it, fastgrad does not\. Nearest: \.numpy\(\)"),
        ("tf.Variable(1.0).eval()", r"'Variable' .* 'eval': TensorFlow has it"),
        ("tf.keras.Sequential().quantized_call(1)", r"'Sequential' .* 'quantized_call': TensorFlow has it"),
        ("tf.keras.Sequential().fit_generator([])", r"'Sequential' .*TensorFlow 1 has it, .*Nearest: model\.fit\.$"),
        ("tf.keras.Sequential().predict_classes([])", r"TensorFlow 1 has it, .*argmax"),
        ("tf.keras.layers.Dense(1).enable_lora(2)", r"'Dense' .* 'enable_lora': TensorFlow has it"),
        ("tf.keras.optimizers.Adam().minimize", r"'Adam' .* 'minimize': TensorFlow has it"),
        ("tf.data.Dataset.range(3).make_one_shot_iterator()", r"TensorFlow has it.*Nearest: iter\(dataset\)"),
        ("tf.ragged.constant([[1]]).consumers()", r"'RaggedTensor' .* 'consumers': TensorFlow has it"),
        ("tf.distribute.get_strategy().configure()", r"'configure': TensorFlow has it"),
        ("tf.data.Dataset.range(3).mapp", r"'mapp'\. Did you mean: map"),
        ("tf.keras.layers.LSTM(2).enable_lora", r"'LSTM' object has no attribute 'enable_lora'\.$"),
        ("tf.keras.layers.Dense(1).kernel", r"^You must build the layer before accessing `kernel`\.$"),
    ],
)
def test_missing_members_are_answered(statement, text):
    refusal = refusal_of(statement)
    assert type(refusal) is AttributeError
    assert re.search(text, str(refusal))


def test_members_of_public_classes_are_there_or_answered():
    unanswered = {}
    for space in NAMESPACES:
        for name in CURRENT[space] & MEMBERS.keys():
            value = getattr(namespace_of(space), name, None)
            # Python 3.11's class of enums has __getattr__, later ones have not; a message has the name of an enum, `Feature`
            if (
                inspect.isclass(value)
                and not hasattr(value, "__getattr__")
                and not issubclass(value, (tuple, enum.Enum))
            ):
                source = inspect.getsource(sys.modules[value.__module__])  # attributes that the constructor sets
                missing = {one for one in MEMBERS[name] if not hasattr(value, one) and one not in source}
                answered = {one for one in missing if inspect.getattr_static(value, one, None) is not None}
                unanswered.update({f"{name}.{one}": None for one in missing - answered})
    assert set(unanswered) == UNANSWERED


def test_the_list_of_keras_says_which_members_are_missing():
    missing = names_table.missing_members()
    assert missing["tf.keras.layers.Dense"] == {"enable_lora", "variable_serialization_spec"}
    assert "quantize" in missing["tf.keras.Layer"]
    callbacks = {name: words for name, words in missing.items() if name.startswith("tf.keras.callbacks.") and words}
    assert callbacks == {"tf.keras.callbacks.TensorBoard": {"summary"}}
    lines = names_table.KERAS_MEMBERS.read_text(encoding="utf-8").splitlines()
    assert any(line.startswith("tf.keras.callbacks.CallbackList tf.keras.callbacks.Callback") for line in lines)
    rows = {row.name: row.text for row in KERAS_ROWS}
    assert all(f"`{word}`" in rows[name] for name, words in missing.items() for word in words if name in rows)


UNANSWERED = {
    "Callable.function_type",
    "DTypePolicy.convert_input",
    "DeviceSpec.merge_from",  # of TensorFlow 1
    *(f"{name}Function.experimental_get_compiler_ir" for name in ("Generic", "Polymorphic")),
    *(
        f"Feature.{name}" for name in ("ALL", "ASSERT_STATEMENTS", "AUTO_CONTROL_DEPS", "BUILTIN_FUNCTIONS")
    ),  # of tf.autograph's
    *(f"Feature.{name}" for name in ("EQUALITY_OPERATORS", "LISTS", "NAME_SCOPES")),
    "LossScaleOptimizer.check_finite",
    "Model.jit_compile",
    "Policy.convert_input",
    *(f"{layer}.get_transformed_x_y" for layer in ("RandomTranslation", "RandomZoom")),
    "RandomTranslation.get_shifted_bbox",
    "RandomZoom.get_clipped_bbox",
    *(f"KerasTensor.{name}" for name in ("reshape", "squeeze")),
    *(f"Muon.{name}" for name in ("lr_adjust", "transpose_last_axis", "zeropower_via_newtonschulz5")),
    *(f"Reduction.{name}" for name in ("MEAN", "SUM_BY_NONZERO_WEIGHTS", "SUM_OVER_NONZERO_WEIGHTS", "validate")),
    "TFRecordOptions.compression_type_map",
    *(f"Variable.{name}" for name in ("overwrite_with_gradient", "path", "regularizer")),  # of Keras's variables only
}
"""Members for which Python's own error is good enough."""


BEFORE_BUILD = {"input", "kernel", "output"}


def test_objects_hide_what_they_lack():
    @declare_missing("distant")
    class Near:
        close = 1

    class Nearer(Near):
        pass

    class Complete(Near):
        distant = 2

    assert "distant" not in dir(Nearer())
    assert "distant" in dir(Complete())
    assert "close" in dir(Nearer())
    assert not hasattr(Nearer(), "distant")
    assert Complete().distant == 2
    thing = Near()
    thing.distant = 3
    assert thing.distant == 3
    for value in (
        tf.Variable(1.0),
        tf.keras.layers.Dense(1),
        tf.TensorShape([1]),
        tf.float32,
        tf.keras.optimizers.SGD(),
    ):
        assert all(hasattr(value, name) for name in dir(value) if not name.startswith("_") and name not in BEFORE_BUILD)


def test_probes_are_answered_without_the_table():
    code = (
        "import copy, inspect, pickle, sys, fastgrad as tf\n"
        "assert not hasattr(tf, 'Session') and getattr(tf, 'feature_column', 3) == 3 and not hasattr(tf.nn, '__wrapped__')\n"
        "assert not hasattr(tf.constant(1.0), '__wrapped__') and not hasattr(tf.Variable(1.0), 'eval')\n"
        "for value in (tf.constant(1.0), tf.data.Dataset.range(2), tf.Variable(1.0)): copy.copy(value); inspect.unwrap(value)\n"
        "pickle.loads(pickle.dumps(tf.constant(1.0)))\n"
        "try:\n    from fastgrad.nn import with_space_to_batch\nexcept ImportError:\n    pass\n"
        "assert not {'fastgrad._src.core.peer_names', 'difflib'} & sys.modules.keys(), sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_find_spec_of_a_missing_module_is_none():
    assert importlib.util.find_spec("fastgrad.keras.applications") is None
    with pytest.raises(ModuleNotFoundError, match="No module named 'no_such_module'$"):
        importlib.import_module("no_such_module")


def test_errors_of_missing_names_are_pickled_as_text():
    refusal = refusal_of("tf.Session")
    assert str(pickle.loads(pickle.dumps(refusal))) == str(refusal)
    assert repr(refusal) == f"AttributeError({str(refusal)!r})"
    assert str(copy.copy(refusal)) == str(refusal)
    assert refusal.name == "Session"


def test_answers_without_a_peer_suggest_names_that_are_there():
    assert missing_name_text("tf.nn", "relux", ["relu", "_relu", "tanh"], suggestions).endswith(
        "has no attribute 'relux'. Did you mean: relu?"
    )


def _public_modules():
    for module in pkgutil.walk_packages(tf.__path__, "fastgrad."):
        namespace = "tf" + module.name.removeprefix("fastgrad")
        if namespace in CURRENT and not any(part.startswith("_") for part in module.name.split(".")):
            yield importlib.import_module(module.name)


@pytest.mark.completeness
def test_public_namespaces_have_no_leaked_names():
    """What ``from __future__ import annotations`` sets is gone; what is imported from other projects is not listed."""
    modules = [tf, *_public_modules()]
    assert len(modules) > 45
    for module in modules:
        assert not hasattr(module, "annotations"), module.__name__
        of_tensorflow = CURRENT.get(
            "tf" + module.__name__.removeprefix("fastgrad"), ()
        )  # dtypes of NumPy are in its names
        for name in dir(module):
            if not name.startswith("__") and name not in of_tensorflow:
                assert not name.startswith("_")
                value = getattr(module, name)
                home = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None) or "fastgrad"
                assert not isinstance(home, str) or home.split(".")[0] == "fastgrad", f"{module.__name__}.{name}"


def is_message(value):
    """True for a message class that protobuf makes."""
    return hasattr(value, "DESCRIPTOR")


@pytest.mark.completeness
def test_supported_names_are_documented_and_public():
    for row in ROWS:
        if row.status not in ("supported", "differs"):
            continue
        value = namespace_of(row.name)
        namespace, _, name = row.name.rpartition(".")
        if (
            callable(value) and not is_message(value) and row.name != "tf.types.experimental.TensorLike"
        ):  # a union of types
            assert value.__doc__, f"{row.name} has no docstring"
        if row.name != "tf.test.main":  # unittest's
            assert name in dir(namespace_of(namespace)), f"{row.name} does not show in dir()"


@pytest.mark.skipif("FASTGRAD_REFEREE_PYTHON" not in os.environ, reason="needs real TensorFlow: `make conformance`")
def test_the_table_has_the_names_of_the_peers():
    command = (
        "import sys; sys.path.insert(0, 'tools'); import names_table; print(*names_table.peer_lines(), sep=chr(10))"
    )
    python = os.environ["FASTGRAD_REFEREE_PYTHON"]
    lines = subprocess.run([python, "-c", command], cwd=names_table.ROOT, check=True, capture_output=True, text=True)
    table = names_table.gzip.decompress(names_table.PEERS.read_bytes()).decode()
    assert lines.stdout.splitlines() == table.splitlines(), "run `make names`"
