"""Layers, models, training, optimizers, losses and metrics."""
