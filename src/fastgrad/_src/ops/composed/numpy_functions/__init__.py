"""NumPy's functions on tensors, for ``keras.ops`` and ``tf.experimental.numpy``.

Functions have NumPy's names and arguments. Operands of one function have one dtype: each namespace promotes them by its own rules first.
"""
