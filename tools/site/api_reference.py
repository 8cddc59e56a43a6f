"""Writes the pages of the API reference: one for each public module, with an entry for each public name.

An entry has the name that users write (`tf.math.sech`), not the place of its code, and the docstring. An object with several
names has one entry, under the name that public programs use most (`tools/name_use.txt`); its other names lead there.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from public_names import Name, has_docstring, is_ours, public_names, uses
from sphinx.ext.autodoc.mock import mock
from sphinx.ext.napoleon import Config
from sphinx.ext.napoleon.docstring import GoogleDocstring

OTHER_PACKAGES = ["jax", "torch", "pytensor"]
"""What the bridges import; the site is built without them."""

TABLES_ONLY = ("tf.compat.v1", "tf.raw_ops", "tf.keras.ops.", "tf.experimental.numpy")
"""The beginnings of pages without entries: their names are nearly all other names of what has an entry elsewhere."""

_NAPOLEON = Config(
    napoleon_use_param=False, napoleon_use_rtype=False, napoleon_custom_sections=[("Attributes", "params_style")]
)
_LITERAL = re.compile(r"(``.+?``)(\w?)")


class _Docstring(GoogleDocstring):
    """A Google-style docstring whose "Returns:" is text: a colon in it ends no type."""

    def _consume_returns_section(self, preprocess_types: bool = False) -> list[tuple[str, str, list[str]]]:
        lines = self._dedent(self._consume_to_next_section())
        return [("", "", lines)] if lines else []


def entries_of(names: list[Name]) -> dict[str, str]:
    """The name of the entry of each name: its own, or the most used name of the same object."""
    count = uses()
    same: dict[int, list[Name]] = {}
    for name in names:
        if has_docstring(name.value):
            same.setdefault(id(name.value), []).append(name)
    entries = {name.full: name.full for name in names}
    for group in same.values():
        first = min(
            group,
            key=lambda name: (
                name.page.startswith(TABLES_ONLY),
                -count.get(name.full, 0),
                name.full.count("."),
                name.full,
            ),
        )
        entries.update({name.full: first.full for name in group})
    return entries


def docstring(value: Any) -> str:
    """The docstring, without indentation; empty for a plain value and for an object whose class alone has one."""
    if not has_docstring(value):
        return ""
    text = value.__doc__
    if not isinstance(value, type) and text is type(value).__doc__:
        return f"A ``tf.{type(value).__name__}``."
    text = inspect.cleandoc(text or "")
    return text if is_ours(value) else text.split("\n\n")[0]  # other projects' docstrings have links of their own


def summary(value: Any) -> str:
    """The first sentence of a docstring's first line, or the value."""
    text = docstring(value)
    if not text:
        return f"``{value!r}``" if not has_docstring(value) and len(repr(value)) < 60 else ""
    paragraph = " ".join(escaped(text).split("\n\n")[0].split())
    for end in re.finditer(r"\. ", paragraph):
        if paragraph[: end.start()].count("``") % 2 == 0:  # not inside of a literal
            return paragraph[: end.start() + 1]
    return paragraph


def signature(value: Any) -> str:
    """The parameters with their default values, without types, which the docstring tells."""
    try:
        parameters = inspect.signature(value)
    except (TypeError, ValueError):
        return "()" if callable(value) else ""
    plain = [
        parameter.replace(
            annotation=inspect.Parameter.empty,
            default=_default(parameter.default),
        )
        for parameter in parameters.parameters.values()
    ]
    return str(inspect.Signature(plain))


class _Text:
    """A default value as it is written in a signature."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _default(value: Any) -> Any:
    if value is inspect.Parameter.empty:
        return value
    text = getattr(value, "__name__", None) if callable(value) else repr(value)
    name = getattr(value, "name", None)
    if "<" in str(text) or "object at" in str(text):
        text = f"tf.{name}" if isinstance(name, str) else "..."
    return _Text(str(text))


def indented(lines: list[str], spaces: int = 3) -> list[str]:
    """The lines of a directive's content."""
    return [" " * spaces + line if line.strip() else "" for line in lines]


def body(text: str, kind: str) -> list[str]:
    """A Google-style docstring as reStructuredText."""
    return "\n".join(_Docstring(escaped(text), _NAPOLEON, what=kind).lines()).splitlines()  # some have several lines


def escaped(text: str) -> str:
    """The text in which stars are stars, and a letter may follow a literal. Examples stay as they are."""
    lines = []
    in_example = False
    for line in text.splitlines():
        in_example = bool(line.strip()) and (in_example or line.lstrip().startswith(">>>"))
        lines.append(line if in_example else _escaped_line(line))
    return "\n".join(lines)


def _escaped_line(line: str) -> str:
    pieces = []
    end = 0
    for match in _LITERAL.finditer(line):
        pieces += [line[end : match.start()].replace("*", "\\*"), match[1], "\\ " if match[2] else ""]
        end = match.end(1)
    return "".join([*pieces, line[end:].replace("*", "\\*")])


