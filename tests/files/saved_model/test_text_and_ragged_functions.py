"""Stored functions with tables, strings, ragged and sparse tensors give the same results, for other sizes and values."""

import json
import subprocess
import sys

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from fastgrad._src.files.formats.tensor_file import load_tensors, save_tensors
from fastgrad._src.files.saved_model.saving import CONTENTS_KEY, FILE_NAME

TEXTS = [tf.TensorSpec([None], tf.string)]
WORDS = [["a b c", "d", "e f g h"], ["", "q"], []]
RAGGED = [tf.RaggedTensorSpec([None, None], tf.float32)]
ROWS = [[[1.0, 2.0], [3.0], []], [[1.0, 2.0, 7.0, 8.0, 9.0]]]
NUMBERS = [tf.RaggedTensorSpec([None, None], tf.int64)]
SPARSE = [tf.SparseTensorSpec([None, None], tf.float32)]
MATRICES = [[[0.0, 1, 2], [0, 0, 3]], [[0.0, 1, 2, 4, 5]]]


def term_table():
    initializer = tf.lookup.KeyValueTensorInitializer(["a", "d"], tf.constant([1, 2], tf.int64))
    return tf.lookup.StaticHashTable(initializer, -1)


TABLE = term_table()
VOCABULARY = tf.lookup.StaticVocabularyTable(
    tf.lookup.KeyValueTensorInitializer(["a", "d"], tf.constant([0, 1], tf.int64)), 3
)
EMBEDDING = np.arange(30, dtype="f").reshape(10, 3)


def ragged(rows, **options):
    return tf.ragged.constant(rows, **options)


def tensors(rows):
    return [tf.constant(row, tf.string) for row in rows]


def numbers(rows):
    return [ragged(row, dtype=tf.int64) for row in rows]


