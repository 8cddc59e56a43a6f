"""Valid calls with arguments replaced: `python -m tests.reliability.bad_input.fuzz EXAMPLES SEED REPORT`.

Each example takes a line of `valid_calls.txt` and puts other values in the place of one or two arguments. The call must give a result, or raise a documented
class with a message. What it gives it must give again, and in a compiled function, too. A line of REPORT is written before each call, so that the parent knows
which one ended the process.
"""

from __future__ import annotations

import ast
import faulthandler
import json
import os
import resource
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import fastgrad as tf
from fastgrad._src.jit.bounds import OutOfBoundsError

from .attempts import MEMORY, SECONDS
from .messages import INNER
from .names import OPERANDS, names
from .unchanged import state

VALID = Path(__file__).with_name("valid_calls.txt").read_text(encoding="utf-8").splitlines()

# Texts of values: None, numbers at the ends of their ranges, names of tensors of each dtype and rank, what is no tensor at all.
PLAIN = [
    *("None", "True", "-1", "0", "1", "2", "3", "4", "7", "-3", "-(1 << 31)", "1 << 31", "1 << 40", "1 << 62", "-(1 << 63)", "1 << 64", "1.5", "-0.5", "nan"),
    *("inf", "-inf", "1e300", "1j", "'a'", "''", "b'a'", "[]", "[[]]", "[None]", "{}", "{1: 2}", "()", "object()", "step", "tf.float32", "tf.int32", "'float64'"),
    *("[[1], [2, 3]]", "[[1.0, 2.0]]", "[1, 'a']", "np.zeros([0])", "np.zeros([0, 3], np.int32)", "np.float64(nan)", "np.array(None)", "np.array(['a'], object)"),
    *("ARRAY", "TEXT", "v", "ragged()", "[V, M]", "M[:, ::2]", "V[::-1]", "range(2)", "tf.TensorShape([None, 3])", "tf.constant(1 << 40, tf.int64)"),
    *("tf.constant([[0, 5]])", "tf.constant([-1, 9])", "tf.constant([1 << 40], tf.int64)", "tf.cast(V, tf.bfloat16)", "np.int8(3)", "slice(1)", "..."),
]  # fmt: skip
NUMBERS = st.one_of(st.integers(-4, 9), st.sampled_from([-(1 << 63), (1 << 31) - 1, 1 << 31, 1 << 40, (1 << 63) - 1]))
TEXTS = st.one_of(
    st.sampled_from([*PLAIN, *OPERANDS]),
    NUMBERS.map(str),
    st.lists(NUMBERS, max_size=4).map(str),
    st.lists(st.lists(NUMBERS, min_size=2, max_size=2), min_size=1, max_size=3).map(str),
    st.lists(st.floats(width=32), max_size=4).map(str),
)
HELPERS = {"file", "folder", "written", "compiled", "built", "list", "next", "iter", "Dataset.range"}
"""Functions of `core/names.py` and of Python, whose arguments stay; so do those of `Dataset.range`, which can count for years."""
# Classes with which Python, not the library, refuses something: a check of arguments was left out.
UNDOCUMENTED = (
    ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, KeyError, NameError, RecursionError, StopIteration, SystemError, UnicodeError,
    tf.errors.InternalError, tf.errors.UnknownError,
)  # fmt: skip


@st.composite
def calls(draw: st.DrawFn) -> str:
    """The text of a call, one or two of whose arguments are replaced."""
    tree = ast.parse(draw(st.sampled_from(VALID)), mode="eval")
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and (node.args or node.keywords)]
    nodes = [node for node in nodes if ast.unparse(node.func) not in HELPERS]
    for _ in range(draw(st.integers(1, 2))):
        call = draw(st.sampled_from(nodes))
        value = ast.parse(draw(TEXTS), mode="eval").body
        place = draw(st.integers(0, len(call.args) + len(call.keywords) - 1))
        if place < len(call.args):
            call.args[place] = value
        else:
            call.keywords[place - len(call.args)].value = value
    return ast.unparse(tree)


def outcome(function: Any, *arguments: Any) -> tuple[Any, BaseException | None]:
    """What a call gives, and what it raises."""
    try:
        return function(*arguments), None
    except Exception as error:  # noqa: BLE001 - the exception is the outcome
        return None, error


