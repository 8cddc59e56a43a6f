"""``tf.optimizers``: the optimizers of ``tf.keras.optimizers``."""

from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.keras.optimizers import SGD as SGD
from fastgrad.keras.optimizers import Adadelta as Adadelta
from fastgrad.keras.optimizers import Adafactor as Adafactor
from fastgrad.keras.optimizers import Adagrad as Adagrad
from fastgrad.keras.optimizers import Adam as Adam
from fastgrad.keras.optimizers import Adamax as Adamax
from fastgrad.keras.optimizers import AdamW as AdamW
from fastgrad.keras.optimizers import Ftrl as Ftrl
from fastgrad.keras.optimizers import Lamb as Lamb
from fastgrad.keras.optimizers import Lion as Lion
from fastgrad.keras.optimizers import LossScaleOptimizer as LossScaleOptimizer
from fastgrad.keras.optimizers import Muon as Muon
from fastgrad.keras.optimizers import Nadam as Nadam
from fastgrad.keras.optimizers import Optimizer as Optimizer
from fastgrad.keras.optimizers import RMSprop as RMSprop
from fastgrad.keras.optimizers import deserialize as deserialize
from fastgrad.keras.optimizers import from_config as from_config
from fastgrad.keras.optimizers import get as get
from fastgrad.keras.optimizers import schedules as schedules
from fastgrad.keras.optimizers import serialize as serialize

__getattr__, __dir__ = _namespace_hooks("tf.optimizers", globals())
