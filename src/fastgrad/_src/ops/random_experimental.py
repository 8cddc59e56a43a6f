"""``tf.random.experimental``: older names for generators and seeds."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.ops.default_generators import get_global_generator as get_global_generator
from fastgrad._src.ops.default_generators import set_global_generator as set_global_generator
from fastgrad._src.ops.random_generator import Algorithm as Algorithm
from fastgrad._src.ops.random_generator import Generator as Generator
from fastgrad._src.ops.random_generator import create_rng_state as create_rng_state
from fastgrad._src.ops.random_stateless import fold_in as stateless_fold_in  # noqa: F401
from fastgrad._src.ops.random_stateless import split as stateless_split  # noqa: F401

__getattr__, __dir__ = _namespace_hooks("tf.random.experimental", globals())
