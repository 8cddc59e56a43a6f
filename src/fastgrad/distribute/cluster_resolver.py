"""``tf.distribute.cluster_resolver``: the processes of the job. MPI knows them; these classes tell it in TensorFlow's words."""

from fastgrad._src.distribute.cluster_resolver import *
from fastgrad._src.distribute.cluster_resolver import __dir__ as __dir__
from fastgrad._src.distribute.cluster_resolver import __getattr__ as __getattr__
