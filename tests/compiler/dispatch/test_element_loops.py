"""Loops over datasets in compiled functions: each trip is a replay, and all comes out as if nothing were compiled."""

import functools
import linecache

import numpy as np
import pytest

import fastgrad as tf

X = np.random.default_rng(0).normal(size=(11, 3)).astype(np.float32)


def test_a_body_that_reads_a_set_runs_in_python():
    @tf.function
    def total(dataset, v):
        sizes = {1, 2}
        for x in dataset:
            v.assign_add(tf.reduce_sum(x) * len(sizes))
        return v.read_value()

    v = tf.Variable(0.0)
    np.testing.assert_allclose(total(batches(), v), 2 * X.sum(), rtol=1e-5)


def batches(size=2):
    return tf.data.Dataset.from_tensor_slices(X).batch(size)


def sums(dataset, v):
    total = 0.0
    for x in dataset:
        y = tf.reduce_sum(x * v)
        total += y
    return total, y


def with_a_number(dataset, v):
    for step, x in enumerate(dataset):
        v.assign_add(tf.reduce_mean(x) * tf.cast(step, tf.float32))
    return step


def with_an_early_end(dataset, v):
    count = 0
    for x in dataset:
        if tf.reduce_sum(x) > 2.0:
            continue
        count += 1
        if count > 2:
            break
        v.assign_add(tf.reduce_mean(x))
    else:
        count = -1
    return count


def best_of(dataset, v):
    best = None
    for x in dataset:
        largest = tf.reduce_max(x)
        if best is None or largest > best:
            best, found = largest, x * v
    return best, found


def epochs(dataset, v):
    history = []
    for epoch in range(3):
        total = tf.constant(0.0)
        for x in dataset:
            rows = []
            for row in tf.unstack(x):
                rows.append(tf.reduce_sum(row))  # noqa: PERF401
            total = total + tf.add_n(rows)
            v.assign_add(total * 1e-3)
        history.append(total + epoch)
    return history


def of_pairs(dataset, v):
    for (x, y), weight in zip(dataset.map(lambda x: (x, x + 1.0)), dataset, strict=True):
        v.assign_add(tf.reduce_sum(x * y) * tf.reduce_mean(weight))
    return v.value()


def of_structures(dataset, v):
    total = tf.zeros(3)
    for element in dataset.map(lambda x: {"a": x, "b": -x}):
        shifted = {name: part * v for name, part in element.items()}
        total += tf.reduce_sum(shifted["a"] - shifted["b"], 0)
    return total


def that_keeps_a_list(dataset, v):
    kept = []
    for x in dataset:
        kept.append(tf.reduce_sum(x) * v)  # noqa: PERF401
    return kept


def that_looks_at_numbers(dataset, v):
    found = 0.0
    for x in dataset:
        found = max(found, float(tf.reduce_sum(x)))
        v.assign_add(found)
    return found


def that_returns_early(dataset, v):
    for x in dataset:
        if tf.reduce_sum(x) > 0.5:
            return x
        v.assign_add(1.0)
    return None


class Counter:
    def __init__(self):
        self.count = 0

    def run(self, dataset, v):
        for x in dataset:
            self.count += 1
            v.assign_add(tf.reduce_sum(x))
        return v * 1.0


RECORDED = [sums, with_a_number, with_an_early_end, best_of, epochs, of_pairs, of_structures]
AS_THEY_ARE = [that_keeps_a_list, that_looks_at_numbers, that_returns_early]


def check(function, compiled, size, calls=3):
    v, w = tf.Variable(1.5), tf.Variable(1.5)
    for _ in range(calls):
        found, wanted = compiled(batches(size), v), function(batches(size), w)
        tf.nest.assert_same_structure(found, wanted)
        for one, other in zip(tf.nest.flatten(found), tf.nest.flatten(wanted), strict=True):
            if other is None:
                assert one is None
                continue
            np.testing.assert_allclose(one, other, rtol=2e-6, atol=1e-6)
        np.testing.assert_allclose(v, w, rtol=2e-6)


@pytest.mark.parametrize("size", [2, 3, 11])
@pytest.mark.parametrize("function", [*RECORDED, *AS_THEY_ARE], ids=lambda f: f.__name__)
def test_a_loop_gives_what_it_gives_in_python(function, size):
    check(function, tf.function(function), size)


@pytest.mark.parametrize("function", RECORDED, ids=lambda f: f.__name__)
def test_a_replayed_body_runs_no_python(function, monkeypatch):
    compiled = tf.function(function)
    v = tf.Variable(1.5)
    dataset = batches()
    for _ in range(4):
        compiled(dataset, v)
    runs = []
    for name in ("reduce_sum", "reduce_mean", "reduce_max"):
        monkeypatch.setattr(tf, name, lambda *args, **names: runs.append(0))
    compiled(dataset, v)
    assert not runs


def test_the_python_of_a_body_runs_once_a_shape():
    runs = []

    @tf.function
    def epoch(dataset):
        total = 0.0
        for x in dataset:
            print_like(runs)
            total += tf.reduce_sum(x)
        return total

    def print_like(runs):
        runs.append(0)

    for _ in range(4):
        np.testing.assert_allclose(epoch(batches()), X.sum(), rtol=1e-5)
    assert len(runs) <= 4  # with a number in `total`, with a tensor, and both for the last, smaller batch


def test_methods_and_what_they_change():
    counter, plain = Counter(), Counter()
    check(plain.run, tf.function(counter.run), 2)
    assert counter.count == plain.count == 3 * 6


