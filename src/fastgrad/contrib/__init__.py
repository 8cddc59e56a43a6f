"""TensorFlow 1 names: ``import fastgrad.contrib.eager as tfe``, and the optimizers of ``tf.train``."""

from fastgrad.contrib import eager as eager
