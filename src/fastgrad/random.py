"""Random numbers (``tf.random``)."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.ops import random_experimental as _random_experimental
from fastgrad._src.ops.default_generators import get_global_generator as get_global_generator
from fastgrad._src.ops.default_generators import set_global_generator as set_global_generator
from fastgrad._src.ops.default_generators import set_seed as set_seed
from fastgrad._src.ops.random_generator import Algorithm as Algorithm
from fastgrad._src.ops.random_generator import Generator as Generator
from fastgrad._src.ops.random_generator import create_rng_state as create_rng_state
from fastgrad._src.ops.random_ops import categorical as categorical
from fastgrad._src.ops.random_ops import gamma as gamma
from fastgrad._src.ops.random_ops import normal as normal
from fastgrad._src.ops.random_ops import poisson as poisson
from fastgrad._src.ops.random_ops import shuffle as shuffle
from fastgrad._src.ops.random_ops import truncated_normal as truncated_normal
from fastgrad._src.ops.random_ops import uniform as uniform
from fastgrad._src.ops.random_stateless import fold_in as fold_in
from fastgrad._src.ops.random_stateless import split as split
from fastgrad._src.ops.random_stateless import stateless_binomial as stateless_binomial
from fastgrad._src.ops.random_stateless import stateless_categorical as stateless_categorical
from fastgrad._src.ops.random_stateless import stateless_gamma as stateless_gamma
from fastgrad._src.ops.random_stateless import stateless_normal as stateless_normal
from fastgrad._src.ops.random_stateless import stateless_poisson as stateless_poisson
from fastgrad._src.ops.random_stateless import stateless_truncated_normal as stateless_truncated_normal
from fastgrad._src.ops.random_stateless import stateless_uniform as stateless_uniform

experimental = _random_experimental

_MODULE_OF_LAZY_NAME = {
    "log_uniform_candidate_sampler": "ops.composed.candidate_sampling",
    "uniform_candidate_sampler": "ops.composed.candidate_sampling",
}

__getattr__, __dir__ = _namespace_hooks("tf.random", globals(), _MODULE_OF_LAZY_NAME)
