"""``tf.math``: element-wise functions and reductions."""

from __future__ import annotations

# ---- tf.math.special
from fastgrad.ops import special as special

# ---- ops/arithmetic.py
from fastgrad.ops.arithmetic import abs as abs
from fastgrad.ops.arithmetic import accumulate_n as accumulate_n
from fastgrad.ops.arithmetic import add as add
from fastgrad.ops.arithmetic import add_n as add_n
from fastgrad.ops.arithmetic import maximum as maximum
from fastgrad.ops.arithmetic import minimum as minimum
from fastgrad.ops.arithmetic import multiply as multiply
from fastgrad.ops.arithmetic import multiply_no_nan as multiply_no_nan
from fastgrad.ops.arithmetic import negative as negative
from fastgrad.ops.arithmetic import nextafter as nextafter
from fastgrad.ops.arithmetic import polyval as polyval
from fastgrad.ops.arithmetic import scalar_mul as scalar_mul
from fastgrad.ops.arithmetic import sign as sign
from fastgrad.ops.arithmetic import squared_difference as squared_difference
from fastgrad.ops.arithmetic import subtract as subtract

# ---- ops/comparison.py
from fastgrad.ops.comparison import equal as equal
from fastgrad.ops.comparison import greater as greater
from fastgrad.ops.comparison import greater_equal as greater_equal
from fastgrad.ops.comparison import is_finite as is_finite
from fastgrad.ops.comparison import is_inf as is_inf
from fastgrad.ops.comparison import is_nan as is_nan
from fastgrad.ops.comparison import less as less
from fastgrad.ops.comparison import less_equal as less_equal
from fastgrad.ops.comparison import logical_and as logical_and
from fastgrad.ops.comparison import logical_not as logical_not
from fastgrad.ops.comparison import logical_or as logical_or
from fastgrad.ops.comparison import logical_xor as logical_xor
from fastgrad.ops.comparison import not_equal as not_equal

# ---- ops/complex_numbers.py
from fastgrad.ops.complex_numbers import angle as angle
from fastgrad.ops.complex_numbers import conj as conj
from fastgrad.ops.complex_numbers import imag as imag
from fastgrad.ops.complex_numbers import real as real

# ---- ops/division.py
from fastgrad.ops.division import divide as divide
from fastgrad.ops.division import divide_no_nan as divide_no_nan
from fastgrad.ops.division import floordiv as floordiv
from fastgrad.ops.division import floormod as floormod
from fastgrad.ops.division import mod as mod
from fastgrad.ops.division import reciprocal_no_nan as reciprocal_no_nan
from fastgrad.ops.division import truediv as truediv
from fastgrad.ops.division import xdivy as xdivy

# ---- ops/error_function.py
from fastgrad.ops.error_function import erf as erf
from fastgrad.ops.error_function import erfc as erfc
from fastgrad.ops.error_function import erfcinv as erfcinv
from fastgrad.ops.error_function import erfinv as erfinv
from fastgrad.ops.error_function import ndtri as ndtri

# ---- ops/exponential.py
from fastgrad.ops.exponential import acos as acos
from fastgrad.ops.exponential import acosh as acosh
from fastgrad.ops.exponential import asin as asin
from fastgrad.ops.exponential import asinh as asinh
from fastgrad.ops.exponential import atan as atan
from fastgrad.ops.exponential import atan2 as atan2
from fastgrad.ops.exponential import atanh as atanh
from fastgrad.ops.exponential import cos as cos
from fastgrad.ops.exponential import cosh as cosh
from fastgrad.ops.exponential import exp as exp
from fastgrad.ops.exponential import expm1 as expm1
from fastgrad.ops.exponential import log as log
from fastgrad.ops.exponential import log1p as log1p
from fastgrad.ops.exponential import log_sigmoid as log_sigmoid
from fastgrad.ops.exponential import sigmoid as sigmoid
from fastgrad.ops.exponential import sin as sin
from fastgrad.ops.exponential import sinh as sinh
from fastgrad.ops.exponential import softplus as softplus
from fastgrad.ops.exponential import softsign as softsign
from fastgrad.ops.exponential import tan as tan
from fastgrad.ops.exponential import tanh as tanh
from fastgrad.ops.exponential import xlog1py as xlog1py
from fastgrad.ops.exponential import xlogy as xlogy

