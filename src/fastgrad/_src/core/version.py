"""The version of fastgrad (``tf.version``)."""

VERSION = "1.0.0rc1"
GIT_VERSION = VERSION
