"""``tf.initializers``: the initializers of ``tf.keras.initializers``."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.initializers import Constant as Constant
from fastgrad._src.keras.initializers import GlorotNormal as GlorotNormal
from fastgrad._src.keras.initializers import GlorotUniform as GlorotUniform
from fastgrad._src.keras.initializers import HeNormal as HeNormal
from fastgrad._src.keras.initializers import HeUniform as HeUniform
from fastgrad._src.keras.initializers import Identity as Identity
from fastgrad._src.keras.initializers import IdentityInitializer as IdentityInitializer
from fastgrad._src.keras.initializers import Initializer as Initializer
from fastgrad._src.keras.initializers import LecunNormal as LecunNormal
from fastgrad._src.keras.initializers import LecunUniform as LecunUniform
from fastgrad._src.keras.initializers import Ones as Ones
from fastgrad._src.keras.initializers import Orthogonal as Orthogonal
from fastgrad._src.keras.initializers import OrthogonalInitializer as OrthogonalInitializer
from fastgrad._src.keras.initializers import RandomNormal as RandomNormal
from fastgrad._src.keras.initializers import RandomUniform as RandomUniform
from fastgrad._src.keras.initializers import TruncatedNormal as TruncatedNormal
from fastgrad._src.keras.initializers import VarianceScaling as VarianceScaling
from fastgrad._src.keras.initializers import Zeros as Zeros
from fastgrad._src.keras.initializers import constant as constant
from fastgrad._src.keras.initializers import deserialize as deserialize
from fastgrad._src.keras.initializers import get as get
from fastgrad._src.keras.initializers import glorot_normal as glorot_normal
from fastgrad._src.keras.initializers import glorot_uniform as glorot_uniform
from fastgrad._src.keras.initializers import he_normal as he_normal
from fastgrad._src.keras.initializers import he_uniform as he_uniform
from fastgrad._src.keras.initializers import identity as identity
from fastgrad._src.keras.initializers import lecun_normal as lecun_normal
from fastgrad._src.keras.initializers import lecun_uniform as lecun_uniform
from fastgrad._src.keras.initializers import ones as ones
from fastgrad._src.keras.initializers import orthogonal as orthogonal
from fastgrad._src.keras.initializers import random_normal as random_normal
from fastgrad._src.keras.initializers import random_uniform as random_uniform
from fastgrad._src.keras.initializers import serialize as serialize
from fastgrad._src.keras.initializers import truncated_normal as truncated_normal
from fastgrad._src.keras.initializers import variance_scaling as variance_scaling
from fastgrad._src.keras.initializers import zeros as zeros

# ---- names of ``tf`` itself
from fastgrad._src.ops.initialization import constant_initializer as constant_initializer
from fastgrad._src.ops.initialization import ones_initializer as ones_initializer
from fastgrad._src.ops.initialization import random_normal_initializer as random_normal_initializer
from fastgrad._src.ops.initialization import random_uniform_initializer as random_uniform_initializer
from fastgrad._src.ops.initialization import zeros_initializer as zeros_initializer

__getattr__, __dir__ = _namespace_hooks("tf.initializers", globals())
