"""Functions of many kinds give the same results, for other sizes and values, and the same gradients after a reload."""

import json

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.files.formats.tensor_file import load_tensors, save_tensors
from fastgrad._src.files.saved_model.saving import CONTENTS_KEY, FILE_NAME
from fastgrad._src.files.saved_model.sizes import evaluate, fit_integers, probe_sizes

S, F = tf.TensorSpec, tf.float32
ROWS = [S([None, 3], F)]
IMAGES = [S([None, None, None, 1], F)]


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("f")


def gradient(x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_mean(tf.nn.softmax(x) ** 2)
    return tape.gradient(y, x)


def python_if(x):
    if tf.reduce_sum(x) > 0:
        y = x * 2
        if x[0, 0] > 0.5:
            return y + 1
    else:
        y = x * 3
    return y


def range_loop(x):
    total = tf.zeros([3])
    for i in tf.range(tf.shape(x)[0]):
        total = total + x[i] * tf.cast(i, F)
    return total


def while_statement(x, k):
    i = tf.constant(0)
    while i < k:
        x, i = x * 1.5, i + 1
    return x


@tf.custom_gradient
def sevenfold_gradient(x):
    return x * 2, lambda g: g * 7


def causal(x):
    n = tf.shape(x)[0]
    mask = tf.linalg.band_part(tf.ones([n, n]), -1, 0)
    return tf.nn.softmax(tf.where(mask > 0, x @ tf.transpose(x), -1e9))


CASES = {
    "reshape": (lambda x: tf.reshape(x, [tf.shape(x)[0], -1, 1]), ROWS, [numbers(4, 3)], [numbers(1, 3)]),
    "mean": (lambda x: tf.reduce_mean(x) + tf.zeros_like(x), ROWS, [numbers(4, 3)], [numbers(13, 3)]),
    "slices": (lambda x: x[1:, tf.newaxis, ::2] * 2, ROWS, [numbers(4, 3)], [numbers(2, 3)]),
    "from the end": (lambda x: x[-2:] + x[:2], ROWS, [numbers(4, 3)], [numbers(9, 3)]),
    "boolean mask": (
        lambda x: tf.reduce_mean(tf.boolean_mask(x, x[:, 0] > -1), axis=0),
        ROWS,
        [numbers(7, 3)],
        [numbers(8, 3, seed=1)],
    ),
    "gradient": (gradient, ROWS, [numbers(4, 3)], [numbers(11, 3)]),
    "assertion": (lambda x: (tf.debugging.assert_less(x, 99.0), x * 2)[1], ROWS, [numbers(4, 3)]),
    "cond": (
        lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: x + 1, lambda: x - 1),
        ROWS,
        [np.ones((4, 3), "f")],
        [-np.ones((2, 3), "f")],
    ),
    "if": (python_if, ROWS, [np.ones((4, 3), "f")], [-np.ones((2, 3), "f")], [np.full((2, 3), 0.1, "f")]),
    "while_loop": (
        lambda x: tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * 2), (0, x))[1],
        ROWS,
        [numbers(4, 3)],
    ),
    "for": (range_loop, ROWS, [numbers(4, 3)], [numbers(9, 3)]),
    "while": (while_statement, [*ROWS, S([], tf.int32)], [numbers(4, 3), np.int32(3)], [numbers(2, 3), np.int32(0)]),
    "map_fn": (lambda x: tf.map_fn(lambda row: row * 2, x), ROWS, [numbers(4, 3)], [numbers(7, 3)]),
    "scan": (lambda x: tf.scan(lambda c, row: c + row, x), ROWS, [numbers(4, 3)], [numbers(7, 3)]),
    "strings": (
        lambda x: tf.strings.join([tf.strings.as_string(x), "a"]),
        [S([None], tf.int32)],
        [np.array([1, 2], np.int32)],
    ),
    "strided convolution": (
        lambda x: tf.nn.conv2d(x, tf.ones([3, 3, 1, 2]), 2, "SAME"),
        IMAGES,
        [numbers(2, 8, 9, 1)],
        [numbers(1, 21, 33, 1)],
    ),
    "pooling": (
        lambda x: tf.nn.max_pool2d(tf.nn.max_pool2d(x, 2, 2, "VALID"), 2, 2, "VALID"),
        IMAGES,
        [numbers(2, 8, 9, 1)],
        [numbers(1, 21, 34, 1)],
    ),
    "eye and range": (
        lambda x: tf.eye(tf.shape(x)[0]) @ x + tf.cast(tf.range(tf.shape(x)[0]), F)[:, None],
        ROWS,
        [numbers(4, 3)],
        [numbers(7, 3)],
    ),
    "size as a number": (lambda x: tf.cast(tf.shape(x)[0], F) * x + x.shape[0], ROWS, [numbers(4, 3)], [numbers(7, 3)]),
    "pieces": (
        lambda x: [*tf.split(x, 3, axis=1), tf.concat([x, x], 0), tf.tile(x, [2, 1])],
        ROWS,
        [numbers(4, 3)],
        [numbers(7, 3)],
    ),
    "equal sizes": (lambda x, y: x + y, ROWS * 2, [numbers(4, 3), numbers(4, 3)], [numbers(1, 3), numbers(1, 3)]),
    "product": (
        lambda x, y: x @ y,
        [S([None, None], F)] * 2,
        [numbers(4, 3), numbers(3, 5)],
        [numbers(1, 2), numbers(2, 4)],
    ),
    "einsum": (
        lambda x, y: tf.einsum("bij,bjk->bik", x, y),
        [S([None, None, 3], F), S([None, 3, None], F)],
        [numbers(2, 4, 3), numbers(2, 3, 5)],
        [numbers(1, 2, 3), numbers(1, 3, 9)],
    ),
    "unknown rank": (lambda x: tf.exp(x) + 1, [S(None, F)], [numbers(4, 3)], [numbers()], [numbers(2, 2, 2)]),
    "cholesky": (tf.linalg.cholesky, [S([3, 3], F)], [np.eye(3, dtype="f") * 2]),
    "gather": (
        lambda i: tf.gather(tf.reshape(tf.range(12.0), [4, 3]), i),
        [S([None], tf.int64)],
        [np.array([0, 3, 2])],
    ),
    "custom gradient": (sevenfold_gradient, ROWS, [numbers(4, 3)], [numbers(7, 3)]),
    "causal mask": (causal, ROWS, [numbers(4, 3)], [numbers(7, 3)]),
    "complex128": (
        lambda x: tf.abs(tf.cast(x, tf.complex128) * tf.constant(1 + 2j, tf.complex128)),
        ROWS,
        [numbers(4, 3)],
    ),
    "stateless draw": (
        lambda x: x + tf.random.stateless_normal(tf.shape(x), [1, 2]),
        ROWS,
        [numbers(4, 3)],
        [numbers(9, 3)],
    ),
}


