"""Finds names in backticks, exceptions under `Raises:` and parameters under `Args:` that do not exist: `python tools/names_in_text.py`.

It reads docstrings and comments in `src` and the pages in `docs`. A name exists if the project's Python has it as an
identifier, a file or a string, or if it is a word of Python or of another project (`OTHER_PROJECTS`). A private name must
be in the same package; `Class.name` must be in the class.
"""

from __future__ import annotations

import ast
import builtins
import collections
import functools
import itertools
import keyword
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from plain_words import texts

FOLDERS = "src", "tests", "benchmarks", "tools", "examples"
GENERATED_PAGES = "names.md", "keras_names.md", "numba_packages.md", "numpy_functions.md", "public_packages.md"
"""Pages that list names of other projects."""

OTHER_PROJECTS = re.compile(
    r"(MPI|TF|KERAS|OMPI|PMI|SLURM|NUMBA|FASTGRAD)_\w+|Py[A-Z]\w+|CU[a-z]\w+|cu[A-Z]\w+"  # C and environment variables
    r"|(tf|tensorflow|keras|torch|jax|numba|numpy|np|scipy|threading|PIL|matplotlib|nvmath|cuda|llvmlite|libmpi|cpu)\.[\w.]+"
    r"|(mpiexec|srun|ssh|make|pip|valgrind|hvd|Dockerfile|breakpoint|mpich|wbits|antialias|cov|rms|objmode|parfors|expf|lzma"
    r"|extending\.intrinsic|num_devices|with_names|one_minus_\w+|get_state_tree|set_state_tree)(\.\w+)*"
    r"|Variable\.scatter_\w+|Model\.export|monitor_op|output_1_loss"  # attributes that are set, and words of other projects
    r"|[a-f0-9]{7,40}|\w+_(\.\.\.)?|\w+_\d+|[a-z]\d"  # commits, prefixes, names with a number at their end
)
"""Names that this project's Python does not have, and texts may."""

_NAME = re.compile(r"(?<!`)(`{1,2})([A-Za-z_][\w.]*?)(?:\([^`]*\))?\1(?!`)")
_EXCEPTION = re.compile(r"^\s+([A-Z]\w+): ")
_PARAMETERS = re.compile(r"    (\*{0,2}\w+(?:, \*{0,2}\w+)*):(?: |$)")


class Names:
    """The names of the project's Python.

    Attributes:
        everywhere: all names.
        by_package: the names in each folder.
        members: for each class the names in it.
        bases: for each class the names of its bases.
    """

    def __init__(self) -> None:
        self.everywhere = {*keyword.kwlist, *keyword.softkwlist, *dir(builtins)}
        self.by_package: dict[Path, set[str]] = collections.defaultdict(set)
        self.members: dict[str, set[str]] = collections.defaultdict(set)
        self.bases: dict[str, list[str]] = collections.defaultdict(list)
        for path in [path for folder in FOLDERS for path in Path(folder).rglob("*.py")]:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            names = set(_identifiers(tree)) | {path.stem, *path.parts}
            self.by_package[path.parent] |= names
            self.everywhere |= names
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef):
                    self.members[node.name].update(_identifiers(node))
                    bases = [re.split(r"[\[(]", ast.unparse(base))[0].split(".")[-1] for base in node.bases]
                    self.bases[node.name] += [base for base in bases if base != node.name]
        for path in Path("docs").glob("*.md"):
            self.everywhere.add(path.stem)
        self.everywhere |= set(re.findall(r"[\w-]+", Path("pyproject.toml").read_text(encoding="utf-8")))

    def has(self, name: str, path: Path) -> bool:
        """True if a name in a text of the file ``path`` exists."""
        parts = [part for part in name.split(".") if part]
        if not all(part in self.everywhere or part == "md" for part in parts):
            return False
        if len(parts) == 1 and name.startswith("_") and path.suffix == ".py":
            return name in self.by_package[path.parent]
        return all(self._is_member(*pair) for pair in itertools.pairwise(parts) if pair[0][0].isupper())

    @functools.cache  # noqa: B019 - there is one object
    def _is_member(self, owner: str, name: str) -> bool:
        if owner not in self.members:
            return True
        return name in self.members[owner] or any(self._is_member(base, name) for base in self.bases[owner])


def _identifiers(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        for field in ("name", "id", "attr", "arg", "asname", "module"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                yield from value.split(".")
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not re.search(r"\s", node.value):
            yield from re.findall(r"\w+", node.value)


def names_in(text: str) -> Iterator[str]:
    """Yields the names in backticks, and the exceptions under ``Raises:``, of a docstring, a comment or a line of a page."""
    for match in _NAME.finditer(text):
        yield match[2]
    _, _, raises = text.partition("Raises:\n")
    for line in raises.splitlines():
        match_of_exception = _EXCEPTION.match(line)
        if match_of_exception is None and not line.startswith("   "):
            break
        if match_of_exception is not None:
            yield match_of_exception[1]


def stale_parameters(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yields the line and the name of each parameter under ``Args:`` that a function, or the constructor of a class, has not."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        parameters = _parameters(node)
        docstring = ast.get_docstring(node)
        if docstring is None or parameters is None:
            continue
        _, _, args = docstring.partition("Args:\n")
        for line in args.splitlines():
            if line and not line.startswith("    "):
                break
            match = _PARAMETERS.match(line)
            for name in match[1].split(", ") if match is not None else ():
                if name.lstrip("*") not in parameters:
                    yield node.lineno, name


def _parameters(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> set[str] | None:
    """Returns the names of the parameters of a function or a constructor; None if they stand elsewhere, as in a base class."""
    if isinstance(node, ast.ClassDef):
        if node.decorator_list or node.bases:  # a dataclass, a named tuple, or a constructor that may be inherited
            fields = {
                item.target.id
                for item in node.body
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
            }
        else:
            fields = set()
        if node.keywords:  # which may make the constructor, as `arguments` of layers of images
            return None
        makers = [
            item for item in node.body if isinstance(item, ast.FunctionDef) and item.name in {"__init__", "__new__"}
        ]
        names = set().union(fields, *[_parameters(maker) or () for maker in makers])
        is_elsewhere = not names or any(maker.args.kwarg is not None for maker in makers)
        return None if is_elsewhere else names
    arguments = node.args
    if arguments.kwarg is not None:
        return None
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg]
    return {argument.arg for argument in every if argument is not None}


def main() -> int:
    """Prints the places of names that do not exist; 1 if there is one."""
    names, count = Names(), 0
    pages = [page for page in [*Path("docs").glob("*.md"), Path("README.md")] if page.name not in GENERATED_PAGES]
    for path in sorted([*Path("src").rglob("*.py"), *Path("src").rglob("*.md"), *pages]):
        if path.suffix == ".py":
            for line, name in stale_parameters(ast.parse(path.read_text(encoding="utf-8"))):
                print(f"{path}:{line}: {name}: there is no such parameter; write the one that the code has")
                count += 1
        for line, text in texts(path):
            for name in names_in(text):
                if not names.has(name, path) and not OTHER_PROJECTS.fullmatch(name):
                    print(f"{path}:{line}: {name}: there is no such name; write the one that the code has")
                    count += 1
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main())
