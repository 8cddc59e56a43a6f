"""Finds words in docstrings, comments and Markdown that readers have to guess at: `python tools/plain_words.py [PATH ...]`.

`docs/glossary.md` has the words to use.
"""

from __future__ import annotations

import ast
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

WORDS = {
    "whoever": "name the caller, the thread or the function",
    "nobody": "no node, no caller, no thread ...",
    "anybody": "any node, any caller, any thread ...",
    "anew": "again",
    "somebody": "name the caller, the thread or the function",
    "everybody": "all nodes, all callers, all threads ...",
}
"""Words that must not come back, each with what to write instead."""

_PATTERN = re.compile(rf"\b({'|'.join(WORDS)})\b", re.IGNORECASE)


FOLDERS = "src", "tests", "benchmarks", "tools", "examples", "docs", "README.md"


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a Markdown file; the comments, docstrings and documented constants of a Python file; each with its line."""
    if path.suffix == ".md":
        yield from enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        return
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def main(folders: list[str]) -> int:
    """Prints the places of such words; 1 if there is one."""
    count = 0
    for folder in map(Path, folders or FOLDERS):
        paths = (
            [folder] if folder.is_file() else [path for ending in ("py", "md") for path in folder.rglob(f"*.{ending}")]
        )
        for path in sorted(paths):
            if (
                _PATTERN.search(path.read_text(encoding="utf-8")) is None
            ):  # to find comments takes a thousand times as long
                continue
            for line, text in texts(path):
                for word in sorted({match[1].lower() for match in _PATTERN.finditer(text)}):
                    print(f"{path}:{line}: {word}: write {WORDS[word]}")
                    count += 1
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
