"""What ``tf.saved_model.save`` writes and ``load`` makes of it: objects, variables, functions, signatures."""

from typing import Any, NamedTuple

import numpy as np
import pytest

import fastgrad as tf
from tests.conformance.models import model_of_all_parts


def linear_model():
    model = model_of_all_parts(tf)
    model.pair = (tf.Variable(4.0),)
    return model


def reloaded(obj, folder, **options):
    tf.saved_model.save(obj, folder, **options)
    return tf.saved_model.load(folder)


def module_of(function, signature, **attributes):
    module = tf.Module()
    for name, value in attributes.items():
        setattr(module, name, value)
    module.f = tf.function(function, input_signature=signature)
    return module


# ---- objects ------------------------------------------------------------------------------------------------


def test_variables_and_containers_are_attributes_and_other_values_are_not(tmp_path):
    loaded = reloaded(linear_model(), tmp_path)
    assert loaded.w.numpy().tolist() == [[1, 2]]
    assert loaded.w.name == "w:0"
    assert [v.numpy() for v in loaded.variables_of_all_kinds] == [1, 2]
    assert [v.trainable for v in loaded.variables_of_all_kinds] == [True, False]
    assert loaded.parts["a"].numpy() == 3
    assert loaded.pair[0].numpy() == 4
    for name in ("constant", "number", "plain", "variables", "trainable_variables", "name"):
        with pytest.raises(AttributeError):
            getattr(loaded, name)


def test_an_object_without_a_stored_call_is_not_callable(tmp_path):
    module = tf.Module()
    module.v = module.u = tf.Variable(1.0)
    loaded = reloaded(module, tmp_path)
    assert loaded.v is loaded.u
    assert not callable(loaded)
    with pytest.raises(TypeError, match="'_UserObject' object is not callable"):
        loaded(2.0)


def test_nested_modules_and_cycles(tmp_path):
    module, inner = tf.Module(), tf.Module()
    module.parts = {"a": [inner]}
    inner.outer, inner.v = module, tf.Variable(2.0)
    loaded = reloaded(module, tmp_path)
    assert loaded.parts["a"][0].v.numpy() == 2
    assert loaded.parts["a"][0].outer is loaded


def test_a_loaded_object_restores_checkpoints(tmp_path):
    loaded = reloaded(linear_model(), tmp_path / "model")
    path = tf.train.Checkpoint(root=loaded).write(tmp_path / "ckpt")
    loaded.w.assign([[8.0, 8.0]])
    tf.train.Checkpoint(root=loaded).read(path).assert_consumed()
    assert loaded.w.numpy().tolist() == [[1, 2]]


@pytest.mark.parametrize(
    "dtype", ["bfloat16", "float16", "float64", "complex64", "complex128", "int8", "uint64", "bool"]
)
def test_variables_of_every_dtype(tmp_path, dtype):
    module = tf.Module()
    module.v = tf.Variable(tf.cast([0, 1, 2], dtype))
    module.f = tf.function(lambda: tf.identity(module.v), input_signature=[])
    loaded = reloaded(module, tmp_path)
    assert loaded.v.dtype == module.v.dtype
    assert loaded.f().numpy().tolist() == module.v.numpy().tolist()


# ---- functions ----------------------------------------------------------------------------------------------


def test_functions_with_input_signature(tmp_path):
    loaded = reloaded(linear_model(), tmp_path)
    assert loaded(tf.ones([3, 1])).numpy().tolist() == [[2, 3]] * 3
    for value in ([[1.0]], np.ones([1, 1], np.float32)):
        assert loaded.forward(value).numpy().tolist() == [[1, 2]]
    assert loaded.forward(x=tf.ones([1, 1])).numpy().tolist() == [[1, 2]]
    with pytest.raises(TypeError, match="Binding inputs to tf.function failed due to `Can not cast"):
        loaded.forward(tf.ones([3, 2]))
    with pytest.raises(TypeError, match="missing a required argument: 'x'"):
        loaded.forward()


