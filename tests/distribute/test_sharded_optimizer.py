"""ZeRO-1: slots divided among the processes, against the same optimizer without sharding."""

from __future__ import annotations

import os
import tempfile

import numpy as np
import pytest

import fastgrad as fg
from fastgrad._src.keras.optimizers import sharded_optimizer
from fastgrad._src.keras.optimizers.sharded_optimizer import ShardedOptimizer
from fastgrad._src.ops.collectives import all_reduce
from tests.distribute.ranks import on_ranks, run_ranks

SIZES = ((40, 30), (30,), (30, 20), (20,), (20, 7), (7,), ())
OPTIMIZERS = {
    "sgd": lambda: fg.keras.optimizers.SGD(0.1),
    "momentum": lambda: fg.keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "adam with clipping": lambda: fg.keras.optimizers.Adam(0.02, global_clipnorm=0.3),
    "adamw": lambda: fg.keras.optimizers.AdamW(0.02, weight_decay=0.01, clipvalue=0.1),
    "rmsprop": lambda: fg.keras.optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    "accumulation": lambda: fg.keras.optimizers.Adam(0.02, gradient_accumulation_steps=2),
}


def variables():
    rng = np.random.default_rng(3)
    return [fg.Variable(rng.normal(size=size).astype("float32") * 0.3) for size in SIZES]


def gradients(weights, rank, step):
    rng = np.random.default_rng(10 * rank + step)
    return [fg.constant(rng.normal(size=weight.shape), "float32") + 0.1 * weight for weight in weights]


def train(optimizer, weights, steps, rank, compiled, reduce=False):
    def step(grads):
        optimizer.apply_gradients(zip(all_reduce(grads) if reduce else grads, weights, strict=True))

    run = fg.function(step) if compiled else step
    for number in steps:
        run(gradients(weights, rank, number))


@on_ranks(1, 2, 3)
def test_values_are_those_without_sharding(rank, size):
    sharded_optimizer.SHARD_BYTES = 3000
    for name, make in OPTIMIZERS.items():
        plain = variables()
        train(make(), plain, range(6), rank, False, reduce=True)
        for compiled in (False, True):
            weights = variables()
            optimizer = ShardedOptimizer(make())
            train(optimizer, weights, range(6), rank, compiled)
            assert len(optimizer.shards) > 1
            for weight, expected in zip(weights, plain, strict=True):
                np.testing.assert_allclose(weight, expected, rtol=2e-4, atol=2e-6, err_msg=f"{name}, {compiled}")


@on_ranks(2)
def test_slots_are_divided(rank, size):
    optimizer, weights = ShardedOptimizer(fg.keras.optimizers.Adam(0.1)), variables()
    train(optimizer, weights, range(1), rank, False)
    own = sum(int(np.prod(slot.shape)) for kind in optimizer.slots() for slot in kind)
    whole = 2 * sum(int(np.prod(size)) for size in SIZES)
    assert whole / size <= own <= whole / size + 2 * 64 * len(SIZES)
    assert len(optimizer.variables) == 2


@on_ranks(2)
def test_a_compiled_step_is_one_native_program(rank, size):
    optimizer, weights = ShardedOptimizer(fg.keras.optimizers.Adam(0.1)), variables()
    step = fg.function(lambda grads: optimizer.apply_gradients(zip(grads, weights, strict=True)))
    for number in range(3):
        step(gradients(weights, rank, number))
    (tree,) = step.trace_tree.compiled
    assert tree.program.plan.native


def checkpoint_program(rank, folder, restart):
    optimizer, weights = ShardedOptimizer(fg.keras.optimizers.Adam(0.02), average=True), variables()
    checkpoint = fg.train.Checkpoint(optimizer=optimizer, weights=weights)
    if restart:
        checkpoint.restore(fg.train.latest_checkpoint(folder)).expect_partial()
    else:
        train(optimizer, weights, range(3), 0, False)
        with fg.distribute.MultiWorkerMirroredStrategy().scope():
            checkpoint = fg.train.Checkpoint(optimizer=optimizer, weights=weights)
        checkpoint.save(f"{folder}/state")
    train(optimizer, weights, range(3, 6), 0, False)
    if rank == 0:
        np.savez(f"{folder}/values{int(restart)}.npz", *[weight.numpy() for weight in weights])


def main():
    from fastgrad._src.kernels.collectives.world import world

    checkpoint_program(world().rank, os.environ["FOLDER"], os.environ["RESTART"] == "1")


@pytest.mark.parametrize("ranks", [1, 3])
def test_a_checkpoint_continues_on_another_number_of_processes(tmp_path, ranks):
    program = ["-c", "from tests.distribute import test_sharded_optimizer as t; t.main()"]
    for count, restart in ((2, "0"), (ranks, "1")):
        status, output = run_ranks(count, program, FOLDER=str(tmp_path), RESTART=restart)
        assert status == 0, output
    with np.load(tmp_path / "values0.npz") as whole, np.load(tmp_path / "values1.npz") as restarted:
        for name in whole.files:
            np.testing.assert_allclose(restarted[name], whole[name], rtol=1e-4, atol=1e-6)


