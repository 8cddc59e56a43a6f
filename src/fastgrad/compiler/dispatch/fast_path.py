"""The entry of a recorded function: straight-line Python for calls with the same layout as the last one.

It compares the arguments with the last call's, and the captured names with their recorded values; passes the arrays to the
program, and builds the result. If anything differs it returns ``CALL_CHANGED``, and the call takes the slow path.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable
from inspect import Parameter
from typing import Any

import numpy as np

from fastgrad.compiler.dispatch import locking
from fastgrad.compiler.dispatch.captures import CALL_CHANGED, Captures, has_changed
from fastgrad.compiler.dispatch.identity import weak_or_strong_reference
from fastgrad.compiler.dispatch.results import ARGUMENT, COMPUTED, CONSTANT, SAME
from fastgrad.compiler.dispatch.signature import COMPOSITE_TENSOR_TYPES, Call
from fastgrad.compiler.dispatch.traces import CompiledTree
from fastgrad.compiler.graph.interpret import GuardError
from fastgrad.compiler.programs.program import UnreadableLayout
from fastgrad.core import nest
from fastgrad.core.composite import Composite
from fastgrad.core.placement import placement
from fastgrad.core.recording import recorders
from fastgrad.core.tensor import Tensor
from fastgrad.core.variable import memory_sharing, writer_lock
from fastgrad.kernels.codegen.generated_source import temporary_function_from_source
from fastgrad.kernels.codegen.locks import release_if_held

_next_entry_number = itertools.count()
_MOST_ARGUMENT_LEAVES = 1000


def keyword_variables(kwargs: Iterable[str]) -> dict[str, str]:
    """Returns the variable in generated code of each keyword argument: numbered, as a user's name may be any string."""
    return {key: f"b{number}" for number, key in enumerate(kwargs)}


class _NoEntry(Exception):
    """Raised if straight-line code can't check a call's arguments or build its result."""


