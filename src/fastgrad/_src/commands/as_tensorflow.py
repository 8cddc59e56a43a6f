"""Runs TensorFlow scripts without an edit: ``python -m fastgrad.as_tensorflow [--real-keras] train.py``.

The user's files import fastgrad's modules by the names ``tensorflow`` and ``keras``. Other files get a ModuleNotFoundError.
``sys.modules`` is the same for all importers, so these names never enter it. Instead ``builtins.__import__`` and
``importlib.import_module`` translate them, as both know who imports.

With ``--real-keras``, ``keras`` and ``tensorflow.keras`` are the installed Keras, which ``keras_fastgrad`` runs on fastgrad.
"""

from __future__ import annotations

import argparse
import builtins
import importlib
import importlib.util
import os
import re
import runpy
import sys
import sysconfig
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from fastgrad._src.commands import private_names
from fastgrad._src.core import names
from fastgrad._src.jit.libraries import package_of

TENSORFLOW_VERSION = "2.21.0"
"""The version of TensorFlow whose behaviour fastgrad follows; ``tf.__version__`` in scripts that import ``tensorflow``."""

_PREFIXES = {
    "tensorflow.python.": "fastgrad.",
    "tensorflow.": "fastgrad.",
    "keras.src.": "fastgrad.keras.",
    "keras.api.": "fastgrad.keras.",
    "keras.": "fastgrad.keras.",
}
"""What replaces the first words of a module's name, with the longest first."""

_REAL_KERAS = "keras._tf_keras.keras"
"""The module that TensorFlow gives for ``tensorflow.keras``."""

