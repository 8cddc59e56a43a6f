"""Writes into docs/design.md which packages of fastgrad import which, as their sources say.

python tools/package_graph.py            # rewrites the part of the page; `make package-graph` runs it
python tools/package_graph.py --check    # exit status 1 if the page is not what this would write
python tools/package_graph.py --circles  # prints the circles of files that import each other: when they are loaded, with imports
                                         # inside functions, and with imports for type checkers
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "design.md"
PARENT = "fastgrad._src"
START, END = "<!-- tools/package_graph.py writes what follows -->\n", "<!-- to here -->\n"


def imports_of_packages() -> dict[str, set[str]]:
    """The packages of ``fastgrad._src``, and the packages that each imports; imports for type checkers do not count."""
    graph = grimp.build_graph("fastgrad", exclude_type_checking_imports=True, cache_dir=None)
    packages = sorted(graph.find_children(PARENT))
    for package in packages:
        graph.squash_module(package)
    return {
        package.removeprefix(f"{PARENT}."): {
            imported.removeprefix(f"{PARENT}.")
            for imported in graph.find_modules_directly_imported_by(package)
            if imported.startswith(f"{PARENT}.") and imported != package
        }
        for package in packages
    }


def layers_of(imports: dict[str, set[str]]) -> dict[str, int]:
    """The layer of each package: one above the highest of those that it imports."""
    layers: dict[str, int] = {}
    while len(layers) < len(imports):
        ready = [name for name in imports.keys() - layers.keys() if imports[name] <= layers.keys()]
        if not ready:
            raise ValueError(f"these packages import each other: {sorted(imports.keys() - layers.keys())}")
        layers |= {name: 1 + max([layers[other] for other in imports[name]], default=0) for name in ready}
    return layers


def written() -> str:
    """The part of the page: the counts, and a table."""
    imports = imports_of_packages()
    layers = layers_of(imports)
    arrows = sum(map(len, imports.values()))
    lines = [
        f"{len(imports)} packages on {max(layers.values())} layers, {arrows} arrows, none upwards:\n",
        "| layer | package | imports |",
        "| --: | --- | --- |",
    ]
    for name in sorted(imports, key=lambda name: (layers[name], name)):
        below = " ".join(f"`{other}`" for other in sorted(imports[name], key=lambda other: (layers[other], other)))
        lines.append(f"| {layers[name]} | `{name}` | {below} |")
    return "\n".join(lines) + "\n"


def rewritten() -> str:
    """The whole page."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    _, _, after = rest.partition(END)
    return before + START + "\n" + written() + "\n" + END + after


KINDS = "when they are loaded", "with imports inside functions", "with imports for type checkers"


def imports_of_file(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yields what a file imports, as dotted names, each with the number of its kind in ``KINDS``."""
    kinds: dict[ast.AST, int] = {}
    for node in ast.walk(tree):  # parents come first
        inherited = kinds.get(node, 0)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            inherited = inherited or 1
        is_for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        kinds |= dict.fromkeys(ast.iter_child_nodes(node), 2 if is_for_types else inherited)
        if isinstance(node, ast.Import):
            yield from ((inherited, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((inherited, f"{node.module}.{alias.name}") for alias in node.names)


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """The sets of at least two files that reach each other by imports, the largest first."""

    def reached(start: str, following: dict[str, set[str]]) -> set[str]:
        visited, waiting = set(), [start]
        while waiting:
            for name in following.get(waiting.pop(), set()) - visited:
                visited.add(name)
                waiting.append(name)
        return visited

    importers: dict[str, set[str]] = {}
    for name, imported in edges.items():
        for other in imported:
            importers.setdefault(other, set()).add(name)
    rest, result = set(edges), []
    while rest:
        name = rest.pop()
        circle = {name} | (reached(name, edges) & reached(name, importers))
        rest -= circle
        if len(circle) > 1:
            result.append(sorted(circle))
    return sorted(result, key=lambda names: (-len(names), names))


def print_circles() -> None:
    """Prints the circles of each kind of import; imports that run when a file is loaded count in all."""
    source = ROOT / "src"
    paths = {".".join(path.relative_to(source).with_suffix("").parts): path for path in source.rglob("*.py")}
    imports = [(name, *edge) for name, path in paths.items() for edge in imports_of_file(ast.parse(path.read_text()))]
    for number, kind in enumerate(KINDS):
        edges: dict[str, set[str]] = {name: set() for name in paths}
        for name, kind_of_import, imported in imports:
            if kind_of_import in (0, number):
                edges[name] |= {module for module in (imported, imported.rpartition(".")[0]) if module in paths}
        print(f"circles of files {kind}:")
        for circle in circles(edges):
            print(f"{len(circle):4} {' '.join(name.removeprefix(PARENT + '.') for name in circle)}")


def main(arguments: list[str]) -> int:
    """Runs the command."""
    if arguments == ["--circles"]:
        print_circles()
        return 0
    text = rewritten()
    is_new = text != PAGE.read_text(encoding="utf-8")
    if arguments == ["--check"]:
        return int(is_new)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
