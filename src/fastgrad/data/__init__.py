"""``tf.data``: pipelines that feed training."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.data.dataset import AUTOTUNE as AUTOTUNE
from fastgrad._src.data.dataset import INFINITE_CARDINALITY as INFINITE_CARDINALITY
from fastgrad._src.data.dataset import UNKNOWN_CARDINALITY as UNKNOWN_CARDINALITY
from fastgrad._src.data.dataset import Dataset as Dataset
from fastgrad._src.data.element_spec import DatasetSpec as DatasetSpec
from fastgrad._src.data.iterator import Iterator as Iterator
from fastgrad._src.data.options import Options as Options
from fastgrad._src.data.options import ThreadingOptions as ThreadingOptions
from fastgrad._src.data.readers import FixedLengthRecordDataset as FixedLengthRecordDataset
from fastgrad._src.data.readers import TextLineDataset as TextLineDataset
from fastgrad._src.data.readers import TFRecordDataset as TFRecordDataset
from fastgrad.data import experimental as experimental

__getattr__, __dir__ = _namespace_hooks("tf.data", globals())
