"""The properties of all rooms of kernels; `tests/reliability/boundaries` fails for a row of the operation table without any."""

from tests.kernels import row_properties
from tests.kernels.elementwise import complex_properties, elementwise_properties
from tests.kernels.movement import box_properties, place_properties
from tests.kernels.properties import Property
from tests.kernels.random import draw_properties
from tests.kernels.reduction import general_properties, row_wise_properties

PROPERTIES: list[Property] = [
    known
    for file in (
        row_properties, box_properties, place_properties, draw_properties, complex_properties, elementwise_properties,
        general_properties, row_wise_properties,
    )
    for known in file.PROPERTIES
]  # fmt: skip
