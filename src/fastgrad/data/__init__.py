"""``tf.data``: pipelines that feed training."""

from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.data import experimental as experimental
from fastgrad.data.dataset import AUTOTUNE as AUTOTUNE
from fastgrad.data.dataset import INFINITE_CARDINALITY as INFINITE_CARDINALITY
from fastgrad.data.dataset import UNKNOWN_CARDINALITY as UNKNOWN_CARDINALITY
from fastgrad.data.dataset import Dataset as Dataset
from fastgrad.data.iterator import Iterator as Iterator
from fastgrad.data.options import Options as Options
from fastgrad.data.options import ThreadingOptions as ThreadingOptions
from fastgrad.data.readers import FixedLengthRecordDataset as FixedLengthRecordDataset
from fastgrad.data.readers import TextLineDataset as TextLineDataset
from fastgrad.data.readers import TFRecordDataset as TFRecordDataset
from fastgrad.data.structure import DatasetSpec as DatasetSpec

__getattr__, __dir__ = _namespace_hooks("tf.data", globals())
