"""``RecordingReplay``: the recorded operations of a function of elements, as straight-line Python.

Each operation runs as it does eagerly, so the bits are those of eager operations. The lookups of an eager call happen
only once, when the code is written. Functions with the same operations share their text, so it is compiled once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgrad._src.compiler.dispatch.captures import CALL_CHANGED
from fastgrad._src.compiler.dispatch.results import ARGUMENT, COMPUTED
from fastgrad._src.compiler.dispatch.traces import Trace
from fastgrad._src.compiler.graph.graph import Kind, Node
from fastgrad._src.compiler.graph.interpret import GuardError
from fastgrad._src.compiler.recording.host_call import HostCall
from fastgrad._src.core.floating_errors import QUIET, reset_float_errors, set_float_errors
from fastgrad._src.core.placement import device_of, run_on_host
from fastgrad._src.core.recording import call_unrecorded
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.data.element_spec import packer
from fastgrad._src.ops.default_generators import default_states


class RecordingReplay:
    """A replay of a function's recorded operations, one by one, with the bits of eager operations.

    Args:
        trace: the recorded function.
        arrays: the arrays of the arguments' tensors in the recording.

    Attributes:
        may_end_early: whether a guard comes after a change of state.
        repeats: whether the function changes nothing but the states of random generators.
        fast: returns the function's result for a sequence of leaves. It returns ``CALL_CHANGED`` if the leaves are not host tensors with
            the recorded shapes and dtypes. It raises GuardError as a call does.
    """

    def __init__(self, trace: Trace, arrays: Sequence[Any]) -> None:
        graph, self._results = trace.graph, trace.results
        random_states = {id(generator._state) for generator, _ in default_states()}
        assigned = {id(node.payload) for node in graph.nodes if node.kind is Kind.ASSIGN}
        node_kinds = [node.kind for node in graph.nodes]
        self.may_end_early = bool(assigned) and Kind.GUARD in node_kinds[node_kinds.index(Kind.ASSIGN) :]
        self.repeats = assigned <= random_states and not any(isinstance(node.payload, HostCall) for node in graph.nodes)
        scope = dict(_GENERATED_GLOBALS)
        names: dict[int, str] = {}
        lines = []
        for number, node in enumerate(graph.nodes):
            inputs = [names[id(value)] for value in node.inputs]
            outputs = [f"v{number}_{position}" for position in range(len(node.outputs))]
            names.update(zip(map(id, node.outputs), outputs, strict=True))
            match node.kind:
                case Kind.ARGUMENT:
                    names[id(node.outputs[0])] = f"a{node.payload}"
                case Kind.CONSTANT:
                    scope[outputs[0]] = node.payload
                case Kind.READ:
                    scope[f"f{number}"] = _variable_reader(node.payload, id(node.payload) in assigned)
                    lines.append(f"s{number} = f{number}()")  # a snapshot keeps its value while it is alive
                    lines.append(f"{outputs[0]} = s{number} if type(s{number}) is ndarray else s{number}._array")
                case Kind.OPERATION:
                    scope[f"f{number}"] = node.payload.run
                    for position, value in enumerate(node.attributes.values()):
                        scope[f"k{number}_{position}"] = value
                    inputs += [f"{name}=k{number}_{position}" for position, name in enumerate(node.attributes)]
                    lines += _operation_lines(f"f{number}({', '.join(inputs)})", outputs)
                case Kind.ASSIGN:
                    scope[f"f{number}"] = _variable_assigner(node.payload)
                    lines.append(f"f{number}({inputs[0]})")
                case Kind.GUARD:
                    scope[f"f{number}"] = _GuardCheck(node)
                    lines.append(f"f{number}({inputs[0]})")
        result_names = [names[id(value)] for value in graph.results]
        self._generate_functions(lines, result_names, arrays, scope)

    def _generate_functions(
        self, lines: list[str], result_names: list[str], arrays: Sequence[Any], scope: dict[str, Any]
    ) -> None:
        """Generates ``compute``, which runs operations on arrays, and ``fast``, which checks tensors and computes."""
        count = len(arrays)
        parameters = "".join(f"a{number}, " for number in range(count))
        text = [f"def compute({parameters}):", "    token = set_float_errors(QUIET)", "    try:"]
        text += [f"        {line}" for line in [*lines, "pass"]]
        text += [
            "    finally:",
            "        reset_float_errors(token)",
            f"    return ({''.join(f'{name}, ' for name in result_names)})",
        ]
        text += ["def fast(leaves):", f"    if len(leaves) != {count}: return CALL_CHANGED"]
        for number, array in enumerate(arrays):
            scope[f"shape{number}"], scope[f"dtype{number}"] = array.shape, array.dtype
            text += [
                f"    t = leaves[{number}]",
                "    if type(t) is not Tensor: return CALL_CHANGED",
                f"    a{number} = t._array",
            ]
            text.append(
                f"    if type(a{number}) is not ndarray or a{number}.dtype is not dtype{number}: return CALL_CHANGED"
            )
            text.append(f"    if a{number}.shape != shape{number}: return CALL_CHANGED")
        results = [f"r{number}" for number in range(len(result_names))]
        text.append(f"    [{', '.join(results)}] = compute({parameters})")
        structure = self._results.structure
        if structure[0] is list and all(leaf_source[0] in (COMPUTED, ARGUMENT) for leaf_source in structure[2]):
            scope["pack"] = pack = packer(structure[1])
            leaf_texts = "".join(f"{_leaf_expression(*leaf_source)}, " for leaf_source in structure[2])
            text.append(f"    return ({leaf_texts})" if pack is tuple else f"    return pack([{leaf_texts}])")
        elif structure[0] in (COMPUTED, ARGUMENT):
            text.append(f"    return {_leaf_expression(*structure)}")
        else:
            scope["packed"] = self._results.build
            text.append(f"    return packed([{', '.join(results)}], leaves)")
        body = [f"    {line}" for line in text]
        exec(_compile_source("\n".join(["def make():", *body, "    return compute, fast"])), scope)  # noqa: S102  # our own text
        # No function is in its own globals: a reference cycle would keep them after the replay.
        self._compute, self.fast = scope.pop("make")()

    def __call__(self, arrays: list[Any], leaves: Any) -> Any:
        """Returns the function's result, with the arguments on any device.

        Args:
            arrays: the arrays of the arguments' tensors.
            leaves: these tensors.

        Raises:
            GuardError: the values select another path. Nothing has changed then.
        """
        if any(map(device_of, arrays)):
            results = run_on_host(lambda host_arrays: self._compute(*host_arrays), arrays)
        else:
            results = self._compute(*arrays)
        return self._results.build(results, leaves)


def _operation_lines(call: str, outputs: list[str]) -> list[str]:
    """Returns lines of Python that call an operation and assign its results as arrays."""
    if len(outputs) == 1:
        return [
            f"{outputs[0]} = {call}",
            f"if type({outputs[0]}) is not ndarray: {outputs[0]} = as_array({outputs[0]})",
        ]
    return [f"results = {call}", *[f"{name} = asarray(results[{index}])" for index, name in enumerate(outputs)]]


def _result_array(result: Any) -> np.ndarray:
    return np.asarray(result[0] if type(result) is tuple else result)


def _leaf_expression(leaf_kind: int, number: int) -> str:
    return f"Tensor(r{number})" if leaf_kind is COMPUTED else f"leaves[{number}]"


_GENERATED_GLOBALS = {
    "CALL_CHANGED": CALL_CHANGED,
    "QUIET": QUIET,
    "Tensor": Tensor,
    "as_array": _result_array,
    "asarray": np.asarray,
    "reset_float_errors": reset_float_errors,
    "set_float_errors": set_float_errors,
    "ndarray": np.ndarray,
}


@functools.lru_cache(maxsize=256)
def _compile_source(text: str) -> Any:
    return compile(text, "<fastgrad function of elements>", "exec")


def _variable_reader(variable: Variable, is_assigned: bool) -> Callable[[], Any]:
    def read() -> Any:
        return variable._array.copy() if is_assigned else call_unrecorded(variable._read)  # a snapshot costs nothing

    return read


def _variable_assigner(variable: Variable) -> Callable[[np.ndarray], None]:
    def assign(array: np.ndarray) -> None:
        call_unrecorded(variable.assign, array.copy())

    return assign


class _GuardCheck:
    def __init__(self, node: Node) -> None:
        self._node = node
        self._kind, self._wanted = node.payload

    def __call__(self, array: np.ndarray) -> None:
        scalar = array.reshape(())
        outcome = bool(scalar) if self._kind == "bool" else int(scalar)
        if outcome != self._wanted:
            raise GuardError(self._node, outcome)
