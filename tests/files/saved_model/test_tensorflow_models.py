"""SavedModels that TensorFlow wrote: what fastgrad computes with them is what TensorFlow does (tensorflow_models/record.py)."""

import gc
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.files.checkpoints.tensor_bundle import TensorBundle
from fastgrad._src.files.records import saved_model_messages as messages
from tests.files.saved_model.tensorflow_models import record, user_models

FOLDER = Path(record.__file__).parent


def unpacked(name, folder):
    with tarfile.open(FOLDER / name) as archive:
        archive.extractall(folder, filter="data")
    return folder


def answers_of(name):
    answers = {}
    with np.load(FOLDER / name) as arrays:
        for key in arrays.files:
            answers.setdefault(key.split("/")[0], []).append(arrays[key])
    return answers


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The folder of the models."""
    return unpacked("models.tar.xz", tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def expected():
    """TensorFlow's answers: for each name a list."""
    return answers_of("answers.npz")


def check(answers, expected):
    assert len(answers) == len(expected)
    for answer, other in zip(answers, expected, strict=True):
        assert answer.numpy().dtype == other.dtype
        np.testing.assert_allclose(answer.numpy(), other, rtol=2e-4, atol=1e-5)


def test_all_answers_are_those_of_tensorflow(models, expected):
    answers = record.all_answers(tf, lambda name: tf.saved_model.load(models / name), models)
    assert answers.keys() == expected.keys()
    for name, several in answers.items():
        check(several, expected[name])


@pytest.mark.parametrize("name", record.INPUTS)
def test_loaded_functions_run_in_a_function(models, expected, name):
    loaded = tf.saved_model.load(models / name)
    call = loaded.signatures["serving_default"] if name == "saved" else loaded.serve

    @tf.function
    def function(x):
        return call(x)

    for _ in range(3):
        result = function(tf.constant(record.values(name)))
    check([result["output_0"] if name == "saved" else result], expected[name][:1])


def test_a_loaded_model_is_trained(models):
    loaded = tf.saved_model.load(models / "dense")
    x, optimizer = tf.constant(record.values("dense")), tf.optimizers.SGD(0.5)
    losses = []
    for _ in range(10):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(tf.math.log(loaded.serve(x)[:, 0]))
        optimizer.apply_gradients(
            zip(tape.gradient(loss, loaded.trainable_variables), loaded.trainable_variables, strict=True)
        )
        losses.append(float(loss))
    assert losses[-1] < 0.5 * losses[0]


def test_objects_and_signatures(models):
    loaded = tf.saved_model.load(models / "module", tags=["serve"])
    assert tf.saved_model.contains_saved_model(models / "module")
    assert (loaded.w.name, loaded.w.trainable, loaded.n.trainable) == ("w:0", True, False)
    assert loaded.n.dtype is tf.int32
    assert float(loaded.parts[1]["k"]) == 5.0
    signature = loaded.signatures["serving_default"]
    assert signature.structured_input_signature == ((), {"x": tf.TensorSpec([None, 2], tf.float32, "x")})
    assert list(signature.structured_outputs) == ["s", "y"]
    assert loaded.f.input_signature == [tf.TensorSpec([None, 2], tf.float32, "x")]
    with pytest.raises(ValueError, match=r"(?s)Could not find matching concrete function.*3 option"):
        loaded.g(tf.ones([3]))
    with pytest.raises(TypeError, match="Binding inputs"):
        loaded.f(tf.ones([3]))
    with pytest.raises(ValueError, match=r"tags.*\['serve'\]"):
        tf.saved_model.load(models / "module", tags="train")


def test_the_functions_keep_the_variables_alive(models):
    serve = tf.saved_model.load(models / "dense").serve
    gc.collect()
    assert serve(tf.constant(record.values("dense"))).shape == [7, 3]


def test_a_loaded_model_is_saved_again(models, expected, tmp_path):
    loaded = tf.saved_model.load(models / "images")
    tf.saved_model.save(loaded, tmp_path / "again")
    again = tf.saved_model.load(tmp_path / "again")
    check([again.serve(tf.constant(record.values("images")))], expected["images"][:1])


def test_missing_operations_are_named(models):
    with pytest.raises(tf.errors.UnimplementedError, match=r"lacks: DecodeWav\. "):
        tf.saved_model.load(models / "lacking")


