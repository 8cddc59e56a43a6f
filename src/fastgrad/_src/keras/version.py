"""The Keras whose interface and files these are."""

KERAS_VERSION = "3.15.1"