CASES = {
    "split": (tf.strings.split, TEXTS, tensors(WORDS)),
    "positions of words, a constant range of one or more numbers": (
        lambda x: tf.range(tf.strings.split(x).bounding_shape()[1]),
        [tf.TensorSpec([1], tf.string)],
        tensors([["a b c"], ["a"], ["a b c d"]]),
    ),
    "split to a dense tensor": (lambda x: tf.strings.split(x).to_tensor("-"), TEXTS, tensors(WORDS[:2])),
    "split with a fixed length": (lambda x: tf.strings.split(x).to_tensor(shape=[None, 3]), TEXTS, tensors(WORDS[:2])),
    "split of a matrix": (
        tf.strings.split,
        [tf.TensorSpec([None, None], tf.string)],
        [tf.constant([["a b", "c"], ["d", "e f"]])],
    ),
    "sums of numbers in texts": (
        lambda x: tf.reduce_sum(tf.strings.to_number(tf.strings.split(x)), 1),
        TEXTS,
        tensors([["1 2", "3"]]),
    ),
    "join": (lambda x: tf.strings.reduce_join(tf.strings.split(x), -1, separator="_"), TEXTS, tensors(WORDS[:2])),
    "n-grams": (lambda x: tf.strings.ngrams(tf.strings.split(x), 2), TEXTS, tensors(WORDS)),
    "code points": (lambda x: tf.strings.unicode_decode(x, "UTF-8"), TEXTS, tensors(WORDS)),
    "bytes": (lambda x: tf.strings.bytes_split(x).row_lengths(), TEXTS, tensors(WORDS[:2])),
    "regular expression": (lambda x: tf.strings.regex_replace(x, "[a-c]", "z"), TEXTS, tensors(WORDS)),
    "table": (TABLE.lookup, TEXTS, tensors(WORDS)),
    "table of a ragged tensor": (lambda x: TABLE.lookup(tf.strings.split(x)), TEXTS, tensors(WORDS)),
    "table in a loop": (lambda x: tf.map_fn(TABLE.lookup, x, fn_output_signature=tf.int64), TEXTS, tensors(WORDS[:2])),
    "elements of a table": (lambda x: (TABLE.size(), TABLE.export(), x), TEXTS, tensors(WORDS)),
    "vocabulary table": (lambda x: (VOCABULARY.lookup(x), VOCABULARY.size()), TEXTS, tensors(WORDS)),
    "ragged argument": (lambda x: tf.reduce_sum(x, 1), RAGGED, list(map(ragged, ROWS))),
    "ragged result": (lambda x: x * 2, RAGGED, list(map(ragged, ROWS))),
    "ragged to dense": (lambda x: x.to_tensor(), RAGGED, list(map(ragged, ROWS))),
    "ragged to sparse": (lambda x: x.to_sparse(), RAGGED, list(map(ragged, ROWS))),
    "ragged rows": (lambda x: (x[0], x[:, :1], x[:, -1:]), RAGGED, list(map(ragged, ROWS))),
    "ragged concat": (lambda x: (tf.concat([x, x], 0), tf.concat([x, x], 1)), RAGGED, list(map(ragged, ROWS))),
    "ragged reverse": (lambda x: tf.reverse(x, [0]), RAGGED, list(map(ragged, ROWS))),
    "ragged mask": (
        lambda x: tf.ragged.boolean_mask(x, x > 2),
        NUMBERS,
        numbers([[[1, 2], [3], []], [[1, 2, 7, 8, 9]]]),
    ),
    "ragged sizes": (lambda x: (x.bounding_shape(), x.nrows(), x.value_rowids()), RAGGED, list(map(ragged, ROWS))),
    "ragged embedding": (
        lambda x: tf.reduce_sum(tf.nn.embedding_lookup(EMBEDDING, x), 1),
        NUMBERS,
        numbers([[[1, 2], [3], []], [[1, 2, 4, 5, 6, 7]]]),
    ),
    "ragged of rank 3": (
        lambda x: x.merge_dims(0, 1),
        [tf.RaggedTensorSpec([None, None, None], tf.float32)],
        [ragged([[[1.0], [2.0, 3.0]], []])],
    ),
    "ragged rows of a known number": (
        lambda x: tf.reduce_sum(x, 1),
        [tf.RaggedTensorSpec([2, None, 2], tf.float32, 1)],
        [ragged([[[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]]], ragged_rank=1)],
    ),
    "ragged strings": (
        lambda x: tf.strings.reduce_join(tf.strings.join([x, "!"]), axis=-1),
        [tf.RaggedTensorSpec([None, None], tf.string)],
        [ragged([["a"], ["b", "c"]])],
    ),
    "sparse to dense": (tf.sparse.to_dense, SPARSE, list(map(tf.sparse.from_dense, MATRICES))),
    "sparse result": (lambda x: x, SPARSE, list(map(tf.sparse.from_dense, MATRICES))),
    "sparse product": (
        lambda x: tf.sparse.sparse_dense_matmul(x, EMBEDDING[:3]),
        [tf.SparseTensorSpec([None, 3], tf.float32)],
        [tf.sparse.from_dense(MATRICES[0])],
    ),
}


def plain(value):
    """Returns a result as lists."""

    def of_leaf(leaf):
        if isinstance(leaf, tf.RaggedTensor):
            return leaf.to_list()
        return tf.sparse.to_dense(leaf).numpy().tolist() if isinstance(leaf, tf.SparseTensor) else leaf.numpy().tolist()

    return [of_leaf(leaf) for leaf in tf.nest.flatten(value)]


@pytest.mark.parametrize("name", CASES)
def test_results_are_those_of_the_function(name, tmp_path):
    function, signature, arguments = CASES[name]
    module = tf.Module()
    module.f = tf.function(function, input_signature=signature)
    tf.saved_model.save(module, tmp_path / "once")
    loaded = tf.saved_model.load(tmp_path / "once")
    tf.saved_model.save(loaded, tmp_path / "twice")
    again = tf.saved_model.load(tmp_path / "twice")
    for argument in arguments:
        expected = function(argument)
        for reader in (loaded, loaded, again):  # the second call replays a program
            result = reader.f(argument)
            assert plain(result) == plain(expected)
            assert [type(x) for x in tf.nest.flatten(result)] == [type(x) for x in tf.nest.flatten(expected)]


