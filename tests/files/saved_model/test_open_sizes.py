"""A stored function gives the answer of the original for each size that ``input_signature`` leaves open, or refuses the size."""

import json

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.files.formats.tensor_file import load_tensors, save_tensors
from fastgrad._src.files.saved_model.saving import CONTENTS_KEY, FILE_NAME

ROWS = [tf.TensorSpec([None, 3], tf.float32)]
pytestmark = pytest.mark.filterwarnings("ignore:.*is being recorded")  # for many shapes

SIZES = [*range(13), 33, 64, 100]
COUNTER = tf.Variable(1.0)


def python_if(x):
    return x * 2 if tf.shape(x)[0] > 2 else x * 3


def if_statement(x):
    if tf.shape(x)[0] > 2:
        y = x * 2
    else:
        y = x * 3
    return y


def static_if(x):
    if x.shape[0] > 2:
        return x * 2
    return x * 3


def cond(x):
    return tf.cond(tf.size(x) > 6, lambda: x + 1, lambda: x - 1)


def cond_large(x):
    return tf.cond(tf.shape(x)[0] > 50, lambda: x + 1, lambda: x - 1)


def where(x):
    return tf.where(tf.shape(x)[0] > 2, x * 2, x * 3)


def while_statement(x):
    n = tf.shape(x)[0]
    while n > 3:
        n = n - 2
    return x * tf.cast(n, tf.float32)