def test_functions_without_it_have_the_arguments_of_earlier_calls(tmp_path):
    module = linear_model()
    module.scaled(tf.constant([1.0, 2.0]))
    module.scaled.get_concrete_function(tf.TensorSpec([None]), k=3)
    loaded = reloaded(module, tmp_path)
    result = loaded.scaled([1.0, 2.0])
    assert result["y"].numpy().tolist() == [7, 9]
    assert [x.numpy().tolist() for x in result["z"]] == [[1, 2], [1, 2]]
    assert loaded.scaled([1.0, 2.0, 3.0], 3)["y"].numpy().tolist() == [8, 11, 14]
    with pytest.raises(
        ValueError, match="Could not find matching concrete function to call loaded from the SavedModel"
    ):
        loaded.scaled([1.0, 2.0], k=4)


def test_a_function_never_called_is_stored_for_no_arguments(tmp_path):
    loaded = reloaded(linear_model(), tmp_path)
    with pytest.raises(ValueError, match="Found zero restored functions"):
        loaded.scaled([1.0])


def test_concrete_functions_as_attributes(tmp_path):
    module = tf.Module()
    module.f = tf.function(lambda x, k: x * k).get_concrete_function(tf.TensorSpec([2]), 3.0)
    assert reloaded(module, tmp_path).f(tf.constant([1.0, 2.0])).numpy().tolist() == [3, 6]


def test_state_changes_in_the_loaded_object_only(tmp_path):
    module = linear_model()
    loaded = reloaded(module, tmp_path)
    assert module.variables_of_all_kinds[0].numpy() == 1  # saving runs no change
    assert [loaded.add(2.0).numpy() for _ in range(3)] == [3, 5, 7]
    assert loaded.variables_of_all_kinds[0].numpy() == 7
    loaded.w.assign([[5.0, 5.0]])
    assert loaded(tf.ones([1, 1])).numpy().tolist() == [[6, 6]]
    assert module(tf.ones([1, 1])).numpy().tolist() == [[2, 3]]


def test_gradients_flow_to_loaded_variables_and_inputs(tmp_path):
    loaded = reloaded(linear_model(), tmp_path)
    for _ in range(3):
        with tf.GradientTape() as tape:
            x = tf.constant([[2.0], [3.0]])
            tape.watch(x)
            y = tf.reduce_sum(loaded(x) ** 2)
        to_w, to_x = tape.gradient(y, [loaded.w, x])
        assert to_w.numpy().tolist() == [[2 * (2 * 3 + 3 * 4), 2 * (2 * 5 + 3 * 7)]]
        assert to_x.numpy().tolist() == [[26.0], [36.0]]


def test_training_a_loaded_function(tmp_path):
    loaded = reloaded(linear_model(), tmp_path)
    optimizer = tf.keras.optimizers.SGD(0.01)

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(loaded(x) ** 2)
        optimizer.apply_gradients([(tape.gradient(loss, loaded.w), loaded.w)])
        return loss

    losses = [step(tf.constant([[1.0], [2.0]])).numpy() for _ in range(30)]
    assert losses[-1] < losses[0] / 5


def test_variables_made_at_the_first_call(tmp_path):
    class Lazy(tf.Module):
        v = None

        @tf.function(input_signature=[tf.TensorSpec([None])])
        def __call__(self, x):
            if self.v is None:
                self.v = tf.Variable(3.0)
            return x * self.v

    loaded = reloaded(Lazy(), tmp_path)
    assert loaded(tf.ones([2])).numpy().tolist() == [3, 3]
    assert loaded.v.numpy() == 3


def test_training_steps_with_an_optimizer(tmp_path):
    class Training(tf.Module):
        def __init__(self):
            super().__init__()
            self.w = tf.Variable([1.0, 2.0])
            self.optimizer = tf.keras.optimizers.Adam(0.1)
            self.optimizer.build([self.w])

        @tf.function(input_signature=[tf.TensorSpec([None, 2])])
        def step(self, x):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.reduce_sum(x * self.w, 1) ** 2)
            self.optimizer.apply_gradients([(tape.gradient(loss, self.w), self.w)])
            return loss

    x = tf.constant([[1.0, 2.0], [0.5, -1.0], [2.0, 0.0]])
    training = Training()
    loaded = reloaded(training, tmp_path)
    for _ in range(5):
        np.testing.assert_allclose(loaded.step(x).numpy(), training.step(x).numpy(), rtol=1e-6)
    np.testing.assert_allclose(loaded.w.numpy(), training.w.numpy(), rtol=1e-6)


