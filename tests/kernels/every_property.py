"""The properties of the tests of kernels, file by file; `tests/reliability/boundaries` fails for a row of the operation table without any."""

from tests.kernels import test_properties
from tests.kernels.elementwise import test_complex_numbers, test_elementwise
from tests.kernels.movement import test_boxes, test_places
from tests.kernels.properties import Property
from tests.kernels.random import test_draws
from tests.kernels.reduction import test_general, test_rows

PROPERTIES: list[Property] = [
    known
    for file in (
        test_properties, test_boxes, test_places, test_draws, test_complex_numbers, test_elementwise, test_general,
        test_rows,
    )
    for known in file.PROPERTIES
]  # fmt: skip
