"""The optimizers of TensorFlow 1 (``tf.train.AdamOptimizer`` ...), and the global step."""

from fastgrad._src.compat.contrib.train import *
