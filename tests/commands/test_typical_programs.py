"""The programs that are compiled in advance run, and cover models of other sizes."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.commands import typical_programs
from fastgrad._src.commands.typical_programs import (
    FUNCTIONS,
    LOOPS,
    LOSSES,
    MODELS,
    OPTIMIZERS,
    TASKS,
    TypicalComputation,
    TypicalProgram,
    list_typical_programs,
)
from fastgrad._src.jit import build
from fastgrad.keras import layers

PROGRAMS = [program for program in list_typical_programs() if isinstance(program, TypicalProgram)]
COMPUTATIONS = [program for program in list_typical_programs() if isinstance(program, TypicalComputation)]


@pytest.mark.parametrize("computation", COMPUTATIONS, ids=" - ".join)
def test_computations_run(computation):
    losses = computation.run()
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: " - ".join(map(str, program)))
def test_programs_run(program):
    weights = program.run().trainable_weights
    assert all(np.isfinite(weight.numpy()).all() for weight in weights)
    assert any(weight.numpy().any() for weight in weights if "bias" in weight.name)  # they begin as zeros


def test_each_model_task_optimizer_and_loop_is_in_a_program():
    for position, choices in enumerate((MODELS, TASKS, OPTIMIZERS, LOOPS)):
        assert {program[position] for program in PROGRAMS} == {*choices}
    for position, choices in enumerate((LOSSES, OPTIMIZERS, FUNCTIONS)):
        assert {computation[position] for computation in COMPUTATIONS} <= {*choices}
    assert {computation.model for computation in COMPUTATIONS} == {*LOSSES}
    assert len({*PROGRAMS, *COMPUTATIONS}) == len(list_typical_programs())


def fit(units, features, batch_size, dropout):
    rng = np.random.default_rng(0)
    model = tf.keras.Sequential(
        [
            layers.Input((features,)),
            layers.Dense(units, activation="relu"),
            layers.Dropout(dropout),
            layers.Dense(2 * units, activation="relu"),
            layers.Dropout(dropout),
            layers.Dense(7),
        ]
    )
    model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    x = rng.normal(size=(100, features)).astype(np.float32)
    history = model.fit(x, rng.integers(0, 7, 100), batch_size=batch_size, epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_a_model_of_other_sizes_compiles_nothing(monkeypatch, tmp_path):
    TypicalProgram("dense with dropout", "labels from logits", "adam", "fit").run()
    compiled = []
    monkeypatch.setattr(build, "_compile", lambda source, symbol: compiled.append(source.function.__name__))
    monkeypatch.setattr(build, "compile_kernels", lambda *arguments: None)
    fit(48, 13, 24, 0.1)
    assert compiled == []


def test_a_program_trains_in_the_way_asked_for(monkeypatch):
    calls = []
    monkeypatch.setitem(LOOPS, "fit", lambda *arguments: calls.append(arguments))
    TypicalProgram("embedding", "yes or no", "momentum", "fit", 8).run()
    ((model, task, optimizer, x, y, batch_size),) = calls
    assert (x.shape, x.dtype, x.max() < typical_programs.VOCABULARY) == ((18, 12), np.int32, True)
    assert (y.shape, set(np.unique(y)) <= {0.0, 1.0}, batch_size) == ((18, 1), True, 8)
    assert model(x).shape == (18, 1)
    assert (task.metrics, optimizer.momentum) == (("accuracy",), 0.9)
