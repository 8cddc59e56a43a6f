"""The entry of a recorded function: straight-line Python for calls with the same layout as the last one.

The entry compares the arguments with those of the last call, and the captured names with their recorded values. Then it passes the
arrays to the program, and builds the result. If anything differs it returns ``CALL_CHANGED``, and the call takes the slow path.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from inspect import Parameter
from threading import get_ident
from typing import Any

import numpy as np

from fastgrad._src.compiler.dispatch import locking
from fastgrad._src.compiler.dispatch.captures import Captures
from fastgrad._src.compiler.dispatch.identity import weak_or_strong_reference
from fastgrad._src.compiler.dispatch.results import ARGUMENT, COMPUTED, CONSTANT, SAME
from fastgrad._src.compiler.dispatch.signature import COMPOSITE_TENSOR_TYPES, Call
from fastgrad._src.compiler.dispatch.traces import CompiledTree, Trace
from fastgrad._src.compiler.graph.interpret import GuardError
from fastgrad._src.compiler.programs.cost import native_work_of
from fastgrad._src.compiler.programs.program import UnreadableLayout
from fastgrad._src.compiler.programs.replay_writer import argument_name
from fastgrad._src.core import nest
from fastgrad._src.core.composite import Composite
from fastgrad._src.core.memory_sharing import memory_sharing
from fastgrad._src.core.placement import placement
from fastgrad._src.core.recording import recorders
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.variable import writer_lock
from fastgrad._src.jit.generated_source import temporary_function_from_source
from fastgrad._src.jit.locks import release_if_held

_next_entry_number = itertools.count()
_MOST_ARGUMENT_LEAVES = 1000


def keyword_variables(kwargs: Iterable[str]) -> dict[str, str]:
    """Returns the variable in generated code of each keyword argument: numbered, as a user's name may be any string."""
    return {key: f"b{number}" for number, key in enumerate(kwargs)}


class _NoEntry(Exception):
    """Raised if straight-line code can't check a call's arguments or build its result."""


