"""The programs that are timed train what they say: their first losses are those of a NumPy training in float64."""

import functools
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import erf

import fastgrad as tf
from benchmarks import data
from benchmarks.data import Inputs
from benchmarks.peers import scaling
from benchmarks.peers.scaling import SWEEPS, Sweep
from benchmarks.peers.workloads import (
    WORKLOADS,
    adam,
    branching,
    chain,
    cnn,
    deep_mlp,
    embedding,
    fit,
    gradient_penalty,
    linear_regression,
    mlp,
    pipeline,
    recommender,
    recurrent,
    reinforce,
    rnn,
    shuffling,
    tiny_operation,
    transformer,
    vae,
)
from tests.keras.optimizers import reference

LOSSES = 3
Loss = Callable[..., float]


def change_by(rule: Callable[..., Any], rate: float) -> Callable[[int, np.ndarray, dict[str, Any]], np.ndarray]:
    """What an optimizer's formula takes from a parameter in a step."""
    return lambda step, gradient, state: -rule(0.0, state, gradient, step, rate)


sgd, adagrad, adam_change = (
    functools.partial(change_by, rule) for rule in (reference.sgd, reference.adagrad, reference.adam)
)


def differences(loss: Loss, parameters: Inputs, batch: Sequence[np.ndarray]) -> Inputs:
    """The gradient, by central differences."""
    gradients = {name: np.zeros(value.shape) for name, value in parameters.items()}
    for name, value in parameters.items():
        for index in np.ndindex(value.shape):
            kept = value[index]
            value[index] = kept + 1e-6
            above = loss(parameters, *batch)
            value[index] = kept - 1e-6
            gradients[name][index] = (above - loss(parameters, *batch)) / 2e-6
            value[index] = kept
    return gradients


def losses(loss: Loss, change: Any, inputs: Inputs, batch_names: Sequence[str]) -> list[float]:
    """The first losses of a training in NumPy."""
    parameters = {name: np.array(value, np.float64) for name, value in inputs.items() if name not in batch_names}
    states: dict[str, dict[str, Any]] = {name: {} for name in parameters}
    found = []
    for step in range(LOSSES):
        batch = [inputs[name][step % len(inputs[name])] for name in batch_names]
        found.append(float(loss(parameters, *batch)))
        if step + 1 < LOSSES:
            for name, gradient in differences(loss, parameters, batch).items():
                parameters[name] -= change(step + 1, gradient, states[name])
    return found


def squared(outputs: np.ndarray, y: np.ndarray) -> float:
    return np.mean((outputs - y) ** 2)


def cross_entropy(logits: np.ndarray, y: np.ndarray) -> float:
    logits = logits - logits.max(-1, keepdims=True)
    logarithms = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return -np.mean(np.take_along_axis(logarithms, y[..., None].astype(int), -1))


def normalized(x: np.ndarray, gamma: Any, beta: Any) -> np.ndarray:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * gamma + beta


def gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1.0 + erf(x / math.sqrt(2.0)))


def line_loss(p: Inputs, x: np.ndarray, y: np.ndarray) -> float:
    return squared(p["weight"] * x + p["bias"], y)


def mlp_loss(p: Inputs, x: np.ndarray, y: np.ndarray) -> float:
    outputs = np.maximum(x @ p["kernel0"] + p["bias0"], 0.0) @ p["kernel1"] + p["bias1"]
    return cross_entropy(outputs, y) if p["bias1"].size > 1 else squared(outputs, y)


def deep_loss(p: Inputs, x: np.ndarray, y: np.ndarray) -> float:
    for layer in range(12):
        x = x @ p[f"kernel{layer}"] + p[f"bias{layer}"]
        x = gelu(normalized(x, p[f"gamma{layer}"], p[f"beta{layer}"]))
    return cross_entropy(x @ p["kernel12"] + p["bias12"], y)


def rnn_loss(p: Inputs, x: np.ndarray, y: np.ndarray) -> float:
    h = np.zeros((x.shape[1], p["bias"].size))
    for now in x:
        h = np.tanh(now @ p["kernel"] + h @ p["recurrent"] + p["bias"])
    return squared(h @ p["output"] + p["offset"], y)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


def lstm_loss(p: Inputs, x: np.ndarray, y: np.ndarray) -> float:
    h = c = np.zeros((len(x), len(p["recurrent"])))
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] @ p["kernel"] + h @ p["recurrent"] + p["bias"], 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    return squared(h @ p["output"] + p["offset"], y)


