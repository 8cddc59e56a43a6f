"""The parameters of a kernel, read from its signature text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

ARRAY_KINDS = ("in", "out", "inout")
LIST_KINDS = ("ins", "inouts")
SCALAR_KINDS = ("int", "float")
OBJECT_KINDS = ("objects",)
DERIVED_KINDS = ("count", "sizes")

SHARE_PARAMETERS = ("first", "last")
"""The int parameters of kernels whose work can be shared: a call does the part [first, last) of the work."""

_PARAMETER_PATTERN = re.compile(r"(\w+)\s*:\s*(\w+)(?:\[\s*(\w+)\s*\])?\Z")


class Parameter(NamedTuple):
    """One parameter of a kernel: its name, kind and dtype.

    The `kind` is one of: `in`, `out`, `inout` (an array, given to the body as a pointer to its elements); `ins`,
    `inouts` (a tuple or list of arrays, given as a pointer to pointers); `int` (int64), `float` (float64); `objects` (a
    tuple); `count` and `sizes`, which a caller doesn't pass: the number of arrays in each list, and the number of
    elements of each array. `element` is a type variable or a NumPy dtype's name.
    """

    name: str
    kind: str
    element: str | None

    @property
    def passed(self) -> bool:
        """True if the caller passes a value for the parameter."""
        return self.kind not in DERIVED_KINDS

    @property
    def is_share_bound(self) -> bool:
        """True for `first` and `last`, the bounds of a share of the units, for which launches have no operands."""
        return self.kind == "int" and self.name in SHARE_PARAMETERS

    @property
    def written(self) -> bool:
        """True if the kernel writes to the parameter's memory."""
        return self.kind in ("out", "inout", "inouts")


class _SignatureFields(NamedTuple):
    text: str
    parameters: tuple[Parameter, ...]
    returns_status: bool


class Signature(_SignatureFields):
    """The parameters of a kernel, and whether its body returns an int64 status."""

    @property
    def passed_parameters(self) -> tuple[Parameter, ...]:
        """The parameters that a caller passes, in order."""
        return tuple(p for p in self.parameters if p.passed)

    @cached_property
    def operand_parameters(self) -> tuple[tuple[int, Parameter], ...]:
        """The parameters for which launches have operands, in order, each with its number."""
        return tuple((i, p) for i, p in enumerate(self.parameters) if p.passed and not p.is_share_bound)

    @cached_property
    def word_parameters(self) -> tuple[Parameter, ...]:
        """The parameters that have words in a step: all but `first` and `last`."""
        return tuple(p for p in self.parameters if not p.is_share_bound)

    @cached_property
    def array_parameters(self) -> tuple[Parameter, ...]:
        """The parameters that are arrays or lists of arrays."""
        return tuple(p for p in self.parameters if p.kind in ARRAY_KINDS + LIST_KINDS)

    @cached_property
    def takes_shares(self) -> bool:
        """True if a step of the kernel may be cut into shares."""
        return set(SHARE_PARAMETERS) <= {p.name for p in self.parameters}


class KernelSource(NamedTuple):
    """The source of a native function, and all else that decides what it does.

    Attributes:
        function: the body, over pointers and scalars.
        signature: its parameters.
        variables: the dtype name of each type variable.
        release_gil: whether the body runs without the GIL.
        noalias: whether LLVM may assume that no two arrays overlap, except those of `in_place`.
        in_place: pairs of parameter numbers that are the same array, from the first byte to the last.
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
    """Parses `"x: in[T], out: out[T], rows: int -> int"`.

    Raises:
        ValueError: the text has another form.
    """
    head, arrow, result = text.partition("->")
    if arrow and result.strip() != "int":
        raise ValueError(f"a kernel returns nothing or int, not {result.strip()!r}")
    parameters = []
    for item in head.split(",") if head.strip() else ():
        match = _PARAMETER_PATTERN.match(item.strip())
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


def array_size_words(signature: Signature) -> dict[str, tuple[int, ...]]:
    """Returns the words of a step that give the size of each pointer's memory, for checked builds; see `bounds`.

    They come after the words of all parameters. An array has one word, its number of elements. A list has two: the
    address of its arrays' numbers of elements, and the number of arrays. `sizes` has one: how many sizes there are.
    """
    place = sum(1 for p in signature.parameters if not p.is_share_bound)
    words = {}
    for parameter in signature.parameters:
        count = 2 if parameter.kind in LIST_KINDS else 1 if parameter.kind in (*ARRAY_KINDS, "sizes") else 0
        if count:
            words[parameter.name] = tuple(range(place, place + count))
            place += count
    return words
