"""Functions of ``keras.ops`` on ``KerasTensor``s, in models and their files, in compiled functions, and their gradients."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.keras.layers.operators import Operator
from fastgrad._src.keras.saving.registration import SafeModeScope
from fastgrad.keras import ops
from tests.gradients import check_gradient, gradient_of
from tests.keras.recorded_answers import recorded

DATA = (np.random.default_rng(0).normal(size=(5, 4))).astype(np.float32)
PICTURES = np.random.default_rng(1).uniform(size=(2, 6, 6, 3)).astype(np.float32)

# Functions of one input: what the model computes, and what NumPy or the eager function does.
CALLS: dict[str, Any] = {
    "add": lambda x: ops.add(x, 1),
    "mixed dtypes": lambda x: ops.add(x, ops.cast(x, "int32")),
    "mean": lambda x: ops.mean(x, axis=1, keepdims=True),
    "concatenate": lambda x: ops.concatenate([x, ops.nn.relu(x)], axis=-1),
    "reshape": lambda x: ops.reshape(x, (-1, 2, 2)),
    "transpose": lambda x: ops.transpose(ops.expand_dims(x, 1), (0, 2, 1)),
    "split": lambda x: ops.subtract(*ops.split(x, 2, axis=1)),
    "top_k": lambda x: ops.top_k(x, 2)[0],
    "where": lambda x: ops.where(x > 0, x, 0.0),
    "einsum": lambda x: ops.einsum("bi,bj->bij", x, x),
    "take": lambda x: ops.take(x, [0, -1], axis=1),
    "matmul": lambda x: ops.matmul(x, np.ones((4, 2), np.float32)),
    "softmax": ops.softmax,
    "norm": lambda x: ops.linalg.norm(x, axis=1),
    "sort": ops.sort,
    "one_hot": lambda x: ops.one_hot(ops.argmax(x, axis=1), 4),
    "layer_normalization": ops.layer_normalization,
    "shape": lambda x: x * ops.shape(x)[1],
    "zeros_like": lambda x: ops.zeros_like(x) + x,
    "pad": lambda x: ops.pad(x, ((0, 0), (1, 2))),
    "median": lambda x: ops.median(x, axis=1),
    "vectorized_map": lambda x: ops.cumsum(x, axis=1),
}


@pytest.mark.parametrize("name", CALLS)
def test_models_compute_what_calls_compute(name: str, tmp_path: Any) -> None:
    x = tf.keras.Input((4,))
    y = CALLS[name](x)
    expected = CALLS[name](tf.constant(DATA))
    assert y.shape == (None, *expected.shape[1:])
    assert y.dtype == expected.dtype.name
    model = tf.keras.Model(x, y)
    np.testing.assert_array_equal(model(DATA), expected)
    np.testing.assert_allclose(model.predict(DATA, verbose=0), expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(tf.function(CALLS[name])(tf.constant(DATA)), expected, rtol=1e-6, atol=1e-6)
    model.save(tmp_path / "m.keras")
    np.testing.assert_array_equal(tf.keras.models.load_model(tmp_path / "m.keras")(DATA), expected)


def test_layers_and_functions_train_together() -> None:
    x = tf.keras.Input((6, 6, 3))
    y = ops.mean(ops.square(tf.keras.layers.Conv2D(2, 3)(ops.image.resize(x, (4, 4)))), axis=(1, 2))
    model = tf.keras.Model(x, y)
    model.compile("sgd", "mse")
    losses = model.fit(PICTURES, np.ones((2, 2), np.float32), epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: ops.quantile(x, 0.3, axis=1),
        lambda x: ops.take_along_axis(x, np.array([[0], [1], [2], [3], [0]]), axis=1),
        lambda x: ops.layer_normalization(x, axis=-1),
        lambda x: ops.normalize(x, axis=-1),
        lambda x: ops.norm(x, ord=3, axis=1),
        lambda x: ops.var(x, axis=0),
        lambda x: ops.logaddexp(x, 0.5),
        lambda x: ops.diagonal(ops.matmul(x, ops.transpose(x))),
        lambda x: ops.scan(lambda carry, row: (carry * 0.5 + row, carry), x[0], x)[1],
        lambda x: ops.fori_loop(0, 3, lambda i, y: y * x, x),
        lambda x: ops.slice_update(x, (1, 1), x[:2, :2] * 2.0),
        lambda x: ops.image.affine_transform(
            ops.reshape(x, (1, 5, 4, 1)), np.array([1.0, 0.2, 0.3, -0.1, 0.9, 0.4, 0.0, 0.0], np.float32)
        ),
    ],
)
def test_gradients_are_those_of_differences(function: Any) -> None:
    check_gradient(function, DATA.astype(np.float64))


def test_arguments_are_named_as_in_keras() -> None:
    assert list(inspect.signature(ops.mean).parameters) == ["x", "axis", "keepdims"]
    assert list(inspect.signature(ops.nn.max_pool).parameters)[:3] == ["inputs", "pool_size", "strides"]
    with pytest.raises(TypeError, match=r"mean\(\).*'x'"):
        ops.mean()
    with pytest.raises(TypeError, match=r"add\(\).*'x2'"):
        ops.add(1)


def test_each_function_has_an_answer_of_keras() -> None:
    named = set(re.findall(r"ops\.(?:\w+\.)?(\w+)\(", json.dumps(list(recorded("ops")))))
    there = {name for name in dir(ops) if not name.startswith("_") and callable(getattr(ops, name))}
    assert there - named == {"sparsemax"}  # Keras's rows do not sum to 1
    np.testing.assert_allclose(np.sum(ops.sparsemax(DATA), 1), 1.0, rtol=1e-6)


def test_functions_that_take_functions() -> None:
    @ops.custom_gradient
    def clipped(x: Any) -> Any:
        return x, lambda upstream: tf.clip_by_value(upstream, -1.0, 1.0)

    x = tf.Variable([1.0])
    assert gradient_of(lambda x: clipped(x) * 5.0, x).numpy() == [1.0]
    np.testing.assert_allclose(ops.eig(np.diag([2.0, 3.0]))[0], [2.0, 3.0])


def test_only_functions_of_ops_are_made_from_configurations() -> None:
    for path in ("ops.__import__", "saving.load_model", "ops.image", "nonsense", "ops.nn.nonsense"):
        with pytest.raises(ValueError, match="operation"):
            Operator(path)


def test_files_do_not_call_functions_of_constants() -> None:
    x = tf.keras.Input((4,))
    config = tf.keras.Model(x, ops.tile(x, (1, 2))).get_config()
    node = config["layers"][1]["inbound_nodes"][0]
    node["args"] = [2.0, [1 << 40]]
    with SafeModeScope(True), pytest.raises((TypeError, ValueError), match="must have a tensor"):
        tf.keras.Model.from_config(config)


def test_nothing_is_imported_before_it_is_used() -> None:
    code = "import fastgrad, sys; print([name for name in sys.modules if name.startswith('fastgrad.keras.ops')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_resize_uses_no_names_of_layers() -> None:
    first = tf.keras.layers.Resizing(2, 2).name
    tf.keras.ops.image.resize(np.zeros((4, 4, 3), np.float32), (2, 2))
    second = tf.keras.layers.Resizing(2, 2).name
    numbers = [int(name.rpartition("_")[2]) if name != "resizing" else 0 for name in (first, second)]
    assert numbers[1] == numbers[0] + 1


def test_relu_has_no_options_as_in_keras() -> None:
    """A file with such an operation would be one that Keras can't read; ``activations.relu`` has the options."""
    x = tf.keras.Input((4,))
    for call in (lambda: ops.relu(x, negative_slope=0.2), lambda: ops.nn.relu(DATA, max_value=1.0)):
        with pytest.raises(TypeError, match="unexpected keyword argument"):
            call()
    np.testing.assert_array_equal(ops.relu(DATA), np.maximum(DATA, 0))


def test_attention_refuses_what_keras_refuses_and_repeats_heads() -> None:
    rng = np.random.default_rng(0)
    for key_heads in (1, 2):
        query, key, value = [
            rng.normal(size=(2, 5, heads, 3)).astype(np.float32) for heads in (4, key_heads, key_heads)
        ]
        repeated = ops.dot_product_attention(query, *[np.repeat(x, 4 // key_heads, 2) for x in (key, value)])
        attended = ops.dot_product_attention(query, key, value, flash_attention=False)
        np.testing.assert_allclose(attended, repeated, rtol=1e-6)
    with pytest.raises(ValueError, match="Flash attention is not supported"):
        ops.dot_product_attention(query, query, query, flash_attention=True)
    with pytest.raises(ValueError, match=r"attn_logits_soft_cap must be None, got 1\.0"):
        ops.dot_product_attention(query, query, query, attn_logits_soft_cap=1.0)
    with pytest.raises(ValueError, match="only supports 4D"):
        ops.dot_product_attention(query[0], query[0], query[0])
