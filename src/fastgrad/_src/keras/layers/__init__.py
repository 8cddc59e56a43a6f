"""Keras's layers."""

from fastgrad._src.keras.layers import operators  # noqa: F401  # gives KerasTensor its operators
