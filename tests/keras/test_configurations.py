"""``get_config`` of base classes and of users' classes: each class adds its own arguments, and only those."""

import pytest

from fastgrad import keras

L, metrics, optimizers = keras.layers, keras.metrics, keras.optimizers
SCHEDULES = keras.optimizers.schedules


class Wide(L.Dense):
    def __init__(self, width, **kwargs):
        super().__init__(width, **kwargs)

    def get_config(self):
        return {**super(L.Dense, self).get_config(), "width": self.units}


class WideOfLayer(Wide):
    def get_config(self):
        return {**L.Layer.get_config(self), "width": self.units}


@pytest.mark.parametrize("kind", [Wide, WideOfLayer])
def test_a_class_may_leave_out_the_arguments_of_its_base(kind):
    layer = kind.from_config(kind(3, name="wide").get_config())
    assert (layer.units, layer.name) == (3, "wide")


LAYER_NAMES = ["name", "trainable", "dtype"]
OPTIMIZER_NAMES = ["name", "learning_rate", "weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "use_ema"]
OPTIMIZER_NAMES += ["ema_momentum", "ema_overwrite_frequency", "loss_scale_factor", "gradient_accumulation_steps"]


@pytest.mark.parametrize(
    ("base", "make", "names"),
    [
        (L.Layer, lambda: L.Dense(3), LAYER_NAMES),
        (L.Layer, lambda: L.LSTM(3), LAYER_NAMES),
        (L.Layer, lambda: L.Conv2D(3, 2), LAYER_NAMES),
        (L.Dropout, lambda: L.Dropout(0.1), [*LAYER_NAMES, "rate", "seed", "noise_shape"]),
        (metrics.Metric, lambda: metrics.IoU(2, [1]), ["name", "dtype"]),
        (metrics.Metric, metrics.F1Score, ["name", "dtype"]),
        (metrics.FBetaScore, metrics.F1Score, ["name", "dtype", "average", "beta", "threshold"]),
        (optimizers.Optimizer, optimizers.Adam, OPTIMIZER_NAMES),
        (optimizers.Optimizer, optimizers.Muon, OPTIMIZER_NAMES),
        (keras.initializers.Initializer, keras.initializers.RandomNormal, []),
        (keras.constraints.Constraint, keras.constraints.MaxNorm, []),
    ],
)
def test_a_base_gives_its_own_arguments_only(base, make, names):
    assert list(base.get_config(make())) == names


@pytest.mark.parametrize(
    ("base", "made"),
    [
        (SCHEDULES.LearningRateSchedule, SCHEDULES.ExponentialDecay(0.1, 10, 0.5)),
        (keras.regularizers.Regularizer, keras.regularizers.L2(0.1)),
    ],
)
def test_bases_without_a_configuration(base, made):
    assert made.get_config()
    with pytest.raises(NotImplementedError, match="get_config"):
        base.get_config(made)


def test_both_bases_add_their_arguments():
    class Both(L.Dropout, L.Masking):
        pass

    config = Both(0.1, mask_value=5.0).get_config()
    assert list(config) == [*LAYER_NAMES, "mask_value", "rate", "seed", "noise_shape"]
    assert Both.from_config(config).mask_value == 5.0


@pytest.mark.parametrize(
    ("base", "names"),
    [(L.Layer, LAYER_NAMES), (L.Flatten, [*LAYER_NAMES, "data_format"]), (metrics.Sum, ["name", "dtype"])],
)
def test_attributes_of_a_users_class_add_nothing(base, names):
    class Own(base):
        _config_names = ("beta",)

        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self._config_names = ["alpha"]
            self.alpha = self.beta = 1

    assert list(Own().get_config()) == names


@pytest.mark.parametrize(
    ("made", "left_out"),
    [
        (L.SpatialDropout1D(0.5), "noise_shape"),
        (metrics.F1Score(), "beta"),
        (keras.initializers.HeNormal(), "scale"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_arguments_of_the_base_that_a_class_does_not_take(made, left_out):
    config = made.get_config()
    assert left_out not in config
    assert type(made).from_config(config).get_config() == config
