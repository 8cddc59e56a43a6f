"""Tests of packages written for TensorFlow or Keras, with TensorFlow and with fastgrad: ``python -m benchmarks.public_packages``."""