def gradients_of(function, arguments):
    watched = [x for x in arguments if x.dtype.is_floating]
    with tf.GradientTape() as tape:
        tape.watch(watched)
        results = [y for y in tf.nest.flatten(function(*arguments)) if y.dtype.is_floating]
    return (
        []
        if not watched or not results
        else [tf.convert_to_tensor(g) for g in tape.gradient(results, watched) if g is not None]
    )


def assert_equal(actual, expected):
    for x, y in zip(tf.nest.flatten(actual), tf.nest.flatten(expected), strict=True):
        if y.dtype == tf.string:
            assert x.numpy().tolist() == y.numpy().tolist()
        else:
            np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_results_and_gradients_are_those_of_the_function(name, tmp_path):
    function, signature, *argument_lists = CASES[name]
    module = tf.Module()
    module.f = tf.function(function, input_signature=signature)
    tf.saved_model.save(module, tmp_path / "once")
    loaded = tf.saved_model.load(tmp_path / "once")
    tf.saved_model.save(loaded, tmp_path / "twice")
    again = tf.saved_model.load(tmp_path / "twice")
    for arrays in argument_lists:
        arguments = [tf.constant(array) for array in arrays]
        expected = function(*arguments)
        for reader in (loaded, loaded, again):  # the second call replays a program
            assert_equal(reader.f(*arguments), expected)
        assert_equal(gradients_of(loaded.f, arguments), gradients_of(function, arguments))


def test_sizes_that_were_one_number_must_be_equal(tmp_path):
    module = tf.Module()
    module.f = tf.function(lambda x, y: x + y, input_signature=ROWS * 2)
    tf.saved_model.save(module, tmp_path)
    with pytest.raises(tf.errors.InvalidArgumentError, match="sizes 2 and 4 for axes that must have the same size"):
        tf.saved_model.load(tmp_path).f(tf.ones([2, 3]), tf.ones([4, 3]))


def test_draws_differ_from_call_to_call_and_follow_the_seed(tmp_path):
    module = tf.Module()
    module.f = tf.function(lambda x: x + tf.random.normal(tf.shape(x)), input_signature=ROWS)
    tf.saved_model.save(module, tmp_path)
    loaded = tf.saved_model.load(tmp_path)
    runs = []
    for _ in range(2):
        tf.random.set_seed(1)
        runs.append([loaded.f(tf.zeros([2, 3])).numpy().tolist() for _ in range(3)])
    assert runs[0] == runs[1]
    assert runs[0][0] != runs[0][1] != runs[0][2]


