"""Errors for missing names: attributes of namespaces and objects, imports of names and of modules.

The text of an error is made lazily, at its first use, so ``hasattr`` and ``getattr`` with a default stay cheap. Only the text needs
the names of TensorFlow and Keras (``core/peer_names.py``).
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType, ModuleType, SimpleNamespace
from typing import Any, TypeVar

from fastgrad._src.jit.gc_pause import pause_gc_for_import

_Class = TypeVar("_Class")

_PUBLIC_PACKAGE, _PRIVATE_PACKAGE = "fastgrad", "fastgrad._src"


def locate_errors() -> None:
    """Lets errors for missing names of namespaces begin with the file and line that asks for the name."""
    _Answer.begins_with_place = True


class _Answer:
    """The text of an error for a missing name, as the only argument of the exception.

    Args:
        prefix: the text before the answer, which Python has for an import.
        owner: a namespace such as ``"tf.nn"``, or the class of an object.
        name: the missing name.
        known: returns the existing names, for suggestions.

    Attributes:
        begins_with_place: of the class: whether the text begins with the file and line that asks for a name of a namespace.
    """

    begins_with_place = False

    def __init__(self, prefix: str, owner: str | type, name: str, known: Callable[[], Iterable[str]]) -> None:
        self._parts = prefix, owner, name, known

    def __str__(self) -> str:
        from fastgrad._src.core.peer_names import missing_name_text

        prefix, owner, name, known = self._parts
        return prefix + missing_name_text(owner, name, known(), suggestions)

    def __repr__(self) -> str:
        return repr(str(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str(self),)


def namespace_hooks(
    namespace: str,
    module_globals: dict[str, Any],
    lazy_names: Mapping[str, str | tuple[str, str | None]] = MappingProxyType({}),
    submodules: Iterable[str] = (),
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Returns ``__getattr__`` and ``__dir__`` of a public module.

    ``__getattr__`` raises the error for a name that the module lacks. ``__dir__`` leaves out what the module imports from outside
    of fastgrad, such as ``np``.

    Args:
        namespace: ``"tf"``, ``"tf.nn"`` ...
        module_globals: the module's ``globals()``; loses the name ``annotations`` that ``from __future__ import annotations`` sets.
        lazy_names: for each name that is imported when it is asked for, the module below ``fastgrad._src`` that has it. A pair
            is the module and the name there, if that differs: ``("keras.weight", "Weight")``; None stands for the module itself.
        submodules: the public modules in the namespace that are imported when they are asked for.
    """
    module = _PUBLIC_PACKAGE + namespace.removeprefix("tf")
    submodules = frozenset(submodules)
    module_globals.pop("annotations", None)

    def __getattr__(name: str) -> Any:  # noqa: N807
        if name in submodules:
            with pause_gc_for_import():
                return importlib.import_module(f"{module}.{name}")
        if name in lazy_names:
            entry = lazy_names[name]
            home, name_there = (entry, name) if isinstance(entry, str) else entry
            with pause_gc_for_import():
                value = importlib.import_module(f"{_PRIVATE_PACKAGE}.{home}")
            module_globals[name] = value = value if name_there is None else getattr(value, name_there)
            return value
        frame = sys._getframe(1)
        while frame.f_code.co_name == "__getattr__" and frame.f_back is not None:
            frame = frame.f_back  # the caller of a __getattr__ that calls this one
        if name == "__path__" and frame.f_code.co_name == "_find_and_load_unlocked":
            raise missing_module_error(frame.f_locals["name"])
        if name.startswith("__"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}", name=name)
        known = module_globals.get("__dir__", __dir__)
        place = f"{frame.f_code.co_filename}:{frame.f_lineno}: " if _Answer.begins_with_place else ""
        if not frame.f_code.co_filename.startswith("<frozen importlib"):
            from opcode import opname

            if opname[frame.f_code.co_code[frame.f_lasti]] == "IMPORT_FROM":
                prefix = f"{place}cannot import name {name!r} from {module!r}: "
                raise ImportError(_Answer(prefix, namespace, name, known), name=module, path=module_globals["__file__"])
        # without ``obj``, Python adds no suggestion
        raise AttributeError(_Answer(place, namespace, name, known), name=name)

    def __dir__() -> list[str]:  # noqa: N807
        path = module_globals["__name__"]
        present = [name for name, value in module_globals.items() if _is_listed(path, name, value)]
        return sorted({*present, *lazy_names, *submodules})

    return __getattr__, __dir__


