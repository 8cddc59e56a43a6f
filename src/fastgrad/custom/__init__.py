"""Operations that users write as functions of numbers and of arrays: ``elementwise`` and ``kernel``."""

from fastgrad.custom.array_kernel import Kernel as Kernel
from fastgrad.custom.array_kernel import kernel as kernel
from fastgrad.custom.elementwise import Elementwise as Elementwise
from fastgrad.custom.elementwise import elementwise as elementwise
