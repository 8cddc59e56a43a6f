"""Which public names of TensorFlow and Keras have no reason to be there, and writes tools/names_without_reason.txt.

A reason is one of these: a program of tools/public_programs.txt uses the name; a page or an example of ours shows it; code in src refers
to it, as another name does that is there. ``tf.raw_ops`` is what stored graphs are made of.

python tools/name_reasons.py            # writes the list of names that have none yet; it only gets shorter
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "tools" / "names_without_reason.txt"
TABLES = {"names.md", "keras_names.md"}
"""Pages that list all names."""


def objects_by_name() -> dict[str, Any]:
    """The public names of TensorFlow and Keras that the package has, and what they name; no modules."""
    import fastgrad
    from fastgrad._src.core.peer_names import peer_names

    found: dict[str, Any] = {}
    for space, words in peer_names()[0].items():
        owner: Any = fastgrad
        for part in space.split(".")[1:]:
            owner = getattr(owner, part, None)
        values = {f"{space}.{word}": getattr(owner, word, None) for word in words}
        found |= {name: value for name, value in values.items() if not (value is None or inspect.ismodule(value))}
    return {name: value for name, value in found.items() if not name.startswith("tf.raw_ops.")}


def words_on_pages() -> set[str]:
    """The words of the pages and examples."""
    pages = [page for page in (ROOT / "docs").glob("*.md") if page.name not in TABLES]
    files = [*pages, ROOT / "README.md", *(ROOT / "examples").glob("*.py")]
    return {word for file in files for word in re.findall(r"\w+", file.read_text(encoding="utf-8"))}


def words_in_code() -> set[str]:
    """The names that code in src reads, without imports and definitions."""
    words: set[str] = set()
    for file in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                words.add(node.attr)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                words.add(node.id)
    return words


def names_without_reason() -> list[str]:
    """The public names without a reason; of several names of one object the first."""
    from tools.name_use import counted_uses

    uses, known = counted_uses(), words_on_pages() | words_in_code()
    names: dict[int, list[str]] = defaultdict(list)
    objects = objects_by_name()
    for name, value in objects.items():
        names[id(value)].append(name)
    return sorted(
        min(same)
        for same in names.values()
        if not any(uses[name] for name in same)
        and known.isdisjoint({name.rpartition(".")[2] for name in same})
        and getattr(objects[same[0]], "__name__", None) not in known
    )


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT)]
    LIST.write_text("".join(f"{name}\n" for name in names_without_reason()), encoding="utf-8")
