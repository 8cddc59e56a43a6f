"""`compile`, `fit`, `evaluate` and `predict`: histories and results from given weights, in the order of the samples."""

import numpy as np

from ..refusal import refused
from ..weights import with_signed_weights

X = np.sin(np.arange(10 * 3) * 0.7).reshape(10, 3).astype(np.float32)
CLASSES = np.arange(10) * 7 % 3
ONE_HOT = np.eye(3, dtype=np.float32)[CLASSES]
BINARY = (np.arange(10) * 5 % 3 == 0).astype(np.float32)
NUMBERS = np.cos(np.arange(10) * 1.1).astype(np.float32)
WEIGHTS = np.linspace(0.2, 2.0, 10).astype(np.float32)


def _model(tf, outputs=3, activation="softmax", **options):
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [tf.keras.Input((3,)), layers.Dense(4, activation="tanh"), layers.Dense(outputs, activation=activation)]
    )
    settings = {"optimizer": tf.keras.optimizers.SGD(0.2), "loss": "sparse_categorical_crossentropy", **options}
    model.compile(**settings)
    return with_signed_weights(model)


def _fit(model, x=X, y=CLASSES, **options):
    settings = {"batch_size": 4, "epochs": 3, "shuffle": False, "verbose": 0, **options}
    return model.fit(x, y, **settings)


def _history(model, *data, **options):
    found = _fit(model, *data, **options).history
    return {name: [float(value) for value in values] for name, values in found.items()}


def histories(tf):
    accuracy = {"metrics": ["accuracy"]}

    def two_metrics(**options):
        return _model(tf, metrics=["accuracy"], weighted_metrics=["accuracy"], **options)

    return {
        "loss": lambda: _history(_model(tf)),
        "accuracy of class numbers": lambda: _history(_model(tf, **accuracy)),
        "accuracy of one-hot labels": lambda: _history(
            _model(tf, loss="categorical_crossentropy", metrics=["acc", "categorical_crossentropy"]), X, ONE_HOT
        ),
        "accuracy of probabilities": lambda: _history(
            _model(tf, 1, "sigmoid", loss="binary_crossentropy", **accuracy), X, BINARY
        ),
        "columns of labels": lambda: _history(_model(tf, 1, "sigmoid", loss="bce", **accuracy), X, BINARY[:, None]),
        "regression": lambda: _history(_model(tf, 1, None, loss="mse", metrics=["mae", "mse"]), X, NUMBERS),
        "a function as loss": lambda: _history(
            _model(tf, 1, None, loss=lambda y, p: tf.abs(tf.reshape(p, [-1]) - y)), X, NUMBERS
        ),
        "metric objects": lambda: _history(
            _model(
                tf,
                metrics=[tf.keras.metrics.SparseCategoricalAccuracy(name="right"), "sparse_categorical_crossentropy"],
            )
        ),
        "sample weights": lambda: _history(two_metrics(), sample_weight=WEIGHTS),
        "class weights": lambda: _history(two_metrics(), class_weight={0: 1.0, 1: 3.0, 2: 0.25}),
        "class weights of one-hot labels": lambda: _history(
            _model(tf, loss="categorical_crossentropy"), X, ONE_HOT, class_weight={0: 1.0, 1: 3.0, 2: 0.25}
        ),
        "validation split": lambda: _history(_model(tf, **accuracy), validation_split=0.3),
        "validation data": lambda: _history(
            _model(tf, **accuracy), validation_data=(X[:5], CLASSES[:5]), validation_batch_size=2
        ),
        "weighted validation data": lambda: _history(two_metrics(), validation_data=(X[:5], CLASSES[:5], WEIGHTS[:5])),
        "validation every second epoch": lambda: _history(
            _model(tf), validation_data=(X[:5], CLASSES[:5]), epochs=4, validation_freq=2
        ),
        "steps of an epoch": lambda: _history(_model(tf), steps_per_epoch=2, epochs=1),
        "from an epoch on": lambda: _fit(_model(tf), initial_epoch=1).epoch,
        "a dataset": lambda: _history(
            _model(tf, **accuracy), tf.data.Dataset.from_tensor_slices((X, CLASSES)).batch(3), None, batch_size=None
        ),
        "a weighted dataset": lambda: _history(
            two_metrics(), tf.data.Dataset.from_tensor_slices((X, CLASSES, WEIGHTS)).batch(3), None, batch_size=None
        ),
        "a repeated dataset": lambda: _history(
            _model(tf),
            tf.data.Dataset.from_tensor_slices((X, CLASSES)).batch(3).repeat(),
            None,
            batch_size=None,
            steps_per_epoch=3,
        ),
        "a generator": lambda: _history(
            _model(tf), ((X[i : i + 2], CLASSES[i : i + 2]) for i in range(0, 8, 2)), None, batch_size=None, epochs=1
        ),
        "loss weights": lambda: _history(_model(tf, loss_weights=0.5)),
        "penalties": lambda: _history(_penalised(tf)),
        "weights after": lambda: [w.tolist() for w in _trained(_model(tf)).get_weights()],
    }


