"""Asks one module a program's questions and writes the answers as plain JSON data.

Runs in TensorFlow's environment as well as in fastgrad's, so it needs only Python and NumPy.
"""

import builtins
import importlib
import json
import pkgutil
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from . import programs

Answers = dict[str, dict[str, Any]]


def program_names() -> list[str]:
    """The programs' names in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(programs.__path__))


def ask(tf: ModuleType, program: str) -> Answers:
    """The answers of module `tf` to all questions of a program: `{case: {question: answer}}`.

    A case that raises before it has named its questions answers them all by one entry `"*"`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: _answers(tf, questions) for name, questions in questions_of(tf, program).items()}


def questions_of(tf: ModuleType, program: str) -> dict[str, Mapping[str, Any] | Exception]:
    """The questions of a program that a module can be asked, by case; what is raised by a case that does not name them."""
    module = importlib.import_module(f".{program}", programs.__name__)
    return {
        name: _questions(tf, case)
        for name, case in [*vars(module).items()]  # a case may add a name, such as that of shown warnings
        if callable(case) and case.__module__ == module.__name__ and not name.startswith("_")
    }


def _questions(tf: ModuleType, case: Callable[[ModuleType], Mapping[str, Any]]) -> Mapping[str, Any] | Exception:
    try:
        return case(tf)
    except Exception as error:  # noqa: BLE001 (the exception is the answer)
        return error


def _answers(tf: ModuleType, questions: Mapping[str, Any] | Exception) -> dict[str, Any]:
    if isinstance(questions, Exception):
        return {"*": _raised(tf, questions)}
    answers = {}
    for name, question in questions.items():
        try:
            value = question() if callable(question) and not isinstance(question, type) else question
            answers[name] = as_data(tf, value)
        except Exception as error:  # noqa: BLE001 (the exception is the answer)
            answers[name] = _raised(tf, error)
    return answers


def _raised(tf: ModuleType, error: Exception) -> dict[str, Any]:
    """What an `except` clause can see: the builtin and `tf.errors` classes among the exception's ancestors."""
    public = [
        ancestor.__name__
        for ancestor in type(error).__mro__
        if vars(builtins).get(ancestor.__name__) is ancestor or getattr(tf.errors, ancestor.__name__, None) is ancestor
    ]
    return {"raises": public[: public.index("Exception")] or ["Exception"], "message": str(error)}


def as_data(tf: ModuleType, value: Any) -> Any:
    """A value as JSON data that keeps its kind, dtype and shape.

    Raises:
        TypeError: the program returned something that has no JSON form here.
    """
    if value is None or (isinstance(value, bool | int | str) and not isinstance(value, np.generic)):
        return value
    if isinstance(value, float) and not isinstance(value, np.generic):
        return {"float": _number(value)}
    if isinstance(value, bytes):
        return {"bytes": value.decode("latin-1")}
    if isinstance(value, dict):
        return {"dict": {str(key): as_data(tf, item) for key, item in value.items()}}
    if type(value).__name__ == "TensorShape":
        return {"shape": None if value.rank is None else value.as_list()}
    if isinstance(value, tuple | list):
        return {"tuple" if isinstance(value, tuple) else "list": [as_data(tf, item) for item in value]}
    if isinstance(value, tf.DType):
        return {"dtype": value.name}
    if isinstance(value, np.dtype):
        return {"numpy dtype": value.name}
    if isinstance(value, type):
        return {"class": value.__name__}
    if isinstance(value, tf.IndexedSlices):
        shape = None if value.dense_shape is None else np.asarray(value.dense_shape).tolist()
        return {"IndexedSlices": [_array(value.values), _array(value.indices), shape]}
    if type(value).__name__ == "RaggedTensor":
        splits = [_array(one) for one in value.nested_row_splits]
        return {"RaggedTensor": [_array(value.flat_values), splits, as_data(tf, value.shape)]}
    if type(value).__name__ == "SparseTensor":
        return {"SparseTensor": [_array(value.values), _array(value.indices), as_data(tf, value.shape)]}
    if isinstance(value, np.ndarray | np.generic):
        return {"array": _array(value)}
    if isinstance(value, tf.Tensor):
        return {"Tensor": _array(value)}
    if hasattr(value, "assign_add") and hasattr(value, "dtype"):
        return {"Variable": _array(value)}
    raise TypeError(f"a program answered with {type(value)}, which has no form in the recorded answers")


def _array(value: Any) -> dict[str, Any]:
    # By way of numpy(): NumPy refuses the __array__ of TensorFlow's bfloat16 scalars.
    array = np.asarray(value.numpy() if hasattr(value, "numpy") else value)
    flat = array.ravel()
    if array.dtype.kind in "biu":
        values = flat.tolist()
    elif array.dtype.kind == "c":
        values = [[_number(item.real), _number(item.imag)] for item in flat]
    elif array.dtype.kind in "OSU":
        values = [item.decode("latin-1") if isinstance(item, bytes) else str(item) for item in flat]
    else:
        values = [_number(item) for item in flat]
    return {"dtype": array.dtype.name, "shape": list(array.shape), "values": values}


def _number(value: Any) -> float | str:
    """The shortest decimal of a float in its own precision; JSON has no name for what is not finite."""
    return float(str(value)) if np.isfinite(value) else str(value)


def main() -> None:
    """`python -m tests.conformance.answers MODULE FOLDER [PROGRAM ...]`: asks the named module, one file a program."""
    module, folder, *programs = sys.argv[1:]
    tf = importlib.import_module(module)
    for program in programs or program_names():
        text = json.dumps({"versions": _versions(tf), "answers": ask(tf, program)})
        Path(folder, f"{program}.json").write_text(text, encoding="utf-8")


def _versions(tf: ModuleType) -> dict[str, str]:
    return {"tensorflow": tf.__version__, "keras": tf.keras.__version__, "numpy": np.__version__}


if __name__ == "__main__":
    main()
