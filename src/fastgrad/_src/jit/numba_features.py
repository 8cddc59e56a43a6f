"""The features that need private parts of Numba: which of them are on, with the Numba that is installed.

All code that replaces or reads such a part calls `is_on`, or `require` if the feature is not optional. ``FASTGRAD_PLAIN_NUMBA=1`` turns off all optional
features: Numba's own pipeline then compiles derivatives. The cache folder keeps the results of the canaries.
"""

from __future__ import annotations

import functools
import os

from fastgrad._src.jit import cache, store
from fastgrad._src.jit.numba_canaries import Feature, advice, differences, fingerprint, part_of
from fastgrad._src.jit.source_files import sources_key
from fastgrad._src.jit.user_lines import warn

PLAIN_VARIABLE = "FASTGRAD_PLAIN_NUMBA"


def is_plain() -> bool:
    """True if `FASTGRAD_PLAIN_NUMBA` is 1.

    Raises:
        ValueError: it is neither 0 nor 1.
    """
    chosen = os.environ.get(PLAIN_VARIABLE, "")
    if chosen not in ("", "0", "1"):
        raise ValueError(f"{PLAIN_VARIABLE} is {chosen!r}; it may be 0 or 1")
    return chosen == "1"


def is_on(feature: Feature) -> bool:
    """True if derivatives have a feature in this process."""
    return feature in features()


def require(feature: Feature) -> None:
    """Raises if Numba lacks what a feature needs.

    Raises:
        RuntimeError: a private part of Numba differs.
    """
    different = known_differences().get(feature, ())
    if different:
        raise RuntimeError(f"{feature.purpose}: {advice(different)}")


@functools.cache
def features() -> frozenset[Feature]:
    """Returns the features that are on. It warns of those that Numba's changes turn off."""
    different = known_differences()
    off = {feature for feature in different if feature.is_optional}
    if is_plain():
        return frozenset(feature for feature in Feature if not feature.is_optional)
    if off:
        effects = "; ".join(feature.without for feature in Feature if feature in off)
        parts = [part for feature in Feature if feature in off for part in different[feature]]
        warn(f"{advice(parts)} Until then: {effects}.", RuntimeWarning)
    return frozenset(Feature) - off


def active_features_text() -> str:
    """Returns the names of the features that are on, for keys of derivatives on disk."""
    return " ".join(feature.name for feature in Feature if is_on(feature))


@functools.cache
def known_differences() -> dict[Feature, tuple[str, ...]]:
    """Returns the features whose private parts of Numba differ from the known ones, with these parts."""
    content = f"canaries of numba {part_of('numba:__version__')}\n{fingerprint()}\n{sources_key(__package__)}"
    entry = store.load(content)
    if entry is None:
        found = differences()
        entry = cache.Entry(b"\n".join(f"{feature.name} {part}".encode() for feature, part in found), ())
        store.save(content, entry)
    by_feature: dict[Feature, tuple[str, ...]] = {}
    for line in entry.code.decode().splitlines():
        name, part = line.split(" ")
        by_feature[Feature[name]] = (*by_feature.get(Feature[name], ()), part)
    return by_feature
