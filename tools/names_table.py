"""Writes the tables of docs/names.md and docs/keras_names.md: public names, and for each where it is, how it differs, or why it is missing.

python tools/names_table.py            # rewrites the tables from the names of TensorFlow and Keras and from the package
python tools/names_table.py --check    # says which would change, and fails if any would
python tools/names_table.py --peers    # rewrites the names of TensorFlow and Keras, which must be installed; `make names` runs it
"""

from __future__ import annotations

import ast
import functools
import gzip
import inspect
import re
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "names.md"
KERAS_PAGE = ROOT / "docs" / "keras_names.md"
FOLDERS = (ROOT / "src" / "fastgrad" / "_src", ROOT / "src" / "fastgrad")
"""The folders that the paths of the pages are relative to: what defines names, and the public namespaces."""

PEERS = FOLDERS[0] / "core" / "peer_names.txt.gz"
"""The peers' names: a line for each of their namespaces and classes."""

KERAS_MEMBERS = ROOT / "tools" / "keras_members.txt"
"""A line for each public class of Keras: its names, its public base classes, and the public members that these lack."""

USE = ROOT / "tools" / "name_use.txt"
"""How many files of public programs name a name or a namespace: a line for each."""

START = "<!-- tools/names_table.py writes what follows -->\n"
_HEAD = (
    "| name | | where it is declared, how it differs, or why it is refused and what is nearest |\n| --- | --- | --- |\n"
)

WITHOUT_MEANING = {
    "tf.tpu* tf.*TPU* tf.config.*mlir_bridge": "there is no TPU",
    "tf.xla* tf.config.optimizer* tf.mlir* tf.graph_util* tf.*graph_def* tf.Graph tf.Operation tf.RegisterGradient tf.summary.graph "
    "tf.io.write_graph tf.data.experimental.get_model_proto tf.test.assert_equal_graph_def tf.version.GRAPH_DEF*": "there are "
    "no graphs of TensorFlow, XLA or MLIR",
    "tf.lite* tf.quantization.experimental* tf.experimental.tensorrt*": "converts models for other runtimes",
    "tf.*dtensor* tf.*check_pinned": "divides or moves memory of accelerators",
    "tf.distribute.*coordinator* tf.distribute.*ParameterServer* tf.distribute.*partitioners* tf.distribute.*Preemption* "
    "tf.distribute.*TerminationConfig tf.distribute.*rpc* tf.distribute.Server tf.distribute.*CentralStorage* "
    "tf.distribute.cluster_resolver.* tf.data.experimental.*service* tf.data.experimental.ServiceOptions "
    "tf.data.experimental.distributed_save tf.config.*connect_to_* tf.config.experimental.ClusterDeviceFilters "
    "tf.test.create_local_cluster tf.train.ClusterDef tf.train.ClusterSpec tf.train.JobDef tf.train.ServerDef "
    "tf.profiler.experimental.client* tf.profiler.experimental.server*": "needs several machines or processes",
    "tf.feature_column*": "deprecated; made for Estimators, which TensorFlow no longer has",
    "tf.sysconfig* tf.load_*library tf.experimental.register_filesystem_plugin tf.version.COMPILER_VERSION": "for programs in C++ "
    "that are linked to TensorFlow",
    "tf.tools tf.security tf.resource tf.variant tf.dtypes.resource tf.dtypes.variant tf.data.experimental.*variant": "internal to "
    "TensorFlow's runtime",
}
"""Patterns of names that mean nothing on one CPU, or nothing outside of TensorFlow's own runtime, with the reason."""


class Row(NamedTuple):
    """A public name of TensorFlow or Keras.

    Args:
        name: the full name.
        status: supported, differs, refused or missing.
        text: the file under src/fastgrad/_src, the difference, or the reason and what is nearest.
        has_meaning: False for a name that means nothing on one CPU.
    """

    name: str
    status: str
    text: str
    has_meaning: bool


