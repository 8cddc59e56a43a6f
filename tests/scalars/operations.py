"""The scalar functions that have partials."""

from fastgrad._src.scalars import terms
from fastgrad._src.scalars.formulas import ScalarOperation

_ALL = [value for value in vars(terms).values() if isinstance(value, ScalarOperation)]
OPERATIONS = {
    operation.name or operation.text: operation
    for operation in (*_ALL, *terms.FUNCTIONS.values())
    if any(partial is not None for partial in operation.partials)
}
