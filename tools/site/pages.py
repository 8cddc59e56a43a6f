"""The pages of the site: which file of the repository is which page, and in which order."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INDEX = "docs/index.md"
_OTHER_PAGES = {
    "CONTRIBUTING.md": "contributing",
    "CHANGELOG.md": "changelog",
    "CODE_OF_CONDUCT.md": "code_of_conduct",
    "SECURITY.md": "security",
}
_PACKAGES = "src/fastgrad/_src/"
_SECTION = re.compile(r"^## +(.*)$")
_ITEM = re.compile(r"^[*-] \[([^\]]+)\]\(([^)#]+)\)")


def page_names() -> dict[str, str]:
    """The page of each Markdown file that the site has: path in the repository -> name of the page."""
    pages = {}
    for path in sorted((ROOT / "docs").rglob("*.md")):
        pages[path.relative_to(ROOT).as_posix()] = path.relative_to(ROOT / "docs").with_suffix("").as_posix()
    pages.update(_OTHER_PAGES)
    for path in sorted((ROOT / _PACKAGES).rglob("README.md")):
        folder = path.parent.relative_to(ROOT / _PACKAGES).as_posix()
        pages[path.relative_to(ROOT).as_posix()] = "internals/" + folder.replace("/", "_")
    return pages


def with_contents(text: str, pages: dict[str, str]) -> str:
    """The text of docs/index.md with a table of contents for each section: a hidden `toctree` of the pages that its items link to.

    The file itself has plain lists, which a repository's page shows, too.
    """
    lines: list[str] = []
    caption, entries = "", list[str]()

    def add_contents() -> None:
        if entries:
            lines.extend(["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *entries, "```", ""])
        entries.clear()

    for line in text.splitlines():
        if section := _SECTION.match(line):
            add_contents()
            caption = section[1]
        item = _ITEM.match(line)
        if item:
            target = (Path("docs") / item[2]).as_posix()
            entries.append(f"{item[1]} <{pages[normal_path(target)]}>")
        lines.append(line)
    add_contents()
    lines += ["", "```{toctree}", ":hidden:", ":caption: API reference", "", "All modules <api/index>", "```"]
    return "\n".join(lines) + "\n"


def normal_path(path: str) -> str:
    """A path without `.` and `..`: `docs/../src` is `src`."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)