# ---- models as users export them ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def user_folder(tmp_path_factory):
    """The folder of the models of user_models.py."""
    return unpacked("user_models.tar.xz", tmp_path_factory.mktemp("user_models"))


@pytest.fixture(scope="module")
def user_answers():
    return answers_of("user_answers.npz")


def check_parts(parts, expected):
    assert len(parts) == len(expected)
    for part, other in zip(parts, expected, strict=True):
        array = np.asarray(part.numpy())
        if other.dtype.kind == "S":
            assert array.tolist() == other.tolist()
        else:
            assert array.dtype == other.dtype
            np.testing.assert_allclose(array, other, rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("name", user_models.CALLS)
def test_a_model_of_a_user_computes_what_it_does_in_tensorflow(user_folder, user_answers, name):
    loaded = tf.saved_model.load(user_folder / name)
    check_parts(user_models.tensors(tf, user_models.CALLS[name](tf, loaded)), user_answers[name])


def test_a_function_with_a_table_runs_in_a_function(user_folder, user_answers):
    loaded = tf.saved_model.load(user_folder / "vocabulary")

    @tf.function
    def function(terms, numbers):
        return *loaded.ids(terms), loaded.names(numbers)

    for _ in range(3):
        check_parts(
            function(tf.constant(["fox", "dog", "cat"]), tf.constant([0, 1, 7], tf.int64)), user_answers["vocabulary"]
        )
    assert loaded.ids(tf.constant(["dog", "fox"]))[0].numpy().tolist() == [1, 0]


def test_a_table_that_changes_belongs_to_one_loaded_object(user_folder):
    first, second = [tf.saved_model.load(user_folder / "counters") for _ in range(2)]
    first.put(tf.constant(["new"]))
    assert [int(model.get(tf.constant(["new"]))[0][0]) for model in (first, second)] == [1, -1]


def test_a_ragged_argument_must_fit_its_spec(user_folder):
    loaded = tf.saved_model.load(user_folder / "tagger")
    assert loaded.tag.input_signature == [tf.RaggedTensorSpec([None, None], tf.int64)]
    with pytest.raises(TypeError, match="Binding inputs"):
        loaded.tag(tf.ragged.constant([["text"]]))
    with pytest.raises(TypeError, match="Binding inputs"):
        loaded.tag(tf.constant([[1]], tf.int64))


def test_a_missing_vocabulary_is_told(user_folder, tmp_path):
    shutil.copytree(user_folder / "vocabulary", tmp_path / "copy")
    for file in (tmp_path / "copy" / "assets").iterdir():
        file.unlink()
    with pytest.raises(ValueError, match="vocabulary.txt; No such file"):
        tf.saved_model.load(tmp_path / "copy")


# ---- damaged files ------------------------------------------------------------------------------------


@pytest.fixture
def changed(models, user_folder, tmp_path):
    """Returns a function that changes the message of a copy of a model and returns the copy's folder."""

    def change(edit, name="module"):
        folder = tmp_path / "copy"
        shutil.copytree((user_folder if name in user_models.CALLS else models) / name, folder)
        message = messages.parse_message("SavedModel", (folder / "saved_model.pb").read_bytes())
        edit(message.meta_graphs[0])
        (folder / "saved_model.pb").write_bytes(message.SerializeToString())
        return folder

    return change


def function_named(graph, part):
    return next(f for f in graph.graph_def.library.function if part in f.signature.name)


def test_a_function_that_calls_itself_is_refused(changed):
    def edit(graph):
        function = function_named(graph, "signature_wrapper")
        function.node_def[0].attr["f"].func.name = function.signature.name

    with pytest.raises(ValueError, match="calls itself"):
        tf.saved_model.load(changed(edit))


def test_deep_calls_are_refused(changed):
    def edit(graph):
        function = function_named(graph, "signature_wrapper")
        last = function.node_def[0].attr["f"].func.name
        for number in range(100):
            copy = graph.graph_def.library.function.add()
            copy.CopyFrom(function)
            copy.signature.name = f"f{number}"
            copy.node_def[0].attr["f"].func.name = f"f{number + 1}" if number < 99 else last
        function.node_def[0].attr["f"].func.name = "f0"

    with pytest.raises(ValueError, match="functions call each other"):
        tf.saved_model.load(changed(edit))


def test_a_node_that_needs_itself_is_refused(changed):
    def edit(graph):
        function = function_named(graph, "inference_g")
        node = next(node for node in function.node_def if node.op in ("Mul", "Sub"))
        node.input[0] = f"{node.name}:z:0"

    with pytest.raises(ValueError, match="needs its own result"):
        tf.saved_model.load(changed(edit))


def test_a_huge_constant_is_refused(changed):
    def edit(graph):
        for function in graph.graph_def.library.function:
            for node in function.node_def:
                if node.op == "Const" and node.attr["value"].tensor.dtype == 1:
                    node.attr["value"].tensor.tensor_shape.dim.add(size=1 << 40)

    folder = changed(edit)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Cannot parse tensor"):
        tf.saved_model.load(folder).f(tf.ones([1, 2]))


@pytest.mark.parametrize("reference", ["nothing:z:0", "x:z:7", "mul:z:1", "mul:other:0:0"])
def test_a_missing_value_is_refused(changed, reference):
    def edit(graph):
        for function in graph.graph_def.library.function:
            for key in function.ret:
                function.ret[key] = reference

    with pytest.raises(ValueError, match="no intact SavedModel"):
        tf.saved_model.load(changed(edit))


def test_an_asset_outside_of_the_folder_is_refused(changed):
    def edit(graph):
        graph.asset_file_def.add(filename="../../secret")
        graph.object_graph_def.nodes.add().asset.asset_file_def_index = 0

    with pytest.raises(ValueError, match="an asset is no file of the folder"):
        tf.saved_model.load(changed(edit))


def test_the_initializer_of_a_table_only_fills_it(changed):
    def edit(graph):
        function = function_named(graph, "initializer")
        node = function.node_def.add(name="all", op="Identity", input=["Const:output:0"])
        node.op = "Neg"
        function.ret["identity"] = "all:y:0"

    with pytest.raises(ValueError, match=r"of a table has the operations \['Neg'\]"):
        tf.saved_model.load(changed(edit, "vocabulary"))


def test_a_maker_of_a_table_that_makes_none_is_refused(changed):
    def edit(graph):
        for node in function_named(graph, "creator").node_def:
            if node.op == "HashTableV2":
                node.op = "Const"
                node.attr["value"].tensor.dtype = 1
                node.attr["value"].tensor.float_val.append(1.0)

    with pytest.raises(ValueError, match="makes no table"):
        tf.saved_model.load(changed(edit, "vocabulary"))


def test_a_variable_in_place_of_a_table_is_refused(changed):
    def edit(graph):
        for name, concrete in graph.object_graph_def.concrete_functions.items():
            if "inference_get" in name:
                concrete.bound_inputs[0] = concrete.bound_inputs[1]

    with pytest.raises(tf.errors.InvalidArgumentError, match="a handle of a table is needed"):
        tf.saved_model.load(changed(edit, "counters")).get(tf.constant(["a"]))


def test_a_text_is_no_saved_model(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"no message")
    with pytest.raises(ValueError, match=r"saved_model\.pb' is no intact SavedModel"):
        tf.saved_model.load(tmp_path)
    (tmp_path / "saved_model.pb").rename(tmp_path / "saved_model.pbtxt")
    with pytest.raises(ValueError, match="as text"):
        tf.saved_model.load(tmp_path)


def stored_values(folder):
    """All tensors of a checkpoint; the text of the error if it is refused."""
    try:
        bundle = TensorBundle(str(folder / "variables"))
        return {key: bundle.read(key).tolist() for key in bundle._entries}
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize("name", ["variables.index", "variables.data-00000-of-00001"])
def test_every_damaged_byte_of_the_checkpoint_is_seen(models, tmp_path, name):
    folder = tmp_path / "variables"
    shutil.copytree(models / "module" / "variables", folder)
    whole, values = (folder / name).read_bytes(), stored_values(folder)
    assert len(values) == 5
    results = []
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0x11
        (folder / name).write_bytes(damaged)
        results.append(stored_values(folder))
    for length in range(0, len(whole), 7):
        (folder / name).write_bytes(whole[:length])
        results.append(stored_values(folder))
    assert all(result == values or (isinstance(result, str) and "of a checkpoint" in result) for result in results)
    assert sum(isinstance(result, str) for result in results) > 0.8 * len(results)