class _EntryWriter:
    """Writes the Python source of an entry."""

    def __init__(self, call: Call, captures: Captures, tree: CompiledTree, instance: Callable[[], Any] | None) -> None:
        self.scope: dict[str, Any] = dict(captures.scope)
        self.scope |= {
            "CALL_CHANGED": CALL_CHANGED,
            "differs": has_changed,
            "Tensor": Tensor,
            "ndarray": np.ndarray,
            "array": np.array,
        }
        program = tree.program
        self.is_single = tree.single is not None
        self.scope["run"] = tree.single or program.replay
        self.scope["sharing"], self.scope["shared"] = memory_sharing, tree.shared
        self.scope |= {"release": program.release, "Unfit": UnreadableLayout}
        # The driver checks the shape, dtype and layout of every array argument.
        self._looked_at = {number for number, _ in program.plan.arguments} if self.is_single else set()
        self.releases = self.is_single and bool(program.plan.written)
        self.scope |= {
            "recorders": recorders,
            "gate": locking.fast_path_block_count,
            "writer_lock": writer_lock,
            "release_if_held": release_if_held,
        }
        self.scope["GuardError"] = GuardError
        self.lines: list[str] = []
        self.arrays: list[str] = []
        self._leaf_names: list[str] = []
        self.objects: list[str] = []
        self._leaf = 0
        self._tensors: dict[int, str] = {}
        self._call = call
        if instance is not None:
            self.scope["instance"] = instance
            self.objects.append("instance()")

    # ---- arguments -----------------------------------------------------------------------------------------

    def write_argument_checks(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], arguments: dict[str, Any], kinds: dict[str, Any]
    ) -> None:
        """Writes the comparisons of all arguments of a call with those of the last call."""
        position = 0
        named = keyword_variables(kwargs)
        for name, value in arguments.items():
            if kinds[name] is Parameter.VAR_POSITIONAL:
                for item in value:
                    self.write_argument_check(item, f"a{position}")
                    position += 1
            elif kinds[name] is Parameter.VAR_KEYWORD:
                for key in sorted(value):
                    self.write_argument_check(value[key], named[key])
            elif kinds[name] is not Parameter.KEYWORD_ONLY and position < len(args):
                self.write_argument_check(args[position], f"a{position}")
                position += 1
            elif name in kwargs:
                self.write_argument_check(kwargs[name], named[name])
            else:
                self._add_default_leaves(value)
        self._write_distinctness_check()

    def _write_distinctness_check(self) -> None:
        """Writes the check that tensors that were distinct objects in the last call are distinct again."""
        alike: dict[Any, list[str]] = {}
        for number, name in self._tensors.items():
            alike.setdefault(self._call.leaves[number], []).append(name)
        for names in alike.values():
            if len(names) <= 3:
                pairs = [f"if {a} is {b}: return CALL_CHANGED" for i, a in enumerate(names) for b in names[:i]]
                self.lines += pairs
            else:
                self.lines.append(
                    f"if len({{{', '.join(f'id({name})' for name in names)}}}) != {len(names)}: return CALL_CHANGED"
                )

    def _add_default_leaves(self, value: Any) -> None:
        for item in nest.flatten(value):
            leaf = self._call.leaves[self._leaf] if self._leaf < len(self._call.leaves) else ("tensor",)
            if leaf[0] in ("tensor", "same as", "float"):
                raise _NoEntry
            if leaf[0] == "object":
                self.scope[f"default{self._leaf}"] = weak_or_strong_reference(item)
                self.objects.append(f"default{self._leaf}()")
            self._leaf += 1

    def write_argument_check(self, value: Any, name: str) -> None:
        """Writes the comparison of an argument with ``value``, its value in the last call."""
        kind = type(value)
        if kind is not Tensor and nest.is_nested(value):
            self._write_structure_check(value, kind, name)
            return
        if isinstance(value, COMPOSITE_TENSOR_TYPES):
            self._write_composite_check(value, kind, name)
            return
        if self._leaf > _MOST_ARGUMENT_LEAVES:
            raise _NoEntry
        leaf = self._call.leaves[self._leaf]
        self._leaf += 1
        match leaf[0]:
            case "tensor":
                self._write_array_check(value, kind, name, leaf)
            case "same as":
                self.lines.append(f"if {name} is not {self._tensors[leaf[1]]}: return CALL_CHANGED")
            case "float":
                array = f"x{len(self.arrays)}"
                self.lines += [f"if type({name}) is not float: return CALL_CHANGED", f"{array} = array({name})"]
                self.arrays.append(array)
                self._leaf_names.append(name)
            case "object":
                self.scope[f"w{name}"] = weak_or_strong_reference(value)
                self.lines.append(f"if {name} is not w{name}(): return CALL_CHANGED")
                self.objects.append(name)
            case _ if kind in (bool, int, float, complex, str, bytes, type(None)):
                self.scope[f"k{name}"] = value
                self.lines.append(f"if {name} is not k{name} and differs({name}, k{name}): return CALL_CHANGED")
            case _:
                self.scope[f"k{name}"] = value
                self.lines.append(f"if {name} is not k{name}: return CALL_CHANGED")

    def _write_array_check(self, value: Any, kind: type, name: str, leaf: Any) -> None:
        number = len(self.arrays)
        dtype = self.scope[f"d{number}"] = leaf[2]
        if kind is Tensor:
            self.lines.append(f"if type({name}) is not Tensor or {name}._owner is not None: return CALL_CHANGED")
            self.lines.append(f"x{number} = {name}._array")
            if len(leaf) > 3:
                self.scope[f"at{number}"] = leaf[3]
                self.lines.append(
                    f"if type(x{number}) is ndarray or x{number}.device is not at{number}: return CALL_CHANGED"
                )
            self._tensors[self._leaf - 1] = name
        elif kind is np.ndarray and value.dtype == dtype and value.dtype.isnative:
            self.lines.append(f"if type({name}) is not ndarray: return CALL_CHANGED")
            self.lines.append(f"x{number} = {name}")
        else:
            raise _NoEntry
        self.arrays.append(f"x{number}")
        self._leaf_names.append(name)
        if number in self._looked_at:
            return
        unlike = "is not" if np.dtype(dtype.char) is dtype else "!="
        flags = "" if not leaf[1] or len(leaf) > 3 else f" or not x{number}.flags.c_contiguous"
        self.lines.append(
            f"if x{number}.shape != {leaf[1]!r} or x{number}.dtype {unlike} d{number}{flags}: return CALL_CHANGED"
        )

    def _write_composite_check(self, value: Any, kind: type, name: str) -> None:
        form, tensors = value._to_components()
        self.scope |= {f"t{name}": kind, f"f{name}": form}
        parts = ", ".join(f"{name}_{number}" for number in range(len(tensors)))
        self.lines.append(f"if type({name}) is not t{name}: return CALL_CHANGED")
        self.lines.append(f"{name}_form, {name}_parts = {name}._to_components()")
        self.lines.append(f"if {name}_form != f{name}: return CALL_CHANGED")
        self.lines.append(f"{parts}, = {name}_parts")
        for number, tensor in enumerate(tensors):
            self.write_argument_check(tensor, f"{name}_{number}")

    def _named(self, prefix: str, value: Any) -> str:
        """Returns a new name in the generated code for a value."""
        name = f"{prefix}{len(self.scope)}"
        self.scope[name] = value
        return name

    def _write_structure_check(self, value: Any, kind: type, name: str) -> None:
        self.scope[f"t{name}"] = kind
        self.lines.append(f"if type({name}) is not t{name} or len({name}) != {len(value)}: return CALL_CHANGED")
        if kind is dict:
            for number, key in enumerate(sorted(value)):
                self.lines.append(f"{name}_{number} = {name}[{self._key_expression(key)}]")
                self.write_argument_check(value[key], f"{name}_{number}")
        elif isinstance(value, (list, tuple)):
            if len(value) > _MOST_ARGUMENT_LEAVES:
                raise _NoEntry
            for number, item in enumerate(value):
                self.lines.append(f"{name}_{number} = {name}[{number}]")
                self.write_argument_check(item, f"{name}_{number}")
        else:
            raise _NoEntry

    # ---- results -------------------------------------------------------------------------------------------

    def return_statements(self, tree: CompiledTree) -> list[str]:
        """Returns the statements that return the result, for each trace of the program."""
        lines: list[str] = []
        for number, trace in enumerate(tree.ways):
            expression = self.result_expression(trace.results.plan)
            statements = [f"r{i} = Tensor(outputs[{i}])" for i in range(trace.results.count)]
            if expression == "r0":
                statements, expression = [], "Tensor(outputs[0])"
            statements.append(f"return {expression}")
            if len(tree.ways) > 1:
                statements = [f"if way == {number}:", *[f"    {line}" for line in statements]]
            lines += statements
        return lines

    def result_expression(self, plan: Any) -> str:
        """Returns an expression of a call's result, from the program's output tensors ``r0``, ``r1`` and so on."""
        kind = plan[0]
        if kind is COMPUTED:
            return f"r{plan[1]}"
        if kind is ARGUMENT:
            name = self._leaf_names[plan[1]]
            if not any(name == tensor for tensor in self._tensors.values()):
                raise _NoEntry
            return name
        if kind is SAME:
            return "None" if plan[1] is None else self._named("same", plan[1])
        if kind is CONSTANT and plan[1]() is None:
            return self._named("same", Tensor(plan[2]))
        if kind is Composite:
            parts_text = ", ".join(self.result_expression(part) for part in plan[1])
            return f"{self._named('made', plan[2]._from_components)}({self._named('form', plan[3])}, [{parts_text}])"
        if kind is list:
            parts = iter([self.result_expression(part) for part in plan[2]])
            return self._structure_expression(plan[1], parts)
        raise _NoEntry

    def _structure_expression(self, value: Any, parts: Any) -> str:
        kind = type(value)
        if not nest.is_nested(value):
            return str(next(parts))
        if kind is dict:
            texts = {key: self._structure_expression(value[key], parts) for key in sorted(value)}
            return "{" + ", ".join(f"{self._key_expression(key)}: {texts[key]}" for key in value) + "}"
        if kind is tuple or kind is list or hasattr(value, "_fields"):
            items = "".join(self._structure_expression(item, parts) + ", " for item in value)
            if kind is list:
                return f"[{items}]"
            if kind is tuple:
                return f"({items})"
            return f"{self._named('named', kind)}({items})"
        raise _NoEntry

    def _key_expression(self, key: Any) -> str:
        """Returns the expression of a key of a dict: a literal for plain strings and numbers, else a name."""
        return repr(key) if type(key) in (str, int, bool) else self._named("key", key)


