"""Answers of Keras to calls that are written as text: each file of ``answers/`` maps an expression to its result.

A new expression is a new key, with ``"?"`` for the answer until `make record` (`tests/record.py`).
"""

from __future__ import annotations

import json
import pathlib
import sys
import tempfile
from collections.abc import Collection
from typing import Any

import numpy as np

FOLDER = pathlib.Path(__file__).parent / "answers"
UNANSWERED = "?"


def names_for(tf: Any, folder: str) -> dict[str, Any]:
    """What expressions may use; ``folder`` gets the files that they read."""
    path = pathlib.Path(folder)
    (path / "words.txt").write_text("a\nb\nc\n")
    (path / "numbers.txt").write_text("12\n36\n")
    draw = np.random.RandomState(0)

    def adapted(layer: Any, data: Any, **options: Any) -> Any:
        layer.adapt(data, **options)
        return layer

    return {
        "tf": tf,
        "np": np,
        "L": tf.keras.layers,
        "ops": tf.keras.ops,
        "adapted": adapted,
        "VOC": ["a", "b", "c"],
        "WORDS": [["a", "z", "a"], ["c", "b", "a"]],
        "MANY": ["m", "z", "y", "x", "a", "w", "v"],
        "FILE": str(path / "words.txt"),
        "NUMBERS_FILE": str(path / "numbers.txt"),
        "VALUES": draw.randn(100).astype(np.float32),
        "X": draw.randn(3, 4).astype(np.float32),
        "Y": draw.randn(4, 3).astype(np.float32),
        "Z": (draw.rand(3, 4) + 0.5).astype(np.float32),
        "SQUARE": (draw.randn(3, 3) + 3 * np.eye(3)).astype(np.float32),
        "SYMMETRIC": np.array([[4, 1, 0.5], [1, 3, 0.25], [0.5, 0.25, 2]], np.float32),
        "INTS": np.array([[3, 1, 2], [2, 5, 0]], np.int32),
        "BOOLS": np.array([True, False, True]),
        "NANS": np.array([[1, np.nan, 3], [np.inf, 5, -np.inf]], np.float32),
        "IMAGES": draw.rand(2, 5, 6, 3).astype(np.float32),
    }


def plain(tf: Any, value: Any) -> Any:
    """A result as JSON has it: a tensor as its form, dtype and elements."""
    if isinstance(value, tf.RaggedTensor):
        return ["ragged", value.dtype.name, plain(tf, value.to_list())]
    if isinstance(value, tf.SparseTensor):
        return ["sparse", value.dtype.name, plain(tf, tf.sparse.to_dense(value).numpy().tolist())]
    if isinstance(value, tf.Tensor):
        return ["tensor", value.dtype.name, plain(tf, value.numpy().tolist())]
    if isinstance(value, dict):
        if "class_name" in value:
            return value["config"]["name"] if "name" in value["config"] else value["class_name"]
        return {str(key): plain(tf, item) for key, item in value.items() if key != "name"}
    if isinstance(value, (list, tuple)):
        return [plain(tf, item) for item in value]
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, complex):
        return [value.real, value.imag]
    if isinstance(value, np.ndarray):
        return ["array", value.dtype.name, plain(tf, value.tolist())]
    if isinstance(value, np.generic):
        return plain(tf, value.item())
    return value if isinstance(value, (int, float, str, type(None))) else type(value).__name__


def answer(tf: Any, expression: str) -> Any:
    """The result of an expression, or ``["error", class]``."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return plain(tf, eval(expression, names_for(tf, folder)))
        except Exception as error:  # noqa: BLE001  # its class is the answer
            return ["error", type(error).__name__]


def recorded(name: str) -> dict[str, Any]:
    """The answers of a file by expression."""
    table: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return table


def assert_agrees(got: Any, expected: Any) -> None:
    """Compares two answers: floats nearly, all else exactly. Skips the test if the expected one is not recorded."""
    if expected == UNANSWERED:
        from tests.record import skip_unanswered  # Keras's Python has no pytest

        skip_unanswered(["the expression"])
    _assert_parts_agree(got, expected)


def _assert_parts_agree(got: Any, expected: Any) -> None:
    if isinstance(expected, list):
        assert isinstance(got, list), (got, expected)
        assert len(got) == len(expected), (got, expected)
        for a, b in zip(got, expected, strict=True):
            _assert_parts_agree(a, b)
    elif isinstance(expected, dict):
        assert got == expected
    elif isinstance(expected, float):
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-6)
    else:
        assert (type(got), got) == (type(expected), expected)


def asked() -> dict[str, set[str]]:
    """The expressions of each file."""
    return {path.stem: {*recorded(path.stem)} for path in sorted(FOLDER.glob("*.json"))}


def answered() -> dict[str, set[str]]:
    """The expressions of each file that have answers."""
    return {
        path.stem: {expression for expression, value in recorded(path.stem).items() if value != UNANSWERED}
        for path in sorted(FOLDER.glob("*.json"))
    }


def record(files: Collection[str], *, again: bool) -> None:
    """Asks Keras the expressions without an answer, or all `again`, and writes the answers, an expression a line."""
    from tests.conformance.record import required_python, run_tensorflow

    known = {} if again else answered()
    expressions = {file: sorted(asked()[file] - known.get(file, set())) for file in files}
    run_tensorflow(required_python(), "tests.keras.recorded_answers", json.dumps(expressions))


def main(expressions_of_files: dict[str, list[str]]) -> None:
    """Asks Keras, which this Python has."""
    import tensorflow as tf

    for file, expressions in expressions_of_files.items():
        answers = recorded(file) | {expression: answer(tf, expression) for expression in expressions}
        lines = [f"{json.dumps(expression)}: {json.dumps(result)}" for expression, result in answers.items()]
        (FOLDER / f"{file}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
