"""Examples of the most used functions of ``keras.ops``, for their docstrings."""

from __future__ import annotations

EXAMPLES = {
    "ops.arange": """>>> tf.keras.ops.arange(4)
<tf.Tensor: shape=(4,), dtype=int32, numpy=array([0, 1, 2, 3], dtype=int32)>""",
    "ops.cast": """>>> tf.keras.ops.cast([1.5, 2.5], "int32")
<tf.Tensor: shape=(2,), dtype=int32, numpy=array([1, 2], dtype=int32)>""",
    "ops.concatenate": """>>> tf.keras.ops.concatenate([[1, 2], [3]])
<tf.Tensor: shape=(3,), dtype=int32, numpy=array([1, 2, 3], dtype=int32)>""",
    "ops.convert_to_tensor": """>>> tf.keras.ops.convert_to_tensor([1.0, 2.0])
<tf.Tensor: shape=(2,), dtype=float32, numpy=array([1., 2.], dtype=float32)>""",
    "ops.expand_dims": """>>> tf.keras.ops.expand_dims(np.zeros(3), 0).shape
TensorShape([1, 3])""",
    "ops.multiply": """>>> tf.keras.ops.multiply([1.0, 2.0], 3.0)
<tf.Tensor: shape=(2,), dtype=float32, numpy=array([3., 6.], dtype=float32)>""",
    "ops.ones": """>>> tf.keras.ops.ones((2,))
<tf.Tensor: shape=(2,), dtype=float32, numpy=array([1., 1.], dtype=float32)>""",
    "ops.ones_like": """>>> tf.keras.ops.ones_like([1.0, 2.0])
<tf.Tensor: shape=(2,), dtype=float32, numpy=array([1., 1.], dtype=float32)>""",
    "ops.reshape": """>>> tf.keras.ops.reshape([1, 2, 3, 4], (2, 2))
<tf.Tensor: shape=(2, 2), dtype=int32, numpy=
array([[1, 2],
       [3, 4]], dtype=int32)>""",
    "ops.slice_update": """>>> tf.keras.ops.slice_update(np.zeros(4), (1,), np.ones(2))
<tf.Tensor: shape=(4,), dtype=float64, numpy=array([0., 1., 1., 0.])>""",
    "ops.squeeze": """>>> tf.keras.ops.squeeze(np.zeros((1, 3))).shape
TensorShape([3])""",
    "ops.stack": """>>> tf.keras.ops.stack([[1, 2], [3, 4]], axis=1)
<tf.Tensor: shape=(2, 2), dtype=int32, numpy=
array([[1, 3],
       [2, 4]], dtype=int32)>""",
    "ops.sum": """>>> tf.keras.ops.sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
<tf.Tensor: shape=(2,), dtype=float32, numpy=array([4., 6.], dtype=float32)>""",
    "ops.transpose": """>>> tf.keras.ops.transpose([[1, 2], [3, 4]])
<tf.Tensor: shape=(2, 2), dtype=int32, numpy=
array([[1, 3],
       [2, 4]], dtype=int32)>""",
    "ops.zeros": """>>> tf.keras.ops.zeros((2,))
<tf.Tensor: shape=(2,), dtype=float32, numpy=array([0., 0.], dtype=float32)>""",
}
"""Calls and what they print, by the function's name."""
