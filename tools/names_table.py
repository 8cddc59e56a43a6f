"""Writes the tables of docs/names.md and docs/keras_names.md: public names, and for each where it is or what is nearest.

    python tools/names_table.py            # rewrites the tables for the names that stand in them
    python tools/names_table.py --check    # says which would change, and fails if any would

A name is added by writing a row ``| `tf.name` | | |`` into a table.
"""

from __future__ import annotations

import ast
import re
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "names.md"
KERAS_PAGE = ROOT / "docs" / "keras_names.md"
SOURCE = ROOT / "src" / "fastgrad"

HEAD = "| name | | where it is declared, or the nearest |\n| --- | --- | --- |\n"
_ROW = re.compile(r"\| `(tf[\w.]*)\.(\w+)` \|.*\n")


def names_of(page: str) -> list[tuple[str, str]]:
    """The names of the table, as (namespace, name)."""
    return _ROW.findall(page)


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
    """The table for some names, sorted by namespace and name.

    Raises:
        ValueError: a name is neither there nor refused.
    """
    refused = runpy.run_path(str(SOURCE / "core" / "names.py"))["REFUSED"]  # needs none of fastgrad's dependencies
    rows, homes = [], {namespace: declared_in(namespace) for namespace in dict.fromkeys(n for n, _ in names)}
    order = list(homes)
    for namespace, name in sorted(set(names), key=lambda full: (order.index(full[0]), full[1].lower(), full[1])):
        nearest, home = refused.get(namespace, {}).get(name), homes[namespace].get(name)
        if nearest is not None:
            rows.append(f"| `{namespace}.{name}` | refused | {nearest} |\n")
        elif home is not None:
            rows.append(f"| `{namespace}.{name}` | supported | `{home}` |\n")
        elif namespace.startswith("tf.keras"):
            rows.append(f"| `{namespace}.{name}` | missing | |\n")
        else:
            raise ValueError(f"{namespace}.{name} is neither in its namespace nor in fastgrad.core.names.REFUSED")
    return HEAD + "".join(rows)


def rewritten(page: str) -> str:
    """The page with its table as it should be now."""
    start = page.index(HEAD)
    end = start + len(HEAD) + len("".join(match.group() for match in _ROW.finditer(page, start)))
    return page[:start] + table_of(names_of(page[start:])) + page[end:]


if __name__ == "__main__":
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
