"""The parameters of a kernel, read from its signature text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

ARRAY_KINDS = ("in", "out", "inout")
LIST_KINDS = ("ins", "inouts")
SCALAR_KINDS = ("int", "float")
OBJECT_KINDS = ("objects",)
DERIVED_KINDS = ("count", "sizes")

SHARE = ("first", "last")
"""Names of int parameters of kernels whose work can be shared: the part [first, last) of it that a call does."""

_PARAMETER = re.compile(r"(\w+)\s*:\s*(\w+)(?:\[\s*(\w+)\s*\])?\Z")


class Parameter(NamedTuple):
    """One parameter of a kernel.

    `kind` is one of: `in`, `out`, `inout` (an array, given to the body as a pointer to its elements); `ins`,
    `inouts` (a tuple or list of arrays, given as a pointer to pointers); `int` (int64), `float` (float64); `count`
    and `sizes`, which a caller doesn't pass: how many arrays each list has, and how many elements each of those.
    `element` is a type variable or a NumPy dtype's name.
    """

    name: str
    kind: str
    element: str | None

    @property
    def passed(self) -> bool:
        """Whether the caller passes a value for it."""
        return self.kind not in DERIVED_KINDS

    @property
    def written(self) -> bool:
        """Whether the kernel writes to its memory."""
        return self.kind in ("out", "inout", "inouts")


class Signature(NamedTuple):
    """The parameters of a kernel, and whether its body returns an int64 status."""

    text: str
    parameters: tuple[Parameter, ...]
    returns_status: bool

    @property
    def passed(self) -> tuple[Parameter, ...]:
        """The parameters a caller passes, in order."""
        return tuple(p for p in self.parameters if p.passed)

    @property
    def takes_shares(self) -> bool:
        """Whether a step of the kernel may be cut into shares."""
        return set(SHARE) <= {p.name for p in self.parameters}


class KernelSource(NamedTuple):
    """All that decides what a native function does.

    Attributes:
        function: the body, over pointers and scalars.
        signature: its parameters.
        variables: the dtype name of each type variable.
        release_gil: whether the body runs without the GIL.
        noalias: whether LLVM is told that no two arrays overlap, but for those of `in_place`.
        in_place: pairs of the numbers of parameters that are the same array, from its first byte to its last.
    """

    function: Any
    signature: Signature
    variables: Mapping[str, str]
    release_gil: bool = False
    noalias: bool = False
    in_place: tuple[tuple[int, int], ...] = ()

    @property
    def dtypes(self) -> list[np.dtype | None]:
        """The dtype of each parameter that is an array or a list of arrays, None for the others."""
        elements = [p.element and self.variables.get(p.element, p.element) for p in self.signature.parameters]
        return [None if element is None else np.dtype(element) for element in elements]


def parse_signature(text: str) -> Signature:
    """Read `"x: in[T], out: out[T], rows: int -> int"`.

    Raises:
        ValueError: if the text has another form.
    """
    head, arrow, result = text.partition("->")
    if arrow and result.strip() != "int":
        raise ValueError(f"a kernel returns nothing or int, not {result.strip()!r}")
    parameters = []
    for item in head.split(","):
        match = _PARAMETER.match(item.strip())
        if match is None:
            raise ValueError(f"cannot read kernel parameter {item.strip()!r}: write name: kind or name: kind[dtype]")
        name, kind, element = match.groups()
        if kind in ARRAY_KINDS + LIST_KINDS:
            if element is None:
                raise ValueError(f"kernel parameter {name!r}: {kind} needs an element type, as in {kind}[float32]")
        elif kind not in SCALAR_KINDS + DERIVED_KINDS + OBJECT_KINDS or element is not None:
            raise ValueError(f"kernel parameter {name!r}: unknown kind {item.strip()!r}")
        parameters.append(Parameter(name, kind, element))
    if any(not p.passed for p in parameters) and not any(p.kind in LIST_KINDS for p in parameters):
        raise ValueError("count and sizes describe ins and inouts parameters; there are none")
    return Signature(" ".join(text.split()), tuple(parameters), bool(arrow))


def checked_words(signature: Signature) -> dict[str, tuple[int, ...]]:
    """For each pointer the words of a step that say how much it points to, which checked builds read; see `bounds`.

    They come after the words of all parameters: for an array the number of elements; for a list the address of the numbers of
    its arrays' elements, and how many arrays there are; for those sizes how many they are.
    """
    place = sum(1 for p in signature.parameters if p.kind != "int" or p.name not in SHARE)
    words = {}
    for parameter in signature.parameters:
        count = 2 if parameter.kind in LIST_KINDS else 1 if parameter.kind in (*ARRAY_KINDS, "sizes") else 0
        if count:
            words[parameter.name] = tuple(range(place, place + count))
            place += count
    return words