def is_refusal(error: BaseException, of_keras: bool = False) -> bool:
    """Whether an exception is one that a user should see. Keras itself leaves some arguments of layers and of Python's lists to Python."""
    if isinstance(error, OutOfBoundsError):
        return False
    if isinstance(error, MemoryError):
        return True
    if of_keras:
        return not isinstance(
            error,
            (AssertionError, NameError, RecursionError, SystemError, tf.errors.InternalError, tf.errors.UnknownError),
        )
    if isinstance(error, UNDOCUMENTED) or type(error).__module__.startswith("numpy"):
        return False
    inside = isinstance(error, IndexError) and INNER.search(str(error))
    return bool(str(error)) and not inside


def flat(value: Any) -> list[Any] | None:
    """The arrays of a result, None for one that is no structure of tensors."""
    parts = tf.nest.flatten(value)
    if not all(isinstance(part, tf.Tensor) and not part._array.dtype.hasobject for part in parts):
        return None
    return [np.asarray(part._array, np.float64) if part._array.dtype.kind == "V" else part._array for part in parts]


def same(first: list[Any] | None, second: list[Any] | None) -> bool:
    """Whether two results of tensors agree to rounding."""
    if first is None or second is None:
        return False
    with np.errstate(all="ignore"):
        return len(first) == len(second) and all(
            a.shape == b.shape
            and a.dtype == b.dtype
            and (np.allclose(a, b, 1e-4, 1e-5, equal_nan=True) if a.dtype.kind in "fc" else np.array_equal(a, b))
            for a, b in zip(first, second, strict=True)
        )


OF_KERAS = ("layers.", "losses.", "metrics.", "keras.", "optimizers.", "compiled(", "list(", "next(")
"""Beginnings of calls that leave some arguments to Python, as in Keras, and that draw weights before they fail."""
CHANGING = ("optimizers.",)
"""Calls that may be refused after they have begun: an optimizer's variables are made at its first step."""
RANDOM = ("random", "dropout", "shuffle", "layers.")


def judged(text: str, compiled: bool) -> str:
    """What is wrong with a call, or nothing."""
    scope = names(tf)
    tf.random.set_seed(1)
    tf.random.uniform([])
    of_keras = text.lstrip("(").startswith(OF_KERAS)
    before = state(scope, draws=not of_keras)
    result, error = outcome(lambda: eval(text, scope))
    if error is not None and not is_refusal(error, of_keras):
        return f"{type(error).__name__}: {str(error)[:200]}"
    refused = error is not None and not isinstance(
        error, MemoryError
    )  # how much memory there is depends on the machine
    if refused and not any(word in text for word in CHANGING) and state(scope, draws=not of_keras) != before:
        return f"{type(error).__name__}, and it has changed operands, a variable, a generator or a setting: {str(error)[:200]}"
    if (
        not compiled
        or of_keras
        or text.startswith("written(")
        or (error is None and any(word in text for word in RANDOM))
    ):
        return ""
    used = [name for name in OPERANDS if name in text]
    arrays = None if error is not None else flat(result)
    if error is None and (arrays is None or sum(a.size for a in arrays) > 10_000):
        return ""
    scope = names(tf)
    function = tf.function(eval(f"lambda {', '.join(used)}: ({text})", scope))
    for _ in range(2):
        again, refusal = outcome(function, *[scope[name] for name in used])
        if isinstance(refusal, tf.errors.UnimplementedError):
            return ""  # what no program can do
        if type(refusal) is not type(error):
            return f"eager {error!r:.150}, compiled {refusal!r:.150}"
        if error is None and "v." not in text:
            found = flat(again)
            if not same(arrays, found):
                return f"eager {result!r:.150}, compiled {again!r:.150}"
    return ""


def main() -> None:
    """Draws the examples, and writes the calls and what is wrong with them."""
    examples, start, report = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]).resolve()
    skipped = set(json.loads(sys.argv[4])) if len(sys.argv) > 4 else set()
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    count = 0
    with tempfile.TemporaryDirectory() as folder, report.open("a", encoding="utf-8") as file:
        os.chdir(folder)  # calls may write files

        @seed(start)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(calls())
        def run(text: str) -> None:
            nonlocal count
            if text in skipped:
                return
            count += 1
            print(json.dumps(["call", text]), file=file, flush=True)
            faulthandler.dump_traceback_later(SECONDS, exit=True)
            if wrong := judged(text, compiled=count % 8 == 0):
                print(json.dumps(["wrong", text, wrong]), file=file, flush=True)

        run()
        print(json.dumps(["done", count]), file=file, flush=True)


if __name__ == "__main__":
    main()
