"""What the docstrings of the most used functions of ``keras.ops`` say."""

from __future__ import annotations

PARAMETERS = {
    "x": "a tensor, a ``KerasTensor``, or numbers that become a tensor.",
    "x1": "a tensor, a ``KerasTensor``, or numbers that become a tensor.",
    "x2": "the same; the shapes broadcast, and both become one dtype.",
    "keepdims": "whether the reduced axes stay, with size 1.",
    "shape": "the sizes of the result.",
}
"""What parameters of many functions are."""
REDUCED_AXIS = "an axis or several; None for all."
"""What the parameter ``axis`` is of functions that have ``keepdims``."""

_NUMPY_CALLS = {
    "abs": ("[-1.0, 2.0]", "array([1., 2.], dtype=float32)"),
    "add": ("[1.0, 2.0], 3.0", "array([4., 5.], dtype=float32)"),
    "all": ("[[True, False], [True, True]], axis=1", "array([False,  True])"),
    "any": ("[[True, False], [False, False]], axis=1", "array([ True, False])"),
    "arange": ("1, 4", "array([1, 2, 3], dtype=int32)"),
    "argmax": ("[[1, 5, 2], [7, 3, 4]], axis=1", "array([1, 0], dtype=int32)"),
    "argmin": ("[[1, 5, 2], [7, 3, 4]], axis=1", "array([0, 1], dtype=int32)"),
    "argsort": ("[3, 1, 2]", "array([1, 2, 0], dtype=int32)"),
    "array": ("[1.0, 2.0]", "array([1., 2.], dtype=float32)"),
    "cast": ('[1.5, 2.5], "int32"', "array([1, 2], dtype=int32)"),
    "ceil": ("[1.5, -1.5]", "array([ 2., -1.], dtype=float32)"),
    "clip": ("[-2.0, 0.5, 3.0], 0.0, 1.0", "array([0. , 0.5, 1. ], dtype=float32)"),
    "concatenate": ("[[1, 2], [3]]", "array([1, 2, 3], dtype=int32)"),
    "copy": ("[1.0, 2.0]", "array([1., 2.], dtype=float32)"),
    "cos": ("[0.0]", "array([1.], dtype=float32)"),
    "cumprod": ("[1, 2, 3]", "array([1, 2, 6], dtype=int32)"),
    "cumsum": ("[1, 2, 3]", "array([1, 3, 6], dtype=int32)"),
    "divide": ("[1, 2], 2", "array([0.5, 1. ], dtype=float32)"),
    "dot": ("[1.0, 2.0], [3.0, 4.0]", "np.float32(11.0)"),
    "einsum": ('"ij,j->i", [[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0]', "array([3., 7.], dtype=float32)"),
    "equal": ("[1, 2], [1, 3]", "array([ True, False])"),
    "exp": ("[0.0]", "array([1.], dtype=float32)"),
    "flip": ("[1, 2, 3]", "array([3, 2, 1], dtype=int32)"),
    "floor": ("[1.5, -1.5]", "array([ 1., -2.], dtype=float32)"),
    "full": ("(2,), 7", "array([7., 7.], dtype=float32)"),
    "greater": ("[1, 3], 2", "array([False,  True])"),
    "greater_equal": ("[1, 2], 2", "array([False,  True])"),
    "isnan": ('[1.0, float("nan")]', "array([False,  True])"),
    "less": ("[1, 3], 2", "array([ True, False])"),
    "less_equal": ("[1, 2], 2", "array([ True,  True])"),
    "linspace": ("0, 1, 5", "array([0.  , 0.25, 0.5 , 0.75, 1.  ], dtype=float32)"),
    "log": ("[1.0]", "array([0.], dtype=float32)"),
    "log_softmax": ("[0.0]", "array([0.], dtype=float32)"),
    "logical_and": ("[True, True], [True, False]", "array([ True, False])"),
    "logical_not": ("[True, False]", "array([False,  True])"),
    "logical_or": ("[True, False], [False, False]", "array([ True, False])"),
    "logical_xor": ("[True, True], [True, False]", "array([False,  True])"),
    "map": ("lambda x: x * x, np.array([1, 2, 3])", "array([1, 4, 9])"),
    "matmul": ("[[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0]", "array([3., 7.], dtype=float32)"),
    "max": ("[[1.0, 5.0], [3.0, 4.0]], axis=0", "array([3., 5.], dtype=float32)"),
    "maximum": ("[1.0, 4.0], [3.0, 2.0]", "array([3., 4.], dtype=float32)"),
    "mean": ("[[1.0, 2.0], [3.0, 4.0]], axis=1", "array([1.5, 3.5], dtype=float32)"),
    "min": ("[[1.0, 5.0], [3.0, 4.0]], axis=0", "array([1., 4.], dtype=float32)"),
    "minimum": ("[1.0, 4.0], [3.0, 2.0]", "array([1., 2.], dtype=float32)"),
    "multiply": ("[1.0, 2.0], 3.0", "array([3., 6.], dtype=float32)"),
    "negative": ("[1.0, -2.0]", "array([-1.,  2.], dtype=float32)"),
    "normalize": ("[3.0, 4.0]", "array([0.6, 0.8], dtype=float32)"),
    "not_equal": ("[1, 2], [1, 3]", "array([False,  True])"),
    "ones": ("(2,)", "array([1., 1.], dtype=float32)"),
    "ones_like": ("[1.0, 2.0]", "array([1., 1.], dtype=float32)"),
    "pad": ("[1, 2], (1, 2)", "array([0, 1, 2, 0, 0], dtype=int32)"),
    "power": ("[2.0, 3.0], 2", "array([4., 9.], dtype=float32)"),
    "prod": ("[[1.0, 2.0], [3.0, 4.0]], axis=0", "array([3., 8.], dtype=float32)"),
    "reciprocal": ("[2.0, 4.0]", "array([0.5 , 0.25], dtype=float32)"),
    "relu": ("[-1.0, 2.0]", "array([0., 2.], dtype=float32)"),
    "repeat": ("[1, 2], 2", "array([1, 1, 2, 2], dtype=int32)"),
    "roll": ("[1, 2, 3], 1", "array([3, 1, 2], dtype=int32)"),
    "round": ("[1.25, 2.5]", "array([1., 2.], dtype=float32)"),
    "rsqrt": ("[4.0]", "array([0.5], dtype=float32)"),
    "scatter_update": ("np.zeros(4), [[1], [3]], [5.0, 6.0]", "array([0., 5., 0., 6.])"),
    "sigmoid": ("[0.0]", "array([0.5], dtype=float32)"),
    "sign": ("[-2.0, 0.0, 3.0]", "array([-1.,  0.,  1.], dtype=float32)"),
    "silu": ("[0.0]", "array([0.], dtype=float32)"),
    "sin": ("[0.0]", "array([0.], dtype=float32)"),
    "slice": ("[1, 2, 3, 4], (1,), (2,)", "array([2, 3], dtype=int32)"),
    "slice_update": ("np.zeros(4), (1,), np.ones(2)", "array([0., 1., 1., 0.])"),
    "softmax": ("[0.0, 0.0]", "array([0.5, 0.5], dtype=float32)"),
    "sort": ("[3, 1, 2]", "array([1, 2, 3], dtype=int32)"),
    "sqrt": ("[1.0, 4.0]", "array([1., 2.], dtype=float32)"),
    "square": ("[2.0, 3.0]", "array([4., 9.], dtype=float32)"),
    "std": ("[1.0, 3.0]", "np.float32(1.0)"),
    "stop_gradient": ("[1.0]", "array([1.], dtype=float32)"),
    "subtract": ("[1.0, 2.0], 3.0", "array([-2., -1.], dtype=float32)"),
    "sum": ("[[1.0, 2.0], [3.0, 4.0]], axis=0", "array([4., 6.], dtype=float32)"),
    "take": ("[10, 20, 30], [2, 0]", "array([30, 10], dtype=int32)"),
    "tanh": ("[0.0]", "array([0.], dtype=float32)"),
    "tile": ("[1, 2], 2", "array([1, 2, 1, 2], dtype=int32)"),
    "var": ("[1.0, 3.0]", "np.float32(1.0)"),
    "vectorized_map": ("lambda x: x * x, np.array([1, 2, 3])", "array([1, 4, 9])"),
    "where": ("[True, False], [1, 2], 0", "array([1, 0], dtype=int32)"),
    "zeros": ("(2,)", "array([0., 0.], dtype=float32)"),
    "zeros_like": ("[1.0, 2.0]", "array([0., 0.], dtype=float32)"),
}
"""Arguments of calls whose result is shown as an array, and the array, by the function's name."""

