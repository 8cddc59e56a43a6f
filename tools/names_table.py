"""Writes the tables of docs/names.md and docs/keras_names.md: public names, and for each where it is or what is nearest.

python tools/names_table.py            # rewrites the tables for the names that stand in them
python tools/names_table.py --check    # says which would change, and fails if any would
python tools/names_table.py --peers    # rewrites the names of TensorFlow and Keras, which must be installed; `make names` runs it
"""

from __future__ import annotations

import ast
import gzip
import re
import runpy
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "names.md"
KERAS_PAGE = ROOT / "docs" / "keras_names.md"
SOURCE = ROOT / "src" / "fastgrad"

PEERS = SOURCE / "core" / "peer_names.txt.gz"
"""The peers' names: a line for each of their namespaces and classes."""

HEAD = "| name | | where it is declared, or the nearest |\n| --- | --- | --- |\n"
_ROW = re.compile(r"\| `(tf[\w.]*)\.(\w+)` \|.*\n")


def peer_lines() -> list[str]:
    """The lines of ``PEERS``, read off TensorFlow and Keras, which must be installed.

    ``tf.nn relu ...`` has the public names of a namespace of TensorFlow 2 or Keras 3; ``1 tf log=tf.math.log ...`` those that
    TensorFlow 1 has besides, with their names in TensorFlow 2; ``.Dense enable_lora ...`` the public members of a class that its
    public base classes lack; those of ``keras.Operation`` count as its subclasses'.
    """
    import keras
    import tensorflow as tf
    from tensorflow.tools.compatibility import all_renames_v2

    current: dict[str, set[str]] = {}
    former: dict[str, set[str]] = {}
    classes: dict[type, set[str]] = {}
    version_1 = tf.compat.v1
    _add_names(tf, "tf", current, classes, [tf.compat, tf.raw_ops])
    _add_names(keras, "tf.keras", current, classes, [])
    _add_names(version_1, "tf", former, classes, [version_1.compat, version_1.raw_ops, version_1.keras])
    later_names = {
        before: after
        for renames in (all_renames_v2.renames_v2.renames, all_renames_v2.manual_symbol_renames)
        for before, after in renames.items()
        if "compat" not in after
    }
    lines = [" ".join([space, *sorted(names)]) for space, names in sorted(current.items())]
    for space, names in sorted(former.items()):
        words = sorted(names - current.get(space, set()))
        later = [later_names.get(f"{space}.{word}", "") for word in words]
        if words:
            lines.append(" ".join(["1", space, *(f"{a}={b}" if b else a for a, b in zip(words, later, strict=True))]))
    members: dict[str, set[str]] = {}
    for one, class_names in classes.items():
        inherited = {
            name for base in one.__mro__[1:] if base in classes and base is not keras.Operation for name in dir(base)
        }
        for class_name in class_names:
            members.setdefault(class_name, set()).update({name for name in dir(one) if name[0] != "_"} - inherited)
    return lines + [" ".join(["." + name, *sorted(words)]) for name, words in sorted(members.items()) if words]


def _add_names(
    module: ModuleType, space: str, names: dict[str, set[str]], classes: dict[type, set[str]], visited: list[ModuleType]
) -> None:
    """Adds the public names of a module and of the modules in it to ``names``, and its classes with their names to ``classes``."""
    public = {name for name in dir(module) if not name.startswith("_") and name not in ("annotations", "python", "src")}
    names.setdefault(space, set()).update(public)
    for name in sorted(public):
        value = getattr(module, name)
        if isinstance(value, ModuleType):
            home = getattr(value, "__name__", "")
            is_api = home.startswith(("tensorflow._api.", "tensorflow.experimental", "keras."))
            if is_api and not any(value is other for other in visited):
                _add_names(value, f"{space}.{name}", names, classes, [*visited, value])
        elif isinstance(value, type) and value.__module__.startswith(("tensorflow", "keras")):
            classes.setdefault(value, {value.__name__}).add(name)