def gru_loss(p: Inputs, x: np.ndarray, y: np.ndarray) -> float:
    h = np.zeros((len(x), len(p["recurrent"])))
    for t in range(x.shape[1]):
        x_z, x_r, x_h = np.split(x[:, t] @ p["kernel"] + p["bias"][0], 3, axis=1)
        h_z, h_r, h_h = np.split(h @ p["recurrent"] + p["bias"][1], 3, axis=1)
        z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
        h = z * h + (1.0 - z) * np.tanh(x_h + r * h_h)
    return squared(h @ p["output"] + p["offset"], y)


def penalty_loss(p: Inputs, x: np.ndarray, y: np.ndarray) -> float:
    first = np.tanh(x @ p["kernel0"] + p["bias0"])
    second = np.tanh(first @ p["kernel1"] + p["bias1"])
    back = p["kernel2"][:, 0] * (1.0 - second**2)
    slope = (back @ p["kernel1"].T * (1.0 - first**2)) @ p["kernel0"].T
    norm = np.sqrt((slope**2).sum(1))
    return squared(second @ p["kernel2"] + p["bias2"], y) + 10.0 * np.mean((norm - 1.0) ** 2)


def branching_loss(p: Inputs, x: np.ndarray, y: np.ndarray) -> float:
    while np.abs(x).max() > 1.0:
        x = 0.5 * x + 0.25 * np.tanh(x @ p["kernel"] + p["bias"])
    error = x @ p["output"] - y
    loss = np.mean(error**2)
    return np.mean(np.abs(error)) if loss > 0.5 else loss


def cheap_loss(p: Inputs, x: np.ndarray) -> float:
    return np.mean(chain.cheap(np.maximum, np.where, x, p["weight"]))


def math_loss(p: Inputs, x: np.ndarray) -> float:
    return np.mean(chain.mathematical(np, x, p["weight"]))


def embedding_loss(p: Inputs, ids: np.ndarray, targets: np.ndarray) -> float:
    return np.sum((p["table"][ids] - targets) ** 2) / 256


def three_layer_loss(p: Inputs, x: np.ndarray, y: np.ndarray) -> float:
    for layer in range(2):
        x = np.maximum(x @ p[f"kernel{layer}"] + p[f"bias{layer}"], 0.0)
    return cross_entropy(x @ p["kernel2"] + p["bias2"], y)


def reinforce_loss(p: Inputs, states: np.ndarray, actions: np.ndarray, rewards: np.ndarray) -> float:
    returns = np.zeros(rewards.shape)
    later = np.zeros(len(rewards))
    for t in reversed(range(rewards.shape[1])):
        later = rewards[:, t] + 0.98 * later
        returns[:, t] = later
    logits = np.tanh(states @ p["kernel0"] + p["bias0"]) @ p["kernel1"] + p["bias1"]
    logarithms = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    taken = -np.take_along_axis(logarithms, actions[..., None], -1)[..., 0]
    entropy = -(np.exp(logarithms) * logarithms).sum(-1).mean()
    return np.mean(taken * returns / returns.std()) - 0.01 * entropy


def recommender_loss(p: Inputs, ids: np.ndarray, y: np.ndarray) -> float:
    hidden = np.maximum(p["table"][ids].reshape(len(ids), -1) @ p["kernel0"] + p["bias0"], 0.0)
    logits = hidden @ p["kernel1"] + p["bias1"]
    return np.mean(np.logaddexp(0.0, logits) - logits * y)


def cnn_loss(p: Inputs, x: np.ndarray, y: np.ndarray) -> float:
    for layer in range(cnn.depth(p)):
        around = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        size = x.shape[1]
        cells = [around[:, i : i + size, j : j + size] @ p[f"filters{layer}"][i, j] for i, j in np.ndindex(3, 3)]
        x = np.sum(cells, 0)
        if f"gamma{layer}" in p:
            x = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + cnn.NORM_EPSILON)
            x = x * p[f"gamma{layer}"] + p[f"beta{layer}"]
        else:
            x = x + p[f"bias{layer}"]
        half = size // 2
        x = np.maximum(x, 0.0).reshape(len(x), half, 2, half, 2, -1).max((2, 4))
    return cross_entropy(x.reshape(len(x), -1) @ p["kernel"] + p["offset"], y)


