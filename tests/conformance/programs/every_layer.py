"""Every layer once: weights, results, gradients, configuration and shapes, from given weights and inputs."""

import numpy as np

from ..weights import with_weights

X2 = np.sin(np.arange(2 * 4) * 0.7).reshape(2, 4).astype(np.float32)
X3 = np.sin(np.arange(2 * 4 * 3) * 0.7).reshape(2, 4, 3).astype(np.float32)
X4 = np.sin(np.arange(1 * 4 * 4 * 2) * 0.7).reshape(1, 4, 4, 2).astype(np.float32)
X5 = np.sin(np.arange(1 * 3 * 3 * 3 * 1) * 0.7).reshape(1, 3, 3, 3, 1).astype(np.float32)
NUMBERS = np.array([[0, 2, 1], [1, 1, 0]], np.int32)
LEFT_OUT = ("dtype", "name", "implementation", "sparse")  # Keras forgets the last two
IF_NOT_NONE = (
    "activity_regularizer",
    "noise_shape",
    "quantization_config",
    "seed",
)  # some of Keras's classes leave them out

LAYERS = {
    "Dense": (lambda k: k.Dense(3, "tanh"), X2),
    "Dense of sequences": (lambda k: k.Dense(2, use_bias=False, kernel_regularizer="l2"), X3),
    "EinsumDense": (lambda k: k.EinsumDense("ab,bc->ac", 5, "relu", bias_axes="c"), X2),
    "EinsumDense of sequences": (lambda k: k.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d"), X3),
    "EinsumDense left": (lambda k: k.EinsumDense("...x,xy->...y", 5, bias_axes="y"), X3),
    "EinsumDense right": (lambda k: k.EinsumDense("ab...,bc->ac...", 5, bias_axes="c"), X3),
    "EinsumDense heads": (lambda k: k.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de"), X3),
    "EinsumDense steps": (lambda k: k.EinsumDense("abc,bd->adc", (5, 3), bias_axes="dc"), X3),
    "Embedding": (lambda k: k.Embedding(3, 2), NUMBERS),
    "Activation": (lambda k: k.Activation("softplus"), X2),
    "ReLU": (lambda k: k.ReLU(0.8, 0.1, 0.2), X2),
    "LeakyReLU": (lambda k: k.LeakyReLU(), X2),
    "PReLU": (lambda k: k.PReLU(), X3),
    "PReLU shared": (lambda k: k.PReLU(shared_axes=[1]), X3),
    "ELU": (lambda k: k.ELU(0.7), X2),
    "Softmax": (lambda k: k.Softmax(), X2),
    "Softmax of axes": (lambda k: k.Softmax(axis=(1, 2)), X3),
    "Dropout": (lambda k: k.Dropout(0.4, (None, 1), 3), X2),
    "SpatialDropout1D": (lambda k: k.SpatialDropout1D(0.4), X3),
    "SpatialDropout2D": (lambda k: k.SpatialDropout2D(0.4), X4),
    "AlphaDropout": (lambda k: k.AlphaDropout(0.4), X2),
    "GaussianNoise": (lambda k: k.GaussianNoise(0.4), X2),
    "ActivityRegularization": (lambda k: k.ActivityRegularization(0.1, 0.2), X2),
    "Resizing": (lambda k: k.Resizing(3, 5), X4),
    "CenterCrop": (lambda k: k.CenterCrop(3, 2), X4),
    "Flatten": (lambda k: k.Flatten(), X4),
    "Reshape": (lambda k: k.Reshape((6, -1)), X3),
    "Permute": (lambda k: k.Permute((2, 1)), X3),
    "RepeatVector": (lambda k: k.RepeatVector(3), X2),
    "Identity": (lambda k: k.Identity(), X2),
    "Masking": (lambda k: k.Masking(0.0), X3),
    "Cropping2D": (lambda k: k.Cropping2D(((1, 0), (0, 2))), X4),
    "Cropping2D number": (lambda k: k.Cropping2D(1), X4),
    "Cropping2D first": (lambda k: k.Cropping2D((0, 0), "channels_first"), X4),
    "ZeroPadding2D": (lambda k: k.ZeroPadding2D(((1, 0), (2, 1))), X4),
    "UpSampling2D": (lambda k: k.UpSampling2D((2, 1)), X4),
    "UpSampling2D bilinear": (lambda k: k.UpSampling2D((2, 3), interpolation="bilinear"), X4),
    "UpSampling2D bicubic": (lambda k: k.UpSampling2D((2, 3), interpolation="bicubic"), X4),
    "UpSampling2D lanczos3": (lambda k: k.UpSampling2D((3, 1), interpolation="lanczos3"), X4),
    "UpSampling2D lanczos5": (lambda k: k.UpSampling2D(2, interpolation="lanczos5"), X4),
    "Conv1D": (lambda k: k.Conv1D(2, 2, 2, "same"), X3),
    "Conv2D": (lambda k: k.Conv2D(3, 3, activation="relu"), X4),
    "Conv3D": (lambda k: k.Conv3D(2, 2), X5),
    "Conv1DTranspose": (lambda k: k.Conv1DTranspose(2, 2, 2), X3),
    "Conv2DTranspose": (lambda k: k.Conv2DTranspose(2, 3, 2, "same"), X4),
    "DepthwiseConv1D": (lambda k: k.DepthwiseConv1D(2), X3),
    "DepthwiseConv2D": (lambda k: k.DepthwiseConv2D(2, depth_multiplier=2), X4),
    "SeparableConv1D": (lambda k: k.SeparableConv1D(3, 2), X3),
    "SeparableConv2D": (lambda k: k.SeparableConv2D(3, 2), X4),
    "MaxPooling1D": (lambda k: k.MaxPooling1D(), X3),
    "MaxPooling2D": (lambda k: k.MaxPooling2D(), X4),
    "MaxPooling3D": (lambda k: k.MaxPooling3D((2, 1, 1)), X5),
    "AveragePooling3D": (lambda k: k.AveragePooling3D(2), X5),
    "AveragePooling1D": (lambda k: k.AveragePooling1D(3, 1, "same"), X3),
    "AveragePooling2D": (lambda k: k.AveragePooling2D(), X4),
    "GlobalMaxPooling1D": (lambda k: k.GlobalMaxPooling1D(), X3),
    "GlobalMaxPooling3D": (lambda k: k.GlobalMaxPooling3D(), X5),
    "GlobalAveragePooling3D": (lambda k: k.GlobalAveragePooling3D(), X5),
    "GlobalMaxPooling2D": (lambda k: k.GlobalMaxPooling2D(keepdims=True), X4),
    "GlobalAveragePooling1D": (lambda k: k.GlobalAveragePooling1D(), X3),
    "GlobalAveragePooling2D": (lambda k: k.GlobalAveragePooling2D(), X4),
    "BatchNormalization": (lambda k: k.BatchNormalization(), X3),
    "LayerNormalization": (lambda k: k.LayerNormalization(), X3),
    "RMSNormalization": (lambda k: k.RMSNormalization(), X3),
    "GroupNormalization": (lambda k: k.GroupNormalization(2), X4),
    "UnitNormalization": (lambda k: k.UnitNormalization(), X3),
    "SimpleRNN": (lambda k: k.SimpleRNN(2), X3),
    "ConvLSTM2D": (lambda k: k.ConvLSTM2D(2, 2, recurrent_activation="hard_sigmoid"), X5),
    "LSTM": (lambda k: k.LSTM(2, return_sequences=True), X3),
    "GRU": (lambda k: k.GRU(2), X3),
    "StackedRNNCells": (lambda k: k.RNN(k.StackedRNNCells([k.SimpleRNNCell(2), k.GRUCell(3)])), X3),
    "RNN": (lambda k: k.RNN([k.GRUCell(2), k.LSTMCell(3)]), X3),
    "SimpleRNNCell": (lambda k: k.RNN(k.SimpleRNNCell(2, "relu")), X3),
    "GRUCell": (lambda k: k.RNN(k.GRUCell(2, reset_after=False)), X3),
    "LSTMCell": (lambda k: k.RNN(k.LSTMCell(2, unit_forget_bias=False), return_sequences=True), X3),
    "Bidirectional": (lambda k: k.Bidirectional(k.LSTM(2)), X3),
    "TimeDistributed": (lambda k: k.TimeDistributed(k.Dense(2)), X3),
    "MultiHeadAttention": (lambda k: k.MultiHeadAttention(2, 3), (X3, X3)),
    "Attention": (lambda k: k.Attention(use_scale=True, score_mode="concat"), [X3, X3 + 1]),
    "Rescaling": (lambda k: k.Rescaling(2.0, -1.0), X2),
    "Rescaling of integers": (lambda k: k.Rescaling([1.0, 0.5, 2.0]), NUMBERS),
    "Normalization": (lambda k: k.Normalization(), X2),
    "Normalization given": (lambda k: k.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0]), X3),
    "Normalization of all": (lambda k: k.Normalization(None, 2.0, 3.0, invert=True), X3),
    "CategoryEncoding": (lambda k: k.CategoryEncoding(3), NUMBERS),
    "CategoryEncoding one_hot": (lambda k: k.CategoryEncoding(3, "one_hot"), NUMBERS),
    "CategoryEncoding one_hot of a column": (lambda k: k.CategoryEncoding(3, "one_hot"), NUMBERS[:, :1]),
    "CategoryEncoding count": (lambda k: k.CategoryEncoding(3, "count"), NUMBERS),
    "Add": (lambda k: k.Add(), [X2, X2 + 1]),
    "Subtract": (lambda k: k.Subtract(), [X2, X2 + 1]),
    "Multiply": (lambda k: k.Multiply(), [X2, X2 + 1]),
    "Average": (lambda k: k.Average(), [X2, X2 + 1]),
    "Maximum": (lambda k: k.Maximum(), [X2, -X2]),
    "Minimum": (lambda k: k.Minimum(), [X2, -X2]),
    "Concatenate": (lambda k: k.Concatenate(1), [X3, X3]),
    "Dot": (lambda k: k.Dot((2, 2)), [X3, X3[:, :2]]),
}


