"""What programs of 2018 use: ``import fastgrad.contrib.eager as tfe``, and the optimizers of ``tf.train``."""

from fastgrad.contrib import eager as eager
