"""Layers with rarer options, subclasses and inputs: building, initializers, normalization of large values, ranks."""

import numpy as np

X3 = np.sin(np.arange(2 * 3 * 4) * 0.7).reshape(2, 3, 4).astype(np.float32)
LARGE = np.full((2, 4, 8), 70000.0, np.float32)
LARGE[0, 0, 0] = 1.0

# Layers whose class has no `build` of its own that makes weights, and an input of each.
WITHOUT_WEIGHTS = {
    "Activation": (("relu",), (2, 3)),
    "ActivityRegularization": ((0.1,), (2, 3)),
    "Add": ((), [(2, 3), (2, 3)]),
    "Attention": ((), [(2, 3, 4), (2, 3, 4)]),
    "AveragePooling1D": ((), (2, 4, 3)),
    "CategoryEncoding": ((4,), (2, 3)),
    "Concatenate": ((), [(2, 3), (2, 3)]),
    "Dot": ((1,), [(2, 3), (2, 3)]),
    "Dropout": ((0.1,), (2, 3)),
    "ELU": ((), (2, 3)),
    "Flatten": ((), (2, 3, 4)),
    "GaussianNoise": ((0.1,), (2, 3)),
    "GlobalAveragePooling1D": ((), (2, 4, 3)),
    "GlobalMaxPooling2D": ((), (2, 4, 4, 3)),
    "Identity": ((), (2, 3)),
    "LeakyReLU": ((), (2, 3)),
    "Masking": ((), (2, 3, 4)),
    "MaxPooling2D": ((), (2, 4, 4, 3)),
    "Permute": (((2, 1),), (2, 3, 4)),
    "ReLU": ((), (2, 3)),
    "RepeatVector": ((2,), (2, 3)),
    "Rescaling": ((2.0,), (2, 3)),
    "Softmax": ((), (2, 3)),
    "SpatialDropout1D": ((0.1,), (2, 4, 3)),
    "UnitNormalization": ((), (2, 3)),
}


def _zeros(tf, shape):
    return [tf.zeros(one) for one in shape] if isinstance(shape, list) else tf.zeros(shape)


def _with_build(tf, name):
    """A subclass of a layer class, whose `build` adds a weight, and the names of the weights after a call."""
    arguments, shape = WITHOUT_WEIGHTS[name]

    class Subclass(getattr(tf.keras.layers, name)):
        def build(self, input_shape):
            super().build(input_shape)
            self.extra = self.add_weight(shape=(), name="extra")

    layer = Subclass(*arguments)
    before = layer.built
    layer(_zeros(tf, shape))
    layer(_zeros(tf, shape))
    return [before, layer.built, [weight.name for weight in layer.weights]]


def builds_of_subclasses(tf):
    return {name: lambda name=name: _with_build(tf, name) for name in WITHOUT_WEIGHTS}


def _equal_kernels(layer):
    """Whether each of the projections begins with the values of the first one."""
    layer.build((2, 4, 8), (2, 4, 8))
    kernels = [np.asarray(weight) for weight in layer.weights if weight.shape == (8, 2, 3)]
    return [bool(np.array_equal(kernels[0], kernel)) for kernel in kernels]


def first_values_of_projections(tf):
    layers, seeded = tf.keras.layers, tf.keras.initializers.HeNormal(seed=3)
    return {
        "MultiHeadAttention": lambda: _equal_kernels(layers.MultiHeadAttention(2, 3, use_gate=True)),
        "MultiHeadAttention with a seed": lambda: _equal_kernels(
            layers.MultiHeadAttention(2, 3, kernel_initializer=seeded)
        ),
        "biases": lambda: [
            bool(np.array_equal(weight, layer.weights[1]))
            for layer in [layers.MultiHeadAttention(2, 3, bias_initializer="random_normal")]
            for weight in [layer.build((2, 4, 8), (2, 4, 8)), *layer.weights][1:]
            if weight.shape == (2, 3)
        ],
        "both directions": lambda: [
            bool(np.array_equal(*[part.cell.get_weights()[0] for part in (layer.forward_layer, layer.backward_layer)]))
            for layer in [layers.Bidirectional(layers.LSTM(2))]
            if layer.build((2, 3, 4)) is None
        ],
        "separable": lambda: [
            bool(np.array_equal(np.ravel(layer.weights[0]), np.ravel(layer.weights[1])))
            for layer in [layers.SeparableConv1D(2, 2)]
            if layer.build((2, 3, 2)) is None
        ],
    }