EXAMPLES = {
    **{
        name: f">>> tf.keras.ops.{name}({arguments}).numpy()\n{result}"
        for name, (arguments, result) in _NUMPY_CALLS.items()
    },
    "broadcast_to": """>>> tf.keras.ops.broadcast_to([1, 2], (2, 2)).numpy()
array([[1, 2],
       [1, 2]], dtype=int32)""",
    "cond": """>>> int(tf.keras.ops.cond(True, lambda: 1, lambda: 2))
1""",
    "convert_to_tensor": """>>> tf.keras.ops.convert_to_tensor([1.0, 2.0])
<tf.Tensor: shape=(2,), dtype=float32, numpy=array([1., 2.], dtype=float32)>""",
    "dot_product_attention": """>>> x = np.ones((1, 2, 1, 4), np.float32)
>>> tf.keras.ops.dot_product_attention(x, x, x).shape
TensorShape([1, 2, 1, 4])""",
    "expand_dims": """>>> tf.keras.ops.expand_dims(np.zeros(3), 0).shape
TensorShape([1, 3])""",
    "eye": """>>> tf.keras.ops.eye(2).numpy()
array([[1., 0.],
       [0., 1.]], dtype=float32)""",
    "fori_loop": """>>> int(tf.keras.ops.fori_loop(0, 4, lambda i, value: value + i, 0))
6""",
    "gelu": """>>> tf.keras.ops.gelu([0.0, 1.0]).numpy().round(2)
array([0.  , 0.84], dtype=float32)""",
    "logaddexp": """>>> tf.keras.ops.logaddexp([0.0], [0.0]).numpy().round(2)
array([0.69], dtype=float32)""",
    "logsumexp": """>>> tf.keras.ops.logsumexp([0.0, 0.0]).numpy().round(2)
np.float32(0.69)""",
    "meshgrid": """>>> [part.numpy().tolist() for part in tf.keras.ops.meshgrid([1, 2], [3, 4])]
[[[1, 2], [1, 2]], [[3, 3], [4, 4]]]""",
    "ndim": """>>> tf.keras.ops.ndim(np.zeros((2, 3)))
2""",
    "one_hot": """>>> tf.keras.ops.one_hot([0, 2], 3).numpy()
array([[1., 0., 0.],
       [0., 0., 1.]], dtype=float32)""",
    "reshape": """>>> tf.keras.ops.reshape([1, 2, 3, 4], (2, -1)).numpy()
array([[1, 2],
       [3, 4]], dtype=int32)""",
    "scan": """>>> state, sums = tf.keras.ops.scan(lambda total, x: (total + x, total + x), 0.0, np.array([1.0, 2.0, 3.0], np.float32))
>>> state.numpy(), sums.numpy()
(np.float32(6.0), array([1., 3., 6.], dtype=float32))""",
    "split": """>>> [part.numpy().tolist() for part in tf.keras.ops.split([1, 2, 3, 4], 2)]
[[1, 2], [3, 4]]""",
    "squeeze": """>>> tf.keras.ops.squeeze(np.zeros((1, 3))).shape
TensorShape([3])""",
    "stack": """>>> tf.keras.ops.stack([[1, 2], [3, 4]], axis=1).numpy()
array([[1, 3],
       [2, 4]], dtype=int32)""",
    "switch": """>>> int(tf.keras.ops.switch(1, [lambda x: x, lambda x: 2 * x], 5))
10""",
    "take_along_axis": """>>> tf.keras.ops.take_along_axis([[1, 2], [3, 4]], [[1], [0]], axis=1).numpy()
array([[2],
       [3]], dtype=int32)""",
    "top_k": """>>> values, positions = tf.keras.ops.top_k([1.0, 5.0, 3.0], 2)
>>> values.numpy(), positions.numpy()
(array([5., 3.], dtype=float32), array([1, 2], dtype=int32))""",
    "transpose": """>>> tf.keras.ops.transpose([[1, 2], [3, 4]]).numpy()
array([[1, 3],
       [2, 4]], dtype=int32)""",
    "tril": """>>> tf.keras.ops.tril([[1, 2], [3, 4]]).numpy()
array([[1, 0],
       [3, 4]], dtype=int32)""",
    "triu": """>>> tf.keras.ops.triu([[1, 2], [3, 4]]).numpy()
array([[1, 2],
       [0, 4]], dtype=int32)""",
    "unstack": """>>> [part.numpy().tolist() for part in tf.keras.ops.unstack([[1, 2], [3, 4]])]
[[1, 2], [3, 4]]""",
    "while_loop": """>>> i, total = tf.keras.ops.while_loop(lambda i, total: i < 4, lambda i, total: (i + 1, total + i), (0, 0))
>>> int(total)
6""",
}
"""Calls and what they print, by the function's name; ``keras.ops.nn`` and ``keras.ops.numpy`` have the same."""

