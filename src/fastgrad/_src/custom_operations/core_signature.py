"""Signatures of functions of arrays in the notation of NumPy's generalized ufuncs: ``"(m,k),(k,n)->(m,n)"``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from typing import Any

from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.derivatives.functions.snapshot import python_function
from fastgrad._src.jit.bytecode import first_access

Dims = tuple["str | int", ...]

_DIMS_PATTERN = re.compile(r"\s*\(([^()]*)\)\s*(?:,|$)")


class GufuncSignature:
    """The shapes of a function's inputs and results for one item of a batch.

    Args:
        name: the function's name, for errors.
        text: a signature such as ``"(m,k),(k,n)->(m,n)"``. A dimension is a name or a number.

    Attributes:
        text: as given.
        inputs, results: the dimensions of each input and of each result.
        names: the names of dimensions, in the order of appearance.

    Raises:
        ValueError: the text has another form or no result, or a result has a dimension that no input has.
    """

    def __init__(self, name: str, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f'{name}: a signature is a text as "(m,k),(k,n)->(m,n)", got {text!r}.')
        self.text = text
        self._name = name
        sides = text.split("->")
        if len(sides) != 2:
            raise ValueError(f'{name}: the signature {text!r} should have one "->", between inputs and results.')
        self.inputs, self.results = [self._dims_of_side(side) for side in sides]
        if not self.results or not self.inputs:
            raise ValueError(f"{name}: the signature {text!r} should have an input and a result.")
        self.names = [*dict.fromkeys([dim for dims in self.inputs for dim in dims if isinstance(dim, str)])]
        unknown = [dim for dims in self.results for dim in dims if isinstance(dim, str) and dim not in self.names]
        if unknown:
            raise ValueError(
                f"{name}: {', '.join(unknown)} in the results of {text!r} is the size of no input; "
                "write a number, or pass an input that has this size."
            )

    def _dims_of_side(self, part: str) -> list[Dims]:
        lists: list[Dims] = []
        position = 0
        while part[position:].strip():
            match = _DIMS_PATTERN.match(part, position)
            if match is None:
                raise ValueError(
                    f"{self._name}: can't read {part[position:].strip()!r} in the signature {self.text!r}."
                )
            lists.append(self._parsed_dims(match[1]))
            position = match.end()
        return lists

    def _parsed_dims(self, text: str) -> Dims:
        dims: list[str | int] = []
        for item in text.split(",") if text.strip() else []:
            dim = item.strip()
            if not (dim.isdigit() or (dim.isidentifier() and dim.isascii())):
                raise ValueError(
                    f"{self._name}: the dimension {dim!r} in the signature {self.text!r} is neither a name nor a number."
                )
            dims.append(int(dim) if dim.isdigit() else dim)
        return tuple(dims)

    def check_function(self, function: Any, may_leave_zeros: bool = False) -> None:
        """Raises TypeError for a function that does not fit the signature, or that does not write to a result.

        Args:
            function: the user's function.
            may_leave_zeros: whether the function may ignore results.
        """
        if not self.has_result_parameters(function):
            return
        code = python_function(function).__code__
        for name in code.co_varnames[len(self.inputs) : code.co_argcount]:
            access = first_access(code, name)
            if access == "STORE" or (access is None and not may_leave_zeros):
                fault = (
                    "never uses its" if access is None else f"gives another value to the name of its (`{name} = ...`)"
                )
                raise TypeError(
                    f"{self._name}: the function {fault} result {name}, which would keep its zeros. Write to the elements, as in {name}[...] = ... "
                    f"or {name}[i] = ...; or return the results, with {len(self.inputs)} parameters."
                )

    def has_result_parameters(self, function: Any) -> bool:
        """True if ``function`` writes its results to its last parameters; False if it returns them.

        Raises:
            TypeError: the function takes another number of arguments.
        """
        names = [*inspect.signature(python_function(function)).parameters]
        count, results = len(self.inputs), len(self.results)
        if len(names) not in {count, count + results}:
            raise TypeError(
                f"{self._name}({', '.join(names)}) takes {len(names)} arguments; {self.text!r} needs {count}, for a function that "
                f"returns its results, or {count + results}, for one that writes to them."
            )
        return len(names) > count

    def sizes(self, shapes: Sequence[tuple[int, ...]]) -> dict[str, int]:
        """Returns the size of each named dimension for input ``shapes``, which may have leading batch dimensions.

        Raises:
            InvalidArgumentError: the shapes do not fit the signature.
        """
        sizes: dict[str, int] = {}
        for input_number, (shape, dims) in enumerate(zip(shapes, self.inputs, strict=True)):
            if len(shape) < len(dims):
                raise self._misfit_error(
                    shapes, f"input {input_number} has {len(shape)} dimensions, and {len(dims)} are needed"
                )
            for dim, size in zip(dims, shape[len(shape) - len(dims) :], strict=True):
                expected_size = dim if isinstance(dim, int) else sizes.setdefault(dim, size)
                if size != expected_size:
                    raise self._misfit_error(shapes, f"dimension {dim} is {expected_size} and {size}")
        return sizes

    def _misfit_error(self, shapes: Sequence[tuple[int, ...]], reason: str) -> InvalidArgumentError:
        shapes_text = ", ".join([str(list(shape)) for shape in shapes])
        return InvalidArgumentError(f"{self._name}: got shapes {shapes_text} for the signature {self.text}: {reason}.")