_PREFIXES_WITH_REAL_KERAS = {
    "tensorflow.python.keras.": f"{_REAL_KERAS}.",
    "tensorflow.python.": "fastgrad.",
    "tensorflow.keras.": f"{_REAL_KERAS}.",
    "tensorflow.": "fastgrad.",
}
_REAL_KERAS_HELP = "let keras and tensorflow.keras be the installed Keras, on fastgrad"
_ALSO_HELP = "a package or a folder whose imports give fastgrad, too; can be repeated"
_IMPORT_MODULES = {__name__, "importlib", "importlib.util", "importlib._bootstrap", "importlib._bootstrap_external"}
_LIBRARY_FOLDERS = tuple(
    os.path.realpath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


class _TensorFlowModule(ModuleType):
    """What ``import tensorflow as tf`` gives: fastgrad's attributes, and TensorFlow's version instead of fastgrad's."""

    def __init__(self) -> None:
        super().__init__("tensorflow", importlib.import_module("fastgrad").__doc__)
        self.__version__ = TENSORFLOW_VERSION
        self.version = names.Namespace("tf.version", VERSION=TENSORFLOW_VERSION, GIT_VERSION=f"v{TENSORFLOW_VERSION}")

    def __getattr__(self, name: str) -> Any:
        if name == "python":
            value: Any = _python
        elif name == "keras":
            value = _resolve("tensorflow.keras")
        else:
            try:
                value = getattr(sys.modules["fastgrad"], name)
            except AttributeError:
                value = _name_for_keras(name)
                if value is None:
                    raise
        vars(self)[name] = value  # later reads do not come here
        return value

    def __dir__(self) -> list[str]:
        return dir(sys.modules["fastgrad"])

    def __reduce__(self) -> tuple[Any, ...]:
        return importlib.import_module, ("fastgrad",)  # other processes may not have the name tensorflow


class _PythonModule(ModuleType):
    """What ``import tensorflow.python`` gives: the table of private names, and the names of ``tensorflow``."""

    def __getattr__(self, name: str) -> Any:
        # `import tensorflow.python.keras.backend as K` reads one attribute after the other.
        try:
            return getattr(_private_root(), name)
        except AttributeError:
            return getattr(_tensorflow, name)


class _PrivateKeras(ModuleType):
    """What ``import keras.src.layers`` gives: fastgrad's attributes, and itself for the names of Keras's private packages."""

    def __getattr__(self, name: str) -> Any:
        return self if name in ("src", "api") else getattr(_resolve("keras"), name)


class _Importers:
    """The files whose imports of ``tensorflow`` and ``keras`` give fastgrad: those in some folders and those of some packages."""

    def __init__(self) -> None:
        self.folders, self.packages = set[str](), set[str]()
        self.answers: dict[str, bool] = {}

    def has(self, module_globals: Mapping[str, Any] | None) -> bool:
        """True if the module with these globals is the user's.

        Code without a file is the user's if its module is ``__main__``: ``python -c``, the prompt, a notebook.
        """
        module_globals = module_globals or {}
        name = module_globals.get("__name__") or ""
        if package_of(name) in self.packages:
            return True
        file = module_globals.get("__file__")
        if file is None:
            return name == "__main__"
        if file not in self.answers:
            path = os.path.realpath(file)
            folders = [folder for folder in self.folders if _is_library(folder) or not _is_library(path)]
            self.answers[file] = path.startswith(tuple(folders))
        return self.answers[file]


def _is_library(path: str) -> bool:
    """True for a path in Python's library or in a folder of installed packages, also of a virtual environment below the script."""
    return path.startswith(_LIBRARY_FOLDERS) or bool({"site-packages", "dist-packages"} & set(path.split(os.sep)))


class _Refusal:
    """The first finder of ``sys.meta_path``: imports of ``tensorflow`` and ``keras`` that were not translated fail."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Returns a spec if ``importlib.util.find_spec`` asks for the user; None if it asks for others.

        Raises:
            ModuleNotFoundError: a file that is not the user's imports the module.
        """
        if not _is_translated(name):
            return None
        importer_globals, is_import = _globals_of_importer()
        if is_import:
            importer = importer_globals.get("__name__") or "?"
            raise ModuleNotFoundError(
                f"No module named {name!r}: fastgrad.as_tensorflow gives fastgrad to the files of the script's folder, and "
                f"{importer!r} ({importer_globals.get('__file__')}) is not one; to give it fastgrad too, write "
                f"`--also {package_of(importer)}` before the script, or install(packages=[{package_of(importer)!r}])",
                name=name,
            )
        if not _importers.has(importer_globals):
            return None
        try:
            module = _resolve(name)
        except ModuleNotFoundError:
            return None
        return ModuleSpec(name, None, origin=getattr(module, "__file__", None), is_package=hasattr(module, "__path__"))


_importers = _Importers()
_prefixes = dict(_PREFIXES)
_tensorflow = _TensorFlowModule()
_python = _PythonModule("tensorflow.python")
_private_keras = _PrivateKeras("keras")


def _globals_of_importer() -> tuple[dict[str, Any], bool]:
    """Returns the globals of the code that called Python's import functions, and whether these load a module."""
    frame, is_import = sys._getframe(1), False
    while frame.f_back is not None and frame.f_globals.get("__name__") in _IMPORT_MODULES:
        is_import |= frame.f_code.co_name == "_find_and_load_unlocked"
        frame = frame.f_back
    return frame.f_globals, is_import


def _is_translated(name: str) -> bool:
    """True if the user's import of a module gives another one."""
    return f"{package_of(name)}." in _prefixes


def _uses_real_keras() -> bool:
    return "keras." not in _prefixes


def install(packages: Iterable[str] = (), folders: Iterable[str] | None = None, real_keras: bool = False) -> None:
    """Lets the user's files import fastgrad by the names ``tensorflow`` and ``keras``; a second call adds importers.

    Args:
        packages: top-level names of installed packages whose imports give fastgrad, too.
        folders: the folders whose files' imports give fastgrad; default: the folder of the file that calls this function, or the
            working directory if the caller has no file. Installed packages and Python's library below them do not count.
        real_keras: whether ``keras`` and ``tensorflow.keras`` are the installed Keras, on fastgrad, for all files of the process.

    Raises:
        RuntimeError: the process has already imported TensorFlow or Keras, or an earlier call has given fastgrad for ``keras``.
        ImportError: Keras is not installed, or a version that ``keras_fastgrad`` does not know.
    """
    if real_keras and not _uses_real_keras():
        _use_real_keras()
    for root in ("tensorflow", "keras"):
        module = sys.modules.get(root)
        if module is not None and _is_translated(root):
            raise RuntimeError(
                f"fastgrad.as_tensorflow.install: this process has already imported {root!r} "
                f"({getattr(module, '__file__', None)}); call install() before all imports of it, or run the script by "
                "`python -m fastgrad.as_tensorflow SCRIPT`"
            )
    if folders is None:
        file = sys._getframe(1).f_globals.get("__file__")
        folders = [os.path.dirname(file) if file else os.getcwd()]
    _importers.folders.update(os.path.join(os.path.realpath(folder), "") for folder in folders)
    _importers.packages.update(packages)
    _importers.answers.clear()
    if _Refusal in sys.meta_path:
        return
    names.locate_errors()
    if "pytest" in sys.modules:
        pytest = sys.modules["pytest"]
        vars(pytest)["importorskip"] = _translate_importorskip(pytest)
    builtins.__import__ = _translate_imports(builtins.__import__)
    importlib.import_module = _translate_import_module(importlib.import_module)
    sys.meta_path.insert(0, _Refusal)


def _use_real_keras() -> None:
    if _Refusal in sys.meta_path:
        raise RuntimeError(
            "fastgrad.as_tensorflow.install(real_keras=True): an earlier call of install() has given fastgrad for keras; "
            "give real_keras=True to the first call"
        )
    importlib.import_module("keras_fastgrad")  # raises an ImportError with the remedy if Keras is not installed
    _prefixes.clear()
    _prefixes.update(_PREFIXES_WITH_REAL_KERAS)


def _name_for_keras(name: str) -> Any:
    """Returns a name of ``tensorflow`` that fastgrad lacks and Keras's own modules get; None without it or without real Keras."""
    return getattr(importlib.import_module("keras_fastgrad.names").tf, name, None) if _uses_real_keras() else None


def _private_root() -> Any:
    """Returns what has the private names below ``tensorflow.python``."""
    return _name_for_keras("python") or private_names.PYTHON


def _translate_imports(original: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a ``builtins.__import__`` that translates absolute imports of the user's modules."""

    def __import__(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:  # noqa: N807
        if level or not _is_translated(name):
            return original(name, globals, locals, fromlist, level)
        # A call without globals, such as `__import__("tensorflow")`, is that of the code around it.
        if not _importers.has(_globals_of_importer()[0] if globals is None else globals):
            return original(name, globals, locals, fromlist, level)
        module = _resolve(name)
        if not fromlist:
            return _private_keras if name.startswith(("keras.src.", "keras.api.")) else _resolve(package_of(name))
        if _is_imported(module):
            if "*" in fromlist and not hasattr(module, "__all__"):  # modules make their names at the first use
                vars(module)["__all__"] = [name for name in dir(module) if not name.startswith("_")]
            original(
                module.__name__ if module is not _tensorflow else "fastgrad", globals, locals, fromlist, 0
            )  # imports the modules of `fromlist`
        return module

    return __import__


def _is_imported(module: Any) -> bool:
    """True for a module that ``sys.modules`` has, and for ``tensorflow``."""
    return isinstance(module, ModuleType) and (module is _tensorflow or module.__name__ in sys.modules)


def _translate_import_module(original: Callable[..., Any]) -> Callable[..., Any]:
    """Returns an ``importlib.import_module`` that translates names for the user's modules."""

    def import_module(name: str, package: str | None = None) -> Any:
        full_name = importlib.util.resolve_name(name, package) if name.startswith(".") and package else name
        if _is_translated(full_name) and _importers.has(sys._getframe(1).f_globals):
            return _resolve(full_name)
        return original(name, package)

    return import_module


def _translate_importorskip(pytest: ModuleType) -> Callable[..., Any]:
    """Returns a ``pytest.importorskip`` that translates names for the user's modules: pytest's reads ``sys.modules``."""
    original = pytest.importorskip

    def importorskip(modname: str, minversion: str | None = None, *args: Any, **kwargs: Any) -> Any:
        is_users = _is_translated(modname) and _importers.has(sys._getframe(1).f_globals)
        try:
            module = _resolve(modname) if is_users else None
        except ModuleNotFoundError:
            module = None
        if module is None:
            return original(modname, minversion, *args, **kwargs)
        version = getattr(module, "__version__", "0")
        if minversion is not None and _numbers_of(version) < _numbers_of(minversion):
            pytest.skip(
                f"module {modname!r} has __version__ {version!r}, required is: {minversion!r}", allow_module_level=True
            )
        return module

    return importorskip


def _numbers_of(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def _replacement_name(name: str) -> str:
    """Returns the name of the module that the user gets for ``tensorflow.keras.layers``, or for a private module."""
    prefix, replacement = next(item for item in _prefixes.items() if f"{name}.".startswith(item[0]))
    return (replacement + f"{name}.".removeprefix(prefix)).rstrip(".")


def _resolve(name: str) -> Any:
    """Returns what ``tensorflow.…`` or ``keras.…`` means: a module of fastgrad or Keras, or a namespace that is no module."""
    full_name = _replacement_name(name)
    if name == "tensorflow.python":
        return _python
    if full_name == "fastgrad":
        return _tensorflow
    try:
        return importlib.import_module(full_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{full_name}.".startswith(f"{error.name}."):
            raise
        for root, path in ((sys.modules["fastgrad"], full_name), (_tensorflow, name)):
            value: Any = root
            for part in path.split(".")[1:]:
                value = vars(value).get(part) if isinstance(value, names.Namespace) else getattr(value, part, None)
            if isinstance(value, (names.Namespace, ModuleType)):
                return value
        if name.startswith("tensorflow.python."):
            message = f"No module named {name!r}: fastgrad does not have this private module of TensorFlow"
            raise ModuleNotFoundError(message, name=name) from error
        raise


def script_parser(module: str, options: str, description: str, also_help: str) -> argparse.ArgumentParser:
    """Returns the parser of ``python -m module OPTIONS (SCRIPT | -m MODULE) [ARG ...]``, with the option ``--also``."""
    usage = f"%(prog)s [-h] {options} (SCRIPT | -m MODULE) [ARG ...]"
    parser = argparse.ArgumentParser(prog=f"python -m {module}", usage=usage, description=description)
    parser.add_argument("--also", action="append", default=[], help=also_help)
    parser.add_argument("-m", action="store_true", dest="is_module", help="run a module by its name")
    parser.add_argument("script", help="a Python file, or the name of a module after -m")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="what the script gets")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a script or a module as ``python`` does, with fastgrad in place of TensorFlow and Keras.

    Args:
        arguments: the words of the command; default: those of this process.

    Returns:
        The exit status 0; errors and ``SystemExit`` of the script pass through.
    """
    parser = script_parser(
        "fastgrad.as_tensorflow",
        "[--also PACKAGE_OR_FOLDER] [--real-keras]",
        "Runs a TensorFlow script without an edit: its imports of tensorflow and keras give fastgrad.",
        _ALSO_HELP,
    )
    parser.add_argument("--real-keras", action="store_true", help=_REAL_KERAS_HELP)
    options = parser.parse_args(arguments)
    also_packages, also_folders = _packages_and_folders(options.also)
    sys.argv = [options.script, *options.arguments]
    _print_tracebacks_from_script()
    if options.is_module:
        if package_of(options.script) == "pytest":  # the plugin installs the names once pytest is there
            words = [f"--also={word}" for word in options.also] + ["--real-keras"] * options.real_keras
            sys.argv[1:1] = ["-p", "fastgrad.as_tensorflow", *words]
        else:
            folders = [os.getcwd(), *also_folders]
            install([*also_packages, package_of(options.script)], folders, options.real_keras)
        runpy.run_module(options.script, run_name="__main__", alter_sys=True)
        return 0
    path = os.path.realpath(options.script)
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    install(also_packages, [folder, *also_folders], options.real_keras)
    if not getattr(sys.flags, "safe_path", False):  # Python 3.11 has it
        sys.path[0] = folder
    if folder == path or not path.endswith((".py", ".pyw")):
        runpy.run_path(options.script, run_name="__main__")  # a folder or an archive with __main__.py, or compiled code
    else:
        _run_file(os.path.abspath(options.script))
    return 0


def _run_file(path: str) -> None:
    """Runs a file as ``__main__``. Unlike ``runpy.run_path``, the module stays, and ``__file__`` is absolute and ``sys.argv[0]`` is not."""
    loader = SourceFileLoader("__main__", path)
    module = ModuleType("__main__")
    vars(module).update(__file__=path, __loader__=loader, __builtins__=builtins, __cached__=None)
    code = loader.source_to_code(loader.get_data(path), path)
    sys.modules["__main__"] = module
    exec(code, vars(module))  # noqa: S102  # to run the user's script is the purpose of the command


def _packages_and_folders(also: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns the packages and the folders of ``--also``. A name that is a folder, too, is both: a clone's folder has its package's name."""
    folders = [word for word in also if os.sep in word or Path(word).is_dir()]
    return [word for word in also if word.isidentifier()], folders


def _print_tracebacks_from_script() -> None:
    """Prints uncaught errors without the frames that started the script: of this file, of runpy, and of the public module."""
    previous = sys.excepthook
    starting_files = {__file__, sys._getframe(2).f_code.co_filename, "<frozen runpy>", runpy.__file__}

    def show_from_script(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        entry = traceback
        while entry is not None and entry.tb_frame.f_code.co_filename in starting_files:
            entry = entry.tb_next
        previous(kind, error.with_traceback(entry or traceback), entry or traceback)

    sys.excepthook = show_from_script


def pytest_addoption(parser: Any) -> None:
    """The options of ``pytest -p fastgrad.as_tensorflow``."""
    parser.addoption("--also", action="append", default=[], help=_ALSO_HELP)
    parser.addoption("--real-keras", action="store_true", help=_REAL_KERAS_HELP)


def pytest_load_initial_conftests(early_config: Any) -> None:
    """Installs the names before pytest imports a ``conftest.py``: for files below its root and below the working directory."""
    options = early_config.known_args_namespace
    packages, folders = _packages_and_folders(options.also)
    folders += [str(early_config.rootpath), str(early_config.invocation_params.dir)]
    install(packages, folders, options.real_keras)
