"""``tf.optimizers``: the optimizers of ``tf.keras.optimizers``."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.optimizers.namespace import SGD as SGD
from fastgrad._src.keras.optimizers.namespace import Adadelta as Adadelta
from fastgrad._src.keras.optimizers.namespace import Adafactor as Adafactor
from fastgrad._src.keras.optimizers.namespace import Adagrad as Adagrad
from fastgrad._src.keras.optimizers.namespace import Adam as Adam
from fastgrad._src.keras.optimizers.namespace import Adamax as Adamax
from fastgrad._src.keras.optimizers.namespace import AdamW as AdamW
from fastgrad._src.keras.optimizers.namespace import Ftrl as Ftrl
from fastgrad._src.keras.optimizers.namespace import Lamb as Lamb
from fastgrad._src.keras.optimizers.namespace import Lion as Lion
from fastgrad._src.keras.optimizers.namespace import LossScaleOptimizer as LossScaleOptimizer
from fastgrad._src.keras.optimizers.namespace import Muon as Muon
from fastgrad._src.keras.optimizers.namespace import Nadam as Nadam
from fastgrad._src.keras.optimizers.namespace import Optimizer as Optimizer
from fastgrad._src.keras.optimizers.namespace import RMSprop as RMSprop
from fastgrad._src.keras.optimizers.namespace import deserialize as deserialize
from fastgrad._src.keras.optimizers.namespace import from_config as from_config
from fastgrad._src.keras.optimizers.namespace import get as get
from fastgrad._src.keras.optimizers.namespace import serialize as serialize
from fastgrad.keras.optimizers import schedules as schedules

__getattr__, __dir__ = _namespace_hooks("tf.optimizers", globals())
