"""Prints the lines and tokens of each package of src beside those of main; an error if src grew and no commit message says why.

On main itself the commit before is the measure. The reason is a line ``Grows: why`` in the message of a commit since then.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tokenize
from collections import Counter
from pathlib import PurePosixPath

_LAYOUT = {
    tokenize.ENCODING,
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def git(*arguments: str) -> bytes:
    """Returns what a command of git prints."""
    return subprocess.run(["git", *arguments], check=True, capture_output=True).stdout  # noqa: S603, S607  # names of ours


def commit_of_main() -> str | None:
    """Returns the commit of main that HEAD grew from; None in a clone that has no earlier commit."""
    head = git("rev-parse", "HEAD").decode().strip()
    for name in ("origin/main", "main", "HEAD~1"):
        try:
            commit = git("merge-base", "HEAD", name).decode().strip()
        except subprocess.CalledProcessError:  # there is none of this name
            continue
        if commit != head:
            return commit
    return None


def package_of(path: str) -> str:
    """Returns the package of a file: ``fastgrad.core`` of src/fastgrad/_src/core/tensor.py."""
    top, *inner = PurePosixPath(path).parts[1:-1]
    return f"{top}.{inner[1]}" if inner[:1] == ["_src"] and len(inner) > 1 else top


def sizes(commit: str) -> tuple[Counter[str], Counter[str]]:
    """Returns the number of lines and of tokens of each package in a commit; comments are no tokens."""
    lines: Counter[str] = Counter()
    tokens: Counter[str] = Counter()
    with tarfile.open(fileobj=io.BytesIO(git("archive", commit, "src"))) as files:
        for file in files:
            if not file.name.endswith(".py"):
                continue
            content = files.extractfile(file)
            assert content is not None
            text = content.read()
            lines[package_of(file.name)] += text.count(b"\n")
            read = tokenize.tokenize(io.BytesIO(text).readline)
            tokens[package_of(file.name)] += sum(token.type not in _LAYOUT for token in read)
    return lines, tokens


def main() -> int:
    """Prints the table; returns 1 if src grew without a reason."""
    commit = commit_of_main()
    lines, tokens = sizes("HEAD")
    lines_before, tokens_before = (lines, tokens) if commit is None else sizes(commit)
    print(f"{'package':28}{'lines':>9}{'change':>9}{'tokens':>11}{'change':>9}")
    for package in sorted(lines.keys() | lines_before.keys(), key=lambda name: -lines[name]):
        counts = lines[package], lines[package] - lines_before[package]
        print(f"{package:28}{counts[0]:9,}{counts[1]:+9,}", end="")
        print(f"{tokens[package]:11,}{tokens[package] - tokens_before[package]:+9,}")
    grown = lines.total() - lines_before.total()
    print(f"{'src':28}{lines.total():9,}{grown:+9,}{tokens.total():11,}{tokens.total() - tokens_before.total():+9,}")
    if commit is None or grown <= 0:
        return 0
    reasons = [line for line in git("log", f"{commit}..HEAD", "--format=%B").decode().splitlines() if "Grows: " in line]
    print(*reasons or [f"src grew by {grown} lines: say why in a line 'Grows: …' of the commit message"], sep="\n")
    return 0 if reasons else 1


if __name__ == "__main__":
    sys.exit(main())
