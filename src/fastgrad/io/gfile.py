"""``tf.io.gfile``: the files and folders of this machine, with TensorFlow's functions and errors."""

from fastgrad._src.files.records.gfile import *
from fastgrad._src.files.records.gfile import __dir__ as __dir__
from fastgrad._src.files.records.gfile import __getattr__ as __getattr__
