"""Writes into docs/design.md which packages of fastgrad import which, as their sources say.

python tools/package_graph.py            # rewrites the part of the page; `make package-graph` runs it
python tools/package_graph.py --check    # exit status 1 if the page is not what this would write
"""

import sys
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


def main(arguments: list[str]) -> int:
    """Runs the command."""
    text = rewritten()
    is_new = text != PAGE.read_text(encoding="utf-8")
    if arguments == ["--check"]:
        return int(is_new)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
