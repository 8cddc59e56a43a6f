"""Writes the table of docs/names.md: TensorFlow's public names, and for each where it is or what is nearest.

    python tools/names_table.py            # rewrites the table for the names that stand in it
    python tools/names_table.py --check    # says what would change, and fails if anything would

A name is added by writing a row ``| `tf.name` | | |`` into the table.
"""

from __future__ import annotations

import ast
import re
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "names.md"
SOURCE = ROOT / "src" / "fastgrad"

HEAD = "| name | | where it is declared, or the nearest |\n| --- | --- | --- |\n"
_ROW = re.compile(r"\| `(tf[\w.]*)\.(\w+)` \|.*\n")


def names_of(page: str) -> list[tuple[str, str]]:
    """The names of the table, as (namespace, name)."""
    return _ROW.findall(page)


def declared_in(namespace: str) -> dict[str, str]:
    """For the names that a namespace's file imports or declares: the file or folder under src/fastgrad."""
    path = SOURCE / ("__init__.py" if namespace == "tf" else namespace.removeprefix("tf.") + ".py")
    found: dict[str, str] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                file = _file(node.module) if node.module != "fastgrad.ops" else _file("fastgrad.ops." + alias.name)
                found[alias.asname or alias.name] = file
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            found[name] = path.name
            if name == "_LAZY":
                found.update({lazy: _file("fastgrad." + lazy) for lazy in ast.literal_eval(node.value)})
            elif name == "_LATER":
                later = ast.literal_eval(node.value)
                found.update({lazy: _file("fastgrad." + module) for lazy, module in later.items()})
    return found


def _file(module: str) -> str:
    path = module.removeprefix("fastgrad.").replace(".", "/")
    return path + ("/" if (SOURCE / path).is_dir() else ".py")


def table_of(names: list[tuple[str, str]]) -> str:
    """The table for some names, sorted by namespace and name.

    Raises:
        ValueError: a name is neither there nor refused.
    """
    refused = runpy.run_path(str(SOURCE / "names.py"))["REFUSED"]  # needs none of fastgrad's dependencies
    rows, homes = [], {namespace: declared_in(namespace) for namespace in dict.fromkeys(n for n, _ in names)}
    order = list(homes)
    for namespace, name in sorted(set(names), key=lambda full: (order.index(full[0]), full[1].lower(), full[1])):
        nearest, home = refused.get(namespace, {}).get(name), homes[namespace].get(name)
        if nearest is not None:
            rows.append(f"| `{namespace}.{name}` | refused | {nearest} |\n")
        elif home is not None:
            rows.append(f"| `{namespace}.{name}` | supported | `{home}` |\n")
        else:
            raise ValueError(f"{namespace}.{name} is neither in its namespace nor in fastgrad.names.REFUSED")
    return HEAD + "".join(rows)


def rewritten(page: str) -> str:
    """The page with its table as it should be now."""
    start = page.index(HEAD)
    end = start + len(HEAD) + len("".join(match.group() for match in _ROW.finditer(page, start)))
    return page[:start] + table_of(names_of(page[start:])) + page[end:]


if __name__ == "__main__":
    before = PAGE.read_text(encoding="utf-8")
    after = rewritten(before)
    if "--check" in sys.argv[1:]:
        sys.exit(0 if after == before else "docs/names.md is not what tools/names_table.py writes; run it")
    PAGE.write_text(after, encoding="utf-8")
