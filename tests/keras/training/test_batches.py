"""What models are trained on: generators, batches by number, tables, named tuples."""

from typing import Any, NamedTuple

import numpy as np
import pytest

import fastgrad as tf
from tests.keras.training.small_model import X, Y, fit, make_model


class TestDataThatEnd:
    """Keras reads two batches of a generator beforehand, and gives these again in each epoch."""

    @pytest.mark.parametrize(
        ("count", "steps", "wanted"),
        [
            (3, None, [[1, 2, 3], [1, 2], [1, 2]]),
            (1, None, [[1], [1], [1]]),
            (3, 2, [[1, 2], [3], [1, 2]]),
            (3, 5, [[1, 2, 3], [1, 2], [1, 2]]),
            (5, 2, [[1, 2], [3, 4], [5]]),
            (4, 2, [[1, 2], [3, 4], [1, 2]]),
        ],
    )
    def test_further_epochs_of_a_generator(self, count, steps, wanted):
        seen = []

        class Watched(tf.keras.Model):
            def __init__(self):
                super().__init__()
                self.dense = tf.keras.layers.Dense(1)

            def call(self, x):
                return self.dense(x)

            def train_step(self, data):
                seen[-1].append(int(data[0][0, 0]))
                return super().train_step(data)

        model = Watched()
        model.compile("sgd", "mse", run_eagerly=True)
        mark = tf.keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: seen.append([]))
        batches = (((i + 1) * np.ones((4, 2), np.float32), np.ones((4, 1))) for i in range(count))
        with pytest.warns(UserWarning, match="ran out of data"):
            history = model.fit(batches, epochs=3, steps_per_epoch=steps, callbacks=[mark], verbose=0)
        assert seen == wanted
        assert (history.epoch, len(history.history["loss"])) == ([0, 1, 2], 3)

    def test_one_epoch_of_a_generator_warns_of_nothing(self):
        model = make_model()
        assert fit(model, ((X[:8], Y[:8]) for _ in range(3)), None, epochs=1).epoch == [0]

    def test_datasets_begin_again(self):
        model = make_model()
        data = tf.data.Dataset.from_tensor_slices((X[:32], Y[:32])).batch(8).filter(lambda x, y: True)
        history = model.fit(data, epochs=3, steps_per_epoch=2, verbose=0)
        assert int(model.optimizer.iterations) == 6
        assert history.epoch == [0, 1, 2]


class ByNumber(tf.keras.utils.PyDataset):
    def __init__(self, count):
        super().__init__()
        self.count, self.events = count, []

    @property
    def num_batches(self):
        return self.count

    def __getitem__(self, index):
        return X[:4], Y[:4]

    def on_epoch_begin(self):
        self.events.append("begin")

    def on_epoch_end(self):
        self.events.append("end")


class TestBatchesByNumber:
    def test_their_number_may_be_a_property(self):
        data, model = ByNumber(3), make_model()
        assert len(list(data)) == 3
        assert fit(model, data, None, epochs=2, batch_size=None).epoch == [0, 1]
        assert int(model.optimizer.iterations) == 6
        assert data.events == ["begin", "end"] * 2
        assert model.predict(data, verbose=0).shape == (12, 3)
        with pytest.raises(TypeError, match="no len"):
            len(data)

    def test_they_may_have_no_end(self):
        model = make_model()
        fit(model, ByNumber(None), None, epochs=2, steps_per_epoch=4, batch_size=None)
        assert int(model.optimizer.iterations) == 8

    def test_their_number_must_be_said(self):
        class Unknown(tf.keras.utils.PyDataset):
            def __getitem__(self, index):
                return X, Y

        assert next(iter(Unknown()))[0] is X
        with pytest.raises(NotImplementedError, match="num_batches"):
            fit(make_model(), Unknown(), None, batch_size=None)


