"""``tf.bitwise``: bitwise operations of integers."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.ops.bitwise import bitwise_and as bitwise_and
from fastgrad._src.ops.bitwise import bitwise_or as bitwise_or
from fastgrad._src.ops.bitwise import bitwise_xor as bitwise_xor
from fastgrad._src.ops.bitwise import invert as invert
from fastgrad._src.ops.bitwise import left_shift as left_shift
from fastgrad._src.ops.bitwise import right_shift as right_shift

__getattr__, __dir__ = _namespace_hooks("tf.bitwise", globals())