def _trained(model):
    _fit(model)
    return model


def _penalised(tf):
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [tf.keras.Input((3,)), layers.Dense(3, kernel_regularizer="l2", activity_regularizer="l1")]
    )
    model.compile("sgd", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return with_signed_weights(model)


def results(tf):
    def model(**options):
        return _model(tf, **options)

    def floats(value):
        return {k: float(v) for k, v in value.items()} if isinstance(value, dict) else np.asarray(value).tolist()

    return {
        "evaluate": lambda: float(model().evaluate(X, CLASSES, batch_size=4, verbose=0)),
        "evaluate with metrics": lambda: floats(
            model(metrics=["accuracy", "sparse_categorical_crossentropy"]).evaluate(X, CLASSES, batch_size=4, verbose=0)
        ),
        "evaluate as a dict": lambda: floats(
            model(metrics=["accuracy"]).evaluate(X, CLASSES, batch_size=4, verbose=0, return_dict=True)
        ),
        "evaluate with weights": lambda: floats(
            model(weighted_metrics=["accuracy"]).evaluate(X, CLASSES, sample_weight=WEIGHTS, verbose=0)
        ),
        "predict": lambda: model().predict(X, batch_size=4, verbose=0),
        "train on a batch": lambda: floats(model(metrics=["accuracy"]).train_on_batch(X, CLASSES)),
        "train on two batches": lambda: floats(_twice(model(metrics=["accuracy"]))),
        "test on a batch": lambda: floats(model(metrics=["accuracy"]).test_on_batch(X, CLASSES, return_dict=True)),
        "names of metrics": lambda: [m.name for m in _trained(model(metrics=["accuracy"])).metrics][:1],
        "early stopping": lambda: _stopped(tf),
        "rate on a plateau": lambda: _history(
            model(), callbacks=[tf.keras.callbacks.ReduceLROnPlateau("loss", 0.5, 1, min_delta=10.0)], epochs=5
        ),
        "scheduled rate": lambda: _history(
            model(), callbacks=[tf.keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.5 * rate)]
        ),
    }


def _twice(model):
    model.train_on_batch(X, CLASSES)
    return model.train_on_batch(X[:3], CLASSES[:3], return_dict=True)


def _stopped(tf):
    stop = tf.keras.callbacks.EarlyStopping("loss", min_delta=0.05, patience=2, restore_best_weights=True)
    model = _model(tf)
    history = _fit(model, callbacks=[stop], epochs=20)
    return [history.epoch, stop.stopped_epoch, stop.best_epoch, [w.tolist() for w in model.get_weights()]]


