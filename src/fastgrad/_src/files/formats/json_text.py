"""Parsing of JSON text from files."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any


def parse_json(text: bytes | str) -> Any:
    """Parses the JSON ``text``; bytes are UTF-8.

    Raises:
        ValueError: ``text`` is invalid, is nested too deeply, or has an object with a duplicate name.
    """
    try:
        return json.loads(
            text.decode() if isinstance(text, bytes) else text, object_pairs_hook=_object_with_unique_names
        )
    except RecursionError:
        raise ValueError("this is no JSON text that can be read: it is nested too deeply") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"this is no JSON text: {error}") from error


def _object_with_unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    parsed_object = dict(pairs)
    if len(parsed_object) != len(pairs):
        check_names(name for name, _ in pairs)
    return parsed_object


def check_names(names: Any) -> None:
    """Raises ValueError if a name occurs twice."""
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise ValueError(f"the name {name!r} occurs twice")