def peer_lines() -> list[str]:
    """The lines of ``PEERS``, read off TensorFlow and Keras, which must be installed.

    ``tf.nn relu ...`` has the public names of a namespace of TensorFlow 2 or Keras 3; ``1 tf log=tf.math.log ...`` those that
    TensorFlow 1 has besides, with their names in TensorFlow 2; ``.Dense enable_lora ...`` the public members of a class that its
    public base classes lack; those of ``keras.Operation`` count as its subclasses'.
    """
    import keras
    import tensorflow as tf
    from tensorflow.tools.compatibility import all_renames_v2

    current: dict[str, set[str]] = {}
    former: dict[str, set[str]] = {}
    classes: dict[type, set[str]] = {}
    version_1 = tf.compat.v1
    _add_names(tf, "tf", current, classes, [tf.compat])
    _add_names(keras, "tf.keras", current, classes, [])
    _add_names(version_1, "tf", former, classes, [version_1.compat, version_1.raw_ops, version_1.keras])
    later_names = {
        before: after
        for renames in (all_renames_v2.renames_v2.renames, all_renames_v2.manual_symbol_renames)
        for before, after in renames.items()
        if "compat" not in after
    }
    lines = [" ".join([space, *sorted(names)]) for space, names in sorted(current.items())]
    for space, names in sorted(former.items()):
        words = sorted(names - current.get(space, set()))
        later = [later_names.get(f"{space}.{word}", "") for word in words]
        if words:
            lines.append(" ".join(["1", space, *(f"{a}={b}" if b else a for a, b in zip(words, later, strict=True))]))
    members: dict[str, set[str]] = {}
    for one, class_names in classes.items():
        inherited = {
            name for base in one.__mro__[1:] if base in classes and base is not keras.Operation for name in dir(base)
        }
        for class_name in class_names:
            members.setdefault(class_name, set()).update({name for name in dir(one) if name[0] != "_"} - inherited)
    return lines + [" ".join(["." + name, *sorted(words)]) for name, words in sorted(members.items()) if words]


def keras_member_lines() -> list[str]:
    """The lines of ``KERAS_MEMBERS``, read off Keras: ``tf.keras.callbacks.CallbackList tf.keras.callbacks.Callback on_epoch_end ...``.

    Members that Python's own classes have are left out, because each Python has others.
    """
    import keras

    spaces: dict[str, set[str]] = {}
    _add_names(keras, "tf.keras", spaces, {}, [])
    names: dict[type, list[str]] = {}
    for space, words in sorted(spaces.items()):
        module = functools.reduce(getattr, space.split(".")[2:], keras)
        for word in sorted(words):
            value = getattr(module, word)
            if isinstance(value, type) and value.__module__.startswith("keras"):
                names.setdefault(value, []).append(f"{space}.{word}")
    lines = []
    for one, full_names in names.items():
        bases = [base for base in one.__mro__[1:] if base in names]
        of_python = [base for base in one.__mro__ if base.__module__.partition(".")[0] in sys.stdlib_module_names]
        members = set(dir(one)) - {name for base in bases + of_python for name in dir(base)}
        shown = sorted(name for name in members if name[0] != "_")
        lines.append(" ".join([",".join(full_names), ",".join(names[base][0] for base in bases) or "-", *shown]))
    return sorted(lines)


@functools.cache
def missing_members() -> dict[str, frozenset[str]]:
    """The public members of Keras's classes that the package's classes of the same names lack, by full name; not those that a base lacks."""
    members, bases = {}, {}
    for line in KERAS_MEMBERS.read_text(encoding="utf-8").splitlines():
        full_names, base_names, *words = line.split(" ")
        for name in full_names.split(","):
            members[name] = frozenset(words)
            bases[name] = [] if base_names == "-" else base_names.split(",")
    lacking = {}
    for name in members:
        found, value = _value_of(name)
        if found == name and inspect.isclass(value):
            whole = frozenset().union(*(members[one] for one in (name, *bases[name])))
            lacking[name] = frozenset(word for word in whole if not hasattr(value, word)) - _assigned_members(value)
    return {
        name: words - frozenset().union(*(lacking.get(base, frozenset()) for base in bases[name]))
        for name, words in lacking.items()
    }


@functools.cache
def _assigned_members(kind: type) -> frozenset[str]:
    """The attributes that the methods of a class of the package and of its bases name with ``self``."""
    sources = [inspect.getsource(one) for one in kind.__mro__ if one.__module__.startswith("fastgrad.")]
    return frozenset(re.findall(r'self\.(?:__dict__\[")?(\w+)', "".join(sources)))


def _add_names(
    module: ModuleType, space: str, names: dict[str, set[str]], classes: dict[type, set[str]], visited: list[ModuleType]
) -> None:
    """Adds the public names of a module and of the modules in it to ``names``, and its classes with their names to ``classes``."""
    public = {name for name in dir(module) if not name.startswith("_") and name not in ("annotations", "python", "src")}
    names.setdefault(space, set()).update(public)
    for name in sorted(public):
        value = getattr(module, name)
        if isinstance(value, ModuleType):
            home = getattr(value, "__name__", "")
            is_api = home.startswith(("tensorflow._api.", "tensorflow.experimental", "keras."))
            if is_api and not any(value is other for other in visited):
                _add_names(value, f"{space}.{name}", names, classes, [*visited, value])
        elif isinstance(value, type) and value.__module__.startswith(("tensorflow", "keras")):
            classes.setdefault(value, {value.__name__}).add(name)