PURPOSES = {
    "arange": "Numbers from ``start`` to ``stop``, which is left out.",
    "argmax": "The position of the largest element along an axis; the first of equal ones.",
    "argmin": "The position of the smallest element along an axis; the first of equal ones.",
    "argsort": "The positions that sort the elements along an axis.",
    "broadcast_to": "A tensor repeated along its axes of size 1, and along new axes in front.",
    "cast": "Converts the elements to another dtype; a conversion to integers cuts off the fraction.",
    "clip": "The elements, limited to a range.",
    "cond": "Calls one of two functions, and returns its result.",
    "convert_to_tensor": "Converts numbers, arrays and variables to a tensor.",
    "copy": "A new tensor of the same value.",
    "cumprod": "Products of the elements so far, along an axis.",
    "cumsum": "Sums of the elements so far, along an axis.",
    "eye": "A matrix with ones on a diagonal and zeros elsewhere.",
    "flip": "The elements in reverse order along axes.",
    "fori_loop": "Calls a function for each number of a range.",
    "full": "A tensor of one value.",
    "gelu": "``x`` times the probability that a normal number is below it.",
    "linspace": "Numbers with equal distances.",
    "logaddexp": "``log(exp(x1) + exp(x2))``, element by element, without overflow.",
    "logical_and": "Whether both are true, element by element; numbers other than 0 are true.",
    "logical_not": "The opposite of truth values, element by element; numbers other than 0 are true.",
    "logical_or": "Whether one or both are true, element by element; numbers other than 0 are true.",
    "logical_xor": "Whether exactly one is true, element by element; numbers other than 0 are true.",
    "logsumexp": "``log(sum(exp(x)))`` over axes, without overflow.",
    "map": "Calls a function for each index of the first axis, and stacks the results.",
    "matmul": "The matrix product, of stacks of matrices along the last two axes.",
    "max": "The largest element over axes; NaN if one element is NaN.",
    "meshgrid": "The coordinates of a grid, one tensor for each axis.",
    "min": "The smallest element over axes; NaN if one element is NaN.",
    "ndim": "The number of axes.",
    "normalize": "A tensor divided by its norm along an axis.",
    "one_hot": "1 at each index along a new axis, 0 elsewhere; all 0 for an index out of range.",
    "ones": "A tensor of ones.",
    "ones_like": "A tensor of ones with the shape of another.",
    "pad": "A tensor with elements before and after it along each axis.",
    "prod": "The product over axes.",
    "relu": "``max(x, 0)``, element by element; the gradient at 0 is 0.",
    "repeat": "Each element several times in a row.",
    "reshape": "The same elements in another shape.",
    "roll": "The elements moved along an axis; those that leave it come in at the other end.",
    "round": "The elements rounded to the nearest number of so many decimals; halves to the even one.",
    "rsqrt": "``1 / sqrt(x)``, element by element: infinite at 0, NaN below.",
    "scan": "Calls a function for each index of the first axis; each call gets the state of the call before.",
    "scatter_update": "A tensor with elements or rows replaced.",
    "slice": "A block of a tensor.",
    "slice_update": "A tensor with a block replaced.",
    "sort": "The elements in increasing order along an axis; NaN comes last.",
    "squeeze": "A tensor without its axes of size 1.",
    "std": "The population standard deviation over axes.",
    "stop_gradient": "The same tensor, through which no gradient flows.",
    "switch": "Calls one of several functions, and returns its result.",
    "top_k": "The largest elements along the last axis, and their positions.",
    "transpose": "A tensor with its axes in another order.",
    "unstack": "The parts of a tensor along an axis, without that axis, as a list.",
    "vectorized_map": "Calls a function for all indices of the first axis at once.",
    "where": "``x1`` where the condition is true, and ``x2`` elsewhere; without both, the positions of true elements.",
    "while_loop": "Calls a function as long as a condition is true.",
    "zeros": "A tensor of zeros.",
    "zeros_like": "A tensor of zeros with the shape of another.",
}
"""First paragraphs, where that of the function of TensorFlow that computes it does not say it."""

