"""Keras's functions of tensors."""
