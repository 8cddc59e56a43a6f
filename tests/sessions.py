"""What `make` knows: the targets of the Makefile and the sessions of noxfile.py."""

import functools
import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


@functools.cache
def sessions() -> Mapping[str, Any]:
    """Returns the sessions of noxfile.py by their names."""
    import nox.registry

    spec = importlib.util.spec_from_file_location("noxfile", ROOT / "noxfile.py")
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    return nox.registry.get()


def targets() -> set[str]:
    """Returns the names of the Makefile's targets."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