def transformer_loss(p: Inputs, x: np.ndarray, y: np.ndarray) -> float:
    length = x.shape[1]
    h = p["embedding"][x] + p["positions"][:length]
    for b in range(2):
        wide = normalized(h, p[f"first_gamma{b}"], p[f"first_beta{b}"])
        query, key, value = (wide @ p[f"{n}{b}"] + p[f"{n}_bias{b}"] for n in ("query", "key", "value"))
        mixed = np.zeros_like(h)
        for head in np.split(np.arange(h.shape[-1]), 4):
            scores = np.einsum("bqd,bkd->bqk", query[..., head], key[..., head]) / math.sqrt(len(head))
            scores[:, np.triu_indices(length, 1)[0], np.triu_indices(length, 1)[1]] = -np.inf
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            mixed[..., head] = weights / weights.sum(-1, keepdims=True) @ value[..., head]
        h = h + mixed @ p[f"mix{b}"] + p[f"mix_bias{b}"]
        wide = normalized(h, p[f"second_gamma{b}"], p[f"second_beta{b}"])
        h = h + gelu(wide @ p[f"hidden{b}"] + p[f"hidden_bias{b}"]) @ p[f"back{b}"] + p[f"back_bias{b}"]
    return cross_entropy(normalized(h, p["last_gamma"], p["last_beta"]) @ p["embedding"].T, y)


def vae_loss(p: Inputs, x: np.ndarray, noise: np.ndarray) -> float:
    """With no draw, as in the first steps."""
    assert not noise.any()

    def network(name: str, x: np.ndarray) -> np.ndarray:
        hidden = np.maximum(x @ p[f"{name}_kernel0"] + p[f"{name}_bias0"], 0)
        return hidden @ p[f"{name}_kernel1"] + p[f"{name}_bias1"]

    mean, log_variance = np.split(network("encoder", x), 2, axis=1)
    logits = network("decoder", mean)
    wrong = np.logaddexp(0, logits) - x * logits
    divergence = -0.5 * (1 + log_variance - mean**2 - np.exp(log_variance))
    return (wrong.sum(1) + divergence.sum(1)).mean()


def with_norms(inputs: Inputs) -> Inputs:
    """The deep network's inputs with the weights of its normalizations, which start as ones and zeros."""
    for layer in range(12):
        size = inputs[f"bias{layer}"].size
        inputs |= {f"gamma{layer}": np.ones(size), f"beta{layer}": np.zeros(size)}
    return inputs


XY = ("x", "y")
SMALL_NETWORK: dict[str, Any] = {"batch": 5, "distinct": LOSSES, "count": LOSSES}
SMALL: dict[str, tuple[Inputs, Loss, Any, Sequence[str]]] = {
    "linear_regression": (data.noisy_line(), line_loss, sgd(linear_regression.RATE), XY),
    "mlp_small": (data.classification((5, 4, 3), 6, LOSSES), mlp_loss, adam_change(mlp.RATE), XY),
    "mlp_tiny": (data.regression((8, 16, 1), 32, LOSSES), mlp_loss, adam_change(mlp.RATE), XY),
    "mlp_middle": (data.classification((5, 4, 3), 6, LOSSES), mlp_loss, adam_change(mlp.LARGE_RATE), XY),
    "mlp_wide": (data.classification((5, 4, 4, 3), 6, LOSSES), three_layer_loss, adam_change(mlp.LARGE_RATE), XY),
    "reinforce": (
        reinforce.inputs(3, 5, 4, LOSSES),
        reinforce_loss,
        adam_change(reinforce.RATE),
        reinforce.BATCH_NAMES,
    ),
    "digits": (data.classification((6, 5, 4), 7, LOSSES), mlp_loss, adam_change(mlp.RATE), XY),
    "cnn_mnist": (cnn.inputs(4, (1, 2, 3), norms=False, **SMALL_NETWORK), cnn_loss, sgd(cnn.RATE), XY),
    "cnn_cifar": (cnn.inputs(8, (2, 2, 3, 2), norms=True, **SMALL_NETWORK), cnn_loss, sgd(cnn.RATE), XY),
    "deep_mlp": (
        with_norms(data.classification((4,) * 13 + (3,), 5, LOSSES)),
        deep_loss,
        adam_change(deep_mlp.RATE),
        XY,
    ),
    "rnn_32": (rnn.inputs(4, LOSSES), rnn_loss, adam_change(rnn.RATE), XY),
    "lstm": (recurrent.inputs("lstm", LOSSES, 4, 3, 2, 5), lstm_loss, adam_change(recurrent.RATE), XY),
    "gru": (recurrent.inputs("gru", LOSSES, 4, 3, 2, 5), gru_loss, adam_change(recurrent.RATE), XY),
    "recommender": (
        recommender.inputs(14, 3, 2, 4, 5, LOSSES),
        recommender_loss,
        adagrad(recommender.RATE),
        ("ids", "y"),
    ),
    "gradient_penalty": (
        data.regression((3, 4, 5, 1), 6, LOSSES),
        penalty_loss,
        adam_change(gradient_penalty.RATE),
        XY,
    ),
    "vae": (vae.inputs(LOSSES, 4, 6, 5, 2), vae_loss, adam_change(vae.RATE), ("x", "noise")),
    "branching": (branching.inputs(LOSSES), branching_loss, adam_change(branching.RATE), XY),
    "chain_cheap": (chain.inputs(50), cheap_loss, sgd(chain.RATE * 50), ("x",)),
    "chain_math": (chain.inputs(50), math_loss, sgd(chain.RATE * 50), ("x",)),
    "embedding_sparse": (data.embedding(20, 3, 5, 2), embedding_loss, adagrad(embedding.RATE), ("ids", "targets")),
    "embedding_dense": (data.embedding(20, 3, 5, 2), embedding_loss, adagrad(embedding.RATE), ("ids", "targets")),
}


