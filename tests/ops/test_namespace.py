"""`ops.namespace` has the functions that files above `ops` use by it, and no others."""

import re
from pathlib import Path
from types import ModuleType

import fastgrad
from fastgrad._src.ops import namespace

SOURCES = Path(fastgrad.__file__).parent


def test_each_name_is_used_and_each_use_has_a_name() -> None:
    texts = [path.read_text(encoding="utf-8") for path in SOURCES.rglob("*.py")]
    users = [text for text in texts if "from fastgrad._src.ops import namespace as ops" in text]
    used = {name for text in users for name in re.findall(r"(?<![\w.])ops\.(\w+)", text)}
    names = {name for name, value in vars(namespace).items() if name[0] != "_" and not isinstance(value, ModuleType)}
    assert len(users) > 50
    assert used == names