def remainder(x):
    y = x + 1
    return y * float(x.shape[0] ** 3 % 101)


def test_a_number_without_an_expression_is_refused_with_the_line_of_the_user(tmp_path):
    module = tf.Module()
    module.f = tf.function(remainder, input_signature=ROWS)
    line = remainder.__code__.co_firstlineno + 2
    with pytest.raises(
        ValueError, match=rf"test_stored_functions.py.*\b{line}\b.*remainder\(\): .* depends on the sizes"
    ):
        tf.saved_model.save(module, tmp_path)


def test_programs_that_depend_on_sizes_in_python_are_refused(tmp_path):
    module = tf.Module()
    module.f = tf.function(lambda x: tf.add_n([x[i] for i in range(x.shape[0])]), input_signature=ROWS)
    with pytest.raises(ValueError, match="the number of operations of the recorded function depends on the sizes"):
        tf.saved_model.save(module, tmp_path)
    module.f = tf.function(lambda x: x[: int(tf.reduce_sum(x))], input_signature=[S([3], F)])
    with pytest.raises(ValueError, match="Python's control flow in the function depends on a value"):
        tf.saved_model.save(module, tmp_path)


# ---- expressions in sizes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: 3,
        lambda a, b: a,
        lambda a, b: 7 * b,
        lambda a, b: a * b,
        lambda a, b: 2 * a + 3 * b - 1,
        lambda a, b: a * b - a + 4,
        lambda a, b: b * b * 12,
        lambda a, b: (b + 1) // 2,
        lambda a, b: (b - 3) // 2 + 1,
        lambda a, b: -(-b // 3),
        lambda a, b: b % 2,
        lambda a, b: (a + 3) // 4,
    ],
)
def test_expressions_hold_for_sizes_that_were_not_recorded(function):
    probes = probe_sizes(2, 0)
    expression = fit_integers([function(*sizes) for sizes in probes], probes)
    for sizes in [(1, 1), (1, 2), (30, 31), (64, 7), (101, 1000)]:
        assert evaluate(expression, sizes) == function(*sizes)


def test_numbers_without_a_rule_have_no_expression():
    probes = probe_sizes(1, 0)
    assert fit_integers([3, 1, 4, 1, 5, 9, 2, 6], probes) is None


# ---- files that say something else ---------------------------------------------------------------------------


def changed_file(folder, change):
    """Saves a function, changes the JSON of its file, and writes it with a right checksum."""
    module = tf.Module()
    module.v = tf.Variable([1.0, 2.0, 3.0])
    module.f = tf.function(lambda x: tf.reshape(x * module.v, [-1]), input_signature=ROWS)
    tf.saved_model.save(module, folder)
    arrays, texts = load_tensors(folder / FILE_NAME)
    contents = json.loads(texts[CONTENTS_KEY])
    change(contents, contents["entries"][0]["graph"])
    save_tensors(folder / FILE_NAME, arrays, {CONTENTS_KEY: json.dumps(contents)})


def node_of(graph, name):
    return next(node for node in graph["nodes"] if node.get("name") == name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c, g: node_of(g, "reshape").update(name="launch"), "an operation that is not in fastgrad: 'launch'"),
        (lambda c, g: node_of(g, "reshape").update(kind="python"), "a node of the kind 'python'"),
        (lambda c, g: node_of(g, "multiply").update({"in": [0, 99]}), "below ., got"),
        (lambda c, g: node_of(g, "reshape")["attributes"].update(shape={"tuple": [5]}), "cannot reshape array"),
        (
            lambda c, g: node_of(g, "reshape").update(attributes={"size": 3}),
            "does not take 1 inputs and the attributes",
        ),
        (lambda c, g: node_of(g, "multiply").update(out=[["float64", {"tuple": [5, 3]}]]), "the rule gives"),
        (lambda c, g: g.update(results=[-1]), "below ., got"),
        (lambda c, g: c["objects"][0].update(children=[["v", 77]]), "there is no object 77"),
        (lambda c, g: c["objects"][0].update(kind="code"), "an object of the kind 'code'"),
        (lambda c, g: c.update(version=2), "version 2"),
        (lambda c, g: c["entries"][0].update(probe=[10**9]), "was recorded for the sizes"),
        (lambda c, g: c["entries"][0].update(probe=[]), "has other sizes than the 0 there are"),
    ],
)
def test_files_with_a_right_checksum_are_checked(tmp_path, change, message):
    changed_file(tmp_path, change)
    with pytest.raises(ValueError, match=message) as refusal:
        tf.saved_model.load(tmp_path)
    assert str(tmp_path) in str(refusal.value)