def test_gradients_go_through_a_ragged_argument_and_result(tmp_path):
    module = tf.Module()
    module.v = tf.Variable(2.0)
    module.f = tf.function(lambda x: x * module.v, input_signature=RAGGED)
    tf.saved_model.save(module, tmp_path)
    loaded = tf.saved_model.load(tmp_path)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(loaded.f(ragged(ROWS[0])).flat_values)
    assert tape.gradient(loss, loaded.v).numpy() == 6.0


def test_signatures_take_the_tensors_of_ragged_and_sparse_arguments(tmp_path):
    class Model(tf.Module):
        @tf.function(input_signature=RAGGED)
        def ragged(self, x):
            return {"twice": x * 2, "sum": tf.reduce_sum(x, 1)}

        @tf.function(input_signature=[tf.SparseTensorSpec([None, 3], tf.float32), tf.TensorSpec([3, None], tf.float32)])
        def product(self, s, d):
            return {"product": tf.sparse.sparse_dense_matmul(s, d)}

    model = Model()
    tf.saved_model.save(model, tmp_path, signatures={"ragged": model.ragged, "product": model.product})
    signatures = tf.saved_model.load(tmp_path).signatures
    x, s = ragged(ROWS[0]), tf.sparse.from_dense(MATRICES[0])
    assert signatures["ragged"].structured_input_signature[1] == {  # TensorFlow's names
        "x": tf.TensorSpec([None], tf.float32, "x"),
        "x_1": tf.TensorSpec([None], tf.int64, "x_1"),
    }
    assert signatures["ragged"].structured_outputs["twice"] == RAGGED[0]
    results = signatures["ragged"](x=x.flat_values, x_1=x.row_splits)
    assert plain([results["twice"], results["sum"]]) == plain([model.ragged(x)[key] for key in ("twice", "sum")])
    d = tf.ones([3, 2])
    results = signatures["product"](s=s.indices, s_1=s.values, s_2=s.dense_shape, d=d)
    assert plain(results) == plain(model.product(s, d))
    with pytest.raises(TypeError, match="takes \\['x', 'x_1'\\] by name"):
        signatures["ragged"](x=x)


def test_a_loaded_function_refuses_another_ragged_tensor(tmp_path):
    module = tf.Module()
    module.f = tf.function(lambda x: x * 2, input_signature=RAGGED)
    tf.saved_model.save(module, tmp_path)
    for wrong in (tf.ones([2, 2]), ragged([["a"]]), ragged([[[1.0]]])):
        with pytest.raises(TypeError, match="Binding inputs to tf.function failed"):
            tf.saved_model.load(tmp_path).f(wrong)


def test_a_table_that_changes_keeps_its_elements(tmp_path):
    table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
    table.insert(["a", "d"], tf.constant([1, 2], tf.int64))

    class Model(tf.Module):
        @tf.function(input_signature=TEXTS)
        def add(self, x):
            table.insert(x, tf.cast(tf.strings.length(x), tf.int64))
            return table.lookup(x)

        @tf.function(input_signature=TEXTS)
        def get(self, x):
            return table.lookup(x), table.size()

        @tf.function(input_signature=TEXTS)
        def remove(self, x):
            table.remove(x)
            return table.size()

    tf.saved_model.save(Model(), tmp_path)
    assert table.size() == 2  # the recordings of add() and remove() are undone
    loaded = tf.saved_model.load(tmp_path)
    assert plain(loaded.get(tf.constant(["a", "new"]))) == [[1, -1], 2]
    assert plain(loaded.add(tf.constant(["new"]))) == [[3]]
    assert plain(loaded.get(tf.constant(["a", "new"]))) == [[1, 3], 3]  # one table for all functions
    assert plain(loaded.remove(tf.constant(["a"]))) == [2]
    assert table.size() == 2


