"""Keras's older functions for images, texts and sequences."""