def rows_of(namespaces: list[str]) -> list[Row]:
    """The public names of some namespaces of TensorFlow and Keras, compared with the package."""
    from fastgrad._src.core.peer_names import peer_names

    current = peer_names()[0]
    rows = []
    for namespace in namespaces:
        homes = declared_in(namespace)
        rows += [
            _row(namespace, name, homes) for name in sorted(current[namespace], key=lambda name: (name.lower(), name))
        ]
    return rows


def _row(namespace: str, name: str, homes: dict[str, str]) -> Row:
    from fastgrad._src.core.peer_names import DIFFERING, nearest_alternative

    full_name = f"{namespace}.{name}"
    found, value = _value_of(full_name)
    reason = next((reason for patterns, reason in WITHOUT_MEANING.items() if _fits(full_name, patterns)), "")
    if found == full_name:
        difference = DIFFERING.get(full_name)
        status = "differs" if difference else "supported"
        text = difference or _file_of(value, homes.get(name) or homes[""])
        lacking = sorted(missing_members().get(full_name, ()))
        without = f"; without {', '.join(f'`{word}`' for word in lacking)}" if lacking else ""
        return Row(full_name, status, text.removesuffix("." if lacking else "") + without, True)
    first_missing = ".".join(full_name.split(".")[: found.count(".") + 2])
    hint = nearest_alternative(full_name) or nearest_alternative(first_missing)
    if hint and hint.startswith("nothing: "):  # why there is nothing says more than the reason
        text = hint.removeprefix("nothing: ")
    else:
        hint = f"nearest: {hint}" if reason and hint else hint
        text = "; ".join(part for part in (reason, hint) if part)
    return Row(full_name, "refused" if text else "missing", text, not reason)


def _fits(name: str, patterns: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns.split(" "))


def _value_of(full_name: str) -> tuple[str, Any]:
    """How much of a dotted name is there, and the object of this part."""
    import fastgrad

    value: Any = fastgrad
    parts = full_name.split(".")
    for i, part in enumerate(parts[1:], 1):
        try:
            value = getattr(value, part)
        except AttributeError:
            return ".".join(parts[:i]), value
    return full_name, value


def _file_of(value: object, home: str) -> str:
    """The file of a module, function or class; of another object ``home``, the file from which its namespace imports it."""
    module = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    has_file = isinstance(value, ModuleType | type) or inspect.isroutine(value)
    return f"`{_file(module) if has_file and str(module).startswith('fastgrad.') else home}`"


def namespaces_of(page: Path) -> list[str]:
    """The namespaces whose names a page lists one by one."""
    from fastgrad._src.core.peer_names import peer_names

    spaces = [space for space in peer_names()[0] if space != "tf.raw_ops"]
    if page == KERAS_PAGE:
        return [space for space in spaces if space.startswith("tf.keras") and _value_of(space)[0] == space]
    return [space for space in spaces if not space.startswith("tf.keras")]


def declared_in(namespace: str) -> dict[str, str]:
    """For the names that a namespace's file imports or declares: the file or folder under src/fastgrad/_src; for "" the namespace's file."""
    module = _value_of(namespace)[1]
    while not isinstance(module, ModuleType):
        namespace = namespace.rpartition(".")[0]
        module = _value_of(namespace)[1]
    homes = {"": _file(module.__name__)}
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                homes[alias.asname or alias.name] = _file(node.module)
        elif isinstance(node, ast.Assign):
            for target in [name for one in node.targets for name in getattr(one, "elts", [one])]:
                if isinstance(target, ast.Name):
                    homes[target.id] = _file(module.__name__)
    return homes


def _file(module: str) -> str:
    path = module.removeprefix("fastgrad").removeprefix(".").removeprefix("_src.").replace(".", "/")
    return path + ("/" if any((folder / path).is_dir() for folder in FOLDERS) else ".py")


def _counts(rows: list[Row]) -> str:
    by_status = {
        status: sum(row.status == status for row in rows) for status in ("supported", "differs", "refused", "missing")
    }
    without = sum(not row.has_meaning for row in rows)
    numbers = ", ".join(f"{status} {number}" for status, number in by_status.items())
    return f"{len(rows)} names: {numbers}. {without} mean nothing on one CPU.\n\n"