def test_a_dense_table_keeps_its_unused_keys(tmp_path):
    table = tf.lookup.experimental.DenseHashTable(tf.int64, tf.float32, [0.0, 0.5], -1, -2)
    table.insert(tf.constant([1, 2], tf.int64), [[1.0, 2.0], [3.0, 4.0]])
    module = tf.Module()
    module.f = tf.function(table.lookup, input_signature=[tf.TensorSpec([None], tf.int64)])
    tf.saved_model.save(module, tmp_path)
    loaded = tf.saved_model.load(tmp_path)
    assert plain(loaded.f(tf.constant([2, 5], tf.int64))) == [[[3.0, 4.0], [0.0, 0.5]]]
    with pytest.raises(tf.errors.InvalidArgumentError, match="empty_key"):
        loaded.f(tf.constant([-1], tf.int64))


def test_all_elements_of_a_table_that_changes_are_refused(tmp_path):
    table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
    module = tf.Module()
    module.f = tf.function(table.export, input_signature=[])
    with pytest.raises(ValueError, match="as many results as the table has keys"):
        tf.saved_model.save(module, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_number_that_was_always_the_same_must_be_it(tmp_path):
    module = tf.Module()
    module.f = tf.function(lambda x: tf.strings.split(x, "::").to_tensor(), input_signature=TEXTS)
    tf.saved_model.save(module, tmp_path)
    loaded = tf.saved_model.load(tmp_path)
    assert plain(loaded.f(tf.constant(["a", "b"]))) == [[[b"a"], [b"b"]]]


def test_no_texts_are_refused_where_the_function_does_something_else(tmp_path):
    module = tf.Module()
    module.f = tf.function(lambda x: tf.strings.split(x).to_tensor("-"), input_signature=TEXTS)
    tf.saved_model.save(module, tmp_path)
    with pytest.raises(tf.errors.InvalidArgumentError, match="size 0 of axis 0 .* Give this axis a fixed size"):
        tf.saved_model.load(tmp_path).f(tf.constant([], tf.string))


# ---- files that say something else ---------------------------------------------------------------------------


def node_of(contents, kind):
    return next(node for node in contents["entries"][0]["graph"]["nodes"] if node["kind"] == kind)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: node_of(c, "table").update(method="clear"), "no table has a method 'clear'"),
        (lambda c: node_of(c, "table").update(method="size"), "does not take"),
        (lambda c: node_of(c, "table").update(table={"table": 7}), "there is no table 7"),
        (lambda c: node_of(c, "table").update(table={"hidden": 0}), "there is no hidden variable 0"),
        (lambda c: c["tables"][0].update(kind="file"), "a table of the kind 'file'"),
        (lambda c: c["tables"][0].update(keys=c["tables"][0]["values"]), "does not take"),
        (lambda c: c["tables"][0].update(keys={"strings": [[2], ["YQ==", "YQ=="]]}), "different value for same key"),
        (lambda c: node_of(c, "sizes").update(sizes=[[99, -1]]), "an integer is no size"),
        (lambda c: node_of(c, "sizes").update(sizes=[]), "holds no 0 integers"),
        (lambda c: c["entries"][0]["result"].update(tuple=[{"ragged": [0]}]), "has no components"),
        (lambda c: c["entries"][0]["result"].update(tuple=[{"sparse": [0, 1, 0]}]), "has no components"),
        (lambda c: c["entries"][0]["result"].update(tuple=[{"ragged": [0, 77]}]), "there is no result"),
        (lambda c: argument(c, "r").update(composite=[[1, 1], argument(c, "r")["composite"][1]]), "not numbered"),
        (lambda c: argument(c, "r").update(composite=[[1, 2], {"spec": [[None], "float32", None]}]), "no argument"),
        (lambda c: argument(c, "r").update(composite=[[1], argument(c, "r")["composite"][1]]), "is longer than"),
    ],
)
def test_files_with_a_right_checksum_are_checked(tmp_path, change, message):
    module = tf.Module()
    module.f = tf.function(
        lambda x, r: (TABLE.lookup(tf.strings.split(x)).to_tensor(), r * 2), input_signature=TEXTS + RAGGED
    )
    tf.saved_model.save(module, tmp_path)
    arrays, texts = load_tensors(tmp_path / FILE_NAME)
    contents = json.loads(texts[CONTENTS_KEY])
    change(contents)
    save_tensors(tmp_path / FILE_NAME, arrays, {CONTENTS_KEY: json.dumps(contents)})
    with pytest.raises(ValueError, match=message) as refusal:
        tf.saved_model.load(tmp_path)
    assert str(tmp_path) in str(refusal.value)