def refusals(tf):
    model = _model(tf)
    plain = tf.keras.Sequential([tf.keras.Input((3,)), tf.keras.layers.Dense(2)])
    dataset = tf.data.Dataset.from_tensor_slices((X, CLASSES)).batch(3)
    return {
        "fit without compile": lambda: refused(lambda: plain.fit(X, CLASSES, verbose=0)),
        "evaluate without compile": lambda: refused(lambda: plain.evaluate(X, CLASSES, verbose=0)),
        "lengths that differ": lambda: refused(lambda: _fit(model, X, CLASSES[:9])),
        "labels beside a dataset": lambda: refused(lambda: model.fit(dataset, CLASSES, verbose=0)),
        "split of a dataset": lambda: refused(lambda: model.fit(dataset, validation_split=0.5, verbose=0)),
        "split of nothing": lambda: refused(lambda: _fit(model, validation_split=0.01, x=X[:2], y=CLASSES[:2])),
        "unknown loss": lambda: refused(lambda: _fit(_model(tf, loss="no such loss"))),
        "unknown optimizer": lambda: refused(lambda: _model(tf, optimizer="no such optimizer")),
        "metrics that are no list": lambda: refused(lambda: _model(tf, metrics="accuracy")),
        "both weights": lambda: refused(
            lambda: _fit(model, sample_weight=WEIGHTS, class_weight={0: 1.0, 1: 2.0, 2: 1.0})
        ),
        "no loss": lambda: refused(lambda: _fit(_model(tf, loss=None))),
    }


def by_the_guides(tf):
    """What Keras's guides write: steps and callbacks of one's own, averages, inputs in lists."""
    keras = tf.keras

    class Steps(keras.Sequential):
        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = self.compute_loss(y=y, y_pred=y_pred)
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, y_pred)
            return {metric.name: metric.result() for metric in self.metrics}

    def own_steps():
        model = Steps([keras.Input((3,)), keras.layers.Dense(3, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return _history(with_signed_weights(model))

    def calls(method, **options):
        seen = []
        names = {"train": "on_train", "test": "on_test", "predict": "on_predict"}
        hooks = {
            f"{start}_{part}": (
                lambda *given, name=f"{kind} {part}": seen.append(
                    [name, *[sorted(one) if isinstance(one, dict) else one for one in given]]
                )
            )
            for kind, start in names.items()
            for part in ("begin", "end")
        }
        hooks |= {
            "on_epoch_begin": lambda epoch, logs: seen.append(["epoch begin", epoch, sorted(logs)]),
            "on_train_batch_begin": lambda batch, logs: seen.append(["batch begin", batch, sorted(logs)]),
            "on_test_batch_begin": lambda batch, logs: seen.append(["test batch begin", batch, sorted(logs)]),
            "on_predict_batch_begin": lambda batch, logs: seen.append(["predict batch begin", batch, sorted(logs)]),
        }
        method(_model(tf, **options), keras.callbacks.LambdaCallback(**hooks))
        return str(seen)

    def averaged(*callbacks, **options):
        model = _model(tf, optimizer=keras.optimizers.SGD(0.2, use_ema=True, ema_momentum=0.75))
        return [str(_history(model, callbacks=list(callbacks), **options)), *model.get_weights()]

    def watched(metric, monitor):
        callback = keras.callbacks.EarlyStopping(monitor, patience=1)
        model = _model(tf, loss="categorical_crossentropy", metrics=[metric])
        seen = _history(model, X, ONE_HOT, epochs=4, callbacks=[callback])
        return [seen, float(callback.best)]

    data = (X, CLASSES)
    return {
        "metrics in a step of one's own": own_steps,
        "what callbacks of fit get": lambda: calls(
            lambda model, one: _fit(model, epochs=1, validation_data=data, callbacks=[one])
        ),
        "what callbacks of predict get": lambda: calls(lambda model, one: model.predict(X, verbose=0, callbacks=[one])),
        "averages at the end": averaged,
        "scores are to grow": lambda: watched(keras.metrics.F1Score(average="macro"), "f1_score"),
        "areas of any name are to grow": lambda: watched(keras.metrics.AUC(name="roc"), "roc"),
        "errors are to fall": lambda: watched(keras.metrics.MeanSquaredError(name="far"), "far"),
        "unknown whether it is to grow": lambda: watched("accuracy", "speed"),
        "inputs in a list": lambda: [_model(tf).predict([X], verbose=0), _model(tf)([X])],
        "data in lists": lambda: _history(_model(tf), [X], [CLASSES]),
        "strings": lambda: _fit(_model(tf), np.array([["a"] * 3] * 4), CLASSES[:4]),
    }
