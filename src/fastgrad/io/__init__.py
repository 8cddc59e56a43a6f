"""``tf.io``: files, records and examples, and image files as tensors."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.files.records.csv_records import decode_csv as decode_csv
from fastgrad._src.files.records.example_parsing import parse_example as parse_example
from fastgrad._src.files.records.example_parsing import parse_sequence_example as parse_sequence_example
from fastgrad._src.files.records.example_parsing import parse_single_example as parse_single_example
from fastgrad._src.files.records.example_parsing import parse_single_sequence_example as parse_single_sequence_example
from fastgrad._src.files.records.features import FixedLenFeature as FixedLenFeature
from fastgrad._src.files.records.features import FixedLenSequenceFeature as FixedLenSequenceFeature
from fastgrad._src.files.records.features import RaggedFeature as RaggedFeature
from fastgrad._src.files.records.features import VarLenFeature as VarLenFeature
from fastgrad._src.files.records.files import matching_files as matching_files
from fastgrad._src.files.records.files import read_file as read_file
from fastgrad._src.files.records.files import write_file as write_file
from fastgrad._src.files.records.record_writer import TFRecordOptions as TFRecordOptions
from fastgrad._src.files.records.record_writer import TFRecordWriter as TFRecordWriter
from fastgrad._src.files.records.serialized_sparse import serialize_sparse as serialize_sparse
from fastgrad._src.files.records.string_tensors import decode_base64 as decode_base64
from fastgrad._src.files.records.string_tensors import decode_compressed as decode_compressed
from fastgrad._src.files.records.string_tensors import decode_raw as decode_raw
from fastgrad._src.files.records.string_tensors import encode_base64 as encode_base64
from fastgrad._src.files.records.string_tensors import parse_tensor as parse_tensor
from fastgrad._src.files.records.string_tensors import serialize_tensor as serialize_tensor
from fastgrad._src.image.codecs import decode_and_crop_jpeg as decode_and_crop_jpeg
from fastgrad._src.image.codecs import decode_bmp as decode_bmp
from fastgrad._src.image.codecs import decode_gif as decode_gif
from fastgrad._src.image.codecs import decode_image as decode_image
from fastgrad._src.image.codecs import decode_jpeg as decode_jpeg
from fastgrad._src.image.codecs import decode_png as decode_png
from fastgrad._src.image.codecs import encode_jpeg as encode_jpeg
from fastgrad._src.image.codecs import encode_png as encode_png
from fastgrad._src.image.codecs import extract_jpeg_shape as extract_jpeg_shape
from fastgrad.io import gfile as gfile

__getattr__, __dir__ = _namespace_hooks("tf.io", globals())