def _is_listed(path: str, name: str, value: Any) -> bool:
    """True for a name that ``dir`` of the module ``path`` lists: those with two underscores, and the public ones that fastgrad defines.

    The modules of a package are left out: Python makes them attributes when something imports them.
    """
    home = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    is_private = path.startswith(_PRIVATE_PACKAGE)
    if name.startswith("__"):
        return name != "__path__" or not is_private
    if name.startswith("_") or (is_private and home == f"{path}.{name}"):
        return False
    return not isinstance(home, str) or home.partition(".")[0] == _PUBLIC_PACKAGE


def missing_attribute(namespace: str, name: str, known: Callable[[], Iterable[str]]) -> AttributeError:
    """Returns the error for a name that a namespace lacks; ``known`` returns the names that it has."""
    return AttributeError(_Answer("", namespace, name, known), name=name)


class Namespace(SimpleNamespace):
    """A public namespace that is no module; ``path`` is its name, such as ``"tf.config.experimental"``."""

    def __init__(self, path: str, **members: Any) -> None:
        super().__init__(**members)
        self._path = path

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            return object.__getattribute__(self, name)
        raise missing_attribute(self._path, name, lambda: vars(self))


class MissingModuleFinder:
    """A finder at the end of ``sys.meta_path``: a failed import of ``fastgrad.…`` says what the peers have and what is nearest."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        """Returns None; ModuleNotFoundError if an import of a module of fastgrad fails (not if ``importlib.util.find_spec`` asks)."""
        if name.startswith("fastgrad.") and sys._getframe(2).f_code.co_name == "_find_and_load_unlocked":
            raise missing_module_error(name)


def missing_module_error(module: str) -> ModuleNotFoundError:
    """Returns the error for a module ``fastgrad.…`` that is not there."""
    parent, _, name = module.rpartition(".")
    parent_module = sys.modules.get(parent)
    namespace = "tf" + parent.removeprefix("fastgrad")
    return ModuleNotFoundError(
        _Answer(f"No module named {module!r}: ", namespace, name, lambda: dir(parent_module)), name=module
    )


def missing_member_getattr(self: Any, name: str) -> Any:
    """``__getattr__`` of a class whose attributes are not read in hot loops: raises the error for a missing member."""
    if name.startswith("_") or hasattr(type(self), name):
        return object.__getattribute__(self, name)  # Python's error, or again the error that a property raised
    raise AttributeError(_Answer("", type(self), name, lambda: dir(self)), name=name)


class _MissingMember:
    """A member that the peer's class has and this class lacks."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        raise AttributeError(_Answer("", owner, self._name, lambda: dir(instance)), name=self._name)


def declare_missing(*names: str) -> Callable[[type[_Class]], type[_Class]]:
    """Returns a class decorator: objects say that the peer's class has ``names``; ``dir`` of an object leaves them out.

    For classes whose attributes are read in hot loops: before Python 3.12, ``__getattr__`` makes each read of an attribute slower.
    """

    def add_missing_members(cls: type[_Class]) -> type[_Class]:
        for name in names:
            setattr(cls, name, _MissingMember(name))
        cls.__dir__ = _dir_without_missing_members  # type: ignore[method-assign]
        return cls

    return add_missing_members


def _dir_without_missing_members(self: Any) -> list[str]:
    missing = {name for cls in type(self).__mro__ for name, value in vars(cls).items() if type(value) is _MissingMember}
    return [name for name in object.__dir__(self) if name not in missing or hasattr(self, name)]


def suggestions(name: str, known: Iterable[str]) -> str:
    """Returns `` Did you mean: ...?`` with the names similar to ``name``; an empty string without similar names."""
    import difflib

    cutoff = 0.6 if len(name) > 2 else 0.5  # one wrong letter of two gives a similarity of 0.5
    close = difflib.get_close_matches(name, [k for k in known if not k.startswith("_")], 3, cutoff)
    return f" Did you mean: {', '.join(close)}?" if close else ""
