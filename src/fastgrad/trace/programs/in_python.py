"""The operations that have no native form: programs run them as they run eagerly, between two stretches of native steps.

This is all of them, but for operations on strings and on arrays of very many dimensions.
"""

from __future__ import annotations

_LAPACK = "LAPACK computes it"
_REJECTION = "drawn by rejection, by NumPy's generator"

IN_PYTHON: dict[str, str] = {
    **dict.fromkeys(
        (
            "cholesky",
            "det",
            "eig",
            "eigh",
            "expm",
            "inv",
            "logm",
            "lu",
            "pinv",
            "qr",
            "slogdet",
            "solve",
            "sqrtm",
            "svd",
            "triangular_solve",
        ),
        _LAPACK,
    ),
    **dict.fromkeys(("random_binomial", "random_gamma", "random_poisson"), _REJECTION),
}
"""Why, by the name of the row of the operation table."""
