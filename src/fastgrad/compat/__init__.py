"""``tf.compat``: strings and sizes in any form, and the names of other versions: ``tf.compat.v2`` is ``tf``, ``tf.compat.v1`` what eager programs use of TensorFlow 1."""

from fastgrad._src.compat.conversions import *
from fastgrad._src.compat.conversions import __dir__ as __dir__
from fastgrad._src.compat.conversions import __getattr__ as __getattr__
