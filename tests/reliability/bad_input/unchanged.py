"""What a refused call may not change."""

from __future__ import annotations

from typing import Any

import numpy as np

import fastgrad as tf
from fastgrad._src.ops.default_generators import default_random_state

from .names import OPERANDS


def state(scope: dict[str, Any], draws: bool) -> str:
    """Operands, the variable, the dtype policy, settings, and with ``draws`` the generators, as a text to compare."""
    arrays = {name: np.asarray(value).tolist() for name, value in scope.items() if name in (*OPERANDS, "ARRAY", "v")}
    settings = [
        tf.keras.config.dtype_policy().name,
        tf.keras.config.floatx(),
        tf.keras.config.epsilon(),
        tf.keras.config.image_data_format(),
    ]
    return repr(
        (
            arrays,
            default_random_state() if draws else None,
            settings,
            tf.config.functions_run_eagerly(),
            tf.executing_eagerly(),
            tf.summary.experimental.get_step(),
        )
    )
