"""``keras.callbacks``."""

from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.keras.callbacks.averages import SwapEMAWeights as SwapEMAWeights
from fastgrad.keras.callbacks.backup import BackupAndRestore as BackupAndRestore
from fastgrad.keras.callbacks.callback import Callback as Callback
from fastgrad.keras.callbacks.callback import CallbackList as CallbackList
from fastgrad.keras.callbacks.history import History as History
from fastgrad.keras.callbacks.logs_and_schedules import CSVLogger as CSVLogger
from fastgrad.keras.callbacks.logs_and_schedules import LambdaCallback as LambdaCallback
from fastgrad.keras.callbacks.logs_and_schedules import LearningRateScheduler as LearningRateScheduler
from fastgrad.keras.callbacks.logs_and_schedules import TerminateOnNaN as TerminateOnNaN
from fastgrad.keras.callbacks.monitoring import EarlyStopping as EarlyStopping
from fastgrad.keras.callbacks.monitoring import ModelCheckpoint as ModelCheckpoint
from fastgrad.keras.callbacks.monitoring import ReduceLROnPlateau as ReduceLROnPlateau
from fastgrad.keras.callbacks.progress import ProgbarLogger as ProgbarLogger
from fastgrad.keras.callbacks.tensorboard import TensorBoard as TensorBoard

__getattr__, __dir__ = _namespace_hooks("tf.keras.callbacks", globals())