def first_losses(workload: str, inputs: Inputs, count: int = LOSSES) -> list[float]:
    step, batches = WORKLOADS[workload].programs["tensorflow"](tf, inputs)
    return [float(step(*batches[number % len(batches)])) for number in range(count)]


@pytest.mark.parametrize("workload", SMALL)
def test_a_workload_trains_as_numpy_does(workload: str) -> None:
    inputs, loss, change, batch_names = SMALL[workload]
    np.testing.assert_allclose(first_losses(workload, inputs), losses(loss, change, inputs, batch_names), rtol=2e-5)


def test_adam_alone_changes_what_numpy_changes() -> None:
    inputs = adam.inputs(2, (3, 4))
    change = adam_change(adam.RATE)
    values = {number: inputs[f"value{number}"].astype(np.float64) for number in range(4)}
    states: dict[int, dict[str, Any]] = {number: {} for number in values}
    expected = []
    for step in range(LOSSES):
        for number in values:
            values[number] -= change(step + 1, inputs[f"gradient{number}"][step % adam.GRADIENTS], states[number])
        expected.append(np.sum(values[2][0] ** 2) + np.sum(values[1] ** 2))
    np.testing.assert_allclose(first_losses("adam", inputs), expected, rtol=1e-6)


def test_the_tiny_operation_is_a_sum() -> None:
    inputs = tiny_operation.inputs(2)
    np.testing.assert_allclose(
        first_losses("tiny_operation", inputs, 2), inputs["x"] + inputs["values"].sum(), rtol=1e-6
    )


def test_the_transformer_is_the_one_written_in_numpy() -> None:
    inputs = transformer.inputs(batch=2, length=5, count=1)
    expected = transformer_loss(inputs, inputs["x"][0], inputs["y"][0])
    before, *_, after = first_losses("transformer", inputs, 10)
    np.testing.assert_allclose(before, expected, rtol=1e-5)
    assert after < before


def test_the_autoencoder_draws_once_losses_have_been_compared() -> None:
    tf.random.set_seed(0)
    inputs = vae.inputs(count=21, batch=3, pixels=4, hidden=3, code=2)
    step, batches = WORKLOADS["vae"].programs["tensorflow"](tf, inputs)
    found = [float(tf.function(step)(*batches[20])) for _ in range(2)]
    assert abs(found[0] - found[1]) > 0.02


def test_batches_of_the_branching_step_take_every_number_of_trips_and_both_branches() -> None:
    inputs = branching.inputs(15)
    trips = set()
    for x in inputs["x"].astype(np.float64):
        count = 0
        while np.abs(x).max() > 1.0:
            x = 0.5 * x + 0.25 * np.tanh(x @ inputs["kernel"] + inputs["bias"])
            count += 1
        trips.add(count)
    assert trips == {1, 2, 3, 4, 5}
    found = [np.mean(y**2) > branching.LARGE_LOSS for y in inputs["y"]]
    assert True in found
    assert False in found


def test_an_epoch_through_the_pipeline_is_a_step_for_each_batch() -> None:
    inputs = pipeline.inputs(3 * pipeline.BATCH, 3, 4)
    x, y = (inputs[name].reshape(3, pipeline.BATCH, *inputs[name].shape[1:]) for name in XY)
    batches = inputs | {"x": x * pipeline.SCALE, "y": y}
    (last,) = first_losses("data_pipeline", inputs, 1)
    np.testing.assert_allclose(last, losses(mlp_loss, sgd(pipeline.RATE), batches, XY)[-1], rtol=2e-5)


