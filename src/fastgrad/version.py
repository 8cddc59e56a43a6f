"""The version of fastgrad (``tf.version``)."""

VERSION = "0.1.0.dev0"
GIT_VERSION = VERSION