def test_what_needs_whole_variables_is_refused():
    with pytest.raises(TypeError, match="element-wise"):
        ShardedOptimizer(fg.keras.optimizers.Lamb())
    with pytest.raises(ValueError, match="clipnorm"):
        ShardedOptimizer(fg.keras.optimizers.Adam(clipnorm=1.0))
    optimizer, weights = ShardedOptimizer(fg.keras.optimizers.SGD(0.1)), variables()
    with pytest.raises(ValueError, match="no gradient"):
        optimizer.apply_gradients([(None, weights[0])])
    train(optimizer, weights, range(1), 0, False)
    with pytest.raises(ValueError, match="differ from those of the first step"):
        optimizer.apply_gradients([(fg.ones(weights[0].shape), weights[0])])


@on_ranks(1, 2, 3)
def test_model_files_hold_all_slots(rank, size):
    """Any number of processes continues: with the whole slots of `load_model`, or with its part of those of `load_weights`."""
    sharded_optimizer.SHARD_BYTES = 100
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(24, 5)).astype("float32"), rng.normal(size=(24, 1)).astype("float32")
    folder = fg.distribute.broadcast_object(tempfile.mkdtemp() if rank == 0 else None)
    strategies = fg.distribute.MultiWorkerMirroredStrategy(), fg.distribute.MirroredStrategy()

    def trained(scope, shard, epochs, make_optimizer):
        fg.keras.utils.set_random_seed(1)
        with scope:
            model = fg.keras.Sequential([fg.keras.Input((5,)), fg.keras.layers.Dense(7), fg.keras.layers.Dense(1)])
            optimizer = make_optimizer()
            model.compile(optimizer.sharded() if shard else optimizer, loss="mse")
        model.fit(x, y, batch_size=12, epochs=epochs, shuffle=False, verbose=0)
        return model

    def assert_same(model, expected):
        for weight, other in zip(model.weights, expected.weights, strict=True):
            np.testing.assert_allclose(weight.numpy(), other.numpy(), rtol=1e-3, atol=1e-5)

    for make_optimizer in (
        lambda: fg.keras.optimizers.Adam(0.05, amsgrad=True, global_clipnorm=2.0),
        lambda: fg.keras.optimizers.SGD(0.05, momentum=0.9, gradient_accumulation_steps=3),
    ):
        expected = trained(strategies[1].scope(), False, 4, make_optimizer)
        half = trained(strategies[1].scope(), False, 2, make_optimizer)
        for ending in (".keras", ".safetensors", ".h5"):
            model = trained(strategies[0].scope(), True, 2, make_optimizer)
            model.save(f"{folder}/model{ending}")
            for strategy in strategies:
                with strategy.scope():
                    loaded = fg.keras.models.load_model(f"{folder}/model{ending}")
                assert type(loaded.optimizer) is type(make_optimizer())
                assert (
                    loaded.optimizer.get_config().items() >= {"global_clipnorm": half.optimizer.global_clipnorm}.items()
                )
                for variable, other in zip(loaded.optimizer.variables, half.optimizer.variables, strict=True):
                    np.testing.assert_allclose(variable.numpy(), other.numpy(), rtol=1e-3, atol=1e-5)
                loaded.fit(x, y, batch_size=12, epochs=2, shuffle=False, verbose=0)
                assert_same(loaded, expected)
            if ending != ".h5":
                again = trained(strategies[0].scope(), True, 1, make_optimizer)
                again.load_weights(f"{folder}/model{ending}")
                assert int(again.optimizer.inner_optimizer._iterations) == 4
                again.fit(x, y, batch_size=12, epochs=2, shuffle=False, verbose=0)
                assert_same(again, expected)
            model.fit(x, y, batch_size=12, epochs=2, shuffle=False, verbose=0)  # it is sharded as before
            assert_same(model, expected)
            assert type(model.optimizer) is ShardedOptimizer


@on_ranks(2)
def test_the_option_of_distributed_optimizer(rank, size):
    plain = variables()
    train(fg.keras.optimizers.Adam(0.02), plain, range(3), rank, False, reduce=True)
    weights = variables()
    sharded = fg.distribute.DistributedOptimizer(
        fg.keras.optimizers.Adam(0.02), op=fg.distribute.Sum, shard_optimizer_state=True
    )
    train(sharded, weights, range(3), rank, True)
    for weight, expected in zip(weights, plain, strict=True):
        np.testing.assert_allclose(weight, expected, rtol=2e-4, atol=2e-6)


@on_ranks(2)
def test_fit_with_sharded_slots(rank, size):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(37, 5)).astype("float32"), rng.normal(size=(37, 1)).astype("float32")
    losses = []
    for shard in (False, True):
        fg.keras.utils.set_random_seed(1)
        with fg.distribute.MultiWorkerMirroredStrategy().scope():
            model = fg.keras.Sequential([fg.keras.layers.Dense(8, activation="tanh"), fg.keras.layers.Dense(1)])
            optimizer = fg.keras.optimizers.Adam(0.05)
            model.compile(optimizer.sharded() if shard else optimizer, loss="mse")
            losses.append(model.fit(x, y, batch_size=8, epochs=3, verbose=0).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-4)
