"""The version of Keras whose interface and file formats this package has."""

KERAS_VERSION = "3.15.1"