def argument(contents, name):
    return dict(contents["entries"][0]["arguments"]["dict"])[name]


# ---- Keras -------------------------------------------------------------------------------------------------

SENTENCES = ["the cat sat", "a dog", "the end of it all"]


def vectorized(*others, **options):
    layer = keras.layers.TextVectorization(max_tokens=20, **options)
    layer.adapt(tf.constant(SENTENCES))
    return keras.Sequential([keras.Input((), dtype="string"), layer, *others])


def looked_up(dtype, layer):
    x = keras.Input((1,), dtype=dtype)
    return keras.Model(x, layer(x))


def classifier(**options):
    layers = [keras.layers.Embedding(20, 4), keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(2)]
    return vectorized(*layers, **options)


MODELS = {
    "classifier": (classifier, SENTENCES),
    "classifier of a fixed length": (lambda: classifier(output_sequence_length=6), SENTENCES),
    "tf-idf": (lambda: vectorized(keras.layers.Dense(2), output_mode="tf_idf"), SENTENCES),
    "n-grams": (lambda: vectorized(keras.layers.Dense(2), ngrams=2, output_mode="multi_hot"), SENTENCES),
    "ragged numbers": (lambda: vectorized(ragged=True), SENTENCES),
    "StringLookup": (lambda: looked_up("string", keras.layers.StringLookup(vocabulary=["a", "b"])), [["a"], ["x"]]),
    "StringLookup backwards": (
        lambda: looked_up("int64", keras.layers.StringLookup(vocabulary=["a", "b"], invert=True)),
        [[2], [1]],
    ),
    "IntegerLookup": (lambda: looked_up("int64", keras.layers.IntegerLookup(vocabulary=[5, 7])), [[5], [1]]),
    "Hashing": (lambda: looked_up("string", keras.layers.Hashing(5)), [["a"], ["x"]]),
}


@pytest.mark.parametrize("exported", [True, False], ids=["export", "save"])
@pytest.mark.parametrize("name", MODELS)
def test_models_of_texts(name, exported, tmp_path):
    make, rows = MODELS[name]
    model = make()
    x = tf.constant(rows, None if isinstance(rows[0], str) or isinstance(rows[0][0], str) else tf.int64)
    expected = plain(model(x))
    model.export(tmp_path, verbose=False) if exported else tf.saved_model.save(model, tmp_path)
    loaded = tf.saved_model.load(tmp_path)
    assert plain(loaded.signatures["serving_default"](x)) == expected
    if exported:
        assert plain(loaded.serve(x[:1])) == plain(model(x[:1]))


def test_another_process_computes_the_same(tmp_path):
    model = classifier()
    model.export(tmp_path / "model", verbose=False)
    np.save(tmp_path / "expected.npy", model(tf.constant(SENTENCES)).numpy())
    program = f"""
import numpy as np, fastgrad as tf
results = tf.saved_model.load({str(tmp_path / "model")!r}).serve(tf.constant({SENTENCES!r}))
np.testing.assert_array_equal(results.numpy(), np.load({str(tmp_path / "expected.npy")!r}))
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=600)