def while_loop(x):
    return tf.while_loop(lambda n, t: n > 3, lambda n, t: (n // 2, t + 1.0), (tf.shape(x)[0], 0.0))


def for_range(x):
    total = tf.zeros([3])
    for i in tf.range(tf.shape(x)[0]):
        total = total + x[i] * tf.cast(i, tf.float32)
    return total


def half(x):
    return x[: tf.shape(x)[0] // 2]


def arange(x):
    return tf.range(tf.shape(x)[0])


def arange_min(x):
    return tf.range(tf.minimum(tf.shape(x)[0], 3))


def case(x):
    n = tf.shape(x)[0]
    return tf.case([(n < 2, lambda: x), (n < 4, lambda: x * 2)], default=lambda: x * 3)


def switch_case(x):
    return tf.switch_case(tf.minimum(tf.shape(x)[0], 2), [lambda: x, lambda: x * 2, lambda: x * 3])


def pad(x):
    n = tf.shape(x)[0]
    if n < 4:
        x = tf.pad(x, [[0, 4 - n], [0, 0]])
    return x


def first_rows(x):
    return x[: tf.minimum(tf.shape(x)[0], 3)]


def and_or(x):
    n = tf.shape(x)[0]
    if n > 1 and n < 4:
        return x * 2
    return x


def conditional_expression_int(x):
    return x * (2.0 if int(tf.shape(x)[0]) > 2 else 3.0)


def large_int(x):
    return x * (2.0 if x.shape[0] > 70 else 3.0)


def odd(x):
    return x * 2 if tf.shape(x)[0] % 2 == 0 else x * 3


def seven(x):
    return x * 2 if tf.shape(x)[0] > 7 else x * 3


def seven_static(x):
    return x * (2.0 if x.shape[0] > 7 else 3.0)


def value_and_size(x):
    if tf.reduce_sum(x) > 0:
        if tf.shape(x)[0] > 2:
            return x * 2
        return x * 3
    return x


def state(x):
    if tf.shape(x)[0] > 2:
        COUNTER.assign_add(1.0)
    return x * COUNTER


def eight_rows(x):
    return x[:8] * 2


def truncated(x):
    return x[:64] * 2


def huge(x):
    return x * 2 if tf.shape(x)[0] > 3000 else x * 3


FUNCTIONS = {
    python_if: [0, 1, 2],
    if_statement: [0, 1, 2],
    static_if: [0, 1, 2],
    cond: [0, 1, 2],
    cond_large: [33, 64, 100, 4000],
    where: [],
    while_statement: [],
    while_loop: [],
    for_range: [0],
    half: [],
    arange: [0],
    arange_min: [0, 1, 2],
    case: [0, 1, 2, 3],
    switch_case: [0, 1],
    pad: [0, 1, 2, 3],
    first_rows: [0, 1, 2],
    and_or: [0, 1, 2, 3],
    conditional_expression_int: [0, 1, 2],
    large_int: [100, 4000],
    odd: [],
    seven: [*range(8)],
    seven_static: [*range(8)],
    value_and_size: [0, 1, 2],
    state: [0, 1, 2],
    eight_rows: [*range(8)],
    truncated: [100, 4000],
    huge: [4000],
}
"""The sizes that a stored function refuses."""


def reload(function, signature, folder):
    module = tf.Module()
    module.counter, module.f = COUNTER, tf.function(function, input_signature=signature)
    tf.saved_model.save(module, folder)
    return tf.saved_model.load(folder)


def rows(size):
    return tf.constant(np.random.default_rng(size).normal(size=(size, 3)).astype("f"))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_size_gives_the_answer_of_the_original_or_is_refused(function, tmp_path):
    COUNTER.assign(1.0)
    loaded = reload(function, ROWS, tmp_path / "once")
    assert COUNTER.numpy() == 1.0
    tf.saved_model.save(loaded, tmp_path / "twice")
    again = tf.saved_model.load(tmp_path / "twice")
    for size in [*SIZES, 4000]:
        COUNTER.assign(1.0)
        expected = tf.function(function)(rows(size))
        for reader in (loaded, again):
            reader.counter.assign(1.0)
            if size in FUNCTIONS[function]:
                continue
            for actual, wanted in zip(tf.nest.flatten(reader.f(rows(size))), tf.nest.flatten(expected), strict=True):
                np.testing.assert_allclose(actual.numpy(), wanted.numpy(), rtol=1e-5, err_msg=str(size))
            assert reader.counter.numpy() == COUNTER.numpy()
    for size in FUNCTIONS[function]:
        for reader in (loaded, again):
            reader.counter.assign(1.0)
            with pytest.raises(tf.errors.InvalidArgumentError, match="Give this axis a fixed size in input_signature"):
                reader.f(rows(size))
            assert reader.counter.numpy() == 1.0


def test_two_open_sizes_are_told_apart(tmp_path):
    def both(x):
        shape = tf.shape(x)
        return x * (2.0 if shape[0] > 2 else 3.0) * (5.0 if shape[1] > 1 else 7.0)

    loaded = reload(both, [tf.TensorSpec([None, None], tf.float32)], tmp_path)
    for height in range(7):
        for width in range(7):
            x = tf.ones([height, width])
            if height > 2 and width > 1:
                np.testing.assert_array_equal(loaded.f(x).numpy(), both(x).numpy())
            else:
                with pytest.raises(tf.errors.InvalidArgumentError, match="has no graph for the size"):
                    loaded.f(x)


def test_an_exported_model_whose_layer_branches_on_the_batch_size(tmp_path):
    class Branching(tf.keras.layers.Layer):
        def call(self, x):
            return static_if(x)

    inputs = tf.keras.Input([3])
    model = tf.keras.Model(inputs, Branching()(tf.keras.layers.Dense(3)(inputs)))
    model.export(tmp_path, verbose=False)
    loaded = tf.saved_model.load(tmp_path)
    for size in (3, 4, 5, 40):
        np.testing.assert_allclose(loaded.serve(rows(size)).numpy(), model(rows(size)).numpy(), rtol=1e-5)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"size 2 of axis 0 of tensor 0, nor for other sizes from 0 to 2"
    ):
        loaded.serve(rows(2))


def test_a_signature_refuses_the_sizes_that_its_function_refuses(tmp_path):
    signature = reload(static_if, ROWS, tmp_path).signatures["serving_default"]
    np.testing.assert_array_equal(signature(rows(5))["output_0"].numpy(), static_if(rows(5)).numpy())
    with pytest.raises(tf.errors.InvalidArgumentError, match="size 2 of axis 0"):
        signature(rows(2))


def test_two_signatures_hold_for_more_sizes(tmp_path):
    module = tf.Module()
    module.one = tf.function(static_if, input_signature=[tf.TensorSpec([1, 3])])
    module.many = tf.function(static_if, input_signature=ROWS)
    tf.saved_model.save(module, tmp_path)
    loaded = tf.saved_model.load(tmp_path)
    np.testing.assert_array_equal(loaded.one(rows(1)).numpy(), static_if(rows(1)).numpy())
    np.testing.assert_array_equal(loaded.many(rows(9)).numpy(), static_if(rows(9)).numpy())


def test_a_condition_beyond_the_sizes_that_were_recorded_refuses_them_and_leaves_state(tmp_path):
    def far(x):
        COUNTER.assign_add(1.0)
        return x * 2 if tf.shape(x)[0] > 9000 else x * 3

    loaded = reload(far, ROWS, tmp_path)
    loaded.counter.assign(1.0)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"depends on a number that follows from sizes.* Give this axis"
    ):
        loaded.f(tf.ones([9001, 3]))
    assert loaded.counter.numpy() == 1.0
    np.testing.assert_array_equal(loaded.f(tf.ones([9000, 3])).numpy(), np.full([9000, 3], 3.0))


def test_an_operation_that_gives_another_shape_than_the_file_says_refuses_the_call(tmp_path):
    reload(first_rows, ROWS, tmp_path)
    arrays, texts = load_tensors(tmp_path / FILE_NAME)
    contents = json.loads(texts[CONTENTS_KEY])
    (entry,) = contents["entries"]
    entry["excluded"] = []
    entry["graph"]["nodes"] = [node for node in entry["graph"]["nodes"] if node["kind"] != "condition"]
    save_tensors(tmp_path / FILE_NAME, arrays, {CONTENTS_KEY: json.dumps(contents)})
    loaded = tf.saved_model.load(tmp_path)
    np.testing.assert_array_equal(loaded.f(rows(9)).numpy(), rows(9)[:3].numpy())
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"shape \[2, 3\], and \[3, 3\] follows from the sizes"):
        loaded.f(rows(2))


