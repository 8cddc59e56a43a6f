"""Keras's optimizers."""
