"""Differences from TensorFlow that `docs/differences.md` gives reasons for.

A pattern matches `module: case: mode dtype`. At least one answer that it matches differs from TensorFlow's; a pattern without one fails a test.
`expected/documented.json` holds fastgrad's answers to these questions: `python -m tests.reliability.gradients.documented` records them.
Those of smooth functions and of products are also compared with central differences.
"""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "expected" / "documented.json"

_NORMALISED = "LayerNormalization.*|GroupNormalization|BatchNormalization (of images )?in training|BatchNormalization without scale"

DOCUMENTED: dict[str, str] = {
    r"elementwise: .* at points of a documented difference: .*": "points and reasons are in `APART` of `cases/elementwise.py`",
    r"elementwise: math\.(multiply_no_nan|xdivy|xlogy) of complex numbers: .*": "complex gradients that TensorFlow does not conjugate",
    r"reductions: math\.cumprod of complex numbers: .*": "complex gradients that TensorFlow does not conjugate",
    r"reductions: reduce_prod of complex numbers: second .*": "complex gradients that TensorFlow does not conjugate",
    r"reductions: math\.cumprod.* of zeros: .*": "derivatives of products with zeros",
    r"reductions: (reduce|segment|unsorted_segment)_prod of ties and zeros: second .*": "derivatives of products with zeros",
    r"reductions: moments.*: second .*": "second derivatives of variances",
    rf"layers: ({_NORMALISED}): second .*": "second derivatives of variances",
    r"composed: LayerNormalization, squared: second .*": "second derivatives of variances",
    r"networks: nn\.softmax_cross_entropy_with_logits.*: second .*": "second derivatives of cross-entropy by labels",
    r"networks: keras\.losses\.categorical_crossentropy of logits: second .*": "second derivatives of cross-entropy by labels",
    r"networks: keras\.activations\.sparsemax: .*": "sparsemax",
    r"elementwise: math\.sign: forward .*": "forward mode",
    r"elementwise: math\.xdivy at special values: .*": "tails and large numbers",
    r"reductions: math\.cumulative_logsumexp.* of infinities: .*": "leading elements of -inf",
    r"operators: x \*\* [01]: .*": "powers at 0",
    r"degenerate: pow of broadcast zeros: .*": "powers at 0",
    r"elementwise: math\.pow (at special values|by cotangents of 0): .*": "powers at 0",
    r"windows: nn\.max_pool3d \d of ties: (first|second) float32": "ties in max_pool3d",
}


UNANSWERED: dict[str, tuple[str, str]] = {
    r"own: .*": ("ImportError", "rows that TensorFlow does not have"),
    r".* of integers: first float64": (
        "InvalidArgumentError|NotFoundError|TypeError|ValueError",
        "functions that take no integers in TensorFlow",
    ),
    r"elementwise: truncatemod.*: .*": ("LookupError", "no gradient registered"),
    r"elementwise: (nn|keras\.activations)\.softsign.*: (second|forward) .*": (
        "LookupError",
        "no second derivative registered",
    ),
    r"elementwise: .*: (first|second) b?float16": ("NotFoundError", "no kernel for halves"),
    r"elementwise: math\.(digamma|lgamma|nextafter): (first|second) b?float16": (
        "InvalidArgumentError",
        "no kernel for halves",
    ),
    r"moving: linalg\.tensor_diag(_part)?: (first|second) bfloat16": ("NotFoundError", "no kernel for halves"),
    r"(degenerate: linalg\.det of a singular matrix|indexing: gather_nd of all): .*": (
        "InvalidArgumentError",
        "a gradient that fails",
    ),
    r"indexing: gather_nd of rows( alone)?: forward float64": (
        "AttributeError",
        "forward accumulation of IndexedSlices",
    ),
    r"(indexing: unique|moving: bitcast|moving: math\.bincount by weights|products: linalg\.(lu|logm)): .*": (
        "LookupError",
        "no gradient registered",
    ),
    r"layers: UpSampling2D (bicubic|lanczos\d): second float32": ("LookupError", "no second derivative registered"),
    r"moving: recompute_grad: (second|forward) .*": (
        "NotImplementedError",
        "no second derivative of recompute_grad",
    ),
    r"networks: nn\.local_response_normalization: forward float32": ("LookupError", "no second derivative registered"),
    r"spectra: nn\.(safe_)?embedding_lookup_sparse: second float64": ("LookupError", "no second derivative registered"),
    r"spectra: nn\.(safe_)?embedding_lookup_sparse: forward float64": (
        "AttributeError",
        "forward accumulation of IndexedSlices",
    ),
    r"tapes: output gradients of every form: answer float64": ("ValueError", "output gradients of another form"),
    r"windows: nn\.(conv1d 2|conv2d [56]): .*": ("InvalidArgumentError", "windows or groups that a CPU kernel refuses"),
    r"windows: nn\.max_pool3d [67].*: .*": ("InvalidArgumentError", "windows that a CPU kernel refuses"),
    r"windows: nn\.avg_pool3d [67].*: .*": ("NotFoundError", "no kernel for float64"),
    r"windows: nn\.(max_pool_with_argmax|dilation2d): forward float64": (
        "LookupError",
        "no second derivative registered",
    ),
}
"""The questions that TensorFlow answers with an error: the class of the error, and why. Nothing is compared with such an answer."""


def unanswered(question: str, raised: list[str]) -> bool:
    """True if TensorFlow is known to answer a question with an error of such classes."""
    return any(
        re.fullmatch(pattern, question) and re.fullmatch(error, raised[0]) for pattern, (error, _) in UNANSWERED.items()
    )


def chosen_answers() -> dict[str, Any]:
    """fastgrad's recorded answers to the questions that `DOCUMENTED` matches."""
    answers: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return answers


def documented(question: str) -> str | None:
    """The pattern that a question is documented by."""
    return next((pattern for pattern in DOCUMENTED if re.fullmatch(pattern, question)), None)


def main() -> None:
    """Records fastgrad's answers to the questions that `DOCUMENTED` matches."""
    import fastgrad as tf

    from .answers import ask
    from .case import all_cases
    from .derivatives import questions

    warnings.simplefilter("ignore")
    answers = {
        question: answer
        for module, cases in all_cases().items()
        for name, case in cases.items()
        if any(documented(f"{module}: {name}: {mode} {dtype}") for mode, dtype in questions(case))
        for key, answer in ask(tf, case).items()
        if documented(question := f"{module}: {name}: {key}")
    }
    lines = [f"{json.dumps(question)}: {json.dumps(answer)}" for question, answer in answers.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
