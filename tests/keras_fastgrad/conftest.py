"""Keras runs on fastgrad in this process; the tests are skipped where Keras is not installed."""

import pytest

pytest.importorskip("optree", reason="Keras is not installed")

import keras_fastgrad  # noqa: F401


def pytest_collection_modifyitems(items):
    """Ignores a warning of Keras's own: the method ``__array__`` of its variables takes no ``copy``."""
    for item in items:
        if "keras_fastgrad" in item.nodeid:
            item.add_marker(pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"))