class Pair(NamedTuple):
    first: Any
    second: Any


def test_nested_arguments_and_results(tmp_path):
    spec = tf.TensorSpec([None], tf.float32)
    module = module_of(
        lambda d, p: {"sum": d["a"] + d["b"][0], "pair": Pair(p.second, [p.first, None])},
        [{"a": spec, "b": [spec, spec]}, Pair(spec, spec)],
    )
    loaded = reloaded(module, tmp_path)
    x = tf.constant([1.0, 2.0])
    result = loaded.f({"a": x, "b": [x, x]}, Pair(x, x * 3))
    assert result["sum"].numpy().tolist() == [2, 4]
    assert type(result["pair"]).__name__ == "Pair"
    assert result["pair"].first.numpy().tolist() == [3, 6]
    assert result["pair"].second[1] is None


def test_saving_a_loaded_object_again(tmp_path):
    module = linear_model()
    module.scaled(tf.constant([1.0]))
    loaded = reloaded(module, tmp_path / "a")
    loaded.w.assign([[5.0, 5.0]])
    again = reloaded(loaded, tmp_path / "b", signatures=loaded.__call__)
    assert again(tf.ones([2, 1])).numpy().tolist() == [[6, 6]] * 2
    assert again.scaled([2.0])["y"].numpy() == 9
    assert list(again.signatures) == ["serving_default"]
    third = reloaded(again, tmp_path / "c", signatures=dict(again.signatures))
    assert third.signatures["serving_default"](tf.ones([1, 1]))["output_0"].numpy().tolist() == [[6, 6]]


# ---- signatures ----------------------------------------------------------------------------------------------


def test_the_only_function_with_input_signature_is_the_default_signature(tmp_path):
    loaded = reloaded(module_of(lambda x: x + 1, [tf.TensorSpec([None], tf.float32)]), tmp_path)
    function = loaded.signatures["serving_default"]
    assert function(x=tf.ones([2]))["output_0"].numpy().tolist() == [2, 2]
    assert function.structured_input_signature == ((), {"x": tf.TensorSpec([None], tf.float32, "x")})
    assert function.structured_outputs == {"output_0": tf.TensorSpec([None], tf.float32, "output_0")}
    for wrong in ({"y": tf.ones([2])}, {"x": tf.ones([2, 2])}, {}):
        with pytest.raises(TypeError, match="Binding inputs to tf.function failed"):
            function(**wrong)
    assert dict(reloaded(linear_model(), tmp_path / "several").signatures) == {}


def test_given_signatures(tmp_path):
    module = linear_model()
    loaded = reloaded(module, tmp_path, signatures={"call": module.__call__, "add": module.add})
    assert list(loaded.signatures) == ["call", "add"]
    assert loaded.signatures["call"](inp=tf.ones([1, 1]))["output_0"].numpy().tolist() == [[2, 3]]
    assert loaded.signatures["add"](x=tf.constant(1.0))["output_0"].numpy() == 2
    concrete = module.scaled.get_concrete_function(tf.TensorSpec([1]))
    with pytest.raises(ValueError, match="Got a non-Tensor value for key 'z'"):
        tf.saved_model.save(module, tmp_path, signatures=concrete)
    for wrong in (3, module.plain, module.scaled, {"a": 3}):
        with pytest.raises(ValueError, match="Expected a TensorFlow function for which to generate a signature"):
            tf.saved_model.save(module, tmp_path, signatures=wrong)


# ---- errors --------------------------------------------------------------------------------------------------


