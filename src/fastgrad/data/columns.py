"""Rows of extension types as arrays, for slicing, shuffling and batching."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from fastgrad.core.composite import Composite
from fastgrad.core.tensor import tensor_of_data
from fastgrad.errors import InvalidArgumentError


class ExtensionColumn:
    """Rows of an object of a ``tf.experimental.BatchableExtensionType``.

    Args:
        arrays: of all tensors, with the same number of rows.
        value_type: the class.
        form, row_form: the static forms of the object and of a row (see ``Composite``).
    """

    def __init__(
        self, arrays: Sequence[np.ndarray], value_type: type[Composite], form: Hashable, row_form: Hashable
    ) -> None:
        self.arrays, self._value_type, self._form, self._row_form = list(arrays), value_type, form, row_form

    @classmethod
    def of(cls, value: Composite) -> ExtensionColumn:
        """Returns the rows of an object; copies its memory, which may be a variable's.

        Raises:
            TypeError: the class can't be batched.
            InvalidArgumentError: a tensor has no rows, or their numbers of rows differ.
        """
        row_form = value._form_of_rows()
        form, tensors = value._to_components()
        arrays = [tensor._on_host().copy() for tensor in tensors]
        if not arrays or len({array.shape[:1] for array in arrays}) > 1 or not arrays[0].ndim:
            raise InvalidArgumentError(
                f"{type(value).__name__}: the tensors need one number of rows, got shapes {[array.shape for array in arrays]}."
            )
        return cls(arrays, type(value), form, row_form)

    def tensor(self) -> Any:
        """Returns the object."""
        return self._value_type._from_components(self._form, list(map(tensor_of_data, self.arrays)))

    def spec_of_rows(self) -> Any:
        """Returns the spec of a row."""
        return self.tensor()._spec().of_rows()

    def __len__(self) -> int:
        return len(self.arrays[0])

    @property
    def nbytes(self) -> int:
        """The memory of all rows, in bytes."""
        return sum(array.nbytes for array in self.arrays)

    def __getitem__(self, rows: slice) -> ExtensionColumn:
        return self._of_rows(rows)

    def _of_rows(self, rows: Any) -> ExtensionColumn:
        arrays = [array[rows] for array in self.arrays]
        return ExtensionColumn(arrays, self._value_type, self._form, self._row_form)

    def element(self, row_index: int) -> Any:
        """Returns one row."""
        tensors = [tensor_of_data(np.asarray(array[row_index], array.dtype)) for array in self.arrays]
        return self._value_type._from_components(self._row_form, tensors)

    def take(self, rows: np.ndarray) -> ExtensionColumn:
        """Returns the rows with the numbers ``rows``."""
        return self._of_rows(rows)


def stack_extension_types(column: Sequence[Composite]) -> Any:
    """Stacks objects of one extension type along a new first dimension.

    Raises:
        TypeError: the class can't be batched.
        InvalidArgumentError: the shapes or the values of other fields differ.
    """
    batch_form = column[0]._form_of_batch(len(column))
    forms, tensor_lists = zip(*[value._to_components() for value in column], strict=True)
    columns = [[tensor._on_host() for tensor in tensors] for tensors in zip(*tensor_lists, strict=False)]
    if any(form != forms[0] for form in forms) or any(len({array.shape for array in arrays}) > 1 for arrays in columns):
        raise InvalidArgumentError(
            f"Dataset.batch: Cannot batch values of {type(column[0]).__name__} whose tensors have different shapes, or whose "
            "other fields differ."
        )
    return type(column[0])._from_components(batch_form, [tensor_of_data(np.stack(arrays)) for arrays in columns])