def normalizations(tf):
    layers = tf.keras.layers
    makes = {
        "GroupNormalization": lambda **options: layers.GroupNormalization(groups=2, **options),
        "LayerNormalization": layers.LayerNormalization,
        "LayerNormalization of axis 1": lambda **options: layers.LayerNormalization(axis=1, **options),
        "RMSNormalization": layers.RMSNormalization,
        "BatchNormalization": layers.BatchNormalization,
    }

    def of_large(name, policy, factor):
        return tf.cast(makes[name](dtype=policy)(LARGE * np.float32(factor)), tf.float32)[0]

    def called_on_rank(rank):
        layer = layers.LayerNormalization()
        layer.build((2, 3, 4))
        return layer(X3[(None,) * (rank - 3)] if rank > 3 else X3[0])

    def with_weights_of_two_axes(axis):
        layer = layers.LayerNormalization(axis=axis)
        layer.build(X3.shape)
        layer.gamma.assign(np.arange(12.0).reshape(layer.gamma.shape))
        return [layer(X3), list(layer.gamma.shape), layer.axis]

    def of_float64(layer):
        return layer(X3.astype(np.float64)).dtype

    return {
        **{
            f"{name} of {policy} times {factor}": lambda name=name, policy=policy, factor=factor: of_large(
                name, policy, factor
            )
            for name in makes
            for policy in ("mixed_float16", "float16", "mixed_bfloat16")
            for factor in (1.0, 0.8, 0.004)
        },
        "rank 4 after rank 3": lambda: called_on_rank(4),
        "rank 5 after rank 3": lambda: called_on_rank(5),
        "rank 2 after rank 3": lambda: called_on_rank(2),
        "axes 1 and -1": lambda: with_weights_of_two_axes([1, -1]),
        "axes -1 and -2": lambda: with_weights_of_two_axes([-1, -2]),
        "RMSNormalization of two axes": lambda: layers.RMSNormalization(axis=[-1, -2])(X3),
        "LayerNormalization by the variance": lambda: layers.LayerNormalization(rms_scaling=True)(X3),
        "its weights": lambda: [
            weight.name
            for layer in [layers.LayerNormalization(rms_scaling=True)]
            for weight in [layer(X3), *layer.weights][1:]
        ],
        "LayerNormalization of float64": lambda: of_float64(layers.LayerNormalization()),
        "GroupNormalization of float64": lambda: of_float64(layers.GroupNormalization(2)),
        "no groups": lambda: layers.GroupNormalization(groups=0),
        "negative groups": lambda: layers.GroupNormalization(groups=-2),
        "another rank than at first": lambda: [
            layer(tf.ones((2, 3, 3, 4))) for layer in [layers.GroupNormalization(2)] if layer(X3) is not None
        ],
    }


def _renormalized(tf, **options):
    """Outputs, gradients and weights of three steps of training with renormalization, and an output of inference."""
    layer, answers = tf.keras.layers.BatchNormalization(renorm=True, **options), []
    for step in range(3):
        with tf.GradientTape() as tape:
            y = layer(X3 * np.float32(step + 1), training=True)
            loss = tf.reduce_sum(y * tf.sin(y))
        answers += [y, *[tf.convert_to_tensor(g) for g in tape.gradient(loss, layer.trainable_variables)]]
    return [
        *answers,
        *[[weight.name, tf.convert_to_tensor(weight), weight.trainable] for weight in layer.weights],
        layer(X3),
    ]


def renormalization(tf):
    layers = tf.keras.layers
    return {
        "plain": lambda: _renormalized(tf),
        "clipped": lambda: _renormalized(tf, renorm_clipping={"rmax": 1.5, "rmin": 0.9, "dmax": 0.2}),
        "without gamma": lambda: _renormalized(tf, scale=False, momentum=0.5),
        "without beta": lambda: _renormalized(tf, center=False, renorm_momentum=0.8),
        "of axis 1": lambda: _renormalized(tf, axis=1),
        "settings": lambda: [
            layers.BatchNormalization(renorm=True).renorm_clipping,
            layers.BatchNormalization(renorm_clipping={"dmax": -1}).renorm_clipping,
        ],
        "another bound": lambda: layers.BatchNormalization(renorm=True, renorm_clipping={"max": 1.0}),
        "bounds the wrong way round": lambda: layers.BatchNormalization(
            renorm=True, renorm_clipping={"rmax": 1.0, "rmin": 2.0}
        ),
        "a negative shift": lambda: layers.BatchNormalization(renorm=True, renorm_clipping={"dmax": -1.0}),
    }
