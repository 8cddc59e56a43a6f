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

# ---- ops/segments.py
from fastgrad.ops.segments import segment_max as segment_max
from fastgrad.ops.segments import segment_mean as segment_mean
from fastgrad.ops.segments import segment_min as segment_min
from fastgrad.ops.segments import segment_prod as segment_prod
from fastgrad.ops.segments import segment_sum as segment_sum
from fastgrad.ops.segments import unsorted_segment_max as unsorted_segment_max
from fastgrad.ops.segments import unsorted_segment_mean as unsorted_segment_mean
from fastgrad.ops.segments import unsorted_segment_min as unsorted_segment_min
from fastgrad.ops.segments import unsorted_segment_prod as unsorted_segment_prod
from fastgrad.ops.segments import unsorted_segment_sqrt_n as unsorted_segment_sqrt_n
from fastgrad.ops.segments import unsorted_segment_sum as unsorted_segment_sum
