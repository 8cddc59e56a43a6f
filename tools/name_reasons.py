"""Which public names of TensorFlow and Keras have no reason to be there: `python tools/name_reasons.py` prints them.

A reason is one of these:

- a program of tools/public_programs.txt uses the name, or another name of the same object;
- a page or an example of ours shows it with the name before it, such as ``layers.RandomZoom``, or imports it;
- other code in src refers to its definition, or a raw operation, of which stored graphs are made, computes with it, or
  it is what an operator of Keras's symbolic tensors calls;
- a string names it: saved models name activations, losses, metrics, regularizers and initializers, and arrays their dtypes;
- Keras itself calls it where it runs on fastgrad (`KERAS_CALLS`).
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TABLES = {"names.md", "keras_names.md"}
"""Pages that list all names."""

SAVED_BY_NAME = tuple(
    f"tf.keras.{kind}." for kind in ("activations", "losses", "metrics", "regularizers", "initializers")
)
"""The namespaces of objects that a saved model names by a string."""

KERAS_CALLS = {
    "tf.math.segment_min",
    "tf.nn.safe_embedding_lookup_sparse",
    "tf.required_space_to_batch_paddings",
    "tf.signal.inverse_stft_window_fn",
    "tf.signal.kaiser_window",
}
"""Names that the TensorFlow backend of Keras calls, and that have no other reason."""


def objects_by_name() -> dict[str, Any]:
    """The public names of TensorFlow and Keras that the package has, and what they name; no modules."""
    import fastgrad
    from fastgrad._src.core.names import Namespace
    from fastgrad._src.core.peer_names import peer_names

    found: dict[str, Any] = {}
    for space, words in peer_names()[0].items():
        owner: Any = fastgrad
        for part in space.split(".")[1:]:
            owner = getattr(owner, part, None)
        for word in words:
            value = getattr(owner, word, None)
            if not (value is None or inspect.ismodule(value) or isinstance(value, Namespace)):
                found[f"{space}.{word}"] = value
    return {name: value for name, value in found.items() if not name.startswith("tf.raw_ops.")}


def uses_by_name() -> Counter[str]:
    """The counted uses; a name of TensorFlow 1 counts for the name of TensorFlow 2 that computes it."""
    from fastgrad._src.compat.v1 import aliases
    from tools.name_use import counted_uses

    uses = counted_uses()
    for name, target in {**aliases._RENAMED, **{name: row[0] for name, row in aliases._ARGUMENTS.items()}}.items():
        uses[f"tf.{target}"] += uses[f"tf.compat.v1.{name}"]
    return uses


def names_on_pages() -> set[str]:
    """The names that pages and examples show, each with the word before it."""
    pages = [page for page in (ROOT / "docs").glob("*.md") if page.name not in TABLES]
    shown: set[str] = set()
    for file in [*pages, ROOT / "README.md", *(ROOT / "examples").glob("*.py")]:
        text = file.read_text(encoding="utf-8")
        shown |= set(re.findall(r"(?=\b(\w+\.\w+))", text))
        for module, words in re.findall(r"^\s*from ([\w.]+) import (\([^)]*\)|.*)", text, re.MULTILINE):
            shown |= {f"{module.rpartition('.')[2]}.{word}" for word in re.findall(r"\w+", words)}
    return shown


def words_in_code() -> set[str]:
    """The names that code in src reads, without imports, definitions and the public modules."""
    words: set[str] = set()
    for file in (ROOT / "src").rglob("_src/**/*.py"):
        nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
        imports = [alias for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names]
        full = {alias.asname: alias.name for alias in imports if alias.asname}
        words |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        loaded = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        words |= {full.get(name, name) for name in loaded}
    return words


def names_of_definition(name: str, value: Any) -> set[str]:
    """The names of an object in the module that defines it; the last word of its public name if that is not known."""
    names = {getattr(value, "__name__", None)} - {None}
    module = sys.modules.get(getattr(value, "__module__", None) or "")
    variables = {variable for variable, bound in vars(module).items() if bound is value} if module else set()
    return names | variables or {name.rpartition(".")[2]}


def _object_key(name: str, value: Any) -> Any:
    """Equal for names of one object; a function of ``keras.ops`` is that of its modules, or the activation, of its name."""
    if name.startswith(("tf.keras.ops.", "tf.keras.activations.")):
        return name.rpartition(".")[2]
    return id(value)


def names_without_reason() -> list[str]:
    """The public names without a reason; of several names of one object the first."""
    from fastgrad._src.compat.raw_ops.table import TABLE
    from fastgrad._src.core.dtypes import DType
    from fastgrad._src.keras.layers.operators import OPERATOR_FUNCTIONS

    uses, shown, words = uses_by_name(), names_on_pages(), words_in_code()
    computing = {f"tf.{operation._function}" for operation in TABLE.values() if isinstance(operation._function, str)}
    computing |= {f"tf.keras.ops.{operator}" for operator in OPERATOR_FUNCTIONS}
    objects = {name: value for name, value in objects_by_name().items() if not isinstance(value, DType)}
    same_object: dict[Any, list[str]] = defaultdict(list)
    for name, value in objects.items():
        same_object[_object_key(name, value)].append(name)
    return sorted(
        min(names)
        for names in same_object.values()
        if not any(
            uses[name]
            or ".".join(name.split(".")[-2:]) in shown
            or name.startswith(SAVED_BY_NAME)
            or name in KERAS_CALLS
            or name in computing
            or not words.isdisjoint(names_of_definition(name, objects[name]))
            for name in names
        )
    )


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT)]
    print(*names_without_reason(), sep="\n")
