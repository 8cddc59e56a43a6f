"""The syntax tree of a kernel's body, read from the file that it was compiled from."""

from __future__ import annotations

import ast
import functools
import linecache
import types

from fastgrad.kernels.building.body import code_text
from fastgrad.kernels.building.number_types import Untranslatable


@functools.lru_cache(maxsize=1024)
def syntax_of(code: types.CodeType) -> ast.FunctionDef:
    """The definition of a function at the top level of a file, or in a function.

    Raises:
        Untranslatable: if there is no source, or it has changed since it was compiled.
    """
    text = _block(linecache.getlines(code.co_filename), code.co_firstlineno - 1)
    wanted = code_text(code)
    for known in ("", "import math\n"):  # a call of what a module has is another one where the module is imported
        try:
            compiled = compile(known + text, code.co_filename, "exec", dont_inherit=True)
        except SyntaxError:
            break
        found = [c for c in compiled.co_consts if isinstance(c, types.CodeType) and c.co_name == code.co_name]
        if found and code_text(found[0]) == wanted:
            tree = ast.parse(text).body[0]
            assert isinstance(tree, ast.FunctionDef)
            return tree
    raise Untranslatable(f"the source of {code.co_name} is not there, or has changed since Python read it")


def _block(lines: list[str], start: int) -> str:
    """The lines of the definition that begins there, without its indentation."""
    margin = len(lines[start]) - len(lines[start].lstrip()) if start < len(lines) else 0
    taken, inside = [], False
    for line in lines[start:]:
        depth = len(line) - len(line.lstrip())
        if inside and line.strip() and depth <= margin and line.lstrip()[0] not in ")#":
            break
        inside = inside or line.lstrip().startswith("def ")
        taken.append(line[min(margin, depth) :])
    return "".join(taken)