# ---- ops/gamma.py
from fastgrad.ops.gamma import betainc as betainc
from fastgrad.ops.gamma import digamma as digamma
from fastgrad.ops.gamma import igamma as igamma
from fastgrad.ops.gamma import igammac as igammac
from fastgrad.ops.gamma import lbeta as lbeta
from fastgrad.ops.gamma import lgamma as lgamma
from fastgrad.ops.gamma import polygamma as polygamma
from fastgrad.ops.gamma import zeta as zeta

# ---- ops/inspection.py
from fastgrad.ops.inspection import argmax as argmax
from fastgrad.ops.inspection import argmin as argmin
from fastgrad.ops.inspection import count_nonzero as count_nonzero
from fastgrad.ops.inspection import is_non_decreasing as is_non_decreasing
from fastgrad.ops.inspection import is_strictly_increasing as is_strictly_increasing
from fastgrad.ops.inspection import zero_fraction as zero_fraction

# ---- ops/norms.py
from fastgrad.ops.norms import l2_normalize as l2_normalize

# ---- ops/power.py
from fastgrad.ops.power import pow as pow
from fastgrad.ops.power import reciprocal as reciprocal
from fastgrad.ops.power import rsqrt as rsqrt
from fastgrad.ops.power import sqrt as sqrt
from fastgrad.ops.power import square as square

# ---- ops/reduction.py
from fastgrad.ops.reduction import reduce_all as reduce_all
from fastgrad.ops.reduction import reduce_any as reduce_any
from fastgrad.ops.reduction import reduce_euclidean_norm as reduce_euclidean_norm
from fastgrad.ops.reduction import reduce_logsumexp as reduce_logsumexp
from fastgrad.ops.reduction import reduce_max as reduce_max
from fastgrad.ops.reduction import reduce_mean as reduce_mean
from fastgrad.ops.reduction import reduce_min as reduce_min
from fastgrad.ops.reduction import reduce_prod as reduce_prod
from fastgrad.ops.reduction import reduce_sum as reduce_sum

# ---- ops/rounding.py
from fastgrad.ops.rounding import ceil as ceil
from fastgrad.ops.rounding import floor as floor
from fastgrad.ops.rounding import rint as rint
from fastgrad.ops.rounding import round as round

# ---- ops/scan.py
from fastgrad.ops.scan import cumprod as cumprod
from fastgrad.ops.scan import cumsum as cumsum
from fastgrad.ops.scan import cumulative_logsumexp as cumulative_logsumexp

# ---- ops/scattering.py
from fastgrad.ops.scattering import confusion_matrix as confusion_matrix

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

# ---- ops/activation.py
from fastgrad.ops.softmax import log_softmax as log_softmax
from fastgrad.ops.softmax import softmax as softmax

# ---- ops/sorting.py
from fastgrad.ops.sorting import in_top_k as in_top_k
from fastgrad.ops.sorting import invert_permutation as invert_permutation
from fastgrad.ops.sorting import top_k as top_k

# ---- ops/special.py
from fastgrad.ops.special import bessel_i0 as bessel_i0
from fastgrad.ops.special import bessel_i0e as bessel_i0e
from fastgrad.ops.special import bessel_i1 as bessel_i1
from fastgrad.ops.special import bessel_i1e as bessel_i1e

# ---- ops/statistics.py
from fastgrad.ops.statistics import bincount as bincount
from fastgrad.ops.statistics import reduce_std as reduce_std
from fastgrad.ops.statistics import reduce_variance as reduce_variance


def __getattr__(name: str) -> object:
    from fastgrad.names import missing

    raise missing("tf.math", name, globals())
