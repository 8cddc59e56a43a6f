"""``tf.distribute.cluster_resolver``: the processes of the job. MPI knows them; these classes tell it in TensorFlow's words."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.distribute.cluster_resolver import *

__getattr__, __dir__ = _namespace_hooks("tf.distribute.cluster_resolver", globals())
