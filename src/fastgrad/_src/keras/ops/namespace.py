"""``keras.ops``: Keras's functions of tensors, which functional models also take on ``KerasTensor``s."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.ops import core_functions as _core
from fastgrad._src.keras.ops import image as _image  # noqa: F401
from fastgrad._src.keras.ops import linalg as _linalg  # noqa: F401
from fastgrad._src.keras.ops import nn as _nn  # noqa: F401
from fastgrad._src.keras.ops import numpy as _numpy  # noqa: F401
from fastgrad._src.keras.ops.array_functions import TABLE as _ARRAY_FUNCTIONS
from fastgrad._src.keras.ops.function import public as _public
from fastgrad._src.keras.ops.matrix_functions import TABLE as _MATRIX_FUNCTIONS
from fastgrad._src.keras.ops.nn_functions import TABLE as _NN_FUNCTIONS
from fastgrad._src.keras.ops.signal_functions import TABLE as _SIGNAL_FUNCTIONS

globals().update(
    {
        **_core.PLAIN,
        **_public(
            "ops",
            {**_core.TABLE, **_ARRAY_FUNCTIONS, **_NN_FUNCTIONS, **_MATRIX_FUNCTIONS, **_SIGNAL_FUNCTIONS},
        ),
    }
)
__getattr__, __dir__ = _namespace_hooks("tf.keras.ops", globals(), submodules=("image", "linalg", "nn", "numpy"))