def _plain(value):
    """A configuration with its keys in order, tuples as lists, without names and options that are not set."""
    if isinstance(value, dict):
        skipped = {*LEFT_OUT, *(key for key in IF_NOT_NONE if value.get(key) is None)}
        return {key: _plain(value[key]) for key in sorted(value) if key not in skipped}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _called(layer, x, **options):
    return layer(*x, **options) if isinstance(x, tuple) else layer(x, **options)


def _arrays(tf, x):
    return type(x)(tf.constant(one) for one in x) if isinstance(x, (tuple, list)) else tf.constant(x)


def _first(x):
    return x[0] if isinstance(x, (tuple, list)) else x


def _asked(tf, name):
    make, x = LAYERS[name]

    def built():
        layer = make(tf.keras.layers)
        _called(layer, _arrays(tf, x))
        if name == "Normalization":
            layer.adapt(x)
            return layer
        return with_weights(layer)

    def differentiated():
        layer, inputs = built(), _arrays(tf, x)
        floats = _first(inputs).dtype == tf.float32
        with tf.GradientTape() as tape:
            if floats:
                tape.watch(_first(inputs))
            y = _called(layer, inputs)
            loss = tf.reduce_sum(y * tf.cos(y)) + sum(layer.losses)
        sources = ([_first(inputs)] if floats else []) + layer.trainable_weights
        return [None if g is None else tf.convert_to_tensor(g) for g in tape.gradient(loss, sources)]

    def symbolic():
        shape = [(None, *one.shape[1:]) for one in (x if isinstance(x, (tuple, list)) else [x])]
        inputs = [tf.keras.Input(one[1:], dtype=str(_first(x).dtype)) for one in shape]
        y = _called(make(tf.keras.layers), type(x)(inputs) if isinstance(x, (tuple, list)) else inputs[0])
        return [list(y.shape), str(y.dtype)]

    def again():
        layer = built()
        copy = type(layer).from_config(layer.get_config())
        _called(copy, _arrays(tf, x))
        copy.set_weights(layer.get_weights())
        if name == "Normalization":
            copy.adapt(x)
        return bool(np.array_equal(_called(copy, _arrays(tf, x)), _called(layer, _arrays(tf, x))))

    def mixed():
        full = np.asarray(tf.cast(_called(built(), _arrays(tf, x)), tf.float32))
        tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
        try:
            layer = built()
            y = _called(layer, _arrays(tf, x))
        finally:
            tf.keras.mixed_precision.set_global_policy("float32")
        weights = sorted({np.asarray(w).dtype.name for w in layer.weights})
        return [y.dtype, float(np.abs(full - np.asarray(tf.cast(y, tf.float32))).max()) < 0.03, weights]

    return {
        "mixed precision": mixed,
        "weights": lambda: [[w.name, list(w.shape), w.trainable] for w in built().weights],
        "result": lambda: _called(built(), _arrays(tf, x)),
        "gradients": differentiated,
        "symbolic": symbolic,
        "configuration": lambda: _plain(make(tf.keras.layers).get_config()),
        "made again": again,
        "supports masks": lambda: bool(built().supports_masking),
    }


def results(tf):
    return {f"{name}: {question}": answer for name in LAYERS for question, answer in _asked(tf, name).items()}
