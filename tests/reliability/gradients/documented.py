"""Differences from TensorFlow that `docs/differences.md` gives reasons for.

A pattern matches `module: case: mode dtype`, and some answer that it matches differs, so that none stays when it has no reason any more.
What smooth cases give in TensorFlow's place is compared with central differences.
"""

from __future__ import annotations

import re

_NORMALISED = "LayerNormalization.*|GroupNormalization|BatchNormalization (of images )?in training|BatchNormalization without scale"

DOCUMENTED: dict[str, str] = {
    r"elementwise: math\.(multiply_no_nan|xdivy|xlogy) of complex numbers: .*": "complex gradients that TensorFlow does not conjugate",
    r"reductions: math\.cumprod of complex numbers: .*": "complex gradients that TensorFlow does not conjugate",
    r"reductions: reduce_prod of complex numbers: second .*": "complex gradients that TensorFlow does not conjugate",
    r"reductions: math\.cumprod.* of zeros: .*": "derivatives of products with zeros",
    r"reductions: (reduce|segment|unsorted_segment)_prod of ties and zeros: second .*": "derivatives of products with zeros",
    r"reductions: moments.*: second .*": "second derivatives of variances",
    rf"layers: ({_NORMALISED}): second .*": "second derivatives of variances",
    r"networks: nn\.softmax_cross_entropy_with_logits.*: second float64": "second derivatives of cross-entropy by labels",
    r"networks: keras\.losses\.categorical_crossentropy of logits: second .*": "second derivatives of cross-entropy by labels",
    r"networks: keras\.activations\.sparsemax: .*": "sparsemax",
    r"windows: nn\.max_pool3d \d of ties: first float32": "ties in max_pool3d",
}


def documented(question: str) -> str | None:
    """The pattern that a question is documented by."""
    return next((pattern for pattern in DOCUMENTED if re.fullmatch(pattern, question)), None)