def make_entry(
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    arguments: dict[str, Any],
    kinds: dict[str, Any],
    call: Call,
    captures: Captures,
    tree: CompiledTree,
    instance: Callable[[], Any] | None = None,
) -> Any:
    """Returns generated code ``(args, kwargs)`` that replays calls of this form, or returns ``CALL_CHANGED``; None if there is none.

    Args:
        args, kwargs: the call, unchanged.
        arguments: the same by the names of the parameters, in their order.
        kinds: for each of these names the parameter's kind (see ``inspect.Parameter``).
        call: the call, split into key and arrays.
        captures: the names that must be unchanged.
        tree: the program to replay.
        instance: returns the object whose method it is.
    """
    writer = _EntryWriter(call, captures, tree, instance)
    try:
        writer.write_argument_checks(args, kwargs, arguments, kinds)
        returns = writer.return_statements(tree)
    except (_NoEntry, TypeError):
        return None
    names = "".join(f"a{i}, " for i in range(len(args)))
    opening = [f"({names}) = args" if args else "if args: return CALL_CHANGED"]
    if kwargs:
        opening += [f"if len(kwargs) != {len(kwargs)}: return CALL_CHANGED"]
        opening += [f"{name} = kwargs[{key!r}]" for key, name in keyword_variables(kwargs).items()]
    else:
        opening.append("if kwargs: return CALL_CHANGED")
    arrays = "".join(f"{name}, " for name in writer.arrays)
    run = [f"way, outputs = run({arrays if writer.is_single else f'({arrays})'})"]
    inlined = tree.program.inlined if writer.is_single else None
    if inlined is not None:
        run, results, scope = inlined
        run = [re.sub(r"\ba(\d+)\b", r"x\1", line) for line in run]
        returns = [re.sub(r"outputs\[(\d+)\]", lambda match: results[int(match[1])], line) for line in returns]
        writer.scope |= {name: value for name, value in scope.items() if name not in writer.scope}
    if placement.active:
        writer.scope |= {"placement": placement, "chosen": placement.chosen}
        opening.append("if placement.chosen != chosen: return CALL_CHANGED")
    checks = [*opening, *writer.lines, f"o = ({''.join(f'{name}, ' for name in writer.objects)})", *captures.lines]
    if not any("o[" in line for line in captures.lines):
        checks.remove(f"o = ({''.join(f'{name}, ' for name in writer.objects)})")
    source = "\n".join(
        [
            "def entry(args, kwargs):",
            "    if gate[0] or recorders.active: return CALL_CHANGED",
            "    try:",
            *[f"        {line}" for line in checks],
            "    except (AttributeError, KeyError, TypeError, ValueError): return CALL_CHANGED",
            "    lock = writer_lock.lock",
            "    taken = False",
            "    try:",
            "        taken = lock.acquire()",  # half the cost of a with statement
            *(["        if shared[0] != sharing.last: shared[0] = sharing.last; release()"] if writer.releases else []),
            *[f"        {line}" for line in run],
            "    except (GuardError, Unfit): return CALL_CHANGED",
            "    finally:",
            "        if taken: lock.release()",
            "        else: release_if_held(lock)",
            *[f"    {line}" for line in returns],
            "",
        ]
    )
    entry: Any = temporary_function_from_source(
        "entry", source, f"<fastgrad entry {next(_next_entry_number)}>", writer.scope
    )
    entry.source = source
    return entry
