"""``keras.ops``: Keras's functions of tensors, which functional models also take on ``KerasTensor``s."""

from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.keras.ops import core_functions as _core
from fastgrad.keras.ops import image as image
from fastgrad.keras.ops import linalg as linalg
from fastgrad.keras.ops import nn as nn
from fastgrad.keras.ops import numpy as numpy
from fastgrad.keras.ops.array_functions import TABLE as _ARRAY_FUNCTIONS
from fastgrad.keras.ops.function import public as _public
from fastgrad.keras.ops.matrix_functions import TABLE as _MATRIX_FUNCTIONS
from fastgrad.keras.ops.nn_functions import TABLE as _NN_FUNCTIONS
from fastgrad.keras.ops.signal_functions import TABLE as _SIGNAL_FUNCTIONS

globals().update(
    {
        **_core.PLAIN,
        **_public(
            "ops",
            {**_core.TABLE, **_ARRAY_FUNCTIONS, **_NN_FUNCTIONS, **_MATRIX_FUNCTIONS, **_SIGNAL_FUNCTIONS},
        ),
    }
)
__getattr__, __dir__ = _namespace_hooks("tf.keras.ops", globals())