def test_what_can_not_be_saved(tmp_path):
    for wrong in (3, tf.Variable(1.0), [tf.Variable(1.0)]):
        with pytest.raises(ValueError, match="Expected an object of type `Trackable`"):
            tf.saved_model.save(wrong, tmp_path)
    lost = tf.Variable(3.0)
    with pytest.raises(AssertionError, match="references an 'untracked' resource"):
        tf.saved_model.save(module_of(lambda x: x * lost, [tf.TensorSpec([])]), tmp_path)
    with pytest.raises(ValueError, match="'py_function' can't be stored: it calls Python"):
        tf.saved_model.save(
            module_of(lambda x: tf.py_function(lambda a: a, [x], tf.float32), [tf.TensorSpec([])]), tmp_path
        )
    assert not tf.saved_model.contains_saved_model(tmp_path)


def test_what_can_not_be_loaded(tmp_path):
    with pytest.raises(OSError, match="SavedModel file does not exist at"):
        tf.saved_model.load(tmp_path)
    assert not tf.saved_model.contains_saved_model(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01")
    assert tf.saved_model.contains_saved_model(tmp_path)
    with pytest.raises(ValueError, match="no intact SavedModel: it has no graph"):
        tf.saved_model.load(tmp_path)
    reloaded(linear_model(), tmp_path)
    assert tf.saved_model.contains_saved_model(tmp_path)
    for tags in (None, "serve", ["serve"]):
        tf.saved_model.load(tmp_path, tags, tf.saved_model.LoadOptions())
    with pytest.raises(ValueError, match="Got an incompatible argument to `tags`"):
        tf.saved_model.load(tmp_path, tags="train")


def test_a_ragged_argument_of_unknown_rank_is_refused(tmp_path):
    class Ragged(tf.Module):
        @tf.function(input_signature=[tf.RaggedTensorSpec(None, tf.float32, 1)])
        def f(self, x):
            return tf.reduce_sum(x, 1)

    with pytest.raises(ValueError, match=r"f\(\): takes a value of RaggedTensorSpec.*unknown rank. Give its shape"):
        tf.saved_model.save(Ragged(), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_signatures_name_the_tensors_in_a_structure_by_the_parameter_and_a_number(tmp_path):
    spec = tf.TensorSpec([None], tf.float32)
    named = tf.TensorSpec([None], tf.float32, "q")
    for number, (signature, names) in enumerate(
        [
            ([[spec, spec]], ["inputs", "inputs_1"]),
            ([{"x": [spec, spec], "y": spec}], ["inputs", "inputs_1", "inputs_2"]),
            ([[spec, named], spec], ["inputs", "q", "more"]),
        ]
    ):
        module = module_of(lambda inputs, more=0.0: sum(tf.nest.flatten(inputs)) + more, signature)
        function = reloaded(module, tmp_path / str(number)).signatures["serving_default"]
        assert [*function.structured_input_signature[1]] == names
        assert [*function(**dict.fromkeys(names, tf.ones([2])))["output_0"].numpy()] == [len(names)] * 2


def test_signatures_of_functions_with_any_number_of_arguments(tmp_path):
    spec = tf.TensorSpec([None], tf.float32)
    module = module_of(lambda *a, **k: a[0] + a[1][0] + a[1][1], [spec, [spec, spec]])
    assert module.f.get_concrete_function().variables == ()
    function = reloaded(module, tmp_path).signatures["serving_default"]
    assert [*function.structured_input_signature[1]] == ["a_0", "a_1", "a_1_1"]


def test_a_loaded_signature_gives_its_concrete_function(tmp_path):
    v = tf.Variable(2.0)
    module = module_of(lambda x: x * v, [tf.TensorSpec([], tf.float32)], v=v)
    loaded = reloaded(module, tmp_path)
    concrete = loaded.signatures["serving_default"].get_concrete_function()
    assert concrete.variables == (loaded.v,)
    assert concrete(x=tf.constant(3.0))["output_0"].numpy() == 6


def test_function_aliases(tmp_path):
    module = module_of(lambda x: x + 1, [tf.TensorSpec([], tf.float32)])
    options = tf.saved_model.SaveOptions(function_aliases={"increment": module.f})
    tf.saved_model.save(module, tmp_path, options=options)
    options = tf.saved_model.LoadOptions(experimental_load_function_aliases=True)
    assert tf.saved_model.load(tmp_path, options=options).function_aliases["increment"](1.0).numpy() == 2
    assert not hasattr(tf.saved_model.load(tmp_path), "function_aliases")