def test_a_whole_training_loop():
    def build():
        tf.random.set_seed(0)
        model = tf.keras.Sequential(
            [tf.keras.layers.Dense(4, "tanh", input_shape=(3,)), tf.keras.layers.Dropout(0.2), tf.keras.layers.Dense(1)]
        )
        optimizer = tf.keras.optimizers.Adam(0.01)
        mean = tf.keras.metrics.Mean()

        def train(dataset):
            for step, x in enumerate(dataset):  # noqa: B007
                with tf.GradientTape() as tape:
                    loss = tf.reduce_mean((model(x, training=True) - tf.reduce_sum(x, 1, keepdims=True)) ** 2)
                gradients = tape.gradient(loss, model.trainable_variables)
                optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
                mean.update_state(loss)
            return mean.result(), step

        return model, train

    (first, plain), (second, train) = build(), build()
    compiled = tf.function(train)
    tf.random.set_seed(1)
    wanted = [plain(batches()) for _ in range(3)]
    tf.random.set_seed(1)
    found = [compiled(batches()) for _ in range(3)]
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one[0], other[0], rtol=1e-5)
        assert one[1] == other[1] == 5
    for a, b in zip(first.weights, second.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_no_elements():
    compiled = tf.function(sums)
    with pytest.raises(UnboundLocalError):
        compiled(batches().take(0), tf.Variable(1.0))
    found = tf.function(with_an_early_end)(batches().take(0), tf.Variable(1.0))
    assert found == -1


def test_an_error_in_a_body_is_the_users():
    @tf.function
    def fails(dataset, v):
        for x in dataset:
            v.assign_add(1.0)
            tf.debugging.assert_less(tf.reduce_max(tf.abs(x)), 0.0)
        return v

    v = tf.Variable(0.0)
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        fails(batches(), v)
    assert any(str(entry.path) == __file__ and "assert_less" in str(entry.statement) for entry in caught.traceback[1:])
    assert v == 0.0


def test_a_wrapper_is_not_taken_for_what_it_wraps():
    def doubled(function):
        @functools.wraps(function)
        def wrapper(dataset, v):
            return [2.0 * x for x in function(dataset, v)]

        return wrapper

    compiled = tf.function(doubled(sums))
    v = tf.Variable(1.5)
    for _ in range(2):
        for found, wanted in zip(compiled(batches(), v), sums(batches(), v), strict=True):
            np.testing.assert_allclose(found, 2.0 * wanted, rtol=1e-6)


def test_a_source_that_is_another_one_now_is_not_used(tmp_path, monkeypatch):
    path = tmp_path / "edited_module.py"
    text = "def total(dataset):\n    result = 0.0\n    for x in dataset:\n        result += tf.reduce_sum(x)\n    return result\n"
    path.write_text("import fastgrad as tf\n" + text)
    monkeypatch.syspath_prepend(str(tmp_path))
    import edited_module

    path.write_text("import fastgrad as tf\n" + text.replace("+=", "-="))
    linecache.checkcache()
    np.testing.assert_allclose(tf.function(edited_module.total)(batches()), X.sum(), rtol=1e-5)


def test_an_array_that_grows_over_a_dataset_gets_each_element_once():
    @tf.function
    def collected(dataset):
        array = tf.TensorArray(tf.int32, size=0, dynamic_size=True)
        for i in dataset:
            array = array.write(array.size(), i)
        return array.stack()

    dataset = tf.data.Dataset.range(3, output_type=tf.int32)
    for _ in range(3):
        np.testing.assert_array_equal(collected(dataset), [0, 1, 2])


def test_what_a_body_does_in_python_before_it_turns_out_not_to_be_recordable_is_done_once_for_each_element():
    seen = []

    def note(x):
        seen.append(x)

    @tf.function
    def total(dataset, v):
        found = 0.0
        for x in dataset:
            note(1)
            v.assign_add(x)
            found += float(x)
        return found

    v = tf.Variable(0.0)
    assert float(total(tf.data.Dataset.range(4, output_type=tf.float32), v)) == 6.0
    assert (len(seen), float(v)) == (4, 6.0)


def test_a_set_beside_a_loop_over_a_dataset_is_read_as_it_is():
    @tf.function
    def total(dataset):
        chosen, found = {1, 2}, 0
        for x in dataset:
            found += x * len(chosen)
        return found

    assert [int(total(tf.data.Dataset.range(4))) for _ in range(3)] == [12] * 3


def test_a_body_changes_what_other_names_and_functions_see():
    elements = tf.data.Dataset.from_tensor_slices(tf.constant([1.0, 2.0, 3.0, 4.0]))
    v = tf.Variable(0.0)

    def captured(dataset):
        s, t = tf.constant(0.0), tf.constant(0.0)

        def twice():
            return s * 2.0

        for x in dataset:
            s = s + x
            t = t + twice()
        return s, t

    def another_name(dataset):
        rows = [tf.constant(0.0)]
        for x in dataset:
            same = rows
            same.append(x + 0.0)
        return tf.add_n(rows)

    def in_place(dataset):
        a = b = np.zeros(2)
        for x in dataset:
            a += 1
            v.assign_add(x)
        return tf.constant(a), tf.constant(b)

    def caught(dataset):
        s = tf.constant(0)
        for x in dataset:
            try:
                s = s + tf.gather(tf.constant([1, 2, 3]), tf.cast(x, tf.int32))
            except tf.errors.InvalidArgumentError:
                s = s * 0 + 50
        return s

    for function in (captured, another_name, in_place, caught):
        compiled = tf.function(function)
        for _ in range(3):
            wanted = tf.nest.flatten(function(elements))
            for got, expected in zip(tf.nest.flatten(compiled(elements)), wanted, strict=True):
                np.testing.assert_array_equal(got, expected)