def files_by_name() -> dict[str, int]:
    """How many files of public programs use a name, for each name of `USE`."""
    lines = (line.split() for line in USE.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return {name: int(files) for name, files in lines}


def share_by_use(files: dict[str, int], is_there: dict[str, bool]) -> float:
    """The percentage of uses whose name is there.

    Args:
        files: the number of files that use each name.
        is_there: for each name whether the package has it. Other names do not count.
    """
    uses = {name: number for name, number in files.items() if name in is_there}
    return 100 * sum(number for name, number in uses.items() if is_there[name]) / sum(uses.values())


def weighted_by_use() -> str:
    """The share of names of TensorFlow, Keras and TensorFlow 1 weighted by use, that of each namespace, and the most used names that are missing."""
    from fastgrad._src.core.peer_names import peer_names

    rows = [row for page in (PAGE, KERAS_PAGE) for row in rows_of(namespaces_of(page)) if row.has_meaning]
    unlisted = [f"tf.raw_ops.{name}" for name in peer_names()[0]["tf.raw_ops"]] + _names_of_version_1()
    is_there = {row.name: row.status in ("supported", "differs") for row in rows}
    is_there |= {name: _value_of(name)[0] == name for name in unlisted}
    files = {name: number for name, number in files_by_name().items() if name in is_there}
    spaces: dict[str, dict[str, int]] = {}
    for name, number in files.items():
        spaces.setdefault(_namespace_in_table(name), {})[name] = number
    lines = [
        f"| `{space}` | {len(uses)} | {sum(uses.values())} | {share_by_use(uses, is_there):.1f} % |\n"
        for space, uses in sorted(spaces.items(), key=lambda item: -sum(item[1].values()))
    ]
    missing = sorted((name for name in files if not is_there[name]), key=lambda name: (-files[name], name))
    return (
        f"Weighted by use, {share_by_use(files, is_there):.1f} % are there: a name counts as often as files of public programs use it. "
        "The programs are those of the repositories in `tools/public_programs.txt`.\n\n"
        "| names of | used names | uses | there |\n| --- | --- | --- | --- |\n" + "".join(lines) + "\n"
        "The most used names that are missing, with their files: "
        + ", ".join(f"`{name}` {files[name]}" for name in missing[:20])
        + ".\n\n"
    )


def _namespace_in_table(name: str) -> str:
    """The namespace of a name, no deeper than ``tf.keras.layers`` or ``tf.compat.v1``."""
    parts = name.split(".")[:-1]
    return ".".join(parts[:3] if parts[1:2] in (["keras"], ["compat"]) else parts[:2])


def _names_of_version_1() -> list[str]:
    """The names of TensorFlow 1 in ``tf.compat.v1`` that TensorFlow 2 does not have under the same name."""
    from fastgrad._src.core.peer_names import peer_names

    former = peer_names()[1]
    names = (f"tf.compat.v1{space.removeprefix('tf')}.{name}" for space, names in former.items() for name in names)
    return sorted(name for name in names if ".contrib" not in name)


def _list_of_missing(title: str, names: list[str]) -> str:
    missing = [name for name in names if _value_of(name)[0] != name]
    words = ", ".join(
        f"`{name.rpartition('.')[2] if title == 'tf.raw_ops' else name.removeprefix(title + '.')}`" for name in missing
    )
    return f"\n## {title}\n\n{len(names)} names, of which {len(names) - len(missing)} are there. Missing: {words}.\n"


def written(page: Path) -> str:
    """What the tool writes into a page, after its introduction."""
    from fastgrad._src.core.peer_names import peer_names

    rows = rows_of(namespaces_of(page))
    text = (
        _counts(rows)
        + (weighted_by_use() if page == PAGE else "")
        + _HEAD
        + "".join(f"| `{row.name}` | {row.status} | {row.text} |\n".replace("|  |", "| |") for row in rows)
    )
    if page == PAGE:
        current = peer_names()[0]
        text += _list_of_missing("tf.raw_ops", sorted(f"tf.raw_ops.{name}" for name in current["tf.raw_ops"]))
        text += _list_of_missing("tf.compat.v1", _names_of_version_1())
    return text


def rewritten(page: Path) -> str:
    """The text of a page as it should be now."""
    introduction = page.read_text(encoding="utf-8").partition(START)[0]
    return introduction + START + "\n" + written(page)


def main(arguments: list[str]) -> int:
    """Returns the exit status."""
    if "--peers" in arguments:
        PEERS.write_bytes(gzip.compress("\n".join(peer_lines()).encode(), mtime=0))
        KERAS_MEMBERS.write_text("\n".join(keras_member_lines()) + "\n", encoding="utf-8")
        return 0
    changed = [page for page in (PAGE, KERAS_PAGE) if rewritten(page) != page.read_text(encoding="utf-8")]
    if "--check" in arguments:
        for page in changed:
            print(f"{page.name}: not what tools/names_table.py writes; run it", file=sys.stderr)
        return 1 if changed else 0
    for page in changed:
        page.write_text(rewritten(page), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
