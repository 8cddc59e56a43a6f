"""The examples of public docstrings run and print what they say; the most used names have one. Methods have or inherit a docstring."""

import ast
import doctest
import importlib
import inspect
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


DOCUMENTED_ELSEWHERE = {
    "fastgrad._src.compat.test_case.TestCase": "assertions, which have names as in unittest",
    "fastgrad._src.core.device_spec.DeviceSpec": "the class's docstring lists the properties",
    "fastgrad._src.cuda.devices.real.RealDriver": "the protocol `Driver` says what its methods do",
    "fastgrad._src.files.formats.archive_extraction._BoundedReader": "a file of Python",
    "fastgrad._src.files.formats.hdf5_file._ErrorKeepingFile": "a file of Python",
    "fastgrad._src.jit.numba_target._ReturnByValue": "a calling convention of Numba",
}
"""Classes whose methods need no docstring, and why."""

BY_NUMBA_CUDA = {"fastgrad._src.cuda.codegen.intrinsics", "fastgrad._src.cuda.codegen.numba_cuda"}
"""Modules that need numba-cuda, which the extra `test` does not bring."""


def modules():
    """The modules of fastgrad; those of a bridge and of numba-cuda only if the package is there."""
    root = Path(fastgrad.__file__).parent
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        if name in names.PROGRAMS:
            continue
        try:
            yield importlib.import_module(name)
        except ImportError:
            assert "bridges" in name or name in names.BRIDGES | BY_NUMBA_CUDA


def classes(holder, module):
    """The classes that a module defines, also inside of classes."""
    for value in list(vars(holder).values()):
        is_ours = isinstance(value, type) and value.__module__ == module.__name__
        if is_ours and (holder is module or value.__qualname__ == f"{holder.__qualname__}.{value.__name__}"):
            yield value
            yield from classes(value, module)


def is_of_another_package(cls, name):
    """True if a base class from outside of fastgrad has the method, or Python calls it by the name of a node class."""
    if issubclass(cls, ast.NodeVisitor) and name.startswith("visit_"):
        return True
    return any(name in vars(base) for base in cls.__mro__[1:] if not base.__module__.startswith("fastgrad"))


def without_docstring():
    """The public methods and properties that neither have a docstring nor inherit one."""
    for cls in {cls for module in modules() for cls in classes(module, module)}:
        full = f"{cls.__module__}.{cls.__qualname__}"
        if full in DOCUMENTED_ELSEWHERE:
            continue
        for name, value in vars(cls).items():
            is_field = name in vars(cls).get("__annotations__", ())
            if name.startswith("_") or is_field or is_of_another_package(cls, name):
                continue
            is_method = isinstance(value, property) or inspect.isfunction(getattr(value, "__func__", value))
            if is_method and not inspect.getdoc(getattr(cls, name)):
                yield f"{full}.{name}"


@pytest.mark.completeness
def test_public_methods_have_or_inherit_a_docstring():
    assert sorted(without_docstring()) == []
