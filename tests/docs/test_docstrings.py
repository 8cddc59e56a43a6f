"""The examples of public docstrings run and print what they say; the most used names have one."""

import doctest
import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

import fastgrad

sys.path.insert(0, str(Path(__file__).parents[2] / "tools" / "site"))
try:
    names = importlib.import_module("public_names")
finally:
    sys.path.pop(0)

LIST = Path(__file__).parent / "names_without_example.txt"
COUNT = 150

PARSER = doctest.DocTestParser()
NAMES = names.public_names()


def docstrings():
    """Each docstring of a public name or of a member of a public class, once, with its first name."""
    texts = {}
    for name in NAMES:
        if not (names.has_docstring(name.value) and names.is_ours(name.value)):
            continue
        texts.setdefault(name.value.__doc__, name.full)
        if isinstance(name.value, type):
            for member, value in vars(name.value).items():
                text = getattr(getattr(value, "__func__", value), "__doc__", None)
                if not member.startswith("_") and isinstance(text, str):
                    texts.setdefault(text, f"{name.full}.{member}")
    return {name: text for text, name in texts.items() if text}


EXAMPLES = {name: text for name, text in docstrings().items() if ">>>" in text}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_prints_what_it_says(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fastgrad.random.set_seed(0)
    shown = {"tf": fastgrad, "fg": fastgrad, "np": np}
    test = PARSER.get_doctest(EXAMPLES[name], shown, name, None, None)
    output = []
    result = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS).run(test, out=output.append)
    assert result.attempted > 0
    assert result.failed == 0, "".join(output)


def without_example():
    """The most used names with a docstring of their own, and the names that TensorFlow lacks, whose docstring has no example."""
    counts = names.uses()
    values = {name.full: name.value for name in NAMES}
    most_used = sorted(
        (name for name in counts if names.has_docstring(values.get(name)) and names.is_ours(values[name])),
        key=lambda name: (-counts[name], name),
    )[:COUNT]
    own = [name.full for name in NAMES if name.page == "fg"]
    return [name for name in [*most_used, *own] if ">>>" not in (values[name].__doc__ or "")]


@pytest.mark.completeness
def test_the_names_without_an_example_are_those_of_the_list():
    lines = LIST.read_text(encoding="utf-8").splitlines()
    assert without_example() == [line for line in lines if not line.startswith("#")]


if __name__ == "__main__":
    heading = "# Public names whose docstrings lack an example. `python -m tests.docs.test_docstrings` writes this list, which shall be empty."
    LIST.write_text("\n".join([heading, *without_example()]) + "\n", encoding="utf-8")
