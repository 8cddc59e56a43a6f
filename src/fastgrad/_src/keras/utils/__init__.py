"""Keras's helper functions."""
