"""Operations that users write as functions of numbers and of arrays: ``elementwise`` and ``kernel``."""

from fastgrad._src.custom_operations.array_kernel import Kernel as Kernel
from fastgrad._src.custom_operations.array_kernel import kernel as kernel
from fastgrad._src.custom_operations.elementwise import Elementwise as Elementwise
from fastgrad._src.custom_operations.elementwise import elementwise as elementwise
