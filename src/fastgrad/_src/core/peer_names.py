"""The public names of TensorFlow and Keras, alternatives for names that fastgrad lacks, and differences of some names.

``tools/names_table.py`` writes the names, with the format of the file, from TensorFlow and Keras; ``docs/names.md`` lists some.
``nearest_names.txt`` has the alternatives, ``differing_names.txt`` the differences.
"""

from __future__ import annotations

import functools
import gzip
import sys
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from pathlib import Path


def _read_texts(file: str) -> dict[str, str]:
    text = Path(__file__).with_name(file).read_text(encoding="utf-8").replace("\n  ", " ")
    entries = [line.split(" = ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name: hint for names, hint in entries for name in names.split(" ")}


NEAREST = _read_texts("nearest_names.txt")
"""The nearest alternative, by full name; the file describes its patterns."""

DIFFERING = _read_texts("differing_names.txt")
"""How a name that is there differs from TensorFlow's or Keras's, by full name."""


@functools.cache
def peer_names() -> tuple[dict[str, frozenset[str]], dict[str, dict[str, str]], dict[str, frozenset[str]]]:
    """Returns the names of TensorFlow 2 and Keras 3 by namespace, those of TensorFlow 1 with their later names, and members by class."""
    current: dict[str, frozenset[str]] = {}
    former: dict[str, dict[str, str]] = {}
    members: dict[str, frozenset[str]] = {}
    for line in gzip.decompress(Path(__file__).with_name("peer_names.txt.gz").read_bytes()).decode().splitlines():
        first, *names = line.split(" ")
        if first == "1":
            former[names[0]] = {name: later for name, _, later in (word.partition("=") for word in names[1:])}
        elif first.startswith("."):
            members[first[1:]] = frozenset(names)
        else:
            current[first] = frozenset(names)
    return current, former, members


def nearest_alternative(full_name: str, later_name: str = "") -> str:
    """Returns the nearest alternative to ``tf.nn.nce_loss`` or ``.eval``; an empty text without one.

    Args:
        full_name: the missing name.
        later_name: its name in TensorFlow 2, for a name of TensorFlow 1.
    """
    if full_name in NEAREST:
        return NEAREST[full_name]
    if later_name:
        return (
            later_name
            if _exists(later_name)
            else nearest_alternative(later_name) or nearest_alternative(later_name.rpartition(".")[0])
        )
    return next((hint for pattern, hint in NEAREST.items() if "*" in pattern and fnmatchcase(full_name, pattern)), "")


def _exists(full_name: str) -> bool:
    try:
        functools.reduce(getattr, full_name.split(".")[1:], sys.modules["fastgrad"])
    except AttributeError:
        return False
    return True


def missing_name_text(
    owner: str | type, name: str, known: Iterable[str], suggestions: Callable[[str, Iterable[str]], str]
) -> str:
    """Returns the text of the error for a missing name: which peer has it and what is nearest, or else similar names.

    Args:
        owner: a namespace such as ``"tf.nn"``, or the class of an object.
        name: the missing name.
        known: the existing names.
        suggestions: returns the text about those of ``known`` that are similar to ``name``.
    """
    current, former, members = peer_names()
    if isinstance(owner, type):
        subject = f"'{owner.__name__}' object has no attribute '{name}'"
        peer = "TensorFlow" if any(name in members.get(base.__name__, ()) for base in owner.__mro__) else ""
        near = next((NEAREST[key] for base in owner.__mro__ if (key := f"{base.__name__}.{name}") in NEAREST), "")
        peer = peer or ("TensorFlow 1" if near else "")
        near = near or nearest_alternative("." + name)
    else:
        subject, module = f"{owner}.{name}", "fastgrad" + owner.removeprefix("tf")
        former_owner = owner.replace("tf.compat.v1", "tf")  # its name in TensorFlow 1
        former_subject = f"{former_owner}.{name}"
        later_name = former.get(former_owner, {}).get(name)
        peer = "TensorFlow" if name in current.get(owner, ()) else ""
        peer = peer or ("TensorFlow 1" if later_name is not None or former_subject in NEAREST else "")
        near = nearest_alternative(subject) or nearest_alternative(former_subject, later_name or "")
        if not peer:
            subject = f"module '{module}' has no attribute '{name}'"
            known = [x for x in known if x in current.get(owner, ()) or f"{module}.{x}" not in sys.modules]
    if peer:
        is_of_keras = peer == "TensorFlow" and str(owner).startswith("tf.keras")
        return (
            f"{subject}: {peer} has it, fastgrad does not."
            + (f" Nearest: {near}." if near else "")
            + (
                " Keras on fastgrad has it: pip install 'fastgrad[keras]', import keras_fastgrad."
                if is_of_keras
                else ""
            )
        )
    return f"{subject}.{suggestions(name, known)}"