ARGUMENTS = {
    "arange": {
        "start": "the first number; with ``start`` alone, the end, and the first is 0.",
        "stop": "the end.",
        "step": "the difference of neighbours; default 1.",
        "dtype": "the dtype of the result; None for that of the arguments.",
    },
    "argmax": {"axis": "an axis; None for the position among all elements."},
    "argmin": {"axis": "an axis; None for the position among all elements."},
    "argsort": {"axis": "an axis; None for all elements as a vector."},
    "array": {"dtype": "the dtype of the result; None to keep that of ``x``."},
    "cast": {"dtype": "the new dtype, or its name."},
    "clip": {
        "x_min": "the lower end.",
        "x_max": "the upper end.",
    },
    "concatenate": {
        "xs": "tensors whose shapes are the same but for ``axis``.",
        "axis": "the axis along which they are joined.",
    },
    "cond": {
        "pred": "one truth value.",
        "true_fn": "a function without arguments, for True.",
        "false_fn": "a function without arguments, for False.",
    },
    "convert_to_tensor": {
        "dtype": "the dtype of the result; None for that of ``x``.",
        "sparse": "False makes a sparse tensor dense.",
        "ragged": "False pads a ragged tensor with zeros.",
    },
    "cumprod": {
        "axis": "an axis; None for all elements as a vector.",
        "dtype": "the dtype of the result; None for that of ``x``.",
    },
    "cumsum": {
        "axis": "an axis; None for all elements as a vector.",
        "dtype": "the dtype of the result; None for that of ``x``.",
    },
    "dot": {
        "x1": "a tensor.",
        "x2": "a tensor; its last axis but one has the size of the last axis of ``x1``.",
    },
    "dot_product_attention": {
        "query": "a tensor of shape (batch, words, heads, depth).",
        "key": "a tensor of shape (batch, words of keys, heads, depth).",
        "value": "a tensor of the shape of ``key``.",
        "bias": "numbers that are added to the scores, of shape (batch, heads, words, words of keys), or one that broadcasts.",
        "mask": "True where a word sees a key, of the shape of the scores; None for everywhere.",
        "scale": "a factor of the scores; None for ``1 / sqrt(depth)``.",
        "is_causal": "whether a word sees no later key.",
        "flash_attention": "must be None or False.",
        "attn_logits_soft_cap": "must be None.",
    },
    "einsum": {
        "subscripts": "the axes of each operand and of the result, as letters.",
        "operands": "tensors.",
        "kwargs": "options of ``tf.einsum``.",
    },
    "expand_dims": {"axis": "the place of the new axis in the result, or a tuple of places."},
    "eye": {
        "N": "the number of rows.",
        "M": "the number of columns; None for ``N``.",
        "k": "the diagonal; above the main one if positive.",
        "dtype": "the dtype of the result; None for ``floatx()``.",
    },
    "flip": {"axis": "an axis or several; None for all."},
    "fori_loop": {
        "lower": "the first number.",
        "upper": "the end, which is left out.",
        "body_fun": "``body_fun(i, value)`` returns the new value.",
        "init_val": "the first value.",
    },
    "full": {
        "fill_value": "the value; its shape broadcasts to ``shape``.",
        "dtype": "the dtype of the result; None for ``floatx()``.",
    },
    "gelu": {"approximate": "whether that is computed by ``tanh``."},
    "linspace": {
        "start": "the first number, or a tensor of first ones.",
        "stop": "the last number.",
        "num": "how many.",
        "endpoint": "whether ``stop`` is among them.",
        "retstep": "whether the distance is returned, too.",
        "dtype": "the dtype of the result; None for that of the arguments as floats.",
        "axis": "the place of the new axis, for tensors.",
    },
    "log_softmax": {"axis": "an axis, or several that are taken together."},
    "map": {
        "f": "a function of an element of ``xs``.",
        "xs": "a tensor, or a structure of tensors.",
    },
    "matmul": {
        "x1": "a tensor; a vector is a row.",
        "x2": "a tensor; a vector is a column. The axes before the last two broadcast.",
    },
    "max": {"initial": "an element more."},
    "meshgrid": {
        "x": "vectors, the coordinates along each axis.",
        "indexing": '``"xy"`` puts the second vector first, ``"ij"`` keeps the order.',
    },
    "min": {"initial": "an element more."},
    "normalize": {
        "axis": "an axis or several.",
        "order": "the order of the norm.",
        "epsilon": "the least divisor; None for ``epsilon()``.",
    },
    "one_hot": {
        "x": "integers.",
        "num_classes": "the size of the new axis.",
        "axis": "its place in the result.",
        "dtype": "the dtype of the result; None for ``floatx()``.",
        "sparse": "whether the result is a sparse tensor.",
    },
    "ones": {"dtype": "the dtype of the result; None for ``floatx()``."},
    "ones_like": {"dtype": "the dtype of the result; None for that of ``x``."},
    "pad": {
        "pad_width": "a pair of numbers for each axis, one pair for all, or one number.",
        "mode": '``"constant"``, ``"reflect"`` or ``"symmetric"``.',
        "constant_values": 'the new elements in mode ``"constant"``; default 0.',
    },
    "prod": {"dtype": "the dtype of the result; None for that of ``x``, and 32 bits for smaller integers."},
    "repeat": {
        "repeats": "how often; a number, or one for each index of the axis.",
        "axis": "an axis; None for all elements as a vector.",
    },
    "reshape": {"newshape": "the new sizes, of which one may be -1: it follows from the number of elements."},
    "roll": {
        "shift": "by how many places.",
        "axis": "an axis; None moves all elements as a vector.",
    },
    "round": {"decimals": "the number of decimals; negative ones round to tens, hundreds and so on."},
    "scan": {
        "f": "``f(state, x)`` returns the new state and an output.",
        "init": "the first state.",
        "xs": "a tensor, or a structure of tensors, whose first axes have one size; None if ``f`` needs no ``x``.",
        "length": "the number of calls, for ``xs=None``.",
        "reverse": "whether the last index comes first.",
        "unroll": "kept for Keras's signature.",
    },
    "scatter_update": {
        "inputs": "a tensor.",
        "indices": "the places, of shape (number, k): each row has the first k indices of a place.",
        "updates": "the new elements, one for each place.",
        "reduction": 'None replaces; ``"add"``, ``"max"``, ``"min"`` and ``"mul"`` combine with what is there.',
    },
    "slice": {
        "inputs": "a tensor.",
        "start_indices": "the first index of each axis.",
        "shape": "the size of the block along each axis; -1 for all that follow.",
    },
    "slice_update": {
        "inputs": "a tensor.",
        "start_indices": "the first index of the block along each axis.",
        "updates": "the block, a tensor with as many axes.",
    },
    "softmax": {"axis": "an axis, or several that are taken together."},
    "sort": {"axis": "an axis; None for all elements as a vector."},
    "split": {
        "indices_or_sections": "the number of equal parts, or the indices where parts begin.",
        "axis": "the axis that is split.",
    },
    "squeeze": {"axis": "the axis or axes that are removed; None for all of size 1."},
    "stack": {
        "x": "tensors of one shape.",
        "axis": "the place of the new axis in the result.",
    },
    "stop_gradient": {"variable": "a tensor."},
    "switch": {
        "index": "the number of the function; one out of range becomes the nearest.",
        "branches": "functions of the operands.",
        "operands": "what the function gets.",
    },
    "take": {
        "indices": "integers.",
        "axis": "an axis; None for all elements as a vector.",
    },
    "take_along_axis": {
        "indices": "integers, of the shape of ``x`` but for ``axis``.",
        "axis": "an axis.",
    },
    "tile": {"repeats": "how often along each axis."},
    "top_k": {
        "k": "how many.",
        "sorted": "whether the largest comes first; the order is not defined otherwise.",
    },
    "transpose": {"axes": "axis ``i`` of the result is axis ``axes[i]`` of ``x``; None reverses the order."},
    "tril": {"k": "the diagonal; above the main one if positive."},
    "triu": {"k": "the diagonal; above the main one if positive."},
    "unstack": {
        "num": "their number; None for the size of the axis.",
        "axis": "the axis.",
    },
    "vectorized_map": {
        "function": "a function of an element of ``elements``.",
        "elements": "a tensor, or a structure of tensors.",
    },
    "where": {
        "condition": "a tensor of truth values.",
        "x1": "a tensor, or None.",
        "x2": "a tensor, or None; the three shapes broadcast.",
    },
    "while_loop": {
        "cond": "a function of the loop variables that returns one truth value.",
        "body": "a function of the loop variables that returns the new ones.",
        "loop_vars": "the first values: a tuple or list, or one tensor.",
        "maximum_iterations": "how many calls of ``body`` there may be; None for no limit.",
    },
    "zeros": {"dtype": "the dtype of the result; None for ``floatx()``."},
    "zeros_like": {"dtype": "the dtype of the result; None for that of ``x``."},
}
"""What parameters of a function are, where ``PARAMETERS`` does not say it."""
