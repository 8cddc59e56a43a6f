"""Counts how many files of public programs use each name of TensorFlow and Keras, and writes tools/name_use.txt.

python tools/name_use.py FOLDER             # FOLDER holds a folder for each repository of tools/public_programs.txt
python tools/name_use.py FOLDER owner/name  # adds the uses in new repositories to those that are counted already
"""

from __future__ import annotations

import ast
import json
import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = ROOT / "tools" / "public_programs.txt"
USE = ROOT / "tools" / "name_use.txt"

HEAD = """\
# How many files of the repositories in public_programs.txt use a name. tools/name_use.py counted them. Names of no file have no line.
# `tf.contrib` counts the files that use any name in it.
"""

_FENCE = re.compile(r"^```\s*\{?\.?(?:python|py)\b.*?\n(.*?)^```", re.MULTILINE | re.DOTALL)
_MAGIC = re.compile(r"^( *)[%!].*$", re.MULTILINE)
"""A line that only a notebook runs."""

_PACKAGES = {"tensorflow": "tf", "keras": "tf.keras", "tf_keras": "tf.keras"}


def code_of(path: Path) -> Iterator[str]:
    """The Python code of a program: a file, the cells of a notebook, or the blocks of a Markdown page."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".py":
        yield text
    elif path.suffix == ".md":
        yield from _FENCE.findall(text)
    else:
        try:
            cells = json.loads(text).get("cells", [])
        except ValueError:
            return
        for cell in cells:
            if cell.get("cell_type") == "code":
                yield _MAGIC.sub(r"\1pass", "".join(cell["source"]))


def names_in(path: Path) -> set[str]:
    """The dotted names of TensorFlow and Keras in a program, without those of Python 2, which cannot be parsed.

    A name begins with ``tf``, as in ``tf.keras.layers.Dense``, however the program imports it.
    """
    trees = []
    for code in code_of(path):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                trees.append(ast.parse(code))
        except (SyntaxError, ValueError):
            continue
    # Pages show code without its imports.
    aliases = {"tf": "tf", "keras": "tf.keras"} if path.suffix == ".md" else {}
    names: set[str] = set()
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    root = _in_peers(alias.name)
                    if root and alias.asname:
                        aliases[alias.asname] = root
                    elif root:
                        package = alias.name.partition(".")[0]
                        aliases[package] = _PACKAGES[package]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                space = _in_peers(node.module)
                for alias in node.names:
                    if space and alias.name != "*":
                        aliases[alias.asname or alias.name] = f"{space}.{alias.name}"
                        names.add(f"{space}.{alias.name}")
    for tree in trees:
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
        inner = {id(node.value) for node in nodes}
        for chain in [_chain_of(node) for node in nodes if id(node) not in inner]:
            if chain and chain[0] in aliases:
                names.add(".".join([aliases[chain[0]], *chain[1:]]))
    return names


def _in_peers(module: str) -> str:
    """The name of a module of TensorFlow or Keras that begins with ``tf``; "" for another module."""
    package, dot, rest = module.partition(".")
    return _PACKAGES[package] + dot + rest if package in _PACKAGES else ""


def _chain_of(node: ast.expr) -> list[str]:
    """The parts of ``a.b.c``; none if it does not begin with a name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id, *reversed(parts)] if isinstance(node, ast.Name) else []


def public_names() -> dict[str, str]:
    """The names that are counted, each with the name under which it is counted: itself, or one of ``tf.compat.v1``.

    A namespace is no such name.
    """
    from fastgrad._src.core.peer_names import peer_names

    current, former = peer_names()[:2]
    names = {f"{space}.{name}": f"{space}.{name}" for space, words in current.items() for name in words}
    for space, words in former.items():
        version_1 = f"tf.compat.v1{space.removeprefix('tf')}"
        for word in words:
            names.setdefault(f"{space}.{word}", f"{version_1}.{word}")
            names.setdefault(f"{version_1}.{word}", f"{version_1}.{word}")
    return {name: counted for name, counted in names.items() if name not in current and name not in former}


def counted_name(name: str, public: dict[str, str]) -> str:
    """The longest public name with which a dotted name begins; "" for none."""
    if name.startswith("tf.contrib"):
        return "tf.contrib"
    while name:
        if name in public:
            return public[name]
        if name.startswith("tf.compat.v1.") and f"tf.{name.removeprefix('tf.compat.v1.')}" in public:
            return public[f"tf.{name.removeprefix('tf.compat.v1.')}"]
        name = name.rpartition(".")[0]
    return ""


def repositories() -> list[str]:
    """The repositories that are counted."""
    lines = PROGRAMS.read_text(encoding="utf-8").splitlines()
    return [line.split()[0] for line in lines if line and not line.startswith("#")]


def counted_uses() -> Counter[str]:
    """The uses that `USE` has."""
    lines = [line.split() for line in USE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return Counter({name: int(count) for name, count in lines})


def main(folder: Path, *new: str) -> None:
    """Writes `USE` from the repositories in a folder, each in its own folder named ``owner+name``; only the ``new`` ones are added to it."""
    public = public_names()
    uses = counted_uses() if new else Counter()
    for repository in new or repositories():
        files = [path for path in sorted((folder / repository.replace("/", "+")).rglob("*")) if path.is_file()]
        programs = [path for path in files if path.suffix in (".py", ".ipynb", ".md")]
        found = [{counted_name(name, public) for name in names_in(path)} - {""} for path in programs]
        uses.update(name for names in found for name in names)
        print(f"{repository}: {sum(map(bool, found))} files")
    lines = [f"{name} {uses[name]}\n" for name in sorted(uses)]
    USE.write_text(HEAD + "".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
