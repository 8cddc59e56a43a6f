"""Runs the lines of one column of a page's tables: `python tests/docs/paired_lines.py docs/coming_from_jax.md JAX`.

A table that pairs lines has a head such as `| to do | JAX | fastgrad |`. Each cell of the last two columns is one line of code. The lines of a
column run from the top of the page to its end in one namespace. The program prints the value of each line as JSON: that of its
last expression, or of the name that it assigns. It needs NumPy and the column's library only, so it also runs in an environment
of the peers.
"""

import ast
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

_CODE = re.compile(r"`([^`]+)`")
OURS = "fastgrad"


def pairs(page: str, peer: str) -> list[tuple[str, str]]:
    """Returns the peer's line and fastgrad's line of each row of the tables with these two columns.

    Args:
        page: the text of the page.
        peer: the name of the peer, as in the head of the tables.

    Raises:
        ValueError: a cell is not one line of code.
    """
    rows, inside = [], False
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif cells[-2:] == [peer, OURS]:
            inside = True
        elif inside and not set(cells[-1]) <= set("-: "):
            codes = [_CODE.fullmatch(cell) for cell in cells[-2:]]
            if None in codes:
                raise ValueError(f"the row {line!r} does not have one line of code in each of its last two cells")
            rows.append((codes[0][1], codes[1][1]))
    return rows


def value_of(line: str, namespace: dict[str, Any]) -> Any:
    """Runs a line; returns the value of its last expression, or of the name that it assigns last; else None."""
    statements = ast.parse(line).body
    last = statements[-1]
    if isinstance(last, ast.With):
        exec(compile(ast.Module(statements, []), "page", "exec"), namespace)
        return namespace[last.body[-1].targets[0].id]
    if isinstance(last, ast.Expr):
        exec(compile(ast.Module(statements[:-1], []), "page", "exec"), namespace)
        return eval(compile(ast.Expression(last.value), "page", "eval"), namespace)
    exec(compile(ast.Module(statements, []), "page", "exec"), namespace)
    return namespace[last.targets[0].id] if isinstance(last, ast.Assign) else None


def plain(value: Any) -> Any:
    """Returns a value as JSON data: arrays and tensors of any library by shape, kind of dtype and elements; other objects as None."""
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, str | bool) or value is None:
        return value
    if hasattr(value, "detach"):
        value = value.detach()
    if not hasattr(value, "__array__") and not isinstance(value, int | float | complex):
        return None
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        return array.astype(str).tolist()
    return {"shape": list(array.shape), "kind": array.dtype.kind, "elements": array.ravel().tolist()}


def main(path: str, column: str) -> None:
    """Prints the values of a column as a list in JSON."""
    text = Path(path).read_text(encoding="utf-8")
    peer = column if column != OURS else peer_of(text)
    namespace: dict[str, Any] = {"np": np}
    values = []
    for pair in pairs(text, peer):
        line = pair[column == OURS]
        try:
            values.append(plain(value_of(line, namespace)))
        except Exception as error:
            raise RuntimeError(f"{path}: {line!r} raised {error!r}") from error
    print(json.dumps(values))


def peer_of(page: str) -> str:
    """Returns the peer of the page's tables."""
    return re.search(rf"^\|[^|]*\| (\w+) \| {OURS} \|$", page, re.MULTILINE)[1]


if __name__ == "__main__":
    main(*sys.argv[1:])