def names_of(page: str) -> list[tuple[str, str]]:
    """The peers' names of the namespaces that stand in a page's table, as (namespace, name)."""
    rows = _ROW.findall(page)
    public = {
        space: names for space, *names in map(str.split, gzip.decompress(PEERS.read_bytes()).decode().splitlines())
    }
    return [(space, name) for space in dict.fromkeys(space for space, _ in rows) for name in public[space]]


def declared_in(namespace: str) -> dict[str, str]:
    """For the names that a namespace's file imports or declares: the file or folder under src/fastgrad."""
    path = SOURCE / namespace.replace("tf", "", 1).removeprefix(".").replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    here = path.relative_to(SOURCE).as_posix()
    found: dict[str, str] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                file = _file(node.module) if node.module != "fastgrad.ops" else _file("fastgrad.ops." + alias.name)
                found[alias.asname or alias.name] = file
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found[node.name] = here
        elif isinstance(node, ast.Assign):
            for target in [name for one in node.targets for name in getattr(one, "elts", [one])]:
                if isinstance(target, ast.Name):
                    found[target.id] = here
                    found.update(_later(target.id, node.value, namespace.removeprefix("tf").replace(".", "", 1)))
    return found


def _later(name: str, value: ast.expr, folder: str) -> dict[str, str]:
    """The names that are imported when they are first used, by the variables that list them."""
    prefix = "fastgrad." + (folder + "." if folder else "")
    match name:
        case "_LAZY":
            return {lazy: _file("fastgrad." + lazy) for lazy in ast.literal_eval(value)}
        case "_MODULE_OF_LAZY_NAME" | "_MODULE_OF_NAME":
            later = ast.literal_eval(value)
            return {
                lazy: _file(("fastgrad." if name == "_MODULE_OF_LAZY_NAME" else prefix) + home)
                for lazy, home in later.items()
            }
        case "_NAMESPACES" if isinstance(value, ast.Call):
            return {lazy: _file(prefix + lazy) for lazy in ast.literal_eval(value.args[0])}
    return {}


def _file(module: str) -> str:
    path = module.removeprefix("fastgrad.").replace(".", "/")
    return path + ("/" if (SOURCE / path).is_dir() else ".py")


def table_of(names: list[tuple[str, str]]) -> str:
    """The table for some names, sorted by namespace and name."""
    nearest = runpy.run_path(str(SOURCE / "core" / "peer_names.py"))["nearest"]
    rows, homes = [], {namespace: declared_in(namespace) for namespace in dict.fromkeys(n for n, _ in names)}
    order = list(homes)
    for namespace, name in sorted(set(names), key=lambda full: (order.index(full[0]), full[1].lower(), full[1])):
        home, hint = homes[namespace].get(name), nearest(f"{namespace}.{name}")
        state = f"supported | `{home}` |" if home else f"refused | {hint} |" if hint else "missing | |"
        rows.append(f"| `{namespace}.{name}` | {state}\n")
    return HEAD + "".join(rows)


def rewritten(page: str) -> str:
    """The page with its table as it should be now."""
    start = page.index(HEAD)
    end = start + len(HEAD) + len("".join(match.group() for match in _ROW.finditer(page, start)))
    return page[:start] + table_of(names_of(page[start:])) + page[end:]


if __name__ == "__main__":
    if "--peers" in sys.argv[1:]:
        PEERS.write_bytes(gzip.compress("\n".join(peer_lines()).encode(), mtime=0))
    changed = []
    for one in (PAGE, KERAS_PAGE):
        before = one.read_text(encoding="utf-8")
        after = rewritten(before)
        if after != before:
            changed.append(one.name)
            if "--check" not in sys.argv[1:]:
                one.write_text(after, encoding="utf-8")
    if "--check" in sys.argv[1:] and changed:
        sys.exit(f"{', '.join(changed)}: not what tools/names_table.py writes; run it")