def members(cls: type) -> Iterator[tuple[str, str, Any]]:
    """The public methods and properties that a class itself defines, if they have or inherit a docstring: (directive, name, object)."""
    for name, value in vars(cls).items():
        if name.startswith("_") and name != "__call__":
            continue
        function = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
        if (isinstance(value, property) or inspect.isfunction(function)) and member_docstring(cls, name):
            yield "property" if isinstance(value, property) else "method", name, value


def member_docstring(cls: type, name: str) -> str:
    """The docstring of a method or property; where it has none, that of the method which it overrides."""
    return inspect.getdoc(getattr(cls, name)) or ""


def member_signature(value: Any) -> str:
    """The parameters of a method, without the object."""
    function = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
    text = signature(function)
    return text if isinstance(value, staticmethod) else re.sub(r"^\((self|cls)(, |(?=\)))", "(", text)


def entry(name: Name, other_names: list[str], bases: dict[type, str]) -> list[str]:
    """The entry of a name."""
    value = name.value
    is_class = isinstance(value, type)
    kind = "class" if is_class else "function" if callable(value) else "data"
    lines = [f".. py:{kind}:: {name.full}{signature(value) if kind != 'data' else ''}", ""]
    if kind == "data" and not has_docstring(value):
        lines += indented([f"The value ``{value!r}``."])
    content = body(docstring(value), kind)
    if other_names:
        content += ["", "Also " + ", ".join(f"``{other}``" for other in other_names) + "."]
    if is_class:
        public = [f"``{bases[base]}``" for base in value.__mro__[1:] if base in bases]
        if public:
            content += ["", "Has the members of " + ", ".join(public) + ", too."]
        for directive, member, method in members(value):
            options = [":classmethod:"] if isinstance(method, classmethod) else []
            options += [":staticmethod:"] if isinstance(method, staticmethod) else []
            parameters = "" if directive == "property" else member_signature(method)
            content += ["", f".. py:{directive}:: {name.full}.{member}{parameters}", *indented(options), ""]
            content += indented(body(member_docstring(value, member), "method"))
    return [*lines, *indented(content), ""]


def table(names: list[Name]) -> list[str]:
    """The names of a module with their first lines."""
    lines = [".. list-table::", "   :widths: 30 70", "   :class: names", ""]
    for name in names:
        lines += [f"   * - ``{name.full}``", f"     - {summary(name.value)}"]
    return [*lines, ""]


TITLES = {"fg": "fg: functions that TensorFlow lacks"}
INTRODUCTIONS = {
    "fg": "What fastgrad adds to TensorFlow's names, after ``import fastgrad as fg``. The names are in ``tf``, too, since it is the same module."
}


def write_pages(folder: Path) -> dict[str, str]:
    """The text of each page of the reference, by its file's name; also `names.json`, where each name leads."""
    with mock(OTHER_PACKAGES):
        names = public_names()
    entries = entries_of(names)
    others: dict[str, list[str]] = {}
    with_entries = {
        name.full for name in names if entries[name.full] == name.full and not name.page.startswith(TABLES_ONLY)
    }
    for full, canonical in entries.items():
        if full != canonical:
            others.setdefault(canonical, []).append(full)
    bases = {name.value: entries[name.full] for name in names if isinstance(name.value, type)}
    by_page: dict[str, list[Name]] = {}
    for name in names:
        by_page.setdefault(name.page, []).append(name)
    pages = {}
    places: dict[str, tuple[str, str]] = {}
    page_of = {name.full: name.page for name in names}
    for name in names:
        canonical = entries[name.full]
        if canonical not in with_entries:
            continue
        place = (f"api/{page_of[canonical]}", canonical)
        places[name.full] = place
        if canonical == name.full and isinstance(name.value, type):
            for _, member, _ in members(name.value):
                places[f"{name.full}.{member}"] = (place[0], f"{name.full}.{member}")
    for full, place in list(places.items()):
        if full.startswith("fg."):
            places.setdefault("tf." + full[3:], place)
    order = sorted(by_page, key=lambda page: (page != "fg", page != "tf", page.startswith("tf.compat"), page))
    for page in order:
        title = TITLES.get(page, page)
        module = importlib.import_module("fastgrad" + page.removeprefix("tf")) if page.startswith("tf") else None
        introduction = INTRODUCTIONS.get(page) or inspect.cleandoc((module.__doc__ if module else "") or "")
        lines = [title, "=" * len(title), "", *body(introduction, "module"), ""]
        lines += table(by_page[page])
        for name in by_page[page]:
            if name.full in with_entries:
                lines += entry(name, others.get(name.full, []), bases)
        pages[f"{page}.rst"] = "\n".join(lines) + "\n"
    index = [
        "API reference",
        "=============",
        "",
        (
            "One page for each public module. Functions that TensorFlow lacks are in :doc:`fg`. "
            "Examples begin with ``import fastgrad as tf``, or ``as fg``, and ``import numpy as np``."
        ),
        "",
    ]
    index += [".. toctree::", "   :maxdepth: 1", "", *indented(order), ""]
    pages["index.rst"] = "\n".join(index)
    pages["names.json"] = json.dumps(places, indent=0)
    return pages