@pytest.mark.parametrize("kind", ["fit", "tensorflow"])
def test_fit_gives_the_mean_loss_of_an_epoch(kind: str) -> None:
    inputs = fit.inputs(3 * fit.BATCH, 3, 4)
    batches = inputs | {name: inputs[name].reshape(3, fit.BATCH, *inputs[name].shape[1:]) for name in XY}
    step, _ = WORKLOADS["keras_fit"].programs[kind](tf, inputs)
    np.testing.assert_allclose(float(step()), np.mean(losses(mlp_loss, sgd(fit.RATE), batches, XY)), rtol=2e-5)


def test_a_shuffled_epoch_has_every_example_once() -> None:
    inputs = shuffling.inputs(3 * shuffling.BATCH + 5, 3)
    step, _ = WORKLOADS["data_shuffle"].programs["tensorflow"](tf, inputs)
    np.testing.assert_allclose([float(step()), float(step())], inputs["y"].mean(), rtol=1e-6)


def test_every_workload_is_checked_here() -> None:
    assert set(WORKLOADS) == {
        *SMALL,
        "adam",
        "tiny_operation",
        "transformer",
        "data_pipeline",
        "data_shuffle",
        "keras_fit",
    }


TINY = {**{name: inputs for name, (inputs, *_) in SMALL.items()}, "adam": adam.inputs(2, (3, 4))} | {
    "tiny_operation": tiny_operation.inputs(2),
    "transformer": transformer.inputs(batch=2, length=5, count=1),
    "data_pipeline": pipeline.inputs(64, 3, 4),
    "data_shuffle": shuffling.inputs(300, 3),
    "keras_fit": fit.inputs(128, 3, 4),
}


def compiled_step(workload: str) -> tuple[Any, Any]:
    """The step under ``tf.function``, compiled, and its batches."""
    step, batches = WORKLOADS[workload].programs["tensorflow"](tf, TINY[workload])
    function = tf.function(step)
    for number in range(3 * len(batches)):
        function(*batches[number % len(batches)])
    return function, batches


def programs_of(function: Any) -> list[Any]:
    return [compiled.program for compiled in function.trace_tree.compiled]


@pytest.mark.parametrize("workload", WORKLOADS)
def test_a_compiled_workload_trains_as_the_eager_one_and_runs_no_python(workload: str) -> None:
    losses = []
    for mode in (tf.function, lambda step: step):
        step, batches = WORKLOADS[workload].programs["tensorflow"](tf, TINY[workload])
        step = mode(step)
        losses.append([float(np.sum(step(*batches[i % len(batches)]))) for i in range(6)])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    if workload not in ("data_pipeline", "data_shuffle", "keras_fit"):  # what loops over a dataset stays Python
        assert all(program.plan.native for program in programs_of(compiled_step(workload)[0]))


def test_the_kernels_of_a_digits_step_are_few() -> None:
    """Two layers forwards, the cross-entropy and its mean, three products and two sums backwards, Adam and its numbers."""
    (program,) = programs_of(compiled_step("digits")[0])
    names = [launch.kernel.__name__ for a in program.plan.actions if a.launches for launch in a.launches.launches]
    arithmetic = [name for name in names if name not in ("has_value", "copy_bytes")]
    assert len(arithmetic) <= 12
    assert names.count("gemm") == 5
    assert names.count("adam") == 1


@pytest.mark.parametrize("sweep", SWEEPS.values(), ids=SWEEPS)
def test_the_smallest_of_a_sweep_trains_and_its_sizes_span_two_decades(sweep: Sweep) -> None:
    assert 90 <= max(sweep.sizes) / min(sweep.sizes) <= 110
    first, *_, last = first_losses(sweep.workload, sweep.inputs(min(sweep.sizes)), 3 * scaling.FEW + 1)
    assert last < first  # on the same batch


def test_a_sweep_is_written_with_its_sizes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = ["--peers", "fastgrad.function", "--rounds", "1", "--slice", "0.001", "--threads", "1"]
    assert scaling.main(["--sweep", "rnn_32_length", "--results", str(tmp_path), *short]) == 0
    sweep = json.loads((tmp_path / "rnn_32_length.json").read_text())
    assert (sweep["workload"], sweep["axis"]) == ("rnn_32", "length")
    assert [point["size"] for point in sweep["points"]] == [2, 8, 32, 200]
    assert all(len(point["peers"]["fastgrad.function"]["microseconds"]) == 1 for point in sweep["points"])
    assert capsys.readouterr().out.count("rnn_32_length") == 4


def test_an_unknown_sweep_lists_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        scaling.main(["--sweep", "nonsense"])
    assert "unknown sweep nonsense; known: mlp_small_batch" in capsys.readouterr().err
