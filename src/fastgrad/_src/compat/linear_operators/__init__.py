"""Matrices that are kept in a cheaper form than an array of all elements: ``tf.linalg.LinearOperator`` and its kin."""
