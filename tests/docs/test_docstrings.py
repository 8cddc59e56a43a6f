"""The examples of public docstrings run and print what they say; the most used names have one."""

import doctest
import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

import fastgrad
from fastgrad._src.keras.datasets import reading

sys.path.insert(0, str(Path(__file__).parents[2] / "tools" / "site"))
try:
    names = importlib.import_module("public_names")
finally:
    sys.path.pop(0)

COUNT = 150
DOWNLOADS = {"tf.keras.datasets.cifar10.load_data"}
"""Names whose example would need a file from the network."""

PARSER = doctest.DocTestParser()
NAMES = names.public_names()


def docstrings():
    """Each docstring of a public name or of a member of a public class, once, with its first name."""
    texts = {}
    for name in sorted(NAMES, key=lambda name: name.full):
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


def blank_mnist(path, *_, **__):
    """A file of images without ink, in place of the download."""
    arrays = {
        f"{kind}_{part}": np.zeros(shape, np.uint8)
        for part, count in (("train", 60_000), ("test", 10_000))
        for kind, shape in (("x", (count, 28, 28)), ("y", (count,)))
    }
    np.savez_compressed(path, **arrays)
    return path


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_prints_what_it_says(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reading, "get_file", blank_mnist)
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
        (
            name
            for name in counts
            if names.has_docstring(values.get(name)) and names.is_ours(values[name]) and name not in DOWNLOADS
        ),
        key=lambda name: (-counts[name], name),
    )[:COUNT]
    own = [name.full for name in NAMES if name.page == "fg"]
    return [name for name in [*most_used, *own] if ">>>" not in (values[name].__doc__ or "")]


@pytest.mark.completeness
def test_the_most_used_names_and_those_that_tensorflow_lacks_have_an_example():
    assert without_example() == []
