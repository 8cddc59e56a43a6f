"""A Sphinx extension for links: between pages, to files of the repository, and from names in code to the API reference."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

from docutils import nodes
from pages import normal_path, page_names
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

ROOT = Path(__file__).resolve().parents[2]
_logger = logging.getLogger(__name__)
_FILES = page_names()
_FILE_OF_PAGE = {page: file for file, page in _FILES.items()}


class LinksOfFiles(SphinxTransform):
    """Resolves relative links of Markdown as a repository's page does: from the file's own folder.

    A link to a file with a page leads to the page. A link to another file leads to the repository's address, `REPOSITORY` in
    conf.py. If that is empty, the text stays, with the path of the file beside it.
    """

    default_priority = 5

    def apply(self, **_: Any) -> None:
        """Replaces the links of one page."""
        file = _FILE_OF_PAGE.get(self.env.docname)
        if file is None:
            return
        links = [*self.document.findall(addnodes.pending_xref), *self.document.findall(addnodes.download_reference)]
        for link in links:
            if link.get("reftype") == "myst" and link.get("refdomain") is None:
                path, _, anchor = link["reftarget"].partition("#")
                if path:
                    self._replace(link, normal_path(f"{Path(file).parent.as_posix()}/{path}"), anchor)

    def _replace(self, link: nodes.Element, path: str, anchor: str) -> None:
        page = _FILES.get(path)
        if page is not None:
            link["refdomain"], link["reftarget"], link["reftargetid"] = "doc", page, anchor or None
            return
        if not (ROOT / path).exists():
            _logger.warning("the link leads to no file: %s", path, location=link)
        context = self.config.html_context
        text = link.children[0].children if link.children else []
        if context["repository"]:
            kind = "tree" if (ROOT / path).is_dir() else "blob"
            address = f"{context['repository']}/{kind}/{context['branch']}/{path}" + (f"#{anchor}" if anchor else "")
            link.replace_self(nodes.reference("", "", *text, refuri=address, internal=False))
            return
        words = nodes.inline("", "", *text)
        if path not in words.astext():
            words += [nodes.Text(" ("), nodes.literal("", path, classes=["file-path"]), nodes.Text(")")]
        link.replace_self(words)


class LinksOfNames(SphinxPostTransform):
    """Links a public name in code, such as `tf.reshape` or `fg.grad()`, to its entry in the API reference."""

    default_priority = 20
    formats = ("html",)

    def run(self, **_: Any) -> None:
        """Links the names of one page."""
        entries = _entries(str(self.env.srcdir))
        for literal in list(self.document.findall(nodes.literal)):
            name = literal.astext().removesuffix("()")
            if name not in entries or isinstance(literal.parent, (nodes.reference, nodes.title, addnodes.desc_name)):
                continue
            page, anchor = entries[name]
            if page == self.env.docname and _is_inside(literal, anchor):
                continue
            address = self.app.builder.get_relative_uri(self.env.docname, page) + f"#{anchor}"
            if page == self.env.docname:
                address = f"#{anchor}"
            reference = nodes.reference("", "", literal.deepcopy(), refuri=address, internal=True)
            literal.replace_self(reference)


def _is_inside(node: nodes.Node, anchor: str) -> bool:
    """True if the node is in the entry of the name that `anchor` stands for: an entry does not link to itself."""
    while node is not None:
        if isinstance(node, addnodes.desc) and anchor in node.children[0].get("ids", ()):
            return True
        node = node.parent
    return False


_cache: dict[str, dict[str, tuple[str, str]]] = {}


def _entries(folder: str) -> dict[str, tuple[str, str]]:
    """The page and the anchor of each public name, which `api_reference.py` wrote."""
    if folder not in _cache:
        _cache[folder] = json.loads((Path(folder) / "api" / "names.json").read_text(encoding="utf-8"))
    return _cache[folder]


def exception_link(app: Any, env: Any, node: nodes.Element, content: nodes.Element) -> nodes.Node | None:
    """The name of an exception under `Raises:`: Python's own stay text, others lead to their entry."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py":
        return None
    if isinstance(getattr(builtins, target, None), type):
        return content
    entries = _entries(str(env.srcdir))
    for name in (f"tf.errors.{target}", f"tf.{target}", target):
        if name in entries:
            page, anchor = entries[name]
            address = app.builder.get_relative_uri(node.get("refdoc", env.docname), page) + f"#{anchor}"
            return nodes.reference("", "", content, refuri=address, internal=True)
    return content if "." in target else None  # an exception of another package


def setup(app: Any) -> dict[str, Any]:
    """Adds the transforms."""
    app.add_transform(LinksOfFiles)
    app.add_post_transform(LinksOfNames)
    app.connect("missing-reference", exception_link)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
