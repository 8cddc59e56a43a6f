"""Seeded defects of src, and how many of them the tests beside the changed files find: `make mutations ARGS='--count 100 --seed 7'`.

cosmic-ray changes an operator, a comparison, a number or a condition in a copy of the tree. Then the tests of the file's folder run, and those of the
whole library's table, until one fails. A defect that no test finds is printed with its line.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
ARITHMETIC = ("Add_Sub", "Sub_Add", "Mul_Add", "Mul_FloorDiv", "Div_Mul", "FloorDiv_Mul", "Mod_FloorDiv")
COMPARISONS = ("Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is")
NAMES = (
    *(f"core/ReplaceBinaryOperator_{name}" for name in ARITHMETIC),
    *(f"core/ReplaceComparisonOperator_{name}" for name in COMPARISONS),
    *("core/NumberReplacer", "core/AddNot", "core/ReplaceAndWithOr", "core/ReplaceOrWithAnd"),
    *("core/ReplaceTrueWithFalse", "core/ReplaceFalseWithTrue"),
    *("core/ReplaceUnaryOperator_Delete_Not", "core/ReplaceUnaryOperator_USub_UAdd"),
)
"""The names of cosmic-ray's operators."""
COPIED = (
    "src",
    "tests",
    "benchmarks",
    "examples",
    "docs",
    "tools",
    "pyproject.toml",
    "Makefile",
    "noxfile.py",
    "README.md",
    "LICENSE",
    "asv.conf.json",
)
GENERAL = (
    "tests/ops/test_operation_table.py",
    "tests/conformance/test_conformance.py",
    "tests/core/test_forward_accumulator.py",
)
"""The tests of any file, after those of its folder."""
SECONDS = 240


class Mutation(NamedTuple):
    """A defect: the file, the operator and the occurrence in the file."""

    path: str
    operator: str
    occurrence: int


def drawn_mutations(count: int, seed: int) -> Iterator[tuple[Mutation, str]]:
    """Yields mutations, and the texts of the changed files. A file is drawn as often as it has lines."""
    from cosmic_ray.ast import Visitor, get_ast
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    class Counter(Visitor):  # type: ignore[misc]  # cosmic-ray has no types
        def __init__(self, operator: Any) -> None:
            self.operator, self.count = operator, 0

        def visit(self, node: Any) -> Any:
            self.count += len(list(self.operator.mutation_positions(node)))
            return node

    draws = random.Random(seed)  # noqa: S311 - it keeps no secret
    paths = sorted((ROOT / "src").rglob("*.py"))
    texts = {path: path.read_text(encoding="utf-8") for path in paths}
    weights = [len(text) for text in texts.values()]
    while count > 0:
        (path,) = draws.choices(paths, weights)
        name = draws.choice(NAMES)
        counter = Counter(get_operator(name)())
        counter.walk(get_ast(texts[path]))
        if counter.count == 0:
            continue
        occurrence = draws.randrange(counter.count)
        changed = mutate_code(texts[path], get_operator(name)(), occurrence)
        if changed is None or _is_same_program(texts[path], changed):
            continue
        count -= 1
        yield Mutation(str(path.relative_to(ROOT)), name.removeprefix("core/"), occurrence), changed


def _is_same_program(text: str, changed: str) -> bool:
    """True if only annotations differ, or the change is no program."""
    trees = []
    for source in (text, changed):
        try:
            tree = ast.parse(source)
        except SyntaxError:
            return True
        for node in ast.walk(tree):
            for field in ("annotation", "returns"):
                if hasattr(node, field):
                    setattr(node, field, ast.Constant(0))
        trees.append(ast.dump(tree))
    return trees[0] == trees[1]


def tests_of(path: str, root: Path) -> list[list[str]]:
    """Returns the groups of tests that may find a defect of a file, the nearest first."""
    parts = Path(path).parts[2:]
    stem = Path(path).stem
    own = [str(found.relative_to(root)) for found in sorted((root / "tests").rglob(f"test_{stem}.py"))]
    folders = ["/".join(("tests", *parts[:length])) for length in range(len(parts) - 1, 0, -1)]
    groups = [own, *[[folder] for folder in folders if (root / folder).is_dir()], list(GENERAL)]
    return [[name for name in group if (root / name).exists()] for group in groups if group]


class Copy:
    """A copy of the tree in which defects are made.

    Args:
        options: pytest's.
        tests: the tree with the tests.
    """

    def __init__(self, options: list[str], tests: Path) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="mutations-"))
        self.options = options
        for name in COPIED:
            source = (tests if name in {"tests", "pyproject.toml", "Makefile", "noxfile.py"} else ROOT) / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, self.root / name)

    def first_failure(self, groups: list[list[str]]) -> str | None:
        """Returns the first test that fails; None if none does."""
        environment = {
            **os.environ,
            "PYTHONPATH": f"{self.root / 'src'}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "FASTGRAD_RANDOM_SEED": "5",
        }
        for group in groups:
            command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *self.options, *group]
            try:
                run = subprocess.run(  # noqa: S603 - pytest of this environment
                    command,
                    cwd=self.root,
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return f"{group[0]}: over {SECONDS} s"
            if run.returncode not in (0, 5):
                failed = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
                return failed[0][:160] if failed else f"{group[0]}: exit {run.returncode}"
        return None


def main() -> int:
    """Prints how many defects were found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--skip", type=int, default=0, help="leave out the first so many, which another run has made")
    parser.add_argument("--tests", type=Path, default=ROOT, help="another checkout, whose tests run")
    parser.add_argument("options", nargs="*", help="options of pytest")
    arguments = parser.parse_args()
    copy = Copy(arguments.options or ["--shards", "4"], arguments.tests.resolve())
    killed = 0
    for number, (mutation, changed) in enumerate(drawn_mutations(arguments.count, arguments.seed), 1):
        if number <= arguments.skip:
            continue
        path = copy.root / mutation.path
        original, began = path.read_text(encoding="utf-8"), time.monotonic()
        path.write_text(changed, encoding="utf-8")
        failure = copy.first_failure(tests_of(mutation.path, copy.root))
        path.write_text(original, encoding="utf-8")
        killed += failure is not None
        line = next(
            (
                place
                for place, (a, b) in enumerate(zip(original.splitlines(), changed.splitlines(), strict=False), 1)
                if a != b
            ),
            0,
        )
        print(
            f"{number}: {mutation.path}:{line} {mutation.operator}: {failure or 'NOT FOUND'} ({time.monotonic() - began:.0f} s); {killed} found",
            flush=True,
        )
    shutil.rmtree(copy.root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
