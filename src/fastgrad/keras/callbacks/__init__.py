"""``keras.callbacks``."""

from fastgrad.core.names import missing_name_getattr as _refusal_of
from fastgrad.keras.callbacks.averages import SwapEMAWeights as SwapEMAWeights
from fastgrad.keras.callbacks.backup import BackupAndRestore as BackupAndRestore
from fastgrad.keras.callbacks.callback import Callback as Callback
from fastgrad.keras.callbacks.callback import CallbackList as CallbackList
from fastgrad.keras.callbacks.history import History as History
from fastgrad.keras.callbacks.monitoring import EarlyStopping as EarlyStopping
from fastgrad.keras.callbacks.monitoring import ModelCheckpoint as ModelCheckpoint
from fastgrad.keras.callbacks.monitoring import ReduceLROnPlateau as ReduceLROnPlateau
from fastgrad.keras.callbacks.progress import ProgbarLogger as ProgbarLogger
from fastgrad.keras.callbacks.recording import CSVLogger as CSVLogger
from fastgrad.keras.callbacks.recording import LambdaCallback as LambdaCallback
from fastgrad.keras.callbacks.recording import LearningRateScheduler as LearningRateScheduler
from fastgrad.keras.callbacks.recording import TerminateOnNaN as TerminateOnNaN

__getattr__ = _refusal_of("tf.keras.callbacks", globals())
from fastgrad.keras.callbacks.tensorboard import TensorBoard as TensorBoard
