"""Models that get SciPy's sparse matrices."""

import numpy as np
import pytest
import scipy.sparse

import fastgrad as tf

layers = tf.keras.layers

DENSE = np.where(np.arange(24).reshape(6, 4) % 3 == 0, np.arange(24.0).reshape(6, 4), 0.0)
LABELS = np.arange(6.0).reshape(6, 1)


def _compiled(first, *others):
    model = tf.keras.Sequential([first, *others, layers.Dense(1, kernel_initializer="ones")])
    model.compile(tf.keras.optimizers.SGD(0.001), "mse")
    return model


@pytest.mark.parametrize("form", ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"])
@pytest.mark.parametrize("sparse", [True, False])
def test_all_formats_train_as_the_dense_matrix(form, sparse):
    results = []
    for x in (DENSE, getattr(scipy.sparse, f"{form}_array")(DENSE)):
        model = _compiled(layers.Input((4,), sparse=sparse))
        history = model.fit(x, LABELS, batch_size=4, epochs=2, shuffle=False, verbose=0).history["loss"]
        batch = model.train_on_batch(x, LABELS), model.test_on_batch(x, LABELS)
        results.append(
            [
                *history,
                *batch,
                model.evaluate(x, LABELS, verbose=0),
                *np.ravel(model.predict_on_batch(x)),
                *np.ravel(model.predict(x, verbose=0)),
            ]
        )
    np.testing.assert_allclose(results[1], results[0], rtol=1e-5)


def test_elements_that_are_stored_twice_are_added_up():
    twice = scipy.sparse.coo_array(([1.0, 2.0, 4.0], ([1, 1, 0], [2, 2, 3])), (2, 4))
    model = _compiled(layers.Input((4,), sparse=True))
    np.testing.assert_array_equal(model.predict(twice, verbose=0), [[4.0], [3.0]])
    assert twice.nnz == 3  # the matrix of the program is as it was


def test_a_shuffled_epoch_has_each_row_once():
    seen = []

    class Rows(layers.Layer):
        def call(self, x):
            seen.append(tf.sparse.to_dense(x).numpy())
            return x

    x, labels = scipy.sparse.csr_array(DENSE), LABELS
    inputs = tf.keras.Input((4,), sparse=True)
    model = tf.keras.Model(inputs, layers.Dense(1)(Rows()(inputs)))
    model.compile("sgd", "mse", run_eagerly=True)
    seen.clear()
    model.fit(x, labels, batch_size=2, verbose=0)
    rows = np.concatenate(seen[-3:])
    np.testing.assert_array_equal(sorted(rows.tolist()), sorted(DENSE.tolist()))


def test_what_takes_no_sparse_matrix_names_the_ways():
    with pytest.raises(ValueError, match=r"toarray.*tf\.SparseTensor\("):
        tf.convert_to_tensor(scipy.sparse.csr_array(DENSE))