class TestTables:
    """What pandas gives: tables whose columns have several types, and columns."""

    @pytest.fixture(autouse=True)
    def tables(self):
        pd = pytest.importorskip("pandas")
        numbers = pd.DataFrame({"a": np.arange(8) * 0.1, "b": np.arange(8) % 3, "c": list("xyzxyzxy")})
        self.x, self.texts = pd.get_dummies(numbers), numbers
        self.y, self.column = pd.Series(np.arange(8) * 1.0), pd.Series

    def make(self):
        model = tf.keras.Sequential([tf.keras.Input((5,)), tf.keras.layers.Dense(1, kernel_initializer="ones")])
        model.compile("sgd", "mse")
        return model

    def test_columns_of_truth_values_are_numbers(self):
        np.testing.assert_allclose(self.make().predict(self.x, verbose=0)[:3, 0], [1.0, 2.1, 3.2], rtol=1e-6)
        for y, loss in (
            (self.y, 6.15),
            (self.y % 2 == 0, 4.1),
            (self.y.astype(int) % 2, 3.75),
            (self.y.to_frame(), 6.15),
        ):
            history = self.make().fit(self.x, y, verbose=0, shuffle=False).history
            np.testing.assert_allclose(history["loss"], [loss], rtol=1e-6)

    def test_they_can_be_split(self):
        weights = self.column(np.ones(8))
        found = self.make().fit(self.x, self.y, sample_weight=weights, validation_split=0.25, verbose=0).history
        assert sorted(found) == ["loss", "val_loss"]

    def test_a_column_is_of_rank_2(self):
        assert tf.keras.Sequential([tf.keras.layers.Identity()]).predict(self.y, verbose=0).shape == (8, 1)

    def test_texts_are_refused(self):
        with pytest.raises(ValueError, match=r"objects of shape \(8, 3\): 'x' is no number"):
            self.make().fit(self.texts, self.y, verbose=0)


@pytest.mark.parametrize("argument", ["x", "y", "sample_weight"])
def test_none_among_numbers_is_refused(argument):
    model = tf.keras.Sequential([tf.keras.Input((1,)), tf.keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    data = {"x": np.ones((4, 1)), "y": np.ones(4), "sample_weight": np.ones(4)}
    data[argument] = np.where(np.arange(4) == 2, None, data[argument].ravel())
    with pytest.raises(ValueError, match=f"`{argument}` must be arrays of samples.* None is no number"):
        model.fit(**data, verbose=0)


class Pair(NamedTuple):
    a: Any
    b: Any


class TestNamedTuples:
    def test_as_outputs_and_labels(self):
        x = tf.keras.Input((3,))
        model = tf.keras.Model(x, Pair(tf.keras.layers.Dense(1, name="q")(x), tf.keras.layers.Dense(1, name="r")(x)))
        model.compile("sgd", Pair("mse", "mae"), metrics=Pair(["mae"], ["mse"]))
        for y in (Pair(Y, Y), (Y, Y)):
            assert sorted(fit(model, y=y).history) == ["loss", "q_loss", "q_mae", "r_loss", "r_mse"]
        assert type(model.predict(X, verbose=0)) is type(model(X)) is Pair

    def test_as_inputs(self):
        class Sum(tf.keras.Model):
            def __init__(self):
                super().__init__()
                self.dense = tf.keras.layers.Dense(1)

            def call(self, x):
                return self.dense(x.a + x.b)

        model = Sum()
        model.compile("sgd", "mse")
        assert fit(model, Pair(X, X), epochs=1).epoch == [0]


_UNEQUAL_ROWS = [[1.0, 2.0], [1.0, 2.0], [3.0]]


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("x", lambda model: model.fit(_UNEQUAL_ROWS, np.ones((3, 1)), verbose=0)),
        ("y", lambda model: model.fit(np.ones((3, 1)), _UNEQUAL_ROWS, verbose=0)),
        ("x", lambda model: model.fit(X, Y, validation_data=(_UNEQUAL_ROWS, np.ones((3, 1))), verbose=0)),
        ("x", lambda model: model.evaluate(_UNEQUAL_ROWS, np.ones((3, 1)), verbose=0)),
        ("x", lambda model: model.predict(_UNEQUAL_ROWS, verbose=0)),
        ("x", lambda model: model.predict(np.array(_UNEQUAL_ROWS, dtype=object), verbose=0)),
        ("x", lambda model: model.predict_on_batch(_UNEQUAL_ROWS)),
        ("x", lambda model: model.train_on_batch(_UNEQUAL_ROWS, np.ones((3, 1)))),
        ("y", lambda model: model.test_on_batch(np.ones((3, 1)), _UNEQUAL_ROWS)),
    ],
)
def test_rows_of_different_lengths_are_named(argument, call):
    with pytest.raises(
        ValueError,
        match=rf"`{argument}`.*row \[0\] has the length 2, row \[2\] has 1\. Pad them.*keras.utils.pad_sequences.*tf.ragged",
    ):
        call(make_model())


def test_nested_rows_of_different_lengths_are_named():
    with pytest.raises(ValueError, match=r"row \[1\]\[0\] has the length 1, row \[1\]\[1\] has 2"):
        make_model().predict([[[1.0], [2.0]], [[1.0], [2.0, 3.0]]], verbose=0)
    with pytest.raises(ValueError, match="Found the scalar 1.0"):
        make_model().predict_on_batch([[1.0, 2.0], [3.0, 4.0]])