class _EntryWriter:
    """Writes the Python source of an entry.

    Attributes:
        scope: the values of the names in it.
    """

    def __init__(
        self, call: Call, captures: Captures, compiled: CompiledTree, instance: Callable[[], Any] | None
    ) -> None:
        program = compiled.program
        self._call, self._compiled, self._captures = call, compiled, captures.code
        self._is_single = compiled.single is not None
        self.scope: dict[str, Any] = self._captures.scope | {
            "Tensor": Tensor,
            "ndarray": np.ndarray,
            "array": np.array,
            "run": compiled.single or program.replay,
            "sharing": memory_sharing,
            "ident": get_ident,
            "shared": compiled.shared,
            "release": program.release,
            "Unfit": UnreadableLayout,
            "GuardError": GuardError,
            "recorders": recorders,
            "gate": locking.fast_path_block_count,
            "writer_lock": writer_lock,
            "release_if_held": release_if_held,
        }
        # The driver checks the shape, dtype and layout of every array argument.
        self._checked_by_driver = {number for number, _ in program.plan.arguments} if self._is_single else set()
        self._lines: list[str] = []
        self._leaf_names: list[str] = []  # for each array the expression of its tensor, array or float
        self._objects: list[str] = []
        self._leaf = 0
        self._tensors: dict[int, str] = {}
        if instance is not None:
            self.scope["instance"] = instance
            self._objects.append("instance()")

    def source(self, kinds: dict[str, Any]) -> str:
        """Returns the source of the entry; ``kinds`` as for ``make_entry``.

        Raises:
            _NoEntry: straight-line code can't check the arguments or build the result.
        """
        args, kwargs = self._call.args, self._call.kwargs
        names = "".join(f"a{i}, " for i in range(len(args)))
        self._lines.append(f"({names}) = args" if args else "if args: return CALL_CHANGED")
        self._write_slow_path_if(f"len(kwargs) != {len(kwargs)}" if kwargs else "kwargs")
        self._lines += [f"{name} = kwargs[{key!r}]" for key, name in keyword_variables(kwargs).items()]
        if placement.active:
            self.scope |= {"placement": placement, "chosen": placement.selected}
            self._write_slow_path_if("placement.selected != chosen")
        self._write_argument_checks(kinds)
        if self._captures.reads_objects:
            self._lines.append(f"o = ({''.join(f'{name}, ' for name in self._objects)})")
        self._lines += self._captures.lines
        run, returns = self._run_and_return_lines()
        plan = self._compiled.program.plan
        releases = self._is_single and plan.written
        body = [
            "if gate[0] or recorders.active: return CALL_CHANGED",
            "try:",
            *_indented(self._lines),
            "except (AttributeError, KeyError, TypeError, ValueError): return CALL_CHANGED",
            "lock = writer_lock.lock",
            "taken = False",
            "try:",
            "    taken = lock.acquire()",  # half the cost of a with statement
            *(
                ["    if sharing.only_user != ident(): sharing.has_single_thread()"]
                if releases and native_work_of(plan).releases_gil
                else []
            ),
            *(["    if shared[0] != sharing.last: shared[0] = sharing.last; release()"] if releases else []),
            *_indented(run),
            "except (GuardError, Unfit): return CALL_CHANGED",
            "finally:",
            "    if taken: lock.release()",
            "    else: release_if_held(lock)",
            *returns,
        ]
        return "\n".join(["def entry(args, kwargs):", *_indented(body), ""])

    def _write_slow_path_if(self, condition: str) -> None:
        """Writes that the call takes the slow path if a condition is true."""
        self._lines.append(f"if {condition}: return CALL_CHANGED")

    # ---- arguments -----------------------------------------------------------------------------------------

    def _write_argument_checks(self, kinds: dict[str, Any]) -> None:
        """Writes the comparisons of all arguments of a call with those of the last call."""
        position = 0
        args, kwargs = self._call.args, self._call.kwargs
        named = keyword_variables(kwargs)
        for name, value in self._call.arguments.items():
            if kinds[name] is Parameter.VAR_POSITIONAL:
                for item in value:
                    self._write_argument_check(item, f"a{position}")
                    position += 1
            elif kinds[name] is Parameter.VAR_KEYWORD:
                for key in sorted(value):
                    self._write_argument_check(value[key], named[key])
            elif kinds[name] is not Parameter.KEYWORD_ONLY and position < len(args):
                self._write_argument_check(args[position], f"a{position}")
                position += 1
            elif name in kwargs:
                self._write_argument_check(kwargs[name], named[name])
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
                for a, b in itertools.combinations(names, 2):
                    self._write_slow_path_if(f"{a} is {b}")
            else:
                self._write_slow_path_if(f"len({{{', '.join(f'id({name})' for name in names)}}}) != {len(names)}")

    def _add_default_leaves(self, value: Any) -> None:
        for item in nest.flatten(value):
            leaf = self._call.leaves[self._leaf] if self._leaf < len(self._call.leaves) else ("tensor",)
            if leaf[0] in ("tensor", "same as", "float"):
                raise _NoEntry
            if leaf[0] == "object":
                self.scope[f"default{self._leaf}"] = weak_or_strong_reference(item)
                self._objects.append(f"default{self._leaf}()")
            self._leaf += 1

    def _write_argument_check(self, value: Any, name: str) -> None:
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
                self._write_slow_path_if(f"{name} is not {self._tensors[leaf[1]]}")
            case "float":
                self._write_slow_path_if(f"type({name}) is not float")
                self._lines.append(f"{argument_name(len(self._leaf_names))} = array({name})")
                self._leaf_names.append(name)
            case "object":
                self.scope[f"w{name}"] = weak_or_strong_reference(value)
                self._write_slow_path_if(f"{name} is not w{name}()")
                self._objects.append(name)
            case _ if kind in (bool, int, float, complex, str, bytes, type(None)):
                self.scope[f"k{name}"] = value
                self._write_slow_path_if(f"{name} is not k{name} and differs({name}, k{name})")
            case _:
                self.scope[f"k{name}"] = value
                self._write_slow_path_if(f"{name} is not k{name}")

    def _write_array_check(self, value: Any, kind: type, name: str, leaf: Any) -> None:
        number = len(self._leaf_names)
        array = argument_name(number)
        dtype = self.scope[f"d{number}"] = leaf[2]
        if kind is Tensor:
            self._write_slow_path_if(f"type({name}) is not Tensor or {name}._owner is not None")
            self._lines.append(f"{array} = {name}._array")
            if len(leaf) > 3:
                self.scope[f"at{number}"] = leaf[3]
                self._write_slow_path_if(f"type({array}) is ndarray or {array}.device is not at{number}")
            self._tensors[self._leaf - 1] = name
        elif kind is np.ndarray and value.dtype == dtype and value.dtype.isnative:
            self._write_slow_path_if(f"type({name}) is not ndarray")
            self._lines.append(f"{array} = {name}")
        else:
            raise _NoEntry
        self._leaf_names.append(name)
        if number in self._checked_by_driver:
            return
        unlike = "is not" if np.dtype(dtype.char) is dtype else "!="
        flags = "" if not leaf[1] or len(leaf) > 3 else f" or not {array}.flags.c_contiguous"
        self._write_slow_path_if(f"{array}.shape != {leaf[1]!r} or {array}.dtype {unlike} d{number}{flags}")

    def _write_composite_check(self, value: Any, kind: type, name: str) -> None:
        form, tensors = value._to_components()
        self.scope |= {f"t{name}": kind, f"f{name}": form}
        parts = ", ".join(f"{name}_{number}" for number in range(len(tensors)))
        self._write_slow_path_if(f"type({name}) is not t{name}")
        self._lines.append(f"{name}_form, {name}_parts = {name}._to_components()")
        self._write_slow_path_if(f"{name}_form != f{name}")
        if tensors:
            self._lines.append(f"{parts}, = {name}_parts")
        for number, tensor in enumerate(tensors):
            self._write_argument_check(tensor, f"{name}_{number}")

    def _name_of_value(self, prefix: str, value: Any) -> str:
        """Returns a new name in the generated code for a value."""
        name = f"{prefix}{len(self.scope)}"
        self.scope[name] = value
        return name

    def _write_structure_check(self, value: Any, kind: type, name: str) -> None:
        self.scope[f"t{name}"] = kind
        self._write_slow_path_if(f"type({name}) is not t{name} or len({name}) != {len(value)}")
        if kind is dict:
            for number, key in enumerate(sorted(value)):
                self._lines.append(f"{name}_{number} = {name}[{self._key_expression(key)}]")
                self._write_argument_check(value[key], f"{name}_{number}")
        elif isinstance(value, (list, tuple)):
            if len(value) > _MOST_ARGUMENT_LEAVES:
                raise _NoEntry
            for number, item in enumerate(value):
                self._lines.append(f"{name}_{number} = {name}[{number}]")
                self._write_argument_check(item, f"{name}_{number}")
        else:
            raise _NoEntry

    # ---- results -------------------------------------------------------------------------------------------

    def _run_and_return_lines(self) -> tuple[Sequence[str], list[str]]:
        """Returns the statements that run the program, and those that return the result of each trace."""
        traces, program = self._compiled.traces, self._compiled.program
        if self._is_single and program.inlined is not None:
            run, outputs, names = program.inlined
            assert self.scope.keys().isdisjoint(names), "a name has two values"
            self.scope |= names
            return run, self._return_lines(traces[0], outputs)
        arrays = "".join(f"{argument_name(number)}, " for number in range(len(self._leaf_names)))
        run = (f"number, outputs = run({arrays if self._is_single else f'({arrays})'})",)
        lines: list[str] = []
        for number, trace in enumerate(traces):
            returns = self._return_lines(trace, [f"outputs[{i}]" for i in range(trace.results.count)])
            lines += [f"if number == {number}:", *_indented(returns)] if len(traces) > 1 else returns
        return run, lines

    def _return_lines(self, trace: Trace, outputs: Sequence[str]) -> list[str]:
        """Returns the statements that return a trace's result, from the expressions of the program's results."""
        expression = self._result_expression(trace.results.structure)
        if expression == "r0":
            return [f"return Tensor({outputs[0]})"]
        return [*[f"r{number} = Tensor({output})" for number, output in enumerate(outputs)], f"return {expression}"]

    def _result_expression(self, structure: Any) -> str:
        """Returns an expression of a call's result, from the program's output tensors ``r0``, ``r1`` and so on."""
        kind = structure[0]
        if kind is COMPUTED:
            return f"r{structure[1]}"
        if kind is ARGUMENT:
            name = self._leaf_names[structure[1]]
            if not any(name == tensor for tensor in self._tensors.values()):
                raise _NoEntry
            return name
        if kind is SAME:
            return "None" if structure[1] is None else self._name_of_value("same", structure[1])
        if kind is CONSTANT and structure[1]() is None:
            return self._name_of_value("same", Tensor(structure[2]))
        if kind is Composite:
            parts_text = ", ".join(self._result_expression(part) for part in structure[1])
            return f"{self._name_of_value('made', structure[2]._from_components)}({self._name_of_value('form', structure[3])}, [{parts_text}])"
        if kind is list:
            parts = iter([self._result_expression(part) for part in structure[2]])
            return self._structure_expression(structure[1], parts)
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
            return f"{self._name_of_value('named', kind)}({items})"
        raise _NoEntry

    def _key_expression(self, key: Any) -> str:
        """Returns the expression of a key of a dict: a literal for plain strings and numbers, else a name."""
        return repr(key) if type(key) in (str, int, bool) else self._name_of_value("key", key)


def make_entry(
    call: Call,
    parameter_kinds: dict[str, Any],
    captures: Captures,
    compiled: CompiledTree,
    instance: Callable[[], Any] | None = None,
) -> Any:
    """Returns generated code ``(args, kwargs)`` that replays calls of this form, or returns ``CALL_CHANGED``; None if there is none.

    Args:
        call: the call, split into key and arrays.
        parameter_kinds: the kind of each parameter, by name (see ``inspect.Parameter``).
        captures: the names that must be unchanged.
        compiled: the program to replay.
        instance: returns the object whose method it is.
    """
    writer = _EntryWriter(call, captures, compiled, instance)
    try:
        source = writer.source(parameter_kinds)
    except (_NoEntry, TypeError):
        return None
    entry: Any = temporary_function_from_source(
        "entry", source, f"<fastgrad entry {next(_next_entry_number)}>", writer.scope
    )
    entry.source = source
    return entry


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]
