"""Recording: a program runs eagerly, with real values, and what happens is written down as a graph."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad import recording
from fastgrad.errors import UnimplementedError
from fastgrad.tensor import Tensor
from fastgrad.trace.graph import Graph, Kind, Node, Value
from fastgrad.variable import Variable


class TraceError(UnimplementedError):
    """A program did something that a replay could not repeat; the message says what, and where."""


class Recording(recording.Recorder):
    """A recorder that writes down a program as a graph; used in a ``with`` statement around one run of it.

    A tensor that a recorded operation reads is one of: an argument, the value of a variable, the result of a recorded
    operation, a constant that was announced as such, or a tensor that was there before the run began. Any
    other was computed from values behind the recorder's back, and can't be replayed.

    Args:
        arguments: the tensors that will be given anew at each replay, in order.
    """

    follows_state = True

    def __init__(self, arguments: Sequence[Tensor]) -> None:
        self._nodes: list[Node] = []
        self._values: dict[int, Value] = {}
        self._kept: list[Any] = []  # so that no id is used twice
        self._made_here: set[int] = set()
        self._draws: dict[tuple[int, tuple[int, int]], Node] = {}
        self._count = 0
        self._unexplained: list[Variable] = []
        self._outer: set[int] | None = None
        self.failure: str | None = None
        for position, tensor in enumerate(arguments):
            self._bind(tensor, self._node(Kind.ARGUMENT, position, outputs=(tensor,)).outputs[0])

    def graph(self, results: Sequence[Tensor]) -> Graph:
        """The program so far, with these tensors as its results.

        Raises:
            TraceError: something happened that can't be replayed.
        """
        values = [self._value(tensor) for tensor in results]
        self._settle()
        if self.failure is not None:
            raise TraceError(self.failure)
        return Graph(self._nodes, values)

    def knows(self, tensor: Tensor) -> bool:
        """Whether the tensor is an argument or was made in the run: others are constants."""
        return id(tensor) in self._values or id(tensor) in self._made_here

    # ---- what is reported --------------------------------------------------------------------------

    def on_operation(
        self, operation: Any, inputs: tuple[Any, ...], outputs: tuple[Any, ...], attributes: dict[str, Any]
    ) -> None:
        """An operation becomes a node."""
        if operation.run is None:
            self._fail(f"{operation.name} is a gradient of the user's own, which is called anew each time")
            return
        values = tuple([self._value(x) for x in inputs])
        attributes = {key: self._draw_of(key, value, attributes) for key, value in attributes.items()}
        node = self._node(Kind.OPERATION, operation, values, outputs, attributes)
        for tensor, value in zip(outputs, node.outputs, strict=True):
            self._bind(tensor, value)

    def on_constant(self, tensor: Tensor) -> None:
        """A constant becomes a node when it is first used."""
        self._made_here.discard(id(tensor))
        self._kept.append(tensor)

    def on_read(self, variable: Variable, tensor: Tensor) -> None:
        """A variable's value becomes a node when it is first read after a change."""
        if id(tensor) not in self._values:
            self._bind(tensor, self._node(Kind.READ, variable, outputs=(tensor,)).outputs[0])

    def on_write(self, variable: Variable) -> None:
        """The change must be explained by ``on_assign`` or ``on_update`` before anything else is recorded."""
        self._unexplained.append(variable)

    def on_assign(self, variable: Variable, tensor: Tensor) -> None:
        """An assignment becomes a node."""
        self._unexplained = [other for other in self._unexplained if other is not variable]
        self._node(Kind.ASSIGN, variable, (self._value(tensor),))

    def on_update(self, update: Any, gradients: tuple[Any, ...], variables: tuple[Any, ...]) -> None:
        """An optimizer's step becomes a node."""
        self._unexplained = []
        self._node(Kind.UPDATE, (update, variables), tuple([self._value(g) for g in gradients]))

    def on_draw(self, generator: Any, count: int, key: int, counter: tuple[int, int]) -> None:
        """A draw becomes a node, to which the operation's attributes will refer."""
        self._draws[key, counter] = self._node(Kind.DRAW, (generator, count))

    def on_value(self, tensor: Tensor, kind: str) -> None:
        """Going on by a value is a guard; taking numbers out of the program is not to be replayed."""
        if id(tensor) not in self._values and id(tensor) not in self._made_here:
            return  # a constant, the same each time
        if kind in {"bool", "int", "index"}:
            found = {"bool": bool, "int": int, "index": int}[kind](tensor._array.reshape(()))
            self._node(Kind.GUARD, (kind, found), (self._value(tensor),))
        else:
            self._fail(f"the program asked a tensor for its value ({kind})")

    # ---- values --------------------------------------------------------------------------------------

    def _node(
        self,
        kind: Kind,
        payload: Any,
        inputs: tuple[Value, ...] = (),
        outputs: Sequence[Tensor] = (),
        attributes: dict[str, Any] | None = None,
    ) -> Node:
        self._settle()
        values = []
        for tensor in outputs:
            values.append(Value(tensor._array.shape, tensor._array.dtype, self._count))
            self._count += 1
        node = Node(kind, payload, inputs, tuple(values), attributes or {})
        self._nodes.append(node)
        return node

    def _settle(self) -> None:
        if self._unexplained and self.failure is None:
            names = ", ".join(variable.name for variable in self._unexplained)
            self._fail(f"the variables {names} were changed in a way that can't be replayed")

    def _bind(self, tensor: Tensor, value: Value) -> None:
        self._values[id(tensor)] = value
        self._made_here.discard(id(tensor))
        self._kept.append(tensor)

    def _value(self, tensor: Tensor) -> Value:
        value = self._values.get(id(tensor))
        if value is None:
            if id(tensor) in self._made_here:
                self._fail("a tensor was made from the values of others in a way that is not recorded")
            node = self._node(Kind.CONSTANT, np.array(tensor._array), outputs=(tensor,))
            value = node.outputs[0]
            self._bind(tensor, value)
        return value

    def _draw_of(self, key: str, value: Any, attributes: dict[str, Any]) -> Any:
        if key not in {"counter", "key"}:
            return value
        return self._draws.get((attributes.get("key"), attributes.get("counter")), value)  # type: ignore[arg-type]

    def _fail(self, what: str) -> None:
        if self.failure is None:
            self.failure = what

    # ---- the run ---------------------------------------------------------------------------------------

    def __enter__(self) -> Recording:
        recording.start(self)
        _births.install()
        self._outer, _births.made_here = _births.made_here, self._made_here
        return self

    def __exit__(self, *exception: Any) -> None:
        _births.made_here = self._outer
        _births.remove()
        recording.stop(self)


class _Births(threading.local):
    """While somebody records, notes each tensor that its thread makes.

    So those made behind the recorder's back are told from those that were there before. ``Tensor`` itself knows
    nothing of it: its ``__init__`` is exchanged for the time of a recording, and a tensor costs nothing otherwise.
    """

    made_here: set[int] | None = None

    def install(self) -> None:
        """Notes births from now on."""
        with _lock:
            _recordings.append(self)
            Tensor.__init__ = _noted  # type: ignore[method-assign]

    def remove(self) -> None:
        """Ends what ``install`` began."""
        with _lock:
            _recordings.pop()
            if not _recordings:
                Tensor.__init__ = _unnoted  # type: ignore[method-assign]


_births = _Births()
_lock = threading.Lock()
_recordings: list[Any] = []
_unnoted = Tensor.__init__


def _noted(self: Tensor, array: np.ndarray) -> None:
    _unnoted(self, array)
    if _births.made_here is not None:
        _births.made_here.add(id(self))
