"""Builds the documentation site: `python tools/site/build.py [FOLDER]`; `make docs` runs it.

It copies the Markdown pages of the repository and writes the API reference to site/source, and runs Sphinx there. A warning
is a failure. The site is in FOLDER, site/docs by default.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from sphinx.cmd.build import main as sphinx

sys.path.insert(0, str(Path(__file__).parent))

import api_reference
import pages

SOURCE = pages.ROOT / "site" / "source"


def write(path: Path, content: bytes) -> None:
    """Writes a file if its content is another, so that Sphinx reads only pages that changed."""
    if not path.exists() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def write_source(folder: Path) -> None:
    """Writes what Sphinx reads, and removes files of earlier builds."""
    contents = {f"images/{path.name}": path.read_bytes() for path in (pages.ROOT / "docs" / "images").iterdir()}
    names = pages.page_names()
    for file, page in names.items():
        text = (pages.ROOT / file).read_text(encoding="utf-8")
        text = pages.with_contents(text, names) if file == pages.INDEX else text
        contents[f"{page}.md"] = text.encode()
    for name, text in api_reference.write_pages(folder / "api").items():
        contents[f"api/{name}"] = text.encode()
    for name, content in contents.items():
        write(folder / name, content)
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        if path.relative_to(folder).as_posix() not in contents:
            path.unlink()


def main(arguments: list[str]) -> int:
    """Builds the site; 0 if there was no warning."""
    target = Path(arguments[0]) if arguments else pages.ROOT / "site" / "docs"
    began = time.perf_counter()
    write_source(SOURCE)
    print(f"wrote the API reference in {time.perf_counter() - began:.1f} s")
    options = ["-W", "--keep-going", "-n", "-q", "-j", "auto", "-b", "html", "-c", str(Path(__file__).parent)]
    status = sphinx([*options, "-d", str(pages.ROOT / "site" / "doctrees"), str(SOURCE), str(target)])
    print(f"built {target / 'index.html'} in {time.perf_counter() - began:.1f} s")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
