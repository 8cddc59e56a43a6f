"""``tf.math``: element-wise functions and reductions."""

from __future__ import annotations

# ---- ops/arithmetic.py
from fastgrad.ops.arithmetic import abs as abs
from fastgrad.ops.arithmetic import add as add
from fastgrad.ops.arithmetic import maximum as maximum
from fastgrad.ops.arithmetic import minimum as minimum
from fastgrad.ops.arithmetic import multiply as multiply
from fastgrad.ops.arithmetic import negative as negative
from fastgrad.ops.arithmetic import sign as sign
from fastgrad.ops.arithmetic import squared_difference as squared_difference
from fastgrad.ops.arithmetic import subtract as subtract

# ---- ops/exponential.py
from fastgrad.ops.exponential import exp as exp
from fastgrad.ops.exponential import log as log
from fastgrad.ops.exponential import sigmoid as sigmoid
from fastgrad.ops.exponential import tanh as tanh
