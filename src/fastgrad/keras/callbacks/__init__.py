"""``keras.callbacks``."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.callbacks.backup import BackupAndRestore as BackupAndRestore
from fastgrad._src.keras.callbacks.callback import Callback as Callback
from fastgrad._src.keras.callbacks.callback_list import CallbackList as CallbackList
from fastgrad._src.keras.callbacks.history import History as History
from fastgrad._src.keras.callbacks.logs_and_schedules import CSVLogger as CSVLogger
from fastgrad._src.keras.callbacks.logs_and_schedules import LambdaCallback as LambdaCallback
from fastgrad._src.keras.callbacks.logs_and_schedules import LearningRateScheduler as LearningRateScheduler
from fastgrad._src.keras.callbacks.logs_and_schedules import TerminateOnNaN as TerminateOnNaN
from fastgrad._src.keras.callbacks.monitoring import EarlyStopping as EarlyStopping
from fastgrad._src.keras.callbacks.monitoring import ModelCheckpoint as ModelCheckpoint
from fastgrad._src.keras.callbacks.monitoring import ReduceLROnPlateau as ReduceLROnPlateau
from fastgrad._src.keras.callbacks.progress import ProgbarLogger as ProgbarLogger
from fastgrad._src.keras.callbacks.tensorboard import TensorBoard as TensorBoard

__getattr__, __dir__ = _namespace_hooks("tf.keras.callbacks", globals())
