"""Keras's models."""
