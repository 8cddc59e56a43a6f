"""``tf.contrib`` as programs of 2018 know it: ``import fastgrad.contrib.eager as tfe``."""

from fastgrad.contrib import eager as eager
