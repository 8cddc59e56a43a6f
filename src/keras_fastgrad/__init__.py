"""Runs Keras on fastgrad: ``import keras_fastgrad`` before ``import keras``, without TensorFlow.

Keras's own TensorFlow backend runs, with fastgrad in the place of the module ``tensorflow``. See ``hook.py``.
"""

from keras_fastgrad.hook import activate, is_active

activate()
__all__ = ["activate", "is_active"]