def test_sizes_for_which_python_raises_are_refused_with_its_error(tmp_path):
    def needs_two(x):
        if x.shape[0] < 2:
            raise ValueError("two rows, please")
        return x * 2

    loaded = reload(needs_two, ROWS, tmp_path)
    with pytest.raises(tf.errors.InvalidArgumentError, match="size 1 of axis 0 .* ValueError: two rows, please"):
        loaded.f(rows(1))
    np.testing.assert_array_equal(loaded.f(rows(2)).numpy(), (rows(2) * 2).numpy())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda entry, node: node.update({"in": []}), "a condition on sizes where there can be none"),
        (lambda entry, node: node.pop("wanted"), "a condition on sizes where there can be none"),
        (lambda entry, node: node.update(wanted=[{"code": 1}]), "no encoded value: 'code'"),
        (lambda entry, node: entry.update(excluded=[[5, 0, 1, ""]]), "there is no size 5"),
        (lambda entry, node: entry.update(excluded=[[0, "a", 1, ""]]), "no sizes"),
    ],
)
def test_damaged_conditions_are_refused(tmp_path, change, message):
    reload(python_if, ROWS, tmp_path)
    arrays, texts = load_tensors(tmp_path / FILE_NAME)
    contents = json.loads(texts[CONTENTS_KEY])
    entry = contents["entries"][0]
    change(entry, next(node for node in entry["graph"]["nodes"] if node["kind"] == "condition"))
    save_tensors(tmp_path / FILE_NAME, arrays, {CONTENTS_KEY: json.dumps(contents)})
    with pytest.raises(ValueError, match=message):
        tf.saved_model.load(tmp_path)
